"""Runs the lab: the address, the browser, the end."""

import contextlib
import socket
import sys
import webbrowser
from collections.abc import Callable
from pathlib import Path

import uvicorn

from digitscope.errors import DigitscopeError
from digitscope.lab.app import LOCAL, application
from digitscope.lab.state import Lab
from digitscope.lab.training_host import host_of

PORT = 7840
"""The port that is tried first if none is named: 784 pixels."""
PATIENCE = 1
"""Seconds for which requests under way may go on after Ctrl-C."""


def serve(lab: Lab, *, host: str, port: int | None, say: Callable[[str], None], browse: bool) -> None:
    """Serves the lab until Ctrl-C; then open streams end, and so do the processes that rooms have begun.

    say: takes the lines for the terminal; the first one has the address.
    browse: whether the browser is opened.

    Raises: DigitscopeError if nothing can be served at the address.
    """
    listener = _listener(host, port)
    address = f"http://{_in_url(host)}:{listener.getsockname()[1]}/"
    try:
        with contextlib.suppress(KeyboardInterrupt):  # uvicorn raises Ctrl-C again after it has ended
            say(f"Lab: {address}")
            say("Ctrl-C ends it.")
            config = uvicorn.Config(
                application(lab, {*LOCAL, host}),
                log_level="warning",
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=PATIENCE,
                lifespan="off",
            )
            host_of(lab).resume()
            if browse:
                webbrowser.open(address)
            uvicorn.Server(config).run(sockets=[listener])
    finally:
        lab.close()
        listener.close()


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


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def lab_folder() -> Path:
    """Where a lab keeps its files: runs/lab in the current folder."""
    return Path("runs") / "lab"
