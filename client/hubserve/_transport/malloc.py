"""Has the C library keep the memory of one request for the next one."""

from __future__ import annotations

import functools

# Larger blocks glibc takes from the system and returns at once, until it knows better.
_MMAP_THRESHOLD = 128 * 2**10
# The largest block that glibc learns from is 32 MiB; some of it is its own.
_LESSON = 32 * 2**20 - 2**16


def expect(size: int) -> None:
    """Prepare for blocks of so many bytes that come and go with every request: `expect(len(request))`.

    A request of some megabytes is in memory twice, here and in gRPC. When both become free at the end of the heap,
    glibc gives them back, and the system clears a thousand pages for the next request: more processor time than all
    else that a client does (`tests/client/test_request_memory.py` counts them).
    """
    if size > _MMAP_THRESHOLD:
        _teach()


@functools.cache
def _teach() -> None:
    """Do once what every program does that frees an array of 32 MB; it sets nothing.

    glibc takes the size of a freed block as a sign of what will come, and then keeps up to twice as much, 64 MiB here
    (mallopt(3), M_MMAP_THRESHOLD, "dynamic"). Thresholds that the program or its environment has set stay as they are;
    other C libraries learn nothing. The block comes from calloc and is never written to: it takes no memory itself.
    """
    bytes(_LESSON)
