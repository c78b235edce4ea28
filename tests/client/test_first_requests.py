"""A hundred first requests at once in a fresh process, while numpy and Pillow are being imported: all are answered."""

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from hubserve._images import encode
from hubserve.testing import FakeServer

_PROGRAM = """
import sys, threading
from hubserve import Client

verb, target = sys.argv[1:]
client = Client(target, model="m")
batcher = client.classify_batcher()
assert not {"numpy", "PIL"} & sys.modules.keys()
start = threading.Barrier(101)
failures = []

def answered():
    if verb == "predict":
        return client.predict({"x": [7]})["x"].tolist() == [7]
    if verb == "batcher":
        return batcher.ask(bytearray(b"cat")).label == "cat"
    if verb == "features":
        return list(client.features([bytearray(b"cat")]))[0].vector.tolist() == [1.0]
    return list(client.classify([bytearray(b"cat")]))[0].label == "cat"

def ask():
    start.wait()
    try:
        if not answered():
            failures.append("a wrong answer")
    except BaseException as error:
        failures.append(repr(error))

threads = [threading.Thread(target=ask) for _ in range(100)]
for thread in threads:
    thread.start()
start.wait()
import PIL.Image, numpy
for thread in threads:
    thread.join()
batcher.close()
client.close()
print(len(failures), failures[:3])
"""


def of_all_verbs(_: str, inputs: dict[str, Any]) -> dict[str, Any]:
    """Any model: echoes arrays, and has classes and vectors for images."""
    if "image_bytes" not in inputs:
        return inputs
    rows = len(inputs["image_bytes"])
    return {
        "status": np.zeros(rows, np.int32),
        "class_ids": np.zeros((rows, 1), np.int32),
        "labels": inputs["image_bytes"].reshape(rows, 1),
        "scores": np.ones((rows, 1), np.float32),
        "feature_vector": np.ones((rows, 1), np.float32),
    }


@pytest.mark.parametrize("verb", ["predict", "classify", "batcher", "features"])
def test_a_hundred_first_requests_at_once_in_a_fresh_process(verb: str) -> None:
    with FakeServer(predict=of_all_verbs, threads=100) as server:
        program = [sys.executable, "-c", _PROGRAM, verb, server.target]
        done = subprocess.run(program, capture_output=True, text=True, check=False, timeout=300)
    assert (done.returncode, done.stdout) == (0, "0 []\n"), done.stderr


class _HalfImported:
    """A module that another thread has begun to import: without its names."""


@pytest.mark.parametrize("name", ["numpy", "PIL.Image"])
def test_a_module_that_is_being_imported_is_looked_into_with_care(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, name, _HalfImported())
    assert encode.encode(0, bytearray(b"cat")).data == b"cat"
    images = [b"cat"]
    assert encode.many(images, convert=False) is images
