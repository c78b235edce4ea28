"""End a subcommand that is interrupted or fails: all subcommands share this."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator

import click

from hubserve import HubserveError

from .interrupts import handled
from .words import in_words, to_install

# The exit code of `compare` if the second side differs from the first.
DIFFERENT = 4
# The exit codes that a shell reports for programs that the signals ended.
INTERRUPTED = 128 + signal.SIGINT
TERMINATED = 128 + signal.SIGTERM
# A number, because not every system has SIGPIPE.
READER_GONE = 128 + 13

_NO_MORE_OUTPUT = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})


class WrongUsageError(click.ClickException):
    """Wrong usage that the checks of single options do not find: one sentence, without the synopsis."""

    exit_code = 2


class MissingExtraError(WrongUsageError):
    """A package is not installed that only some options need. The message contains the command that installs it.

    Args:
        what: The feature that needs the package, such as `Parquet needs pyarrow`.
        extra: The extra that contains the package.
    """

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what}: {to_install(extra)}")


@contextlib.contextmanager
def in_order(*, debug: bool = False) -> Iterator[None]:
    """End the subcommand that runs inside without a traceback, with an exit code for the cause.

    Args:
        debug: Also print the traceback of an error, with the gRPC errors that caused it.

    Ctrl-C and SIGTERM unwind the stack, so that unfinished files are removed and child processes are ended. A reader
    that has closed the pipe gets no message. An error of the client that was not caught, or an output that cannot be
    written, is one sentence. Any other error is a defect, and its traceback is printed.
    """
    try:
        with handled({signal.SIGTERM: _unwind}):
            try:
                yield
            except Exception as error:
                # A subcommand that has printed its error already ends with `Exit ... from error`.
                shown = error.__cause__ if isinstance(error, click.exceptions.Exit) else error
                if debug and shown is not None and not isinstance(shown, click.UsageError):
                    traceback.print_exception(_with_contexts(shown))
                raise
            finally:
                # Here and not when the interpreter ends, where an error could not be handled.
                if sys.stdout is not None:
                    sys.stdout.flush()
    except KeyboardInterrupt:
        _kill_at_the_next_one()
        click.echo(err=True)  # The terminal shows ^C on this line.
        raise click.exceptions.Exit(INTERRUPTED) from None
    except BrokenPipeError:
        _write_no_more()
        raise click.exceptions.Exit(READER_GONE) from None
    except OSError as error:
        if error.errno not in _NO_MORE_OUTPUT or error.filename is not None:
            raise
        _write_no_more()
        raise click.ClickException(
            f"the output cannot be written ({error.strerror}): make room, or send it elsewhere"
        ) from error
    except HubserveError as error:
        raise click.ClickException(in_words(str(error))) from error
    except click.ClickException as error:
        error.message = in_words(error.message)  # type: ignore[misc]
        raise


def _with_contexts(error: BaseException) -> BaseException:
    """Return an error whose traceback shows its causes; by default the library hides gRPC's errors."""
    inner: BaseException | None = error
    while inner is not None:
        inner.__suppress_context__ = inner.__cause__ is not None
        inner = inner.__cause__ or inner.__context__
    return error


def _unwind(_number: int, _frame: object) -> None:
    _kill_at_the_next_one()
    sys.exit(TERMINATED)


def _kill_at_the_next_one() -> None:
    """Let a second Ctrl-C or SIGTERM end a program that hangs while it cleans up."""
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)


def _write_no_more() -> None:
    """Redirect streams that cannot be written to the null device, so that their last flush does not fail too."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except OSError:
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, stream.fileno())
            os.close(nothing)
