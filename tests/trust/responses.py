"""Seeded hostile answers of a server: `hostile_response(seed, number)` is always the same bytes."""

import struct

from hubserve.wire import tensor_pb2
from hubserve.wire.predict_pb2 import PredictResponse
from hubserve.wire.tensor_pb2 import TensorProto
from trust.mutations import EDGES, Chance, mutate

ROWS, CLASSES = 2, 3
_NAMES = ("status", "class_ids", "labels", "scores")
_FIELDS = ("int_val", "int64_val", "float_val", "double_val", "half_val", "string_val", "bool_val")


def right_response(chance: Chance) -> PredictResponse:
    """An answer as a model directory gives it, its numbers as values or as packed bytes."""
    response = PredictResponse()
    response.model_spec.name, response.model_spec.version.value = "m", 3
    numbers = [chance.randrange(1000) for _ in range(ROWS * CLASSES)]
    scores = [chance.random() for _ in numbers]
    packed = chance.random() < 0.5
    for name, dtype, shape in (
        ("status", tensor_pb2.DT_INT32, (ROWS,)),
        ("class_ids", tensor_pb2.DT_INT32, (ROWS, CLASSES)),
        ("labels", tensor_pb2.DT_STRING, (ROWS, CLASSES)),
        ("scores", tensor_pb2.DT_FLOAT, (ROWS, CLASSES)),
    ):
        tensor = response.outputs[name]
        tensor.dtype = dtype
        for size in shape:
            tensor.tensor_shape.dim.add(size=size)
        match name:
            case "status":
                tensor.int_val.extend([0] * ROWS)
            case "labels":
                tensor.string_val.extend(b"label %d" % number for number in numbers)
            case "class_ids" if packed:
                tensor.tensor_content = struct.pack(f"<{len(numbers)}i", *numbers)
            case "class_ids":
                tensor.int_val.extend(numbers)
            case _ if packed:
                tensor.tensor_content = struct.pack(f"<{len(scores)}f", *scores)
            case _:
                tensor.float_val.extend(scores)
    return response


def hostile_response(seed: int, number: int) -> tuple[str, bytes]:
    """The name of the strategy, and the message."""
    chance = Chance(f"{seed}/{number}")
    response = right_response(chance)
    strategy = chance.choice(["bytes", "bytes", "fields", "fields", "noise", "untouched"])
    if strategy == "noise":
        return strategy, chance.randbytes(chance.randrange(300))
    if strategy == "fields":
        for _ in range(chance.randint(1, 3)):
            _change(chance, response)
    data = response.SerializeToString(deterministic=True)
    return strategy, mutate(chance, data) if strategy == "bytes" else data


def _change(chance: Chance, response: PredictResponse) -> None:
    """One thing about one output."""
    name = chance.choice(_NAMES)
    tensor: TensorProto = response.outputs[name]
    match chance.randrange(9):
        case 0:
            del response.outputs[name]
        case 1:
            response.outputs[chance.choice([*_NAMES, "", "other"])].CopyFrom(tensor)
        case 2:
            tensor.dtype = chance.choice([*range(30), 101, 115, 10_000])
        case 3 if tensor.tensor_shape.dim:
            dim = chance.choice(tensor.tensor_shape.dim)
            dim.size = chance.choice([*EDGES, -(2**63), 2**62, 4, 6])
        case 4:
            tensor.tensor_shape.dim.add(size=chance.choice([0, 1, 2**40]))
        case 5 if tensor.tensor_shape.dim:
            del tensor.tensor_shape.dim[-1]
        case 6:
            tensor.tensor_shape.unknown_rank = True
        case 7:
            tensor.tensor_content = chance.randbytes(chance.choice([1, 7, 8, 24, 48, 1000]))
        case _:
            field = chance.choice(_FIELDS)
            values = getattr(tensor, field)
            if len(values) and chance.random() < 0.5:
                del values[chance.randrange(len(values)) :]
            elif field == "string_val":
                values.extend([b"\xff\x00", b""] * chance.randint(1, 4))
            else:
                values.extend([chance.choice([0, 1])] * chance.randint(1, 8))
