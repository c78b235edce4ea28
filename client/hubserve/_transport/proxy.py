"""The HTTP proxy that gRPC uses for a target. gRPC reads it from the environment, and its errors do not mention it.

The rules are those of `HttpProxyMapper` in gRPC's `http_proxy_mapper.cc`.
"""

from __future__ import annotations

import ipaddress
import os

_PROXIES = ("grpc_proxy", "https_proxy", "http_proxy")
_EXCEPTIONS = ("no_grpc_proxy", "no_proxy")


def proxy_hint(target: str) -> str:
    """Name the proxy between this process and a target, and say how to avoid it.

        proxy_hint("localhost:8500")

    Args:
        target: gRPC's target.

    Returns:
        A sentence for the end of an error, or "" if no proxy is used.
    """
    variable = next((name for name in _PROXIES if os.environ.get(name)), None)
    host = _host(target)
    if variable is None or host is None or _excepted(host):
        return ""
    proxy = _shown(os.environ[variable])
    return (
        f"; calls to {host} go through the proxy of the environment variable {variable} ({proxy}): "
        f"set no_grpc_proxy={host} to avoid the proxy"
    )


def _host(target: str) -> str | None:
    """Return the host of a target; None if gRPC never uses a proxy for it."""
    scheme, colon, rest = target.partition(":")
    if colon and scheme in ("unix", "unix-abstract", "vsock", "xds"):
        return None
    if colon and scheme in ("dns", "ipv4", "ipv6"):
        target = rest.rpartition("/")[2]
    target = target.partition(",")[0]
    host, colon, port = target.rpartition(":")
    return (host if colon and port.isdecimal() else target).strip("[]")


def _excepted(host: str) -> bool:
    given = next((os.environ[name] for name in _EXCEPTIONS if os.environ.get(name)), "")
    for entry in filter(None, (entry.strip() for entry in given.split(","))):
        if host.lower().endswith(entry.lower()):
            return True
        try:
            if ipaddress.ip_address(host) in ipaddress.ip_network(entry, strict=False):
                return True
        except ValueError:
            continue
    return False


def _shown(url: str) -> str:
    """Return an address without its password."""
    scheme, separator, rest = url.rpartition("://")
    return scheme + separator + rest.rpartition("@")[2]
