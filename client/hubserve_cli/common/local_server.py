"""Serve a model directory for as long as a subcommand needs it, by `hubserve serve` in a process of its own."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click

_STOP_SECONDS = 15


@dataclass(frozen=True)
class Served:
    """A model that is served.

    Attributes:
        target: The server's address.
        model: The model's name on it.
        engine: The engine, in words; None: a server was given.
    """

    target: str
    model: str
    engine: str | None = None


@contextmanager
def served(model_dir: Path, options: Sequence[str] = ()) -> Iterator[Served]:
    """Serve a model directory on a free loopback port, and provide its address once the model is ready.

    Args:
        model_dir: The model directory.
        options: More options of `hubserve serve`.

    Raises:
        click.ClickException: The server does not start; it has printed the reason on standard error.
    """
    command = ["serve", str(model_dir), "--port", "0", "--json", *options]
    with subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", "hubserve", *command], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None  # noqa: S101 - it was asked for
            # The server prints this line when the model is ready.
            line = process.stdout.readline()
            if not line:
                said = shlex.join(["hubserve", *command])
                raise click.ClickException(f"{model_dir} was not served; its own message is above ({said})")
            ready = json.loads(line)
            yield Served(ready["server"], ready["model"], ready["engine"])
        finally:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
