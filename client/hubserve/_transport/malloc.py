"""Stop glibc from returning request buffers to the system between requests."""

from __future__ import annotations

import functools

# glibc takes larger blocks from the system and returns them at once, until it adapts.
_MMAP_THRESHOLD = 128 * 2**10
# The largest block to which glibc adapts is 32 MiB, including its own header.
_LESSON = 32 * 2**20 - 2**16


def expect(size: int) -> None:
    """Prepare for blocks of this size that are allocated and freed with every request: `expect(len(request))`.

    A request of some megabytes is in memory twice, here and in gRPC. When both copies become free at the end of the
    heap, glibc returns them, and the system clears a thousand pages for the next request. That takes more processor
    time than everything else that a client does (`tests/client/test_request_memory.py` counts the pages).
    """
    if size > _MMAP_THRESHOLD:
        _teach()


@functools.cache
def _teach() -> None:
    """Free one block of 32 MB, once, as many programs do; no setting is changed.

    glibc adapts to the size of a freed block, and then keeps up to twice as much, 64 MiB here (mallopt(3),
    M_MMAP_THRESHOLD, "dynamic"). Thresholds that the program or its environment has set do not change, and other C
    libraries do not adapt. The block comes from calloc and is never written to, so that it takes no memory itself.
    """
    bytes(_LESSON)
