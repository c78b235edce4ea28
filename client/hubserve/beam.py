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

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

try:
    import apache_beam as beam
    from apache_beam.internal import pickler
    from apache_beam.metrics import Metrics
    from apache_beam.ml.inference.base import PredictionResult, RemoteModelHandler
except ImportError as error:
    raise ImportError("hubserve.beam needs Apache Beam 2.65 or newer: install hubserve[beam]") from error

from ._checks import check_whole
from ._client import Client
from ._settings import Settings
from ._tables.cells import image_of
from ._tables.row import row_of
from ._tables.tasks import Asking, ready_client

__all__ = ["Classify", "ComputeFeatures", "ImageModelHandler"]

FAILED = "failed"
# Eight requests of the client's 32 images: the next bundle of images comes when these are answered.
_BATCH_SIZE = 256


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
        batches = pairs | "Batch" >> beam.BatchElements(min_batch_size=1, max_batch_size=self._batch_size)
        return batches | "Ask" >> beam.ParDo(_Ask(self._asking)).with_outputs(FAILED, main=self._good)


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
        batch_size: The most images that are asked about before the next come.

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
        batch_size: The most images that are asked about before the next come.

    Raises:
        UsageError: An argument makes no sense, or the token function cannot be sent to the workers.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        features: bool = False,
        top_k: int | None = None,
        batch_size: int = _BATCH_SIZE,
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
        return {"min_batch_size": 1, "max_batch_size": self._batch_size}

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


class _Ask(beam.DoFn):
    def __init__(self, asking: Asking) -> None:
        self._asking = asking
        self._answered = Metrics.counter("hubserve", "images_answered")
        self._failed = Metrics.counter("hubserve", "images_failed")

    def process(self, batch: Sequence[tuple[Any, Any]]) -> Iterator[Any]:
        """Ask about a batch of pairs."""
        results = self._asking.results(image_of(image) for _, image in batch)
        for (key, _), result in zip(batch, results, strict=True):
            row = key, row_of(result)
            if result.ok:
                self._answered.inc()
                yield row
            else:
                self._failed.inc()
                yield beam.pvalue.TaggedOutput(FAILED, row)


def _never(_: Exception) -> bool:
    return False
