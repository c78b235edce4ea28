"""Find credentials for Kaggle where kagglehub keeps them. They are sent to Kaggle alone, and never shown.

Public models need none. Credentials are used only after Kaggle has refused a request without them.
"""

from __future__ import annotations

import base64
import json
import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path

from .._errors import SourceError

# What a header can hold.
_PRINTABLE = re.compile(r"[!-~]+")


@dataclass(frozen=True)
class Credentials:
    """Hold what is sent to Kaggle, and where it was found.

    Attributes:
        authorization: The value of the Authorization header; no text shows it.
        place: The file or the environment variables that had it.
        warning: A text for the user where others can read the file; empty where they cannot.
    """

    authorization: str = field(repr=False)
    place: str
    warning: str = ""


def find() -> Credentials | None:
    """Return the credentials of this user: an API token, else a user name with its key; None where there are none.

    Raises:
        SourceError: The credentials are there, and cannot be read or sent.
    """
    token, place, file = _token()
    if token:
        return Credentials(f"Bearer {_checked(token, place)}", place, _open_to_others(file))
    user, key = os.environ.get("KAGGLE_USERNAME", "").strip(), os.environ.get("KAGGLE_KEY", "").strip()
    if user and key:
        return _basic(user, key, "KAGGLE_USERNAME and KAGGLE_KEY")
    file = _folder() / "kaggle.json"
    if not _is_file(file):
        return None
    try:
        known = json.loads(file.read_text(encoding="utf-8"))
        user, key = str(known["username"]).strip(), str(known["key"]).strip()
    except (OSError, ValueError, KeyError, TypeError):
        # The file may hold a key, so the reason is not shown.
        raise SourceError(
            f"{file} cannot be read as Kaggle's credentials; download it again from Kaggle's settings"
        ) from None
    return _basic(user, key, str(file), _open_to_others(file))


def home() -> Path | None:
    """Return the home folder; None for a user without one, as in many containers."""
    try:
        return Path.home()
    except RuntimeError:
        return None


def _folder() -> Path:
    return Path(os.environ.get("KAGGLE_CONFIG_DIR") or (home() or Path()) / ".kaggle")


def _token() -> tuple[str, str, Path | None]:
    """Return the token, the place that had it, and its file where it is in one."""
    named = os.environ.get("KAGGLE_API_TOKEN", "").strip()
    if named and not _is_file(Path(named)):
        return named, "KAGGLE_API_TOKEN", None
    folder = (home() or Path()) / ".kaggle"
    for file in (Path(named) if named else None, folder / "access_token", folder / "access_token.txt"):
        if file is None or not _is_file(file):
            continue
        try:
            token = file.read_text(encoding="utf-8").strip()
        except (OSError, ValueError):
            raise SourceError(f"{file} cannot be read as a token of Kaggle; copy one from Kaggle's settings") from None
        if token:
            return token, str(file), file
    return "", "", None


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # A token may be too long for a file's name.
        return False


def _checked(secret: str, place: str) -> str:
    if not _PRINTABLE.fullmatch(secret):
        raise SourceError(
            f"what {place} has is not a token or key of Kaggle: there is a space, a line break or a letter in it that "
            "cannot be sent; copy it again from Kaggle's settings"
        )
    return secret


def _open_to_others(file: Path | None) -> str:
    """Return a warning where a file with credentials can be read by other users."""
    if file is None or os.name != "posix" or not file.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
        return ""
    return f"other users of this machine can read {file}, which has your credentials of Kaggle: chmod 600 {file}"


def _basic(user: str, key: str, place: str, warning: str = "") -> Credentials:
    pair = f"{_checked(user, place)}:{_checked(key, place)}"
    return Credentials(f"Basic {base64.b64encode(pair.encode()).decode('ascii')}", place, warning)
