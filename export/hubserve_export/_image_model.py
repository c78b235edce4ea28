"""The source model: a function of images that gives logits, and the variables behind it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from . import _efficientnet, _hub
from ._errors import ModelError, SourceError
from ._sources import Source

Call = Callable[[tf.Tensor], tf.Tensor]


@dataclass(frozen=True)
class ImageModel:
    """A model that takes images and gives logits.

    Attributes:
        call: float32 [N, height, width, 3] in [0, 1] to float32 [N, classes].
        state: What holds the variables and must be saved for `call` to work.
        height: Rows of its input.
        width: Columns of its input.
        classes: Number of logits.
    """

    call: Call
    state: Any
    height: int
    width: int
    classes: int


def load(source: Source, image_size: int | None = None) -> ImageModel:
    """Loads a source as an image model.

    Args:
        source: Where it is.
        image_size: Height and width of the input, for a model that takes images of any size.

    Raises:
        SourceError: The files cannot be loaded.
        ModelError: What was loaded does not take images [N, H, W, 3] and give logits [N, C], or not of that size.
    """
    if source.kind == "builtin":
        model = _efficientnet.EfficientNetLite0(source.path)
        size = _size(source, (_efficientnet.IMAGE_SIZE, _efficientnet.IMAGE_SIZE), image_size)
        return _traced(source, model, list(model.variables), size)
    loaded = _load_saved_model(source)
    call, static = _entry(source, loaded)
    # Kept whole, the loaded object would drag its training traces into the exported graph. A hub module lists its
    # variables (reusable SavedModel interface); of a model without that interface everything must be kept.
    state = list(loaded.variables) if hasattr(loaded, "variables") else loaded
    return _traced(source, call, state, _size(source, static, image_size))


def _load_saved_model(source: Source) -> Any:
    try:
        return _hub.library().load(str(source.path))
    except (OSError, ValueError, RuntimeError, KeyError, AttributeError, tf.errors.OpError) as error:
        raise SourceError(
            f"{source.handle} cannot be loaded as a SavedModel ({_first_line(error)}); is it complete, and "
            "of TensorFlow 2?"
        ) from error


def _entry(source: Source, loaded: Any) -> tuple[Call, tuple[int | None, int | None]]:
    """The function to call, for inference, and the height and width that it insists on.

    A hub module (reusable SavedModel interface) is called itself. It has a trace for each value of `training`, and
    says nothing of its other arguments but that they have defaults, so they are not given. A model without that
    interface may have a signature that takes images.
    """
    for spec in _traced_inputs(loaded):
        if _takes_images(spec):
            return (lambda images: _inference(loaded, images)), (spec.shape[1], spec.shape[2])
    for signature in getattr(loaded, "signatures", {}).values():
        inputs = signature.structured_input_signature[1]
        if len(inputs) == 1 and _takes_images(spec := next(iter(inputs.values()))):
            (argument,) = inputs
            return (lambda images, signature=signature, argument=argument: signature(**{argument: images})), (
                spec.shape[1],
                spec.shape[2],
            )
    raise ModelError(
        f"{source.handle} is not an image model: it has {_found(loaded)}, and nothing that takes float32 "
        "images [N, H, W, 3]"
    )


def _traced_inputs(loaded: Any) -> list[Any]:
    """The first argument of every trace of the loaded object's `__call__`."""
    traces = getattr(getattr(loaded, "__call__", None), "concrete_functions", ())  # noqa: B004 - the attribute, not the question
    return [arguments[0] for trace in traces if (arguments := trace.structured_input_signature[0])]


def _takes_images(spec: Any) -> bool:
    return (
        isinstance(spec, tf.TensorSpec)
        and spec.dtype == tf.float32
        and spec.shape.rank == 4
        and spec.shape[3] in (3, None)
    )


def _inference(loaded: Any, images: tf.Tensor) -> Any:
    try:
        return loaded(images, training=False)
    except (TypeError, ValueError):
        # A model without dropout or batch norm need not have the argument.
        return loaded(images)


def _size(source: Source, static: tuple[int | None, int | None], given: int | None) -> tuple[int, int]:
    height, width = static
    if given is not None:
        if (height or given, width or given) != (given, given):
            raise ModelError(
                f"--image-size is {given}, and {source.handle} takes images of {height} x {width} pixels "
                "only; leave --image-size away"
            )
        return given, given
    published = _hub.published_size(source.handle)
    height, width = height or published, width or published
    if height is None or width is None:
        raise ModelError(
            f"{source.handle} takes images of any size; say which with --image-size N (the size it was trained with)"
        )
    return height, width


def _traced(source: Source, call: Callable[[tf.Tensor], Any], state: Any, size: tuple[int, int]) -> ImageModel:
    """Traces the call once, to see that it works and what it gives."""
    height, width = size

    def logits(images: tf.Tensor) -> tf.Tensor:
        answer = call(images)
        if isinstance(answer, dict) and len(answer) == 1:
            (answer,) = answer.values()
        if not isinstance(answer, tf.Tensor) or answer.shape.rank != 2:
            raise ModelError(
                f"{source.handle} is not a classifier: it must give one tensor of logits [N, classes], and "
                f"gives {_described(answer)}"
            )
        return tf.cast(answer, tf.float32)

    function = tf.function(
        logits, input_signature=[tf.TensorSpec([None, height, width, 3], tf.float32)], autograph=False
    )
    try:
        classes = function.get_concrete_function().output_shapes[1]
    except (TypeError, ValueError, RuntimeError, tf.errors.OpError) as error:
        raise ModelError(
            f"{source.handle} cannot be called on images [N, {height}, {width}, 3] ({_first_line(error)})"
        ) from error
    if classes is None:
        raise ModelError(f"{source.handle} does not say how many classes it has: its output is [N, unknown]")
    return ImageModel(function, state, height, width, classes)


def _described(answer: Any) -> str:
    if isinstance(answer, tf.Tensor):
        return f"{answer.dtype.name} {answer.shape}"
    return f"{type(answer).__name__} of {sorted(answer)}" if isinstance(answer, dict) else type(answer).__name__


def _found(loaded: Any) -> str:
    """What a person needs to see of a model that does not fit."""
    signatures = [
        f"{name}({', '.join(map(str, signature.structured_input_signature[1].values()))})"
        for name, signature in getattr(loaded, "signatures", {}).items()
    ]
    calls = [f"call({spec})" for spec in _traced_inputs(loaded)]
    return ", ".join(dict.fromkeys([*calls, *signatures])) or "neither a callable nor signatures"


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
