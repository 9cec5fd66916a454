"""Strokes as ink, and ink as an image in MNIST's format."""

import numpy as np
import pytest

from digitscope.errors import NoInkError, ShapeError
from digitscope.vision.drawing import SURFACE, PenStroke, draw_strokes, prepare_drawing, shrink_only
from digitscope.vision.normalize import WIDTHS


def line(*points: tuple[float, float], pressure: float = 0.5, width: float = 0.1) -> PenStroke:
    return PenStroke(np.array([(x, y, pressure) for x, y in points]), width)


def test_a_stroke_covers_the_points_within_its_radius() -> None:
    """Checked against the distance of each pixel's middle from the segment."""
    ink = draw_strokes([line((0.3, 0.2), (0.6, 0.7))])
    x, y = np.meshgrid(*[(np.arange(SURFACE) + 0.5) / SURFACE] * 2)
    start, end = np.array([0.3, 0.2]), np.array([0.6, 0.7])
    along = ((x - 0.3) * 0.3 + (y - 0.2) * 0.5) / ((end - start) @ (end - start))
    t = along.clip(0, 1)
    distance = np.hypot(x - 0.3 - 0.3 * t, y - 0.2 - 0.5 * t)
    expected = (0.5 + (0.05 - distance) * SURFACE).clip(0, 1)
    assert np.abs(ink - expected).max() < 0.4  # a soft edge is a pixel wide
    assert abs(ink.sum() - expected.sum()) < 0.015 * expected.sum()


def test_pressure_makes_a_stroke_wider_and_every_gap_is_filled() -> None:
    soft, medium, hard = (draw_strokes([line((0.2, 0.5), (0.8, 0.5), pressure=p)]) for p in (0.0, 0.5, 1.0))
    widths = [float(ink[:, SURFACE // 2].sum()) / SURFACE for ink in (soft, medium, hard)]
    np.testing.assert_allclose(widths, [0.04, 0.1, 0.16], atol=0.004)
    thickening = draw_strokes([PenStroke(np.array([[0.2, 0.5, 0], [0.8, 0.5, 1]]), 0.1)])
    heights = thickening[:, SURFACE // 5 : 4 * SURFACE // 5].sum(axis=0)
    assert (np.diff(heights) > -0.6).all()


def test_a_dot_and_repeated_points_are_drawn() -> None:
    dot = draw_strokes([line((0.5, 0.5))])
    assert abs(dot.sum() / SURFACE**2 - np.pi * 0.05**2) < 2e-4
    np.testing.assert_array_equal(dot, draw_strokes([line((0.5, 0.5), (0.5, 0.5))]))


def test_points_outside_the_surface_are_cut_off() -> None:
    ink = draw_strokes([line((-3, 0.5), (4, 0.5))])
    assert ink.shape == (SURFACE, SURFACE)
    assert ink[SURFACE // 2].min() == 1


@pytest.mark.parametrize("points", [np.zeros((0, 3)), np.zeros((4, 2)), np.full((1, 3), np.nan)])
def test_strokes_that_cannot_be_drawn_are_refused(points: np.ndarray) -> None:
    with pytest.raises(ShapeError, match="A stroke expects"):
        PenStroke(points, 0.1)


@pytest.mark.parametrize("width", [0.0, 1.5, float("nan")])
def test_the_width_is_bounded(width: float) -> None:
    with pytest.raises(ShapeError, match="width above 0"):
        PenStroke(np.zeros((1, 3)), width)


def test_place_size_and_pen_do_not_matter_after_the_preparation() -> None:
    def seven(size: float, x: float, y: float, width: float) -> PenStroke:
        corners = [(0, 0), (0.6, 0), (0.25, 1)]
        return line(*[(x + size * a, y + size * b) for a, b in corners], width=width)

    large, small = (draw_strokes([s]) for s in (seven(0.7, 0.2, 0.15, 0.08), seven(0.25, 0.05, 0.7, 0.03)))
    prepared = [prepare_drawing(ink).image.astype(float) for ink in (large, small)]
    shifts = [np.roll(prepared[1], (down, right), (0, 1)) for down in (-1, 0, 1) for right in (-1, 0, 1)]
    assert min(np.abs(prepared[0] - shift).mean() for shift in shifts) < 5  # the centre of mass is rounded to pixels
    raw = [shrink_only(ink).astype(float) for ink in (large, small)]
    assert np.abs(raw[0] - raw[1]).mean() > 25


@pytest.mark.parametrize("width", [0.01, 0.25])
def test_strokes_get_the_width_that_they_have_in_mnist(width: float) -> None:
    steps = {
        step.name: step for step in prepare_drawing(draw_strokes([line((0.5, 0.2), (0.5, 0.8), width=width)])).steps
    }
    assert list(steps) == ["drawing", "strokes", "box", "image"]
    values = steps["strokes"].values
    assert values["target"] in WIDTHS
    assert (values["width"] < values["target"]) == (width < 0.1)


@pytest.mark.parametrize("strokes", [[], [line((2, 2))]])
def test_an_empty_drawing_has_no_ink(strokes: list[PenStroke]) -> None:
    with pytest.raises(NoInkError, match="Nothing is drawn"):
        prepare_drawing(draw_strokes(strokes))
