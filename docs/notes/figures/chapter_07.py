"""Chapter 7: starting well."""

from functools import cache
from itertools import pairwise

import numpy as np
from matplotlib.figure import Figure

from digitscope.arrays import Array
from digitscope.nn import Dense, Layer, Network, ReLU, SoftmaxCrossEntropy, Tanh, glorot, he, lecun, normal, to_batch
from digitscope.nn.initializers import Initializer
from digitscope.report.style import (
    BLUE,
    DIVERGING,
    FAINT,
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

GREEN = "#009e73"


def times(start: Initializer, factor: float) -> Initializer:
    """Weights `factor` times as large."""

    def draw(rng: np.random.Generator, shape: tuple[int, ...], fan_in: int, fan_out: int) -> Array:
        weights: Array = np.float32(factor) * start(rng, shape, fan_in, fan_out)
        return weights

    return draw


@cache
def data() -> tuple[Array, Array]:
    (images, labels), _ = load_mnist()
    return to_batch(images[:5000]).astype(np.float64), labels[:5000]


def losses(network: Network, rate: float, steps: int) -> list[float]:
    """Of each step of a short training, in float64."""
    x, labels = data()
    rng = np.random.default_rng(0)
    result = []
    for _ in range(steps):
        some = rng.choice(5000, 50, replace=False)
        scores, backward = network.forward(x[:, some], need_dx=False)
        loss, loss_backward = SoftmaxCrossEntropy().forward(scores, labels[some])
        grads = backward(loss_backward(1.0))[1]
        for name, p in network.params.items():
            p -= rate * grads[name]
        result.append(loss)
    return result


@drawing("07-copies", tolerance=2)
def copies() -> Figure:
    figure = new_figure("The change of the first layer's weights of six units, from equal and from random weights", 164)
    axes = add_canvas(figure)

    def equal(rng: np.random.Generator, shape: tuple[int, ...], fan_in: int, fan_out: int) -> Array:
        return np.full(shape, 0.01, np.float32)

    for row, (text, start) in enumerate((("all 0.01", equal), ("random", he))):
        rng = np.random.default_rng(0)
        hidden = Dense(784, 32, rng=rng, weight=start)
        network = Network(hidden, ReLU(), Dense(32, 10, rng=rng, weight=start)).astype(np.float64)
        weights = network.params["0.weight"]
        before = weights.copy()
        losses(network, 0.1, 200)
        change = (weights - before)[:6].reshape(6, 28, 28)
        change = np.sign(change) * np.sqrt(np.abs(change))  # so that the weak ones can be seen
        change /= np.maximum(np.abs(change).max(axis=(1, 2), keepdims=True), 1e-9)
        top = 4 + row * 84
        axes.text(0, top + 38, text, va="center", fontsize=12.5)
        for unit in range(6):
            left = 74 + unit * 75
            axes.imshow(
                change[unit], extent=(left, left + 68, top + 68, top), cmap=DIVERGING, vmin=-1, vmax=1,
                interpolation="none", aspect="auto",
            )  # fmt: skip
            axes.plot(
                [left, left + 68, left + 68, left, left], [top, top, top + 68, top + 68, top], color=FAINT,
                linewidth=0.8,
            )  # fmt: skip
    axes.set_xlim(0, WIDTH)
    axes.set_ylim(164, 0)
    return figure


@drawing("07-layers")
def mean_squares() -> Figure:
    figure = new_figure("The mean square over twenty layers for three sizes of the weights", 270)
    axes = add_panel(figure, 62, 12, WIDTH - 194, 210)
    layers = np.arange(21)
    runs = ((2.0, "4/D", VERMILION), (1.0, "2/D, he", BLUE), (0.5, "1/D, lecun", GREEN))
    for factor, text, colour in runs:
        rng = np.random.default_rng(4)
        x = rng.normal(size=(256, 100))
        sizes = [1.0]
        for _ in layers[1:]:
            layer = Dense(256, 256, rng=rng, weight=times(he, factor**0.5)).astype(np.float64)
            x = np.maximum(layer.forward(x)[0], 0)
            sizes.append(float((x**2).mean()))
        axes.semilogy(layers, factor**layers, color=colour, linewidth=1.2, alpha=0.6)
        axes.semilogy(layers, np.array(sizes), "o", color=colour, markersize=4.5)
        axes.annotate(
            text, (20, factor**20), (10, 0), textcoords="offset points", va="center", color=colour, fontsize=SMALL
        )
    axes.set_xlim(0, 20.4)
    axes.set_xticks(range(0, 21, 5))
    axes.set_yticks([1e-6, 1e-3, 1, 1e3, 1e6], ["1e−6", "1e−3", "1", "1e3", "1e6"])
    axes.minorticks_off()
    axes.set_xlabel("layer")
    axes.set_ylabel("mean square")
    return figure


@drawing("07-training", tolerance=6)
def ten_layers() -> Figure:
    figure = new_figure("The loss of a network of ten hidden layers over 300 steps, from three starts", 260)
    axes = add_panel(figure, 40, 12, WIDTH - 130, 200)
    for text, start, colour in (("0.01", normal(0.01), VERMILION), ("lecun", lecun, GREEN), ("he", he, BLUE)):
        rng = np.random.default_rng(2)
        widths = [784, *[64] * 10, 10]
        layers: list[Layer] = []
        for i, o in pairwise(widths):
            layers += [Dense(i, o, rng=rng, weight=start), ReLU()]
        curve = np.array(losses(Network(*layers[:-1]).astype(np.float64), 0.05, 300)).reshape(30, 10).mean(axis=1)
        axes.plot(np.arange(5, 300, 10), curve, color=colour, linewidth=1.8)
        shift = {"0.01": 8, "lecun": -8}.get(text, 0)
        axes.annotate(text, (295, curve[-1]), (14, shift), textcoords="offset points", va="center", color=colour)
    axes.axhline(np.log(10), color=MUTED, linewidth=0.8)
    axes.text(4, np.log(10) + 0.05, "log 10: knowing nothing", color=MUTED, fontsize=SMALL, va="bottom")
    axes.set_xlim(0, 300)
    axes.set_ylim(0, 2.8)
    axes.set_xlabel("step")
    axes.set_ylabel("loss")
    return figure


@drawing("07-histograms", tolerance=1)
def what_units_say() -> Figure:
    figure = new_figure("Histograms of what tanh units say in five layers, for three sizes of the weights", 330)
    shown = (1, 3, 5, 7, 10)
    for row, (text, factor, colour) in enumerate(
        (("half\nGlorot", 0.5, GREEN), ("Glorot", 1.0, BLUE), ("four times\nGlorot", 4.0, VERMILION))
    ):
        rng = np.random.default_rng(3)
        x = rng.normal(size=(200, 300))
        column = 0
        for number in range(1, 11):
            layer = Dense(200, 200, rng=rng, weight=times(glorot, factor)).astype(np.float64)
            x = Tanh().forward(layer.forward(x)[0])[0]
            if number not in shown:
                continue
            axes = add_panel(figure, 84 + column * 88, 24 + row * 96, 78, 76)
            counts, edges = np.histogram(x, bins=31, range=(-1, 1))
            axes.stairs(counts / counts.max(), edges, fill=True, color=colour)
            axes.set_xlim(-1.05, 1.05)
            axes.set_ylim(0, 1.05)
            axes.set_yticks([])
            axes.grid(False)
            axes.set_xticks((-1, 0, 1), ("−1", "0", "1") if row == 2 and column == 0 else ("", "", ""))
            if row == 0:
                axes.set_title(f"layer {number}", fontsize=SMALL, pad=8)
            if column == 0:
                axes.text(-0.16, 0.5, text, color=colour, transform=axes.transAxes, ha="right", va="center")
            column += 1
    return figure
