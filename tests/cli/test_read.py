"""digitscope read."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from digitscope import reader
from digitscope.cli.pictures import PictureResult, read_each
from digitscope.datasets import DataSet
from digitscope.reader import Reading, ReadLine
from digitscope.vision import decode

Digitscope = Callable[..., Any]  # see conftest.py


@pytest.fixture
def numbers(few: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two numbers of MNIST's digits and a blank sheet, which is the current one."""
    for name, of in (("two.png", [3, 9]), ("three.png", [1, 13, 2])):
        line = np.concatenate([few.x_train[k] for k in of], axis=1)
        Image.fromarray(255 - line).resize((4 * line.shape[1], 4 * line.shape[0])).save(tmp_path / name)
    Image.new("L", (90, 60), 250).save(tmp_path / "blank.png")
    (tmp_path / "bad.png").write_text("no picture")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def text(few: DataSet, of: list[int]) -> str:
    return "".join(str(few.y_train[k]) for k in of)


def test_it_prints_each_number(digitscope: Digitscope, numbers: Path, few: DataSet) -> None:
    answer = digitscope("read", "two.png", "three.png", "blank.png")
    assert answer.status == 0
    model, first, second, third = answer.out.splitlines()
    assert model == "model: reader (bundled; others: best, convnet)"
    assert first.startswith(f"two.png: {text(few, [3, 9])} (")
    assert second.startswith(f"three.png: {text(few, [1, 13, 2])} (")
    assert "%" in first
    assert third == "blank.png: no digits"


def test_it_says_what_is_left_out_and_what_may_be_cut(
    digitscope: Digitscope, numbers: Path, few: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Image.open("three.png") as picture:
        picture.crop((0, 30, 336, 80)).save("cut.png")
    answer, as_json = digitscope("read", "cut.png"), digitscope("read", "cut.png", "--json").json[0]
    assert answer.out.splitlines()[1].endswith("the picture's top and bottom edges may cut it)")
    assert [line["cut"] for line in as_json["lines"]] == [["top", "bottom"]]
    word = ReadLine("75", (), 0.3, ((0, 0, 9, 9),), ("left",))
    monkeypatch.setattr(reader, "read", lambda *_: Reading((word,), 0.3, word.left_out))
    answer, as_json = digitscope("read", "two.png"), digitscope("read", "two.png", "--json").json[0]
    beside = "other writing beside it is left out; the picture's left edge may cut it)"
    assert answer.out.splitlines()[1] == f"two.png: 75 (30.0 %; {beside}"
    assert as_json["lines"][0]["left_out"] == as_json["left_out"] == [[0, 0, 9, 9]]
    for places, said in ((1, "1 place"), (2, "2 places")):
        monkeypatch.setattr(reader, "read", lambda *_, n=places: Reading((), 0.9, n * word.left_out))
        found = digitscope("read", "two.png").out.splitlines()[1]
        assert found == f"two.png: no digits ({said} with other writing left out)"


def test_predict_says_that_there_are_several_digits(digitscope: Digitscope, numbers: Path, few: DataSet) -> None:
    Image.fromarray(255 - few.x_train[0]).resize((112, 112)).save("five.png")
    _, two, three, five = digitscope("predict", "two.png", "three.png", "five.png").out.splitlines()
    assert two.endswith("; the picture shows 2 digits: digitscope read reads all")
    assert three.endswith("; the picture shows 3 digits: digitscope read reads all")
    assert "digits" not in five
    found = digitscope("predict", "three.png", "five.png", "--json").json
    assert [answer["several_digits"] for answer in found] == [3, None]


def test_json_has_boxes(digitscope: Digitscope, numbers: Path, few: DataSet) -> None:
    three, blank = digitscope("read", "three.png", "blank.png", "--json").json
    assert three["file"] == "three.png"
    assert three["text"] == text(few, [1, 13, 2])
    (line,) = three["lines"]
    assert [str(digit["digit"]) for digit in line["digits"]] == list(three["text"])
    for k, digit in enumerate(line["digits"]):
        left, top, right, bottom = digit["box"]
        assert 112 * k < left < right < 112 * (k + 1)
        assert 0 <= top < bottom <= 112
        assert 0 < digit["confidence"] <= 1
    assert 0 < three["confidence"] <= 1
    assert blank == {"file": "blank.png", "model": "reader", "text": "", "confidence": 1.0, "lines": [], "left_out": []}


def test_show_draws_them(digitscope: Digitscope, numbers: Path) -> None:
    assert digitscope("read", "two.png", "blank.png", "--show", "read.png").status == 0
    with Image.open("read.png") as picture:
        assert picture.width == 1040
        colours = np.asarray(picture.convert("RGB")).reshape(-1, 3).astype(int)
    blue = (np.abs(colours - [0, 0x72, 0xB2]).max(axis=1) < 8).sum()
    vermilion = (np.abs(colours - [0xD5, 0x5E, 0]).max(axis=1) < 8).sum()
    assert blue + vermilion > 500
    answer = digitscope("read", "two.png", "--show", "read.png")
    assert answer.status == 2
    assert "read.png exists already" in answer.err
    assert "ends with .png" in digitscope("read", "two.png", "--show", "read.txt").err
    assert "50 files at most; got 51" in digitscope("read", *["two.png"] * 51, "--show", "s.png").err


def test_nothing_is_drawn_unless_requested(capsys: pytest.CaptureFixture[str]) -> None:
    """The pictures are not kept either, which would take gigabytes for many large ones."""
    drawn = []

    def read(path: Path) -> PictureResult:
        return {"file": path.name}, f"{path}: 7", lambda: drawn.append(path)

    for as_json in (False, True):
        read_each([Path("a.png")], read, as_json=as_json, show=None, draw=lambda _: pytest.fail("drawn"))
    assert capsys.readouterr().out == 'a.png: 7\n[{"file": "a.png"}]\n'
    assert drawn == []


def test_a_picture_that_is_read_is_not_kept_for_drawing(
    digitscope: Digitscope, numbers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decode, "shrink", lambda *_: pytest.fail("a copy was made"))
    assert digitscope("read", "two.png", "three.png").status == 0


def test_a_bad_file_among_good_ones(digitscope: Digitscope, numbers: Path, few: DataSet) -> None:
    answer = digitscope("read", "bad.png", "missing.png", "two.png", "--show", "read.png")
    assert answer.status == 2
    assert answer.out.splitlines()[1].startswith(f"two.png: {text(few, [3, 9])} (")
    first, second = answer.err.splitlines()
    assert first.startswith("Error: bad.png is not a picture")
    assert second.startswith("Error: missing.png")
    assert Path("read.png").exists()


def test_models(digitscope: Digitscope, numbers: Path, few: DataSet) -> None:
    model, two = digitscope("read", "convnet", "two.png").out.splitlines()
    assert model == "model: convnet (bundled; others: best, reader)"
    assert two.startswith(f"two.png: {text(few, [3, 9])} (")
    answer = digitscope("read", "convnet")
    assert answer.status == 2
    assert "only a model" in answer.err
