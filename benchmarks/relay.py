"""Measure what the relay in front of TensorFlow Serving costs: processor time and seconds, for each request and byte.

    .venv/bin/python benchmarks/relay.py

`hubserve serve --engine binary` lets the server listen on a UNIX socket, which only the user can reach, and opens the
address that the user asked for itself. A gRPC server that does nothing but answer stands for TensorFlow Serving. The
client calls it over the relay and directly, in turn. With `--host 0.0.0.0` there is no relay: the server listens there
itself.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import grpc

import client
import machine
import options
from row import Figures, Row, ratios

SIZES = {"of 1 kB": 1_000, "of an image, 100 kB": 100_000, "of 32 images, 3.4 MB": 3_400_000}
# As many requests as show a processor time that the system counts in hundredths of a second.
REQUESTS = {1_000: 400, 100_000: 200, 3_400_000: 40}
QUICK = 10
METHOD = f"/{client.PREDICT.strip('/')}"


def main() -> None:
    parser = options.parser(__doc__, rounds=3, quick="one short round")
    parser.add_argument("--part", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.part:
        PARTS[arguments.part[0]](arguments.part[1])
        return
    print(machine.described())
    figures = Figures("relay", command=machine.command())
    measure(figures, 1 if arguments.quick else arguments.rounds, arguments.quick)
    if arguments.json:
        figures.write(arguments.json)


def measure(figures: Figures, rounds: int, quick: bool) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        started("upstream", f"{folder}/s") as (_, upstream),
        started("relay", f"{folder}/s") as (target, relay),
        grpc.insecure_channel(target) as relayed,
        grpc.insecure_channel(f"unix:{folder}/s") as direct,
    ):
        for name, size in SIZES.items():
            requests = QUICK if quick else REQUESTS[size]
            seconds: dict[str, list[float]] = {"relayed": [], "direct": []}
            cost = []
            for _ in range(rounds):
                seconds["direct"].append(timed(direct, size, requests))
                before = machine.processor_time(relay.pid)
                seconds["relayed"].append(timed(relayed, size, requests))
                cost.append((machine.processor_time(relay.pid) - before) / requests)
            extra = [1000 * (a - b) for a, b in zip(seconds["relayed"], seconds["direct"], strict=True)]
            figures.add(Row(f"relay: more milliseconds for a request {name}", extra, unit="ms"))
            figures.add(Row(f"relay: its processor time for a request {name}", [1000 * one for one in cost], unit="ms"))
            if size == max(SIZES.values()):
                figures.add(
                    Row("relay: its processor time for a megabyte", [1e9 * one / size for one in cost], unit="ms")
                )
                what = f"relay: a request {name} over the relay against directly, in seconds"
                figures.add(Row(what, ratios(seconds["relayed"], seconds["direct"])))
        assert upstream.poll() is None  # noqa: S101


def timed(channel: grpc.Channel, size: int, requests: int) -> float:
    """Return the median seconds of a request."""
    call, data = channel.unary_unary(METHOD), os.urandom(size)
    found = []
    for _ in range(requests + 2):
        began = time.perf_counter()
        call(data, wait_for_ready=True, timeout=60)
        found.append(time.perf_counter() - began)
    return statistics.median(found[2:])


@contextmanager
def started(part: str, path: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run a part in a process of its own; provide what it prints when it is ready, and the process."""
    command = [sys.executable, __file__, "--part", part, path]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None  # noqa: S101
        try:
            yield process.stdout.readline().strip(), process
        finally:
            process.terminate()


def serve_upstream(path: str) -> None:
    server = grpc.server(ThreadPoolExecutor(8), options=[("grpc.max_receive_message_length", -1)])
    handler = grpc.unary_unary_rpc_method_handler(lambda *_: b"answer")
    service, _, method = METHOD.strip("/").partition("/")
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {method: handler}),))
    server.add_insecure_port(f"unix:{path}")
    server.start()
    print("ready", flush=True)
    sys.stdin.read()


def serve_relay(path: str) -> None:
    from hubserve_serve._address import address_of, hold, join
    from hubserve_serve._engines._relay import Relay

    with hold("127.0.0.1", 0) as held:
        target = join(*address_of(held))
        with Relay(held, Path(path)):
            print(target, flush=True)
            sys.stdin.read()


PARTS: dict[str, Callable[[str], None]] = {"upstream": serve_upstream, "relay": serve_relay}

if __name__ == "__main__":
    main()
