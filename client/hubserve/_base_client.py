"""The shared half of both clients: check arguments, run each call step by step, start runs of images."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from ._errors import CallError
from ._images.downscale import size_for, unknown_size
from ._images.encode import Encode
from ._images.preparation import encoder
from ._results import Classification, Features, ImageResult
from ._schedule.batching import WHOLE_MESSAGE, Capacity
from ._schedule.readiness import Waiting
from ._schedule.retry import Retry
from ._schedule.run import Run
from ._schedule.steps import Ask, Pause, Steps, asked
from ._schedule.window import MOST, Memory
from ._settings import ClientSettings, deadline_in, made_of, seconds_left
from ._transport.forks import watch
from ._transport.security import TLS, AsyncToken
from .wire.answers import check_top_k, read_classes, read_features
from .wire.codec import METADATA, PREDICT, STATUS, Reader, Requests, parse, reading
from .wire.metadata_pb2 import GetModelMetadataResponse
from .wire.model_info import ModelMetadata, VersionStatus, read_metadata, read_status
from .wire.status_pb2 import GetModelStatusResponse

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from ._transport.async_server import AsyncModelServer
    from ._transport.server import ModelServer

_Result = TypeVar("_Result", bound=ImageResult)
_Token = TypeVar("_Token", bound=AsyncToken)
_Server = TypeVar("_Server", bound="ModelServer | AsyncModelServer")


class BaseClient(ABC, Generic[_Token, _Server]):
    """Call one model on one server, or on its replicas. See `Client` for the arguments."""

    def __init__(
        self,
        target: str | Sequence[str],
        *,
        model: str,
        version: int | None = None,
        version_label: str | None = None,
        timeout: float | None = 30.0,
        tls: TLS | None = None,
        token: _Token | None = None,
        allow_plaintext_token: bool = False,
        retry: Retry | None = Retry(),  # noqa: B008 - it is frozen
        max_batch_size: int = 32,
        max_batch_bytes: int = 16 * 2**20,
        concurrency: int | Literal["auto"] = "auto",
        max_concurrency: int = MOST,
        channel_options: Mapping[str, str | int] | None = None,
        shrink: bool | int = False,
        convert: bool = False,
    ) -> None:
        self._settings = ClientSettings(
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
            max_concurrency=max_concurrency,
            channel_options=channel_options,
            shrink=shrink,
            convert=convert,
        )
        self._requests = Requests(model, version, version_label)
        self._metadata: ModelMetadata | None = None
        self._begin(self._new_server())
        watch(self._forked)

    @abstractmethod
    def _new_server(self) -> _Server:
        """Make the connection to the server."""

    @abstractmethod
    def _forked(self) -> None:
        """Start in a child of a fork as a new client with the same arguments."""

    def _begin(self, server: _Server) -> None:
        """Start with a server that was not called yet."""
        self._server = server
        self._contact = server.contact
        self._capacity = self._settings.capacity()
        self._message_capacity = Capacity(WHOLE_MESSAGE, threading.Lock())
        self._memory = Memory()

    def __reduce__(self) -> tuple[Any, ...]:
        return made_of, (type(self), self._settings)

    def __repr__(self) -> str:
        settings = self._settings
        return f"<{type(self).__name__} of {settings.model_in_words()} at {settings.target_in_words()}>"

    @property
    def closed(self) -> bool:
        """Tell whether the client was closed, so that its calls raise `ClientClosed`."""
        return self._server.closed.is_set()

    def _run(self, read: Reader[_Result], kind: type[_Result], *, ordered: bool) -> Run[_Result]:
        window = self._settings.window(self._memory)
        return Run(read=read, kind=kind, capacity=self._capacity, contact=self._contact, window=window, ordered=ordered)

    def _batches(
        self, read: Reader[_Result], kind: type[_Result], max_delay: float, max_size: int | None
    ) -> Callable[[], Run[_Result]]:
        capacity = self._settings.batcher_capacity(max_delay, max_size)

        def new_run() -> Run[_Result]:
            return Run(
                read=read,
                kind=kind,
                capacity=capacity,
                contact=self._contact,
                window=self._settings.batcher_window(),
                ordered=False,
                linger=max_delay,
            )

        return new_run

    def _predicting(
        self,
        inputs: Mapping[str, ArrayLike],
        signature: str,
        outputs: Sequence[str] | None,
        timeout: float | None,
    ) -> Steps[dict[str, NDArray[Any]]]:
        # numpy is needed only here.
        from ._schedule.predict import Question, joined

        question = Question(self._requests, inputs, signature, outputs)
        if question.rows == 0:
            return question.empty_answer((yield from self._known_metadata()))
        end = deadline_in(self._settings.call_timeout(timeout))
        while True:
            limits = self._message_capacity.limits
            answers = []
            try:
                for piece in question.pieces(limits):
                    answers.append((yield from self._asked(PREDICT, piece, seconds_left(end))))
                return joined(answers, question.rows)
            except CallError as error:
                lowered = question.cut_further(error, limits)
                if lowered is None:
                    raise
            self._message_capacity.lower(lowered)

    def _asking_metadata(self) -> Steps[ModelMetadata]:
        answer = yield from self._asked(METADATA, self._requests.metadata(), self._settings.timeout)
        self._metadata = read_metadata(parse(GetModelMetadataResponse, answer))
        return self._metadata

    def _known_metadata(self) -> Steps[ModelMetadata]:
        return self._metadata or (yield from self._asking_metadata())

    def _asking_status(self, timeout: float | None) -> Steps[tuple[VersionStatus, ...]]:
        answer = yield Ask(STATUS, self._requests.status(), timeout, deadline_in(timeout))
        return read_status(parse(GetModelStatusResponse, answer))

    def _waiting(self, timeout: float) -> Steps[tuple[VersionStatus, ...]]:
        waiting = Waiting(self._settings, time.monotonic(), timeout)
        while True:
            found: tuple[VersionStatus, ...] | CallError
            try:
                found = yield from self._asking_status(waiting.request_timeout(time.monotonic()))
            except CallError as error:
                found = error
            seconds, versions = waiting.judge(found, time.monotonic())
            if versions is not None:
                return versions
            yield Pause(seconds)

    def _choosing_encoder(self) -> Steps[Encode]:
        """Choose how images are read: as they are, converted or downscaled."""
        shrink = self._settings.shrink
        if shrink is True:
            try:
                shrink = size_for((yield from self._known_metadata()))
            except CallError as error:
                shrink = unknown_size(error)
        return encoder(shrink, convert=self._settings.convert)

    def _asked(self, path: str, request: bytes, timeout: float | None) -> Steps[bytes]:
        return asked(self._contact, path, request, timeout, time.monotonic)


def classes(top_k: int | None) -> tuple[Reader[Classification], type[Classification]]:
    """Return the reader of answers to `classify`, and the class of its results.

    Raises:
        UsageError: `top_k` is less than 1.
    """
    check_top_k(top_k)
    return reading(partial(read_classes, top_k=top_k)), Classification


def vectors() -> tuple[Reader[Features], type[Features]]:
    """Return the reader of answers to `features`, and the class of its results."""
    return reading(read_features), Features
