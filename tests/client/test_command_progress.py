"""The progress of a run, and its summary."""

import io
import itertools
import logging

import pytest

from hubserve import Classification, ImageError, InvalidRequest, ServerFailed
from hubserve.internals import Outcome, outcome
from hubserve_cli.bulk.progress import Notices, Progress
from hubserve_cli.bulk.summary import Summary
from hubserve_cli.common.numbers import duration


def good(source: str = "a.jpg", version: int = 1) -> Classification:
    return Classification(source=source, index=0, status=0, model_version=version)


def bad(source: str, error: str) -> Classification:
    return Classification(source=source, index=0, exception=ImageError(f"{source}: {error}"))


def test_rate_and_time_left_come_from_the_last_half_minute() -> None:
    seconds = itertools.count(step=1)
    screen = io.StringIO()
    progress = Progress(lambda: None, 100, screen, lambda: float(next(seconds)))
    progress._total = 1100
    # One a second, at first two that take long.
    for _ in range(200):
        progress.add(good())
    progress.add(bad("b.jpg", "gone"))
    assert progress.line() == "[#####---------------]  27 %  301 of 1,100 images, 1 a second, 1 failed, 13 min left"
    progress.close()
    assert screen.getvalue().endswith("\r\x1b[K")


def test_without_a_known_total_none_is_shown() -> None:
    seconds = itertools.count()
    progress = Progress(lambda: None, 0, io.StringIO(), lambda: float(next(seconds)))
    progress.add(good())
    assert "left" not in progress.line()
    progress.close()


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59, "59 s"), (90, "2 min"), (3600, "1 h 0 min"), (12_345, "3 h 26 min")]
)
def test_time_left_is_rounded_for_a_person(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_retries_are_reported_now_and_then_and_the_log_is_left_as_it_was() -> None:
    log = logging.getLogger("hubserve")
    level, handlers = log.level, list(log.handlers)
    said: list[str] = []
    notices = Notices(said.append)
    for _ in range(5):
        log.info("retrying %d images in %.2f s: %s", 32, 0.5, "no answer")
    log.debug("detail")
    notices.close()
    log.info("later")
    assert said == ["Retrying 32 images in 0.50 s: no answer"]
    assert (log.level, log.handlers) == (level, handlers)


def test_failures_are_grouped_by_reason_with_examples() -> None:
    summary = Summary(before=10, failed_before=1)
    for number in range(4):
        summary.add(bad(f"{number}.jpg", "No such file"))
    summary.add(good())
    summary.add(good(version=2))
    first, with_before, changed, head, *groups = summary.lines()
    assert first.startswith("2 of 6 images classified in ")
    assert with_before == "With earlier runs: 11 of 16 images classified"
    assert changed == "The model changed meanwhile: 1 by version 1, 1 by version 2"
    assert head == "4 not classified, 0 without an answer:"
    assert groups == ["        4  No such file", "           0.jpg, 1.jpg, 2.jpg, ..."]
    assert (summary.failed, summary.unanswered) == (5, 0)


def test_a_million_different_reasons_are_twenty_and_the_rest() -> None:
    summary = Summary()
    for number in range(1000):
        summary.add(bad(f"{number}.jpg", f"reason {number}"))
    lines = list(summary.lines())
    assert "      980  other reasons" in lines
    assert len(lines) == 2 + 2 * 21


def test_a_failure_is_the_images_or_the_servers() -> None:
    def failed(error: Exception) -> Outcome:
        return outcome(Classification(source="a", index=0, exception=error))

    assert outcome(good()) is Outcome.CLASSIFIED
    assert outcome(Classification(source="a", index=0, status=1)) is Outcome.FAILED
    assert failed(ImageError("gone")) is Outcome.FAILED
    assert failed(ServerFailed("it broke")) is Outcome.UNANSWERED
    assert failed(InvalidRequest("no such signature")) is Outcome.UNANSWERED
