"""Keeps freed memory in the process, instead of asking the system for it again at each step."""

import contextlib
import ctypes
import sys

# From glibc's malloc.h: the size from which an array gets its own pages, the amount of free memory at the end of the
# heap that is given back, and the number of heaps for threads.
_M_MMAP_THRESHOLD, _M_TRIM_THRESHOLD, _M_ARENA_MAX = -3, -1, -8


def keep_freed_memory() -> None:
    """Tells the C library to keep freed memory; does nothing if that is not glibc.

    A step makes and drops arrays of megabytes. If they are given back, the system must clear and map their pages again
    one by one; if they are kept, a short training has a third of the page faults (docs/log.md).
    """
    if not sys.platform.startswith("linux"):
        return
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, 1 << 30)
        mallopt(_M_TRIM_THRESHOLD, (1 << 31) - 1)
        mallopt(_M_ARENA_MAX, 1)
