"""Spreads calls over a few threads."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self, TypeVar

from digitscope.arguments import check_whole
from digitscope.errors import ArgumentError, TrainingError

MOST_THREADS = 1024
"""More threads than any machine can use."""

Item = TypeVar("Item")
Result = TypeVar("Result")


class ThreadMap:
    """`thread_map(function, items)` is [function(item) for item in items], with the calls spread over threads.

    Which thread makes which call is not fixed, so no result may depend on it. NumPy releases the GIL inside its loops
    and products, so these run at the same time. The caller is one of the threads: it makes the calls that no other
    thread has begun. With one thread or one item the caller makes all calls, since handing one over takes longer than
    a small network's forward pass.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._pool = ThreadPoolExecutor(max(1, threads - 1))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown()

    def __call__(self, function: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
        """The results in the order of the items. Raises: the error of the first call that failed."""
        if self.threads == 1 or len(items) < 2:
            return [function(item) for item in items]
        try:
            futures = [self._pool.submit(function, item) for item in items]
        except RuntimeError as error:  # the operating system starts no more of them
            raise TrainingError(f"{self.threads} threads cannot be started ({error}). Use fewer threads.") from error
        own = {i: function(items[i]) for i in reversed(range(len(items))) if futures[i].cancel()}
        return [own[i] if i in own else future.result() for i, future in enumerate(futures)]


def thread_count(threads: int | None, name: str = "threads") -> int:
    """The number of threads to use: all processors for None. `name` is the argument's, for its errors.

    Raises: ArgumentError unless it is a whole number from 1 to MOST_THREADS, or None.
    """
    check_whole(name, threads, 1, optional=True)
    if threads is not None and threads > MOST_THREADS:
        raise ArgumentError(f"{name} is expected to be at most {MOST_THREADS}; got {threads}.")
    return default_threads() if threads is None else threads


def default_threads() -> int:
    """Number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
