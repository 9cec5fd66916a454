"""Dividing a line's ink among its characters."""

import numpy as np
import pytest

from digitscope.arrays import Array
from digitscope.vision.characters import InkComponents, Place, box_of_ink

TALL = 20.0


def line(*boxes: tuple[int, int, int, int]) -> Array:
    """Filled boxes: left, top, right, bottom."""
    ink = np.zeros((24, 80), np.float32)
    for left, top, right, bottom in boxes:
        ink[top:bottom, left:right] = 1
    return ink


def divide(ink: Array, places: list[float], needs: list[float]) -> list[Array]:
    return InkComponents(ink).divide(list(map(Place, places, needs)))


def test_a_component_belongs_to_the_nearest_character_though_it_reaches_under_its_neighbour() -> None:
    ink = line((5, 20, 40, 22), (5, 2, 9, 20), (30, 2, 34, 16))  # an L whose foot lies below the next digit
    one, other = divide(ink, [12, 32], [7, 7])
    assert box_of_ink(one) == (5, 2, 40, 22)
    assert box_of_ink(other) == (30, 2, 34, 16)
    np.testing.assert_array_equal(one + other, ink)


def test_digits_that_touch_are_cut_where_there_is_least_ink() -> None:
    ink = line((5, 2, 20, 22), (20, 10, 26, 12), (26, 2, 45, 22))
    ink[10:12, 23] = 0.7
    one, other = divide(ink, [12, 36], [7, 7])
    assert box_of_ink(one) == (5, 2, 23, 22)
    assert box_of_ink(other) == (23, 2, 45, 22)


def test_three_that_touch_and_a_piece_of_the_second_by_itself() -> None:
    ink = line((5, 2, 60, 22), (30, 0, 34, 1))
    divided = divide(ink, [12, 32, 52], [7, 7, 7])
    assert [box is not None and box[2] - box[0] > 10 for box in map(box_of_ink, divided)] == [True] * 3
    np.testing.assert_allclose(sum(divided), ink)


def test_a_character_whose_neighbour_was_given_two_gets_the_nearer() -> None:
    ink = line((5, 2, 9, 22), (16, 2, 20, 22))
    one, other = divide(ink, [12, 24], [7, 7])  # both components are nearer to the first
    assert box_of_ink(one) == (5, 2, 9, 22)
    assert box_of_ink(other) == (16, 2, 20, 22)


def test_a_point_belongs_to_a_sign_and_nothing_to_a_space() -> None:
    ink = line((5, 2, 15, 22), (20, 20, 22, 22), (40, 2, 50, 22))
    digit, point, space, last = divide(ink, [10, 21, 30, 45], [7, 1, 0, 7])
    assert box_of_ink(digit) == (5, 2, 15, 22)
    assert box_of_ink(point) == (20, 20, 22, 22)
    assert box_of_ink(space) is None
    assert box_of_ink(last) == (40, 2, 50, 22)


def test_pale_pixels_at_an_edge_belong_to_the_stroke_beside_them() -> None:
    ink = line((5, 2, 9, 22), (16, 2, 20, 22))
    ink[2:22, 9] = 0.2
    one, other = divide(ink, [7, 18], [7, 7])
    np.testing.assert_array_equal(one[:, :12], ink[:, :12])
    assert not one[:, 12:].any()
    assert not other[:, :12].any()


def test_what_is_far_from_a_digits_strokes_is_a_piece_of_a_frame() -> None:
    ink = line((2, 0, 4, 24), (10, 2, 15, 22), (17, 2, 22, 4), (30, 2, 34, 22), (44, 2, 46, 20))
    components = InkComponents(ink)
    one, other = components.divide([Place(15, 7, 5), Place(32, 7, 5)])
    assert box_of_ink(one) == (10, 2, 22, 22)
    assert box_of_ink(other) == (30, 2, 34, 22)
    _, word = components.divide([Place(15, 7, 5), Place(32, 7)])  # a word is of any width
    assert box_of_ink(word) == (30, 2, 46, 22)


@pytest.mark.parametrize("places", [[], [10.0], [10.0, 20.0]])
def test_no_ink_and_no_characters(places: list[float]) -> None:
    divided = divide(line(), places, [7.0] * len(places))
    assert [ink.shape for ink in divided] == [(24, 80)] * len(places)
    assert not any(ink.any() for ink in divided)
    assert divide(line((5, 2, 9, 22)), [], []) == []
