"""Load the SavedModel of a source."""

from __future__ import annotations

import re
from typing import Any

import tensorflow as tf

from ._error_words import first_line
from ._errors import ModelError, SourceError
from ._sources import Source

# TensorFlow's message about a placeholder that a signature needs and does not take.
_NOT_FED = re.compile(r"depends transitively on placeholder <tf.Operation '([^']+)'")
_OF_SIGNATURE = re.compile(r"An output for signature '([^']+)'")


def load(source: Source) -> Any:
    """Load a SavedModel.

    Raises:
        SourceError: The files cannot be loaded.
        ModelError: The model uses an operation that TensorFlow does not have.
    """
    try:
        # The file marks a module of TensorFlow 1. Its graph for inference is the one without tags.
        tags: list[str] | None = [] if (source.path / "tfhub_module.pb").is_file() else None
        return tf.saved_model.load(str(source.path), tags=tags)
    except Exception as error:
        # TensorFlow reports broken SavedModels by errors of many classes, some of them private.
        raise _unloadable(source, error) from error


def _unloadable(source: Source, error: Exception) -> SourceError | ModelError:
    reason = first_line(error)
    if "Op type not registered" in reason:
        op = reason.partition("'")[2].partition("'")[0]
        return ModelError(
            f"{source.handle} uses the operation {op}, which stock TensorFlow does not have, and so neither does "
            "TensorFlow Serving; write that part with TensorFlow's own operations"
        )
    if forgotten := _NOT_FED.search(str(error)):
        signature = _OF_SIGNATURE.search(str(error))
        where = f"signature {signature[1]}" if signature else "signature"
        return ModelError(
            f"{source.handle} cannot be run: its {where} needs the placeholder {forgotten[1]}, and does not take it; "
            f"save it again with {forgotten[1]} among the inputs of the signature, or with a constant instead"
        )
    return SourceError(
        f"{source.handle} cannot be loaded as a SavedModel ({reason}); is it complete, and of TensorFlow 2?"
    )
