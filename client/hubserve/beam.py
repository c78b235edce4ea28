"""Ask a model about the images of a Beam pipeline: `Classify`, `ComputeFeatures` and `ImageModelHandler`.

    import apache_beam as beam

    from hubserve import Settings
    from hubserve.beam import Classify

    with beam.Pipeline() as pipeline:
        images = pipeline | beam.Create([("cat", "photographs/cat.jpg")])
        answers = images | Classify(Settings("dns:///pnasnet-headless:8500", model="pnasnet"), top_k=3)
        answers.classified | beam.Map(print)
        answers.failed | "failures" >> beam.Map(print)

It needs `hubserve[beam]` where the pipeline is made and on the workers.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

try:
    import apache_beam as beam
    from apache_beam.internal import pickler
    from apache_beam.metrics import Metrics
    from apache_beam.ml.inference.base import PredictionResult, RemoteModelHandler
    from apache_beam.utils.windowed_value import WindowedValue
except ImportError as error:
    raise ImportError("hubserve.beam needs Apache Beam 2.65 or newer: install hubserve[beam]") from error

from ._checks import check_whole
from ._client import Client
from ._errors import UsageError
from ._results import ImageResult
from ._settings import Settings
from ._tables.cells import image_of
from ._tables.row import row_of
from ._tables.tasks import Asking, ready_client

__all__ = ["Classify", "ComputeFeatures", "ImageModelHandler"]

FAILED = "failed"
# Four requests of the client's 32 images, and four such batches at once.
_BATCH_SIZE = 128
# `RunInference` gives a batch when the one before is answered.
_INFERENCE_BATCH_SIZE = 256


class _AskImages(beam.PTransform):
    """Asks about pairs of a key and an image; answers go to one output, failures to another."""

    _good = "answered"

    def __init__(self, asking: Asking, batch_size: int) -> None:
        super().__init__()
        check_whole("batch_size", batch_size)
        asking.check_travels(pickler.dumps, "Beam")
        self._asking = asking
        self._batch_size = batch_size

    def expand(self, pairs: Any) -> Any:
        """Return the outputs by their names."""
        return pairs | "Ask" >> beam.ParDo(_Ask(self._asking, self._batch_size)).with_outputs(FAILED, main=self._good)


class Classify(_AskImages):
    """Classifies images: from pairs `(key, image)` to two outputs, `classified` and `failed`.

        answers = images | Classify(settings, top_k=3)
        answers.classified | beam.MapTuple(lambda key, row: f"{key}: {row['label']}")
        answers.failed | "failures" >> beam.MapTuple(lambda key, row: f"{key}: {row['error']}")

    Both outputs are pairs `(key, row)`, and each key comes in exactly one of them. A row is a dict: `status` (0: ok),
    `label`, `score`, `classes` (dicts of `class_id`, `label`, `score`; best first), `error`, `model_version`. An image
    is bytes, a path or a URL that the workers open, or whatever else `Client.classify` takes.

    An image that cannot be read or decoded goes to `failed`, the dead letters. If the servers do not answer, the bundle
    waits as long as `settings.retry` says, and fails; the runner processes it again, or ends the pipeline.

    Args:
        settings: Of the client, which all bundles of a worker process share.
        top_k: The most classes for each image; None: all that the model gives.
        batch_size: The images that are asked about together. A bundle asks about up to four such batches at once;
            together they have at most `settings.max_concurrency` requests in flight.

    Raises:
        UsageError: An argument makes no sense, or the token function cannot be sent to the workers.
    """

    _good = "classified"

    def __init__(self, settings: Settings, *, top_k: int | None = None, batch_size: int = _BATCH_SIZE) -> None:
        super().__init__(Asking(settings, top_k=top_k), batch_size)


class ComputeFeatures(_AskImages):
    """Computes feature vectors: from pairs `(key, image)` to two outputs, `computed` and `failed`.

    A row is a dict: `status` (0: ok), `vector` (float32 [D], or None), `error`, `model_version`. In all else it is like
    `Classify`.

    Args:
        settings: As for `Classify`.
        batch_size: As for `Classify`.

    Raises:
        UsageError: As for `Classify`.
    """

    _good = "computed"

    def __init__(self, settings: Settings, *, batch_size: int = _BATCH_SIZE) -> None:
        super().__init__(Asking(settings, features=True), batch_size)


class ImageModelHandler(RemoteModelHandler):
    """A model handler for Beam's own `RunInference`: `images | RunInference(ImageModelHandler(settings))`.

    An example is an image, as for `Classify`. Its `PredictionResult` has the row of `Classify` or `ComputeFeatures` in
    `inference`, also for an image that failed: `inference["error"]` says why. With `KeyedModelHandler` the examples
    have keys. The client itself retries what fails; Beam's own retries are off.

    Args:
        settings: Of the client, which all bundles of a worker process share.
        features: Compute feature vectors; else classify.
        top_k: The most classes for each image; None: all that the model gives.
        batch_size: The most images that are asked about before the next come; a bundle may end with fewer.

    Raises:
        UsageError: An argument makes no sense, or the token function cannot be sent to the workers.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        features: bool = False,
        top_k: int | None = None,
        batch_size: int = _INFERENCE_BATCH_SIZE,
    ) -> None:
        super().__init__(namespace="hubserve", num_retries=0, retry_filter=_never)
        check_whole("batch_size", batch_size)
        self._asking = Asking(settings, features=features, top_k=top_k)
        self._asking.check_travels(pickler.dumps, "Beam")
        self._batch_size = batch_size

    def create_client(self) -> Client:
        """Return this process's client."""
        return ready_client(self._asking.settings)

    def batch_elements_kwargs(self) -> dict[str, Any]:
        """Return the sizes of batches."""
        return {"min_batch_size": self._batch_size, "max_batch_size": self._batch_size}

    def request(
        self,
        batch: Sequence[Any],
        model: Client,  # noqa: ARG002 - the process has one, which is found by its settings
        inference_args: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> Iterable[PredictionResult]:
        """Ask about a batch.

        Raises:
            HubserveError: The servers do not answer.
        """
        results = self._asking.results(map(image_of, batch))
        name = self._asking.settings.model
        return [
            PredictionResult(example, row_of(result), model_id=name)
            for example, result in zip(batch, results, strict=True)
        ]


class _Pair(NamedTuple):
    """A pair of a key and an image, and what its answer takes over."""

    key: Any
    image: Any
    timestamp: Any
    window: Any
    pane: Any


class _Ask(beam.DoFn):
    """Asks about batches of a bundle on threads, several at once."""

    def __init__(self, asking: Asking, batch_size: int) -> None:
        self._asking, self._calls = asking.divided()
        self._batch_size = batch_size
        self._answered = Metrics.counter("hubserve", "images_answered")
        self._failed = Metrics.counter("hubserve", "images_failed")

    def setup(self) -> None:
        """Make the threads, which start when they are needed."""
        self._threads = ThreadPoolExecutor(self._calls, thread_name_prefix="hubserve-batch")

    def teardown(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def start_bundle(self) -> None:
        """Begin a bundle; what an earlier one has left, it failed with."""
        self._batch: list[_Pair] = []
        self._asked: deque[tuple[list[_Pair], Future[list[ImageResult]]]] = deque()

    def process(
        self,
        pair: tuple[Any, Any],
        timestamp: Any = beam.DoFn.TimestampParam,
        window: Any = beam.DoFn.WindowParam,
        pane: Any = beam.DoFn.PaneInfoParam,
    ) -> Iterator[Any]:
        """Take a pair; return the answers of an earlier batch, if one is due.

        Raises:
            UsageError: The element is not a pair.
            HubserveError: The servers do not answer.
        """
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise UsageError(
                f"an element is a {type(pair).__name__} and not a pair (key, image): make pairs, as with "
                "beam.Map(lambda path: (path, path))"
            )
        key, image = pair
        self._batch.append(_Pair(key, image, timestamp, window, pane))
        if len(self._batch) >= self._batch_size:
            self._ask()
            if len(self._asked) > self._calls:
                yield from self._rows()

    def finish_bundle(self) -> Iterator[Any]:
        """Return the answers that are left.

        Raises:
            HubserveError: The servers do not answer.
        """
        if self._batch:
            self._ask()
        while self._asked:
            yield from self._rows()

    def _ask(self) -> None:
        batch, self._batch = self._batch, []
        self._asked.append((batch, self._threads.submit(self._results, batch)))

    def _results(self, batch: Sequence[_Pair]) -> list[ImageResult]:
        return list(self._asking.results(image_of(pair.image) for pair in batch))

    def _rows(self) -> Iterator[Any]:
        batch, asked = self._asked.popleft()
        for pair, result in zip(batch, asked.result(), strict=True):
            row = WindowedValue((pair.key, row_of(result)), pair.timestamp, (pair.window,), pair.pane)
            if result.ok:
                self._answered.inc()
                yield row
            else:
                self._failed.inc()
                yield beam.pvalue.TaggedOutput(FAILED, row)


def _never(_: Exception) -> bool:
    return False
