"""Chapter 1: pictures as vectors, means, and the nearest of them."""

import numpy as np
import sympy as sp

from digitscope.nn import Dense, MeanSquaredError, Network, to_batch, zeros
from docs.notes.checks import agree, check, differences, matrices
from docs.notes.checks.formula import holds

UNPRINTED = {"1.5": "the derivative is of a sum that has no name"}

RNG = np.random.default_rng(1)
X = RNG.uniform(size=(6, 5))


@check("1.1", "1.2", "1.3", by="digitscope")
def pixels_come_to_their_place() -> None:
    pictures = RNG.integers(0, 256, (4, 3, 7), dtype=np.uint8)
    x = to_batch(pictures)
    for n, i, j in np.ndindex(*pictures.shape):
        agree(x[7 * i + j, n], pictures[n, i, j] / 255, 1e-6)
        assert divmod(7 * i + j, 7) == (i, j)
    first, second, printed = matrices("1.3")
    agree(to_batch(np.stack([first, second]).astype(np.uint8)), printed, 1e-6)


@check("1.4", by="sympy")
def distance_is_pythagoras() -> None:
    a = sp.Matrix(sp.symbols("a1:4", real=True))
    b = sp.Matrix(sp.symbols("b1:4", real=True))
    assert sp.expand((a - b).norm() ** 2 - sum((u - v) ** 2 for u, v in zip(a, b, strict=True))) == 0


@check("1.5", "1.6", by="sympy")
def the_mean_is_nearest_symbolically() -> None:
    x = sp.Matrix(2, 3, sp.symbols("x1:7", real=True))
    m = sp.Matrix(sp.symbols("m1:3", real=True))
    total = sum((x[d, n] - m[d]) ** 2 for d in range(2) for n in range(3))
    for d in range(2):
        slope = sp.diff(total, m[d])
        assert sp.expand(slope - sum(2 * (m[d] - x[d, n]) for n in range(3))) == 0
        assert sp.solve(slope, m[d]) == [sp.expand(sum(x[d, :]) / 3)]


@check("1.5", by="differences")
def the_mean_is_nearest_by_differences() -> None:
    m = RNG.uniform(size=(6, 1))
    agree(differences(lambda m: float(((X - m) ** 2).sum()), m), (2 * (m - X)).sum(axis=1, keepdims=True))


@check("1.5", "1.6", by="digitscope")
def the_best_constant_answer_is_the_mean_in_digitscope() -> None:
    """A layer whose weights are zero says its bias, m; the squared error's derivative is (1.5) over 2 N."""
    labels = np.array([0, 2, 2, 1, 2])
    one_hot = np.eye(3)[:, labels]
    m = RNG.uniform(size=(3, 1))
    network = Network(Dense(6, 3, weight=zeros)).astype(np.float64)
    for bias in (m, one_hot.mean(axis=1, keepdims=True)):
        network.params = {**network.params, "0.bias": bias}
        outputs, backward = network.forward(X)
        grads = backward(MeanSquaredError().forward(outputs, labels)[1](1.0))[1]
        agree(grads["0.bias"], (2 * (bias - one_hot)).sum(axis=1, keepdims=True) / (2 * 5))
    agree(grads["0.bias"], np.zeros((3, 1)))


@check("1.7", "1.8", by="digitscope")
def the_nearest_mean_is_a_layer() -> None:
    means = RNG.uniform(size=(4, 6))
    network = Network(Dense(6, 4)).astype(np.float64)
    network.params = {"0.weight": means, "0.bias": -0.5 * (means**2).sum(axis=1)[:, None]}
    scores = network.forward(X)[0]
    distances = ((X[None] - means[:, :, None]) ** 2).sum(axis=1)
    agree(distances, (X**2).sum(axis=0) - 2 * scores)
    assert (scores.argmax(axis=0) == distances.argmin(axis=0)).all()


@check("1.1", "1.2", "1.3", "1.4", "1.6", "1.7", "1.8", by="printed")
def as_printed() -> None:
    for i, j in np.ndindex(3, 7):
        holds("1.1", {"d": float(np.arange(21).reshape(3, 7)[i, j]), "w": 7.0, "i": float(i), "j": float(j)})
    first, second, x = matrices("1.3")
    holds(
        "1.3",
        {"I": np.stack([first, second]), "X": to_batch(np.stack([first, second]).astype(np.uint8))},
        tolerance=1e-6,
    )
    for i, j in np.ndindex(2, 3):
        holds("1.2", {"x": x[[3 * i + j]], "I": np.stack([first, second])[:, i : i + 1, j : j + 1]})
    means = RNG.uniform(size=(4, 6))
    layer = Dense(6, 4).astype(np.float64)
    layer.params = {"weight": means, "bias": -0.5 * (means**2).sum(axis=1)[:, None]}
    one = X[:, :1]
    scores = layer.forward(one)[0]
    holds("1.4", {"x": X[:, 0], "m": means[0]})
    holds("1.6", {"m": X.mean(axis=1), "x": X, "N": 5.0})
    holds("1.7", {"x": X[:, 0], "m": means})
    holds("1.8", {"z": scores, "b": layer.params["bias"], "W": means, "m": means, "x": X[:, 0]})
