"""Ink is grouped into lines; boxes lead back to the picture."""

import numpy as np
import pytest

from digitscope.arrays import Array
from digitscope.vision.layout import (
    complete_strokes,
    find_components,
    find_digit,
    find_layout,
    group_in_lines,
    ink_of_tiny,
    layout_of_ink,
    one_digit,
    turned,
)


def ink_with(*boxes: tuple[int, int, int, int], size: tuple[int, int] = (200, 400)) -> Array:
    """Ink in boxes: left, top, right, bottom."""
    ink = np.zeros(size, np.float32)
    for left, top, right, bottom in boxes:
        ink[top:bottom, left:right] = 1
    return ink


TWO_LINES = [(20, 30, 32, 70), (60, 32, 72, 71), (100, 29, 112, 70), (22, 120, 34, 160), (64, 121, 75, 160)]


def test_components_beside_each_other_are_a_line() -> None:
    layout = layout_of_ink(ink_with(*TWO_LINES))
    assert [len(line) for line in layout.lines] == [1, 1]
    assert [part.ink.shape[1] for line in layout.lines for part in line] == [98, 59]
    assert layout.left_out == 0


def test_a_wide_gap_parts_a_line() -> None:
    layout = layout_of_ink(ink_with((10, 30, 22, 70), (50, 30, 62, 70), (340, 30, 352, 70)))
    assert [len(line) for line in layout.lines] == [2]


def test_pieces_of_a_digit_are_in_its_line() -> None:
    layout = layout_of_ink(ink_with(*TWO_LINES, (140, 30, 170, 36), (140, 44, 150, 70)))
    assert len(layout.lines) == 2


def test_a_line_that_falls_is_made_level() -> None:
    steps = [(20 + 40 * k, 30 + 4 * k, 32 + 40 * k, 70 + 4 * k) for k in range(8)]
    ((part,),) = layout_of_ink(ink_with(*steps)).lines
    assert part.slope == pytest.approx(0.1, abs=0.01)
    assert part.bottom - part.top == pytest.approx(40, abs=4)
    left, top, right, bottom = part.to_map((0, part.top, 18, part.bottom))
    assert (left, right) == (17, 35)
    assert top == pytest.approx(30, abs=4)
    assert bottom == pytest.approx(70, abs=4)


def test_a_long_rule_is_left_out() -> None:
    layout = layout_of_ink(ink_with(*TWO_LINES, (5, 90, 395, 93)))
    assert len(layout.lines) == 2
    assert 0 < layout.left_out < 1


def test_a_turned_page_leads_back_to_the_picture() -> None:
    upright = layout_of_ink(ink_with(*TWO_LINES))
    for quarters in (1, 2, 3):
        page = layout_of_ink(np.ascontiguousarray(np.rot90(upright.ink, -quarters)))
        back = turned(page, quarters)
        assert len(back.lines) == 2
        part = back.lines[0][0]
        left, top, right, bottom = back.to_picture(part.to_map((3, 3, 15, 44)))
        inside = page.ink[round(top) : round(bottom), round(left) : round(right)]
        assert inside.mean() > 0.95
        assert inside.size == 12 * 41


def test_specks_alone_are_no_writing() -> None:
    ink = ink_with((50, 50, 54, 54), (200, 100, 205, 105))
    assert find_components(ink)[0] == []
    components, _ = find_components(ink_with(*TWO_LINES, (50, 50, 54, 54)))
    assert len(group_in_lines(components)) == 2


def test_the_one_digit_has_its_pieces_and_not_the_line_beside_it() -> None:
    found = one_digit(layout_of_ink(ink_with((100, 40, 160, 52), (100, 58, 112, 160), (175, 0, 180, 200))))
    assert found is not None
    rows, columns = found.box
    assert (columns.start, columns.stop) == (98, 162)
    assert (rows.start, rows.stop) == (38, 162)


def test_strokes_on_flat_paper_are_completed() -> None:
    pixels = np.full((100, 100, 3), 250, np.uint8)
    pixels[20:80, 40:43] = pixels[20:23, 20:43] = 0
    half = ink_with((40, 20, 43, 70), size=(100, 100))
    completed = complete_strokes(half, pixels)
    assert completed[21, 30] == 1
    assert completed[79, 41] == 1
    pixels[50:53, 5:15] = pixels[90:93, 5:80] = 0  # a minus sign, of which little is claimed, and a rule
    claimed = np.maximum(half, ink_with((5, 50, 7, 53), (5, 90, 15, 93), size=(100, 100)))
    completed = complete_strokes(claimed, pixels)
    assert completed[51, 14] == 1
    assert completed[91, 60] == 0
    pixels[79:82, 40:90] = (250, 40, 40)  # a red line of the form, which touches the stroke
    claimed = np.maximum(claimed, completed)
    assert complete_strokes(claimed, pixels)[80, 60] == 0
    pixels[79:82, 40:90] = 0
    assert complete_strokes(claimed, pixels)[80, 60] == 1
    noisy = np.clip(pixels + np.random.default_rng(0).normal(0, 9, pixels.shape), 0, 255).astype(np.uint8)
    np.testing.assert_array_equal(complete_strokes(half, noisy), half)


def test_a_stroke_of_which_nothing_is_claimed_is_completed_if_nothing_has_to_be() -> None:
    pixels = np.full((100, 100, 3), 250, np.uint8)
    pixels[20:80, 40:43] = (200, 20, 20)
    assert complete_strokes(np.zeros((100, 100), np.float32), pixels, least=0)[50, 41] == 1


@pytest.mark.parametrize("light", [False, True])
def test_ink_of_a_tiny_picture(light: bool) -> None:
    picture = np.full((8, 8, 3), 20 if light else 230, np.uint8)
    picture[1:7, 3:5] = 255 - picture[0, 0, 0]
    ink, zoom = ink_of_tiny(picture)
    assert ink.shape == (8 * zoom, 8 * zoom)
    assert ink[4 * zoom, 4 * zoom] > 0.9
    assert ink[0, 0] < 0.1
    assert len(find_layout(picture).lines) == 1


def test_uneven_paper_of_a_tiny_picture_is_not_ink() -> None:
    picture = np.full((20, 16, 3), 180, np.uint8)
    picture[:4, :4] = 250  # a reflection
    picture[5:16, 7:9] = 60
    ink, zoom = ink_of_tiny(picture)
    assert ink[8 * zoom : 13 * zoom, 7 * zoom + zoom // 2].min() > 0.9
    assert ink[:, 12 * zoom :].max() < 0.1


def test_dashes_in_a_tiny_picture_are_one_digit() -> None:
    picture = np.zeros((16, 16, 3), np.uint8)
    picture[1:5, 6:8] = picture[9:15, 6:8] = 255
    found = find_digit(picture)
    assert found is not None
    assert len(np.flatnonzero(found.in_map.max(axis=1) > 0.5)) > found.in_map.shape[0] * 8 / 16
