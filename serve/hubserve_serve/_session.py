"""Load and run a SavedModel as TF Serving does: a TF1 session, the model's own restore op, tensors by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import grpc
import numpy as np
import tensorflow as tf
from google.protobuf import text_format
from tensorflow.core.protobuf import rewriter_config_pb2

from ._errors import LoadError, RequestError, SessionConfigError
from ._tensors import dtype_word

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tensorflow.core.protobuf import meta_graph_pb2

    Array = np.ndarray[Any, Any]

BATCHING_OP = "batching_across_callers"
_INT_MAX = 2**31 - 1
_CODES = {code.value[0]: code for code in grpc.StatusCode}


class Session(Protocol):
    """The interface of sessions: a model's session, or one with batching."""

    def run(self, feeds: Mapping[str, Array], fetches: Sequence[str], timeout: float | None = None) -> list[Array]:
        """Run the graph.

        Args:
            feeds: Arrays by tensor name.
            fetches: The names of the requested tensors.
            timeout: Seconds that the run may take; None: no limit.

        Returns:
            One array for each fetch, in the same order.

        Raises:
            RequestError: The run failed; it has TensorFlow's code and message.
        """

    def close(self) -> None:
        """Cancel what runs, and release the model."""


class SavedModelSession:
    """The session of one SavedModel: ``SavedModelSession(Path("models/pnasnet/1")).run({"x:0": array}, ["y:0"])``.

    The model is loaded through the session path and not with ``tf.saved_model.load``, because the two can differ: if a
    model's objects restore its variables, the session that TF Serving runs may not have their values.

    Attributes:
        graph: The loaded graph.
        signatures: The SignatureDefs by name, including ``__saved_model_init_op``, as in TF Serving.

    Args:
        directory: The version's folder.
        config: The session config; None: TensorFlow's defaults, with one pass of graph optimization.

    Raises:
        LoadError: The folder does not hold a SavedModel that can be loaded.
    """

    def __init__(self, directory: Path, config: tf.compat.v1.ConfigProto | None = None) -> None:
        self.graph = tf.Graph()
        config = optimized_once() if config is None else config
        self._session = tf.compat.v1.Session(graph=self.graph, config=config)
        try:
            with self.graph.as_default():
                meta_graph: meta_graph_pb2.MetaGraphDef = tf.compat.v1.saved_model.load(
                    self._session, [tf.saved_model.SERVING], str(directory)
                )
        except (tf.errors.OpError, OSError, RuntimeError, ValueError, TypeError, KeyError) as error:
            self._session.close()
            raise LoadError(f"TensorFlow cannot load {directory} ({_one_line(error)}): export it again") from error
        self.signatures = dict(meta_graph.signature_def)

    def run(self, feeds: Mapping[str, Array], fetches: Sequence[str], timeout: float | None = None) -> list[Array]:
        """Run the graph; see `Session.run`."""
        self.check(feeds)
        for name in fetches:
            self._tensor(name)
        options = None
        if timeout is not None:
            options = tf.compat.v1.RunOptions(timeout_in_ms=min(max(1, round(timeout * 1000)), _INT_MAX))
        try:
            values = self._session.run(list(fetches), dict(feeds), options=options)
        except tf.errors.OpError as error:
            raise RequestError(_CODES[error.error_code], _words(error)) from error
        except UnicodeDecodeError as error:
            # The message contains bytes of the request, and TensorFlow's Python code fails to make an error of it. Its
            # code is lost; since the bytes of the request are the cause, the request is invalid.
            raise RequestError(grpc.StatusCode.INVALID_ARGUMENT, error.object.decode(errors="replace")) from error
        except RuntimeError as error:
            raise RequestError(grpc.StatusCode.UNAVAILABLE, f"the model is being unloaded: {error}") from error
        # Scalars are returned as bytes or numpy scalars; numpy would make an S array of bytes.
        return [np.asarray(value, dtype=object if isinstance(value, bytes) else None) for value in values]

    def close(self) -> None:
        """Cancel what runs, and release the model."""
        self._session.close()

    def check(self, feeds: Mapping[str, Array]) -> None:
        """Refuse arrays that the graph cannot take.

        The C++ session refuses a wrong dtype with this message. The Python session would convert it silently, so that a
        request would be answered here and refused by TF Serving.

        Raises:
            RequestError: An array has another dtype or shape than its tensor.
        """
        for index, name in enumerate(sorted(feeds)):
            tensor, value = self._tensor(name), feeds[name]
            given = tf.as_dtype(value.dtype)
            if given != tensor.dtype:
                words = f"Expects arg[{index}] to be {dtype_word(tensor.dtype)} but {dtype_word(given)} is provided"
                raise RequestError(grpc.StatusCode.INVALID_ARGUMENT, words)
            if not tensor.shape.is_compatible_with(value.shape):
                words = f"Tensor {name} expects shape {tensor.shape} but {tf.TensorShape(value.shape)} is provided"
                raise RequestError(grpc.StatusCode.INVALID_ARGUMENT, words)

    def _tensor(self, name: str) -> tf.Tensor:
        try:
            return self.graph.get_tensor_by_name(name)
        except (KeyError, ValueError) as error:
            raise RequestError(
                grpc.StatusCode.INVALID_ARGUMENT, f'The signature names "{name}", which is not a tensor of the graph'
            ) from error


def optimized_once() -> tf.compat.v1.ConfigProto:
    """Return the config for which TensorFlow optimizes the graph of a signature once, before its first run.

    By default it does so twice. The second pass takes nearly a quarter of the time to prepare a signature
    (`benchmarks/startup.py`), and changes neither answers nor their speed.
    """
    config = tf.compat.v1.ConfigProto()
    config.graph_options.rewrite_options.meta_optimizer_iterations = rewriter_config_pb2.RewriterConfig.ONE
    return config


def read_session_config(file: Path) -> tf.compat.v1.ConfigProto:
    """Read a session config: a ``tensorflow.ConfigProto`` in protobuf's text form, as TF Serving takes it.

    Raises:
        SessionConfigError: The file cannot be read, or is not a session config.
    """
    try:
        return text_format.Parse(file.read_text(encoding="utf-8"), tf.compat.v1.ConfigProto())
    except (OSError, UnicodeDecodeError, text_format.ParseError) as error:
        raise SessionConfigError(
            f"cannot read the session config {file} ({_one_line(error)}): "
            "give a file with a tensorflow.ConfigProto in protobuf text form"
        ) from error


def _words(error: tf.errors.OpError) -> str:
    # Session.run rewrites the C++ message for notebooks ("Graph execution error", stack traces of this process). The
    # original message, which TF Serving would send, is in the error that was being handled.
    original = error.__context__
    return str(original.message if isinstance(original, tf.errors.OpError) else error.message)


def _one_line(error: Exception) -> str:
    text = _words(error) if isinstance(error, tf.errors.OpError) else str(error)
    return " ".join(text.split())[:300].rstrip(".")
