"""Batches across callers, with TensorFlow's own BatchFunction kernel."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import grpc
import tensorflow as tf

from ._errors import RequestError
from ._function import add_function
from ._session import BATCHING_OP

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

    from ._batching_parameters import BatchingParameters
    from ._session import SavedModelSession

    Array = np.ndarray[Any, Any]
    Queue = Mapping[str, str]


class BatchingSession:
    """A session that merges its callers: ``BatchingSession(session, parameters).run({"x:0": array}, ["y:0"])``.

    As in TF Serving, every set of inputs and outputs has a queue of its own, made when it is first asked for: requests
    merge when they want the same outputs of the same signature.

    A batched run takes no timeout. The kernel runs a batch under the cancellation of the caller who came last, so one
    caller's timeout would fail its neighbours; gRPC still ends every call at its own deadline.
    """

    def __init__(self, session: SavedModelSession, parameters: BatchingParameters) -> None:
        self._session = session
        self._parameters = parameters
        self._queues: dict[tuple[frozenset[str], frozenset[str]], Queue] = {}
        self._lock = threading.Lock()

    def run(self, feeds: Mapping[str, Array], fetches: Sequence[str], timeout: float | None = None) -> list[Array]:
        """Run the graph on these rows, together with those of other callers; see `Session.run`."""
        if _rows(feeds) == 0:
            # TF Serving never answers an empty task: its caller waits until the deadline.
            return self._session.run(feeds, fetches, timeout)
        queue = self._queue(frozenset(feeds), frozenset(fetches))
        return self._session.run(feeds, [queue[fetch] for fetch in fetches])

    def close(self) -> None:
        """Cancel what runs, and let the model go."""
        self._session.close()

    def _queue(self, feeds: frozenset[str], fetches: frozenset[str]) -> Queue:
        with self._lock:
            if (feeds, fetches) not in self._queues:
                self._queues[feeds, fetches] = _add_queue(
                    self._session.graph, f"{BATCHING_OP}_{len(self._queues)}", feeds, fetches, self._parameters
                )
            return self._queues[feeds, fetches]


def _rows(feeds: Mapping[str, Array]) -> int:
    """Tell how many rows a request has: the size of the 0th dimension that all its inputs share."""
    if not feeds:
        raise _refusal("Batching Run() must have at least one input tensor")
    if any(array.ndim == 0 for array in feeds.values()):
        raise _refusal("Batching Run() input tensors must have at least one dimension")
    sizes = {array.shape[0] for array in feeds.values()}
    if len(sizes) > 1:
        raise _refusal("Batching Run() input tensors must have equal 0th-dimension size")
    return sizes.pop()


def _refusal(words: str) -> RequestError:
    return RequestError(grpc.StatusCode.INVALID_ARGUMENT, words)


def _add_queue(
    graph: tf.Graph, name: str, feeds: frozenset[str], fetches: frozenset[str], parameters: BatchingParameters
) -> Queue:
    """Add a BatchFunction to the graph, around the part of it that computes the fetches from the feeds.

    Returns:
        The name of the batched tensor, by the name of the fetch that it stands for.
    """
    inputs, outputs = sorted(feeds), sorted(fetches)
    function = add_function(graph, name, inputs, outputs)
    with graph.as_default():
        batched = tf.raw_ops.BatchFunction(
            f=function.name,
            in_tensors=[graph.get_tensor_by_name(tensor) for tensor in inputs],
            captured_tensors=function.handles,
            Tout=[graph.get_tensor_by_name(tensor).dtype.base_dtype for tensor in outputs],
            num_batch_threads=parameters.num_batch_threads,
            max_batch_size=parameters.max_batch_size,
            batch_timeout_micros=parameters.batch_timeout_micros,
            allowed_batch_sizes=_kernel_sizes(parameters),
            max_enqueued_batches=parameters.max_enqueued_batches,
            enable_large_batch_splitting=parameters.split,
            name=name,
        )
    return {output: tensor.name for output, tensor in zip(outputs, batched, strict=True)}


def _kernel_sizes(parameters: BatchingParameters) -> list[int]:
    """Translate TF Serving's allowed sizes to the kernel's, which takes the last one for the largest run."""
    sizes, largest = parameters.allowed_batch_sizes, parameters.max_execution_batch_size
    if largest == parameters.max_batch_size:
        return list(sizes)
    return [*(size for size in sizes if size < largest), largest] if sizes else list(range(1, largest + 1))
