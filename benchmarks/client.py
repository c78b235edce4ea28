"""What the client costs: import, processor time per request, throughput, memory, and what "auto" concurrency finds.

    .venv/bin/python benchmarks/client.py

Each figure is a ratio between things measured in turn in one run, each in a fresh process against a server in another;
medians, with the smallest and the largest. `--rounds` sets how often.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any

import machine

PREDICT = "/tensorflow.serving.PredictionService/Predict"
# 32 photographs of a digital camera's thumbnail size, 3.4 MB: not compressible, as JPEG is not.
IMAGES = [os.urandom(108_000) for _ in range(32)]
REQUESTS = 150
WINDOWS = (1, 2, 4, 8, 16)
# In batches of 4. "auto" takes some tens of requests to settle, which counts here.
IMAGES_IN_RUN = 2400


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--part", nargs="+", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.part:
        name, *rest = arguments.part
        print(json.dumps(PARTS[name](*rest)))
        return
    print(machine.described())
    imports(arguments.rounds)
    with serving("constant") as target:
        requests(target, arguments.rounds)
        memory(target, max(arguments.rounds // 2, 1))
    windows(max(arguments.rounds // 2, 1))


def imports(rounds: int) -> None:
    ours, bare = interleaved(rounds, ["import", "hubserve"], ["import", "grpc", "google.protobuf.wrappers_pb2"])
    print("import, processor time")
    show("hubserve against grpc and one protobuf message", ratios(ours, bare, "seconds"), "at most 1.3")
    show("peak memory, MB", [figure["megabytes"] for figure in ours], "at most 40")


def requests(target: str, rounds: int) -> None:
    parts = ["constant", "hubserve", "tensorflow", "loop", "classify"]
    constant, ours, theirs, loop, classify = interleaved(rounds, *([part, target] for part in parts))
    print("\n32 images, 3.4 MB, one request at a time, processor time of the client")
    show("hubserve against resending constant bytes", ratios(ours, constant, "cpu"), "at most 1.5")
    show("make_tensor_proto against hubserve", ratios(theirs, ours, "cpu"), "at least 2.5")
    print(f"\nclient.classify over {REQUESTS * 32} images, two requests on their way, images/s")
    show("against a loop written by hand", ratios(classify, loop, "rate"), "at least 0.9")


def memory(target: str, rounds: int) -> None:
    few, many = interleaved(rounds, ["memory", target, "3200"], ["memory", target, "32000"])
    print("\npeak memory of client.classify")
    show("32,000 images against 3,200", ratios(many, few, "megabytes"), "about 1.0")


def windows(rounds: int) -> None:
    for workers in (1, 4):
        with serving("busy", str(workers)) as target:
            figures = interleaved(rounds, *(["window", target, str(size)] for size in ("auto", *WINDOWS)))
        best = [max(fixed, key=lambda figure: figure["rate"]) for fixed in zip(*figures[1:], strict=True)]
        near = [
            next(figure for figure in fixed if figure["rate"] >= 0.95 * top["rate"])
            for fixed, top in zip(zip(*figures[1:], strict=True), best, strict=True)
        ]
        print(f'\nconcurrency "auto" against fixed windows of {WINDOWS}, a server of {workers} times 20 ms')
        show("throughput against the best window", ratios(figures[0], best, "rate"), "at least 0.95")
        show("latency against the smallest window that has it", ratios(figures[0], near, "latency"), "")


def interleaved(rounds: int, *parts: list[str]) -> list[list[dict[str, float]]]:
    """Runs each part in a process of its own, in turn, so often; the figures by part."""
    figures: list[list[dict[str, float]]] = [[] for _ in parts]
    for _ in range(rounds):
        for collected, part in zip(figures, parts, strict=True):
            done = subprocess.run([sys.executable, __file__, "--part", *part], capture_output=True, text=True)
            assert done.returncode == 0, done.stderr  # noqa: S101
            collected.append(json.loads(done.stdout))
    return figures


def ratios(one: list[dict[str, float]], other: list[dict[str, float]], key: str) -> list[float]:
    return [a[key] / b[key] for a, b in zip(one, other, strict=True)]


def show(what: str, values: list[float], budget: str) -> None:
    spread = f"{statistics.median(values):6.2f}  ({min(values):.2f} to {max(values):.2f})"
    print(f"  {what:50}{spread:26}{budget}")


@contextmanager
def serving(part: str, *arguments: str) -> Iterator[str]:
    command = [sys.executable, __file__, "--part", f"serve-{part}", *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None  # noqa: S101
        yield process.stdout.readline().strip()
        process.terminate()


def serve(answer: Callable[[bytes, Any], bytes]) -> None:
    import grpc

    server = grpc.server(ThreadPoolExecutor(32), options=[("grpc.max_receive_message_length", -1)])
    handler = grpc.method_handlers_generic_handler(
        "tensorflow.serving.PredictionService", {"Predict": grpc.unary_unary_rpc_method_handler(answer)}
    )
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(f"127.0.0.1:{port}", flush=True)
    sys.stdin.read()


def serve_constant() -> None:
    data = response(32)
    serve(lambda *_: data)


def serve_busy(workers: str) -> None:
    room = threading.Semaphore(int(workers))
    data = response(4)

    def answer(*_: object) -> bytes:
        with room:
            time.sleep(0.02)
        return data

    serve(answer)


def response(rows: int) -> bytes:
    from hubserve.testing._answers import classified

    classes = {f"class {number}": 0.2 for number in range(5)}
    return classified([b""] * rows, lambda _: classes).SerializeToString()


def part_import(*modules: str) -> dict[str, float]:
    statement = "; ".join(f"import {module}" for module in modules)
    program = f"{statement}\nimport resource\nused = resource.getrusage(resource.RUSAGE_SELF)\n"
    program += "print(used.ru_utime + used.ru_stime, used.ru_maxrss)"
    # As installed: with bytecode, which the first of the two runs writes.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryDirectory() as folder:
        environment["PYTHONPYCACHEPREFIX"] = folder
        for _ in range(2):
            command = [sys.executable, "-c", program]
            done = subprocess.run(command, capture_output=True, text=True, env=environment)
    seconds, kilobytes = done.stdout.split()
    return {"seconds": float(seconds), "megabytes": float(kilobytes) / 1024}


def measured(request: Callable[[], object]) -> dict[str, float]:
    """Processor time of a request, after a few to warm up."""
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
    from hubserve._encode import predict_request, strings

    call, data = raw(target), predict_request(b"", {"image_bytes": strings(IMAGES)})
    landed: SimpleQueue[Any] = SimpleQueue()

    def request() -> None:
        # As a client with more than one request on its way has to.
        call.future(data).add_done_callback(landed.put)
        landed.get().result()

    return measured(request)


def part_hubserve(target: str) -> dict[str, float]:
    from hubserve import Client

    with Client(target, model="m", concurrency=1) as client:
        return measured(lambda: list(client.classify(IMAGES)))


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
    from hubserve._encode import predict_request, strings
    from hubserve.wire.predict_pb2 import PredictResponse

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
    with Client(target, model="m", concurrency=concurrency, max_batch_size=4) as client:
        taken: list[float] = []

        def images() -> Iterator[bytes]:
            for _ in range(IMAGES_IN_RUN):
                taken.append(time.perf_counter())
                yield b"image"

        started = time.perf_counter()
        for result in client.classify(images()):
            seconds.append(time.perf_counter() - taken[result.index])
        return {"rate": IMAGES_IN_RUN / (time.perf_counter() - started), "latency": statistics.median(seconds)}


PARTS: dict[str, Callable[..., Any]] = {
    "import": part_import,
    "constant": part_constant,
    "hubserve": part_hubserve,
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
