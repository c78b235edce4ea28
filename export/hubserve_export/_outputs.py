"""Choose the output of a model that is the row of numbers for an image."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import tensorflow as tf

from ._errors import ModelError
from ._image_input import described

# Names that show what an output is, the most certain first. Probabilities come before logits, because their values also
# show whether classes exclude each other. "default" is the main output of hub modules of TensorFlow 1.
_KNOWN = (
    ("default",),
    (
        *("probabilities", "probability", "probs", "prob", "softmax", "sigmoid", "softmax_probabilities"),
        *("class_probabilities", "classification_probabilities"),
    ),
    ("logits", "logit", "class_logits", "classification_logits"),
    ("predictions", "prediction", "scores", "class_scores"),
)
# Outputs before the classes. They are ignored if there is an output of _KNOWN.
_FEATURES = frozenset(
    {
        *("features", "feature", "feature_vector", "feature_vectors", "image_embedding", "image_embeddings"),
        *("embedding", "embeddings", "pooled", "pooled_output", "pooled_features", "pooler_output", "pre_logits"),
        *("prelogits", "penultimate", "avg_pool", "global_pool", "global_average_pooling2d", "bottleneck", "hidden"),
    }
)
_SHOWN = 12


def flat(structure: Any, name: str = "") -> dict[str, Any]:
    """Return the tensors of an output by name.

    Tensors in a dict have its keys, joined by dots if it is nested. Tensors in a list are named output_0, output_1 and
    so on, as TensorFlow names them in a signature. A single tensor is named "output".
    """
    return dict(_walk(structure, name))


def _walk(structure: Any, name: str) -> Iterator[tuple[str, Any]]:
    if isinstance(structure, Mapping):
        # A SavedModel does not keep their order.
        for key, value in sorted(structure.items()):
            yield from _walk(value, f"{name}.{key}" if name else str(key))
    elif isinstance(structure, list | tuple):
        for index, value in enumerate(structure):
            yield from _walk(value, f"{name}.{index}" if name else f"output_{index}")
    elif structure is not None:
        yield name or "output", structure


def choose(handle: str, outputs: Mapping[str, Any], batch: int | None, said: str | None) -> str:
    """Choose the output that is the row of numbers for an image.

    Args:
        handle: The model's name in messages.
        outputs: The outputs, each with dtype and shape, from `flat`.
        batch: The batch that the model takes, as in `ImageInput`.
        said: The name that the user gives; None: find out.

    Raises:
        ModelError: There is no such output, or there are several and their names do not show the right one.
    """
    if said is not None:
        if said not in outputs:
            raise ModelError(f"{handle} does not have an output {said}; its outputs are {_listed(outputs)}")
        reason = _not_a_row(outputs[said], batch)
        if reason:
            raise ModelError(
                f"the output {said} of {handle} is {reason}; a row of float numbers for each image is needed, and its "
                f"outputs are {_listed(outputs)}"
            )
        return said
    rows = {name: spec for name, spec in outputs.items() if not _not_a_row(spec, batch)}
    # A single number beside a row of numbers is the best score, a loss or a temperature.
    several = {name: spec for name, spec in rows.items() if width(spec, batch) != 1 or len(spec.shape) > 1}
    rows = several or rows
    if not rows:
        raise ModelError(
            f"{handle} must give one tensor of logits or features [N, D] for images, and gives {_listed(outputs)}"
        )
    if len(rows) == 1:
        return next(iter(rows))
    found = _by_name(rows, batch)
    if found is None:
        raise ModelError(
            f"{handle} gives several rows of numbers for an image: {_listed(rows)}; choose one with `output_name`, "
            f"such as {next(iter(rows))}"
        )
    return found


def _by_name(rows: Mapping[str, Any], batch: int | None) -> str | None:
    """Return the row whose name shows that it is the right one, if the others are earlier forms of the same numbers."""
    plain = {name: name.lower().rpartition("/")[2].rpartition(".")[2] for name in rows}
    for default in _KNOWN[0]:
        if default in rows:
            return default
    order = [known for names in _KNOWN[1:] for known in names]
    named = sorted((order.index(plain[name]), name) for name in rows if plain[name] in order)
    unknown = [name for name in rows if plain[name] not in order and plain[name] not in _FEATURES]
    if not named or unknown or len({width(rows[name], batch) for _, name in named}) > 1:
        return None
    # The same word twice, as in age/logits and gender/logits, does not show which one is right.
    return None if len({place for place, _ in named}) < len(named) else named[0][1]


def width(spec: Any, batch: int | None) -> int | None:
    """Return the number of numbers in a row; None if the shape does not give it."""
    if spec.shape.rank is None:
        return None
    sides = spec.shape.as_list()[0 if batch == 0 else 1 :]
    return None if None in sides else int(tf.TensorShape(sides).num_elements() or 0)


def _not_a_row(spec: Any, batch: int | None) -> str:
    """Say why an output is not a row of numbers for each image; empty if it is one, or may be one."""
    if not isinstance(spec, tf.Tensor | tf.TensorSpec):
        return described(spec)
    if not spec.dtype.is_floating:
        return described(spec)
    if spec.shape.rank is None:
        return ""
    sides = spec.shape.as_list()
    if batch != 0:
        if not sides or (sides[0] not in (None, batch) and batch is not None):
            return described(spec)
        if batch is None and sides[0] is not None:
            return f"{described(spec)}, which is not one row for each image"
        sides = sides[1:]
    # [1, 1, C] and [C, 1, 1] are rows, too; an unknown side may be 1.
    return described(spec) if sum(side != 1 for side in sides if side is not None) > 1 else ""


def _listed(outputs: Mapping[str, Any]) -> str:
    shown = [f"{name} {described(spec)}" for name, spec in outputs.items()]
    if len(shown) == 1 and "output" in outputs:
        return described(outputs["output"])
    more = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    return ", ".join(shown[:_SHOWN]) + more
