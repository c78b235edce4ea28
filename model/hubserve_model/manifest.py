"""Write and read `assets.extra/export.json`: the description of a version, its source, and its proof."""

from __future__ import annotations

import importlib.metadata
import json
import math
import subprocess
from pathlib import Path
from typing import Any, NoReturn

from ._errors import InspectError

FORMAT_VERSION = 1
FILE = Path("assets.extra", "export.json")


def write(folder: Path, manifest: dict[str, Any]) -> None:
    """Write the manifest of the version in `folder`."""
    file = folder / FILE
    file.parent.mkdir(exist_ok=True)
    document = {"format_version": FORMAT_VERSION, "hubserve": _this_program(), **manifest}
    file.write_text(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def read(folder: Path) -> dict[str, Any]:
    """Read the manifest of the version in `folder`.

    Raises:
        InspectError: There is no manifest, it is not JSON, or its format is newer than this program.
    """
    file = folder / FILE
    try:
        manifest = strict_json(file.read_text(encoding="utf-8"))
        found = manifest["format_version"]
    except FileNotFoundError as error:
        raise InspectError(f"{folder} does not have {FILE}; only versions that hubserve exported have it") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InspectError(f"{file} is not a manifest ({error}); export the model again") from error
    if found != FORMAT_VERSION:
        raise InspectError(
            f"{file} is of format {found}, and this hubserve reads format {FORMAT_VERSION}; use the "
            "hubserve that wrote it, or a newer one"
        )
    return dict(manifest)


def strict_json(text: str) -> Any:
    """Read strict JSON, without the extensions of Python's reader.

    Raises:
        ValueError: The text is not JSON, holds NaN, Infinity or a number that is too large for float64, or is nested
            too deeply.
    """
    try:
        return json.loads(text, parse_constant=_not_json, parse_float=_finite)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _finite(digits: str) -> float:
    """Read a number; refuse one such as 1e400, which Python reads as infinity.

    Raises:
        ValueError: The number is too large.
    """
    number = float(digits)
    return number if math.isfinite(number) else _not_json(digits)


def _not_json(constant: str) -> NoReturn:
    """Refuse a constant that is not a finite number.

    Raises:
        ValueError: Always.
    """
    raise ValueError(f"{constant} is not a finite number")


def _this_program() -> dict[str, str | None]:
    return {"version": importlib.metadata.version("hubserve"), "commit": _commit()}


def _commit() -> str | None:
    """Return the commit of this program: the one that pip recorded, else the work tree's HEAD, else None."""
    recorded = importlib.metadata.distribution("hubserve").read_text("direct_url.json")
    if recorded and (commit := json.loads(recorded).get("vcs_info", {}).get("commit_id")):
        return str(commit)
    here = Path(__file__).parent
    try:
        # A repository matters only if it tracks this file.
        git = ["git", "-C", str(here)]
        subprocess.run([*git, "ls-files", "--error-unmatch", Path(__file__).name], check=True, capture_output=True)  # noqa: S603
        head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)  # noqa: S603
    except (OSError, subprocess.CalledProcessError):
        return None
    return head.stdout.strip()
