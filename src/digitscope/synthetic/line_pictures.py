"""Lines of writing as a network finds them in a picture: ink maps of generated scenes, whose text is known.

`text_lines` damages a line's ink directly, which is fast. Here it is written on paper with ruling, boxes and shadows,
photographed, and found again, so that what is missing and what is there too much is what `vision.ink_map` does.
"""

import numpy as np

from digitscope.arrays import Array
from digitscope.nn import Network
from digitscope.synthetic import photos
from digitscope.synthetic import text_lines as lines
from digitscope.synthetic.scenes import WritingSheet, WritingSource, draw_scene
from digitscope.synthetic.text_lines import TALL, UNIT, LineStyle, LineWriter, WrittenLine
from digitscope.vision.ink_map import ink_map

Rng = np.random.Generator

MAX_SIDE = 400
"""Maximum side of a scene, in pixels."""
MIN_SIDE = 128
LEAST = 0.12
"""The least probability of ink that is kept."""
MIN_FOUND = 0.6
"""Minimum share of the line's ink that the network finds; a line of which it finds less is drawn again."""


def photographed_line(
    writer: LineWriter, source: WritingSource, network: Network, rng: Rng, kind: str | None = None
) -> WrittenLine:
    """A line whose ink the network found in a scene. Equal generators give equal lines."""
    while True:
        line = _photograph(writer, source, network, rng, kind)
        if line is not None:
            return line


def _photograph(
    writer: LineWriter, source: WritingSource, network: Network, rng: Rng, kind: str | None
) -> WrittenLine | None:
    """A line; None if it is too long, is covered, or cannot be seen."""
    words, style, written = writer.compose(rng, kind)
    zoom = float(np.exp(rng.normal(0.1, 0.3)))
    zoom = max(min(zoom, MAX_SIDE / (written.shape[1] + UNIT)), 0.45)
    ink = _resized(written, zoom)
    unit = UNIT * zoom
    if ink.shape[1] + 10 > MAX_SIDE:
        return None
    side = int(np.clip(ink.shape[1] + rng.uniform(0.3, 2) * unit, MIN_SIDE, MAX_SIDE))
    x = int(rng.integers(2, max(3, side - ink.shape[1] - 2)))
    y = int(rng.integers(-unit + 3, max(-unit + 4, side - 2 * unit - 3)))
    ruling = _ruling(written, style, rng)
    covered = _placed(ink, x, y, side)

    def draw(sheet: WritingSheet, _source: WritingSource, pen: photos.Pen, surface: str, rng: Rng) -> None:
        if ruling is not None:
            sheet.rule(_placed(_resized(ruling, zoom), x, y, side), rng)
        elif rng.random() < 0.5:
            sheet.decorate(unit, rng)
        sheet.write_ink(covered, pen, unit * style.pen, rng)

    scene = draw_scene(source, rng, side=side, draw=draw)
    true = scene.ink / np.float32(255)
    drawn = float(covered.sum())
    if words and (true.sum() < 0.9 * drawn or not scene.weight.all() or drawn < 5):
        return None
    rows = slice(max(0, y + round(0.55 * unit)), min(side, y + round(2.5 * unit)))
    wide = slice(max(0, rows.start - 40), min(side, rows.stop + 40))
    found = ink_map(scene.pixels[wide], network)[rows.start - wide.start : rows.stop - wide.start]
    if words and float(np.minimum(found, true[rows]).sum()) < MIN_FOUND * float(true[rows].sum()):
        return None
    left, right = (int(v) for v in rng.integers(2, UNIT, 2))
    columns = slice(max(0, x - left), min(side, x + ink.shape[1] + right))
    kept = (255 * np.where(found > LEAST, found, 0)[:, columns]).astype(np.uint8)
    return WrittenLine(kept, lines.text_of(words), "photographed") if min(kept.shape) > 3 else None


def _resized(layer: Array, zoom: float) -> Array:
    from PIL import Image

    size = (max(1, round(zoom * layer.shape[1])), round(zoom * TALL))
    return np.asarray(
        Image.fromarray(layer).resize(size, Image.Resampling.BOX if zoom < 1 else Image.Resampling.BICUBIC)
    )


def _placed(layer: Array, x: int, y: int, side: int) -> Array:
    """The layer in a square, 0 to 1."""
    square = np.zeros((side, side), np.float32)
    top, left = max(0, y), max(0, x)
    part = layer[top - y : side - y, left - x : side - x] / np.float32(255)
    square[top : top + part.shape[0], left : left + part.shape[1]] = part
    return square


def _ruling(written: Array, style: LineStyle, rng: Rng) -> Array | None:
    """Boxes around the digits, or lines around the writing; None for none."""
    empty = np.zeros_like(written)
    if style.boxed:
        return lines.form_boxes(empty, [0.0, *style.gaps, written.shape[1] - 1.0], rng)
    return lines.rule_line(empty, rng) if rng.random() < 0.3 else None
