"""The process that tries inputs, and may crash: `trust.hunt.Hunter` talks to it."""

import ctypes
import gc
import json
import os
import re
import resource
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

# Beyond the bound: what is reserved is more than what is used.
_RESERVED = 4 * 2**30
_LIBC = ctypes.CDLL(None)


class Tried(NamedTuple):
    """Hold what came of a batch.

    Attributes:
        outcomes: Strategy and outcome of each input.
        wrong: What was wrong with the batch, or None.
        sizes: Format and bytes of each input, where the cost of each is of interest.
    """

    outcomes: list[tuple[str, str]]
    wrong: str | None
    sizes: Sequence[tuple[str, int]] = ()


def work_off(
    prepare: Callable[[], Callable[[Any], Tried]], bound: int, make: Callable[[Sequence[int]], Any] | None = None
) -> None:
    """Answers batches of input numbers until standard input ends.

    Args:
        prepare: Makes ready, tries something so that everything is loaded, and gives what tries a batch.
        bound: Bytes that a batch may take on top of what the process has then. An allocation that goes far beyond
            fails, which ends the process.
        make: Makes of the numbers what is tried, which is not to count as its cost.
    """
    # What others print must not stand among the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    attempt = prepare()
    # What is there now stays: a collection that goes over all of TensorFlow's objects takes longer than a batch.
    gc.freeze()
    base = _memory("VmRSS")
    limit = _memory("VmSize") + bound + _RESERVED
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        given = json.loads(line)
        if make is not None:
            given = make(given)
            # What making them took must not hide what they cost.
            gc.collect()
            _LIBC.malloc_trim(0)
        before = _memory("VmRSS")
        # Makes the peak what the process has now.
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        started, used = time.monotonic(), _used()
        outcomes, wrong, sizes = attempt(given)
        seconds, cpu, memory = time.monotonic() - started, _used() - used, _memory("VmHWM")
        taken, memory = memory - before, memory - base
        if wrong is None and memory > bound:
            wrong = f"{memory / 2**20:.0f} MiB, over the bound of {bound / 2**20:.0f}"
        answer = {
            "outcomes": outcomes,
            "sizes": sizes,
            "seconds": seconds,
            "cpu": cpu,
            "memory": memory,
            "taken": taken,
            "bound": bound,
            "wrong": wrong,
        }
        print(json.dumps(answer), file=answers, flush=True)


def _used() -> float:
    """CPU seconds of all threads so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _memory(which: str) -> int:
    """Return a figure of the kernel about this process, in bytes."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(re.search(rf"{which}:\s+(\d+) kB", status)[1]) * 1024
