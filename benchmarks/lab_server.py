"""`digitscope lab` for the measurements, and drawings as its pages send them."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Any

from digitscope.vision.drawing import PenStroke


@contextmanager
def running_lab(*arguments: str) -> Iterator[IO[str]]:
    """A lab in a folder of its own at a free port, and what it prints: "Lab: http://ADDRESS" comes first."""
    command = [sys.executable, "-u", "-m", "digitscope", "lab", *arguments, "--no-browser", "--port", "0"]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        server = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout is not None
            yield server.stdout
        finally:
            server.kill()
            server.wait()


def read_address(output: IO[str]) -> str:
    """HOST:PORT of the first line, with the key behind it if there is one."""
    return output.readline().removeprefix("Lab: http://").strip().rstrip("/")


def described(strokes: Sequence[PenStroke]) -> list[dict[str, Any]]:
    """The strokes of a drawing as a request has them."""
    return [
        {"points": (stroke.points * [1000, 1000, 100]).round().astype(int).ravel().tolist(), "width": 70}
        for stroke in strokes
    ]
