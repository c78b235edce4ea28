"""The machine and the versions that a benchmark ran on, for its report."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
from pathlib import Path

_PACKAGES = ("hubserve", "tensorflow", "grpcio", "protobuf", "numpy")
# Units of processor time in /proc.
HERTZ = os.sysconf("SC_CLK_TCK")
_ALLOCATOR = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TOP_PAD_", "MALLOC_ARENA_MAX", "LD_PRELOAD")


def facts() -> dict[str, object]:
    """Return the facts that a reader of a figure needs: processor, versions, allocator settings, the command."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": {name: importlib.metadata.version(name) for name in _PACKAGES},
        "allocator": {name: os.environ[name] for name in _ALLOCATOR if name in os.environ},
        "command": command(),
    }


def command() -> str:
    """Return the program and its arguments, as a person would type them in the repository."""
    program, *arguments = sys.argv
    return " ".join(["python", os.path.relpath(program, Path(__file__).resolve().parent.parent), *arguments])


def described() -> str:
    """Return the facts in three lines."""
    known = facts()
    packages = ", ".join(f"{name} {version}" for name, version in known["packages"].items())
    allocator = ", ".join(f"{name}={value}" for name, value in known["allocator"].items()) or "as it comes"
    return (
        f"{known['processor']}, {known['cores']} cores, {known['system']}\n"
        f"Python {known['python']}, {packages}; allocator {allocator}\n"
        f"$ {known['command']}\n"
    )


def processor_time(pid: int) -> float:
    """Return the seconds of processor time that a process has used, with all its threads."""
    # The name in parentheses may contain blanks; utime and stime are fields 14 and 15 (proc(5)).
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / HERTZ


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())
