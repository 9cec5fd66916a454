"""Keeping memory that is freed, instead of asking the system for it again at each step."""

import contextlib
import ctypes
import sys

# From glibc's malloc.h: at which size an array gets pages of its own, how much free memory at the end of the heap
# goes back, and how many heaps there are for threads.
_M_MMAP_THRESHOLD, _M_TRIM_THRESHOLD, _M_ARENA_MAX = -3, -1, -8


def keep_freed_memory() -> None:
    """Tells the C library to hold on to freed memory; does nothing where that is not glibc.

    A step makes and drops arrays of megabytes. Given back to the system they return as pages that it must clear
    and map one by one; kept, a short training has a third of the page faults (docs/log.md).
    """
    if not sys.platform.startswith("linux"):
        return
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, 1 << 30)
        mallopt(_M_TRIM_THRESHOLD, (1 << 31) - 1)
        mallopt(_M_ARENA_MAX, 1)
