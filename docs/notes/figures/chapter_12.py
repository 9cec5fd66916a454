"""Chapter 12: speed."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from digitscope.report.style import (
    BLUE,
    FAINT,
    INK,
    MUTED,
    SMALL,
    VERMILION,
    WIDTH,
    add_canvas,
    add_panel,
    new_figure,
)
from docs.notes.figures import drawing

GREEN = "#009e73"
ORANGE = "#b87400"
RATE, BANDWIDTH = 100.0, 20.0
"""Of one core: 1e9 operations, and bytes, a second."""


@drawing("12-roof")
def the_roof_of_one_core() -> Figure:
    figure = new_figure("The roofline of one core, and what was measured", 250)
    axes = add_panel(figure, 44, 14, WIDTH - 64, 186)
    intensities = np.array([1 / 16, RATE / BANDWIDTH, 512])
    axes.loglog(intensities, np.minimum(RATE, intensities * BANDWIDTH), color=INK, linewidth=2)
    axes.text(1.1, 14.8, "memory: 20 GB a second", rotation=35, ha="center", va="center", fontsize=SMALL)
    axes.text(512, 116, "the core: 100 thousand million", ha="right", va="bottom", fontsize=SMALL)
    seed = 10 * 784 * 1000 / (2 * (7840 + 784_000 + 10_000))
    axes.annotate(
        "", (seed, 74), (seed, 41), arrowprops={"arrowstyle": "-|>", "color": VERMILION, "shrinkA": 0, "shrinkB": 0}
    )
    # Momentum: 4 operations; w, v and the gradient are read, w and v written.
    points = (
        (4 / 20, 4 * 636_010 / 373e-6 / 1e9, "momentum's step,\nin the cache", BLUE, (-8, 31), "center"),
        (seed, 15.68e6 / 417e-6 / 1e9, "the seed's product,\nas BLAS does it", VERMILION, (9, -4), "left"),
        (seed, 15.68e6 / 198e-6 / 1e9, "in small pieces", VERMILION, (9, -1), "left"),
    )
    for x, y, text, colour, shift, side in points:
        axes.plot([x], [y], "o", color=colour, markersize=6)
        axes.annotate(
            text, (x, y), shift, textcoords="offset points", ha=side, va="center", color=colour, fontsize=SMALL
        )
    # 32 images, 16 to 32 channels, 5x5 on 12x12: the windows of a row are a view of what is there.
    channels, out, places, images = 16 * 25, 32, 64, 32
    numbers = 12 * 16 * 5 * 8 * images + out * channels + out * places * images
    x = 2 * out * channels * places * images / (4 * numbers)
    axes.plot([x, x], [56, 89], color=GREEN, linewidth=6, solid_capstyle="round")
    axes.text(x * 1.35, 66, "a convolution,\n56 to 89", color=GREEN, va="center", fontsize=SMALL)
    for x, text in ((1 / 8, "ReLU"), (0.5, "one image"), (4.89, "seed"), (64 / 6, "64³"), (1000 / 6, "1,000³")):
        axes.plot([x, x], [1, 1.18], color=MUTED, linewidth=1.2)
        axes.text(x, 1.25, text, ha="center", va="bottom", color=MUTED, fontsize=SMALL)
    axes.set_xlim(1 / 16, 512)
    axes.set_ylim(1, 200)
    axes.minorticks_off()
    axes.set_xticks(2.0 ** np.arange(-4, 10, 2), ["1/16", "1/4", "1", "4", "16", "64", "256"])
    axes.set_yticks([1, 10, 100], ["1", "10", "100"])
    axes.set_xlabel("operations for each byte")
    axes.set_ylabel("thousand million a second")
    return figure


@drawing("12-street")
def two_streets() -> Figure:
    figure = new_figure("Where the numbers of one shifted row lie in memory, in two layouts", 250)
    axes = add_canvas(figure)
    images, rows, row = 4, 2, 8
    colours = (BLUE, VERMILION, GREEN, ORANGE)
    side = 24.0
    for top, title, batch_last in ((24.0, "image after image", False), (164.0, "the batch as last axis", True)):
        axes.text(84, top - 12, title, weight="bold", va="center", fontsize=SMALL)
        for cell in range(images * rows * row):
            if batch_last:
                place, n = divmod(cell, images)
            else:
                n, place = divmod(cell, rows * row)
            i, j = divmod(place, row)
            wanted = i == 0 and 1 <= j <= 6
            line, at = divmod(cell, 16)
            left, up = 84 + at * side, top + line * (side - 4)
            axes.add_patch(
                Rectangle(
                    (left, up), side, side - 6, facecolor=colours[n] if wanted else "none", edgecolor=FAINT,
                    linewidth=0.8,
                )
            )  # fmt: skip
            if wanted:
                axes.text(left + side / 2, up + 9, str(j), color="white", ha="center", va="center", fontsize=SMALL)
        for line in range(4):
            needed = line < 2 or not batch_last
            axes.text(
                76, top + line * (side - 4) + 9, f"line {line + 1}", ha="right", va="center", fontsize=SMALL,
                color=INK if needed else MUTED, alpha=1.0 if needed else 0.5,
            )  # fmt: skip
    for n, colour in enumerate(colours):
        axes.plot([90 + n * 98], [122], "s", color=colour, markersize=7)
        axes.text(100 + n * 98, 122, f"image {n + 1}", va="center", fontsize=SMALL)
    return figure


@drawing("12-tree")
def one_tree_for_any_threads() -> Figure:
    figure = new_figure("The same tree of additions by one, two and four threads", 216)
    axes = add_canvas(figure)
    colours = (BLUE, VERMILION, GREEN, ORANGE)
    # Who took which of eight shards: whoever was free.
    turns = (
        ("one thread", [0] * 8),
        ("two threads", [0, 1, 1, 0, 1, 0, 0, 1]),
        ("four threads", [2, 0, 3, 1, 1, 2, 0, 3]),
    )
    for number, (title, who) in enumerate(turns):
        left = 14.0 + number * 174
        axes.text(left - 6, 12, title, weight="bold", va="center")
        places = [(left + 20.0 * i, 190.0) for i in range(8)]
        owners = list(who)
        for i, (x, y) in enumerate(places):
            axes.add_patch(Rectangle((x - 8, y - 8), 16, 16, facecolor=colours[owners[i]], edgecolor="none"))
            axes.text(x, y, str(i + 1), color="white", ha="center", va="center", fontsize=SMALL)
        level = 0
        while len(places) > 1:
            above = []
            for i in range(0, len(places), 2):
                (x0, y0), (x1, _) = places[i], places[i + 1]
                x, y = (x0 + x1) / 2, y0 - 48
                edge = y0 - (8 if level == 0 else 7)
                axes.plot([x0, x, x1], [edge, y + 7, edge], color=MUTED, linewidth=1, zorder=1)
                axes.plot([x], [y], "o", color="none", markeredgecolor=INK, markersize=13, zorder=2)
                axes.text(x, y - 0.5, "+", ha="center", va="center", fontsize=SMALL)
                above.append((x, y))
            places, level = above, level + 1
    return figure


@drawing("12-machines")
def milliseconds_on_many_machines() -> Figure:
    figure = new_figure("Milliseconds a step over the number of machines", 290)
    axes = add_panel(figure, 44, 14, WIDTH - 64, 226)
    machines = 2.0 ** np.linspace(0, 6, 121)
    slow, fast = (50e-6, 125e6), (5e-6, 12.5e9)
    curves = (
        ("convnet, 1 Gbit/s", 0.0125, 38_714, slow, BLUE, (18, 19), "left"),
        ("convnet, 100 Gbit/s", 0.0125, 38_714, fast, BLUE, (6.5, 0.9), "right"),
        ("simard-mlp, 1 Gbit/s", 0.0047, 636_010, slow, VERMILION, (9, 72), "left"),
        ("simard-mlp, 100 Gbit/s", 0.0047, 636_010, fast, VERMILION, (62, 3.8), "right"),
    )
    for text, alone, parameters, (latency, bandwidth), colour, place, side in curves:
        message = latency + 4 * parameters / bandwidth
        times = alone / machines + 2 * np.log2(machines) * message
        axes.loglog(machines, 1e3 * times, color=colour, linewidth=2)
        best = alone * np.log(2) / (2 * message)
        if 1 < best < 64:
            at = alone / best + 2 * np.log2(best) * message
            axes.plot([best], [1e3 * at], "o", color=colour, markersize=6)
        axes.text(place[0], place[1], text, color=colour, ha=side, va="center", fontsize=SMALL)
    axes.loglog(machines, 12.5 / machines, color=MUTED, linewidth=1, linestyle="--")
    axes.set_xlim(1, 64)
    axes.set_ylim(0.3, 400)
    axes.minorticks_off()
    axes.set_xticks([1, 2, 4, 8, 16, 32, 64], ["1", "2", "4", "8", "16", "32", "64"])
    axes.set_yticks([1, 10, 100], ["1", "10", "100"])
    axes.set_xlabel("machines")
    axes.set_ylabel("milliseconds a step")
    return figure
