"""digitscope teach."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from digitscope.cli import cli
from digitscope.cli.teach import taught_path
from digitscope.datasets import DataSet
from digitscope.metrics import percentage
from digitscope.model import Model
from digitscope.vision import prepare

Digitscope = Callable[..., Any]  # see conftest.py
Files = Callable[[], list[str]]


@pytest.fixture(scope="module")
def model(few_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network that learns fast."""
    out = tmp_path_factory.mktemp("run") / "few"
    command = ["train", "--recipe", "mlp", "--data", str(few_file), "--epochs", "12", "--out", str(out), "--json"]
    assert CliRunner().invoke(cli, command).exit_code == 0
    return out / "model.safetensors"


@pytest.fixture
def pictures(few: DataSet, tmp_path: Path) -> list[Path]:
    """A picture of each digit from 0 to 3."""
    paths = []
    for digit in range(4):
        image = few.x_train[np.flatnonzero(few.y_train == digit)[5]]
        paths.append(tmp_path / f"a={digit}.png")
        Image.fromarray(255 - image).resize((140, 140), Image.Resampling.BICUBIC).save(paths[-1])
    return paths


def test_the_new_model_reads_its_examples(
    digitscope: Digitscope, model: Path, few_file: Path, pictures: list[Path], in_folder: Files
) -> None:
    before = model.read_bytes()
    command = ["teach", model, "--data", few_file, f"{pictures[0]}=0", f"{pictures[1]}=1"]
    result = digitscope(*command, "--out", "new.safetensors", "--json").json
    assert (result["model"], result["taught_from"]) == ("new.safetensors", str(model))
    assert [example["file"] for example in result["examples"]] == [str(path) for path in pictures[:2]]
    assert [example["after"]["digit"] for example in result["examples"]] == [0, 1]
    assert (result["evaluated"], result["held_out"]) == (101, True)
    taught, images = Model.load("new.safetensors"), np.stack([prepare(path).image for path in pictures[:2]])
    probabilities = taught.predict_proba(images).max(axis=1)
    np.testing.assert_allclose([e["after"]["probability"] for e in result["examples"]], probabilities, rtol=1e-5)
    assert taught.info.validation_accuracy == result["accuracy_after"]
    assert model.read_bytes() == before
    # The same command again, without --json, gives the same bytes.
    answer = digitscope(*command, "--out", "again.safetensors")
    assert answer.status == 0
    assert Path("again.safetensors").read_bytes() == Path("new.safetensors").read_bytes()
    lines = answer.out.splitlines()
    assert lines[0] == f"model: {model}"
    assert lines[1].startswith(f"{pictures[0]}=0: read as ")
    assert lines[1].endswith(f" before, 0 ({percentage(probabilities[0], 1)} %) now")
    figures = f"{percentage(result['accuracy_before'])} % before, {percentage(result['accuracy_after'])} % now"
    assert lines[3] == f"accuracy on 101 images of {few_file}: {figures}"
    assert lines[-1] == "new model: again.safetensors (delete it to undo)"
    # It can be taught again, and its name says that.
    assert (
        "new model: again-taught.safetensors"
        in digitscope("teach", "again.safetensors", "--data", few_file, f"{pictures[2]}=2").out
    )
    assert [path for path in in_folder() if path.endswith("tensors")] == [
        "again-taught.safetensors",
        "again.safetensors",
        "new.safetensors",
    ]


def test_a_folder_of_examples_gives_the_same_as_their_files(
    digitscope: Digitscope, model: Path, few_file: Path, pictures: list[Path], in_folder: Files
) -> None:
    for digit, picture in enumerate(pictures):
        place = Path("mine") / str(digit) / picture.name
        place.parent.mkdir(parents=True)
        place.write_bytes(picture.read_bytes())
    options = "--data", few_file, "--json"
    apart = [f"{picture}={digit}" for digit, picture in enumerate(pictures)]
    files = json.loads(digitscope("teach", model, *options, "--out", "a.safetensors", *apart).out)
    folder = json.loads(digitscope("teach", model, *options, "--out", "b.safetensors", "mine").out)
    assert [example["file"] for example in folder["examples"]] == [
        str(Path("mine") / str(digit) / picture.name) for digit, picture in enumerate(pictures)
    ]
    assert [example["after"] for example in folder["examples"]] == [example["after"] for example in files["examples"]]
    assert Path("a.safetensors").read_bytes() == Path("b.safetensors").read_bytes()
    answer = digitscope("teach", model, "--data", few_file, str(Path("mine") / "0"))
    assert (answer.status, answer.out) == (2, "")
    assert "holds no pictures in subfolders" in answer.err


def test_without_success_no_model_is_written(
    digitscope: Digitscope,
    model: Path,
    few_file: Path,
    pictures: list[Path],
    in_folder: Files,
) -> None:
    with Image.open(pictures[0]) as picture:
        picture.rotate(1, fillcolor=255).save("b.png")  # too little for any network to distinguish them
    before = in_folder()
    answer = digitscope("teach", model, "--data", few_file, f"{pictures[0]}=0", "b.png=6")
    assert answer.status == 2
    assert answer.err.startswith("Error: After 4 rounds 1 of 2 examples are still not read as labelled. ")
    assert answer.err.endswith("Nothing was written.\n")
    assert answer.out.splitlines()[1].startswith(f"{pictures[0]}=0: read as ")
    assert in_folder() == before
    assert list(model.parent.glob("*taught*")) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "teach expects pictures and the digits that they show; got only a model"),
        (["a.png"], "expects PICTURE=DIGIT, such as seven.png=7, or a folder; got 'a.png'"),
        (["=7"], "expects PICTURE=DIGIT, such as seven.png=7, or a folder; got '=7'"),
        (["a.png="], "expects a digit after the last =, such as seven.png=7, or numbers, such as page.png"),
        (["a.png=x"], "expects a digit after the last ="),
        (["a.png=-1"], "expects a digit after the last ="),
        (["a.png=٧"], "expects a digit after the last ="),
        (["a.png=7", "other.safetensors"], "got 'other.safetensors'"),
    ],
)
def test_invalid_examples(digitscope: Digitscope, model: Path, arguments: list[str], message: str) -> None:
    answer = digitscope("teach", model, *arguments)
    assert answer.status == 2
    assert message in answer.err
    assert answer.err.endswith("See digitscope teach --help.\n")


def test_pictures_that_cannot_be_used_are_all_named_and_nothing_is_taught(
    digitscope: Digitscope, model: Path, few_file: Path, pictures: list[Path], in_folder: Files
) -> None:
    Path("text.png").write_text("no picture")
    Image.new("L", (60, 60), 255).save("blank.png")
    before = in_folder()
    command = "teach", model, "--data", few_file, "text.png=1", f"{pictures[0]}=0", "blank.png=2", "gone.png=3"
    answer = digitscope(*command, "--out", "new.safetensors")
    assert answer.status == 2
    for name, line in zip(
        ("text.png", "blank.png", "gone.png", "3 of 4 pictures"), answer.err.splitlines(), strict=True
    ):
        assert line.startswith(f"Error: {name} ")
    assert in_folder() == before


def test_a_picture_with_two_labels(
    digitscope: Digitscope, model: Path, few_file: Path, pictures: list[Path], tmp_path: Path
) -> None:
    copy = tmp_path / "copy.png"
    copy.write_bytes(pictures[0].read_bytes())
    answer = digitscope("teach", model, "--data", few_file, f"{pictures[0]}=0", f"{copy}=6")
    assert answer.status == 2
    assert f"{pictures[0]}=0 and {copy}=6 are the same picture with two labels." in answer.err


def test_a_picture_with_fewer_digits_than_its_label(
    digitscope: Digitscope, model: Path, few_file: Path, pictures: list[Path]
) -> None:
    answer = digitscope("teach", model, "--data", few_file, f"{pictures[0]}=12")
    assert answer.status == 2
    assert f"{pictures[0]} is said to show 2 digits, 12; 1 digit was found." in answer.err


def test_the_digits_of_a_number_are_examples(
    digitscope: Digitscope, model: Path, few_file: Path, few: DataSet, in_folder: Files
) -> None:
    digits = [few.x_train[np.flatnonzero(few.y_train == digit)[7]] for digit in (0, 1, 2)]
    row = np.pad(np.concatenate(digits, axis=1), 8)
    Image.fromarray(255 - row).resize((5 * row.shape[1], 5 * row.shape[0]), Image.Resampling.BICUBIC).save("page.png")
    result = digitscope("teach", model, "--data", few_file, "page.png=0 12", "--out", "new.safetensors", "--json").json
    assert [(e["file"], e["position"], e["label"]) for e in result["examples"]] == [
        ("page.png", position, label) for position, label in ((1, 0), (2, 1), (3, 2))
    ]
    answer = digitscope("teach", model, "--data", few_file, "page.png=012", "--out", "again.safetensors")
    assert "page.png, digit 2=1: read as " in answer.out
    assert Path("again.safetensors").read_bytes() == Path("new.safetensors").read_bytes()


def test_data_that_the_model_was_not_trained_on(digitscope: Digitscope, model: Path, pictures: list[Path]) -> None:
    answer = digitscope("teach", model, f"{pictures[0]}=0")
    assert answer.status == 2
    assert "learned from few.npz, not from this mnist. Name with --data the data that it learned from" in answer.err


def test_no_file_is_overwritten(digitscope: Digitscope, model: Path, in_folder: Files) -> None:
    Path("mine.safetensors").write_bytes(b"mine")
    answer = digitscope("teach", model, "a.png=7", "--out", "mine.safetensors")
    assert answer.status == 2
    assert "mine.safetensors exists already" in answer.err
    assert "expects a name that ends with .safetensors" in digitscope("teach", model, "a.png=7", "--out", "mine").err
    assert in_folder() == ["mine.safetensors"]


def test_the_name_of_a_taught_model(tmp_path: Path, in_folder: Files) -> None:
    assert taught_path(Path("convnet")) == Path("convnet-taught.safetensors")
    assert taught_path(tmp_path / "m.safetensors") == tmp_path / "m-taught.safetensors"
    Path("convnet-taught.safetensors").touch()
    assert taught_path(Path("convnet-taught.safetensors")) == Path("convnet-taught-2.safetensors")
    Path("convnet-taught-2.safetensors").touch()
    assert taught_path(Path("convnet-taught-2.safetensors")) == Path("convnet-taught-3.safetensors")
    assert in_folder() == ["convnet-taught-2.safetensors", "convnet-taught.safetensors"]
