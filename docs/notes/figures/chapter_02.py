"""Chapter 2: one neuron, one layer, many images."""

from functools import cache
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from digitscope.arrays import Array
from digitscope.nn import to_batch
from digitscope.report.style import (
    BLUE,
    DIVERGING,
    FAINT,
    INK,
    INK_SCALE,
    MUTED,
    SMALL,
    VERMILION,
    WIDTH,
    add_canvas,
    add_panel,
    new_figure,
)
from docs.notes.figures import drawing
from docs.notes.mnist import load_mnist


@cache
def stencil() -> tuple[Array, float, Array, Array]:
    """The weights and the bias that tell threes from eights, and the new images with their labels."""
    (images, labels), _ = load_mnist()
    x = to_batch(images).astype(np.float64)
    three, eight = (x[:, :50_000][:, labels[:50_000] == k].mean(axis=1) for k in (3, 8))
    return three - eight, -0.5 * float(three @ three - eight @ eight), x[:, 50_000:], labels[50_000:]


def signed(value: float) -> str:
    return f"{value:+.1f}".replace("-", "−")


@drawing("02-stencil")
def weights_on_two_images() -> Figure:
    w, b, x, labels = stencil()
    limit = np.abs(w).max()
    figure = new_figure("Weights that tell threes from eights, and two images under them", 182)
    axes = add_canvas(figure)
    how: Any = {"interpolation": "none", "aspect": "auto", "cmap": DIVERGING, "vmin": -limit, "vmax": limit}
    paper: Any = {**how, "cmap": INK_SCALE, "vmin": 0, "vmax": 1}
    side = 150.0
    pictures: list[tuple[str, Array, Array | None]] = [("the weights", w, None)]
    for digit in (3, 8):
        shown = x[:, np.flatnonzero(labels == digit)[1]]
        pictures.append((f"score {signed(float(b + w @ shown))}", w * shown, shown))
    for place, (text, values, image) in enumerate(pictures):
        left = place * 182.0 + 2
        if image is not None:
            pale = 0.16 * image.reshape(28, 28)
            axes.imshow(pale, extent=(left, left + side, 2 + side, 2), **paper)
        axes.imshow(values.reshape(28, 28), extent=(left, left + side, 2 + side, 2), **how)
        axes.plot(
            [left, left + side, left + side, left, left], [2, 2, 2 + side, 2 + side, 2], color=FAINT, linewidth=0.8
        )
        axes.text(
            left + side / 2, 172, text, ha="center", va="center", color=INK if place else MUTED,
            weight="bold" if place else "normal", fontsize=12.5 if place else SMALL,
        )  # fmt: skip
    axes.set_xlim(0, WIDTH)
    axes.set_ylim(182, 0)
    return figure


@drawing("02-scores")
def hills_of_scores() -> Figure:
    w, b, x, labels = stencil()
    figure = new_figure("The scores of threes and eights", 202)
    axes = add_panel(figure, 54, 12, WIDTH - 74, 152)
    edges = np.arange(-20, 20.1, 1)
    for digit, colour, at, name in ((8, BLUE, -11.0, "eights"), (3, VERMILION, 12.6, "threes")):
        counts, _ = np.histogram(b + w @ x[:, labels == digit], edges)
        axes.stairs(counts, edges, fill=True, color=colour, alpha=0.35)
        axes.stairs(counts, edges, color=colour, linewidth=1.4)
        axes.text(at, 78, name, color=colour, ha="right" if digit == 8 else "left")
    axes.axvline(0, color=INK, linewidth=1)
    axes.set_xlim(-20, 20)
    axes.set_xlabel("score z")
    axes.set_ylabel("images")
    return figure


@drawing("02-shapes")
def shapes_of_a_layer() -> Figure:
    figure = new_figure("The shapes of Z = W X + b", 244)
    axes = add_canvas(figure)
    long, ten, many, top = 196.0, 34.0, 96.0, 26.0
    boxes = {
        "Z": (22.0, top + 81, many, ten), "W": (164.0, top + 81, long, ten),
        "X": (384.0, top, many, long), "b": (500.0, top + 81, 6.0, ten),
    }  # fmt: skip
    for name, (left, y, width, height) in boxes.items():
        axes.add_patch(Rectangle((left, y), width, height, facecolor=FAINT, edgecolor=MUTED, linewidth=1))
        if name != "b":
            axes.text(
                left + width * (0.8 if name == "W" else 0.5),
                y + height * (0.7 if name == "W" else 0.5),
                name,
                ha="center",
                va="center",
                style="italic",
                fontsize=15,
            )
    axes.text(503, top + 75, "b", ha="center", va="bottom", style="italic", fontsize=15)
    for at, text in ((131, "="), (366, "·"), (490, "+")):
        axes.text(at, top + 98, text, ha="center", va="center", fontsize=15)
    # One image is one column.
    for name in ("Z", "X"):
        left, y, _, height = boxes[name]
        axes.add_patch(Rectangle((left + 26, y), 7, height, facecolor=BLUE, edgecolor="none"))
    left, y, width, height = boxes["W"]
    axes.add_patch(Rectangle((left, y + 5), width, 6, facecolor=VERMILION, edgecolor="none"))
    axes.add_patch(Rectangle((boxes["Z"][0] + 26, boxes["Z"][1] + 5), 7, 6, facecolor=VERMILION, edgecolor="none"))
    for x, y, text, colour, turned in (
        (22 + many / 2, top + 129, "N", MUTED, 0), (10, top + 98, "10", MUTED, 90),
        (164 + long / 2, top + 129, "784", MUTED, 0), (154, top + 98, "10", MUTED, 90),
        (384 + many / 2, top + long + 14, "N", MUTED, 0), (377, top + 40, "784", MUTED, 90),
        (384 + 30, top - 10, "one image", BLUE, 0), (164 + long / 2, top + 70, "one neuron's weights", VERMILION, 0),
    ):  # fmt: skip
        axes.text(x, y, text, color=colour, ha="center", va="center", rotation=turned, fontsize=SMALL)
    return figure
