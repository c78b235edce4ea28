"""Mutations of bytes that may break a reader; a seeded `random.Random` chooses the mutation and the place."""

import random
from collections.abc import Callable

# Numbers at which lengths, sizes and offsets go wrong.
EDGES = (0, 1, 2, 3, 7, 8, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 2**24 - 1, 2**31 - 1, 2**31, -1)
_HEADER = 64
Chance = random.Random
Mutation = Callable[[Chance, bytes], bytes]


def truncate(chance: Chance, data: bytes) -> bytes:
    """The file cut short: anywhere, in its header, or a few bytes before its end."""
    most = chance.choice([len(data), min(len(data), _HEADER)])
    return data[: chance.choice([chance.randint(0, most), max(0, len(data) - chance.randint(1, 16))])]


def flip(chance: Chance, data: bytes) -> bytes:
    """Some bits turned over, mostly in the header."""
    changed = bytearray(data)
    for _ in range(chance.choice([1, 1, 2, 3, 8, 30])):
        if changed:
            changed[place(chance, changed)] ^= chance.choice([1 << chance.randrange(8), chance.randrange(256)])
    return bytes(changed)


def number_edges(chance: Chance, data: bytes) -> bytes:
    """Numbers of one to four bytes, of either byte order, set to where arithmetic goes wrong."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 3)):
        octets = chance.choice([1, 2, 3, 4, 4])
        value = chance.choice([*EDGES, chance.randrange(2**32), len(data), len(data) + 1]) % 256**octets
        at = place(chance, changed)
        changed[at : at + octets] = value.to_bytes(octets, chance.choice(["big", "little"]))
    return bytes(changed)


def cut_and_paste(chance: Chance, data: bytes) -> bytes:
    """A piece left out, doubled, repeated many times, or moved."""
    start = place(chance, data)
    end = min(len(data), start + chance.choice([1, 2, 4, 16, 100, 1000]))
    piece, rest = data[start:end], data[:start] + data[end:]
    times = chance.choice([2, 2, 3, 300])
    elsewhere = place(chance, rest)
    return chance.choice([rest, data[:start] + piece * times + data[end:], rest[:elsewhere] + piece + rest[elsewhere:]])


MUTATIONS: tuple[Mutation, ...] = (truncate, flip, number_edges, cut_and_paste)


def mutate(chance: Chance, data: bytes) -> bytes:
    """One of them."""
    return chance.choice(MUTATIONS)(chance, data)


def place(chance: Chance, data: bytes | bytearray) -> int:
    """Somewhere in the file: in its header twice out of three times."""
    if not data:
        return 0
    return chance.randrange(min(len(data), _HEADER) if chance.random() < 2 / 3 else len(data))
