import pytest

from client.simulation import failure
from hubserve import Retry, UsageError
from hubserve._schedule.retry import Contact

GONE = failure("UNAVAILABLE", "failed to connect")
BUSY = failure("RESOURCE_EXHAUSTED", "quota exceeded")
LATE = failure("DEADLINE_EXCEEDED", "Deadline Exceeded")


def met(retry: Retry, draw: float = 1.0) -> Contact:
    contact = Contact(retry, lambda: draw)
    contact.answered(-1.0)
    return contact


def test_delays_double_from_the_first_to_the_longest():
    contact = met(Retry(first_delay=0.1, max_delay=1.0))
    now, delays = 0.0, []
    for _ in range(6):
        at = contact.retry_at(GONE, sent=now, now=now, first_failure=0.0)
        assert at is not None
        delays.append(round(at - now, 6))
        now = at

    assert delays == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0]


def test_delays_are_drawn_from_zero_up_to_the_most():
    assert met(Retry(first_delay=0.4), draw=0.25).retry_at(GONE, sent=5.0, now=5.0) == pytest.approx(5.1)
    assert met(Retry(first_delay=0.4), draw=0.0).retry_at(GONE, sent=5.0, now=5.0) == 5.0


def test_requests_that_failed_together_count_as_one_failure():
    contact = met(Retry(first_delay=0.1))

    delays = [contact.retry_at(GONE, sent=0.0, now=1.0) for _ in range(10)]

    assert delays == [pytest.approx(1.1)] * 10


def test_an_answer_ends_the_row_of_failures():
    contact = met(Retry(first_delay=0.1))
    for now in range(5):
        contact.retry_at(GONE, sent=now, now=now)
    contact.answered(5.0)

    assert contact.retry_at(GONE, sent=10.0, now=10.0) == pytest.approx(10.1)


def test_no_try_is_made_that_would_come_after_the_policys_time():
    contact = met(Retry(max_seconds=10.0, first_delay=1.0))

    assert contact.retry_at(GONE, sent=0.0, now=8.9, first_failure=0.0) == pytest.approx(9.9)
    assert contact.retry_at(GONE, sent=9.9, now=9.9, first_failure=0.0) is None


def test_no_try_is_made_that_would_come_after_the_callers_deadline():
    assert met(Retry(first_delay=1.0)).retry_at(GONE, sent=0.0, now=0.0, deadline=1.0) is None
    assert met(Retry(first_delay=1.0)).retry_at(GONE, sent=0.0, now=0.0, deadline=1.1) == 1.0


def test_a_request_does_not_wait_anew_for_a_server_that_has_been_away_for_long():
    contact = met(Retry(max_seconds=60.0), draw=0.0)
    for now in range(0, 59, 5):
        assert contact.retry_at(GONE, sent=now, now=now, first_failure=0.0) is not None

    assert contact.retry_at(GONE, sent=61.0, now=61.0) is None
    # An hour later that is forgotten.
    assert contact.retry_at(GONE, sent=3600.0, now=3600.0) is not None


def test_a_server_that_never_answered_is_waited_for_two_seconds_unless_it_is_there():
    contact = Contact(Retry(), lambda: 0.0)

    assert contact.retry_at(GONE, sent=0.0, now=1.9, first_failure=0.0) == 1.9
    assert contact.retry_at(GONE, sent=2.0, now=2.0, first_failure=0.0) is None
    assert contact.retry_at(BUSY, sent=3.0, now=3.0, first_failure=0.0) == 3.0


def test_retries_beyond_the_budget_wait_for_a_token_a_second():
    contact = met(Retry(budget=2, first_delay=0.0))

    assert [contact.retry_at(GONE, sent=0.0, now=0.0) for _ in range(4)] == [0.0, 0.0, 1.0, 2.0]


def test_ten_answers_pay_for_a_retry():
    contact = met(Retry(budget=1, first_delay=0.0))
    assert contact.retry_at(GONE, sent=0.0, now=0.0) == 0.0
    for _ in range(11):
        contact.answered(0.0)

    assert contact.retry_at(GONE, sent=0.0, now=0.0) == 0.0


def test_a_budget_of_nothing_allows_no_retry():
    assert met(Retry(budget=0)).retry_at(GONE, sent=0.0, now=0.0) is None


def test_a_deadline_that_passes_in_the_queue_of_a_server_that_answers_others_takes_no_token():
    contact = met(Retry(budget=2, first_delay=0.0))
    contact.answered(20.0)
    assert [contact.retry_at(LATE, sent=0.0, now=30.0) for _ in range(500)] == [30.0] * 500
    # All tokens are still there.
    assert [contact.retry_at(GONE, sent=30.0, now=30.0) for _ in range(3)] == [30.0, 30.0, 31.0]


def test_a_deadline_that_passes_while_nothing_is_answered_takes_a_token():
    contact = met(Retry(budget=2, first_delay=0.0))
    assert [contact.retry_at(LATE, sent=0.0, now=30.0) for _ in range(3)] == [30.0, 30.0, 31.0]


def test_a_budget_of_nothing_allows_no_retry_of_what_waited_in_the_queue():
    contact = met(Retry(budget=0))
    contact.answered(20.0)
    assert contact.retry_at(LATE, sent=0.0, now=30.0) is None


def test_a_model_that_vanishes_for_a_moment_is_retried_only_if_it_was_there():
    gone = failure("NOT_FOUND", "Servable not found for request: Latest(m)")

    assert Contact(Retry()).retry_at(gone, sent=0.0, now=0.0) is None
    assert met(Retry()).retry_at(gone, sent=0.0, now=0.0) is not None


@pytest.mark.parametrize(
    ("code", "details", "again"),
    [
        ("UNAVAILABLE", "Socket closed", True),
        ("UNAVAILABLE", "Ssl handshake failed: CERTIFICATE_VERIFY_FAILED", False),
        ("RESOURCE_EXHAUSTED", "quota exceeded", True),
        # These wait for room, see `Gate`.
        ("RESOURCE_EXHAUSTED", "Server Threadpool Exhausted", False),
        ("RESOURCE_EXHAUSTED", "Run() timeout exceeded while waiting in batching queue", False),
        ("DEADLINE_EXCEEDED", "Run() timeout exceeded while waiting in batching queue", False),
        ("UNAVAILABLE", "The batch scheduling queue to which this task was submitted is full", False),
        ("RESOURCE_EXHAUSTED", "Received message larger than max (5 vs. 4)", False),
        ("DEADLINE_EXCEEDED", "Deadline Exceeded", True),
        ("ABORTED", "", True),
        ("CANCELLED", "", True),
        ("CANCELLED", "Channel closed!", False),
        ("UNKNOWN", "Stream removed", True),
        ("UNKNOWN", "Exception calling application", False),
        ("INTERNAL", "Received RST_STREAM with error code 2", True),
        ("INTERNAL", "Tensor :0 has inf", False),
        ("INVALID_ARGUMENT", "Expected image (JPEG, PNG, or GIF)", False),
        ("FAILED_PRECONDITION", 'Serving signature key "x" not found.', False),
        ("UNAUTHENTICATED", "", False),
        ("PERMISSION_DENIED", "", False),
        ("UNIMPLEMENTED", "", False),
        ("DATA_LOSS", "", False),
    ],
)
def test_only_temporary_failures_are_retried(code: str, details: str, again: bool):
    assert (met(Retry()).retry_at(failure(code, details), sent=0.0, now=0.0) is not None) is again


@pytest.mark.parametrize("wrong", [{"max_seconds": -1}, {"budget": -1}, {"hedge_after": 0}])
def test_a_policy_that_makes_no_sense_is_refused(wrong: dict):
    with pytest.raises(UsageError, match=next(iter(wrong))):
        Retry(**wrong)
