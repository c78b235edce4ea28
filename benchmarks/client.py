"""Measure what the client costs: import, processor time per request, throughput, memory, "auto" concurrency.

    .venv/bin/python benchmarks/client.py

Each figure is a ratio between things measured in turn in one run, each in a fresh process, against a server in another
process. Printed are medians, with the middle half. `--rounds` sets how often.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import machine
import options
from row import Figures, Plot, Row
from row import ratios as divided

PREDICT = "/tensorflow.serving.PredictionService/Predict"
# 32 photographs of the size of a camera's thumbnail, 3.4 MB: random, because JPEG data cannot be compressed either.
IMAGES = [os.urandom(108_000) for _ in range(32)]
PEERS = Path(__file__).resolve().parent.parent / ".bench" / "peers"
# The environments that scripts/bench-peers makes, by the part that runs in them.
ENVIRONMENTS = {"tensorflow": "tensorflow-serving-api", "triton": "tritonclient", "serve-triton": "tritonclient"}
# Set by --quick, also for child processes.
QUICK = "HUBSERVE_BENCH_QUICK"
REQUESTS = 25 if QUICK in os.environ else 150
WINDOWS = (1, 2, 4, 8, 16)
PIECES = {"write": "writing it", "read": "reading its answer", "all": "all of the client's part, including these"}
MODULES = (
    "about 60 modules of hubserve are read, each for a millisecond or less, and their dataclasses are made (`python "
    "-X importtime -c 'import hubserve'`); other libraries add a fifth of that. Tried: NumPy and Pillow only where "
    "they are needed (kept)"
)
ONE_COPY = (
    "gRPC takes one block of bytes, so the images are copied into it once ('joining the bytes again' is only that); "
    "the rest is Python code that tracks 32 images and makes their results, in caches that megabytes of images have "
    "emptied. Tried: reusing one block (gRPC takes only bytes), fewer and simpler objects for each image"
)
# In batches of 4. "auto" takes some tens of requests to settle, and the figures include them.
IMAGES_IN_RUN = 2400


def main() -> None:
    parser = options.parser(__doc__, rounds=5, quick="one round, and no windows")
    parser.add_argument("--part", nargs="+", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.part:
        answer(PARTS, arguments.part)
        return
    if arguments.quick:
        os.environ[QUICK] = "1"
    print(machine.described())
    figures = Figures("client", command=machine.command())
    rounds = 1 if arguments.quick else arguments.rounds
    imports(figures, rounds)
    with serving("constant") as target:
        requests(figures, target, rounds)
        memory(figures, target, max(rounds // 2, 1))
    if not arguments.quick:
        windows(figures, max(rounds // 3, 1))
    if arguments.json:
        figures.write(arguments.json)


def imports(figures: Figures, rounds: int) -> None:
    ours, bare = interleaved(rounds, ["import", "hubserve"], ["import", "grpc", "google.protobuf.wrappers_pb2"])
    what = "import hubserve against grpc and one protobuf message, processor time"
    figures.add(Row(what, ratios(ours, bare, "seconds"), at_most=1.3, reason=MODULES))
    megabytes = [figure["megabytes"] for figure in ours]
    figures.add(Row("import hubserve, peak memory", megabytes, unit="MB", at_most=40))


def requests(figures: Figures, target: str, rounds: int) -> None:
    parts = ["constant", "joined", "hubserve", "tensorflow", "loop", "classify", "pieces"]
    constant, joined, ours, theirs, loop, classify, pieces = interleaved(rounds, *([part, target] for part in parts))
    request = "client CPU of a request of 32 JPEGs, 3.4 MB"
    against = f"{request}, against resending constant bytes"
    figures.add(Row(against, ratios(ours, constant, "cpu"), at_most=2, reason=ONE_COPY))
    what = f"{request}, joining the bytes again for each against resending them: the least that a client can do"
    figures.add(Row(what, ratios(joined, constant, "cpu")))
    what = f"{request}, tensorflow-serving-api with make_tensor_proto against hubserve"
    reason = (
        "most of what is left to hubserve is sending the bytes over the channel, which is the same for both; the peer "
        "costs more where glibc returns its blocks to the system between requests"
    )
    figures.add(Row(what, ratios(theirs, ours, "cpu"), at_least=2, reason=reason))
    milliseconds = [figure["cpu"] * 1000 for figure in constant]
    figures.add(Row(f"{request}, constant bytes: the floor", milliseconds, unit="ms"))
    for piece, what in PIECES.items():
        figures.add(Row(f"{request}, {what}", [figure[piece] * 1000 for figure in pieces], unit="ms"))
    what = f"client.classify over {REQUESTS * 32} images, two requests in flight, against a hand-written loop"
    figures.add(Row(what, ratios(classify, loop, "rate"), at_least=0.9))


def memory(figures: Figures, target: str, rounds: int) -> None:
    few, many = interleaved(rounds, ["memory", target, "3200"], ["memory", target, "32000"])
    what = "client.classify, peak memory, 32,000 images against 3,200"
    figures.add(Row(what, ratios(many, few, "megabytes"), at_most=1.1))


def windows(figures: Figures, rounds: int) -> None:
    for workers, room in ((1, None), (4, None), (4, 6)):
        with serving("busy", str(workers), "0.02", "4", *([str(room)] if room else [])) as target:
            found = interleaved(rounds, *(["window", target, str(size)] for size in ("auto", *WINDOWS)))
        # A window at which the server refuses requests loses images, and cannot be chosen.
        fixed_windows = [[f for f in fixed if not f["lost"]] for fixed in zip(*found[1:], strict=True)]
        best = [max(fixed, key=lambda figure: figure["rate"]) for fixed in fixed_windows]
        near = [
            next(figure for figure in fixed if figure["rate"] >= 0.95 * top["rate"])
            for fixed, top in zip(fixed_windows, best, strict=True)
        ]
        kind = f"a server of {workers} times 20 ms" + (f" that refuses more than {room} at once" if room else "")
        auto = f'concurrency "auto", {kind}'
        figures.add(
            Row(f"{auto}, throughput against the best fixed window", ratios(found[0], best, "rate"), at_least=0.95)
        )
        if room:
            what = f"{auto}, requests refused, of those answered"
            figures.add(Row(what, [figure["refused"] * 100 for figure in found[0]], unit="%", at_most=5))
        latency = ratios(found[0], near, "latency")
        figures.add(Row(f"{auto}, latency against the smallest window with that throughput", latency))
        lines = [
            (size, statistics.median(f["rate"] for f in rates))
            for size, rates in zip(WINDOWS, found[1:], strict=True)
            if not any(f["lost"] for f in rates)
        ]
        figures.plots.append(Plot(kind, "requests in flight", "images/s", {"fixed": lines}))


def interleaved(rounds: int, *parts: list[str], program: str = __file__) -> list[list[dict[str, float]]]:
    """Run each part in a process of its own, in turn, `rounds` times; return the figures by part."""
    figures: list[list[dict[str, float]]] = [[] for _ in parts]
    for _ in range(rounds):
        for collected, words in zip(figures, parts, strict=True):
            collected.append(part(*words, program=program))
    return figures


def part(*words: str, program: str = __file__) -> dict[str, float]:
    """Run a part of a program in a process of its own, and return its figures."""
    command = [peer(words[0]), program, "--part", *words]
    # As users run it: with the allocator's own settings.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr  # noqa: S101
    found: dict[str, float] = json.loads(done.stdout)
    return found


def peer(part: str) -> str:
    """Return the Python for a part: of its environment by scripts/bench-peers, or this one."""
    python = PEERS / ENVIRONMENTS.get(part, "") / "bin" / "python"
    return str(python) if part in ENVIRONMENTS and python.exists() else sys.executable


def answer(parts: Mapping[str, Callable[..., Any]], words: Sequence[str]) -> None:
    """Run a part in this process, and print its figures."""
    name, *rest = words
    print(json.dumps(parts[name](*rest)))


def ratios(one: list[dict[str, float]], other: list[dict[str, float]], key: str) -> list[float]:
    return divided([figure[key] for figure in one], [figure[key] for figure in other])


@dataclass(frozen=True)
class Started:
    """A server in a process of its own."""

    target: str
    pid: int


@contextmanager
def started(part: str, *arguments: str, program: str = __file__) -> Iterator[Started]:
    name = f"serve-{part}"
    command = [peer(name), program, "--part", name, *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None  # noqa: S101
        try:
            yield Started(process.stdout.readline().strip(), process.pid)
        finally:
            process.terminate()


@contextmanager
def serving(part: str, *arguments: str, program: str = __file__) -> Iterator[str]:
    with started(part, *arguments, program=program) as server:
        yield server.target


def serve(
    answer: Callable[[bytes, Any], bytes],
    service: str = "tensorflow.serving.PredictionService",
    method: str = "Predict",
) -> None:
    import grpc

    server = grpc.server(ThreadPoolExecutor(32), options=[("grpc.max_receive_message_length", -1)])
    handler = grpc.method_handlers_generic_handler(service, {method: grpc.unary_unary_rpc_method_handler(answer)})
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(f"127.0.0.1:{port}", flush=True)
    sys.stdin.read()


def serve_constant(rows: str = "32") -> None:
    data = response(int(rows))
    serve(lambda *_: data)


def serve_busy(workers: str, seconds: str = "0.02", rows: str = "4", room: str = "1000") -> None:
    import grpc

    working, taken = threading.Semaphore(int(workers)), threading.Semaphore(int(room))
    data = response(int(rows))

    def answer(_: bytes, context: Any) -> bytes:
        if not taken.acquire(blocking=False):
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "Server Threadpool Exhausted")
        try:
            with working:
                time.sleep(float(seconds))
        finally:
            taken.release()
        return data

    serve(answer)


def response(rows: int) -> bytes:
    from hubserve.testing._messages import classified

    classes = {f"class {number}": 0.2 for number in range(5)}
    return classified([b""] * rows, lambda _: classes).SerializeToString()


def part_import(*modules: str) -> dict[str, float]:
    statement = "; ".join(f"import {module}" for module in modules)
    program = f"{statement}\nimport resource\nused = resource.getrusage(resource.RUSAGE_SELF)\n"
    program += "print(used.ru_utime + used.ru_stime, used.ru_maxrss)"
    # As installed: with bytecode, which the first run writes.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryDirectory() as folder:
        environment["PYTHONPYCACHEPREFIX"] = folder
        for _ in range(2):
            command = [sys.executable, "-c", program]
            done = subprocess.run(command, capture_output=True, text=True, env=environment)
    seconds, kilobytes = done.stdout.split()
    return {"seconds": float(seconds), "megabytes": float(kilobytes) / 1024}


def measured(request: Callable[[], object]) -> dict[str, float]:
    """Measure the processor time of a request, after a few to warm up."""
    for _ in range(10):
        request()
    before = resource.getrusage(resource.RUSAGE_SELF)
    for _ in range(REQUESTS):
        request()
    after = resource.getrusage(resource.RUSAGE_SELF)
    return {"cpu": (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / REQUESTS}


def raw(target: str) -> Any:
    import grpc

    return grpc.insecure_channel(target, options=[("grpc.max_receive_message_length", -1)]).unary_unary(PREDICT)


def part_constant(target: str) -> dict[str, float]:
    from hubserve.wire.writer import predict_request, strings

    call, data = raw(target), predict_request(b"", {"image_bytes": strings(IMAGES)})
    landed: SimpleQueue[Any] = SimpleQueue()

    def request() -> None:
        # A client with more than one request in flight has to do this.
        call.future(data).add_done_callback(landed.put)
        landed.get().result()

    return measured(request)


def part_joined(target: str) -> dict[str, float]:
    from hubserve._transport.malloc import expect
    from hubserve.wire.writer import predict_request, strings

    call = raw(target)
    landed: SimpleQueue[Any] = SimpleQueue()

    def request() -> None:
        data = predict_request(b"", {"image_bytes": strings(IMAGES)})
        expect(len(data))
        call.future(data).add_done_callback(landed.put)
        landed.get().result()

    return measured(request)


def part_hubserve(target: str) -> dict[str, float]:
    from hubserve import Client

    with Client(target, model="m", concurrency=1) as client:
        return measured(lambda: list(client.classify(IMAGES)))


def part_pieces(target: str) -> dict[str, float]:
    """Measure what the client itself does for a request, with an answer that is ready at once."""
    from hubserve import Client
    from hubserve._images.encode import EncodedImage
    from hubserve._transport.malloc import expect
    from hubserve.wire.answers import read_classes
    from hubserve.wire.codec import parse
    from hubserve.wire.predict_pb2 import PredictResponse

    data = response(32)
    done: Future[bytes] = Future()
    done.set_result(data)
    images = [EncodedImage(index, f"image {index}", image) for index, image in enumerate(IMAGES)]
    # Sending a request does this, but nothing is sent here.
    expect(sum(map(len, IMAGES)))
    with Client(target, model="m", concurrency=1) as client:
        client._server.start = lambda *_, **__: done
        return {
            "all": measured(lambda: list(client.classify(IMAGES)))["cpu"],
            "write": measured(lambda: client._requests.images(images))["cpu"],
            "read": measured(lambda: list(read_classes(parse(PredictResponse, data), images, 0.0, top_k=None)))["cpu"],
        }


def part_tensorflow(target: str) -> dict[str, float]:
    import grpc
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

    stub = prediction_service_pb2_grpc.PredictionServiceStub(grpc.insecure_channel(target))

    def request() -> None:
        message = predict_pb2.PredictRequest()
        message.model_spec.name = "m"
        message.inputs["image_bytes"].CopyFrom(tf.make_tensor_proto(IMAGES))
        answer = stub.Predict(message)
        [tf.make_ndarray(tensor) for tensor in answer.outputs.values()]

    return measured(request)


def part_loop(target: str) -> dict[str, float]:
    from hubserve.wire.predict_pb2 import PredictResponse
    from hubserve.wire.writer import predict_request, strings

    call = raw(target)
    pending: list[Any] = []
    call(predict_request(b"", {"image_bytes": strings(IMAGES)}))
    started = time.perf_counter()
    for _ in range(REQUESTS):
        pending.append(call.future(predict_request(b"", {"image_bytes": strings(IMAGES)})))
        if len(pending) == 2:
            PredictResponse.FromString(pending.pop(0).result()).outputs["labels"].string_val[:]
    for future in pending:
        future.result()
    return {"rate": REQUESTS * 32 / (time.perf_counter() - started)}


def part_classify(target: str) -> dict[str, float]:
    from hubserve import Client

    with Client(target, model="m", concurrency=2) as client:
        list(client.classify(IMAGES))
        started = time.perf_counter()
        count = sum(result.ok for result in client.classify(image for _ in range(REQUESTS) for image in IMAGES))
        return {"rate": count / (time.perf_counter() - started)}


def part_memory(target: str, count: str) -> dict[str, float]:
    from hubserve import Client

    with Client(target, model="m", concurrency=4) as client:
        images = (IMAGES[number % 32][:20_000] for number in range(int(count)))
        assert all(result.ok for result in client.classify(images))  # noqa: S101
    return {"megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def part_window(target: str, size: str) -> dict[str, float]:
    from hubserve import Client

    concurrency: Any = size if size == "auto" else int(size)
    seconds: list[float] = []
    again: list[logging.LogRecord] = []
    log = logging.getLogger("hubserve")
    log.setLevel(logging.INFO)
    log.addFilter(lambda record: again.append(record) if record.msg.startswith("retrying") else None)
    lost = 0
    with Client(target, model="m", concurrency=concurrency, max_batch_size=4) as client:
        taken: list[float] = []

        def images() -> Iterator[bytes]:
            for _ in range(IMAGES_IN_RUN):
                taken.append(time.perf_counter())
                yield b"image"

        started = time.perf_counter()
        for result in client.classify(images()):
            seconds.append(time.perf_counter() - taken[result.index])
            lost += not result.ok
        return {
            "rate": IMAGES_IN_RUN / (time.perf_counter() - started),
            "latency": statistics.median(seconds),
            "refused": len(again) / (IMAGES_IN_RUN / 4),
            "lost": lost,
        }


PARTS: dict[str, Callable[..., Any]] = {
    "import": part_import,
    "constant": part_constant,
    "joined": part_joined,
    "hubserve": part_hubserve,
    "pieces": part_pieces,
    "tensorflow": part_tensorflow,
    "loop": part_loop,
    "classify": part_classify,
    "memory": part_memory,
    "window": part_window,
    "serve-constant": serve_constant,
    "serve-busy": serve_busy,
}

if __name__ == "__main__":
    main()
