"""Chapter 4: from scores to probabilities."""

import numpy as np
from matplotlib.figure import Figure

from digitscope.arrays import Array
from digitscope.report.style import BLUE, INK, MUTED, SMALL, VERMILION, WIDTH, add_panel, new_figure
from docs.notes.figures import drawing

GREEN = "#009e73"
COLOURS = (BLUE, VERMILION, GREEN)
Z = np.array([2.0, 1.0, -1.0])


def shares(z: Array) -> Array:
    p: Array = np.exp(z) / np.exp(z).sum(axis=0)
    return p


@drawing("04-shares")
def exponentials_and_shares() -> Figure:
    figure = new_figure("Scores, their exponentials, and shares", 184)
    columns = (("score z", Z, (-1.5, 2.6)), ("e to the z", np.exp(Z), (0, 8.6)), ("share p", shares(Z), (0, 0.82)))
    for column, (title, values, limits) in enumerate(columns):
        axes = add_panel(figure, 10 + column * 178, 30, 144, 130)
        axes.bar(range(3), values, color=COLOURS, width=0.62)
        axes.axhline(0, color=MUTED, linewidth=0.8)
        for k, value in enumerate(values):
            text = f"{value:.3f}" if column else f"{value:+g}".replace("-", "−")
            up = value >= 0
            axes.annotate(
                text, (k, value), (0, 3 if up else -3), textcoords="offset points",
                ha="center", va="bottom" if up else "top", fontsize=SMALL,
            )  # fmt: skip
        axes.set_ylim(limits)
        axes.set_yticks([])
        axes.grid(False)
        axes.spines["bottom"].set_visible(False)
        axes.set_xticks(range(3), ["class 1", "class 2", "class 3"])
        axes.tick_params(axis="x", length=0, pad=4)
        axes.text(0, 1.12, title, weight="bold", transform=axes.transAxes)
    return figure


@drawing("04-slopes")
def shares_over_one_score() -> Figure:
    figure = new_figure("Three probabilities over the first score", 240)
    axes = add_panel(figure, 40, 12, WIDTH - 120, 190)
    moving = np.linspace(-4, 6, 201)
    p = shares(np.stack([moving, np.full_like(moving, Z[1]), np.full_like(moving, Z[2])]))
    here = shares(Z)
    for k, colour in enumerate(COLOURS):
        axes.plot(moving, p[k], color=colour, linewidth=2)
        slope = here[k] * ((k == 0) - here[0])
        axes.plot([0.8, 3.2], here[k] + slope * np.array([-1.2, 1.2]), color=INK, linewidth=1.2)
        axes.plot([2], [here[k]], "o", color=colour, markersize=6)
        axes.annotate(
            f"class {k + 1}", (6, p[k, -1]), (8, (0, 8, -5)[k]), textcoords="offset points", va="center", color=colour
        )
    axes.set_xlim(-4, 6)
    axes.set_ylim(-0.04, 1.04)
    axes.set_xlabel("score of class 1")
    axes.set_ylabel("share")
    return figure


@drawing("04-costs")
def what_an_answer_costs() -> Figure:
    figure = new_figure("Cross-entropy and squared error over the share of the true class", 240)
    axes = add_panel(figure, 40, 12, WIDTH - 60, 190)
    p = np.linspace(0.006, 1, 400)
    axes.plot(p, -np.log(p), color=BLUE, linewidth=2)
    axes.plot(np.append(0, p), (1 - np.append(0, p)) ** 2, color=VERMILION, linewidth=2)
    axes.plot([0.1], [np.log(10)], "o", color=BLUE, markersize=6)
    axes.annotate("a guess out of ten: 2.30", (0.1, np.log(10)), (10, 4), textcoords="offset points", fontsize=SMALL)
    axes.text(0.045, 4.2, "cross-entropy, −log p", color=BLUE)
    axes.text(0.02, 0.12, "squared error, (1 − p)²", color=VERMILION)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 5)
    axes.set_xlabel("share of the true class, p")
    axes.set_ylabel("cost")
    return figure


@drawing("04-slow-start")
def slow_start() -> Figure:
    figure = new_figure("The output of one unit over the steps, with two losses", 240)
    axes = add_panel(figure, 40, 12, WIDTH - 60, 190)
    for name, colour, x, y in (("squared error", VERMILION, 62, 0.8), ("cross-entropy", BLUE, 9, 0.4)):
        w = b = 2.0
        outputs = []
        for _ in range(121):
            a = 1 / (1 + np.exp(-(w + b)))
            outputs.append(a)
            dz = a * a * (1 - a) if name == "squared error" else a
            w -= 0.5 * dz
            b -= 0.5 * dz
        axes.plot(outputs, color=colour, linewidth=2)
        axes.text(x, y, name, color=colour)
    axes.set_xlim(0, 120)
    axes.set_ylim(0, 1.04)
    axes.set_xlabel("step")
    axes.set_ylabel("output")
    return figure
