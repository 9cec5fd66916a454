"""Runs the lab: the address, the browser, the end."""

import contextlib
import signal
import socket
import sys
import webbrowser
from collections.abc import Callable
from pathlib import Path

import uvicorn

from digitscope.errors import DigitscopeError
from digitscope.lab.access import Access, in_url, own_names
from digitscope.lab.addresses import is_loopback
from digitscope.lab.app import LOCAL, application
from digitscope.lab.deadlines import LIMITS
from digitscope.lab.state import Lab
from digitscope.lab.training_host import host_of

PORT = 7840
"""The port that is tried first if none is named: 784 pixels."""
PATIENCE = 1
"""Seconds for which requests under way may go on after Ctrl-C."""


def serve(lab: Lab, *, host: str, port: int | None, say: Callable[[str], None], browse: bool) -> None:
    """Serves the lab until Ctrl-C; then open streams end, and so do the processes that rooms have begun.

    say: takes the lines for the terminal; the first one has the address. If other machines can reach the lab, the
        address has the teacher's key, and the next lines say how phones join.
    browse: whether the browser is opened.

    Raises: DigitscopeError if nothing can be served at the address.
    """
    listener = _listener(host, port)
    port = listener.getsockname()[1]
    lab.access = None if is_loopback(host) else Access.of(host, port)
    own = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)
    address = f"http://{in_url(own)}:{port}/" + (f"?key={lab.access.keys.teacher}" if lab.access else "")
    config = uvicorn.Config(
        application(lab, {*LOCAL, host, *own_names()} if lab.access else {*LOCAL, host}),
        **LIMITS,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=PATIENCE,
        lifespan="off",
    )
    server = uvicorn.Server(config)
    # Python's own handler raises an exception, which is lost where exceptions are ignored, and the Ctrl-C with it.
    before = signal.signal(signal.SIGINT, server.handle_exit)
    try:
        _announce(address, lab.access, say)
        host_of(lab).resume()
        if browse:
            webbrowser.open(address)
        server.run(sockets=[listener])
    finally:
        lab.close()
        listener.close()
        signal.signal(signal.SIGINT, before)


def _announce(address: str, access: Access | None, say: Callable[[str], None]) -> None:
    say(f"Lab: {address}")
    if access:
        say("This address has your key: do not show it. Phones join on the page /class, or with this address and code:")
        for other in access.addresses:
            say(f"  http://{other}/  {access.keys.shown_code}")
    say("Ctrl-C ends it.")


def _listener(host: str, port: int | None) -> socket.socket:
    """A listening socket at the port, or, if none is named, at PORT or else at a free one."""
    try:
        return _bound(host, PORT if port is None else port)
    except OSError as error:
        if port is None:
            with contextlib.suppress(OSError):
                return _bound(host, 0)
        raise DigitscopeError(
            f"The lab cannot be reached at {host}, port {PORT if port is None else port}: {error.strerror or error}. "
            "Give another --port or --host."
        ) from error


def _bound(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, protocol)
    try:
        if sys.platform != "win32":  # there it would let two programs listen at once
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(128)
    except BaseException:
        listener.close()
        raise
    return listener


def lab_folder() -> Path:
    """Where a lab keeps its files: runs/lab in the current folder."""
    return Path("runs") / "lab"
