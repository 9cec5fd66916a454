"""Values that take seconds to compute, such as a model's answers for all test images, without a request that waits."""

import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

Report = Callable[[float], None]
Compute = Callable[[Report], Any]

WAIT = 0.3
"""Seconds that a request waits for a value before it is told how far the work is."""


@dataclass(frozen=True)
class Progress:
    """A value that is not ready."""

    done: float
    """The fraction of the work that is done; 0 while other values are computed first."""


class _StoppedError(Exception):
    """The lab closes."""


@dataclass(eq=False)
class _Task:
    compute: Compute
    done: float = 0.0
    ready: threading.Event = field(default_factory=threading.Event)
    value: Any = None
    error: Exception | None = None


class Background:
    """Computes values by key, one after the other, in a thread of its own, and keeps the newest.

    kept: the number of values that stay in memory.
    """

    def __init__(self, kept: int) -> None:
        self._kept = kept
        self._tasks: OrderedDict[Hashable, _Task] = OrderedDict()
        self._waiting: deque[_Task] = deque()
        self._lock = threading.Lock()
        self._is_working = self._is_closed = False

    def ask(self, key: Hashable, compute: Compute, wait: float = WAIT) -> Any:
        """The value of this key, or its Progress. It is computed once, whoever asks for it how often.

        Raises: what `compute` raised. If it is asked for again, it is computed again.
        """
        with self._lock:
            task = self._tasks.get(key)
            if task is None:
                task = self._tasks[key] = _Task(compute)
                self._waiting.append(task)
                if not self._is_working:
                    self._is_working = True
                    threading.Thread(target=self._work, daemon=True, name="lab background").start()
            self._tasks.move_to_end(key)
        return self._answer(key, task, wait)

    def look(self, key: Hashable, wait: float = WAIT) -> Any:
        """As `ask`, without starting anything: None if nobody asked for this value."""
        with self._lock:
            task = self._tasks.get(key)
        return None if task is None else self._answer(key, task, wait)

    def close(self) -> None:
        """Ends the work soon: at its next report."""
        self._is_closed = True

    def _answer(self, key: Hashable, task: _Task, wait: float) -> Any:
        if not task.ready.wait(wait):
            return Progress(task.done)
        if task.error is not None:
            with self._lock:
                if self._tasks.get(key) is task:
                    del self._tasks[key]
            raise task.error
        return task.value

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting or self._is_closed:
                    self._is_working = False
                    return
                task = self._waiting.popleft()
            try:
                task.value = task.compute(partial(self._report, task))
            except Exception as error:
                task.error = error
            task.ready.set()
            with self._lock:
                self._drop_oldest()

    def _report(self, task: _Task, done: float) -> None:
        if self._is_closed:
            raise _StoppedError
        task.done = done

    def _drop_oldest(self) -> None:
        ready = [key for key, task in self._tasks.items() if task.ready.is_set()]
        for key in ready[: max(0, len(self._tasks) - self._kept)]:
            del self._tasks[key]
