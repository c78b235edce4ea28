"""TensorFlow Serving's messages and TensorFlow's tensors, for scripted servers.

They are TensorFlow's own, so that a test compares two implementations. Where TensorFlow is not installed, or with
HUBSERVE_TESTS=without-tensorflow (as `make test-fast` has it), they are hubserve's. `tests/client/test_wire.py` shows
that both are the same on the wire.
"""

import os

import pytest

try:
    if os.environ.get("HUBSERVE_TESTS") == "without-tensorflow":
        raise ImportError
    from tensorflow import make_ndarray, make_tensor_proto
    from tensorflow.core.framework import types_pb2
    from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2, predict_pb2

    WITH_TENSORFLOW = True
except ImportError:
    import numpy as np

    from hubserve.wire import metadata_pb2 as get_model_metadata_pb2
    from hubserve.wire import predict_pb2
    from hubserve.wire import status_pb2 as get_model_status_pb2
    from hubserve.wire import tensor_pb2 as types_pb2
    from hubserve.wire.arrays import to_array as make_ndarray
    from hubserve.wire.arrays import to_tensor

    WITH_TENSORFLOW = False

    def make_tensor_proto(values):
        return to_tensor("values", np.asarray(values))


needs_tensorflow = pytest.mark.skipif(not WITH_TENSORFLOW, reason="it compares with TensorFlow")


def tensorflow_or_skip():
    """TensorFlow, for test modules that compare with it."""
    if not WITH_TENSORFLOW:
        pytest.skip("it compares with TensorFlow", allow_module_level=True)
    import tensorflow as tf

    return tf


__all__ = [
    "WITH_TENSORFLOW",
    "get_model_metadata_pb2",
    "get_model_status_pb2",
    "make_ndarray",
    "make_tensor_proto",
    "needs_tensorflow",
    "predict_pb2",
    "tensorflow_or_skip",
    "types_pb2",
]
