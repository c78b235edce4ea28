"""A signal during the closing of a client leaves a process that can end."""

import subprocess
import sys

# Closing waits for the thread that watches the connections, which looks every 0.2 s: most signals come before that.
# A client that is closed before its signal says so, and shows nothing.
PROGRAM = """
import signal
from hubserve import Client

def interrupt(*_):
    raise KeyboardInterrupt

client = Client(["127.0.0.1:9", "127.0.0.1:10"], model="m", retry=None)
assert not next(client.classify([b"cat"])).ok
signal.signal(signal.SIGALRM, interrupt)
signal.setitimer(signal.ITIMER_REAL, 0.02)
try:
    client.close()
    print("closed in time")
    signal.pause()
except KeyboardInterrupt:
    print("interrupted")
"""
_INTERRUPTED = 5
_MOST = 50


def test_a_process_that_was_interrupted_while_it_closed_a_client_ends() -> None:
    outcomes = []
    while outcomes.count("interrupted\n") < _INTERRUPTED:
        assert len(outcomes) < _MOST, f"closing was never interrupted: {outcomes}"
        # A process that cannot end is killed, and the test fails with TimeoutExpired.
        done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False, timeout=60)
        assert (done.returncode, done.stderr) == (0, "")
        outcomes.append(done.stdout)
