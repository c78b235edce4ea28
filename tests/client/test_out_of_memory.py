"""A server without the memory for a batch: `predict` and `classify` halve it, and stay at the size that fits."""

from typing import Any

import numpy as np
import pytest

from client.shells import SHELLS, call, classify
from hubserve import Client, ServerBusy
from hubserve.testing import FakeServer, Fault, Request

# TensorFlow's words, XLA's, and those of a kernel.
WORDS = [
    "OOM when allocating tensor with shape[8] and type float on /device:GPU:0 by allocator GPU_0_bfc",
    "Out of memory while trying to allocate 8589934592 bytes.",
    "Failed to allocate memory for the batch of component 0",
]


class Memory:
    """A server with memory for a number of rows."""

    def __init__(self, room: int, words: str) -> None:
        self.asked: list[int] = []
        self._room = room
        self._words = words

    def predict(self, _: str, inputs: dict[str, Any]) -> dict[str, Any]:
        self.take(len(inputs["x"]))
        return {"y": inputs["x"] * 2}

    def take(self, rows: int) -> None:
        self.asked.append(rows)
        if rows > self._room:
            raise Fault("RESOURCE_EXHAUSTED", self._words)


@pytest.mark.parametrize("words", WORDS)
@pytest.mark.parametrize("shell", SHELLS)
def test_predict_is_halved_until_it_fits(shell: str, words: str) -> None:
    memory = Memory(2, words)
    rows = np.arange(8, dtype=np.int32).reshape(8, 1)
    with FakeServer(predict=memory.predict) as server:
        answer = call(shell, server.target, "predict", {"x": rows})
    assert answer["y"].tolist() == (rows * 2).tolist()
    assert memory.asked == [8, 4, 2, 2, 2, 2]


def test_the_next_predict_is_cut_at_once() -> None:
    memory = Memory(4, WORDS[0])
    rows = np.zeros((8, 1), np.int32)
    with FakeServer(predict=memory.predict) as server, Client(server.target, model="m") as client:
        for _ in range(2):
            client.predict({"x": rows})
    assert memory.asked == [8, 4, 4, 4, 4]


@pytest.mark.parametrize("words", WORDS)
def test_classify_is_halved_until_it_fits(words: str) -> None:
    memory = Memory(2, words)

    def before(request: Request) -> None:
        memory.take(len(request.images))

    with FakeServer(before=before) as server:
        results = classify("threads", server.target, [b"cat"] * 8, concurrency=1)
    assert [result.label for result in results] == ["cat"] * 8
    assert memory.asked[:3] == [8, 4, 2]


@pytest.mark.parametrize("shell", SHELLS)
def test_one_row_that_does_not_fit_is_an_error_that_says_what_helps(shell: str) -> None:
    memory = Memory(0, WORDS[0])
    with FakeServer(predict=memory.predict) as server, pytest.raises(ServerBusy, match="give predict fewer rows"):
        call(shell, server.target, "predict", {"x": np.zeros((2, 1), np.int32)})
    assert memory.asked == [2, 1]
