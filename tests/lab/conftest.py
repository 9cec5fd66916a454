"""A lab in a folder of its own: its application, a server, and a browser."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, Playwright, expect, sync_playwright
from starlette.testclient import TestClient

from digitscope.datasets import DataSet
from digitscope.lab.app import application
from digitscope.lab.state import Lab
from digitscope.model import Model
from digitscope.nn import Adam, Dense, Network, OneCycle, ReLU, SoftmaxCrossEntropy
from digitscope.training import Plan, Run, train
from docs.notes.printing import find_browser

CHROMIUM = find_browser()
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
PATIENCE = 90_000
"""Milliseconds for which a browser's test waits: other tests run beside it, and a model reads 10,000 images."""
expect.set_options(timeout=PATIENCE)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    lab = Lab(tmp_path / "lab", "convnet")
    yield lab
    lab.close()


@pytest.fixture(scope="session")
def small(mnist: DataSet) -> Model:
    """A small network after a short training, which is taught in a moment."""
    rng = np.random.default_rng(0)
    network = Network(Dense(784, 32, rng=rng), ReLU(), Dense(32, 10, rng=rng))
    plan = Plan(SoftmaxCrossEntropy(), Adam(), OneCycle(0.003), epochs=1, batch_size=100)
    run = Run.start(network, plan, 6000, rng)
    for _ in train(run, mnist.x_train[:6000], mnist.y_train[:6000]):
        pass
    return Model(run.outcome(mnist.x_train), SoftmaxCrossEntropy(), (28, 28))


@pytest.fixture(scope="session")
def small_file(small: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "small.safetensors"
    small.save(path)
    return path


@pytest.fixture
def client(lab: Lab) -> Iterator[TestClient]:
    with TestClient(application(lab, ["testserver"]), raise_server_exceptions=True) as client:
        yield client


class Server:
    """`digitscope lab` as a process."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        command = [sys.executable, "-m", "digitscope", "lab", "--no-browser", "--port", "0", *arguments]
        self.process = subprocess.Popen(
            command, cwd=folder, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}
        )
        assert self.process.stdout is not None
        self.first_line = self.process.stdout.readline()
        self.url = self.first_line.removeprefix("Lab: ").strip().rstrip("/")

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def interrupt(self) -> int:
        """Ends it as Ctrl-C does; returns the exit status."""
        if os.name == "nt":
            self.process.terminate()
        else:
            self.process.send_signal(signal.SIGINT)
        return self.process.wait(PATIENCE / 1000)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(15)
        if self.process.stdout:
            self.process.stdout.close()


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Starts a lab in the test's folder."""
    started: list[Server] = []

    def start(*arguments: str) -> Server:
        started.append(Server(tmp_path, *arguments))
        return started[-1]

    yield start
    for server in started:
        server.kill()


@pytest.fixture(scope="session")
def shared_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a lab that several tests use: for those that change nothing others would see."""
    server = Server(tmp_path_factory.mktemp("lab"), "convnet")
    yield server.url
    server.kill()


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    if CHROMIUM is None:
        if os.environ.get("CI"):
            pytest.fail("chromium is expected on the machine that checks every change; it is missing.")
        pytest.skip("chromium is not installed")
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
    yield browser
    browser.close()


class PageOpener:
    """Opens an address in a browser of its own, with the options of Playwright's new_context."""

    def __init__(self, browser: Browser, contexts: contextlib.ExitStack) -> None:
        self.problems: list[str] = []
        """Errors that a page raised or reported on its console, and addresses on other hosts that it asked for."""
        self._browser, self._contexts = browser, contexts

    def __call__(self, url: str, *, before: Callable[[Page], object] | None = None, **options: Any) -> Page:
        """before: is called with the page before it is opened"""
        context = self._browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
        self._contexts.callback(context.close)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("console", lambda said: self.problems.append(said.text) if said.type == "error" else None)
        page.on("request", lambda request: None if _is_own(request.url, url) else self.problems.append(request.url))
        if before is not None:
            before(page)
        page.goto(url)
        return page


def wait_until(page: Page, holds: Callable[[], object]) -> None:
    """For what a page does not show as an element: it fails if that does not hold in time."""
    deadline = time.monotonic() + PATIENCE / 1000
    while not holds():
        assert time.monotonic() < deadline
        page.wait_for_timeout(100)


@pytest.fixture
def open_page(browser: Browser, start_server: Callable[..., Server]) -> Iterator[PageOpener]:
    """The test fails if a page has problems.

    Pages are closed before servers are killed, in whatever order a test names them: so this one needs start_server.
    """
    with contextlib.ExitStack() as contexts:
        opener = PageOpener(browser, contexts)
        yield opener
    assert opener.problems == []


def _is_own(address: str, url: str) -> bool:
    origin = "/".join(url.split("/")[:3])
    return address.startswith((f"{origin}/", "data:", "blob:"))


@pytest.fixture
def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
