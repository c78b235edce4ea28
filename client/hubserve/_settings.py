"""Check the arguments of both clients."""

from __future__ import annotations

import inspect
import pickle
import sys
import threading
import time
import uuid
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import reduce
from typing import Any, Literal, TypeVar

from ._checks import LARGEST_VERSION, check_name, check_number, check_seconds, check_text, check_whole
from ._errors import UsageError
from ._images.convert import check_convert
from ._images.downscale import check_shrink
from ._schedule.batching import Capacity, Limits
from ._schedule.retry import NEVER, Contact, Retry
from ._schedule.window import MOST, Fixed, Memory, Vegas, Window
from ._transport.channel import grpc_targets
from ._transport.proxy import proxy_hint
from ._transport.security import TLS, AsyncToken, check_token

_Client = TypeVar("_Client")
# Modules whose copies of an object do not need the names of its functions.
_BY_VALUE = ("cloudpickle", "cloudpickle_fast", "dill", "_dill", "copy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The arguments of a client, as a value: `shared_client(Settings("localhost:8500", model="pnasnet"))`.

    Settings can be pickled, connections cannot. A path in `tls` stays a path, which is read where the client is made.
    pickle sends a token function by its name, and refuses a lambda or an inner function. `repr` does not show secrets.

    Args:
        target: As for `Client`, like all other arguments.

    Raises:
        UsageError: An argument is not valid, or the token would be sent unencrypted.
    """

    target: str | Sequence[str] = field(kw_only=False)
    model: str
    version: int | None = None
    version_label: str | None = None
    timeout: float | None = 30.0
    tls: TLS | None = None
    token: AsyncToken | None = field(default=None, repr=False)
    allow_plaintext_token: bool = False
    retry: Retry | None = Retry()  # noqa: RUF009 - it is frozen
    max_batch_size: int = 32
    max_batch_bytes: int = 16 * 2**20
    concurrency: int | Literal["auto"] = "auto"
    max_concurrency: int = MOST
    channel_options: Mapping[str, str | int] | None = None
    shrink: bool | int = False
    convert: bool = False
    # Travels with a token function that pickle makes anew in each process, so that its copies count as one.
    token_id: str = field(default="", init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        grpc_targets(self.target)
        if not isinstance(self.model, str) or not self.model:
            raise UsageError(f"model must be the model's name on the server, not {self.model!r}")
        check_text("model", self.model)
        if self.version is not None and self.version_label is not None:
            raise UsageError("version and version_label both choose a version: give one of them")
        if self.version is not None:
            check_whole("version", self.version, least=0, most=LARGEST_VERSION)
        if self.version_label is not None:
            check_name("version_label", self.version_label)
        if self.timeout is not None:
            check_seconds("timeout", self.timeout)
        for name in ("max_batch_size", "max_batch_bytes"):
            check_number(name, getattr(self, name))
            check_whole(name, getattr(self, name))
        if self.concurrency != "auto":
            check_whole('concurrency, if not "auto",', self.concurrency)
        check_whole("max_concurrency", self.max_concurrency)
        for name, option in (self.channel_options or {}).items():
            if not isinstance(name, str) or not isinstance(option, str | int):
                raise UsageError(f"channel_options must map names to str or int, not {name!r} to {option!r}")
            if isinstance(option, int) and not -(2**31) <= option < 2**31:
                raise UsageError(f"channel_options must map names to ints of 32 bits, not {name!r} to {option}")
        check_shrink(self.shrink)
        check_convert(self.convert)
        check_token(self.token, encrypted=self.tls is not None, allow_plaintext=self.allow_plaintext_token)
        if callable(self.token) and not _importable(self.token):
            object.__setattr__(self, "token_id", uuid.uuid4().hex)

    def __reduce__(self) -> tuple[Any, ...]:
        if callable(self.token) and not (_importable(self.token) or _by_value()):
            try:
                pickle.dumps(self.token)
            # An object of the caller may raise anything.
            except Exception as error:
                raise cannot_travel("pickled", error) from error
        return _restored, (type(self), tuple(getattr(self, each.name) for each in fields(self)))


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings(Settings):
    """Settings of a client that is made, and what follows from them for its calls."""

    def contact(self) -> Contact:
        """Return the initial state of a client's servers."""
        _, several = grpc_targets(self.target)
        return Contact(NEVER if self.retry is None else self.retry, several=several, lock=threading.Lock())

    def capacity(self) -> Capacity:
        """Return the limits on one request for images."""
        return Capacity(Limits(self.max_batch_size, self.max_batch_bytes), threading.Lock())

    def window(self, memory: Memory) -> Window:
        """Return the limit on a call's requests in flight.

        Args:
            memory: What earlier calls of the client found out.
        """
        if self.concurrency == "auto":
            # At most half a GiB of requests.
            return Vegas(min(self.max_concurrency, max(2, 2**29 // self.max_batch_bytes)), memory)
        return Fixed(self.concurrency)

    def batcher_capacity(self, max_delay: float, max_size: int | None) -> Capacity:
        """Return the limits on one request of a batcher.

        Raises:
            UsageError: An argument is not valid.
        """
        check_seconds("max_delay", max_delay, zero=True)
        if max_size is not None:
            check_whole("max_size", max_size)
        size = min(max_size or self.max_batch_size, self.max_batch_size)
        return Capacity(Limits(size, self.max_batch_bytes))

    def batcher_window(self) -> Window:
        """Return the limit on a batcher's requests in flight: waiting callers already limit them."""
        return Fixed(MOST if self.concurrency == "auto" else self.concurrency)

    def call_timeout(self, timeout: float | None) -> float | None:
        """Return the seconds of one call: the caller's, or the client's; None: no limit.

        Raises:
            UsageError: `timeout` is not a finite number above 0.
        """
        if timeout is None:
            return self.timeout
        check_seconds("timeout", timeout)
        return timeout

    def model_in_words(self) -> str:
        """Return the model as errors name it."""
        if self.version is not None:
            return f"model {self.model}, version {self.version}"
        if self.version_label is not None:
            return f"model {self.model}, version label {self.version_label}"
        return f"model {self.model}"

    def target_in_words(self) -> str:
        """Return the target as errors name it."""
        return ", ".join(grpc_targets(self.target)[0])

    def proxy_hint(self) -> str:
        """Return a sentence for errors that names the proxy before the first target; empty without a proxy."""
        return proxy_hint(grpc_targets(self.target)[0][0])


def deadline_in(timeout: float | None) -> float | None:
    """Return the deadline of a call that starts now, on the clock of `time.monotonic`; None: none."""
    return None if timeout is None else time.monotonic() + timeout


def made_of(kind: Callable[..., _Client], settings: Settings) -> _Client:
    """Make a client from another one's arguments, for pickle."""
    return kind(**{each.name: getattr(settings, each.name) for each in fields(settings) if each.init})


def cannot_travel(how: str, error: Exception) -> UsageError:
    """Return the error for a token function that does not reach another process.

    Args:
        how: What was tried, such as "pickled".
        error: What was raised.
    """
    reason = " ".join(str(error).split()) or type(error).__name__
    return UsageError(
        f"the token function cannot be {how} ({reason}): give a function of a module that the other process can "
        "import, which reads the token from a file or an environment variable"
    )


def _restored(kind: type[Settings], values: tuple[Any, ...]) -> Settings:
    """Make settings of the values that `pickle` has kept; they were checked before."""
    settings = object.__new__(kind)
    for each, value in zip(fields(kind), values, strict=True):
        object.__setattr__(settings, each.name, value)
    return settings


def _by_value() -> bool:
    """Tell whether the caller copies functions by their code and not by their name, as cloudpickle does."""
    frame = inspect.currentframe()
    while frame is not None:
        if frame.f_globals.get("__name__", "").rpartition(".")[2] in _BY_VALUE:
            return True
        frame = frame.f_back
    return False


def _importable(function: object) -> bool:
    """Tell whether a function can be imported by its name, so that unpickling gives the same function everywhere."""
    try:
        module = sys.modules[function.__module__]
        names: list[str] = function.__qualname__.split(".")  # type: ignore[attr-defined]
        return reduce(getattr, names, module) is function
    except (AttributeError, KeyError, TypeError):
        return False


def key_of(settings: Settings) -> Hashable:
    """Return a key that is equal for settings that may share a client."""
    values = {each.name: getattr(settings, each.name) for each in fields(Settings) if each.init}
    values["target"] = settings.target if isinstance(settings.target, str) else tuple(settings.target)
    values["channel_options"] = frozenset((settings.channel_options or {}).items())
    if settings.token_id:
        values["token"] = None
    return (*values.values(), settings.token_id)


def seconds_left(end: float | None) -> float | None:
    """Return the seconds until `end` on the clock of `time.monotonic`; None: no limit."""
    return None if end is None else end - time.monotonic()
