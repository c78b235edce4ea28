"""The file `OUTPUT.run.json` beside an output: the options of its run. A run that goes on must have the same."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from hubserve import __version__

from ...common.files import replaced
from ._file import OutputError


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFile:
    """The options that must be the same for a run that goes on.

    Attributes:
        format: The format of the output.
        model: The model's name.
        version: The version that was given; None: the newest.
        version_label: The label that was given.
        top_k: The most classes for each image; None: all.
        shard: `I/N`.
        min_score: The smallest score that a class must have; None: any. Files of release 0.1 do not have it.
    """

    format: str
    model: str
    version: int | None
    version_label: str | None
    top_k: int | None
    shard: str
    min_score: float | None = None

    def write(
        self,
        output: Path,
        given_up: Sequence[str] = (),
        tables: Mapping[str, str] | None = None,
        *,
        finished: bool = False,
    ) -> None:
        """Write it beside the output.

        Args:
            output: The output.
            given_up: Names of images that the server did not answer in time, although it answered others.
            tables: The fingerprints of tables whose rows are called by numbers.
            finished: Whether the run left no image.

        Raises:
            OutputError: It cannot be written.
        """
        document = {**asdict(self), "given_up": list(given_up), "hubserve": __version__}
        if tables:
            document["tables"] = dict(tables)
        if finished:
            document["finished"] = True
        file = beside(output)
        try:
            with replaced(file) as new:
                new.write(f"{json.dumps(document, indent=2)}\n".encode())
        except OSError as error:
            raise OutputError(f"{file} cannot be written ({error.strerror}): give another --output") from error

    def check(self, output: Path) -> None:
        """Compare with the run file of an earlier run.

        Raises:
            OutputError: It belongs to another run, does not exist, or cannot be read.
        """
        file = beside(output)
        try:
            before = json.loads(file.read_text(encoding="utf-8"))
            asked = asdict(self)
            before.setdefault("min_score", None)
            different = [name for name, value in asked.items() if before[name] != value]
        except FileNotFoundError as error:
            raise self.missing(output) from error
        except (ValueError, KeyError, TypeError, OSError) as error:
            raise OutputError(
                f"{file} is damaged or cannot be read ({error}): {output} is not changed; give another --output"
            ) from error
        if different:
            changes = ", ".join(f"{name} {before[name]!r}, now {getattr(self, name)!r}" for name in different)
            raise OutputError(f"{output} is from another run ({changes}): give the same options, or another --output")

    @staticmethod
    def missing(output: Path) -> OutputError:
        """Return the error for an output whose run file does not exist."""
        return OutputError(
            f"{output} cannot be resumed, because {beside(output)}, which describes its run, does not exist: give "
            "another --output"
        )


def given_up(output: Path) -> list[str]:
    """Return the images that earlier runs gave up; none if there is no run file."""
    names = _entry(output, "given_up")
    return [str(name) for name in names] if isinstance(names, list) else []


def tables(output: Path) -> dict[str, str]:
    """Return the fingerprints of the tables that earlier runs read; none if there is no run file."""
    found = _entry(output, "tables")
    return {str(name): str(text) for name, text in found.items()} if isinstance(found, dict) else {}


def finished(output: Path) -> bool:
    """Tell whether the last run left no image."""
    return _entry(output, "finished") is True


def _entry(output: Path, name: str) -> object:
    try:
        return json.loads(beside(output).read_text(encoding="utf-8")).get(name)
    except (OSError, ValueError, AttributeError):
        return None


def beside(output: Path) -> Path:
    """Return the run file's path."""
    return output.with_name(f"{output.name}.run.json")
