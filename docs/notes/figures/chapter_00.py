"""Chapter 0: tools."""

import numpy as np
from contourpy import contour_generator
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from digitscope.arrays import Array
from digitscope.report.style import BLUE, FAINT, INK, MUTED, SMALL, VERMILION, WIDTH, add_canvas, add_panel, new_figure
from docs.notes.figures import drawing

CELL = 34.0


def grid(axes: Axes, numbers: Array, left: float, top: float, marked: dict[tuple[int, int], str]) -> None:
    """A matrix as a table of squares, some of them coloured."""
    for (row, column), value in np.ndenumerate(numbers):
        x, y = left + CELL * column, top + CELL * row
        if colour := marked.get((row, column)):
            axes.fill([x, x + CELL, x + CELL, x], [y, y, y + CELL, y + CELL], color=colour, alpha=0.22, linewidth=0)
        axes.plot([x, x + CELL, x + CELL, x, x], [y, y, y + CELL, y + CELL, y], color=FAINT, linewidth=1)
        axes.text(x + CELL / 2, y + CELL / 2, f"{value:g}".replace("-", "−"), ha="center", va="center")


@drawing("00-product")
def a_row_and_a_column() -> Figure:
    figure = new_figure("A product of two matrices, one row and one column of which are marked", 152)
    axes = add_canvas(figure)
    w, x = np.array([[1, 2, 0], [0, 1, 2]]), np.array([[1, 0], [3, 1], [2, -1]])
    top = 36.0
    grid(axes, w, 60, top + CELL / 2, {(1, i): BLUE for i in range(3)})
    grid(axes, x, 216, top, {(i, 0): VERMILION for i in range(3)})
    grid(axes, w @ x, 346, top + CELL / 2, {(1, 0): INK})
    for left, sign in ((190, "·"), (315, "=")):
        axes.text(left, top + 1.5 * CELL, sign, ha="center", va="center", fontsize=16)
    for middle, text in ((60 + 1.5 * CELL, "W (2, 3)"), (216 + CELL, "X (3, 2)"), (346 + CELL, "W X (2, 2)")):
        axes.text(middle, 14, text, ha="center", va="center", color=MUTED, fontsize=SMALL)
    return figure


def hill(x: Array, y: Array) -> Array:
    height: Array = 1.2 * np.exp(-((x - 0.4) ** 2) - 0.5 * (y - 0.3) ** 2) + 0.25 * x + 0.1 * y
    return height


@drawing("00-slopes")
def two_cuts_through_a_hill() -> Figure:
    figure = new_figure("A hill from above with two cuts through a point, and the height along each", 246)
    x, y = np.meshgrid(np.linspace(-2, 2, 121), np.linspace(-2, 2, 121))
    at = (-0.5, -0.7)
    left = add_panel(figure, 6, 6, 226, 226)
    generator = contour_generator(x, y, hill(x, y))
    for level in np.arange(-0.6, 1.7, 0.15):
        for line in generator.lines(level):
            left.plot(*np.asarray(line).T, color=INK + "40", linewidth=0.9)
    left.plot([-2, 2], [at[1], at[1]], color=BLUE, linewidth=1.8)
    left.plot([at[0], at[0]], [-2, 2], color=VERMILION, linewidth=1.8)
    left.plot(*at, "o", color=INK, markersize=6)
    left.text(1.95, at[1] - 0.2, "east", color=BLUE, ha="right", fontsize=SMALL)
    left.text(at[0] - 0.1, 1.8, "north", color=VERMILION, ha="right", fontsize=SMALL)
    left.set_xlim(-2, 2)
    left.set_ylim(-2, 2)
    left.grid(False)
    left.set_xticks([])
    left.set_yticks([])
    left.spines["bottom"].set_visible(False)
    way = np.linspace(-2, 2, 161)
    here = float(hill(*(np.array(v) for v in at)))
    for row, (name, colour, place, heights) in enumerate(
        (
            ("east", BLUE, at[0], hill(way, np.full_like(way, at[1]))),
            ("north", VERMILION, at[1], hill(np.full_like(way, at[0]), way)),
        )
    ):
        axes = add_panel(figure, 290, 12 + row * 118, WIDTH - 304, 88)
        axes.plot(way, heights, color=colour, linewidth=2)
        slope = float(np.interp(place + 0.02, way, heights) - np.interp(place - 0.02, way, heights)) / 0.04
        reach = np.array([-0.8, 0.8])
        axes.plot(place + reach, here + slope * reach, color=INK, linewidth=1.2)
        axes.plot([place], [here], "o", color=INK, markersize=6)
        axes.set_xlim(-2, 2)
        axes.set_ylim(-0.7, 1.5)
        axes.set_xticks([])
        axes.set_yticks([])
        axes.grid(False)
        axes.text(1.95, -0.6, f"to the {name}: slope {slope:.2f}", color=colour, fontsize=SMALL, ha="right")
    return figure


@drawing("00-line")
def a_line_finds_its_points() -> Figure:
    figure = new_figure("A line that finds four points, and its loss over both knobs with the path", 236)
    x, q = np.array([0.0, 1, 2, 3]), np.array([1.2, 1.4, 2.3, 2.5])
    w = b = 0.0
    path = [(w, b)]
    for _ in range(200):
        wrong = w * x + b - q
        w, b = w - 0.2 * float((wrong * x).mean()), b - 0.2 * float(wrong.mean())
        path.append((w, b))
    left = add_panel(figure, 26, 10, 208, 186)
    left.plot(x, q, "o", color=VERMILION, markersize=8, zorder=3)
    ends = np.array([-0.3, 3.3])
    for step, style in ((0, ":"), (1, "--"), (200, "-")):
        line = path[step][0] * ends + path[step][1]
        left.plot(ends, line, style, color=BLUE, linewidth=1.8)
    left.text(2.2, 0.12, "start", color=BLUE, fontsize=SMALL)
    left.text(1.75, 1.05, "1 step", color=BLUE, fontsize=SMALL, ha="left", va="top")
    left.text(0.2, 1.75, "end", color=BLUE, fontsize=SMALL)
    left.set_xlim(-0.3, 3.3)
    left.set_ylim(-0.2, 3.2)
    left.set_xticks((0, 1, 2, 3))
    left.set_xlabel("x")
    right = add_panel(figure, 292, 10, WIDTH - 306, 186)
    knob, bias = np.meshgrid(np.linspace(-0.3, 1.1, 121), np.linspace(-0.4, 1.8, 121))
    loss = ((knob[..., None] * x + bias[..., None] - q) ** 2).mean(axis=-1) / 2
    generator = contour_generator(knob, bias, loss)
    for level in (0.02, 0.06, 0.15, 0.3, 0.55, 0.9, 1.4, 2):
        for contour in generator.lines(level):
            right.plot(*np.asarray(contour).T, color=INK + "40", linewidth=0.9)
    right.plot(*np.array(path).T, color=BLUE, linewidth=1.4, marker="o", markersize=3)
    right.plot([0], [0], "o", color=VERMILION, markersize=6, zorder=3)
    right.set_xlim(-0.3, 1.1)
    right.set_ylim(-0.4, 1.8)
    right.grid(False)
    right.set_xlabel("w")
    right.set_ylabel("b", rotation=0, labelpad=9)
    return figure
