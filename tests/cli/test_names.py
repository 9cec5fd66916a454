"""Names with brackets, control characters and bytes that are not text; files that cannot be written."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from digitscope.datasets import DataSet, load_data
from digitscope.errors import DataError

Digitscope = Callable[..., Any]  # see conftest.py
Files = Callable[[], list[str]]

NAMES = ["[b]a[red]", "[", ":smile:", "数字", "line\nbreak\x1b[31m", "not text \udcff"]


@pytest.fixture
def names(in_folder: Files) -> list[str]:
    """The names that this system allows."""
    return [name for name in NAMES if _is_allowed(name)]


def _is_allowed(name: str) -> bool:
    try:
        Path(name).touch()
        Path(name).unlink()
    except (OSError, UnicodeEncodeError):
        return False
    return True


def shown(name: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in name)


def test_pictures_of_any_name_are_read_and_shown(digitscope: Digitscope, few: DataSet, names: list[str]) -> None:
    picture = "".join(names) + ".png"
    Image.fromarray(255 - few.x_train[0]).save(picture)
    for verb in ("predict", "read"):
        answer = digitscope(verb, "convnet", picture, "--show", f"{verb}.png")
        assert (answer.status, answer.err) == (0, "")
        (_, line) = answer.out.splitlines()
        assert re.match(rf"'?{re.escape(shown(picture))}'?: 5 \(", line)
        assert Path(f"{verb}.png").exists()
        assert digitscope(verb, "convnet", picture, "--json").json[0]["file"] == picture


def test_data_of_any_name_are_shown(digitscope: Digitscope, few: DataSet, names: list[str]) -> None:
    for name in names:
        for number, label in enumerate(("a", f"{name}[bold]")):
            folder = Path(f"{name} data/{label}")
            folder.mkdir(parents=True)
            Image.fromarray(few.x_train[number]).save(folder / "x.png")
        answer = digitscope("data", f"{name} data", "--picture", f"{name}.png")
        assert (answer.status, answer.err) == (0, "")
        assert answer.out.startswith(f"{shown(name)} data: 2 classes\n")
        assert f"{shown(name)}[bold]" in answer.out
        assert answer.out.endswith(f"Samples of each class: {shown(name)}.png\n")


def test_a_run_in_a_folder_of_any_name(digitscope: Digitscope, few: DataSet, names: list[str]) -> None:
    name = "".join(names)
    np.savez(f"{name}.npz", x_train=few.x_train[:60], y_train=few.y_train[:60])
    command = ["train", "--recipe", "mlp", "--data", f"{name}.npz", "--epochs", 1, "--out", name]
    answer = digitscope(*command)
    assert (answer.status, answer.err) == (0, "")
    assert f"\n{shown(name)}.npz: " in answer.out
    lines = [" ".join(line.split()) for line in answer.out.splitlines()]
    assert f"model {shown(str(Path(name, 'model.safetensors')))}" in lines
    assert any(re.fullmatch(r"training [\d.]+ s, 1 epoch", line) for line in lines)
    assert f"{shown(name)}.npz" in Path(name, "report.html").read_text(encoding="utf-8")
    again = digitscope(*command)
    assert (again.status, len(again.err.splitlines())) == (2, 1)
    assert again.err.startswith(f"Error: {shown(name)} already holds a run.")


def test_names_of_data_and_classes_are_printable(few: DataSet) -> None:
    data = DataSet("a\n\x07", few.x_train[:4], few.y_train[:4], class_names=("\udcff",))
    assert (data.name, data.class_names) == (r"a\n\x07", (r"\udcff",))


def test_a_blank_picture_is_shown_too(digitscope: Digitscope, in_folder: Files) -> None:
    Image.new("L", (900, 300), 240).save("blank.png")
    for verb in ("predict", "read"):
        assert digitscope(verb, "blank.png", "--show", f"{verb}.png").status == 0
        with Image.open(f"{verb}.png") as picture:
            assert len(picture.convert("L").getcolors() or []) > 10  # a heading is drawn
    Path("bad.png").write_text("no picture")
    answer = digitscope("read", "bad.png", "--show", "shown.png")
    assert answer.err.splitlines()[1:] == ["shown.png was not written: no picture could be read."]
    assert not Path("shown.png").exists()


PLACES = {
    "predict": (["predict", "five.png", "--show"], ".png"),
    "read": (["read", "five.png", "--show"], ".png"),
    "evaluate": (["evaluate", "--robust", "--report"], ".html"),
    "teach": (["teach", "five.png=5", "--out"], ".safetensors"),
    "kaggle": (["kaggle", "train.csv", "test.csv", "--out"], ".csv"),
    "submit": (["submit", "test.csv", "--out"], ".csv"),
    "ensemble": (["ensemble", "convnet", "best", "--out"], ".safetensors"),
    "export": (["export", "convnet"], ".onnx"),
    "export as Python": (["export", "convnet"], ".py"),
    "import": (["import", "weights.npz", "--like", "mlp", "--out"], ".safetensors"),
    "data": (["data", "--picture"], ".png"),
    "look": (["look", "five.png", "--out"], ".html"),
}


@pytest.mark.parametrize("verb", PLACES)
@pytest.mark.parametrize("place", ["exists", "below a file", "closed", "long"])
def test_an_unwritable_place_is_an_error_before_the_work(
    digitscope: Digitscope, in_folder: Files, monkeypatch: pytest.MonkeyPatch, verb: str, place: str
) -> None:
    command, ending = PLACES[verb]
    Path("file").touch()
    Path(f"exists{ending}").touch()
    path = {"exists": "exists", "below a file": "file/x", "closed": "x", "long": 300 * "n"}[place] + ending
    if place == "closed":
        monkeypatch.setattr("os.access", lambda *_: False)
    answer = digitscope(*command, path)
    (line,) = answer.err.splitlines()
    assert answer.status == 2
    expected = "exists already. Choose another" if place == "exists" else "cannot be written: "
    assert line.startswith(f"Error: {Path(path)} {expected}")
    assert in_folder() == sorted([f"exists{ending}", "file"])


@pytest.mark.parametrize(
    ("verb", "ending"),
    [
        (["predict"], ".png"),
        (["read"], ".png"),
        (["evaluate"], ".safetensors"),
        (["data"], ".csv"),
        (["submit"], ".csv"),
        (["train", "--data"], ".csv"),
    ],
)
def test_names_too_long_are_one_line(digitscope: Digitscope, in_folder: Files, verb: list[str], ending: str) -> None:
    name = 300 * "n" + ending
    answer = digitscope(*verb, name)
    (line,) = answer.err.splitlines()
    assert answer.status == 2
    assert re.match(
        rf"Error: '?{name}'?(:| cannot be opened: | is neither a known source nor a file or folder\.)", line
    )


def test_reading_needs_no_matplotlib(tmp_path: Path, few: DataSet) -> None:
    Image.fromarray(255 - few.x_train[0]).save(tmp_path / "five.png")
    code = (
        "import sys; from digitscope.cli import cli\ntry: cli(['read', 'convnet', sys.argv[1]])\n"
        "finally: print('matplotlib' in sys.modules)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "five.png")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"


def test_an_unreadable_folder_is_one_line(
    digitscope: Digitscope, in_folder: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("closed").mkdir()
    usual = Path.stat, Path.iterdir

    def closed(path: Path, method: int, *arguments: Any, **options: Any) -> Any:
        if path.parts[0] == "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return usual[method](path, *arguments, **options)

    monkeypatch.setattr(Path, "iterdir", lambda path: closed(path, 1))
    assert (
        digitscope("data", "closed").err
        == "Error: closed cannot be read: Permission denied. Check the path and its permissions.\n"
    )
    is_file = Path.is_file
    with monkeypatch.context() as patch:
        patch.setattr(Path, "is_file", lambda path: closed(path, 2) if path.parts[0] == "closed" else is_file(path))
        with pytest.raises(DataError, match=r"closed cannot be read: Permission denied\. Check the path"):
            load_data("closed")
    monkeypatch.setattr(Path, "stat", lambda path, **options: closed(path, 0, **options))
    for command in (
        ["evaluate", "closed/model.safetensors"],
        ["predict", "closed/model.safetensors", "closed/x.png"],
        ["predict", "closed/x.png"],
        ["data", "closed"],
        ["train", "--data", "closed/x.csv"],
        ["train", "--out", "closed/run"],
        ["train", "--resume", "--out", "closed/run"],
        ["teach", "closed/x.png=3"],
    ):
        answer = digitscope(*command)
        assert answer.status == 2, command
        (line,) = answer.err.splitlines()
        assert line.startswith("Error: "), command
        assert "closed" in line
    with pytest.raises(DataError, match=r"closed/x\.csv cannot be read: Permission denied"):
        load_data("closed/x.csv")
