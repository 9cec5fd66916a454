"""Dividing a line's ink among its characters."""

from itertools import pairwise, product

import numpy as np
import pytest

from digitscope.arrays import Array
from digitscope.vision.characters import CUTS, InkComponents, Place, Strokes, best_cuts, box_of_ink, middle

TALL = 20.0


def line(*boxes: tuple[int, int, int, int]) -> Array:
    """Filled boxes: left, top, right, bottom."""
    ink = np.zeros((24, 80), np.float32)
    for left, top, right, bottom in boxes:
        ink[top:bottom, left:right] = 1
    return ink


def divide(ink: Array, places: list[float], needs: list[float]) -> list[Strokes]:
    return list(map(middle, InkComponents(ink).divide(list(map(Place, places, needs)))))


def in_line(strokes: Strokes, width: int = 80) -> Array:
    """The ink in its place in a line."""
    right = width - strokes.left - strokes.ink.shape[1]
    return np.pad(strokes.ink, ((0, 0), (strokes.left, right)))


def test_a_component_belongs_to_the_nearest_character_though_it_reaches_under_its_neighbour() -> None:
    ink = line((5, 20, 40, 22), (5, 2, 9, 20), (30, 2, 34, 16))  # an L whose foot lies below the next digit
    one, other = divide(ink, [12, 32], [7, 7])
    assert box_of_ink(one) == (5, 2, 40, 22)
    assert box_of_ink(other) == (30, 2, 34, 16)
    np.testing.assert_array_equal(in_line(one) + in_line(other), ink)


def test_digits_that_touch_are_cut_where_there_is_least_ink() -> None:
    ink = line((5, 2, 20, 22), (20, 10, 26, 12), (26, 2, 45, 22))
    ink[10:12, 23] = 0.7
    one, other = divide(ink, [12, 36], [7, 7])
    assert box_of_ink(one) == (5, 2, 23, 22)
    assert box_of_ink(other) == (23, 2, 45, 22)


def test_digits_that_touch_are_cut_in_several_ways_none_of_which_loses_ink() -> None:
    ink = line((5, 2, 60, 22), (30, 0, 34, 1), (70, 2, 74, 22))
    divided = InkComponents(ink).divide([Place(column, 7) for column in (12, 32, 52, 72)])
    assert [(len(cuttings), len(cuttings[0])) for cuttings in divided] == [(1, CUTS), (CUTS, CUTS), (CUTS, 1), (1, 1)]
    for left, right in product(range(CUTS), repeat=2):
        pieces = divided[0][0][left], divided[1][left][right], divided[2][right][0], divided[3][0][0]
        np.testing.assert_allclose(sum(map(in_line, pieces)), ink)
    first = list(map(box_of_ink, divided[0][0]))
    assert len({box[2] for box in first if box}) == CUTS  # cuts in different places


def test_strokes_that_lean_are_cut_along_a_line_that_leans() -> None:
    ink = np.zeros((24, 60), np.float32)
    for row in range(2, 22):
        for column in (20, 28):
            ink[row, column + round(0.6 * (12 - row)) + np.arange(3)] = 1
    ink[4, 20:40] = 1  # joins the two
    one, other = (in_line(strokes, 60) for strokes in divide(ink, [21, 30], [7, 7]))
    assert one[6:].sum() == other[6:].sum() == 3 * 16
    assert not (one[6:, 1:] * other[6:, :-1]).any()


def test_the_best_cuts_are_those_of_an_exhaustive_search() -> None:
    rng = np.random.default_rng(0)
    shapes = [(1, 3), (3, 2), (2, 1), (1, 1), (1, 3), (3, 1)]
    scores = [rng.normal(size=shape) for shape in shapes]
    found = best_cuts(scores)
    assert all(one[1] == other[0] for one, other in pairwise(found))

    def total(cuts: list[tuple[int, int]]) -> float:
        return sum(float(score[cut]) for score, cut in zip(scores, cuts, strict=True))

    ways = product(range(3), range(2), range(3))
    assert total(found) == max(total([(0, a), (a, b), (b, 0), (0, 0), (0, c), (c, 0)]) for a, b, c in ways)
    assert best_cuts([]) == []


def test_three_that_touch_and_a_piece_of_the_second_by_itself() -> None:
    ink = line((5, 2, 60, 22), (30, 0, 34, 1))
    divided = divide(ink, [12, 32, 52], [7, 7, 7])
    assert [box is not None and box[2] - box[0] > 10 for box in map(box_of_ink, divided)] == [True] * 3
    np.testing.assert_allclose(sum(map(in_line, divided)), ink)


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
    one, other = map(in_line, divide(ink, [7, 18], [7, 7]))
    np.testing.assert_array_equal(one[:, :12], ink[:, :12])
    assert not one[:, 12:].any()
    assert not other[:, :12].any()


def test_what_is_far_from_a_digits_strokes_is_a_piece_of_a_frame() -> None:
    ink = line((2, 0, 4, 24), (10, 2, 15, 22), (17, 2, 22, 4), (30, 2, 34, 22), (44, 2, 46, 20))
    components = InkComponents(ink)
    one, other = map(middle, components.divide([Place(15, 7, 5), Place(32, 7, 5)]))
    assert box_of_ink(one) == (10, 2, 22, 22)
    assert box_of_ink(other) == (30, 2, 34, 22)
    _, word = map(middle, components.divide([Place(15, 7, 5), Place(32, 7)]))  # a word is of any width
    assert box_of_ink(word) == (30, 2, 46, 22)


@pytest.mark.parametrize("places", [[], [10.0], [10.0, 20.0]])
def test_no_ink_and_no_characters(places: list[float]) -> None:
    divided = divide(line(), places, [7.0] * len(places))
    assert [strokes.ink.shape[0] for strokes in divided] == [24] * len(places)
    assert not any(strokes.ink.any() for strokes in divided)
    assert divide(line((5, 2, 9, 22)), [], []) == []


def test_what_is_far_from_a_sign_belongs_to_none() -> None:
    ink = line((2, 2, 5, 22), (9, 8, 12, 20), (26, 14, 28, 16), (40, 2, 60, 22), (29, 20, 30, 21))
    places = [Place(27, 1, within=5), Place(50, 7)]
    components = InkComponents(ink)
    sign, digit = map(middle, components.divide(places))
    assert box_of_ink(sign) == (26, 14, 30, 21)
    assert box_of_ink(digit) == (40, 2, 60, 22)
    assert components.others(places, height=7) == [(2, 2, 12, 22)]
    assert components.others(places, height=3) == [(2, 2, 5, 22), (9, 8, 12, 20)]
    assert components.others([Place(27, 1), Place(50, 7)], height=7) == []
