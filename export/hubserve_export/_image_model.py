"""Load the source model: a function of images that gives logits or features, and its variables."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from . import _architectures, _efficientnet, _entry, _first_operations, _model_kind, _saved_model
from ._entry import Entry
from ._error_words import first_line
from ._errors import ExportError, ModelError
from ._first_operations import Resize
from ._head import Head
from ._options import Options
from ._pixels import model_input
from ._preprocessing import PRESETS, Preprocessing
from ._sources import Source
from .hub import module_table

Call = Callable[[tf.Tensor], tf.Tensor]


@dataclass(frozen=True)
class LoadedModel:
    """A source model before the meaning of its input and of its numbers is known.

    Attributes:
        handle: The model's name in messages.
        entry: The function that is exported, and its input.
        others: The other functions that take images.
        numbers: The entry, traced for images of `height` and `width`: gives float32 [N, outputs].
        state: The variables that must be saved for `numbers` to work.
        height: Rows of the input.
        width: Columns of the input.
        outputs: The number of outputs for an image.
        kind: "classification" or "feature_vector".
        ending: The operation that makes the numbers, such as "BiasAdd".
        resize: The model's own resize, if it takes any size and resizes.
    """

    handle: str
    entry: Entry
    others: tuple[Entry, ...]
    numbers: Any
    state: Any
    height: int
    width: int
    outputs: int
    kind: str
    ending: str
    resize: Resize | None = None

    def on_pictures(self, preprocessing: Preprocessing) -> Call:
        """Return the model as a function from float32 [N, height, width, 3] in [0, 1] to float32 [N, outputs]."""
        return entry_on_pictures(dataclasses.replace(self.entry, call=self.numbers), preprocessing)


def entry_on_pictures(entry: Entry, preprocessing: Preprocessing) -> Call:
    """Return an entry as a function from float32 [N, height, width, 3] in [0, 1] to float32 [N, D]."""
    fields: dict[str, Any] = {"layout": entry.layout}
    if entry.dtype.is_integer:
        fields |= {**PRESETS["raw"], "channels": preprocessing.channels, "dtype": "uint8"}
    own = dataclasses.replace(preprocessing, **fields)
    return lambda images: entry.call(tf.cast(model_input(images, own), entry.dtype))


@dataclass(frozen=True)
class ImageModel:
    """A model that takes images and gives a row of logits or features for each.

    Attributes:
        call: Maps float32 [N, height, width, 3] in [0, 1] to float32 [N, outputs]: logits or features.
        state: The variables that must be saved for `call` to work.
        outputs: The number of classes or features.
        head: The meaning of a classifier's numbers; None for features.
    """

    call: Call
    state: Any
    outputs: int
    head: Head | None

    @property
    def kind(self) -> str:
        """The kind of the model: "classification" or "feature_vector"."""
        return _model_kind.FEATURE_VECTOR if self.head is None else _model_kind.CLASSIFICATION


def load(source: Source, options: Options, carried_size: tuple[int, int] | None = None) -> LoadedModel:
    """Load a source model.

    Args:
        source: The model's source.
        options: The options of the export.
        carried_size: Height and width from a file beside the model, for a model that takes any size.

    Raises:
        SourceError: The files cannot be loaded.
        ModelError: The model does not take images and give numbers [N, D], or contradicts the options.
    """
    loaded: Any = (
        _efficientnet.EfficientNetLite0(source.path) if source.kind == "builtin" else _saved_model.load(source)
    )
    entry, others = _entry.choose(source, loaded, options.signature, options.output_name)
    resize = None
    if options.image_size is None and carried_size is None and None in (entry.height, entry.width):
        function = _of_any_size(entry)
        resize = None if function is None else _first_operations.read(function, entry.channels, entry.layout).resize
        if resize is not None:
            carried_size = resize.height, resize.width
        elif function is not None and (known := _architectures.published_size(function)) is not None:
            name, side = known
            carried_size = side, side
            note = (
                f"images of {side} x {side} pixels, as keras.applications' {name} was trained with; it takes any size"
            )
            entry = dataclasses.replace(entry, notes=(*entry.notes, note))
    height, width = _size(source, entry, options.image_size, carried_size)
    numbers = _traced(source, entry, height, width)
    outputs = _outputs(source, numbers)
    ending = _model_kind.last_operation(numbers.graph.as_graph_def(), numbers.outputs[0].name)
    kind = _model_kind.choose(source.handle, ending, outputs, options.kind, options.of_a_classifier())
    if kind == _model_kind.CLASSIFICATION:
        _check_classes(source, outputs, options.classes)
    state = _state(loaded, numbers)
    return LoadedModel(source.handle, entry, others, numbers, state, height, width, outputs, kind, ending, resize)


def understood(loaded: LoadedModel, preprocessing: Preprocessing, head: Head | None = None) -> ImageModel:
    """Make an image model of a loaded one, when the meaning of its input and of its numbers is known.

    Args:
        loaded: The loaded model.
        preprocessing: The preprocessing.
        head: The meaning of a classifier's numbers; None for features.
    """
    call, state = loaded.on_pictures(preprocessing), loaded.state
    if head is None:
        return ImageModel(call, state, loaded.outputs, None)

    def logits(images: tf.Tensor) -> tf.Tensor:
        return head.logits(call(images))

    return ImageModel(logits, state, head.classes, head)


def _size(source: Source, entry: Entry, given: int | None, carried: tuple[int, int] | None) -> tuple[int, int]:
    height, width = entry.height, entry.width
    if given is not None:
        if (height or given, width or given) != (given, given):
            raise ModelError(
                f"`image_size` is {given}, and {source.handle} takes images of {height} x {width} pixels "
                "only; leave `image_size` out"
            )
        return given, given
    module = module_table.find(source.handle)
    published = None if module is None else module.size
    known = carried or (published, published)
    height, width = height or known[0], width or known[1]
    if height is None or width is None:
        raise ModelError(f"{source.handle} takes images of any size; give `image_size` (the size it was trained with)")
    return height, width


def _of_any_size(entry: Entry) -> Any:
    """Trace the entry for images of any size: return a concrete function, or None if that fails.

    If the model begins with a resize, the exported graph does it instead, with the same pixels.
    """
    sides = [None, None, entry.channels] if entry.layout == "NHWC" else [entry.channels, None, None]
    function = tf.function(entry.call, input_signature=[tf.TensorSpec([None, *sides], entry.dtype)], autograph=False)
    try:
        return function.get_concrete_function()
    # The trace with a fixed size will report the error.
    except Exception:  # noqa: BLE001
        return None


def _traced(source: Source, entry: Entry, height: int, width: int) -> Any:
    """Trace the entry for images of this size: return a concrete function."""
    shape = [None, height, width, entry.channels] if entry.layout == "NHWC" else [None, entry.channels, height, width]
    function = tf.function(entry.call, input_signature=[tf.TensorSpec(shape, entry.dtype)], autograph=False)
    try:
        return function.get_concrete_function()
    except ExportError:
        raise
    except Exception as error:
        # This may run code of any model, which may fail in any way.
        raise ModelError(
            f"{source.handle} cannot be called on images {str(shape).replace('None', 'N')} ({first_line(error)})"
        ) from error


def _outputs(source: Source, traced: Any) -> int:
    outputs = traced.output_shapes[1]
    if outputs is None:
        raise ModelError(f"{source.handle} does not say how many numbers it gives: its output is [N, unknown]")
    return int(outputs)


def _check_classes(source: Source, classes: int, given: int | None) -> None:
    # One number distinguishes two classes.
    if given is not None and given != max(classes, 2):
        numbers = "one number" if classes == 1 else f"{classes} numbers"
        raise ModelError(f"`classes` is {given}, and {source.handle} gives {numbers} for an image")


def _state(loaded: Any, traced: Any) -> Any:
    """Return what must be saved for the traced call to work: its variables only.

    The whole loaded object would bring its training traces into the exported graph. It is returned only if the call
    uses something else besides variables, such as a table.
    """
    used = {id(tensor) for tensor in traced.captured_inputs if tensor.dtype == tf.resource}
    found = [
        node
        for node in tf.train.TrackableView(loaded).descendants()
        if isinstance(node, tf.Variable) and id(node.handle) in used
    ]
    return found if len(found) == len(used) else loaded
