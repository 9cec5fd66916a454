"""The figure of readings marks the digits at their positions."""

import numpy as np
import pytest
from matplotlib.patches import Rectangle

from digitscope.errors import ShapeError
from digitscope.report import reading_figure


def test_boxes_and_labels() -> None:
    wide, high = np.full((100, 250, 3), 200, np.uint8), np.zeros((1000, 100, 3), np.uint8)
    marks = [(7, 0.99, (50.0, 20.0, 100.0, 80.0)), (1, 0.5, (125.0, 20.0, 150.0, 90.0))]
    figure = reading_figure([("71 (50.0 %)", "a.png", wide, marks), ("no digits", "b.png", high, [])])
    (axes,) = figure.axes
    texts = {text.get_text() for text in axes.texts}
    assert texts == {"71 (50.0 %)", "a.png", "no digits", "b.png", "7", "1 50 %"}
    first, second = axes.images
    assert np.asarray(first.get_array()).shape == (100, 250, 3)
    left, right, bottom, top = first.get_extent()
    assert (right - left) / (bottom - top) == pytest.approx(2.5)
    sure, unsure = (patch for patch in axes.patches if isinstance(patch, Rectangle))
    scale = (right - left) / 250
    assert sure.get_xy() == pytest.approx((left + 50 * scale, top + 20 * scale))
    assert (sure.get_width(), sure.get_height()) == pytest.approx((50 * scale, 60 * scale))
    assert sure.get_edgecolor() != unsure.get_edgecolor()
    left, right, bottom, top = second.get_extent()
    assert bottom - top == pytest.approx(500)  # a page is made to fit
    assert (right - left) / (bottom - top) == pytest.approx(0.1)


def test_no_pictures() -> None:
    with pytest.raises(ShapeError, match="at least one picture"):
        reading_figure([])
