"""Chapter 10: bias and variance, distortions, averages, ensembles, smoothing."""

import math

import numpy as np
import sympy as sp

from digitscope.arrays import Array
from digitscope.augmentation.augment import Augment
from digitscope.augmentation.warp import interpolate, warp_functions
from digitscope.nn import Dense, Ensemble, MeanSquaredError, Network, SoftmaxCrossEntropy, log_sum_exp, softmax
from digitscope.nn.ensemble import ensemble_logits
from digitscope.training import TailAverage
from digitscope.training.averaging import add_to_average
from docs.notes.checks import agree, check, differences, matrices
from docs.notes.checks.formula import Value, holds

RNG = np.random.default_rng(10)
K, M, D = 4, 3, 5
Z = 2 * RNG.normal(size=(K, M))
"""The scores of M networks for one image."""
DY = RNG.normal(size=(K, 1))
X, MOVES, W = RNG.normal(size=(3, D, 1))
TARGET, NU = 1.0, 0.3


def shares(z: Array) -> Array:
    p: Array = np.exp(z) / np.exp(z).sum(axis=0)
    return p


P = shares(Z)
MEAN = P.mean(axis=1)
TRUTH = np.eye(K)[2]


def ensemble(z: Array) -> Array:
    """(10.13), as it stands: (K, M) -> (K,)."""
    y: Array = np.log(shares(z).mean(axis=1)) + np.log(np.exp(z).sum(axis=0)).mean()
    return y


def back_to_members(z: Array) -> Array:
    """(10.15), as it stands."""
    p = shares(z)
    dp = DY / p.sum(axis=1, keepdims=True)
    dz: Array = p * (dp - (p * dp).sum(axis=0)) + p / M * DY.sum()
    return dz


@check("10.1", "10.2", by="numbers")
def bias_and_variance() -> None:
    for _ in range(20):
        p, q = RNG.dirichlet(np.ones(K), M).T, RNG.dirichlet(np.ones(K))[:, None]
        mean = p.mean(axis=1, keepdims=True)
        agree(((p - q) ** 2).sum() / M, ((mean - q) ** 2).sum() + ((p - mean) ** 2).sum() / M)


@check("10.3", by="numbers")
def three_networks() -> None:
    p, mean, q = matrices("10.3")
    agree(p.mean(axis=1, keepdims=True), mean)
    agree(((p - q) ** 2).sum(axis=0), np.array([0.02, 0.32, 0.98]))
    agree(((p - mean) ** 2).sum(axis=0), np.array([0.18, 0, 0.18]))
    agree(((mean - q) ** 2).sum() + ((p - mean) ** 2).sum() / 3, 0.44)
    agree(-np.log(p[0]), np.array([0.105, 0.511, 1.204]), 1e-3)
    assert (round(-np.log(p[0]).mean(), 3), round(-math.log(0.6), 3)) == (0.607, 0.511)


@check("10.4", by="sympy")
def movement_is_a_penalty() -> None:
    """For an amount that is plus or minus the root of nu, and for one of three values."""
    x, moves, w = (sp.symbols(f"{name}1:4", real=True) for name in "xmw")
    target, nu = sp.symbols("q nu", positive=True)
    answer = sum(a * b for a, b in zip(w, x, strict=True))
    slope = sum(a * b for a, b in zip(w, moves, strict=True))

    def loss(amount: sp.Expr) -> sp.Expr:
        return (sum(a * (b + amount * c) for a, b, c in zip(w, x, moves, strict=True)) - target) ** 2 / 2

    penalized = (answer - target) ** 2 / 2 + nu / 2 * slope**2
    assert sp.expand((loss(sp.sqrt(nu)) + loss(-sp.sqrt(nu))) / 2 - penalized) == 0
    wide = sp.sqrt(2 * nu)
    assert sp.expand(loss(wide) / 4 + loss(0) / 2 + loss(-wide) / 4 - penalized) == 0


def penalized_derivative(w: Array) -> Array:
    """(10.5), as it stands."""
    derivative: Array = (float((w * X).sum()) - TARGET) * X + NU * float((w * MOVES).sum()) * MOVES
    return derivative


@check("10.5", by="sympy")
def the_penalty_symbolically() -> None:
    x, moves, w = (sp.Matrix(sp.symbols(f"{name}1:4", real=True)) for name in "xmw")
    target, nu = sp.symbols("q nu", positive=True)
    loss = (w.dot(x) - target) ** 2 / 2 + nu / 2 * w.dot(moves) ** 2
    derivative = sp.Matrix([sp.diff(loss, v) for v in w])
    assert sp.expand(derivative - ((w.dot(x) - target) * x + nu * moves * moves.T * w)) == sp.zeros(3, 1)


@check("10.5", by="differences")
def the_penalty_by_differences() -> None:
    def loss(w: Array) -> float:
        return float(((w * X).sum() - TARGET) ** 2 / 2 + NU / 2 * (w * MOVES).sum() ** 2)

    agree(differences(loss, W), penalized_derivative(W))


def derivative_of_moved() -> Array:
    """Of digitscope's own neuron, loss and backward, for the image moved there and back."""
    neuron = Dense(D, 1)
    neuron.params = {"weight": W.T.copy(), "bias": np.zeros((1, 1))}
    both = np.concatenate([X + math.sqrt(NU) * MOVES, X - math.sqrt(NU) * MOVES], axis=1)
    y, backward = neuron.forward(both)
    dy = MeanSquaredError().forward(y, np.zeros(2, int))[1](1.0)
    result: Array = backward(dy)[1]["weight"].T
    return result


@check("10.5", by="digitscope")
def the_penalty_is_digitscopes() -> None:
    agree(derivative_of_moved(), penalized_derivative(W))


def drawn_warps() -> tuple[Array, dict[str, Array]]:
    """Three warps of digitscope, and the random numbers that made them."""
    coefficients = Augment(rotation=30, scale=0.2, shear=0.3, shift=2)._coefficients(3, 3, np.random.default_rng(5))
    rng = np.random.default_rng(5)
    angle, slant = np.radians(rng.uniform(-30, 30, 3)), rng.uniform(-0.3, 0.3, 3)
    growth, shift = np.exp(rng.uniform(-0.2, 0.2, (2, 3))), rng.uniform(-2, 2, (2, 3))
    return coefficients, {"ϑ": angle, "ς": slant, "γ": growth, "c": shift}


@check("10.6", by="digitscope")
def places_are_digitscopes() -> None:
    coefficients, drawn = drawn_warps()
    for n in range(3):
        angle, slant, (down, across), shift = drawn["ϑ"][n], drawn["ς"][n], drawn["γ"][:, n], drawn["c"][:, n]
        for a, b in ((1.0, 0.0), (-3.0, 7.5)):
            turned = a * math.cos(angle) - b * math.sin(angle), a * math.sin(angle) + b * math.cos(angle)
            there = np.array([turned[0] / down, (turned[1] + slant * turned[0]) / across]) + shift
            agree(coefficients[:, :, n] @ np.array([1, a, b]), there, 1e-6)


@check("10.7", by="digitscope")
def reading_between_is_digitscopes() -> None:
    four = np.array([[[0, 100], [40, 200]]], np.uint8)
    for down, right in ((0.5, 0.25), (0.0, 1.0), (0.8, 0.1)):
        by_hand = (1 - down) * ((1 - right) * 0 + right * 100) + down * ((1 - right) * 40 + right * 200)
        place = (np.array([[down - 0.5]], np.float32), np.array([[right - 0.5]], np.float32))
        agree(255 * float(interpolate(four, *place)[0, 0]), by_hand, 1e-5)
    assert 0.5 * 25 + 0.5 * 80 == 52.5


@check("10.8", by="digitscope")
def every_pixel_moves_equally() -> None:
    bumps = warp_functions(28, 28, 4.0)[:, 3:].astype(np.float64)
    agree((bumps**2).sum(axis=1), np.ones(784), 1e-5)


@check("10.9", "10.10", by="digitscope")
def averages_are_digitscopes() -> None:
    w, mean = RNG.normal(size=(6, 2)), np.zeros(2)
    params = {"w": w[0].copy()}
    for j in range(6):
        mean = mean + (w[j] - mean) / (j + 1)
        add_to_average(params, {"w": w[j]}, TailAverage(1.0).rate(j, 6))
        agree(params["w"], mean)
    agree(mean, w.mean(axis=0))


@check("10.11", by="numbers")
def the_mean_of_a_walk() -> None:
    """Over all ways in which four steps can end at plus or minus 2: a variance of 4."""
    means = np.array([np.mean(ends) for ends in np.ndindex(2, 2, 2, 2)]) * 4 - 2
    agree(means.var(), 4 / 4)
    agree(np.mean(np.array([3.0, -1, 2, -2])), 0.5)


@check("10.12", by="numbers")
def a_ensemble_loses_no_more() -> None:
    for _ in range(50):
        p = RNG.dirichlet(np.ones(K), M).T
        assert (-np.log(p.mean(axis=1)) <= -np.log(p).mean(axis=1) + 1e-12).all()


@check("10.13", "10.14", by="digitscope")
def a_ensemble_is_digitscopes() -> None:
    y = ensemble_logits([Z[:, m : m + 1] for m in range(M)])[0]
    agree(y[:, 0], ensemble(Z), 1e-12)
    agree(softmax(y)[:, 0], MEAN)
    agree(log_sum_exp(y)[0], log_sum_exp(Z).mean())
    members = [Dense(D, K, rng=RNG) for _ in range(M)]
    z = np.concatenate([member.forward(X)[0] for member in members], axis=1)
    agree(Network(Ensemble(*members)).forward(X)[0][:, 0], ensemble(z))


@check("10.15", by="sympy")
def members_symbolically() -> None:
    """Three classes, two networks."""
    z = sp.Matrix(3, 2, sp.symbols("z1:7", real=True))
    dy = sp.symbols("d1:4", real=True)
    totals = [sum(sp.exp(v) for v in z[:, m]) for m in range(2)]
    p = sp.Matrix(3, 2, lambda k, m: sp.exp(z[k, m]) / totals[m])
    y = [sp.log((p[k, 0] + p[k, 1]) / 2) + sum(sp.log(t) for t in totals) / 2 for k in range(3)]
    loss = sum(d * v for d, v in zip(dy, y, strict=True))
    dp = sp.Matrix(3, 2, lambda k, m: dy[k] / (p[k, 0] + p[k, 1]))
    for k, m in ((0, 0), (2, 1)):
        mean = sum(p[j, m] * dp[j, m] for j in range(3))
        printed = p[k, m] * (dp[k, m] - mean) + p[k, m] / 2 * sum(dy)
        assert sp.simplify(sp.diff(loss, z[k, m]) - printed) == 0


@check("10.15", by="differences")
def members_by_differences() -> None:
    agree(differences(lambda z: float((DY[:, 0] * ensemble(z)).sum()), Z), back_to_members(Z))


def digitscopes_members() -> Array:
    return np.concatenate(ensemble_logits([Z[:, m : m + 1] for m in range(M)])[1](DY), axis=1)


@check("10.15", by="digitscope")
def members_are_digitscopes() -> None:
    agree(digitscopes_members(), back_to_members(Z))


@check("10.16", by="digitscope")
def the_lead_that_smoothing_asks_for() -> None:
    """There the derivative of the smoothed loss is zero, of every score."""
    for smoothing, printed in ((0.1, 4.51), (0.05, 5.25)):
        lead = math.log((1 - smoothing + smoothing / 10) / (smoothing / 10))
        agree(lead, math.log(10 * (1 - smoothing) / smoothing + 1))
        assert round(lead, 2) == printed
        scores = np.zeros((10, 1))
        scores[3] = lead
        agree(SoftmaxCrossEntropy(smoothing).forward(scores, np.array([3]))[1](1.0), np.zeros((10, 1)))


@check("10.1", "10.2", "10.3", "10.4", "10.5", by="printed")
def being_wrong_as_printed() -> None:
    holds("10.1", {"p_": MEAN, "p": P, "M": float(M)})
    holds("10.2", {"p_": MEAN, "p": P, "q": TRUTH, "M": float(M)})
    p = matrices("10.3")[0]
    holds("10.3", {"P": p, "p_": p.mean(axis=1, keepdims=True), "q": np.array([[1.0], [0]])})
    amount = np.sqrt(NU) * np.array([-1.0, 1.0])
    holds("10.4", {"𝔼": np.mean, "w": W[:, 0], "x": X[:, 0], "x'": MOVES[:, 0], "u": amount, "q": TARGET, "ν": NU})
    y, slope = float((W * X).sum()), float((W * MOVES).sum())
    holds(
        "10.5",
        {"dw": derivative_of_moved(), "y": y, "y'": slope, "q": TARGET, "ν": NU, "x": X, "x'": MOVES, "w": W},
    )


@check("10.6", "10.7", "10.8", by="printed")
def distortions_as_printed() -> None:
    coefficients, drawn = drawn_warps()
    a, b = 4.0, -2.5
    for n in range(3):
        there = coefficients[:, :, n].astype(np.float64) @ np.array([1, a, b])
        values: dict[str, Value] = {name: value[..., n] for name, value in drawn.items()}
        holds("10.6", {"a'": float(there[0]), "b'": float(there[1]), "a": a, "b": b, **values}, tolerance=1e-6)
    four, below, right = np.array([[[0, 100], [40, 200]]], np.uint8), 0.5, 0.25
    read = 255 * interpolate(four, np.array([[below - 0.5]], np.float32), np.array([[right - 0.5]], np.float32))
    holds("10.7", {"x^": float(read[0, 0]), "x": four[0].astype(np.float64), "a'": below, "b'": right}, tolerance=1e-5)
    bumps = warp_functions(28, 28, 4.0)[300, 3:].astype(np.float64)
    drawn_numbers = np.random.default_rng(0).standard_normal((len(bumps), 100_000))
    holds("10.8", {"Var": np.var, "u": drawn_numbers, "c": 2.0, "Φ": bumps}, tolerance=0.01)


@check("10.9", "10.10", "10.11", by="printed")
def averages_as_printed() -> None:
    w = RNG.normal(size=6)
    averages, mean = [], {"w": np.zeros(1)}
    for j in range(6):
        add_to_average(mean, {"w": w[j : j + 1]}, TailAverage(1.0).rate(j, 6))
        averages.append(float(mean["w"][0]))
    holds("10.9", {"w_": np.array(averages), "w": w, "r": 1 / np.arange(1.0, 7)})
    holds("10.10", {"w_": averages[-1], "w": w, "J": 6.0})
    means = np.array([np.mean(ends) for ends in np.ndindex(2, 2, 2, 2)]) * 4 - 2
    holds("10.11", {"Var": np.var, "w_": means, "λ": 1.7, "ν": 4.0, "J": 4.0})


@check("10.12", "10.13", "10.14", "10.15", "10.16", by="printed")
def committees_as_printed() -> None:
    y = ensemble_logits([Z[:, m : m + 1] for m in range(M)])[0][:, 0]
    holds("10.12", {"p": P, "M": float(M)})
    holds("10.13", {"y": y, "p": P, "φ": log_sum_exp(Z), "M": float(M)})
    holds("10.14", {"y": y, "p_": MEAN, "φ": log_sum_exp(Z), "M": float(M)})
    dp = np.tile(DY / P.sum(axis=1, keepdims=True), (1, M))
    holds("10.15", {"dp": dp, "p": P, "dy": DY[:, 0], "dz": digitscopes_members(), "M": float(M)})
    holds("10.16", {"Δ": math.log(91), "s": 0.1, "K": 10.0})
