"""Progress: a line for each step, and on a terminal one line that is updated."""

import io
import re

from hubserve_export import Progress
from hubserve_export._terminal_progress import progress_on


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def report(progress: Progress) -> None:
    progress.step("saving")
    progress.step("proving")
    progress.part(1, 2)
    progress.part(2, 2)


def seen(stream: io.StringIO) -> str:
    """Return the text that stands there at the end: a line that was written over is gone."""
    lines = [line.rpartition("\r")[2].replace("\x1b[K", "") for line in stream.getvalue().split("\n")]
    return re.sub(r"\d+\.\d", "#", "\n".join(lines))


def test_without_a_terminal_each_step_is_a_line_and_parts_are_not_shown() -> None:
    stream = io.StringIO()
    with progress_on(stream) as progress:
        report(progress)
    assert seen(stream) == "[   # s] saving\n[   # s] proving\n"
    assert "\r" not in stream.getvalue()


def test_on_a_terminal_the_last_line_counts_and_ends_with_what_the_step_took() -> None:
    stream = Terminal()
    with progress_on(stream) as progress:
        report(progress)
        assert seen(stream) == "[   # s] saving (# s)\n[   # s] proving, 2 of 2"
    assert seen(stream) == "[   # s] saving (# s)\n[   # s] proving, 2 of 2 (# s)\n"


def test_a_warning_is_a_line_of_its_own_in_the_words_of_the_reader() -> None:
    stream, terminal = io.StringIO(), Terminal()
    for where in (stream, terminal):
        with progress_on(where, str.upper) as progress:
            progress.step("saving")
            progress.warning("chance")
    assert seen(stream) == "[   # s] saving\nWarning: CHANCE\n"
    assert seen(terminal) == "Warning: CHANCE\n[   # s] saving (# s)\n"


def test_a_step_that_fails_leaves_its_line_ended() -> None:
    stream = Terminal()
    try:
        with progress_on(stream) as progress:
            progress.step("saving")
            raise KeyError
    except KeyError:
        pass
    assert seen(stream) == "[   # s] saving (# s)\n"
