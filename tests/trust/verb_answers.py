"""Seeded hostile answers to every verb: `hostile_answer(seed, number)` is always the same verb and bytes."""

from dataclasses import dataclass

from hubserve.wire import tensor_pb2
from hubserve.wire.metadata_pb2 import GetModelMetadataResponse, SignatureDefMap
from hubserve.wire.predict_pb2 import PredictResponse
from hubserve.wire.status_pb2 import GetModelStatusResponse
from trust.mutations import EDGES, Chance, mutate
from trust.responses import ROWS, hostile_response

VERBS = (
    "predict",
    "predict of no rows",
    "features",
    "classify",
    "classify_batcher",
    "features_batcher",
    "metadata",
    "status",
)
_TYPES = {
    tensor_pb2.DT_FLOAT: "float_val",
    tensor_pb2.DT_DOUBLE: "double_val",
    tensor_pb2.DT_HALF: "half_val",
    tensor_pb2.DT_BFLOAT16: "half_val",
    tensor_pb2.DT_INT8: "int_val",
    tensor_pb2.DT_UINT8: "int_val",
    tensor_pb2.DT_INT64: "int64_val",
    tensor_pb2.DT_UINT64: "uint64_val",
    tensor_pb2.DT_BOOL: "bool_val",
    tensor_pb2.DT_STRING: "string_val",
    tensor_pb2.DT_COMPLEX64: "scomplex_val",
}
_SIZES = (*EDGES, -(2**63), 2**62, 2**40, 4, 5, 6)


@dataclass(frozen=True)
class HostileAnswer:
    """Hold what a verb is answered with; `shell`: by which client."""

    verb: str
    shell: str
    data: bytes


def hostile_answer(seed: int, number: int) -> HostileAnswer:
    """One answer."""
    chance = Chance(f"verbs {seed}/{number}")
    verb, shell = chance.choice(VERBS), chance.choice(["threads", "asyncio"])
    if verb.startswith("classify"):
        return HostileAnswer(verb, shell, hostile_response(seed, number)[1])
    match verb:
        case "predict":
            message = _outputs(chance)
        case "metadata" | "predict of no rows":
            message = _metadata(chance)
        case "status":
            message = _status(chance)
        case _:
            message = _vectors(chance)
    data = message.SerializeToString(deterministic=True)
    if chance.random() < 0.1:
        data = chance.randbytes(chance.randrange(300))
    return HostileAnswer(verb, shell, mutate(chance, data) if chance.random() < 0.4 else data)


def _tensor(chance: Chance, tensor, dtype: int, shape: list[int]) -> None:
    """As a server writes it, or with one thing changed."""
    tensor.dtype = dtype
    size = 1
    for each in shape:
        size *= each
    for each in shape:
        tensor.tensor_shape.dim.add(size=each)
    field = _TYPES[dtype]
    values = getattr(tensor, field)
    count = size * (2 if dtype == tensor_pb2.DT_COMPLEX64 else 1)
    values.extend([b"\xffx"] * count if field == "string_val" else [chance.randrange(2) for _ in range(count)])
    match chance.randrange(12):
        case 0:
            chance.choice([*tensor.tensor_shape.dim, tensor.tensor_shape.dim.add()]).size = chance.choice(_SIZES)
        case 1:
            del values[chance.randrange(len(values) + 1) :]
        case 2:
            tensor.dtype = chance.choice([*range(30), 101, 10_000])
        case 3:
            tensor.tensor_content = chance.randbytes(chance.choice([1, 8, 24, 1000])) + b"\xff" * chance.choice([0, 64])
        case 4:
            tensor.tensor_shape.unknown_rank = True
        case 5:
            for _ in range(chance.choice([1, 3, 33, 65, 300])):
                tensor.tensor_shape.dim.add(size=chance.choice([0, 1, 1, 2]))


def _outputs(chance: Chance) -> PredictResponse:
    response = PredictResponse()
    for name in "abc"[: chance.randint(1, 3)]:
        shape = [chance.randrange(4) for _ in range(chance.randrange(4))]
        _tensor(chance, response.outputs[name], chance.choice([*_TYPES]), shape)
    return response


def _vectors(chance: Chance) -> PredictResponse:
    response = PredictResponse()
    response.model_spec.version.value = 3
    _tensor(chance, response.outputs["status"], tensor_pb2.DT_INT64, [ROWS])
    dtype = chance.choice([tensor_pb2.DT_FLOAT, tensor_pb2.DT_HALF, tensor_pb2.DT_BFLOAT16, tensor_pb2.DT_INT64])
    _tensor(chance, response.outputs["feature_vector"], dtype, [ROWS, 3])
    return response


def _metadata(chance: Chance) -> GetModelMetadataResponse:
    signatures = SignatureDefMap()
    for name in ("serving_default", "images"):
        signature = signatures.signature_def[name]
        for side in (signature.inputs, signature.outputs):
            info = side[chance.choice(["images", "x", ""])]
            info.dtype = chance.choice([1, 1, 7, 14, *range(30), 10_000])
            for _ in range(chance.choice([0, 1, 2, 4, 70])):
                info.tensor_shape.dim.add(size=chance.choice([-1, -1, 3, 224, *_SIZES]))
            info.tensor_shape.unknown_rank = chance.random() < 0.1
    response = GetModelMetadataResponse()
    response.model_spec.name = "m"
    inner = signatures.SerializeToString(deterministic=True)
    key = chance.choice(["signature_def"] * 5 + ["", "other"])
    response.metadata[key].value = mutate(chance, inner) if chance.random() < 0.4 else inner
    return response


def _status(chance: Chance) -> GetModelStatusResponse:
    response = GetModelStatusResponse()
    for _ in range(chance.choice([0, 1, 3, 1000])):
        status = response.model_version_status.add(version=chance.choice([0, 1, -1, 2**63 - 1, -(2**63)]))
        status.state = chance.choice([0, 10, 20, 30, 40, 50, -1, 2**31 - 1])
        status.status.error_code = chance.choice([0, 3, 99])
        status.status.error_message = chance.choice(["", "a reason", "\x1b[2J\0", "x" * 5000])
    return response
