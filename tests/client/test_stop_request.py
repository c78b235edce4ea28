"""A request to stop arrives, for any number of signals at any moment."""

import os
import signal
import threading

from hubserve_cli.common.interrupts import StopRequest


def test_there_is_not_a_request_without_a_signal() -> None:
    assert StopRequest().signal is None


def test_a_thread_that_waits_is_woken_and_a_later_wait_returns_at_once() -> None:
    stop = StopRequest()
    with stop.taken():
        threading.Timer(0.01, os.kill, [os.getpid(), signal.SIGTERM]).start()
        stop.wait()
        assert stop.signal == signal.SIGTERM
        stop.wait()


def test_after_the_context_signals_have_their_old_handlers() -> None:
    before = signal.getsignal(signal.SIGINT)
    with StopRequest().taken():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before


def test_a_signal_that_another_thread_receives_counts_too() -> None:
    stop = StopRequest()
    with stop.taken():
        # Sent to the new thread, which is not the thread that waits.
        threading.Thread(target=lambda: signal.pthread_kill(threading.get_ident(), signal.SIGTERM)).start()
        stop.wait()
