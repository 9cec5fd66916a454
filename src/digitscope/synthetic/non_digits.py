"""Drawings in MNIST's format that are not digits, and ways of writing digits that are rare in MNIST.

A network that was trained on digits only reads a digit in everything. `non_digits` draws what else is found on paper;
`variants` draws the 1 with a long upstroke, the 7 with a bar and other such digits.

Drawings that a person would read as a digit are left out as far as possible: a mirrored 2 reads as a 5, a turned 4 as
a 4, half an 8 as a 3.
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
from digitscope.synthetic.glyphs import (
    Glyph,
    Image,
    bend,
    curve_matrix,
    dashed_lines,
    draw_glyph,
    draw_lines,
    fill_outline,
    parse_glyphs,
    random_pen_width,
    to_mnist_format,
    vary_glyph,
)
from digitscope.vision.normalize import BOX, FINE, SIDE, centre, fit_box

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

Rng = np.random.Generator


class DigitSource:
    """Digits of every class, from which drawings are made.

    Raises: ShapeError if the images are not uint8 (N, 28, 28) with one label each, DataError if a class is missing.
    """

    def __init__(self, images: Array, labels: Array) -> None:
        if images.ndim != 3 or images.shape[1:] != (SIDE, SIDE) or images.dtype != np.uint8:
            raise ShapeError(
                f"Drawings expect images of uint8, (N, {SIDE}, {SIDE}); got {images.dtype}, {images.shape}. "
                "Give MNIST's training images."
            )
        if labels.shape != images.shape[:1]:
            raise ShapeError(f"Drawings expect one label for each image, ({len(images)},); got {labels.shape}.")
        self.images = images
        written = images.any(axis=(1, 2))
        self.indices_by_class = [np.flatnonzero(written & (labels == k)) for k in range(10)]
        missing = [k for k in range(10) if not len(self.indices_by_class[k])]
        if missing:
            raise DataError(
                f"Drawings expect images of each digit, 0 to 9; got none of {', '.join(map(str, missing))}. "
                "Give more images."
            )

    def sample(self, classes: str, rng: Rng) -> Image:
        """A random digit of one of the classes, such as "247", cropped to its ink. -> (h, w), each at most BOX"""
        indices = self.indices_by_class[int(classes[rng.integers(len(classes))])]
        digit: Image = _crop_to_ink(self.images[indices[rng.integers(len(indices))]])
        return digit if max(digit.shape) <= BOX else fit_box(digit / 255.0)


@dataclass(frozen=True)
class DrawingKind:
    """A kind of drawing: its share of all drawings, and the function that draws one."""

    share: float
    draw: Callable[[Rng, DigitSource], Image]


def non_digits(count: int, rng: Rng, images: Array, labels: Array) -> Image:
    """Drawings that are not digits, in the shares of NON_DIGITS. Equal generators give equal drawings.

    images and labels: digits, from which several kinds are made

    Shapes: images uint8 (N, 28, 28), labels (N,) -> uint8 (count, 28, 28)
    Raises: ShapeError or DataError if the digits or the count are invalid.
    """
    digits = DigitSource(images, labels)
    _check_count(count)
    drawn = np.empty((count, SIDE, SIDE), np.uint8)
    for i, name in enumerate(_choose_kinds(NON_DIGITS, count, rng)):
        drawn[i] = NON_DIGITS[name].draw(rng, digits)
    return drawn


def variants(count: int, rng: Rng, images: Array, labels: Array) -> tuple[Image, NDArray[np.int64]]:
    """Digits in forms that are rare in MNIST, in the shares of VARIANTS, and their labels.

    The label is the first character of a kind's name.

    Shapes: images uint8 (N, 28, 28), labels (N,) -> uint8 (count, 28, 28), (count,)
    Raises: ShapeError or DataError if the digits or the count are invalid.
    """
    digits = DigitSource(images, labels)
    _check_count(count)
    drawn = np.empty((count, SIDE, SIDE), np.uint8)
    names = _choose_kinds(VARIANTS, count, rng)
    for i, name in enumerate(names):
        drawn[i] = VARIANTS[name].draw(rng, digits)
    return drawn, np.array([int(name[0]) for name in names], np.int64)


def _check_count(count: int) -> None:
    if count < 0:
        raise DataError(f"Drawings expect a count of at least 0; got {count}.")


def _choose_kinds(kinds: dict[str, DrawingKind], count: int, rng: Rng) -> list[str]:
    shares = np.array([kind.share for kind in kinds.values()])
    names = list(kinds)
    return [names[i] for i in rng.choice(len(names), count, p=shares / shares.sum())]


def _table_glyph(table: str, rng: Rng, shake: float = 0.04) -> Image:
    """A random glyph of a table, drawn. All names are equally likely, no matter how many forms a name has."""
    names = _glyphs_by_name(table)
    forms = names[rng.integers(len(names))]
    return draw_glyph(forms[rng.integers(len(forms))], rng, shake)


@lru_cache
def _glyphs_by_name(table: str) -> list[list[Glyph]]:
    """For each name of the table, the glyphs that have it."""
    forms: dict[str, list[Glyph]] = {}
    for glyph in parse_glyphs(table):
        forms.setdefault(glyph.name, []).append(glyph)
    return list(forms.values())


# Printed letters and signs

PRINTED_SIGNS = (
    "ABCEFHJKMNPRTUVWXYacdefhijkmnprtuvwxyÄÜÇñ&@#%?!*+=~<>{[$€÷±≠√∞"
    "ΓΔΞΠΣΦΨΩαγεηκλμνπρστφχψωЖИЙДЦШЩЫЮЯжфюש×→←↑↓↔∇∀∈∪⊂⊃♥♠♣♦★☆☺☂♫☀☁✂✈✓✗"
)
_FONT_FAMILIES = ("DejaVuSans", "DejaVuSerif", "STIXGeneral", "cm")
_SYMBOL_FONTS = ("Display", "cmex", "cmsy", "cmmi")
_FONT_SIZE = 140  # pixels: a capital letter is about 100 pixels high


@lru_cache
def font_files() -> list[str]:
    """The font files that come with matplotlib, which is not imported for them, to save time."""
    from importlib.util import find_spec
    from pathlib import Path

    matplotlib = find_spec("matplotlib")
    assert matplotlib is not None
    assert matplotlib.origin is not None
    folder = Path(matplotlib.origin).parent / "mpl-data"
    if not folder.is_dir():  # a distribution may have moved it
        from matplotlib import get_data_path

        folder = Path(get_data_path())
    files = sorted((folder / "fonts" / "ttf").glob("*.ttf"))
    return [
        str(f) for f in files if f.name.startswith(_FONT_FAMILIES) and not any(part in f.name for part in _SYMBOL_FONTS)
    ]


@lru_cache
def font_signs(path: str) -> str:
    """Those of PRINTED_SIGNS that a font contains: they look unlike what it prints for a character that it lacks."""
    from PIL import ImageFont

    font = ImageFont.truetype(path, 20)

    def printed(sign: str) -> tuple[object, ...]:
        mask, offset = font.getmask2(sign)
        return bytes(mask), mask.size, offset

    missing = printed("\U0010fffe")
    return "".join(sign for sign in PRINTED_SIGNS if printed(sign) != missing)


@lru_cache(maxsize=64)
def _load_font(path: str) -> "FreeTypeFont":
    from PIL import ImageFont

    return ImageFont.truetype(path, _FONT_SIZE)


def _printed_sign(rng: Rng, digits: DigitSource) -> Image:
    fonts = font_files()
    path = fonts[rng.integers(len(fonts))]
    signs = font_signs(path)
    return _printed(signs[rng.integers(len(signs))], path, rng)


def _printed_digit(digit: str) -> Callable[[Rng, DigitSource], Image]:
    """A function that prints this digit in one of the fonts."""

    def draw(rng: Rng, digits: DigitSource) -> Image:
        fonts = font_files()
        return _printed(digit, fonts[rng.integers(len(fonts))], rng)

    return draw


def _printed(sign: str, path: str, rng: Rng) -> Image:
    """A sign of a font, a little turned, slanted and stretched."""
    from PIL import Image as Pillow
    from PIL import ImageDraw

    side = 2 * _FONT_SIZE
    picture = Pillow.new("L", (side, side))
    ImageDraw.Draw(picture).text((side // 2, side // 2), sign, fill=255, font=_load_font(path), anchor="mm")
    angle, slant = np.radians(rng.uniform(-8, 8)), rng.uniform(-0.1, 0.25)
    across, down = np.exp(rng.uniform(-0.15, 0.15, 2))
    inverse = np.array([[np.cos(angle) * across, np.sin(angle) + slant], [-np.sin(angle), np.cos(angle) * down]])
    shift = side / 2 - inverse @ [side / 2, side / 2]
    matrix = (inverse[0, 0], inverse[0, 1], shift[0], inverse[1, 0], inverse[1, 1], shift[1])
    turned = picture.transform(picture.size, Pillow.Transform.AFFINE, matrix, Pillow.Resampling.BILINEAR)
    return to_mnist_format(np.asarray(turned))


# Doodles


def _scribble(rng: Rng, digits: DigitSource) -> Image:
    lines = _DOODLES[rng.integers(len(_DOODLES))](rng)
    return to_mnist_format(draw_lines(bend(lines, rng), random_pen_width(rng), rng))


def _tangle(rng: Rng) -> list[Array]:
    """One smooth line through eight or more random points, or two lines through five or more."""
    lines = []
    for count in [rng.integers(8, 15)] if rng.random() < 0.7 else rng.integers(5, 8, 2):
        points = rng.uniform(0, 1, (int(count), 2))
        lines.append(curve_matrix(points) @ points)
    return lines


def _zigzag(rng: Rng) -> list[Array]:
    """A line of five or more strokes that alternate up and down, or left and right."""
    count = int(rng.integers(6, 12))
    along = np.linspace(0, 1, count)
    points = np.stack([along, rng.uniform(0.4, 1.2) * (np.arange(count) % 2)], axis=1)
    points += rng.normal(0, 0.05, points.shape)
    line = curve_matrix(points) @ points if rng.random() < 0.5 else points
    return [line[:, ::-1] if rng.random() < 0.4 else line]


def _coil(rng: Rng) -> list[Array]:
    """A row of loops, like a telephone cord."""
    turns, pitch = rng.integers(3, 7), rng.uniform(0.5, 1.6)
    t = np.linspace(0, 2 * np.pi * turns, 16 * int(turns))
    line = np.stack([pitch * t / (2 * np.pi) + np.cos(t), rng.uniform(0.8, 1.6) * np.sin(t)], axis=1)
    return [line / np.ptp(line, axis=0).max()]


def _spiral(rng: Rng) -> list[Array]:
    turns = rng.uniform(2.3, 4)
    t = np.linspace(0, 2 * np.pi * turns, int(20 * turns))
    radius = t / t[-1]
    direction = rng.choice([-1, 1])
    start = rng.uniform(0, 2 * np.pi)
    angle = start + direction * t
    return [0.5 * np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)]


def _hatch(rng: Rng) -> list[Array]:
    """Four or more parallel strokes, sometimes crossed by others."""
    lines = []
    for transposed in (False, True)[: 1 + (rng.random() < 0.4)]:
        for x in np.linspace(0, 1, int(rng.integers(4, 7))):
            points = np.array([[x, 0.0], [x + 0.2, 1]]) + rng.normal(0, 0.04, (2, 2))
            lines.append(points[:, ::-1] if transposed else points)
    return lines


def _burst(rng: Rng) -> list[Array]:
    """Four or more straight strokes between random points."""
    return [rng.uniform(0, 1, (2, 2)) for _ in range(rng.integers(4, 8))]


def _dots(rng: Rng) -> list[Array]:
    return [rng.uniform(0, 1, (1, 2)) for _ in range(rng.integers(3, 10))]


_DOODLES = (_tangle, _tangle, _tangle, _zigzag, _zigzag, _coil, _spiral, _hatch, _burst, _dots)


# Filled shapes


def _filled(rng: Rng, digits: DigitSource) -> Image:
    """One of the closed shapes of the table, filled."""
    closed = _closed_glyphs(tables.SHAPES)
    (outline,) = closed[rng.integers(len(closed))].lines
    points = outline.points + rng.normal(0, rng.uniform(0.01, 0.04), outline.points.shape)
    return _filled_outline(outline.curve @ points, rng)


@lru_cache
def _closed_glyphs(table: str) -> list[Glyph]:
    """The glyphs of one line that ends where it begins."""
    single = [glyph for glyph in parse_glyphs(table) if len(glyph.lines) == 1]
    return [glyph for glyph in single if (glyph.lines[0].points[0] == glyph.lines[0].points[-1]).all()]


def _blob(rng: Rng, digits: DigitSource) -> Image:
    """A filled shape with the edge r = 1 + sum_k a_k cos(k t + p_k), or a filled polygon."""
    if rng.random() < 0.3:
        t = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(4, 9)))
        radius = rng.uniform(0.5, 1, len(t))
    else:
        t = np.linspace(0, 2 * np.pi, 60)
        k = np.arange(1, 7)[:, None]
        amplitudes = rng.normal(0, rng.uniform(0, 0.3), (6, 1)) / k
        radius = np.maximum(1 + (amplitudes * np.cos(k * t + rng.uniform(0, 2 * np.pi, (6, 1)))).sum(axis=0), 0.2)
    return _filled_outline(np.stack([radius * np.cos(t), radius * np.sin(t)], axis=1) / 2, rng)


def _silhouette(rng: Rng, digits: DigitSource) -> Image:
    """A filled shape with mirror symmetry, which many objects have, mostly in several greys."""
    heights = np.linspace(0, 1, int(rng.integers(4, 9)))
    widths = np.abs(rng.uniform(0.2, 0.5) + np.cumsum(rng.normal(0, 0.12, len(heights)))) + 0.08
    if rng.random() < 0.6:  # smooth
        matrix = curve_matrix(np.stack([widths, heights], axis=1))
        widths, heights = matrix @ widths, matrix @ heights
    right = np.stack([widths, heights], axis=1)
    return _filled_outline(np.concatenate([right, right[::-1] * [-1, 1]]), rng, greys=0.7)


def _filled_outline(outline: Array, rng: Rng, greys: float = 0.3) -> Image:
    """A filled outline in one grey, or with probability `greys` in many.

    A narrow one is laid horizontally, because upright it would be a 1.
    """
    (outline,) = bend([outline], rng)
    spread, axes = np.linalg.eigh(np.cov(outline.T))
    if spread[0] < 0.3 * spread[1]:
        outline = outline @ axes[:, ::-1]
    drawing = fill_outline(outline).astype(np.float32)
    if rng.random() < greys:
        drawing *= 0.15 + 0.85 * _resize(_texture(rng, int(rng.integers(2, 9))), drawing.shape)
    return to_mnist_format(drawing)


# Lines, textures, gradients


def _bars(rng: Rng, digits: DigitSource) -> Image:
    """Horizontal bars, ruled lines, grids, frames and corners. Vertical bars alone are three or more."""
    horizontal, vertical = [
        (1, 0),
        (2, 0),
        (3, 0),
        (5, 0),
        (0, 3),
        (0, 5),
        (2, 2),
        (3, 2),
        (3, 3),
        (4, 4),
        (1, 3),
        (2, 1),
    ][rng.integers(12)]
    height = rng.uniform(0.5, 1.3)
    lines = [np.array([[0, y], [1, y]]) for y in height * np.linspace(0.1, 0.9, horizontal)]
    lines += [np.array([[x, 0], [x, height]]) for x in np.linspace(0.1, 0.9, vertical)]
    lines = [line + rng.normal(0, 0.01, (2, 2)) for line in lines]
    if horizontal + vertical > 2 and rng.random() < 0.3:  # a frame around them
        lines.append(np.array([[0, 0], [1, 0], [1, height], [0, height], [0, 0]]))
    return to_mnist_format(draw_lines(bend(lines, rng, turn=8), random_pen_width(rng), rng))


def _corner(rng: Rng, digits: DigitSource) -> Image:
    """Where two lines of a grid meet: three of the four corners (the fourth is a 7), a T or a cross, or a slanted
    stroke."""
    arms = [("left", "up"), ("right", "down"), ("right", "up"), ("left", "right", "down"), ("left", "right", "up")]
    arms += [("up", "down", "right"), ("left", "right", "up", "down"), ("slant",), ("slant",)]
    ends = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}
    chosen = arms[rng.integers(len(arms))]
    if chosen == ("slant",):
        angle = np.radians(rng.uniform(40, 85))  # from upright; a steeper stroke is a 1
        lines = [np.array([[0, 0], [rng.choice([-1, 1]) * np.sin(angle), np.cos(angle)]])]
    else:
        lines = [np.array([[0, 0], ends[arm]]) * rng.uniform(0.5, 1) for arm in chosen]
    return to_mnist_format(draw_lines(bend(lines, rng, wobble=0.01, turn=6), random_pen_width(rng), rng))


def _edge(rng: Rng, digits: DigitSource) -> Image:
    """The edge of a shadow, a sheet or a photo: all ink on one side of one line or two, sharp or soft."""
    y, x = np.mgrid[:BOX, :BOX] / BOX - 0.5
    filled = np.ones((BOX, BOX))
    for _ in range(rng.integers(1, 3)):
        angle = rng.uniform(0, 2 * np.pi)
        side = np.cos(angle) * x + np.sin(angle) * y - rng.uniform(-0.3, 0.3) + rng.uniform(0, 1) * x * y
        filled = np.minimum(filled, np.clip(0.5 + side * rng.choice([3.0, 10.0, 30.0]), 0, 1))
    if filled.max() < 0.5:
        return _edge(rng, digits)
    return centre((255 * filled / filled.max()).astype(np.uint8))


def _noise(rng: Rng, digits: DigitSource) -> Image:
    """Noise of one or two scales over the whole image or MNIST's box, grey or black and white."""
    texture = _texture(rng, int(rng.integers(3, SIDE + 1)))
    if rng.random() < 0.3:
        texture = (texture + _texture(rng, int(rng.integers(3, SIDE + 1)))) / 2
    if rng.random() < 0.4:
        texture = texture > np.quantile(texture, rng.uniform(0.3, 0.7))
    return _whole_or_centre(rng.uniform(0.5, 1) * texture, rng)


def _gradient(rng: Rng, digits: DigitSource) -> Image:
    """A gradient along a direction or outwards from a point, smooth or in steps, or a wave."""
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
    return _whole_or_centre(along, rng)


def _whole_or_centre(picture: Array, rng: Rng) -> Image:
    """A picture (28, 28), 0 to 1: unchanged or with everything outside MNIST's box blank, chosen at random."""
    grey: Image = (255 * picture).round().astype(np.uint8)
    if rng.random() < 0.5:
        return grey
    margin = (SIDE - BOX) // 2
    return centre(grey[margin:-margin, margin:-margin])


def _texture(rng: Rng, cells: int) -> Array:
    """A grid of cells x cells random greys, 0 to 1, smoothly enlarged. -> (28, 28)"""
    return _resize(rng.uniform(0, 1, (cells, cells)).astype(np.float32), (SIDE, SIDE))


def _resize(picture: Array, shape: tuple[int, ...]) -> Array:
    from PIL import Image as Pillow

    image = Pillow.fromarray(picture).resize((shape[1], shape[0]), Pillow.Resampling.BICUBIC)
    resized: Array = np.clip(np.asarray(image), 0, 1)
    return resized


# Drawings made from digits


def _crop_to_ink(image: Array) -> Array:
    """The bounding box of the ink. (H, W) -> (h, w)"""
    rows, columns = (np.flatnonzero(image.any(axis=1 - axis)) for axis in (0, 1))
    return image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _fit_with_thickening(picture: Array, rng: Rng) -> Image:
    """A picture in MNIST's format. Its strokes are thickened first, which makes up for a random part of the scaling."""
    x = np.pad(_crop_to_ink(picture), 1)[..., None] / np.float32(255)
    shrinkage = max(picture.shape) / BOX - 1
    grown = thicken(x, np.clip(rng.uniform(0.3, 1, 1) * shrinkage, 0, 1).astype(np.float32))
    return centre(fit_box(_crop_to_ink(grown[..., 0])))


def _mirrored(rng: Rng, digits: DigitSource) -> Image:
    """A 3 or 7 mirrored left to right, or a 7 upside down. Many other digits stay readable or become another digit."""
    if rng.random() < 0.75:
        return centre(digits.sample("37", rng)[:, ::-1])
    return centre(digits.sample("7", rng)[::-1])


def _digits_side_by_side(rng: Rng, digits: DigitSource) -> Image:
    """Two or three digits side by side, separate or touching."""
    count = 2 + (rng.random() < 0.25)
    return _fit_with_thickening(_side_by_side([digits.sample("0123456789", rng) for _ in range(count)], rng), rng)


def _side_by_side(pieces: list[Image], rng: Rng) -> Array:
    """Pieces side by side at slightly different heights, with gaps or touching."""
    row = pieces[0]
    for piece in pieces[1:]:
        gap = max(int(rng.integers(-3, 4)), -min(row.shape[1], piece.shape[1]) // 4)
        if min(row.shape[1], piece.shape[1]) < 6:
            gap = max(gap, 2)  # two 1s that touch would be one thick 1
        drops = np.maximum([0, 0], rng.integers(-2, 3) * np.array([1, -1]))
        shape = (max(row.shape[0] + drops[0], piece.shape[0] + drops[1]), row.shape[1] + gap + piece.shape[1])
        both = np.zeros((2, *shape), np.uint8)
        both[0, drops[0] : drops[0] + row.shape[0], : row.shape[1]] = row
        both[1, drops[1] : drops[1] + piece.shape[0], row.shape[1] + gap :] = piece
        row = both.max(axis=0)
    return row


def _word(rng: Rng, digits: DigitSource) -> Image:
    """Two to six letters side by side, or a digit and a letter."""
    pieces = [_crop_to_ink(_table_glyph(tables.LETTERS, rng)) for _ in range(rng.choice([2, 2, 2, 3, 3, 4, 5, 6]))]
    if rng.random() < 0.25:
        pieces = [digits.sample("023456789", rng), pieces[0]]
        if rng.random() < 0.5:
            pieces.reverse()
    return _fit_with_thickening(_side_by_side(pieces, rng), rng)


def _digit_and_part(rng: Rng, digits: DigitSource) -> Image:
    """A digit and part of a neighbour."""
    whole = digits.sample("0123456789", rng)
    other = digits.sample("02345689", rng)
    width = max(3, round(rng.uniform(0.45, 0.8) * other.shape[1]))
    if rng.random() < 0.5:
        return _fit_with_thickening(_side_by_side([whole, other[:, :width]], rng), rng)
    return _fit_with_thickening(_side_by_side([other[:, -width:], whole], rng), rng)


_HALVED_DIGITS = {"left": "02348", "right": "02", "upper": "0", "lower": "035"}
"""The digits of which this half is not a digit. The right half of 8 is a 3, the upper half of 9 a 0, the right half of
4 a 1."""


def _half_digit(rng: Rng, digits: DigitSource) -> Image:
    """Half a digit or a little less. A narrow piece is laid horizontally, because upright it would be a 1."""
    side = list(_HALVED_DIGITS)[rng.integers(4)]
    digit = digits.sample(_HALVED_DIGITS[side], rng)
    height, width = (max(3, round(rng.uniform(0.38, 0.52) * length)) for length in digit.shape)
    pieces = {"left": digit[:, :width], "right": digit[:, -width:], "upper": digit[:height], "lower": digit[-height:]}
    piece = _crop_to_ink(pieces[side])
    if piece.shape[1] < 0.6 * piece.shape[0]:
        piece = piece.T
    return centre(fit_box(piece / 255.0))


def _collage(rng: Rng, digits: DigitSource) -> Image:
    """Quarters of four digits, each in another corner than it came from."""
    canvas = np.zeros((BOX, BOX), np.uint8)
    half = BOX // 2
    for quarter in range(4):
        digit = digits.sample("0123456789", rng)
        framed = np.zeros((BOX, BOX), np.uint8)
        left = (BOX - digit.shape[1]) // 2
        framed[: digit.shape[0], left : left + digit.shape[1]] = digit
        source = (quarter + int(rng.integers(1, 4))) % 4
        rows, columns = (slice(half * i, half * i + half) for i in divmod(source, 2))
        to_rows, to_columns = (slice(half * i, half * i + half) for i in divmod(quarter, 2))
        canvas[to_rows, to_columns] = framed[rows, columns]
    return centre(fit_box(_crop_to_ink(canvas) / 255.0))


# Rare forms of digits


def _barred_seven(rng: Rng, digits: DigitSource) -> Image:
    """A 7 of MNIST with a bar drawn across its stem."""
    for _ in range(20):
        seven = digits.sample("7", rng)
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
    """Row, column and width of the stem where a bar may cross it; None if the ink is already wide there."""
    rows = np.arange(round(0.45 * len(seven)), round(0.65 * len(seven)) + 1)
    widths = (seven[rows] > 100).sum(axis=1)
    if widths.min() == 0 or widths.max() > 5:
        return None
    middles = np.array([np.flatnonzero(seven[row] > 100).mean() for row in rows])
    middle = len(rows) // 2
    return float(rows[middle]) + 0.5, float(middles[middle]) + 0.5, float(np.clip(0.9 * widths.mean(), 1.5, 3.5))


def _with_line(image: Image, ends: Array, width: float) -> Array:
    """The image with a straight line that may go beyond its edges, cropped to the ink. ends and width in pixels"""
    from PIL import Image as Pillow
    from PIL import ImageDraw

    margin = 8
    sheet = np.pad(image, margin)
    picture = Pillow.new("L", (FINE * sheet.shape[1], FINE * sheet.shape[0]))
    pen = ImageDraw.Draw(picture)
    (x0, y0), (x1, y1) = FINE * (ends + margin)
    radius = FINE * width / 2
    pen.line((x0, y0, x1, y1), fill=255, width=round(2 * radius))
    for x, y in ((x0, y0), (x1, y1)):
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    line = picture.resize((sheet.shape[1], sheet.shape[0]), Pillow.Resampling.BOX)
    return _crop_to_ink(np.maximum(sheet, np.asarray(line)))


DASHED = 0.05
"""The fraction of the glyphs of digits that are drawn with dashes."""


def _variant(name: str) -> Callable[[Rng, DigitSource], Image]:
    """A function that draws one of the glyphs of this name in the table of digits."""

    def draw(rng: Rng, digits: DigitSource) -> Image:
        # The table is parsed at the first drawing, not at import.
        forms = [glyph for glyph in parse_glyphs(tables.DIGITS) if glyph.name == name]
        form = forms[rng.integers(len(forms))]
        if rng.random() >= DASHED or name.endswith("segments"):
            return draw_glyph(form, rng, shake=0.025)
        dashes = dashed_lines(vary_glyph(form, rng, 0.025), rng)
        return to_mnist_format(draw_lines(dashes, min(random_pen_width(rng), 2.6), rng))

    return draw


NON_DIGITS = {
    "letters": DrawingKind(0.15, lambda rng, _: _table_glyph(tables.LETTERS, rng)),
    "greek": DrawingKind(0.05, lambda rng, _: _table_glyph(tables.GREEK, rng)),
    "scripts": DrawingKind(0.06, lambda rng, _: _table_glyph(tables.SCRIPTS, rng)),
    "signs": DrawingKind(0.08, lambda rng, _: _table_glyph(tables.SIGNS, rng)),
    "shapes": DrawingKind(0.06, lambda rng, _: _table_glyph(tables.SHAPES, rng, shake=0.025)),
    "print": DrawingKind(0.11, _printed_sign),
    "scribbles": DrawingKind(0.07, _scribble),
    "filled": DrawingKind(0.03, _filled),
    "blobs": DrawingKind(0.03, _blob),
    "silhouettes": DrawingKind(0.03, _silhouette),
    "bars": DrawingKind(0.04, _bars),
    "corners": DrawingKind(0.03, _corner),
    "edges": DrawingKind(0.02, _edge),
    "noise": DrawingKind(0.03, _noise),
    "gradients": DrawingKind(0.02, _gradient),
    "mirrored": DrawingKind(0.02, _mirrored),
    "numbers": DrawingKind(0.06, _digits_side_by_side),
    "words": DrawingKind(0.05, _word),
    "one and a half": DrawingKind(0.03, _digit_and_part),
    "pieces": DrawingKind(0.01, _half_digit),
    "collages": DrawingKind(0.02, _collage),
}
"""Kinds of drawings that are not digits, by name. The shares add up to 1."""

_VARIANT_SHARES = {
    "0 slashed": 0.02,
    "0 pointed": 0.01,
    "0 open": 0.02,
    "0 corners": 0.02,
    "0 hooked": 0.01,
    "1 upstroke": 0.05,
    "1 tick": 0.03,
    "1 foot": 0.05,
    "1 long": 0.04,
    "2 loop": 0.02,
    "2 plain": 0.02,
    "2 curled": 0.02,
    "3 flat": 0.02,
    "3 angular": 0.02,
    "3 loop": 0.01,
    "4 open": 0.04,
    "4 closed": 0.03,
    "4 loop": 0.03,
    "4 lightning": 0.05,
    "4 triangle": 0.02,
    "5 bar": 0.02,
    "5 separate": 0.02,
    "5 angular": 0.01,
    "5 stem": 0.01,
    "6 sharp": 0.02,
    "6 small": 0.02,
    "6 straight": 0.01,
    "7 crossed": 0.03,
    "7 serif": 0.02,
    "7 short": 0.02,
    "7 strokes": 0.02,
    "7 wavy": 0.02,
    "7 wide": 0.03,
    "8 circles": 0.02,
    "8 open": 0.02,
    "9 straight": 0.02,
    "9 small": 0.02,
    "9 hooked": 0.02,
    "9 open": 0.01,
    "9 curled": 0.03,
}
VARIANTS = {
    "7 barred": DrawingKind(0.02, _barred_seven),
    **{name: DrawingKind(share, _variant(name.replace(" ", "-"))) for name, share in _VARIANT_SHARES.items()},
    **{f"{k} segments": DrawingKind(0.003, _variant(f"{k}-segments")) for k in range(10)},
    **{f"{k} print": DrawingKind(0.003, _printed_digit(str(k))) for k in range(10)},
}
"""Rare forms of digits by name, which begins with the label. The shares add up to 1."""
