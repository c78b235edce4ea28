"""The source model: a function of images that gives logits or features, and the variables behind it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from . import _efficientnet, _entry, _hub, _kind, _saved_model
from ._errors import ModelError
from ._sources import Source

Call = Callable[[tf.Tensor], tf.Tensor]
PixelRange = tuple[float, float]
# The smallest normal float32: a processor may take anything smaller for zero, which has no logarithm.
_SMALLEST = 1.17549435e-38


@dataclass(frozen=True)
class Wanted:
    """What the person says of the model; what is left away is found.

    Wanted(image_size=224, pixel_range=(0, 255))

    Attributes:
        image_size: Height and width of the input, for a model that takes any.
        kind: "classification" or "feature_vector".
        classes: The number of classes.
        pixel_range: What the model takes for black and for white.
        said: The options given that only a classifier can have, such as "--labels".
    """

    image_size: int | None = None
    kind: str | None = None
    classes: int | None = None
    pixel_range: PixelRange = (0.0, 1.0)
    said: Sequence[str] = ()


@dataclass(frozen=True)
class ImageModel:
    """A model that takes images and gives a row of numbers for each.

    Attributes:
        call: float32 [N, height, width, 3] in [0, 1] to float32 [N, outputs]: logits or features.
        state: What holds the variables and must be saved for `call` to work.
        height: Rows of its input.
        width: Columns of its input.
        outputs: Number of classes, or of features.
        kind: "classification" or "feature_vector".
        gives: What the source itself gives: "logits", "probabilities" or "features".
    """

    call: Call
    state: Any
    height: int
    width: int
    outputs: int
    kind: str
    gives: str


def load(source: Source, wanted: Wanted | None = None) -> ImageModel:
    """Loads a source as an image model.

    Raises:
        SourceError: The files cannot be loaded.
        ModelError: What was loaded does not take images [N, H, W, 3] and give numbers [N, D], or is not what was
            wanted.
    """
    wanted = wanted or Wanted()
    loaded: Any = (
        _efficientnet.EfficientNetLite0(source.path) if source.kind == "builtin" else _saved_model.load(source)
    )
    entry, _others = _entry.choose(source, loaded)
    if (entry.dtype, entry.channels, entry.layout) != (tf.float32, 3, "NHWC"):
        raise ModelError(f"{source.handle} does not take float32 images [N, H, W, 3]")
    call, static = entry.call, (entry.height, entry.width)
    height, width = _size(source, static, wanted.image_size)
    traced = _traced(source, call, (height, width), wanted.pixel_range)
    outputs = _outputs(source, traced)
    graph = traced.graph.as_graph_def()
    ending = _kind.last_operation(graph, traced.outputs[0].name)
    kind = _kind.choose(source.handle, ending, outputs, wanted.kind, wanted.said)
    if kind == _kind.FEATURE_VECTOR:
        return ImageModel(traced, _state(loaded, traced), height, width, outputs, kind, "features")
    _check_classes(source, outputs, wanted.classes)
    logits, gives = _as_logits(source, traced, ending)
    return ImageModel(logits, _state(loaded, traced), height, width, outputs, kind, gives)


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


def _traced(source: Source, call: Callable[[tf.Tensor], Any], size: tuple[int, int], pixels: PixelRange) -> Any:
    """The call, traced once for images in [0, 1] of that size: a concrete function."""
    height, width = size
    black, white = pixels

    def numbers(images: tf.Tensor) -> tf.Tensor:
        answer = call(images if pixels == (0, 1) else images * (white - black) + black)
        if isinstance(answer, dict) and len(answer) == 1:
            (answer,) = answer.values()
        if not isinstance(answer, tf.Tensor) or answer.shape.rank != 2:
            raise ModelError(
                f"{source.handle} must give one tensor of logits or features [N, D] for images, and gives "
                f"{_described(answer)}"
            )
        return tf.cast(answer, tf.float32)

    function = tf.function(
        numbers, input_signature=[tf.TensorSpec([None, height, width, 3], tf.float32)], autograph=False
    )
    try:
        return function.get_concrete_function()
    except (TypeError, ValueError, RuntimeError, tf.errors.OpError) as error:
        raise ModelError(
            f"{source.handle} cannot be called on images [N, {height}, {width}, 3] ({_saved_model.first_line(error)})"
        ) from error


def _outputs(source: Source, traced: Any) -> int:
    outputs = traced.output_shapes[1]
    if outputs is None:
        raise ModelError(f"{source.handle} does not say how many numbers it gives: its output is [N, unknown]")
    return int(outputs)


def _check_classes(source: Source, classes: int, given: int | None) -> None:
    if given is not None and given != classes:
        raise ModelError(f"--classes is {given}, and {source.handle} gives {classes} numbers for an image")
    if classes < 2:
        raise ModelError(
            f"{source.handle} gives one number for an image, and a classifier must give one for each of its classes, "
            "two at least (if the number is a feature, say --kind feature_vector)"
        )


def _as_logits(source: Source, traced: Call, ending: str) -> tuple[Call, str]:
    """The call as one that gives logits, and what the source itself gives."""
    if ending == "Sigmoid":
        raise ModelError(
            f"{source.handle} ends in a sigmoid, so that its classes do not exclude each other, and the answers here "
            "are the best of classes that do; export it without its last activation if they do"
        )
    if ending != "Softmax":
        return traced, "logits"

    def logarithms(images: tf.Tensor) -> tf.Tensor:
        # Whose softmax is the probabilities again, because they sum to 1.
        return tf.math.log(tf.maximum(traced(images), _SMALLEST))

    return logarithms, "probabilities"


def _state(loaded: Any, traced: Any) -> Any:
    """What must be saved for the traced call to work: its variables and no more.

    Kept whole, the loaded object would drag its training traces into the exported graph. It is kept only where the call
    uses something else besides variables, such as a table.
    """
    used = {id(tensor) for tensor in traced.captured_inputs if tensor.dtype == tf.resource}
    found = [
        node
        for node in tf.train.TrackableView(loaded).descendants()
        if isinstance(node, tf.Variable) and id(node.handle) in used
    ]
    return found if len(found) == len(used) else loaded


def _described(answer: Any) -> str:
    if isinstance(answer, tf.Tensor):
        return f"{answer.dtype.name} {answer.shape}"
    return f"{type(answer).__name__} of {sorted(answer)}" if isinstance(answer, dict) else type(answer).__name__
