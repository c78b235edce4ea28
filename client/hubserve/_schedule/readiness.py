"""Wait for a model: decide after each status what to do next; plain arithmetic on times that are passed in."""

from __future__ import annotations

from .._checks import check_seconds
from .._errors import (
    CallError,
    DeadlineExceeded,
    HubserveError,
    ModelNotFound,
    ModelNotReady,
    ServerBusy,
    ServerUnavailable,
)
from .._settings import ClientSettings
from ..wire.model_info import VersionState, VersionStatus

_POLL_SECONDS = 0.2
# Even with a short timeout, a busy server must have time to answer once.
_FIRST_LOOK_SECONDS = 2.0
# Failures that may end while a server starts.
_PASSING = (ServerUnavailable, ServerBusy, DeadlineExceeded, ModelNotFound)


class Waiting:
    """`seconds, versions = waiting.judge(status_or_error, now)`: call it again after `seconds`, or the model is ready.

    Args:
        settings: The client's settings.
        now: The time.
        timeout: The most seconds to wait.

    Raises:
        UsageError: `timeout` is not a finite number of at least 0.
    """

    def __init__(self, settings: ClientSettings, now: float, timeout: float) -> None:
        check_seconds("timeout", timeout, zero=True)
        self._settings = settings
        self._timeout = timeout
        self._end = now + timeout
        self._said: HubserveError | None = None

    def request_timeout(self, now: float) -> float:
        """Return the seconds that the next status call may take."""
        least = _FIRST_LOOK_SECONDS if self._said is None else _POLL_SECONDS
        left = max(self._end - now, least)
        return left if self._settings.timeout is None else min(left, self._settings.timeout)

    def judge(
        self, found: tuple[VersionStatus, ...] | CallError, now: float
    ) -> tuple[float, tuple[VersionStatus, ...] | None]:
        """Return the seconds until the next status call, or the versions if one is available.

        Raises:
            ModelNotReady: The time is over, and the model is not loaded; or it could not be loaded.
            CallError: The time is over, or waiting cannot help.
        """
        failure: HubserveError
        if isinstance(found, CallError):
            if not isinstance(found, _PASSING):
                raise found
            failure = found
        elif any(version.available for version in found):
            return 0.0, found
        else:
            states = ", ".join(map(str, found)) or "it does not have a version of it"
            if _hopeless(found):
                raise ModelNotReady(
                    f"{self._settings.target_in_words()} could not load {self._settings.model_in_words()} ({states}): "
                    "fix the version, or publish another one"
                )
            failure = ModelNotReady(
                f"{self._settings.target_in_words()} does not serve {self._settings.model_in_words()} "
                f"after {self._timeout:g} s: {states}"
            )
        # The last call has little time left, and its timeout says less than the failure before it.
        if self._said is None or not isinstance(failure, DeadlineExceeded):
            self._said = failure
        if now + _POLL_SECONDS > self._end:
            raise self._said
        return _POLL_SECONDS, None


def _hopeless(versions: tuple[VersionStatus, ...]) -> bool:
    # TF Serving does not retry to load a version in state END. Without an error, the version was unloaded.
    return all(version.state is VersionState.END for version in versions) and any(v.error for v in versions)
