"""The log explains a slow or failed run."""

import logging
import subprocess
import sys

import pytest

from client.shells import SHELLS, call, classify
from hubserve import Retry
from hubserve.testing import FakeServer, Fault, Request

QUICK = Retry(first_delay=0.001)


def messages(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    return [(record.levelname, record.getMessage()) for record in caplog.records if record.name == "hubserve"]


@pytest.mark.parametrize("shell", SHELLS)
def test_retries_searches_and_failures_are_reported_with_their_reason(shell: str, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO, "hubserve")

    def refuse(request: Request) -> None:
        if b"bad" in request.images:
            raise Fault("INVALID_ARGUMENT", "no image")

    with FakeServer(before=refuse) as server:
        server.then(Fault("UNAVAILABLE", "gone for a moment"))
        classify(shell, server.target, [b"good", b"bad"], retry=QUICK)

    again, looking, failed = messages(caplog)
    assert again[0] == "INFO"
    assert again[1].startswith("retrying 2 images in 0.0")
    assert "gone for a moment" in again[1]
    assert looking[1].startswith("searching 2 images for the one that fails them: ")
    assert failed[0] == "WARNING"
    assert failed[1].startswith("1 images failed, the first of them image 1: ")


@pytest.mark.parametrize("shell", SHELLS)
def test_lowered_limits_and_a_predict_that_is_retried_are_reported(shell: str, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO, "hubserve")
    with FakeServer(max_batch_size=2) as server:
        classify(shell, server.target, [b"a", b"b", b"c"])
        server.then(Fault("UNAVAILABLE"))
        call(shell, server.target, "predict", {"image_bytes": [b"cat"]}, options={"retry": QUICK})

    lowered, again = messages(caplog)
    assert lowered[0] == "WARNING"
    assert lowered[1].startswith("sending at most 2 images and 16777216 bytes at once: ")
    assert again[1].startswith("retrying in 0.0")


def test_nothing_is_printed_where_no_log_is_configured():
    program = (
        "import hubserve, sys\n"
        "with hubserve.Client('127.0.0.1:9', model='m', retry=None) as client:\n"
        "    print([result.ok for result in client.classify([b'cat'])])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)

    assert (done.stdout, done.stderr) == ("[False]\n", "")
