"""Server-sent events: what happens on the server, told to every open page."""

import asyncio
import itertools
import json
import threading
from collections import deque
from collections.abc import AsyncGenerator

from digitscope.lab.routes import Right

HEARTBEAT = 15.0
"""Seconds after which a stream without events sends a comment, so that a dead connection is noticed."""
KEPT = 256
"""Events that a page which lost its connection can catch up with."""
WAITING = 512
"""Events that wait for a slow page. Beyond that it is told to ask for everything again."""

_RESET = "reset"


class Hub:
    """Takes events from any thread and hands them to all streams."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._streams: set[_Stream] = set()
        self._kept: deque[tuple[int, Right, str]] = deque(maxlen=KEPT)
        self._next = itertools.count(1)
        self._last = 0

    def publish(self, topic: str, value: object, right: Right = Right.TEACH) -> None:
        """Sends a value that JSON can hold to every page whose visitor has the right."""
        data = json.dumps(value, allow_nan=False, separators=(",", ":"))
        with self._lock:
            self._last = next(self._next)
            text = f"id: {self._last}\nevent: {topic}\ndata: {data}\n\n"
            self._kept.append((self._last, right, text))
            for stream in self._streams:
                if stream.right >= right:
                    stream.put(text)

    async def stream(self, right: Right, last_id: int | None = None) -> AsyncGenerator[str, None]:
        """The events from now on, as text/event-stream; after a lost connection, from the event after `last_id`.

        If some of them are not kept any more, the first event is `reset`: the page asks for everything again.
        """
        stream = _Stream(right, asyncio.get_running_loop())
        with self._lock:
            missed = [text for number, least, text in self._kept if number > (last_id or 0) and right >= least]
            is_complete = last_id is None or (last_id <= self._last and last_id >= self._last - len(self._kept))
            self._streams.add(stream)
        try:
            yield "retry: 1000\n\n"
            if not is_complete:
                yield f"event: {_RESET}\ndata: null\n\n"
            elif last_id is not None:
                for text in missed:
                    yield text
            async for text in stream.texts():
                yield text
        finally:
            with self._lock:
                self._streams.discard(stream)

    @property
    def streams(self) -> int:
        """The number of open streams."""
        return len(self._streams)


class _Stream:
    def __init__(self, right: Right, loop: asyncio.AbstractEventLoop) -> None:
        self.right = right
        self._loop = loop
        self._waiting: deque[str] = deque()
        self._ready = asyncio.Event()

    def put(self, text: str) -> None:
        try:
            self._loop.call_soon_threadsafe(self._put, text)
        except RuntimeError:  # the loop was closed: the server ends
            return

    def _put(self, text: str) -> None:
        if len(self._waiting) >= WAITING:
            self._waiting.clear()
            text = f"event: {_RESET}\ndata: null\n\n"
        self._waiting.append(text)
        self._ready.set()

    async def texts(self) -> AsyncGenerator[str, None]:
        while True:
            try:
                await asyncio.wait_for(self._ready.wait(), HEARTBEAT)
            except TimeoutError:
                yield ": still here\n\n"
                continue
            while self._waiting:
                yield self._waiting.popleft()
            self._ready.clear()
