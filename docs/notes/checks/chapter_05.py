"""Chapter 5: the chain rule, the dense layer, one full step."""

from functools import partial

import numpy as np
import sympy as sp

from digitscope.arrays import Array
from digitscope.nn import (
    Dense,
    GradientDescent,
    Network,
    ReLU,
    Sigmoid,
    SoftmaxCrossEntropy,
    Tanh,
    check_gradients,
    normal,
    softmax,
)
from docs.notes.checks import agree, check, differences, matrices
from docs.notes.checks.formula import Value, holds

UNPRINTED = {"5.20": "a series that is cut off"}

RNG = np.random.default_rng(5)
D, N, OUT = 3, 2, 4
X = RNG.normal(size=(D, N))
W = RNG.normal(size=(OUT, D))
B = RNG.normal(size=(OUT, 1))
DZ = RNG.normal(size=(OUT, N))

_x = sp.Matrix(D, N, sp.symbols(f"x1:{D * N + 1}", real=True))
_w = sp.Matrix(OUT, D, sp.symbols(f"w1:{OUT * D + 1}", real=True))
_b = sp.Matrix(OUT, 1, sp.symbols(f"b1:{OUT + 1}", real=True))
_dz = sp.Matrix(OUT, N, sp.symbols(f"d1:{OUT * N + 1}", real=True))
_ones = sp.ones(N, 1)


def derivatives(number: sp.Expr, variables: sp.Matrix) -> sp.Matrix:
    """Of a number with respect to each entry."""
    return sp.Matrix(*variables.shape, [sp.diff(number, v) for v in variables])


def inner(a: sp.Matrix, b: sp.Matrix) -> sp.Expr:
    return sum(u * v for u, v in zip(a, b, strict=True))


@check("5.1", "5.2", by="sympy")
def chain_rule_symbolically() -> None:
    x = sp.symbols("x1:3", real=True)
    f = (sp.sin(x[0] * x[1]), x[0] ** 2 + x[1], sp.exp(x[1]))
    y = sp.symbols("y1:4", real=True)
    loss = y[0] * y[1] + sp.cos(y[2])
    inside = dict(zip(y, f, strict=True))
    for x_i in x:
        by_rule = sum(sp.diff(loss, y_j).subs(inside) * sp.diff(f_j, x_i) for y_j, f_j in zip(y, f, strict=True))
        assert sp.simplify(sp.diff(loss.subs(inside), x_i) - by_rule) == 0
    one = sp.tanh(x[0])
    assert sp.simplify(sp.diff(one**2, x[0]) - 2 * one * sp.diff(one, x[0])) == 0


@check("5.1", "5.2", by="differences")
def chain_rule_by_differences() -> None:
    """The chapter's two examples."""

    def unit(v: Array) -> float:
        w, x, b = v
        return float((1 / (1 + np.exp(-(w * x + b))) - 1) ** 2 / 2)

    agree(unit(np.array([0.5, 2.0, -1.0])), 0.125)
    agree(differences(unit, np.array([0.5, 2.0, -1.0])), np.array([-0.25, -0.0625, -0.125]))
    agree(differences(lambda x: float(x[0] ** 2 * 3 * x[0]), np.array([2.0])), np.array([36.0]), 1e-7)


@check("5.1", "5.2", by="digitscope")
def chain_rule_in_digitscope() -> None:
    """A network's walk back is the product of its layers' Jacobians."""
    layers = (Dense(D, OUT, rng=RNG).astype(np.float64), Tanh(), Dense(OUT, 2, rng=RNG).astype(np.float64))
    dy = RNG.normal(size=(2, N))
    dx = Network(*layers).forward(X)[1](dy)[0]
    slope = 1 - np.tanh(layers[0].params["weight"] @ X + layers[0].params["bias"]) ** 2
    for n in range(N):
        jacobian = layers[2].params["weight"] @ np.diag(slope[:, n]) @ layers[0].params["weight"]
        agree(dx[:, n], jacobian.T @ dy[:, n])


@check("5.3", by="digitscope")
def a_dense_layer_is_digitscopes() -> None:
    y = dense().forward(X)[0]
    agree(y, W @ X + B)
    agree(y, np.array([[B[o, 0] + sum(W[o, i] * X[i, n] for i in range(D)) for n in range(N)] for o in range(OUT)]))


def dense() -> Dense:
    layer = Dense(D, OUT).astype(np.float64)
    layer.params = {"weight": W.copy(), "bias": B.copy()}
    return layer


def by_index() -> tuple[Array, Array, Array]:
    """(5.4), (5.5), (5.6), sum by sum."""
    dw = np.array([[sum(DZ[o, n] * X[i, n] for n in range(N)) for i in range(D)] for o in range(OUT)])
    db = np.array([[sum(DZ[o, n] for n in range(N))] for o in range(OUT)])
    dx = np.array([[sum(W[o, i] * DZ[o, n] for o in range(OUT)) for n in range(N)] for i in range(D)])
    return dw, db, dx


@check("5.4", "5.5", "5.6", "5.7", by="sympy")
def dense_backwards_symbolically() -> None:
    along = inner(_dz, _w * _x + _b * _ones.T)
    assert sp.expand(derivatives(along, _w) - _dz * _x.T) == sp.zeros(OUT, D)
    assert sp.expand(derivatives(along, _b) - _dz * _ones) == sp.zeros(OUT, 1)
    assert sp.expand(derivatives(along, _x) - _w.T * _dz) == sp.zeros(D, N)
    assert sp.expand(sp.diff(along, _w[1, 2]) - sum(_dz[1, n] * _x[2, n] for n in range(N))) == 0
    assert sp.expand(sp.diff(along, _b[1]) - sum(_dz[1, n] for n in range(N))) == 0
    assert sp.expand(sp.diff(along, _x[2, 1]) - sum(_w[o, 2] * _dz[o, 1] for o in range(OUT))) == 0


@check("5.4", "5.5", "5.6", "5.7", by="differences")
def dense_backwards_by_differences() -> None:
    dw, db, dx = by_index()
    agree(differences(lambda w: w @ X + B, W, DZ), dw)
    agree(differences(lambda b: W @ X + b, B, DZ), db)
    agree(differences(lambda x: W @ x + B, X, DZ), dx)
    agree(dw, DZ @ X.T)
    agree(db, DZ @ np.ones((N, 1)))
    agree(dx, W.T @ DZ)


@check("5.4", "5.5", "5.6", "5.7", by="digitscope")
def dense_backwards_is_digitscopes() -> None:
    dx, grads = dense().forward(X)[1](DZ)
    for ours, by_hand in zip((grads["weight"], grads["bias"], dx), by_index(), strict=True):
        agree(ours, by_hand)


@check("5.8", by="sympy")
def activation_symbolically() -> None:
    z, d = sp.symbols("z d", real=True)
    for f in (sp.tanh(z), 1 / (1 + sp.exp(-z)), z**3):
        others = sp.Symbol("others")  # what the other entries contribute does not change with z
        assert sp.simplify(sp.diff(d * f + others, z) - d * sp.diff(f, z)) == 0


@check("5.8", by="differences")
def activation_by_differences() -> None:
    agree(differences(np.tanh, W @ X, DZ), DZ * (1 - np.tanh(W @ X) ** 2))
    agree(differences(lambda z: np.maximum(z, 0), W @ X, DZ), DZ * (W @ X > 0))


@check("5.8", by="digitscope")
def activation_is_digitscopes() -> None:
    z = W @ X
    agree(ReLU().forward(z)[1](DZ)[0], DZ * (z > 0))
    agree(Tanh().forward(z)[1](DZ)[0], DZ * (1 - np.tanh(z) ** 2))
    agree(Sigmoid().forward(z)[1](DZ)[0], DZ * np.exp(-z) / (1 + np.exp(-z)) ** 2)


def example() -> tuple[dict[str, Array], Array, Array]:
    """The parameters, X and Q of the worked example, as the chapter prints them."""
    x, q, w1, b1 = matrices("5.9")
    w2, b2 = matrices("5.10")
    return {"0.weight": w1, "0.bias": b1, "2.weight": w2, "2.bias": b2}, x, q


def printed_derivatives() -> dict[str, Array]:
    (dw2, db2), (dw1, db1) = matrices("5.14"), matrices("5.16")
    return {"0.weight": dw1, "0.bias": db1, "2.weight": dw2, "2.bias": db2}


def example_network() -> Network:
    network = Network(Dense(3, 4), ReLU(), Dense(4, 2)).astype(np.float64)
    network.params = example()[0]
    return network


THREE_DIGITS = 5.01e-4


@check("5.9", "5.10", "5.11", "5.12", "5.17", "5.18", by="digitscope")
def the_step_is_digitscopes() -> None:
    params, x, q = example()
    network = example_network()
    labels = q.argmax(axis=0)
    z1 = network.layers[0].forward(x)[0]
    for ours, printed in zip((z1, np.maximum(z1, 0)), matrices("5.11"), strict=True):
        agree(ours, printed)
    z2, backward = network.forward(x)
    for ours, printed in zip((z2, softmax(z2)), matrices("5.12"), strict=True):
        agree(ours, printed, THREE_DIGITS)
    loss, loss_backward = SoftmaxCrossEntropy().forward(z2, labels)
    agree(loss, 0.914, THREE_DIGITS)
    optimizer = GradientDescent()
    learned = network.params
    optimizer.update(learned, backward(loss_backward(1.0))[1], optimizer.start(learned), 0.5, 0)
    after = dict(zip(params, (*matrices("5.17"), *matrices("5.18")), strict=True))
    for name, p in network.params.items():
        agree(p, after[name], THREE_DIGITS)


@check("5.13", "5.14", "5.15", "5.16", by="digitscope")
def the_steps_derivatives_are_digitscopes() -> None:
    _, x, q = example()
    network = example_network()
    z2, backward = network.forward(x)
    dz2 = SoftmaxCrossEntropy().forward(z2, q.argmax(axis=0))[1](1.0)
    agree(dz2, matrices("5.13")[0], THREE_DIGITS)
    z1 = network.layers[0].forward(x)[0]
    da1 = network.layers[2].forward(np.maximum(z1, 0))[1](dz2)[0]
    agree(da1, matrices("5.15")[0], THREE_DIGITS)
    agree(ReLU().forward(z1)[1](da1)[0], matrices("5.15")[1], THREE_DIGITS)
    grads = backward(dz2)[1]
    for name, printed in printed_derivatives().items():
        agree(grads[name], printed, THREE_DIGITS)


def loss_from(place: str, value: Array) -> float:
    """The example's loss where the array of this name is `value` and what comes before it does not matter."""
    params, x, q = example()
    params = {name: value if name == place else p for name, p in params.items()}
    z1 = value if place == "z1" else params["0.weight"] @ x + params["0.bias"]
    a1 = value if place == "a1" else np.maximum(z1, 0)
    z2 = value if place == "z2" else params["2.weight"] @ a1 + params["2.bias"]
    p = np.exp(z2) / np.exp(z2).sum(axis=0)
    return float(-(q * np.log(p)).sum() / 2)


@check("5.13", "5.14", "5.15", "5.16", by="differences")
def the_steps_derivatives_by_differences() -> None:
    params, _, _ = example()
    z1, a1 = matrices("5.11")
    there = {**params, "z1": z1, "a1": a1, "z2": matrices("5.12")[0]}
    printed = dict(zip(("a1", "z1"), matrices("5.15"), strict=True)) | {"z2": matrices("5.13")[0]}
    for place, by_hand in (printed | printed_derivatives()).items():
        agree(differences(partial(loss_from, place), there[place]), by_hand, THREE_DIGITS)


def _example_symbolically(layers: tuple[int, int, int], count: int) -> tuple[sp.Expr, dict[str, sp.Matrix], sp.Matrix]:
    """The loss of a ReLU network as an expression, its parameters, and its inputs; the label is class 0."""
    inputs, hidden, classes = layers
    shapes = {
        "0.weight": (hidden, inputs), "0.bias": (hidden, 1), "2.weight": (classes, hidden), "2.bias": (classes, 1)
    }  # fmt: skip
    params = {
        name: sp.Matrix(*shape, [sp.Symbol(f"p{name[0]}{name[2]}{i}", real=True) for i in range(shape[0] * shape[1])])
        for name, shape in shapes.items()
    }
    x = sp.Matrix(inputs, count, [sp.Symbol(f"x{i}", real=True) for i in range(inputs * count)])
    ones = sp.ones(1, count)
    a1 = (params["0.weight"] * x + params["0.bias"] * ones).applyfunc(lambda z: sp.Max(z, 0))
    z2 = params["2.weight"] * a1 + params["2.bias"] * ones
    loss = -sum(z2[0, n] - sp.log(sum(sp.exp(z) for z in z2[:, n])) for n in range(count)) / count
    return loss, params, x


@check("5.13", "5.14", "5.15", "5.16", "5.19", by="sympy")
def the_steps_derivatives_symbolically() -> None:
    """The whole loss as one expression, differentiated by SymPy with respect to each parameter."""
    numbers, x, _ = example()
    loss, params, inputs = _example_symbolically((3, 4, 2), 2)
    there = dict(zip(inputs, x.ravel(), strict=True))
    for name, symbols in params.items():
        there |= dict(zip(symbols, numbers[name].ravel(), strict=True))
    names = list(there)
    for name, by_hand in printed_derivatives().items():
        slopes = sp.lambdify(
            names, [sp.diff(loss, p) for p in params[name]], modules=["math", {"Heaviside": np.heaviside}]
        )
        exact = np.array(slopes(*there.values())).reshape(by_hand.shape)
        agree(exact, by_hand, THREE_DIGITS)
        agree(exact, by_formula(numbers, x, np.array([0, 0]))[name], 1e-12)
    # (5.13) and (5.15) from the scores on: the same by substitution.
    z = sp.Matrix(2, 2, sp.symbols("z1:5", real=True))
    a = sp.Matrix(4, 2, sp.symbols("a1:9", real=True))
    end = -sum(z[0, n] - sp.log(sp.exp(z[0, n]) + sp.exp(z[1, n])) for n in range(2)) / 2
    z1, _ = matrices("5.11")
    scores = sp.Matrix(numbers["2.weight"]) * a + sp.Matrix(numbers["2.bias"]) * sp.ones(1, 2)
    values = dict(zip(a, np.maximum(z1, 0).ravel(), strict=True))
    dz2 = np.array([float(sp.diff(end, v).subs(dict(zip(z, scores.subs(values), strict=True)))) for v in z])
    agree(dz2.reshape(2, 2), matrices("5.13")[0], THREE_DIGITS)
    ending = end.subs(dict(zip(z, scores, strict=True)))
    da1 = np.array([float(sp.diff(ending, v).subs(values)) for v in a]).reshape(4, 2)
    agree(da1, matrices("5.15")[0], THREE_DIGITS)
    agree(da1 * (z1 > 0), matrices("5.15")[1], THREE_DIGITS)


def by_formula(params: dict[str, Array], x: Array, labels: Array) -> dict[str, Array]:
    """(5.19), as it stands."""
    count = len(labels)
    z1 = params["0.weight"] @ x + params["0.bias"]
    a1 = np.maximum(z1, 0)
    z2 = params["2.weight"] @ a1 + params["2.bias"]
    p = np.exp(z2) / np.exp(z2).sum(axis=0)
    q = np.eye(len(p))[:, labels]
    dz2 = (p - q) / count
    dz1 = (params["2.weight"].T @ dz2) * (z1 > 0)
    ones = np.ones((count, 1))
    return {"0.weight": dz1 @ x.T, "0.bias": dz1 @ ones, "2.weight": dz2 @ a1.T, "2.bias": dz2 @ ones}


def seed() -> tuple[Network, Array, Array]:
    network = Network(Dense(784, 10, rng=RNG, bias=normal(0.3)), ReLU(), Dense(10, 10, rng=RNG, bias=normal(0.3)))
    return network.astype(np.float64), RNG.uniform(size=(784, 6)), np.array([3, 1, 4, 1, 5, 9])


@check("5.19", by="digitscope")
def the_seed_is_digitscopes() -> None:
    network, x, labels = seed()
    outputs, backward = network.forward(x)
    grads = backward(SoftmaxCrossEntropy().forward(outputs, labels)[1](1.0))[1]
    for name, by_hand in by_formula(network.params, x, labels).items():
        agree(grads[name], by_hand, 1e-12)


@check("5.19", by="differences")
def the_seed_by_differences() -> None:
    network, x, labels = seed()
    assert check_gradients(network, x, labels, entries=60).passed
    by_hand = by_formula(network.params, x, labels)

    def loss(b: Array) -> float:
        network.params = {**network.params, "0.bias": b}
        return SoftmaxCrossEntropy().forward(network.forward(x)[0], labels)[0]

    agree(differences(loss, network.params["0.bias"]), by_hand["0.bias"])


@check("5.20", by="sympy")
def how_far_differences_are() -> None:
    w, h = sp.symbols("w h", real=True)
    loss = sp.Function("L")

    def taylor(step: sp.Expr) -> sp.Expr:
        return sum(loss(w).diff((w, i)) * step**i / sp.factorial(i) if i else loss(w) for i in range(5))

    central = sp.expand((taylor(h) - taylor(-h)) / (2 * h))
    assert sp.simplify(central - loss(w).diff(w) - h**2 / 6 * loss(w).diff((w, 3))) == 0
    one_sided = sp.expand((taylor(h) - loss(w)) / h)
    assert sp.simplify(one_sided.coeff(h, 1) - loss(w).diff((w, 2)) / 2) == 0


@check("5.1", "5.2", "5.3", "5.4", "5.5", "5.6", "5.7", "5.8", by="printed")
def rules_as_printed() -> None:
    holds("5.1", {"dx": -0.25, "dy": -0.125, "∂y/∂x": 2.0})  # the chapter's dw, from dz and x
    dx, grads = dense().forward(X)[1](DZ)
    holds("5.2", {"dx": dx[:, 0], "dy": DZ[:, 0], "∂y/∂x": W})
    z = dense().forward(X)[0]
    holds("5.3", {"z": z, "Z": z, "b": B, "W": W, "x": X, "X": X})
    holds("5.4", {"dW": grads["weight"], "dz": DZ, "x": X})
    holds("5.5", {"db": grads["bias"], "dz": DZ})
    holds("5.6", {"dx": dx, "W": W, "dz": DZ})
    holds(
        "5.7",
        {"dW": grads["weight"], "db": grads["bias"], "dX": dx, "dZ": DZ, "X": X, "W": W, "ones": np.ones((N, 1))},
    )
    for layer, slope in ((Tanh(), lambda z: 1 - np.tanh(z) ** 2), (ReLU(), lambda z: np.asarray(z > 0, float))):
        dz = layer.forward(z)[1](DZ)[0]
        holds("5.8", {"dz": dz, "dZ": dz, "da": DZ, "dA": DZ, "z": z, "Z": z, "f'": slope})


@check("5.9", "5.10", "5.11", "5.12", "5.13", "5.14", "5.15", "5.16", "5.17", "5.18", "5.19", by="printed")
def the_step_as_printed() -> None:
    params, x, q = example()
    network = example_network()
    z1 = network.layers[0].forward(x)[0]
    a1 = np.maximum(z1, 0)
    z2, backward = network.forward(x)
    dz2 = SoftmaxCrossEntropy().forward(z2, q.argmax(axis=0))[1](1.0)
    grads = backward(dz2)[1]
    da1 = network.layers[2].forward(a1)[1](dz2)[0]
    arrays: dict[str, Value] = {
        "X": x, "Q": q, "Z1": z1, "A1": a1, "Z2": z2, "P": softmax(z2), "N": 2.0, "ones": np.ones((2, 1)),
        "dZ2": dz2, "dW2": grads["2.weight"], "db2": grads["2.bias"], "dA1": da1, "dZ1": da1 * (z1 > 0),
        "dW1": grads["0.weight"], "db1": grads["0.bias"],
        "W1": params["0.weight"], "b1": params["0.bias"], "W2": params["2.weight"], "b2": params["2.bias"],
    }  # fmt: skip
    for number in ("5.9", "5.10", "5.11", "5.12", "5.13", "5.14", "5.15", "5.16", "5.19"):
        holds(number, arrays, tolerance=THREE_DIGITS)
    names = zip(("W1", "b1", "W2", "b2"), params, strict=True)
    after: dict[str, Value] = {name: params[key] - 0.5 * grads[key] for name, key in names}
    for number in ("5.17", "5.18"):
        holds(number, after, tolerance=THREE_DIGITS)
