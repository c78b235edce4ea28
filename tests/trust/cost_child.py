"""The cost of one image in the exported graph: `python -m trust.cost_child VERSION_FOLDER`.

Takes a JSON list of a coding of `trust.costly` and a size a line, and answers with a JSON object a line. Memory is what
the process has more than at its start.
"""

import ctypes
import gc
import json
import os
import re
import resource
import sys
from pathlib import Path

from support.hostile_files import FORMS
from support.session import LoadedVersion
from trust.costly import COSTLY

_LIBC = ctypes.CDLL(None)


def main() -> None:
    """Until standard input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    model = LoadedVersion(Path(sys.argv[1]))

    def ask(data: bytes) -> int:
        return int(model.run("serving_default", image_bytes=[data])["status"][0])

    for data in FORMS.values():
        ask(data)
    gc.collect()
    _LIBC.malloc_trim(0)
    # For all: what is not given back after an image counts for the next one, so no figure is too low.
    memory = _memory("VmRSS")
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        coding, width, height = json.loads(line)
        data = COSTLY[coding].make(width, height)
        _LIBC.malloc_trim(0)
        # Makes the peak what the process has now.
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        seconds = _seconds()
        status = ask(data)
        found = {"seconds": _seconds() - seconds, "memory": _memory("VmHWM") - memory}
        print(json.dumps({"status": status, "octets": len(data), **found}), file=answers, flush=True)


def _seconds() -> float:
    """CPU time of all threads."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _memory(which: str) -> int:
    """Return what the kernel says of this process, in bytes."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(re.search(rf"{which}:\s+(\d+) kB", status)[1]) * 1024


if __name__ == "__main__":
    main()
