"""Atomic writes: a reader finds either the complete old file or the complete new file."""

import contextlib
import os
from pathlib import Path

from digitscope.errors import DigitscopeError


def write_atomic(path: Path, content: bytes) -> None:
    """Writes a temporary file beside the path, syncs it to disk and renames it. Creates the folder if it is missing.

    Raises: DigitscopeError if the file cannot be written; no temporary file stays behind.
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
