"""Ask the servers about the rows of one task: a row's failure stays on its row, and an outage fails the task."""

from __future__ import annotations

import itertools
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from .._client import Client
from .._errors import (
    AccessDenied,
    DeadlineExceeded,
    HubserveError,
    MalformedAnswer,
    ModelNotFound,
    ModelNotReady,
    NotAModelServer,
    ServerBusy,
    ServerFailed,
    ServerUnavailable,
    UsageError,
)
from .._images.encode import ImageLike
from .._outcome import Outcome, outcome
from .._results import ImageResult
from .._settings import Settings, cannot_travel
from .._shared_clients import shared_client
from ..wire.answers import check_top_k
from .ahead import ahead

_Batch = TypeVar("_Batch")
_BATCHES_IN_VAIN = 10
# A server that runs may not know its models yet, for seconds. For longer, the name is wrong.
NAME_SECONDS = 10.0
# How many batches a worker asks about at once, so that servers have work while the results of one are passed on.
CALLS = 4

_ready: weakref.WeakSet[Client] = weakref.WeakSet()
_ready_lock = threading.Lock()


@dataclass(slots=True)
class _Held(Generic[_Batch]):
    batch: _Batch
    # None: its rows are not all read.
    count: int | None = None


@dataclass(frozen=True)
class Asking:
    """Describe what a task asks: `Asking(settings, features=False, top_k=3).results(images)`.

    Attributes:
        settings: Of the client, which all tasks of a process share.
        features: Ask for feature vectors; else for classes.
        top_k: The most classes for each image; None: all.

    Raises:
        UsageError: `settings` is not a `Settings`, or `top_k` is less than 1.
    """

    settings: Settings
    features: bool = False
    top_k: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.settings, Settings):
            raise UsageError(f"settings must be hubserve.Settings, not {type(self.settings).__name__}")
        check_top_k(self.top_k)

    def check_travels(self, dumps: Callable[[Any], bytes], engine: str) -> None:
        """Refuse settings that cannot be sent to the engine's workers.

        Args:
            dumps: How the engine pickles.
            engine: Its name.

        Raises:
            UsageError: The token function cannot be pickled.
        """
        try:
            dumps(self.settings.token)
        # Each pickler raises what it likes.
        except Exception as error:
            raise cannot_travel(f"sent to {engine}'s workers", error) from error

    def divided(self) -> tuple[Asking, int]:
        """Return what each of several calls at once asks, and how many: one call alone ends with idle servers.

        Together they have no more requests in flight than one call of these settings.
        """
        settings = self.settings
        most = settings.max_concurrency if settings.concurrency == "auto" else settings.concurrency
        calls = min(CALLS, most)
        share = most // calls
        settings = replace(
            settings,
            concurrency="auto" if settings.concurrency == "auto" else share,
            max_concurrency=share if settings.concurrency == "auto" else settings.max_concurrency,
        )
        return replace(self, settings=settings), calls

    def results(self, images: Iterable[ImageLike]) -> Iterator[ImageResult]:
        """Return a result for each image, in their order.

        Raises:
            HubserveError: The servers did not answer for as long as `settings.retry` says, or not usefully.
        """
        images = iter(images)
        first = next(images, None)
        # An empty task sends no request.
        if first is None:
            return
        client = ready_client(self.settings)
        given = ahead(itertools.chain([first], images))
        results = client.features(given) if self.features else client.classify(given, top_k=self.top_k)
        in_vain = 0
        # When the task is stopped, what is in flight is cancelled.
        with closing(results):  # type: ignore[type-var]
            for result in results:
                if outcome(result) is not Outcome.UNANSWERED:
                    in_vain = 0
                else:
                    in_vain += 1
                    self._bear(result, in_vain)
                yield result

    def over(
        self,
        batches: Iterable[_Batch],
        images: Callable[[_Batch], Iterable[ImageLike]],
        joined: Callable[[_Batch, Sequence[ImageResult]], _Batch],
    ) -> Iterator[_Batch]:
        """Ask about batches of rows, as they come; only those whose answers are out are held.

        Args:
            batches: Tables of rows.
            images: Gives the image of each row of a table.
            joined: Adds the results to a table.
        """
        held: deque[_Held[_Batch]] = deque()

        def all_images() -> Iterator[ImageLike]:
            for batch in batches:
                last = _Held(batch)
                held.append(last)
                count = 0
                for image in images(batch):
                    count += 1
                    yield image
                last.count = count

        found: list[ImageResult] = []
        for result in self.results(all_images()):
            # How many rows the table before has is known when the next one begins.
            while held[0].count == len(found):
                yield joined(held.popleft().batch, found)
                found = []
            found.append(result)
            if held[0].count == len(found):
                yield joined(held.popleft().batch, found)
                found = []
        for each in held:
            if each.count != len(found):
                raise RuntimeError(f"{each.count} rows and {len(found)} results: this is a defect of hubserve")
            yield joined(each.batch, found)
            found = []

    def _bear(self, result: ImageResult, in_vain: int) -> None:
        """Raise the failure of a row that is not the row's own, unless the server may have broken on this row."""
        error = result.exception
        bearable = isinstance(error, ServerFailed | MalformedAnswer)
        if isinstance(error, HubserveError) and not (
            bearable and in_vain < _BATCHES_IN_VAIN * self.settings.max_batch_size
        ):
            raise error


def ready_client(settings: Settings) -> Client:
    """Return this process's client of these settings, once a server has been there.

    A client gives up a server that never answered after two seconds, because its address is likely to be wrong. A task
    begins at any time, also while the servers restart: it waits as long as the settings' retry says. A server that runs
    and does not know the model is given up after ten seconds.

    Raises:
        HubserveError: The time is over, or no waiting would help.
    """
    client = shared_client(settings)
    patience = 0.0 if settings.retry is None else settings.retry.max_seconds
    with _ready_lock:
        known = client in _ready
    if not known and patience > 0:
        # A gateway may let Predict through, and nothing else. If not, the first request says so.
        with suppress(NotAModelServer, AccessDenied):
            _wait(client, patience)
        with _ready_lock:
            _ready.add(client)
    return client


def _wait(client: Client, patience: float) -> None:
    try:
        client.wait_until_ready(0)
    except ModelNotFound:
        patience = min(patience, NAME_SECONDS)
    except (ServerUnavailable, ServerBusy, DeadlineExceeded, ModelNotReady):
        pass
    else:
        return
    client.wait_until_ready(patience)
