"""A page about a run: one HTML file that needs no other file and no network, and can be read without scripts."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType

import click

from hubserve import Classification

from ..bulk.sources import LeftOut
from ..bulk.summary import several
from ..common.files import replaced
from . import cards, document, thumbnails
from .overview import Overview
from .place import PlaceError, require_pillow, require_place

__all__ = ["PlaceError", "RunPage"]

# The most that a page holds; the rest is counted, and the page says so.
_MOST_CARDS = 10_000
_MOST_FAILURES = 1_000
_MOST_REASONS = 100
_MOST_BYTES = 48 * 2**20
# Pixels of a thumbnail's longer side: for the first images, and for those after them.
_SIDES = ((24, 800), (500, 256))
_SIDE = 176
_THREADS = 2
# Results that wait for their thumbnails, before the run waits for them too.
_MOST_WAITING = 32


class RunPage:
    """Write the page of a run, however the run ends: a sink of results.

        with RunPage(Path("run.html"), model="pnasnet") as page:
            for result in client.classify(paths):
                page.add(result)

    Memory is bounded for any number of images: a page holds 10,000 of them, or 48 MiB, and counts the others.

    Args:
        file: The file to write when the page is complete; a page of an earlier run is replaced.
        model: The model's name.
        server: The server's address, or several.
        left_out: The files that are not images, counted by the end of the run.
        clock: Returns seconds, from any start.

    Raises:
        PlaceError: The file cannot be written, or exists and is not such a page.
        MissingExtraError: Pillow is not installed.
    """

    def __init__(
        self,
        file: Path,
        *,
        model: str,
        server: str | Sequence[str] = (),
        left_out: LeftOut | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        require_pillow()
        require_place(file)
        self._file = file
        self._model = model
        self._clock = clock
        self._started = clock()
        self._left_out = left_out or LeftOut()
        self._overview = Overview((server,) if isinstance(server, str) else server)
        self._content = document.Content()
        self._bytes = 0
        self._several = 0
        self._waiting: deque[tuple[Classification, Future[cards.Thumbnail | None]]] = deque()
        self._threads = ThreadPoolExecutor(_THREADS, "thumbnail")
        self._closed = False

    def add(self, result: Classification, image: bytes | None = None, key: str | None = None) -> None:  # noqa: ARG002
        """Take one result; another thread makes its thumbnail.

        Args:
            result: The result.
            image: The image file's bytes, if `result.source` is not a path on this machine.
            key: Not on the page.
        """
        self._overview.add(self._clock() - self._started, result)
        self._hold(result, image)

    def add_earlier(self, result: Classification) -> None:
        """Take one result of an earlier start of the run; its record does not contain times."""
        self._overview.add_earlier(result)
        self._hold(result, None)

    def _hold(self, result: Classification, image: bytes | None) -> None:
        overview = self._overview
        most, sort = (_MOST_CARDS, overview.classified) if result.ok else (_MOST_FAILURES, overview.failed)
        self._several += result.note is not None
        if not result.ok:
            self._content.reasons[self._reason(result)] += 1
        if sort > most or self._bytes >= _MOST_BYTES:
            return
        side = next((side for first, side in _SIDES if sort <= first), _SIDE)
        if image is None:
            thumbnail = self._threads.submit(thumbnails.of_file, result.source, side, convert=result.ok)
        else:
            thumbnail = self._threads.submit(thumbnails.of_bytes, image, side, convert=result.ok)
        self._waiting.append((result, thumbnail))
        while self._waiting and (len(self._waiting) > _MOST_WAITING or self._waiting[0][1].done()):
            self._keep(*self._waiting.popleft())

    def close(self) -> None:
        """Write the page, whole or not at all; without results, write none. A second call does nothing.

        Called while an exception is raised, as at the end of a `with` statement, it notes that the run was interrupted.

        Raises:
            click.ClickException: It cannot be written.
        """
        if self._closed:
            return
        self._closed = True
        interrupted = sys.exc_info()[0] is not None
        try:
            while self._waiting:
                self._keep(*self._waiting.popleft())
        finally:
            self._threads.shutdown(cancel_futures=True)
        if not self._overview.images:
            # A page of an earlier run is more useful than an empty page.
            return
        notes = [*self._left_out.lines(), *([several(self._several)] if self._several else [])]
        parts = document.parts(self._model, self._overview, self._content, interrupted=interrupted, notes=notes)
        try:
            with replaced(self._file) as file:
                file.writelines(parts)
        except OSError as error:
            raise click.ClickException(
                f"the page {self._file} could not be written ({error.strerror}); the results are not affected"
            ) from error

    def __enter__(self) -> RunPage:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _keep(self, result: Classification, thumbnail: Future[cards.Thumbnail | None]) -> None:
        content, label = self._content, result.label or ""
        if result.ok:
            card = cards.card(result, content.labels.get(label, len(content.labels)), thumbnail.result()).encode()
        else:
            own = self._reason(result) == document.OTHER
            card = cards.failure(result, thumbnail.result(), with_reason=own).encode()
        # The label is also in the filter.
        size = len(card) + (len(document.option(content, label)) if result.ok and label not in content.labels else 0)
        if self._bytes + size > _MOST_BYTES:
            return
        self._bytes += size
        if result.ok:
            content.labels.setdefault(label, len(content.labels))
            content.label_counts[label] += 1
            content.cards.append(card)
        else:
            content.failures.setdefault(self._reason(result), []).append(card)

    def _reason(self, result: Classification) -> str:
        """Return the heading for a failure: its reason, unless there are too many reasons already."""
        why = cards.why(result)
        return why if why in self._content.reasons or len(self._content.reasons) < _MOST_REASONS else document.OTHER
