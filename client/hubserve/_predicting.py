"""`predict`'s arrays: written, cut into what the server takes, and joined again. It imports numpy."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ._arrays import as_array, to_array, to_chunks
from ._errors import CallError, MalformedAnswer, UsageError
from ._requests import Requests, parse
from ._servable import ModelMetadata
from .wire.predict_pb2 import PredictResponse

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_SERVERS_LIMIT = re.compile(r"larger than maximum input batch size (\d+)")


class Question:
    """One `predict`: what is asked, whole or in pieces.

    Args:
        requests: Writes requests.
        inputs: The caller's.
        signature: The signature's name.
        outputs: The outputs to fetch; None: all.

    Raises:
        UsageError: An input cannot be sent, or `outputs` is no list.
    """

    def __init__(
        self, requests: Requests, inputs: Mapping[str, ArrayLike], signature: str, outputs: Sequence[str] | None
    ) -> None:
        if isinstance(outputs, str):
            raise UsageError(f"outputs must be a list of names, not one name: write [{outputs!r}]")
        self._requests = requests
        self._arrays = {name: as_array(name, value) for name, value in inputs.items()}
        self._signature = signature
        self._outputs = outputs

    @property
    def rows(self) -> int | None:
        """The size of the batch; None where the inputs have no first dimension in common."""
        sizes = {array.shape[:1] for array in self._arrays.values()}
        shape = sizes.pop() if len(sizes) == 1 else ()
        return shape[0] if shape else None

    def pieces(self, size: int | None) -> Iterator[bytes]:
        """Requests for so many rows each; None: for all at once."""
        rows = self.rows
        if size is None or rows is None or rows <= size:
            yield self._request(self._arrays)
            return
        for start in range(0, rows, size):
            yield self._request({name: array[start : start + size] for name, array in self._arrays.items()})

    def empty_answer(self, metadata: ModelMetadata) -> dict[str, NDArray[Any]]:
        """What the model would answer to no rows. TF Serving with batching never answers an empty batch.

        Raises:
            UsageError: The model has no such signature or output.
        """
        signature = metadata.signatures.get(self._signature)
        if signature is None:
            raise UsageError(
                f"there is no signature {self._signature}: {metadata.name} has {', '.join(metadata.signatures)}"
            )
        names = sorted(signature.outputs) if self._outputs is None else self._outputs
        if unknown := set(names) - set(signature.outputs):
            raise UsageError(
                f"{self._signature} has no output {', '.join(sorted(unknown))}: it has {', '.join(signature.outputs)}"
            )
        answer = {}
        for name in names:
            spec = signature.outputs[name]
            dtype = {"string": "object", "bfloat16": "float32"}.get(spec.dtype, spec.dtype)
            answer[name] = np.empty((0, *(size or 0 for size in (spec.shape or ())[1:])), dtype)
        return answer

    def _request(self, arrays: Mapping[str, NDArray[Any]]) -> bytes:
        chunks = {name: to_chunks(array) for name, array in arrays.items()}
        return self._requests.predict(chunks, self._signature, self._outputs)


def servers_limit(error: CallError, rows: int | None) -> int | None:
    """The rows that the server takes at once, where that is why it refused; None: where it is not.

    Only a server that batches says so, and its models have one row of each output for each row of the inputs: what is
    cut can be joined.
    """
    named = _SERVERS_LIMIT.search(error.details)
    size = int(named[1]) if named else 0
    return size if rows is not None and 0 < size < rows else None


def joined(answers: Sequence[bytes]) -> dict[str, NDArray[Any]]:
    """Reads the answers to pieces, in their order, as one.

    Raises:
        MalformedAnswer: One cannot be read, or they do not fit together.
    """
    parts = [
        {name: to_array(tensor) for name, tensor in sorted(parse(PredictResponse, answer).outputs.items())}
        for answer in answers
    ]
    if len(parts) == 1:
        return parts[0]
    try:
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    except (KeyError, ValueError) as error:
        raise MalformedAnswer(
            "the answers to the pieces of a large batch do not fit together: send smaller batches"
        ) from error
