"""digitscope look."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from digitscope.datasets import DataSet

Digitscope = Callable[..., Any]  # see conftest.py
Files = Callable[[], list[str]]


@pytest.fixture(autouse=True)
def five(in_folder: Files, few: DataSet) -> None:
    Image.fromarray(255 - few.x_train[0]).save("five.png")


def test_the_answer_and_the_layers_in_the_terminal_and_a_page(
    digitscope: Digitscope, in_folder: Files, trained: Path
) -> None:
    model = trained / "model.safetensors"
    answer = digitscope("look", model, "five.png")
    assert answer.status == 0
    lines = answer.out.splitlines()
    assert lines[0] == f"model: {model}"
    assert lines[1].startswith("five.png: ")
    assert lines[-1] == "pictures of all layers: five-look.html"
    assert [line.split() for line in lines if line.startswith("17")] == [["17", "Dense", "10"]]
    assert max(map(len, lines[1:])) <= 80
    assert in_folder() == ["five-look.html", "five.png"]


def test_nothing_is_overwritten(digitscope: Digitscope, in_folder: Files) -> None:
    Path("five-look.html").write_text("mine")
    result = digitscope("look", "five.png", "convnet", "--json").json
    assert result["written"] == "five-look-2.html"
    assert (result["digit"], result["model"]) == (5, "convnet")
    assert [layer["shape"] for layer in result["layers"]][:3] == [[784], [1, 28, 28], [16, 24, 24]]
    answer = digitscope("look", "five.png", "--out", "five-look.html")
    assert (answer.status, answer.out) == (2, "")
    assert "five-look.html exists already" in answer.err
    assert Path("five-look.html").read_text() == "mine"


def test_pictures_too(digitscope: Digitscope, trained: Path) -> None:
    model = trained / "model.safetensors"
    assert digitscope("look", model, "five.png", "--out", "look.svg").status == 0
    assert Path("look.svg").read_text(encoding="utf-8").startswith("<?xml")
    answer = digitscope("look", "five.png", "--out", "look.txt")
    assert answer.status == 2
    assert "ends with .html, .png, .svg" in answer.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["five.png", "six.png"], "look expects one PICTURE and at most one MODEL; got 2 and 0."),
        (["convnet"], "look expects one PICTURE and at most one MODEL; got 0 and 1."),
        (["convnet", "best", "five.png"], "look expects one PICTURE and at most one MODEL; got 1 and 2."),
        (["blank.png"], "blank.png shows no ink: "),
        (["no.png"], "no.png does not exist."),
    ],
)
def test_an_error_is_one_line(digitscope: Digitscope, in_folder: Files, arguments: list[str], message: str) -> None:
    Image.new("L", (90, 90), 240).save("blank.png")
    before = in_folder()
    answer = digitscope("look", *arguments)
    assert (answer.status, len(answer.err.splitlines())) == (2, 1)
    assert answer.err.startswith(f"Error: {message}")
    assert in_folder() == before


def test_on_a_narrow_terminal_nothing_is_cut(
    digitscope: Digitscope, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    out = digitscope("look", trained / "model.safetensors", "five.png").out
    assert "…" not in out
    table = out[out.index("layer ") :].splitlines()
    assert max(map(len, table)) <= 40
