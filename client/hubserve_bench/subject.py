"""Prepare what is measured: read the model's metadata, make requests, and try each kind once."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from hubserve import MalformedAnswer
from hubserve.internals import ClientSettings, ModelServer
from hubserve.wire.codec import METADATA, PREDICT, STATUS, Requests, parse
from hubserve.wire.metadata_pb2 import GetModelMetadataResponse
from hubserve.wire.model_info import read_metadata
from hubserve.wire.predict_pb2 import PredictResponse
from hubserve.wire.tensors import read_values
from hubserve_cli.bulk.sources import Image

from . import inputs

_TRIPS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """The user's wishes about the requests: a signature, open sizes, image files and their origin."""

    signature: str | None
    shapes: Sequence[str]
    images: Iterable[Image] | None
    images_from: str
    batch_sizes: Sequence[int]
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A model that answers, and the requests for it.

    Attributes:
        server: Target, model, version, signature and the time of an empty call, for the report.
        inputs: The content of each input.
        images: The number, size and origin of the images; None: the model does not take images.
        rows: The name of a row of a batch.
        payloads: Requests by batch size.
        remarks: What the user should know about the requests.
    """

    server: dict[str, Any]
    inputs: list[dict[str, Any]]
    images: dict[str, Any] | None
    rows: str
    payloads: dict[int, list[bytes]]
    remarks: list[str]


def prepare(server: ModelServer, settings: ClientSettings, wish: Wish) -> Subject:
    """Ask for the metadata, make requests, and send one of each batch size, so that a wrong one fails now.

    Raises:
        UsageError: The model cannot be called like this.
        CallError: The server does not answer, or refuses a request.
        MalformedAnswer: The answer is not valid.
    """
    requests = Requests(settings.model, settings.version, settings.version_label)
    metadata = read_metadata(
        parse(GetModelMetadataResponse, server.start(METADATA, requests.metadata(), settings.timeout).result())
    )
    name, signature = inputs.choose_signature(metadata, wish.signature)
    shapes = inputs.parse_shapes(wish.shapes, signature)
    planned = inputs.plan(signature, shapes, images_given=wish.images is not None)
    inputs.check_batch_sizes(planned, wish.batch_sizes)
    images = inputs.photographs(wish.images)
    payloads = inputs.payloads(planned, images, wish.batch_sizes, requests, name, wish.seed)
    first: dict[str, float] = {}
    remarks: list[str] = []
    version = metadata.version
    for size, made in payloads.items():
        started = time.perf_counter()
        answer = parse(PredictResponse, server.start(PREDICT, made[0], settings.timeout).result())
        first[str(size)] = 1000 * (time.perf_counter() - started)
        version = answer.model_spec.version.value or version
        if (bad := _not_decoded(answer)) and not remarks:
            remarks.append(f"the model could not decode {bad} of the first {size} images, which makes it faster")
    trips = [_round_trip(server, requests, settings.timeout) for _ in range(_TRIPS)]
    takes_images = any(one.values == "photographs" for one in planned)
    return Subject(
        server={
            "target": settings.target_in_words(),
            "model": settings.model,
            "version": version,
            "signature": name,
            "round_trip_ms": {
                "rpc": "GetModelStatus",
                "calls": _TRIPS,
                "min": min(trips),
                "median": statistics.median(trips),
            },
            "first_answer_ms": first,
        },
        inputs=[{"name": i.name, "dtype": i.dtype, "shape": list(i.shape), "values": i.values} for i in planned],
        images={
            "from": wish.images_from,
            "count": len(images),
            "total_bytes": sum(map(len, images)),
            "mean_bytes": sum(map(len, images)) / len(images),
        }
        if takes_images
        else None,
        rows="images" if takes_images else "rows",
        payloads=payloads,
        remarks=remarks,
    )


def _round_trip(server: ModelServer, requests: Requests, timeout: float | None) -> float:
    """Return the milliseconds of a call that takes the server hardly any work."""
    started = time.perf_counter()
    server.start(STATUS, requests.status(), timeout).result()
    return 1000 * (time.perf_counter() - started)


def _not_decoded(answer: PredictResponse) -> int:
    """Return how many images the model could not decode, if it reports that (exports of hubserve do)."""
    if "status" not in answer.outputs:
        return 0
    try:
        return sum(value != 0 for value in read_values(answer.outputs["status"]))
    except MalformedAnswer:
        return 0
