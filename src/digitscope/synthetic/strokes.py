"""What a pen would have done to write a digit of MNIST: the line that it followed, how hard it pressed, and digits
beside and below each other.

Coordinates are (x, y), x to the right and y down. Those of an image count MNIST's pixels from its upper left corner.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from digitscope.arrays import Array
from digitscope.errors import ShapeError

SIDE = 28  # pixels of MNIST's images
MARGIN = 6  # pixels around an image, for pens wider than the one it was written with
FINE = 6  # points of a field in a pixel


@dataclass(frozen=True, eq=False)
class Stroke:
    """A digit as the middle of its strokes, in MNIST's pixels."""

    points: Array
    """(N, 2) along the middle of the strokes, 1 / FINE apart."""
    pressure: Array
    """(N,) the stroke's width at these points as multiples of its mean."""
    distance: Array
    """How far each point of a field is from the middle of the nearest stroke; FINE points a pixel, with the margin."""
    nearest: Array
    """The same points' number in `points` of what is nearest."""
    most: float
    """The radius with which a pen leaves the loops open."""

    def outline(self, radius: float, steadiness: float) -> Array:
        """How far each point of the field is outside of the ink of a pen, negative inside.

        radius: the pen's mean radius; steadiness: 1 for a stroke of one width, 0 for the image's own changes of it
        """
        field: Array = self.distance - self.radii(radius, steadiness)[self.nearest]
        return field

    def radii(self, radius: float, steadiness: float) -> Array:
        """The pen's radius at each point, (N,)"""
        radii: Array = min(radius, self.most) * (self.pressure ** (1 - steadiness)).astype(np.float32)
        return radii


def trace(image: NDArray[np.uint8]) -> Stroke:
    """The strokes of a digit: the image is enlarged, sharpened, cut at half its ink and thinned to lines, whose steps
    are smoothed away. Specks are left out.

    Shapes: image (28, 28), 0 paper to 255 ink
    Raises: ShapeError where it is of another shape or type, or empty.
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
    large += 0.7 * (large - gaussian_filter(large, 1.5 * FINE))  # loops that are all but filled open
    ink = large > level
    parts, count = label(ink)
    if count > 1:  # specks of a few pixels, which the scanner saw
        areas = np.bincount(parts.ravel(), minlength=count + 1)
        ink &= (areas > 0.05 * ink.sum())[parts]
    middle = thin(ink)
    rows, columns = np.nonzero(middle)
    points, direction = _smooth(np.stack([columns, rows], axis=1) + 0.5, 0.7 * FINE)
    half_width = distance_transform_edt(ink)[rows, columns]

    to_nearest = distance_transform_edt(~middle, return_distances=False, return_indices=True)
    numbers = np.zeros(middle.shape, np.intp)
    numbers[rows, columns] = np.arange(len(rows))
    nearest = numbers[tuple(to_nearest)]
    # To a short piece of line instead of to a point, or thin lines would be strings of beads.
    place = np.arange(side, dtype=np.float32) + 0.5
    x, y = place - points[nearest, 0], place[:, None] - points[nearest, 1]
    along = np.clip(x * direction[nearest, 0] + y * direction[nearest, 1], -0.75, 0.75)
    distance = np.hypot(x - along * direction[nearest, 0], y - along * direction[nearest, 1])

    holes, count = label(~ink)
    rooms = [distance[holes == k].max() for k in range(1, count + 1) if k != holes[0, 0]]
    return Stroke(
        points=(points / FINE - MARGIN).astype(np.float32),
        pressure=np.clip(half_width / half_width.mean(), 0.5, 1.6),
        distance=(distance / FINE).astype(np.float32),
        nearest=nearest,
        # The larger holes only: a hole of a pixel is no loop.
        most=float(min([MARGIN - 1.0, *(0.75 * room / FINE for room in rooms if room > 1.2 * FINE)])),
    )


def _smooth(points: Array, width: float) -> tuple[Array, Array]:
    """Each point moved to the weighted mean of those around it, and the direction in which these lie. Twice (N, 2)"""
    x, y = points[:, 0], points[:, 1]
    weights = np.exp(-((x[:, None] - x) ** 2 + (y[:, None] - y) ** 2) / (2 * width**2))
    weights /= weights.sum(axis=1, keepdims=True)
    mean = weights @ points
    xx, yy, xy = (weights @ (a * b) - weights @ a * (weights @ b) for a, b in ((x, x), (y, y), (x, y)))
    angle = np.arctan2(2 * xy, xx - yy) / 2
    return mean.astype(np.float32), np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)


def thin(ink: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Lines of one pixel in the middle of strokes: pixels at the edges go as long as nothing breaks apart.

    Shapes: (H, W), not all False, twice

    Source: Zhang and Suen 1984
    """
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    inked = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    padded = np.pad(ink[inked].astype(np.uint8), 1)
    lines = padded[1:-1, 1:-1]
    height, width = lines.shape
    left = -1  # how much ink there was
    while left != (now := int(lines.sum())):
        left = now
        for table in _thinning():
            around = np.zeros_like(lines)
            for bit, (row, column) in enumerate(_AROUND):
                around |= padded[1 + row : 1 + row + height, 1 + column : 1 + column + width] << bit
            lines &= table[around]
    thinned = np.zeros_like(ink)
    thinned[inked] = lines
    return thinned


_AROUND = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))
"""A pixel's neighbours, clockwise from the one above."""


@lru_cache(maxsize=1)
def _thinning() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Whether a pixel stays (1) or goes (0), by its neighbours' bits, in odd and in even rounds. Twice (256,)"""
    bits = np.arange(256)[:, None] >> np.arange(8) & 1
    edge = (bits.sum(axis=1) >= 2) & (bits.sum(axis=1) <= 6)
    edge &= ((bits == 0) & (np.roll(bits, -1, axis=1) == 1)).sum(axis=1) == 1
    north, east, south, west = (bits[:, i] == 1 for i in (0, 2, 4, 6))
    odd = edge & ~(north & east & south) & ~(east & south & west)
    even = edge & ~(north & east & west) & ~(north & south & west)
    return (~odd).astype(np.uint8), (~even).astype(np.uint8)


@dataclass(frozen=True, eq=False)
class Written:
    """A digit in its place. The unit is the height of digits."""

    outline: Array
    """How far each point of a field is outside of the ink, in units; see `Stroke.outline`."""
    matrix: Array
    """(2, 3): from the field's points to where they are written."""
    points: Array
    """(N, 2) along the middle of the strokes, as written."""
    radii: Array
    """(N,) half the strokes' width there."""
    line: int
    """The number of its line, from 0."""

    def box(self) -> tuple[float, float, float, float]:
        """left, top, right, bottom"""
        low, high = (self.points - self.radii[:, None]).min(axis=0), (self.points + self.radii[:, None]).max(axis=0)
        return float(low[0]), float(low[1]), float(high[0]), float(high[1])

    def moved(self, x: float, y: float) -> "Written":
        matrix = self.matrix + np.array([[0, 0, x], [0, 0, y]])
        return Written(self.outline, matrix, self.points + np.array([x, y]), self.radii, self.line)


def write(lines: Sequence[Array], rng: np.random.Generator, *, width: float, steadiness: float) -> list[Written]:
    """Numbers in one hand, line by line. Digits differ in size, slant and height above the line, some touch.

    Shapes: lines of uint8 (N, 28, 28)
    width: of the pen, in heights of digits; steadiness: as in `Stroke.outline`
    """
    slant, turn = rng.normal(0, 0.12), rng.normal(0, 3)
    space = float(np.exp(rng.uniform(np.log(0.08), np.log(0.6))))
    touching = rng.choice([0, 0, 0.15, 0.4])  # the share of neighbours
    leading = rng.uniform(1.35, 2.4)
    drift = rng.normal(0, 0.03)  # a line that climbs
    written: list[Written] = []
    for number, images in enumerate(lines):
        baseline, end = leading * number, rng.uniform(-0.5, 0.5)
        before: Written | None = None
        for image in images:
            matrix = _shape(slant + rng.normal(0, 0.06), turn + rng.normal(0, 3), rng.normal(1, 0.07, 2))
            digit = _alone(trace(image), matrix, width, steadiness, number)
            left, _, _, bottom = digit.box()
            digit = digit.moved(0, baseline - bottom + rng.normal(0, 0.05))
            gap = -0.3 * width - 0.01 if rng.random() < touching else space * rng.uniform(0.6, 1.5)
            x = end - left if before is None else _beside(before, digit, gap)
            digit = digit.moved(x, drift * (x - end))
            written.append(digit)
            before = digit
    return written


def _shape(slant: float, turn: float, size: Array) -> Array:
    """(2, 2): higher and wider by the two factors, slanted (sideways for each unit of height), turned by degrees."""
    cos, sin = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    shape: Array = np.array([[cos, -sin], [sin, cos]]) @ [[1, -slant], [0, 1]] @ np.diag(np.clip(size, 0.8, 1.25))
    return shape


def _alone(stroke: Stroke, shape: Array, width: float, steadiness: float, line: int) -> Written:
    """A digit of height 1, or of less where it is wide, somewhere near (0, 0)."""
    extent = np.ptp(stroke.points, axis=0) + 0.5
    unit = max(extent[1], 0.75 * extent[0])  # pixels; of thin lines, so that the pen's width comes in addition
    unit /= max(1 - width, 0.5)
    radius = unit * width / 2
    scaled = shape / unit
    matrix = np.concatenate([scaled / FINE, scaled @ [[-MARGIN - SIDE / 2], [-MARGIN - SIDE / 2]]], axis=1)
    points = (stroke.points - SIDE / 2) @ scaled.T
    outline = stroke.outline(radius, steadiness) / unit
    return Written(outline.astype(np.float32), matrix, points, stroke.radii(radius, steadiness) / unit, line)


def _beside(before: Written, digit: Written, gap: float) -> float:
    """How far a digit must move to the right until its ink is `gap` away from that of the one before."""
    step = max(1, len(before.points) // 80), max(1, len(digit.points) // 80)
    left, right = before.points[:: step[0]], digit.points[:: step[1]]
    reach = np.maximum(before.radii[:: step[0], None] + digit.radii[None, :: step[1]] + gap, 0.001)
    down = left[:, None, 1] - right[None, :, 1]
    near = np.sqrt(np.maximum(reach**2 - down**2, 0))
    across = np.where(np.abs(down) < reach, left[:, None, 0] - right[None, :, 0] + near, -np.inf)
    # Where the two share no height, the one at least begins right of the other's middle.
    return float(max(across.max(), (before.box()[0] + before.box()[2]) / 2 - digit.box()[0]))
