"""Tell whether an input of a model takes images, and in which form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import tensorflow as tf

NHWC = "NHWC"
NCHW = "NCHW"

_DTYPES = frozenset(
    {tf.float16, tf.bfloat16, tf.float32, tf.float64, tf.uint8, tf.uint16, tf.int16, tf.int32, tf.int64}
)
_CHANNELS = (3, 1)
# The shortest side of an image: [N, 20, 6] is a sequence.
_SHORTEST = 8


@dataclass(frozen=True)
class ImageInput:
    """An input that takes images.

    Attributes:
        height: Rows; None for any number.
        width: Columns; None for any number.
        channels: 3 or 1.
        dtype: The type of the pixels.
        layout: "NHWC" or "NCHW", with the batch in front; an input without channels is "NHWC".
        batch: How many images it takes at once; None for any number, 0 for one image without a batch dimension.
        has_channels: False if the shape is [N, H, W].
        assumed: An assumption about a shape that is not complete, in words; empty if it is complete.
    """

    height: int | None
    width: int | None
    channels: int
    dtype: tf.DType
    layout: str = NHWC
    batch: int | None = None
    has_channels: bool = True
    assumed: str = ""


def read(spec: Any) -> ImageInput | None:
    """Return the form of the images that an input takes, or None if it does not take images.

    The channels, 3 or 1 of them, come last or first. If both are possible, they come last.

    Args:
        spec: A TensorSpec; anything else is not an input of images.
    """
    if not isinstance(spec, tf.TensorSpec) or spec.dtype not in _DTYPES:
        return None
    if spec.shape.rank is None:
        return ImageInput(None, None, 3, spec.dtype, assumed="a tensor of any shape is taken for images [N, H, W, 3]")
    shape = spec.shape.as_list()
    if len(shape) == 4:
        return _batched(shape, spec.dtype)
    return _of_three_dimensions(shape, spec.dtype) if len(shape) == 3 else None


def _batched(shape: list[int | None], dtype: tf.DType) -> ImageInput | None:
    batch, *rest = shape
    if batch == 0:
        return None
    if rest[2] in _CHANNELS:
        return ImageInput(rest[0], rest[1], rest[2] or 0, dtype, batch=batch)
    if rest[0] in _CHANNELS:
        return ImageInput(rest[1], rest[2], rest[0] or 0, dtype, NCHW, batch=batch)
    if rest[2] is None:
        assumed = "3 channels are given where any number is taken"
        return ImageInput(rest[0], rest[1], 3, dtype, batch=batch, assumed=assumed)
    return None


def _of_three_dimensions(shape: list[int | None], dtype: tf.DType) -> ImageInput | None:
    """Recognise one image without a batch dimension, [H, W, C], or images without channels, [N, H, W]."""
    first, second, third = shape
    if third in _CHANNELS and (first is None) == (second is None) and _may_be_a_side(first, second):
        return ImageInput(first, second, third or 0, dtype, batch=0)
    if second and third and _may_be_a_side(second, third) and first in (None, 1):
        assumed = f"[N, {second}, {third}] is taken for images of one channel"
        return ImageInput(second, third, 1, dtype, batch=first, has_channels=False, assumed=assumed)
    return None


def _may_be_a_side(*lengths: int | None) -> bool:
    return all(length is None or length >= _SHORTEST for length in lengths)


def described(spec: Any) -> str:
    """Describe an input or output: "float32 [N, 224, 224, 3]"."""
    if not isinstance(spec, tf.Tensor | tf.TensorSpec):
        return type(spec).__name__
    return f"{spec.dtype.name} {shown(spec.shape)}"


def shown(shape: tf.TensorShape) -> str:
    """Describe a shape, "[N, 224, 224, 3]", with N for an unknown first dimension and "any" for others."""
    if shape.rank is None:
        return "of any shape"
    sides = [("N" if axis == 0 else "any") if side is None else str(side) for axis, side in enumerate(shape)]
    return f"[{', '.join(sides)}]"
