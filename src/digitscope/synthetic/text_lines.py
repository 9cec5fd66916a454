"""Lines of writing as ink coverage, whose text is known exactly: numbers, signs, words, and what surrounds them.

A line is one of the KINDS of text, written by hand (MNIST's digits, and pen strokes in many forms), printed, or in
seven segments. It may touch, overlap, be broken or cut off, be joined by ruling, a box or an underline, be coarse, soft
or dirty, as the ink that is found in a picture is.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from digitscope.arrays import Array
from digitscope.synthetic.glyph_tables import DIGITS, GREEK, LETTERS, SCRIPTS, SHAPES
from digitscope.synthetic.glyphs import Glyph, parse_glyphs, vary_glyph
from digitscope.synthetic.non_digits import font_files

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

Rng = np.random.Generator
UNIT = 40
"""Height of a digit when it is drawn, in pixels."""
TALL = 3 * UNIT
"""Height of the sheet. Digits stand between the rows UNIT and 2 UNIT."""
FINE = 2
"""Points of MNIST's distance fields along a pixel's side."""
SUPER = 3
"""Points of a pen stroke's drawing along a pixel's side."""
OTHER = "?"
"""Stands for a run of letters, or anything else that is written but is not one of the signs."""
SIGNS = "-+.,/:()=%$"
"""Signs that are read as themselves, besides digits and spaces."""
BLANK_WIDTH = 0.75
"""Minimum gap, in heights of a digit, that is a space."""

PEN_DIGITS = """
0 50~15~59~95~50
0 40~14~49~74~40
0 50~15~59~95~50~72
0 62~30~04~28~69~85~81~51
0 30~05~39~88~92~70~41
0 50-14~16~59~86~83~50
0 40-05-49-85-40
0 10-70-79-19-10
0 50~15~59~95~50 81-18
0 40~14~49~74~40 80-09
1 50-59
1 60-39
1 40-59
1 32-50-59
1 22-50-59
1 14-60-69
1 06-60-69
1 13~42~60-69
1 50-59 29-89
1 14-50-59 19-99
1 23-50-59 29-89
1 50~57~68
1 32-50~57~79
1 32-50-59 39-79
2 12~40~72~56-19-89
2 02~40~73~46-09-79
2 12~40~72~48~18~27~58~98
2 13~30~71~56~19~18~38~69~88
2 10-70-09-89
2 11~40~71~64~09-09-99
2 12~40~71~55~19~38~79~97
3 11~40~72~44-44~76~49~07
3 12~40~71~54~34-54~77~49~18
3 10-80-44~76~59~08
3 11-70-44~66~49~08
3 10-80-45-88-59-08
3 11~50~72~34~77~49~08
3 21~50~62~45~24~45~77~49~28
4 20-15-85 60-69
4 20~14~26-86 70-69
4 10~15~46~75 80-79
4 30-05-85 62-59
4 60-06-96 60-69
4 79-70-06-96
4 69-60-05-95
4 50-06-96 63-69
4 10-05-75 52-59
4 69-60-16~46~65~84
4 00-05-85 80-89
4 60~27~05~86 62-69
5 30-25~55~77~49~18 31-81
5 20-14~54~77~49~08 20-80
5 80-30-24~55~77~49~18
5 80-20-14-54~87~49~08
5 81~40~23~54~76~49~18
5 70-20-14~63~77~39~07
5 23~54~77~49~18 20-80
6 60-16~39~77~65~17
6 80-26~39~77~65~27
6 60~23~16~39~67~55~26
6 71~34~17~49~77~55~27
6 50~14~17~49~78~65~27
6 40-17~39~58~36~18
6 61~33~27~59~77~65~37
7 00-80-39
7 10-70-49
7 02-00-80-39
7 02-10-80~54~49
7 00-90~55~39
7 20-70-49
7 10-60 80-39
7 10-80-39 25-75
7 11-10-80~54~39 34-85
7 10-80~55~49 25-85
7 00~40~80-80-39 25-85
7 11-10-80-39 35-85
7 12~20~70-49
8 40~22~44~62~40 44~17~49~77~44
8 50~32~54~72~50 44~26~49~66~44
8 40~12~35~72~40 45~17~49~77~45
8 71~40~12~44~77~49~17~44~71
8 70~30~22~55~77~49~17~54~80
8 60~22~55~68~39~27~54~71
8 10-70-75-15-10 15-19-79-75
9 72~40~12~35~72-79
9 81~50~13~25~54~81-69
9 71~40~13~35~71 70-79
9 81~50~13~25~54~81-86~68~38~17
9 72~40~12~34~72-77~59~29~17
9 61~40~22~34~61-69
9 70~41~33~53~70-69
9 71~40~22~34~71~67~49~28
"""
"""Digits as people write them, in the notation of `glyph_tables`; several of one class in other ways."""

PEN_SIGNS = """
- 05-95
- 06-94
- 04~34~65~95
+ 05-95 52-58
+ 05-94 51-59
. 49
, 48-39
, 48~58~29
/ 19-80
/ 09-90
/ 29-70
: 44 48
: 43 49
( 60~32~37~69
( 70~23~26~79
) 30~62~67~39
) 20~73~76~29
= 04-94 07-97
= 03-92 06-96
% 90-09 20~02~24~42~20 75~57~79~97~75
% 80-19 31~12~24~42~31 75~66~79~87~75
$ 82~50~13~44~76~49~07 50-39
$ 82~41~13~44~75~48~07 30-39 60-69
"""
SIGN_WIDTHS = {"-": 0.5, "+": 0.55, ".": 0.1, ",": 0.25, "/": 0.6, ":": 0.15, "(": 0.6, ")": 0.6, "=": 0.55}
"""Width of the signs' square, in heights of a digit; 0.75 for others."""

LOOKALIKES = """
O 50~15~59~95~50
o 53~15~59~95~53
l 50-59
I 20-80 50-59 29-89
S 82~50~13~44~76~49~07
s 73~43~34~66~59~27
Z 10-80-19-89
b 10-19 15~44~76~49~17
g 74~43~15~37~66~74-78~59~28
q 74~43~15~37~66~74-79
B 10-19 10~60~62~14~75~68~19
G 82~50~13~16~49~86-85-55
D 10-19 10~60~94~69~19
"""
"""Letters that look like digits by themselves: only written in words."""


@dataclass(frozen=True, eq=False)
class WrittenLine:
    """A line's ink and its text."""

    ink: NDArray[np.uint8]
    """(H, W), 0 paper to 255 ink."""
    text: str
    """Digits, SIGNS, spaces and OTHER as written."""
    kind: str
    """The kind of text, one of KINDS."""


@dataclass(frozen=True, eq=False)
class _Piece:
    """A character's ink. Row 0 is `top` rows below that of the sheet."""

    ink: NDArray[np.uint8]
    top: int


_Placed = tuple[str, _Piece, int]


class LineWriter:
    """Writes lines with the digits of these images. Equal generators give equal lines.

    Shapes: images uint8 (N, 28, 28), labels (N,)
    """

    def __init__(self, images: Array, labels: Array) -> None:
        self.images = images
        self.of_class = [np.flatnonzero(labels == k) for k in range(10)]
        self._fields: dict[int, tuple[Array, float]] = {}

    def write(self, rng: Rng, kind: str | None = None) -> WrittenLine:
        """One line; of a random kind, in the shares of KINDS, unless one is given."""
        if kind is None:
            kind = str(rng.choice(list(KINDS), p=_SHARES))
        words, style, ink = self.compose(rng, kind)
        return WrittenLine(_degrade(ink, style, rng), text_of(words), kind)

    def compose(self, rng: Rng, kind: str | None = None) -> "tuple[str, LineStyle, Array]":
        """Words, their style, and their undamaged ink, (TALL, W)."""
        if kind is None:
            kind = str(rng.choice(list(KINDS), p=_SHARES))
        words = KINDS[kind].compose(rng)
        style = LineStyle(rng, kind)
        return words, style, self._lay_out(words, style, rng)

    def _lay_out(self, words: str, style: "LineStyle", rng: Rng) -> Array:
        """The characters beside each other on a sheet, whose gaps are noted in the style. (TALL, W)"""
        pieces: list[tuple[_Piece, int]] = []
        end, space, previous, before = 0, 0.0, None, ""
        for character in words:
            if character == " ":
                space = rng.uniform(BLANK_WIDTH + 0.1, 2.2) if rng.random() < 0.9 else rng.uniform(2, 5)
                continue
            piece = self._piece(character, style, rng)
            drift = round(style.slope * end + rng.normal(0, style.jump) * UNIT)
            piece = _Piece(piece.ink, piece.top + drift)
            left = 0
            if previous is not None:
                if space:
                    left = end + round(space * UNIT)
                elif style.boxed:
                    left = end + round(style.gap * rng.uniform(0.75, 1.3) * UNIT)
                elif style.point_gap and "." in (character, before):
                    gap = style.point_gap * rng.uniform(0.7, 1.3) * UNIT
                    left = max(_beside(*previous, piece, gap), end)
                elif rng.random() < style.touching and character not in ".,:":
                    left = max(_beside(*previous, piece, -rng.uniform(0, 0.12) * UNIT), previous[1] + 3)
                else:
                    gap = min(style.gap * rng.uniform(0.6, 1.5), BLANK_WIDTH - 0.25) * UNIT
                    left = max(_beside(*previous, piece, gap), previous[1] + 3)
                    if rng.random() < 0.5:  # most writers leave room between boxes rather than between strokes
                        left = max(left, end + round(0.3 * gap))
            if previous is not None:
                style.gaps.append((end + left) / 2)
            space = 0.0
            pieces.append((piece, left))
            end = max(end, left + piece.ink.shape[1])
            previous, before = (piece, left), character
        sheet = np.zeros((TALL, end + 2), np.uint8)
        for piece, left in pieces:
            _paste(sheet, piece, left)
        characters = words.replace(" ", "")
        if style.join_letters:
            _join_letters(sheet, pieces, characters, style)
        if style.join_zeros:
            _join_zeros(sheet, pieces, characters, style)
        return sheet

    def _piece(self, character: str, style: "LineStyle", rng: Rng) -> _Piece:
        if style.font is not None and _has(style.font, character):
            return _printed(character, style, rng)
        if character in "0123456789":
            if style.segments:
                return _segments(int(character), style, rng)
            if rng.random() < style.mnist:
                return self._scanned(int(character), style, rng)
        return _penned(character, style, rng)

    def _scanned(self, label: int, style: "LineStyle", rng: Rng) -> _Piece:
        """A digit of MNIST with the style's pen, slant and size."""
        from PIL import Image

        indices = self.of_class[label]
        field, width = self._field(int(indices[rng.integers(len(indices))]))
        rows, columns = field.shape
        height = UNIT * style.size * np.clip(rng.normal(1, style.uneven), 0.75, 1.3)
        pixel = height / (rows / FINE)  # sheet pixels for one of MNIST's
        across = pixel * style.stretch * np.exp(rng.normal(0, 0.08))
        slant = style.slant + rng.normal(0, 0.05)
        size = (max(3, round(columns / FINE * across + abs(slant) * height)), max(4, round(height)))
        step = FINE / across, FINE / pixel
        shift = -slant * size[1] if slant > 0 else 0.0
        matrix = (step[0], step[0] * slant, step[0] * shift, 0.0, step[1], 0.0)
        moved = Image.fromarray(field).transform(
            size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR, fillcolor=9
        )
        grow = np.clip((style.pen * UNIT / pixel - width) / 2, -0.65, 1.3)
        ink = np.clip((grow - np.asarray(moved)) * pixel + 0.5, 0, 1) * 255
        return _Piece(ink.astype(np.uint8), 2 * UNIT - size[1])

    def _field(self, index: int) -> tuple[Array, float]:
        """The signed distance from the ink's edge, in MNIST's pixels, and the stroke's width."""
        from PIL import Image
        from scipy.ndimage import distance_transform_edt

        if index not in self._fields:
            image = self.images[index]
            rows, columns = (np.flatnonzero((image > 60).any(axis=1 - axis)) for axis in (0, 1))
            crop = np.pad(image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], 1)
            size = (FINE * crop.shape[1], FINE * crop.shape[0])
            large = np.asarray(Image.fromarray(crop).resize(size, Image.Resampling.BICUBIC), np.float32)
            ink = large > 110
            inside = distance_transform_edt(ink)
            field = (distance_transform_edt(~ink) - inside).astype(np.float32) / FINE
            width = (4 * float(inside[ink].mean()) - 2) / FINE if ink.any() else 2.0
            self._fields[index] = field, width
        return self._fields[index]


class LineStyle:
    """How one line is written: source, pen, slant, sizes and gaps."""

    def __init__(self, rng: Rng, kind: str) -> None:
        source = rng.random()
        self.font: str | None = None
        self.segments = False
        if source < 0.12 or (kind in ("word", "number and word") and source < 0.4):
            fonts = font_files()
            self.font = fonts[rng.integers(len(fonts))]
        elif source < 0.15:
            self.segments = True
        self.mnist = float(rng.choice([0.0, 0.5, 0.9, 1.0], p=[0.2, 0.2, 0.2, 0.4]))
        self.pen = float(np.exp(rng.normal(np.log(0.11), 0.35)))
        self.slant = float(rng.normal(0.1, 0.18))
        self.size = 1.0
        self.uneven = float(rng.uniform(0, 0.12))
        self.stretch = float(np.exp(rng.normal(0, 0.15)))
        self.slope = float(rng.normal(0, 0.025))
        self.jump = float(rng.uniform(0, 0.08))
        self.gap = float(np.exp(rng.uniform(np.log(0.04), np.log(0.5))))
        self.touching = float(rng.choice([0, 0.1, 0.4, 1.0], p=[0.45, 0.25, 0.2, 0.1]))
        self.shake = float(rng.uniform(0.012, 0.035))
        self.point_height = float(rng.uniform(0.25, 0.6)) if rng.random() < 0.35 else 0.0
        """How high a point is above the baseline, in heights of a digit."""
        self.point_gap = float(rng.uniform(0.15, 0.5)) if rng.random() < 0.35 else 0.0
        """The gap at both sides of a point; 0 if it is like others."""
        self.join_letters = rng.random() < 0.4
        self.join_zeros = rng.random() < 0.2
        self.forms = {str(k): int(rng.integers(1 << 30)) for k in range(10)}
        self.one_form = rng.random() < 0.6
        self.gaps: list[float] = []
        """Columns of the sheet in the middle between neighbouring characters; known after the line was laid out."""
        self.boxed = kind == "field" or (kind in ("digit", "number", "decimal", "date") and rng.random() < 0.15)
        if self.boxed:
            self.gap = float(rng.uniform(0.2, 0.7))
        if self.font or self.segments:
            self.slope, self.jump, self.touching = self.slope / 4, 0.0, 0.0
            self.uneven = 0.0
            self.slant = self.slant if rng.random() < 0.3 else 0.0
        if self.segments:
            self.gap = max(self.gap, 0.15)


def text_of(words: str) -> str:
    """The text to read: letters are OTHER, a run of them once."""
    text = ""
    for character in words:
        read = character if character in "0123456789 " or character in SIGNS else OTHER
        if not (read == OTHER and text.endswith(OTHER)):
            text += read
    return text


def _beside(previous: _Piece, left: int, piece: _Piece, gap: float) -> int:
    """Where a piece begins so that its ink is `gap` right of the previous piece's, row by row."""
    right_edge, left_edge = np.full(TALL, -np.inf), np.full(TALL, np.inf)
    for edges, item in ((right_edge, previous), (left_edge, piece)):
        inked = item.ink > 100
        rows = np.flatnonzero(inked.any(axis=1))
        to = rows + item.top
        rows, to = rows[(to >= 0) & (to < TALL)], to[(to >= 0) & (to < TALL)]
        if item is previous:
            edges[to] = left + inked.shape[1] - inked[rows, ::-1].argmax(axis=1)
        else:
            edges[to] = inked[rows].argmax(axis=1)
    # A stroke reaches over some rows above and below it, or digits would slide under each other.
    for shift in (3, 6):
        right_edge = np.maximum(right_edge, np.maximum(np.roll(right_edge, shift), np.roll(right_edge, -shift)))
    distance = float((right_edge - left_edge).max())
    if not np.isfinite(distance):
        distance = left + previous.ink.shape[1] * 0.6
    return round(distance + gap)


def _paste(sheet: Array, piece: _Piece, left: int) -> None:
    top, bottom = max(0, piece.top), min(TALL, piece.top + piece.ink.shape[0])
    if bottom > top:
        area = sheet[top:bottom, left : left + piece.ink.shape[1]]
        ink = piece.ink[top - piece.top : bottom - piece.top, : area.shape[1]]
        np.maximum(area, ink, out=area)


def _join_letters(sheet: Array, pieces: list[tuple[_Piece, int]], characters: str, style: LineStyle) -> None:
    """Strokes between neighbouring letters, as in joined handwriting."""
    for (a, one, left), (b, two, right) in _neighbouring(pieces, characters):
        if a.isalpha() and b.isalpha():
            low, other_low = one.top + one.ink.shape[0], two.top + two.ink.shape[0]
            _draw_line(
                sheet, (left + one.ink.shape[1] - 4, low - 4, right + 4, min(low, other_low) - 0.35 * UNIT), style
            )


def _join_zeros(sheet: Array, pieces: list[tuple[_Piece, int]], characters: str, style: LineStyle) -> None:
    """Strokes between the upper ends of neighbouring zeros that are written without lifting the pen."""
    for (a, one, left), (b, two, right) in _neighbouring(pieces, characters):
        if a == b == "0":
            start, end = (
                (x + item.ink.shape[1] / 2, item.top + style.pen * UNIT / 2) for x, item in ((left, one), (right, two))
            )
            sag = 0.25 * UNIT * (style.forms["0"] % 100) / 100
            between = left + one.ink.shape[1], (start[1] + end[1]) / 2 + sag
            _draw_line(sheet, (*start, *between, *end), style)


def _neighbouring(pieces: list[tuple[_Piece, int]], characters: str) -> Iterator[tuple[_Placed, _Placed]]:
    """Neighbours that are less than half a digit's height apart: character, piece and first column of each."""
    placed = [(character, piece, left) for character, (piece, left) in zip(characters, pieces, strict=True)]
    for one, two in pairwise(placed):
        if two[2] - one[2] - one[1].ink.shape[1] < 0.5 * UNIT:
            yield one, two


def _draw_line(sheet: Array, path: Sequence[float], style: LineStyle) -> None:
    from PIL import Image, ImageDraw

    picture = Image.fromarray(sheet)
    ImageDraw.Draw(picture).line(path, fill=255, width=max(1, round(style.pen * UNIT)), joint="curve")
    sheet[...] = np.asarray(picture)


# One character


@lru_cache
def _pen_forms() -> dict[str, list[Glyph]]:
    forms: dict[str, list[Glyph]] = {}
    for table in (PEN_DIGITS, DIGITS, PEN_SIGNS, LETTERS, GREEK, LOOKALIKES, SCRIPTS):
        for glyph in parse_glyphs(table):
            forms.setdefault(glyph.name[0] if glyph.name[0].isdigit() else glyph.name, []).append(glyph)
    return forms


@lru_cache
def _letters() -> tuple[list[str], list[str]]:
    """Letters for words, and names of other glyphs that stand for something that is not a digit."""
    latin = [g.name for table in (LETTERS, LOOKALIKES) for g in parse_glyphs(table)]
    rest = [g.name for table in (GREEK, SCRIPTS, SHAPES) for g in parse_glyphs(table)]
    return sorted(set(latin)), sorted(set(rest))


def _penned(character: str, style: LineStyle, rng: Rng) -> _Piece:
    """A character drawn with a pen."""
    forms = _pen_forms().get(character) or _pen_forms()["x"]
    stable = style.one_form and character in style.forms
    glyph = forms[(style.forms[character] if stable else int(rng.integers(1 << 30))) % len(forms)]
    lines = vary_glyph(glyph, rng, style.shake)
    is_digit = character in "0123456789"
    if character in SIGNS:
        width = SIGN_WIDTHS.get(character, 0.75) * np.exp(rng.normal(0, 0.2))
    else:
        width = rng.uniform(0.6, 0.85) if is_digit else rng.uniform(0.6, 1.0)
    height = style.size * np.clip(rng.normal(1, style.uneven), 0.75, 1.3)
    if is_digit:  # the form's own box fills the digit's height
        points = np.concatenate(lines)
        low, high = points[:, 1].min(), points[:, 1].max()
        lines = [(line - [0, low]) / [1, max(high - low, 0.3)] for line in lines]
    # top of the unit square above the baseline
    raised = {
        ".": style.point_height,
        "-": rng.normal(0, 0.08),
        "+": rng.normal(0, 0.08),
        ",": rng.uniform(-0.14, 0.0),
    }.get(character, 0.0)
    scale = UNIT * height
    flat = 0.7 if character in "+=" else 1.0
    placed = [line * [width * scale * style.stretch, scale * flat] for line in lines]
    if character in "/()":  # often higher and deeper than digits
        longer = rng.uniform(1.08, 1.5)
        placed = [line * [1, longer] for line in placed]
        raised = (longer - 1) * rng.uniform(0.3, 0.7)
    base = round(2 * UNIT - scale * (1 + (flat - 1) * 0.8) - raised * UNIT)
    drawn, offset = draw_strokes(placed, style.pen * UNIT * (1.35 if character in ".:" else 1), style.slant, rng)
    return _Piece(drawn, base + offset)


def draw_strokes(lines: list[Array], width: float, slant: float, rng: Rng) -> tuple[NDArray[np.uint8], int]:
    """Lines drawn with a pen of some width, in pixels, cropped to the ink, and the first row of the crop."""
    from PIL import Image, ImageDraw

    slanted = [np.stack([line[:, 0] - slant * line[:, 1], line[:, 1]], axis=1) for line in lines]
    points = np.concatenate(slanted)
    edge = width / 2 + 1
    left, top = points[:, 0].min() - edge, np.floor(points[:, 1].min() - edge)
    columns, rows = int(np.ceil(points[:, 0].max() + edge - left)), int(np.ceil(points[:, 1].max() + edge - top))
    picture = Image.new("L", (SUPER * max(columns, 2), SUPER * max(rows, 2)))
    pen = ImageDraw.Draw(picture)
    radius = max(SUPER * width / 2, 0.8)
    pressure = rng.normal(0, 0.08)
    for line in slanted:
        path = ((line - [left, top]) * SUPER).tolist()
        ends = (path[0], path[-1])
        if len(path) > 1:
            flat = [value for point in path for value in point]
            pen.line(flat, fill=255, width=max(1, round(2 * radius * (1 + pressure))), joint="curve")
        for x, y in ends:
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    return np.asarray(picture.reduce(SUPER)), int(top)


@lru_cache(maxsize=256)
def _font(path: str) -> "tuple[FreeTypeFont, frozenset[int]]":
    """The font in the size in which its digits are UNIT high, and the characters that it has."""
    from matplotlib.ft2font import FT2Font
    from PIL import ImageFont

    font = ImageFont.truetype(path, UNIT)
    box = font.getbbox("8", anchor="ls")
    size = round(UNIT * UNIT / max(4, box[3] - box[1]))
    return ImageFont.truetype(path, size), frozenset(FT2Font(path).get_charmap())


def _has(path: str, character: str) -> bool:
    return len(character) == 1 and ord(character) in _font(path)[1]


def _printed(character: str, style: LineStyle, rng: Rng) -> _Piece:
    from PIL import Image, ImageDraw

    font = _font(str(style.font))[0]
    left, top, right, bottom = (int(side) for side in font.getbbox(character, anchor="ls"))
    edge = 2 + round(abs(style.slant) * (bottom - top))
    picture = Image.new("L", (right - left + 2 * edge, bottom - top + 2))
    ImageDraw.Draw(picture).text((edge - left, 1 - top), character, fill=255, font=font, anchor="ls")
    if style.slant:
        height = picture.size[1]
        matrix = (1, style.slant, -style.slant * height / 2, 0, 1, 0)
        picture = picture.transform(picture.size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)
    ink = np.asarray(picture)
    columns = np.flatnonzero(ink.any(axis=0))
    if len(columns):
        ink = ink[:, columns[0] : columns[-1] + 1]
    return _Piece(ink, 2 * UNIT + top - 1)


_LIT = ("abcdef", "bc", "abged", "abgcd", "fgbc", "afgcd", "afgedc", "abc", "abcdefg", "abcdfg")
_SEGMENT = {"a": "00-90", "b": "90-94", "c": "95-99", "d": "09-99", "e": "05-09", "f": "00-04", "g": "04-94"}


def _segments(label: int, style: LineStyle, rng: Rng) -> _Piece:
    """A digit in seven segments."""
    lit = _LIT[label]
    if label == 7 and style.one_form:
        lit += "f"
    if label in (6, 9) and style.forms["6"] % 3 == 0:
        lit = lit.replace("a" if label == 6 else "d", "")
    gap = 0.02 + 0.07 * (style.forms["0"] % 100) / 100
    width = 0.45 + 0.2 * (style.forms["1"] % 100) / 100
    pen = float(np.clip(style.pen, 0.07, 0.17))
    lines = []
    for name in lit:
        ends = np.array([[int(name_part[0]), int(name_part[1])] for name_part in _SEGMENT[name].split("-")]) / 9
        if name in "bcef":
            ends[:, 1] = [0, 0.5] if name in "bf" else [0.5, 1]
        else:
            ends[:, 1] = {"a": 0, "g": 0.5, "d": 1}[name]
        ends = ends * [width, 1 - pen]
        direction = np.sign(ends[1] - ends[0])
        shortened = np.array([ends[0] + direction * (gap + pen / 3), ends[1] - direction * (gap + pen / 3)])
        lines.append(shortened * UNIT)
    drawn, offset = draw_strokes(lines, pen * UNIT, style.slant, rng)
    if label == 1:  # keeps the room of the unlit segments
        drawn = np.pad(drawn, ((0, 0), (round(width * UNIT * 0.6), 0)))
    return _Piece(drawn, UNIT + round(pen * UNIT / 2) + offset)


# What is written


def _digits(rng: Rng, low: int, high: int) -> str:
    count = int(rng.integers(low, high + 1))
    if rng.random() < 0.12:  # the same digit several times, as in 1000 and 11
        return "".join(str(d) for d in np.repeat(rng.integers(0, 10, count), rng.integers(1, 4, count))[:count])
    number = "".join(map(str, rng.integers(0, 10, count)))
    if rng.random() < 0.12:  # round, as 250 and 1000
        zeros = int(rng.integers(1, 4))
        number = (number[: max(1, count - zeros)] + "000")[:count]
    return number


def _decimal(rng: Rng) -> str:
    sign = "-" if rng.random() < 0.2 else ""
    unit = "$" if rng.random() < 0.1 else ""
    whole = "" if rng.random() < 0.1 else _digits(rng, 1, 4)
    return sign + unit + whole + str(rng.choice([".", ","], p=[0.6, 0.4])) + _digits(rng, 1, 3)


def _dated(rng: Rng) -> str:
    join = str(rng.choice(["/", ".", "-", ":"], p=[0.2, 0.35, 0.25, 0.2]))
    if join == ":":
        return _digits(rng, 1, 2) + ":" + _digits(rng, 2, 2)
    return join.join([_digits(rng, 1, 2), _digits(rng, 1, 2), _digits(rng, 2, 4)])


def _signed(rng: Rng) -> str:
    number = _digits(rng, 1, 4)
    return [
        "-" + number,
        "+" + number,
        f"({number})",
        number + "%",
        "$" + number,
        number + "/" + _digits(rng, 1, 3),
        number + "-" + _digits(rng, 1, 4),
        "-" + number + "-",
        number + ".",
        "=" + number,
        number + ")",
        number + ",-",
        number + ":",
        "- " + number,
    ][rng.integers(14)]


def _sum(rng: Rng) -> str:
    parts = [_digits(rng, 1, 3) for _ in range(rng.integers(2, 6))]
    text = str(rng.choice(["+", "-", "/", ":"], p=[0.5, 0.25, 0.1, 0.15])).join(parts)
    return text + "=" + (_digits(rng, 1, 3) if rng.random() < 0.6 else "") if rng.random() < 0.5 else text


_FREQUENT = "eeeeeeeetttttaaaaaooooooiiiiinnnnnsssshhhrrrrrddllllccuumwfgypbvk"
"""Letters about as often as they are in texts."""


def _word(rng: Rng) -> str:
    latin, rest = _letters()
    if rng.random() < 0.25:
        return str(rng.choice(["kg", "cm", "m", "km", "€", "mm", "No", "Room", "Total", "Age", "x", "h", "Nr"]))
    if rng.random() < 0.4:
        word = "".join(rng.choice(list(_FREQUENT), rng.integers(3, 9)))
        return word if rng.random() < 0.5 else word.capitalize() if rng.random() < 0.7 else word.upper()
    pool = [c for c in (latin if rng.random() < 0.8 else rest) if len(c) == 1] or latin
    count = int(rng.integers(2, 8))
    word = "".join(str(pool[i]) for i in rng.integers(len(pool), size=count))
    return word if rng.random() < 0.5 else word.upper() if rng.random() < 0.4 else word.lower()


def _words(rng: Rng) -> str:
    return " ".join(_word(rng) for _ in range(rng.integers(1, 3)))


def _number_and_word(rng: Rng) -> str:
    number = _digits(rng, 1, 4)
    join = " " if rng.random() < 0.7 else ""
    return number + join + _word(rng) if rng.random() < 0.6 else _word(rng) + join + number


@dataclass(frozen=True)
class LineKind:
    """A kind of text: its share of all lines, and the function that composes one."""

    share: float
    compose: Callable[[Rng], str]


KINDS = {
    "digit": LineKind(0.11, lambda rng: _digits(rng, 1, 1)),
    "number": LineKind(0.27, lambda rng: _digits(rng, 2, 8)),
    "field": LineKind(0.07, lambda rng: _digits(rng, 6, 10)),
    "decimal": LineKind(0.08, _decimal),
    "date": LineKind(0.05, _dated),
    "sign": LineKind(0.09, _signed),
    "sum": LineKind(0.03, _sum),
    "groups": LineKind(0.05, lambda rng: " ".join(_digits(rng, 1, 5) for _ in range(rng.integers(2, 4)))),
    "word": LineKind(0.13, _words),
    "number and word": LineKind(0.07, _number_and_word),
    "nothing": LineKind(0.05, lambda rng: ""),
}
"""Kinds of text by name. The shares add up to 1."""
_SHARES = np.array([kind.share for kind in KINDS.values()])


# What happens to the ink


def _degrade(sheet: Array, style: LineStyle, rng: Rng) -> NDArray[np.uint8]:
    """The sheet with ruling, boxes, dirt and damage, cut to some margin around the ink, in some resolution."""
    from PIL import Image

    margin = int(rng.integers(2, UNIT)) if sheet.shape[1] > 2 else int(rng.integers(UNIT, 4 * UNIT))
    right_margin = int(rng.integers(2, UNIT))
    ink = np.pad(sheet, ((0, 0), (margin, right_margin)))
    broken = rng.random() < 0.13 and sheet.shape[1] > 2
    if broken:
        ink = _break(ink, rng)
    if style.boxed:
        edge = min(margin, round(0.4 * UNIT))
        ends = (margin - edge, ink.shape[1] - 2)
        ink = form_boxes(ink, [ends[0], *(margin + gap for gap in style.gaps), ends[1]], rng)
    elif rng.random() < 0.25 or sheet.shape[1] <= 2:
        ink = rule_line(ink, rng)
    if rng.random() < 0.2 or sheet.shape[1] <= 2:
        ink = _dirty(ink, rng)
    if rng.random() < 0.1:
        ink = _neighbours(ink, rng)
    ink = _cut(ink, margin, right_margin, rng)
    if rng.random() < 0.4:  # coarse: digits of 7 to 25 pixels, but none that are broken are so small
        small = float(np.exp(rng.uniform(np.log(16 if broken else 7), np.log(25)))) / UNIT
        size = (max(1, round(ink.shape[1] * small)), max(4, round(ink.shape[0] * small)))
        method = Image.Resampling.BOX if rng.random() < 0.5 else Image.Resampling.BILINEAR
        ink = np.asarray(Image.fromarray(ink).resize(size, method))
        if rng.random() < 0.3:
            ink = np.where(ink > rng.uniform(70, 150), np.uint8(255), np.uint8(0))
    value = ink.astype(np.float32) / 255
    if rng.random() < 0.3:
        value = _soften(value, rng)
    if rng.random() < 0.3:  # more or less of a soft edge is ink
        gain, level = np.exp(rng.uniform(0, 1.2)), rng.uniform(0.3, 0.65)
        value = np.clip((value - level) * gain + level, 0, 1)
    if rng.random() < 0.25:  # pale ink
        value = value * rng.uniform(0.5, 1)
    if rng.random() < 0.2:  # uneven ink
        texture = _texture(rng, value.shape)
        value = value * (1 - rng.uniform(0.2, 0.7) * texture)
    if rng.random() < 0.12:
        value = np.clip(value + rng.normal(0, rng.uniform(0.01, 0.08), value.shape).astype(np.float32), 0, 1)
    degraded: NDArray[np.uint8] = (255 * np.clip(value, 0, 1)).astype(np.uint8)
    return degraded


@lru_cache(maxsize=1)
def _textures() -> NDArray[np.float32]:
    """Smooth random textures, 0 to 1. (16, 256, 512)"""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(0)
    textures = []
    for sigma in (2, 3, 4, 6) * 4:
        field = gaussian_filter(rng.normal(size=(256, 512)), sigma)
        field -= field.mean()
        textures.append(np.clip(0.5 + field / (3 * field.std()), 0, 1))
    return np.array(textures, np.float32)


def _texture(rng: Rng, shape: tuple[int, ...]) -> Array:
    texture = _textures()[rng.integers(16)]
    y, x = (int(rng.integers(0, side)) for side in texture.shape)
    rows, columns = (np.arange(start, start + n) for start, n in zip((y, x), shape, strict=True))
    smooth: Array = texture.take(rows, axis=0, mode="wrap").take(columns, axis=1, mode="wrap")
    return smooth


def _soften(value: Array, rng: Rng) -> Array:
    """Blurred by a binomial filter, once to three times."""
    for _ in range(rng.integers(1, 4)):
        for axis in (0, 1):
            padded = np.pad(value, [(1, 1) if a == axis else (0, 0) for a in (0, 1)])
            middle, before, after = (
                padded[tuple(slice(s, padded.shape[axis] - 2 + s) if a == axis else slice(None) for a in (0, 1))]
                for s in (1, 0, 2)
            )
            value = 0.5 * middle + 0.25 * (before + after)
    return value


def _break(ink: Array, rng: Rng) -> Array:
    """Strokes with gaps: dashed, or worn."""
    if rng.random() < 0.6:
        threshold = rng.uniform(0.12, 0.4)
        return np.where(_texture(rng, ink.shape) > threshold, ink, np.uint8(0))
    broken = ink.copy()
    spacing, width = int(rng.integers(8, 20)), int(rng.integers(1, 4))
    y, x = np.arange(ink.shape[0])[:, None], np.arange(ink.shape[1])
    angle = rng.choice([-1.0, 1.0]) * rng.uniform(0.3, 2)
    broken[((y + angle * x).astype(int) % spacing) < width] = 0
    return broken


def rule_line(ink: Array, rng: Rng) -> Array:
    """Ruling through, above or below the line, an underline, a box, or what remains of them."""
    from PIL import Image, ImageDraw

    height, width = ink.shape
    layer = Image.new("L", (width, height))
    pen = ImageDraw.Draw(layer)
    thick = int(rng.integers(1, 5))
    slope = rng.normal(0, 0.01) * width
    kind = rng.integers(4)
    if kind <= 1:  # ruled lines, or an underline
        base = 2 * UNIT + rng.normal(0.05, 0.12) * UNIT
        rows = [base] if kind == 0 or rng.random() < 0.5 else [base, base - rng.uniform(1.0, 1.6) * UNIT]
        for row in rows:
            start, stop = (0.0, float(width)) if rng.random() < 0.7 else np.sort(rng.uniform(0, width, 2)).tolist()
            pen.line((start, row, stop, row + slope), fill=255, width=thick)
    else:
        top, bottom = UNIT - rng.uniform(0, 0.5) * UNIT, 2 * UNIT + rng.uniform(0, 0.5) * UNIT
        for row in (top, bottom):
            if rng.random() < 0.8:
                pen.line((0, row, width, row + slope), fill=255, width=thick)
        across = rng.uniform(0.7, 1.6) * UNIT
        columns = np.arange(rng.uniform(0, across), width, across) if kind == 2 else [2, width - 3]
        overshoot = 0 if rng.random() < 0.5 else 0.2 * UNIT
        for column in columns:
            if rng.random() < 0.85:
                pen.line((column, top - overshoot, column, bottom + overshoot), fill=255, width=thick)
    ruled = np.asarray(layer)
    if rng.random() < 0.6:  # only some of it was taken for ink
        ruled = np.where(_texture(rng, ink.shape) > rng.uniform(0.4, 0.75), ruled, np.uint8(0))
        if rng.random() < 0.5:
            ruled = (ruled * rng.uniform(0.3, 0.9)).astype(np.uint8)
    is_erased = rng.random() < 0.2  # the ruling was taken away, together with the ink below it
    result: Array = np.where(ruled > 60, np.uint8(0), ink) if is_erased else np.maximum(ink, ruled)
    return result


def form_boxes(ink: Array, walls: list[float], rng: Rng) -> Array:
    """The boxes of a form, one for each character, or what remains of them after they were taken away."""
    from PIL import Image, ImageDraw

    layer = Image.new("L", (ink.shape[1], ink.shape[0]))
    pen = ImageDraw.Draw(layer)
    thick, kept = int(rng.integers(1, 5)), float(rng.choice([1.0, 0.7, 0.4, 0.2]))
    top, bottom = UNIT - rng.uniform(-0.1, 0.45) * UNIT, 2 * UNIT + rng.uniform(-0.1, 0.45) * UNIT
    apart = 0.0 if rng.random() < 0.5 else rng.uniform(0.03, 0.1) * UNIT
    sides: list[tuple[float, float, float, float]] = []
    for left, right in pairwise(walls):
        left, right = left + apart, right - apart
        sides += [(left, top, right, top), (left, bottom, right, bottom), (left, top, left, bottom)]
        if apart or right + apart == walls[-1]:
            sides.append((right, top, right, bottom))
    for x0, y0, x1, y1 in sides:
        if rng.random() < kept:
            begin, end = (0.0, 1.0) if rng.random() < kept else np.sort(rng.uniform(-0.2, 1.2, 2)).clip(0, 1).tolist()
            across, down = x1 - x0, y1 - y0
            ends = (x0 + begin * across, y0 + begin * down, x0 + end * across, y0 + end * down)
            pen.line(ends, fill=int(rng.integers(120, 256)), width=thick)
    boxed: Array = np.maximum(ink, np.asarray(layer))
    return boxed


def _dirty(ink: Array, rng: Rng) -> Array:
    """Specks, fibres and blots."""
    from PIL import Image, ImageDraw

    picture = Image.fromarray(ink)
    pen = ImageDraw.Draw(picture)
    height, width = ink.shape
    for _ in range(rng.integers(1, 8)):
        x, y = rng.uniform(0, width), rng.uniform(0.2, 0.8) * height
        kind, shade = rng.random(), int(rng.integers(60, 256))
        if kind < 0.7:
            radius = rng.uniform(0.3, 0.045 * UNIT)
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=shade)
        elif kind < 0.95:
            end = rng.normal(0, 0.12 * UNIT, 2)
            pen.line((x, y, x + end[0], y + end[1]), fill=shade, width=1)
        elif ink[:, max(0, int(x) - UNIT // 2) : int(x) + UNIT // 2].any():
            continue
        else:
            a, b = rng.uniform(0.1, 0.3, 2) * UNIT
            pen.ellipse((x - a, y - b, x + a, y + b), fill=shade)
    return np.asarray(picture)


def _neighbours(ink: Array, rng: Rng) -> Array:
    """What reaches into the line from the lines above and below: part of the line itself, moved."""
    moved = np.zeros_like(ink)
    shift = int(rng.uniform(1.05, 1.25) * UNIT)
    other = np.roll(ink[:, ::-1], int(rng.integers(ink.shape[1])), axis=1)
    if rng.random() < 0.5:
        moved[:-shift] = other[shift:]
    else:
        moved[shift:] = other[:-shift]
    reach = int(rng.uniform(0.2, 0.45) * UNIT)
    moved[: UNIT - reach] = moved[2 * UNIT + reach :] = 0
    return np.maximum(ink, moved)


def _cut(ink: Array, left: int, right: int, rng: Rng) -> Array:
    """Cut to the ink with some margin; sometimes the edge cuts the digits."""
    rows = np.flatnonzero((ink > 60).any(axis=1))
    top, bottom = (rows[0], rows[-1] + 1) if len(rows) else (UNIT, 2 * UNIT)
    above, below = rng.integers(0, UNIT // 2, 2)
    first, last = max(0, top - above), min(len(ink), bottom + below)
    if rng.random() < 0.1:
        if rng.random() < 0.5:
            first = top + int(rng.uniform(0, 0.12) * UNIT)
        else:
            last = bottom - int(rng.uniform(0, 0.12) * UNIT)
    cut = ink[first:last]
    if rng.random() < 0.1:
        depth = int(rng.uniform(0, 0.12) * UNIT)
        cut = cut[:, left + depth :] if rng.random() < 0.5 else cut[:, : -(right + depth)]
    return cut if min(cut.shape) > 3 else ink
