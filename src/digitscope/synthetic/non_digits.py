"""Drawings in MNIST's form that are no digits, and digits as people write them but MNIST hardly has them.

A network that has seen digits only takes everything for one. `non_digits` shows it what else there is on paper;
`variants` shows it the 1 with a long upstroke, the 7 with a bar and others of their kind.

What a reader would take for a digit is left out where that can be told: a mirrored 2 reads as a 5, a turned 4 as a 4,
half an 8 as a 3.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from digitscope.arrays import Array
from digitscope.augmentation.warp import thicken
from digitscope.errors import DataError, ShapeError
from digitscope.synthetic import glyph_tables as tables
from digitscope.synthetic.glyphs import Glyph, Image, bend, curve_matrix, draw, fill, glyphs, in_form, ink, pen_width
from digitscope.vision.normalize import BOX, FINE, SIDE, centre, fit_box

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

Rng = np.random.Generator


class DigitSource:
    """DigitSource to make others from.

    Raises: ShapeError where images are not uint8 (N, 28, 28) with a label each, DataError where a class is missing.
    """

    def __init__(self, images: Array, labels: Array) -> None:
        if images.ndim != 3 or images.shape[1:] != (SIDE, SIDE) or images.dtype != np.uint8:
            raise ShapeError(
                f"Drawings expect images of uint8, (N, {SIDE}, {SIDE}); got {images.dtype}, {images.shape}. "
                "Give MNIST's training images."
            )
        if labels.shape != images.shape[:1]:
            raise ShapeError(f"Drawings expect a label an image, ({len(images)},); got {labels.shape}.")
        self.images = images
        written = images.any(axis=(1, 2))
        self.of = [np.flatnonzero(written & (labels == k)) for k in range(10)]
        missing = [k for k in range(10) if not len(self.of[k])]
        if missing:
            raise DataError(
                f"Drawings expect images of each digit, 0 to 9; got none of {', '.join(map(str, missing))}. "
                "Give more images."
            )

    def one(self, classes: str, rng: Rng) -> Image:
        """A digit of one of the classes, such as "247", cut out, in MNIST's box. -> (h, w), 20 at most"""
        of = self.of[int(classes[rng.integers(len(classes))])]
        digit: Image = _cut(self.images[of[rng.integers(len(of))]])
        return digit if max(digit.shape) <= BOX else fit_box(digit / 255.0)


@dataclass(frozen=True)
class DrawingKind:
    """A kind of drawing: how often it comes, and how one is made."""

    share: float
    draw: Callable[[Rng, DigitSource], Image]


def non_digits(count: int, rng: Rng, images: Array, labels: Array) -> Image:
    """Drawings that are no digits, in the shares of NON_DIGITS. Equal generators give equal drawings.

    images and labels are digits, from which some kinds are made.

    Shapes: images uint8 (N, 28, 28), labels (N,) -> uint8 (count, 28, 28)
    Raises: ShapeError, DataError where the digits or the count are none.
    """
    digits = DigitSource(images, labels)
    drawn = np.empty((_checked(count), SIDE, SIDE), np.uint8)
    for i, name in enumerate(_choose(NON_DIGITS, count, rng)):
        drawn[i] = NON_DIGITS[name].draw(rng, digits)
    return drawn


def variants(count: int, rng: Rng, images: Array, labels: Array) -> tuple[Image, NDArray[np.int64]]:
    """Digits as people write them, in the shares of VARIANTS, and their labels: a kind's name begins with its label.

    Shapes: images uint8 (N, 28, 28), labels (N,) -> uint8 (count, 28, 28), (count,)
    Raises: ShapeError, DataError where the digits or the count are none.
    """
    digits = DigitSource(images, labels)
    drawn = np.empty((_checked(count), SIDE, SIDE), np.uint8)
    names = _choose(VARIANTS, count, rng)
    for i, name in enumerate(names):
        drawn[i] = VARIANTS[name].draw(rng, digits)
    return drawn, np.array([int(name[0]) for name in names], np.int64)


def _checked(count: int) -> int:
    if count < 0:
        raise DataError(f"Drawings expect a count of at least 0; got {count}.")
    return count


def _choose(kinds: dict[str, DrawingKind], count: int, rng: Rng) -> list[str]:
    shares = np.array([kind.share for kind in kinds.values()])
    names = list(kinds)
    return [names[i] for i in rng.choice(len(names), count, p=shares / shares.sum())]


def _any(table: str, rng: Rng, shake: float = 0.04) -> Image:
    """One of a table's figures, drawn. Each name comes as often as any other, however many ways it is drawn."""
    ways = _by_name(table)
    some = ways[rng.integers(len(ways))]
    return draw(some[rng.integers(len(some))], rng, shake)


@lru_cache
def _by_name(table: str) -> list[list[Glyph]]:
    ways: dict[str, list[Glyph]] = {}
    for figure in glyphs(table):
        ways.setdefault(figure.name, []).append(figure)
    return list(ways.values())


# Letters and signs in print

_PRINTED = (
    "ABCEFHJKMNPRTUVWXYacdefhijkmnprtuvwxyÄÜÇñ&@#%?!*+=~<>{[$€÷±≠√∞"
    "ΓΔΞΠΣΦΨΩαγεηκλμνπρστφχψωЖИЙДЦШЩЫЮЯжфюש×→←↑↓↔∇∀∈∪⊂⊃♥♠♣♦★☆☺☂♫☀☁✂✈✓✗"
)
_FACES = ("DejaVuSans", "DejaVuSerif", "STIXGeneral", "cm")
_NO_LETTERS = ("Display", "cmex", "cmsy", "cmmi")
_FONT_SIZE = 140  # pixels: a capital is about 100 high


@lru_cache
def _faces() -> list[tuple[str, str]]:
    """The fonts that come with matplotlib: each file, and those of the printed signs that it has."""
    from pathlib import Path

    from matplotlib import get_data_path
    from matplotlib.ft2font import FT2Font

    files = sorted((Path(get_data_path()) / "fonts" / "ttf").glob("*.ttf"))
    fonts = [f for f in files if f.name.startswith(_FACES) and not any(part in f.name for part in _NO_LETTERS)]
    return [(str(f), "".join(s for s in _PRINTED if ord(s) in FT2Font(str(f)).get_charmap())) for f in fonts]


@lru_cache(maxsize=64)
def _font(path: str) -> "FreeTypeFont":
    from PIL import ImageFont

    return ImageFont.truetype(path, _FONT_SIZE)


def _print(rng: Rng, digits: DigitSource) -> Image:
    from PIL import Image as Pillow
    from PIL import ImageDraw

    faces = _faces()
    path, signs = faces[rng.integers(len(faces))]
    sign = signs[rng.integers(len(signs))]
    side = 2 * _FONT_SIZE
    picture = Pillow.new("L", (side, side))
    ImageDraw.Draw(picture).text((side // 2, side // 2), sign, fill=255, font=_font(path), anchor="mm")
    angle, slant = np.radians(rng.uniform(-8, 8)), rng.uniform(-0.1, 0.25)
    across, down = np.exp(rng.uniform(-0.15, 0.15, 2))
    back = np.array([[np.cos(angle) * across, np.sin(angle) + slant], [-np.sin(angle), np.cos(angle) * down]])
    shift = side / 2 - back @ [side / 2, side / 2]
    matrix = (back[0, 0], back[0, 1], shift[0], back[1, 0], back[1, 1], shift[1])
    turned = picture.transform(picture.size, Pillow.Transform.AFFINE, matrix, Pillow.Resampling.BILINEAR)
    return in_form(np.asarray(turned))


# Doodles


def _scribble(rng: Rng, digits: DigitSource) -> Image:
    lines = _DOODLES[rng.integers(len(_DOODLES))](rng)
    return in_form(ink(bend(lines, rng), pen_width(rng), rng))


def _tangle(rng: Rng) -> list[Array]:
    """A smooth line through seven places or more, in one go or two."""
    lines = []
    for count in [rng.integers(8, 15)] if rng.random() < 0.7 else rng.integers(5, 8, 2):
        points = rng.uniform(0, 1, (int(count), 2))
        lines.append(curve_matrix(points) @ points)
    return lines


def _zigzag(rng: Rng) -> list[Array]:
    """A line up and down, or to and fro, of five strokes or more."""
    count = int(rng.integers(6, 12))
    along = np.linspace(0, 1, count)
    points = np.stack([along, rng.uniform(0.4, 1.2) * (np.arange(count) % 2)], axis=1)
    points += rng.normal(0, 0.05, points.shape)
    line = curve_matrix(points) @ points if rng.random() < 0.5 else points
    return [line[:, ::-1] if rng.random() < 0.4 else line]


def _coil(rng: Rng) -> list[Array]:
    """Loops one after the other, as on a telephone's cord."""
    turns, pitch = rng.integers(3, 7), rng.uniform(0.5, 1.6)
    t = np.linspace(0, 2 * np.pi * turns, 16 * int(turns))
    line = np.stack([pitch * t / (2 * np.pi) + np.cos(t), rng.uniform(0.8, 1.6) * np.sin(t)], axis=1)
    return [line / np.ptp(line, axis=0).max()]


def _spiral(rng: Rng) -> list[Array]:
    turns = rng.uniform(2.3, 4)
    t = np.linspace(0, 2 * np.pi * turns, int(20 * turns))
    radius = t / t[-1]
    way = rng.choice([-1, 1])
    start = rng.uniform(0, 2 * np.pi)
    return [0.5 * np.stack([radius * np.cos(start + way * t), radius * np.sin(start + way * t)], axis=1)]


def _hatch(rng: Rng) -> list[Array]:
    """Strokes beside each other, four or more, sometimes crossed."""
    lines = []
    for way in (0, 1)[: 1 + (rng.random() < 0.4)]:
        for place in np.linspace(0, 1, int(rng.integers(4, 7))):
            points = np.array([[place, 0.0], [place + 0.2, 1]]) + rng.normal(0, 0.04, (2, 2))
            lines.append(points[:, ::-1] if way else points)
    return lines


def _burst(rng: Rng) -> list[Array]:
    """Straight strokes anywhere."""
    return [rng.uniform(0, 1, (2, 2)) for _ in range(rng.integers(4, 8))]


def _dots(rng: Rng) -> list[Array]:
    return [rng.uniform(0, 1, (1, 2)) for _ in range(rng.integers(3, 10))]


_DOODLES = (_tangle, _tangle, _tangle, _zigzag, _zigzag, _coil, _spiral, _hatch, _burst, _dots)


# Filled shapes


def _filled(rng: Rng, digits: DigitSource) -> Image:
    """A closed figure, filled."""
    closed = _closed(tables.SHAPES)
    (outline,) = closed[rng.integers(len(closed))].lines
    points = outline.points + rng.normal(0, rng.uniform(0.01, 0.04), outline.points.shape)
    return _solid(outline.curve @ points, rng)


@lru_cache
def _closed(table: str) -> list[Glyph]:
    alone = [figure for figure in glyphs(table) if len(figure.lines) == 1]
    return [figure for figure in alone if (figure.lines[0].points[0] == figure.lines[0].points[-1]).all()]


def _blob(rng: Rng, digits: DigitSource) -> Image:
    """Filled, its edge r = 1 + sum a_k cos(k t + p_k), or a polygon."""
    if rng.random() < 0.3:
        t = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(4, 9)))
        radius = rng.uniform(0.5, 1, len(t))
    else:
        t = np.linspace(0, 2 * np.pi, 60)
        k = np.arange(1, 7)[:, None]
        heights = rng.normal(0, rng.uniform(0, 0.3), (6, 1)) / k
        radius = np.maximum(1 + (heights * np.cos(k * t + rng.uniform(0, 2 * np.pi, (6, 1)))).sum(axis=0), 0.2)
    return _solid(np.stack([radius * np.cos(t), radius * np.sin(t)], axis=1) / 2, rng)


def _silhouette(rng: Rng, digits: DigitSource) -> Image:
    """Filled, its left side the mirror of its right, as many things are, in greys."""
    heights = np.linspace(0, 1, int(rng.integers(4, 9)))
    widths = np.abs(rng.uniform(0.2, 0.5) + np.cumsum(rng.normal(0, 0.12, len(heights)))) + 0.08
    if rng.random() < 0.6:  # smooth
        matrix = curve_matrix(np.stack([widths, heights], axis=1))
        widths, heights = matrix @ widths, matrix @ heights
    right = np.stack([widths, heights], axis=1)
    return _solid(np.concatenate([right, right[::-1] * [-1, 1]]), rng, greys=0.7)


def _solid(outline: Array, rng: Rng, greys: float = 0.3) -> Image:
    """A filled outline, in one grey or, with a probability of `greys`, in many. Slim ones lie: upright they are a 1."""
    (outline,) = bend([outline], rng)
    spread, axes = np.linalg.eigh(np.cov(outline.T))
    if spread[0] < 0.3 * spread[1]:
        outline = outline @ axes[:, ::-1]
    drawing = fill(outline).astype(np.float32)
    if rng.random() < greys:
        drawing *= 0.15 + 0.85 * _stretch(_texture(rng, int(rng.integers(2, 9))), drawing.shape)
    return in_form(drawing)


# Lines, textures, gradients


def _bars(rng: Rng, digits: DigitSource) -> Image:
    """Bars that lie, ruled lines, grids, frames and corners; upright bars three or more."""
    level, upright = [(1, 0), (2, 0), (3, 0), (5, 0), (0, 3), (0, 5), (2, 2), (3, 2), (3, 3), (4, 4), (1, 3), (2, 1)][
        rng.integers(12)
    ]
    long = rng.uniform(0.5, 1.3)
    lines = [np.array([[0, y], [1, y]]) for y in long * np.linspace(0.1, 0.9, level)]
    lines += [np.array([[x, 0], [x, long]]) for x in np.linspace(0.1, 0.9, upright)]
    lines = [line + rng.normal(0, 0.01, (2, 2)) for line in lines]
    if level + upright > 2 and rng.random() < 0.3:  # a frame around them
        lines.append(np.array([[0, 0], [1, 0], [1, long], [0, long], [0, 0]]))
    return in_form(ink(bend(lines, rng, turn=8), pen_width(rng), rng))


def _noise(rng: Rng, digits: DigitSource) -> Image:
    """Noise of one scale, or of two, over the whole image or MNIST's box; grey or black and white."""
    texture = _texture(rng, int(rng.integers(3, SIDE + 1)))
    if rng.random() < 0.3:
        texture = (texture + _texture(rng, int(rng.integers(3, SIDE + 1)))) / 2
    if rng.random() < 0.4:
        texture = texture > np.quantile(texture, rng.uniform(0.3, 0.7))
    return _as_large(rng.uniform(0.5, 1) * texture, rng)


def _gradient(rng: Rng, digits: DigitSource) -> Image:
    """From dark to bright along a direction or from a place outwards, smooth or in steps; or a wave."""
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE
    angle = rng.uniform(0, 2 * np.pi)
    along = np.cos(angle) * x + np.sin(angle) * y
    if rng.random() < 0.3:
        along = np.hypot(x - rng.uniform(0, 1), y - rng.uniform(0, 1))
    along = (along - along.min()) / np.ptp(along)
    kind = rng.integers(3)
    if kind == 1:
        along = np.round(along * 3) / 3
    elif kind == 2:
        along = 0.5 + 0.5 * np.sin(2 * np.pi * (rng.uniform(2, 5) * along + rng.random()))
    return _as_large(along, rng)


def _as_large(picture: Array, rng: Rng) -> Image:
    """A picture (28, 28), 0 to 1, as it is, or its middle in MNIST's box."""
    grey: Image = (255 * picture).round().astype(np.uint8)
    if rng.random() < 0.5:
        return grey
    edge = (SIDE - BOX) // 2
    return centre(grey[edge:-edge, edge:-edge])


def _texture(rng: Rng, cells: int) -> Array:
    """Random greys 0 to 1, so many to a side. -> (28, 28)"""
    return _stretch(rng.uniform(0, 1, (cells, cells)).astype(np.float32), (SIDE, SIDE))


def _stretch(picture: Array, shape: tuple[int, ...]) -> Array:
    from PIL import Image as Pillow

    image = Pillow.fromarray(picture).resize((shape[1], shape[0]), Pillow.Resampling.BICUBIC)
    stretched: Array = np.clip(np.asarray(image), 0, 1)
    return stretched


# Made from digits


def _cut(image: Array) -> Array:
    """What of the image is not blank. (H, W) -> (h, w)"""
    rows, columns = (np.flatnonzero(image.any(axis=1 - axis)) for axis in (0, 1))
    return image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _scaled(picture: Array, rng: Rng) -> Image:
    """In MNIST's form, after its strokes have grown by a part of what the scaling takes from them."""
    x = np.pad(_cut(picture), 1)[..., None] / np.float32(255)
    takes = max(picture.shape) / BOX - 1
    grown = thicken(x, np.clip(rng.uniform(0.3, 1, 1) * takes, 0, 1).astype(np.float32))
    return centre(fit_box(_cut(grown[..., 0])))


def _mirrored(rng: Rng, digits: DigitSource) -> Image:
    """A 3 or a 7 whose left is right, or a 7 whose up is down. Of other digits many remain one, or become another."""
    if rng.random() < 0.75:
        return centre(digits.one("37", rng)[:, ::-1])
    return centre(digits.one("7", rng)[::-1])


def _numbers(rng: Rng, digits: DigitSource) -> Image:
    """Two or three digits side by side, apart or touching."""
    count = 2 + (rng.random() < 0.25)
    return _scaled(_row([digits.one("0123456789", rng) for _ in range(count)], rng), rng)


def _row(pieces: list[Image], rng: Rng) -> Array:
    """Pieces side by side, not quite level: between them a gap, or they touch."""
    row = pieces[0]
    for piece in pieces[1:]:
        gap = max(int(rng.integers(-3, 4)), -min(row.shape[1], piece.shape[1]) // 4)
        if min(row.shape[1], piece.shape[1]) < 6:
            gap = max(gap, 2)  # two 1s that touch are a thick one
        drops = np.maximum([0, 0], rng.integers(-2, 3) * np.array([1, -1]))
        shape = (max(row.shape[0] + drops[0], piece.shape[0] + drops[1]), row.shape[1] + gap + piece.shape[1])
        both = np.zeros((2, *shape), np.uint8)
        both[0, drops[0] : drops[0] + row.shape[0], : row.shape[1]] = row
        both[1, drops[1] : drops[1] + piece.shape[0], row.shape[1] + gap :] = piece
        row = both.max(axis=0)
    return row


def _one_and_half(rng: Rng, digits: DigitSource) -> Image:
    """A digit and a part of its neighbour."""
    whole = digits.one("0123456789", rng)
    other = digits.one("02345689", rng)
    width = max(3, round(rng.uniform(0.45, 0.8) * other.shape[1]))
    if rng.random() < 0.5:
        return _scaled(_row([whole, other[:, :width]], rng), rng)
    return _scaled(_row([other[:, -width:], whole], rng), rng)


_HALVES = {"left": "02348", "right": "02", "upper": "0", "lower": "035"}
"""Of these digits a half is no digit: the right of 8 is a 3, the upper of 9 a 0, the right of 4 a 1."""


def _piece(rng: Rng, digits: DigitSource) -> Image:
    """Half a digit, or a little less; a slim one lies, as upright it is a 1."""
    side = list(_HALVES)[rng.integers(4)]
    digit = digits.one(_HALVES[side], rng)
    height, width = (max(3, round(rng.uniform(0.38, 0.52) * length)) for length in digit.shape)
    pieces = {"left": digit[:, :width], "right": digit[:, -width:], "upper": digit[:height], "lower": digit[-height:]}
    piece = _cut(pieces[side])
    if piece.shape[1] < 0.6 * piece.shape[0]:
        piece = piece.T
    return centre(fit_box(piece / 255.0))


def _collage(rng: Rng, digits: DigitSource) -> Image:
    """Four quarters of four digits, none where it was."""
    canvas = np.zeros((BOX, BOX), np.uint8)
    half = BOX // 2
    for place in range(4):
        digit = digits.one("0123456789", rng)
        framed = np.zeros((BOX, BOX), np.uint8)
        left = (BOX - digit.shape[1]) // 2
        framed[: digit.shape[0], left : left + digit.shape[1]] = digit
        source = (place + int(rng.integers(1, 4))) % 4
        rows, columns = (slice(half * i, half * i + half) for i in divmod(source, 2))
        to_rows, to_columns = (slice(half * i, half * i + half) for i in divmod(place, 2))
        canvas[to_rows, to_columns] = framed[rows, columns]
    return centre(fit_box(_cut(canvas) / 255.0))


# Digits as people write them


def _barred_seven(rng: Rng, digits: DigitSource) -> Image:
    """A 7 with a bar drawn across its stem, a little below the middle."""
    for _ in range(20):
        seven = digits.one("7", rng)
        stem = _stem(seven)
        if stem is not None:
            break
    else:
        raise DataError("Drawings expect sevens whose stem can be found; got none in 20 images labelled 7.")
    row, column, width = stem
    reach = rng.uniform(3, 5.5)
    rise = reach * np.tan(np.radians(rng.uniform(-5, 20)))
    shift = rng.uniform(-1, 1)
    ends = np.array([[column - reach + shift, row + rise], [column + reach + shift, row - rise]])
    return centre(fit_box(_with_line(seven, ends, width) / 255.0))


def _stem(seven: Image) -> tuple[float, float, float] | None:
    """Where a bar may cross: the row, the column and the width of the stem there; None where ink is wide already."""
    rows = np.arange(round(0.45 * len(seven)), round(0.65 * len(seven)) + 1)
    widths = (seven[rows] > 100).sum(axis=1)
    if widths.min() == 0 or widths.max() > 5:
        return None
    middles = np.array([np.flatnonzero(seven[row] > 100).mean() for row in rows])
    place = len(rows) // 2
    return float(rows[place]) + 0.5, float(middles[place]) + 0.5, float(np.clip(0.9 * widths.mean(), 1.5, 3.5))


def _with_line(image: Image, ends: Array, width: float) -> Array:
    """The image with a straight line, in pixels, on a larger sheet."""
    from PIL import Image as Pillow
    from PIL import ImageDraw

    edge = 8
    sheet = np.pad(image, edge)
    picture = Pillow.new("L", (FINE * sheet.shape[1], FINE * sheet.shape[0]))
    pen = ImageDraw.Draw(picture)
    (x0, y0), (x1, y1) = FINE * (ends + edge)
    radius = FINE * width / 2
    pen.line((x0, y0, x1, y1), fill=255, width=round(2 * radius))
    for x, y in ((x0, y0), (x1, y1)):
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    line = picture.resize((sheet.shape[1], sheet.shape[0]), Pillow.Resampling.BOX)
    return _cut(np.maximum(sheet, np.asarray(line)))


def _written(name: str) -> Callable[[Rng, DigitSource], Image]:
    def one(rng: Rng, digits: DigitSource) -> Image:
        # The table is read when something is drawn, not before: that takes SciPy, and SciPy most of a second to load.
        ways = [figure for figure in glyphs(tables.DIGITS) if figure.name == name]
        return draw(ways[rng.integers(len(ways))], rng, shake=0.025)

    return one


NON_DIGITS = {
    "letters": DrawingKind(0.15, lambda rng, _: _any(tables.LETTERS, rng)),
    "greek": DrawingKind(0.06, lambda rng, _: _any(tables.GREEK, rng)),
    "scripts": DrawingKind(0.06, lambda rng, _: _any(tables.SCRIPTS, rng)),
    "signs": DrawingKind(0.08, lambda rng, _: _any(tables.SIGNS, rng)),
    "shapes": DrawingKind(0.07, lambda rng, _: _any(tables.SHAPES, rng, shake=0.025)),
    "print": DrawingKind(0.12, _print),
    "scribbles": DrawingKind(0.08, _scribble),
    "filled": DrawingKind(0.04, _filled),
    "blobs": DrawingKind(0.03, _blob),
    "silhouettes": DrawingKind(0.04, _silhouette),
    "bars": DrawingKind(0.04, _bars),
    "noise": DrawingKind(0.04, _noise),
    "gradients": DrawingKind(0.02, _gradient),
    "mirrored": DrawingKind(0.02, _mirrored),
    "numbers": DrawingKind(0.08, _numbers),
    "one and a half": DrawingKind(0.04, _one_and_half),
    "pieces": DrawingKind(0.01, _piece),
    "collages": DrawingKind(0.02, _collage),
}
"""What is no digit, by name; the shares add up to 1."""

VARIANTS = {
    "7 barred": DrawingKind(0.14, _barred_seven),
    "7 crossed": DrawingKind(0.14, _written("7-crossed")),
    "1 upstroke": DrawingKind(0.16, _written("1-upstroke")),
    "1 foot": DrawingKind(0.12, _written("1-foot")),
    "0 slashed": DrawingKind(0.03, _written("0-slashed")),
    "2 loop": DrawingKind(0.04, _written("2-loop")),
    "2 plain": DrawingKind(0.04, _written("2-plain")),
    "3 flat": DrawingKind(0.04, _written("3-flat")),
    "4 open": DrawingKind(0.05, _written("4-open")),
    "4 closed": DrawingKind(0.05, _written("4-closed")),
    "5 bar": DrawingKind(0.03, _written("5-bar")),
    "5 angular": DrawingKind(0.02, _written("5-angular")),
    "6 sharp": DrawingKind(0.04, _written("6-sharp")),
    "8 circles": DrawingKind(0.03, _written("8-circles")),
    "9 straight": DrawingKind(0.04, _written("9-straight")),
    "9 hooked": DrawingKind(0.03, _written("9-hooked")),
}
"""DigitSource by name, which begins with the label; the shares add up to 1."""
