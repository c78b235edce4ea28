"""The C library's memory, for a process that does nothing but send requests."""

from __future__ import annotations

# The most that glibc learns from.
_LARGEST = 32 * 2**20 - 2**16


def keep_memory() -> None:
    """Has the C library keep the blocks of one request for the next, instead of returning them to the system.

    A request and gRPC's copy of it are megabytes; to get them anew each time costs more processor time than all else
    that a client does. glibc learns from one large block that is freed (mallopt(3), M_MMAP_THRESHOLD, "dynamic"), and
    never written to, it takes no memory itself. Other C libraries learn nothing. It is of the whole process, so it is
    for the command and not for the library.
    """
    bytes(_LARGEST)
