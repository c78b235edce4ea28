"""Find credentials for Kaggle where kagglehub keeps them. They go to Kaggle alone, and are never shown.

A public model needs none. They are looked for only when Kaggle has refused a request without them.
"""

from __future__ import annotations

import base64
import json
import os
from dataclasses import dataclass, field
from pathlib import Path

from .._errors import SourceError


@dataclass(frozen=True)
class Credentials:
    """Hold what is sent to Kaggle, and where it was found.

    Attributes:
        authorization: The value of the Authorization header; no text shows it.
        place: The file or the environment variables that had it.
    """

    authorization: str = field(repr=False)
    place: str


def find() -> Credentials | None:
    """Return the credentials of this user: an API token, else a user name with its key; None where there are none.

    Raises:
        SourceError: kaggle.json is there, and cannot be read.
    """
    folder = Path(os.environ.get("KAGGLE_CONFIG_DIR") or Path.home() / ".kaggle")
    token, place = _token()
    if token:
        return Credentials(f"Bearer {token}", place)
    user, key = os.environ.get("KAGGLE_USERNAME"), os.environ.get("KAGGLE_KEY")
    if user and key:
        return _basic(user, key, "KAGGLE_USERNAME and KAGGLE_KEY")
    file = folder / "kaggle.json"
    if not file.is_file():
        return None
    try:
        known = json.loads(file.read_text(encoding="utf-8"))
        return _basic(known["username"], known["key"], str(file))
    except (OSError, ValueError, KeyError, TypeError):
        # What the file holds may be a key: the reason is not shown.
        raise SourceError(
            f"{file} cannot be read as Kaggle's credentials; download it again from Kaggle's settings"
        ) from None


def _token() -> tuple[str, str]:
    named = os.environ.get("KAGGLE_API_TOKEN", "")
    if named and not _is_file(Path(named)):
        return named.strip(), "KAGGLE_API_TOKEN"
    home = Path.home() / ".kaggle"
    for file in (Path(named) if named else None, home / "access_token", home / "access_token.txt"):
        if file is not None and _is_file(file) and (token := file.read_text(encoding="utf-8").strip()):
            return token, str(file)
    return "", ""


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # A token may be too long for a file's name.
        return False


def _basic(user: str, key: str, place: str) -> Credentials:
    encoded = base64.b64encode(f"{user}:{key}".encode()).decode("ascii")
    return Credentials(f"Basic {encoded}", place)
