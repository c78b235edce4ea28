"""One run over any number of images: each is classified, and its result given to all sinks, however the run ends."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from typing import Protocol, cast

from hubserve import Classification, Client, ImageLike

from ..common.interrupts import Signals
from .outcomes import Patience
from .sources import Image, Unread


class Sink(Protocol):
    """Takes a run's results in the order of the images: `sink.add(result)` for each, then `sink.close()`.

    A sink is closed however the run ends, so that it keeps every result. It runs on the thread that sends the requests:
    a slow `add` delays the run.
    """

    def add(self, result: Classification, image: bytes | None = None, key: str | None = None) -> None:
        """Take one result.

        Args:
            result: The result of an image, classified or not (`result.ok`).
            image: The image's bytes, if they come from an archive or a URL and a sink of this run needs them; None:
                `result.source` is a path that can be read.
            key: What the image is called in its table or archive; None: nothing.
        """

    def close(self) -> None:
        """Finish the results so far. If the run ends early, this is called while an exception is raised."""


def run(
    client: Client,
    images: Iterable[Image],
    sinks: Sequence[Sink],
    signals: Signals,
    *,
    top_k: int | None,
    batch_size: int,
    keep: bool = False,
) -> None:
    """Classify the images, in their order.

    Args:
        client: The client; it is closed at the end.
        images: From `sources.find`.
        sinks: The sinks, which are closed at the end, in order.
        signals: Held while sinks work.
        top_k: The most classes for each image; None: all.
        batch_size: Images in a request.
        keep: Give the sinks the bytes of images in archives or behind URLs.

    Raises:
        Stopped: Ctrl-C or SIGTERM.
        HubserveError: The server failed, and the run cannot go on.
        click.ClickException: A source or a sink failed.
    """
    patience = Patience(batch_size)
    with ExitStack() as stack:
        for sink in reversed(sinks):
            stack.callback(_close, sink, signals)
        given = _Given(images)
        results = stack.enter_context(client).classify(cast("Iterable[ImageLike]", given), top_k=top_k)
        for result in results:
            with signals.held:
                patience.with_(result)
                data, key = given.next()
                for sink in sinks:
                    sink.add(result, data if keep else None, key)


def _close(sink: Sink, signals: Signals) -> None:
    with signals.held:
        sink.close()


class _Given:
    """The images that were sent and do not have a result yet."""

    def __init__(self, images: Iterable[Image]) -> None:
        self._images = images
        self._waiting: deque[Image] = deque()

    def __iter__(self) -> Iterator[Image]:
        for image in self._images:
            self._waiting.append(image)
            yield image

    def next(self) -> tuple[bytes | None, str | None]:
        """Return the bytes and the key of the image whose result came; None: it has none."""
        image = self._waiting.popleft()
        return (image.data, image.key) if isinstance(image, Unread) else (None, None)
