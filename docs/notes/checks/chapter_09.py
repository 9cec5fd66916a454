"""Chapter 9: batch normalization, dropout, residual connections."""

from itertools import product

import numpy as np
import sympy as sp

from digitscope.arrays import Array
from digitscope.nn import BatchNorm, Conv2D, Dense, Dropout, Network, ReLU, Residual, Standardize, Tanh
from docs.notes.checks import agree, check, differences, matrices
from docs.notes.checks.formula import Value, holds

RNG = np.random.default_rng(9)
M, EPS, SCALE, SHIFT = 6, 0.1, 1.7, -0.4
X, DY = 2 * RNG.normal(size=M) + 1, RNG.normal(size=M)


def layer(eps: float = EPS, scale: float = SCALE, shift: float = SHIFT) -> BatchNorm:
    """Of one channel."""
    norm = BatchNorm(1, eps).astype(np.float64)
    norm.params = {"scale": np.array([scale]), "shift": np.array([shift])}
    return norm


def normalized(x: Array, eps: float = EPS) -> tuple[Array, float, float, float]:
    """(9.1) and (9.2), as they stand: h, m, v, r."""
    m = float(sum(x) / len(x))
    v = float(sum((a - m) ** 2 for a in x) / len(x))
    r = 1 / np.sqrt(v + eps)
    return r * (x - m), m, v, float(r)


def jacobian(x: Array, eps: float = EPS) -> Array:
    """(9.10), entry by entry."""
    h, _, _, r = normalized(x, eps)
    count = len(x)
    return np.array([[r * ((i == j) - 1 / count - h[i] * h[j] / count) for j in range(count)] for i in range(count)])


def backwards(x: Array, dy: Array, eps: float = EPS, scale: float = SCALE) -> tuple[Array, float, float]:
    """(9.12), (9.5), (9.6)."""
    h, _, _, r = normalized(x, eps)
    dscale, dshift = float(dy @ h), float(dy.sum())
    return scale * r * (dy - dshift / len(x) - h * dscale / len(x)), dscale, dshift


def of_digitscope(x: Array, eps: float = EPS) -> tuple[Array, Array, Array, Array]:
    """What BatchNorm's `backward` says of ∂h/∂x, and from it ∂r/∂x, ∂v/∂x, ∂m/∂x, each (M,).

    Two rows of the first differ by ∂r/∂x (x_i - x_k) and, where j is one of them, by r.
    """
    norm, count = layer(eps, 1.0, 0.0), len(x)
    h, backward = norm.forward(x[None], training=True)
    rows = np.stack([backward(np.eye(count)[[i]])[0][0] for i in range(count)])
    r = float((h[0, 0] - h[0, 1]) / (x[0] - x[1]))
    unit = np.eye(count)
    dr = (rows[0] - rows[1] - r * (unit[0] - unit[1])) / (x[0] - x[1])
    centred = h[0, 0] / r
    dm = unit[0] - (rows[0] - dr * centred) / r
    return rows, dr, -2 * dr / r**3, dm


@check("9.1", "9.2", "9.3", by="digitscope")
def normalization_is_digitscopes() -> None:
    h, m, v, r = normalized(X)
    agree(layer().forward(X[None], training=True)[0][0], SCALE * h + SHIFT)
    _, measured = layer().measure_statistics([X[None, :2], X[None, 2:]])
    agree(measured.statistics["mean"], np.array([m]))
    agree(measured.statistics["variance"], np.array([v]))
    agree(r, 1 / np.sqrt(X.var() + EPS))
    images = RNG.normal(size=(2, 3, 4, 5))
    two = BatchNorm(2, EPS).astype(np.float64).forward(images, training=True)[0]
    for c in range(2):
        agree(two[c].ravel(), normalized(images[c].ravel())[0])


@check("9.4", by="digitscope")
def size_and_shift_do_not_matter() -> None:
    norm = layer(0.0)
    agree(norm.forward(3 * X[None] - 5, training=True)[0], norm.forward(X[None], training=True)[0])


_x = sp.symbols("x1:5", real=True)
_dy = sp.symbols("d1:5", real=True)
_eps, _scale, _shift = sp.symbols("e g b", positive=True)
_m = sum(_x) / 4
_v = sum((a - _m) ** 2 for a in _x) / 4
_r = 1 / sp.sqrt(_v + _eps)
_h = [_r * (a - _m) for a in _x]


def same(a: sp.Expr, b: sp.Expr) -> None:
    """Exactly, at some whole numbers, for any eps: the root of v + eps stays a symbol."""
    root = sp.Symbol("root", positive=True)
    numbers = dict(zip((*_x, *_dy, _scale, _shift), (1, 2, 4, 9, 3, -1, 2, 5, 7, 11), strict=True))
    assert sp.simplify((a - b).subs(_eps, root**2 - _v).subs(numbers)) == 0


@check("9.5", "9.6", "9.7", "9.8", "9.9", "9.10", "9.11", "9.12", "9.13", by="sympy")
def normalization_symbolically() -> None:
    loss = sum(d * (_scale * h + _shift) for d, h in zip(_dy, _h, strict=True))
    dscale, dshift = sp.diff(loss, _scale), sp.diff(loss, _shift)
    same(dscale, sum(d * h for d, h in zip(_dy, _h, strict=True)))
    same(dshift, sum(_dy))
    identity = sp.eye(4)
    column, ones = sp.Matrix(_h), sp.ones(4, 1)
    matrix = _r * (identity - ones * ones.T / 4 - column * column.T / 4)
    for j, x in enumerate(_x):
        same(sp.diff(_m, x), sp.Rational(1, 4))
        same(sp.diff(_v, x), sp.Rational(2, 4) * (x - _m))
        same(sp.diff(_r, x), -(_r**3) / 4 * (x - _m))
        same(sp.diff(_r, x), -(_r**2) * _h[j] / 4)
        for i in range(4):
            slope = sp.diff(_h[i], x)
            same(slope, _r * (int(i == j) - sp.Rational(1, 4) - _h[i] * _h[j] / 4))
            same(slope, matrix[i, j])
        same(sp.diff(loss, x), _scale * _r * (_dy[j] - dshift / 4 - _h[j] * dscale / 4))
    dx = [sp.diff(loss, x) for x in _x]
    same(sum(dx), sp.Integer(0))
    same(sum(h * d for h, d in zip(_h, dx, strict=True)), _eps * _scale * _r**3 * dscale)


@check("9.5", "9.6", "9.7", "9.8", "9.9", "9.10", "9.11", "9.12", "9.13", by="differences")
def normalization_by_differences() -> None:
    h, m, _, r = normalized(X)
    dx, dscale, dshift = backwards(X, DY)
    agree(differences(lambda g: g * h + SHIFT, np.array([SCALE]), DY), np.array([dscale]))
    agree(differences(lambda b: SCALE * h + b, np.array([SHIFT]), DY), np.array([dshift]))
    agree(differences(lambda x: normalized(x)[1], X), np.full(M, 1 / M))
    agree(differences(lambda x: normalized(x)[2], X), 2 / M * (X - m))
    agree(differences(lambda x: normalized(x)[3], X), -(r**3) / M * (X - m))
    agree(differences(lambda x: normalized(x)[3], X), -(r**2) * h / M)
    rows = np.stack([differences(lambda x: normalized(x)[0], X, unit) for unit in np.eye(M)])
    agree(rows, jacobian(X))
    agree(rows, r * (np.eye(M) - np.ones((M, M)) / M - np.outer(h, h) / M))
    slopes = differences(lambda x: SCALE * normalized(x)[0] + SHIFT, X, DY)
    agree(slopes, dx)
    agree(slopes.sum(), 0.0)
    agree(h @ slopes, EPS * SCALE * r**3 * dscale)


@check("9.5", "9.6", "9.7", "9.8", "9.9", "9.10", "9.11", "9.12", "9.13", by="digitscope")
def normalization_backwards_is_digitscopes() -> None:
    own_dx, grads = layer().forward(X[None], training=True)[1](DY[None])
    dx, dscale, dshift = backwards(X, DY)
    agree(own_dx[0], dx)
    agree(grads["scale"], np.array([dscale]))
    agree(grads["shift"], np.array([dshift]))
    rows, dr, dv, dm = of_digitscope(X)
    h, m, _, r = normalized(X)
    agree(rows, jacobian(X))
    agree(rows, r * (np.eye(M) - np.ones((M, M)) / M - np.outer(h, h) / M))
    agree(dr, -(r**3) / M * (X - m))
    agree(dr, -(r**2) * h / M)
    agree(dv, 2 / M * (X - m))
    agree(dm, np.full(M, 1 / M))
    agree(own_dx.sum(), 0.0)
    agree(h @ own_dx[0], EPS * SCALE * r**3 * dscale)


@check("9.14", "9.15", by="digitscope")
def the_example_is_digitscopes() -> None:
    x, h, dy = matrices("9.14")
    y, backward = layer(0.0, 2.0, 0.0).forward(x.T, training=True)
    agree(y, 2 * h.T)
    agree(backward(dy.T)[0], matrices("9.15")[0].T)


@check("9.15", by="sympy")
def the_example_symbolically() -> None:
    x, _, dy = matrices("9.14")
    loss = sum(sp.Rational(int(d)) * 2 * h for d, h in zip(dy[:, 0], _h, strict=True))
    there = {_eps: 0, **dict(zip(_x, map(sp.Integer, x[:, 0].astype(int).tolist()), strict=True))}
    agree(np.array([float(sp.diff(loss, v).subs(there)) for v in _x]), matrices("9.15")[0][:, 0])


@check("9.15", by="differences")
def the_example_by_differences() -> None:
    x, _, dy = matrices("9.14")
    slopes = differences(lambda x: 2 * normalized(x, 0.0)[0], x[:, 0], dy[:, 0])
    agree(slopes, matrices("9.15")[0][:, 0])


def in_use() -> tuple[BatchNorm, float]:
    """A layer with statistics, and its r."""
    norm = layer()
    norm.statistics = {"mean": np.array([0.7]), "variance": np.array([2.5])}
    return norm, float(1 / np.sqrt(2.5 + EPS))


@check("9.16", "9.17", by="digitscope")
def statistics_are_digitscopes() -> None:
    norm, r = in_use()
    y, backward = norm.forward(X[None])
    agree(y[0], SCALE * r * (X - 0.7) + SHIFT)
    agree(backward(DY[None])[0][0], SCALE * r * DY)


@check("9.17", by="sympy")
def statistics_symbolically() -> None:
    x, d, m, v = sp.symbols("x d m v", positive=True)
    r = 1 / sp.sqrt(v + _eps)
    assert sp.simplify(sp.diff(d * (_scale * r * (x - m) + _shift), x) - _scale * r * d) == 0


@check("9.17", by="differences")
def statistics_by_differences() -> None:
    _, r = in_use()
    agree(differences(lambda x: SCALE * r * (x - 0.7) + SHIFT, X, DY), SCALE * r * DY)


POPULATION = np.array([0.0, 1.0, 4.0, 4.0])


def mean_of_variances(size: int) -> float:
    """Over all batches of that size that can be drawn."""
    return float(np.mean([np.var(batch) for batch in product(POPULATION, repeat=size)]))


@check("9.18", by="numbers")
def variances_of_batches_are_too_small() -> None:
    for size in (1, 2, 3, 4):
        agree(mean_of_variances(size), (size - 1) / size * POPULATION.var())


def folded() -> tuple[Dense, BatchNorm, Dense]:
    """A dense layer, a normalization with statistics, and both in one by (9.19)."""
    dense = Dense(4, 3, rng=RNG).astype(np.float64)
    dense.params["bias"] = RNG.normal(size=(3, 1))
    norm = BatchNorm(3, EPS).astype(np.float64)
    norm.params = {"scale": RNG.normal(size=3), "shift": RNG.normal(size=3)}
    norm.statistics = {"mean": RNG.normal(size=3), "variance": RNG.uniform(0.5, 2, 3)}
    factor = norm.params["scale"] / np.sqrt(norm.statistics["variance"] + EPS)
    both = Dense(4, 3).astype(np.float64)
    bias = factor * (dense.params["bias"][:, 0] - norm.statistics["mean"]) + norm.params["shift"]
    both.params = {"weight": factor[:, None] * dense.params["weight"], "bias": bias[:, None]}
    return dense, norm, both


@check("9.19", by="digitscope")
def folding_is_right() -> None:
    dense, norm, both = folded()
    x = RNG.normal(size=(4, 5))
    agree(both.forward(x)[0], Network(dense, norm).forward(x)[0])
    conv = Conv2D(2, 3, 2, rng=RNG).astype(np.float64)
    factor = norm.params["scale"] / np.sqrt(norm.statistics["variance"] + EPS)
    image = RNG.normal(size=(2, 4, 4, 3))
    expected = Network(conv, norm).forward(image)[0]
    shift = norm.params["shift"] - factor * norm.statistics["mean"]
    conv.params = {
        "weight": factor[:, None, None, None] * conv.params["weight"],
        "bias": factor[:, None, None, None] * conv.params["bias"] + shift[:, None, None, None],
    }
    agree(conv.forward(image)[0], expected)


@check("9.20", by="sympy")
def one_image_symbolically() -> None:
    loss = sum(d * h for d, h in zip(_dy, _h, strict=True))
    for j, x in enumerate(_x):
        product_with_h = sum(d * h for d, h in zip(_dy, _h, strict=True))
        same(sp.diff(loss, x), _r * (_dy[j] - sum(_dy) / 4 - _h[j] * product_with_h / 4))


def of_one_image(x: Array, dy: Array) -> Array:
    """(9.20), as it stands."""
    h, _, _, r = normalized(x)
    slopes: Array = r * (dy - dy.sum() / len(x) - h * float(dy @ h) / len(x))
    return slopes


@check("9.20", by="differences")
def one_image_by_differences() -> None:
    agree(differences(lambda x: normalized(x)[0], X, DY), of_one_image(X, DY))


@check("9.20", by="digitscope")
def one_image_is_digitscopes() -> None:
    images, slopes = RNG.normal(size=(2, 3, 4)), RNG.normal(size=(2, 3, 4))
    y, backward = Standardize(EPS).forward(images)
    dx = backward(slopes)[0]
    for n in range(4):
        agree(y[..., n].ravel(), normalized(images[..., n].ravel())[0])
        agree(dx[..., n].ravel(), of_one_image(images[..., n].ravel(), slopes[..., n].ravel()))


RATE = 0.375  # a multiple of 1/65536, as the layer rounds it


def dropped(x: Array, seed: int) -> tuple[Array, Array, Dropout]:
    """The layer's y, its mask of zeros and ones, and the layer."""
    drop = Dropout(RATE)
    y = drop.forward(x, training=True, rng=np.random.default_rng(seed))[0]
    return y, (y != 0).astype(np.float64), drop


@check("9.21", by="digitscope")
def dropout_is_digitscopes() -> None:
    y, mask, drop = dropped(X, 6)
    assert 0 < mask.sum() < M
    agree(y, mask * X / (1 - RATE))
    agree(drop.forward(X)[0], X)


@check("9.22", "9.24", by="numbers")
def mean_and_variance_over_all_masks() -> None:
    w = RNG.normal(size=M)
    mean, square = np.zeros(M), 0.0
    for mask in product((0, 1), repeat=M):
        kept = np.array(mask)
        chance = float(np.prod(np.where(kept, 1 - RATE, RATE)))
        y = kept * X / (1 - RATE)
        mean += chance * y
        square += chance * float(w @ y - w @ X) ** 2
    agree(mean, X)
    agree(square, RATE / (1 - RATE) * (w**2 * X**2).sum())


@check("9.23", by="sympy")
def dropout_symbolically() -> None:
    x, mask, rate, d = sp.symbols("x mask rate d")
    assert sp.simplify(sp.diff(d * mask * x / (1 - rate), x) - mask * d / (1 - rate)) == 0


@check("9.23", by="differences")
def dropout_by_differences() -> None:
    _, mask, _ = dropped(X, 2)
    agree(differences(lambda x: mask * x / (1 - RATE), X, DY), mask * DY / (1 - RATE))


@check("9.23", by="digitscope")
def dropout_backwards_is_digitscopes() -> None:
    _, mask, drop = dropped(X, 3)
    dx = drop.forward(X, training=True, rng=np.random.default_rng(3))[1](DY)[0]
    agree(dx, mask * DY / (1 - RATE))


def block() -> tuple[Residual, Network]:
    """A residual connection, and the layers in it alone."""
    layers = (Dense(4, 4, rng=RNG).astype(np.float64), Tanh())
    return Residual(*layers), Network(*layers)


@check("9.25", "9.26", by="digitscope")
def residual_is_digitscopes() -> None:
    around, through = block()
    x, dy = RNG.normal(size=(4, 1)), RNG.normal(size=(4, 1))
    f, backward = through.forward(x)
    y, own = around.forward(x)
    agree(y, x + f)
    slopes = np.stack([backward(row[:, None])[0][:, 0] for row in np.eye(4)])
    agree(own(dy)[0], dy + slopes.T @ dy)


@check("9.26", by="sympy")
def residual_symbolically() -> None:
    x, d = sp.Matrix(sp.symbols("x1:3")), sp.Matrix(sp.symbols("d1:3"))
    f = sp.Matrix([sp.sin(x[0] * x[1]), x[0] ** 2 - sp.exp(x[1])])
    slopes = sp.Matrix([sp.diff((d.T * (x + f))[0], v) for v in x])
    assert sp.simplify(slopes - (d + f.jacobian(x).T * d)) == sp.zeros(2, 1)


@check("9.26", by="differences")
def residual_by_differences() -> None:
    w, x, dy = RNG.normal(size=(4, 4)), RNG.normal(size=(4, 1)), RNG.normal(size=(4, 1))
    slopes = np.diag(1 - np.tanh(w @ x)[:, 0] ** 2) @ w
    agree(differences(lambda x: x + np.tanh(w @ x), x, dy), dy + slopes.T @ dy)


@check("9.27", "9.28", by="sympy")
def paths_and_sizes_symbolically() -> None:
    a, b = sp.symbols("a b")
    assert sp.expand((1 + a) * (1 + b) - (1 + a + b + a * b)) == 0
    x, f = sp.Matrix(sp.symbols("x1:4", real=True)), sp.Matrix(sp.symbols("f1:4", real=True))
    assert sp.expand(((x + f).dot(x + f) + (x - f).dot(x - f)) / 2 - x.dot(x) - f.dot(f)) == 0


@check(*(f"9.{n}" for n in range(1, 16)), by="printed")
def normalization_as_printed() -> None:
    h, m, v, r = normalized(X)
    y, backward = layer().forward(X[None], training=True)
    dx, grads = backward(DY[None])
    rows, dr, dv, dm = of_digitscope(X)
    ours: dict[str, Value] = {
        "x": X, "m": m, "v": v, "r": r, "h": (y[0] - SHIFT) / SCALE, "y": y[0], "M": float(M), "ϵ": EPS, "γ": SCALE,
        "β": SHIFT, "dy": DY, "dx": dx[0], "dγ": float(grads["scale"][0]), "dβ": float(grads["shift"][0]),
        "∂m/∂x": dm, "∂v/∂x": dv, "∂r/∂x": dr, "∂h/∂x": rows,
    }  # fmt: skip
    for number in ("9.1", "9.2", "9.3", "9.5", "9.6", "9.7", "9.8", "9.9", "9.10", "9.12", "9.13"):
        holds(number, ours)
    h0 = layer(0.0, 1.0, 0.0).forward(3 * X[None] - 5, training=True)[0][0]
    holds("9.4", {"x": X, "m": m, "v": v, "h": h0, "a": 3.0, "b": -5.0})
    column: dict[str, Value] = {
        "h": h[:, None],
        "I": np.eye(M),
        "ones": np.ones((M, 1)),
        "∂h/∂x": rows,
        "r": r,
        "M": float(M),
    }
    holds("9.11", column)
    x, _, dy = matrices("9.14")
    y, backward = layer(0.0, 2.0, 0.0).forward(x.T, training=True)
    holds("9.14", {"x": x, "h": y.T / 2, "dy": dy})
    holds("9.15", {"dx": backward(dy.T)[0].T})


@check(*(f"9.{n}" for n in range(16, 29)), by="printed")
def the_rest_as_printed() -> None:
    norm, r = in_use()
    y, backward = norm.forward(X[None])
    known: dict[str, Value] = {"x": X, "y": y[0], "dy": DY, "dx": backward(DY[None])[0][0], "γ": SCALE, "β": SHIFT}
    known |= {"m^": 0.7, "v^": 2.5, "r^": r, "ϵ": EPS}
    holds("9.16", known)
    holds("9.17", known)
    holds("9.18", {"v_": mean_of_variances(3), "v^": float(POPULATION.var()), "M": 3.0})
    dense, norm3, both = folded()
    weights: dict[str, Value] = {
        "W": dense.params["weight"], "W'": both.params["weight"], "b": dense.params["bias"][:, 0],
        "b'": both.params["bias"][:, 0], "γ": norm3.params["scale"], "β": norm3.params["shift"],
        "m^": norm3.statistics["mean"], "r^": 1 / np.sqrt(norm3.statistics["variance"] + EPS),
    }  # fmt: skip
    holds("9.19", weights)
    y, backward = Standardize(EPS).forward(X[:, None])
    one: dict[str, Value] = {"dx": backward(DY[:, None])[0][:, 0], "dy": DY, "h": y[:, 0], "M": float(M)}
    holds("9.20", one | {"r": normalized(X)[3]})
    kept, mask, drop = dropped(X, 4)
    dx = drop.forward(X, training=True, rng=np.random.default_rng(4))[1](DY)[0]
    masked: dict[str, Value] = {"x": X, "y": kept, "ξ": mask, "ω": RATE, "dx": dx, "dy": DY}
    for number in ("9.21", "9.22", "9.23"):
        holds(number, masked)
    w = RNG.normal(size=M)
    scores = [
        (float(np.prod(np.where(k, 1 - RATE, RATE))), float(w @ (np.array(k) * X / (1 - RATE)) - w @ X))
        for k in product((0, 1), repeat=M)
    ]
    holds("9.24", {"V": sum(chance * off**2 for chance, off in scores), "ω": RATE, "w": w, "x": X})
    around, through = block()
    x, dy = RNG.normal(size=(4, 1)), RNG.normal(size=(4, 1))
    y, backward = around.forward(x)
    inner = through.forward(x)[1]
    slopes = np.stack([inner(row[:, None])[0][:, 0] for row in np.eye(4)])
    holds("9.25", {"x": x, "y": y, "f": lambda x: through.forward(x)[0]})
    holds("9.26", {"dx": backward(dy)[0], "dy": dy, "F": slopes})
    holds("9.27", {"a": np.array([0.3, -1.2])})
    f = Network(ReLU(), Dense(4, 4, rng=RNG)).forward(x)[0]
    holds("9.28", {"x": x, "f": f})
