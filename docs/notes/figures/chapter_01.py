"""Chapter 1: from a picture to a vector."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from scipy import ndimage

from digitscope.arrays import Array
from digitscope.nn import to_batch
from digitscope.report.style import BLUE, FAINT, INK, INK_SCALE, MUTED, SMALL, VERMILION, WIDTH, add_canvas, new_figure
from docs.notes.figures import drawing
from docs.notes.mnist import load_mnist

HOW: Any = {"interpolation": "none", "aspect": "auto", "cmap": INK_SCALE, "vmin": 0, "vmax": 1}


def frame(left: float, top: float, side: float, other: float | None = None) -> tuple[list[float], list[float]]:
    """The corners of a rectangle, as lines to plot."""
    right, bottom = left + side, top + (other or side)
    return [left, right, right, left, left], [top, top, bottom, bottom, top]


@drawing("01-numbers")
def what_a_machine_sees() -> Figure:
    (images, labels), _ = load_mnist()
    seven = images[int(np.flatnonzero(labels == 7)[0])]
    figure = new_figure("A seven and the numbers of a part of it", 224)
    axes = add_canvas(figure)
    side = 7.5
    axes.imshow(seven / 255, extent=(0, 28 * side, 7 + 28 * side, 7), **HOW)
    axes.plot(*frame(0, 7, 28 * side), color=FAINT, linewidth=0.8)
    row, column, count = 6, 14, 8
    axes.plot(*frame(column * side, 7 + row * side, count * side), color=VERMILION, linewidth=1.6)
    left, cell, high = 262, 32, 26.25
    part = seven[row : row + count, column : column + count]
    axes.imshow(0.35 * part / 255, extent=(left, left + count * cell, 7 + count * high, 7), **HOW)
    for i, j in np.ndindex(count, count):
        axes.text(
            left + (j + 0.5) * cell, 7 + (i + 0.5) * high, str(part[i, j]), ha="center", va="center", fontsize=SMALL,
            color=INK if part[i, j] else MUTED,
        )  # fmt: skip
    axes.plot(*frame(left, 7, count * cell, count * high), color=VERMILION, linewidth=1.6)
    for y, corner in ((7 + row * side, 7), (7 + (row + count) * side, 7 + count * high)):
        axes.plot([(column + count) * side, left], [y, corner], color=VERMILION, linewidth=0.8)
    return figure


@drawing("01-means")
def ten_means() -> Figure:
    (images, labels), _ = load_mnist()
    x = to_batch(images[:50_000])
    figure = new_figure("The means of the ten digits", 208)
    axes = add_canvas(figure)
    for digit in range(10):
        mean = x[:, labels[:50_000] == digit].mean(axis=1).reshape(28, 28)
        left, top = digit % 5 * 105.0, 2 + digit // 5 * 104.0
        axes.imshow(mean, extent=(left, left + 98, top + 98, top), **HOW)
        axes.plot(*frame(left, top, 98), color=FAINT, linewidth=0.8)
    axes.set_xlim(-1, WIDTH)
    axes.set_ylim(208, 0)
    return figure


@drawing("01-moved")
def nearer_than_itself() -> Figure:
    (images, _), _ = load_mnist()
    two, five = images[5] / 255, images[635] / 255
    moved = np.roll(two, 2, axis=1)
    figure = new_figure("A two, the same moved by two pixels, and a five, with their distances", 168)
    axes = add_canvas(figure)
    side = 140.0
    places = {"a two": (two, 190.0), "moved by 2 pixels": (moved, 0.0), "a five": (five, 380.0)}
    for name, (picture, left) in places.items():
        axes.imshow(picture, extent=(left, left + side, 2 + side, 2), **HOW)
        axes.plot(*frame(left, 2, side), color=FAINT, linewidth=0.8)
        axes.text(left + side / 2, 158, name, ha="center", va="center", color=MUTED, fontsize=SMALL)
    for (picture, left), colour in ((places["moved by 2 pixels"], VERMILION), (places["a five"], BLUE)):
        x = (left + 190 + side) / 2
        axes.text(x, 72, f"{np.linalg.norm(two - picture):.1f}", ha="center", va="center", color=colour, weight="bold")
        axes.annotate("", (x - 22, 86), (x + 22, 86), arrowprops={"arrowstyle": "<->", "color": colour})
        axes.text(x, 101, "apart", ha="center", va="center", color=colour, fontsize=SMALL)
    axes.set_xlim(-1, WIDTH + 1)
    return figure


def photograph(digit: Array, rng: np.random.Generator) -> Array:
    """The chapter's photo: a digit of any size somewhere on a sheet in uneven light."""
    size = int(rng.integers(60, 110))
    ink = ndimage.zoom(digit / 255, size / 28, order=1).clip(0, 1)
    sheet = np.zeros((160, 160))
    top, left = rng.integers(0, 160 - size - 1, 2)
    sheet[top : top + len(ink), left : left + len(ink)] = ink
    down, across = rng.uniform(0.5, 0.9, 2).tolist(), rng.uniform(0.6, 1.0, 2).tolist()
    light = np.linspace(down[0], down[1], 160)[:, None] * np.linspace(across[0], across[1], 160)
    photo: Array = light * (1 - 0.7 * sheet) + rng.normal(0, 0.01, (160, 160))
    return photo


def threshold(ink: Array) -> float:
    """Otsu's: the shares of both groups times the squared distance of their means is largest."""

    def between(level: float) -> float:
        dark = ink > level
        share = dark.mean()
        return float(share * (1 - share) * (ink[dark].mean() - ink[~dark].mean()) ** 2)

    return float(max(np.linspace(ink.min(), ink.max(), 102)[1:-1], key=between))


@drawing("01-photo")
def from_a_photo() -> Figure:
    (images, _), _ = load_mnist()
    photo = photograph(images[50_003], np.random.default_rng(6))
    paper = ndimage.uniform_filter(ndimage.maximum_filter(photo, 41), 41)
    even = (1 - photo / paper).clip(0, 1)
    ink = np.where(even > threshold(even), even, 0) / even.max()
    rows, columns = (np.flatnonzero(ink.any(axis=axis)) for axis in (1, 0))
    cut = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    small = ndimage.zoom(ndimage.uniform_filter(cut, max(cut.shape) // 20), 20 / max(cut.shape), order=1)
    page = np.zeros((28, 28))
    page[: small.shape[0], : small.shape[1]] = small
    row, column = ndimage.center_of_mass(page)
    page = ndimage.shift(page, (14 - row, 14 - column), order=1).clip(0, 1)
    figure = new_figure("A photo of a digit in four steps to 28 by 28 pixels", 146)
    axes = add_canvas(figure)
    side = 118.0
    steps = (("photo", 1 - photo), ("light evened out", even), ("above the threshold", ink), ("28 by 28", page))
    for k, (name, picture) in enumerate(steps):
        left = 1 + k * 133.0
        axes.imshow(picture, extent=(left, left + side, 2 + side, 2), **HOW)
        axes.plot(*frame(left, 2, side), color=FAINT, linewidth=0.8)
        axes.text(left + side / 2, 134, name, ha="center", va="center", color=MUTED, fontsize=SMALL)
    axes.set_xlim(0, WIDTH)
    axes.set_ylim(146, 0)
    return figure
