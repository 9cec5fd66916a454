"""How a command ends: its exit status, and one line for each error.

This module imports nothing heavy, so that it is there when click, NumPy or memory is not.
"""

import codecs
import errno
import io
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TextIO

from digitscope.errors import DigitscopeError, one_line

FAILED = 2
"""The exit status after an error that is shown."""
INTERRUPTED = 128 + 2
"""The exit status of a program that Ctrl-C stopped: 128 + SIGINT."""
BROKEN_PIPE = 128 + 13
"""The exit status of a program whose output nobody reads any more, as of `digitscope recipes | head -1`: 128 + SIGPIPE,
which Windows does not have."""

_WRITE_ERRORS = (errno.EBADF, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.ENOSPC)
MPI_RANKS = "OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK"
"""The environment variables in which Open MPI, MPICH and Slurm tell a process its rank."""
_RANK_0_SECONDS = 10

_ASCII = {"±": "+/-", "…": "...", "–": "-", "—": "-", "−": "-", "×": "x", "→": "->"}


def exit_status(command: Callable[[], object]) -> int:
    """Runs the command and returns its exit status: what it returns if that is a number, else 0.

    An error that a user can cause, and one of the system or of the memory, is printed as one line. Any other error is a
    fault of Digitscope and keeps its traceback.
    """
    for stream in (sys.stdout, sys.stderr):
        _accept_every_character(stream)
    try:
        status = command()
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # another Ctrl-C ends the process without a traceback
        print_error("Stopped.")
        return INTERRUPTED
    except BrokenPipeError:
        _discard(sys.stdout)
        return BROKEN_PIPE
    except OSError as error:
        if sys.platform == "win32" and error.errno == errno.EINVAL and error.filename is None:
            _discard(sys.stdout)  # Windows reports a broken pipe in this way.
            return BROKEN_PIPE
        if _is_of_output(error):
            _discard(sys.stdout)
        print_error(f"Error: {system_message(error)}")
        return FAILED
    except (DigitscopeError, MemoryError, ImportError) as error:
        print_error(f"Error: {error_message(error)}")
        return FAILED
    return status if isinstance(status, int) else 0


def error_message(error: DigitscopeError | MemoryError | ImportError) -> str:
    """One line for an error."""
    if isinstance(error, DigitscopeError):
        return str(error)
    if isinstance(error, MemoryError):
        reason = f" ({error})" if str(error) else ""
        return one_line(f"There is not enough memory{reason}. Close other programs, or use fewer or smaller images.")
    while isinstance(error.__cause__, ImportError):
        error = error.__cause__  # NumPy wraps the reason in a page of advice
    return one_line(
        f"A part of the program cannot be loaded: {error}. Close other programs if memory is short, or install "
        "Digitscope again."
    )


def system_message(error: OSError) -> str:
    """One line for an error of the operating system, with the file if it names one."""
    reason = error.strerror or str(error)
    if _is_of_output(error):
        return one_line(f"The output cannot be written: {reason}. Check where it is sent to.")
    if isinstance(error.filename, str | bytes | os.PathLike):
        return one_line(f"{os.fsdecode(error.filename)} cannot be used: {reason}. Check the path and its permissions.")
    return one_line(f"The system reports: {reason}. Check the disk, the memory and the permissions.")


def _is_of_output(error: OSError) -> bool:
    return error.filename is None and error.errno in _WRITE_ERRORS  # An error of a file names it.


def print_error(line: str) -> None:
    """Prints a line on standard error, if there is one that takes it.

    Processes that mpiexec started meet the same errors until they are connected, and only rank 0 prints them. The
    others wait, because mpiexec ends all when the first one ends.
    """
    if any(os.environ.get(name, "0") != "0" for name in MPI_RANKS):
        time.sleep(_RANK_0_SECONDS)
        return
    if sys.stderr is None:
        return
    try:
        print(line, file=sys.stderr, flush=True)
    except OSError:
        _discard(sys.stderr)


def _accept_every_character(stream: TextIO | None) -> None:
    """Lets the stream print every text: a character that its encoding lacks is replaced with ASCII."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="digitscope-ascii")


def _in_ascii(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    characters = error.object[error.start : error.end]
    escaped = (_ASCII.get(c) or c.encode("ascii", "backslashreplace").decode("ascii") for c in characters)
    return "".join(escaped), error.end


codecs.register_error("digitscope-ascii", _in_ascii)


def _discard(stream: TextIO | None) -> None:
    """Drops what the stream has still to write; otherwise Python would complain about it while it exits."""
    if stream is None:
        return
    with suppress(OSError):  # also of streams without a file, which raise io.UnsupportedOperation
        sink = os.open(os.devnull, os.O_WRONLY)
        os.dup2(sink, stream.fileno())
        os.close(sink)
