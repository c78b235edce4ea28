"""Keep rarely used parts of the graph separate, so that other images do not pay for them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

import tensorflow as tf

# String tensors must never be copied to a GPU (tensorflow/serving#1626), and every op here has a CPU kernel.
DEVICE = "/CPU:0"

_Tensors = TypeVar("_Tensors")
# More than the parts of a few exports; each holds a graph.
_KEPT = 64


def not_inlined(function: Callable[..., _Tensors], *arguments: Any) -> Callable[[], _Tensors]:
    """Return a function that calls `function(*arguments)` as a separate function, which is not inlined.

    TensorFlow prepares a dataset's function again for every batch, with everything that was inlined into it, including
    branches that are not taken. A call that is not inlined is prepared when it first runs, so that the most common kind
    of image does not pay for the others. All datasets of a graph call the same function, so that the graph contains it
    once, and it is optimized once.

        tf.cond(is_gif, not_inlined(gif.decode, data, head, limits), lambda: jpeg.decode(data))

    Args:
        function: Builds the part, only from its arguments; a function of a module.
        arguments: The arguments: tensors, and hashable values that are built into the graph.
    """
    tensors = [value for value in arguments if tf.is_tensor(value)]
    built_in = tuple(None if tf.is_tensor(value) else value for value in arguments)
    apart = _apart(function, tuple(tf.is_tensor(value) for value in arguments), built_in)
    return lambda: apart(*tensors)


@functools.lru_cache(maxsize=_KEPT)
def _apart(function: Callable[..., Any], given: tuple[bool, ...], built_in: tuple[Hashable, ...]) -> Callable[..., Any]:
    @tf.function(autograph=False, experimental_attributes={"_noinline": True})
    def apart(*tensors: tf.Tensor) -> Any:
        left = iter(tensors)
        # A function does not inherit the device around it.
        with tf.device(DEVICE):
            return function(
                *(next(left) if is_given else value for is_given, value in zip(given, built_in, strict=True))
            )

    return apart
