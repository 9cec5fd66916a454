"""Recovers the pen strokes of MNIST's digits (path and pressure), and writes lines of digits with them.

Coordinates are (x, y), x to the right and y down. In an image they count MNIST's pixels from its upper left corner.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from digitscope.arrays import Array
from digitscope.errors import ShapeError

SIDE = 28  # pixels of MNIST's images
MARGIN = 6  # pixels around an image, for pens wider than the one that wrote it
FINE = 6  # points of a distance field along a pixel's side


@dataclass(frozen=True, eq=False)
class Stroke:
    """A digit as the centre lines of its strokes, in MNIST's pixels."""

    points: Array
    """(N, 2) points on the centre lines, 1 / FINE apart."""
    pressure: Array
    """(N,) the stroke's width at these points, relative to its mean."""
    distance: Array
    """Distance field: each point's distance from the nearest centre line. It has FINE points along a pixel's side and
    includes the margin."""
    nearest: Array
    """For each point of this field, the index of the nearest of `points`."""
    max_radius: float
    """Largest pen radius that leaves the loops open."""

    def outline(self, radius: float, steadiness: float) -> Array:
        """Each field point's signed distance from the edge of the ink, negative inside.

        radius: the pen's mean radius; steadiness: 1 for a constant width, 0 for the width's variation in the image
        """
        field: Array = self.distance - self.radii(radius, steadiness)[self.nearest]
        return field

    def radii(self, radius: float, steadiness: float) -> Array:
        """The pen's radius at each of `points`, (N,)"""
        radii: Array = min(radius, self.max_radius) * (self.pressure ** (1 - steadiness)).astype(np.float32)
        return radii


def trace(image: NDArray[np.uint8]) -> Stroke:
    """The strokes of a digit: the image is enlarged, sharpened, binarized and thinned, and the lines are smoothed.
    Specks are left out.

    Shapes: image uint8 (28, 28), 0 paper to 255 ink
    Raises: ShapeError if the image has another shape or type, or is empty.
    """
    from PIL import Image
    from scipy.ndimage import distance_transform_edt, gaussian_filter, label

    image = np.asarray(image)
    if image.shape != (SIDE, SIDE) or image.dtype != np.uint8 or not image.any():
        raise ShapeError(f"A digit expects ink in (28, 28), uint8; got {image.dtype}, {image.shape}, {image.max()}.")
    padded = np.pad(image.astype(np.float32), MARGIN)
    side = FINE * len(padded)
    large = np.asarray(Image.fromarray(padded).resize((side, side), Image.Resampling.BICUBIC))
    large = gaussian_filter(large, 0.4 * FINE)
    level = 0.45 * large.max()
    large += 0.7 * (large - gaussian_filter(large, 1.5 * FINE))  # opens loops that are almost filled
    ink = large > level
    parts, count = label(ink)
    if count > 1:  # removes specks of a few pixels, which come from the scanner
        areas = np.bincount(parts.ravel(), minlength=count + 1)
        ink &= (areas > 0.05 * ink.sum())[parts]
    skeleton = thin(ink)
    rows, columns = np.nonzero(skeleton)
    points, direction = _smooth(np.stack([columns, rows], axis=1) + 0.5, 0.7 * FINE)
    half_width = distance_transform_edt(ink)[rows, columns]

    to_nearest = distance_transform_edt(~skeleton, return_distances=False, return_indices=True)
    indices = np.zeros(skeleton.shape, np.intp)
    indices[rows, columns] = np.arange(len(rows))
    nearest = indices[tuple(to_nearest)]
    # The distance is to a short segment, not to a point: otherwise thin lines would look like strings of beads.
    coordinate = np.arange(side, dtype=np.float32) + 0.5
    x, y = coordinate - points[nearest, 0], coordinate[:, None] - points[nearest, 1]
    along = np.clip(x * direction[nearest, 0] + y * direction[nearest, 1], -0.75, 0.75)
    distance = np.hypot(x - along * direction[nearest, 0], y - along * direction[nearest, 1])

    holes, count = label(~ink)
    hole_radii = [distance[holes == k].max() for k in range(1, count + 1) if k != holes[0, 0]]
    return Stroke(
        points=(points / FINE - MARGIN).astype(np.float32),
        pressure=np.clip(half_width / half_width.mean(), 0.5, 1.6),
        distance=(distance / FINE).astype(np.float32),
        nearest=nearest,
        # A hole of about a pixel is not a loop.
        max_radius=float(min([MARGIN - 1.0, *(0.75 * radius / FINE for radius in hole_radii if radius > 1.2 * FINE)])),
    )


def _smooth(points: Array, width: float) -> tuple[Array, Array]:
    """Each point moved to the weighted mean of its neighbours, and the direction of the line there. Both (N, 2)"""
    x, y = points[:, 0], points[:, 1]
    weights = np.exp(-((x[:, None] - x) ** 2 + (y[:, None] - y) ** 2) / (2 * width**2))
    weights /= weights.sum(axis=1, keepdims=True)
    mean = weights @ points
    xx, yy, xy = (weights @ (a * b) - weights @ a * (weights @ b) for a, b in ((x, x), (y, y), (x, y)))
    angle = np.arctan2(2 * xy, xx - yy) / 2
    return mean.astype(np.float32), np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)


def thin(ink: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The skeleton of the strokes: edge pixels are removed, as long as nothing breaks apart, until lines are one pixel
    wide.

    Shapes: (H, W), not all False -> (H, W)
    Source: Zhang and Suen 1984
    """
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    inked = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    padded = np.pad(ink[inked].astype(np.uint8), 1)
    lines = padded[1:-1, 1:-1]
    height, width = lines.shape
    previous_area = -1
    while previous_area != (area := int(lines.sum())):
        previous_area = area
        for table in _thinning_tables():
            neighbours = np.zeros_like(lines)
            for bit, (row, column) in enumerate(_NEIGHBOURS):
                neighbours |= padded[1 + row : 1 + row + height, 1 + column : 1 + column + width] << bit
            lines &= table[neighbours]
    thinned = np.zeros_like(ink)
    thinned[inked] = lines
    return thinned


_NEIGHBOURS = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))
"""(row, column) of a pixel's neighbours, clockwise from the upper one."""


@lru_cache(maxsize=1)
def _thinning_tables() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Whether a pixel stays (1) or is removed (0), by its neighbours' bits, for odd and for even rounds. Both (256,)"""
    bits = np.arange(256)[:, None] >> np.arange(8) & 1
    edge = (bits.sum(axis=1) >= 2) & (bits.sum(axis=1) <= 6)
    edge &= ((bits == 0) & (np.roll(bits, -1, axis=1) == 1)).sum(axis=1) == 1
    north, east, south, west = (bits[:, i] == 1 for i in (0, 2, 4, 6))
    odd = edge & ~(north & east & south) & ~(east & south & west)
    even = edge & ~(north & east & west) & ~(north & south & west)
    return (~odd).astype(np.uint8), (~even).astype(np.uint8)


@dataclass(frozen=True, eq=False)
class PlacedDigit:
    """A digit at its position on the sheet. The unit of length is the height of a digit."""

    outline: Array
    """Signed distance field of the ink's edge, in units; see `Stroke.outline`."""
    matrix: Array
    """(2, 3): maps points of the field to the sheet."""
    points: Array
    """(N, 2) points on the strokes' centre lines, on the sheet."""
    radii: Array
    """(N,) half the stroke's width at these points."""
    line: int
    """Index of the digit's line, from 0."""

    def box(self) -> tuple[float, float, float, float]:
        """left, top, right, bottom of the ink"""
        low, high = (self.points - self.radii[:, None]).min(axis=0), (self.points + self.radii[:, None]).max(axis=0)
        return float(low[0]), float(low[1]), float(high[0]), float(high[1])

    def translated(self, x: float, y: float) -> "PlacedDigit":
        matrix = self.matrix + np.array([[0, 0, x], [0, 0, y]])
        return PlacedDigit(self.outline, matrix, self.points + np.array([x, y]), self.radii, self.line)


def write_lines(
    lines: Sequence[Array], rng: np.random.Generator, *, width: float, steadiness: float
) -> list[PlacedDigit]:
    """Lines of digits in one handwriting. Digits differ in size, slant and position above the line, and some touch.

    width: of the pen, in heights of a digit; steadiness: see `Stroke.outline`

    Shapes: each line uint8 (N, 28, 28)
    """
    slant, turn = rng.normal(0, 0.12), rng.normal(0, 3)
    space = float(np.exp(rng.uniform(np.log(0.08), np.log(0.6))))
    touching = rng.choice([0, 0, 0.15, 0.4])  # share of neighbours that touch
    leading = rng.uniform(1.35, 2.4)
    drift = rng.normal(0, 0.03)  # slope of the lines
    written: list[PlacedDigit] = []
    for number, images in enumerate(lines):
        baseline, end = leading * number, rng.uniform(-0.5, 0.5)
        previous: PlacedDigit | None = None
        for image in images:
            matrix = _shape_matrix(slant + rng.normal(0, 0.06), turn + rng.normal(0, 3), rng.normal(1, 0.07, 2))
            digit = _isolated_digit(trace(image), matrix, width, steadiness, number)
            left, _, _, bottom = digit.box()
            digit = digit.translated(0, baseline - bottom + rng.normal(0, 0.05))
            gap = -0.3 * width - 0.01 if rng.random() < touching else space * rng.uniform(0.6, 1.5)
            x = end - left if previous is None else _offset_beside(previous, digit, gap)
            digit = digit.translated(x, drift * (x - end))
            written.append(digit)
            previous = digit
    return written


def _shape_matrix(slant: float, turn: float, size: Array) -> Array:
    """(2, 2): scales width and height by `size`, slants by `slant` per unit of height, and turns by `turn` degrees."""
    cos, sin = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    shape: Array = np.array([[cos, -sin], [sin, cos]]) @ [[1, -slant], [0, 1]] @ np.diag(np.clip(size, 0.8, 1.25))
    return shape


def _isolated_digit(stroke: Stroke, shape: Array, width: float, steadiness: float, line: int) -> PlacedDigit:
    """A digit of height 1, or less if it is wide, near the origin."""
    extent = np.ptp(stroke.points, axis=0) + 0.5
    unit = max(extent[1], 0.75 * extent[0])  # pixels, without the pen's width
    unit /= max(1 - width, 0.5)
    radius = unit * width / 2
    scaled = shape / unit
    matrix = np.concatenate([scaled / FINE, scaled @ [[-MARGIN - SIDE / 2], [-MARGIN - SIDE / 2]]], axis=1)
    points = (stroke.points - SIDE / 2) @ scaled.T
    outline = stroke.outline(radius, steadiness) / unit
    return PlacedDigit(outline.astype(np.float32), matrix, points, stroke.radii(radius, steadiness) / unit, line)


def _offset_beside(previous: PlacedDigit, digit: PlacedDigit, gap: float) -> float:
    """The distance by which a digit must move to the right for its ink to be `gap` away from the previous digit's."""
    step = max(1, len(previous.points) // 80), max(1, len(digit.points) // 80)
    left, right = previous.points[:: step[0]], digit.points[:: step[1]]
    reach = np.maximum(previous.radii[:: step[0], None] + digit.radii[None, :: step[1]] + gap, 0.001)
    down = left[:, None, 1] - right[None, :, 1]
    clearance = np.sqrt(np.maximum(reach**2 - down**2, 0))
    across = np.where(np.abs(down) < reach, left[:, None, 0] - right[None, :, 0] + clearance, -np.inf)
    # If no points of the two are at the same height, the digit still begins to the right of the previous one's middle.
    return float(max(across.max(), (previous.box()[0] + previous.box()[2]) / 2 - digit.box()[0]))
