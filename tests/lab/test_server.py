"""The server as a process, and the browser."""

import http.client
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lab.conftest import PageOpener, Server

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Ctrl-C cannot be sent to a single process on Windows")


def test_the_first_line_is_the_address_and_ctrl_c_ends_it(start_server: Callable[..., Server]) -> None:
    server = start_server()
    assert server.first_line == f"Lab: http://127.0.0.1:{server.port}/\n"
    streams = [http.client.HTTPConnection("127.0.0.1", server.port, timeout=10) for _ in range(3)]
    for stream in streams:
        stream.request("GET", "/api/events")
        assert stream.getresponse().status == 200
    begin = time.monotonic()
    assert server.interrupt() == 0
    assert time.monotonic() - begin < 4  # asked: 2 s; other tests run beside this one
    for stream in streams:
        stream.close()


def test_ctrl_c_right_after_the_first_line(start_server: Callable[..., Server]) -> None:
    assert start_server().interrupt() == 0


def test_ctrl_c_is_not_lost_where_exceptions_are_ignored(tmp_path: Path) -> None:
    program = """if True:
        import signal
        from pathlib import Path
        from digitscope.lab.server import serve
        from digitscope.lab.state import Lab

        class Dropped:
            def __del__(self) -> None:
                signal.raise_signal(signal.SIGINT)

        def say(line: str) -> None:
            Dropped()

        serve(Lab(Path("lab"), "convnet"), host="127.0.0.1", port=0, say=say, browse=False)
        print("ended")
        """
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("ended\n", "")


def test_a_port_that_is_taken(start_server: Callable[..., Server], tmp_path: Path) -> None:
    server = start_server()
    command = [sys.executable, "-m", "digitscope", "lab", "--no-browser", "--port", str(server.port)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"Error: The lab cannot be reached at 127.0.0.1, port {server.port}: ")
    assert len(done.stderr.splitlines()) == 1


def test_language_and_colours(shared_lab: str, open_page: PageOpener) -> None:
    page = open_page(f"{shared_lab}/")
    page.get_by_label("Language").select_option("es")
    page.wait_for_function("document.documentElement.lang === 'es'")
    page.get_by_label("Colores").select_option("dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(17, 22, 28)"
    page.reload()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_tabs_share_one_stream(shared_lab: str, open_page: PageOpener) -> None:
    """A browser opens six connections to a server; seven tabs with a stream each would leave none to ask with."""
    page = open_page(f"{shared_lab}/")
    tabs = [page, *(page.context.new_page() for _ in range(6))]
    for tab in tabs:
        tab.goto(f"{shared_lab}/")
        tab.evaluate("import('/static/engine.js').then(({listen}) => { listen('x', () => 0); })")
    for tab in tabs:
        assert tab.evaluate("import('/static/engine.js').then(({get}) => get('/api/models'))")["default"] == "convnet"
