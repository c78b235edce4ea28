"""Measure many callers of one client, against a server that refuses what it has no thread for.

    .venv/bin/python benchmarks/callers.py
    .venv/bin/python benchmarks/callers.py --threads 8 --callers 1000 --rounds 1

The server has `--threads` threads and answers `--rate` requests a second when all of them work. All callers share one
`Client`, and each sends one image after another. They are compared with callers that have a fixed number of requests in
flight and retry after a random time when a request is refused. Each part runs in a process of its own, in turn, and the
figures are medians. `--rounds` sets how often. `--asks` sets how many images each caller sends at least: a client
learns from refusals how much the server takes, and in a short run it learns most of the time. Server and callers share
one
process: on a busy machine give a lower `--rate`, or the ratio shows only how much processor time each part got.
"""

from __future__ import annotations

import argparse
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import machine
import options
from client import answer, interleaved, ratios, response
from row import Figures, Row

SERVERS = (8, 32, 128, 1024)
CALLERS = (1, 10, 100, 1000)
# What one process that is both server and callers can do on two cores.
RATE = 300
# The server's time for all requests of a part.
SECONDS = 6


def main() -> None:
    parser = options.parser(__doc__, rounds=3, quick="one round of one server and 300 callers")
    parser.add_argument("--threads", type=int, nargs="+", default=SERVERS, help="the servers' threads")
    parser.add_argument("--callers", type=int, nargs="+", default=CALLERS, help="the numbers of callers")
    parser.add_argument("--asks", type=int, default=3, help="how often each caller asks, at the least")
    parser.add_argument("--rate", type=int, default=RATE, help="what the server answers in a second, at the most")
    parser.add_argument("--part", nargs="+", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.part:
        answer({"callers": part_callers}, arguments.part)
        return
    print(machine.described())
    figures = Figures("callers", command=machine.command())
    for threads in (128,) if arguments.quick else arguments.threads:
        for callers in (300,) if arguments.quick else arguments.callers:
            load = [str(number) for number in (threads, callers, arguments.asks, arguments.rate)]
            measure(figures, load, 1 if arguments.quick else arguments.rounds)
    if arguments.json:
        figures.write(arguments.json)


def measure(figures: Figures, load: list[str], rounds: int) -> None:
    threads, callers = map(int, load[:2])
    windows = sorted({min(callers, size) for size in (threads // 2, threads - 1, threads)})
    parts = [["callers", *load, str(size)] for size in ("ours", *windows)]
    ours, *fixed = interleaved(rounds, *parts, program=__file__)
    # A window that loses an answer cannot be chosen.
    whole = [[f for f in found if not f["lost"]] for found in zip(*fixed, strict=True)]
    best = [max(found, key=lambda figure: figure["rate"]) for found in whole]
    what = f"{callers} callers of single images on one client, server of {threads} threads"
    figures.add(Row(f"{what}, throughput against the best fixed window", ratios(ours, best, "rate"), at_least=0.9))
    figures.add(Row(f"{what}, final errors", [figure["lost"] for figure in ours], unit="errors", at_most=0))
    figures.add(Row(f"{what}, refusals for each answer", [figure["refused"] for figure in ours]))


def part_callers(threads: str, callers: str, asks: str, rate: str, window: str) -> dict[str, float]:
    """Measure what callers of this process get from a server in this process.

    One process does both: the figure is about who waits for whom, and not about the network or the bytes.
    """
    import random

    import grpc

    from hubserve import CallError, Client, Retry

    room, refused, data = threading.Semaphore(int(threads)), [], response(1)

    def serve(_: bytes, context: Any) -> bytes:
        if not room.acquire(blocking=False):
            refused.append(1)
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "Server Threadpool Exhausted")
        try:
            time.sleep(int(threads) / int(rate))
        finally:
            room.release()
        return data

    server = grpc.server(ThreadPoolExecutor(int(threads) + 64))
    method = {"Predict": grpc.unary_unary_rpc_method_handler(serve)}
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("tensorflow.serving.PredictionService", method),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    ours = window == "ours"
    lost = []
    turns = threading.Semaphore(int(callers if ours else window))
    reached = int(rate) * min(1, int(callers) / int(threads))
    each = max(int(asks), round(SECONDS * reached / int(callers)))

    with Client(f"127.0.0.1:{port}", model="m", retry=Retry() if ours else None) as client:

        def ask_ours() -> None:
            if not next(client.classify([b"image"])).ok:
                lost.append(1)

        def ask_fixed() -> None:
            delay = 0.01
            while True:
                with turns:
                    result = next(client.classify([b"image"]))
                if result.ok:
                    return
                if not isinstance(result.exception, CallError) or delay > 10:
                    lost.append(1)
                    return
                time.sleep(random.uniform(0, delay))  # noqa: S311 - no secret
                delay *= 1.5

        def caller(_: int) -> None:
            for _ in range(each):
                ask_ours() if ours else ask_fixed()

        ask_ours()
        with ThreadPoolExecutor(int(callers)) as pool:
            began = time.perf_counter()
            list(pool.map(caller, range(int(callers))))
            seconds = time.perf_counter() - began
    server.stop(None)
    total = each * int(callers)
    return {"rate": total / seconds, "lost": len(lost), "refused": len(refused) / total}


if __name__ == "__main__":
    main()
