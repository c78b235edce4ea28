"""Give memory back that is not needed any more."""

from __future__ import annotations

import ctypes
import gc


def release() -> None:
    """Free objects that nothing uses, and return their memory to the system.

    glibc keeps freed memory for the next allocations: for a large model, a gigabyte that the proof would need beside
    it. Other C libraries do not have `malloc_trim`.
    """
    gc.collect()
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (OSError, TypeError, AttributeError):
        return
    trim(0)
