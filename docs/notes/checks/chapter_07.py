"""Chapter 7: the size of the first weights."""

from itertools import pairwise, product

import numpy as np
import sympy as sp

from digitscope.arrays import Array
from digitscope.nn import Dense, Network, ReLU, glorot, he, lecun, to_batch, uniform
from digitscope.nn.initializers import Initializer
from docs.notes.checks import agree, check, matrices
from docs.notes.checks.formula import Value, holds
from docs.notes.mnist import load_mnist

X = np.array([1.0, 2.0, 2.0])
COINS = np.array(list(product((-0.5, 0.5), repeat=3)))
"""All draws of three weights, each as likely as the others."""
WIDE = 1000


def mean_square(x: Array) -> float:
    return float(np.square(x, dtype=np.float64).mean())


def drawn(start: Initializer, fan_in: int, fan_out: int) -> float:
    """The mean square of many weights."""
    return mean_square(start(np.random.default_rng(7), (1000, 400), fan_in, fan_out))


def wide(start: Initializer) -> list[Array]:
    """What goes into each of four layers with ReLU, and what comes out of the last."""
    rng = np.random.default_rng(7)
    inputs = [rng.normal(size=(WIDE, 20))]
    for _ in range(4):
        layer = Network(Dense(WIDE, WIDE, rng=rng, weight=start), ReLU()).astype(np.float64)
        inputs.append(layer.forward(inputs[-1])[0])
    return inputs


@check("7.1", "7.3", by="sympy")
def a_random_sum_over_all_draws() -> None:
    """Each weight is +w or -w: of the eight sums' squares the mixed terms cancel."""
    w, x = sp.Symbol("w"), sp.symbols("x1:4")
    total = sum(sum(s * w * v for s, v in zip(signs, x, strict=True)) ** 2 for signs in product((-1, 1), repeat=3))
    assert sp.expand(total / 8 - w**2 * sum(v**2 for v in x)) == 0
    nu = sum(v**2 for v in x) / sp.Integer(3)
    assert sp.expand(total / 8 - 3 * w**2 * nu) == 0


@check("7.2", by="numbers")
def the_eight_sums() -> None:
    (y,) = matrices("7.2")
    agree(np.sort(COINS @ X), np.sort(y.ravel()))
    agree(mean_square(y), 2.25)
    agree(mean_square(np.maximum(y, 0)), 1.125)


@check("7.3", "7.4", by="digitscope")
def lecun_keeps_the_size() -> None:
    x = np.random.default_rng(7).normal(size=(WIDE, 50))
    layer = Dense(WIDE, WIDE, rng=np.random.default_rng(8), weight=lecun).astype(np.float64)
    weights = mean_square(layer.params["weight"])
    agree(weights, 1 / WIDE, 0.01 / WIDE)
    agree(mean_square(layer.forward(x)[0]), WIDE * weights * mean_square(x), 0.03)


@check("7.5", by="sympy")
def a_relu_keeps_half() -> None:
    """Of a normal and of a uniform distribution; of any that is even, by its two halves."""
    z = sp.Symbol("z", real=True)
    for density, end in ((sp.exp(-(z**2) / 2) / sp.sqrt(2 * sp.pi), sp.oo), (sp.Rational(1, 4), 2)):
        whole = sp.integrate(z**2 * density, (z, -end, end))
        assert sp.simplify(sp.integrate(z**2 * density, (z, 0, end)) - whole / 2) == 0


@check("7.6", "7.7", by="digitscope")
def he_keeps_the_size() -> None:
    assert abs(drawn(he, 50, 7) * 50 / 2 - 1) < 0.01
    for start, factor in ((he, 1.0), (lecun, 0.5)):
        sizes = [mean_square(x) for x in wide(start)]
        for before, after in pairwise(sizes):
            assert abs(after / before / factor - 1) < 0.1
            assert abs(after / before / (WIDE / 2 * drawn(start, WIDE, WIDE)) - 1) < 0.1


def backwards(start: Initializer) -> tuple[Array, int]:
    """The mean squares of the derivatives before each layer of 600 to 300 to 600, and behind the last."""
    rng = np.random.default_rng(7)
    layers = [Network(Dense(i, o, rng=rng, weight=start), ReLU()) for i, o in ((600, 300), (300, 600), (600, 600))]
    x, walks = rng.normal(size=(600, 20)), []
    for layer in layers:
        x, walk = layer.astype(np.float64).forward(x)
        walks.append(walk)
    dy = rng.normal(size=x.shape)
    sizes = [mean_square(dy)]
    for walk in reversed(walks):
        dy = walk(dy)[0]
        sizes.append(mean_square(dy))
    return np.array(sizes[::-1]), 300


@check("7.8", by="digitscope")
def the_way_back() -> None:
    sizes, _ = backwards(he)
    for (before, after), (d, o) in zip(pairwise(sizes), ((600, 300), (300, 600), (600, 600)), strict=True):
        assert abs(before / (o / 2 * (2 / d) * after) - 1) < 0.15
    assert abs(sizes[0] / sizes[-1] - 600 / 600) < 0.3  # all factors O/D together: the last width over the first


@check("7.9", "7.11", by="digitscope")
def glorot_is_digitscopes() -> None:
    assert abs(drawn(glorot, 50, 30) * 80 / 2 - 1) < 0.01
    weights = glorot(np.random.default_rng(7), (1000, 400), 50, 30)
    limit = np.sqrt(6 / 80)
    assert 0.9999 * limit < np.abs(weights).max() <= limit * (1 + 1e-6)


@check("7.10", "7.11", by="sympy")
def a_uniform_distribution() -> None:
    w, a, d, o = sp.symbols("w a D O", positive=True)
    square = sp.integrate(w**2, (w, -a, a)) / (2 * a)
    assert sp.simplify(square - a**2 / 3) == 0
    assert sp.simplify(square.subs(a, sp.sqrt(6 / (d + o))) - 2 / (d + o)) == 0


@check("7.12", by="digitscope")
def the_seed_is_loud() -> None:
    """Over many units, which one seed has not; biases left away."""
    x = to_batch(load_mnist()[0][0][:10_000])
    agree(mean_square(x), 0.112, 2e-3)
    layer = Dense(784, 2000, rng=np.random.default_rng(7), weight=uniform(-0.5, 0.5))
    assert abs(mean_square(layer.forward(x[:, :200])[0]) / 7.32 - 1) < 0.05


@check("7.1", "7.2", "7.3", "7.4", "7.5", by="printed")
def sums_as_printed() -> None:
    def mean(values: Array) -> float:
        return float(np.mean(values))

    sums = COINS @ X
    holds("7.1", {"𝔼": mean, "y": sums, "ν": np.array([0.25]), "W": 0.0, "x": X})
    holds("7.2", {"y": np.sort(sums)[None]})
    three: dict[str, Value] = {"x": 0.0, "y": 1.0, "W": 2.0}
    holds("7.3", {"ν": np.array([mean_square(X), mean_square(sums), 0.25]), "D": 3.0, **three})
    holds("7.4", {"ν": np.array([drawn(lecun, 50, 7)]), "W": 0.0, "D": 50.0}, tolerance=2e-4)
    holds("7.5", {"𝔼": mean, "z": sums})


@check("7.6", "7.7", "7.8", "7.9", by="printed")
def layers_as_printed() -> None:
    sizes = np.array([mean_square(x) for x in wide(he)])
    sizes = np.append(sizes, drawn(he, WIDE, WIDE))
    holds("7.6", {"ν": sizes, "W": 5.0, "D": float(WIDE)}, tolerance=0.1, sizes={"l": 4})
    holds("7.7", {"ν": np.array([drawn(he, 50, 7)]), "W": 0.0, "D": 50.0}, tolerance=4e-4)
    back, width = backwards(he)
    weights: dict[str, Value] = {"ν": np.array([2 / 600]), "W": 0.0}
    holds("7.8", {"ν'": back[:2], "O": float(width), **weights}, tolerance=0.15, sizes={"l": 1})
    holds("7.9", {"ν": np.array([drawn(glorot, 50, 30)]), "W": 0.0, "D": 50.0, "O": 30.0}, tolerance=2e-4)


@check("7.10", "7.11", "7.12", by="printed")
def uniform_as_printed() -> None:
    holds("7.10", {"ν": np.array([drawn(uniform(-0.5, 0.5), 1, 1)]), "W": 0.0, "a": 0.5}, tolerance=3e-4)
    limit = float(np.abs(glorot(np.random.default_rng(7), (1000, 400), 50, 30)).max())
    holds("7.11", {"a": limit, "D": 50.0, "O": 30.0}, tolerance=1e-4)
    holds("7.12", {"ν": np.array([0.0, 784 / 12 * 0.112]), "y": 1.0}, tolerance=1e-3)
