"""Publish a new version in a model's base folder, completely or not at all."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from hubserve_model.scratch import scratch_folder
from hubserve_model.versions import LARGEST_VERSION, versions

from ._errors import OutputError

# TF Serving takes every child of the base folder whose name is an integer as a version, and ignores all others.
_STAGING_PREFIX = ".tmp-"


def choose_version(base: Path, version: int | None) -> int:
    """Return the version to publish: `version`, or one more than the newest.

    Raises:
        OutputError: The version exists already, or `base` is not a folder, or is read-only.
    """
    if base.exists() and not base.is_dir():
        raise OutputError(f"{base} is a file; give the folder that holds the model's versions, with `output`")
    nearest = next(folder for folder in (base, *base.absolute().parents) if folder.is_dir())
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise OutputError(f"{base} cannot be written ({nearest} is read-only for this user); give another `output`")
    there = versions(base)
    if version is None:
        version = there[-1] + 1 if there else 1
    if version > LARGEST_VERSION:
        raise OutputError(
            f"{version} is more than TensorFlow Serving's largest version, {LARGEST_VERSION}; give a smaller `version`"
        )
    if version in there or (base / str(version)).exists():
        raise OutputError(
            f"{base / str(version)} exists already, and versions are never overwritten; give another `version` or none"
        )
    return version


@contextmanager
def staging(base: Path, version: int) -> Iterator[Path]:
    """Provide an empty folder, which becomes the version if the context ends without an error, and is removed else.

    The folder is beside the versions, on the same file system, so that one rename publishes it: a server that watches
    the base folder sees the whole version or nothing. The remains of a killed export are removed first.

    Raises:
        OutputError: The folder cannot be written, or another export published that version meanwhile.
    """
    missing = [folder for folder in (base, *base.parents) if not folder.exists()]
    with ExitStack() as stack:
        stack.callback(_remove_empty, missing)
        try:
            folder = stack.enter_context(scratch_folder(base, _STAGING_PREFIX))
        except OSError as error:
            raise OutputError(f"{base} cannot be written ({error.strerror}); give another `output`") from error
        yield folder
        _publish(folder, base / str(version))


def _publish(folder: Path, version: Path) -> None:
    try:
        _flush(folder)
        # Renaming onto an existing folder only succeeds if it is empty; TF Serving would not have loaded an empty one.
        os.rename(folder, version)
        _flush_one(version.parent)
    except OSError as error:
        remedy = (
            "another export has taken that version; export again"
            if error.errno in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR)
            else "make room there, or give another `output`"
        )
        raise OutputError(f"{version} cannot be published ({error.strerror}); {remedy}") from error


def _flush(folder: Path) -> None:
    """Write every file to the disk: after a power cut, a rename may survive whose files do not."""
    for path in (folder, *folder.rglob("*")):
        _flush_one(path)


def _flush_one(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems do not support fsync for folders.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def _remove_empty(folders: Sequence[Path]) -> None:
    for folder in folders:
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
