"""Describe the functions of a loaded SavedModel: `__call__` and signatures, with their inputs and outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import tensorflow as tf

from . import _extra_inputs, _image_input, _outputs, _reference_variables
from ._image_input import ImageInput, described
from ._sources import Source

CALL = "__call__"
_IMAGES = object()


@dataclass(frozen=True)
class Function:
    """A function of a model.

    Attributes:
        name: "__call__", or the name of a signature.
        described: Name and inputs, in words.
        image: The input that takes images; None if the function cannot be exported.
        refused: Why it cannot be exported; empty if the only reason is that it does not take images.
        outputs: The outputs by name, each with dtype and shape.
        given: The values of its other inputs, in words.
        prepare: Called once with the source and the loaded model; returns a function from images to the outputs.
    """

    name: str
    described: str
    image: ImageInput | None = None
    refused: str = ""
    outputs: Mapping[str, Any] = field(default_factory=dict)
    given: tuple[str, ...] = ()
    prepare: Callable[[Source, Any], Callable[[tf.Tensor], Any]] = lambda _source, loaded: loaded


@dataclass
class _Inputs:
    """The inputs of a function, with values for all except the images."""

    images: list[ImageInput] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    given: list[str] = field(default_factory=list)
    training: bool = False
    unusual: int = 0


def of(loaded: Any) -> list[Function]:
    """Return the functions of a loaded model: `__call__` first, then the signatures by name."""
    signatures = dict(getattr(loaded, "signatures", {}))
    called = _of_call(loaded)
    return [
        *([called] if called else []),
        *(_of_signature(name, signatures[name]) for name in sorted(signatures) if not name.startswith("__")),
    ]


def _of_call(loaded: Any) -> Function | None:
    """Return a model's `__call__` by its best trace: for inference, with the defaults of other arguments."""
    function = getattr(loaded, "__call__", None)  # noqa: B004 - the attribute, not the question
    traces = list(getattr(function, "concrete_functions", ()))
    if not traces:
        return None
    defaults, arguments = _defaults(function)
    best: tuple[tuple[bool, bool, int], Any, Any, _Inputs] | None = None
    for trace in traces:
        inputs = _Inputs()
        positional, named = trace.structured_input_signature
        filled = (
            tuple(
                _filled(value, arguments[place] if place < len(arguments) else "", inputs, defaults)
                for place, value in enumerate(positional)
            ),
            {name: _filled(value, name, inputs, defaults) for name, value in named.items()},
        )
        rank = (inputs.training, len(inputs.images) != 1 or bool(inputs.unknown), inputs.unusual)
        if best is None or rank < best[0]:
            best = rank, trace, filled, inputs
    assert best is not None  # noqa: S101 - there is at least one trace
    _, trace, (positional, named), inputs = best

    def prepare(_source: Source, loaded: Any) -> Callable[[tf.Tensor], Any]:
        return lambda images: loaded(*_with(positional, images), **_with(named, images))

    if inputs.training:
        refused = "its __call__ was traced for training only; save it with a trace for training=False"
        return Function(CALL, _described(CALL, trace), refused=refused)
    return _function(CALL, trace, inputs, prepare)


def _of_signature(name: str, signature: Any) -> Function:
    inputs = _Inputs()
    filled = {key: _filled(spec, key, inputs, {}) for key, spec in signature.structured_input_signature[1].items()}

    def prepare(source: Source, loaded: Any) -> Callable[[tf.Tensor], Any]:
        function = _reference_variables.replaced(source.path, loaded, signature)
        return lambda images: function(**_with(filled, images))

    return _function(name, signature, inputs, prepare)


def _function(name: str, trace: Any, inputs: _Inputs, prepare: Any) -> Function:
    words = _described(name, trace)
    if inputs.unknown:
        return Function(name, words, refused=_refusal(name, trace, inputs))
    if len(inputs.images) != 1:
        return Function(name, words, refused=f"{name} takes several images at once: {', '.join(inputs.names)}")
    return Function(
        name,
        words,
        image=inputs.images[0],
        outputs=_outputs.flat(trace.structured_outputs),
        given=tuple(inputs.given),
        prepare=prepare,
    )


def _refusal(name: str, trace: Any, inputs: _Inputs) -> str:
    """Say why a function with these inputs does not take images only; empty if its inputs make that clear."""
    if inputs.images:
        return (
            f"{name} takes {', '.join(inputs.unknown)} besides the images, and the values to give are not known; save "
            "it with a signature that takes the images alone"
        )
    specs = _specs(trace.structured_input_signature)
    if len(specs) == 1 and specs[0].dtype == tf.string:
        return (
            f"{name} takes strings ({described(specs[0])}), such as text, encoded images or tf.Examples; serve it as "
            "it is, from a folder BASE/1, and send them with the client's `predict`"
        )
    if len(specs) == 1 and specs[0].shape.rank == 2 and specs[0].shape[1]:
        return (
            f"{name} takes rows of {specs[0].shape[1]} numbers ({described(specs[0])}), and not images with a height "
            "and a width; put a Reshape or Flatten in front, so that it takes images [N, H, W, C]"
        )
    return ""


def _filled(value: Any, name: str, inputs: _Inputs, defaults: Mapping[str, Any]) -> Any:
    """Return an input of a function with its value; `_IMAGES` stands for the images."""
    if isinstance(value, Mapping):
        return {key: _filled(inner, str(key), inputs, {}) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return type(value)([_filled(inner, f"{name}[{place}]", inputs, {}) for place, inner in enumerate(value)])
    if not isinstance(value, tf.TypeSpec):
        inputs.training |= _extra_inputs.is_mode(name) and bool(value)
        inputs.unusual += name in defaults and value != defaults[name]
        return value
    if not isinstance(value, tf.TensorSpec):
        inputs.unknown.append(f"{name} ({type(value).__name__})")
        return value
    known = _extra_inputs.given(name or value.name or "", value, defaults.get(name))
    if known is not None:
        inputs.given += [known.words] if known.words else []
        return known
    image = _image_input.read(value)
    if image is None or _extra_inputs.safe_value(name) is not None:
        inputs.unknown.append(f"{name or value.name} ({described(value)})")
        return value
    inputs.images.append(image)
    inputs.names.append(f"{name or value.name} ({described(value)})")
    return _IMAGES


def _with(filled: Any, images: tf.Tensor) -> Any:
    """Return inputs with the images in their place."""
    if isinstance(filled, Mapping):
        return {key: _with(value, images) for key, value in filled.items()}
    if isinstance(filled, list | tuple):
        return type(filled)([_with(value, images) for value in filled])
    if isinstance(filled, _extra_inputs.Given):
        return filled.tensor()
    return images if filled is _IMAGES else filled


def _defaults(function: Any) -> tuple[dict[str, Any], list[str]]:
    """Return the defaults of a restored function's arguments, and the arguments' names in order."""
    argspec = getattr(getattr(function, "function_spec", None), "fullargspec", None)
    if argspec is None:
        return {}, []
    names = [name for name in argspec.args if name != "self"]
    given = argspec.defaults or ()
    return {
        **dict(zip(names[len(names) - len(given) :], given, strict=True)),
        **(argspec.kwonlydefaults or {}),
    }, names


def _specs(structure: Any) -> list[tf.TensorSpec]:
    """Return the tensors among a function's inputs."""
    if isinstance(structure, Mapping):
        structure = list(structure.values())
    if isinstance(structure, list | tuple):
        return [spec for inner in structure for spec in _specs(inner)]
    return [structure] if isinstance(structure, tf.TensorSpec) else []


def _described(name: str, trace: Any) -> str:
    """Return name and inputs of a function: "serving_default(images: float32 [N, 8, 8, 3])"."""
    inputs = [f"{spec.name}: {described(spec)}" for spec in _specs(trace.structured_input_signature)]
    return f"{name}({', '.join(inputs)})"
