"""Read a model's answer about a batch of images: the outputs of the model directory's `serving_default` signature."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from .._checks import check_whole
from .._errors import MalformedAnswer, UnsuitableModel
from .._images.encode import EncodedImage
from .._images.kinds import kind_of
from .._images.multi_picture import FIRST_OF_SEVERAL, holds_several
from .._results import OK, UNDECODABLE, Classification, ClassScore, Features
from .predict_pb2 import PredictResponse
from .tensors import bound_filling, dtype_name, read_values, shape_of

_INTEGERS = frozenset({"int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"})
_REALS = frozenset({"float16", "bfloat16", "float32", "float64"})
_TYPES = {
    "status": _INTEGERS,
    "class_ids": _INTEGERS,
    "labels": frozenset({"string"}),
    "scores": _REALS,
    "feature_vector": _REALS,
}
# A TensorProto can claim any shape in a few bytes, and reading would fill it.
_WIDEST_ROW = 2**20


def check_top_k(top_k: int | None) -> None:
    """Refuse a number of classes that is not valid.

    Raises:
        UsageError: `top_k` is not an int, or is less than 1.
    """
    if top_k is not None:
        check_whole("top_k", top_k)


def read_classes(
    response: PredictResponse, images: Sequence[EncodedImage], seconds: float, *, top_k: int | None
) -> Iterator[Classification]:
    """Read `status` [N], `class_ids` [N, K], `labels` [N, K] and `scores` [N, K], and keep the first `top_k` of K.

    Raises:
        UnsuitableModel: The model has other outputs, or was exported with a smaller K.
        MalformedAnswer: The outputs are of other types, or do not fit each other or the images.
    """
    _demand(response, ("class_ids", "labels", "scores", "status"), "classify")
    rows = len(images)
    count = _columns(response, "class_ids", rows)
    if top_k is not None and top_k > count:
        raise UnsuitableModel(
            f"model {response.model_spec.name} was exported with the best {count} classes, not {top_k}: "
            f"ask for at most {count}, or export it with --top-k {top_k}"
        )
    kept = count if top_k is None else top_k
    statuses = _status(response, rows)
    class_ids, labels, scores = (_table(response, name, rows, count) for name in ("class_ids", "labels", "scores"))
    names = [label.decode("utf-8", "replace") for label in labels]
    # One C loop that bypasses NamedTuple's own constructor, which would cost a third of the loop.
    classes = list(map(partial(tuple.__new__, ClassScore), zip(class_ids, names, scores, strict=True)))
    version = _version(response)
    for row, (image, status) in enumerate(zip(images, statuses, strict=True)):
        yield Classification(
            source=image.source,
            index=image.index,
            status=status,
            model_version=version,
            seconds=seconds,
            kind=_kind(image, status),
            note=_note(image, status),
            classes=tuple(classes[row * count : row * count + kept]) if status == OK else (),
        )


def read_features(response: PredictResponse, images: Sequence[EncodedImage], seconds: float) -> Iterator[Features]:
    """Read `status` [N] and `feature_vector` float32 [N, D].

    Raises:
        UnsuitableModel: The model has other outputs.
        MalformedAnswer: The outputs are of other types, or do not fit each other or the images.
    """
    # numpy is needed only here, where the answers are arrays.
    from .arrays import to_array

    _demand(response, ("feature_vector", "status"), "features")
    statuses = _status(response, len(images))
    _columns(response, "feature_vector", len(images))
    vectors = to_array(response.outputs["feature_vector"])
    version = _version(response)
    for image, status, vector in zip(images, statuses, vectors, strict=True):
        yield Features(
            source=image.source,
            index=image.index,
            status=status,
            model_version=version,
            seconds=seconds,
            kind=_kind(image, status),
            note=_note(image, status),
            vector=vector if status == OK else None,
        )


def _kind(image: EncodedImage, status: int) -> str | None:
    return kind_of(image.data).name if status == UNDECODABLE else None


def _note(image: EncodedImage, status: int) -> str | None:
    return image.note or (FIRST_OF_SEVERAL if status == OK and holds_several(image.data) else None)


def _demand(response: PredictResponse, names: Sequence[str], verb: str) -> None:
    missing = [name for name in names if name not in response.outputs]
    if missing:
        raise UnsuitableModel(
            f"client.{verb} needs the outputs {', '.join(names)}, and model {response.model_spec.name} has "
            f"{', '.join(sorted(response.outputs)) or 'none'}: export it with hubserve, or use client.predict"
        )
    bound_filling(response.outputs[name] for name in names)
    for name in names:
        if (dtype := dtype_name(response.outputs[name].dtype)) not in _TYPES[name]:
            raise MalformedAnswer(f"the model answers with {name} of type {dtype}: look at its export")


def _columns(response: PredictResponse, name: str, rows: int) -> int:
    """Return the second dimension of an output with one row for each image."""
    shape = shape_of(response.outputs[name])
    if len(shape) != 2 or shape[0] != rows or not 0 <= shape[1] <= _WIDEST_ROW:
        raise MalformedAnswer(f"the model answers {rows} images with {name} of shape {list(shape)}: look at its export")
    return shape[1]


def _status(response: PredictResponse, rows: int) -> list[int]:
    shape = shape_of(response.outputs["status"])
    if shape != (rows,):
        raise MalformedAnswer(f"the model answers {rows} images with status of shape {list(shape)}: look at its export")
    return read_values(response.outputs["status"])


def _table(response: PredictResponse, name: str, rows: int, count: int) -> list[Any]:
    if _columns(response, name, rows) != count:
        raise MalformedAnswer(
            f"the model answers with {count} class_ids an image, but not as many {name}: look at its export"
        )
    return read_values(response.outputs[name])


def _version(response: PredictResponse) -> int | None:
    spec = response.model_spec
    return spec.version.value if spec.HasField("version") else None
