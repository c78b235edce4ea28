"""Read the operations between a model's input and its first layer: scales, shifts, exchanged channels, resizes.

The walk starts at the input and follows its consumers, into functions and out of them, as long as an operation is
affine for each channel or only passes its input on. The other operand of a sum or a product is computed from constants
and variables.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ._graph_values import Frame, Tensor, Values, tensor_of

Array = np.ndarray[Any, Any]
_CALLS = frozenset({"PartitionedCall", "StatefulPartitionedCall"})
_PASSING_ON = frozenset(
    {
        "Identity",
        "IdentityN",
        "Cast",
        "StopGradient",
        "EnsureShape",
        "Snapshot",
        "CheckNumerics",
        "PlaceholderWithDefault",
    }
)
_RESIZES = {
    "ResizeBilinear": "bilinear",
    "ResizeBicubic": "bicubic",
    "ResizeNearestNeighbor": "nearest",
    "ResizeArea": "area",
}
_KERNELS = {"triangle": "bilinear", "keyscubic": "bicubic", "lanczos3": "lanczos3"}
_LOOKING_AT_THE_SHAPE = frozenset({"Shape", "ShapeN", "Size", "Rank", "NoOp"})
_MOST_STEPS = 400
_RANK = 4


@dataclass(frozen=True)
class Affine:
    """The effect of the first operations on an input x: `x[..., order] * scale + offset`, for each channel.

    Attributes:
        order: The input's channel for each channel.
        scale: float64 [C].
        offset: float64 [C].
    """

    order: tuple[int, ...]
    scale: Array
    offset: Array

    def nothing(self) -> bool:
        """Tell whether the input is unchanged."""
        identity = np.all(self.scale == 1) and np.all(self.offset == 0)
        return bool(identity) and self.order == tuple(range(len(self.order)))


@dataclass(frozen=True)
class Resize:
    """A resize inside a model: `Resize(224, 224, "bilinear", antialias=False)`."""

    height: int
    width: int
    interpolation: str
    antialias: bool


@dataclass(frozen=True)
class FirstOperations:
    """The operations between the input and the first layers.

    Attributes:
        affine: The change of the pixels; None if it differs between branches.
        resize: The resize; None if there is none.
    """

    affine: Affine | None
    resize: Resize | None


def read(function: Any, channels: int, layout: str) -> FirstOperations:
    """Read the first operations of a function.

    Args:
        function: A concrete function whose first input is the image.
        channels: How many channels the image has.
        layout: "NHWC" or "NCHW".
    """
    walk = _Walk(function, channels)
    place = _Place(_identity(channels), 3 if layout == "NHWC" else 1, None)
    name = function.inputs[0].name.partition(":")[0]
    walk.follow(walk.top, (name, 0), place)
    if not walk.ends or walk.steps > _MOST_STEPS:
        return FirstOperations(None, None)
    first, *others = walk.ends
    same = all(_equal(first.affine, other.affine) for other in others)
    resizes = {end.resize for end in walk.ends}
    return FirstOperations(first.affine if same else None, resizes.pop() if len(resizes) == 1 else None)


@dataclass(frozen=True)
class _Place:
    """The state of the walk: the change of the pixels so far, and the axis of the channels."""

    affine: Affine
    axis: int
    resize: Resize | None


class _Walk:
    def __init__(self, function: Any, channels: int) -> None:
        graph = function.graph.as_graph_def()
        self._functions = {one.signature.name: one for one in graph.library.function}
        self._channels = channels
        self.top = Frame({node.name: node for node in graph.node})
        captured = {place.name.partition(":")[0]: value for value, place in function.graph.captures}
        self._values = Values(self.top, captured)
        self.ends: list[_Place] = []
        self.steps = 0

    def follow(self, frame: Frame, tensor: Tensor, place: _Place) -> None:
        """Follow all consumers of a tensor."""
        for index in frame.returns.get(tensor, ()):
            if frame.caller is not None:
                self.follow(frame.caller[0], (frame.caller[1], index), place)
        consumers = frame.consumers.get(tensor, [])
        joined = self._channel_by_channel(frame, consumers, place)
        if joined is not None:
            self.follow(frame, (joined[0], 0), joined[1])
            return
        for node, index in consumers:
            self.steps += 1
            if node.op in _LOOKING_AT_THE_SHAPE or self.steps > _MOST_STEPS:
                continue
            called = node.attr["f"].func.name if node.op in _CALLS else node.op
            if called in self._functions:
                self._enter(frame, node, index, self._functions[called], place)
                continue
            after = self._after(frame, node, index, place)
            if after is None:
                self.ends.append(place)
            else:
                self.follow(frame, (node.name, index if node.op == "IdentityN" else 0), after)

    def _channel_by_channel(
        self, frame: Frame, consumers: list[tuple[Any, int]], place: _Place
    ) -> tuple[str, _Place] | None:
        """Return the node that joins separated channels again, each of which may be scaled and shifted."""
        apart: dict[Tensor, int] = {}
        for node, index in consumers:
            if node.op in _LOOKING_AT_THE_SHAPE:
                continue
            parts = self._parts(frame, node, index, place)
            if not parts:
                return None
            apart |= parts
        ways = [self._one_channel(frame, tensor, channel, place) for tensor, channel in apart.items()]
        known = sorted((way for way in ways if way is not None), key=lambda way: way[1])
        if len(known) != self._channels or [way[1] for way in known] != list(range(self._channels)):
            return None
        if len(ways) != len(known) or len({way[0] for way in known}) != 1:
            return None
        order = tuple(place.affine.order[way[2]] for way in known)
        affine = Affine(order, np.array([way[3] for way in known]), np.array([way[4] for way in known]))
        return known[0][0], _Place(affine, _RANK - 1, place.resize)

    def _parts(self, frame: Frame, node: Any, index: int, place: _Place) -> dict[Tensor, int]:
        """Return the single channels that an operation takes out of the image, by the tensors that hold them."""
        if place.axis != _RANK - 1:
            return {}
        if node.op in ("Unpack", "Split"):
            axis = node.attr["axis"].i if node.op == "Unpack" else self._values.of(frame, node.input[0])
            count = node.attr["num" if node.op == "Unpack" else "num_split"].i
            whole = axis is not None and int(axis) % _RANK == place.axis and count == self._channels
            return {(node.name, number): number for number in range(count)} if whole else {}
        if node.op != "StridedSlice" or index:
            return {}
        begin, strides = (self._values.of(frame, node.input[place]) for place in (1, 3))
        last = 0 if begin is None or strides is None else len(begin) - 1
        masks = node.attr["begin_mask"].i & node.attr["end_mask"].i | node.attr["ellipsis_mask"].i
        alone = node.attr["shrink_axis_mask"].i == 2**last and not node.attr["new_axis_mask"].i
        # `x[..., k]` or `x[:, :, :, k]`.
        whole = (
            last > 0 and masks & (2**last - 1) == 2**last - 1 and (last == _RANK - 1 or node.attr["ellipsis_mask"].i)
        )
        return {(node.name, 0): int(begin[last]) % self._channels} if alone and whole else {}

    def _one_channel(
        self, frame: Frame, tensor: Tensor, channel: int, place: _Place
    ) -> tuple[str, int, int, float, float] | None:
        """Return where a channel is joined to the others: the node, the input's index, and the change so far."""
        scale, offset = float(place.affine.scale[channel]), float(place.affine.offset[channel])
        for _ in range(_MOST_STEPS):
            consumers = frame.consumers.get(tensor, [])
            if len(consumers) != 1:
                return None
            node, index = consumers[0]
            if node.op in ("Pack", "ConcatV2"):
                return node.name, index, channel, scale, offset
            value = self._values.of(frame, node.input[1 - index]) if node.op in _OF_ONE_CHANNEL else None
            if node.op not in _PASSING_ON:
                if value is None or np.size(value) != 1 or (index and node.op in ("Sub", "RealDiv")):
                    return None
                number = float(np.reshape(value, ()))
                scale, offset = _OF_ONE_CHANNEL[node.op](scale, offset, number)
            tensor = (node.name, 0)
        return None

    def _enter(self, frame: Frame, node: Any, index: int, function: Any, place: _Place) -> None:
        inputs = [name for name in node.input if not name.startswith("^")]
        names = [argument.name for argument in function.signature.input_arg]
        inside = Frame({inner.name: inner for inner in function.node_def}, caller=(frame, node.name))
        inside.arguments = {name: (frame, given) for name, given in zip(names, inputs, strict=False)}
        for number, output in enumerate(function.signature.output_arg):
            inside.returns.setdefault(tensor_of(function.ret[output.name]), []).append(number)
        self.follow(inside, (names[index], 0), place)

    def _after(self, frame: Frame, node: Any, index: int, place: _Place) -> _Place | None:
        """Return the state after an operation; None if the operation is a layer, which ends the walk."""
        if node.op in _PASSING_ON:
            return place
        if node.op in _RESIZES or node.op == "ScaleAndTranslate":
            return self._resized(frame, node, index, place)
        change = _CHANGES.get(node.op)
        return None if change is None else change(self, frame, node, index, place)

    def _resized(self, frame: Frame, node: Any, index: int, place: _Place) -> _Place | None:
        size = self._values.of(frame, node.input[1]) if index == 0 else None
        kernel = node.attr["kernel_type"].s.decode()
        name = _RESIZES.get(node.op) or _KERNELS.get(kernel)
        # TensorFlow 1 measured positions from the corners of pixels.
        if (
            size is None
            or name is None
            or not (node.op not in _RESIZES or name == "area" or _counts_from_centres(node))
        ):
            return None
        antialias = node.op not in _RESIZES and node.attr["antialias"].b
        return _Place(place.affine, place.axis, Resize(int(size[0]), int(size[1]), name, antialias))

    def _operand(self, frame: Frame, node: Any, index: int, axis: int) -> Array | None:
        """Return the other operand of a sum or product if it is a number for each channel: float64 [C]."""
        value = self._values.of(frame, node.input[1 - index])
        if value is None:
            return None
        value = np.asarray(value, np.float64)
        if value.size == 1:
            return np.full(self._channels, value.reshape(()))
        # Broadcasting counts axes from the last one.
        where = value.ndim - (_RANK - axis)
        if value.size != self._channels or where < 0 or value.shape[where] != self._channels:
            return None
        return value.reshape(-1)

    def multiplied(self, frame: Frame, node: Any, index: int, place: _Place) -> _Place | None:
        value = self._operand(frame, node, index, place.axis)
        divides = node.op in ("RealDiv", "Div", "DivNoNan")
        if value is None or (divides and (index == 1 or not np.all(value))):
            return None
        factor = 1 / value if divides else value
        return _moved(place, place.affine.scale * factor, place.affine.offset * factor)

    def added(self, frame: Frame, node: Any, index: int, place: _Place) -> _Place | None:
        axis = 3 if node.op == "BiasAdd" else place.axis
        value = self._operand(frame, node, index, axis)
        if value is None:
            return None
        scale, offset = place.affine.scale, place.affine.offset
        if node.op != "Sub":
            return _moved(place, scale, offset + value)
        return _moved(place, scale, offset - value) if index == 0 else _moved(place, -scale, value - offset)

    def normalized(self, frame: Frame, node: Any, index: int, place: _Place) -> _Place | None:
        """Return the state after a batch norm, with its stored averages and without its trained scale and offset."""
        mean, variance = (self._values.of(frame, name) for name in node.input[3:5])
        if index or node.attr["is_training"].b or mean is None or variance is None or place.axis != _RANK - 1:
            return None
        factor = 1 / np.sqrt(np.asarray(variance, np.float64) + node.attr["epsilon"].f)
        affine = place.affine
        return _moved(place, affine.scale * factor, (affine.offset - np.asarray(mean, np.float64)) * factor)

    def reversed(self, frame: Frame, node: Any, index: int, place: _Place) -> _Place | None:
        axes = self._values.of(frame, node.input[1]) if index == 0 else None
        if axes is None:
            return None
        turned = {int(axis) % _RANK for axis in np.atleast_1d(axes)}
        # Mirroring the image does not change the channels.
        return _reordered(place, slice(None, None, -1)) if place.axis in turned else place

    def sliced(self, frame: Frame, node: Any, index: int, place: _Place) -> _Place | None:
        """Return the state after `x[..., ::-1]`, by which Keras turns RGB into BGR."""
        strides = self._values.of(frame, node.input[3]) if index == 0 else None
        if strides is None or list(strides).count(-1) != 1 or set(map(int, strides)) - {1, -1}:
            return None
        where = list(strides).index(-1)
        ellipsis = node.attr["ellipsis_mask"].i
        axis = _RANK - (len(strides) - where) if ellipsis and ellipsis < 2**where else where
        masks = node.attr["begin_mask"].i & node.attr["end_mask"].i
        whole = all(masks & 2**n or ellipsis & 2**n for n in range(len(strides)))
        shrinks = node.attr["shrink_axis_mask"].i or node.attr["new_axis_mask"].i
        return _reordered(place, slice(None, None, -1)) if axis == place.axis and whole and not shrinks else None

    def gathered(self, frame: Frame, node: Any, index: int, place: _Place) -> _Place | None:
        which, axis = (self._values.of(frame, name) for name in node.input[1:3])
        if index or which is None or axis is None or int(axis) % _RANK != place.axis or np.ndim(which) != 1:
            return None
        return _reordered(place, [int(one) for one in which]) if len(which) == self._channels else None

    def transposed(self, frame: Frame, node: Any, index: int, place: _Place) -> _Place | None:
        axes = self._values.of(frame, node.input[1]) if index == 0 else None
        if axes is None or len(axes) != _RANK:
            return None
        return _Place(place.affine, [int(axis) for axis in axes].index(place.axis), place.resize)


def _identity(channels: int) -> Affine:
    return Affine(tuple(range(channels)), np.ones(channels), np.zeros(channels))


def _counts_from_centres(node: Any) -> bool:
    return bool(node.attr["half_pixel_centers"].b)


def _moved(place: _Place, scale: Array, offset: Array) -> _Place:
    return _Place(Affine(place.affine.order, scale, offset), place.axis, place.resize)


def _reordered(place: _Place, which: slice | list[int]) -> _Place:
    affine = place.affine
    order = tuple(int(one) for one in np.array(affine.order)[which])
    return _Place(Affine(order, affine.scale[which], affine.offset[which]), place.axis, place.resize)


def _equal(one: Affine, other: Affine) -> bool:
    return (
        one.order == other.order
        and np.allclose(one.scale, other.scale, rtol=1e-5)
        and np.allclose(one.offset, other.offset, rtol=1e-5, atol=1e-6)
    )


_CHANGES: dict[str, Callable[[_Walk, Frame, Any, int, _Place], _Place | None]] = {
    **dict.fromkeys(("Mul", "RealDiv", "Div", "DivNoNan"), _Walk.multiplied),
    **dict.fromkeys(("Add", "AddV2", "Sub", "BiasAdd"), _Walk.added),
    **dict.fromkeys(("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"), _Walk.normalized),
    "ReverseV2": _Walk.reversed,
    "StridedSlice": _Walk.sliced,
    "GatherV2": _Walk.gathered,
    "Transpose": _Walk.transposed,
}

_OF_ONE_CHANNEL: dict[str, Callable[[float, float, float], tuple[float, float]]] = {
    **dict.fromkeys(("Add", "AddV2"), lambda scale, offset, number: (scale, offset + number)),
    "Sub": lambda scale, offset, number: (scale, offset - number),
    "Mul": lambda scale, offset, number: (scale * number, offset * number),
    "RealDiv": lambda scale, offset, number: (scale / number, offset / number),
}
