"""What is said at a run's end, and the exit code."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import click

from hubserve import HubserveError

from ..common.interrupts import Stopped
from .summary import Summary

_FAILED = 1
_SOME_NOT_CLASSIFIED = 3
# What a shell makes of a program that a signal has ended.
_SIGNALLED = 128


@contextmanager
def told(summary: Summary, again: str | None, *, quiet: bool) -> Iterator[None]:
    """End the command for what is run within: say what became of it, and how to go on.

    Args:
        summary: Of the run.
        again: The command that goes on with it; None: none does.
        quiet: Say errors only.

    Raises:
        click.exceptions.Exit: With 0, 1 or 3, as the command's help says; or with 128 and the signal's number.
    """
    error = None
    try:
        yield
    except Stopped as stopped:
        code, error = _SIGNALLED + stopped.number, f"stopped by {stopped}"
    except click.ClickException as failure:
        if failure.exit_code != _FAILED:
            raise
        # It says itself how to go on.
        code, error, again = _FAILED, failure.message, None
    except HubserveError as failure:
        code, error = _FAILED, str(failure)
    else:
        if summary.unanswered:
            code, error = _FAILED, f"{summary.unanswered:,} images got no answer from the server"
        else:
            code, again = _SOME_NOT_CLASSIFIED if summary.failed else 0, None
    if not quiet and (summary.images or error is None):
        for line in summary.lines():
            click.echo(line, err=True)
    if error is not None:
        click.echo(f"Error: {error}", err=True)
    if again is not None:
        click.echo(f"Go on with: {again}", err=True)
    raise click.exceptions.Exit(code)


def resuming(arguments: Sequence[str]) -> str:
    """Return the command that goes on with a run that was started with these arguments."""
    # What it asked for again has its new records by then.
    kept = [argument for argument in arguments if argument != "--retry-failed"]
    return shlex.join(["hubserve", "classify", *kept, *([] if "--resume" in kept else ["--resume"])])
