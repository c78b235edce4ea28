"""Describe the client's machine, to interpret the figures, and measure how busy it is."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from hubserve import __version__

_PACKAGES = ("grpcio", "protobuf", "numpy")


class ProcessorTimes(NamedTuple):
    """The work of all processors of the machine since its start, in the system's ticks."""

    busy: int
    idle: int


def facts() -> dict[str, Any]:
    """Return the processor, the cores that this process may use, the system, and versions."""
    return {
        "processor": _processor(),
        "cores": usable_cores(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": {"hubserve": __version__, **{name: version(name) for name in _PACKAGES}},
    }


def usable_cores() -> float:
    """Return the number of processors that this process may use; a container may have less than one."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        # Linux's control groups, version 2, as a container sees its own: microseconds in a period, or "max".
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
        return min(cores, int(quota) / int(period))
    except (OSError, ValueError):
        return cores


def processor_times() -> ProcessorTimes | None:
    """Read the machine's processor times; None if the system does not report them as Linux does."""
    try:
        first = Path("/proc/stat").read_text(encoding="ascii").partition("\n")[0]
        # proc(5): user nice system idle iowait irq softirq steal; guest time is already in user and nice.
        user, nice, system, idle, iowait, *others = map(int, first.split()[1:9])
    except (OSError, ValueError):
        return None
    return ProcessorTimes(user + nice + system + sum(others), idle + iowait)


def busy_share(before: ProcessorTimes | None, after: ProcessorTimes | None) -> float | None:
    """Return the share of the time in between in which the processors worked, from 0 to 1."""
    if before is None or after is None:
        return None
    busy, idle = after.busy - before.busy, after.idle - before.idle
    return busy / (busy + idle) if busy + idle > 0 else None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())
