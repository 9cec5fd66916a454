"""How often a visitor may ask for something."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

MAX_VISITORS = 4096
"""Visitors that are remembered. When there are more, the one that has been silent longest is forgotten."""


class Rate:
    """Token buckets, one for each visitor: `burst` at once, and `per_second` in the long run. Thread-safe."""

    def __init__(
        self,
        per_second: float,
        burst: int,
        *,
        visitors: int = MAX_VISITORS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.per_second, self.burst, self.visitors = per_second, burst, visitors
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def allows(self, visitor: str, cost: float = 1.0) -> bool:
        """Whether the visitor may do this now. If so, it counts; with a cost of 0 nothing is counted."""
        now = self._clock()
        with self._lock:
            level, since = self._buckets.pop(visitor, (float(self.burst), now))
            level = min(float(self.burst), level + (now - since) * self.per_second)
            allowed = level >= max(cost, 1.0)
            self._buckets[visitor] = (level - cost if allowed else level, now)
            while len(self._buckets) > self.visitors:
                self._buckets.popitem(last=False)
        return allowed

    def __len__(self) -> int:
        """The number of visitors that are remembered."""
        return len(self._buckets)
