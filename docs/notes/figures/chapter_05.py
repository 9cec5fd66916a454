"""Chapter 5: backpropagation."""

import math
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from digitscope.arrays import Array
from digitscope.nn import SoftmaxCrossEntropy, to_batch
from digitscope.recipes import RECIPES
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

X = np.array([[1.0, 0], [2, 1], [0, 1]])
W1 = np.array([[0.5, 0.5, -1], [-1, 0.5, 0.5], [0.5, -0.5, 0], [1, 0, 0.5]])
B1 = np.array([[0.0], [0.5], [0], [0]])
W2 = np.array([[1.0, -1, 0.5, 0], [0, 0.5, 1, -1]])
B2 = np.array([[0.25], [0]])
Q = np.array([[1.0, 1], [0, 0]])


def number(value: float, digits: int = 3) -> str:
    """With a real minus, no zeros at the end, no minus zero."""
    text = f"{value:.{digits}f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "0") else text.replace("-", "−")


def arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float], colour: str) -> None:
    axes.add_patch(
        FancyArrowPatch(
            start, end, arrowstyle="-|>", mutation_scale=9, color=colour, linewidth=1.3, shrinkA=0, shrinkB=0
        )
    )


@drawing("05-graph")
def one_unit_as_a_graph() -> Figure:
    figure = new_figure("One unit as a graph, with values and derivatives", 146)
    axes = add_canvas(figure)
    boxes = {"z": (178, "z = w x + b"), "a": (312, "a = σ(z)"), "L": (440, "L = (a − 1)² / 2")}
    half, middle = {"z": 46, "a": 36, "L": 60}, 68.0
    for name, (x, text) in boxes.items():
        axes.add_patch(
            FancyBboxPatch(
                (x - half[name], middle - 16), 2 * half[name], 32, boxstyle="round,pad=0,rounding_size=4",
                facecolor="none", edgecolor=MUTED, linewidth=1,
            )
        )  # fmt: skip
        axes.text(x, middle, text, ha="center", va="center", fontsize=SMALL)
    # What flows along each arrow: its value, and the derivative that comes back.
    for y, name, value, derivative in ((18, "w", 0.5, -0.25), (68, "x", 2, -0.0625), (118, "b", -1, -0.125)):
        axes.text(8, y, name, va="center", style="italic", fontsize=14)
        axes.text(26, y - 8, number(value), color=BLUE, va="center", fontsize=SMALL)
        axes.text(26, y + 8, number(derivative, 4), color=VERMILION, va="center", fontsize=SMALL)
        arrow(axes, (78, y), (boxes["z"][0] - 48, middle + (y - middle) * 0.16), INK)
    for start, end, value, derivative in (("z", "a", 0, -0.125), ("a", "L", 0.5, -0.5)):
        left, right = boxes[start][0] + half[start] + 2, boxes[end][0] - half[end] - 2
        arrow(axes, (left, middle), (right, middle), INK)
        axes.text((left + right) / 2, middle - 22, number(value), color=BLUE, ha="center", va="bottom", fontsize=SMALL)
        axes.text(
            (left + right) / 2, middle + 22, number(derivative), color=VERMILION, ha="center", va="top", fontsize=SMALL
        )
    axes.text(440, middle - 22, "0.125", color=BLUE, ha="center", va="bottom", fontsize=SMALL)
    axes.text(440, middle + 22, "1", color=VERMILION, ha="center", va="top", fontsize=SMALL)
    arrow(axes, (190, 132), (290, 132), BLUE)
    axes.text(296, 132, "values", color=BLUE, va="center", fontsize=SMALL)
    arrow(axes, (450, 132), (350, 132), VERMILION)
    axes.text(456, 132, "derivatives", color=VERMILION, va="center", fontsize=SMALL)
    return figure


def step() -> tuple[list[Array], list[Array]]:
    """The activations of the worked example, layer by layer, and the derivatives of its two weight matrices."""
    z1 = W1 @ X + B1
    a1 = np.maximum(z1, 0)
    z2 = W2 @ a1 + B2
    p = np.exp(z2) / np.exp(z2).sum(axis=0)
    dz2 = (p - Q) / 2
    dz1 = (W2.T @ dz2) * (z1 > 0)
    return [X, a1, p], [dz1 @ X.T, dz2 @ a1.T]


def node(axes: Axes, x: float, y: float, text: str, colour: str = INK, faded: bool = False) -> None:
    axes.plot([x], [y], "o", color=FAINT if faded else colour, markersize=8, zorder=3)
    axes.annotate(
        text, (x, y), (0, 8), textcoords="offset points", ha="center", va="bottom", fontsize=SMALL, zorder=4,
        color=MUTED if faded else colour,
    )  # fmt: skip


@drawing("05-paths")
def paths_forward_and_sums_back() -> Figure:
    """The weight from the second input to the second hidden unit, for the second image of the worked example."""
    layers, _ = step()
    dz2 = (layers[2] - Q)[:, 1] / 2
    gate = (layers[1][:, 1] > 0).astype(float)
    dz1 = (W2.T @ dz2) * gate
    unit, source = 1, 1
    x_i = X[source, 1]
    figure = new_figure("Paths from one weight to the loss, and the same sums on the way back", 372)
    axes = add_canvas(figure)
    columns = (20.0, 150.0, 280.0)
    for top, back in ((14.0, False), (202.0, True)):
        title = "the way back: each box adds up what comes to it" if back else "forward: a change of one weight spreads"
        axes.text(0, top, title, weight="bold", va="center")
        middle = top + 92
        places = [
            [
                (x, middle + (i - (len(values) - 1) / 2) * (38.0 if len(values) > 2 else 76.0))
                for i in range(len(values))
            ]
            for x, values in zip(columns, layers, strict=True)
        ]
        loss = (392.0, middle)
        for o, i in np.ndindex(*W1.shape):
            is_it = (o, i) == (unit, source)
            ends = zip(places[0][i], places[1][o], strict=True)
            axes.plot(*ends, color=VERMILION if is_it else FAINT, linewidth=2.6 if is_it else 0.8, zorder=1)
        for k, i in np.ndindex(*W2.shape):
            on = i == unit if not back else bool(gate[i]) and W2[k, i] != 0
            ends = zip(places[1][i], places[2][k], strict=True)
            axes.plot(*ends, color=VERMILION if on else FAINT, linewidth=2 if i == unit else 0.9, zorder=1)
        for k, (x, y) in enumerate(places[2]):
            axes.plot([x, loss[0] - 12], [y, loss[1]], color=VERMILION, linewidth=2, zorder=1)
            from_y = places[1][unit][1]
            at = (columns[1] + 0.72 * (columns[2] - columns[1]), from_y + 0.72 * (y - from_y) - (9 if k == 0 else -11))
            axes.text(*at, number(W2[k, unit]), color=MUTED, fontsize=SMALL, ha="right", va="center")
            if not back:
                sign = -1 if k == 0 else 1
                axes.text(344, (y + loss[1]) / 2 + 11 * sign, number(dz2[k]), color=MUTED, fontsize=SMALL, va="center")
        axes.text(*loss, "L", ha="center", va="center", fontsize=14, style="italic")
        weight_at = (columns[0] + columns[1]) / 2, (places[0][source][1] + places[1][unit][1]) / 2
        for i, (x, y) in enumerate(places[0]):
            node(axes, x, y, number(X[i, 1]), faded=i != source)
        for i, (x, y) in enumerate(places[1]):
            text = number(dz1[i]) if back else number(layers[1][i, 1])
            node(axes, x, y, text, VERMILION if back and gate[i] else INK, faded=not gate[i] if back else i != unit)
        for k, (x, y) in enumerate(places[2]):
            node(axes, x, y, number(dz2[k]) if back else number(layers[2][k, 1]), VERMILION if back else INK)
        if back:
            axes.text(
                *(weight_at[0] - 4, weight_at[1] + 12),
                number(dz1[unit] * x_i),
                color=VERMILION,
                ha="center",
                va="center",
                fontsize=SMALL,
            )
            lines = (
                f"{number(W2[0, unit])} · ({number(dz2[0])})",
                f"+ {number(W2[1, unit])} · {number(dz2[1])}",
                f"= {number(dz1[unit])}, once",
                f"times the input {number(x_i)}:",
                f"{number(dz1[unit] * x_i)}",
            )
        else:
            axes.text(
                *(weight_at[0] - 4, weight_at[1] + 12),
                "+ a little",
                color=VERMILION,
                ha="center",
                va="center",
                fontsize=SMALL,
            )
            lines = (
                f"1 · ({number(W2[0, unit])}) · ({number(dz2[0])})",
                f"= {number(W2[0, unit] * dz2[0])}",
                f"1 · {number(W2[1, unit])} · {number(dz2[1])}",
                f"= {number(W2[1, unit] * dz2[1])}",
                f"together {number(dz1[unit] * x_i)}",
            )
        for row, line in enumerate(lines):
            weight = "bold" if row == len(lines) - 1 else "normal"
            axes.text(416, middle - 38 + 19 * row, line, fontsize=SMALL, va="center", weight=weight)
    return figure


@drawing("05-network")
def the_network_twice() -> Figure:
    figure = new_figure("The network of 3, 4 and 2 units: values, and derivatives of its weights", 228)
    axes = add_canvas(figure)
    layers, derivatives = step()
    for left, title in ((0.0, "values for the second image"), (276.0, "what each weight should do")):
        axes.text(left, 12, title, weight="bold", fontsize=12.5)
        columns = [left + x for x in (16, 112, 208)]
        places = [
            [(x, 136 + (i - (len(values) - 1) / 2) * 52.0) for i in range(len(values))]
            for x, values in zip(columns, layers, strict=True)
        ]
        for layer, matrix in enumerate((W1, W2) if left == 0 else derivatives):
            for o, i in np.ndindex(*matrix.shape):
                (x0, y0), (x1, y1) = places[layer][i], places[layer + 1][o]
                if left == 0:
                    silent = layers[layer][i, 1] == 0 or (layer == 0 and layers[1][o, 1] == 0)
                    colour, width = (FAINT if silent else MUTED), 0.6 + 1.6 * abs(matrix[o, i])
                    width *= matrix[o, i] != 0
                else:
                    # What should grow has the colour of positive weights.
                    colour, width = (VERMILION if matrix[o, i] < 0 else BLUE), 6 * abs(matrix[o, i])
                if width:
                    axes.plot([x0, x1], [y0, y1], color=colour, linewidth=width, solid_capstyle="butt", zorder=1)
        for layer, values in enumerate(layers):
            for (x, y), value in zip(places[layer], values[:, 1], strict=True):
                silent = layer == 1 and value == 0
                axes.plot([x], [y], "o", color=MUTED if silent else INK, markersize=7, zorder=2)
                if left == 0:
                    shift = (13, 0) if layer == 2 else (0, -9)
                    axes.annotate(
                        number(value), (x, y), (shift[0], -shift[1]), textcoords="offset points", fontsize=SMALL,
                        ha="left" if layer == 2 else "center", va="center" if layer == 2 else "bottom",
                        color=MUTED if silent else INK, zorder=3,
                    )  # fmt: skip
    return figure


@drawing("05-seed")
def what_one_image_asks() -> Figure:
    (images, labels), _ = load_mnist()
    seed = RECIPES["seed"].build(np.random.default_rng(1), (28, 28), 10).astype(np.float64)
    x = to_batch(images[:1]).astype(np.float64)
    outputs, backward = seed.forward(x)
    grads = backward(SoftmaxCrossEntropy().forward(outputs, labels[:1])[1](1.0))[1]
    dz, dw = grads["0.bias"].ravel(), grads["0.weight"].reshape(10, 28, 28)
    figure = new_figure("A five, and the derivative of the first layer's weights for each of ten units", 190)
    axes = add_canvas(figure)
    how: Any = {"interpolation": "none", "aspect": "auto"}
    axes.imshow(images[0] / 255, extent=(0, 100, 138, 38), cmap=INK_SCALE, vmin=0, vmax=1, **how)
    axes.text(50, 152, "the image", ha="center", va="center", color=MUTED, fontsize=SMALL)
    shade = -np.sign(dw) * np.sqrt(np.abs(dw))  # what should grow is positive; roots, so that weak ones can be seen
    limit = np.abs(shade).max()
    for unit in range(10):
        left, top = 126 + unit % 5 * 80, 2 + unit // 5 * 95
        axes.imshow(
            shade[unit], extent=(left, left + 70, top + 70, top), cmap=DIVERGING, vmin=-limit, vmax=limit, **how
        )
        axes.plot(
            [left, left + 70, left + 70, left, left], [top, top, top + 70, top + 70, top], color=FAINT, linewidth=0.8
        )
        shut = dz[unit] == 0
        axes.text(
            left + 35, top + 80, "shut" if shut else number(dz[unit], 2), ha="center", va="center", fontsize=SMALL,
            color=MUTED if shut else INK,
        )  # fmt: skip
    axes.set_xlim(0, WIDTH)
    axes.set_ylim(190, 0)
    return figure


@drawing("05-units", tolerance=2)
def ten_trained_units() -> Figure:
    """The network from an empty page."""
    (images, labels), _ = load_mnist()
    x = to_batch(images[:5000])
    q = np.eye(10, dtype=np.float32)[:, labels[:5000]]
    rng = np.random.default_rng(1)
    w1, b1, w2, b2 = (
        rng.uniform(-0.5, 0.5, shape).astype(np.float32) for shape in ((10, 784), (10, 1), (10, 10), (10, 1))
    )
    start = w1.copy()
    for _ in range(500):
        a1 = np.maximum(w1 @ x + b1, 0)
        e = np.exp(w2 @ a1 + b2)
        dz2 = (e / e.sum(axis=0) - q) / q.shape[1]
        dz1 = (w2.T @ dz2) * (a1 > 0)
        w2 -= 0.1 * dz2 @ a1.T
        b2 -= 0.1 * dz2.sum(axis=1, keepdims=True)
        w1 -= 0.1 * dz1 @ x.T
        b1 -= 0.1 * dz1.sum(axis=1, keepdims=True)
    figure = new_figure("How the weights of ten hidden units have changed in training", 208)
    axes = add_canvas(figure)
    change = w1 - start
    limit = np.abs(change).max()
    for unit in range(10):
        left, top = 8 + unit % 5 * 104, 4 + unit // 5 * 104
        axes.imshow(
            change[unit].reshape(28, 28), extent=(left, left + 88, top + 88, top), cmap=DIVERGING, vmin=-limit,
            vmax=limit, interpolation="none", aspect="auto",
        )  # fmt: skip
        square = [left, left + 88, left + 88, left, left], [top, top, top + 88, top + 88, top]
        axes.plot(*square, color=FAINT, linewidth=0.8)
    axes.set_xlim(0, WIDTH)
    axes.set_ylim(208, 0)
    return figure


@drawing("05-differences", tolerance=40)
def error_over_width() -> Figure:
    """The left half is rounding: in plain Python, which rounds alike on most machines, as NumPy does not."""

    def loss(w: float) -> float:
        total = 0.0
        for n in range(2):
            hidden = [
                max(sum(u * v for u, v in zip(row, X[:, n].tolist(), strict=True)) + bias, 0.0)
                for row, bias in zip(weights(w), B1.ravel().tolist(), strict=True)
            ]
            z = [
                sum(u * v for u, v in zip(row, hidden, strict=True)) + bias
                for row, bias in zip(W2.tolist(), B2.ravel().tolist(), strict=True)
            ]
            total += math.log(math.exp(z[0]) + math.exp(z[1])) - z[0]
        return total / 2

    def weights(w: float) -> list[list[float]]:
        rows: list[list[float]] = W1.tolist()
        rows[1][1] = w
        return rows

    exact = step()[1][0][1, 1]
    widths = 10.0 ** np.arange(-12, -0.2, 0.125)
    one = [abs((loss(0.5 + h) - loss(0.5)) / h - exact) for h in widths]
    central = [abs((loss(0.5 + h) - loss(0.5 - h)) / (2 * h) - exact) for h in widths]
    figure = new_figure("The error of differences over their width", 250)
    axes = add_panel(figure, 66, 12, WIDTH - 86, 196)
    axes.loglog(widths, one, color=VERMILION, linewidth=1.8)
    axes.loglog(widths, central, color=BLUE, linewidth=1.8)
    axes.text(3e-4, 1.1e-3, "one side: error ∝ h", color=VERMILION, ha="right")
    axes.text(2e-4, 2e-11, "both sides: error ∝ h²", color=BLUE)
    axes.text(2e-12, 2e-11, "rounding: error ∝ 1/h", color=MUTED)
    axes.set_xlim(1e-12, 1)
    axes.set_ylim(1e-13, 1)
    axes.set_xticks(10.0 ** np.arange(-12, 1, 2), [f"1e−{n}" if n else "1" for n in range(12, -1, -2)])
    axes.set_yticks(10.0 ** np.arange(-12, 1, 3), [f"1e−{n}" if n else "1" for n in range(12, -1, -3)])
    axes.minorticks_off()
    axes.set_xlabel("width h")
    axes.set_ylabel("error")
    return figure
