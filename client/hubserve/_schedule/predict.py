"""Write the arrays of `predict`, split them into requests that the server takes, and join the answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .._checks import check_name
from .._errors import CallError, MalformedAnswer, Then, UsageError, then
from ..wire.arrays import as_array, to_array, to_chunks
from ..wire.codec import Requests, parse
from ..wire.model_info import ModelMetadata
from ..wire.predict_pb2 import PredictResponse
from ..wire.tensors import bound_filling
from .batching import Limits

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

# The field header of each string in a message.
_STRING_BYTES = 6


class Question:
    """One call of `predict`, as one request or split into several.

    Args:
        requests: Writes requests.
        inputs: The caller's arrays.
        signature: The signature's name.
        outputs: The outputs to fetch; None: all.

    Raises:
        UsageError: An input cannot be sent, `inputs` is not a mapping, `outputs` is not a list, or a name is not valid.
    """

    def __init__(
        self, requests: Requests, inputs: Mapping[str, ArrayLike], signature: str, outputs: Sequence[str] | None
    ) -> None:
        if isinstance(outputs, str):
            raise UsageError(f"outputs must be a list of names, not one name: write [{outputs!r}]")
        if not isinstance(inputs, Mapping):
            raise UsageError(f"inputs must map names to arrays, not be a {type(inputs).__name__}")
        check_name("signature", signature)
        for name in inputs:
            check_name("an input's name", name)
        for name in outputs or ():
            check_name("an output's name", name)
        self._requests = requests
        self._arrays = {name: as_array(name, value) for name, value in inputs.items()}
        self._signature = signature
        self._outputs = outputs

    @property
    def rows(self) -> int | None:
        """The size of the batch; None if the inputs do not have the same first dimension."""
        sizes = {array.shape[:1] for array in self._arrays.values()}
        shape = sizes.pop() if len(sizes) == 1 else ()
        return shape[0] if shape else None

    def pieces(self, limits: Limits) -> Iterator[bytes]:
        """Return requests for all rows, as few as the limits allow."""
        for rows in self.cuts(limits):
            cut = self._arrays if rows is None else {name: array[rows] for name, array in self._arrays.items()}
            yield self._request(cut)

    def cuts(self, limits: Limits) -> list[slice | None]:
        """Return the rows of each request, at least one row each; None stands for inputs that cannot be split."""
        if self.rows is None:
            return [None]
        cuts: list[slice | None] = []
        for start in range(0, self.rows, limits.max_size):
            waiting = [(start, min(start + limits.max_size, self.rows))]
            while waiting:
                first, end = waiting.pop()
                if end - first > 1 and self._bytes(slice(first, end)) > limits.max_bytes:
                    middle = (first + end) // 2
                    waiting += [(middle, end), (first, middle)]
                else:
                    cuts.append(slice(first, end))
        return cuts

    def cut_further(self, error: CallError, limits: Limits) -> Limits | None:
        """Return lower limits after a refusal; None if the size was not the reason, or nothing can be split further.

        Only a server that batches names a number of rows. Its models give one row of each output for each row of the
        inputs, so that answers can be joined. For other models, `joined` checks it.
        """
        if then(error) is not Then.SPLIT or self.rows is None:
            return None
        before = self.cuts(limits)
        largest = max(self._bytes(rows) for rows in before if rows is not None)
        lowered = limits.lowered(error, min(self.rows, limits.max_size), largest)
        return lowered if len(self.cuts(lowered)) > len(before) else None

    def _bytes(self, rows: slice) -> int:
        """Return the approximate size of a request for these rows."""
        return sum(
            sum(len(item) + _STRING_BYTES for item in array[rows].flat) if array.dtype == object else array[rows].nbytes
            for array in self._arrays.values()
        )

    def empty_answer(self, metadata: ModelMetadata) -> dict[str, NDArray[Any]]:
        """Return the model's answer to no rows, which TF Serving with batching never answers.

        Raises:
            UsageError: The model does not have this signature or output.
            MalformedAnswer: The metadata describe an output that is not a possible array.
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
            try:
                answer[name] = np.empty((0, *(size or 0 for size in (spec.shape or ())[1:])), dtype)
            except (TypeError, ValueError) as error:
                raise MalformedAnswer(
                    f"the server describes the output {name} of {self._signature} as {dtype} {list(spec.shape or ())}, "
                    "which is not a possible array: look at the model's export"
                ) from error
        return answer

    def _request(self, arrays: Mapping[str, NDArray[Any]]) -> bytes:
        chunks = {name: to_chunks(array) for name, array in arrays.items()}
        return self._requests.predict(chunks, self._signature, self._outputs)


def joined(answers: Sequence[bytes], rows: int | None) -> dict[str, NDArray[Any]]:
    """Read the answers to pieces, in their order, and join them.

    Args:
        answers: The answers.
        rows: The number of rows of the whole call.

    Raises:
        MalformedAnswer: An answer cannot be read, or the answers do not fit together.
    """
    parts = [_arrays(answer) for answer in answers]
    if len(parts) == 1:
        return parts[0]
    try:
        whole = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    except (KeyError, ValueError) as error:
        raise _apart() from error
    # An output that does not have one row for each row of the inputs would have a different meaning in each answer.
    if any(len(array) != rows for array in whole.values()):
        raise _apart()
    return whole


def _arrays(answer: bytes) -> dict[str, NDArray[Any]]:
    tensors = dict(sorted(parse(PredictResponse, answer).outputs.items()))
    bound_filling(tensors.values())
    return {name: to_array(tensor) for name, tensor in tensors.items()}


def _apart() -> MalformedAnswer:
    return MalformedAnswer("the answers to the pieces of a large batch do not fit together: send smaller batches")
