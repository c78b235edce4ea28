"""The client for threads: one model on one server, or on its replicas."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from ._batcher import Batcher
from ._errors import CallError
from ._images.downscale import size_for, unknown_size
from ._images.encode import Encode, ImageLike, many
from ._images.preparation import encoder
from ._results import Classification, Features, ImageResult
from ._schedule.batching import whole_message
from ._schedule.pieces import Request
from ._schedule.readiness import Waiting
from ._schedule.retry import Retry
from ._schedule.run import Reader, Run
from ._settings import Settings, deadline_in, made_of, seconds_left
from ._transport.forks import watch
from ._transport.security import TLS, Token
from ._transport.server import Call, ModelServer
from ._transport.stream import stream
from .wire.answers import check_top_k, read_classes, read_features
from .wire.codec import METADATA, PREDICT, STATUS, Requests, parse, reading
from .wire.metadata_pb2 import GetModelMetadataResponse
from .wire.model_info import ModelMetadata, VersionStatus, read_metadata, read_status
from .wire.status_pb2 import GetModelStatusResponse

if TYPE_CHECKING:
    from types import TracebackType

    from numpy.typing import ArrayLike, NDArray

    # Python 3.10 has no typing.Self.
    from typing_extensions import Self

_Result = TypeVar("_Result", bound=ImageResult)


class Client:
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

    def __init__(
        self,
        target: str | Sequence[str],
        *,
        model: str,
        version: int | None = None,
        version_label: str | None = None,
        timeout: float | None = 30.0,
        tls: TLS | None = None,
        token: Token | None = None,
        allow_plaintext_token: bool = False,
        retry: Retry | None = Retry(),  # noqa: B008 - it is frozen
        max_batch_size: int = 32,
        max_batch_bytes: int = 16 * 2**20,
        concurrency: int | Literal["auto"] = "auto",
        channel_options: Mapping[str, str | int] | None = None,
        shrink: bool | int = False,
        convert: bool = False,
    ) -> None:
        self._settings = Settings(
            target=target,
            model=model,
            version=version,
            version_label=version_label,
            timeout=timeout,
            tls=tls,
            token=token,
            allow_plaintext_token=allow_plaintext_token,
            retry=retry,
            max_batch_size=max_batch_size,
            max_batch_bytes=max_batch_bytes,
            concurrency=concurrency,
            channel_options=channel_options,
            shrink=shrink,
            convert=convert,
        )
        self._requests = Requests(model, version, version_label)
        self._contact = self._settings.contact()
        self._limits = self._settings.limits()
        self._server = ModelServer(self._settings, self._contact)
        self._predict_limits = whole_message()
        self._metadata: ModelMetadata | None = None
        watch(self._forked)

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
        check_top_k(top_k)
        return self._stream(many(images), reading(partial(read_classes, top_k=top_k)), Classification, ordered)

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
        return self._stream(many(images), reading(read_features), Features, ordered)

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
        check_top_k(top_k)
        return self._batcher(reading(partial(read_classes, top_k=top_k)), Classification, max_delay, max_size)

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
        return self._batcher(reading(read_features), Features, max_delay, max_size)

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
        # numpy is needed only here.
        from ._schedule.predict import Question, joined

        question = Question(self._requests, inputs, signature, outputs)
        if question.rows == 0:
            return question.empty_answer(self._known_metadata())
        limit = self._settings.call_timeout(timeout)
        end = None if limit is None else time.monotonic() + limit

        while True:
            pieces = question.pieces(self._predict_limits)
            try:
                answers = [self._server.ask(PREDICT, piece, seconds_left(end)) for piece in pieces]
                return joined(answers, question.rows)
            except CallError as error:
                if not question.cut_further(error, self._predict_limits):
                    raise

    def metadata(self) -> ModelMetadata:
        """Ask for the model's signatures, with the types and shapes of their inputs and outputs.

            client.metadata().signatures["serving_default"].inputs

        Raises:
            CallError: The server did not answer.
            MalformedAnswer: The answer makes no sense.
        """
        answer = self._server.ask(METADATA, self._requests.metadata(), self._settings.timeout)
        self._metadata = read_metadata(parse(GetModelMetadataResponse, answer))
        return self._metadata

    def status(self) -> tuple[VersionStatus, ...]:
        """Ask which versions of the model the server knows, and how far each is; the newest first.

            any(version.available for version in client.status())

        With a `version`, only of that one. The server knows no answer by label: with a `version_label`, of all.

        Raises:
            CallError: The server did not answer; `ModelNotFound`: it has never heard of the model.
        """
        return self._status(self._settings.timeout)

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
        waiting = Waiting(self._settings, time.monotonic(), timeout)
        while True:
            found: tuple[VersionStatus, ...] | CallError
            try:
                found = self._status(waiting.request_timeout(time.monotonic()))
            except CallError as error:
                found = error
            seconds, versions = waiting.judge(found, time.monotonic())
            if versions is not None:
                return versions
            self._server.closed.wait(seconds)

    def close(self) -> None:
        """Give up what is on its way, and close the connection. Closing twice does no harm."""
        self._server.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        return made_of, (type(self), self._settings)

    def _forked(self) -> None:
        """Begin anew in a child of a fork, as a new client of the same arguments; nobody else need call it."""
        self._server = self._server.forked()
        self._contact = self._server.contact

    def __repr__(self) -> str:
        return f"<Client of {self._settings.model_in_words()} at {self._settings.target_in_words()}>"

    def _stream(
        self, images: Iterable[ImageLike], read: Reader[_Result], kind: type[_Result], ordered: bool
    ) -> Iterator[_Result]:
        window = self._settings.window()
        run = Run(read=read, kind=kind, limits=self._limits, contact=self._contact, window=window, ordered=ordered)
        return stream(images, run, send=self._send, sleep=self._server.closed.wait, how=self._how)

    def _batcher(
        self, read: Reader[_Result], kind: type[_Result], max_delay: float, max_size: int | None
    ) -> Batcher[_Result]:
        limits = self._settings.batcher_limits(max_delay, max_size)

        def new_run() -> Run[_Result]:
            return Run(
                read=read,
                kind=kind,
                limits=limits,
                contact=self._contact,
                window=self._settings.batcher_window(),
                ordered=False,
                linger=max_delay,
            )

        return Batcher(new_run, self._send, self._how)

    def _how(self) -> Encode:
        """Tell how images are read."""
        shrink = self._settings.shrink
        if shrink is True:
            try:
                shrink = size_for(self._known_metadata())
            except CallError as error:
                shrink = unknown_size(error)
        return encoder(shrink, convert=self._settings.convert)

    def _send(self, request: Request) -> Call:
        data = self._requests.images(request.images)
        return self._server.start(PREDICT, data, self._settings.timeout, images=request.images, resends=request.resends)

    def _status(self, timeout: float | None) -> tuple[VersionStatus, ...]:
        answer = self._server.start(STATUS, self._requests.status(), timeout, deadline=deadline_in(timeout)).result()
        return read_status(parse(GetModelStatusResponse, answer))

    def _known_metadata(self) -> ModelMetadata:
        return self._metadata or self.metadata()
