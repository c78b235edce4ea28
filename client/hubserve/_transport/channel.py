"""Describe channels: address, load balancing over replicas, and detection of broken connections."""

from __future__ import annotations

import ipaddress
import itertools
import json
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import grpc

from .._checks import check_text
from .._errors import UsageError
from .security import TLS

_State = grpc.ChannelConnectivity
# TensorFlow Serving's gRPC port.
DEFAULT_PORT = 8500
_WEB_SCHEME = re.compile(r"([a-zA-Z][\w+.-]*)://([^/]*)")
_GRPC_SCHEMES = ("dns", "xds", "ipv4", "ipv6", "unix", "unix-abstract", "vsock", "google-c2p")
# HOST:PORT of one server; an IPv6 address is in brackets.
_ADDRESS = re.compile(r"(?:[^\s:/@\[\]\x00-\x1f]+|\[[0-9a-fA-F:.%\w]+\]):(\d{1,5})", re.ASCII)
_OPTIONS: dict[str, Any] = {
    # gRPC's own limit is 4 MiB, and answers with logits or feature maps may be larger.
    "grpc.max_receive_message_length": -1,
    "grpc.max_send_message_length": -1,
    # A server that starts is noticed within seconds; gRPC's default delay grows to two minutes.
    "grpc.initial_reconnect_backoff_ms": 200,
    "grpc.max_reconnect_backoff_ms": 2000,
    # Detects a machine that vanished. A server may close connections that ping more often (GOAWAY, "too many pings").
    "grpc.keepalive_time_ms": 30_000,
    "grpc.keepalive_timeout_ms": 10_000,
    # gRPC's retries stop at 256 KiB, and would multiply with the client's.
    "grpc.enable_retries": 0,
}


def grpc_targets(target: str | Sequence[str]) -> tuple[list[str], bool]:
    """Return gRPC's targets, one for each channel, and whether they can stand for several servers.

    Raises:
        UsageError: A target is not valid.
    """
    listed = isinstance(target, Collection) and not isinstance(target, str | bytes)
    targets: list[Any] = list(dict.fromkeys(target)) if listed else [target]
    if not targets:
        raise UsageError("target must name a server, and this list is empty")
    several = listed and len(target) > 1
    for one in targets:
        if not isinstance(one, str):
            raise UsageError(f"target must be a str such as localhost:{DEFAULT_PORT}, or a list of them, not {one!r}")
        check_text("target", one)
    targets = [_with_port(one) for one in targets]
    for one in targets:
        if not one:
            raise UsageError(f"target must be a gRPC target such as localhost:{DEFAULT_PORT}, not {one!r}")
        if (web := _WEB_SCHEME.match(one)) and web[1] not in _GRPC_SCHEMES:
            raise UsageError(
                f"target must be a gRPC target such as localhost:{DEFAULT_PORT}, not {one!r}: leave {web[1]}:// out; "
                "tls= encrypts the connection"
            )
        if several and not _ADDRESS.fullmatch(one):
            raise UsageError(f"each of several targets must be HOST:PORT, and {one!r} is not")
        _check_address(one)
    return targets, several or targets[0].startswith(("dns:", "xds:", "ipv4:", "ipv6:"))


def _check_address(target: str) -> None:
    """Check HOST:PORT and dns:///HOST:PORT. gRPC takes a port modulo 65536, and 443 for an empty one.

    Raises:
        UsageError: The address is not valid.
    """
    scheme, _, rest = target.partition(":")
    if scheme in _GRPC_SCHEMES and scheme != "dns":
        return
    address = rest.rpartition("/")[2] if scheme == "dns" else target
    found = _ADDRESS.fullmatch(address)
    if not found or not 0 < int(found[1]) < 2**16:
        raise UsageError(
            f"target must be HOST:PORT with a port from 1 to 65535, such as localhost:{DEFAULT_PORT}, and nothing "
            f"before or after them, not {target!r}"
        )


def _with_port(target: str) -> str:
    """Add TensorFlow Serving's port if there is none: gRPC would use 443."""
    if target.count(":") > 1 and _is_ipv6(target):
        # The last part of the address could also be a port.
        raise UsageError(f"target must be HOST:PORT, with an IPv6 address in brackets: [::1]:8500, not {target!r}")
    # HOST, or dns:HOST, dns:///HOST and dns://RESOLVER/HOST, with or without a port.
    scheme, colon, rest = target.partition(":")
    head, name = ("", target)
    if colon and scheme == "dns":
        slash = rest.rpartition("/")
        head, name = f"dns:{slash[0]}{slash[1]}", slash[2]
    if name and ("/" not in name) and (":" not in name or re.fullmatch(r"\[[^]]*\]", name)):
        return f"{head}{name}:{DEFAULT_PORT}"
    return target


def _is_ipv6(text: str) -> bool:
    try:
        return ipaddress.ip_address(text).version == 6
    except ValueError:
        return False


def channel_options(*, replicas: bool, tls: TLS | None, more: Mapping[str, str | int]) -> list[tuple[str, Any]]:
    """Return the options of a channel.

    Args:
        replicas: Whether the target can stand for several servers.
        tls: The TLS settings, for the server's name.
        more: The caller's options, which override the others.
    """
    config: dict[str, Any] = {"loadBalancingConfig": [{"round_robin": {}}]}
    if replicas:
        # A server that reports "not serving" gets no calls. Without grpc.health.v1, gRPC takes a server as healthy.
        config["healthCheckConfig"] = {"serviceName": ""}
    options = {**_OPTIONS, "grpc.service_config": json.dumps(config)}
    if tls is not None and tls.server_name is not None:
        options["grpc.ssl_target_name_override"] = tls.server_name
    return list({**options, **more}.items())


class Turns:
    """Choose connected servers in turn, as round_robin does: `turns.note(0, state); turns.next()`.

    gRPC's round_robin knows only the addresses of one target. A list of targets must then be numbers, and gRPC would
    check all their certificates against one name. If none is connected, the servers that are not known to fail are
    chosen in turn. Threads may share an object.

    Args:
        count: The number of servers.
    """

    def __init__(self, count: int) -> None:
        self._states = [_State.IDLE] * count
        self._turn = itertools.count()

    def note(self, place: int, state: grpc.ChannelConnectivity) -> None:
        """Record a channel's state."""
        self._states[place] = state

    def next(self) -> int:
        """Return the index of the next server."""
        states = list(self._states)
        ready = [place for place, state in enumerate(states) if state is _State.READY]
        trying = [place for place, state in enumerate(states) if state in (_State.IDLE, _State.CONNECTING)]
        among = ready or trying or range(len(states))
        return among[next(self._turn) % len(among)]
