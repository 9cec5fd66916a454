import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from digitscope.errors import TrainingError
from digitscope.files import lock
from digitscope.files.lock import FolderLock

HOLDING = """
import sys
from pathlib import Path
from digitscope.files.lock import FolderLock
FolderLock(Path(sys.argv[1])).acquire()
print("held", flush=True)
sys.stdin.read()
"""


def test_another_process_is_named_until_it_ends_however_it_ends(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDING, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(TrainingError) as raised:
            FolderLock(tmp_path).acquire()
        assert re.fullmatch(
            rf"{re.escape(str(tmp_path))} is in use by another training \(process {holder.pid}, since "
            r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\)\. Wait until it ends, or choose another --out\.",
            str(raised.value),
        )
        holder.kill()
    assert (tmp_path / lock.NAME).exists()
    (tmp_path / lock.NAME).write_text("a longer line\n" * 9)
    with FolderLock(tmp_path):
        assert re.fullmatch(rf"process {os.getpid()}, since [-\d]+ [:\d]+\n", (tmp_path / lock.NAME).read_text())
    assert not list(tmp_path.iterdir())


def free_descriptor() -> int:
    """The lowest number that no open file has."""
    file = os.open(os.devnull, os.O_RDONLY)
    os.close(file)
    return file


def test_in_one_process_it_is_held_once(tmp_path: Path) -> None:
    first, second = FolderLock(tmp_path), FolderLock(tmp_path)
    with first:
        first.acquire()
        free = free_descriptor()
        with pytest.raises(TrainingError, match="is in use"):
            second.acquire()
        assert free_descriptor() == free
        second.release()  # of what it does not hold
        with pytest.raises(TrainingError, match="is in use"):
            second.acquire()
    with second:
        pass


def test_without_file_locks_nothing_is_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    with FolderLock(tmp_path / "file"), FolderLock(tmp_path / "file"):  # no folder: the file cannot be made
        pass
    name = "msvcrt.locking" if sys.platform == "win32" else "fcntl.flock"

    def unsupported(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(name, unsupported)
    with FolderLock(tmp_path), FolderLock(tmp_path):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows removes no folder with an open file")
def test_a_folder_that_was_made_again_belongs_to_its_new_holder(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    first, second = FolderLock(folder), FolderLock(folder)
    first.acquire()
    (folder / lock.NAME).unlink()
    second.acquire()
    first.release()
    with pytest.raises(TrainingError, match="is in use"):
        first.acquire()
    second.release()


@pytest.mark.parametrize("function", ["samestat", "write"])
def test_a_file_system_without_file_numbers_or_space_does_not_end_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    def write(*_: object) -> int:
        raise OSError(28, "No space left on device")

    failing = {"samestat": (os.path, lambda *_: False), "write": (os, write)}
    monkeypatch.setattr(failing[function][0], function, failing[function][1])
    first, second = FolderLock(tmp_path), FolderLock(tmp_path)
    first.acquire()
    if function == "samestat":
        second.acquire()
    else:
        with pytest.raises(TrainingError, match="it has just begun"):
            second.acquire()
    first.release()
