"""Chapter 3: non-linearity."""

import numpy as np
from matplotlib.figure import Figure

from digitscope.nn import Dense, Network, ReLU, Sigmoid, Tanh, glorot, he
from digitscope.report.style import BLUE, FAINT, INK, MUTED, SMALL, VERMILION, WIDTH, add_panel, new_figure
from docs.notes.figures import drawing

GREEN = "#009e73"
CORNERS = np.array([[0.0, 0, 1, 1], [0, 1, 0, 1]])


@drawing("03-xor")
def exactly_one() -> Figure:
    figure = new_figure("Exactly one of two, in the plane of the inputs and of the hidden units", 190)
    h = np.stack([np.maximum(CORNERS.sum(axis=0), 0), np.maximum(CORNERS.sum(axis=0) - 1, 0)])
    panels = (
        (44, CORNERS, ("x₁", "x₂"), (-0.35, 1.45), (-0.35, 1.45), (0, 1)),
        (304, h, ("a₁", "a₂"), (-0.35, 2.45), (-0.55, 1.45), (0, 1, 2)),
    )
    for left, points, (across, up), xlim, ylim, ticks in panels:
        axes = add_panel(figure, left, 2, 200, 150)
        axes.grid(False)
        axes.set_xlim(xlim)
        axes.set_ylim(ylim)
        axes.set_xticks(ticks)
        axes.set_yticks((0, 1))
        x = np.array(xlim)
        if left < 200:
            # y = 1/2 where x1 + x2 is 1/2, and where it is 3/2.
            axes.fill_between(x, 0.5 - x, 1.5 - x, color=BLUE, alpha=0.18, linewidth=0)
        else:
            axes.fill_between(x, -2, (x - 0.5) / 2, color=BLUE, alpha=0.18, linewidth=0)
            axes.plot(x, (x - 0.5) / 2, color=BLUE, linewidth=1.2)
        for n, (a, b) in enumerate(points.T):
            one = n in (1, 2)
            axes.plot(
                [a],
                [b],
                "o",
                markersize=9,
                color=VERMILION if one else MUTED,
                markerfacecolor=VERMILION if one else "none",
                markeredgewidth=1.6,
            )
        axes.set_xlabel(across)
        axes.set_ylabel(up, rotation=0, ha="right", va="center")
    return figure


@drawing("03-bends")
def sine_by_bends() -> Figure:
    figure = new_figure("The sine by three, six and twelve bends", 160)
    x = np.linspace(0, 2 * np.pi, 200)
    for column, units in enumerate((3, 6, 12)):
        axes = add_panel(figure, 8 + column * 174, 26, 156, 130)
        places = np.linspace(0, 2 * np.pi, units + 1)
        axes.plot(x, np.sin(x), color=MUTED, linewidth=1.2)
        axes.plot(places, np.sin(places), color=VERMILION, linewidth=1.8, marker="o", markersize=4)
        axes.axhline(0, color=FAINT, linewidth=0.8)
        axes.set_ylim(-1.15, 1.15)
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines["bottom"].set_visible(False)
        axes.text(0, 1.06, f"{units} units", weight="bold", transform=axes.transAxes)
    return figure


@drawing("03-folds")
def folds_of_folds() -> Figure:
    figure = new_figure("A number between 0 and 1 after one, two and four layers", 150)
    x = np.linspace(0, 1, 257)
    for column, layers in enumerate((1, 2, 4)):
        axes = add_panel(figure, 8 + column * 174, 26, 156, 112)
        y = x
        for _ in range(layers):
            y = 2 * np.maximum(y, 0) - 4 * np.maximum(y - 0.5, 0)
        axes.plot(x, y, color=BLUE, linewidth=2)
        axes.set_xlim(-0.02, 1.02)
        axes.set_ylim(-0.05, 1.1)
        axes.set_xticks([])
        axes.set_yticks([])
        axes.text(0, 1.08, f"{layers} layer{'s' * (layers > 1)}", weight="bold", transform=axes.transAxes)
    return figure


@drawing("03-four")
def functions_and_slopes() -> Figure:
    figure = new_figure("ReLU, leaky ReLU, sigmoid and tanh with their slopes", 190)
    x = np.linspace(-3, 3, 601)
    s = 1 / (1 + np.exp(-x))
    panels = {
        "ReLU": (np.maximum(x, 0), (x > 0) * 1.0),
        "leaky, α = 0.1": (np.where(x > 0, x, 0.1 * x), np.where(x > 0, 1, 0.1)),
        "sigmoid": (s, s * (1 - s)),
        "tanh": (np.tanh(x), 1 - np.tanh(x) ** 2),
    }
    for column, (name, (y, slope)) in enumerate(panels.items()):
        axes = add_panel(figure, 26 + column * 126, 26, 112, 142)
        jump = np.abs(np.diff(slope, prepend=slope[0])) > 0.5
        axes.plot(x, np.where(jump, np.nan, slope), color=VERMILION, linewidth=2)
        axes.plot(x, y, color=BLUE, linewidth=2)
        axes.set_xlim(-3, 3)
        axes.set_ylim(-1.1, 2.1)
        axes.set_xticks((-2, 0, 2), ("−2", "0", "2"))
        axes.set_yticks((-1, 0, 1, 2), ("−1", "0", "1", "2") if column == 0 else ("",) * 4)
        axes.text(0, 1.06, name, weight="bold", transform=axes.transAxes)
    return figure


@drawing("03-vanishing", tolerance=3)
def derivatives_through_ten_layers() -> Figure:
    figure = new_figure("The size of the derivatives in each of ten layers", 228)
    axes = add_panel(figure, 58, 12, WIDTH - 148, 176)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(100, 200))
    for activation, start, colour, name in (
        (Sigmoid(), glorot, VERMILION, "sigmoid"), (Tanh(), glorot, GREEN, "tanh"), (ReLU(), he, BLUE, "ReLU")
    ):  # fmt: skip
        layers = [(Dense(100, 100, rng=rng, weight=start), activation) for _ in range(10)]
        deep = Network(*(layer for pair in layers for layer in pair)).astype(np.float64)
        y, backward = deep.forward(x)
        _, grads = backward(rng.normal(size=y.shape))
        sizes = np.array([np.linalg.norm(grads[f"{2 * i}.weight"]) for i in range(10)])
        axes.semilogy(range(1, 11), sizes / sizes[-1], color=colour, linewidth=2, marker="o", markersize=5)
        shift = {"sigmoid": 0, "tanh": -9, "ReLU": 8}[name]
        at = (1, sizes[0] / sizes[-1])
        if name == "sigmoid":
            axes.annotate(name, at, (12, -2), textcoords="offset points", color=colour, va="center")
        else:
            axes.annotate(name, (10, 1.0), (10, shift), textcoords="offset points", color=colour, va="center")
    axes.set_xlim(0.7, 10.3)
    axes.set_ylim(2e-7, 20)
    axes.set_xticks(range(1, 11))
    axes.set_yticks((1e-6, 1e-4, 1e-2, 1), ("1e−6", "1e−4", "1e−2", "1"))
    axes.minorticks_off()
    axes.set_xlabel("layer")
    axes.set_ylabel("derivatives, last layer = 1", color=INK, fontsize=SMALL)
    return figure
