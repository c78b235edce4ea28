"""The wish to stop is heard, however often and wherever the signal comes."""

import os
import signal
import threading

from hubserve_serve._stop import Stop, stop_signal


def test_nobody_asked_yet() -> None:
    assert not Stop().is_set()


def test_who_waits_hears_of_a_signal_and_so_does_who_asks_later() -> None:
    with stop_signal() as stop:
        threading.Timer(0.01, os.kill, [os.getpid(), signal.SIGTERM]).start()
        stop.wait()
        assert stop.is_set()
        stop.wait()


def test_afterwards_signals_do_what_they_did() -> None:
    before = signal.getsignal(signal.SIGINT)
    with stop_signal():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before


def test_a_signal_that_another_thread_takes_is_heard_too() -> None:
    with stop_signal() as stop:
        # Sent to this very thread, which is not the one that waits.
        threading.Thread(target=lambda: signal.pthread_kill(threading.get_ident(), signal.SIGTERM)).start()
        stop.wait()
