"""Ends connections that would hold the server's resources without using them.

uvicorn waits without end for a request that comes slowly, and for a visitor that does not read its answer.
"""

import asyncio
from collections import Counter
from typing import Any, ClassVar, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from digitscope.lab.addresses import visitor_key

REQUEST_SECONDS = 30.0
"""From the first byte of a request, or the beginning of the connection, to its last byte."""
READING_SECONDS = 30.0
"""For which a visitor may leave unread what the server has sent."""
MAX_CONNECTIONS = 500
"""Connections at once; uvicorn answers more with 503."""
MAX_CONNECTIONS_FROM_ONE = 300
"""The same from one address. A class whose phones share one has about 200: a browser opens up to six."""
MAX_HEAD = 1 << 14
"""Bytes of a request's first line and headers."""


class DeadlineProtocol(H11Protocol):
    """HTTP/1.1 as uvicorn speaks it, with deadlines, and with a limit for each address."""

    _connections: ClassVar[Counter[str]] = Counter()
    _visitor: str | None = None
    _request_timer: asyncio.TimerHandle | None = None
    _reading_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(cast(asyncio.Transport, transport))  # uvicorn's type is narrower than asyncio's
        self._visitor = visitor_key(self.client[0] if self.client else "?")
        self._connections[self._visitor] += 1
        if self._connections[self._visitor] > MAX_CONNECTIONS_FROM_ONE:
            self.transport.abort()
            return
        self._begin_request()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._cancel_timers()
        if self._visitor is not None:
            self._connections[self._visitor] -= 1
            if self._connections[self._visitor] <= 0:
                del self._connections[self._visitor]
            self._visitor = None

    def data_received(self, data: bytes) -> None:
        self._begin_request()
        super().data_received(data)
        if self.conn.their_state not in (h11.IDLE, h11.SEND_BODY) and self._request_timer is not None:
            self._request_timer.cancel()
            self._request_timer = None

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.conn.their_state is h11.IDLE and self.conn.trailing_data[0]:  # the beginning of the next request
            self._begin_request()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._reading_timer is None:
            self._reading_timer = self.loop.call_later(READING_SECONDS, self._abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._reading_timer is not None:
            self._reading_timer.cancel()
            self._reading_timer = None

    def _begin_request(self) -> None:
        if self._request_timer is None:
            self._request_timer = self.loop.call_later(REQUEST_SECONDS, self._abort)

    def _abort(self) -> None:
        self._cancel_timers()
        self.transport.abort()

    def _cancel_timers(self) -> None:
        for timer in (self._request_timer, self._reading_timer):
            if timer is not None:
                timer.cancel()
        self._request_timer = self._reading_timer = None


LIMITS: dict[str, Any] = {
    "http": DeadlineProtocol,
    "ws": "none",
    "proxy_headers": False,
    "limit_concurrency": MAX_CONNECTIONS,
    "timeout_keep_alive": 10,
    "h11_max_incomplete_event_size": MAX_HEAD,
}
"""Settings of uvicorn."""
