"""Atomic writes: a reader finds either the complete old file or the complete new file."""

import contextlib
import errno
import glob
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from digitscope.errors import DigitscopeError

TEMPORARY = ".part"
"""The ending of a file that is being written, or whose writing was cut off."""
PATIENCE = 2.0 if os.name == "nt" else 0.0
"""Seconds for which a renaming that is denied is tried again: see `_rename`."""


def write_atomic(path: Path, content: bytes, *, previous: Path | None = None) -> None:
    """Writes a temporary file beside the path, syncs it to disk and renames it. Creates the folder if it is missing.

    If `previous` is given, the old file stays under that name. A process killed between the two renamings leaves only
    that one.

    Several processes may write to the same path: each has its own temporary file, and one of the contents stays.

    Raises: DigitscopeError if the file cannot be written; no temporary file stays behind.
    """
    with open_atomic(path, previous=previous) as file:
        file.write(content)


@contextlib.contextmanager
def open_atomic(path: Path, *, previous: Path | None = None) -> Iterator[BinaryIO]:
    """As `write_atomic`, for a content that is written piece by piece inside the `with` block.

    If the block raises an error, nothing is written.
    """
    with _temporary(path) as temporary:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if previous is not None and path.exists():
            _rename(path, previous)
        _rename(temporary, path)


@contextlib.contextmanager
def make_folder_atomic(path: Path) -> Iterator[Path]:
    """A temporary folder to fill inside the `with` block; then it is renamed to the path, which must be new.

    If the block raises an error, nothing stays. The files are not synced to disk one by one: thousands would take long.

    Raises: DigitscopeError if the folder cannot be written.
    """
    with _temporary(path) as temporary:
        temporary.mkdir()
        yield temporary
        _rename(temporary, path)


@contextlib.contextmanager
def _temporary(path: Path) -> Iterator[Path]:
    """A name beside the path, whose folder exists. What has this name after an error is removed."""
    if not path.name:
        raise DigitscopeError(f"The name of a file is expected; got {str(path)!r}.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = _temporary_path(path)
        try:
            yield temporary
        except BaseException:  # also Ctrl-C
            if temporary.is_dir():
                shutil.rmtree(temporary, ignore_errors=True)
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise unwritable(path, error) from error


def _rename(source: Path, target: Path) -> None:
    """Replaces the target. Windows denies it while another program, such as a virus scanner, has one of them open."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            source.replace(target)
            return
        except PermissionError:
            if time.monotonic() >= end:
                raise
            time.sleep(0.02)


def unwritable(path: Path, error: OSError) -> DigitscopeError:
    """The error for a file or folder that the operating system does not let us write."""
    reason = error.strerror or error
    if isinstance(error, FileExistsError | NotADirectoryError):
        reason = "a part of its path is not a folder"
    return DigitscopeError(f"{path} cannot be written: {reason}. Choose a place where you may write.")


def check_new(path: Path, option: str, *, otherwise: str = "delete it") -> None:
    """Checks, before work begins, that a file can be written which the option names. `otherwise` is what else the user
    can do if it exists.

    Raises: DigitscopeError if something of that name exists, or if its folder does not let us write.
    """
    try:
        path.lstat()
    except FileNotFoundError:
        _check_folder(path)
    except OSError as error:
        raise unwritable(path, error) from error
    else:
        raise DigitscopeError(f"{path} exists already. Choose another {option}, or {otherwise}.")


def _check_folder(path: Path) -> None:
    """Checks that the path's folder lets us write, or the folder in which it would be made."""
    try:
        folder = next(folder for folder in path.absolute().parents if folder.exists())
        if not folder.is_dir():
            raise NotADirectoryError
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise unwritable(path, error) from error


def remove_temporary(path: Path) -> None:
    """Removes the temporary files of writings of the path that were cut off. No process may be writing it now."""
    for leftover in path.parent.glob(f"{glob.escape(_short_name(path))}.*{TEMPORARY}"):
        leftover.unlink(missing_ok=True)


def remove_all_temporary(folder: Path) -> None:
    """Removes the temporary files of all writings in the folder that were cut off, as `remove_temporary`."""
    for leftover in folder.glob(f"*.*{TEMPORARY}"):
        leftover.unlink(missing_ok=True)


def _temporary_path(path: Path) -> Path:
    return path.with_name(f"{_short_name(path)}.{secrets.token_hex(4)}{TEMPORARY}")


def _short_name(path: Path) -> str:
    """The beginning of the path's name, so short that a longer ending fits into any file system."""
    return path.name[:50]
