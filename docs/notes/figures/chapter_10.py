"""Chapter 10: learning less by heart."""

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from digitscope.arrays import Array
from digitscope.augmentation.warp import warp, warp_functions
from digitscope.nn import Dense, Momentum, Network, Params, ReLU, SoftmaxCrossEntropy, softmax, to_batch
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
from digitscope.training import TailAverage
from digitscope.training.averaging import add_to_average
from docs.notes.figures import drawing
from docs.notes.mnist import load_mnist

HOW: Any = {"interpolation": "none", "aspect": "auto"}
AS_INK: Any = {**HOW, "cmap": INK_SCALE, "vmin": 0, "vmax": 1}
After = Callable[[Params, int, int], None]


def learn(
    which: Array,
    hidden: int = 64,
    seed: int = 0,
    epochs: int = 20,
    smoothing: float = 0,
    after: After | None = None,
    rate: float = 0.2,
) -> Network:
    """The chapter's training."""
    (images, labels), _ = load_mnist()
    rng = np.random.default_rng(seed)
    network = Network(Dense(784, hidden, rng=rng), ReLU(), Dense(hidden, 10, rng=rng))
    network = network.map_arrays(lambda p: p.astype(np.float64))
    loss, optimizer = SoftmaxCrossEntropy(smoothing), Momentum()
    state, step, steps = optimizer.start(network.params), 0, epochs * len(which) // 50
    for _ in range(epochs):
        for some in np.array_split(rng.permutation(which), len(which) // 50):
            z, backward = network.forward(to_batch(images[some]).astype(np.float64))
            _, grads = backward(loss.forward(z, labels[some])[1](1.0))
            now = rate if after else 0.1 * (1 - step / steps)
            optimizer.update(network.params, grads, state, now, step)
            step += 1
            if after:
                after(network.params, step, steps)
    return network


def frame(axes: Axes, left: float, top: float, side: float) -> None:
    right, bottom = left + side, top + side
    axes.plot([left, right, right, left, left], [top, top, bottom, bottom, top], color=FAINT, linewidth=0.8)


@drawing("10-curves", tolerance=12)
def learning_curves() -> Figure:
    (images, labels), _ = load_mnist()
    parts = [(to_batch(images[part]).astype(np.float64), labels[part]) for part in (slice(500), slice(50_000, 52_000))]
    watched = learn(np.arange(50), epochs=1)
    curves: list[list[float]] = []

    def note(params: Params, step: int, steps: int) -> None:
        if step % 10 == 0:
            watched.params = params
            curves.append([SoftmaxCrossEntropy().forward(watched.forward(x)[0], label)[0] for x, label in parts])

    learn(np.arange(500), epochs=40, after=note, rate=0.02)
    figure = new_figure("The loss on learned and on new images over 40 epochs", 226)
    axes = add_panel(figure, 40, 12, WIDTH - 150, 166)
    on_learned, on_new = np.array(curves).T
    epochs = np.arange(1, len(curves) + 1)
    lowest = int(on_new.argmin())
    axes.axvline(epochs[lowest], color=MUTED, linewidth=1, linestyle="--")
    for losses, colour, name in ((on_new, VERMILION, "new images"), (on_learned, BLUE, "learned images")):
        axes.plot(epochs, losses, color=colour, linewidth=2)
        axes.annotate(name, (epochs[-1], losses[-1]), (8, 0), textcoords="offset points", color=colour, va="center")
    axes.set_xlim(1, 40)
    axes.set_ylim(0, 1.8)
    axes.set_xticks((1, 10, 20, 30, 40))
    axes.set_xlabel("epochs")
    axes.set_ylabel("loss")
    return figure


@drawing("10-two-ways", tolerance=8)
def bias_and_variance() -> Figure:
    (images, labels), _ = load_mnist()
    new, q = to_batch(images[50_000:]).astype(np.float64), np.eye(10)[:, labels[50_000:]]
    drawn = np.random.default_rng(0).permutation(50_000).reshape(-1, 500)
    widths, bias, variance = (2, 4, 8, 16, 32, 64), [], []
    for hidden in widths:
        networks = [learn(drawn[m], hidden, seed=m) for m in range(6)]
        p = np.array([softmax(network.forward(new)[0]) for network in networks])
        bias.append(float(((p.mean(axis=0) - q) ** 2).sum(axis=0).mean()))
        variance.append(float(((p - p.mean(axis=0)) ** 2).sum(axis=1).mean()))
    figure = new_figure("Bias and variance by the number of hidden units", 200)
    axes = add_panel(figure, 50, 14, WIDTH - 70, 136)
    places = np.arange(len(widths))
    axes.bar(places, bias, color=BLUE, width=0.62)
    axes.bar(places, variance, bottom=bias, color=VERMILION, width=0.62)
    axes.text(2.9, 0.5, "squared bias: wrong together", color=BLUE, va="center")
    axes.text(2.9, 0.7, "variance: wrong apart", color=VERMILION, va="center")
    axes.set_xticks(places, [str(width) for width in widths])
    axes.tick_params(axis="x", length=0)
    axes.set_ylim(0, 0.9)
    axes.set_xlabel("hidden units")
    axes.set_ylabel("mean squared distance")
    return figure


def moved(image: Array, coefficients: Array, elastic_width: float = 0.0) -> Array:
    return warp(image[None], coefficients.astype(np.float32), elastic_width)[:, :, 0]


@drawing("10-directions")
def directions() -> Figure:
    """Each derivative is a central difference of the distortion's own warp."""
    (images, labels), _ = load_mnist()
    four = images[int(np.flatnonzero(labels == 4)[2])]
    stay = np.array([[0, 1, 0], [0, 0, 1.0]])[:, :, None]
    changes = {
        "moves right": [[0, 0, 0], [-1, 0, 0]],
        "turns": [[0, 0, -1], [0, 1, 0]],
        "grows": [[0, -1, 0], [0, 0, -1]],
        "slants": [[0, 0, 0], [0, 1, 0]],
    }
    figure = new_figure("A four and four directions in which it stays a four", 122)
    axes = add_canvas(figure)
    side = 96.0
    axes.imshow(four / 255, extent=(1, 1 + side, 1 + side, 1), **AS_INK)
    frame(axes, 1, 1, side)
    for i, (name, change) in enumerate(changes.items()):
        small = np.array(change, float)[:, :, None] * (0.5 if i == 0 else 0.06)
        difference = moved(four, stay + small) - moved(four, stay - small)
        difference = np.sign(difference) * np.sqrt(np.abs(difference))  # so that weak ones can be seen
        limit = np.abs(difference).max()
        left = 106.0 + i * 104
        axes.imshow(difference, extent=(left, left + side, 1 + side, 1), cmap=DIVERGING, vmin=-limit, vmax=limit, **HOW)
        frame(axes, left, 1, side)
        axes.text(left + side / 2, 111, name, ha="center", va="center", fontsize=SMALL)
    axes.text(1 + side / 2, 111, "a four", ha="center", va="center", fontsize=SMALL)
    axes.set_xlim(0, WIDTH)
    axes.set_ylim(122, 0)
    return figure


@drawing("10-elastic")
def bent() -> Figure:
    (images, _), _ = load_mnist()
    five = images[0]
    rng = np.random.default_rng(2)
    functions = warp_functions(28, 28, 4.0)
    figure = new_figure("A five, bent in many ways, and the grid of one", 218)
    axes = add_canvas(figure)
    side = 96.0
    for row, strength in enumerate((1.0, 2.0)):
        top = 1.0 + row * 112
        for column in range(4):
            c = np.zeros((2, functions.shape[1], 1), np.float32)
            c[0, 1] = c[1, 2] = 1
            c[:, 3:, 0] = strength * rng.standard_normal((2, functions.shape[1] - 3))
            left = 106.0 + column * 104
            axes.imshow(moved(five, c, 4.0), extent=(left, left + side, top + side, top), **AS_INK)
            frame(axes, left, top, side)
            if column == 0:
                y, x = (functions @ c)[..., 0].reshape(2, 28, 28)
                unit = side / 33
                y, x = top + side / 2 + y * unit, side / 2 + x * unit
                for i in range(0, 28, 3):
                    axes.plot(x[i], y[i], color=MUTED, linewidth=0.8)
                    axes.plot(x[:, i], y[:, i], color=MUTED, linewidth=0.8)
    axes.set_xlim(-3, WIDTH)
    axes.set_ylim(218, -2)
    return figure


@drawing("10-average", tolerance=30)
def the_middle_of_a_walk() -> Figure:
    (images, labels), _ = load_mnist()
    new, truth = to_batch(images[50_000:]).astype(np.float64), labels[50_000:]
    tail = TailAverage(0.5)
    average: Params = {}
    middle = Network(Dense(784, 64), ReLU(), Dense(64, 10))
    steps_of: list[float] = []
    last: list[float] = []
    mean: list[float] = []

    def wrong(params: Params) -> float:
        middle.params = params
        return 100 * float((middle.forward(new)[0].argmax(axis=0) != truth).mean())

    def look(params: Params, step: int, steps: int) -> None:
        if not average:
            average.update({name: p.copy() for name, p in params.items()})
        add_to_average(average, params, tail.rate(step - 1, steps))
        if step % 20 == 0 and step > 80:
            steps_of.append(step / 80)
            last.append(wrong(params))
            mean.append(wrong(average) if step > steps / 2 else np.nan)

    learn(np.arange(4000), epochs=12, after=look)
    figure = new_figure("Share read wrongly, for the weights of each step and for their mean", 250)
    axes = add_panel(figure, 50, 14, WIDTH - 70, 186)
    axes.plot(steps_of, last, color=VERMILION, linewidth=1.4)
    axes.plot(steps_of, mean, color=BLUE, linewidth=2.4)
    axes.text(7.2, 13.0, "weights after each step", color=VERMILION)
    axes.text(11.9, 5.0, "mean of the weights since epoch 6", color=BLUE, ha="right", va="top")
    axes.set_xlim(1, 12.1)
    axes.set_ylim(0, 20)
    axes.set_yticks([0, 5, 10, 15, 20], ["0", "5 %", "10 %", "15 %", "20 %"])
    axes.set_xlabel("epoch")
    axes.set_ylabel("read wrongly")
    return figure


@drawing("10-leads", tolerance=6)
def leads() -> Figure:
    (images, _), _ = load_mnist()
    x = to_batch(images[:4000]).astype(np.float64)
    figure = new_figure("How far the best score leads, with and without label smoothing", 240)
    axes = add_panel(figure, 14, 14, WIDTH - 28, 176)
    edges = np.arange(0, 30.1, 0.5)
    for smoothing, colour in ((0.0, VERMILION), (0.1, BLUE)):
        z = np.sort(learn(np.arange(4000), epochs=8, smoothing=smoothing).forward(x)[0], axis=0)
        heights, _ = np.histogram(z[-1] - z[-2], edges)
        axes.stairs(heights / 4000, edges, color=colour, fill=True, alpha=0.45, linewidth=0)
        axes.stairs(heights / 4000, edges, color=colour, linewidth=1.4)
    axes.axvline(np.log(91), color=INK, linewidth=1.2)
    axes.text(5.6, 0.19, "smoothing 0.1", color=BLUE)
    axes.text(14, 0.05, "no smoothing", color=VERMILION)
    axes.set_xlim(0, 30)
    axes.set_yticks([])
    axes.set_xlabel("lead of the best score over the second")
    return figure
