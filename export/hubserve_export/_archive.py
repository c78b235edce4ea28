"""Unpack a model archive, which is not trusted."""

from __future__ import annotations

import lzma
import os
import tarfile
import zlib
from pathlib import Path

from ._errors import SourceError


def unpack(archive: Path, folder: Path) -> Path:
    """Unpack a `.tar.gz` of a SavedModel. A `.tar` is unpacked too: some browsers decompress what they download.

    Args:
        archive: The file.
        folder: An empty folder to unpack into.

    Returns:
        The folder that holds `saved_model.pb`: `folder` itself, as the hub packs archives, or the only folder inside
        that holds it. Of nested SavedModels, the outermost one.

    Raises:
        SourceError: The archive is not a gzipped tar, is cut short, reaches outside `folder`, does not hold exactly
            one SavedModel, or there is no room to unpack it.
    """
    try:
        _extract(archive, folder)
    except OSError as error:
        raise SourceError(
            f"{archive} cannot be unpacked into {folder.parent} ({error.strerror}); set TMPDIR to a folder "
            "with room for the model"
        ) from error
    found = _outermost(folder, "saved_model.pb")
    if len(found) != 1:
        places = ", ".join(str(path.relative_to(folder)) for path in found) or "none"
        remedy = "; unpack it, and give the folder of one" if found else ""
        raise SourceError(
            f"{archive} must hold exactly one SavedModel (a folder with saved_model.pb), and holds {places}{remedy}"
        )
    return _self_contained(archive, found[0])


def unpack_any(archive: Path, folder: Path) -> Path:
    """Unpack an archive of the hub, which may also hold a preset of KerasHub.

    Raises:
        SourceError: As for `unpack`.
        OSError: The folder cannot be written to.
    """
    _extract(archive, folder)
    presets = [path for path in _outermost(folder, "config.json") if any(path.glob("*.weights.*"))]
    found = _outermost(folder, "saved_model.pb") or presets
    if len(found) != 1:
        raise SourceError(f"{archive} must hold exactly one SavedModel, and holds {len(found)}")
    return _self_contained(archive, found[0])


def _outermost(folder: Path, name: str) -> list[Path]:
    """Return the folders that hold a file of that name, without folders inside another of them."""
    found = sorted(path.parent for path in folder.rglob(name) if path.is_file())
    return [path for path in found if not any(other in path.parents for other in found)]


def _self_contained(archive: Path, model: Path) -> Path:
    inside = model.resolve()
    for path in model.rglob("*"):
        if path.is_symlink() and not (path.exists() and path.resolve().is_relative_to(inside)):
            raise SourceError(
                f"{archive} is not unpacked: {path.relative_to(model)} is a link that leads out of the model; pack it "
                "again with tar --dereference"
            )
    return model


def _extract(archive: Path, folder: Path) -> None:
    """Unpack a tar.

    Raises:
        SourceError: The file is not a tar, or reaches outside the folder.
        OSError: The folder cannot be written to.
    """
    if not os.access(archive, os.R_OK):
        raise SourceError(f"{archive} cannot be read; it must be readable by the user who exports")
    try:
        with tarfile.open(archive, "r:*") as tar:
            # The "data" filter refuses absolute paths, "..", links that lead outside and device files.
            tar.extractall(folder, filter="data")
            # The checksum of gzip is at its end, behind the end of the tar.
            while tar.fileobj is not None and tar.fileobj.read(1 << 20):
                pass
    except tarfile.FilterError as error:
        raise SourceError(
            f"{archive} is not unpacked: {error}; a model archive must keep inside its own folder"
        ) from error
    except (tarfile.TarError, EOFError, OSError, ValueError, zlib.error, lzma.LZMAError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # An error of the operating system: errors of tarfile and gzip about broken archives have no number.
        reason, remedy = _reason(archive)
        raise SourceError(f"{archive} cannot be unpacked as .tar.gz ({reason}); {remedy}") from error


def _reason(archive: Path) -> tuple[str, str]:
    """Return what is wrong with a file that is not an archive, and what to do."""
    with archive.open("rb") as file:
        begin = file.read(512)
    if begin.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return "it is a web page", "open the model's page in a browser, sign in if it asks, and download it again"
    if begin.startswith(b"PK\x03\x04"):
        return "it is a .zip", "unpack it, and give the folder that has saved_model.pb in it"
    if not begin:
        return "it is empty", "download it again"
    if begin.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ")):
        return "it is cut or damaged", "download or pack it again"
    return "it is not a tar", "download or pack it again"
