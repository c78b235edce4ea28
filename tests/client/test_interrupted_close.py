"""A signal that breaks into closing a client leaves a process that can end."""

import subprocess
import sys

PROGRAM = """
import signal, sys
from hubserve import Client

def interrupt(*_):
    raise KeyboardInterrupt

client = Client(["127.0.0.1:9", "127.0.0.1:10"], model="m")
signal.signal(signal.SIGALRM, interrupt)
# Closing waits up to a fifth of a second for the thread that watches the connections.
signal.setitimer(signal.ITIMER_REAL, 0.02)
try:
    client.close()
    signal.pause()
except KeyboardInterrupt:
    print("interrupted")
"""


def test_a_process_that_was_interrupted_while_it_closed_a_client_ends() -> None:
    for _ in range(3):
        done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False, timeout=120)
        assert (done.returncode, done.stdout) == (0, "interrupted\n"), done.stderr
