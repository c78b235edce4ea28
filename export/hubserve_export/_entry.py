"""Choose the entry of a loaded model: the function that takes images and gives a row of numbers for each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from . import _efficientnet, _functions, _outputs
from ._error_words import first_line
from ._errors import ModelError
from ._functions import Function
from ._image_input import NHWC, ImageInput, described
from ._sources import Source

# A hub module is called directly. tf.saved_model.save calls the default signature "serving_default", and hub modules of
# TensorFlow 1 call it "default".
_USUAL = (_functions.CALL, "serving_default", "default")


@dataclass(frozen=True)
class Entry:
    """A function of a model that takes images.

    Attributes:
        name: "__call__", or the name of a signature.
        call: Maps images [N, H, W, C], or [N, C, H, W], of `dtype` to float32 [N, D], for any N >= 1.
        height: Rows of the input; None for any number.
        width: Columns of the input; None for any number.
        channels: 3 or 1.
        dtype: The type of the input.
        layout: "NHWC" or "NCHW".
        notes: Choices and fixed inputs, in words, such as "keep_prob is 1".
        batch: How many images the model itself takes at once, so that a larger batch is divided; 1 if any number.
    """

    name: str
    call: Callable[[tf.Tensor], tf.Tensor]
    height: int | None
    width: int | None
    channels: int
    dtype: tf.DType
    layout: str
    notes: tuple[str, ...] = ()
    batch: int = 1


def choose(
    source: Source, loaded: Any, signature: str | None = None, output_name: str | None = None
) -> tuple[Entry, tuple[Entry, ...]]:
    """Choose the entry of a model, and list equivalent ones.

    Args:
        source: The model's source.
        loaded: The model, from `_saved_model.load`.
        signature: The name of a signature, or "__call__"; None: the default.
        output_name: The output with the row of numbers; None: find it.

    Returns:
        The entry, and every other function that takes images and gives rows of the same width.

    Raises:
        ModelError: There is no such entry, there are several, or its output is not known.
    """
    if source.kind == "builtin":
        return Entry(
            _functions.CALL, loaded, _efficientnet.IMAGE_SIZE, _efficientnet.IMAGE_SIZE, 3, tf.float32, NHWC
        ), ()
    found = _functions.of(loaded)
    fitting = [function for function in found if function.image is not None]
    if signature is not None:
        chosen = _named(source, found, signature)
    elif not fitting:
        raise _nothing_fits(source, found)
    else:
        chosen = _unasked(source, fitting)
    output = _outputs.choose(source.handle, chosen.outputs, _image(chosen).batch, output_name)
    others = [
        (function, other)
        for function in fitting
        if function is not chosen and (other := _same_row(source, chosen, output, function, output_name))
    ]
    apart = [
        function.name
        for function in fitting
        if function is not chosen and function.name not in {other.name for other, _ in others}
    ]
    notes = [f"the entry {chosen.name}, and not {', '.join(apart)}, which give something else"] if apart else []
    return _entry(source, loaded, chosen, output, notes), tuple(
        _entry(source, loaded, function, other, []) for function, other in others
    )


def _named(source: Source, found: Sequence[Function], name: str) -> Function:
    function = next((function for function in found if function.name == name), None)
    if function is None:
        raise ModelError(f"{source.handle} does not have a signature {name}; it has {_listed(found)}")
    if function.image is None:
        reason = function.refused or f"{function.described} does not take images"
        raise ModelError(f"the signature {name} of {source.handle} cannot be exported: {reason}")
    return function


def _unasked(source: Source, fitting: Sequence[Function]) -> Function:
    """Return the default entry; else the only one."""
    names = {function.name: function for function in fitting}
    for usual in _USUAL:
        if usual in names:
            return names[usual]
    if len(fitting) > 1:
        raise ModelError(
            f"{source.handle} has several signatures that take images, {', '.join(sorted(names))}, and none of them is "
            f"serving_default; choose one with `signature`"
        )
    return fitting[0]


def _nothing_fits(source: Source, found: Sequence[Function]) -> ModelError:
    """Return the error for a model that does not fit, with the reason for its usual entry first."""
    order = [*(name for name in _USUAL), *(function.name for function in found)]
    reasons = {function.name: function.refused for function in found if function.refused}
    reason = next((reasons[name] for name in order if name in reasons), None)
    if reason is not None:
        return ModelError(f"{source.handle} is not an image model: {reason}")
    return ModelError(
        f"{source.handle} is not an image model: it has {_listed(found)}, and nothing takes images [N, H, W, 3]"
    )


def _listed(found: Sequence[Function]) -> str:
    return ", ".join(function.described for function in found) or "neither a callable nor signatures"


def _same_row(source: Source, chosen: Function, output: str, function: Function, output_name: str | None) -> str | None:
    """Return another entry's output that is as wide as the chosen entry's, for the same images.

    None if there is none.
    """
    one, two = _image(chosen), _image(function)
    if one.channels != two.channels or any(
        this and that and this != that for this, that in ((one.height, two.height), (one.width, two.width))
    ):
        return None
    try:
        other = _outputs.choose(source.handle, function.outputs, _image(function).batch, output_name)
    except ModelError:
        return None
    wide = _outputs.width(chosen.outputs[output], _image(chosen).batch)
    return other if _outputs.width(function.outputs[other], _image(function).batch) == wide else None


def _image(function: Function) -> ImageInput:
    if function.image is None:
        raise ValueError(f"{function.name} does not take images")
    return function.image


def _entry(source: Source, loaded: Any, function: Function, output: str, notes: list[str]) -> Entry:
    image = _image(function)
    if len(function.outputs) > 1:
        names = ", ".join(list(function.outputs)[:8]) + (", ..." if len(function.outputs) > 8 else "")
        notes.append(f"the output {output} of {names}")
    if image.assumed:
        notes.append(image.assumed)
    if image.batch is not None:
        notes.append(f"{image.batch or 1} at a time, because it takes no other batch")
    try:
        run = function.prepare(source, loaded)
    except Exception as error:
        # The variables of TensorFlow 1 are read in a session, which may fail in many ways.
        raise ModelError(f"{function.name} of {source.handle} cannot be called ({first_line(error)})") from error
    return Entry(
        function.name,
        _called(source.handle, function, output, run),
        image.height,
        image.width,
        image.channels,
        image.dtype,
        image.layout,
        (*source.notes, *notes, *function.given),
        image.batch or 1,
    )


def _called(
    handle: str, function: Function, output: str, run: Callable[[tf.Tensor], Any]
) -> Callable[[tf.Tensor], tf.Tensor]:
    image = _image(function)

    def rows(images: tf.Tensor) -> tf.Tensor:
        """Return one call of the model: a batch, or one image without a batch dimension."""
        return _outputs.flat(run(images))[output]

    def call(images: tf.Tensor) -> tf.Tensor:
        if not image.has_channels:
            images = tf.squeeze(images, -1)
        if image.batch is None:
            numbers, wide = rows(images), _outputs.width(function.outputs[output], None)
            if wide is None:
                wide = _measured(handle, rows, images, None)
            return tf.cast(tf.reshape(numbers, [tf.shape(images)[0], wide]), tf.float32)
        wide = _outputs.width(function.outputs[output], image.batch)
        if wide is None:
            wide = _measured(handle, rows, images, image.batch)
        return _looped(rows, images, image.batch, wide)

    return call


def _measured(handle: str, rows: Callable[[tf.Tensor], tf.Tensor], images: tf.Tensor, batch: int | None) -> int:
    """Return the width of a row if the model's shapes do not give it: run the model once, on black images."""
    sides = images.shape.as_list()[1:]
    if None in sides:
        raise ModelError(f"{handle} does not say how many numbers it gives for an image of any size")
    count = batch or 1
    with tf.init_scope():
        answer = rows(tf.zeros(sides if batch == 0 else [count, *sides], images.dtype))
    shape = answer.shape.as_list()
    row = shape if batch == 0 else shape[1:]
    if sum(side != 1 for side in row) > 1 or (batch != 0 and shape[:1] != [count]):
        raise ModelError(
            f"{handle} must give one tensor of logits or features [N, D] for images, and gives {described(answer)} "
            f"for {count} of {' x '.join(map(str, sides))}"
        )
    return int(tf.TensorShape(row).num_elements() or 0)


def _looped(rows: Callable[[tf.Tensor], tf.Tensor], images: tf.Tensor, batch: int, wide: int) -> tf.Tensor:
    """Run images in batches of the only size that the model takes; black images fill the last batch."""
    size, count, sides = max(batch, 1), tf.shape(images)[0], images.shape[1:]
    parts = (count + size - 1) // size
    filled = tf.pad(images, [[0, parts * size - count], *([0, 0] for _ in sides)])
    filled = tf.reshape(filled, tf.concat([[parts], [] if batch == 0 else [size], tf.shape(images)[1:]], 0))
    filled = tf.ensure_shape(filled, [None, *([] if batch == 0 else [size]), *sides])

    def part(images: tf.Tensor) -> tf.Tensor:
        return tf.reshape(tf.cast(rows(images), tf.float32), [size, wide])

    numbers = tf.map_fn(part, filled, fn_output_signature=tf.TensorSpec([size, wide], tf.float32))
    return tf.reshape(numbers, [-1, wide])[:count]
