"""Hostile answers to the client, compared with TensorFlow's own reading: `python -m trust.client_child SEED`."""

import math
import sys
from collections.abc import Sequence

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_serving.apis.predict_pb2 import PredictResponse

from hubserve import Classification, Client, MalformedAnswer, UnsuitableModel
from hubserve.testing import FakeServer
from trust.child import Tried, work_off
from trust.responses import ROWS, hostile_response

BOUND = 512 * 2**20
# The outputs of a classifier; the client reads no others.
_READ = ("status", "class_ids", "labels", "scores")


def wrong_with(results: Sequence[Classification], data: bytes) -> str | None:
    """Return the first fault of results that were read from these bytes; None if they agree with the bytes."""
    try:
        tensors = PredictResponse.FromString(data).outputs
        outputs = {name: tf.make_ndarray(tensors[name]) for name in _READ if name in tensors}
        status = outputs["status"].astype(int).tolist()
    except (DecodeError, TypeError, ValueError, KeyError, OverflowError) as error:
        return f"answered, though TensorFlow cannot read it: {error!r}"
    for row, result in enumerate(results):
        if result.status != status[row]:
            return f"status {result.status}, not {status[row]}"
        for column, found in enumerate(result.classes):
            score = float(outputs["scores"][row, column])
            label = outputs["labels"][row, column]
            # TensorFlow fills a tensor without any strings up with "", which is none of bytes.
            said = int(outputs["class_ids"][row, column]), label.decode(errors="replace") if label else ""
            same = found.score == score or (math.isnan(found.score) and math.isnan(score))
            if (found.class_id, found.label) != said or not same:
                return f"{found}, not {said} {score}"
    return None


def main() -> None:
    """Until standard input ends."""
    seed = int(sys.argv[1])

    def prepare():
        server = FakeServer()
        server.start()
        client = Client(server.target, model="m", retry=None, timeout=120, concurrency=1)

        def attempt(numbers: Sequence[int]) -> Tried:
            outcomes = []
            for number in numbers:
                strategy, data = hostile_response(seed, number)
                server.then(data)
                outcome, wrong = _outcome(client, data)
                outcomes.append((strategy, outcome))
                if wrong:
                    return Tried(outcomes, f"input {number}: {wrong}")
            (good,) = client.classify([b"good"])
            server.requests.clear()
            return Tried(outcomes, None if good.label == "good" else f"afterwards, a good answer was read as {good}")

        attempt(range(-4, 0))
        return attempt

    work_off(prepare, BOUND)


def _outcome(client: Client, data: bytes) -> tuple[str, str | None]:
    try:
        results = list(client.classify([b"image"] * ROWS))
    except UnsuitableModel:
        return "unsuitable", None
    failures = {type(result.exception) for result in results if result.exception is not None}
    if failures:
        alone = failures == {MalformedAnswer} and all(result.exception is not None for result in results)
        return "malformed", None if alone else f"failed with {failures}"
    return "answered", wrong_with(results, data)


if __name__ == "__main__":
    main()
