"""Batch the requests of several callers, as TF Serving's BatchingSession does, outside of the graph."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import grpc
import numpy as np

from ._batch_queue import Batch, Scheduler, Task
from ._errors import RequestError, invalid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hubserve_model.batching_parameters import BatchingParameters

    from ._session import SavedModelSession

    Array = np.ndarray[Any, Any]

_EXPIRED = "Run() timeout exceeded while waiting in batching queue"


class BatchingSession:
    """A session that batches requests: ``BatchingSession(session, parameters).run({"x:0": array}, ["y:0"])``.

    As in TF Serving, every set of inputs and outputs has its own queue, made at the first request for it. So requests
    are batched if they ask for the same outputs of the same signature.

    A batch does not run if the deadlines of all its callers have passed while it waited; else it runs for all, until
    the last of their deadlines.

    The model runs as the graph that was loaded, as in TF Serving. TensorFlow's own kernel for batching (BatchFunction)
    needs the model as a function inside another graph: for efficientnet-lite0, the first run of a signature then took
    9 seconds of processor time instead of 2.
    """

    def __init__(self, session: SavedModelSession, parameters: BatchingParameters) -> None:
        self._session = session
        self._parameters = parameters
        self._scheduler = Scheduler(parameters, self._process)

    def run(self, feeds: Mapping[str, Array], fetches: Sequence[str], timeout: float | None = None) -> list[Array]:
        """Run the graph on these rows, in one batch with those of other callers; see `Session.run`."""
        rows = _rows(feeds)
        if rows == 0:
            # TF Serving never answers a request without rows: its caller waits until the deadline.
            return self._session.run(feeds, fetches, timeout)
        if rows > self._parameters.max_batch_size:
            # The message is that of shared_batch_scheduler.h.
            raise invalid(f"Task size {rows} is larger than maximum input batch size {self._parameters.max_batch_size}")
        # A wrong array must not fail the batch of other callers.
        self._session.check(feeds)
        deadline = None if timeout is None else time.monotonic() + timeout
        outputs = tuple(sorted(set(fetches)))
        tasks = self._scheduler.add((frozenset(feeds), outputs), Task(dict(feeds), rows, deadline))
        parts = [task.answer.result() for task in tasks]
        arrays = parts[0] if len(parts) == 1 else [np.concatenate(arrays) for arrays in zip(*parts, strict=True)]
        by_name = dict(zip(outputs, arrays, strict=True))
        return [by_name[fetch] for fetch in fetches]

    def close(self) -> None:
        """Refuse what waits, cancel what runs, and release the model."""
        self._scheduler.close()
        self._session.close()

    def _process(self, outputs: Sequence[str], batch: Batch) -> list[list[Array]]:
        """Run a batch; return the arrays of each task."""
        now = time.monotonic()
        deadlines = [task.deadline for task in batch.tasks if task.deadline is not None]
        timeout = max(deadlines) - now if len(deadlines) == len(batch.tasks) else None
        if timeout is not None and timeout <= 0:
            raise RequestError(grpc.StatusCode.RESOURCE_EXHAUSTED, _EXPIRED)
        padding = self._padded(batch.rows) - batch.rows
        arrays = self._session.run(_merged(batch.tasks, padding), outputs, timeout)
        return _split(arrays, [task.rows for task in batch.tasks], padding)

    def _padded(self, rows: int) -> int:
        """Return the number of rows to run: the next allowed size, and never more than the largest run."""
        larger = [size for size in self._parameters.allowed_batch_sizes if size >= rows]
        return min(larger[0], self._parameters.max_execution_batch_size) if larger else rows


def _rows(feeds: Mapping[str, Array]) -> int:
    """Return the number of rows of a request: the size of the first dimension, which all its inputs share."""
    if not feeds:
        raise invalid("Batching Run() must have at least one input tensor")
    if any(array.ndim == 0 for array in feeds.values()):
        raise invalid("Batching Run() input tensors must have at least one dimension")
    sizes = {array.shape[0] for array in feeds.values()}
    if len(sizes) > 1:
        raise invalid("Batching Run() input tensors must have equal 0th-dimension size")
    return sizes.pop()


def _merged(tasks: Sequence[Task], padding: int) -> dict[str, Array]:
    """Join the rows of several callers, and add copies of the first row as padding."""
    merged = {}
    for name, first in tasks[0].feeds.items():
        parts = [task.feeds[name] for task in tasks]
        if any(part.shape[1:] != first.shape[1:] for part in parts):
            # The message is that of batching_session.cc.
            raise RequestError(
                grpc.StatusCode.FAILED_PRECONDITION,
                f"Tensors with name '{name}' from different tasks have different shapes and padding is turned off. Set "
                "pad_variable_length_inputs to true, or ensure that all tensors with the same name have equal "
                "dimensions starting with the first dim.",
            )
        if padding:
            parts.append(np.repeat(first[:1], padding, axis=0))
        merged[name] = parts[0] if len(parts) == 1 else np.concatenate(parts)
    return merged


def _split(arrays: Sequence[Array], rows: Sequence[int], padding: int) -> list[list[Array]]:
    """Return each caller's rows of the outputs, without the padding."""
    ends = np.cumsum(rows).tolist()
    for array in arrays:
        # Both messages are those of batching_session.cc.
        if array.ndim == 0:
            raise RequestError(grpc.StatusCode.FAILED_PRECONDITION, "Batched output tensor has 0 dimensions")
        if array.shape[0] != ends[-1] + padding:
            raise RequestError(
                grpc.StatusCode.FAILED_PRECONDITION,
                "Batched output tensor's 0th dimension does not equal the sum of the 0th dimension sizes of the input "
                "tensors",
            )
    return [[array[end - count : end] for array in arrays] for end, count in zip(ends, rows, strict=True)]
