"""A folder of pictures with one subfolder for each class, as the source of every verb that takes data."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from digitscope.datasets import DataSet

Digitscope = Callable[..., Any]  # see conftest.py


@pytest.fixture
def folder(few: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An export of images, training and test part, in the current folder."""
    monkeypatch.chdir(tmp_path)
    parts = {"train": (few.x_train[:300], few.y_train[:300]), "test": few.evaluation_split[1:]}
    for part, (images, labels) in parts.items():
        for k, (image, label) in enumerate(zip(images, labels, strict=True)):
            path = Path("my_digits", part, str(label), f"{k}.png")
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(path)
    return "my_digits"


def test_train_evaluate_and_teach(digitscope: Digitscope, folder: str, few: DataSet) -> None:
    trained = digitscope("train", "--data", folder, "--recipe", "mlp", "--epochs", "1", "--out", "run", "--json").json
    evaluated = digitscope("evaluate", "run/model.safetensors", "--data", folder, "--json").json
    assert (evaluated["data"], evaluated["part"], evaluated["images"]) == ("my_digits", "test", 300)
    assert evaluated["accuracy"] == trained["test_accuracy"]
    assert digitscope("evaluate", "--data", folder, "--json").json["accuracy"] > 0.98
    example = next(Path(folder, "test", "3").iterdir())
    command = ["teach", "run/model.safetensors", f"{example}=3", "--data", folder, "--out", "taught.safetensors"]
    taught = digitscope(*command, "--json").json
    assert taught["examples"][0]["after"]["digit"] == 3
    assert taught["held_out"]
    assert np.sum(evaluated["confusion"], axis=1).tolist() == np.bincount(few.evaluation_split[2]).tolist()


def test_data(digitscope: Digitscope, folder: str, few: DataSet) -> None:
    answer = digitscope("data", folder)
    assert "my_digits: 10 classes" in answer.out
    assert "train: 300 images of 28 x 28 pixels, intensities 0 to 255" in answer.out
    rows = [line.split() for line in answer.out.splitlines()]
    counts = [np.count_nonzero(labels == 4) for labels in (few.y_train[:300], few.y_test)]
    assert ["4", *map(str, counts)] in rows


def test_data_with_names(digitscope: Digitscope, few: DataSet, tmp_path: Path) -> None:
    for name in ("b[x]", "a"):
        (tmp_path / name).mkdir()
        Image.fromarray(few.x_train[0]).save(tmp_path / name / "1.png")
    answer = digitscope("data", tmp_path)
    assert re.search(r"^0 a +1$", answer.out, re.MULTILINE)
    assert re.search(r"^1 b\[x\] +1$", answer.out, re.MULTILINE)


def test_a_picture_that_cannot_be_used(digitscope: Digitscope, folder: str) -> None:
    Path(folder, "train", "7", "bad.png").write_text("no picture")
    answer = digitscope("train", "--data", folder)
    assert (answer.status, answer.out) == (2, "")
    (line,) = answer.err.splitlines()
    assert "bad.png is not a picture that can be read" in line
    assert "1 of 601 pictures cannot be used; remove or mend them." in line
    assert not Path("runs").exists()
