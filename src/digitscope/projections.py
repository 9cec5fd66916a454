"""Projections: points with many coordinates as pictures in the plane. Plain functions of arrays, NumPy only.

Two linear ways. Principal components are the directions in which the points differ most. A grand tour turns the points
slowly, so that every projection comes by.

Points are rows, (N, D). A frame is an array (D, 2) with orthonormal columns: points @ frame is the picture, and row k
of the frame is the tip of coordinate axis k in it.
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from digitscope.arguments import check_number, check_whole
from digitscope.arrays import Array, as_numbers
from digitscope.errors import ArgumentError, DataError, ShapeError

FASTEST = 0.15
"""The speed of the tour's fastest turn in radians a second, chosen by eye: a quarter turn takes 10 seconds."""
MAX_DIMENSIONS = 100
"""Maximum number of coordinates in a tour: each frame turns every pair of them."""
MAX_FRAMES = 10_000
_NOISE = 1e-10
"""A direction with a smaller fraction of the variance consists of rounding errors."""


@dataclass(frozen=True, eq=False)
class PrincipalComponents:
    """The directions in which points differ most, and the points in these directions."""

    mean: Array
    """The points' mean, (D,)."""
    axes: Array
    """Orthonormal directions as rows, (components, D), the one with the largest variance first."""
    coordinates: Array
    """(points - mean) @ axes.T, (N, components)."""
    explained: Array
    """The fraction of the points' variance in each direction, (components,). The fractions of all directions add up
    to 1."""


def principal_components(points: npt.ArrayLike, components: int = 2) -> PrincipalComponents:
    """The principal components of points: the singular value decomposition of X, the points minus their mean.

    X = U S Vᵀ; the axes are the first rows of Vᵀ, the coordinates the first columns of U S, and a direction's fraction
    of the variance is s_k² / Σ_j s_j².

    Derivation: along a unit vector v the points have the variance |X v|² / N = vᵀ C v with C = Xᵀ X / N. With the
    multiplier λ for vᵀ v = 1, the derivative 2 C v - 2 λ v is zero for eigenvectors only, and there vᵀ C v = λ. So the
    best v is the eigenvector with the largest eigenvalue, s_1² / N; the next is the best one perpendicular to it; and
    so on. The eigenvectors of Xᵀ X = V S² Vᵀ are the columns of V. If there are more coordinates than points, the
    eigenvectors of the smaller X Xᵀ = U S² Uᵀ are computed instead, and Vᵀ = S⁻¹ Uᵀ X.

    An axis and its negative are equally good. The entry with the largest absolute value is made positive, so that the
    same points always give the same picture.

    Shapes: points (N, D), at least 2. There are at most `components` axes, and fewer if the points have fewer
        directions.
    Raises: ShapeError for another rank and for fewer than 2 points; DataError for numbers that are not finite.
    Source: Pearson 1901, "On lines and planes of closest fit to systems of points in space".
    """
    check_whole("components", components, 1)
    x = _checked_points(points)
    mean = x.mean(axis=0)
    x = x - mean
    few = len(x) <= x.shape[1]
    squares, vectors = np.linalg.eigh(x @ x.T if few else x.T @ x)
    total = np.square(x).sum()
    least = max(_NOISE * total, _NOISE**2 * len(x) * np.square(mean).sum())
    kept = [k for k in np.argsort(-squares, kind="stable")[:components] if squares[k] > least]
    squares, vectors = squares[kept], vectors[:, kept]
    axes = (vectors / np.sqrt(squares)).T @ x if few else vectors.T
    signs = [np.sign(axis[np.abs(axis).argmax()]) for axis in axes]
    axes = np.reshape(signs, (-1, 1)) * axes
    return PrincipalComponents(mean, axes, x @ axes.T, squares / total if kept else squares)


def circular_frame(dimensions: int) -> Array:
    """The frame whose axes are spread evenly over a circle: √(2/D) (cos 2πk/D, sin 2πk/D).

    Its columns are orthonormal because the sums of cos², sin² and sin cos over a circle are D/2, D/2 and 0.

    Shapes: -> (D, 2). Raises: ArgumentError for fewer than 3 dimensions.
    """
    check_whole("dimensions", dimensions, 3)
    if dimensions > MAX_DIMENSIONS:
        raise ArgumentError(f"A frame is expected to have at most {MAX_DIMENSIONS} dimensions; got {dimensions:,}.")
    angles = 2 * np.pi * np.arange(dimensions) / dimensions
    frame: Array = np.sqrt(2 / dimensions) * np.column_stack([np.cos(angles), np.sin(angles)])
    return frame


def nearest_frame(matrix: npt.ArrayLike) -> Array:
    """The frame nearest to a matrix (D, 2): its polar factor, P Qᵀ if the matrix is P S Qᵀ.

    |F - M|² = 2 + |M|² - 2 tr(Fᵀ M) for every frame F, and tr(Fᵀ P S Qᵀ) <= tr S, with equality for F = P Qᵀ.

    Raises: ShapeError for other shapes; DataError for numbers that are not finite.
    """
    left, _, right = np.linalg.svd(_checked_matrix(matrix), full_matrices=False)
    nearest: Array = left @ right
    return nearest


def tour_frames(frame: npt.ArrayLike, *, start: float, seconds: float, frames: int) -> Array:
    """The frames of a grand tour: F(t) = G(t) F, where G(t) turns every pair of the D coordinate axes.

    G(t) is the product of the Givens rotations of all pairs i < j by the angles w_ij t. A Givens rotation replaces rows
    i and j by cos a · row i - sin a · row j and sin a · row i + cos a · row j, so columns stay orthonormal. The speeds
    w_ij are proportional to the square roots of different primes. No sum of these with whole factors is zero, so the
    angles never all return together, and come as close as one likes to any angles. G(0) = 1: a tour starts from any
    frame.

    start, seconds: the time of the first frame, and the time between the first frame and the end; `frames` are evenly
        spaced from `start` on, without the end. A tour in pieces has the same frames as in one.
    Shapes: (D, 2) -> (frames, D, 2)
    Raises: ArgumentError, ShapeError and DataError for other numbers, and for a frame that is not orthonormal.
    Source: Asimov 1985, "The grand tour: a tool for viewing multidimensional data", the torus method.
    """
    first = _checked_frame(frame)
    check_number("start", start, least=0)
    check_number("seconds", seconds, least=0)
    check_whole("frames", frames, 1)
    if frames > MAX_FRAMES:
        raise ArgumentError(f"At most {MAX_FRAMES:,} frames are expected at a time; got {frames:,}.")
    times = start + seconds * np.arange(frames) / frames
    rows = np.repeat(first[:, None], frames, axis=1)  # (D, frames, 2): a row of all frames lies together
    for (i, j), speed in zip(combinations(range(len(first)), 2), _speeds(len(first)), strict=True):
        cos, sin = np.cos(speed * times)[:, None], np.sin(speed * times)[:, None]
        rows[i], rows[j] = cos * rows[i] - sin * rows[j], sin * rows[i] + cos * rows[j]
    return rows.transpose(1, 0, 2)


def dragged_frame(frame: npt.ArrayLike, axis: int, tip: npt.ArrayLike, *, centred: bool = False) -> Array:
    """The frame nearest to the given one in which the tip of one axis is at a given place q.

    If row `axis` is q, the columns are orthonormal if the other rows A satisfy Aᵀ A = 1 - q qᵀ = M. All such A are
    U √M with orthonormal columns U, and |A - B|² is least if tr(Uᵀ B √M) is largest, where B are the rows as they
    were: U is the frame nearest to B √M. With c = √(1 - |q|²), √M = 1 - (1 - c) q qᵀ / |q|². A tip farther than 1 from
    the origin cannot be reached; the nearest point of the circle is.

    centred: q is the place of the tip minus the mean of all tips. This is Fᵀ (e_k - 1/D) = s Fᵀ u for a unit vector u
        and s = √(1 - 1/D). The reflection H = 1 - 2 v vᵀ / |v|², v = u - e_k, swaps u and e_k and keeps all lengths:
        the frame is H times the frame nearest to H F in which row k is q / s.

    Shapes: (D, 2) -> (D, 2), D at least 3
    Raises: ArgumentError for an axis that is not there; ShapeError and DataError as `tour_frames`, and for the tip.
    """
    old = _checked_frame(frame)
    check_whole("axis", axis, 0)
    if axis >= len(old):
        raise ArgumentError(f"axis is expected from 0 to {len(old) - 1}; got {axis}.")
    q = as_numbers(tip, "The coordinates of the tip").astype(np.float64)
    if q.shape != (2,) or not np.isfinite(q).all():
        raise DataError("The tip of an axis is expected as two finite numbers.")
    if centred:
        scale = np.sqrt(1 - 1 / len(old))
        unit = np.full(len(old), -1 / len(old)) / scale
        unit[axis] += 1 / scale
        v = unit - np.eye(len(old))[axis]
        reflection = np.eye(len(old)) - 2 * np.outer(v, v) / (v @ v)
        dragged: Array = reflection @ dragged_frame(reflection @ old, axis, q / scale)
        return dragged
    q = q / max(1.0, float(np.hypot(*q)))
    square = float(q @ q)
    root = np.eye(2) if square == 0 else np.eye(2) - (1 - np.sqrt(max(0.0, 1 - square))) * np.outer(q, q) / square
    others = np.delete(old, axis, axis=0)
    return np.insert(nearest_frame(others @ root) @ root, axis, q, axis=0)


def frames_between(first: npt.ArrayLike, last: npt.ArrayLike, frames: int) -> Array:
    """Frames that lead smoothly from one frame to another: the nearest to those on the straight line between them.

    They start slowly and stop slowly: the fraction of the line is s² (3 - 2 s). The last of them is `last`.

    Shapes: (D, 2), (D, 2) -> (frames, D, 2)
    Raises: as `tour_frames`; ShapeError if the two differ in shape.
    """
    start, end = _checked_frame(first), _checked_frame(last)
    check_whole("frames", frames, 1)
    if frames > MAX_FRAMES:
        raise ArgumentError(f"At most {MAX_FRAMES:,} frames are expected at a time; got {frames:,}.")
    if start.shape != end.shape:
        raise ShapeError(f"Two frames of one shape are expected; got {start.shape} and {end.shape}.")
    fractions = np.arange(1, frames + 1) / frames
    fractions = fractions**2 * (3 - 2 * fractions)
    return np.array([*(nearest_frame(start + s * (end - start)) for s in fractions[:-1]), end])


def facing_frame(dimensions: int, first: int, second: int) -> Array:
    """The frame that shows two coordinates as they are: one to the right, the other up.

    Raises: ArgumentError unless both are different axes of at least 3.
    """
    frame = np.zeros_like(circular_frame(dimensions))
    for axis in (first, second):
        check_whole("axis", axis, 0)
    if first == second or max(first, second) >= dimensions:
        raise ArgumentError(f"Two different axes from 0 to {dimensions - 1} are expected; got {first} and {second}.")
    frame[first, 0] = frame[second, 1] = 1
    return frame


def _speeds(dimensions: int) -> Array:
    """The speed of the turn of each pair of axes, in radians a second, in an order that mixes fast and slow turns."""
    pairs = dimensions * (dimensions - 1) // 2
    primes = [n for n in range(2, 20 * pairs) if all(n % d for d in range(2, int(n**0.5) + 1))][:pairs]
    roots = np.sqrt(primes)
    speeds: Array = np.random.default_rng(0).permutation(FASTEST * roots / roots[-1])
    return speeds


def _checked_points(points: npt.ArrayLike) -> Array:
    x = as_numbers(points, "Points").astype(np.float64)
    if x.ndim != 2 or len(x) < 2 or not x.shape[1]:
        raise ShapeError(f"Points are expected as rows, (N, D), at least 2; got {x.shape}.")
    if not np.isfinite(x).all():
        raise DataError("Points are expected as finite numbers; some are not.")
    return x


def _checked_matrix(matrix: npt.ArrayLike) -> Array:
    m = as_numbers(matrix, "A frame's numbers").astype(np.float64)
    if m.ndim != 2 or m.shape[1] != 2 or not 2 <= len(m) <= MAX_DIMENSIONS:
        raise ShapeError(f"A frame is expected as (D, 2) with D from 2 to {MAX_DIMENSIONS}; got {m.shape}.")
    if not np.isfinite(m).all() or np.abs(m).max() > 1e100:
        raise DataError("A frame is expected as finite numbers up to 1e100; some are not.")
    return m


def _checked_frame(frame: npt.ArrayLike) -> Array:
    """A frame rounded for a link or in float32 is taken, and made exact."""
    m = _checked_matrix(frame)
    if len(m) < 3:
        raise ShapeError(f"A frame is expected with at least 3 axes; got {len(m)}.")
    if np.abs(m.T @ m - np.eye(2)).max() > 0.05:
        raise DataError("A frame is expected with orthonormal columns; give nearest_frame(matrix).")
    return nearest_frame(m)
