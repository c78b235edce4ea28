"""Images in, results out: the course of a `classify` or `features` call."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeAlias, TypeVar

from ._batches import cut
from ._errors import CallError, ClientClosed, HubserveError, MalformedAnswer
from ._images import EncodedImage, ImageLike
from ._pipeline import READERS, Call, Source, in_flight, read_ahead
from ._results import ImageResult
from .wire.predict_pb2 import PredictResponse

_Result = TypeVar("_Result", bound=ImageResult)
Reader: TypeAlias = Callable[[PredictResponse, Sequence[EncodedImage]], Iterable[_Result]]


def stream(
    images: Iterable[ImageLike],
    *,
    send: Callable[[Sequence[bytes]], Call[PredictResponse]],
    read: Reader[_Result],
    kind: type[_Result],
    limit: int,
    ordered: bool,
    max_size: int,
    max_bytes: int,
) -> Iterator[_Result]:
    """Encodes, batches, sends and reads, and yields one result for each image.

    Args:
        images: The caller's.
        send: Starts the call for the images of one batch, which are never none.
        read: Makes the results of one batch from its answer.
        kind: The class of the results.
        limit: The most requests without an answer.
        ordered: Whether results keep the order of the images.
        max_size: The most images in a request.
        max_bytes: The most bytes of images in a request.

    Raises:
        Exception: What iterating `images` raised, after the results of those before.
    """
    source = Source(images)
    readers = ThreadPoolExecutor(READERS, thread_name_prefix="hubserve-reader")

    def start(batch: Sequence[EncodedImage]) -> Call[PredictResponse]:
        data = [image.data for image in batch if image.error is None]
        # A server that batches never answers an empty request.
        return send(data) if data else _nothing_sent()

    try:
        batches = cut(read_ahead(source, readers), max_size=max_size, max_bytes=max_bytes)
        for batch, call in in_flight(batches, start, limit=limit, ordered=ordered):
            yield from _results(batch, call, read, kind)
    finally:
        readers.shutdown(wait=False, cancel_futures=True)
    if source.failure is not None:
        raise source.failure


def _results(
    batch: Sequence[EncodedImage], call: Call[PredictResponse], read: Reader[_Result], kind: type[_Result]
) -> Iterator[_Result]:
    sent = [image for image in batch if image.error is None]
    answered: Iterator[_Result] = iter(())
    try:
        if sent:
            answered = iter(list(read(call.result(), sent)))
    except ClientClosed:
        raise
    except (CallError, MalformedAnswer) as error:
        answered = iter([_failed(kind, image, error) for image in sent])
    for image in batch:
        yield next(answered) if image.error is None else _failed(kind, image, image.error)


def _failed(kind: type[_Result], image: EncodedImage, error: HubserveError) -> _Result:
    # Results may be kept for long, and a traceback would keep the whole batch with them.
    error.__traceback__ = None
    if error.__cause__ is not None:
        error.__cause__.__traceback__ = None
    return kind(source=image.source, index=image.index, exception=error)


def _nothing_sent() -> Future[PredictResponse]:
    call: Future[PredictResponse] = Future()
    call.set_result(PredictResponse())
    return call
