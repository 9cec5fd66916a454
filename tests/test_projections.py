"""Projections against their definitions: the singular value decomposition, and minima found by other means."""

from collections.abc import Callable
from itertools import permutations
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize

from digitscope.errors import DigitscopeError
from digitscope.projections import (
    FASTEST,
    circular_frame,
    dragged_frame,
    facing_frame,
    frames_between,
    nearest_frame,
    principal_components,
    tour_frames,
)

Array = npt.NDArray[np.float64]
seeds = st.integers(0, 2**32 - 1)


def random_frame(rng: np.random.Generator, dimensions: int = 10) -> Array:
    return np.linalg.qr(rng.normal(size=(dimensions, 2)))[0]


def assert_frame(frame: Array) -> None:
    np.testing.assert_allclose(
        frame.swapaxes(-1, -2) @ frame, np.broadcast_to(np.eye(2), (*frame.shape[:-2], 2, 2)), atol=1e-12
    )


@pytest.mark.parametrize("shape", [(40, 7), (7, 40), (12, 12), (2, 3)])
def test_principal_components_are_the_singular_value_decomposition(shape: tuple[int, int]) -> None:
    points = np.random.default_rng(0).normal(3, 1, shape) * np.arange(1, shape[1] + 1)
    centred = points - points.mean(axis=0)
    u, s, vt = np.linalg.svd(centred, full_matrices=False)
    count = min(3, shape[0] - 1)
    found = principal_components(points, 3)
    assert found.axes.shape == (count, shape[1])
    np.testing.assert_allclose(found.mean, points.mean(axis=0))
    np.testing.assert_allclose(found.explained, s[:count] ** 2 / (s**2).sum())
    signs = np.sign((found.axes * vt[:count]).sum(axis=1))
    np.testing.assert_allclose(found.axes, signs[:, None] * vt[:count], atol=1e-9)
    np.testing.assert_allclose(found.coordinates, signs * (u * s)[:, :count], atol=1e-7)
    np.testing.assert_allclose(found.axes @ found.axes.T, np.eye(count), atol=1e-9)
    assert (found.axes[np.arange(count), np.abs(found.axes).argmax(axis=1)] > 0).all()


@given(seeds)
def test_the_signs_do_not_depend_on_the_order_of_the_points(seed: int) -> None:
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(30, 5)) * [5, 4, 3, 2, 1]
    order = rng.permutation(30)
    one, other = principal_components(points, 5), principal_components(points[order], 5)
    np.testing.assert_allclose(one.coordinates[order], other.coordinates, atol=1e-6)


def test_no_direction_explains_more_variance_than_the_first() -> None:
    points = np.random.default_rng(1).normal(size=(50, 4)) @ np.random.default_rng(2).normal(size=(4, 4))

    def variance(direction: Array) -> float:
        return -float((points @ (direction / np.linalg.norm(direction))).var())

    best = optimize.minimize(variance, np.ones(4), method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12})
    found = principal_components(points, 1)
    assert found.coordinates[:, 0].var() == pytest.approx(-best.fun, rel=1e-6)
    assert found.explained[0] == pytest.approx(-best.fun / points.var(axis=0).sum(), rel=1e-6)


def test_points_on_a_line_have_one_component_and_equal_points_have_none() -> None:
    line = np.outer(np.arange(6.0), [3, 4, 0]) + 1e3
    found = principal_components(line, 3)
    assert found.explained == pytest.approx([1])
    np.testing.assert_allclose(found.axes, [[0.6, 0.8, 0]], atol=1e-9)
    for wide in (np.full((5, 3), 0.1), np.full((3, 9), 0.1)):
        same = principal_components(wide, 2)
        assert same.coordinates.shape == (len(wide), 0)
        assert same.explained.shape == (0,)


@pytest.mark.parametrize(
    ("points", "message"),
    [
        (np.zeros((1, 4)), "at least 2; got"),
        (np.zeros((4, 0)), "at least 2; got"),
        (np.zeros(4), r"\(N, D\)"),
        ([[0.0, np.nan], [1.0, 2.0]], "finite"),
        ([["a"], ["b"]], "expected as numbers"),
    ],
)
def test_points_that_have_no_components_are_refused(points: Any, message: str) -> None:
    with pytest.raises(DigitscopeError, match=message):
        principal_components(points)
    with pytest.raises(DigitscopeError, match="components"):
        principal_components(np.eye(3), 0)


@pytest.mark.parametrize("dimensions", [3, 10, 26])
def test_a_circular_frame_spreads_its_axes_evenly(dimensions: int) -> None:
    frame = circular_frame(dimensions)
    assert_frame(frame)
    np.testing.assert_allclose(np.hypot(*frame.T), np.sqrt(2 / dimensions))
    np.testing.assert_allclose(frame[0], [np.sqrt(2 / dimensions), 0])


@given(seeds, st.floats(0, 1e4), st.floats(0, 60), st.integers(3, 12))
def test_the_tour_stays_orthonormal_and_slow(seed: int, start: float, seconds: float, dimensions: int) -> None:
    frame = random_frame(np.random.default_rng(seed), dimensions)
    frames = tour_frames(frame, start=start, seconds=seconds, frames=20)
    assert frames.shape == (20, dimensions, 2)
    assert_frame(frames)
    pairs = dimensions * (dimensions - 1) / 2
    assert np.linalg.norm(np.diff(frames, axis=0), axis=(1, 2)).max() <= 2 * FASTEST * pairs * seconds / 20 + 1e-9
    np.testing.assert_allclose(tour_frames(frame, start=0, seconds=1, frames=5)[0], frame, atol=1e-12)


def test_the_tour_turns_each_pair_of_axes_by_a_givens_rotation() -> None:
    frame = random_frame(np.random.default_rng(3), 3)
    speeds = np.array([2, 3, 5]) ** 0.5 / 5**0.5 * FASTEST
    found = tour_frames(frame, start=2.0, seconds=1.0, frames=1)[0]
    orders = permutations(range(3))
    assert any(np.allclose(found, turned(frame, 2.0 * speeds[list(order)])) for order in orders)


def turned(frame: Array, angles: Array) -> Array:
    """The three rotations as matrices, one after the other."""
    for (i, j), a in zip(((0, 1), (0, 2), (1, 2)), angles, strict=True):
        rotation = np.eye(3)
        rotation[[i, i, j, j], [i, j, i, j]] = np.cos(a), -np.sin(a), np.sin(a), np.cos(a)
        frame = rotation @ frame
    return frame


def test_a_tour_in_pieces_is_the_same_tour() -> None:
    frame = circular_frame(10)
    whole = tour_frames(frame, start=0, seconds=4, frames=240)
    pieces = [tour_frames(frame, start=second, seconds=1, frames=60) for second in range(4)]
    np.testing.assert_allclose(whole, np.concatenate(pieces), atol=1e-12)


@given(seeds, st.integers(0, 9), st.floats(-1, 1), st.floats(-1, 1))
def test_a_dragged_axis_is_where_it_was_dragged_to(seed: int, axis: int, x: float, y: float) -> None:
    frame = random_frame(np.random.default_rng(seed))
    tip = np.array([x, y]) / max(1, np.hypot(x, y))
    found = dragged_frame(frame, axis, (x, y))
    assert_frame(found)
    np.testing.assert_allclose(found[axis], tip, atol=1e-12)
    np.testing.assert_allclose(dragged_frame(frame, axis, frame[axis]), frame, atol=1e-7)


@given(seeds, st.integers(0, 9), st.floats(-1, 1), st.floats(-1, 1))
def test_a_centred_axis_is_where_it_was_dragged_to(seed: int, axis: int, x: float, y: float) -> None:
    frame = random_frame(np.random.default_rng(seed))
    place = np.array([x, y]) / max(1, np.hypot(x, y) / np.sqrt(0.9))
    found = dragged_frame(frame, axis, (x, y), centred=True)
    assert_frame(found)
    np.testing.assert_allclose(found[axis] - found.mean(axis=0), place, atol=1e-12)
    same = dragged_frame(frame, axis, frame[axis] - frame.mean(axis=0), centred=True)
    np.testing.assert_allclose(same, frame, atol=1e-7)


def test_no_other_frame_with_that_axis_is_nearer() -> None:
    rng = np.random.default_rng(5)
    frame, tip = random_frame(rng, 5), np.array([0.3, -0.6])
    found = dragged_frame(frame, 2, tip)

    def frames(vector: Array) -> Array:
        """Any frame with this axis: orthonormal columns times the root of 1 - q qT, which is found by eigenvectors."""
        squares, vectors = np.linalg.eigh(np.eye(2) - np.outer(tip, tip))
        q, r = np.linalg.qr(vector.reshape(4, 2))
        others = (q * np.sign(np.diag(r))) @ (vectors * np.sqrt(squares)).T
        return np.insert(others, 2, tip, axis=0)

    def distance(vector: Array) -> float:
        return float(np.square(frames(vector) - frame).sum())

    best = min(optimize.minimize(distance, rng.normal(size=8), tol=1e-12).fun for _ in range(10))
    assert np.square(found - frame).sum() == pytest.approx(best, rel=1e-6)


@given(seeds)
def test_the_nearest_frame_is_nearest(seed: int) -> None:
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(6, 2))
    nearest = nearest_frame(matrix)
    assert_frame(nearest)
    others = [random_frame(rng, 6), nearest_frame(nearest + 1e-3 * rng.normal(size=(6, 2)))]
    assert all(np.linalg.norm(nearest - matrix) <= np.linalg.norm(other - matrix) + 1e-12 for other in others)


@given(seeds)
def test_frames_between_two_are_frames_and_end_there(seed: int) -> None:
    rng = np.random.default_rng(seed)
    first, last = random_frame(rng), random_frame(rng)
    frames = frames_between(first, last, 30)
    assert_frame(frames)
    np.testing.assert_allclose(frames[-1], last, atol=1e-12)
    assert np.linalg.norm(frames[0] - first) < 0.1


def test_a_facing_frame_shows_two_coordinates_as_they_are() -> None:
    points = np.random.default_rng(0).normal(size=(4, 10))
    frame = facing_frame(10, 4, 9)
    assert_frame(frame)
    np.testing.assert_array_equal(points @ frame, points[:, [4, 9]])


FRAME = circular_frame(10)


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda: circular_frame(2), "from 3 on"),
        (lambda: circular_frame(101), "at most 100"),
        (lambda: facing_frame(10, 3, 3), "Two different axes"),
        (lambda: facing_frame(10, 3, 10), "Two different axes"),
        (lambda: facing_frame(10, -1, 3), "from 0 on"),
        (lambda: dragged_frame(FRAME, 10, (0, 0)), "from 0 to 9"),
        (lambda: dragged_frame(FRAME, 0, (0, np.inf)), "two finite numbers"),
        (lambda: dragged_frame(FRAME, 0, (0, 0, 0)), "two finite numbers"),
        (lambda: dragged_frame(2 * FRAME, 0, (0, 0)), "orthonormal"),
        (lambda: tour_frames(FRAME[:2], start=0, seconds=1, frames=1), "at least 3 axes"),
        (lambda: tour_frames(FRAME, start=-1, seconds=1, frames=1), "start"),
        (lambda: tour_frames(FRAME, start=0, seconds=1, frames=10_001), "At most 10,000"),
        (lambda: tour_frames(np.full((4, 2), np.nan), start=0, seconds=1, frames=1), "finite"),
        (lambda: frames_between(FRAME, circular_frame(9), 3), "one shape"),
        (lambda: frames_between(FRAME, FRAME, 0), "from 1 on"),
        (lambda: nearest_frame(np.zeros((3, 3))), r"\(D, 2\)"),
        (lambda: nearest_frame(np.full((3, 2), 1e200)), "up to 1e100"),
    ],
)
def test_frames_that_cannot_be_are_refused(ask: Callable[[], object], message: str) -> None:
    with pytest.raises(DigitscopeError, match=message):
        ask()
