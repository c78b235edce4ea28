"""Describe a channel: its address, how it spreads calls over replicas, how it notices that one is gone."""

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
# TensorFlow Serving's port for gRPC.
DEFAULT_PORT = 8500
_WEB_SCHEME = re.compile(r"([a-zA-Z][\w+.-]*)://([^/]*)")
_GRPC_SCHEMES = ("dns", "xds", "ipv4", "ipv6", "unix", "unix-abstract", "vsock", "google-c2p")
# Of one server; an IPv6 address stands in brackets.
_ADDRESS = re.compile(r"(?:[^\s:/@\[\]\x00-\x1f]+|\[[0-9a-fA-F:.%\w]+\]):(\d{1,5})", re.ASCII)
_OPTIONS: dict[str, Any] = {
    # gRPC's own limit is 4 MiB: an answer with logits or feature maps is soon larger.
    "grpc.max_receive_message_length": -1,
    "grpc.max_send_message_length": -1,
    # A server that comes up is noticed within seconds; gRPC would let its tries grow two minutes apart.
    "grpc.initial_reconnect_backoff_ms": 200,
    "grpc.max_reconnect_backoff_ms": 2000,
    # A machine that vanished says nothing. More often, and a server that was not told takes it for an attack (GOAWAY,
    # "too many pings").
    "grpc.keepalive_time_ms": 30_000,
    "grpc.keepalive_timeout_ms": 10_000,
    # They stop at 256 KiB, and would be multiplied with ours.
    "grpc.enable_retries": 0,
}


def grpc_targets(target: str | Sequence[str]) -> tuple[list[str], bool]:
    """Make gRPC's targets, one for each channel, and tell whether they can stand for several servers.

    Raises:
        UsageError: It is none.
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
    """Check HOST:PORT and dns:///HOST:PORT. gRPC itself takes a port modulo 65536, and 443 for an empty one.

    Raises:
        UsageError: It is not an address.
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
    """Add TensorFlow Serving's port where there is none: gRPC itself would take 443."""
    if target.count(":") > 1 and _is_ipv6(target):
        # Its last part could be a port, too.
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
        tls: The encryption, for the server's name.
        more: The caller's, which win.
    """
    config: dict[str, Any] = {"loadBalancingConfig": [{"round_robin": {}}]}
    if replicas:
        # One that says it is not serving gets no calls. Where nobody answers grpc.health.v1, gRPC takes it for healthy.
        config["healthCheckConfig"] = {"serviceName": ""}
    options = {**_OPTIONS, "grpc.service_config": json.dumps(config)}
    if tls is not None and tls.server_name is not None:
        options["grpc.ssl_target_name_override"] = tls.server_name
    return list({**options, **more}.items())


class Turns:
    """Each in turn among those that are connected, as round_robin has it: `turns.note(0, state); turns.next()`.

    gRPC's round_robin knows only the addresses of one target, which for a list must be numbers; and it would hold the
    certificates of all of them against one name. Where none is connected, each in turn among those that are not known
    to fail. Threads may share it.

    Args:
        count: How many there are.
    """

    def __init__(self, count: int) -> None:
        self._states = [_State.IDLE] * count
        self._turn = itertools.count()

    def note(self, place: int, state: grpc.ChannelConnectivity) -> None:
        """Take note of a channel's state."""
        self._states[place] = state

    def next(self) -> int:
        """Return the place of the one to ask."""
        states = list(self._states)
        ready = [place for place, state in enumerate(states) if state is _State.READY]
        trying = [place for place, state in enumerate(states) if state in (_State.IDLE, _State.CONNECTING)]
        among = ready or trying or range(len(states))
        return among[next(self._turn) % len(among)]
