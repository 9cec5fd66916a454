"""Generates scenes of writing with exact ink maps, at the size at which a network searches for ink.

A scene is a square cut-out of what people send: paper with ruling, frames, boxes, tables and print, with digits, signs
and letters anywhere on them, also across a frame or cut by the picture's edge; boards, screens, scans, tiny pictures;
and cloth, desks and noise without writing. `photos` takes whole pictures of numbers; scenes have more in them, and are
drawn faster. Colours are 0 to 1, (3, H, W) float32. Lengths are in pixels unless stated.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from digitscope.arrays import Array
from digitscope.synthetic import glyph_tables as tables
from digitscope.synthetic import photos
from digitscope.synthetic.glyphs import Glyph, parse_glyphs, vary_glyph
from digitscope.synthetic.strokes import FINE, MARGIN, trace

Rng = np.random.Generator

SIDE = 320
"""Side of a scene unless given."""
MIN_RADIUS = 0.6
"""Half the width of the thinnest stroke."""
SIGNS = "-", ".", ",", "/", ":", "(", ")", "=", "+", "_", "~"


@dataclass(frozen=True, eq=False)
class Scene:
    """A picture and its ink. Shapes: all (H, W), pixels (H, W, 3)"""

    pixels: NDArray[np.uint8]
    ink: NDArray[np.uint8]
    """The share of each pixel that writing covers, 0 to 255."""
    weight: NDArray[np.uint8]
    """0 where ink may be claimed or not, as on strong print, else 1."""
    digits: Array
    """(N, 4): left, top, right, bottom of each written digit's ink; it may reach beyond the picture."""
    content: str
    """What is written: see `_CONTENTS`."""


class WritingSource:
    """Strokes of digits, and glyphs, from which scenes are written.

    Shapes: images uint8 (N, 28, 28), as many as shall be used: each is traced once, when it is first written.
    """

    def __init__(self, images: Array) -> None:
        self.images = images
        self._fields: dict[int, tuple[Array, Array]] = {}

    def field(self, index: int) -> tuple[Array, Array]:
        """A digit's distance field, in MNIST's pixels at half of `FINE` points a pixel, and its centre line's box."""
        if index not in self._fields:
            stroke = trace(self.images[index])
            box = np.concatenate([stroke.points.min(axis=0), stroke.points.max(axis=0)])
            distance = np.minimum(stroke.distance, 6).reshape(len(stroke.distance) // 2, 2, -1, 2).mean(axis=(1, 3))
            self._fields[index] = distance.astype(np.float16), box
        return self._fields[index]

    @cached_property
    def letters(self) -> Sequence[Glyph]:
        return parse_glyphs(tables.LETTERS)

    @cached_property
    def digits(self) -> Sequence[Glyph]:
        return parse_glyphs(tables.DIGITS)


@dataclass
class WritingSheet:
    """What is drawn so far."""

    picture: Array
    ink: Array
    weight: Array
    paper: Array
    colour: Array
    """The ink's colour."""
    digits: list[Array]

    @property
    def side(self) -> int:
        return int(self.ink.shape[0])

    def rule(self, covered: Array, rng: Rng) -> None:
        """Blends printed lines in, of which each pixel's covered share is known."""
        photos._blend(self.picture, covered * np.float32(rng.uniform(0.5, 1)), _line_colour(self, rng))

    def decorate(self, height: float, rng: Rng) -> None:
        """Draws what is on paper around writing of this height: ruling, frames, tables and print."""
        _decorate(self, rng, height)

    def write_ink(self, covered: Array, pen: photos.Pen, thickness: float, rng: Rng) -> None:
        """Blends writing in, of which each pixel's covered share is known."""
        np.maximum(self.ink, covered, out=self.ink)
        if pen.grain:
            grain = photos._smooth_noise(rng, covered.shape, max(1.0, 0.12 * thickness))
            covered = covered * np.clip(1 + np.float32(pen.grain) * (grain - 0.3), 0, 1)
        photos._blend(self.picture, covered * np.float32(rng.uniform(*pen.opacity)), self.colour)


def draw_scene(
    source: WritingSource, rng: Rng, *, side: int = SIDE, content: str | None = None, draw: "Content | None" = None
) -> Scene:
    """A scene. Equal generators give equal scenes, if the source has the same images.

    content: one of `_CONTENTS`; None for a random one
    draw: a function that draws the content instead
    """
    names, shares = zip(*((name, share) for name, (share, _) in _CONTENTS.items()), strict=True)
    if content is None:
        content = "" if draw else str(rng.choice(names, p=np.array(shares) / sum(shares)))
    pen, surface = _pen_and_surface(rng)
    paper, colour = photos._contrasting_colours(surface, pen, rng)
    if surface == "white" and rng.random() < 0.3:  # recycled paper, and paper in warm light
        paper = paper * rng.uniform(0.65, 1) * np.array([1, rng.uniform(0.92, 1), rng.uniform(0.75, 1)])
    flat = surface in ("canvas", "screen")
    style = _style(rng, flat)
    picture = np.empty((3, side, side), np.float32)
    picture[:] = paper[:, None, None]
    shape = (side, side)
    if not flat:
        rough = {"blackboard": 0.03, "whiteboard": 0.004}.get(surface, 0.012) * rng.uniform(0.2, 1.5)
        picture += rough * photos._smooth_noise(rng, shape, 1.2) + rough * photos._smooth_noise(rng, shape, 6)
        if surface == "blackboard":
            picture += rng.uniform(0, 0.06) * np.maximum(photos._smooth_noise(rng, shape, 40), 0)
    sheet = WritingSheet(picture, np.zeros(shape, np.float32), np.ones(shape, np.float32), paper, colour, [])
    (draw or _CONTENTS[content][1])(sheet, source, pen, surface, rng)
    x, y = _coordinates(side, rng, 0.1)
    if rng.random() < style.crease:
        picture *= photos._crease_light(x, y, shape, rng)
    if rng.random() < style.desk:
        shift = rng.uniform(-0.5, 0.5, 2) * side
        before = picture.copy()
        photos._draw_desk(picture, x + np.float32(shift[0]), y + np.float32(shift[1]), rng)
        sheet.ink *= np.abs(picture - before).max(axis=0) < 0.02
        sheet.digits = [box for box in sheet.digits if _cut(sheet.ink, box).any()]
    photos._apply_light(picture, style, rng)
    if rng.random() < 0.08:  # a lamp's reflection
        spot = np.exp(
            -(
                ((x - rng.normal(0, 0.3 * side)) ** 2 + (y - rng.normal(0, 0.3 * side)) ** 2)
                / (rng.uniform(0.05, 0.4) * side) ** 2
            )
        )
        picture += np.float32(rng.uniform(0.1, 0.6)) * spot * (1 - picture)
    if rng.random() < (0.3 if surface in ("canvas", "coloured") else 0.12):
        picture[:] = np.clip(1 - picture, 0, 1)  # light ink on a dark ground
    if rng.random() < 0.15:
        picture[:] = picture.mean(axis=0)
    return _take(sheet, style, content, rng)


def _cut(image: Array, box: Array) -> Array:
    """The part of an image in a box that may reach beyond it."""
    left, top, right, bottom = np.maximum(np.round(box), 0).astype(int)
    return image[top : bottom + 1, left : right + 1]


def _pen_and_surface(rng: Rng) -> tuple[photos.Pen, str]:
    surface = str(
        rng.choice(
            ["white", "coloured", "blackboard", "whiteboard", "screen", "canvas"], p=[0.58, 0.1, 0.07, 0.07, 0.04, 0.14]
        )
    )
    pens = {"blackboard": ["chalk"], "whiteboard": ["felt pen", "marker"], "screen": ["stylus"], "canvas": ["stylus"]}
    pen = photos.PENS[str(rng.choice(pens.get(surface, ["pencil", "ballpoint", "ballpoint", "felt pen", "marker"])))]
    return pen, surface


def _style(rng: Rng, flat: bool) -> photos.PhotoKind:
    """How the scene is lit and taken."""
    if flat:
        return photos.PhotoKind(
            shadow=0,
            shade=0,
            crease=0,
            dark=(0, 0),
            noise=0,
            blur=(0, rng.choice([0, 0.6])),
            quality=(int(rng.choice([30, 70, 100])), 110),
        )
    style = photos.PhotoKind(
        shadow=0.3,
        shade=rng.uniform(0, 0.5),
        crease=0.1,
        desk=0.08,
        blur=(0, rng.choice([1.5, 3, 5])),
        noise=rng.choice([0.01, 0.03, 0.06]),
        quality=(25, 105),
    )
    return replace(style, dark=(0.3, 0.75), noise=0.07) if rng.random() < 0.1 else style


def _take(sheet: WritingSheet, style: photos.PhotoKind, content: str, rng: Rng) -> Scene:
    """The scene as it comes from a camera, a scanner, or in few pixels."""
    from PIL import Image

    picture, side = sheet.picture, sheet.side
    ink, weight = Image.fromarray(sheet.ink), Image.fromarray(sheet.weight)
    pixels = photos._simulate_camera(np.clip(picture, 0, 1), style, rng)
    kind = rng.random()
    if kind < 0.14:  # few pixels, enlarged: 8x8 and 16x16 pictures, thumbnails, scans of small digits
        largest = np.ptp(np.array(sheet.digits)[:, 1::2], axis=1).max() if sheet.digits else side / 3
        small = int(np.clip(side * rng.uniform(7, 24) / max(largest, 8), side / 16, side / 1.5))
        tiny = Image.fromarray(pixels).resize((small, small), Image.Resampling.BOX)
        if rng.random() < 0.5:
            tiny = Image.fromarray(
                _two_tone(np.asarray(tiny), np.asarray(ink.resize(tiny.size, Image.Resampling.BOX)), rng)
            )
        filters = [Image.Resampling.BICUBIC, Image.Resampling.BICUBIC, Image.Resampling.NEAREST]
        pixels = np.asarray(tiny.resize((side, side), filters[rng.integers(3)]))
        ink = ink.resize((small, small), Image.Resampling.BOX).resize((side, side), Image.Resampling.BICUBIC)
    elif kind < 0.2:
        pixels = _two_tone(pixels, sheet.ink, rng)
    if kind < 0.2 and rng.random() < 0.3:
        pixels = np.clip(pixels + rng.integers(-3, 4, pixels.shape), 0, 255).astype(np.uint8)
    if not _visible(pixels, np.asarray(ink)):
        weight = Image.fromarray(sheet.weight * (np.asarray(ink) == 0))
    coverage = np.clip(255 * np.asarray(ink) + 0.5, 0, 255).astype(np.uint8)
    boxes = np.array(sheet.digits).reshape(-1, 4)
    return Scene(pixels, coverage, np.asarray(weight).astype(np.uint8), boxes, content)


def _two_tone(pixels: NDArray[np.uint8], ink: Array, rng: Rng) -> NDArray[np.uint8]:
    """Black and white, like a fax: each pixel compared with the mean around it, less a part of the ink's contrast."""
    from scipy.ndimage import uniform_filter

    grey = pixels.mean(axis=2)
    around = uniform_filter(grey, max(3, len(grey) // 3))
    inked = ink > 0.5
    contrast = float((grey - around)[inked].mean()) if inked.any() else -60.0
    black_and_white = 255 * (grey > around + contrast * rng.uniform(0.25, 0.6)).astype(np.uint8)
    return np.repeat(black_and_white[..., None], 3, axis=2)


def _visible(pixels: Array, ink: Array) -> bool:
    """Whether the ink stands out from the pixels around it by about the noise of a picture."""
    from scipy.ndimage import uniform_filter

    inked = ink > 0.5
    if not inked.any():
        return True
    around = uniform_filter(pixels.astype(np.float32), (25, 25, 0))
    return float(np.abs((pixels - around)[inked].mean(axis=0)).max()) > 5


def _coordinates(side: int, rng: Rng, turn: float) -> tuple[Array, Array]:
    """x and y of each pixel from the middle, on a sheet turned by about `turn` radians and slightly bent."""
    angle = rng.normal(0, turn) * (rng.random() < 0.8)
    column = np.arange(side, dtype=np.float32) - np.float32(side / 2 - 0.5)
    row = column[:, None]
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    x, y = cos * column + sin * row, cos * row - sin * column
    tilt = np.float32(rng.normal(0, 0.05) / side)
    depth = 1 + tilt * (column + row)
    bend = np.float32(rng.normal(0, 0.015) / side)
    return x / depth, y / depth + bend * x * x


# What is not ink


def _decorate(sheet: WritingSheet, rng: Rng, height: float) -> tuple[Array, Array]:
    """Ruling, frames, tables and print around writing of some height. Returns the sheet's coordinates."""
    x, y = _coordinates(sheet.side, rng, 0.03)
    kind = rng.choice(
        ["", "lines", "squares", "frame", "table", "print", "several"], p=[0.3, 0.17, 0.15, 0.1, 0.1, 0.06, 0.12]
    )
    kinds = (
        list(rng.choice(["lines", "squares", "frame", "table", "print"], 2, replace=False))
        if kind == "several"
        else [kind]
    )
    for k in kinds:
        if k == "lines" or k == "squares":
            _rule(sheet, x, y, k == "squares", height, rng)
        elif k == "frame":
            for _ in range(rng.integers(1, 4)):
                _frame(sheet, x, y, rng.uniform(-0.6, 0.6, 2) * sheet.side, rng.uniform(0.1, 0.7, 2) * sheet.side, rng)
        elif k == "table":
            _table(sheet, x, y, height, rng)
        elif k == "print":
            _print(sheet, height, rng)
    return x, y


def _line_colour(sheet: WritingSheet, rng: Rng) -> Array:
    """A colour of printed lines, from faint to as dark as ink."""
    if rng.random() < 0.35:
        return sheet.paper + (sheet.colour - sheet.paper) * rng.uniform(0.25, 1.1)
    strength = rng.uniform(0.1, 0.9)
    tint = (
        photos._random_colour(rng, (0, 0.9), (0, 0.8)) if sheet.paper.mean() > 0.45 else np.full(3, rng.uniform(0.6, 1))
    )
    return sheet.paper + (tint - sheet.paper) * strength


def _rule(sheet: WritingSheet, x: Array, y: Array, squares: bool, height: float, rng: Rng) -> None:
    gap = max(7.0, height * np.exp(rng.uniform(np.log(0.4), np.log(2.5))))
    width = np.clip(gap * np.exp(rng.uniform(np.log(0.015), np.log(0.12))), 0.5, 6)
    lines = photos._ruling_coverage(y, gap, max(width, 1), rng)
    if squares:
        lines = np.maximum(lines, photos._ruling_coverage(x, gap, max(width, 1), rng))
    elif rng.random() < 0.3:
        lines = np.maximum(
            lines, np.clip(0.5 + max(width, 1) / 2 - np.abs(x - rng.uniform(-0.5, 0.5) * sheet.side), 0, 1)
        )
    photos._blend(sheet.picture, min(1, width) * lines, _line_colour(sheet, rng))


def _frame(
    sheet: WritingSheet, x: Array, y: Array, middle: Array, half: Array, rng: Rng, width: float | None = None
) -> None:
    """The outline of a rectangle, maybe filled with a slightly different paper."""
    width = np.exp(rng.uniform(0, np.log(7))) if width is None else width
    inside = np.minimum(half[0] - np.abs(x - np.float32(middle[0])), half[1] - np.abs(y - np.float32(middle[1])))
    if rng.random() < 0.2:
        photos._blend(sheet.picture, rng.uniform(0.05, 0.3) * np.clip(inside + 0.5, 0, 1), rng.random(3))
    photos._blend(sheet.picture, np.clip(0.5 + width / 2 - np.abs(inside), 0, 1), _line_colour(sheet, rng))


def _grid_coverage(
    x: Array, y: Array, cell: Array, count: Array, origin: Array, width: float, thick: float, every: int
) -> Array:
    """The lines of count[0] by count[1] cells; each `every`-th and the outermost are thick."""
    covered = np.zeros(np.broadcast_shapes(x.shape, y.shape), np.float32)
    end = cell * count
    for axis, (along, across) in enumerate(((y, x), (x, y))):
        position = (across - np.float32(origin[axis])) / np.float32(cell[axis])
        nearest = np.clip(np.round(position), 0, count[axis])
        is_thick = (nearest % every == 0) | (nearest == count[axis]) if every else np.zeros_like(nearest, bool)
        half = np.where(is_thick, np.float32(thick / 2), np.float32(width / 2))
        line = np.clip(0.5 + half - np.abs(position - nearest) * np.float32(cell[axis]), 0, 1)
        distance = along - np.float32(origin[1 - axis])
        line *= (distance > -thick / 2) & (distance < end[1 - axis] + thick / 2)
        np.maximum(covered, line, out=covered)
    return covered


def _table(sheet: WritingSheet, x: Array, y: Array, height: float, rng: Rng) -> tuple[Array, Array, Array]:
    """Cells of a table, a grid or a form: cell, count and origin."""
    cell = height * np.array([rng.uniform(0.8, 4), rng.uniform(1, 2.2)])
    if rng.random() < 0.6:
        cell[0] = cell[1] * rng.uniform(0.7, 1.2)
    count = np.array([rng.integers(1, 10), rng.integers(1, 10) if rng.random() < 0.6 else 1])
    origin = -rng.uniform(0.1, 0.9, 2) * cell * count
    width = np.clip(height * np.exp(rng.uniform(np.log(0.01), np.log(0.12))), 1, 8)
    thick = width * rng.choice([1, rng.uniform(1.5, 3)])
    lines = _grid_coverage(x, y, cell, count, origin, width, thick, int(rng.choice([0, 1, 3])))
    photos._blend(sheet.picture, lines * rng.uniform(0.5, 1), _line_colour(sheet, rng))
    return cell, count, origin


def _print(sheet: WritingSheet, height: float, rng: Rng, *, is_ink: bool = False) -> None:
    """Printed text. As the ground of writing, faint print is not ink, and strong print may be claimed or not."""
    from PIL import Image, ImageDraw, ImageFont

    from digitscope.synthetic.non_digits import font_files

    fonts = font_files()
    size = int(height * 1.4) if is_ink else int(np.clip(height * rng.uniform(0.2, 1.2), 7, 80))
    font = ImageFont.truetype(fonts[rng.integers(len(fonts))], size)
    layer = Image.new("L", (sheet.side, sheet.side))
    pen = ImageDraw.Draw(layer)
    letters = np.array(list("abcdefghijklmnoprstuvwABCDEFGHIKLMNOPRST0123456789   .,:-"))
    if is_ink:
        letters = letters[-len("0123456789   .,:-") :] if rng.random() < 0.7 else letters
    for k in range(rng.integers(1, 6)):
        text = "".join(rng.choice(letters, rng.integers(1 if is_ink else 2, 8 if is_ink else 30)))
        place = rng.uniform(-0.3, 0.9, 2) * sheet.side
        if is_ink:
            place = np.array([rng.uniform(-0.1, 0.7) * sheet.side, rng.uniform(-0.2, 0.4) * height + 1.3 * k * size])
        pen.text(tuple(place), text, fill=255, font=font)
    layer = layer.rotate(rng.normal(0, 4), Image.Resampling.BILINEAR)
    covered = np.asarray(layer, np.float32) / 255
    if is_ink:
        photos._blend(sheet.picture, rng.uniform(0.6, 1) * covered, sheet.colour)
        np.maximum(sheet.ink, covered, out=sheet.ink)
        return
    strength = rng.uniform(0.08, 1)
    photos._blend(sheet.picture, strength * covered, sheet.colour if rng.random() < 0.5 else _line_colour(sheet, rng))
    if strength > 0.35:
        sheet.weight[covered > 0.02] = 0


# Ink


def _write_digit(
    sheet: WritingSheet,
    source: WritingSource,
    pen: photos.Pen,
    width: float,
    height: float,
    left: float,
    bottom: float,
    slant: float,
    rng: Rng,
) -> float:
    """Writes a digit whose ink begins at `left` and stands on `bottom`. Returns its right end."""
    from PIL import Image

    if rng.random() < 0.2:
        lines = vary_glyph(source.digits[int(rng.integers(len(source.digits)))], rng)
        return _write_glyph(sheet, lines, pen, width, height, left, bottom, rng, is_digit=True)
    distance, box = source.field(int(rng.integers(len(source.images))))
    scale = (
        height * (1 - min(width, 0.4)) / max(box[3] - box[1], 0.75 * (box[2] - box[0]), 1)
    )  # pixels for one of MNIST's
    angle = rng.normal(0, 0.05)
    shape = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ [[1, -slant], [0, 1]]
    shape = shape @ np.diag(np.clip(rng.normal(1, 0.08, 2), 0.8, 1.25))
    corners = np.array([(box[i], box[j]) for i in (0, 2) for j in (1, 3)]) @ shape.T
    radius = max(width * height / 2, MIN_RADIUS)
    low, high = corners.min(axis=0) - radius, corners.max(axis=0) + radius
    size = np.ceil(high - low).astype(int) + 3
    shift = np.array([left - low[0], bottom - high[1]])  # places MNIST's origin
    corner = np.floor(shift + low).astype(int) - 1
    cut = [slice(max(0, c), min(sheet.side, c + s)) for c, s in zip(corner[::-1], size[::-1], strict=True)]
    right = float(high[0] + shift[0])
    sheet.digits.append(np.array([left, bottom - (high[1] - low[1]), right, bottom]))
    if min(s.stop - s.start for s in cut) < 1:
        return right
    inverse = np.linalg.inv(shape)
    # From a pixel of the cut to the field: 3 points a pixel of MNIST, beginning MARGIN outside.
    points = FINE // 2
    origin = np.array([cut[1].start, cut[0].start]) + 0.5 - shift
    start = points * (inverse @ origin + MARGIN)
    matrix = points * inverse
    offset = start - matrix @ [0.5, 0.5]
    field = Image.fromarray(distance.astype(np.float32)).transform(
        (cut[1].stop - cut[1].start, cut[0].stop - cut[0].start),
        Image.Transform.AFFINE,
        (matrix[0, 0], matrix[0, 1], offset[0], matrix[1, 0], matrix[1, 1], offset[1]),
        Image.Resampling.BILINEAR,
        fillcolor=10,
    )
    outside = np.asarray(field) * np.float32(scale) - np.float32(radius)
    _ink(sheet, cut[0], cut[1], outside, 2 * radius, pen, rng)
    return right


def _write_glyph(
    sheet: WritingSheet,
    lines: Sequence[Array],
    pen: photos.Pen,
    width: float,
    height: float,
    left: float,
    bottom: float,
    rng: Rng,
    *,
    is_digit: bool = False,
) -> float:
    """Writes a glyph, scaled to the height unless it is much wider; returns its right end."""
    extent = np.ptp(np.concatenate(lines), axis=0)
    radius = max(width * height / 2, MIN_RADIUS)
    scale = max(height - 2 * radius, 0.3 * height) / max(extent[1], 0.6 * extent[0], 0.3)
    high = scale * extent + 2 * radius
    if is_digit:
        sheet.digits.append(np.array([left, bottom - high[1], left + high[0], bottom]))
    return _draw_lines(sheet, [scale * line for line in lines], radius, pen, left, bottom, rng)


def _draw_lines(
    sheet: WritingSheet, lines: Sequence[Array], radius: float, pen: photos.Pen, left: float, bottom: float, rng: Rng
) -> float:
    """Draws lines, given in pixels, such that their ink begins at `left` and stands on `bottom`; returns its right
    end.
    """
    from PIL import Image, ImageDraw
    from scipy.ndimage import distance_transform_edt

    points = np.concatenate(lines)
    low, high = points.min(axis=0), np.ptp(points, axis=0) + 2 * radius
    right = left + float(high[0])
    corner = np.floor([left, bottom - high[1]]).astype(int) - 1
    size = np.ceil(high).astype(int) + 3
    cut = [slice(max(0, c), min(sheet.side, c + s)) for c, s in zip(corner[::-1], size[::-1], strict=True)]
    if min(s.stop - s.start for s in cut) < 1:
        return right
    fine = 3
    layer = Image.new("L", (fine * (cut[1].stop - cut[1].start), fine * (cut[0].stop - cut[0].start)))
    draw = ImageDraw.Draw(layer)
    offset = np.array([left + radius - cut[1].start, bottom - high[1] + radius - cut[0].start]) - low
    diameter = 2 * radius * fine
    for line in lines:
        at = fine * (line + offset)
        if len(at) > 1:
            draw.line([(x, y) for x, y in at.tolist()], fill=255, width=max(1, round(diameter)), joint="curve")
        for x, y in at[:: max(1, len(at) - 1)].tolist():
            draw.ellipse((x - diameter / 2, y - diameter / 2, x + diameter / 2, y + diameter / 2), fill=255)
    drawn = np.asarray(layer) > 127
    small = drawn.reshape(drawn.shape[0] // fine, fine, -1, fine).mean(axis=(1, 3), dtype=np.float32)
    outside = 0.5 - small
    if pen.edge:
        distance = distance_transform_edt(small < 0.5) - distance_transform_edt(small >= 0.5)
        outside = np.where((small > 0) & (small < 1), outside, distance)
    _ink(sheet, cut[0], cut[1], outside.astype(np.float32), 2 * radius, pen, rng)
    return right


def _ink(
    sheet: WritingSheet, rows: slice, columns: slice, outside: Array, thickness: float, pen: photos.Pen, rng: Rng
) -> None:
    """Blends strokes in: `outside` is each pixel's signed distance from the edge of the ink."""
    if pen.edge:
        outside = outside + np.float32(0.5 * pen.edge * thickness) * photos._smooth_noise(
            rng, outside.shape, max(1, 0.35 * thickness)
        )
    covered = np.clip(0.5 - outside, 0, 1)
    np.maximum(sheet.ink[rows, columns], covered, out=sheet.ink[rows, columns])
    sheet.weight[rows, columns][covered > 0.05] = 1
    if pen.grain:
        grain = photos._smooth_noise(rng, outside.shape, max(1.0, 0.12 * thickness))
        covered = covered * np.clip(1 + np.float32(pen.grain) * (grain - 0.3), 0, 1)
    photos._blend(sheet.picture[:, rows, columns], covered * np.float32(rng.uniform(*pen.opacity)), sheet.colour)


def _sign(name: str, rng: Rng) -> tuple[list[Array], float]:
    """Lines of a sign and the height of its lower end above the line, in heights of a digit."""
    n = rng.normal
    if name in "-~_":
        length = rng.uniform(0.3, 0.8)
        t = np.linspace(0, 1, 8)
        wave = 0.08 * np.sin(2 * np.pi * t) * (name == "~")
        line = np.stack([length * t, wave + n(0, 0.06) * t + n(0, 0.03) * t * t], axis=1)
        return [line], 0.0 if name == "_" else rng.uniform(0.35, 0.6)
    if name == ".":
        return [np.zeros((1, 2))], rng.uniform(-0.03, 0.08)
    if name == ",":
        return [np.array([[0.05, 0], [0.03, 0.12], [-0.05, 0.22]])], rng.uniform(-0.25, -0.1)
    if name == "/":
        return [np.array([[rng.uniform(0.2, 0.5), 0], [0, 1.2]])], -0.1
    if name == ":":
        return [np.zeros((1, 2)), np.array([[n(0, 0.03), rng.uniform(0.25, 0.5)]])], rng.uniform(0.05, 0.2)
    if name in "()":
        t = np.linspace(-1, 1, 12)
        bend = rng.uniform(0.12, 0.3) * (t * t if name == "(" else -t * t)
        return [np.stack([bend, 0.6 * t], axis=1)], -0.1
    if name == "=":
        return [np.array([[0, 0], [0.5, n(0, 0.03)]]), np.array([[0, 0.2], [0.5, 0.2 + n(0, 0.03)]])], 0.3
    return [np.array([[0, 0.25], [0.5, 0.25 + n(0, 0.03)]]), np.array([[0.25 + n(0, 0.02), 0], [0.25, 0.5]])], 0.2


def _write_text(
    sheet: WritingSheet,
    source: WritingSource,
    pen: photos.Pen,
    width: float,
    height: float,
    left: float,
    bottom: float,
    length: int,
    rng: Rng,
    letters: float = 0.08,
) -> None:
    """Writes a line of digits, signs and letters."""
    slant, drift = rng.normal(0, 0.15), rng.normal(0, 0.03)
    gap = rng.uniform(-0.05, 0.35)
    joined = letters >= 1 and rng.random() < 0.6  # cursive words
    at = left
    for _ in range(length):
        if at > sheet.side + height:
            break
        base = bottom + drift * (at - left) + rng.normal(0, 0.04) * height
        tall = height * rng.normal(1, 0.07)
        kind = rng.random()
        if kind < letters:
            glyph = source.letters[int(rng.integers(len(source.letters)))]
            before, size = at, tall * rng.uniform(0.6, 1.1)
            at = _write_glyph(sheet, vary_glyph(glyph, rng), pen, width, size, at, base, rng)
            if joined:
                hook = np.array([[0, 0.05], [0.12, 0.1], [0.3, -rng.uniform(0.1, 0.5)]]) * height
                end = _draw_lines(sheet, [hook], max(width * height / 2, MIN_RADIUS), pen, at - 0.1 * height, base, rng)
                at = max(before + 0.2 * height, end - (gap + 0.1) * height)
        elif kind < letters + 0.12:
            lines, lift = _sign(str(rng.choice(SIGNS)), rng)
            lines = [tall * line for line in lines]
            at = _draw_lines(sheet, lines, max(width * tall / 2, MIN_RADIUS), pen, at, base - lift * tall, rng)
        elif kind < letters + 0.16:
            at += rng.uniform(0.3, 1.2) * tall
        else:
            at = _write_digit(sheet, source, pen, width, tall, at, base, slant, rng)
        at += (gap + rng.normal(0, 0.06)) * height
    if rng.random() < 0.08:  # underlined or struck out by hand
        lift = rng.choice([-0.15, -0.05, 0.02, 0.5], p=[0.4, 0.3, 0.2, 0.1]) * height
        t = np.linspace(0, 1, 12)
        line = np.stack([(at - left) * t, rng.normal(0, 0.06) * height * t + 0.03 * height * np.sin(7 * t)], axis=1)
        _draw_lines(sheet, [line], max(width * height / 2, MIN_RADIUS), pen, left - 0.1 * height, bottom - lift, rng)


def _height(sheet: WritingSheet, rng: Rng, low: float = 14, high: float = 130) -> float:
    if low <= 14 and rng.random() < 0.15:  # small writing on a page
        return float(rng.uniform(10, 18))
    return float(np.clip(np.exp(rng.normal(np.log(42), 0.6)), low, high))


def _pen_width(pen: photos.Pen, height: float, rng: Rng) -> float:
    return max(photos._log_uniform(rng, pen.width), 1.2 / height)


def _numbers(sheet: WritingSheet, source: WritingSource, pen: photos.Pen, surface: str, rng: Rng) -> None:
    """Lines of digits, signs and letters, on any ground."""
    height = _height(sheet, rng)
    if surface not in ("canvas", "screen") or rng.random() < 0.3:
        _decorate(sheet, rng, height)
    width = _pen_width(pen, height, rng)
    leading = height * rng.uniform(1.15, 2.5)
    bottom = rng.uniform(-0.3, 1) * height + height * 0.5
    letters = rng.choice([0, 0.05, 0.3, 1.0], p=[0.3, 0.3, 0.25, 0.15])
    while bottom < sheet.side + 0.8 * height:
        if rng.random() < 0.75:
            left = rng.uniform(-0.1, 0.6) * sheet.side
            _write_text(sheet, source, pen, width, height, left, bottom, int(rng.integers(1, 9)), rng, letters)
        bottom += leading


def _single(sheet: WritingSheet, source: WritingSource, pen: photos.Pen, surface: str, rng: Rng) -> None:
    """One or few large digits; most of the time whole, with a margin, as in a picture of one digit."""
    side = sheet.side
    height = float(np.exp(rng.uniform(np.log(35), np.log(min(280, 1.1 * side)))))
    if surface not in ("canvas", "screen") or rng.random() < 0.2:
        _decorate(sheet, rng, height * rng.choice([1, 0.3]))
    width = photos._log_uniform(rng, pen.width)
    if rng.random() < 0.3:
        width = max(0.4 * width, 1.2 / height)  # hair-thin
    if rng.random() < 0.6 and height < 0.9 * side:
        left, bottom = rng.uniform(0.05, max(0.06, 0.9 - 0.6 * height / side)) * side, rng.uniform(height, 0.99 * side)
        slant = rng.normal(0, 0.15)
        for _ in range(rng.choice([1, 1, 2, 3])):
            left = _write_digit(sheet, source, pen, width, height, left, bottom, slant, rng)
            left += rng.uniform(-0.02, 0.3) * height
            if left + 0.5 * height > side:
                return
        return
    left, bottom = rng.uniform(-0.1, 0.7) * side, rng.uniform(0.3, 1.1) * side
    _write_text(sheet, source, pen, width, height, left, bottom, int(rng.integers(1, 4)), rng)


def _printed(sheet: WritingSheet, source: WritingSource, pen: photos.Pen, surface: str, rng: Rng) -> None:
    """Printed digits and text that are to be read."""
    height = float(np.exp(rng.uniform(np.log(12), np.log(0.8 * sheet.side))))
    if rng.random() < 0.4:
        _decorate(sheet, rng, height)
    _print(sheet, height, rng, is_ink=True)


def _cells(sheet: WritingSheet, source: WritingSource, pen: photos.Pen, surface: str, rng: Rng) -> None:
    """A table, a form or a grid, some cells with digits, which may touch or cross the lines."""
    height = _height(sheet, rng, 16, 90)
    x, y = _coordinates(sheet.side, rng, 0.02)
    cell, count, origin = _table(sheet, x, y, height, rng)
    width = _pen_width(pen, height, rng)
    filled = rng.choice([0.15, 0.5, 0.95])
    loose = rng.choice([0.05, 0.2, 0.4])
    for i in range(count[0]):
        for j in range(count[1]):
            left = origin[0] + cell[0] * i + sheet.side / 2
            bottom = origin[1] + cell[1] * (j + 1) + sheet.side / 2
            if (
                rng.random() > filled
                or left > sheet.side
                or bottom < 0
                or left + cell[0] < 0
                or bottom - cell[1] > sheet.side
            ):
                continue
            tall = min(height * rng.normal(1, 0.1), 1.1 * cell[1])
            left += 0.5 * cell[0] - 0.3 * tall + rng.normal(0, loose) * tall * 0.7
            bottom -= 0.5 * (cell[1] - tall) + rng.normal(0, loose) * tall * 0.7
            many = int(rng.integers(1, 4)) if cell[0] > 1.8 * height else 1
            _write_text(sheet, source, pen, width, tall, left - 0.3 * tall * (many - 1), bottom, many, rng, 0.02)
    if rng.random() < 0.2:
        _print(sheet, height, rng)


def _empty(sheet: WritingSheet, source: WritingSource, pen: photos.Pen, surface: str, rng: Rng) -> None:
    """Paper without writing, with ruling, frames or print."""
    height = _height(sheet, rng)
    if rng.random() < 0.8:
        x, y = _decorate(sheet, rng, height)
        if rng.random() < 0.4:
            _table(sheet, x, y, height, rng)


def _texture(sheet: WritingSheet, source: WritingSource, pen: photos.Pen, surface: str, rng: Rng) -> None:
    """Cloth, wood, skin, leaves or noise; sometimes objects with sharp edges; seldom with writing over it."""
    shape = sheet.ink.shape
    base = rng.random(3)
    field = np.zeros(shape, np.float32)
    for length in np.exp(rng.uniform(np.log(1), np.log(80), rng.integers(1, 5))):
        stretched = photos._smooth_noise(rng, (shape[0], max(2, int(shape[1] / rng.choice([1, 1, 8])))), length)
        field += rng.uniform(0.2, 1) * np.repeat(stretched, -(-shape[1] // stretched.shape[1]), axis=1)[:, : shape[1]]
    if rng.random() < 0.4:
        x, y = _coordinates(sheet.side, rng, 0.6)
        pitch = np.exp(rng.uniform(np.log(3), np.log(30), 2))
        field += (
            rng.uniform(0.3, 1.5)
            * np.sin(2 * np.pi * x / pitch[0])
            * (np.sin(2 * np.pi * y / pitch[1]) if rng.random() < 0.6 else 1)
        )
    strength = np.exp(rng.uniform(np.log(0.02), np.log(0.25)))
    for plane, value in zip(sheet.picture, base, strict=True):
        plane[:] = value + strength * field * rng.uniform(0.6, 1.2)
    for _ in range(rng.integers(0, 5)):  # objects
        sheet.picture += rng.uniform(-0.5, 0.5) * _blob(sheet.side, rng)
    np.clip(sheet.picture, 0, 1, out=sheet.picture)
    if rng.random() < 0.25 and strength < 0.08:
        sheet.paper = base
        sheet.colour = np.full(3, float(base.mean() < 0.5))
        height = _height(sheet, rng, 30)
        _write_text(
            sheet,
            source,
            photos.PENS["marker"],
            rng.uniform(0.08, 0.2),
            height,
            rng.uniform(0, 0.5) * sheet.side,
            rng.uniform(0.3, 0.9) * sheet.side,
            4,
            rng,
        )


def _blob(side: int, rng: Rng) -> Array:
    """A polygon or an ellipse with an edge that is sharp or soft."""
    from PIL import Image, ImageDraw, ImageFilter

    layer = Image.new("L", (side, side))
    draw = ImageDraw.Draw(layer)
    middle, size = rng.uniform(0, side, 2), rng.uniform(0.05, 0.6) * side
    angles = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(3, 9)))
    points = middle + size * rng.uniform(0.5, 1, (len(angles), 1)) * np.stack([np.cos(angles), np.sin(angles)], 1)
    if rng.random() < 0.5:
        draw.ellipse((*(middle - size / 2), *(middle + size * rng.uniform(0.2, 1, 2) / 2 + 1)), fill=255)
    else:
        draw.polygon([tuple(p) for p in points.tolist()], fill=255)
    return np.asarray(layer.filter(ImageFilter.GaussianBlur(float(rng.choice([0.5, 2, 10])))), np.float32) / 255


Content = Callable[[WritingSheet, WritingSource, photos.Pen, str, Rng], None]
_CONTENTS: dict[str, tuple[float, Content]] = {
    "numbers": (0.36, _numbers),
    "single": (0.26, _single),
    "printed": (0.06, _printed),
    "cells": (0.17, _cells),
    "empty": (0.06, _empty),
    "texture": (0.09, _texture),
}
"""What a scene shows: its share of all scenes, and the function that draws it."""
