"""Chapter 0: sums, products, slopes, chance, a line."""

from itertools import product

import numpy as np
import sympy as sp

from digitscope.arrays import Array
from digitscope.nn import Dense
from docs.notes.checks import agree, check, differences, matrices
from docs.notes.checks.formula import holds

RNG = np.random.default_rng(0)
W, X = RNG.normal(size=5), RNG.normal(size=5)


def angle_between(w: Array, x: Array) -> float:
    """By the law of cosines, from three lengths."""
    a, b, c = (float(np.linalg.norm(side)) for side in (w, x, w - x))
    return float(np.arccos((a**2 + b**2 - c**2) / (2 * a * b)))


@check("0.1", "0.2", by="numbers")
def lengths_and_angles() -> None:
    agree(float(np.linalg.norm(X)) ** 2, float((X**2).sum()))
    lengths = float(np.linalg.norm(W) * np.linalg.norm(X))
    agree(float(W @ X), lengths * float(np.cos(angle_between(W, X))))
    agree(float(np.cos(angle_between(np.array([3.0, 4]), np.array([4.0, 3])))), 0.96)


@check("0.3", "0.4", by="digitscope")
def a_product_is_a_layer_without_a_bias() -> None:
    weight, columns, result = matrices("0.4")
    layer = Dense(3, 2).astype(np.float64)
    layer.params = {"weight": weight, "bias": np.zeros((2, 1))}
    agree(layer.forward(columns)[0], result)
    agree(np.array([[sum(weight[o] * columns[:, n]) for n in range(2)] for o in range(2)]), result)


@check("0.1", "0.2", "0.3", "0.4", by="printed")
def products_as_printed() -> None:
    holds("0.1", {"x": X})
    holds("0.2", {"w": W, "x": X, "φ": angle_between(W, X)})
    weight, columns, _ = matrices("0.4")
    layer = Dense(3, 2).astype(np.float64)
    layer.params = {"weight": weight, "bias": np.zeros((2, 1))}
    z = layer.forward(columns)[0]
    holds("0.3", {"z": z, "Z": z, "W": weight, "x": columns, "X": columns})
    holds("0.4", {})


DIE = np.arange(1.0, 7)


@check("0.5", "0.6", by="numbers")
def all_throws_of_three_dice() -> None:
    means = np.array([np.mean(throw) for throw in product(DIE, repeat=3)])
    agree(float(means.mean()), float(DIE.mean()))
    agree(float(means.var()), float(((DIE - 3.5) ** 2).mean() / 3))


@check("0.5", "0.6", by="printed")
def chance_as_printed() -> None:
    holds("0.5", {"x_": 3.5, "N": 6.0, "x": DIE, "v": float(DIE.var())})
    means = np.array([np.mean(throw) for throw in product(DIE, repeat=3)])
    holds("0.6", {"Var": lambda _: float(means.var()), "x_": 3.5, "v": float(DIE.var()), "N": 3.0})


POINTS, TARGETS = np.array([0.0, 1, 2, 3]), np.array([1.2, 1.4, 2.3, 2.5])
LINE = np.array([0.5, 1.0])


def line_loss(line: Array) -> float:
    return float(((line[0] * POINTS + line[1] - TARGETS) ** 2).sum() / (2 * len(POINTS)))


def line_slopes(line: Array) -> Array:
    """(0.8), as it stands."""
    wrong = line[0] * POINTS + line[1] - TARGETS
    return np.array([(wrong * POINTS).sum(), wrong.sum()]) / len(POINTS)


@check("0.8", by="differences")
def slopes_of_a_line_by_differences() -> None:
    agree(differences(line_loss, LINE), line_slopes(LINE))


@check("0.7", "0.8", by="sympy")
def slopes_of_a_line_symbolically() -> None:
    w, b = sp.symbols("w b", real=True)
    pairs = list(zip(POINTS.tolist(), TARGETS.tolist(), strict=True))
    loss = sum((w * x + b - q) ** 2 for x, q in pairs) / (2 * len(pairs))
    there = {w: LINE[0], b: LINE[1]}
    agree(float(loss.subs(there)), line_loss(LINE))
    agree(np.array([float(sp.diff(loss, knob).subs(there)) for knob in (w, b)]), line_slopes(LINE))


def as_layer() -> tuple[Array, dict[str, Array]]:
    layer = Dense(1, 1).astype(np.float64)
    layer.params = {"weight": LINE[:1, None], "bias": LINE[1:, None]}
    y, backward = layer.forward(POINTS[None])
    return y[0], backward((y - TARGETS) / len(TARGETS))[1]


@check("0.8", by="digitscope")
def slopes_of_a_line_are_digitscopes() -> None:
    _, grads = as_layer()
    agree(np.array([grads["weight"].item(), grads["bias"].item()]), line_slopes(LINE))


@check("0.7", "0.8", by="printed")
def a_line_as_printed() -> None:
    _, grads = as_layer()
    numbers = {"w": LINE[0], "b": LINE[1], "x": POINTS, "q": TARGETS, "N": 4.0}
    holds("0.7", {"L": line_loss(LINE), **numbers})
    holds("0.8", {"dw": grads["weight"].item(), "db": grads["bias"].item(), **numbers})
