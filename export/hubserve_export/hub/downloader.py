"""Download one file over HTTP with timeouts, resume after a cut, checksum, disk space check and proxies.

tensorflow_hub 0.16 does none of these, and cannot be imported beside setuptools 82. kagglehub 1.0 does some of them,
needs Python 3.11, and accepts no other server, so it could not be tested here.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

import requests
import urllib3

from .faults import DownloadError, Fault, is_address, of_disk, of_network, shown

_CHUNK = 1 << 20
_REDIRECTS = 10
# A SavedModel's weights hardly get smaller in a .tar.gz.
_UNPACKED = 1.2
_SIGNATURE = re.compile(rb"<Code>(SignatureDoesNotMatch|ExpiredToken|AccessDenied|InvalidSecurity)</Code>")


@dataclass(frozen=True)
class Received:
    """Hold a file that was received whole.

    Attributes:
        url: Where it came from in the end, without the query, which may hold a signature.
        sha256: Its hash, in hexadecimal digits.
        size: Its bytes.
    """

    url: str
    sha256: str
    size: int


class Downloader:
    """Download files, and continue one that an earlier download left incomplete.

    Args:
        connect_seconds: How long a connection may take.
        read_seconds: How long a server may send nothing.
        attempts: How often a download is tried. After a cut or a stall, the next attempt continues it.
        pause: Called with the seconds to wait before the next attempt.
        free_bytes: Returns the free bytes of the disk that holds a folder.
    """

    def __init__(
        self,
        *,
        connect_seconds: float = 10,
        read_seconds: float = 60,
        attempts: int = 4,
        pause: Callable[[float], None] = time.sleep,
        free_bytes: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free,
    ) -> None:
        self._timeout = (connect_seconds, read_seconds)
        self._attempts = attempts
        self._pause = pause
        self._free_bytes = free_bytes
        self._session = requests.Session()

    def document(self, url: str, authorization: str | None = None) -> Any:
        """Return the JSON at an address.

        Raises:
            DownloadError: The address does not answer, or its answer is not JSON.
        """
        with self._opened(url, {"Accept": "application/json"}, authorization) as response:
            try:
                return json.loads(response.content)
            except ValueError as error:
                raise DownloadError(Fault.PAGE, f"{shown(url)} answers with a web page instead of JSON") from error
            except requests.RequestException as error:
                raise of_network(url, error) from error

    def file(
        self,
        url: str,
        part: Path,
        authorization: str | None = None,
        received: Callable[[int, int | None], None] = lambda _done, _total: None,
    ) -> Received:
        """Download a file.

        Args:
            url: Its address.
            part: The file to write. A part that is there already is continued, if the server still has the same file.
            authorization: The Authorization header for the host of `url`, and for no other.
            received: Called with the bytes received, and with the file's size, or None where it is not known.

        Raises:
            DownloadError: The file cannot be downloaded.
        """
        renewed = repeated = False
        for attempt in range(self._attempts):
            try:
                return self._once(url, part, authorization, received)
            except DownloadError as error:
                if error.fault is Fault.SIGNATURE and not renewed:
                    renewed = True  # The hub signs another address for a second request.
                elif error.fault is Fault.CHECKSUM and not repeated:
                    repeated = True
                elif error.fault not in (Fault.CUT, Fault.STALLED) or attempt == self._attempts - 1:
                    raise
                else:
                    self._pause(2.0**attempt)
        raise AssertionError("the last attempt returns or raises")

    def _once(
        self, url: str, part: Path, authorization: str | None, received: Callable[[int, int | None], None]
    ) -> Received:
        known = _Known.read(part)
        headers = {"Range": f"bytes={known.have}-", "If-Range": known.etag} if known.etag and known.have else {}
        with self._opened(url, headers, authorization) as response:
            if response.status_code == 416:
                known.forget()
                raise DownloadError(Fault.CUT, f"{shown(url)} has another file now than the one that was begun")
            if not (response.status_code == 206 and known.continues(response.headers)):
                if response.status_code == 206:
                    known.forget()
                    raise DownloadError(Fault.CUT, f"{shown(url)} sends another part than the one that was asked for")
                known.begin(response.headers)
            self._check_room(part.parent, known)
            try:
                self._receive(response, part, known, received)
            except OSError as error:
                if isinstance(error, requests.RequestException):
                    raise of_network(url, error) from error
                failed = of_disk(part.parent, error)
                if failed.fault is Fault.NO_ROOM:
                    known.forget()
                raise failed from error
            sha256 = known.check(url)
            return Received(shown(response.url), sha256, known.have)

    def _receive(self, response: Any, part: Path, known: _Known, received: Callable[[int, int | None], None]) -> None:
        first = not known.have
        with part.open("r+b" if part.exists() else "w+b") as file:
            file.truncate(known.have)
            file.seek(known.have)
            try:
                # Without decoding, because the checksum is of the stored bytes. And as the bytes arrive, because a
                # chunk that is not complete is lost when the connection stalls. urllib3 1 does not have read1.
                read = getattr(response.raw, "read1", response.raw.read)
                while chunk := read(_CHUNK, decode_content=False):
                    if first and chunk.lstrip()[:1] == b"<":
                        raise DownloadError(Fault.PAGE, f"{shown(response.url)} answers with a web page")
                    first = False
                    file.write(chunk)
                    known.have += len(chunk)
                    received(known.have, known.total)
            except urllib3.exceptions.ReadTimeoutError as error:
                raise DownloadError(
                    Fault.STALLED, f"{shown(response.url)} sent nothing for {self._timeout[1]:g} seconds"
                ) from error
            except (urllib3.exceptions.HTTPError, ConnectionError, TimeoutError) as error:
                raise _cut(response.url, known) from error
        if known.total is not None and known.have < known.total:
            raise _cut(response.url, known)

    def _check_room(self, folder: Path, known: _Known) -> None:
        if known.total is None:
            return
        needed = known.total - known.have + int(known.total * _UNPACKED)
        free = self._free_bytes(folder)
        if free < needed:
            raise DownloadError(
                Fault.NO_ROOM, f"{folder} has {free / 1e6:.0f} MB free, and {needed / 1e6:.0f} MB are needed"
            )

    def _opened(self, url: str, headers: Mapping[str, str], authorization: str | None) -> Any:
        """Ask for an address, and follow its redirects. Credentials go to its own host only."""
        origin, at = _origin(url), url
        authorization = authorization or _of_address(url)
        for _ in range(_REDIRECTS):
            own = {"Authorization": authorization} if authorization and _origin(at) == origin else {}
            try:
                response = self._session.get(
                    at,
                    headers={"Accept-Encoding": "identity", "User-Agent": "hubserve", **headers, **own},
                    auth=_keep,
                    stream=True,
                    allow_redirects=False,
                    timeout=self._timeout,
                )
            except (requests.RequestException, OSError, ValueError) as error:
                raise of_network(at, error) from error
            if not response.is_redirect:
                try:
                    _check_status(response)
                except DownloadError:
                    response.close()
                    raise
                return response
            response.close()
            leads, at = at, _joined(at, response.headers["Location"])
            if not is_address(at):
                raise DownloadError(Fault.FAILING, f"{shown(leads)} leads to what is not an address")
            if leads.startswith("https:") and not at.startswith("https:"):
                raise DownloadError(Fault.FAILING, f"{shown(leads)} leads to an address without encryption")
            if re.search(r"/account/login|/signin", urlsplit(at).path):
                raise DownloadError(Fault.REFUSED, f"{shown(leads)} asks to sign in")
        raise DownloadError(Fault.FAILING, f"{shown(url)} leads from one address to the next without an end")


@dataclass
class _Known:
    """Keep what is known of a file beside the file, so that the next run can continue the download."""

    part: Path
    have: int = 0
    etag: str | None = None
    md5: str | None = None
    total: int | None = None

    @classmethod
    def read(cls, part: Path) -> _Known:
        try:
            kept = json.loads(_beside(part).read_text(encoding="utf-8"))
            return cls(part, part.stat().st_size, kept["etag"], kept["md5"], kept["total"])
        except (OSError, ValueError, KeyError, TypeError):
            return cls(part)

    def begin(self, headers: Mapping[str, str]) -> None:
        length, etag = headers.get("Content-Length"), headers.get("ETag")
        self.have, self.md5 = 0, _md5(headers)
        self.total = int(length) if length and length.isdecimal() else None
        # A weak tag does not promise the same bytes.
        self.etag = etag if etag and not etag.startswith("W/") else None
        kept = {"etag": self.etag, "md5": self.md5, "total": self.total}
        try:
            self.part.unlink(missing_ok=True)
            _beside(self.part).write_text(json.dumps(kept), encoding="utf-8")
        except OSError as error:
            raise of_disk(self.part.parent, error) from error

    def continues(self, headers: Mapping[str, str]) -> bool:
        span = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", headers.get("Content-Range", ""))
        return span is not None and int(span[1]) == self.have and span[2] in ("*", str(self.total))

    def check(self, url: str) -> str:
        """Compare the file with the checksum that the server told, and return its SHA-256."""
        md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
        with self.part.open("rb") as file:
            while chunk := file.read(_CHUNK):
                md5.update(chunk)
                sha256.update(chunk)
        if self.md5 is not None and md5.hexdigest() != self.md5:
            self.forget()
            raise DownloadError(Fault.CHECKSUM, f"{shown(url)} came with another checksum than its server tells, twice")
        return sha256.hexdigest()

    def forget(self) -> None:
        for file in (self.part, _beside(self.part)):
            with suppress(OSError):
                file.unlink(missing_ok=True)


def _beside(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def _md5(headers: Mapping[str, str]) -> str | None:
    """Return the MD5 that a server sends in its headers, in hexadecimal digits.

    Google's storage: https://cloud.google.com/storage/docs/xml-api/reference-headers#xgooghash. Its ETag is the MD5 of
    objects that were uploaded in one piece.
    """
    if headers.get("x-goog-stored-content-encoding", "identity") != headers.get("Content-Encoding", "identity"):
        return None  # The hash is of other bytes than the server sends.
    told = re.search(r"md5=([\w+/=]+)", headers.get("x-goog-hash", ""))
    encoded = told[1] if told else headers.get("Content-MD5")
    if encoded:
        with suppress(binascii.Error, ValueError):
            digest = base64.b64decode(encoded, validate=True)
            return digest.hex() if len(digest) == 16 else None
    etag = headers.get("ETag", "").strip('"').lower()
    if "x-goog-generation" in headers and "x-goog-hash" not in headers and re.fullmatch(r"[0-9a-f]{32}", etag):
        return etag
    return None


def _check_status(response: Any) -> None:
    status, where = response.status_code, shown(response.url)
    if status in (200, 206, 416):
        kind = response.headers.get("Content-Type", "")
        if kind.startswith("text/html"):
            raise DownloadError(Fault.PAGE, f"{where} answers with a web page")
        return
    if status in (400, 401, 403):
        try:
            signed = _SIGNATURE.search(response.raw.read(4096, decode_content=True) or b"")
        except (urllib3.exceptions.HTTPError, OSError):
            signed = None
        if signed:
            raise DownloadError(Fault.SIGNATURE, f"the storage at {where} answers {status} ({signed[1].decode()})")
    faults = {401: Fault.REFUSED, 403: Fault.REFUSED, 404: Fault.MISSING, 410: Fault.MISSING, 429: Fault.BUSY}
    after = response.headers.get("Retry-After", "")
    raise DownloadError(
        faults.get(status, Fault.FAILING), f"{where} answers {status}", int(after) if after.isdecimal() else None
    )


def _cut(url: str, known: _Known) -> DownloadError:
    of = "" if known.total is None else f" of {known.total}"
    return DownloadError(Fault.CUT, f"{shown(url)} ended after {known.have}{of} bytes")


def _joined(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError:
        return ""


def _keep(request: Any) -> Any:
    """Leave a request as it is: without this, requests takes credentials from ~/.netrc."""
    return request


def _of_address(url: str) -> str | None:
    """Return the Authorization header for the user and the password in an address; None where it has none."""
    user, at, _ = urlsplit(url).netloc.rpartition("@")
    return f"Basic {base64.b64encode(unquote(user).encode()).decode('ascii')}" if at else None


def _origin(url: str) -> tuple[str, str]:
    split = urlsplit(url)
    return split.scheme, split.netloc
