"""The number of threads that NumPy's BLAS may use for a matrix product."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import Lock

import threadpoolctl

_LOCK = Lock()
_limits: list[int] = []
"""The limits of all contexts that are open, in any thread."""
_before: list[threadpoolctl.threadpool_limits] = []
"""What restores the number of threads from before the first of these contexts."""


@contextmanager
def blas_threads(limit: int) -> Iterator[None]:
    """Within this context BLAS uses at most `limit` threads, in the whole process: BLAS has no narrower setting.

    Several threads may train or predict at once, and their contexts end in any order. So the lowest limit of all open
    contexts holds, and the last context that ends restores the number from before the first.
    """
    with _LOCK:
        _limits.append(limit)
        limiter = _controller().limit(limits=min(_limits), user_api="blas")
        if len(_limits) == 1:
            _before[:] = [limiter]
    try:
        yield
    finally:
        with _LOCK:
            _limits.remove(limit)
            if _limits:
                _controller().limit(limits=min(_limits), user_api="blas")
            else:
                _before.pop().restore_original_limits()


@cache
def _controller() -> threadpoolctl.ThreadpoolController:
    # Finding the libraries takes milliseconds, longer than a small network's epoch; they do not change.
    return threadpoolctl.ThreadpoolController()
