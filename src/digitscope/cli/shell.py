"""Quotes words of printed commands, so that they can be pasted into a shell."""

import os
import shlex
import string
import subprocess

PROGRAM = "uv run digitscope" if "UV_RUN_RECURSION_DEPTH" in os.environ else "digitscope"
"""The words that start this program again. `uv run` sets the variable; its programs are not on the shell's PATH."""

_PLAIN = string.ascii_letters + string.digits + "/._-"


def quoted(argument: str | os.PathLike[str]) -> str:
    """The argument as one word for the shell, on one line. A path that looks like an option begins with ./"""
    text = os.fspath(argument)
    if text.startswith("-"):
        text = f"{os.curdir}{os.sep}{text}"
    if os.name == "nt":
        return subprocess.list2cmdline([text])
    if text.isprintable():
        return shlex.quote(text)
    escaped = "".join(chr(byte) if chr(byte) in _PLAIN else f"\\x{byte:02x}" for byte in os.fsencode(text))
    return f"$'{escaped}'"
