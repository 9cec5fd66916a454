"""Chapter 6: steps, their noise, momentum, Adam, decay, schedules."""

from itertools import combinations

import numpy as np
import sympy as sp

from digitscope.arrays import Array
from digitscope.nn import (
    Adam,
    AdamW,
    Cosine,
    Dense,
    GradientDescent,
    Momentum,
    Network,
    OneCycle,
    Optimizer,
    SoftmaxCrossEntropy,
    Tanh,
)
from docs.notes.checks import agree, check, differences, matrices
from docs.notes.checks.formula import Value, holds

UNPRINTED = {"6.1": "a series that is cut off"}

RNG = np.random.default_rng(6)
X = RNG.normal(size=(3, 5))
LABELS = np.array([0, 1, 1, 0, 1])
CURVATURE = np.array([1.0, 9.0])
START = np.array([9.0, 1.0])

_eta, _lambda, _rho, _w, _v = sp.symbols("eta lambda rho w v", positive=True)


def network() -> Network:
    rng = np.random.default_rng(6)
    return Network(Dense(3, 4, rng=rng), Tanh(), Dense(4, 2, rng=rng)).astype(np.float64)


def loss_at(w: Array) -> float:
    """The loss of a small network whose parameters are all in one column."""
    small, at = network(), 0
    for p in small.params.values():
        p[...] = w[at : at + p.size].reshape(p.shape)
        at += p.size
    return SoftmaxCrossEntropy().forward(small.forward(X)[0], LABELS)[0]


W = np.concatenate([p.ravel() for p in network().params.values()])


def walk(optimizer: Optimizer, rate: float, steps: int, start: Array = START) -> Array:
    """The path of one of digitscope's optimizers in the valley."""
    params = {"0.weight": start.copy()}
    state = optimizer.start(params)
    path = [start]
    for step in range(steps):
        optimizer.update(params, {"0.weight": CURVATURE * params["0.weight"]}, state, rate, step)
        path.append(params["0.weight"].copy())
    return np.array(path)


@check("6.1", by="differences")
def taylor_leaves_a_third_power() -> None:
    """In the first four of the parameters; half the step leaves an eighth of the error."""

    def loss(first: Array) -> float:
        return loss_at(np.concatenate([first, W[4:]]))

    def slopes(first: Array) -> Array:
        return differences(loss, first, width=1e-3)

    w = W[:4]
    g = differences(loss, w)
    h = np.array([differences(slopes, w, unit, width=1e-3) for unit in np.eye(4)])
    step = RNG.normal(size=4)
    errors = []
    for size in (0.2, 0.1):
        dw = size * step
        by_index = sum(g[i] * dw[i] for i in range(4))
        by_index += sum(dw[i] * h[i, j] * dw[j] for i in range(4) for j in range(4)) / 2
        agree(float(by_index), float(g @ dw + dw @ h @ dw / 2))
        errors.append(abs(loss(w + dw) - loss(w) - float(by_index)))
    assert 6 < errors[0] / errors[1] < 10


@check("6.2", by="numbers")
def nothing_is_steeper() -> None:
    g = RNG.normal(size=7)
    for dw in RNG.normal(size=(200, 7)):
        assert g @ dw >= -np.linalg.norm(g) * np.linalg.norm(dw)
    agree(float(g @ (-0.3 * g)), -float(np.linalg.norm(g) * np.linalg.norm(0.3 * g)))


@check("6.3", by="digitscope")
def descent_is_digitscopes() -> None:
    params, g = {"0.weight": X.copy()}, RNG.normal(size=X.shape)
    GradientDescent().update(params, {"0.weight": g.copy()}, {}, 0.3, 0)
    agree(params["0.weight"], X - 0.3 * g)


@check("6.4", by="sympy")
def what_a_step_is_worth() -> None:
    """Of a quadratic loss (6.1) is exact, and so is this."""
    h = sp.Matrix(2, 2, sp.symbols("a b b c"))
    w, p = sp.Matrix(sp.symbols("w1:3")), sp.Matrix(sp.symbols("p1:3"))

    def loss(w: sp.Matrix) -> sp.Expr:
        return (p.T * w + w.T * h * w / 2)[0]

    g = sp.Matrix([sp.diff(loss(w), x) for x in w])
    right = -_eta * (g.T * g)[0] + _eta**2 / 2 * (g.T * h * g)[0]
    assert sp.expand(loss(w - _eta * g) - loss(w) - right) == 0


@check("6.5", "6.6", by="digitscope")
def a_valley_shrinks_by_its_factors() -> None:
    for rate in (0.05, 0.2, 0.23):
        t = np.arange(13)[:, None]
        agree(walk(GradientDescent(), rate, 12), (1 - rate * CURVATURE) ** t * START)
    low, high = CURVATURE
    best = 2 / (low + high)
    kappa = high / low
    agree(float(1 - best * low), float((kappa - 1) / (kappa + 1)))
    for rate in np.linspace(0.01, 0.3, 59):
        assert np.abs(1 - rate * CURVATURE).max() >= 1 - best * low - 1e-12


@check("6.7", "6.14", by="digitscope")
def the_examples_are_digitscopes() -> None:
    agree(walk(GradientDescent(), 0.2, 3), matrices("6.7")[0].T)
    agree(walk(Momentum(momentum=0.25), 0.25, 3), matrices("6.14")[0].T)


@check("6.8", "6.9", by="numbers")
def every_batch_that_can_be_drawn() -> None:
    n = 7
    each = RNG.normal(size=(n, 3))
    g = each.mean(axis=0)
    scatter = ((each - g) ** 2).sum(axis=1).mean()
    for size in range(1, n + 1):
        means = np.array([each[list(some)].mean(axis=0) for some in combinations(range(n), size)])
        agree(means.mean(axis=0), g)
        error = ((means - g) ** 2).sum(axis=1).mean()
        agree(error, scatter / size * (n - size) / (n - 1))
        agree(error, (size * scatter - size * (size - 1) * scatter / (n - 1)) / size**2)


@check("6.10", by="sympy")
def noise_and_shrinking_in_balance() -> None:
    variance, noise, size = sp.symbols("V_w V_1 B", positive=True)
    balance = sp.Eq(variance, (1 - _eta * _lambda) ** 2 * variance + _eta**2 * noise / size)
    (there,) = sp.solve(balance, variance)
    assert sp.simplify(there - _eta * noise / (size * _lambda * (2 - _eta * _lambda))) == 0


@check("6.10", by="numbers")
def ten_thousand_walkers_wander_so_far() -> None:
    w, rate, curve = np.zeros(10_000), 0.5, 1.5
    for _ in range(30):
        w = (1 - rate * curve) * w - rate * RNG.normal(size=w.size)
    agree(w.var(), rate / (curve * (2 - rate * curve)), 0.05)


def heavy_ball(slopes: Array, rho: float) -> Array:
    v: Array = np.zeros_like(slopes[0])
    for g in slopes:
        v = rho * v + g
    return v


@check("6.11", by="digitscope")
def momentum_is_digitscopes() -> None:
    w, v, path = START, np.zeros(2), [START]
    for _ in range(8):
        v = 0.8 * v + CURVATURE * w
        w = w - 0.05 * v
        path.append(w)
    agree(walk(Momentum(momentum=0.8), 0.05, 8), np.array(path))


@check("6.12", "6.13", by="numbers")
def velocity_is_a_sum_of_slopes() -> None:
    slopes, rho, t = RNG.normal(size=(9, 4)), 0.7, 9
    agree(heavy_ball(slopes, rho), sum(rho ** (t - s) * slopes[s - 1] for s in range(1, t + 1)))
    g = slopes[0]
    agree(heavy_ball(np.array([g] * 200), rho), g / (1 - rho))
    alternating = heavy_ball(np.array([g, -g] * 100), rho)
    agree(np.abs(alternating), np.abs(g) / (1 + rho))


@check("6.15", "6.16", by="sympy")
def a_step_of_the_ball_is_a_matrix() -> None:
    a = sp.Matrix([[1 - _eta * _lambda, -_eta * _rho], [_lambda, _rho]])
    new_v = _rho * _v + _lambda * _w
    assert sp.expand(a * sp.Matrix([_w, _v]) - sp.Matrix([_w - _eta * new_v, new_v])) == sp.zeros(2, 1)
    assert sp.expand(a.det() - _rho) == 0
    assert sp.expand(a.trace() - (1 + _rho - _eta * _lambda)) == 0


def sizes(rate: float, rho: float, curve: float) -> Array:
    """Of the eigenvalues of (6.15)'s matrix."""
    a = np.array([[1 - rate * curve, -rate * rho], [curve, rho]])
    found: Array = np.abs(np.linalg.eigvals(a))
    return found


@check("6.17", by="numbers")
def curvature_does_not_matter_within() -> None:
    for rho in (0.25, 0.5, 0.9):
        root = np.sqrt(rho)
        for product in np.linspace(0.001, 5, 200):
            largest = sizes(1.0, rho, product).max()
            if (1 - root) ** 2 < product < (1 + root) ** 2:
                agree(largest, root)
            else:
                assert largest > root


@check("6.18", by="numbers")
def the_best_ball() -> None:
    for low, high in ((1.0, 9.0), (0.1, 20.0)):
        root = (np.sqrt(high / low) - 1) / (np.sqrt(high / low) + 1)
        rate = (2 / (np.sqrt(low) + np.sqrt(high))) ** 2
        agree((1 - root) ** 2, rate * low)
        agree((1 + root) ** 2, rate * high)
        worst = max(sizes(rate, root**2, c).max() for c in (low, high))
        agree(worst, root, 1e-6)
        for other_rate in rate * np.array([0.8, 1.0, 1.2]):
            for rho in root**2 * np.array([0.8, 0.9, 1.1]):
                assert max(sizes(other_rate, rho, c).max() for c in (low, high)) > root
    agree(sizes(0.25, 0.25, 1.0).max(), 0.5, 1e-6)


@check("6.19", "6.20", by="sympy")
def two_forms_of_nesterov() -> None:
    g = sp.Function("g")
    ahead = _w - _eta * _rho * _v
    new_v = _rho * _v + g(ahead)
    new_w = _w - _eta * new_v
    there = new_w - _eta * _rho * new_v
    assert sp.expand(there - (ahead - _eta * (g(ahead) + _rho * new_v))) == 0


@check("6.19", "6.20", by="digitscope")
def nesterov_is_digitscopes() -> None:
    rho, rate = 0.8, 0.05
    w, v, path = START, np.zeros(2), [START]
    for _ in range(8):
        v = rho * v + CURVATURE * (w - rate * rho * v)
        w = w - rate * v
        path.append(w - rate * rho * v)
    agree(walk(Momentum(momentum=rho, nesterov=True), rate, 8), np.array(path))


@check("6.21", "6.22", "6.23", by="digitscope")
def adam_is_digitscopes() -> None:
    slopes, beta1, beta2, eps = RNG.normal(size=(6, 4)), 0.7, 0.9, 1e-3
    adam = Adam(beta1=beta1, beta2=beta2, eps=eps)
    params = {"0.weight": np.zeros(4)}
    state = adam.start(params)
    w, m, v = np.zeros(4), np.zeros(4), np.zeros(4)
    for t, g in enumerate(slopes, start=1):
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g * g
        w = w - 0.1 * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps)
        agree(m, (1 - beta1) * sum(beta1 ** (t - s) * slopes[s - 1] for s in range(1, t + 1)))
        agree((1 - beta1) * sum(beta1 ** (t - s) for s in range(1, t + 1)), 1 - beta1**t)
        adam.update(params, {"0.weight": g.copy()}, state, 0.1, t - 1)
        agree(params["0.weight"], w)


_weights = sp.symbols("w1:4")


@check("6.24", by="sympy")
def decay_symbolically() -> None:
    delta = sp.Symbol("delta")
    loss = sp.sin(_weights[0] * _weights[1]) + sp.exp(_weights[2])
    whole = loss + delta / 2 * sum(w**2 for w in _weights)
    for w in _weights:
        assert sp.simplify(sp.diff(whole, w) - (sp.diff(loss, w) + delta * w)) == 0


@check("6.24", by="differences")
def decay_by_differences() -> None:
    g = differences(loss_at, W)
    agree(differences(lambda w: loss_at(w) + 0.15 * float(w @ w), W), g + 0.3 * W)


@check("6.24", "6.25", by="digitscope")
def decay_is_digitscopes() -> None:
    """A step of descent on the loss with (6.24) is digitscope's, whose decay is apart; biases have none."""
    g = {name: RNG.normal(size=(2, 3)) for name in ("0.weight", "0.bias")}
    params = {name: RNG.normal(size=(2, 3)) for name in g}
    before = {name: p.copy() for name, p in params.items()}
    GradientDescent(weight_decay=0.3).update(params, {n: a.copy() for n, a in g.items()}, {}, 0.1, 0)
    w = before["0.weight"]
    agree(params["0.weight"], w - 0.1 * (g["0.weight"] + 0.3 * w))
    agree(params["0.weight"], (1 - 0.1 * 0.3) * w - 0.1 * g["0.weight"])
    agree(params["0.bias"], before["0.bias"] - 0.1 * g["0.bias"])
    plain, decayed = {"0.weight": w.copy()}, {"0.weight": w.copy()}
    for optimizer, p in ((Adam(), plain), (AdamW(weight_decay=0.3), decayed)):
        optimizer.update(p, {"0.weight": g["0.weight"].copy()}, optimizer.start(p), 0.1, 0)
    agree(decayed["0.weight"], plain["0.weight"] - 0.1 * 0.3 * w)


@check("6.26", by="sympy")
def what_decay_leaves() -> None:
    bottom, delta = sp.symbols("bottom delta", positive=True)
    (there,) = sp.solve(_lambda * (_w - bottom) + delta * _w, _w)
    assert sp.simplify(there - _lambda / (_lambda + delta) * bottom) == 0


@check("6.27", "6.28", by="digitscope")
def schedules_are_digitscopes() -> None:
    for tau in np.linspace(0, 1, 41):
        agree(Cosine(1.0).factor(tau), (1 + np.cos(np.pi * tau)) / 2)
        for share in (0.3, 0.6):
            factor = 0.04 + 0.96 * tau / share if tau < share else (1 - tau) / (1 - share)
            agree(OneCycle(1.0, warm_up=share).factor(tau), factor)


@check("6.29", by="numbers")
def the_plane_lies_closest() -> None:
    """No other plane through the end holds more of the path; a point in it has the coordinates of the formula."""
    path = RNG.normal(size=(6, 9)).cumsum(axis=1)
    path -= path[:, -1:]
    u = np.linalg.svd(path)[0][:, :2]
    held = ((u.T @ path) ** 2).sum()
    for _ in range(200):
        other = np.linalg.qr(RNG.normal(size=(6, 2)))[0]
        assert ((other.T @ path) ** 2).sum() <= held
    c = np.array([0.3, -2.0])
    agree(u.T @ (u @ c), c)


def columns(path: Array) -> Array:
    """(steps, M) -> (steps, M, 1): each place as the column of numbers that the formulas mean."""
    return path[..., None]


def from_step_one(values: Array) -> Array:
    """With a place for step 0, so that the formulas' own t counts."""
    return np.concatenate([np.zeros_like(values[:1]), values])


@check("6.2", "6.3", "6.4", "6.5", "6.6", "6.7", by="printed")
def descent_as_printed() -> None:
    h = np.diag(CURVATURE) + 0.3
    w, g = columns(START), h @ columns(START)
    for dw in (*RNG.normal(size=(5, 2, 1)), -0.2 * g):
        holds("6.2", {"g": g, "Δ": 1.0, "w": dw})
    path = walk(GradientDescent(), 0.2, 6)
    holds("6.3", {"w": path, "η": 0.2, "g": CURVATURE * path[:-1]})
    holds("6.4", {"L": lambda w: (w.T @ h @ w / 2).item(), "w": w, "g": g, "H": h, "η": 0.3})
    for i, curve in enumerate(CURVATURE):
        holds("6.5", {"w": path[:, i], "η": 0.2, "λ": float(curve)}, sizes={"t": 6})
    ends: dict[str, Value] = {"λ": CURVATURE, "min": 0.0, "max": 1.0, "κ": 9.0}
    holds("6.6", {"η": 0.2, **ends})
    holds("6.7", {"Γ": walk(GradientDescent(), 0.2, 3).T})


@check("6.8", "6.9", "6.10", by="printed")
def noise_as_printed() -> None:
    n, size = 6, 2
    each = RNG.normal(size=(n, 3))
    g = each.mean(axis=0)
    scatter = ((each - g) ** 2).sum(axis=1).mean()
    means = np.array([each[list(some)].mean(axis=0) for some in combinations(range(n), size)])
    common: dict[str, Value] = {"N": float(n), "B": float(size)}
    holds("6.8", {"𝔼": 1.0, "g^": means.mean(axis=0), "g": each, **common})

    def root_mean_square(d: Array) -> float:
        return float(np.sqrt((d**2).sum(axis=1).mean()))

    holds("6.9", {"𝔼": root_mean_square, "g^": means, "g": g, "V": np.array([scatter]), **common})
    variance = 0.0
    for _ in range(200):
        variance = (1 - 0.3 * 1.5) ** 2 * variance + 0.3**2 * scatter / size
    holds("6.10", {"V": np.array([scatter, variance]), "w": 1.0, "η": 0.3, "λ": 1.5, **common})


def with_velocity(momentum: float, rate: float, steps: int) -> tuple[Array, Array]:
    """The path of digitscope's heavy ball, and its velocities."""
    params = {"0.weight": START.copy()}
    optimizer = Momentum(momentum=momentum)
    state = optimizer.start(params)
    path, velocities = [START], []
    for step in range(steps):
        optimizer.update(params, {"0.weight": CURVATURE * params["0.weight"]}, state, rate, step)
        path.append(params["0.weight"].copy())
        velocities.append(state["velocity"]["0.weight"].copy())
    return np.array(path), np.array(velocities)


@check("6.11", "6.12", "6.13", "6.14", "6.15", "6.16", "6.17", "6.18", "6.19", "6.20", by="printed")
def momentum_as_printed() -> None:
    rho, rate = 0.7, 0.05
    w, v = with_velocity(rho, rate, 6)
    g = CURVATURE * w[:-1]
    common: dict[str, Value] = {"η": rate, "ρ": rho}
    holds("6.11", {"v": v, "w": w, "g": g, **common}, sizes={"t": 6})
    holds("6.12", {"v": from_step_one(v), "g": from_step_one(g), "t": 5.0, **common}, sizes={"j": 5})
    holds("6.13", {"v": heavy_ball(np.array([g[0]] * 200), rho), "g": g[0], **common})
    holds("6.14", {"Γ": walk(Momentum(momentum=0.25), 0.25, 3).T})
    for i, curve in enumerate(CURVATURE):
        holds("6.15", {"w": w[:, i], "v": v[:, i], "λ": float(curve), **common}, sizes={"t": 6})
    for product in (0.001, 4.0):  # where the eigenvalues are real numbers
        matrix = np.array([[1 - product, -rate * rho], [product / rate, rho]])
        holds("6.16", {"μ": np.linalg.eigvals(matrix).real, "λ": product / rate, **common})
    holds("6.18", {"η": 0.25, "ρ": 0.25, "κ": 9.0, "λ": CURVATURE, "min": 0.0, "max": 1.0})
    for curve in CURVATURE:  # both ends of the valley are at the ends of the range
        holds("6.17", {"η": 0.25, "ρ": 0.25, "λ": float(curve)})
    u = walk(Momentum(momentum=rho, nesterov=True), rate, 6)
    v = np.array([heavy_ball(CURVATURE * u[: t + 1], rho) for t in range(6)])
    places = u + rate * rho * np.concatenate([np.zeros((1, 2)), v])

    def slope(w: Array) -> Array:
        return CURVATURE * w

    holds("6.19", {"v": v, "w": places, "g": slope, **common}, sizes={"t": 6})
    holds("6.20", {"u": u, "v": v, "g": slope, **common}, sizes={"t": 6})


@check("6.21", "6.22", "6.23", by="printed")
def adam_as_printed() -> None:
    slopes, beta, eps, rate = RNG.normal(size=(6, 4)), np.array([0.7, 0.9]), 1e-3, 0.1
    adam = Adam(beta1=0.7, beta2=0.9, eps=eps)
    params = {"0.weight": np.ones(4)}
    state = adam.start(params)
    w, m, s = [np.ones(4)], [], []
    for step, g in enumerate(slopes):
        adam.update(params, {"0.weight": g.copy()}, state, rate, step)
        w.append(params["0.weight"].copy())
        m.append(state["mean"]["0.weight"].copy())
        s.append(state["square"]["0.weight"].copy())
    holds("6.21", {"m": np.array(m), "s": np.array(s), "β": beta, "g": slopes})
    padded = {"m": from_step_one(np.array(m)), "s": from_step_one(np.array(s)), "w": from_step_one(np.array(w))}
    for t in range(1, 7):
        right: dict[str, Value] = {**padded, "β": beta, "t": float(t)}
        holds("6.22", {**right, "g": from_step_one(slopes)}, sizes={"j": t})
        one, two = (padded[name][1:] for name in "ms")
        powers = np.arange(1, 7)[:, None]
        right |= {"m'": from_step_one(one / (1 - 0.7**powers)), "s'": from_step_one(two / (1 - 0.9**powers))}
        holds("6.23", {**right, "η": rate, "ϵ": eps})


@check("6.24", "6.25", "6.26", by="printed")
def decay_as_printed() -> None:
    delta, rate = 0.3, 0.1
    slopes = differences(lambda w: loss_at(w) + delta / 2 * float(w @ w), W)
    holds("6.24", {"∂Λ/∂w": slopes, "g": differences(loss_at, W), "δ": delta, "w": W})
    path = walk(GradientDescent(weight_decay=delta), rate, 4)
    holds("6.25", {"w": path, "g": CURVATURE * path[:-1], "η": rate, "δ": delta})
    params = {"0.weight": START.copy()}
    for _ in range(300):
        slope = {"0.weight": 2.0 * (params["0.weight"] - START)}
        GradientDescent(weight_decay=delta).update(params, slope, {}, rate, 0)
    holds("6.26", {"w'": params["0.weight"], "w": START, "λ": 2.0, "δ": delta})


@check("6.27", "6.28", "6.29", by="printed")
def schedules_and_the_plane_as_printed() -> None:
    for tau in (0.0, 0.1, 0.3, 0.4, 1.0):
        holds("6.27", {"ϕ": Cosine(1.0).factor, "τ": tau, "π": np.pi})
        holds("6.28", {"ϕ": OneCycle(1.0, warm_up=0.3).factor, "τ": tau, "τ'": 0.3})
    path = RNG.normal(size=(6, 9)).cumsum(axis=1)
    u = np.linalg.svd(path - path[:, -1:])[0][:, :2]
    c = u.T @ path - u.T @ path[:, -1:]
    holds("6.29", {"c": columns(c.T), "U": u, "w": columns(path.T), "T": 8.0})
