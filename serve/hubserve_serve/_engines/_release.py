"""Find out the release of a TensorFlow Serving program, and whether it knows the flags that it needs."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

from hubserve_model import InspectError, manifest
from hubserve_model.exporter import newer_tensorflow
from hubserve_model.server_flags import Release, unknown_flags

from .._errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

# The first line of `tensorflow_model_server --version`, such as "TensorFlow ModelServer: 2.20.0+dev.sha.no_git".
_PRINTED = re.compile(r"^TensorFlow ModelServer: (\d+)\.(\d+)\.(\d+)", re.MULTILINE)
_PATIENCE_SECONDS = 120


def ask_release(command: Sequence[str], program: str) -> Release:
    """Ask a model server for its release.

    Args:
        command: The command that runs it, with the flag --version.
        program: The program's name in messages.

    Raises:
        EngineError: It does not run, or it is not TensorFlow Serving.
    """
    try:
        done = subprocess.run(  # noqa: S603 - the program is the one that the user means
            command, capture_output=True, text=True, errors="replace", timeout=_PATIENCE_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EngineError(f"{program} cannot be run ({error}): install it again, or choose another --engine") from error
    found = _PRINTED.search(done.stdout)
    if done.returncode != 0 or found is None:
        words = " ".join((done.stderr.strip() or done.stdout.strip() or "it printed nothing").splitlines()[-1:])
        raise EngineError(
            f"{program} does not print its version ({words}): install TensorFlow Serving, or choose another --engine"
        )
    major, minor, patch = map(int, found.groups())
    return major, minor, patch


def require_known(flags: Sequence[str], release: Release, program: str) -> None:
    """Check before the start that a server knows every flag: it would print an unknown one, and continue without it.

    Raises:
        EngineError: The server does not know a flag.
    """
    unknown = unknown_flags(flags, release)
    if unknown:
        names = ", ".join(f"--{name}" for name in sorted(unknown))
        known_since = [since for since in unknown.values() if since is not None]
        remedy = f"use {in_words(max(known_since))} or newer" if len(known_since) == len(unknown) else "leave it out"
        raise EngineError(f"{program} is TensorFlow Serving {in_words(release)}, which does not know {names}: {remedy}")


def warn_of_newer_export(folder: Path, release: Release, program: str, report: Callable[[str], None]) -> None:
    """Warn if a version was exported by a newer TensorFlow than the server's, which may not load it.

    Args:
        folder: The version's folder; without a manifest there is no warning.
        release: The server's release.
        program: The server's name in messages.
        report: Called with the warning.
    """
    try:
        exporter = newer_tensorflow(manifest.read(folder), release)
    except InspectError:
        return
    if exporter is not None:
        report(
            f"Warning: {folder} was exported with TensorFlow {exporter}, and {program} is TensorFlow Serving "
            f"{in_words(release)}, which may not load it: export it with TensorFlow {release[0]}.{release[1]}, or use "
            "a newer server"
        )


def in_words(release: Release) -> str:
    """Format a release: ``in_words((2, 20, 0))`` is ``"2.20.0"``."""
    return ".".join(map(str, release))
