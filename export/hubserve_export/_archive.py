"""Unpacking a model archive from outside, which is not trusted."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path
from typing import Literal

from ._errors import SourceError


def unpack(archive: Path, folder: Path) -> Path:
    """Unpack a `.tar.gz` of a SavedModel.

    Args:
        archive: The file.
        folder: An empty folder to unpack into.

    Returns:
        The folder that holds `saved_model.pb`: `folder` itself, as the hub packs them, or the only one inside that has
        it.

    Raises:
        SourceError: It is not a gzipped tar, is cut short, reaches outside `folder`, or holds no SavedModel, or
            several.
    """
    _extract(archive, folder)
    found = sorted(path.parent for path in folder.rglob("saved_model.pb"))
    if len(found) != 1:
        places = ", ".join(str(path.relative_to(folder)) for path in found) or "none"
        raise SourceError(
            f"{archive} must hold exactly one SavedModel (a folder with saved_model.pb), and holds {places}"
        )
    return found[0]


def unpack_any(archive: Path, folder: Path) -> Path:
    """Unpack an archive of the hub, which may be a `.tar` too, and may hold a preset of KerasHub.

    Raises:
        SourceError: As `unpack` does.
    """
    _extract(archive, folder, "r:*")
    found = [path.parent for path in folder.rglob("saved_model.pb")] or [
        path.parent for path in folder.rglob("config.json") if any(path.parent.glob("*.weights.*"))
    ]
    if len(found) != 1:
        raise SourceError(f"{archive} holds no SavedModel, or several")
    return found[0]


def _extract(archive: Path, folder: Path, mode: Literal["r:gz", "r:*"] = "r:gz") -> None:
    if not os.access(archive, os.R_OK):
        raise SourceError(f"{archive} cannot be read; it must be readable by the user who exports")
    try:
        with tarfile.open(archive, mode) as tar:
            # The "data" filter refuses absolute paths, "..", links that lead outside and device files.
            tar.extractall(folder, filter="data")
    except tarfile.FilterError as error:
        raise SourceError(
            f"{archive} is not unpacked: {error}; a model archive must keep inside its own folder"
        ) from error
    except (tarfile.TarError, EOFError, OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            # The operating system's own: what tarfile and gzip say of broken archives has no number.
            raise SourceError(
                f"{archive} cannot be unpacked into {folder.parent} ({error.strerror}); set TMPDIR to a folder "
                "with room for the model"
            ) from error
        raise SourceError(f"{archive} cannot be unpacked as .tar.gz ({error}); download or pack it again") from error
