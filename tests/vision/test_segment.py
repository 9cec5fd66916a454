"""Cuts are least-cost paths, pieces add up to the line, and the right runs are among the candidates."""

import itertools

import numpy as np
import pytest

from digitscope.arrays import Array
from digitscope.vision.lines import HEIGHT, TextLine
from digitscope.vision.segment import MAX_PIECES, SIDESTEP_COST, candidates, cut, follow_paths, path_costs


def line_of(coverage: Array, stroke: float = 6.0) -> TextLine:
    from scipy.ndimage import distance_transform_edt, label

    labels, count = label(coverage > 0.5, np.ones((3, 3)))
    nearest = distance_transform_edt(labels == 0, return_distances=False, return_indices=True)
    return TextLine(coverage, labels[tuple(nearest)] - 1, count, stroke, np.zeros(count, bool), (0.0, 0.0), 1.0)


def rings(*middles: int, radius: int = 26, width: int = 6) -> Array:
    rows, columns = np.mgrid[:HEIGHT, : max(middles) + 40]
    ink = np.zeros(rows.shape)
    for x in middles:
        ink[np.abs(np.hypot(rows - HEIGHT / 2, columns - x) - radius) < width / 2] = 1
    return ink


def cost_of(cost: Array, seam: tuple[int, ...]) -> float:
    return float(sum(cost[y, x] for y, x in enumerate(seam))) + SIDESTEP_COST * sum(
        abs(a - b) for a, b in itertools.pairwise(seam)
    )


def test_against_every_path() -> None:
    rng = np.random.default_rng(1)
    cost = (rng.random((5, 4)) < 0.5).astype(np.float32)
    paths = [
        path
        for path in itertools.product(range(4), repeat=5)
        if all(abs(a - b) <= 1 for a, b in itertools.pairwise(path))
    ]
    down, up = path_costs(cost), path_costs(cost[::-1])[::-1]
    for x in range(4):
        best = min(cost_of(cost, path) for path in paths if path[2] == x)
        assert down[2, x] + up[2, x] - cost[2, x] == pytest.approx(best)
        (seam,) = follow_paths(down, up, 2, [x])
        assert seam[2] == x
        assert cost_of(cost, tuple(int(s) for s in seam)) == pytest.approx(best)


def test_pieces_add_up_to_the_line() -> None:
    line = line_of(rings(30, 86, 150))
    pieces = cut(line)
    assert {piece.component for piece in pieces} == {0, 1}  # the first two touch
    again = np.zeros_like(line.coverage)
    for piece in pieces:
        again[piece.place] += piece.coverage
    np.testing.assert_allclose(again, line.coverage, atol=0.01)
    assert pieces[0].before == 0
    assert pieces[-1].after == 0


def test_rings_that_touch_are_cut_between_them() -> None:
    line = line_of(rings(30, 86))
    found = candidates(line, cut(line))
    boxes = np.array([candidate.box for candidate in found])
    for left, right in ((1, 58), (57, 115)):
        away = np.abs(boxes - [left, 3, right, 61]).max(axis=1)
        best = found[int(away.argmin())]
        assert away.min() <= 6
        assert best.image.shape == (28, 28)
        assert 0 < best.cuts < 4
        assert not best.whole
    both = [candidate for candidate in found if candidate.box[2] - candidate.box[0] > 90]
    assert all(candidate.whole and candidate.cuts == 0 for candidate in both)


def test_components_are_joined_if_they_are_near() -> None:
    coverage = np.zeros((HEIGHT, 220))
    coverage[10:60, 20:26] = coverage[0:6, 22:44] = 1  # the separate bar of a 5
    coverage[5:60, 150:156] = 1
    found = candidates(line_of(coverage), cut(line_of(coverage)))
    boxes = {candidate.box for candidate in found}
    assert (20, 0, 44, 60) in boxes
    assert (150, 5, 156, 60) in boxes
    assert all(right - left < 140 for left, _, right, _ in boxes)
    joined = next(candidate for candidate in found if candidate.box == (20, 0, 44, 60))
    assert joined.whole
    assert joined.gap < 0


def test_an_image_is_in_mnists_format() -> None:
    line = line_of(rings(40))
    whole = max(candidates(line, cut(line)), key=lambda candidate: candidate.last - candidate.first)
    rows, columns = np.nonzero(whole.image)
    assert np.ptp(rows) + 1 == np.ptp(columns) + 1 == 20
    mass = whole.image.astype(float)
    assert mass.sum(axis=1) @ np.arange(28) / mass.sum() == pytest.approx(14, abs=0.6)


def test_a_whole_component_is_a_candidate_whatever_the_number_of_its_pieces() -> None:
    columns = np.arange(80)
    wave = HEIGHT / 2 + 26 * np.sin(columns / 2)
    ink = np.abs(np.mgrid[:HEIGHT, :80][0] - wave) < 8
    pieces = cut(line_of(ink.astype(float), stroke=4))
    found = candidates(line_of(ink.astype(float), stroke=4), pieces)
    assert len(pieces) > MAX_PIECES
    assert [(c.first, c.last) for c in found if c.last - c.first >= MAX_PIECES] == [(0, len(pieces) - 1)]
