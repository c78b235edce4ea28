"""The process that inputs are tried in, which may die of them: what `trust.hunt.Hunter` speaks with."""

import json
import os
import re
import resource
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

# What became of each input, as strategy and outcome; and what was wrong with the batch, if anything was.
Tried: TypeAlias = "tuple[list[tuple[str, str]], str | None]"
# Beyond the bound: what is reserved is more than what is used.
_RESERVED = 4 * 2**30


def work_off(prepare: Callable[[], Callable[[Sequence[int]], Tried]], bound: int) -> None:
    """Answers batches of input numbers until standard input ends.

    Args:
        prepare: Makes ready, tries something so that everything is loaded, and gives what tries a batch.
        bound: Bytes that a batch may take on top of what the process has then. An allocation that goes far beyond
            fails, which ends the process.
    """
    # What others print must not stand among the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    attempt = prepare()
    base = _memory("VmRSS")
    limit = _memory("VmSize") + bound + _RESERVED
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        # Makes the peak what the process has now.
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        started = time.monotonic()
        outcomes, wrong = attempt(json.loads(line))
        seconds, memory = time.monotonic() - started, _memory("VmHWM") - base
        if wrong is None and memory > bound:
            wrong = f"{memory / 2**20:.0f} MiB, over the bound of {bound / 2**20:.0f}"
        answer = {"outcomes": outcomes, "seconds": seconds, "memory": memory, "bound": bound, "wrong": wrong}
        print(json.dumps(answer), file=answers, flush=True)


def _memory(which: str) -> int:
    """What the kernel says of this process, in bytes."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(re.search(rf"{which}:\s+(\d+) kB", status)[1]) * 1024
