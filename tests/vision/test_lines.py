"""The lines of writing in a picture are found on every kind of paper, without ink that is not writing."""

import numpy as np
import pytest
from numpy.typing import NDArray

from digitscope.datasets import DataSet
from digitscope.synthetic.photos import photograph_numbers
from digitscope.vision.lines import HEIGHT, UNIT, TextLine, find_lines
from digitscope.vision.ruling import erase_ruling

Picture = NDArray[np.uint8]


def drawn(shape: tuple[int, int] = (200, 400)) -> Picture:
    return np.full((*shape, 3), 240, np.uint8)


def ring(picture: Picture, y: int, x: int, radius: int = 30, width: int = 6) -> None:
    rows, columns = np.mgrid[: picture.shape[0], : picture.shape[1]]
    away = np.hypot(rows - y, columns - x)
    picture[np.abs(away - radius) < width / 2] = 20


def first(picture: Picture) -> list[TextLine]:
    return next(find_lines(picture))


@pytest.mark.parametrize("light", [False, True])
def test_two_lines(light: bool) -> None:
    picture = drawn((300, 500))
    for x in (60, 150, 240):
        ring(picture, 70, x)
    ring(picture, 220, 100)
    upper, lower = first(255 - picture if light else picture)
    assert (upper.components, lower.components) == (3, 1)
    assert abs(upper.coverage.shape[0] - HEIGHT) < 12
    assert upper.corner == pytest.approx((27, 37), abs=5)
    assert upper.corner[0] + upper.scale * upper.coverage.shape[1] == pytest.approx(273, abs=6)
    # Six pixels of 66 are 1.8 of MNIST's 20.
    assert upper.stroke / UNIT == pytest.approx(1.9, abs=0.25)
    assert not upper.at_border.any()


def test_a_shadow_is_not_ink_and_hides_none() -> None:
    picture = drawn()
    for x in (60, 150, 240, 330):
        ring(picture, 100, x)
    picture[:, 190:] = (0.55 * picture[:, 190:]).astype(np.uint8)
    # The lit half may be a separate sheet, so the line is under one of the ink hypotheses.
    assert 4 in [line.components for lines in find_lines(picture) for line in lines]


def test_specks_are_left_out() -> None:
    picture = drawn((300, 600))
    for x in (100, 200, 300, 400):
        ring(picture, 150, x)
    picture[20:23, 500:503] = 20
    (line,) = first(picture)
    assert line.coverage.shape[1] * line.scale == pytest.approx(370, abs=15)


def test_a_frame_is_left_out() -> None:
    picture = drawn((300, 600))
    for x in (200, 300, 400):
        ring(picture, 150, x)
    picture[100:200, 140:143] = picture[100:200, 460:463] = 20
    picture[100:103, 140:463] = picture[200:203, 140:463] = 20
    (line,) = first(picture)
    assert line.components == 3


def test_a_sheet_on_a_desk(mnist: DataSet) -> None:
    picture = np.full((400, 600, 3), 70, np.uint8)
    picture[60:350, 90:520] = 240
    for x in (200, 300, 400):
        ring(picture, 200, x)
    (line,) = first(picture)
    assert line.components == 3


def test_small_writing_is_searched_again() -> None:
    picture = drawn((2400, 3200))
    for x in (1000, 1100, 1200):
        ring(picture, 800, x)
    (line,) = first(picture)
    assert line.components == 3
    assert line.scale == pytest.approx(66 / HEIGHT, rel=0.1)  # not what is left of 66 pixels in 1200 of 3200
    assert line.corner == pytest.approx((967, 767), abs=6)


def test_strokes_get_a_width_as_in_mnist() -> None:
    for width in (2, 25):
        picture = drawn()
        ring(picture, 100, 100, radius=50, width=width)
        (line,) = first(picture)
        assert 1.5 < line.stroke / UNIT < 3.9
        across = np.flatnonzero(line.coverage[line.coverage.shape[0] // 2] > 0.5)
        left = across[: int(np.argmax(np.diff(across) > 1)) + 1]
        assert len(left) == pytest.approx(line.stroke, abs=2.5)


def test_nothing() -> None:
    for picture in (drawn(), drawn((1, 1)), np.zeros((9, 700, 3), np.uint8)):
        assert all(not lines for lines in find_lines(picture))


@pytest.mark.parametrize("kind", ["felt pen", "chalk", "lined", "shadow", "desk"])
def test_photos(mnist: DataSet, kind: str) -> None:
    """For most of a few photos, one of the ink hypotheses gives the right number of lines at the right positions."""
    right = 0
    for seed in range(4):
        rng = np.random.default_rng(seed)
        images = mnist.x_train[rng.integers(0, 50_000, 4)]
        photo = photograph_numbers([images], rng, kind=kind)
        left, top = photo.boxes[:, :2].min(axis=0)
        end, bottom = photo.boxes[:, 2:].max(axis=0)
        slack = 0.15 * (bottom - top) + 5
        for lines in find_lines(photo.pixels):
            if len(lines) == 1:
                (line,) = lines
                x, y = line.corner
                height, width = line.coverage.shape
                found = (x, y, x + line.scale * width, y + line.scale * height)
                if np.abs(np.array(found) - [left, top, end, bottom]).max() < slack:
                    right += 1
                    break
    assert right >= 3


def test_ruling_too_faint_to_be_told_from_paper_takes_nothing_away() -> None:
    contrast = np.zeros((12, 9))
    contrast[3:8, 4] = 1
    faint = np.full((2, 12, 9), 1e-4)
    np.testing.assert_array_equal(erase_ruling(contrast, faint, 1), contrast)
