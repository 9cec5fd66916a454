"""Chapter 11: how good, how sure."""

from functools import lru_cache
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from digitscope.arrays import Array
from digitscope.calibration import Calibration, fit_temperature, temper
from digitscope.datasets.mnist_facts import DISPUTED
from digitscope.metrics import negative_log_likelihood, reliability_diagram, wilson_interval
from digitscope.nn import (
    BackgroundCrossEntropy,
    Dense,
    Loss,
    Momentum,
    Network,
    ReLU,
    SoftmaxCrossEntropy,
    log_sum_exp,
    softmax,
    to_batch,
)
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
from digitscope.synthetic.non_digits import NON_DIGITS, DigitSource
from docs.notes.figures import drawing
from docs.notes.mnist import load_mnist

FIT, JUDGE = slice(50_000, 55_000), slice(55_000, 60_000)


@drawing("11-intervals")
def sixty_tests() -> Figure:
    figure = new_figure("Sixty tests of one network, with two kinds of interval", 240)
    true, n = 0.98, 100
    seen = np.random.default_rng(3).binomial(n, true, size=60) / n
    spread = 1.96 * np.sqrt(seen * (1 - seen) / n)
    usual = np.stack([seen - spread, seen + spread], axis=1)
    wilson = np.array([wilson_interval(float(share), n) for share in seen])
    for left, name, intervals in ((46, "usual", usual), (290, "Wilson's", wilson)):
        axes = add_panel(figure, left, 34, 222, 170)
        missed = (intervals[:, 0] > true) | (intervals[:, 1] < true)
        for i, (low, high) in enumerate(intervals):
            colour = VERMILION if missed[i] else BLUE
            axes.plot([i, i], [low, high], color=colour, linewidth=1.7, solid_capstyle="butt")
            if low == high:
                axes.plot([i], [low], "o", color=colour, markersize=3.2)
        axes.axhline(true, color=INK, linewidth=1)
        axes.text(0, 1.06, f"{name}: {missed.sum()} of 60 miss", weight="bold", transform=axes.transAxes)
        axes.set_xlim(-1.5, 60.5)
        axes.set_ylim(0.86, 1.012)
        axes.set_xticks([])
        axes.set_xlabel("sixty tests of 100 images")
        ticks = [0.88, 0.92, 0.96, 1.0]
        axes.set_yticks(ticks, [f"{100 * tick:.0f} %" for tick in ticks] if left < 100 else [""] * 4)
    return figure


@drawing("11-writers")
def alike_by_place() -> Figure:
    (images, labels), _ = load_mnist()
    count = 12_000
    x = to_batch(images[:count]).T

    def distance(gap: int) -> float:
        same = np.flatnonzero(labels[: count - gap] == labels[gap:count])
        return float(np.linalg.norm(x[same] - x[same + gap], axis=1).mean())

    gaps = np.arange(1, 61)
    distances = np.array([distance(int(gap)) for gap in gaps])
    far = float(np.mean([distance(gap) for gap in (4001, 4002, 5003, 5004)]))
    figure = new_figure("How alike two images of a digit are, by the places between them", 250)
    axes = add_panel(figure, 46, 14, WIDTH - 70, 186)
    axes.axhline(far, color=MUTED, linewidth=1, linestyle="--")
    axes.plot(gaps, distances, color=FAINT, linewidth=1)
    for odd, colour in ((1, VERMILION), (0, BLUE)):
        chosen = gaps % 2 == odd
        axes.plot(gaps[chosen], distances[chosen], "o", color=colour, markersize=4)
    axes.text(60, 9.36, "an odd number of places apart", color=VERMILION, ha="right", va="bottom")
    axes.text(60, 7.72, "an even number: often the same writer", color=BLUE, ha="right", va="top")
    axes.text(60.5, far - 0.06, "far away in the file", color=MUTED, ha="right", va="top", fontsize=SMALL)
    axes.set_xlim(0, 61)
    axes.set_ylim(7.4, 9.7)
    axes.set_xlabel("places between two images of one digit")
    axes.set_ylabel("mean distance")
    return figure


def learn(images: Array, labels: Array, loss: Loss) -> Network:
    """The chapter's training."""
    rng = np.random.default_rng(0)
    network = Network(Dense(784, 64, rng=rng), ReLU(), Dense(64, 10, rng=rng))
    network = network.map_arrays(lambda p: p.astype(np.float64))
    x = to_batch(images).astype(np.float64)
    optimizer = Momentum()
    state = optimizer.start(network.params)
    for _ in range(20):
        for some in np.array_split(rng.permutation(len(labels)), len(labels) // 50):
            z, backward = network.forward(x[:, some])
            _, loss_backward = loss.forward(z, labels[some])
            _, grads = backward(loss_backward(1.0))
            optimizer.update(network.params, grads, state, 0.05, 0)
    return network


def scores(network: Network, images: Array) -> Array:
    return network.forward(to_batch(images).astype(np.float64))[0]


def drawings(kinds: list[str], count: int, seed: int) -> Array:
    (images, labels), _ = load_mnist()
    rng, digits = np.random.default_rng(seed), DigitSource(images[:2000], labels[:2000])
    return np.array([NON_DIGITS[kinds[i % len(kinds)]].draw(rng, digits) for i in range(count)])


@lru_cache(maxsize=1)
def plain() -> Network:
    (images, labels), _ = load_mnist()
    return learn(images[:2000], labels[:2000], SoftmaxCrossEntropy())


@drawing("11-temperature", tolerance=3)
def too_sure() -> Figure:
    (images, labels), _ = load_mnist()
    learned, fit, judge = (softmax(scores(plain(), images[part])).T for part in (slice(0, 2000), FIT, JUDGE))
    temperature = fit_temperature(labels[FIT], fit)
    figure = new_figure("Confidence against accuracy, and the loss over the temperature", 268)
    axes = add_panel(figure, 58, 34, 186, 184)
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle="--")
    for p, colour in ((judge, VERMILION), (temper(judge, temperature), BLUE)):
        result = reliability_diagram(labels[JUDGE], p, bins=10)
        enough = result.counts >= 30
        axes.plot(result.confidence[enough], result.accuracy[enough], "o-", color=colour, linewidth=1.8, markersize=4.5)
    axes.text(0.72, 0.4, "as it is", color=VERMILION)
    axes.text(0.56, 0.66, "divided by T", color=BLUE, ha="right")
    axes.text(0, 1.06, "sure, and right", weight="bold", transform=axes.transAxes)
    axes.set_xlim(0.2, 1.02)
    axes.set_ylim(0.2, 1.02)
    ticks = [0.2, 0.4, 0.6, 0.8, 1.0]
    axes.set_xticks(ticks, [f"{100 * tick:.0f} %" for tick in ticks])
    axes.set_yticks(ticks, [f"{100 * tick:.0f} %" for tick in ticks])
    axes.set_xlabel("confidence")
    axes.set_ylabel("right")
    axes = add_panel(figure, 304, 34, 204, 184)
    temperatures = np.exp(np.linspace(np.log(0.5), np.log(5), 40))
    for part, p, colour in ((FIT, fit, BLUE), (slice(0, 2000), learned, VERMILION)):
        losses = [negative_log_likelihood(labels[part], temper(p, float(t))) for t in temperatures]
        axes.plot(temperatures, losses, color=colour, linewidth=1.8)
    lowest = negative_log_likelihood(labels[FIT], temper(fit, temperature))
    axes.plot([temperature], [lowest], "o", color=BLUE, markersize=6)
    axes.annotate(
        f"T = {temperature:.2f}", (temperature, lowest), (0, -8), textcoords="offset points", ha="center", va="top",
        color=BLUE,
    )  # fmt: skip
    axes.text(1.62, 0.42, "images not\nlearned", color=BLUE, ha="center", va="bottom")
    axes.text(2.0, 0.13, "images\nlearned", color=VERMILION, ha="right", va="center")
    axes.text(0, 1.06, "loss", weight="bold", transform=axes.transAxes)
    axes.set_xscale("log")
    axes.set_xticks([0.5, 1, 2, 5], ["0.5", "1", "2", "5"])
    axes.minorticks_off()
    axes.set_ylim(0, 0.65)
    axes.set_xlabel("temperature T")
    return figure


@drawing("11-promise", tolerance=4)
def promised_and_kept() -> Figure:
    (images, labels), _ = load_mnist()
    shown = images[50_000:]
    truth = labels[50_000:]
    z = scores(plain(), shown)
    rng = np.random.default_rng(1)
    worse = np.clip(shown[5000:] / 255 + 0.4 * rng.standard_normal(shown[5000:].shape), 0, 1)
    z_worse = scores(plain(), np.round(255 * worse).astype(np.uint8))
    promised = np.linspace(0.002, 0.12, 40)

    def lacking(fit: Array, new: Array, new_truth: Array) -> list[float]:
        conformal = Calibration.fit(truth[fit], softmax(z[:, fit]).T, log_sum_exp(z[:, fit]))
        p = temper(softmax(new).T, conformal.temperature)[np.arange(len(new_truth)), new_truth]
        return [100 * float((p < conformal.probability_threshold(float(share))).mean()) for share in promised]

    figure = new_figure("The share of sets without the true class, promised and found", 270)
    axes = add_panel(figure, 54, 14, WIDTH - 78, 206)
    for _ in range(50):
        order = rng.permutation(len(truth))
        fit, new = order[:5000], order[5000:]
        axes.plot(100 * promised, lacking(fit, z[:, new], truth[new]), color=INK + "30", linewidth=0.8)
    first, last = np.arange(5000), np.arange(5000, 10_000)
    axes.plot(100 * promised, lacking(first, z[:, last], truth[last]), color=BLUE, linewidth=2.2)
    axes.plot(100 * promised, lacking(first, z_worse, truth[last]), color=VERMILION, linewidth=2.2)
    axes.plot([0, 12], [0, 12], color=INK, linewidth=1.2, linestyle="--")
    axes.text(11.9, 3.6, "the next 5,000 of the file", color=BLUE, ha="right", va="center")
    axes.text(5.2, 21, "the same with noise", color=VERMILION, ha="right")
    axes.text(11.9, 14.6, "random halves", color=MUTED, ha="right")
    axes.set_xlim(0, 12)
    axes.set_ylim(0, 30)
    axes.set_xticks([0, 4, 8, 12], ["0", "4 %", "8 %", "12 %"])
    axes.set_yticks([0, 10, 20, 30], ["0", "10 %", "20 %", "30 %"])
    axes.set_xlabel("promised: sets that lack the true class, at most")
    axes.set_ylabel("found")
    return figure


@drawing("11-evidence", tolerance=6)
def digits_and_letters() -> Figure:
    (images, labels), _ = load_mnist()
    others = drawings(["shapes", "signs", "scribbles", "silhouettes", "bars", "blobs", "numbers"], 800, 1)
    letters = drawings(["letters", "greek", "scripts"], 600, 2)
    careful = learn(
        np.concatenate([images[:2000], others]),
        np.concatenate([labels[:2000], np.full(len(others), 10)]),
        BackgroundCrossEntropy(),
    )
    figure = new_figure("Evidence of digits and letters for two networks", 330)
    for top, network, title in ((30, plain(), "ten classes"), (186, careful, "with a background class")):
        axes = add_panel(figure, 14, top, WIDTH - 28, 96)
        ordered = np.sort(log_sum_exp(scores(network, images[FIT])))
        least = ordered[int(0.05 * (len(ordered) + 1)) - 1]
        digit, letter = (log_sum_exp(scores(network, shown)) for shown in (images[JUDGE], letters))
        edges = np.arange(-24, 36.1, 1.5)
        for values, colour in ((digit, BLUE), (letter, VERMILION)):
            heights, _ = np.histogram(values, edges)
            axes.stairs(heights / len(values), edges, color=colour, fill=True, alpha=0.45, linewidth=0)
            axes.stairs(heights / len(values), edges, color=colour, linewidth=1.4)
        axes.axvline(least, color=INK, linewidth=1.2)
        axes.text(
            0, 1.07, f"{title}: {(letter < least).mean():.0%} of the letters are left of the line".replace("%", " %"),
            transform=axes.transAxes, weight="bold",
        )  # fmt: skip
        axes.set_xlim(-24, 36)
        axes.set_ylim(0, 0.33 if top < 100 else 0.22)
        axes.set_yticks([])
        if top < 100:
            axes.text(20, 0.12, "digits", color=BLUE)
            axes.text(-1, 0.16, "letters", color=VERMILION, ha="right")
    axes.set_xlabel("evidence, in nats")
    return figure


@drawing("11-deceived", tolerance=3)
def five_deceived() -> Figure:
    (images, labels), _ = load_mnist()
    network = plain()
    x, label = to_batch(images[JUDGE][:200]).astype(np.float64), labels[JUDGE][:200]
    z, backward = network.forward(x)
    dx, _ = backward(SoftmaxCrossEntropy().forward(z, label)[1](1.0))
    assert dx is not None
    after = np.clip(x + 0.1 * np.sign(dx), 0, 1)
    before_p, after_p = softmax(z), softmax(network.forward(after)[0])
    fooled = (before_p.argmax(axis=0) == label) & (after_p.argmax(axis=0) != label) & (before_p.max(axis=0) > 0.9)
    _, chosen = np.unique(np.where(fooled, label, 10), return_index=True)
    figure = new_figure("Five digits, what is added to them, and their sums, which are misread", 316)
    axes = add_canvas(figure)
    how: Any = {"interpolation": "none", "aspect": "auto"}
    side = 84.0
    for column, n in enumerate(chosen[:5]):
        left = 10 + column * 104
        for numbers, cmap, low, high, top in (
            (x[:, n], INK_SCALE, 0.0, 1.0, 4.0),
            (after[:, n] - x[:, n], DIVERGING, -0.15, 0.15, 116.0),
            (after[:, n], INK_SCALE, 0.0, 1.0, 206.0),
        ):
            extent = (left, left + side, top + side, top)
            axes.imshow(numbers.reshape(28, 28), extent=extent, cmap=cmap, vmin=low, vmax=high, **how)
            square = [left, left + side, left + side, left, left], [top, top, top + side, top + side, top]
            axes.plot(*square, color=FAINT, linewidth=0.8)
        for p, y, colour in ((before_p, 100, INK), (after_p, 304, VERMILION)):
            text = f"{p[:, n].argmax()}: {p[:, n].max():.0%}"
            axes.text(left + side / 2, y, text, ha="center", va="center", fontsize=SMALL, color=colour)
    axes.set_xlim(0, WIDTH)
    axes.set_ylim(316, 0)
    return figure


@drawing("11-disputed")
def the_fifteen() -> Figure:
    _, (images, _) = load_mnist()
    how: Any = {"interpolation": "none", "aspect": "auto", "cmap": INK_SCALE, "vmin": 0, "vmax": 1}
    figure = new_figure("Fifteen test images whose label people dispute", 372)
    axes = add_canvas(figure)
    for i, dispute in enumerate(DISPUTED):
        left, top, side = 4 + i % 5 * 104.0, 2 + i // 5 * 124.0, 82.0
        axes.imshow(images[dispute.index] / 255, extent=(left, left + side, top + side, top), **how)
        axes.plot(
            [left, left + side, left + side, left, left], [top, top, top + side, top + side, top],
            color=FAINT, linewidth=0.8,
        )  # fmt: skip
        saw = "divided" if max(dispute.votes) < 3 else "neither" if dispute.raters is None else str(dispute.raters)
        axes.text(left, top + side + 12, f"label {dispute.label}", color=BLUE, va="center", fontsize=SMALL)
        axes.text(left, top + side + 26, f"people: {saw}", color=VERMILION, va="center", fontsize=SMALL)
    axes.set_xlim(0, WIDTH)
    axes.set_ylim(372, 0)
    return figure
