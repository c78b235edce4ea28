"""The client for asyncio: the methods of `Client`, as coroutines."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from ._async_batcher import AsyncBatcher
from ._base_client import BaseClient, classes, vectors
from ._errors import UsageError
from ._images.encode import Encode, ImageLike, many
from ._results import Classification, Features, ImageResult
from ._schedule.pieces import Request
from ._transport.async_server import AsyncModelServer
from ._transport.async_stream import stream
from ._transport.security import AsyncToken
from .wire.codec import PREDICT, Reader
from .wire.model_info import ModelMetadata, VersionStatus

if TYPE_CHECKING:
    from types import TracebackType

    from numpy.typing import ArrayLike, NDArray

    # Python 3.10 has no typing.Self.
    from typing_extensions import Self

_Result = TypeVar("_Result", bound=ImageResult)


class AsyncClient(BaseClient[AsyncToken, AsyncModelServer]):
    """Call one model on TF Serving, without blocking the event loop.

        async with AsyncClient("localhost:8500", model="pnasnet") as client:
            async for result in client.classify(["cat.jpg", "dog.jpg"], top_k=3):
                print(result.source, result.label, result.score)

    Any number of tasks of one event loop may use one client. When that loop is closed, as after `asyncio.run`, another
    loop may use it. In a child of a fork, the client works if no client was used before the fork. The arguments are
    those of `Client`; a `token` function may also be a coroutine function.

    Raises:
        UsageError: An argument is not valid, or the token would be sent unencrypted.
    """

    def classify(
        self,
        images: Iterable[ImageLike] | AsyncIterable[ImageLike] | os.PathLike[str],
        *,
        top_k: int | None = None,
        ordered: bool = True,
    ) -> AsyncGenerator[Classification, None]:
        """Classify images, as `Client.classify` does; `images` may also be an async iterable.

        Files are read and pixels are encoded on other threads. If you may leave the loop early, close the iterator to
        cancel the requests in flight: `async with contextlib.aclosing(client.classify(images)) as results`.
        Arguments, results and errors are those of `Client.classify`.
        """
        return self._stream(many(images, convert=self._settings.convert), *classes(top_k), ordered)

    def features(
        self, images: Iterable[ImageLike] | AsyncIterable[ImageLike] | os.PathLike[str], *, ordered: bool = True
    ) -> AsyncGenerator[Features, None]:
        """Compute images' feature vectors, float32 [D], as `Client.features` does; otherwise like `classify`.

            vectors = [result.vector async for result in client.features(["cat.jpg", "dog.jpg"])]

        Arguments, results and errors are those of `Client.features`.
        """
        return self._stream(many(images, convert=self._settings.convert), *vectors(), ordered)

    def classify_batcher(
        self, *, top_k: int | None = None, max_delay: float = 0.005, max_size: int | None = None
    ) -> AsyncBatcher[Classification]:
        """Classify single images of many tasks in shared requests: `await batcher.ask(image)`.

        Arguments and errors are those of `Client.classify_batcher`.
        """
        return AsyncBatcher(self._batches(*classes(top_k), max_delay, max_size), self._send, self._sleep, self._how)

    def features_batcher(self, *, max_delay: float = 0.005, max_size: int | None = None) -> AsyncBatcher[Features]:
        """Compute feature vectors of single images; otherwise like `classify_batcher`.

            async with client.features_batcher() as batcher:
                vector = (await batcher.ask(photograph)).vector

        Arguments and errors are those of `Client.features_batcher`.
        """
        return AsyncBatcher(self._batches(*vectors(), max_delay, max_size), self._send, self._sleep, self._how)

    async def predict(
        self,
        inputs: Mapping[str, ArrayLike],
        *,
        signature: str = "serving_default",
        outputs: Sequence[str] | None = None,
        timeout: float | None = None,
    ) -> dict[str, NDArray[Any]]:
        """Run any signature of any model on one batch, as `Client.predict` does.

            outputs = await client.predict({"images": np.zeros((8, 331, 331, 3), np.float32)}, signature="images")

        Arguments, result and errors are those of `Client.predict`.
        """
        return await self._here().perform(self._predicting(inputs, signature, outputs, timeout))

    async def metadata(self) -> ModelMetadata:
        """Ask for the model's signatures, as `Client.metadata` does.

            (await client.metadata()).signatures["serving_default"].inputs

        Result and errors are those of `Client.metadata`.
        """
        return await self._here().perform(self._asking_metadata())

    async def status(self) -> tuple[VersionStatus, ...]:
        """Ask which versions of the model the server knows, as `Client.status` does; the newest version is first.

            any(version.available for version in await client.status())

        Result and errors are those of `Client.status`.
        """
        return await self._here().perform(self._asking_status(self._settings.timeout))

    async def wait_until_ready(self, timeout: float) -> tuple[VersionStatus, ...]:
        """Wait until the server runs and serves the model, as `Client.wait_until_ready` does.

            await client.wait_until_ready(60)

        Argument, result and errors are those of `Client.wait_until_ready`.
        """
        return await self._here().perform(self._waiting(timeout))

    async def close(self) -> None:
        """Cancel what is in flight, and close the connection. Closing twice does no harm."""
        await self._here().close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def _new_server(self) -> AsyncModelServer:
        self._loop: asyncio.AbstractEventLoop | None = None
        return AsyncModelServer(self._settings, self._settings.contact())

    def _stream(
        self,
        images: Iterable[ImageLike] | AsyncIterable[ImageLike],
        read: Reader[_Result],
        kind: type[_Result],
        ordered: bool,
    ) -> AsyncGenerator[_Result, None]:
        run = self._run(read, kind, ordered=ordered)
        return stream(images, run, send=self._send, sleep=self._sleep, how=self._how)

    def _here(self) -> AsyncModelServer:
        """Return the connection to the server for the running event loop.

        Raises:
            UsageError: The client is in use on another event loop.
        """
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            # Connections of a closed loop, as after `asyncio.run`, are gone with it.
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
        """Start as a new client with the same arguments: on another event loop, or in a child of a fork."""
        self._loop = None
        self._begin(self._server.renewed())

    async def _sleep(self, seconds: float) -> None:
        await self._here().sleep(seconds)

    async def _how(self) -> Encode:
        return await self._here().perform(self._choosing_encoder())

    async def _send(self, request: Request) -> bytes:
        data = self._requests.images(request.images)
        return await self._here().call(
            PREDICT, data, self._settings.timeout, images=request.images, resends=request.resends
        )
