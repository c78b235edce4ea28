"""What a channel is made of: where it leads, how it spreads calls over replicas, how it notices that one is gone."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ._errors import UsageError
from ._security import TLS

# Of one server; an IPv6 address stands in brackets.
_ADDRESS = re.compile(r"([^:/]+|\[[0-9a-fA-F:.%\w]+\]):\d+")
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
    """Makes gRPC's targets, one for each channel, and tells whether they can stand for several servers.

    Raises:
        UsageError: It is none.
    """
    several = not isinstance(target, str) and len(target) > 1
    targets = [target] if isinstance(target, str) else list(dict.fromkeys(target))
    if not targets:
        raise UsageError("target must name a server, and this list is empty")
    for one in targets:
        if not one or one.startswith(("http://", "https://")):
            raise UsageError(f"target must be a gRPC target such as localhost:8500, not {one!r}")
        if several and not _ADDRESS.fullmatch(one):
            raise UsageError(f"each of several targets must be HOST:PORT, and {one!r} is not")
    return targets, several or targets[0].startswith(("dns:", "xds:", "ipv4:", "ipv6:"))


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
