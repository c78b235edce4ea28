"""Record the files of a model by size and hash, and compare a version with what was published."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ._errors import IntegrityError
from .manifest import FILE


@dataclass(frozen=True)
class FileRecord:
    """One file, for the manifest: path inside its folder, size in bytes, SHA-256 in hex."""

    path: str
    bytes: int
    sha256: str


def record(file: Path, root: Path) -> FileRecord:
    """Read and hash one file below `root`."""
    return FileRecord(file.relative_to(root).as_posix(), file.stat().st_size, sha256(file))


def records(folder: Path) -> tuple[FileRecord, ...]:
    """Read and hash every file below `folder`, by path."""
    return tuple(record(path, folder) for path in sorted(folder.rglob("*")) if path.is_file())


def sha256(file: Path) -> str:
    """Return the SHA-256 of a file of any size, in hex."""
    digest = hashlib.sha256()
    with file.open("rb") as opened:
        while chunk := opened.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def verify(folder: Path, manifest: Mapping[str, Any], manifest_sha256: str | None = None) -> tuple[FileRecord, ...]:
    """Compare a version's files with its manifest: each must be there, as it was published, and no others.

    Args:
        folder: The version's folder.
        manifest: The manifest in that folder.
        manifest_sha256: The SHA-256 that the manifest must have, from another source: a person who can alter the files
            can also alter the manifest. None: trust the manifest.

    Returns:
        The files that were checked.

    Raises:
        IntegrityError: A file is missing, altered, unreadable or extra; the message names all of them.
    """
    expected = _recorded(folder, manifest)
    problems = [problem for file in expected if (problem := _problem(folder, file))]
    known = {file.path for file in expected} | {FILE.as_posix()}
    problems += [f"extra    {path}" for path in _contents(folder) if path not in known]
    if manifest_sha256 is not None and sha256(folder / FILE) != manifest_sha256.lower():
        problems.append(f"altered  {FILE.as_posix()}: its SHA-256 is not {manifest_sha256}")
    if problems:
        raise IntegrityError(
            "\n  ".join([f"{folder} is not as it was published; do not serve it: copy or export it again", *problems])
        )
    return expected


def _recorded(folder: Path, manifest: Mapping[str, Any]) -> tuple[FileRecord, ...]:
    if "files" not in manifest:
        raise IntegrityError(
            f"the manifest of {folder} has no hashes of its files (an older hubserve wrote it), so they cannot be "
            "verified; export the model again"
        )
    try:
        return tuple(
            FileRecord(str(file["path"]), int(file["bytes"]), str(file["sha256"])) for file in manifest["files"]
        )
    except (KeyError, TypeError, ValueError) as error:
        raise IntegrityError(
            f"the hashes in the manifest of {folder} cannot be read ({error!r}); copy or export it again"
        ) from error


def _problem(folder: Path, expected: FileRecord) -> str | None:
    file = folder / expected.path
    try:
        if not os.path.lexists(file):
            return f"missing  {expected.path}"
        # Opening a pipe would wait for its other end.
        if not file.is_file():
            return f"altered  {expected.path}: it is not a file any more"
        if (size := file.stat().st_size) != expected.bytes:
            return f"altered  {expected.path}: {size:,} bytes, not {expected.bytes:,}"
        if sha256(file) != expected.sha256:
            return f"altered  {expected.path}: the size is the same, the content is not"
    except OSError as error:
        return f"unread   {expected.path}: {error.strerror}"
    return None


def _contents(folder: Path) -> Iterator[str]:
    """Return everything below a folder except folders; a link to a folder counts as a file."""
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not path.is_dir():
            yield path.relative_to(folder).as_posix()
