"""Fix the inputs of a model other than its images, for inference.

Models of TensorFlow 1 often take the mode of batch norm and the rate of dropout with every request. Only names with a
clear meaning get a value; "dropout" alone may be the rate or the share that is kept.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

# Names in snake case, without the part before the last "/" or "."; each with its value.
_MODE = re.compile(
    r"((is|in)_?)?train(ing)?(_?(phase|mode|flag|time))?|(keras_)?(learning_)?phase(_?train(ing)?)?", re.I
)
_KEPT = re.compile(r"(drop_?out_?)?keep_?(prob|probability|rate|ratio)(_?\d+)?", re.I)
_DROPPED = re.compile(r"drop_?(out|path|connect|block)?_?rate(_?\d+)?", re.I)
_SAFE = ((_MODE, 0.0), (_KEPT, 1.0), (_DROPPED, 0.0))
# In inference, momentum has no effect; 0.99 is the default of hub modules.
_MOMENTUM = re.compile(r"batch_?norm_?(momentum|decay)|bn_?(momentum|decay)", re.I)
_MOMENTUM_DEFAULT = 0.99


def is_mode(name: str) -> bool:
    """Tell whether an input of this name sets training mode."""
    return _MODE.fullmatch(_plain(name)) is not None


def safe_value(name: str) -> float | None:
    """Return the value for inference of an input of this name, with 0 for False; None if the name is not clear."""
    plain = _plain(name)
    return next((value for pattern, value in _SAFE if pattern.fullmatch(plain)), None)


@dataclass(frozen=True)
class Given:
    """The value of an input, and a description: "keep_prob is 1"; empty if the value is the model's own default."""

    value: float
    dtype: tf.DType
    shape: tuple[int, ...]
    words: str

    def tensor(self) -> tf.Tensor:
        """Return the value as a tensor, made where it is used: a tensor from outside would have to be saved, too."""
        return tf.cast(tf.constant(self.value, shape=self.shape), self.dtype)


def given(name: str, spec: tf.TensorSpec, default: Any = None) -> Given | None:
    """Return the value of an input for inference; None if the right value is not known.

    Args:
        name: The input's name.
        spec: The input's dtype and shape: only a single number or bool can get a value.
        default: The model's own default, if there is one.
    """
    value = safe_value(name)
    if value is None:
        value = default if isinstance(default, bool | int | float) else None
        if value is None and _MOMENTUM.fullmatch(_plain(name)):
            value = _MOMENTUM_DEFAULT
        words = ""
    else:
        words = f"{name} is {bool(value)}" if spec.dtype == tf.bool else f"{name} is {value:g}"
    if value is None or not _holds(spec, float(value)):
        return None
    return Given(float(value), spec.dtype, (1,) if spec.shape.rank == 1 else (), words)


def _holds(spec: tf.TensorSpec, value: float) -> bool:
    """Tell whether an input is a single number or bool that can hold the value."""
    single = spec.shape.rank is None or spec.shape.as_list() in ([], [1])
    possible = {tf.bool: value in (0, 1)}.get(spec.dtype, spec.dtype.is_floating)
    return single and (possible or (spec.dtype.is_integer and value == int(value)))


def _plain(name: str) -> str:
    return re.split(r"[/.]", re.sub(r":\d+$", "", name))[-1].replace("-", "_").strip("_")
