"""Tell which TensorFlow Serving a program is, and whether it knows the flags that it is to be given."""

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

# What `tensorflow_model_server --version` prints first, such as "TensorFlow ModelServer: 2.20.0+dev.sha.no_git".
_PRINTED = re.compile(r"^TensorFlow ModelServer: (\d+)\.(\d+)\.(\d+)", re.MULTILINE)
_PATIENCE_SECONDS = 120


def ask_release(command: Sequence[str], program: str) -> Release:
    """Ask a model server for its release.

    Args:
        command: What runs it, with the flag --version.
        program: Its name for messages.

    Raises:
        EngineError: It does not run, or it is no TensorFlow Serving.
    """
    try:
        done = subprocess.run(  # noqa: S603 - the program is the one that the user means
            command, capture_output=True, text=True, errors="replace", timeout=_PATIENCE_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EngineError(f"{program} cannot be run ({error}): install it anew, or choose another --engine") from error
    found = _PRINTED.search(done.stdout)
    if done.returncode != 0 or found is None:
        words = " ".join((done.stderr.strip() or done.stdout.strip() or "it prints nothing").splitlines()[-1:])
        raise EngineError(
            f"{program} does not tell its version ({words}): install TensorFlow Serving, or choose another --engine"
        )
    major, minor, patch = map(int, found.groups())
    return major, minor, patch


def require_known(flags: Sequence[str], release: Release, program: str) -> None:
    """Find out before the start that a server knows every flag: it would print an unknown one, and go on without it.

    Raises:
        EngineError: It does not.
    """
    unknown = unknown_flags(flags, release)
    if unknown:
        names = ", ".join(f"--{name}" for name in sorted(unknown))
        known_since = [since for since in unknown.values() if since is not None]
        remedy = f"take {in_words(max(known_since))} or newer" if len(known_since) == len(unknown) else "leave it out"
        raise EngineError(f"{program} is TensorFlow Serving {in_words(release)}, which does not know {names}: {remedy}")


def warn_of_newer_export(folder: Path, release: Release, program: str, report: Callable[[str], None]) -> None:
    """Say where a version was exported by a newer TensorFlow than the server has, which may not load it.

    Args:
        folder: The version's folder; one without a manifest is passed over.
        release: The server's release.
        program: Its name for messages.
        report: Called with the warning.
    """
    try:
        exporter = newer_tensorflow(manifest.read(folder), release)
    except InspectError:
        return
    if exporter is not None:
        report(
            f"Warning: {folder} was exported with TensorFlow {exporter}, and {program} is TensorFlow Serving "
            f"{in_words(release)}, which may not load it: export it with TensorFlow {release[0]}.{release[1]}, or take "
            "a newer server"
        )


def in_words(release: Release) -> str:
    """Write a release as people do: ``in_words((2, 20, 0))`` is ``"2.20.0"``."""
    return ".".join(map(str, release))
