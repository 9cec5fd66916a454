"""Chapter 6: descent."""

from collections.abc import Callable

import numpy as np
from contourpy import contour_generator
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.interpolate import RectBivariateSpline

from digitscope.arrays import Array
from digitscope.nn import Constant, Cosine, Network, OneCycle, SoftmaxCrossEntropy, StepDecay, WarmUp, to_batch
from digitscope.recipes import RECIPES
from digitscope.report.style import BLUE, INK, MUTED, SMALL, VERMILION, WIDTH, add_panel, new_figure
from docs.notes.figures import drawing
from docs.notes.mnist import load_mnist

GREEN = "#009e73"
PURPLE = "#aa4499"


def walk(curvature: Array, start: Array, rate: float, steps: int, momentum: float = 0.0, ahead: bool = False) -> Array:
    """The path of (6.11), or of (6.18) where `ahead`, in a bowl with these curvatures: (steps + 1, 2)."""
    w, v = start, np.zeros_like(start)
    path = [w]
    for _ in range(steps):
        v = momentum * v + curvature * (w - rate * momentum * v if ahead else w)
        w = w - rate * v
        path.append(w)
    return np.array(path)


def valley(axes: Axes, curvature: Array, levels: Array) -> None:
    """Lines of equal loss."""
    angle = np.linspace(0, 2 * np.pi, 181)
    for level in levels:
        x, y = np.sqrt(2 * level / curvature)
        axes.plot(x * np.cos(angle), y * np.sin(angle), color=INK + "40", linewidth=0.9, zorder=1)
    axes.plot([0], [0], "+", color=MUTED, markersize=8)
    axes.grid(False)
    axes.spines["bottom"].set_visible(False)
    axes.set_xticks([])
    axes.set_yticks([])


@drawing("06-ring")
def steps_of_one_length() -> Figure:
    figure = new_figure("A ring of steps of one length around a point, and what each changes", 226)
    curvature, at, length = np.array([1.0, 3.0]), np.array([1.5, 0.7]), 0.4
    g = curvature * at

    def loss(w: Array) -> Array:
        height: Array = 0.5 * (curvature[:, None] * w**2).sum(axis=0)
        return height

    left = add_panel(figure, 4, 6, 236, 196)
    valley(left, curvature, loss(at[:, None]) * np.array([0.1, 0.35, 0.68, 1, 1.5, 2.1, 3]))
    left.set_xlim(-0.2, 2.7)
    left.set_ylim(-0.75, 1.66)
    left.set_aspect("equal")
    angle = np.radians(np.arange(0, 360, 15))
    steps = length * np.array([np.cos(angle), np.sin(angle)])
    change = loss(at[:, None] + steps) - loss(at[:, None])
    for step, value in zip(steps.T, change, strict=True):
        place = at + step
        left.plot(*place, "o", color=VERMILION if value > 0 else BLUE, markersize=2 + 9 * abs(value), zorder=3)
    up = at + 0.36 * g / np.linalg.norm(g) * 2.3
    left.annotate(
        "", (up[0], up[1]), (at[0], at[1]), arrowprops={"arrowstyle": "-|>", "color": INK, "linewidth": 1.6}, zorder=4
    )
    left.annotate("g", (up[0], up[1]), (5, -2), textcoords="offset points", style="italic", fontsize=14)
    left.plot(*at, "o", color=INK, markersize=5, zorder=5)
    right = add_panel(figure, 292, 12, WIDTH - 314, 168)
    degrees = np.linspace(0, 360, 181)
    towards = np.degrees(np.arctan2(g[1], g[0]))
    right.plot(degrees, length * np.linalg.norm(g) * np.cos(np.radians(degrees)), color=MUTED, linewidth=1.4)
    from_g = np.degrees(angle) - towards
    order = np.argsort(from_g % 360)
    for k in order:
        colour = VERMILION if change[k] > 0 else BLUE
        right.plot([from_g[k] % 360], [change[k]], "o", color=colour, markersize=2 + 9 * abs(change[k]))
    right.axhline(0, color=MUTED, linewidth=0.8)
    right.set_xlim(0, 360)
    right.set_xticks((0, 90, 180, 270, 360), ("0°", "90°", "180°", "270°", "360°"))
    right.set_xlabel("angle between step and gradient")
    right.set_ylabel("change of the loss")
    return figure


@drawing("06-saddle")
def a_bowl_a_saddle_and_two_valleys() -> Figure:
    figure = new_figure("Gradient descent in a bowl, near a saddle and with two valleys", 196)
    grid = np.linspace(-1.6, 1.6, 121)
    x, y = np.meshgrid(grid, grid)
    losses: tuple[tuple[str, Callable[[Array, Array], Array], tuple[float, float], float], ...] = (
        ("a bowl", lambda x, y: (x**2 + 2 * y**2) / 2, (-1.4, 1.2), 0.12),
        ("a saddle", lambda x, y: (y**2 - x**2) / 2 + x**4 / 8, (0.02, 1.4), 0.25),
        ("two valleys", lambda x, y: (x**2 - 1) ** 2 / 2 + 0.28 * x + y**2 / 2, (0.25, 1.4), 0.12),
    )
    for column, (name, loss, start, rate) in enumerate(losses):
        axes = add_panel(figure, 4 + column * 176, 24, 160, 160)
        height = loss(x, y)
        low, high = height.min(), height.max()
        for level in low + (high - low) * np.linspace(0.02, 0.75, 11) ** 1.5:
            for line in contour_generator(x, y, height).lines(level):
                axes.plot(*np.asarray(line).T, color=INK + "40", linewidth=0.9, zorder=1)
        w, path = np.array(start), [start]
        for _ in range(40):
            g = np.array(
                [(loss(w[0] + h, w[1] + k) - loss(w[0] - h, w[1] - k)) / 2e-4 for h, k in ((1e-4, 0), (0, 1e-4))]
            )
            w = w - rate * g
            path.append((float(w[0]), float(w[1])))
        axes.plot(*np.array(path).T, color=BLUE, linewidth=1.4, marker="o", markersize=3, zorder=2)
        axes.plot(*path[0], "o", color=VERMILION, markersize=6, zorder=3)
        axes.set_xlim(-1.6, 1.6)
        axes.set_ylim(-1.6, 1.6)
        axes.grid(False)
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines["bottom"].set_visible(False)
        axes.text(0, 1.06, name, weight="bold", transform=axes.transAxes)
    return figure


@drawing("06-valley")
def three_rates() -> Figure:
    figure = new_figure("Gradient descent in a valley with three learning rates", 396)
    curvature, start = np.array([1.0, 9.0]), np.array([9.0, 1.0])
    for row, (rate, what, colour) in enumerate(
        ((0.05, "creeps", GREEN), (0.2, "leaps", BLUE), (0.23, "climbs", VERMILION))
    ):
        axes = add_panel(figure, 100, 4 + row * 132, WIDTH - 104, 124)
        valley(axes, curvature, 0.5 * np.array([2.0, 6, 10]) ** 2)
        path = walk(curvature, start, rate, 12)
        axes.plot(*path.T, color=colour, linewidth=1.6, marker="o", markersize=4, zorder=2)
        axes.set_xlim(-10.6, 10.6)
        axes.set_ylim(-3.6, 3.6)
        axes.text(-0.22, 0.6, f"rate {rate}", color=colour, transform=axes.transAxes, weight="bold")
        axes.text(-0.22, 0.42, what, color=colour, transform=axes.transAxes)
    return figure


def data(count: int) -> tuple[Array, Array]:
    (images, labels), _ = load_mnist()
    return to_batch(images[:count]).astype(np.float64), labels[:count]


def new_seed() -> Network:
    return RECIPES["seed"].build(np.random.default_rng(1), (28, 28), 10).astype(np.float64)


def take_step(network: Network, x: Array, labels: Array, rate: float) -> None:
    scores, backward = network.forward(x, need_dx=False)
    grads = backward(SoftmaxCrossEntropy().forward(scores, labels)[1](1.0))[1]
    for name, p in network.params.items():
        p -= rate * grads[name]


def loss_of(network: Network, x: Array, labels: Array) -> float:
    return SoftmaxCrossEntropy().forward(network.forward(x)[0], labels)[0]


@drawing("06-cloud", tolerance=6)
def gradients_of_batches() -> Figure:
    """Across: along the gradient of all images; up: along the direction in which those of batches differ most."""
    figure = new_figure("Gradients of batches around that of all images, at the start and after 300 steps", 262)
    x, labels = data(1000)
    network, rng = new_seed(), np.random.default_rng(0)

    def gradient(some: Array) -> Array:
        scores, backward = network.forward(x[:, some])
        grads = backward(SoftmaxCrossEntropy().forward(scores, labels[some])[1](1.0))[1]
        return np.concatenate([g.ravel() for g in grads.values()])

    for left, name, steps in ((6, "at the start", 0), (272, "after 300 steps", 300)):
        for _ in range(steps):
            some = rng.choice(1000, 100, replace=False)
            take_step(network, x[:, some], labels[some], 0.2)
        g = gradient(np.arange(1000))
        along = g / np.linalg.norm(g)
        batches = {size: [gradient(rng.choice(1000, size, replace=False)) for _ in range(100)] for size in (10, 100)}
        errors = np.array(batches[10]) - g
        errors -= np.outer(errors @ along, along)
        across = np.linalg.svd(errors, full_matrices=False)[2][0]
        across *= np.sign(across.sum())
        axes = add_panel(figure, left, 30, 242, 196)
        for size, colour in ((10, VERMILION), (100, BLUE)):
            points = np.array(batches[size])
            axes.plot(points @ along, points @ across, "o", color=colour, markersize=3.4, alpha=0.7, markeredgewidth=0)
        axes.annotate(
            "", (float(g @ along), 0.0), (0.0, 0.0), arrowprops={"arrowstyle": "-|>", "color": INK, "linewidth": 1.8}
        )
        axes.set_xlim(-1.5, 5.7)
        axes.set_ylim(-4.4, 2.4)
        axes.set_yticks([])
        axes.grid(False)
        axes.text(0, 1.05, name, weight="bold", transform=axes.transAxes)
        axes.set_xlabel("along the gradient of all")
    for x_at, text, colour in ((0.62, "100 a batch", BLUE), (0.62, "10 a batch", VERMILION)):
        axes.text(x_at, 0.95 if colour == BLUE else 0.87, text, color=colour, transform=axes.transAxes, fontsize=SMALL)
    return figure


@drawing("06-batches", tolerance=4)
def four_batch_sizes() -> Figure:
    figure = new_figure("The loss over passes through the images for four batch sizes", 270)
    axes = add_panel(figure, 40, 12, WIDTH - 190, 210)
    x, labels = data(10_000)
    passes = 3
    ends = []
    for size, rate, colour in ((10_000, 0.3, VERMILION), (1000, 0.3, PURPLE), (100, 1.0, GREEN), (10, 0.1, BLUE)):
        network, rng = new_seed(), np.random.default_rng(0)
        steps, batches = passes * 10_000 // size, 10_000 // size
        every = max(1, steps // 100)
        seen, losses = [0.0], [loss_of(network, x[:, :1000], labels[:1000])]
        for step in range(steps):
            if step % batches == 0:
                order = rng.permutation(10_000)
            some = order[step % batches * size :][:size]
            take_step(network, x[:, some], labels[some], rate)
            if (step + 1) % every == 0:
                seen.append((step + 1) * size / 10_000)
                losses.append(loss_of(network, x[:, :1000], labels[:1000]))
        axes.plot(seen, losses, color=colour, linewidth=1.6, marker="o" if size == 10_000 else None, markersize=4)
        ends.append((f"{size:,} at rate {rate:g}", losses[-1], colour))
    for (text, loss, colour), shift in zip(ends, (0, 0, 6, -6), strict=True):
        axes.annotate(text, (passes, loss), (10, shift), textcoords="offset points", va="center", color=colour)
    axes.set_xlim(0, passes)
    axes.set_xticks(range(passes + 1))
    axes.set_ylim(0, 4)
    axes.set_xlabel("passes through the images")
    axes.set_ylabel("loss")
    return figure


@drawing("06-wander")
def where_noise_leaves_us() -> Figure:
    figure = new_figure("The distance from the bottom of a parabola under three learning rates", 330)
    steps, curve = 400, 1.0
    noise = np.random.default_rng(3).normal(size=steps)
    t = np.arange(steps)
    falling = 0.5 * 0.015 ** (t / steps)
    runs = (("rate 0.5", np.full(steps, 0.5), VERMILION), ("rate 0.01", np.full(steps, 0.01), GREEN),
            ("falling from 0.5", falling, BLUE))  # fmt: skip
    for row, (text, rates, colour) in enumerate(runs):
        axes = add_panel(figure, 40, 8 + row * 96, WIDTH - 60, 82)
        w, path = 5.0, [5.0]
        for rate, error in zip(rates, noise, strict=True):
            w -= rate * (curve * w + error)
            path.append(w)
        band = np.sqrt(rates / (curve * (2 - rates * curve)))
        axes.fill_between(t, -band, band, color=colour, alpha=0.3, linewidth=0)
        axes.plot(path, color=colour, linewidth=1.1)
        axes.axhline(0, color=MUTED, linewidth=0.8)
        axes.text(395, 2.6, text, color=colour, ha="right", va="center")
        axes.set_xlim(0, steps)
        axes.set_ylim(-2.6, 5.4)
        axes.set_yticks((0, 4))
        if row < 2:
            axes.set_xticklabels([])
    axes.set_xlabel("step")
    figure.text(4 / WIDTH, 1 - 150 / 330, "place w, the bottom at 0", rotation=90, va="center")
    return figure


@drawing("06-momentum")
def three_walkers() -> Figure:
    figure = new_figure("Plain descent, the heavy ball and Nesterov's momentum in a valley", 396)
    curvature, start = np.array([1.0, 25.0]), np.array([9.0, 1.4])
    rows = (
        ("plain", "creeps", 0.0, False, GREEN),
        ("heavy ball", "overshoots", 0.7, False, VERMILION),
        ("Nesterov", "brakes in time", 0.7, True, BLUE),
    )
    for row, (text, what, momentum, ahead, colour) in enumerate(rows):
        axes = add_panel(figure, 100, 4 + row * 132, WIDTH - 104, 124)
        valley(axes, curvature, 0.5 * np.array([2.0, 6, 10]) ** 2)
        path = walk(curvature, start, 0.04, 25, momentum, ahead)
        axes.plot(*path.T, color=colour, linewidth=1.6, marker="o", markersize=4, zorder=2)
        axes.set_xlim(-10.6, 10.6)
        axes.set_ylim(-2.4, 2.4)
        axes.text(-0.22, 0.6, text, color=colour, transform=axes.transAxes, weight="bold")
        axes.text(-0.22, 0.42, what, color=colour, transform=axes.transAxes)
    return figure


@drawing("06-schedules")
def five_schedules() -> Figure:
    figure = new_figure("Five schedules of the learning rate", 250)
    axes = add_panel(figure, 40, 12, WIDTH - 190, 190)
    progress = np.linspace(0, 1, 401)
    for schedule, text, colour, y in (
        (Constant(1.0), "Constant", MUTED, 1.0),
        (StepDecay(1.0), "StepDecay", PURPLE, 0.11),
        (Cosine(1.0), "Cosine", GREEN, 0.36),
        (OneCycle(1.0), "OneCycle", VERMILION, 0.52),
        (WarmUp(1.0, then=Cosine(1.0)), "WarmUp, then Cosine", BLUE, 0.24),
    ):
        factors = [schedule.factor(p) for p in progress]
        axes.plot(progress, factors, color=colour, linewidth=1.8)
        axes.annotate(text, (1, y), (10, 0), textcoords="offset points", va="center", color=colour, fontsize=SMALL)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.06)
    axes.set_xlabel("progress τ")
    axes.set_ylabel("share of the highest rate")
    return figure


def flat(network: Network) -> Array:
    return np.concatenate([p.ravel() for p in network.params.values()])


def assign(network: Network, column: Array) -> None:
    at = 0
    for p in network.params.values():
        p[...] = column[at : at + p.size].reshape(p.shape)
        at += p.size


def draw_contour(axes: Axes, line: Array, level: float) -> None:
    """A contour line of always as many points, wherever the grid cut it, with its level in a gap at the upper left."""
    lengths = np.append(0, np.hypot(*np.diff(line, axis=0).T).cumsum())
    if lengths[-1] < 3:
        return
    at = np.linspace(0, lengths[-1], 121)
    x, y = (np.interp(at, lengths, line[:, k]) for k in (0, 1))
    below = np.abs(np.arctan2(y + 0.5, x - 0.8) - 2.2)
    middle = int(below.argmin())
    if below[middle] < 0.05:
        gap = slice(max(0, middle - round(0.55 / at[1])), middle + round(0.55 / at[1]) + 1)
        axes.text(x[middle], y[middle], f"{level:g}", color=MUTED, fontsize=SMALL, ha="center", va="center")
        x[gap] = np.nan
    axes.plot(x, y, color=INK + "70", linewidth=0.9)


@drawing("06-surface", tolerance=4)
def a_real_run() -> Figure:
    x, labels = data(2000)
    network, rng = new_seed(), np.random.default_rng(0)
    points = [flat(network)]
    for _ in range(400):
        some = rng.choice(2000, 20, replace=False)
        take_step(network, x[:, some], labels[some], 0.2)
        points.append(flat(network))
    path = np.array(points).T
    end = path[:, -1]
    moved = path - end[:, None]
    u = moved @ np.linalg.eigh(moved.T @ moved)[1][:, :-3:-1]  # the first two left singular vectors
    u /= np.linalg.norm(u, axis=0)
    u *= -np.sign(u.T @ (path[:, 0] - end)) * np.array([1, -1])  # the start is left of the end, and above
    c = u.T @ moved
    across, up = np.linspace(-10, 5, 31), np.linspace(-4.5, 4.5, 19)
    heights = np.empty((len(up), len(across)))
    for row, column in np.ndindex(*heights.shape):
        assign(network, end + u @ np.array([across[column], up[row]]))
        heights[row, column] = loss_of(network, x[:, ::5], labels[::5])
    # The surface is smooth: cubic splines between the places spare most of the work.
    spline = RectBivariateSpline(up, across, heights)
    across, up = (np.linspace(a[0], a[-1], 3 * len(a) - 2) for a in (across, up))
    heights = spline(up, across)
    figure = new_figure("The loss around a real training, in the plane of its path", 300)
    axes = add_panel(figure, 44, 10, WIDTH - 60, 246)
    axes.grid(False)
    for level in (0.4, 0.5, 0.6, 0.8, 1, 1.3, 1.7, 2.2):
        for line in contour_generator(across, up, heights).lines(level):
            draw_contour(axes, np.asarray(line), level)
    axes.set_xlim(across[0], across[-1])
    axes.set_ylim(up[0], up[-1])
    axes.plot(*c, color=BLUE, linewidth=1.2, marker="o", markersize=4, markevery=10)
    axes.plot(*c[:, 0], "o", color=VERMILION, markersize=7)
    axes.plot(*c[:, -1], "o", color=BLUE, markersize=7)
    axes.set_xlabel("c₁")
    axes.set_ylabel("c₂", rotation=0)
    axes.set_aspect("auto")
    return figure
