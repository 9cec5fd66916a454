"""Starts Python again beside this process, and connects the two by pipes.

`multiprocessing` would run the caller's script again in the new process, which fails if the script has no
`if __name__ == "__main__":`. Here it is a new interpreter that imports one function.
"""

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import IO

Process = subprocess.Popen[bytes]


def start_interpreter(
    function: Callable[[], None], *arguments: str, niceness: int = 0, pass_fds: Sequence[int] = ()
) -> Process:
    """A process that calls this function of a module, with the same interpreter and modules; sys.argv[1:] has the
    arguments. The process is detached from the terminal, whose Ctrl-C is for the calling process.

    niceness: by how much the calling process goes first if there are more threads than processors

    Raises: OSError if no process can be started.
    """
    flags = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)  # on Windows
    if niceness:
        flags |= getattr(subprocess, "BELOW_NORMAL_PRIORITY_CLASS", 0)
    code = f"from {function.__module__} import {function.__name__} as run; run()"
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", code, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        pass_fds=pass_fds,
        start_new_session=True,
        creationflags=flags,
    )
    if niceness and hasattr(os, "setpriority"):
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, process.pid, os.getpriority(os.PRIO_PROCESS, 0) + niceness)
    return process


def pipes_to(process: Process) -> tuple[IO[bytes], IO[bytes]]:
    """Where the process reads, and what it writes."""
    assert process.stdin is not None
    assert process.stdout is not None
    return process.stdin, process.stdout


def own_pipes() -> tuple[IO[bytes], IO[bytes]]:
    """In the process itself: what it reads, and where it writes. What else it prints goes to standard error."""
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return sys.stdin.buffer, output
