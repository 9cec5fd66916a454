"""Chapter 11: intervals, calibration, temperature, conformal sets, the background class."""

import math
from itertools import permutations

import numpy as np
import sympy as sp

from digitscope.arrays import Array
from digitscope.calibration import Calibration, fit_temperature, temper
from digitscope.metrics import brier_score, reliability_diagram, wilson_interval
from digitscope.nn import BackgroundCrossEntropy, SoftmaxCrossEntropy, log_sum_exp, softmax
from docs.notes.checks import agree, check, differences, matrices
from docs.notes.checks.formula import holds

UNPRINTED = {"11.6": "sums over the images of a bin", "11.12": "a probability of ranks"}

RNG = np.random.default_rng(11)
K, N = 3, 5
Z = 2 * RNG.normal(size=(K, N))
LABELS = np.array([2, 0, 1, 1, 0])
ONE_HOT = np.eye(K)[:, LABELS]
MIXED = np.array([2, 3, 0, 3, 1])
"""Labels of which some are the background, K in the code."""
ZETA = 1.96


def shares(z: Array) -> Array:
    """(4.1), as it stands."""
    p: Array = np.exp(z) / np.exp(z).sum(axis=0)
    return p


def tempered_loss(theta: Array) -> float:
    """L(theta), as it stands before (11.9); theta an array of one number."""
    z = Z * theta
    return float(-(z[LABELS, np.arange(N)] - np.log(np.exp(z).sum(axis=0))).sum() / N)


def slope(theta: float) -> float:
    """(11.9), as it stands."""
    return float(((shares(theta * Z) * Z).sum(axis=0) - Z[LABELS, np.arange(N)]).sum() / N)


def curvature(theta: float) -> float:
    """(11.10), as it stands."""
    p = shares(theta * Z)
    return float(((p * Z**2).sum(axis=0) - (p * Z).sum(axis=0) ** 2).sum() / N)


def with_background(z: Array) -> Array:
    """(11.15), as it stands: (K + 1, N)."""
    total = 1 + np.exp(z).sum(axis=0)
    return np.concatenate([np.exp(z) / total, 1 / total[None]])


def background_loss(z: Array) -> float:
    return float(-np.log(with_background(z)[MIXED, np.arange(N)]).mean())


def background_derivative(z: Array) -> Array:
    """(11.16), as it stands."""
    derivative: Array = (with_background(z) - np.eye(K + 1)[:, MIXED])[:K] / N
    return derivative


@check("11.1", by="sympy")
def variance_of_a_share() -> None:
    """The whole binomial distribution of four images."""
    share, n = sp.Symbol("pi", positive=True), 4
    chances = [sp.binomial(n, right) * share**right * (1 - share) ** (n - right) for right in range(n + 1)]
    mean = sum(chance * sp.Rational(right, n) for right, chance in enumerate(chances))
    square = sum(chance * sp.Rational(right, n) ** 2 for right, chance in enumerate(chances))
    assert sp.simplify(mean - share) == 0
    assert sp.simplify(square - mean**2 - share * (1 - share) / n) == 0


@check("11.2", by="numbers")
def the_usual_interval() -> None:
    """Wilson's comes to it for many images, and the chapter's number is right."""
    share, n = 0.9, 10**8
    spread = ZETA * math.sqrt(share * (1 - share) / n)
    agree(np.array(wilson_interval(share, n)), np.array([share - spread, share + spread]), 1e-7)
    assert round(ZETA * math.sqrt(0.9956 * 0.0044 / 10_000), 4) == 0.0013


@check("11.3", "11.4", by="sympy")
def wilsons_roots() -> None:
    seen, share, zeta, n = sp.symbols("seen pi zeta n", positive=True)
    inside = seen * (1 - seen) / n + zeta**2 / (4 * n**2)
    for sign in (-1, 1):
        root = (seen + zeta**2 / (2 * n) + sign * zeta * sp.sqrt(inside)) / (1 + zeta**2 / n)
        assert sp.simplify(((seen - share) ** 2 - zeta**2 * share * (1 - share) / n).subs(share, root)) == 0


@check("11.3", "11.4", by="digitscope")
def wilsons_interval_is_digitscopes() -> None:
    for right, n in ((10, 10), (0, 7), (93, 100), (9956, 10_000)):
        seen = right / n
        root = ZETA * math.sqrt(seen * (1 - seen) / n + ZETA**2 / (4 * n**2))
        ends = np.array([seen + ZETA**2 / (2 * n) - root, seen + ZETA**2 / (2 * n) + root]) / (1 + ZETA**2 / n)
        agree(np.array(wilson_interval(seen, n, ZETA)), ends)
        agree((seen - ends) ** 2, ZETA**2 * ends * (1 - ends) / n, 1e-12)
    assert [round(end, 3) for end in wilson_interval(1.0, 10)] == [0.722, 1.0]


@check("11.5", by="numbers")
def fair_coins() -> None:
    """Its square has the mean 1 where both networks are equally good: over all ways that ten coins can fall."""
    n = 10
    squares = [math.comb(n, first) * (first - (n - first)) ** 2 / n / 2**n for first in range(n + 1)]
    agree(sum(squares), 1)
    for first, second in ((12, 3), (40, 31)):
        agree(
            (first - (first + second) / 2) / math.sqrt((first + second) / 4), (first - second) / (first + second) ** 0.5
        )
    assert (round(9 / 15**0.5, 1), round(9 / 71**0.5, 1)) == (2.3, 1.1)
    so_unevenly = [2 * sum(math.comb(n, k) for k in range(most, n + 1)) / 2**n for n, most in ((15, 12), (71, 40))]
    assert [round(100 * share) for share in so_unevenly] == [4, 34]


@check("11.6", "11.7", by="digitscope")
def errors_are_digitscopes() -> None:
    z = 2 * RNG.normal(size=(4, 300))
    p, labels = shares(z), RNG.integers(4, size=300)
    right, sure = p.argmax(axis=0) == labels, p.max(axis=0)
    which = np.ceil(sure * 15).astype(int) - 1
    gaps = [abs(right[which == j].mean() - sure[which == j].mean()) * (which == j).sum() / 300 for j in set(which)]
    sums = [abs((right[which == j] - sure[which == j]).sum()) / 300 for j in set(which)]
    agree(sum(gaps), sum(sums))
    agree(reliability_diagram(labels, p.T).expected_calibration_error, sum(gaps))
    agree(brier_score(labels, p.T), ((p - np.eye(4)[:, labels]) ** 2).sum() / 300)


@check("11.8", by="digitscope")
def tempering_is_digitscopes() -> None:
    for t in (0.3, 1.0, 4.0):
        agree(temper(shares(Z).T, t).T, np.exp(Z / t) / np.exp(Z / t).sum(axis=0))


@check("11.9", "11.10", by="sympy")
def slope_and_curvature_symbolically() -> None:
    theta = sp.Symbol("theta", positive=True)
    z = sp.symbols("z1:4", real=True)
    total = sum(sp.exp(theta * v) for v in z)
    p = [sp.exp(theta * v) / total for v in z]
    loss = -(theta * z[1] - sp.log(total))
    first = sum(a * v for a, v in zip(p, z, strict=True)) - z[1]
    second = sum(a * v**2 for a, v in zip(p, z, strict=True)) - sum(a * v for a, v in zip(p, z, strict=True)) ** 2
    assert sp.simplify(sp.diff(loss, theta) - first) == 0
    assert sp.simplify(sp.diff(loss, theta, 2) - second) == 0


@check("11.9", "11.10", by="differences")
def slope_and_curvature_by_differences() -> None:
    for theta in (0.2, 1.0, 2.5):
        agree(differences(tempered_loss, np.array([theta])), np.array([slope(theta)]))
        agree(differences(lambda t: slope(float(t[0])), np.array([theta])), np.array([curvature(theta)]))
        assert curvature(theta) >= 0


@check("11.9", by="digitscope")
def the_slope_is_digitscopes() -> None:
    """The derivative of the scores, from the loss, times the scores; and zero at digitscope's temperature."""
    for theta in (0.2, 1.0, 2.5):
        agree(float((SoftmaxCrossEntropy().forward(theta * Z, LABELS)[1](1.0) * Z).sum()), slope(theta))
        agree(float(((shares(theta * Z) - ONE_HOT) / N * Z).sum()), slope(theta))
    labels = Z.argmax(axis=0)
    labels[0] = (labels[0] + 1) % K  # read wrongly, so that the best temperature is not the boldest
    best = 1 / fit_temperature(labels, shares(Z).T)
    assert 0.06 < best < 19
    agree(float((SoftmaxCrossEntropy().forward(best * Z, labels)[1](1.0) * Z).sum()), 0.0)


@check("11.10", by="digitscope")
def the_curvature_is_that_of_digitscopes_loss() -> None:
    def its_slope(theta: Array) -> float:
        return float((SoftmaxCrossEntropy().forward(float(theta[0]) * Z, LABELS)[1](1.0) * Z).sum())

    for theta in (0.2, 1.0, 2.5):
        agree(differences(its_slope, np.array([theta])), np.array([curvature(theta)]))


@check("11.11", by="digitscope")
def seven_of_ten() -> None:
    p = np.tile(shares(np.array([[2.0], [0.0]])).T, (10, 1))
    found = fit_temperature(np.array([0] * 7 + [1] * 3), p)
    agree(found, 2 / math.log(7 / 3))
    assert round(found, 2) == 2.36


@check("11.12", by="numbers")
def every_rank_is_equally_likely() -> None:
    """In all orders of six numbers: how often the last is below the one of rank S among the five others."""
    orders = list(permutations(range(6)))
    for rank in range(1, 6):
        agree(sum(order[-1] < sorted(order[:-1])[rank - 1] for order in orders) / len(orders), rank / 6)
    tied = list(permutations([0, 0, 1, 1, 1, 2]))
    for rank in range(1, 6):
        assert sum(order[-1] < sorted(order[:-1])[rank - 1] for order in tied) / len(tied) <= rank / 6


@check("11.13", "11.14", by="digitscope")
def the_cut_is_digitscopes() -> None:
    (psi,) = matrices("11.14")
    psi = psi.ravel()
    conformal = Calibration(1.0, psi, psi)
    for share in (0.1, 0.2, 0.29, 0.5, 0.95):
        rank = math.floor(share * (len(psi) + 1) + 1e-12)
        assert conformal.probability_threshold(share) == psi[rank - 1]
        assert rank / (len(psi) + 1) <= share + 1e-12
    assert conformal.probability_threshold(0.05) == -math.inf
    least = conformal.probability_threshold(0.2)
    assert least == 0.41
    assert [k for k, p in {4: 0.55, 9: 0.43, 1: 0.02}.items() if p >= least] == [4, 9]
    assert [k for k, p in {1: 0.96, 7: 0.04}.items() if p >= least] == [1]


@check("11.15", "11.17", "11.18", by="sympy")
def odds_of_a_digit() -> None:
    z = sp.symbols("z1:4", real=True)
    total = sum(sp.exp(v) for v in z)
    background = 1 / (1 + total)
    evidence = sp.log(total)
    assert sp.simplify(sum(sp.exp(v) / (1 + total) for v in z) + background - 1) == 0
    assert sp.simplify(1 - background - 1 / (1 + sp.exp(-evidence))) == 0
    assert sp.simplify((1 - background) / background - sp.exp(evidence)) == 0


@check("11.15", "11.17", "11.18", by="digitscope")
def odds_are_digitscopes() -> None:
    loss = BackgroundCrossEntropy()
    p, evidence = with_background(Z), loss.evidence(Z)
    agree(evidence, np.log(np.exp(Z).sum(axis=0)))
    agree(1 - p[K], 1 / (1 + np.exp(-evidence)))
    agree(loss.probabilities(Z), p[:K] / (1 - p[K]))
    agree(loss.forward(Z, MIXED)[0], background_loss(Z))


@check("11.16", by="sympy")
def the_background_symbolically() -> None:
    z = sp.symbols("z1:4", real=True)
    total = 1 + sum(sp.exp(v) for v in z)
    p = [sp.exp(v) / total for v in z] + [1 / total]
    for label in range(4):
        for k in range(3):
            assert sp.simplify(sp.diff(-sp.log(p[label]), z[k]) - (p[k] - int(k == label))) == 0


@check("11.16", by="differences")
def the_background_by_differences() -> None:
    agree(differences(background_loss, Z), background_derivative(Z))


@check("11.16", by="digitscope")
def the_background_is_digitscopes() -> None:
    agree(BackgroundCrossEntropy().forward(Z, MIXED)[1](1.0), background_derivative(Z))
    p = with_background(Z)
    agree(background_derivative(Z).sum(axis=0), np.where(MIXED == K, 1 - p[K], -p[K]) / N)


@check("11.19", by="sympy")
def evidence_symbolically() -> None:
    z = sp.symbols("z1:4", real=True)
    total = sum(sp.exp(v) for v in z)
    for v in z:
        assert sp.simplify(sp.diff(sp.log(total), v) - sp.exp(v) / total) == 0


D_EVIDENCE = RNG.normal(size=N)


@check("11.19", by="differences")
def evidence_by_differences() -> None:
    agree(differences(lambda z: float((D_EVIDENCE * np.log(np.exp(z).sum(axis=0))).sum()), Z), shares(Z) * D_EVIDENCE)


@check("11.19", by="digitscope")
def evidence_is_digitscopes() -> None:
    agree(differences(lambda z: float((D_EVIDENCE * log_sum_exp(z)).sum()), Z), shares(Z) * D_EVIDENCE)
    agree(softmax(Z) * D_EVIDENCE, shares(Z) * D_EVIDENCE)


EXAMPLE, EXAMPLE_LABELS = np.array([[2.0, -2], [1, -3], [-1, -5]]), np.array([0, 3])


@check("11.20", by="digitscope")
def the_example_is_digitscopes() -> None:
    p, q, dz = matrices("11.20")
    agree(with_background(EXAMPLE), p, 5e-4)
    agree(np.eye(4)[:, EXAMPLE_LABELS], q)
    agree(BackgroundCrossEntropy().forward(EXAMPLE, EXAMPLE_LABELS)[1](1.0), dz, 5e-4)
    agree(log_sum_exp(EXAMPLE), np.array([2.349, -1.651]), 5e-4)
    agree(1 - p[3], np.array([0.913, 0.161]), 5e-4)


@check("11.20", by="sympy")
def the_example_symbolically() -> None:
    _, q, dz = matrices("11.20")
    z = sp.Matrix(3, 2, sp.symbols("z1:7", real=True))
    p = [[*(sp.exp(v) for v in z[:, n]), 1] for n in range(2)]
    loss = -sum(q[k, n] * sp.log(p[n][k] / sum(p[n])) for k, n in np.ndindex(4, 2)) / 2
    there = dict(zip(z, EXAMPLE.ravel().tolist(), strict=True))
    agree(np.array([float(sp.diff(loss, v).subs(there)) for v in z]).reshape(3, 2), dz, 5e-4)


@check("11.20", by="differences")
def the_example_by_differences() -> None:
    def loss(z: Array) -> float:
        return float(-np.log(with_background(z)[EXAMPLE_LABELS, np.arange(2)]).mean())

    agree(differences(loss, EXAMPLE), matrices("11.20")[2], 5e-4)


@check("11.1", "11.2", "11.3", "11.4", "11.5", by="printed")
def intervals_as_printed() -> None:
    share, n = 0.7, 8
    seen = np.random.default_rng(0).binomial(n, share, size=400_000) / n
    holds("11.1", {"Var": lambda _: float(seen.var()), "π^": seen, "π": share, "N": float(n)}, tolerance=1e-3)
    for right, n in ((10, 10), (93, 100), (9956, 10_000)):
        ends = np.array(wilson_interval(right / n, n))
        values = {"π^": right / n, "ζ": ZETA, "N": float(n)}
        holds("11.4", {**values, "π": ends})
        for end in ends:
            holds("11.3", {**values, "π": float(end)}, tolerance=1e-12)
        inside = float(np.clip(ends.mean(), right / n - 1e-9, right / n + 1e-9))
        holds("11.2", {**values, "π": inside})
    holds("11.5", {"ζ": 9 / 15**0.5, "N": np.array([12.0, 3.0])})


@check("11.7", "11.8", "11.9", "11.10", "11.11", by="printed")
def calibration_as_printed() -> None:
    p = softmax(Z)
    holds("11.7", {"Brier": brier_score(LABELS, p.T), "p": p, "ℓ": LABELS, "N": float(N)})
    holds("11.8", {"p": temper(p.T, 1.7).T, "z": Z, "T": 1.7})
    first = differences(tempered_loss, np.array([0.6]))[0]
    second = differences(lambda t: slope(float(t[0])), np.array([0.6]))[0]
    p = softmax(0.6 * Z)
    holds("11.9", {"∂L/∂θ": float(first), "p": p, "z": Z, "q": ONE_HOT, "ℓ": LABELS, "N": float(N)})
    holds("11.10", {"∂L/∂θ": float(second), "p": p, "z": Z, "N": float(N)})
    ten = np.tile(shares(np.array([[2.0], [0.0]])).T, (10, 1))
    holds("11.11", {"T": fit_temperature(np.array([0] * 7 + [1] * 3), ten)}, tolerance=5e-3)


@check("11.13", "11.14", by="printed")
def ranks_as_printed() -> None:
    psi = np.arange(1.0, 10)
    for share in (0.1, 0.2, 0.55):
        rank = Calibration(1.0, psi, psi).probability_threshold(share)  # the numbers are their own ranks
        holds("11.13", {"S": rank, "χ": share, "N": float(len(psi))})
    holds("11.14", {"ψ": matrices("11.14")[0]})


@check("11.15", "11.16", "11.17", "11.18", "11.19", "11.20", by="printed")
def the_background_as_printed() -> None:
    """Places count from 0, so that the class K + 1 has the place that K - 1 + 1 gives."""
    logits = np.concatenate([Z, np.zeros((1, N))])
    p, evidence = softmax(logits), log_sum_exp(Z)
    holds("11.15", {"p": p, "z": Z, "K": K - 1.0})
    dz = BackgroundCrossEntropy().forward(Z, MIXED)[1](1.0)
    holds("11.16", {"dz": dz, "p": p[:K], "q": np.eye(K + 1)[:K, MIXED], "N": float(N)})
    holds("11.17", {"φ": evidence, "z": Z})
    holds("11.18", {"p": p, "φ": evidence, "K": K - 1.0, "σ": lambda x: 1 / (1 + np.exp(-x))})
    by_differences = differences(lambda z: float((D_EVIDENCE * log_sum_exp(z)).sum()), Z)
    holds("11.19", {"dz": by_differences, "z": Z, "dφ": D_EVIDENCE})
    example = softmax(np.concatenate([EXAMPLE, np.zeros((1, 2))]))
    dz = BackgroundCrossEntropy().forward(EXAMPLE, EXAMPLE_LABELS)[1](1.0)
    holds("11.20", {"P": example, "Q": np.eye(4)[:, EXAMPLE_LABELS], "dZ": dz}, tolerance=5e-4)
