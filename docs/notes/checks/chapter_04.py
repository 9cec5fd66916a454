"""Chapter 4: softmax, cross-entropy, squared error."""

import numpy as np
import sympy as sp

from digitscope.arrays import Array
from digitscope.nn import Dense, MeanSquaredError, Network, Sigmoid, SoftmaxCrossEntropy, softmax, weighted_loss
from docs.notes.checks import agree, check, differences, matrices
from docs.notes.checks.formula import Value, holds

RNG = np.random.default_rng(4)
K, N = 4, 3
Z = 2 * RNG.normal(size=(K, N))
DP = RNG.normal(size=(K, N))
LABELS = np.array([2, 0, 3])
ONE_HOT = np.eye(K)[:, LABELS]
WEIGHTS = np.array([0.4, 0.0, 2.6])
SMOOTH = 0.7 * ONE_HOT + 0.3 / K

_z = sp.Matrix(sp.symbols("z1:4", real=True))
_q = sp.Matrix(sp.symbols("q1:4", positive=True))
_sum = sum(sp.exp(z) for z in _z)
_p = _z.applyfunc(lambda z: sp.exp(z) / _sum)


def shares(z: Array) -> Array:
    """(4.1), as it stands."""
    p: Array = np.exp(z) / np.exp(z).sum(axis=0)
    return p


def cross_entropy(p: Array, q: Array) -> float:
    """(4.8), as it stands."""
    return float(-(q * np.log(p)).sum() / p.shape[1])


def logistic(z: Array) -> Array:
    a: Array = 1 / (1 + np.exp(-z))
    return a


@check("4.1", by="digitscope")
def softmax_is_digitscopes() -> None:
    agree(softmax(Z), shares(Z))
    agree(SoftmaxCrossEntropy().probabilities(Z), shares(Z))


@check("4.2", "4.3", by="sympy")
def only_differences_count() -> None:
    z1, z2, _ = _z
    assert sp.simplify(_p[0] / _p[1] - sp.exp(z1 - z2)) == 0
    two = sp.exp(z1) / (sp.exp(z1) + sp.exp(z2))
    assert sp.simplify(two - 1 / (1 + sp.exp(-(z1 - z2)))) == 0


@check("4.4", "4.5", by="sympy")
def jacobian_symbolically() -> None:
    jacobian = _p.jacobian(_z)
    for k in range(3):
        for j in range(3):
            assert sp.simplify(jacobian[k, j] - _p[k] * (int(k == j) - _p[j])) == 0
    assert sp.simplify(jacobian - (sp.diag(*_p) - _p * _p.T)) == sp.zeros(3, 3)


@check("4.4", "4.5", by="differences")
def jacobian_by_differences() -> None:
    z = Z[:, :1]
    p = shares(z)
    matrix = np.diag(p[:, 0]) - p @ p.T
    for k in range(K):
        agree(differences(shares, z, np.eye(K)[:, k : k + 1])[:, 0], matrix[k])
        agree(matrix[k], np.array([p[k, 0] * (int(k == j) - p[j, 0]) for j in range(K)]))


@check("4.4", "4.5", "4.6", by="digitscope")
def jacobian_in_digitscope() -> None:
    """The loss of one image with label k is -log p_k, so its derivative, times -p_k, is row k of the Jacobian."""
    for n in range(N):
        p = softmax(Z[:, n])
        rows = [-p[k] * SoftmaxCrossEntropy().forward(Z[:, [n]], np.array([k]))[1](1.0)[:, 0] for k in range(K)]
        agree(np.stack(rows), np.diag(p) - np.outer(p, p))
        agree(np.stack(rows), np.array([[p[k] * (int(k == j) - p[j]) for j in range(K)] for k in range(K)]))
        agree(np.stack(rows).T @ DP[:, n], p * (DP[:, n] - p @ DP[:, n]))


@check("4.6", by="sympy")
def softmax_backwards_symbolically() -> None:
    dp = sp.Matrix(sp.symbols("d1:4", real=True))
    along = sum(p * d for p, d in zip(_p, dp, strict=True))
    for k in range(3):
        assert sp.simplify(sp.diff(along, _z[k]) - _p[k] * (dp[k] - along)) == 0


@check("4.6", by="differences")
def softmax_backwards_by_differences() -> None:
    p = shares(Z)
    agree(differences(shares, Z, DP), p * (DP - (p * DP).sum(axis=0)))


@check("4.7", "4.8", "4.10", by="digitscope")
def the_loss_is_digitscopes() -> None:
    p = shares(Z)
    loss = SoftmaxCrossEntropy().forward(Z, LABELS)[0]
    agree(loss, -np.log(np.prod(p[LABELS, np.arange(N)])) / N)
    agree(loss, cross_entropy(p, ONE_HOT))
    agree(SoftmaxCrossEntropy(0.3).forward(Z, LABELS)[0], cross_entropy(p, SMOOTH))


@check("4.9", by="numbers")
def no_shares_cost_less_than_the_targets() -> None:
    for _ in range(100):
        p, q = RNG.dirichlet(np.ones(K), 2)
        assert -(q * np.log(p / q)).sum() >= -(q * (p / q - 1)).sum() - 1e-12
        agree(-(q * (p / q - 1)).sum(), 0)
        agree(-(q * np.log(p / q)).sum(), (q * np.log(q / p)).sum())
    agree((SMOOTH * np.log(SMOOTH / SMOOTH)).sum(), 0)


@check("4.11", by="sympy")
def cross_entropy_backwards_symbolically() -> None:
    p = sp.Matrix(3, 2, sp.symbols("p1:7", positive=True))
    q = sp.Matrix(3, 2, sp.symbols("q1:7", positive=True))
    loss = -sum(b * sp.log(a) for a, b in zip(p, q, strict=True)) / 2
    for a, b in zip(p, q, strict=True):
        assert sp.simplify(sp.diff(loss, a) - -b / (2 * a)) == 0


@check("4.11", by="differences")
def cross_entropy_backwards_by_differences() -> None:
    p = shares(Z / 4)
    agree(differences(lambda p: cross_entropy(p, SMOOTH), p), -SMOOTH / (N * p))


@check("4.11", "4.12", by="digitscope")
def the_derivative_is_digitscopes() -> None:
    """digitscope never makes dp; brought to the scores by (4.6) it must give what digitscope has."""
    p = shares(Z)
    for smoothing, q in ((0.0, ONE_HOT), (0.3, SMOOTH)):
        dz = SoftmaxCrossEntropy(smoothing).forward(Z, LABELS)[1](1.0)
        dp = -q / (N * p)
        agree(dz, p * (dp - (p * dp).sum(axis=0)))
        agree(dz, (p - q) / N)


@check("4.12", by="sympy")
def the_two_together_symbolically() -> None:
    """One image of two; the target's last share is what the others leave."""
    q = sp.Matrix([_q[0], _q[1], 1 - _q[0] - _q[1]])
    loss = -sum(b * sp.log(a) for a, b in zip(_p, q, strict=True)) / 2
    for k in range(3):
        assert sp.simplify(sp.diff(loss, _z[k]) - (_p[k] - q[k]) / 2) == 0


@check("4.12", by="differences")
def the_two_together_by_differences() -> None:
    agree(differences(lambda z: cross_entropy(shares(z), SMOOTH), Z), (shares(Z) - SMOOTH) / N)


@check("4.13", "4.14", by="digitscope")
def the_example_is_digitscopes() -> None:
    z, p, q = matrices("4.13")
    (dz,) = matrices("4.14")
    agree(softmax(z), p, 5e-4)
    agree(SoftmaxCrossEntropy().forward(z, q.argmax(axis=0))[1](1.0), dz, 5e-4)


@check("4.14", by="sympy")
def the_example_symbolically() -> None:
    z, _, q = matrices("4.13")
    (dz,) = matrices("4.14")
    variables = sp.Matrix(3, 2, sp.symbols("z1:7"))
    loss = -sum(
        q[k, n] * sp.log(sp.exp(variables[k, n]) / sum(map(sp.exp, variables[:, n]))) for k, n in np.ndindex(3, 2)
    )
    there = dict(zip(variables, z.ravel(), strict=True))
    agree(np.array([float(sp.diff(loss / 2, v).subs(there)) for v in variables]).reshape(3, 2), dz, 5e-4)


@check("4.14", by="differences")
def the_example_by_differences() -> None:
    z, _, q = matrices("4.13")
    agree(differences(lambda z: cross_entropy(shares(z), q), z), matrices("4.14")[0], 5e-4)


@check("4.15", "4.16", "4.17", by="digitscope")
def squared_error_is_digitscopes() -> None:
    a = logistic(Z)
    loss, backward = MeanSquaredError().forward(a, LABELS)
    agree(loss, ((a - ONE_HOT) ** 2).sum() / (2 * N))
    agree(backward(1.0), (a - ONE_HOT) / N)
    agree(Sigmoid().forward(Z)[1](backward(1.0))[0], (a - ONE_HOT) / N * a * (1 - a))


@check("4.16", "4.17", by="sympy")
def squared_error_symbolically() -> None:
    a, q, z = sp.symbols("a q z", real=True)
    assert sp.simplify(sp.diff((a - q) ** 2 / (2 * N), a) - (a - q) / N) == 0
    s = 1 / (1 + sp.exp(-z))
    assert sp.simplify(sp.diff((s - q) ** 2 / (2 * N), z) - (s - q) / N * s * (1 - s)) == 0


@check("4.16", "4.17", by="differences")
def squared_error_by_differences() -> None:
    def loss(a: Array) -> float:
        return float(((a - ONE_HOT) ** 2).sum() / (2 * N))

    a = logistic(Z)
    agree(differences(loss, a), (a - ONE_HOT) / N)
    agree(differences(lambda z: loss(logistic(z)), Z), (a - ONE_HOT) / N * a * (1 - a))


@check("4.18", "4.19", by="sympy")
def one_sigmoid_symbolically() -> None:
    z, q = sp.symbols("z q", real=True)
    a = 1 / (1 + sp.exp(-z))
    loss = -(q * sp.log(a) + (1 - q) * sp.log(1 - a)) / N
    assert sp.simplify(sp.diff(loss, z) - (a - q) / N) == 0


def binary(z: Array, q: Array) -> float:
    """(4.18), as it stands."""
    a = logistic(z)
    return float(-(q * np.log(a) + (1 - q) * np.log(1 - a)).sum() / z.size)


@check("4.19", by="differences")
def one_sigmoid_by_differences() -> None:
    q = np.array([0.0, 1.0, 0.3, 0.0])
    agree(differences(lambda z: binary(z, q), Z[:, 0]), (logistic(Z[:, 0]) - q) / 4)


@check("4.18", "4.19", by="digitscope")
def one_sigmoid_is_a_softmax_of_two() -> None:
    z, labels = Z[:, 0], np.array([0, 1, 1, 0])
    loss, backward = SoftmaxCrossEntropy().forward(np.stack([z, 0 * z]), labels)
    agree(loss, binary(z, 1.0 - labels))
    agree(backward(1.0)[0], (logistic(z) - (1.0 - labels)) / 4)


@check("4.20", "4.21", by="digitscope")
def logarithms_do_not_overflow() -> None:
    for shift in (0.0, 500.0, -500.0):
        z = Z + shift
        m = z.max(axis=0)
        log_sum = np.log(np.exp(z - m).sum(axis=0))
        agree(z - m - log_sum, np.log(shares(Z)))
        assert ((log_sum >= 0) & (log_sum <= np.log(K))).all()
        loss = SoftmaxCrossEntropy().forward(z, LABELS)[0]
        agree(loss, -(z - m - log_sum)[LABELS, np.arange(N)].mean())
    network = Network(Dense(K, K, rng=RNG))
    assert np.isfinite(SoftmaxCrossEntropy().forward(network.forward(1e6 * Z)[0], LABELS)[0])


def weighted_cross_entropy(p: Array, q: Array, weights: Array) -> float:
    """(4.22), as it stands."""
    return float(-(weights * (q * np.log(p)).sum(axis=0)).sum() / p.shape[1])


@check("4.22", "4.23", by="digitscope")
def the_weighted_loss_is_digitscopes() -> None:
    for smoothing, q in ((0.0, ONE_HOT), (0.3, SMOOTH)):
        loss, backward = weighted_loss(SoftmaxCrossEntropy(smoothing), Z, LABELS, WEIGHTS)
        agree(loss, weighted_cross_entropy(shares(Z), q, WEIGHTS))
        agree(backward(1.0), WEIGHTS * (shares(Z) - q) / N)


@check("4.23", by="sympy")
def the_weighted_derivative_symbolically() -> None:
    q = sp.Matrix([_q[0], _q[1], 1 - _q[0] - _q[1]])
    weight = sp.symbols("weight", positive=True)
    loss = -weight * sum(b * sp.log(a) for a, b in zip(_p, q, strict=True)) / 2
    for k in range(3):
        assert sp.simplify(sp.diff(loss, _z[k]) - weight * (_p[k] - q[k]) / 2) == 0


@check("4.23", by="differences")
def the_weighted_derivative_by_differences() -> None:
    slopes = differences(lambda z: weighted_cross_entropy(shares(z), SMOOTH, WEIGHTS), Z)
    agree(slopes, WEIGHTS * (shares(Z) - SMOOTH) / N)


@check("4.22", "4.23", by="printed")
def the_weighted_loss_as_printed() -> None:
    loss, backward = weighted_loss(SoftmaxCrossEntropy(0.3), Z, LABELS, WEIGHTS)
    common: dict[str, Value] = {"p": softmax(Z), "q": SMOOTH, "N": float(N), "Ψ": WEIGHTS}
    holds("4.22", {"L": loss, **common})
    holds("4.23", {"dz": backward(1.0), **common})


@check("4.1", "4.2", "4.3", "4.4", "4.5", "4.6", "4.9", "4.11", by="printed")
def softmax_as_printed() -> None:
    p = softmax(Z)
    z, one, q = Z[:, 0], p[:, 0], SMOOTH[:, 0]
    rows = [-one[k] * SoftmaxCrossEntropy().forward(Z[:, :1], np.array([k]))[1](1.0)[:, 0] for k in range(K)]
    jacobian = np.stack(rows)
    holds("4.1", {"p": p, "z": Z})
    holds("4.2", {"p": one, "z": z})
    holds("4.3", {"p": softmax(Z[:2, :1]), "z": z[:2], "σ": logistic})
    holds("4.4", {"∂p/∂z": jacobian, "p": one})
    holds("4.5", {"∂p/∂z": jacobian, "p": p[:, :1]})
    holds("4.6", {"dz": jacobian.T @ DP[:, 0], "dp": DP[:, 0], "p": one, "∂p/∂z": jacobian})
    holds("4.9", {"p": one, "q": q})
    slopes = differences(lambda p: cross_entropy(p, SMOOTH), shares(Z / 4))
    holds("4.11", {"dp": slopes, "∂L/∂p": slopes, "q": SMOOTH, "p": shares(Z / 4), "N": float(N)})


@check("4.7", "4.8", "4.10", "4.12", "4.13", "4.14", "4.20", "4.21", by="printed")
def cross_entropy_as_printed() -> None:
    p = softmax(Z)
    plain, smooth = SoftmaxCrossEntropy().forward(Z, LABELS), SoftmaxCrossEntropy(0.3).forward(Z, LABELS)
    holds("4.7", {"L": plain[0], "p": p, "N": float(N), "ℓ": LABELS})
    holds("4.8", {"L": smooth[0], "p": p, "q": SMOOTH, "N": float(N)})
    holds("4.10", {"q": SMOOTH, "s": 0.3, "K": float(K), "ℓ": LABELS})
    holds("4.12", {"dz": smooth[1](1.0), "p": p, "q": SMOOTH, "N": float(N)})
    z, _, q = matrices("4.13")
    holds("4.13", {"Z": z, "P": softmax(z), "Q": q}, tolerance=5e-4)
    dz = SoftmaxCrossEntropy().forward(z, q.argmax(axis=0))[1](1.0)
    holds("4.14", {"dZ": dz, "P": softmax(z), "Q": q}, tolerance=5e-4)
    one = Z[:, 0]
    holds("4.20", {"p": p[:, 0], "z": one, "m": float(one.max())})
    holds("4.21", {"z": one, "m": float(one.max()), "K": float(K)})


@check("4.15", "4.16", "4.17", "4.18", "4.19", by="printed")
def squared_error_as_printed() -> None:
    a, back_through = Sigmoid().forward(Z)
    loss, backward = MeanSquaredError().forward(a, LABELS)
    common: dict[str, Value] = {"a": a, "q": ONE_HOT, "N": float(N)}
    holds("4.15", {"L": loss, **common})
    holds("4.16", {"da": backward(1.0), **common})
    holds("4.17", {"dz": back_through(backward(1.0))[0], **common})
    z, labels = Z[:, 0], np.array([0, 1, 1, 0])
    loss, backward = SoftmaxCrossEntropy().forward(np.stack([z, 0 * z]), labels)
    two: dict[str, Value] = {"a": logistic(z), "q": 1.0 - labels, "N": 4.0}
    holds("4.18", {"L": loss, "z": z, "σ": logistic, **two})
    holds("4.19", {"dz": backward(1.0)[0], **two})
