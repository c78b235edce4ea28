"""A finding of `hubserve doctor`, and functions to make its texts."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

_PATIENCE_SECONDS = 30
_CREDENTIALS = re.compile(r"[^\s/@'\",]+:[^\s/@'\",]*@")


class Finding(NamedTuple):
    """A result of one check: `Finding("Docker", "absent", "docker is not on the PATH", "install it")`.

    Attributes:
        name: The thing that was checked.
        state: "ok": it exists and works. "absent": it does not exist, which is only a problem for a user who needs it.
            "problem": it exists, and does not work.
        detail: What was found, without secrets.
        remedy: What to do; empty if there is nothing to do.
    """

    name: str
    state: Literal["ok", "absent", "problem"]
    detail: str
    remedy: str = ""


def presentable(text: str) -> str:
    """Return a text that can be published: without passwords in addresses, and with `~` for the home folder."""
    text = _CREDENTIALS.sub("", text)
    home = str(Path.home())
    return text.replace(home, "~") if len(home) > 1 else text


def output_of(command: Sequence[str]) -> tuple[bool, str]:
    """Run a program; return whether it succeeded, and its output on one line."""
    try:
        done = subprocess.run(  # noqa: S603 - the programs are those that the user would call
            command,
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=_PATIENCE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False, f"no answer in {_PATIENCE_SECONDS} s"
    except OSError as error:
        return False, error.strerror or str(error)
    said = done.stdout if done.returncode == 0 else (done.stderr.strip() or done.stdout)
    return done.returncode == 0, "; ".join(filter(None, map(str.strip, said.splitlines())))
