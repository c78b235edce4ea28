"""Batch the requests of several callers, with TensorFlow's own BatchFunction kernel."""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import grpc
import numpy as np
import tensorflow as tf

from ._errors import RequestError, invalid
from ._function import add_function, add_library
from ._session import BATCHING_OP

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hubserve_model.batching_parameters import BatchingParameters

    from ._session import SavedModelSession

    Array = np.ndarray[Any, Any]

_EXPIRED = "Run() timeout exceeded while waiting in batching queue"


@dataclass(frozen=True)
class _Queue:
    """The queue of one set of outputs: the tensor of the callers' deadlines, and the batched tensor of each fetch."""

    deadlines: str
    batched: Mapping[str, str]


class BatchingSession:
    """A session that batches requests: ``BatchingSession(session, parameters).run({"x:0": array}, ["y:0"])``.

    As in TF Serving, every set of inputs and outputs has its own queue, made at the first request for it. So requests
    are batched if they ask for the same outputs of the same signature.

    A batch does not run if the deadlines of all its callers have passed while it waited; else it runs for all. A run
    does not take a timeout: the kernel runs a batch under the cancellation of its last caller, so that one caller's
    timeout would fail the others. gRPC still ends every call at its own deadline.
    """

    def __init__(self, session: SavedModelSession, parameters: BatchingParameters) -> None:
        self._session = session
        self._parameters = parameters
        self._queues: dict[tuple[frozenset[str], frozenset[str]], _Queue] = {}
        self._lock = threading.Lock()

    def run(self, feeds: Mapping[str, Array], fetches: Sequence[str], timeout: float | None = None) -> list[Array]:
        """Run the graph on these rows, in one batch with those of other callers; see `Session.run`."""
        rows = _rows(feeds)
        if rows == 0:
            # TF Serving never answers a request without rows: its caller waits until the deadline.
            return self._session.run(feeds, fetches, timeout)
        # The kernel has the same check, with the same message (shared_batch_scheduler.h), but only after copying all
        # rows.
        if rows > self._parameters.max_batch_size:
            raise invalid(f"Task size {rows} is larger than maximum input batch size {self._parameters.max_batch_size}")
        self._session.check(feeds)
        queue = self._queue(frozenset(feeds), frozenset(fetches))
        deadline = math.inf if timeout is None else time.time() + timeout
        try:
            return self._session.run(
                {**feeds, queue.deadlines: np.full(rows, deadline)}, [queue.batched[fetch] for fetch in fetches]
            )
        except RequestError as error:
            if _EXPIRED in error.words:
                raise RequestError(grpc.StatusCode.RESOURCE_EXHAUSTED, _EXPIRED) from error
            raise

    def close(self) -> None:
        """Cancel what runs, and release the model."""
        self._session.close()

    def _queue(self, feeds: frozenset[str], fetches: frozenset[str]) -> _Queue:
        with self._lock:
            if (feeds, fetches) not in self._queues:
                self._queues[feeds, fetches] = _add_queue(
                    self._session.graph, f"{BATCHING_OP}_{len(self._queues)}", feeds, fetches, self._parameters
                )
            return self._queues[feeds, fetches]


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


def _add_queue(
    graph: tf.Graph, name: str, feeds: frozenset[str], fetches: frozenset[str], parameters: BatchingParameters
) -> _Queue:
    """Add a BatchFunction to the graph, around the part of it that computes the fetches from the feeds."""
    inputs, outputs = sorted(feeds), sorted(fetches)
    results = [graph.get_tensor_by_name(tensor).dtype.base_dtype for tensor in outputs]
    function = add_function(graph, f"{name}_model", inputs, outputs)
    with graph.as_default():
        deadlines = tf.compat.v1.placeholder(tf.float64, [None], f"{name}_deadlines")
        arguments = [deadlines, *(graph.get_tensor_by_name(tensor) for tensor in inputs)]
        _add_unless_expired(graph, name, function.name, [*arguments, *function.handles], results)
        batched = tf.raw_ops.BatchFunction(
            f=name,
            in_tensors=arguments,
            captured_tensors=function.handles,
            Tout=results,
            num_batch_threads=parameters.num_batch_threads,
            max_batch_size=parameters.max_batch_size,
            batch_timeout_micros=parameters.batch_timeout_micros,
            allowed_batch_sizes=_kernel_sizes(parameters),
            max_enqueued_batches=parameters.max_enqueued_batches,
            enable_large_batch_splitting=parameters.split,
            name=name,
        )
    return _Queue(deadlines.name, {output: tensor.name for output, tensor in zip(outputs, batched, strict=True)})


def _add_unless_expired(
    graph: tf.Graph, name: str, model: str, arguments: Sequence[tf.Tensor], results: Sequence[tf.DType]
) -> None:
    """Add the function ``name``, which fails if all times in the first argument have passed, else calls ``model``."""

    def unless_expired(deadlines: tf.Tensor, *rest: tf.Tensor) -> list[tf.Tensor]:
        in_time = tf.debugging.Assert(tf.reduce_max(deadlines) > tf.timestamp(), [_EXPIRED])
        with tf.control_dependencies([in_time]):
            return tf.raw_ops.StatefulPartitionedCall(args=rest, Tout=results, f=model)

    specs = [tf.TensorSpec(None, tensor.dtype.base_dtype) for tensor in arguments]
    traced = tf.function(unless_expired, input_signature=specs, autograph=False).get_concrete_function()
    definition = traced.function_def
    definition.signature.name = name
    add_library(graph, definition)


def _kernel_sizes(parameters: BatchingParameters) -> list[int]:
    """Translate TF Serving's allowed sizes to the kernel's, which takes the last one as the largest run."""
    sizes, largest = parameters.allowed_batch_sizes, parameters.max_execution_batch_size
    if largest == parameters.max_batch_size:
        return list(sizes)
    return [*(size for size in sizes if size < largest), largest] if sizes else list(range(1, largest + 1))
