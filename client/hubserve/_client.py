"""The client for threads: one model on one server, or on its replicas."""

from __future__ import annotations

import os
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
    """Call one model on TF Serving.

        with Client("localhost:8500", model="pnasnet") as client:
            for result in client.classify(["cat.jpg", "dog.jpg"], top_k=3):
                print(result.source, result.label, result.score)

    Any number of threads may use one client. After a fork, the child's copy works as a new client, unless gRPC was used
    before the fork: then its calls raise `UsageError`. A pickled client becomes a new client with the same arguments.

    Args:
        target: The server's `HOST:PORT`; `dns:///NAME:PORT` for all addresses of a name; a list of `HOST:PORT`; or any
            other gRPC target. Several servers get requests in turn.
        model: The model's name on the server.
        version: The version to call; the newest loaded one by default.
        version_label: The label of the version to call, instead of its number.
        timeout: Seconds that the server has for each request; None: no limit.
        tls: Encrypts the connection; by default it is not encrypted.
        token: Sent with each call (`authorization: Bearer ...`). A function is called before each call, so that it can
            renew the token.
        allow_plaintext_token: Allow sending the token on an unencrypted connection.
        retry: Which failed requests are retried, and for how long; None: never.
        max_batch_size: The most images in one request; lowered automatically when the server takes fewer.
        max_batch_bytes: The most bytes of images in one request; a larger image is sent alone.
        concurrency: The most requests of one call in flight at once; "auto" finds out how many keep the servers busy
            without a queue, and each call begins with what the one before it found.
        max_concurrency: The most that "auto" may find, where many processes share the servers.
        channel_options: gRPC's own options for the channel, by name; they override the client's.
        shrink: Downscale large JPEGs before they are sent; needs Pillow. Each side keeps at least this number of
            pixels; True: at least twice the model's input size, which the client asks the server for.
        convert: Convert files that the server does not read, such as HEIC, AVIF, TIFF, JPEG 2000 and RAW, before they
            are sent; needs `hubserve[photos]`. Other files are sent unchanged.

    Raises:
        UsageError: An argument is not valid, or the token would be sent unencrypted.
    """

    def classify(
        self, images: Iterable[ImageLike] | os.PathLike[str], *, top_k: int | None = None, ordered: bool = True
    ) -> Iterator[Classification]:
        """Classify images: lazily, in batches, in memory that does not grow with their number.

            labels = [result.label for result in client.classify(["cat.jpg", "dog.jpg"])]

        A few images beyond the last answer are read ahead: do not move or delete files before their result is there.
        If an image fails, or the request with it, the result says so (`error`, `exception`), and the others go on.

        Args:
            images: Paths, bytes, binary files, Pillow images or arrays. Or the path of a folder: the images below it,
                chosen and ordered as `hubserve classify` does. A `UserWarning` counts the files that are left out.
            top_k: The most classes for each image; by default all that the model gives.
            ordered: Return results in the order of the images; False: each batch as soon as it is answered.

        Returns:
            One result for each image. Taking a result raises `UnsuitableModel` if the model does not classify or gives
            fewer than `top_k` classes, and `ClientClosed`. An error from iterating `images` comes after earlier
            results.

        Raises:
            UsageError: `images` is a single image and not a folder, or `top_k` is less than 1.
        """
        return self._stream(many(images, convert=self._settings.convert), *classes(top_k), ordered)

    def features(self, images: Iterable[ImageLike] | os.PathLike[str], *, ordered: bool = True) -> Iterator[Features]:
        """Compute images' feature vectors, float32 [D]; otherwise like `classify`.

            vectors = [result.vector for result in client.features(["cat.jpg", "dog.jpg"])]

        Args:
            images: As for `classify`.
            ordered: As for `classify`.

        Returns:
            One result for each image. Taking a result raises as for `classify`.

        Raises:
            UsageError: `images` is a single image and not a folder.
        """
        return self._stream(many(images, convert=self._settings.convert), *vectors(), ordered)

    def classify_batcher(
        self, *, top_k: int | None = None, max_delay: float = 0.005, max_size: int | None = None
    ) -> Batcher[Classification]:
        """Classify single images of many threads in shared requests: `batcher.ask(image)`.

        Args:
            top_k: As for `classify`.
            max_delay: The most seconds that an image waits for other images.
            max_size: The most images that are sent together; the client's `max_batch_size` by default.

        Raises:
            UsageError: An argument is not valid.
        """
        return Batcher(self._batches(*classes(top_k), max_delay, max_size), self._send, self._how)

    def features_batcher(self, *, max_delay: float = 0.005, max_size: int | None = None) -> Batcher[Features]:
        """Compute feature vectors of single images; otherwise like `classify_batcher`.

            with client.features_batcher() as batcher:
                vector = batcher.ask(photograph).vector

        Args:
            max_delay: As for `classify_batcher`.
            max_size: As for `classify_batcher`.

        Raises:
            UsageError: An argument is not valid.
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

        Python numbers are sent as int32 and float32, strings as UTF-8; arrays keep their type. A batch that is too
        large for the server, in rows or in bytes, is split, and the answers are joined row by row. The client remembers
        the limit. A batch without rows is not sent: the client makes its answer from the metadata.

        Args:
            inputs: An array for each input, all with the same number of rows.
            signature: The signature's name; `metadata()` lists them.
            outputs: The outputs to fetch; all by default. The server does not batch requests for different outputs
                together.
            timeout: Seconds for this call with all its requests and retries; None: the client's timeout.

        Returns:
            An array for each output. Strings come as objects (bytes), bfloat16 as float32 of the same value.

        Raises:
            UsageError: An input cannot be sent, or `outputs` is not a list.
            CallError: The server did not answer.
            MalformedAnswer: The answer is not valid.
        """
        return self._server.perform(self._predicting(inputs, signature, outputs, timeout))

    def metadata(self) -> ModelMetadata:
        """Ask for the model's signatures, with the types and shapes of their inputs and outputs.

            client.metadata().signatures["serving_default"].inputs

        Raises:
            CallError: The server did not answer.
            MalformedAnswer: The answer is not valid.
        """
        return self._server.perform(self._asking_metadata())

    def status(self) -> tuple[VersionStatus, ...]:
        """Ask which versions of the model the server knows, and the state of each; the newest version is first.

            any(version.available for version in client.status())

        With a `version`, only that one. The server cannot look up a label: with a `version_label`, all versions.

        Raises:
            CallError: The server did not answer; `ModelNotFound`: it does not know the model.
        """
        return self._server.perform(self._asking_status(self._settings.timeout))

    def wait_until_ready(self, timeout: float) -> tuple[VersionStatus, ...]:
        """Wait until the server runs and serves the model (the client's version of it, if one is set).

            client.wait_until_ready(60)

        Args:
            timeout: The most seconds to wait.

        Returns:
            The versions, as `status()` returns them.

        Raises:
            ModelNotReady: The time is over, and the model is not loaded.
            CallError: The time is over, and the server still did not answer; or waiting cannot help, as with a wrong
                name.
        """
        return self._server.perform(self._waiting(timeout))

    def close(self) -> None:
        """Cancel what is in flight, and close the connection. Closing twice does no harm."""
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
