"""A SavedModel from outside: loaded, and the function in it that takes images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from . import _hub, _reference_variables
from ._errors import ModelError, SourceError
from ._sources import Source

# What tf.saved_model.save calls the signature of a caller who names none, and what TF1 hub modules call it.
_USUAL = ("serving_default", "default")


def load(source: Source) -> Any:
    """Loads a SavedModel.

    Raises:
        SourceError: Its files cannot be loaded.
        ModelError: It uses an operation that TensorFlow does not have.
    """
    try:
        return _hub.library().load(str(source.path))
    except (OSError, ValueError, RuntimeError, KeyError, AttributeError, tf.errors.OpError) as error:
        reason = first_line(error)
        if "Op type not registered" in reason:
            op = reason.partition("'")[2].partition("'")[0]
            raise ModelError(
                f"{source.handle} uses the operation {op}, which stock TensorFlow does not have, and so neither does "
                "TensorFlow Serving; write that part with TensorFlow's own operations"
            ) from error
        raise SourceError(
            f"{source.handle} cannot be loaded as a SavedModel ({reason}); is it complete, and of TensorFlow 2?"
        ) from error


def entry(source: Source, loaded: Any) -> tuple[Callable[[tf.Tensor], Any], tuple[int | None, int | None]]:
    """The function to call, for inference, and the height and width that it insists on.

    A hub module (reusable SavedModel interface) is called itself. It has a trace for each value of `training`, and
    says nothing of its other arguments but that they have defaults, so they are not given. A model without that
    interface may have a signature that takes images.

    Raises:
        ModelError: There is no such function.
    """
    for spec in _traced_inputs(loaded):
        if _takes_images(spec):
            return (lambda images: _inference(loaded, images)), (spec.shape[1], spec.shape[2])
    fitting = {name: signature for name, signature in getattr(loaded, "signatures", {}).items() if _fits(signature)}
    if fitting:
        signature = fitting[_chosen(source, list(fitting))]
        ((argument, spec),) = signature.structured_input_signature[1].items()
        function = _reference_variables.replaced(source.path, loaded, signature)
        return _of_one_argument(function, argument), (spec.shape[1], spec.shape[2])
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


def _fits(signature: Any) -> bool:
    inputs = signature.structured_input_signature[1]
    return len(inputs) == 1 and _takes_images(next(iter(inputs.values())))


def _chosen(source: Source, names: Sequence[str]) -> str:
    """The signature that a server would run when none is named; else the only one."""
    for usual in _USUAL:
        if usual in names:
            return usual
    if len(names) > 1:
        raise ModelError(
            f"{source.handle} has several signatures that take images, {', '.join(sorted(names))}, and none of them is "
            f"{_USUAL[0]}; save it with the one to export under that name"
        )
    return names[0]


def _of_one_argument(signature: Callable[..., Any], name: str) -> Callable[[tf.Tensor], Any]:
    """A signature takes its arguments by name only."""
    return lambda images: signature(**{name: images})


def _inference(loaded: Any, images: tf.Tensor) -> Any:
    try:
        return loaded(images, training=False)
    except (TypeError, ValueError):
        # A model without dropout or batch norm need not have the argument.
        return loaded(images)


def _found(loaded: Any) -> str:
    """What a person needs to see of a model that does not fit."""
    signatures = [
        f"{name}({', '.join(map(str, signature.structured_input_signature[1].values()))})"
        for name, signature in getattr(loaded, "signatures", {}).items()
    ]
    calls = [f"call({spec})" for spec in _traced_inputs(loaded)]
    return ", ".join(dict.fromkeys([*calls, *signatures])) or "neither a callable nor signatures"


def first_line(error: Exception) -> str:
    """What TensorFlow says of an error before it goes into detail."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
