"""A curve and points as lines of text, with axes, for a terminal."""

import itertools
import math
from dataclasses import dataclass

import numpy as np
from rich.text import Text

from digitscope.arrays import Array
from digitscope.cli.braille import braille_cells

TRAINING, VALIDATION = "#0072b2", "#d55e00"
"""Blue and vermilion as in the report. They are legible on black and on white."""


@dataclass(frozen=True, eq=False)
class Curves:
    """A quantity over the steps of a training; all arrays have one axis."""

    steps: Array
    training: Array
    validation_steps: Array
    validation: Array


@dataclass(frozen=True)
class Signs:
    """The characters of charts, answers and progress."""

    line: str
    """The training curve in a legend; in ASCII also in the chart."""
    point: str
    vertical: str
    tick: str
    corner: str
    horizontal: str
    right: str
    wrong: str
    bar: str
    bar_rest: str


UNICODE = Signs("━", "●", "│", "┤", "└", "─", "✓", "✗", "━", "┄")
ASCII = Signs(".", "o", "|", "+", "+", "-", " ", "x", "#", "-")


def draw_curves(
    curves: Curves, *, last_step: int, end: str, log: bool, skip: float, width: int, height: int, signs: Signs
) -> list[Text]:
    """`height` lines of `width` characters: training as a line, validation as points, and the axes with numbers.

    The line is drawn in Braille dots, in ASCII as whole characters. It is the mean of the values in each column of
    dots.

    last_step, end: the right end of the horizontal axis, and its label
    log: whether the vertical axis is logarithmic if the values span a factor of 10 or more
    skip: the fraction of the steps so far, from the first on, that the vertical axis need not cover
    """
    down, across = (1, 1) if signs is ASCII else (4, 2)
    first = skip * max([0, *curves.steps[-1:], *curves.validation_steps[-1:]])
    shown = [curves.training[curves.steps >= first], curves.validation[curves.validation_steps >= first]]
    axis = _Axis.of(np.concatenate(shown), log=log, most=height // 2)
    rows = height - 2
    labels = {int(axis.place(tick, rows * down)) // down: f"{tick:g}" for tick in axis.ticks}
    margin = max((len(label) for label in labels.values()), default=0)
    columns = width - margin - 1

    def place(steps: Array, values: Array) -> tuple[Array, Array]:
        """Rows and columns of the dots that are inside the chart."""
        x = np.round(steps / last_step * (columns * across - 1)).astype(int)
        y = axis.place(values, rows * down)
        inside = (y >= 0) & (y < rows * down)
        return y[inside].astype(int), x[inside]

    dots = np.zeros((rows * down, columns * across), bool)
    dots[place(*_mean_line(curves, last_step, columns * across, rows * down))] = True
    y, x = place(curves.validation_steps, curves.validation)
    points = set(zip((y // down).tolist(), (x // across).tolist(), strict=True))
    if signs is ASCII:
        texts = ["".join(signs.line if dot else " " for dot in row) for row in dots]
    else:
        texts = [text.replace(chr(0x2800), " ") for text in braille_cells(dots)]
    lines = []
    for row, characters in enumerate(texts):
        axis_text = labels.get(row, "").rjust(margin) + (signs.tick if row in labels else signs.vertical)
        line = Text.assemble((axis_text, "dim"))
        marked = [signs.point if (row, column) in points else sign for column, sign in enumerate(characters)]
        for is_point, run in itertools.groupby(marked, lambda sign: sign == signs.point):
            line.append("".join(run), VALIDATION if is_point else TRAINING)
        lines.append(line)
    lines.append(Text(" " * margin + signs.corner + signs.horizontal * columns, "dim"))
    return [*lines, Text(" " * margin + "0" + end.rjust(columns), "dim")]


@dataclass(frozen=True)
class _Axis:
    """A vertical axis."""

    low: float
    high: float
    log: bool
    ticks: list[float]

    @classmethod
    def of(cls, values: Array, *, log: bool, most: int) -> "_Axis":
        """An axis that covers these values, with up to `most` ticks."""
        values = values[np.isfinite(values)]
        if not len(values):
            return cls(0, 1, False, [])
        low, high = float(values.min()), float(values.max())
        log = log and low > 0 and high >= 10 * low
        if high == low:
            low, high = low - 0.1 * abs(low) - 0.01, high + 0.1 * abs(high) + 0.01
        return cls(low, high, log, _round_numbers(low, high, log, most))

    def place(self, values: float | Array, rows: int) -> Array:
        """The row of each value, from 0 at the top; outside of 0 to rows - 1 if the value is outside of the axis."""
        low, high = self.low, self.high
        if self.log:
            values, low, high = np.log10(np.maximum(values, 1e-30)), math.log10(low), math.log10(high)
        place: Array = np.round((high - np.asarray(values)) / (high - low) * (rows - 1))
        return place


def _round_numbers(low: float, high: float, log: bool, most: int) -> list[float]:
    """Up to `most` numbers from low to high: 1, 2 or 5 times a power of 10, or all multiples of such a number."""
    powers = [10.0**k for k in range(-9, 10)]
    if log:
        choices = [[m * power for power in powers for m in digits] for digits in ((1, 2, 5), (1, 3), (1,))]
    else:
        steps = [m * power for power in powers for m in (1, 2, 5)]
        choices = [
            [n * step for n in range(math.ceil(low / step), math.floor(high / step) + 1)]
            for step in steps
            if (high - low) / step <= most
        ]
    inside = ([float(f"{number:.10g}") for number in choice if low <= number <= high] for choice in choices)
    return next((numbers for numbers in inside if len(numbers) <= most), [])


def _mean_line(curves: Curves, last_step: int, columns: int, rows: int) -> tuple[Array, Array]:
    """Steps and values of dots so close that they make a line, through the mean of each column's values."""
    known = np.isfinite(curves.training)
    steps, values = curves.steps[known], curves.training[known]
    if not len(steps):
        return steps, values
    column = np.round(steps / last_step * (columns - 1)).astype(int)
    counts = np.bincount(column)
    filled = np.flatnonzero(counts)
    mean_steps, means = (np.bincount(column, weights=w)[filled] / counts[filled] for w in (steps, values))
    fine = np.linspace(mean_steps[0], mean_steps[-1], 2 * columns * rows)
    return fine, np.interp(fine, mean_steps, means)
