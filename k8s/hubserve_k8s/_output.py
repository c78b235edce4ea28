"""Write files into the output folder, and lose nothing that a user has changed there.

A record beside the files has the hash of each as it was written. A file that differs from it was edited. All files are
written into a scratch folder first, and then take their places. After a failure every file is as it was before.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from hubserve_model.scratch import scratch_folder

from ._errors import ManifestsError

RECORD = ".hubserve.json"
_SCRATCH = ".hubserve-manifests-"
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
    # A file that equals what would be written counts as written by this program.
    record |= {path: _hash(text) for path, text in texts.items() if path not in planned.kept}
    document = {"by": "hubserve manifests", "files": dict(sorted(record.items()))}
    written = {path: texts[path] for path in (*planned.new, *planned.changed, *planned.edited)}
    try:
        _place(output, written | {RECORD: json.dumps(document, indent=1) + "\n"})
    except OSError as error:
        where = error.filename or output
        raise ManifestsError(f"{where} cannot be written ({error.strerror}); {output} is as it was before") from error


def _place(output: Path, texts: Mapping[str, str]) -> None:
    """Write files, and have all of them take their places, or none.

    Raises:
        OSError: A file cannot be written. Every file and folder is as it was before.
    """
    with ExitStack() as folders:
        _make_folder(output, folders)
        with scratch_folder(output, _SCRATCH) as scratch:
            for number, text in enumerate(texts.values()):
                _write(scratch / f"{number}.new", text)
            with ExitStack() as undo:
                for number, path in enumerate(texts):
                    file, old = output / path, scratch / f"{number}.old"
                    _make_folder(file.parent, folders)
                    if file.exists():
                        os.replace(file, old)
                        undo.callback(os.replace, old, file)
                    os.replace(scratch / f"{number}.new", file)
                    undo.callback(file.unlink)
                undo.pop_all()
        folders.pop_all()


def _write(file: Path, text: str) -> None:
    """Write a file, and wait until the disk has it."""
    with file.open("w", encoding="utf-8", newline="\n") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())


def _make_folder(folder: Path, undo: ExitStack) -> None:
    """Make a folder and those above it; `undo` removes those that are new."""
    if not folder.exists():
        _make_folder(folder.parent, undo)
        folder.mkdir()
        undo.callback(folder.rmdir)


def _record(output: Path) -> dict[str, str]:
    """Return the hashes of an earlier run; none where the folder is empty or not there.

    Raises:
        ManifestsError: `output` is not a folder, or holds files that are not of an earlier run.
    """
    if os.path.lexists(output) and not output.is_dir():
        raise ManifestsError(f"{output} is not a folder: name another one with --output")
    try:
        there = sorted(child.name for child in output.iterdir()) if output.is_dir() else []
        if RECORD in there:
            return dict(json.loads((output / RECORD).read_text(encoding="utf-8"))["files"])
    except OSError as error:
        raise ManifestsError(
            f"{output} cannot be read ({error.strerror}): name another folder with --output"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise ManifestsError(
            f"{output / RECORD} is not a record of hubserve manifests ({error}): name another folder with --output"
        ) from error
    # A run that was killed leaves its scratch folder, and the next run removes it.
    if foreign := [name for name in there if not name.startswith(_SCRATCH)]:
        raise ManifestsError(
            f"{output} holds files that hubserve manifests did not write, such as {foreign[0]}: name an empty folder "
            "with --output"
        )
    return {}


def _read(file: Path) -> str | None:
    """Return the text of a file, or None where there is none. Bytes that are not text differ from every text.

    Raises:
        ManifestsError: A folder or something else is in the place of the file, or the file cannot be read.
    """
    try:
        if file.is_file():
            return file.read_bytes().decode("utf-8", "replace")
    except OSError as error:
        raise ManifestsError(f"{file} cannot be read ({error.strerror}): name another folder with --output") from error
    above = (each for each in file.parents if os.path.lexists(each) and not each.is_dir())
    if (in_the_way := next(above, file if os.path.lexists(file) else None)) is not None:
        raise ManifestsError(f"{in_the_way} is in the way of {file}: move it, or name another folder with --output")
    return None


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _diff(path: str, there: str, text: str) -> Iterator[str]:
    lines = difflib.unified_diff(there.splitlines(), text.splitlines(), f"{path} (there)", f"{path} (new)", lineterm="")
    yield from lines
