"""The client for threads: one model on one server, or on its replicas."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from ._base_client import BaseClient, classes, vectors
from ._batcher import Batcher
from ._images.encode import Encode, ImageLike, many
from ._results import Classification, Features, ImageResult
from ._schedule.pieces import Request
from ._transport.security import Token
from ._transport.server import Call, ModelServer
from ._transport.stream import stream
from .wire.codec import PREDICT, Reader
from .wire.model_info import ModelMetadata, VersionStatus

if TYPE_CHECKING:
    from types import TracebackType

    from numpy.typing import ArrayLike, NDArray

    # Python 3.10 has no typing.Self.
    from typing_extensions import Self

_Result = TypeVar("_Result", bound=ImageResult)


class Client(BaseClient[Token, ModelServer]):
    """Asks one model on TF Serving for answers.

        with Client("localhost:8500", model="pnasnet") as client:
            for result in client.classify(["cat.jpg", "dog.jpg"], top_k=3):
                print(result.source, result.label, result.score)

    Any number of threads may use one client. A child that the process forks has a client like it, unless gRPC was at
    work when it was forked: then its calls raise `UsageError`. A pickled client is a new one of the same arguments.

    Args:
        target: The server's `HOST:PORT`; `dns:///NAME:PORT` for all servers that the name stands for; several
            `HOST:PORT`; or any other gRPC target. Several are asked in turn.
        model: The model's name on the server.
        version: The version to ask; the newest loaded one by default.
        version_label: The label of the version to ask, in place of its number.
        timeout: Seconds that the server has for each request; None: no limit.
        tls: Encrypts the connection; by default it is not encrypted.
        token: Shown with each call (`authorization: Bearer ...`); a function is called for each, to renew it.
        allow_plaintext_token: Show the token on an unencrypted connection, too.
        retry: How patiently failed requests are tried again; None: never.
        max_batch_size: The most images in one request; lowered by itself when the server takes fewer.
        max_batch_bytes: The most bytes of images in one request; a larger image goes alone.
        concurrency: The most requests of one call on their way at once; "auto" finds out how many keep the servers at
            work without waiting for one another.
        channel_options: gRPC's own options for the channel, by name; they win over the client's.
        shrink: Make large JPEGs smaller before they are sent, which needs Pillow. Each side keeps at least so many
            pixels; with True, at least twice the model's input, whose size the server is asked for.
        convert: Convert files that the server does not read, such as HEIC, AVIF, TIFF, JPEG 2000 and RAW, before they
            are sent; needs `hubserve[photos]`. Others are sent as they are.

    Raises:
        UsageError: An argument makes no sense, or the token would travel unencrypted.
    """

    def classify(
        self, images: Iterable[ImageLike], *, top_k: int | None = None, ordered: bool = True
    ) -> Iterator[Classification]:
        """Classify images: lazily, in batches, in memory that does not grow with their number.

            labels = [result.label for result in client.classify(["cat.jpg", "dog.jpg"])]

        A few images beyond the last answer are read ahead: leave files where they are until their result is there.
        What fails an image, or the whole request it was in, is in its result (`error`, `exception`); the rest go on.

        Args:
            images: Paths, bytes, binary files, Pillow images or arrays, of any number.
            top_k: The most classes for each image; by default as many as the model gives.
            ordered: Give results in the order of the images; else each batch as soon as it is answered.

        Returns:
            One result for each image. Taking one raises `UnsuitableModel` when the model does not classify, or gives
            fewer than `top_k` classes; `ClientClosed`; or what iterating `images` raised, after the results before it.

        Raises:
            UsageError: `images` is a single image, or `top_k` is less than 1.
        """
        return self._stream(many(images), *classes(top_k), ordered)

    def features(self, images: Iterable[ImageLike], *, ordered: bool = True) -> Iterator[Features]:
        """Compute images' feature vectors, float32 [D]; in all else like `classify`.

            vectors = [result.vector for result in client.features(["cat.jpg", "dog.jpg"])]

        Args:
            images: As for `classify`.
            ordered: As for `classify`.

        Returns:
            One result for each image; taking one raises as for `classify`.

        Raises:
            UsageError: `images` is a single image.
        """
        return self._stream(many(images), *vectors(), ordered)

    def classify_batcher(
        self, *, top_k: int | None = None, max_delay: float = 0.005, max_size: int | None = None
    ) -> Batcher[Classification]:
        """Classify single images of many threads in shared requests: `batcher.ask(image)`.

        Args:
            top_k: As for `classify`.
            max_delay: Seconds that an image waits for others at the most.
            max_size: The most images that are sent together; the client's `max_batch_size` by default.

        Raises:
            UsageError: An argument makes no sense.
        """
        return Batcher(self._batches(*classes(top_k), max_delay, max_size), self._send, self._how)

    def features_batcher(self, *, max_delay: float = 0.005, max_size: int | None = None) -> Batcher[Features]:
        """Compute feature vectors of single images; in all else like `classify_batcher`.

            with client.features_batcher() as batcher:
                vector = batcher.ask(photograph).vector

        Args:
            max_delay: As for `classify_batcher`.
            max_size: As for `classify_batcher`.

        Raises:
            UsageError: An argument makes no sense.
        """
        return Batcher(self._batches(*vectors(), max_delay, max_size), self._send, self._how)

    def predict(
        self,
        inputs: Mapping[str, ArrayLike],
        *,
        signature: str = "serving_default",
        outputs: Sequence[str] | None = None,
        timeout: float | None = None,
    ) -> dict[str, NDArray[Any]]:
        """Run any signature of any model on one batch.

            outputs = client.predict({"images": np.zeros((8, 331, 331, 3), np.float32)}, signature="images")

        Python's own numbers go as int32 and float32, strings as UTF-8; arrays keep their type. A batch that is too
        large for the server, in rows or in bytes, is cut, and the answers are joined row by row; the next one is cut
        at once. One without rows is answered here, from the metadata.

        Args:
            inputs: An array for each input, all with the same number of rows.
            signature: The signature's name; `metadata()` lists them.
            outputs: The outputs to fetch; all by default. The server batches requests for different ones apart.
            timeout: Seconds for this call, all its requests and retries; None: the client's.

        Returns:
            An array for each output. Strings are objects (bytes); bfloat16 comes as float32 of the same value.

        Raises:
            UsageError: An input cannot be sent, or `outputs` is no list.
            CallError: The server did not answer.
            MalformedAnswer: The answer makes no sense.
        """
        return self._server.perform(self._predicting(inputs, signature, outputs, timeout))

    def metadata(self) -> ModelMetadata:
        """Ask for the model's signatures, with the types and shapes of their inputs and outputs.

            client.metadata().signatures["serving_default"].inputs

        Raises:
            CallError: The server did not answer.
            MalformedAnswer: The answer makes no sense.
        """
        return self._server.perform(self._asking_metadata())

    def status(self) -> tuple[VersionStatus, ...]:
        """Ask which versions of the model the server knows, and how far each is; the newest first.

            any(version.available for version in client.status())

        With a `version`, only of that one. The server knows no answer by label: with a `version_label`, of all.

        Raises:
            CallError: The server did not answer; `ModelNotFound`: it has never heard of the model.
        """
        return self._server.perform(self._asking_status(self._settings.timeout))

    def wait_until_ready(self, timeout: float) -> tuple[VersionStatus, ...]:
        """Wait until the server is there and serves the model (the client's version of it, if it has one).

            client.wait_until_ready(60)

        Args:
            timeout: Seconds to wait at the most.

        Returns:
            What `status()` says then.

        Raises:
            ModelNotReady: The time is over, and the model is not loaded.
            CallError: The time is over, and the server still did not answer; or no waiting would mend its answer.
        """
        return self._server.perform(self._waiting(timeout))

    def close(self) -> None:
        """Give up what is on its way, and close the connection. Closing twice does no harm."""
        self._server.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _new_server(self) -> ModelServer:
        return ModelServer(self._settings, self._settings.contact())

    def _forked(self) -> None:
        self._begin(self._server.forked())

    def _stream(
        self, images: Iterable[ImageLike], read: Reader[_Result], kind: type[_Result], ordered: bool
    ) -> Iterator[_Result]:
        run = self._run(read, kind, ordered=ordered)
        return stream(images, run, send=self._send, sleep=self._server.closed.wait, how=self._how)

    def _how(self) -> Encode:
        return self._server.perform(self._choosing_encoder())

    def _send(self, request: Request) -> Call:
        data = self._requests.images(request.images)
        return self._server.start(PREDICT, data, self._settings.timeout, images=request.images, resends=request.resends)
