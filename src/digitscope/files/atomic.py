"""Writing files so that a reader finds the old one or the new one whole, never half of one."""

import contextlib
import os
from pathlib import Path

from digitscope.errors import DigitscopeError


def write_atomic(path: Path, content: bytes) -> None:
    """Writes to a temporary name beside the file, forces that to disk, and renames it; makes the folder.

    Raises: DigitscopeError where the file cannot be written; nothing is left behind then.
    """
    temporary = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise DigitscopeError(
            f"{path} cannot be written: {error.strerror or error}. Choose a place where you may write."
        ) from error
