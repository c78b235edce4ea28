"""The client for asyncio: the verbs of `Client`, awaited."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from ._async_batcher import AsyncBatcher
from ._errors import CallError, UsageError
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
from ._transport.async_server import AsyncModelServer
from ._transport.async_stream import stream
from ._transport.forks import watch
from ._transport.security import TLS, AsyncToken
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


class AsyncClient:
    """Asks one model on TF Serving for answers, without holding up the event loop.

        async with AsyncClient("localhost:8500", model="pnasnet") as client:
            async for result in client.classify(["cat.jpg", "dog.jpg"], top_k=3):
                print(result.source, result.label, result.score)

    Any number of tasks of one event loop may use one client; when that loop is closed, as after `asyncio.run`, another
    loop may. In a child of a fork it works where no client was used before. The arguments are those of `Client`; a
    `token` function may be a coroutine function, too.

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
        token: AsyncToken | None = None,
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
        self._loop: asyncio.AbstractEventLoop | None = None
        self._server = AsyncModelServer(self._settings, self._contact)
        self._predict_limits = whole_message()
        self._metadata: ModelMetadata | None = None
        watch(self._forked)

    def classify(
        self, images: Iterable[ImageLike] | AsyncIterable[ImageLike], *, top_k: int | None = None, ordered: bool = True
    ) -> AsyncGenerator[Classification, None]:
        """Classify images, as `Client.classify`; `images` may be an async iterable, too.

        Files are read, and pixels encoded, on other threads. Who may leave the loop early closes the iterator, to give
        up what is on its way: `async with contextlib.aclosing(client.classify(images)) as results`.

        Args:
            images: Paths, bytes, binary files, Pillow images or uint8 arrays, of any number.
            top_k: The most classes for each image; by default as many as the model gives.
            ordered: Give results in the order of the images; else each batch as soon as it is answered.

        Returns:
            One result for each image; taking one raises as for `Client.classify`.

        Raises:
            UsageError: `images` is a single image, or `top_k` is less than 1.
        """
        check_top_k(top_k)
        return self._stream(many(images), reading(partial(read_classes, top_k=top_k)), Classification, ordered)

    def features(
        self, images: Iterable[ImageLike] | AsyncIterable[ImageLike], *, ordered: bool = True
    ) -> AsyncGenerator[Features, None]:
        """Compute images' feature vectors, float32 [D]; in all else like `classify`.

            vectors = [result.vector async for result in client.features(["cat.jpg", "dog.jpg"])]

        Args:
            images: As for `classify`.
            ordered: As for `classify`.

        Returns:
            One result for each image; taking one raises as for `Client.classify`.

        Raises:
            UsageError: `images` is a single image.
        """
        return self._stream(many(images), reading(read_features), Features, ordered)

    def classify_batcher(
        self, *, top_k: int | None = None, max_delay: float = 0.005, max_size: int | None = None
    ) -> AsyncBatcher[Classification]:
        """Classify single images of many tasks in shared requests: `await batcher.ask(image)`.

        Args:
            top_k: As for `classify`.
            max_delay: Seconds that an image waits for others at the most.
            max_size: The most images that are sent together; the client's `max_batch_size` by default.

        Raises:
            UsageError: An argument makes no sense.
        """
        check_top_k(top_k)
        return self._batcher(reading(partial(read_classes, top_k=top_k)), Classification, max_delay, max_size)

    def features_batcher(self, *, max_delay: float = 0.005, max_size: int | None = None) -> AsyncBatcher[Features]:
        """Compute feature vectors of single images; in all else like `classify_batcher`.

            async with client.features_batcher() as batcher:
                vector = (await batcher.ask(photograph)).vector

        Args:
            max_delay: As for `classify_batcher`.
            max_size: As for `classify_batcher`.

        Raises:
            UsageError: An argument makes no sense.
        """
        return self._batcher(reading(read_features), Features, max_delay, max_size)

    async def predict(
        self,
        inputs: Mapping[str, ArrayLike],
        *,
        signature: str = "serving_default",
        outputs: Sequence[str] | None = None,
        timeout: float | None = None,
    ) -> dict[str, NDArray[Any]]:
        """Run any signature of any model on one batch, as `Client.predict`.

            outputs = await client.predict({"images": np.zeros((8, 331, 331, 3), np.float32)}, signature="images")

        Args:
            inputs: An array for each input, all with the same number of rows.
            signature: The signature's name; `metadata()` lists them.
            outputs: The outputs to fetch; all by default.
            timeout: Seconds for this call, all its requests and retries; None: the client's.

        Returns:
            An array for each output, as for `Client.predict`.

        Raises:
            UsageError: An input cannot be sent, or `outputs` is no list.
            CallError: The server did not answer.
            MalformedAnswer: The answer makes no sense.
        """
        # numpy is needed only here.
        from ._schedule.predict import Question, joined

        question = Question(self._requests, inputs, signature, outputs)
        if question.rows == 0:
            return question.empty_answer(await self._known_metadata())
        limit = self._settings.call_timeout(timeout)
        end = None if limit is None else time.monotonic() + limit

        while True:
            pieces = question.pieces(self._predict_limits)
            try:
                answers = [await self._here().ask(PREDICT, piece, seconds_left(end)) for piece in pieces]
                return joined(answers, question.rows)
            except CallError as error:
                if not question.cut_further(error, self._predict_limits):
                    raise

    async def metadata(self) -> ModelMetadata:
        """Ask for the model's signatures, with the types and shapes of their inputs and outputs.

            (await client.metadata()).signatures["serving_default"].inputs

        Raises:
            CallError: The server did not answer.
            MalformedAnswer: The answer makes no sense.
        """
        answer = await self._here().ask(METADATA, self._requests.metadata(), self._settings.timeout)
        self._metadata = read_metadata(parse(GetModelMetadataResponse, answer))
        return self._metadata

    async def status(self) -> tuple[VersionStatus, ...]:
        """Ask which versions of the model the server knows, and how far each is; the newest first.

            any(version.available for version in await client.status())

        With a `version`, only of that one. The server knows no answer by label: with a `version_label`, of all.

        Raises:
            CallError: The server did not answer; `ModelNotFound`: it has never heard of the model.
        """
        return await self._status(self._settings.timeout)

    async def wait_until_ready(self, timeout: float) -> tuple[VersionStatus, ...]:
        """Wait until the server is there and serves the model (the client's version of it, if it has one).

            await client.wait_until_ready(60)

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
                found = await self._status(waiting.request_timeout(time.monotonic()))
            except CallError as error:
                found = error
            seconds, versions = waiting.judge(found, time.monotonic())
            if versions is not None:
                return versions
            await self._sleep(seconds)

    async def close(self) -> None:
        """Give up what is on its way, and close the connection. Closing twice does no harm."""
        await self._here().close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        return made_of, (type(self), self._settings)

    def __repr__(self) -> str:
        return f"<AsyncClient of {self._settings.model_in_words()} at {self._settings.target_in_words()}>"

    def _stream(
        self,
        images: Iterable[ImageLike] | AsyncIterable[ImageLike],
        read: Reader[_Result],
        kind: type[_Result],
        ordered: bool,
    ) -> AsyncGenerator[_Result, None]:
        window = self._settings.window()
        run = Run(read=read, kind=kind, limits=self._limits, contact=self._contact, window=window, ordered=ordered)
        return stream(images, run, send=self._send, sleep=self._sleep, how=self._how)

    def _batcher(
        self, read: Reader[_Result], kind: type[_Result], max_delay: float, max_size: int | None
    ) -> AsyncBatcher[_Result]:
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

        return AsyncBatcher(new_run, self._send, self._sleep, self._how)

    def _here(self) -> AsyncModelServer:
        """Give the way to the server from the running event loop.

        Raises:
            UsageError: The client is in use on another event loop.
        """
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            # What was open on a loop that is closed, as after `asyncio.run`, is gone with it.
            if self._loop is not None and self._loop.is_closed():
                self._begin_anew()
            elif self._loop is not None:
                raise UsageError("this AsyncClient is in use on another event loop: make one on each loop")
            self._loop = loop
        return self._server

    def _forked(self) -> None:
        self._server.leave_behind()
        self._begin_anew()

    def _begin_anew(self) -> None:
        """Begin as a new client of the same arguments: on another event loop, or in a child of a fork."""
        self._loop = None
        self._server = self._server.renewed()
        self._contact = self._server.contact

    async def _sleep(self, seconds: float) -> None:
        await self._here().sleep(seconds)

    async def _how(self) -> Encode:
        """Tell how images are read."""
        shrink = self._settings.shrink
        if shrink is True:
            try:
                shrink = size_for(await self._known_metadata())
            except CallError as error:
                shrink = unknown_size(error)
        return encoder(shrink, convert=self._settings.convert)

    async def _send(self, request: Request) -> bytes:
        data = self._requests.images(request.images)
        return await self._here().call(
            PREDICT, data, self._settings.timeout, images=request.images, resends=request.resends
        )

    async def _status(self, timeout: float | None) -> tuple[VersionStatus, ...]:
        answer = await self._here().call(STATUS, self._requests.status(), timeout, deadline=deadline_in(timeout))
        return read_status(parse(GetModelStatusResponse, answer))

    async def _known_metadata(self) -> ModelMetadata:
        return self._metadata or await self.metadata()
