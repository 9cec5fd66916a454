"""The pictures in the documents agree with their script."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from digitscope.datasets import DataSet
from digitscope.report import save_svg
from docs import pictures
from docs.notes.figures import what_differs

MAKE_AGAIN = "uv run python -m docs.pictures, and look at it"


@pytest.mark.parametrize(
    ("name", "figure"),
    [
        ("augment", lambda data: pictures.augmentations(data.x_train)),
        ("backpropagation", lambda data: pictures.backpropagation(data.x_train, data.y_train)),
        ("mistakes", lambda data: pictures.mistakes(data.x_test, data.y_test)),
    ],
)
def test_svg(name: str, figure: Callable[[DataSet], Figure], mnist: DataSet, tmp_path: Path) -> None:
    save_svg(figure(mnist), tmp_path / "figure.svg")
    old = (pictures.PICTURES / f"{name}.svg").read_text(encoding="utf-8")
    difference = what_differs(old, (tmp_path / "figure.svg").read_text(encoding="utf-8"), 1.0)
    assert difference is None, f"{difference}; {MAKE_AGAIN}"


def test_the_number_is_read_as_the_picture_says(mnist: DataSet) -> None:
    made = pictures.few_colours(pictures.reading(mnist.x_train))
    with Image.open(io.BytesIO(made)) as new, Image.open(pictures.PICTURES / "reading.png") as old:
        assert new.size == old.size, MAKE_AGAIN
        a, b = (np.asarray(picture.convert("RGB")).astype(float) for picture in (new, old))
    assert np.abs(a - b).mean() < 1, MAKE_AGAIN


def test_pictures_are_small() -> None:
    files = list(pictures.PICTURES.iterdir())
    assert files
    assert all(file.stat().st_size < 150_000 for file in files)
