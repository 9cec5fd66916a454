import contextlib
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from digitscope.errors import DigitscopeError
from digitscope.files.atomic import (
    TEMPORARY,
    check_new,
    make_folder_atomic,
    open_atomic,
    remove_temporary,
    write_atomic,
)

Files = Callable[[], list[str]]


def test_a_file_is_written_with_its_folders_and_the_usual_permissions(in_folder: Files) -> None:
    write_atomic(Path("new/folder/file"), b"old")
    write_atomic(Path("new/folder/file"), b"new")
    assert in_folder() == ["new/folder/file"]
    assert Path("new/folder/file").read_bytes() == b"new"
    Path("usual").touch()
    assert Path("new/folder/file").stat().st_mode == Path("usual").stat().st_mode


def test_the_longest_name_that_fits_can_be_written(in_folder: Files) -> None:
    write_atomic(Path("n" * 255), b"x")
    assert in_folder() == ["n" * 255]


@pytest.mark.parametrize("path", ["", "."])
def test_an_empty_name_is_an_error(path: str, in_folder: Files) -> None:
    with pytest.raises(DigitscopeError, match=r"The name of a file is expected; got '\.'\."):
        write_atomic(Path(path), b"x")
    assert in_folder() == []


def test_two_writers_do_not_disturb_each_other(in_folder: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both have written half when the first one ends."""
    meeting = threading.Barrier(2)
    sync = os.fsync

    def fsync(file: int) -> None:
        sync(file)
        meeting.wait(timeout=10)

    monkeypatch.setattr(os, "fsync", fsync)
    contents = [b"a" * 1000, b"b" * 2000]
    writers = [threading.Thread(target=write_atomic, args=(Path("file"), content)) for content in contents]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert in_folder() == ["file"]
    assert Path("file").read_bytes() in contents


@pytest.mark.parametrize(
    "error",
    [OSError(28, "No space left on device"), OSError("No space left on device"), KeyboardInterrupt()],
    ids=["full", "without a number", "Ctrl-C"],
)
def test_a_failure_leaves_the_old_file_and_nothing_else(
    in_folder: Files, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    Path("file").write_bytes(b"old")

    def fsync(file: int) -> None:
        raise error

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises((DigitscopeError, KeyboardInterrupt)) as raised:
        write_atomic(Path("file"), b"new")
    if isinstance(raised.value, DigitscopeError):
        expected = "file cannot be written: No space left on device. Choose a place where you may write."
        assert str(raised.value) == expected
    assert in_folder() == ["file"]
    assert Path("file").read_bytes() == b"old"


def test_a_file_in_pieces_and_a_folder_appear_when_they_are_whole(in_folder: Files) -> None:
    with open_atomic(Path("new/file")) as file, make_folder_atomic(Path("new/folder")) as folder:
        file.write(b"a")
        (folder / "inner").mkdir()
        (folder / "inner" / "x").touch()
        assert not Path("new/file").exists()
        assert not Path("new/folder").exists()
        file.write(b"b")
    assert in_folder() == ["new/file", "new/folder/inner/x"]
    assert Path("new/file").read_bytes() == b"ab"
    Path("taken").mkdir()
    Path("taken/x").touch()
    with pytest.raises(DigitscopeError, match=r"^taken cannot be written"), make_folder_atomic(Path("taken")):
        pass
    assert in_folder() == ["new/file", "new/folder/inner/x", "taken/x"]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt(), ValueError()])
def test_an_error_while_a_folder_is_filled_leaves_nothing(in_folder: Files, error: BaseException) -> None:
    def fill() -> None:
        with make_folder_atomic(Path("folder")) as folder:
            (folder / "inner").mkdir()
            (folder / "inner" / "x").touch()
            raise error

    with pytest.raises((DigitscopeError, KeyboardInterrupt, ValueError)):
        fill()
    assert in_folder() == []


@pytest.mark.parametrize("previous", [None, Path("before")])
@pytest.mark.parametrize("denials", [3, 1000])
def test_on_windows_a_file_that_is_open_elsewhere_is_waited_for(
    in_folder: Files, monkeypatch: pytest.MonkeyPatch, denials: int, previous: Path | None
) -> None:
    Path("file").write_bytes(b"old")
    replace, denied = Path.replace, iter(range(denials))

    def replace_later(source: Path, target: Path) -> Path:
        if next(denied, None) is not None:
            raise PermissionError(13, "Access is denied")
        return replace(source, target)

    monkeypatch.setattr(Path, "replace", replace_later)
    monkeypatch.setattr("digitscope.files.atomic.PATIENCE", 0.2)
    with contextlib.nullcontext() if denials == 3 else pytest.raises(DigitscopeError, match="Access is denied"):
        write_atomic(Path("file"), b"new", previous=previous)
    assert in_folder() == (["before", "file"] if previous and denials == 3 else ["file"])
    assert Path("file").read_bytes() == (b"new" if denials == 3 else b"old")


def test_temporary_files_of_a_killed_process_are_removed(in_folder: Files) -> None:
    for name in ("model.abc.part", "model.def.part", "model", "other.abc.part"):
        Path(name).touch()
    remove_temporary(Path("m[o]del"))
    assert len(in_folder()) == 4
    remove_temporary(Path("model"))
    assert in_folder() == ["model", "other.abc.part"]
    assert TEMPORARY == ".part"


def test_an_unwritable_place_is_noticed_beforehand(in_folder: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("file").touch()
    check_new(Path("new/folder/x"), "--out")
    for name, message in (
        ("file", "file exists already. Choose another --out, or delete it."),
        ("file/x", "file/x cannot be written: a part of its path is not a folder. Choose a place where you may write."),
        ("n" * 300, "cannot be written: "),
    ):
        with pytest.raises(DigitscopeError) as raised:
            check_new(Path(name), "--out")
        assert message in str(raised.value).replace("\\", "/")
    monkeypatch.setattr(os, "access", lambda _, mode: not mode & os.W_OK)
    with pytest.raises(DigitscopeError, match=r"x cannot be written: Permission denied\. Choose a place"):
        check_new(Path("new/folder/x"), "--out")
    assert in_folder() == ["file"]


def test_a_link_to_nowhere_is_not_replaced(in_folder: Files) -> None:
    try:
        Path("link").symlink_to("nowhere")
    except OSError:
        pytest.skip("this system lets us make no links")
    with pytest.raises(DigitscopeError, match="link exists already"):
        check_new(Path("link"), "--out")
