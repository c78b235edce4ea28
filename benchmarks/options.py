"""The options that the programs of this folder share, with the same words."""

from __future__ import annotations

import argparse
from pathlib import Path


def parser(document: str | None, *, rounds: int | None = None, quick: str | None = None) -> argparse.ArgumentParser:
    """Return a parser with `--json`, and with `--rounds` and `--quick` if the program has them.

    Args:
        document: The docstring of the program; its first line is the description.
        rounds: How often each contender takes its turn if the user does not say so; None: without the option.
        quick: What the program leaves out with `--quick`; None: without the option.
    """
    made = argparse.ArgumentParser(description=(document or "").partition("\n")[0])
    if rounds is not None:
        made.add_argument("--rounds", type=int, default=rounds, help=f"turns of each contender  [default: {rounds}]")
    if quick is not None:
        made.add_argument("--quick", action="store_true", help=quick)
    made.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    return made
