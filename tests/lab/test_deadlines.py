"""Visitors that hold a connection without using it, against a real server."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from digitscope.lab import deadlines
from digitscope.lab.deadlines import LIMITS, DeadlineProtocol

SOON = 0.6
LARGE = 30_000_000
"""Bytes, more than the system keeps for a visitor that does not read."""


async def echo(request: Request) -> Response:
    return PlainTextResponse(str(len(await request.body())))


async def large(request: Request) -> Response:
    return Response(bytes(LARGE))


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, int]]:
    for name in ("REQUEST_SECONDS", "READING_SECONDS"):
        monkeypatch.setattr(deadlines, name, SOON)
    monkeypatch.setattr(deadlines, "MAX_CONNECTIONS_FROM_ONE", 5)
    served = Starlette(routes=[Route("/", echo, methods=["GET", "POST"]), Route("/large", large)])
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(served, log_level="error", lifespan="off", **LIMITS))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield listener.getsockname()
    server.should_exit = True
    thread.join(20)
    assert not thread.is_alive()
    listener.close()
    assert not DeadlineProtocol._connections


@contextlib.contextmanager
def connected(address: tuple[str, int], *parts: bytes) -> Iterator[socket.socket]:
    with socket.create_connection(address, timeout=20) as connection:
        for part in parts:
            connection.sendall(part)
        yield connection


def seconds_until_closed(connection: socket.socket) -> float:
    """Reads what comes until the other side closes."""
    begin = time.monotonic()
    with contextlib.suppress(ConnectionError):
        while connection.recv(65536):
            pass
    return time.monotonic() - begin


@pytest.mark.parametrize(
    "parts",
    [
        [],
        [b"GET"],
        [b"GET / HTTP/1.1\r\nHost: x\r\n"],
        [b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc"],
        [b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"],
        [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"GET / HT"],
    ],
    ids=["nothing", "a word", "no end of the headers", "half a body", "half a chunk", "half a second request"],
)
def test_a_request_that_does_not_come(address: tuple[str, int], parts: list[bytes]) -> None:
    with connected(address, *parts) as connection:
        assert SOON * 0.5 < seconds_until_closed(connection) < SOON + 5


def test_a_request_that_comes_byte_by_byte(address: tuple[str, int]) -> None:
    """Slowloris: each byte comes before any timeout for silence, and the request never ends."""
    begin = time.monotonic()
    with connected(address, b"GET / HTTP/1.1\r\n") as connection, contextlib.suppress(ConnectionError):
        while time.monotonic() < begin + 10:
            connection.sendall(b"X-A: b\r\n")
            time.sleep(0.05)
    assert time.monotonic() - begin < SOON + 5


def test_an_answer_that_is_not_read(address: tuple[str, int]) -> None:
    with connected(address, b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n") as connection:
        time.sleep(SOON + 1)
        received = 0
        with contextlib.suppress(ConnectionError):
            while part := connection.recv(1 << 20):
                received += len(part)
    assert received < LARGE


def test_requests_in_time_are_answered_and_connections_kept(address: tuple[str, int]) -> None:
    request = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
    with connected(address) as connection:
        for _ in range(3):
            connection.sendall(request[:20])
            time.sleep(SOON / 4)
            connection.sendall(request[20:])
            received = b""
            while not received.endswith(b"\r\n\r\n3"):
                received += connection.recv(1)
            time.sleep(SOON * 1.5)  # idle longer than a request may take


def test_one_address_has_few_connections(address: tuple[str, int]) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(5):
            stack.enter_context(connected(address))
        with connected(address) as other:
            assert seconds_until_closed(other) < SOON * 0.9
    time.sleep(SOON / 4)  # the server notices that they are gone
    with connected(address, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n") as connection:
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")


def test_headers_are_bounded(address: tuple[str, int]) -> None:
    with connected(address, b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 100_000) as connection:
        assert seconds_until_closed(connection) < SOON * 0.9
