"""The figure of the steps has the images and captions."""

import io

import numpy as np
import pytest
from PIL import Image

from digitscope.errors import ShapeError
from digitscope.report import steps_figure, to_png
from digitscope.report.style import PHONE_WIDTH


def test_it_holds_each_step() -> None:
    grey = np.arange(600, dtype=np.uint8).reshape(20, 30)
    colour = np.zeros((400, 100, 3), np.uint8)
    steps = [("picture", "As it came.", colour), ("grey", "One two three four five six seven eight.", grey)] * 2
    figure = steps_figure([("seven.png: 7 (99.0 %)", steps), ("b.png: 1 (50.0 %)", steps[:1])])
    (axes,) = figure.axes
    texts = [text.get_text() for text in axes.texts]
    assert "seven.png: 7 (99.0 %)" in texts
    assert "4 grey" in texts
    assert {"One two three four", "five six seven"} <= set(texts)
    assert len(axes.images) == 5
    for image, expected in zip(axes.images, [colour, grey, colour, grey, colour], strict=True):
        np.testing.assert_array_equal(np.asarray(image.get_array()), expected)
        left, right, bottom, top = image.get_extent()
        assert (right - left) / (bottom - top) == pytest.approx(expected.shape[1] / expected.shape[0])
    with Image.open(io.BytesIO(to_png(figure))) as picture:
        assert picture.size == (2 * PHONE_WIDTH, round(2 * (2 * 34 + 200 + (118 * 20 / 30 + 82) + 172)))


def test_no_pictures() -> None:
    with pytest.raises(ShapeError, match="at least one picture"):
        steps_figure([])
