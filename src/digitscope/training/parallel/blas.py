"""How many threads the matrix products of NumPy's BLAS may use."""

from contextlib import AbstractContextManager
from functools import cache

import threadpoolctl


def blas_threads(limit: int) -> AbstractContextManager[object]:
    """Within this context BLAS uses at most `limit` threads; in the whole process, for BLAS knows no other way."""
    context: AbstractContextManager[object] = _controller().limit(limits=limit, user_api="blas")
    return context


@cache
def _controller() -> threadpoolctl.ThreadpoolController:
    # Looking for the libraries takes milliseconds, longer than a small network's epoch; they do not change.
    return threadpoolctl.ThreadpoolController()
