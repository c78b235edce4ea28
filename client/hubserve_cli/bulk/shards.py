"""A part of the images for each of several machines, which agree on it without talking to each other."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

import click

# Kubernetes tells each pod of an Indexed Job its index; how many there are, the manifest has to say.
_INDEX, _COUNT = "JOB_COMPLETION_INDEX", "JOB_COMPLETIONS"


@dataclass(frozen=True, slots=True)
class Shard:
    """The images whose names a hash puts here: `Shard(index=0, count=8).has("photographs/cat.jpg")`.

    By name, and not by place: an image that is added or goes away moves no other one to another shard, so that machines
    which look at the same folder a minute apart still leave none out. The hash is BLAKE2b with 8 bytes, read as a
    big-endian number, modulo `count`; the name counts as it is spelled in the results.

    Attributes:
        index: From 0.
        count: How many shards there are.
    """

    index: int
    count: int

    def has(self, name: str) -> bool:
        """Tell whether an image of this name is in the shard."""
        if self.count == 1:
            return True
        digest = hashlib.blake2b(_octets(name), digest_size=8).digest()
        return int.from_bytes(digest, "big") % self.count == self.index

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"


ALL = Shard(0, 1)


def parse(_: click.Context, __: click.Parameter, given: str | None) -> Shard:
    """Read `I/N` on the command line; without it, what the environment says.

    Raises:
        click.BadParameter: It is none.
    """
    return from_environment() if given is None else _shard(given)


def from_environment(environment: Mapping[str, str] = os.environ) -> Shard:
    """Return the shard of this pod of an Indexed Job; all images, elsewhere.

    Raises:
        click.UsageError: The pod has an index, and nobody says how many there are: it would do the others' work, too.
    """
    index, count = environment.get(_INDEX), environment.get(_COUNT)
    if index is None:
        return ALL
    if count is None:
        raise click.UsageError(
            f"{_INDEX} is {index}, but {_COUNT} does not say of how many: set it to the Job's completions, "
            "or give --shard (0/1 for all images)."
        )
    return _shard(f"{index}/{count}")


def _shard(text: str) -> Shard:
    # No Job has more than 2**31 completions; Python does not read numbers of thousands of digits.
    found = re.fullmatch(r"(\d{1,10})/(\d{1,10})", text, re.ASCII)
    if found is None or int(found[1]) >= int(found[2]):
        raise click.BadParameter(f"{text!r} is no shard: 0/8 is the first of eight, 7/8 the last.")
    return Shard(int(found[1]), int(found[2]))


def _octets(name: str) -> bytes:
    try:
        # A file's name as the system has it, whatever its bytes are.
        return name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        # Half of a pair, which no file's name has; a list of names may.
        return name.encode("utf-8", "surrogatepass")
