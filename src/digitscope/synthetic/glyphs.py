"""Draws glyphs as if by hand: from the points of a glyph to an image in MNIST's format.

A curve is linear in the points it goes through: curve = M points, where M depends on the glyph alone. So a glyph can be
drawn differently each time by moving its points, at the cost of one small matrix product for each line.

Lines are (D, 2) arrays (right, down) in any unit. A drawing is uint8, 0 (paper) to 255 (ink), at FINE times the
resolution of MNIST.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from digitscope.arrays import Array
from digitscope.vision.normalize import BOX, FINE, LARGE, centre, cut_out, fit_box

Image = NDArray[np.uint8]

POINT_SPACING = 0.07
"""Approximate distance between the points of a drawn line, as a fraction of the glyph's side."""
WIDTH_RANGE = (1.3, 4.5)  # pixels of MNIST: the thinnest pen and the thickest
MEDIAN_WIDTH, LOG_WIDTH_DEVIATION = 2.45, 0.22
"""A pen's width is exp(N(log 2.45, 0.22)) pixels. MNIST's strokes are 1.7 to 3.6 pixels wide (5th to 95th percentile),
with median 2.4 (the first 600 training images, by `normalize.stroke_width`)."""
MAX_INK_SHARE = 0.45
"""Maximum share of the box that is ink: a glyph of many strokes is drawn with a thinner pen."""


@dataclass(frozen=True, eq=False)
class GlyphLine:
    """A line through points, in the unit square. Shapes: points (K, 2)"""

    points: Array
    joins: str
    """K - 1 signs: "~" if the line is a smooth curve between two points, "-" if it is straight."""

    @cached_property
    def curve(self) -> Array:
        """curve @ points is the line. It is computed when it is used: tables are long, and few glyphs are drawn.

        Shapes: (D, K)
        """
        points, joins = self.points, self.joins
        parts, start = [], 0
        while start < len(joins):
            stop = start + 1
            while joins[start] == "~" and stop < len(joins) and joins[stop] == "~":
                stop += 1
            if stop > start + 1 or (points[start] != points[stop]).any():  # else a corner
                inner = curve_matrix(points[start : stop + 1])
                part = np.zeros((len(inner), len(points)))
                part[:, start : stop + 1] = inner
                parts.append(part)
            start = stop
        return np.concatenate([*parts, np.eye(len(points))[-1:]])


@dataclass(frozen=True, eq=False)
class Glyph:
    """A letter, sign, shape or digit: its name and its lines."""

    name: str
    lines: tuple[GlyphLine, ...]


@lru_cache
def parse_glyphs(table: str) -> tuple[Glyph, ...]:
    """The glyphs of a table in the notation of `glyph_tables`."""
    rows = (row.split() for row in table.strip().splitlines())
    return tuple(Glyph(name, tuple(_parse_line(text) for text in texts)) for name, *texts in rows)


def _parse_line(text: str) -> GlyphLine:
    coordinates = [int(text[i]) for i in range(len(text)) if i % 3 < 2]
    return GlyphLine(np.array(coordinates).reshape(-1, 2) / 9, text[2::3])


def curve_matrix(points: Array) -> Array:
    """M such that M @ points lie about POINT_SPACING apart on the smooth curve through the points, without the last.

    The curve is a cubic spline whose parameter grows by the square root of the distance between points, so that it does
    not overshoot where distances change abruptly. It is closed if the last point equals the first.

    Shapes: (K, 2) -> (D, K)
    """
    lengths = np.maximum(np.hypot(*np.diff(points, axis=0).T), 1e-6)
    steps = np.sqrt(lengths)
    counts = np.maximum(1, np.round(lengths / POINT_SPACING).astype(int))
    interval = np.repeat(np.arange(len(lengths)), counts)
    position = np.concatenate([np.arange(n) / n for n in counts])
    values = np.eye(len(points))
    closed = len(points) > 3 and bool((points[0] == points[-1]).all())
    if closed:
        values[-1] = values[0]
    return _spline(steps, values, interval, position, closed=closed)


def _spline(steps: Array, values: Array, interval: NDArray[np.intp], position: Array, *, closed: bool) -> Array:
    """The cubic spline through values at knots that are `steps` apart: natural, or periodic if `closed`.

    With M for the second derivatives at the knots, y for the values and h for the steps, the first derivative is
    continuous at knot i if
        h[i-1] M[i-1] + 2 (h[i-1] + h[i]) M[i] + h[i] M[i+1] = 6 ((y[i+1] - y[i]) / h[i] - (y[i] - y[i-1]) / h[i-1])
    and in interval i, with u = 1 - v for the position v from 0 to 1,
        S = u y[i] + v y[i+1] + h[i]^2 ((u^3 - u) M[i] + (v^3 - v) M[i+1]) / 6
    A natural spline has M = 0 at its ends.

    Shapes: steps (K - 1,), values (K, D), interval and position (N,) -> (N, D)
    """
    knots = len(values)
    matrix, right = np.eye(knots), np.zeros_like(values)
    for i in range(0 if closed else 1, knots - 1):  # the first knot of a closed curve has the last but one before it
        before, after = steps[i - 1], steps[i]
        previous = i - 1 if i else knots - 2
        matrix[i, i] = 2 * (before + after)
        matrix[i, previous] += before
        matrix[i, i + 1] += after
        right[i] = 6 * ((values[i + 1] - values[i]) / after - (values[i] - values[previous]) / before)
    if closed:
        matrix[-1, 0] = -1  # M at the last knot is that at the first
    second = np.linalg.solve(matrix, right)
    v = position[:, None]
    u, h = 1 - v, steps[interval, None]
    curve: Array = u * values[interval] + v * values[interval + 1]
    curve += h**2 / 6 * ((u**3 - u) * second[interval] + (v**3 - v) * second[interval + 1])
    return curve


def vary_glyph(glyph: Glyph, rng: np.random.Generator, shake: float = 0.04) -> list[Array]:
    """The glyph's lines with random variation: points moved, then all lines bent, slanted, stretched and turned.

    shake: the largest standard deviation of the points, as a fraction of the glyph's side
    """
    shake = rng.uniform(0.01, shake)
    lines = []
    for line in glyph.lines:
        moved = line.points + rng.normal(0, shake, line.points.shape) + rng.normal(0, 0.5 * shake, 2)
        lines.append(line.curve @ moved)
    return bend(lines, rng, wobble=0.75 * shake)


def bend(lines: list[Array], rng: np.random.Generator, wobble: float = 0.02, turn: float = 15.0) -> list[Array]:
    """All lines under one smooth random map, p -> A (p + w(p)).

    w is a sum of four long waves whose amplitudes have standard deviation `wobble`. A slants, stretches and turns by up
    to `turn` degrees. The lines lie in about the unit square.
    """
    waves = rng.normal(0, 0.7, (2, 4))  # cycles across the square
    phases = rng.uniform(0, 2 * np.pi, 4)
    amplitudes = rng.normal(0, wobble, (4, 2))
    angle = np.radians(np.clip(rng.normal(0, turn / 2.5), -turn, turn))
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    slant = np.array([[1, -rng.uniform(-0.1, 0.35)], [0, 1]])  # mostly to the right, as most people write
    across = np.exp(rng.uniform(-0.25, 0.2))
    matrix = (rotation @ slant) * [across, 1]
    return [(line + np.sin(2 * np.pi * line @ waves + phases) @ amplitudes) @ matrix.T for line in lines]


def dashed_lines(lines: list[Array], rng: np.random.Generator) -> list[Array]:
    """The lines as dashes, with gaps between them that the round ends of a pen do not close.

    Lengths are fractions of the longer side of all lines: 0.12 to 0.3 for a dash, 0.16 to 0.25 for the gap after it.
    """
    side = max(float(np.ptp(np.concatenate(lines), axis=0).max()), 1e-6)
    dash, gap = rng.uniform(0.12, 0.3) * side, rng.uniform(0.16, 0.25) * side
    dashes = []
    for line in lines:
        along = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
        for start in np.arange(-rng.uniform(0, 0.5) * dash, along[-1], dash + gap):
            at = np.linspace(max(start, 0), min(start + dash, along[-1]), 6)
            dashes.append(np.stack([np.interp(at, along, line[:, axis]) for axis in (0, 1)], axis=1))
    return dashes


def random_pen_width(rng: np.random.Generator) -> float:
    """The width of a pen chosen at random, in pixels of MNIST."""
    return float(np.clip(np.exp(rng.normal(np.log(MEDIAN_WIDTH), LOG_WIDTH_DEVIATION)), *WIDTH_RANGE))


def draw_lines(lines: list[Array], width: float, rng: np.random.Generator) -> Image:
    """The lines drawn with a pen, as a large drawing whose longer side, including the pen's width, is MNIST's box.

    The width is in pixels of MNIST. The pen's pressure varies: along a line the width changes by up to an eighth either
    way. A single point is a dot.
    """
    from PIL import Image as Pillow
    from PIL import ImageDraw

    points = np.concatenate(lines)
    low, size = points.min(axis=0), max(float(np.ptp(points, axis=0).max()), 1e-6)
    length = sum(float(np.hypot(*np.diff(line, axis=0).T).sum()) for line in lines) / size * BOX
    width = max(WIDTH_RANGE[0], min(width, MAX_INK_SHARE * BOX**2 / max(length, BOX)))
    dot = 2.0 if length == 0 else 1.4  # times the width of a line
    scale = (LARGE - FINE * width) / size
    margin = 1.2 * FINE * width
    columns, rows = (np.ceil(np.ptp(points, axis=0) * scale + 2 * margin) + 1).astype(int).tolist()
    picture = Pillow.new("L", (columns, rows))
    pen = ImageDraw.Draw(picture)
    for line in lines:
        pressure = np.sin(rng.uniform(0, 2 * np.pi) + np.linspace(0, rng.uniform(1, 6), len(line)))
        diameters = (FINE * width * (1 + pressure / 8) * (dot if len(line) == 1 else 1)).tolist()
        pixels = ((line - low) * scale + margin).tolist()
        for (x, y), diameter in zip(pixels, diameters, strict=True):
            radius = diameter / 2
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
        for begin, end, diameter in zip(pixels, pixels[1:], diameters, strict=False):
            pen.line((*begin, *end), fill=255, width=round(diameter))
    return np.asarray(picture)


def fill_outline(outline: Array) -> Image:
    """The area inside a closed line, as a large drawing."""
    from PIL import Image as Pillow
    from PIL import ImageDraw

    points = (outline - outline.min(axis=0)) * (LARGE / np.ptp(outline, axis=0).max())
    columns, rows = (np.ceil(points.max(axis=0)) + 1).astype(int).tolist()
    picture = Pillow.new("L", (columns, rows))
    ImageDraw.Draw(picture).polygon(points.ravel().tolist(), fill=255)
    return np.asarray(picture)


def to_mnist_format(drawing: Array) -> Image:
    """A drawing, 0 to 255, in MNIST's format: scaled to the box of 20, placed in 28x28 by its centre of mass."""
    return centre(fit_box(cut_out(drawing.astype(np.float32) / 255)))


def draw_glyph(glyph: Glyph, rng: np.random.Generator, shake: float = 0.04) -> Image:
    """The glyph drawn once with random variation and a random pen, in MNIST's format."""
    return to_mnist_format(draw_lines(vary_glyph(glyph, rng, shake), random_pen_width(rng), rng))
