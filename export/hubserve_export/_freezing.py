"""Make constants of a model's variables, so that a server folds batch normalisation into convolutions.

TensorFlow's graph optimizer (Grappler) computes at the first request what depends on constants alone, such as the
weights of a convolution times the factors of the batch normalisation behind it. It cannot do so with variables.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from ._error_words import first_line
from ._errors import ModelError
from ._image_model import LoadedModel

# A graph is one protobuf message, which holds 2 GiB at most. The rest is for everything besides the variables.
MOST_BYTES = 2**31 - 2**26


def frozen(loaded: LoadedModel) -> LoadedModel:
    """Return the model with constants instead of variables.

    Raises:
        ModelError: The variables are too large for a graph, or the model uses something else that cannot be a constant.
    """
    if not isinstance(loaded.state, list):
        raise ModelError(
            f"`freeze` makes constants of the model's variables, and {loaded.handle} also uses a table or another "
            "resource, which cannot be a constant; leave `freeze` out"
        )
    size = sum(variable.dtype.size * variable.shape.num_elements() for variable in loaded.state)
    if size > MOST_BYTES:
        raise ModelError(
            f"`freeze` makes constants of the model's variables, and {loaded.handle} has {size / 2**30:.2f} GiB of "
            "them, which is more than the 2 GiB that a graph can hold; leave `freeze` out"
        )
    try:
        function = convert_variables_to_constants_v2(loaded.numbers, lower_control_flow=False)
    # This runs TensorFlow's optimizer on any graph, which may fail in any way.
    except Exception as error:
        raise ModelError(
            f"the variables of {loaded.handle} cannot be made constants ({first_line(error)}); leave `freeze` out"
        ) from error

    def numbers(images: tf.Tensor) -> Any:
        return tf.nest.flatten(function(images))[0]

    call = tf.function(numbers, input_signature=loaded.numbers.structured_input_signature[0], autograph=False)
    return dataclasses.replace(loaded, numbers=call.get_concrete_function(), state=[])


def parameters(loaded: LoadedModel) -> int:
    """Return the number of parameters in the variables of a model that can be frozen."""
    return sum(variable.shape.num_elements() for variable in loaded.state)
