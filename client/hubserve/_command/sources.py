"""From what a person names on the command line to the images it stands for, one after another."""

from __future__ import annotations

import glob
import itertools
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

# What the model's own decoder reads. A file named outright is sent whatever its name is.
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp"})


class NoImagesError(click.ClickException):
    """A source names no image: wrong usage, told in one sentence without the synopsis."""

    exit_code = 2


def find(sources: Iterable[str]) -> Iterator[str]:
    """Finds the images that files, folders (with all below them), globs, or `-` for standard input stand for.

    Everything named is looked at before the first image is given, so that a misspelt name does not come to light after
    an hour; what lies in a folder is found as it is needed.

    Raises:
        NoImagesError: A source is not there, or names no image.
    """
    return itertools.chain.from_iterable([_found(source) for source in sources])


def _found(source: str) -> Iterator[str]:
    if source == "-":
        return (line.rstrip("\n") for line in sys.stdin if line.strip())
    path = Path(source)
    if path.is_dir():
        return _at_least_one(_below(path), f"{source} holds no images ({', '.join(sorted(SUFFIXES))})")
    if path.exists():
        return iter([source])
    if glob.has_magic(source):
        matches = (match for match in glob.iglob(source, recursive=True) if os.path.isfile(match))
        return _at_least_one(matches, f"nothing matches {source}")
    raise NoImagesError(f"{source} is not there; name files, folders, globs, or - to read paths from standard input")


def _below(folder: Path) -> Iterator[str]:
    """Images below a folder, in the order of their names, so that every run and every machine has the same."""
    for parent, folders, files in os.walk(folder):
        folders.sort()
        yield from (os.path.join(parent, name) for name in sorted(files) if Path(name).suffix.lower() in SUFFIXES)


def _at_least_one(paths: Iterator[str], otherwise: str) -> Iterator[str]:
    first = next(paths, None)
    if first is None:
        raise NoImagesError(otherwise)
    return itertools.chain([first], paths)
