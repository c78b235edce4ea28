"""What a channel is made of: where it leads, how it spreads calls over replicas, how it notices that one is gone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ._errors import UsageError
from ._security import TLS

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


def grpc_target(target: str | Sequence[str]) -> tuple[str, bool]:
    """Makes gRPC's target, and tells whether it can stand for several servers.

    Several addresses become one `ipv4:` or `ipv6:` target, which takes numbers only: their names are looked up here.

    Raises:
        UsageError: It is none.
    """
    if not isinstance(target, str):
        addresses = list(target)
        if len(addresses) != 1:
            return _several(addresses), True
        target = addresses[0]
    if not target or target.startswith(("http://", "https://")):
        raise UsageError(f"target must be a gRPC target such as localhost:8500, not {target!r}")
    return target, target.startswith(("dns:", "xds:", "ipv4:", "ipv6:"))


def channel_options(*, replicas: bool, tls: TLS | None, more: Mapping[str, str | int]) -> list[tuple[str, Any]]:
    """The options of a channel.

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


def _several(addresses: Sequence[str]) -> str:
    # Only who names several servers needs it.
    import socket

    found: dict[str, None] = {}
    scheme = None
    for address in addresses:
        host, _, port = address.rpartition(":")
        if not host or not port.isdecimal():
            raise UsageError(f"each of several targets must be HOST:PORT, and {address!r} is not")
        try:
            family, _, _, _, (number, *_) = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)[0]
        except OSError as error:
            raise UsageError(f"there is no host {host} ({error.strerror}): correct the target {address!r}") from error
        own = "ipv6" if family == socket.AF_INET6 else "ipv4"
        if own != (scheme or own):
            raise UsageError(
                "several targets must be all IPv4 or all IPv6: leave one kind out, or give a dns:/// target"
            )
        scheme = own
        found[f"[{number}]:{port}" if own == "ipv6" else f"{number}:{port}"] = None
    if not found:
        raise UsageError("target must name a server, and this list is empty")
    return f"{scheme}:{','.join(found)}"
