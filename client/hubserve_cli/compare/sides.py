"""A side of a comparison: a model on a server, or a model directory that is served during the comparison."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..common.local_server import Served, served

_SERVER = re.compile(r"(?P<target>(?:[a-z]+://[^/\s]*/)?[^/@\s]+)(?:/(?P<model>[^/@\s]+))?(?:@(?P<version>[^/@\s]+))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """A side: `Side.parse("localhost:8500/lite0@3")`, `Side.parse("models/lite0")`.

    Attributes:
        name: The side as it was given.
        target: The server's address; None for a model directory.
        model: The model's name on the server; None for a model directory, or if it was not given.
        version: The version to call; None: the newest.
        version_label: Its label, in place of the number.
        folder: The model directory.
    """

    name: str
    target: str | None = None
    model: str | None = None
    version: int | None = None
    version_label: str | None = None
    folder: Path | None = None

    @classmethod
    def parse(cls, text: str, model: str | None = None) -> Side:
        """Read a side from the command line.

        Args:
            text: A model directory, `HOST:PORT/MODEL`, or either with `@VERSION`.
            model: The model's name, if the text does not contain one.

        Raises:
            ValueError: The text is not a side; the message says what is missing.
        """
        folder, _, after = text.rpartition("@")
        if Path(text).is_dir() or (folder and Path(folder).is_dir()):
            version = None if Path(text).is_dir() else after
            if version is not None and not _is_number(version):
                raise ValueError(f"{text!r}: a version in a model directory is a number, and {version!r} is not")
            path = Path(text if version is None else folder)
            return cls(name=text, folder=path, version=None if version is None else int(version))
        found = _SERVER.fullmatch(text)
        if found is None or ("://" not in text and ":" not in found["target"]):
            raise ValueError(
                f"{text!r} is neither a folder nor a server: give a model directory, HOST:PORT/MODEL, or either of "
                "them with @VERSION"
            )
        model = found["model"] or model
        if model is None:
            raise ValueError(f"{text!r} does not name a model: write {found['target']}/MODEL, or give --model")
        version = found["version"]
        number = int(version) if version is not None and _is_number(version) else None
        label = version if number is None else None
        return cls(name=text, target=found["target"], model=model, version=number, version_label=label)


@contextmanager
def running(side: Side, options: Sequence[str] = ()) -> Iterator[Served]:
    """Provide a side's server; a model directory is served by a process of its own on a free port.

    Args:
        side: The side.
        options: More options of `hubserve serve`, for a model directory.

    Raises:
        click.ClickException: The server does not start; it has printed the reason on standard error.
    """
    if side.folder is None:
        assert side.target is not None and side.model is not None  # noqa: S101, PT018 - parse takes care
        yield Served(side.target, side.model)
        return
    version = [] if side.version is None else ["--version", str(side.version)]
    with served(side.folder, [*version, *options]) as server:
        yield server


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 19
