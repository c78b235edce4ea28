"""Describe what can go wrong with a download, by what to do about it."""

from __future__ import annotations

import enum
import errno
from pathlib import Path
from urllib.parse import urlsplit

import requests
import urllib3

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Fault(enum.Enum):
    """List the kinds of faults. The next step depends on the kind."""

    UNREACHABLE = "no way to the server"
    ADDRESS = "the address, the proxy or the file of certificates cannot be used"
    REFUSED = "the server wants credentials or a consent: 401, 403"
    MISSING = "the server does not have it: 404, 410"
    BUSY = "too many requests: 429"
    FAILING = "the server fails: 5xx, or another status"
    SIGNATURE = "the storage does not accept the address that the hub signed"
    PAGE = "a web page came instead of an archive"
    NO_VERSION = "the server does not say which version is the newest"
    CUT = "the connection ended before the file did"
    STALLED = "no byte came for too long"
    CHECKSUM = "the file is not what the server said"
    NO_ROOM = "the disk is full"
    NOT_WRITABLE = "the cache cannot be written to"


class DownloadError(Exception):
    """Report a file that cannot be downloaded.

    Attributes:
        fault: What went wrong.
        wait: The seconds that a busy server asks callers to wait.
    """

    def __init__(self, fault: Fault, message: str, wait: int | None = None) -> None:
        super().__init__(message)
        self.fault = fault
        self.wait = wait


def of_disk(folder: Path, error: OSError) -> DownloadError:
    """Return the error for a folder that cannot be written to."""
    fault = Fault.NO_ROOM if error.errno in _FULL else Fault.NOT_WRITABLE
    return DownloadError(fault, f"{folder} cannot be written to ({error.strerror})")


def of_network(url: str, error: Exception) -> DownloadError:
    """Return the error for a request that got no answer."""
    host = _host(shown(url))
    if isinstance(error, requests.ConnectTimeout):
        return DownloadError(Fault.UNREACHABLE, f"{host} does not answer")
    if isinstance(error, requests.ReadTimeout):
        return DownloadError(Fault.STALLED, f"{shown(url)} does not answer")
    if isinstance(error, requests.exceptions.SSLError):
        return DownloadError(Fault.UNREACHABLE, f"the certificate of {host} is not trusted")
    if isinstance(error, requests.exceptions.ProxyError):
        return DownloadError(Fault.UNREACHABLE, f"the proxy does not lead to {host}")
    if isinstance(error, ValueError):  # InvalidURL, InvalidSchema, MissingSchema, LocationParseError
        if is_address(url) and not isinstance(error, urllib3.exceptions.LocationParseError):
            if requests.utils.get_environ_proxies(url):
                return DownloadError(Fault.ADDRESS, "the proxy that the environment names is not http://HOST:PORT")
            # requests looks at the address of a redirect even when it does not follow it.
            return DownloadError(Fault.FAILING, f"{shown(url)} leads to what is not an address")
        return DownloadError(Fault.ADDRESS, f"{shown(url)} is not an address of HTTP")
    if "TLS CA certificate bundle" in str(error):
        return DownloadError(Fault.ADDRESS, "the file of certificates that REQUESTS_CA_BUNDLE names is not there")
    if "NameResolutionError" in repr(error) or "getaddrinfo" in repr(error):
        return DownloadError(Fault.UNREACHABLE, f"the name {host} is not known here")
    return DownloadError(Fault.UNREACHABLE, f"no connection to {host}")


def shown(url: str) -> str:
    """Return an address without its query, which may hold a signature or a token, and without user and password."""
    try:
        split = urlsplit(url)
    except ValueError:
        return url.partition("?")[0].rpartition("@")[2]
    return split._replace(netloc=split.netloc.rpartition("@")[2], query="", fragment="").geturl()


def is_address(url: str) -> bool:
    """Tell whether a request can be made for an address."""
    try:
        requests.Request("GET", url).prepare()
    except ValueError:
        return False
    return url.startswith(("http://", "https://"))


def _host(url: str) -> str:
    """Return host and port."""
    return url.partition("://")[2].partition("/")[0] or url
