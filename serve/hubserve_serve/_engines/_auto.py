"""Choose the engine for `--engine auto`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._binary import BinaryEngine
from ._docker import DockerEngine
from ._embedded import EmbeddedEngine

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._engine import Engine


def choose(name: str, image: str, report: Callable[[str], None]) -> Engine:
    """Return the engine with this name; "auto" takes binary or docker if they are available, else embedded.

    Args:
        name: "binary", "docker", "embedded" or "auto".
        image: The image for the docker engine.
        report: Called with a line that says which engine was chosen, and why.
    """
    engines: dict[str, Engine] = {
        "binary": BinaryEngine(),
        "docker": DockerEngine(image),
        "embedded": EmbeddedEngine(),
    }
    if name != "auto":
        return engines[name]
    reasons: list[str] = []
    for candidate, engine in engines.items():
        missing = engine.missing()
        if missing is None:
            why = f" ({'; '.join(reasons)})" if reasons else ""
            report(f"Serving with the {candidate} engine{why}")
            return engine
        # Docker's own words, in parentheses, would fill two more lines; `--engine docker` shows them.
        reasons.append(missing.what.partition(" (")[0])
    raise AssertionError("the embedded engine is always there")
