"""Chapter 2: one weighted sum, ten, and those of many images."""

import numpy as np
import sympy as sp

from digitscope.nn import Dense
from docs.notes.checks import agree, check, differences, matrices
from docs.notes.checks.formula import holds

RNG = np.random.default_rng(2)
W = RNG.normal(size=(4, 6))
B = RNG.normal(size=(4, 1))
X = RNG.normal(size=(6, 3))


def layer() -> Dense:
    dense = Dense(6, 4).astype(np.float64)
    dense.params = {"weight": W.copy(), "bias": B.copy()}
    return dense


@check("2.1", "2.5", "2.7", by="digitscope")
def sums_are_digitscopes() -> None:
    z = layer().forward(X)[0]
    for o, n in np.ndindex(4, 3):
        agree(z[o, n], B[o, 0] + sum(W[o, i] * X[i, n] for i in range(6)))
    agree(z, W @ X + B @ np.ones((3, 1)).T)
    agree(z[:, :1], W @ X[:, :1] + B)


@check("2.2", "2.3", by="sympy")
def slopes_symbolically() -> None:
    w, x = sp.Matrix(sp.symbols("w1:4")), sp.Matrix(sp.symbols("x1:4"))
    z = sp.Symbol("b") + sum(u * v for u, v in zip(w, x, strict=True))
    assert [sp.diff(z, v) for v in x] == list(w)
    assert [sp.diff(z, v) for v in w] == list(x)


@check("2.2", "2.3", by="differences")
def slopes_by_differences() -> None:
    w, x, b = W[0], X[:, 0], B[0, 0]
    agree(differences(lambda x: float(b + w @ x), x), w)
    agree(differences(lambda w: float(b + w @ x), w), x)


@check("2.2", "2.3", by="digitscope")
def slopes_are_digitscopes() -> None:
    """Where only one score counts, and one image, the layer's derivatives are the slopes of that score."""
    dz = np.zeros((4, 1))
    dz[2] = 1
    dx, grads = layer().forward(X[:, :1])[1](dz)
    agree(dx[:, 0], W[2])
    agree(grads["weight"][2], X[:, 0])
    agree(np.delete(grads["weight"], 2, axis=0), np.zeros((3, 6)))


@check("2.4", by="numbers")
def distance_to_the_border() -> None:
    w, x, b = W[0], X[:, 0], B[0, 0]
    r = (b + w @ x) / np.linalg.norm(w)
    foot = x - r * w / np.linalg.norm(w)
    agree(b + w @ foot, 0.0)
    along = RNG.normal(size=(6, 500))
    along -= np.outer(w, w @ along) / (w @ w)
    others = foot[:, None] + along
    agree(b + w @ others, np.zeros(500))
    assert (np.linalg.norm(others - x[:, None], axis=0) >= abs(r) - 1e-12).all()


@check("2.6", by="digitscope")
def the_example_is_digitscopes() -> None:
    w, b, x, z = matrices("2.6")
    dense = Dense(3, 2).astype(np.float64)
    dense.params = {"weight": w, "bias": b}
    agree(dense.forward(x)[0], z)


@check("2.1", "2.2", "2.3", "2.4", "2.5", "2.6", "2.7", by="printed")
def as_printed() -> None:
    x, w, b = X[:, 0], W[0], float(B[0, 0])
    z = layer().forward(X)[0]
    holds("2.1", {"z": float(z[0, 0]), "b": b, "w": w, "x": x})
    dz = np.zeros((4, 1))
    dz[0] = 1
    dx, grads = layer().forward(X[:, :1])[1](dz)
    holds("2.2", {"∂z/∂x": dx[:, 0], "w": w})
    holds("2.3", {"∂z/∂w": grads["weight"][0], "x": x})
    away = x - float(z[0, 0]) * w / (w @ w)  # the foot of the perpendicular
    holds("2.4", {"r": float(np.sign(z[0, 0]) * np.linalg.norm(x - away)), "z": float(z[0, 0]), "w": w})
    holds("2.5", {"z": z[:, :1], "b": B, "W": W, "x": X[:, :1]})
    holds("2.7", {"z": z, "Z": z, "b": B, "W": W, "x": X, "X": X, "ones": np.ones((3, 1))})
    small = Dense(3, 2).astype(np.float64)
    w2, b2, x2, _ = matrices("2.6")
    small.params = {"weight": w2, "bias": b2}
    holds("2.6", {"W": w2, "b": b2, "x": x2, "z": small.forward(x2)[0]})
