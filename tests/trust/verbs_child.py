"""Hostile answers to every verb of both clients: `python -m trust.verbs_child SEED`.

Each verb must give what TensorFlow reads in the bytes (arrays), or raise one of the client's own errors about answers.
"""

import asyncio
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_serving.apis.predict_pb2 import PredictResponse

from hubserve import AsyncClient, Client, HubserveError, MalformedAnswer, UnsuitableModel, UsageError
from hubserve.wire import predict_pb2
from support.bytes_server import BytesServer
from trust.child import Tried, work_off
from trust.responses import ROWS
from trust.verb_answers import HostileAnswer, hostile_answer

BOUND = 512 * 2**20
_EMPTY = {"x": np.zeros((0, 1), np.float32)}


def main() -> None:
    """Until standard input ends."""
    seed = int(sys.argv[1])

    def prepare() -> Callable[[Sequence[int]], Tried]:
        attempt = Attempt(seed)
        attempt(range(-60, 0))
        return attempt

    work_off(prepare, BOUND)


class Attempt:
    """Asks each verb, of either client, and judges what it gives."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._server = BytesServer()
        self._server.start()
        options: dict[str, Any] = {"model": "m", "retry": None, "timeout": 120, "concurrency": 1}
        self._client = Client(self._server.target, **options)
        self._async_client = AsyncClient(self._server.target, **options)
        self._loop = asyncio.new_event_loop()
        self._callers = ThreadPoolExecutor(ROWS)

    def __call__(self, numbers: Sequence[int]) -> Tried:
        outcomes = []
        for number in numbers:
            answer = hostile_answer(self._seed, number)
            self._server.answers = dict.fromkeys(("Predict", "GetModelMetadata", "GetModelStatus"), answer.data)
            self._server.calls.clear()
            # What an earlier answer said is not to be remembered.
            self._client._metadata = self._async_client._metadata = None
            outcome, wrong = self._outcome(answer)
            outcomes.append((f"{answer.verb}, {answer.shell}", outcome))
            if wrong:
                return Tried(outcomes, f"input {number}, {answer.verb}: {wrong}")
        return Tried(outcomes, None)

    def _outcome(self, answer: HostileAnswer) -> tuple[str, str | None]:
        try:
            given = self._given(answer)
        except MalformedAnswer:
            return "malformed", None
        except UnsuitableModel:
            return "unsuitable", None
        except UsageError:
            # No such signature in these metadata.
            return "unsuitable", None if answer.verb == "predict of no rows" else "a UsageError"
        except HubserveError as error:
            return "failed", repr(error)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a defect
            return "failed", repr(error)
        if answer.verb == "predict":
            return "answered", _wrong_arrays(given, answer.data)
        if answer.verb.startswith(("classify", "features")):
            failures = {type(result.exception) for result in given if result.exception is not None}
            if failures:
                return "malformed", None if failures == {MalformedAnswer} else f"failed with {failures}"
            if answer.verb == "features":
                return "answered", _wrong_vectors(given, answer.data)
        return "answered", None

    def _given(self, answer: HostileAnswer) -> Any:
        if answer.shell == "asyncio":
            return self._loop.run_until_complete(self._given_async(answer))
        match answer.verb:
            case "predict":
                return self._client.predict({"x": np.zeros((3, 1), np.float32)})
            case "predict of no rows":
                return self._client.predict(_EMPTY)
            case "classify_batcher" | "features_batcher":
                # Sent when there are as many as the answer is for.
                with getattr(self._client, answer.verb)(max_delay=100, max_size=ROWS) as batcher:
                    return list(self._callers.map(batcher.ask, [b"image"] * ROWS))
            case "classify" | "features":
                return list(getattr(self._client, answer.verb)([b"image"] * ROWS))
            case verb:
                return getattr(self._client, verb)()

    async def _given_async(self, answer: HostileAnswer) -> Any:
        client = self._async_client
        match answer.verb:
            case "predict":
                return await client.predict({"x": np.zeros((3, 1), np.float32)})
            case "predict of no rows":
                return await client.predict(_EMPTY)
            case "classify_batcher" | "features_batcher":
                async with getattr(client, answer.verb)(max_delay=100, max_size=ROWS) as batcher:
                    return await asyncio.gather(*[batcher.ask(b"image") for _ in range(ROWS)])
            case "classify" | "features":
                return [result async for result in getattr(client, answer.verb)([b"image"] * ROWS)]
            case verb:
                return await getattr(client, verb)()


def _arrays(data: bytes) -> dict[str, np.ndarray]:
    try:
        response = PredictResponse.FromString(data)
    except DecodeError:
        # It may be for what is inside of a field that the client does not have, and skips.
        known = predict_pb2.PredictResponse.FromString(data)
        known.DiscardUnknownFields()
        response = PredictResponse.FromString(known.SerializeToString())
    return {name: tf.make_ndarray(tensor) for name, tensor in response.outputs.items()}


def _wrong_arrays(given: dict[str, np.ndarray], data: bytes) -> str | None:
    """Return what is wrong with arrays that were read from these bytes."""
    try:
        right = _arrays(data)
    except (DecodeError, TypeError, ValueError, KeyError, OverflowError) as error:
        return f"answered, though TensorFlow cannot read it: {error!r}"
    if given.keys() != right.keys():
        return f"outputs {sorted(given)}, not {sorted(right)}"
    for name, array in given.items():
        expected = right[name]
        if array.shape != expected.shape:
            return f"{name} of shape {array.shape}, not {expected.shape}"
        if array.dtype == object:
            # TensorFlow fills a tensor without any strings up with "", which is none of bytes.
            same = [item or b"" for item in expected.flat] == list(array.flat)
        elif array.dtype.kind == "b":
            same = np.array_equal(array, expected)
        else:
            same = np.array_equal(array, expected.astype(array.dtype), equal_nan=True)
        if not same:
            return f"{name} is {array!r}, not {expected!r}"
    return None


def _wrong_vectors(given: Sequence[Any], data: bytes) -> str | None:
    right = _arrays(data)["feature_vector"]
    for row, result in enumerate(given):
        if result.vector is not None and not np.array_equal(
            result.vector, right[row].astype(result.vector.dtype), equal_nan=True
        ):
            return f"the vector {result.vector!r}, not {right[row]!r}"
    return None


if __name__ == "__main__":
    main()
