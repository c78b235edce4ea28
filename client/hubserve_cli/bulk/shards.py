"""A part of the images for each of several machines, which choose their parts without talking to each other."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

import click

# Kubernetes sets the index of each pod of an Indexed Job; the manifest has to set the number of pods.
_INDEX, _COUNT = "JOB_COMPLETION_INDEX", "JOB_COMPLETIONS"


@dataclass(frozen=True, slots=True)
class Shard:
    """The images whose names a hash puts here: `Shard(index=0, count=8).has("photographs/cat.jpg")`.

    The hash is of the name and not of the place in a list: if an image is added or removed, the others stay in their
    shards, so that machines that look at the same folder a minute apart leave none out. The hash is BLAKE2b with 8
    bytes, read as a big-endian number, modulo `count`; of the name as it is spelled in the results.

    Attributes:
        index: From 0.
        count: The number of shards.
    """

    index: int
    count: int

    def has(self, name: str) -> bool:
        """Tell whether an image of this name is in the shard."""
        if self.count == 1:
            return True
        return number_of(name, self.count) == self.index

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"


ALL = Shard(0, 1)


def parse(_: click.Context, __: click.Parameter, given: str | None) -> Shard:
    """Read `I/N` from the command line or, without it, from the environment.

    Raises:
        click.BadParameter: The text is not a shard.
    """
    return from_environment() if given is None else _shard(given)


def from_environment(environment: Mapping[str, str] = os.environ) -> Shard:
    """Return the shard of this pod of an Indexed Job; all images, elsewhere.

    Raises:
        click.UsageError: The pod has an index, but the number of pods is not known: it would classify all images.
    """
    index, count = environment.get(_INDEX), environment.get(_COUNT)
    if index is None:
        return ALL
    if count is None:
        raise click.UsageError(
            f"{_INDEX} is {index}, but {_COUNT} is not set: set it to the Job's completions, or give --shard (0/1 for "
            "all images)."
        )
    return _shard(f"{index}/{count}")


def _shard(text: str) -> Shard:
    # A Job has at most 2**31 completions; Python does not read numbers of thousands of digits.
    found = re.fullmatch(r"(\d{1,10})/(\d{1,10})", text, re.ASCII)
    if found is None or int(found[1]) >= int(found[2]):
        raise click.BadParameter(f"{text!r} is not a shard: 0/8 is the first of eight, 7/8 the last.")
    return Shard(int(found[1]), int(found[2]))


def number_of(name: str, count: int) -> int:
    """Return the shard, of that number of shards, that a name belongs to."""
    return int.from_bytes(hashlib.blake2b(_octets(name), digest_size=8).digest(), "big") % count


def _octets(name: str) -> bytes:
    try:
        # The file's name as the system stores it, with any bytes.
        return name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        # Half of a surrogate pair: a file's name cannot hold it, but a list of names can.
        return name.encode("utf-8", "surrogatepass")
