"""`hubserve classify` on images that contain their own labels, against a server that returns them."""

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from hubserve.testing import FakeServer
from hubserve_cli.main import main


def images(folder: Path, count: int) -> Path:
    """A folder of images, `0000.jpg` and so on; each contains its own number."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        (folder / f"{number:04}.jpg").write_bytes(b"image %d" % number)
    return folder


def classify(server: FakeServer, *arguments: object, stdin: bytes | None = None, **environment: str) -> Result:
    """Runs the command to its end, in this process."""
    options = ["--server", server.target, "--model", "m"]
    return CliRunner().invoke(main, ["classify", *map(str, arguments), *options], input=stdin, env=environment)


def documents(lines: bytes | Path) -> list[dict[str, Any]]:
    """The parsed JSON lines of a file or of standard output."""
    data = lines.read_bytes() if isinstance(lines, Path) else lines
    return [json.loads(line) for line in data.splitlines()]


def sources(lines: bytes | Path) -> list[str]:
    """The images that have a line."""
    return [document["source"] for document in documents(lines)]
