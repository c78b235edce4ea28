"""Make inputs for a model from its metadata."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np

from hubserve import ImageLike, ModelMetadata, Signature, TensorSpec, UsageError
from hubserve.internals import MESSAGE_BYTES, encode
from hubserve.wire.arrays import as_array, to_chunks
from hubserve.wire.codec import Requests
from hubserve.wire.tensor_pb2 import DT_BFLOAT16
from hubserve.wire.writer import Chunks, block, strings
from hubserve_cli.bulk.sources import Image

# A JPEG of 451 x 300 pixels: scikit-image's photograph of the cat Chelsea, by Stefan van der Walt, CC0.
_PHOTOGRAPH = Path(__file__).with_name("photograph.jpg")
# The number of different requests of random numbers, and the most bytes of all requests of a size.
_DIFFERENT = 4
_MOST_BYTES = 256 * 2**20
# TF Serving's own RPCs for these signatures take tf.Example, whose content the metadata do not describe.
_OF_EXAMPLES = ("/classify", "/regress")
# The approximate bytes of one value; a photograph has at least this many.
_BYTES_OF = {"photographs": 128, "words": 40, "random numbers from 0 to 255": 1, "random truth values": 1}
_WORDS = ("the", "cat", "sat", "on", "a", "mat", "and", "looked", "at", "dog", "who", "slept", "by", "fire")

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Input:
    """An input that can be made: `Input("image_bytes", "string", (None,), "photographs")`.

    Attributes:
        name: The input's name.
        dtype: The input's type, as in `TensorSpec`.
        shape: The input's shape; None stands for the size of the batch.
        values: The values that fill it, in words.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...]
    values: str


def photographs(found: Iterable[Image] | None) -> list[bytes]:
    """Read images, up to 256 MiB of them; without `found`, the photograph that comes with the command.

    Raises:
        UsageError: An image cannot be read.
    """
    if found is None:
        return [_PHOTOGRAPH.read_bytes()]
    images: list[bytes] = []
    room = _MOST_BYTES
    for index, one in enumerate(found):
        image = encode(index, cast(ImageLike, one))
        if image.error is not None:
            raise UsageError(f"{image.error}") from image.error
        room -= len(image.data)
        if images and room < 0:
            break
        images.append(image.data)
    return images


def choose_signature(metadata: ModelMetadata, wanted: str | None) -> tuple[str, Signature]:
    """Return the signature to call: the wanted one, `serving_default`, or the only one.

    Raises:
        UsageError: There is no such signature, or its inputs cannot be made from the metadata.
    """
    there = ", ".join(metadata.signatures) or "none"
    name = wanted or ("serving_default" if len(metadata.signatures) != 1 else next(iter(metadata.signatures)))
    if name not in metadata.signatures:
        raise UsageError(
            f"model {metadata.name} does not have a signature {name}: choose one with --signature ({there})"
        )
    if _takes_examples(metadata.signatures[name]):
        raise UsageError(
            f"signature {name} takes serialized tf.Example, which cannot be made from its metadata: choose another "
            f"with --signature ({there})"
        )
    return name, metadata.signatures[name]


def _takes_examples(signature: Signature) -> bool:
    # TensorFlow 2 writes every signature as one for Predict; signatures for Classify are known by TF Serving's names.
    for_classify = signature.inputs.keys() == {"inputs"} and {"classes", "scores"} >= signature.outputs.keys() != set()
    return signature.method_name.endswith(_OF_EXAMPLES) or for_classify


def parse_shapes(given: Sequence[str], signature: Signature) -> dict[str, Shape]:
    """Read `INPUT=224,224,3`, or `224,224,3` if there is one input: the sizes after the batch's.

    Raises:
        UsageError: The text cannot be read, or there is no such input.
    """
    shapes = {}
    for text in given:
        name, separator, sizes = text.rpartition("=")
        if not separator and len(signature.inputs) == 1:
            name = next(iter(signature.inputs))
        if name not in signature.inputs:
            raise UsageError(
                f"--shape {text} does not name an input: write INPUT=SIZES, with {', '.join(signature.inputs)}"
            )
        if not all(size.isdecimal() and int(size) > 0 for size in sizes.split(",") if sizes):
            raise UsageError(
                f"--shape {text} is not a shape: write the sizes after the batch's, such as {name}=224,224,3"
            )
        shapes[name] = tuple(int(size) for size in sizes.split(",") if size)
    return shapes


def plan(signature: Signature, shapes: Mapping[str, Shape], *, images_given: bool) -> list[Input]:
    """Plan the content of each input.

    Args:
        signature: The signature, as the server describes it.
        shapes: The sizes after the batch's, for inputs that leave sizes open.
        images_given: Whether the user gave image files, which then fill string inputs.

    Raises:
        UsageError: An open size is not given, a given size contradicts the model's, or no input takes the images.
    """
    inputs = [
        Input(name, spec.dtype, _whole_shape(name, spec, shapes.get(name)), _values(name, spec, images_given))
        for name, spec in signature.inputs.items()
    ]
    if images_given and not any(planned.values == "photographs" for planned in inputs):
        raise UsageError("--images is for models that take image files, and this signature does not take strings")
    return inputs


def check_batch_sizes(inputs: Sequence[Input], sizes: Sequence[int]) -> None:
    """Refuse batch sizes that the model cannot take.

    Raises:
        UsageError: An input has a fixed first size.
    """
    for planned in inputs:
        if planned.shape and planned.shape[0] is not None and set(sizes) != {planned.shape[0]}:
            raise UsageError(
                f"input {planned.name} takes batches of {planned.shape[0]}: --batch-size {planned.shape[0]}"
            )


def payloads(
    inputs: Sequence[Input],
    images: Sequence[bytes],
    batch_sizes: Sequence[int],
    requests: Requests,
    signature: str,
    seed: int,
) -> dict[int, list[bytes]]:
    """Return the requests to send in turn, by batch size: each image is in one of them, and some differ.

    They take at most 256 MiB, unless a single request is larger than its share.
    """
    room = _MOST_BYTES // len(batch_sizes)
    return {size: _payloads(inputs, images, size, requests, signature, seed, room) for size in batch_sizes}


def _payloads(
    inputs: Sequence[Input],
    images: Sequence[bytes],
    batch_size: int,
    requests: Requests,
    signature: str,
    seed: int,
    room: int,
) -> list[bytes]:
    draw = np.random.default_rng(seed)
    made: list[bytes] = []
    wanted = max(math.ceil(len(images) / batch_size), _DIFFERENT)
    size = 0
    while not made or (len(made) < wanted and size + len(made[-1]) <= room):
        first = len(made) * batch_size
        tensors = {planned.name: _tensor(planned, images, first, batch_size, draw) for planned in inputs}
        made.append(requests.predict(tensors, signature, None))
        size += len(made[-1])
    return made


def _whole_shape(name: str, spec: TensorSpec, given: Shape | None) -> tuple[int | None, ...]:
    if spec.shape is None:
        if given is None:
            raise UsageError(
                f"the metadata do not give the shape of input {name}: give its sizes, --shape {name}=224,224,3"
            )
        return (None, *given)
    batch, own = spec.shape[:1], spec.shape[1:]
    if given is None and None in own:
        example = ",".join("SIZE" if size is None else str(size) for size in own)
        raise UsageError(
            f"input {name} leaves sizes open, {_in_words(spec.shape)}: give them, --shape {name}={example}"
        )
    if given is None:
        return spec.shape
    if len(given) != len(own) or any(size not in (None, chosen) for size, chosen in zip(own, given, strict=True)):
        raise UsageError(f"--shape {name}={','.join(map(str, given))} does not fit the model's {_in_words(spec.shape)}")
    return (*batch, *given)


def _in_words(shape: tuple[int | None, ...]) -> str:
    return f"[{', '.join('?' if size is None else str(size) for size in shape)}]"


def _values(name: str, spec: TensorSpec, images_given: bool) -> str:
    if spec.dtype == "string":
        # By TF Serving's convention, the name of an input for binary strings ends like this.
        if images_given or name.endswith("_bytes") or "image" in name or "jpeg" in name:
            return "photographs"
        return "words"
    if spec.dtype == "bool":
        return "random truth values" if spec.shape else "false"
    if spec.dtype == "uint8":
        return "random numbers from 0 to 255"
    if spec.dtype.startswith(("int", "uint")):
        # Of all numbers, 0 and 1 are valid as an index in most models, and as a mask.
        return "random numbers 0 and 1"
    return "random numbers from 0 to 1"


def _tensor(planned: Input, images: Sequence[bytes], first: int, batch_size: int, draw: np.random.Generator) -> Chunks:
    shape = tuple(batch_size if size is None else size for size in planned.shape)
    count = math.prod(shape)
    if count * _BYTES_OF.get(planned.values, 8) >= MESSAGE_BYTES:
        raise UsageError(
            f"input {planned.name} of shape {_in_words(shape)} is more than a message can hold (2 GiB): measure "
            "smaller batches, or look at the model's signature"
        )
    if planned.values == "photographs":
        return strings([images[(first + number) % len(images)] for number in range(count)], shape)
    if planned.values == "words":
        return strings([" ".join(draw.choice(_WORDS, 8)).encode() for _ in range(count)], shape)
    if planned.dtype == "bfloat16":
        # The upper half of a float32; numpy does not have this type.
        upper = (draw.random(shape, np.float32).view(np.uint32) >> 16).astype("<u2")
        return block(DT_BFLOAT16, shape, upper.reshape(-1).view(np.uint8).data)
    return to_chunks(as_array(planned.name, _numbers(planned, shape, draw)))


def _numbers(
    planned: Input, shape: Shape, draw: np.random.Generator
) -> np.ndarray[tuple[int, ...], np.dtype[np.generic]]:
    if planned.values == "false":
        return np.zeros(shape, bool)
    if planned.dtype == "uint8":
        return draw.integers(0, 256, shape, np.uint8)
    if planned.dtype == "bool" or planned.dtype.startswith(("int", "uint")):
        return draw.integers(0, 2, shape).astype(planned.dtype)
    try:
        dtype = np.dtype(planned.dtype)
    except TypeError as error:
        raise UsageError(f"input {planned.name} is of type {planned.dtype}, which cannot be made") from error
    return draw.random(shape, np.float32).astype(dtype)
