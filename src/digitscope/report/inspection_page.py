"""One picture and what a network computes for it, layer by layer: as a page, or as one figure."""

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from digitscope.arrays import Array
from digitscope.errors import printable
from digitscope.metrics import percentage
from digitscope.report.page import Section, write_report
from digitscope.report.preparation_steps import Step, draw_steps, steps_height
from digitscope.report.style import (
    BLUE,
    DIVERGING,
    FAINT,
    INK_SCALE,
    MUTED,
    PHONE_WIDTH,
    SMALL,
    TEXT,
    add_canvas,
    new_figure,
    shorten,
    styled,
)

MAX_MAPS = 16
MAX_NUMBERS = 800
MAX_CLASSES = 12
_BARS = 40
"""Up to this number of units are shown as bars, more as cells of colour."""
_MARGIN = 10.0
_INNER = PHONE_WIDTH - 2 * _MARGIN
_LINE = 15.0
_LONGEST_BAR = 280.0
_COLUMNS = 64
"""Characters in a line of text."""


@dataclass(frozen=True, eq=False)
class LayerOutput:
    """What one layer computed for the picture."""

    name: str
    """The layer's place in the network, as its parameters' names begin."""
    layer: str
    """The call that makes such a layer: Conv2D(1, 16, 5)."""
    sentence: str
    """What the layer does."""
    shape: tuple[int, ...]
    """The shape of its output for one image: (channels, height, width) or (units,)."""
    values: Array
    """The output, in this shape or laid out as the image."""
    notes: str | None = None
    """The place in the notes that explains the layer."""

    @property
    def shape_text(self) -> str:
        """The shape as 16x24x24."""
        return "x".join(map(str, self.shape))


@dataclass(frozen=True, eq=False)
class Inspection:
    """One picture, how it was prepared, and what each layer of a network computed from it."""

    picture: str
    """The picture's name."""
    model: str
    """The model's name or file."""
    steps: tuple[Step, ...]
    """How the picture was prepared."""
    image: Array
    """What the network sees, uint8 (H, W)."""
    digit: int
    """The most probable class, even if the picture is not a digit."""
    other: int
    """The second most probable class."""
    answer: str
    """The answer in a few words."""
    is_digit: bool
    probabilities: Array
    """The probability of each class, (classes,)."""
    plausible: tuple[int, ...]
    evidence: float
    evidence_sentence: str
    """The evidence, and what it is compared with."""
    slope: Array
    """The derivative of output[digit] - output[other] with respect to each pixel, (H, W), as a mean over shifts."""
    layers: tuple[LayerOutput, ...]


@dataclass(frozen=True, eq=False)
class _Part:
    heading: str
    sentence: str
    height: float
    """In points."""
    draw: Callable[[Axes, float], None]
    """Draws on a canvas, from a top in points."""
    notes: str | None = None


def write_inspection_page(path: Path, inspection: Inspection) -> None:
    """Writes the figures and sentences as one self-contained page."""
    write_report(
        path,
        title=f"Digitscope: {inspection.picture}",
        lead=f"Read as {inspection.answer}." if inspection.is_digit else f"This is {inspection.answer}.",
        facts=[
            ("Answer", inspection.answer),
            ("Score as a digit", f"{inspection.evidence:.1f}"),
            ("Model", inspection.model),
            ("Layers shown", str(len(inspection.layers))),
        ],
        sections=[Section(part.heading, part.sentence, _figure(part), part.notes) for part in _parts(inspection)],
    )


def inspection_figure(inspection: Inspection) -> Figure:
    """Everything that is on the page as one high figure."""
    parts = _parts(inspection)
    texts = [textwrap.wrap(part.sentence, _COLUMNS) for part in parts]
    heights = [34 + _LINE * len(lines) + part.height + 24 for lines, part in zip(texts, parts, strict=True)]
    with styled():
        figure = new_figure(f"{inspection.picture}: {inspection.answer}", 70 + sum(heights), PHONE_WIDTH)
        axes = add_canvas(figure)
        axes.text(_MARGIN, 24, shorten(printable(inspection.picture), _INNER, 15, "bold"), weight="bold", size=15)
        axes.text(_MARGIN, 44, inspection.answer)
        axes.text(_MARGIN, 61, shorten(f"model: {printable(inspection.model)}", _INNER), size=SMALL, color=MUTED)
        top = 70.0
        for lines, part, height in zip(texts, parts, heights, strict=True):
            axes.text(_MARGIN, top + 22, shorten(part.heading, _INNER, TEXT, "bold"), weight="bold")
            for number, line in enumerate(lines):
                axes.text(_MARGIN, top + 38 + _LINE * number, line, size=SMALL, color=MUTED)
            part.draw(axes, top + 34 + _LINE * len(lines))
            top += height
        return figure


def _figure(part: _Part) -> Figure:
    with styled():
        figure = new_figure(part.heading, part.height, PHONE_WIDTH)
        part.draw(add_canvas(figure), 0.0)
        return figure


def _parts(inspection: Inspection) -> list[_Part]:
    pixels = f"x[i,j] ds/dx[i,j], s = output[{inspection.digit}] - output[{inspection.other}]"
    return [
        _Part(
            "Preparation",
            "From the picture to the image that the network sees.",
            steps_height(inspection.steps),
            partial(draw_steps, steps=inspection.steps),
        ),
        _Part(
            "Probabilities",
            f"The probability of each class, the most probable first. {inspection.evidence_sentence}",
            *_bars_part(inspection),
            notes="docs/notes/11-uncertainty.md",
        ),
        _Part(
            f"Which pixels speak for {inspection.digit}",
            f"Orange: ink here speaks for {inspection.digit} and against {inspection.other}, the second most probable "
            f"class. Blue: the opposite. Middle: the ink that is there, {pixels}. Right: ink anywhere, ds/dx[i,j]. "
            "The derivatives are means over nine copies of the image, shifted by at most a pixel.",
            144,
            partial(_draw_pixels, inspection=inspection),
            notes="docs/notes/05-backpropagation.md#many-paths-contributions-add",
        ),
        *(_layer_part(layer) for layer in inspection.layers),
    ]


def _bars_part(inspection: Inspection) -> tuple[float, Callable[[Axes, float], None]]:
    """Height, and a function that draws a bar for each class."""
    p = inspection.probabilities
    shown = np.argsort(-p, kind="stable")[:MAX_CLASSES].tolist()

    def draw(axes: Axes, top: float) -> None:
        for row, k in enumerate(shown):
            y = top + 18 * row
            color = BLUE if k in inspection.plausible and inspection.is_digit else MUTED
            axes.text(_MARGIN + 12, y + 14, str(k), ha="right", weight="bold" if k == inspection.digit else "normal")
            length = _LONGEST_BAR * float(p[k])
            _draw_image(axes, np.ones((1, 1)), (_MARGIN + 22, y + 3, length, 13), color=color)
            axes.text(_MARGIN + 28 + length, y + 14, f"{percentage(p[k], 1)} %", size=SMALL, color=MUTED)

    return 18.0 * len(shown) + 8, draw


def _draw_pixels(axes: Axes, top: float, inspection: Inspection) -> None:
    side, gap = 118.0, (_INNER - 3 * 118.0) / 2
    ink = inspection.image / 255
    maps = [None, ink * inspection.slope, inspection.slope]
    for place, (text, values) in enumerate(zip(("the image", "the ink", "ink anywhere"), maps, strict=True)):
        box = (_MARGIN + place * (side + gap), top, side, side)
        _draw_image(axes, ink, box, cmap=INK_SCALE, vmin=0, vmax=1 if values is None else 4)
        if values is not None:
            _draw_signed(axes, values, box, float(np.percentile(np.abs(values), 99)) or None)
        _draw_frame(axes, box)
        axes.text(box[0], top + side + 15, text, size=SMALL, color=MUTED)


def _layer_part(layer: LayerOutput) -> _Part:
    values = layer.values
    if values.ndim == 2:
        values = values[None]
    if values.ndim == 3 and values[0].size > 1:
        height, draw, remark = _maps(values)
    else:
        height, draw, remark = _numbers(values.reshape(-1))
    low, high = float(values.min()), float(values.max())
    sentence = " ".join(filter(None, [layer.sentence, remark, f"Values from {low:.3g} to {high:.3g}."]))
    return _Part(f"{layer.name}  {layer.layer}: {layer.shape_text}", sentence, height, draw, layer.notes)


def _maps(values: Array) -> tuple[float, Callable[[Axes, float], None], str]:
    """Height, drawing and a sentence of feature maps, (channels, height, width)."""
    norms = np.linalg.norm(values.reshape(len(values), -1), axis=1)
    shown = np.sort(np.argsort(-norms, kind="stable")[:MAX_MAPS])
    columns = 8 if len(shown) > 3 else len(shown)
    pitch = _INNER / 8 if columns == 8 else 126.0
    side = pitch - 8
    scale = side / max(values.shape[1:])
    height, width = scale * values.shape[1], scale * values.shape[2]
    limit = _limit(values[shown])

    def draw(axes: Axes, top: float) -> None:
        for place, channel in enumerate(shown.tolist()):
            box = (_MARGIN + pitch * (place % columns), top + (height + 8) * (place // columns), width, height)
            _draw_signed(axes, values[channel], box, limit)
            _draw_frame(axes, box)

    rows = -(-len(shown) // columns)
    total = len(values)
    remark = f"Shown are the {len(shown)} of {total} maps with the largest values." if len(shown) < total else ""
    return (height + 8) * rows + 4, draw, remark


def _numbers(values: Array) -> tuple[float, Callable[[Axes, float], None], str]:
    """Height, drawing and a sentence of a row of numbers: bars from zero if they are few, otherwise cells."""
    if len(values) > _BARS:
        shown = values[:MAX_NUMBERS]
        cells = np.pad(shown, (0, -len(shown) % _BARS)).reshape(-1, _BARS)
        box_height = _INNER / _BARS * len(cells)

        def draw_cells(axes: Axes, top: float) -> None:
            box = (_MARGIN, top, _INNER, box_height)
            _draw_signed(axes, cells, box, _limit(shown))
            _draw_frame(axes, box)

        total = f" of {len(values):,}" if len(shown) < len(values) else ""
        return box_height + 6, draw_cells, f"The first {len(shown):,}{total} numbers, {_BARS} per row."

    highest = max(float(values.max()), 0.0)
    span = (highest - min(float(values.min()), 0.0)) or 1.0
    pitch = min(44.0, _INNER / len(values))

    def draw_bars(axes: Axes, top: float) -> None:
        zero = top + 6 + 80 * highest / span
        for k, value in enumerate(values.tolist()):
            x, size = _MARGIN + pitch * k, 80 * abs(value) / span
            signed = np.full((1, 1), np.sign(value))
            _draw_signed(axes, signed, (x + 0.1 * pitch, zero - size * (value > 0), 0.8 * pitch, size), 1.0)
            if len(values) <= 20 or k % 5 == 0:
                axes.text(x + pitch / 2, top + 102, str(k), size=SMALL, ha="center", color=MUTED)
        _draw_image(axes, np.ones((1, 1)), (_MARGIN, zero - 0.4, pitch * len(values), 0.8), color=MUTED)

    return 108.0, draw_bars, ""


def _limit(values: Array) -> float:
    """The value at which the colours end. It leaves out the largest few, one of which would make all others pale."""
    return float(np.percentile(np.abs(values), 99.8)) or float(np.abs(values).max()) or 1.0


def _draw_signed(axes: Axes, values: Array, box: tuple[float, float, float, float], limit: float | None = None) -> None:
    limit = limit or _limit(values)
    _draw_image(axes, values, box, cmap=DIVERGING, vmin=-limit, vmax=limit)


def _draw_image(
    axes: Axes, values: Array, box: tuple[float, float, float, float], *, color: str | None = None, **options: Any
) -> None:
    """Draws an image, or one colour, into a box: left, top, width, height."""
    left, top, width, height = box
    if width <= 0 or height <= 0:
        return
    if color is not None:
        axes.fill_between([left, left + width], top, top + height, color=color, linewidth=0)
        return
    axes.imshow(values, extent=(left, left + width, top + height, top), interpolation="none", aspect="auto", **options)


def _draw_frame(axes: Axes, box: tuple[float, float, float, float]) -> None:
    left, top, width, height = box
    xs: Sequence[float] = [left, left + width, left + width, left, left]
    axes.plot(xs, [top, top, top + height, top + height, top], color=FAINT, linewidth=0.8)
