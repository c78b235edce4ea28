"""Costly things are made once, also when pytest-xdist runs the tests in several processes."""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """The folder `name`, which the first worker that asks for it makes while the others wait: look, but do not write.

    A `make` that fails fails in each worker that asks.
    """
    workers_own = factory.getbasetemp()
    # Workers have a folder each, side by side in the run's.
    shared = workers_own.parent if "PYTEST_XDIST_WORKER" in os.environ else workers_own
    folder, done = shared / "once" / name, shared / "once" / f"{name}.done"
    folder.parent.mkdir(exist_ok=True)
    with open(folder.parent / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            make(folder)
            done.touch()
    return folder
