"""Measure other clients and a load generator on the same request, beside hubserve's client.

    scripts/bench-peers
    .venv/bin/python benchmarks/peers.py

`scripts/bench-peers` makes an environment for each peer; a peer without one is reported as not measured. tritonclient
speaks another protocol, so it calls a server for that protocol, which also does nothing but answer.
tensorflow-serving-api is in `benchmarks/client.py`, with the budgets.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import client
import machine
import options
from client import IMAGES
from row import Figures, Row, ratios

GHZ = client.PEERS.parent / "bin" / "ghz"
PROTOS = Path(__file__).resolve().parent.parent / "client"
PROTO = """
syntax = "proto3";
package tensorflow.serving;
import "hubserve/wire/predict.proto";
service PredictionService {
  rpc Predict(hubserve.wire.PredictRequest) returns (hubserve.wire.PredictResponse);
}
"""
MISSING = "its environment does not exist: run scripts/bench-peers (it needs a package index, or Go and its modules)"
# Requests of 32 images in flight.
CONCURRENCY = 2


def main() -> None:
    parser = options.parser(__doc__, rounds=5, quick="one round")
    parser.add_argument("--part", nargs="+", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.part:
        client.answer(PARTS, arguments.part)
        return
    if arguments.quick:
        os.environ[client.QUICK] = "1"
    print(machine.described())
    figures = Figures("peers", command=machine.command())
    rounds = 1 if arguments.quick else arguments.rounds
    triton(figures, rounds)
    ghz(figures, rounds)
    if arguments.json:
        figures.write(arguments.json)


def triton(figures: Figures, rounds: int) -> None:
    what = "client CPU of a request of 32 JPEGs, 3.4 MB: tritonclient.grpc against hubserve"
    if not (client.PEERS / "tritonclient").exists():
        figures.add(Row(what, [], reason=f"tritonclient: {MISSING}"))
        return
    with client.serving("constant") as ours, client.serving("triton", program=__file__) as theirs:
        hubserve, other = client.interleaved(rounds, ["hubserve", ours], ["triton", theirs], program=__file__)
    figures.add(Row(what, client.ratios(other, hubserve, "cpu"), at_least=2))


def ghz(figures: Figures, rounds: int) -> None:
    """Run a load generator in Go, which encodes and reads nothing: the most that server and machine transfer."""
    what = f"images/s, {CONCURRENCY} requests in flight: client.classify against ghz, which resends constant bytes"
    if not GHZ.exists():
        figures.add(Row(what, [], reason=f"ghz: {MISSING}"))
        return
    ours, theirs = [], []
    with client.serving("constant") as target, tempfile.TemporaryDirectory() as folder:
        for _ in range(rounds):
            ours.append(client.part("classify", target, program=__file__)["rate"])
            theirs.append(_ghz(target, Path(folder)))
    figures.add(Row(what, ratios(ours, theirs)))


def _ghz(target: str, folder: Path) -> float:
    """Return the images a second."""
    from hubserve.wire.writer import predict_request, strings

    (folder / "service.proto").write_text(PROTO, encoding="utf-8")
    (folder / "request").write_bytes(predict_request(b"", {"image_bytes": strings(IMAGES)}))
    command = [str(GHZ), "--insecure", "--proto", str(folder / "service.proto"), "--import-paths", f"{folder},{PROTOS}"]
    command += ["--call", "tensorflow.serving.PredictionService/Predict", "--binary-file", str(folder / "request")]
    command += ["--total", str(client.REQUESTS), "--concurrency", str(CONCURRENCY), "--format", "json", target]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert set(found["statusCodeDistribution"]) == {"OK"}, found["errorDistribution"]  # noqa: S101
    rate: float = found["rps"] * len(IMAGES)
    return rate


def serve_triton() -> None:
    """Serve the KServe protocol, version 2, which Triton speaks: the same labels and scores each time."""
    from tritonclient.grpc import service_pb2

    response = service_pb2.ModelInferResponse(model_name="m", model_version="1")
    labels = b"".join(len(label).to_bytes(4, "little") + label for label in [b"class 0"] * len(IMAGES) * 5)
    for name, dtype, content in (("labels", "BYTES", labels), ("scores", "FP32", bytes(len(IMAGES) * 5 * 4))):
        response.outputs.add(name=name, datatype=dtype, shape=[len(IMAGES), 5])
        response.raw_output_contents.append(content)
    data = response.SerializeToString()
    client.serve(lambda *_: data, "inference.GRPCInferenceService", "ModelInfer")


def part_triton(target: str) -> dict[str, float]:
    import numpy as np
    from tritonclient.grpc import InferenceServerClient, InferInput

    with InferenceServerClient(target) as server:

        def request() -> None:
            image_bytes = InferInput("image_bytes", [len(IMAGES)], "BYTES")
            image_bytes.set_data_from_numpy(np.array(IMAGES, dtype=object))
            answer = server.infer("m", [image_bytes])
            [answer.as_numpy(name) for name in ("labels", "scores")]

        return client.measured(request)


PARTS: dict[str, Callable[..., Any]] = {
    "hubserve": client.part_hubserve,
    "classify": client.part_classify,
    "triton": part_triton,
    "serve-triton": serve_triton,
}

if __name__ == "__main__":
    main()
