"""`hubserve` in processes of its own, as a user starts it."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def hubserve(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Runs a subcommand to its end."""
    command = [sys.executable, "-m", "hubserve", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@contextmanager
def serving(model_dir: Path, *options: str) -> Iterator[str]:
    """A server for the model directory, on a free port: gives its HOST:PORT."""
    command = [
        sys.executable,
        "-m",
        "hubserve",
        "serve",
        str(model_dir),
        "--engine",
        "embedded",
        "--port",
        "0",
        *options,
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        ready = re.search(r" on (\S+) ", process.stdout.readline())
        assert ready, "the server did not come up"
        try:
            yield ready[1]
        finally:
            process.terminate()
            assert process.wait(60) == 0
