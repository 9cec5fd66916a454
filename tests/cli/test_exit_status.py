"""The end of a command after an error, a full disk, a closed pipe, Ctrl-C or with a limited encoding."""

import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from digitscope.cli.exit_status import BROKEN_PIPE, FAILED, INTERRUPTED, exit_status
from digitscope.errors import LONGEST_MESSAGE, DataError, DigitscopeError

pytestmark = pytest.mark.usefixtures("ctrl_c_as_before")


def raising(error: BaseException) -> Callable[[], object]:
    def command() -> object:
        raise error

    return command


def chained() -> ImportError:
    error = ImportError("IMPORTANT: READ THIS\n\nfor advice on how to solve this")
    error.__cause__ = ImportError("libblas.so: failed to map segment")
    return error


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (DataError("a\nb"), FAILED, r"Error: a\nb"),
        (
            PermissionError(13, "Permission denied", "closed/x"),
            FAILED,
            "Error: closed/x cannot be used: Permission denied. Check the path and its permissions.",
        ),
        (
            OSError(12, "Cannot allocate memory"),
            FAILED,
            "Error: The system reports: Cannot allocate memory. Check the disk, the memory and the permissions.",
        ),
        (
            MemoryError("Unable to allocate 32 GiB"),
            FAILED,
            "Error: There is not enough memory (Unable to allocate 32 GiB). Close other programs, or use fewer or "
            "smaller images.",
        ),
        (
            chained(),
            FAILED,
            "Error: A part of the program cannot be loaded: libblas.so: failed to map segment. Close other programs if "
            "memory is short, or install Digitscope again.",
        ),
        (KeyboardInterrupt(), INTERRUPTED, "Stopped."),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_error_is_one_line(error: BaseException, status: int, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_status(raising(error)) == status
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", line + "\n")


def test_windows_reports_a_broken_pipe_as_an_invalid_argument(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    assert exit_status(raising(OSError(22, "Invalid argument"))) == BROKEN_PIPE
    assert exit_status(raising(OSError(22, "Invalid argument", "a:b"))) == FAILED
    assert capsys.readouterr().err.startswith("Error: a:b cannot be used: Invalid argument.")


def test_an_internal_error_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError):
        exit_status(raising(ZeroDivisionError()))


def test_the_status_is_what_the_command_returns() -> None:
    assert exit_status(lambda: 3) == 3
    assert exit_status(lambda: "text") == 0


def test_a_message_has_one_printable_line_of_limited_length() -> None:
    assert str(DigitscopeError("Grüße, 数字 ± 'x'")) == "Grüße, 数字 ± 'x'"
    assert str(DataError("\x1b]0;owned\x07 \u202e \udcff \n")) == r"\x1b]0;owned\x07 \u202e \udcff \n"
    message = str(DataError("expected this; got " + 10_000 * "\n" + ". Do that."))
    assert message.isprintable()
    assert LONGEST_MESSAGE - 2 <= len(message) <= LONGEST_MESSAGE
    assert message.startswith("expected this; got ")
    assert message.endswith(". Do that.")


@pytest.mark.parametrize(
    ("encoding", "printed"), [("ascii", r"98.5 +/- 0.1 \u6570\udcff"), ("cp1252", r"98.5 ± 0.1 \u6570\udcff")]
)
@pytest.mark.parametrize("errors", ["strict", "surrogateescape"])
def test_output_replaces_characters_that_the_encoding_lacks(
    monkeypatch: pytest.MonkeyPatch, encoding: str, errors: str, printed: str
) -> None:
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, io.TextIOWrapper(io.BytesIO(), encoding, errors))
    streams = [sys.stdout, sys.stderr]

    def command() -> None:
        for stream in streams:
            print("98.5 ± 0.1 数\udcff", end="", file=stream, flush=True)

    assert exit_status(command) == 0
    for stream in streams:
        assert isinstance(stream, io.TextIOWrapper)
        assert isinstance(stream.buffer, io.BytesIO)
        assert stream.buffer.getvalue().decode(encoding) == printed


def test_without_standard_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    assert exit_status(raising(DataError("x"))) == FAILED
    assert exit_status(raising(OSError("x"))) == FAILED


def run(code: str, stdout: int = subprocess.PIPE) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", code]
    return subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False)


PRINTING = {
    "click": "import sys; from digitscope.cli import main; sys.argv[1:] = ['--version']; main()",
    "rich": (
        "import sys; from digitscope.cli.exit_status import exit_status; from digitscope.cli.console import Output; "
        "sys.exit(exit_status(lambda: Output().print('x')))"
    ),
}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("library", PRINTING)
def test_a_full_disk_behind_the_output_is_one_line(library: str) -> None:
    with Path("/dev/full").open("w") as full:
        done = run(PRINTING[library], full.fileno())
    assert done.returncode == FAILED
    assert done.stderr == "Error: The output cannot be written: No space left on device. Check where it is sent to.\n"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows reports another error")
@pytest.mark.parametrize("library", PRINTING)
def test_a_closed_pipe_ends_the_command_silently(library: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = run(PRINTING[library], writing)
    os.close(writing)
    assert (done.returncode, done.stderr) == (BROKEN_PIPE, "")


@pytest.mark.parametrize(
    ("module", "error", "status", "start"),
    [
        ("click", "KeyboardInterrupt", INTERRUPTED, "Stopped.\n"),
        ("numpy", "KeyboardInterrupt", INTERRUPTED, "Stopped.\n"),
        ("click", "MemoryError", FAILED, "Error: There is not enough memory. "),
        ("numpy", "ImportError('x')", FAILED, "Error: A part of the program cannot be loaded: x. "),
    ],
)
def test_an_interruption_or_a_failure_while_modules_load(module: str, error: str, status: int, start: str) -> None:
    done = run(f"""
import sys
def audit(event, details):
    if event == "import" and details[0] == {module!r}:
        raise {error}
sys.addaudithook(audit)
sys.argv[1:] = ["recipes"]
from digitscope.cli import main
main()""")
    assert done.returncode == status
    assert done.stderr.startswith(start)
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(("error", "shown"), [("KeyboardInterrupt", 0), ("ZeroDivisionError", 1)])
def test_only_an_interruption_is_silent_before_errors_are_handled(error: str, shown: int) -> None:
    done = run(f"""
import sys
from digitscope.__main__ import main
def audit(event, details):
    if event == "import" and details[0] == "digitscope.cli.exit_status":
        raise {error}
sys.addaudithook(audit)
main()""")
    assert done.returncode != 0
    assert done.stderr.count("Traceback") == shown
    assert bool(done.stderr) == bool(shown)


def test_importing_the_package_loads_no_other_module() -> None:
    code = "import sys; before = set(sys.modules); import digitscope.__main__; print(sorted(set(sys.modules) - before))"
    assert run(code).stdout == "['digitscope', 'digitscope.__main__']\n"


@pytest.mark.skipif(sys.platform == "win32", reason="matplotlib finds its folders in another way there")
def test_a_home_that_cannot_be_written_is_nothing_to_report(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    code = (
        "from digitscope.cli import cli\n"
        "@cli.command()\n"
        "def draw() -> None: import matplotlib.font_manager\n"
        "cli(['draw'])"
    )
    paths = dict.fromkeys(("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"), str(tmp_path / "file"))
    environment = {name: value for name, value in os.environ.items() if name != "MPLCONFIGDIR"} | paths
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
