"""Drawing by hand: from a figure's points to an image in MNIST's form.

A curve is linear in the points it goes through: curve = M points, with M known from the figure alone. So a figure is
drawn in another way each time by moving its points, which is one small matrix product a line.

Lines are (D, 2) arrays: right, down, in any unit. A drawing is uint8, 0 (paper) to 255 (ink), FINE times as fine as
MNIST.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from digitscope.arrays import Array
from digitscope.vision.normalize import BOX, FINE, LARGE, centre, cut_out, fit_box

Image = NDArray[np.uint8]

SPACING = 0.07
"""Of the figure's side: how close the points of a drawn line are."""
WIDTHS = (1.3, 4.5)  # pixels of MNIST: the thinnest pen and the thickest
MIDDLE_WIDTH, SPREAD = 2.45, 0.22
"""A pen's width is exp(N(log 2.45, 0.22)) pixels. MNIST's strokes have 1.7 to 3.6 from the 5th percentile to the 95th,
2.4 in the middle (the first 600 training images, by `normalize.stroke_width`)."""
MOST_INK = 0.45
"""Of the box: whoever draws a figure of many strokes takes a thinner pen."""


@dataclass(frozen=True, eq=False)
class GlyphLine:
    """A line through points; it is curve @ points. Shapes: (K, 2) in a square of 1, (D, K)"""

    points: Array
    curve: Array


@dataclass(frozen=True, eq=False)
class Glyph:
    """A figure's name and its lines."""

    name: str
    lines: tuple[GlyphLine, ...]


@lru_cache
def glyphs(table: str) -> tuple[Glyph, ...]:
    """The figures of one of figures.py's tables. That module says how they are written."""
    rows = (row.split() for row in table.strip().splitlines())
    return tuple(Glyph(name, tuple(_line(text) for text in texts)) for name, *texts in rows)


def _line(text: str) -> GlyphLine:
    places = [int(text[i]) for i in range(len(text)) if i % 3 < 2]
    points = np.array(places).reshape(-1, 2) / 9
    joins = text[2::3]
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
    return GlyphLine(points, np.concatenate([*parts, np.eye(len(points))[-1:]]))


def curve_matrix(points: Array) -> Array:
    """M with M @ points on the smooth curve through the points, the last left out, about SPACING apart.

    The curve is a cubic spline whose parameter grows by the square root of the distance between points, which keeps
    it from swinging out where near points follow far ones. It is closed where the last point is the first.

    Shapes: (K, 2) -> (D, K)
    """
    from scipy.interpolate import CubicSpline

    lengths = np.maximum(np.hypot(*np.diff(points, axis=0).T), 1e-6)
    t = np.concatenate([[0], np.cumsum(np.sqrt(lengths))])
    counts = np.maximum(1, np.round(lengths / SPACING).astype(int))
    at = np.concatenate([t[i] + (t[i + 1] - t[i]) * np.arange(n) / n for i, n in enumerate(counts)])
    values = np.eye(len(points))
    closed = len(points) > 3 and bool((points[0] == points[-1]).all())
    if closed:
        values[-1] = values[0]
    matrix: Array = CubicSpline(t, values, bc_type="periodic" if closed else "natural")(at)
    return matrix


def scrawl(figure: Glyph, rng: np.random.Generator, shake: float = 0.04) -> list[Array]:
    """The figure's lines as a hand draws them this time: its points moved, all bent, slanted, stretched and turned.

    Points move by a deviation of at most `shake` of the figure's side.
    """
    shake = rng.uniform(0.01, shake)
    lines = []
    for line in figure.lines:
        moved = line.points + rng.normal(0, shake, line.points.shape) + rng.normal(0, 0.5 * shake, 2)
        lines.append(line.curve @ moved)
    return bend(lines, rng, wobble=0.75 * shake)


def bend(lines: list[Array], rng: np.random.Generator, wobble: float = 0.02, turn: float = 15.0) -> list[Array]:
    """All lines under one smooth random map: p -> A (p + w(p)), w a sum of a few long waves whose heights deviate by
    `wobble`, A slants, stretches and turns by up to `turn` degrees. The lines lie in a square of 1 or so.
    """
    waves = rng.normal(0, 0.7, (2, 4))  # cycles across the square
    phases = rng.uniform(0, 2 * np.pi, 4)
    heights = rng.normal(0, wobble, (4, 2))
    angle = np.radians(np.clip(rng.normal(0, turn / 2.5), -turn, turn))
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    slant = np.array([[1, -rng.uniform(-0.1, 0.35)], [0, 1]])  # the upper part to the right, as most people write
    across = np.exp(rng.uniform(-0.25, 0.2))
    matrix = (rotation @ slant) * [across, 1]
    return [(line + np.sin(2 * np.pi * line @ waves + phases) @ heights) @ matrix.T for line in lines]


def pen_width(rng: np.random.Generator) -> float:
    """The width of a pen taken by random, in pixels of MNIST."""
    return float(np.clip(np.exp(rng.normal(np.log(MIDDLE_WIDTH), SPREAD)), *WIDTHS))


def ink(lines: list[Array], width: float, rng: np.random.Generator) -> Image:
    """The lines drawn with a pen, as a large drawing: its longer side, with the pen's width, is MNIST's box.

    The width is in pixels of MNIST. The pen is pressed more and less: the width goes up and down along a line by an
    eighth. A point alone is a dot.
    """
    from PIL import Image as Pillow
    from PIL import ImageDraw

    everything = np.concatenate(lines)
    low, size = everything.min(axis=0), max(float(np.ptp(everything, axis=0).max()), 1e-6)
    length = sum(float(np.hypot(*np.diff(line, axis=0).T).sum()) for line in lines) / size * BOX
    width = max(WIDTHS[0], min(width, MOST_INK * BOX**2 / max(length, BOX)))
    dot = 2.0 if length == 0 else 1.4  # times the width of a line
    scale = (LARGE - FINE * width) / size
    margin = 1.2 * FINE * width
    columns, rows = (np.ceil(np.ptp(everything, axis=0) * scale + 2 * margin) + 1).astype(int).tolist()
    picture = Pillow.new("L", (columns, rows))
    pen = ImageDraw.Draw(picture)
    for line in lines:
        press = np.sin(rng.uniform(0, 2 * np.pi) + np.linspace(0, rng.uniform(1, 6), len(line)))
        diameters = (FINE * width * (1 + press / 8) * (dot if len(line) == 1 else 1)).tolist()
        places = ((line - low) * scale + margin).tolist()
        for (x, y), diameter in zip(places, diameters, strict=True):
            radius = diameter / 2
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
        for begin, end, diameter in zip(places, places[1:], diameters, strict=False):
            pen.line((*begin, *end), fill=255, width=round(diameter))
    return np.asarray(picture)


def fill(outline: Array) -> Image:
    """What is inside a closed line, as a large drawing."""
    from PIL import Image as Pillow
    from PIL import ImageDraw

    places = (outline - outline.min(axis=0)) * (LARGE / np.ptp(outline, axis=0).max())
    columns, rows = (np.ceil(places.max(axis=0)) + 1).astype(int).tolist()
    picture = Pillow.new("L", (columns, rows))
    ImageDraw.Draw(picture).polygon(places.ravel().tolist(), fill=255)
    return np.asarray(picture)


def in_form(drawing: Array) -> Image:
    """The drawing, 0 to 255, in MNIST's form: scaled to its box of 20, placed in 28x28 by its centre of mass."""
    return centre(fit_box(cut_out(drawing.astype(np.float32) / 255)))


def draw(figure: Glyph, rng: np.random.Generator, shake: float = 0.04) -> Image:
    """The figure drawn once, in MNIST's form."""
    return in_form(ink(scrawl(figure, rng, shake), pen_width(rng), rng))
