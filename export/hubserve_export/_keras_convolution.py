"""Trace grouped convolutions of Keras 3 without XLA.

On TensorFlow, Keras compiles every grouped convolution (ConvNeXt's, for example) with XLA, and TensorFlow Serving
refuses to run functions that must be compiled. During an export, such a convolution is replaced: by a depthwise one, or
by one for each group.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf


@contextlib.contextmanager
def without_xla(keras: Any) -> Iterator[None]:
    """Trace grouped convolutions of images [N, H, W, C] without XLA while the context lasts."""
    module = keras.src.backend.nn
    whole = module.conv
    module.conv = _in_groups(whole, module.depthwise_conv)
    try:
        yield
    finally:
        module.conv = whole


def _in_groups(whole: Callable[..., Any], depthwise: Callable[..., Any]) -> Callable[..., Any]:
    def conv(
        inputs: Any,
        kernel: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
    ) -> Any:
        def one(part: Any, its: Any, convolve: Callable[..., Any] = whole) -> Any:
            return convolve(
                part, its, strides=strides, padding=padding, data_format=data_format, dilation_rate=dilation_rate
            )

        # A layer may hold these as lists, which a depthwise convolution does not take.
        strides = strides if isinstance(strides, int) else tuple(strides)
        dilation_rate = dilation_rate if isinstance(dilation_rate, int) else tuple(dilation_rate)
        groups = _groups(inputs, kernel, data_format)
        if groups == 1:
            return one(inputs, kernel)
        kernel = tf.convert_to_tensor(kernel)
        height, width, channels, filters = kernel.shape
        if channels == 1 and (isinstance(strides, int) or len(set(strides)) == 1):
            return one(inputs, tf.reshape(kernel, [height, width, groups, filters // groups]), depthwise)
        parts, kernels = (tf.split(tensor, groups, axis=-1) for tensor in (inputs, kernel))
        return tf.concat([one(part, its) for part, its in zip(parts, kernels, strict=True)], axis=-1)

    return conv


def _groups(inputs: Any, kernel: Any, data_format: str | None) -> int:
    """Return the number of groups; 1 if Keras' own convolution is used."""
    channels = inputs.shape[-1]
    if len(inputs.shape) != 4 or data_format == "channels_first" or channels is None:
        return 1
    return int(channels) // int(kernel.shape[-2])
