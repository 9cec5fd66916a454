"""A lock on a folder, so that only one process at a time works in it."""

import contextlib
import os
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from digitscope.errors import TrainingError
from digitscope.files.atomic import remove_all_temporary, unwritable

NAME = "in-use.lock"
_BYTE = 1 << 20
"""The byte that is locked on Windows, where a locked byte cannot be read: behind all content."""
_ATTEMPTS = 100
"""Maximum number of times that the file is opened. Only a file system without stable file numbers needs as many."""


def lock_folder(folder: Path) -> "FolderLock":
    """Locks a folder, which is made if it is not there, and removes what an interrupted writing has left in it.

    Raises: DigitscopeError if it cannot be made; TrainingError if another process holds the lock.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(folder, error) from error
    lock = FolderLock(folder)
    lock.acquire()
    remove_all_temporary(folder)
    return lock


class FolderLock:
    """Held from `acquire` to `release`, or to the end of the process, however it ends: the operating system holds it.

    A file in the folder says which process holds the lock. It stays behind if the process is killed, which locks
    nothing. If the file system has no locks or no stable file numbers, or does not let us write, nothing is locked.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        self._file: int | None = None

    def acquire(self) -> None:
        """Raises: TrainingError, which names the holder, if another process holds the lock, or another FolderLock."""
        for _ in range(_ATTEMPTS if self._file is None else 0):
            try:
                file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
            except OSError:
                return
            try:
                _lock(file)
            except BlockingIOError:
                holder = os.read(file, 200).decode(errors="replace").strip() or "it has just begun"
                os.close(file)
                raise TrainingError(
                    f"{self.path.parent} is in use by another training ({holder}). Wait until it ends, or choose "
                    "another --out."
                ) from None
            if _is_at(file, self.path):
                self._file = file
                with contextlib.suppress(OSError):  # A full disk holds a lock, too.
                    os.ftruncate(file, 0)
                    os.write(file, f"process {os.getpid()}, since {time.strftime('%Y-%m-%d %H:%M:%S')}\n".encode())
                return
            os.close(file)  # The former holder has removed the file between our opening and locking it.

    def release(self) -> None:
        if self._file is None:
            return
        file, self._file = self._file, None
        ours = _is_at(file, self.path)  # not so if the folder was deleted and made again
        if sys.platform == "win32":  # An open file cannot be removed there.
            os.close(file)
        with contextlib.suppress(OSError):
            if ours:
                self.path.unlink()
        if sys.platform != "win32":  # Until it is closed nobody else can have locked what we remove.
            os.close(file)

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def _is_at(file: int, path: Path) -> bool:
    """Whether the open file is the one at the path."""
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except OSError:
        return False


if sys.platform == "win32":
    import msvcrt

    def _lock(file: int) -> None:
        os.lseek(file, _BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        except PermissionError as error:
            raise BlockingIOError from error
        except OSError:  # a file system without locks
            return
        finally:
            os.lseek(file, 0, os.SEEK_SET)

else:
    import fcntl

    def _lock(file: int) -> None:
        """Locks the file; does nothing if its file system has no locks. Raises: BlockingIOError if it is locked."""
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise
        except OSError:
            return
