"""Chapter 3: why layers need bends, and the slopes of four of them."""

from collections.abc import Callable

import numpy as np
import sympy as sp

from digitscope.arrays import Array
from digitscope.nn import Dense, Layer, LeakyReLU, Network, ReLU, Sigmoid, Tanh
from docs.notes.checks import agree, check, differences
from docs.notes.checks.formula import Value, holds

RNG = np.random.default_rng(3)
X = 2 * RNG.normal(size=(5, 4))
DY = RNG.normal(size=X.shape)
SLOPE = 0.1


@check("3.1", by="digitscope")
def two_layers_are_one() -> None:
    first, second = Dense(5, 3, rng=RNG).astype(np.float64), Dense(3, 2, rng=RNG).astype(np.float64)
    one = Dense(5, 2).astype(np.float64)
    w1, b1 = first.params["weight"], RNG.normal(size=(3, 1))
    w2, b2 = second.params["weight"], RNG.normal(size=(2, 1))
    first.params["bias"], second.params["bias"] = b1, b2
    one.params = {"weight": w2 @ w1, "bias": w2 @ b1 + b2}
    agree(Network(first, second).forward(X)[0], one.forward(X)[0])


@check("3.2", by="digitscope")
def exactly_one_of_two() -> None:
    network = Network(Dense(2, 2), ReLU(), Dense(2, 1)).astype(np.float64)
    network.params = {
        "0.weight": np.ones((2, 2)), "0.bias": np.array([[0.0], [-1]]),
        "2.weight": np.array([[1.0, -2]]), "2.bias": np.zeros((1, 1)),
    }  # fmt: skip
    corners = np.array([[0.0, 0, 1, 1], [0, 1, 0, 1]])
    agree(network.forward(corners)[0], np.array([[0.0, 1, 1, 0]]))


@check("3.3", by="numbers")
def bends_change_slopes() -> None:
    w, b, v = RNG.uniform(0.5, 2, 4) * [1, -1, 1, -1], RNG.normal(size=4), RNG.normal(size=4)

    def f(x: float) -> float:
        return float(1.5 + (v * np.maximum(w * x + b, 0)).sum())

    for place, growth in zip(-b / w, v * np.abs(w), strict=True):
        h = 1e-6
        left, right = (f(place) - f(place - h)) / h, (f(place + h) - f(place)) / h
        agree(right - left, growth, 1e-6)


FORMULAS: dict[str, tuple[Layer, Array]] = {
    "relu": (ReLU(), DY * (X > 0)),
    "leaky": (LeakyReLU(SLOPE), DY * ((X > 0) + SLOPE * (X <= 0))),
    "sigmoid": (Sigmoid(), DY * (1 / (1 + np.exp(-X))) * (1 - 1 / (1 + np.exp(-X)))),
    "tanh": (Tanh(), DY * (1 - np.tanh(X) ** 2)),
}


@check("3.4", "3.5", "3.6", "3.7", by="digitscope")
def slopes_are_digitscopes() -> None:
    for layer, by_formula in FORMULAS.values():
        agree(layer.forward(X)[1](DY)[0], by_formula)


@check("3.4", "3.5", "3.6", "3.7", by="differences")
def slopes_by_differences() -> None:
    functions: dict[str, Callable[[Array], Array]] = {
        "relu": lambda x: np.maximum(x, 0),
        "leaky": lambda x: np.where(x > 0, x, SLOPE * x),
        "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
        "tanh": np.tanh,
    }
    for name, f in functions.items():
        agree(differences(f, X, DY), FORMULAS[name][1])


@check("3.4", "3.5", "3.6", "3.7", by="sympy")
def slopes_symbolically() -> None:
    x, s = sp.symbols("x s", real=True)
    p = sp.Symbol("p", positive=True)
    relu, leaky = sp.Piecewise((x, x > 0), (0, True)), sp.Piecewise((x, x > 0), (s * x, True))
    for at, relu_slope, leaky_slope in ((p, 1, 1), (-p, 0, s)):
        assert sp.diff(relu, x).subs(x, at) == relu_slope
        assert sp.diff(leaky, x).subs(x, at) == leaky_slope
    y = 1 / (1 + sp.exp(-x))
    assert sp.simplify(sp.diff(y, x) - y * (1 - y)) == 0
    y = (sp.exp(x) - sp.exp(-x)) / (sp.exp(x) + sp.exp(-x))
    assert sp.simplify(sp.diff(y, x) - (1 - y**2)) == 0


@check("3.8", "3.9", "3.10", by="sympy")
def sigmoid_and_tangent_symbolically() -> None:
    x = sp.Symbol("x", real=True)

    def sigmoid(x: sp.Expr) -> sp.Expr:
        return 1 / (1 + sp.exp(-x))

    assert sp.simplify((sp.tanh(x) - (2 * sigmoid(2 * x) - 1)).rewrite(sp.exp)) == 0
    assert sp.simplify((sigmoid(x) - (1 + sp.tanh(x / 2)) / 2).rewrite(sp.exp)) == 0
    y = sp.Symbol("y", real=True)
    assert sp.solve(sp.diff(y * (1 - y), y), y) == [sp.Rational(1, 2)]
    assert (y * (1 - y)).subs(y, sp.Rational(1, 2)) == sp.Rational(1, 4)


@check("3.9", by="digitscope")
def a_sigmoid_does_not_overflow() -> None:
    agree(Sigmoid().forward(np.array([[-800.0, 0, 800]]))[0], np.array([[0, 0.5, 1]]))
    agree(Sigmoid().forward(X)[0], (1 + np.tanh(X / 2)) / 2)


@check("3.1", "3.2", "3.3", "3.4", "3.5", "3.6", "3.7", "3.8", "3.9", "3.10", by="printed")
def as_printed() -> None:
    w1, b1, w2, b2 = (RNG.normal(size=shape) for shape in ((3, 5), (3, 1), (2, 3), (2, 1)))
    network = Network(Dense(5, 3), Dense(3, 2)).astype(np.float64)
    network.params = {"0.weight": w1, "0.bias": b1, "1.weight": w2, "1.bias": b2}
    holds("3.1", {"Z": network.forward(X)[0], "W1": w1, "b1": b1, "W2": w2, "b2": b2, "X": X})
    for x1, x2, a1, a2, is_one in ((0, 0, 0, 0, 0), (1, 0, 1, 0, 1), (0, 1, 1, 0, 1), (1, 1, 2, 1, 0)):
        holds("3.2", {"x": np.array([x1, x2]), "a": np.array([a1, a2]), "y": float(is_one)})
    w, b, v = RNG.normal(size=(3, 4))
    units = Network(Dense(1, 4), ReLU(), Dense(4, 1)).astype(np.float64)
    units.params = {"0.weight": w[:, None], "0.bias": b[:, None], "2.weight": v[None], "2.bias": np.array([[1.5]])}

    def f(x: float) -> float:
        return float(units.forward(np.array([[x]]))[0][0, 0])

    sigmoid: dict[str, Value] = {"σ": lambda x: Sigmoid().forward(np.array([[float(x)]]))[0][0, 0]}
    for x, dy in zip(X.ravel(), DY.ravel(), strict=True):
        one, d = np.array([[x]]), np.array([[dy]])
        holds("3.3", {"f": f, "c": 1.5, "v": v, "w": w, "b": b, "x": x})
        for number, layer in (("3.4", ReLU()), ("3.5", LeakyReLU(SLOPE)), ("3.6", Sigmoid()), ("3.7", Tanh())):
            y, backward = layer.forward(one)
            dx = float(backward(d)[0][0, 0])
            holds(number, {"dx": dx, "dy": dy, "x": x, "y": float(y[0, 0]), "α": SLOPE})
        holds("3.8", {**sigmoid, "x": x})
        holds("3.9", {**sigmoid, "x": x})
        holds("3.10", {**sigmoid, "x": x})
