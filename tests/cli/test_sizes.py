"""Images of another size than MNIST's: trained on, used on pictures, or refused before anything is written."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from digitscope import DataSet, Model, prepare, read
from digitscope.jobs.inspection import inspect_picture

Digitscope = Callable[..., Any]  # see conftest.py
Files = Callable[[], list[str]]
SHAPES = [(1, 1), (8, 8), (5, 40), (300, 3)]


def resized(images: Any, shape: tuple[int, int]) -> Any:
    return np.stack([np.asarray(Image.fromarray(image).resize(shape[::-1])) for image in images])


@pytest.fixture(scope="module")
def large(few: DataSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """600 images of 32x24."""
    path = tmp_path_factory.mktemp("large") / "large.npz"
    np.savez(path, x_train=resized(few.x_train[:600], (32, 24)), y_train=few.y_train[:600])
    return path


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", ["convnet", "deep", "reader"])
def test_a_size_that_does_not_fit(digitscope: Digitscope, in_folder: Files, name: str, shape: tuple[int, int]) -> None:
    np.savez("data.npz", x_train=np.full((20, *shape), 200, np.uint8), y_train=np.arange(20) // 2)
    answer = digitscope("train", "--data", "data.npz", "--recipe", name, "--out", "run")
    assert answer.status == 2
    (line,) = answer.err.splitlines()
    assert f"recipe {name} cannot learn from 10 classes of {shape[0]}x{shape[1]} pixels" in line
    others = line.partition("Recipes that can: ")[2].removesuffix(".").split(", ")
    assert others == ["seed", "sigmoid", "3blue1brown", "mlp", "simard-mlp"]  # those without convolutions
    assert in_folder() == ["data.npz"]


def test_a_model_reads_pictures_in_its_own_size(
    digitscope: Digitscope, few: DataSet, large: Path, in_folder: Files
) -> None:
    command = ["train", "--data", large, "--recipe", "mlp", "--epochs", 8, "--out", "run", "--json"]
    model = digitscope(*command).json["model"]
    assert few.x_test is not None
    assert few.y_test is not None
    for k, image in enumerate(few.x_test[:4]):
        Image.fromarray(255 - image).resize((140, 140)).save(f"{k}.png")
    answers = digitscope("predict", model, *(f"{k}.png" for k in range(4)), "--refuse", 0, "--json").json
    assert sum(answer["digit"] == label for answer, label in zip(answers, few.y_test[:4], strict=True)) == 4
    (line,) = read("0.png", Model.load(model)).lines
    assert line.text == str(few.y_test[0])
    assert inspect_picture("0.png", Model.load(model), name="0.png", model_name="mine").image.shape == (32, 24)
    Path("folder/7").mkdir(parents=True)
    Image.open("0.png").save("folder/7/a.png")
    evaluated = digitscope("evaluate", model, "--data", "folder", "--json").json
    assert (evaluated["images"], evaluated["accuracy"]) == (1, 1.0)
    taught = digitscope("teach", model, f"1.png={few.y_test[1]}", "--data", large, "--out", "t.safetensors", "--json")
    assert taught.status == 0, taught.err
    assert Model.load("t.safetensors").image_shape == (32, 24)


def test_data_of_another_size_than_the_model_reads(digitscope: Digitscope, large: Path) -> None:
    answer = digitscope("evaluate", "convnet", "--data", large)
    assert answer.status == 2
    assert "The model reads images of 28x28 pixels;" in answer.err
    assert "large.npz has 32x24." in answer.err


@pytest.mark.parametrize("shape", [*SHAPES, (32, 24), (56, 56)])
def test_a_picture_is_prepared_as_mnist_is(few: DataSet, shape: tuple[int, int]) -> None:
    picture = 255 - np.kron(few.x_train[0], np.ones((5, 5), np.uint8))
    image = prepare(picture, shape).image
    assert image.shape == shape
    assert image.max() > 100
    if min(shape) < 20:
        return
    rows, columns = (np.flatnonzero(image.any(axis=axis)) for axis in (1, 0))
    box = np.array([np.ptp(rows) + 1, np.ptp(columns) + 1]) / shape
    assert box.max() == pytest.approx(20 / 28, abs=0.04)
    centre = [(image.sum(axis=1 - axis) @ (np.arange(side) + 0.5)) / image.sum() for axis, side in enumerate(shape)]
    np.testing.assert_allclose(centre, np.array(shape) / 2, atol=1.01)
