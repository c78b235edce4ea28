"""The end of images and runs: the cause of a failure, when a run stops, its last line, its exit code."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from hubserve import (
    AccessDenied,
    CallError,
    Classification,
    HubserveError,
    InvalidRequest,
    ModelNotFound,
    NotAModelServer,
    ServerUnavailable,
)
from hubserve.internals import Outcome, Then, outcome, then

from ..common.interrupts import Stopped
from ..common.words import in_words

if TYPE_CHECKING:
    from .summary import Summary

_FAILED = 1
_SOME_NOT_CLASSIFIED = 3
# The exit code of a program that a signal ended, in a shell.
_SIGNALLED = 128
# When an image gets one of these errors, the client has already retried for the whole time of its retry policy.
_ENDS_THE_RUN = (ServerUnavailable, AccessDenied, ModelNotFound, NotAModelServer, InvalidRequest)
_BATCHES_IN_VAIN = 10


class Patience:
    """End a run in which nothing succeeds: call `patience.with_(result)` for each result.

    Args:
        batch_size: Images in a request.
    """

    def __init__(self, batch_size: int) -> None:
        self._limit = batch_size * _BATCHES_IN_VAIN
        self._in_vain = 0
        self._met = False

    def with_(self, result: Classification) -> None:
        """Look at the next result.

        Raises:
            HubserveError: The failure of the server: it has not answered yet, waiting did not help, or many requests
                in a row failed.
        """
        now = outcome(result)
        if now is not Outcome.UNANSWERED:
            self._met = self._met or result.status is not None
            self._in_vain = 0
            return
        self._in_vain += 1
        error = result.exception
        assert isinstance(error, HubserveError)  # noqa: S101 - else it would be answered
        # The request of another caller may have failed this one: the run goes on.
        neighbours = isinstance(error, CallError) and then(error) is Then.NEIGHBOUR
        at_once = not neighbours and (not self._met or isinstance(error, _ENDS_THE_RUN))
        if at_once or self._in_vain >= self._limit:
            raise error


@contextmanager
def told(summary: Summary, again: str | None, *, quiet: bool) -> Iterator[None]:
    """Report the end of the run inside the context, and exit.

    Args:
        summary: The summary of the run.
        again: The command that resumes the run; None: it cannot be resumed.
        quiet: Print errors only.

    Raises:
        click.exceptions.Exit: With 0, 1 or 3, as the command's help says; or with 128 and the signal's number.
    """
    error: str | None = None
    cause: Exception | None = None
    try:
        yield
    except Stopped as stopped:
        code, error = _SIGNALLED + stopped.number, f"stopped by {stopped}"
    except click.ClickException as failure:
        if failure.exit_code != _FAILED:
            raise
        # The message itself says how to go on.
        code, error, again, cause = _FAILED, failure.message, None, failure
    except HubserveError as failure:
        code, error, cause = _FAILED, str(failure), failure
    else:
        if summary.unanswered:
            code, error = _FAILED, f"{summary.unanswered:,} images got no answer from the server"
        else:
            code, again = _SOME_NOT_CLASSIFIED if summary.failed else 0, None
    if not quiet and (summary.images or error is None):
        for line in summary.lines():
            click.echo(in_words(line), err=True)
    if error is not None:
        click.echo(f"Error: {in_words(error)}", err=True)
    if again is not None:
        click.echo(f"Go on with: {again}", err=True)
    raise click.exceptions.Exit(code) from cause


def resuming(arguments: Sequence[str]) -> str:
    """Return the command that resumes a run that was started with these arguments."""
    # The images of --retry-failed have new records by then.
    kept = [argument for argument in arguments if argument != "--retry-failed"]
    return shlex.join(["hubserve", "classify", *kept, *([] if "--resume" in kept else ["--resume"])])
