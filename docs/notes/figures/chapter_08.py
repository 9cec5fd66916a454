"""Chapter 8: convolution."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from digitscope.arrays import Array
from digitscope.model import SHIPPED, Model
from digitscope.nn import Conv2D, Layer, Network, to_batch
from digitscope.report.style import (
    BLUE,
    BLUE_SCALE,
    DIVERGING,
    FAINT,
    INK,
    INK_SCALE,
    MUTED,
    SMALL,
    VERMILION,
    add_canvas,
    new_figure,
)
from docs.notes.figures import drawing
from docs.notes.mnist import load_mnist

PLAIN: Any = {"interpolation": "none", "aspect": "auto"}
UPRIGHT = np.tile([-1.0, -1, 0, 1, 1], (5, 1)) / 10
DOT = np.full((5, 5), -1 / 16)
DOT[1:4, 1:4] = 1 / 9


def digits(count: int) -> Array:
    """Training images with intensities from 0 to 1, (1, 28, 28, count)."""
    (images, _), _ = load_mnist()
    return to_batch(images[:count]).astype(np.float64).reshape(1, 28, 28, count)


def shipped() -> tuple[Layer, Network]:
    """The layer that normalizes each image, and all after it."""
    first, *others = Model.load(SHIPPED["convnet"]).network.astype(np.float64).layers
    return first, Network(*others)


def found(pattern: Array, image: Array) -> Array:
    """The map of one pattern, (24, 24)."""
    layer = Conv2D(1, 1, 5, bias=False).astype(np.float64)
    layer.params["weight"] = pattern[None, None]
    y: Array = layer.forward(image)[0][0, :, :, 0]
    return y


def evenly(values: Array) -> Array:
    """From -1 to 1, past the third in the middle of the map of colours, in which nothing is to be seen."""
    shares = values / np.abs(values).max()
    even: Array = np.sign(shares) * (1 + 2 * np.abs(shares)) / 3
    return even


def shade(axes: Axes, values: Array, left: float, top: float, size: float) -> None:
    """A small matrix in blue and vermilion, framed."""
    axes.imshow(evenly(values), extent=(left, left + size, top + size, top), cmap=DIVERGING, vmin=-1, vmax=1, **PLAIN)
    frame(axes, left, top, size, FAINT)


def frame(axes: Axes, left: float, top: float, size: float, colour: str, width: float = 0.8) -> None:
    axes.plot(
        [left, left + size, left + size, left, left], [top, top, top + size, top + size, top],
        color=colour, linewidth=width, solid_joinstyle="miter",
    )  # fmt: skip


@drawing("08-sought")
def patterns_sought_everywhere() -> Figure:
    image = digits(1)
    figure = new_figure("A five, three patterns of 5 by 5, and where each is found", 222)
    axes = add_canvas(figure)
    axes.imshow(image[0, :, :, 0], extent=(4, 128, 196, 72), cmap=INK_SCALE, vmin=0, vmax=1, **PLAIN)
    pixel = 124 / 28
    row, column = 13, 12  # where the window stands that is drawn
    frame(axes, 4 + column * pixel, 72 + row * pixel, 5 * pixel, VERMILION, 2)
    axes.text(66, 209, "the image, 28 by 28", ha="center", va="center", color=MUTED, fontsize=SMALL)
    for number, (name, pattern) in enumerate(
        (("ink on the right", UPRIGHT), ("ink below", UPRIGHT.T), ("ink in the middle", DOT))
    ):
        left = 160 + number * 124
        shade(axes, pattern, left + 36, 2, 34)
        axes.text(left + 53, 50, name, ha="center", va="center", fontsize=SMALL)
        values = found(pattern, image)
        shade(axes, values, left, 72 + 9, 106)
        if number == 0:
            cell = 106 / 24
            frame(axes, left + column * cell, 81 + row * cell, cell, VERMILION, 2)
    axes.text(337, 209, "how well it fits at each of 24 by 24 places", ha="center", va="center", color=MUTED,
              fontsize=SMALL)  # fmt: skip
    return figure


@drawing("08-matrix")
def three_matrices() -> Figure:
    rng = np.random.default_rng(8)
    inputs, outputs, size = 12, 10, 3
    every = rng.uniform(-1, 1, size=(outputs, inputs))
    near = np.zeros_like(every)
    shared = np.zeros_like(every)
    w = np.array([1.0, -0.7, 0.4])
    for i in range(outputs):
        near[i, i : i + size] = every[i, i : i + size]
        shared[i, i : i + size] = w
    figure = new_figure(
        "Three matrices of 10 by 12: full, banded, and banded with equal numbers along its diagonals", 196
    )
    axes = add_canvas(figure)
    titles = (("dense", "120 weights"), ("only near inputs", "30 weights"), ("the same everywhere", "3 weights"))
    for number, (matrix, (title, count)) in enumerate(zip((every, near, shared), titles, strict=True)):
        left, top, cell = 4 + number * 178, 26, 12.5
        axes.text(left, 10, title, weight="bold", va="center")
        axes.imshow(
            evenly(matrix), extent=(left, left + cell * inputs, top + cell * outputs, top), cmap=DIVERGING, vmin=-1,
            vmax=1, **PLAIN,
        )  # fmt: skip
        for i in range(outputs + 1):
            axes.plot([left, left + cell * inputs], [top + cell * i] * 2, color=FAINT, linewidth=0.8)
        for h in range(inputs + 1):
            axes.plot([left + cell * h] * 2, [top, top + cell * outputs], color=FAINT, linewidth=0.8)
        axes.text(left + cell * inputs / 2, 166, count, ha="center", va="center", fontsize=SMALL)
    axes.text(4, 188, "a row for each output, a column for each input", color=MUTED, fontsize=SMALL, va="center")
    return figure


@drawing("08-windows")
def strides_and_padding() -> Figure:
    figure = new_figure("Windows of three over seven numbers: plain, padded, and padded with stride two", 156)
    axes = add_canvas(figure)
    for number, (title, stride, padding) in enumerate(
        (("7 to 5", 1, 0), ("padding 1: 7 to 7", 1, 1), ("and stride 2: 7 to 4", 2, 1))
    ):
        left = 22 + number * 172
        axes.text(left - 18, 12, title, weight="bold", va="center")
        places = {h: left + 16 * (h + 1) for h in range(-padding, 7 + padding)}
        for i in range((7 + 2 * padding - 3) // stride + 1):
            colour = (BLUE, VERMILION)[i % 2]
            middle = places[stride * i - padding + 1]
            for u in range(3):
                axes.plot([places[stride * i + u - padding], middle], [126, 54], color=colour, linewidth=1.2, zorder=1)
            axes.plot([middle], [54], "o", color=colour, markersize=8)
        for h, x in places.items():
            inside = 0 <= h < 7
            axes.plot([x], [126], "o", color=INK if inside else MUTED, markersize=8, zorder=2,
                      fillstyle="full" if inside else "none")  # fmt: skip
            if not inside:
                axes.text(x, 144, "0", ha="center", va="center", color=MUTED, fontsize=SMALL)
        for y, name in ((54, "y"), (126, "x")):
            axes.text(places[-padding] - 18, y, name, ha="center", va="center", style="italic")
    return figure


REACHES = ((3, 5, 6), (6, 5, 10), (10, 2, 16), (13, 1, 24))
"""Of the shipped network: behind which layer past the first, which place of the map, how many pixels wide it sees."""


@drawing("08-reach", tolerance=1)
def what_a_number_sees() -> Figure:
    """How much each pixel matters to one number in the middle, root mean square over images."""
    normalize, network = shipped()
    columns = normalize.forward(digits(100).reshape(784, -1))[0]
    figure = new_figure("Which pixels matter to one number behind each of four convolutions", 158)
    axes = add_canvas(figure)
    for number, (behind, place, reach) in enumerate(REACHES):
        layers = Network(*network.layers[: behind + 1])
        y, backward = layers.forward(columns)
        dy = np.zeros_like(y)
        dy[:, place, place] = np.random.default_rng(8).normal(size=(len(y), 1))
        seen = np.sqrt((backward(dy)[0] ** 2).mean(axis=1)).reshape(28, 28)
        left, top, side = 4 + number * 131.0, 2.0, 118.0
        axes.imshow(
            np.sqrt(seen), extent=(left, left + side, top + side, top), cmap=BLUE_SCALE, vmin=0,
            vmax=float(np.sqrt(seen.max())), **PLAIN,
        )  # fmt: skip
        frame(axes, left, top, side, FAINT)
        rows = np.flatnonzero(seen.any(axis=1))
        pixel = side / 28
        frame(axes, left + rows[0] * pixel, top + rows[0] * pixel, reach * pixel, VERMILION, 1.6)
        axes.text(left + side / 2, 134, f"convolution {number + 1}", ha="center", va="center", fontsize=SMALL)
        axes.text(left + side / 2, 149, f"{reach} by {reach}", ha="center", va="center", fontsize=SMALL, color=MUTED)
    return figure


@drawing("08-filters")
def learned_filters() -> Figure:
    image, (_, network) = digits(1), shipped()
    weight = network.layers[1].params["weight"][:, 0]
    maps = network.layers[1].forward(image)[0][..., 0]
    figure = new_figure("The sixteen learned filters of the first convolution, and where each finds a five", 262)
    axes = add_canvas(figure)
    for o in range(16):
        left, top = 2 + o % 8 * 65.6, 2 + o // 8 * 134
        shade(axes, weight[o], left + 8, top, 42)
        shade(axes, maps[o], left, top + 50, 58)
        axes.text(left + 29, top + 117, str(o + 1), ha="center", va="center", color=MUTED, fontsize=SMALL)
    return figure


@drawing("08-patches")
def what_excites_a_channel() -> Figure:
    """The patches of training images where a channel behind the last convolution says most, the channel's strongest
    place of each image alone; channels 1 to 8."""
    count, shown = 1000, 9
    x, (normalize, network) = digits(count), shipped()
    y = Network(normalize, *network.layers[:14]).forward(x.reshape(784, -1))[0]
    figure = new_figure("For eight channels of the last convolution, the nine patches that excite each the most", 76)
    axes = add_canvas(figure)
    padded = np.pad(x[0], ((2, 2), (2, 2), (0, 0)))
    for c in range(8):
        strongest = y[c].reshape(9, count).max(axis=0)
        sheet = np.zeros((3 * 25, 3 * 25))
        for rank, n in enumerate(np.argsort(-strongest, kind="stable")[:shown]):
            i, j = divmod(int(y[c, :, :, n].argmax()), 3)
            patch = padded[4 * i : 4 * i + 24, 4 * j : 4 * j + 24, n]
            sheet[rank // 3 * 25 :, rank % 3 * 25 :][:24, :24] = patch
        left, top, side = 6 + c * 65.6, 1.0, 50.0
        axes.imshow(sheet, extent=(left, left + side, top + side, top), cmap=INK_SCALE, vmin=0, vmax=1,
                    **PLAIN)  # fmt: skip
        axes.text(left + 25, top + 65, str(c + 1), ha="center", va="center", color=MUTED, fontsize=SMALL)
    return figure
