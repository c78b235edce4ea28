"""Inputs and names of `predict` that a request cannot hold: refused in one sentence, and never changed."""

from typing import Any

import numpy as np
import pytest

from client.shells import SHELLS, call
from hubserve import AsyncClient, Client, UsageError
from hubserve.testing import FakeServer

HALF = "\ud800"
INPUTS = {
    "a float that is infinite as float32": ([1.0, 1e39], "the input x holds 1e\\+39, which float32 cannot hold"),
    "an int of 65 bits": ([2**64], "18446744073709551616, which does not fit an integer type of 64 bits"),
    "text among numbers": ([1, "a"], "mixes text and numbers"),
    "half of a surrogate pair": ([f"a{HALF}"], "the input x holds '\\\\ud800', half of a surrogate pair"),
    "an array with gaps": (np.ma.array([1, 2], mask=[False, True]), "masked array"),
    "nothing": ([None], "the input x holds a NoneType"),
    "rows of different lengths": ([[1], [1, 2]], "rows of different lengths"),
}
QUESTIONS: dict[str, tuple[Any, dict[str, Any], str]] = {
    "no mapping": (None, {}, "inputs must map names to arrays, not be a NoneType"),
    "a list": ([1], {}, "inputs must map names to arrays, not be a list"),
    "a number for a name": ({1: [1]}, {}, "an input's name must be a name, not 1"),
    "no name": ({"": [1]}, {}, "an input's name must be a name, not ''"),
    "half a pair in a name": ({HALF: [1]}, {}, "an input's name holds .* half of a surrogate pair"),
    "a number for a signature": ({"x": [1]}, {"signature": 5}, "signature must be a name, not 5"),
    "half a pair in a signature": ({"x": [1]}, {"signature": HALF}, "signature holds"),
    "a number for an output": ({"x": [1]}, {"outputs": [5]}, "an output's name must be a name, not 5"),
    "one output": ({"x": [1]}, {"outputs": "x"}, "outputs must be a list of names"),
}


def refused(shell: str, inputs: Any, words: str, **named: Any) -> None:
    with FakeServer(predict=lambda _, given: given) as server:
        with pytest.raises(UsageError, match=words):
            call(shell, server.target, "predict", inputs, **named)
        assert server.requests == []


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("name", INPUTS)
def test_an_input_that_cannot_be_sent_as_it_is(shell: str, name: str) -> None:
    value, words = INPUTS[name]
    refused(shell, {"x": value}, words)


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("name", QUESTIONS)
def test_a_question_that_makes_no_sense(shell: str, name: str) -> None:
    inputs, named, words = QUESTIONS[name]
    refused(shell, inputs, words, **named)


def test_what_has_a_form_is_sent() -> None:
    """The largest float32, infinity and NaN themselves, float64 arrays, and masked arrays without a masked value."""
    inputs = {
        "least": [float(np.finfo(np.float32).max), float("inf"), float("nan")],
        "wide": np.array([1e39, 0.0, 0.0]),
        "whole": np.ma.array([1, 2, 3], mask=False),
    }
    with FakeServer(predict=lambda _, given: given) as server:
        answer = call("threads", server.target, "predict", inputs)
    np.testing.assert_array_equal(answer["least"], np.array(inputs["least"], np.float32))
    np.testing.assert_array_equal(answer["wide"], inputs["wide"])
    assert answer["whole"].tolist() == [1, 2, 3]


@pytest.mark.parametrize("kind", [Client, AsyncClient])
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"model": HALF}, "model holds"),
        ({"model": ""}, "model must be"),
        ({"model": "m", "version_label": HALF}, "version_label holds"),
        ({"model": "m", "version_label": ""}, "version_label must be a name"),
        ({"model": "m", "version_label": 5}, "version_label must be a name"),
    ],
)
def test_names_that_no_request_can_hold_are_refused_where_the_client_is_made(
    kind: Any, options: Any, words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        kind("localhost:1", **options)
