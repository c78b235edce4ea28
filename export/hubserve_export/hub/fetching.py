"""Find a module by its name: in the caches, then on the name's service, then on the other service."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from .._errors import SourceError
from .._progress import Progress
from . import credentials
from .downloader import Downloader, Received
from .faults import DownloadError, Fault, of_disk, shown
from .handles import KAGGLE, TFHUB, Address, KaggleName, Name, TfhubName, tidied
from .module_cache import Caches, Place
from .module_table import did_you_mean, of_name, resolve

Answer = TypeVar("Answer")

_ARCHIVES = (".tar.gz", ".tgz", ".tar")


@dataclass(frozen=True)
class Services:
    """Name the addresses of the two services. A company's mirror, or a test, has other addresses.

    Attributes:
        tfhub: The address of TensorFlow Hub; HUBSERVE_TFHUB_URL in the environment.
        kaggle: The address of Kaggle Models; HUBSERVE_KAGGLE_URL in the environment.
    """

    tfhub: str = TFHUB
    kaggle: str = KAGGLE

    @classmethod
    def of_environment(cls) -> Services:
        """Return the addresses that the environment names, or the public ones."""
        return cls(
            (os.environ.get("HUBSERVE_TFHUB_URL") or TFHUB).rstrip("/"),
            (os.environ.get("HUBSERVE_KAGGLE_URL") or KAGGLE).rstrip("/"),
        )


@dataclass(frozen=True)
class Fetched:
    """Describe a module on this machine.

    Attributes:
        folder: Its folder, in a cache.
        handle: The address of the module that was asked for, without a query, a user and a password of a mirror.
        name: Its name on the service that it came from. This is the twin's name where the first service refused.
        version: The version on that service.
        url: The address of the archive, without a query; None for a folder that another program put into the cache.
        sha256: The hash of the archive; None for such a folder.
        cached: Whether nothing was downloaded.
        refused: Why it came from the twin; empty where it did not.
    """

    folder: Path
    handle: str
    name: str
    version: int | None
    url: str | None
    sha256: str | None
    cached: bool
    refused: str = ""

    def recorded(self) -> dict[str, str | int | None]:
        """Return what the manifest records of the module."""
        return {"name": self.name, "version": self.version, "url": self.url, "sha256": self.sha256}

    def described(self) -> str:
        """Return in words where the module came from."""
        where = f"the cache ({self.folder})" if self.cached else str(self.url)
        return f"{self.name}, from {where}{f', because {self.refused}' if self.refused else ''}"


def fetch(
    given: str,
    progress: Progress | None = None,
    downloader: Downloader | None = None,
    services: Services | None = None,
    caches: Caches | None = None,
) -> Fetched:
    """Find a module in a cache, or download it into one.

    Args:
        given: Its name, in any form.
        progress: Receives the progress of downloads and the warnings; None for none.
        downloader: Downloads; None for one with the usual timeouts.
        services: The addresses of the services; None for those of the environment.
        caches: The folders that keep modules; None for those of the environment.

    Raises:
        SourceError: The name is not complete, or the module cannot be downloaded; the message says what to do next.
    """
    given = tidied(given)
    name, twin = resolve(given)
    run = _Run(
        given,
        progress or Progress(),
        downloader or Downloader(),
        services or Services.of_environment(),
        caches or Caches.of_environment(),
    )
    routes = [route for route in (name, twin) if route is not None]
    for route in routes:
        found = run.cached(name, route)
        if found is not None:
            return found
    failures: list[tuple[Name, DownloadError]] = []
    for route in routes:
        try:
            return run.downloaded(name, route, "; ".join(str(error) for _, error in failures))
        except DownloadError as error:
            failures.append((route, error))
            if error.fault in (Fault.NO_ROOM, Fault.NOT_WRITABLE):
                break
    raise SourceError(_failed(given, name, failures)) from failures[-1][1]


@dataclass(frozen=True)
class _Run:
    given: str
    progress: Progress
    downloader: Downloader
    services: Services
    caches: Caches

    def cached(self, asked: Name, route: Name) -> Fetched | None:
        if isinstance(route, KaggleName) and route.version is None:
            return None  # Kaggle says which one is the newest.
        return next(
            (_hit(asked, route, place) for place in self.caches.places(route, self.given) if place.is_whole()), None
        )

    def downloaded(self, asked: Name, route: Name, refused: str) -> Fetched:
        if isinstance(route, KaggleName) and route.version is None:
            route = self._newest(route)
            found = self.cached(asked, route)
            if found is not None:
                return found
        place = next(self.caches.places(route, self.given))
        try:
            with place.locked(lambda: self.progress.step("waiting for another export that downloads it")):
                if place.is_whole():  # Another export has downloaded it meanwhile.
                    return _hit(asked, route, place)
                received = self._download(route, place)
                self._unpack(route, place, received)
        except OSError as error:
            raise of_disk(place.folder.parent, error) from error
        version = None if isinstance(route, Address) else route.version
        return Fetched(
            place.folder, _address(asked), _called(route), version, received.url, received.sha256, False, refused
        )

    def _newest(self, name: KaggleName) -> KaggleName:
        url = f"{self.services.kaggle}/api/v1/models/{name}/get"
        try:
            version = self._with_credentials(lambda authorization: self.downloader.document(url, authorization))
            number = version.get("versionNumber") if isinstance(version, dict) else None
            if type(number) is not int or number < 1:
                raise DownloadError(Fault.NO_VERSION, f"{url} does not say which version is the newest")
        except DownloadError as error:
            kept = self.caches.newest_on_kaggle(name)
            if kept is None:
                raise
            self.progress.warning(
                f"{error}; version {kept} of {name} in the cache is taken, which may not be the newest"
            )
            number = kept
        return KaggleName(name.owner, name.model, name.framework, name.variation, number)

    def _download(self, route: Name, place: Place) -> Received:
        url = self._download_address(route)
        self.progress.step(f"downloading {_called(route)}")

        def once(authorization: str | None) -> Received:
            return self.downloader.file(url, place.part, authorization, self.progress.received)

        return self._with_credentials(once) if isinstance(route, KaggleName) else once(None)

    def _download_address(self, route: Name) -> str:
        if isinstance(route, KaggleName):
            return f"{self.services.kaggle}/api/v1/models/{route}/download"
        url = f"{self.services.tfhub}/{route}" if isinstance(route, TfhubName) else route.url
        if isinstance(route, Address) and url.partition("?")[0].endswith(_ARCHIVES):
            return url
        return f"{url}{'&' if '?' in url else '?'}tf-hub-format=compressed"

    def _with_credentials(self, ask: Callable[[str | None], Answer]) -> Answer:
        """Ask without credentials, as a public model needs none, and with them once that was refused."""
        try:
            return ask(None)
        except DownloadError as error:
            found = credentials.find() if error.fault is Fault.REFUSED else None
            if found is None:
                raise
            if found.warning:
                self.progress.warning(found.warning)
        return ask(found.authorization)

    def _unpack(self, route: Name, place: Place, received: Received) -> None:
        try:
            place.fill(place.part, str(route) if not isinstance(route, Address) else shown(route.url), received)
        except SourceError as error:
            raise DownloadError(Fault.PAGE, f"{received.url} is not an archive of a whole model") from error
        finally:
            for file in (place.part, place.part.with_name(place.part.name + ".json")):
                file.unlink(missing_ok=True)


def _hit(asked: Name, route: Name, place: Place) -> Fetched:
    origin = place.origin()
    version = None if isinstance(route, Address) else route.version
    url, sha256 = (None, None) if origin is None else (origin.url, origin.sha256)
    return Fetched(place.folder, _address(asked), _called(route), version, url, sha256, True)


def _address(name: Name) -> str:
    """Return the address of a name, without what may be secret in the address of a mirror."""
    return shown(name.url) if isinstance(name, Address) else name.url


def _called(name: Name) -> str:
    """Return a name with its service."""
    if isinstance(name, TfhubName):
        return f"{name} on TensorFlow Hub"
    return f"{name} on Kaggle Models" if isinstance(name, KaggleName) else _address(name)


def _failed(given: str, name: Name, failures: Iterable[tuple[Name, DownloadError]]) -> str:
    failed = list(failures)
    given = shown(given) if "://" in given else given
    # The user may have meant a path that looks like a name of the hub.
    meant = (
        ""
        if "://" in given or ":" in given
        else f"{given} is not a file or folder here, and as a handle of the hub, it "
    )
    reasons = "; ".join(str(error) for _, error in failed)
    return f"{meant or given + ' '}cannot be downloaded ({reasons}); {_next_step(given, name, failed)}"


def _next_step(given: str, name: Name, failed: list[tuple[Name, DownloadError]]) -> str:
    faults = [error.fault for _, error in failed]
    page = next(_pages(name, failed))
    by_hand = f"download its .tar.gz from {page} with a browser, and give that file"
    cache = "KAGGLEHUB_CACHE" if isinstance(failed[-1][0], KaggleName) else "TFHUB_CACHE_DIR"
    if Fault.NO_ROOM in faults:
        return f"make room there, or set {cache} to a folder with room"
    if Fault.NOT_WRITABLE in faults:
        return f"set {cache} to a folder that you can write to"
    if set(faults) == {Fault.MISSING}:
        return _of_missing(given, name, page)
    if any(error.fault is Fault.REFUSED and isinstance(route, KaggleName) for route, error in failed):
        if (found := credentials.find()) is not None:
            return f"accept the model's terms on {page} as the user whose credentials are in {found.place}"
        return f"accept the model's terms on {page}, and put a token from Kaggle's settings into ~/.kaggle/access_token"
    steps = {
        Fault.UNREACHABLE: "check the network and HTTPS_PROXY, or set TFHUB_CACHE_DIR to a cache that has it, or "
        "download its .tar.gz elsewhere and give that file",
        Fault.ADDRESS: "correct it: the model's address, HTTPS_PROXY, REQUESTS_CA_BUNDLE, HUBSERVE_TFHUB_URL or "
        "HUBSERVE_KAGGLE_URL",
        Fault.REFUSED: by_hand,
        Fault.MISSING: by_hand,
        Fault.BUSY: f"run the command again {_after(failed)}",
        Fault.FAILING: f"run the command again later, or {by_hand}",
        Fault.SIGNATURE: f"the hub's storage fails at times: run the command again later, or {by_hand}",
        Fault.PAGE: by_hand,
        Fault.NO_VERSION: f"give a version, as {page}/VERSION" if isinstance(name, KaggleName) else by_hand,
        Fault.CUT: "run the command again, which goes on where it stopped",
        Fault.STALLED: "run the command again, which goes on where it stopped",
        Fault.CHECKSUM: f"run the command again without the proxy that may change it, or {by_hand}",
    }
    return steps[faults[0]]


def _of_missing(given: str, name: Name, page: str) -> str:
    """Return what to do where no service has a module, according to the public index."""
    module = of_name(name)
    if module is None or isinstance(name, Address):
        return did_you_mean(given) or f"check the name on {page} (hubserve models lists what the public index has)"
    known = name.version in module.versions if isinstance(name, TfhubName) else module.on_tfhub(name) is not None
    if not known:
        return f"the public index has other versions: {', '.join(module.names())}"
    return f"the public index has it, and the hub does not any more: look at {page}, or take another (hubserve models)"


def _pages(name: Name, failed: list[tuple[Name, DownloadError]]) -> Iterator[str]:
    """Give the pages to look at. Kaggle's come first, because tfhub.dev redirects there."""
    yield from (route.url for route in (name, *(route for route, _ in failed)) if isinstance(route, KaggleName))
    yield _address(name)


def _after(failed: list[tuple[Name, DownloadError]]) -> str:
    waits = [error.wait for _, error in failed if error.wait is not None]
    return f"in {min(waits)} seconds" if waits else "in some minutes"
