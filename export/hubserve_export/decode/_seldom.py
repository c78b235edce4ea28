"""Parts of the graph that few images need, kept out of the way of the others."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import tensorflow as tf

# String tensors must never be copied to a GPU (tensorflow/serving#1626), and every op here has a CPU kernel.
DEVICE = "/CPU:0"

_Tensors = TypeVar("_Tensors")


def seldom(build: Callable[[], _Tensors]) -> Callable[[], _Tensors]:
    """Gives a function that builds what `build` does as a call of a function of its own, which is not inlined.

    TensorFlow sets a dataset's function up anew for every batch, with all that it has inlined into it, branches that
    are not taken too. A call that is not inlined is set up when it is first run: an image of the commonest kind does
    not pay for the others.

        tf.cond(is_gif, seldom(lambda: gif.decode(data)), lambda: jpeg.decode(data))

    """

    @tf.function(autograph=False, experimental_attributes={"_noinline": True})
    def apart() -> _Tensors:
        # A function does not take over the device around it.
        with tf.device(DEVICE):
            return build()

    return apart
