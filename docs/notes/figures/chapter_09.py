"""Chapter 9: batch normalization, dropout, residual connections."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from digitscope.arrays import Array
from digitscope.model import SHIPPED, Model
from digitscope.nn import (
    BatchNorm,
    Dense,
    Dropout,
    Layer,
    Momentum,
    Network,
    ReLU,
    Residual,
    SoftmaxCrossEntropy,
    softmax,
    to_batch,
)
from digitscope.report.style import BLUE, FAINT, INK, MUTED, SMALL, VERMILION, WIDTH, add_canvas, add_panel, new_figure
from docs.notes.figures import drawing
from docs.notes.mnist import load_mnist

GREEN = "#009e73"


def training(start: int, end: int) -> tuple[Array, Array]:
    """Training images as a batch in float64, and their labels."""
    (images, labels), _ = load_mnist()
    return to_batch(images[start:end]).astype(np.float64), labels[start:end]


def shipped() -> Network:
    return Model.load(SHIPPED["convnet"]).network.astype(np.float64)


@drawing("09-scales", tolerance=1)
def channels_before_and_after() -> Figure:
    network, (x, _) = shipped(), training(0, 200)
    before = Network(*network.layers[:4]).forward(x)[0]
    norm = network.layers[4]
    assert isinstance(norm, BatchNorm)
    plain = BatchNorm(norm.channels, norm.eps).astype(np.float64)
    columns = {
        "as they come, x": before,
        "normalized, h": plain.forward(before, training=True)[0],
        "scaled and shifted, y": norm.forward(before)[0],
    }
    figure = new_figure("Eight channels before normalization, after it, and after scale and shift", 216)
    for number, (title, values) in enumerate(columns.items()):
        axes = add_panel(figure, 22 + number * 170, 28, 150, 150)
        for c in range(8):
            numbers = values[c].ravel()
            low, left, right, high = np.quantile(numbers, [0.02, 0.25, 0.75, 0.98])
            axes.plot([low, high], [c + 1, c + 1], color=BLUE, linewidth=1)
            axes.plot([left, right], [c + 1, c + 1], color=BLUE, linewidth=6, solid_capstyle="butt")
            axes.plot([numbers.mean()], [c + 1], "o", color=VERMILION, markersize=4.5)
        axes.axvline(0, color=MUTED, linewidth=0.8)
        axes.set_ylim(8.6, 0.4)
        axes.set_yticks(range(1, 9), [str(c) if number == 0 else "" for c in range(1, 9)])
        axes.grid(False)
        axes.text(0, 1.09, title, weight="bold", transform=axes.transAxes)
    figure.text(22 / WIDTH, 4 / 216, "one row for each channel", color=MUTED, fontsize=SMALL)
    return figure


@drawing("09-line")
def what_is_left_of_dy() -> Figure:
    rng = np.random.default_rng(9)
    x = np.sort(rng.normal(size=24))
    h = (x - x.mean()) / x.std()
    dy = 0.6 + 0.7 * h + 0.5 * rng.normal(size=h.size)
    line = dy.mean() + h * (h * dy).mean()
    figure = new_figure(
        "Derivatives over normalized numbers with a line through them, and what is left above and below it", 236
    )
    for number, (title, values, fitted) in enumerate(
        (("what comes, dy", dy, line), ("what goes on, dx", dy - line, np.zeros_like(h)))
    ):
        axes = add_panel(figure, 34 + number * 254, 28, 216, 166)
        for at, value, base in zip(h, values, fitted, strict=True):
            axes.plot([at, at], [base, value], color=VERMILION, linewidth=1.4)
        axes.plot(h, fitted, color=MUTED, linewidth=1.6)
        axes.plot(h, values, "o", color=BLUE, markersize=5)
        axes.set_xlim(-2.4, 2.4)
        axes.set_ylim((-1.6, 3.2) if number == 0 else (-2.4, 2.4))
        axes.set_xlabel("h, the normalized number")
        axes.text(0, 1.07, title, weight="bold", transform=axes.transAxes)
    return figure


@drawing("09-company", tolerance=2)
def an_answer_that_depends_on_its_company() -> Figure:
    network, (x, labels) = shipped(), training(55000, 57000)
    share = softmax(network.forward(x[:, :500])[0])[labels[:500], np.arange(500)]
    chosen = int(np.abs(share - 0.5).argmin())
    rng = np.random.default_rng(9)
    figure = new_figure("The probability of the true class in batches of several sizes", 226)
    axes = add_panel(figure, 48, 12, WIDTH - 70, 166)
    sizes = (2, 4, 8, 16, 32, 64)
    for place, size in enumerate(sizes):
        for k in range(10):
            company = rng.integers(500, 2000, size - 1)
            outputs = network.forward(np.concatenate([x[:, [chosen]], x[:, company]], axis=1), training=True)[0]
            axes.plot(
                [place + (k - 4.5) / 18], [softmax(outputs)[labels[chosen], 0]], "o", color=BLUE, markersize=4,
                alpha=0.75,
            )  # fmt: skip
    axes.axhline(share[chosen], color=VERMILION, linewidth=1.6)
    axes.text(5.46, 0.9, "measured statistics", color=VERMILION, ha="right", va="center", fontsize=SMALL)
    axes.set_xticks(range(len(sizes)), [str(size) for size in sizes])
    axes.set_xlim(-0.5, 5.5)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("images in the batch")
    axes.set_ylabel("probability of the true class")
    return figure


def thinned(axes: Axes, left: float, kept: Array, title: str) -> None:
    """A network of 4, 5 and 2 units without those that are dropped."""
    layers = (4, 5, 2)
    places = [
        [(left + 10 + 43 * level, 92 + (i - (count - 1) / 2) * 30) for i in range(count)]
        for level, count in enumerate(layers)
    ]
    for level in range(2):
        for a in range(layers[level]):
            for b in range(layers[level + 1]):
                alive = kept[b] if level == 0 else kept[a]
                (x0, y0), (x1, y1) = places[level][a], places[level + 1][b]
                axes.plot([x0, x1], [y0, y1], color=BLUE if alive else FAINT, linewidth=1.1 if alive else 0.8, zorder=1)
    for level, column in enumerate(places):
        for i, (x, y) in enumerate(column):
            dropped = level == 1 and not kept[i]
            axes.plot([x], [y], "x" if dropped else "o", color=MUTED if dropped else INK, markersize=7, zorder=2)
    axes.text(left + 53, 176, title, ha="center", va="center", color=MUTED, fontsize=SMALL)


@drawing("09-thinned")
def many_networks_in_one() -> Figure:
    figure = new_figure("Three thinned networks, and how the score of one unit is spread over many of them", 206)
    axes = add_canvas(figure)
    for number, kept in enumerate(((1, 0, 1, 1, 0), (0, 1, 1, 0, 1), (1, 1, 1, 1, 1))):
        thinned(axes, 0 + number * 120.0, np.array(kept), ("one step", "the next", "in use")[number])
    rng = np.random.default_rng(9)
    x = np.abs(rng.normal(size=(60, 1)))
    w = rng.normal(size=(1, 60)) / 8
    y = Dropout(0.4).forward(np.repeat(x, 4000, axis=1), training=True, rng=rng)[0]
    scores = (w @ y).ravel()
    panel = add_panel(figure, 366, 26, 140, 132)
    panel.hist(scores, bins=np.linspace(-2, 4, 37).tolist(), color=BLUE, alpha=0.75)
    panel.axvline(float((w @ x).item()), color=VERMILION, linewidth=2)
    panel.set_yticks([])
    panel.grid(False)
    panel.set_xlabel("score of one unit")
    panel.text(0, 1.07, "4,000 steps", transform=panel.transAxes, fontsize=SMALL)
    panel.text(1, 1.07, "in use", transform=panel.transAxes, color=VERMILION, ha="right", fontsize=SMALL)
    return figure


DEPTH, UNITS = 24, 32
KINDS = {"plain": VERMILION, "normalized": GREEN, "and residual": BLUE}


def deep(kind: str) -> Network:
    """A network of 26 dense layers."""
    rng = np.random.default_rng(1)
    inner: list[Layer] = []
    for _ in range(DEPTH):
        norm = [] if kind == "plain" else [BatchNorm(UNITS)]
        block = [*norm, ReLU(), Dense(UNITS, UNITS, rng=rng)]
        inner += [Residual(*block)] if kind == "and residual" else block
    last = [] if kind == "plain" else [BatchNorm(UNITS)]
    first = Dense(784, UNITS, rng=np.random.default_rng(2))
    return Network(first, *inner, *last, ReLU(), Dense(UNITS, 10, rng=rng)).astype(np.float64)


def sizes_of_derivatives(network: Network, x: Array, labels: Array) -> list[float]:
    """The root mean square of the derivative with respect to each block's input, from the first block."""
    y, backwards, found = x, [], []
    for layer in network.layers:
        y, backward = layer.forward(y, training=True)
        backwards.append(backward)
    dy = SoftmaxCrossEntropy().forward(y, labels)[1](1.0)
    for layer, backward in zip(reversed(network.layers), reversed(backwards), strict=True):
        dy, _ = backward(dy)
        if isinstance(layer, Residual) or (isinstance(layer, Dense) and layer.in_features == layer.out_features):
            found.append(float(np.sqrt((dy**2).mean())))
    return found[::-1]


@drawing("09-depth", tolerance=40)
def depth() -> Figure:
    x, labels = training(0, 2000)
    figure = new_figure("Derivatives through 24 blocks, and the loss over 120 steps, for three kinds of networks", 246)
    left = add_panel(figure, 56, 28, 176, 168)
    right = add_panel(figure, 292, 28, 136, 168)
    for kind, colour in KINDS.items():
        network = deep(kind)
        left.semilogy(range(1, DEPTH + 1), sizes_of_derivatives(network, x[:, :100], labels[:100]), color=colour,
                      linewidth=2)  # fmt: skip
        optimizer, rng, losses = Momentum(), np.random.default_rng(0), []
        state = optimizer.start(network.params)
        for step in range(120):
            chosen = rng.integers(0, 2000, 64)
            outputs, backward = network.forward(x[:, chosen], training=True)
            loss, loss_backward = SoftmaxCrossEntropy().forward(outputs, labels[chosen])
            optimizer.update(network.params, backward(loss_backward(1.0))[1], state, 0.05, step)
            losses.append(loss)
        (line,) = right.plot(
            np.arange(5, 120, 10), np.reshape(losses, (12, 10)).mean(axis=1), color=colour, linewidth=2
        )
        line.get_path().should_simplify = False  # so that it has the same number of points whatever rounding does
    left.set_xlim(1, DEPTH)
    left.set_xlabel("block")
    left.set_ylim(1e-4, 1)
    left.set_yticks([1e-4, 1e-3, 1e-2, 1e-1, 1], ["0.0001", "0.001", "0.01", "0.1", "1"])
    left.minorticks_off()
    left.text(0, 1.06, "size of the derivative", weight="bold", transform=left.transAxes)
    right.set_xlim(0, 120)
    right.set_ylim(0, 2.7)
    right.set_xlabel("step")
    right.text(0, 1.06, "loss", weight="bold", transform=right.transAxes)
    right.set_xticks((0, 40, 80, 120))
    for kind, y in (("plain", 2.36), ("normalized", 1.98), ("and residual", 0.2)):
        right.text(126, y, kind, color=KINDS[kind], va="center", fontsize=SMALL)
    return figure
