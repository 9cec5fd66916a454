"""Sheets of images."""

import numpy as np
import pytest

from digitscope.arrays import image_grid
from digitscope.report.samples import captioned_sheet


@pytest.mark.parametrize(
    ("count", "columns", "shape"), [(5, 3, (2, 3)), (2, 3, (1, 2)), (1, 1, (1, 1)), (6, 2, (3, 2))]
)
def test_a_grid_has_the_images_row_by_row(count: int, columns: int, shape: tuple[int, int]) -> None:
    images = np.random.default_rng(0).integers(1, 256, (count, 4, 5), dtype=np.uint8)
    grid = image_grid(images, columns)
    assert grid.shape == (shape[0] * 4, shape[1] * 5)
    for number, image in enumerate(images):
        row, column = divmod(number, shape[1])
        np.testing.assert_array_equal(grid[4 * row : 4 * row + 4, 5 * column : 5 * column + 5], image)
    assert np.count_nonzero(grid) == images.size  # the rest is paper


def test_a_captioned_sheet_shows_each_image_dark_on_white_above_its_caption() -> None:
    images = np.zeros((18, 28, 28), np.uint8)
    images[:, 10:18, 10:18] = 255
    sheet = captioned_sheet(images, ["4 → 9"] * 17 + [""])
    cell, row = 2 * 28 + 8, 8 + 2 * 28 + 16
    assert sheet.shape == (2 * row, 16 * cell)
    for number in range(18):
        top, left = number // 16 * row, number % 16 * cell
        picture = sheet[top + 8 : top + 64, left + 4 : left + 60]
        np.testing.assert_array_equal(picture, 255 - images[number].repeat(2, 0).repeat(2, 1))
        caption = sheet[top + 64 : top + row, left : left + cell]
        assert (caption.min() < 100) == (number < 17)
    assert (sheet[row:, 2 * cell :] == 255).all()
    assert (captioned_sheet(images[:0], []) == 255).all()
