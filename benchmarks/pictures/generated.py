"""Generated pictures of many kinds, with what is written on them.

The photos of `digitscope.synthetic.photos` come first, then what is hard to read: scans of a few pixels, print, seven
segments, forms and grids, signs, tables, words, empty cells. A picture depends on the seed, its kind and its number.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from zlib import crc32

import numpy as np
from PIL import Image

from benchmarks.pictures.examples import Example, Task
from benchmarks.pictures.pen import (
    Layer,
    Pixels,
    Rng,
    Sheet,
    capture,
    digit_image,
    extent,
    fonts,
    letters,
    random_ink,
    random_paper,
    unseen_digits,
    write,
    write_image,
)
from digitscope.arrays import Array
from digitscope.synthetic.non_digits import NON_DIGITS, VARIANTS, DigitSource
from digitscope.synthetic.photos import KINDS as PHOTO_KINDS
from digitscope.synthetic.photos import photograph_digit, photograph_numbers

Drawn = tuple[Pixels, str]
"""A picture and the text on it."""


@dataclass(frozen=True)
class Kind:
    """A kind of picture. Of each kind there are `factor` times as many pictures as asked for, at least one."""

    tasks: tuple[Task, ...]
    draw: Callable[[Rng], Drawn]
    factor: float = 3


def generated(count: int, seed: int, kinds: tuple[str, ...] = ()) -> Iterator[Example]:
    """The pictures of the kinds whose names begin with one of `kinds`, or of all."""
    for name, kind in KINDS.items():
        if kinds and not name.startswith(kinds):
            continue
        for k in range(max(1, round(count * kind.factor))):
            picture, text = kind.draw(np.random.default_rng([seed, crc32(name.encode()), k]))
            for task in kind.tasks:
                yield Example("generated", name, name, f"{name} {k}", task, text, picture)


class Digest:
    """A digest of all pictures that are not files, which says whether two measurements had the same."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def add(self, example: Example) -> None:
        if isinstance(example.picture, np.ndarray):
            self._hash.update(example.text.encode() + np.ascontiguousarray(example.picture).tobytes())

    def __str__(self) -> str:
        return self._hash.hexdigest()[:16]


# Single digits


def _label(rng: Rng) -> int:
    return int(rng.integers(10))


def _pen_width(rng: Rng) -> float:
    """In heights of a digit."""
    return float(np.exp(rng.uniform(np.log(0.03), np.log(0.16))))


def _photo_of_digit(kind: str) -> Callable[[Rng], Drawn]:
    def draw(rng: Rng) -> Drawn:
        label = _label(rng)
        return photograph_digit(digit_image(label, rng), rng, kind=kind).pixels, str(label)

    return draw


def _digit_coverage(rng: Rng, side: int, width: float) -> tuple[Array, int]:
    """A digit of MNIST, or with the probability 0.4 one of a rare form. It fills a square, or less than its width if it
    is narrow. (side, side), 0 paper to 1 ink
    """
    if rng.random() < 0.4:
        image, label = _rare_image(rng)
    else:
        label = _label(rng)
        image = digit_image(label, rng)
    written = write_image(image, rng.normal(0, 0.1))
    sheet = Sheet(side, side)
    left, _, right, _ = extent([written])
    unit = (1 - width) * side * min(1, 1 / (right - left))
    x = (side - (right - left) * unit) / 2 - left * unit
    sheet.layer((1, 1, 1)).write([written], x, (side - unit) / 2, unit, width)
    return sheet.picture((0, 0, 0))[..., 0], label


def _rare_image(rng: Rng) -> tuple[Pixels, int]:
    names = list(VARIANTS)
    name = names[rng.integers(len(names))]
    return VARIANTS[name].draw(rng, _digit_source()), int(name[0])


def _stretched(coverage: Array, shape: tuple[int, int]) -> Array:
    """The ink alone, stretched to the shape as in Semeion's scans; a stroke is stretched as if it were half as wide as
    high.
    """
    rows, columns = np.flatnonzero(coverage.any(axis=1)), np.flatnonzero(coverage.any(axis=0))
    inked = coverage[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    inked = np.pad(inked, ((0, 0), (max(0, inked.shape[0] // 2 - inked.shape[1]) // 2,) * 2))
    return np.asarray(Image.fromarray(inked.astype(np.float32)).resize(shape[::-1], Image.Resampling.BOX))


def _in_either_tone(ink: Array, rng: Rng) -> Pixels:
    """Dark on light or light on dark."""
    pixels = np.clip(255 * ink + 0.5, 0, 255).astype(np.uint8)
    return pixels if rng.random() < 0.5 else 255 - pixels


def _scan_16(rng: Rng) -> Drawn:
    """Stretched to the square, like Semeion's digits (Buscema 1998)."""
    coverage, label = _digit_coverage(rng, 128, rng.uniform(0.07, 0.16))
    return _in_either_tone((_stretched(coverage, (16, 16)) > rng.uniform(0.35, 0.55)).astype(np.float32), rng), str(
        label
    )


def _scan_16_grey(rng: Rng) -> Drawn:
    coverage, label = _digit_coverage(rng, 128, rng.uniform(0.07, 0.16))
    return _in_either_tone(_reduced(coverage, 16), rng), str(label)


def _scan_8(rng: Rng) -> Drawn:
    """8x8 with 17 levels, like the digits of Alpaydin and Kaynak 1998."""
    coverage, label = _digit_coverage(rng, 96, rng.uniform(0.12, 0.22))
    bitmap = (_reduced(coverage, 32) > 0.5).reshape(8, 4, 8, 4)
    return _in_either_tone(bitmap.sum(axis=(1, 3)) / 16, rng), str(label)


def _reduced(coverage: Array, side: int) -> Array:
    factor = len(coverage) // side
    small: Array = coverage.reshape(side, factor, side, factor).mean(axis=(1, 3))
    return small


def _black_white_scan(rng: Rng) -> Drawn:
    side = int(rng.integers(17, 48))
    coverage, label = _digit_coverage(rng, 4 * side, rng.uniform(0.05, 0.16))
    small = np.pad(_reduced(coverage, side), rng.integers(0, 4))
    return _in_either_tone((small > rng.uniform(0.3, 0.5)).astype(np.float32), rng), str(label)


def _printed_digit(rng: Rng) -> Drawn:
    label = _label(rng)
    return _printed(str(label), rng), str(label)


def _printed(text: str, rng: Rng) -> Pixels:
    height = float(np.exp(rng.uniform(np.log(10), np.log(120))))
    font = fonts()[rng.integers(len(fonts()))]
    sheet = Sheet(height * (1.2 * len(text) + 1), 2.2 * height)
    left, top, right, bottom = sheet.layer(random_ink(rng) if rng.random() < 0.5 else (0, 0, 0)).print(
        text, 0.6 * height, 0.4 * height, height, font
    )
    picture = sheet.picture(random_paper(rng) if rng.random() < 0.5 else (1, 1, 1))
    margin = rng.uniform(0.15, 0.5) * height
    x0, y0, x1, y1 = (round(max(0, v)) for v in (left - margin, top - margin, right + margin, bottom + margin))
    picture = picture[y0:y1, x0:x1]
    return capture(1 - picture if rng.random() < 0.25 else picture, rng)


def _seven_segments(text: str, rng: Rng) -> Pixels:
    height = float(np.exp(rng.uniform(np.log(24), np.log(260))))
    sheet = Sheet((0.85 * len(text) + 0.9) * height, 1.6 * height)
    paper, ink = [
        ((0.08, 0.01, 0.01), (1, 0.2, 0.1)),
        ((0.6, 0.65, 0.55), (0.1, 0.12, 0.1)),
        ((0.02, 0.05, 0.02), (0.3, 1, 0.4)),
        ((0.75, 0.78, 0.75), (0.2, 0.2, 0.22)),
    ][rng.integers(4)]
    sheet.layer(ink).segments(text, 0.5 * height, 0.3 * height, height, rng)
    return capture(sheet.picture(paper), rng)


def _seven_segment_digit(rng: Rng) -> Drawn:
    label = _label(rng)
    return _seven_segments(str(label), rng), str(label)


def _number(rng: Rng, low: int = 2, high: int = 8) -> str:
    return "".join(map(str, rng.integers(10, size=rng.integers(low, high + 1))))


def _on_paper(
    text: str,
    rng: Rng,
    *,
    width: float | None = None,
    margin: tuple[float, float] = (0.3, 1.2),
    faint: bool = False,
    gap: tuple[float, float] = (0.12, 0.4),
    height: float | None = None,
) -> tuple[Sheet, Layer, tuple[float, float, float, float], Array]:
    """A line on paper: the sheet, its ink, the box of the line and the paper's colour."""
    height = float(np.exp(rng.uniform(np.log(24), np.log(160)))) if height is None else height
    width = max(_pen_width(rng) if width is None else width, 1.5 / height)
    written = write(text, rng, gap=gap)
    left, top, right, bottom = extent(written)
    around = rng.uniform(*margin, 4) * height + width * height / 2
    sheet = Sheet((right - left) * height + around[0] + around[2], (bottom - top) * height + around[1] + around[3])
    layer = sheet.layer(random_ink(rng), rng.uniform(0.8, 1))
    box = layer.write(written, around[0] - left * height, around[1] - top * height, height, width)
    return sheet, layer, box, random_paper(rng)


def _faint_digit(rng: Rng) -> Drawn:
    text = str(_label(rng))
    sheet, _, _, paper = _on_paper(text, rng)
    return capture(sheet.picture(paper), rng, faint=True), text


def _hair_thin_digit(rng: Rng) -> Drawn:
    text = str(_label(rng))
    sheet, _, _, paper = _on_paper(text, rng, width=0.012, height=rng.uniform(80, 300))
    return capture(sheet.picture(paper), rng), text


def _broken_digit(rng: Rng) -> Drawn:
    """Strokes with gaps, as of a pen that runs dry, or of a dashed line."""
    text = str(_label(rng))
    height = rng.uniform(40, 160)
    sheet, layer, (left, top, right, bottom), paper = _on_paper(text, rng, height=height, width=rng.uniform(0.04, 0.1))
    for _ in range(rng.integers(4, 14)):
        layer.erase(rng.uniform(left, right), rng.uniform(top, bottom), height * rng.uniform(0.03, 0.06))
    return capture(sheet.picture(paper), rng), text


def _clipped_digit(rng: Rng) -> Drawn:
    """A digit that touches or crosses an edge of the picture."""
    text = str(_label(rng))
    sheet, _, box, paper = _on_paper(text, rng, width=rng.uniform(0.05, 0.14))
    return capture(_cropped(sheet.picture(paper), box, rng), rng), text


def _cropped(picture: Array, box: tuple[float, float, float, float], rng: Rng) -> Array:
    """Cropped to the box, with a margin of -4 to 2 % of its height on each side."""
    left, top, right, bottom = box
    x0, y0, x1, y1 = rng.uniform(-0.02, 0.04, 4) * (bottom - top)
    rows = slice(max(0, round(top + y0)), round(bottom - y1))
    return picture[rows, max(0, round(left + x0)) : round(right - x1)]


def _digit_in_a_form_cell(rng: Rng) -> Drawn:
    """A cell cut out of a form, with remains of its box that the digit may touch."""
    text = str(_label(rng))
    height = rng.uniform(18, 90)
    sheet, _, (left, top, right, bottom), paper = _on_paper(
        text, rng, height=height, width=rng.uniform(0.06, 0.14), margin=(0.15, 0.5)
    )
    lines = sheet.layer(random_ink(rng), rng.uniform(0.4, 1))
    reach, thick = rng.uniform(-0.06, 0.2, 4) * height, max(1, rng.uniform(0.02, 0.06) * height)
    x0, y0, x1, y1 = left - reach[0], top - reach[1], right + reach[2], bottom + reach[3]
    for ends in ((x0, y0, x1, y0), (x1, y0, x1, y1), (x1, y1, x0, y1), (x0, y1, x0, y0)):
        if rng.random() < 0.6:
            _partly(lines, ends, thick, rng)
    return capture(sheet.picture(paper), rng), text


def _partly(layer: Layer, ends: tuple[float, float, float, float], width: float, rng: Rng) -> None:
    """A line, or a random part of it."""
    x0, y0, x1, y1 = ends
    start, stop = sorted(rng.uniform(0, 1, 2)) if rng.random() < 0.4 else (-0.05, 1.05)
    layer.line(x0 + start * (x1 - x0), y0 + start * (y1 - y0), x0 + stop * (x1 - x0), y0 + stop * (y1 - y0), width)


def _digit_over_lines(rng: Rng) -> Drawn:
    """A digit over paler lines: ruling, squares or a scribble."""
    text = str(_label(rng))
    height = rng.uniform(40, 160)
    sheet, _, _, paper = _on_paper(text, rng, height=height, width=rng.uniform(0.06, 0.14))
    back = sheet.layer(random_paper(rng) * rng.uniform(0.5, 0.85), behind=True)
    if rng.random() < 0.5:
        gap = rng.uniform(0.25, 0.8) * height
        for y in np.arange(rng.uniform(0, gap), sheet.height, gap):
            back.line(0, y, sheet.width, y + rng.normal(0, 1), max(1, 0.02 * height))
        if rng.random() < 0.5:
            for x in np.arange(rng.uniform(0, gap), sheet.width, gap):
                back.line(x, 0, x + rng.normal(0, 1), sheet.height, max(1, 0.02 * height))
    else:
        corners = rng.uniform(0, 1, (rng.integers(3, 8), 2)) * [sheet.width, sheet.height]
        for (x0, y0), (x1, y1) in pairwise(corners):
            back.line(x0, y0, x1, y1, max(1, rng.uniform(0.02, 0.05) * height))
    return capture(sheet.picture(paper), rng), text


def _rare_form(rng: Rng) -> Drawn:
    """A 1 with a foot, a crossed 7 and other forms that MNIST hardly has, and a 7 of two strokes that do not touch."""
    if rng.random() < 0.06:
        height = rng.uniform(40, 200)
        sheet = Sheet(1.6 * height, 2 * height)
        layer, width = sheet.layer(random_ink(rng)), rng.uniform(0.04, 0.1) * height
        x0, x1, y, gap = 0.5 * height, 1.1 * height, 0.5 * height, width / 2 + rng.uniform(0.03, 0.08) * height
        layer.dots(np.linspace((x0, y), (x1, y + rng.normal(0, 0.03) * height), 200), width / 2)
        foot = (x0 + rng.uniform(0.1, 0.4) * height, 1.5 * height)
        layer.dots(np.linspace((x1, y + width + gap), foot, 200), width / 2)
        return capture(sheet.picture(random_paper(rng)), rng), "7"
    image, label = _rare_image(rng)
    written = write_image(image)
    height = rng.uniform(30, 160)
    left, _, right, _ = extent([written])
    sheet = Sheet((right - left + 1) * height, 2 * height)
    sheet.layer(random_ink(rng)).write([written], (0.5 - left) * height, 0.5 * height, height, rng.uniform(0.04, 0.13))
    return capture(sheet.picture(random_paper(rng)), rng), str(label)


@cache
def _digit_source() -> DigitSource:
    images = [image for of_label in unseen_digits() for image in of_label]
    labels = [label for label, of_label in enumerate(unseen_digits()) for _ in of_label]
    return DigitSource(np.array(images), np.array(labels))


# Neither digits nor numbers


OF_DIGITS = ("mirrored", "numbers", "one and a half", "pieces", "collages")
"""Drawings in which `read` may find digits."""


def _drawing(rng: Rng) -> Drawn:
    """A letter, sign, shape, scribble or the like."""
    return _drawn_as_picture([name for name in NON_DIGITS if name not in OF_DIGITS], rng)


def _parts_of_digits(rng: Rng) -> Drawn:
    """Two digits or more, or parts of digits."""
    return _drawn_as_picture(list(OF_DIGITS), rng)


def _drawn_as_picture(names: list[str], rng: Rng) -> Drawn:
    """A drawing as a picture of 28 to 400 pixels."""
    kinds = [NON_DIGITS[name] for name in names]
    shares = np.array([kind.share for kind in kinds])
    image = kinds[rng.choice(len(kinds), p=shares / shares.sum())].draw(rng, _digit_source())
    side = round(float(np.exp(rng.uniform(np.log(28), np.log(400)))))
    large = np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC), np.float32) / 255
    coverage = np.clip((large - 0.5) * max(1, side / 56) + 0.5, 0, 1)[..., None]
    paper = random_paper(rng)
    return capture(paper + coverage * (random_ink(rng) - paper), rng), ""


def _dirt(sheet: Sheet, rng: Rng) -> None:
    """A few specks and faint smears."""
    layer = sheet.layer(random_ink(rng), rng.uniform(0.2, 0.9))
    side = min(sheet.width, sheet.height)
    for _ in range(rng.integers(0, 5)):
        x, y = rng.uniform(0, 1, 2) * [sheet.width, sheet.height]
        layer.dots(np.array([[x, y]]), rng.uniform(0.004, 0.02) * side + 0.4)
    if rng.random() < 0.25:
        start = rng.uniform(0.1, 0.9, 2) * [sheet.width, sheet.height]
        stop = start + rng.normal(0, 0.08 * side, 2)
        layer.dots(np.linspace(start, stop, 100), max(0.5, 0.008 * side))


def _empty_cell(rng: Rng) -> Drawn:
    """A cell of a form, a table or a sudoku, cut out with parts of its lines, where lines may cross."""
    side = rng.uniform(24, 160)
    sheet = Sheet(side * rng.uniform(0.8, 1.8), side)
    width, height = sheet.width, sheet.height
    lines = sheet.layer(random_ink(rng), rng.uniform(0.5, 1))
    thick = max(1, rng.uniform(0.015, 0.06) * side)
    inset = rng.uniform(-0.02, 0.16, 4) * side
    tilt = rng.normal(0, 0.015) * side
    upright = [x for x, drawn in zip((inset[0], width - inset[1]), rng.random(2) < 0.75, strict=True) if drawn]
    level = [y for y, drawn in zip((inset[2], height - inset[3]), rng.random(2) < 0.75, strict=True) if drawn]
    for x in upright:
        lines.line(x - tilt, -9, x + tilt, height + 9, thick * rng.choice([1, 1, 2]))
    for y in level:
        lines.line(-9, y + tilt, width + 9, y - tilt, thick * rng.choice([1, 1, 2]))
    _dirt(sheet, rng)
    return capture(sheet.picture(random_paper(rng)), rng), ""


def _empty_grid(rng: Rng) -> Drawn:
    """A row of boxes, a table or a grid without writing."""
    rows, columns = [(1, int(rng.integers(3, 11))), (9, 9), (int(rng.integers(2, 6)), int(rng.integers(2, 6)))][
        rng.integers(3)
    ]
    cell = rng.uniform(20, 60)
    sheet = Sheet((columns + 1) * cell, (rows + 1) * cell)
    lines = sheet.layer(random_ink(rng), rng.uniform(0.5, 1))
    for i in range(rows + 1):
        thick = max(1, 0.03 * cell) * (2 if rows == 9 and i % 3 == 0 else 1)
        lines.line(cell / 2, (i + 0.5) * cell, (columns + 0.5) * cell, (i + 0.5) * cell, thick)
    for j in range(columns + 1):
        thick = max(1, 0.03 * cell) * (2 if rows == 9 and j % 3 == 0 else 1)
        lines.line((j + 0.5) * cell, cell / 2, (j + 0.5) * cell, (rows + 0.5) * cell, thick)
    _dirt(sheet, rng)
    return capture(sheet.picture(random_paper(rng)), rng), ""


_WORDS = (
    "the and have with from this will your that they were been when than them what into time which their about would "
    "there other after first never these think where being every under might while house again place right small "
    "found still great light world night water white above paper name total amount date room street mother yellow "
    "Friday Address Quantity Please Thank Received kitchen garden football"
)


WORDS = _WORDS.split()


def _hand_word(rng: Rng) -> Drawn:
    known = set(letters())
    words = [word for word in WORDS if set(word) <= known]
    text = " ".join(words[rng.integers(len(words))] for _ in range(rng.choice([1, 1, 2])))
    sheet, _, box, paper = _on_paper(text, rng, gap=(-0.05, 0.15), width=rng.uniform(0.05, 0.12))
    picture = sheet.picture(paper)
    return capture(_cropped(picture, box, rng) if rng.random() < 0.4 else picture, rng), ""


def _printed_words(rng: Rng) -> Drawn:
    text = " ".join(WORDS[i] for i in rng.integers(len(WORDS), size=rng.integers(1, 4)))
    return _printed(text, rng), ""


def _page_of_text(rng: Rng) -> Drawn:
    """A clipping of printed text, or a screenshot of one."""
    sheet = Sheet(*rng.uniform(500, 1500, 2))
    height = float(np.exp(rng.uniform(np.log(10), np.log(36))))
    layer, font = sheet.layer(random_ink(rng) * 0.5), fonts()[rng.integers(len(fonts()))]
    for y in np.arange(20, sheet.height - 2 * height, 1.9 * height):
        x, end = 20.0, sheet.width - 8 * height
        while x < end:
            x = layer.print(WORDS[rng.integers(len(WORDS))], x, y, height, font)[2] + 0.5 * height
    return capture(sheet.picture(random_paper(rng)), rng), ""


# Numbers


def _photo_of_numbers(kind: str) -> Callable[[Rng], Drawn]:
    def draw(rng: Rng) -> Drawn:
        rows = int(rng.choice([1, 2, 3], p=[0.8, 0.12, 0.08]))
        lines = [rng.integers(10, size=rng.integers(2, 6 if rows > 1 else 11)) for _ in range(rows)]
        images = [np.array([digit_image(int(k), rng) for k in line]) for line in lines]
        return photograph_numbers(images, rng, kind=kind).pixels, "\n".join("".join(map(str, line)) for line in lines)

    return draw


def _boxes(text: str, rng: Rng, *, partly: bool, touching: float) -> Pixels:
    """Each digit in a box of its own.

    partly: whether only remains of the boxes are left; touching: probability that a digit reaches its box's lines
    """
    cell = rng.uniform(22, 90)
    across = cell * rng.uniform(0.75, 1.1)
    sheet = Sheet(across * len(text) + 1.2 * cell, 2 * cell)
    x0, y0 = 0.6 * cell, 0.5 * cell
    lines = sheet.layer(random_ink(rng), rng.uniform(0.4, 1))
    thick = max(1, rng.uniform(0.02, 0.06) * cell)
    for k in range(len(text) + 1):
        ends = (x0 + k * across, y0, x0 + k * across, y0 + cell)
        if not partly:
            lines.line(*ends, thick)
        elif rng.random() < 0.7:
            _partly(lines, ends, thick, rng)
    for y in (y0, y0 + cell):
        for k in range(len(text)):
            ends = (x0 + k * across, y, x0 + (k + 1) * across, y)
            if not partly:
                lines.line(*ends, thick)
            elif rng.random() < 0.5:
                _partly(lines, ends, thick, rng)
    pen, width, usual = sheet.layer(random_ink(rng)), rng.uniform(0.07, 0.14), rng.uniform(0.55, 0.8)
    for k, character in enumerate(text):
        size = cell * (rng.uniform(0.95, 1.2) if rng.random() < touching else usual * rng.uniform(0.9, 1.1))
        written = write(character, rng)
        left, top, right, bottom = extent(written)
        x = x0 + (k + 0.5) * across - (left + right) / 2 * size + rng.normal(0, 0.06) * across
        y = y0 + cell / 2 - (top + bottom) / 2 * size + rng.normal(0, 0.05) * cell
        pen.write(written, x, y, size, max(width, 1.5 / size))
    return capture(sheet.picture(random_paper(rng)), rng)


def _form_field(rng: Rng) -> Drawn:
    text = _number(rng, 10, 10)
    return _boxes(text, rng, partly=True, touching=0.25), text


def _whole_boxes(rng: Rng) -> Drawn:
    text = _number(rng, 3, 10)
    return _boxes(text, rng, partly=False, touching=rng.choice([0, 0.3])), text


def _on_a_rule(rng: Rng) -> Drawn:
    """A number that stands on a line, which it may touch or cross, perhaps after a dash."""
    text = ("-" if rng.random() < 0.3 else "") + _number(rng, 2, 6)
    height = rng.uniform(24, 110)
    sheet, _, (_, _, _, bottom), paper = _on_paper(text, rng, height=height)
    rule = sheet.layer(random_ink(rng), rng.uniform(0.4, 1))
    y, thick = bottom + rng.uniform(-0.12, 0.1) * height, max(1, rng.uniform(0.015, 0.06) * height)
    rule.line(-9, y, sheet.width + 9, y + rng.normal(0, 0.01) * sheet.width, thick)
    if rng.random() < 0.3:
        rule.line(-9, y - 1.6 * height, sheet.width + 9, y - 1.6 * height, thick)
    return capture(sheet.picture(paper), rng), text


def _signs(rng: Rng) -> Drawn:
    a, b = _number(rng, 1, 3), _number(rng, 1, 2)
    text = [
        f"-{a}",
        f"{a}.{b}",
        f"{a},{b}",
        f"-{a}.{b}",
        f"{a}/{b}",
        f"({a})",
        f"{a}%",
        f"{_number(rng, 2, 2)}/{_number(rng, 2, 2)}/{_number(rng, 4, 4)}",
        f"{_number(rng, 3, 3)}-{_number(rng, 4, 4)}",
        f"{_number(rng, 1, 2)}:{_number(rng, 2, 2)}",
        f"{a}+{b}={_number(rng, 1, 3)}",
    ][rng.integers(11)]
    sheet, _, _, paper = _on_paper(text, rng, width=rng.uniform(0.04, 0.13))
    return capture(sheet.picture(paper), rng), text


def _several_numbers(rng: Rng) -> Drawn:
    """Two or three numbers on each of one or two lines."""
    height = rng.uniform(24, 80)
    lines = [[_number(rng, 1, 5) for _ in range(rng.integers(2, 4))] for _ in range(rng.choice([1, 2]))]
    written = [write(" ".join(line), rng, gap=(0.12, 0.3), blank=rng.uniform(1.2, 3)) for line in lines]
    boxes = [extent(line) for line in written]
    sheet = Sheet((max(box[2] for box in boxes) + 1.2) * height, (1.8 * len(lines) + 0.8) * height)
    layer, width = sheet.layer(random_ink(rng)), max(rng.uniform(0.05, 0.13), 1.5 / height)
    for k, line in enumerate(written):
        layer.write(line, 0.6 * height, (0.6 + 1.8 * k) * height, height, width)
    return capture(sheet.picture(random_paper(rng)), rng), "\n".join(" ".join(line) for line in lines)


def _table(rng: Rng) -> Drawn:
    """Cells with numbers and lines between them."""
    rows, columns = int(rng.integers(1, 4)), int(rng.integers(2, 5))
    lines = [[_number(rng, 1, 3) for _ in range(columns)] for _ in range(rows)]
    height = rng.uniform(20, 60)
    across, down = 3.4 * height, 1.9 * height
    sheet = Sheet(columns * across + height, rows * down + height)
    ruling = sheet.layer(random_ink(rng), rng.uniform(0.4, 1))
    thick = max(1, rng.uniform(0.02, 0.05) * height)
    for i in range(rows + 1):
        ruling.line(height / 2, height / 2 + i * down, columns * across + height / 2, height / 2 + i * down, thick)
    for j in range(columns + 1):
        ruling.line(height / 2 + j * across, height / 2, height / 2 + j * across, rows * down + height / 2, thick)
    layer, width = sheet.layer(random_ink(rng)), max(rng.uniform(0.05, 0.13), 1.5 / height)
    for i, line in enumerate(lines):
        for j, number in enumerate(line):
            written = write(number, rng, gap=(0.05, 0.15))
            _, _, right, _ = extent(written)
            size = min(height, 0.9 * across / max(right, 0.1))
            x = height / 2 + j * across + rng.uniform(0.1, 0.9) * max(0, across - right * size)
            layer.write(written, x, height / 2 + i * down + rng.uniform(0.1, 0.6) * height, size, width)
    return capture(sheet.picture(random_paper(rng)), rng), "\n".join(" ".join(line) for line in lines)


def _column(rng: Rng) -> Drawn:
    numbers = [_number(rng, 1, 3) for _ in range(rng.integers(3, 9))]
    height, leading = rng.uniform(18, 60), rng.uniform(1.3, 1.9)
    written = [write(number, rng, gap=(0.05, 0.25)) for number in numbers]
    widest = max(extent(line)[2] for line in written)
    sheet = Sheet((widest + 1.2) * height, (leading * len(numbers) + 0.8) * height)
    layer, width = sheet.layer(random_ink(rng)), max(rng.uniform(0.05, 0.13), 1.5 / height)
    for k, line in enumerate(written):
        layer.write(line, (0.6 + widest - extent(line)[2]) * height, (0.6 + leading * k) * height, height, width)
    return capture(sheet.picture(random_paper(rng)), rng), "\n".join(numbers)


def _letters_beside(rng: Rng) -> Drawn:
    """A number with a printed or written word before or after it."""
    number = _number(rng, 2, 4)
    word = ["kg", "Room", "Total:", "cm", "No.", "Euro", "page", "km", "Name"][rng.integers(9)]
    height = rng.uniform(28, 110)
    written = write(number, rng)
    width = max(rng.uniform(0.05, 0.13), 1.5 / height)
    sheet = Sheet(height * (extent(written)[2] + len(word) + 2.5), 2.2 * height)
    pen, font = sheet.layer(random_ink(rng)), fonts()[rng.integers(len(fonts()))]
    before = word in ("Room", "Total:", "No.", "page", "Name")
    x = 0.6 * height
    for what in ("word", "number") if before else ("number", "word"):
        if what == "number":
            x = pen.write(written, x, 0.6 * height, height, width)[2] + rng.uniform(0.4, 0.9) * height
        elif rng.random() < 0.6 or not set(word) <= set(letters()):
            x = pen.print(word, x, 0.75 * height, 0.6 * height, font)[2] + rng.uniform(0.4, 0.9) * height
        else:
            hand = write(word, rng, gap=(0.0, 0.15))
            x = pen.write(hand, x, 0.6 * height, height, width)[2] + rng.uniform(0.4, 0.9) * height
    return capture(sheet.picture(random_paper(rng)), rng), number


def _turned_page(rng: Rng) -> Drawn:
    """A number turned by 90, 180 or 270 degrees. At least two of its digits are none when they stand on their heads."""
    text = ""
    while sum(digit in "347" for digit in text) < 2:
        text = _number(rng, 4, 8)
    sheet, _, _, paper = _on_paper(text, rng, height=rng.uniform(24, 90))
    turned = np.rot90(sheet.picture(paper), int(rng.integers(1, 4)))
    return capture(np.ascontiguousarray(turned), rng), text


def _tight_crop(rng: Rng) -> Drawn:
    text = _number(rng, 2, 6)
    sheet, _, box, paper = _on_paper(text, rng, width=rng.uniform(0.05, 0.14))
    return capture(_cropped(sheet.picture(paper), box, rng), rng), text


def _small_on_a_page(rng: Rng) -> Drawn:
    """Digits 3.5 to 6 mm high on a page of A4 with 150 pixels an inch."""
    sheet = Sheet(1240, 1754)
    layer, ink_width = sheet.layer(random_ink(rng)), rng.uniform(0.1, 0.16)
    height = rng.uniform(3.5, 6) * 150 / 25.4
    numbers = [_number(rng, 3, 7) for _ in range(rng.integers(1, 4))]
    x, y = rng.uniform(100, 800), rng.uniform(100, 1400)
    for k, number in enumerate(numbers):
        layer.write(write(number, rng, gap=(0.15, 0.35)), x, y + 2 * k * height, height, ink_width)
    return capture(sheet.picture(random_paper(rng)), rng), "\n".join(numbers)


def _faint_number(rng: Rng) -> Drawn:
    text = _number(rng, 2, 7)
    sheet, _, _, paper = _on_paper(text, rng)
    return capture(sheet.picture(paper), rng, faint=True), text


def _joined_number(rng: Rng) -> Drawn:
    """Digits that touch or overlap, half of them zeros."""
    text = f"{rng.integers(1, 10)}" + "".join(
        rng.choice(["0", str(rng.integers(10))]) for _ in range(rng.integers(2, 5))
    )
    sheet, _, _, paper = _on_paper(text, rng, gap=(-0.12, 0.02), width=rng.uniform(0.05, 0.13))
    return capture(sheet.picture(paper), rng), text


def _printed_number(rng: Rng) -> Drawn:
    text = _number(rng, 2, 8)
    return _printed(text, rng), text


def _seven_segment_number(rng: Rng) -> Drawn:
    text = _number(rng, 2, 6)
    return _seven_segments(text, rng), text


def _sudoku(rng: Rng) -> Drawn:
    cell = rng.uniform(40, 90)
    sheet = Sheet(10 * cell, 10 * cell)
    lines = sheet.layer((0.1, 0.1, 0.1))
    for k in range(10):
        at, thick = (k + 0.5) * cell, cell * (0.06 if k % 3 == 0 else 0.025)
        lines.line(cell / 2, at, 9.5 * cell, at, thick)
        lines.line(at, cell / 2, at, 9.5 * cell, thick)
    pen, width, text = sheet.layer(random_ink(rng)), rng.uniform(0.07, 0.13), []
    for i in range(9):
        row = ""
        for j in range(9):
            if rng.random() < 0.35:
                row += str(rng.integers(1, 10))
                size = cell * rng.uniform(0.5, 0.7)
                written = write(row[-1], rng)
                left, _, right, _ = extent(written)
                x = (j + 1) * cell - (left + right) / 2 * size + rng.normal(0, 0.05) * cell
                pen.write(written, x, (i + 1) * cell - size / 2 + rng.normal(0, 0.05) * cell, size, width)
        text.append(" ".join(row))
    return capture(sheet.picture(random_paper(rng)), rng), "\n".join(row for row in text if row)


_DIGIT: tuple[Task, ...] = ("digit",)
_NUMBER: tuple[Task, ...] = ("number",)
_NOTHING: tuple[Task, ...] = ("not a digit", "no number")

KINDS = {
    **{f"photo: {kind}": Kind(_DIGIT, _photo_of_digit(kind), 1) for kind in PHOTO_KINDS},
    "scan 16x16, black and white": Kind(_DIGIT, _scan_16, 6),
    "scan 16x16, grey": Kind(_DIGIT, _scan_16_grey),
    "scan 8x8": Kind(_DIGIT, _scan_8, 6),
    "scan 17 to 48, black and white": Kind(_DIGIT, _black_white_scan),
    "printed digit": Kind(_DIGIT, _printed_digit, 6),
    "seven-segment digit": Kind(_DIGIT, _seven_segment_digit),
    "faint digit": Kind(_DIGIT, _faint_digit),
    "hair-thin digit": Kind(_DIGIT, _hair_thin_digit),
    "broken digit": Kind(_DIGIT, _broken_digit),
    "clipped digit": Kind(_DIGIT, _clipped_digit),
    "digit in a form's cell": Kind(_DIGIT, _digit_in_a_form_cell, 6),
    "digit over lines": Kind(_DIGIT, _digit_over_lines),
    "rare form of a digit": Kind(_DIGIT, _rare_form, 6),
    "drawing": Kind(_NOTHING, _drawing, 6),
    "parts of digits, or several": Kind(("not a digit",), _parts_of_digits),
    "empty cell": Kind(_NOTHING, _empty_cell, 6),
    "empty grid": Kind(("no number",), _empty_grid),
    "written word": Kind(("no number",), _hand_word, 6),
    "printed words": Kind(("no number",), _printed_words),
    "page of text": Kind(("no number",), _page_of_text, 0.25),
    **{f"photo of numbers: {kind}": Kind(_NUMBER, _photo_of_numbers(kind), 1) for kind in PHOTO_KINDS},
    "form field": Kind(_NUMBER, _form_field, 6),
    "boxes": Kind(_NUMBER, _whole_boxes),
    "on a rule": Kind(_NUMBER, _on_a_rule),
    "signs": Kind(_NUMBER, _signs, 6),
    "several numbers a line": Kind(_NUMBER, _several_numbers),
    "table": Kind(_NUMBER, _table),
    "column": Kind(_NUMBER, _column),
    "letters beside": Kind(_NUMBER, _letters_beside),
    "turned page": Kind(_NUMBER, _turned_page),
    "tight crop": Kind(_NUMBER, _tight_crop),
    "small on a page": Kind(_NUMBER, _small_on_a_page),
    "faint number": Kind(_NUMBER, _faint_number),
    "joined number": Kind(_NUMBER, _joined_number),
    "printed number": Kind(_NUMBER, _printed_number),
    "seven-segment number": Kind(_NUMBER, _seven_segment_number),
    "sudoku": Kind(_NUMBER, _sudoku, 0.5),
}
"""Kinds of generated pictures by name."""
