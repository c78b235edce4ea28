"""Publish a new version in a model's base folder, whole or not at all."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from hubserve_model.scratch import scratch_folder
from hubserve_model.versions import LARGEST_VERSION, versions

from ._errors import OutputError

# TF Serving takes every child of the base folder whose name is an integer for a version, and passes over all others.
_STAGING_PREFIX = ".tmp-"


def choose_version(base: Path, version: int | None) -> int:
    """Return the version to publish: `version`, or one more than the newest.

    Raises:
        OutputError: That version is there already, or `base` is something else than a folder, or read-only.
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
            f"{base / str(version)} is there already, and versions are never overwritten; give another "
            "`version` or none"
        )
    return version


@contextmanager
def staging(base: Path, version: int) -> Iterator[Path]:
    """Give an empty folder that becomes the version when the context ends well, and vanishes when it does not.

    It lies beside the versions, on the same file system, so that one rename publishes it: a server that watches the
    folder sees the whole version or none. What a killed export left there goes first.

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
        # Renaming onto an existing folder fails unless that is empty; TF Serving would not have loaded an empty one.
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
    """Have every file on the disk: a rename may outlive a power cut that the files before it do not."""
    for path in (folder, *folder.rglob("*")):
        _flush_one(path)


def _flush_one(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems cannot do it for a folder.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def _remove_empty(folders: Sequence[Path]) -> None:
    for folder in folders:
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
