"""Describe one thing that was looked at."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

_PATIENCE_SECONDS = 30
_CREDENTIALS = re.compile(r"[^\s/@'\",]+:[^\s/@'\",]*@")


class Finding(NamedTuple):
    """One thing that was looked at: `Finding("Docker", "absent", "docker is not on the PATH", "install it")`.

    Attributes:
        name: What was looked at.
        state: ok: it is there and works. absent: it is not there, which is only a problem for a user who needs it.
            problem: it is there, and does not work.
        detail: What was found, without secrets.
        remedy: What to do; empty when nothing is to be done.
    """

    name: str
    state: Literal["ok", "absent", "problem"]
    detail: str
    remedy: str = ""


def presentable(text: str) -> str:
    """Return a text for the eyes of others: without passwords in addresses, and with `~` for the home folder."""
    text = _CREDENTIALS.sub("", text)
    home = str(Path.home())
    return text.replace(home, "~") if len(home) > 1 else text


def output_of(command: Sequence[str]) -> tuple[bool, str]:
    """Run a program, and return whether it ended well, and what it printed, on one line."""
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
