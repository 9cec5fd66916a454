"""Runs the command line as a user does."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from digitscope.cli import cli


@dataclass(frozen=True)
class Answer:
    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The output, which must be one JSON object or list in one line."""
        (line,) = self.out.splitlines()
        return json.loads(line)


Digitscope = Callable[..., Answer]


@pytest.fixture
def digitscope() -> Digitscope:
    """Runs a command inside this process."""

    def run(*arguments: object) -> Answer:
        result = CliRunner().invoke(cli, [str(argument) for argument in arguments], prog_name="digitscope")
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return Answer(result.exit_code, result.stdout, result.stderr)

    return run


@pytest.fixture
def ctrl_c_as_before() -> Iterator[None]:
    """Restores the handler of Ctrl-C, which a command that was interrupted leaves changed."""
    handler = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, handler)


@pytest.fixture(scope="session")
def trained(few_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run on few images."""
    folder = tmp_path_factory.mktemp("run") / "few"
    command = ["train", "--data", str(few_file), "--epochs", "6", "--out", str(folder), "--json"]
    done = subprocess.run([sys.executable, "-m", "digitscope", *command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder
