"""Cut a table into pieces for the shards of a run, which choose them without talking to each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ..shards import Shard, number_of

# A row group of this size costs little when several shards read it.
_FEW_BYTES = 2**20
# A larger one is cut only if each piece has so many rows: to classify them takes longer than to read them twice.
_ROWS_APART = 2**10


class Group(NamedTuple):
    """A row group of a Parquet file, or a record batch of an Arrow file.

    Attributes:
        rows: The number of its rows.
        bytes: The size of the columns that are read.
    """

    rows: int
    bytes: int


class Piece(NamedTuple):
    """Rows `start` to `stop` of a row group, counted within the group.

    Attributes:
        group: The number of the row group.
        first: The number of the group's first row in the file.
        start: The first row.
        stop: The row after the last one.
    """

    group: int
    first: int
    start: int
    stop: int


def pieces(name: str, groups: Sequence[Group], shard: Shard) -> Iterator[Piece]:
    """Return the pieces of a table that belong to a shard, in the order of the rows.

    Whole row groups are dealt out in turn; those that are left when all shards have the same number of them are cut
    into as many pieces as there are shards for each. The first shard to get one is drawn from a hash of the table's
    name, so that many small tables are spread over all shards. Other tables of the data set do not matter.

    Args:
        name: The table, as it is spelled in the results.
        groups: All its row groups.
        shard: Whose pieces to return.
    """
    count = shard.count
    turn = number_of(name, count)
    whole = sum(group.rows > 0 for group in groups) // count * count
    left = sum(group.rows > 0 for group in groups) - whole
    first = 0
    for number, (rows, size) in enumerate(groups):
        parts = 0 if rows == 0 else 1
        if rows and whole:
            whole -= 1
        elif rows:
            most = rows if size <= _FEW_BYTES else max(1, rows // _ROWS_APART)
            parts = min(-(-count // left), most)
        for part in range(parts):
            if turn % count == shard.index:
                yield Piece(number, first, rows * part // parts, rows * (part + 1) // parts)
            turn += 1
        first += rows
