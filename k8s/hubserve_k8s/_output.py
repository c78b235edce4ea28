"""Write files into the output folder, and lose nothing that a user has changed there.

A record beside the files has the hash of each as it was written. A file that differs from it was edited.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ._errors import ManifestsError

RECORD = ".hubserve.json"
# Written once, and the user's from then on.
_YOURS = ("overlays/", "jobs/")


@dataclass(frozen=True)
class Plan:
    """Hold what a run would do.

    Attributes:
        new: Paths that are not there yet.
        changed: Paths that are as they were written, and will be written anew.
        kept: Paths of the user's that differ from what would be written, and stay.
        edited: Paths that were edited, and would be lost.
        diff: The lines that show `changed`, `kept` and `edited`.
    """

    new: list[str]
    changed: list[str]
    kept: list[str]
    edited: list[str]
    diff: list[str]


def plan(output: Path, texts: Mapping[str, str]) -> Plan:
    """Compare texts, by their paths below `output`, with what is there.

    Raises:
        ManifestsError: `output` is not a folder, or holds files that are not of an earlier run.
    """
    record = _record(output)
    found = Plan([], [], [], [], [])
    for path, text in texts.items():
        there = _read(output / path)
        if there is None:
            found.new.append(path)
        elif there != text:
            if path.startswith(_YOURS):
                list_ = found.kept
            else:
                list_ = found.changed if record.get(path) == _hash(there) else found.edited
            list_.append(path)
            found.diff.extend(_diff(path, there, text))
    return found


def write(output: Path, texts: Mapping[str, str], planned: Plan, *, overwrite: bool) -> None:
    """Write the files that are new or changed, and the record; with `overwrite` also those that were edited.

    Raises:
        ManifestsError: A file was edited, and `overwrite` is False. Nothing is written then.
    """
    if planned.edited and not overwrite:
        raise ManifestsError(
            f"{', '.join(planned.edited)} in {output} was edited, and would be lost: move the change into the overlay, "
            "which is kept, or give --overwrite"
        )
    record = _record(output)
    for path in [*planned.new, *planned.changed, *planned.edited]:
        file = output / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(texts[path], encoding="utf-8")
    # What is as it would be written is the program's again.
    record |= {path: _hash(text) for path, text in texts.items() if path not in planned.kept}
    document = {"by": "hubserve manifests", "files": dict(sorted(record.items()))}
    (output / RECORD).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def _record(output: Path) -> dict[str, str]:
    """Return the hashes of an earlier run; none where the folder is empty or not there.

    Raises:
        ManifestsError: `output` is not a folder, or holds files that are not of an earlier run.
    """
    if output.exists() and not output.is_dir():
        raise ManifestsError(f"{output} is not a folder: name another one with --output")
    try:
        return dict(json.loads((output / RECORD).read_text(encoding="utf-8"))["files"])
    except FileNotFoundError:
        foreign = sorted(child.name for child in output.iterdir()) if output.is_dir() else []
        if foreign:
            raise ManifestsError(
                f"{output} holds files that hubserve manifests did not write, such as {foreign[0]}: name an empty "
                "folder with --output"
            ) from None
        return {}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ManifestsError(
            f"{output / RECORD} is not a record of hubserve manifests ({error}): name another folder with --output"
        ) from error


def _read(file: Path) -> str | None:
    """Return the text of a file, or None where there is none; bytes that are no text differ from every text."""
    return file.read_bytes().decode("utf-8", "replace") if file.is_file() else None


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _diff(path: str, there: str, text: str) -> Iterator[str]:
    lines = difflib.unified_diff(there.splitlines(), text.splitlines(), f"{path} (there)", f"{path} (new)", lineterm="")
    yield from lines
