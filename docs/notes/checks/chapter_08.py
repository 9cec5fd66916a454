"""Chapter 8: correlation, windows, pooling, receptive fields."""

from functools import partial
from itertools import product

import numpy as np
import sympy as sp

from digitscope.arrays import Array
from digitscope.model import SHIPPED, Model
from digitscope.nn import (
    AveragePool2D,
    Conv2D,
    Dense,
    GlobalAveragePool2D,
    MaxPool2D,
    Network,
    Skip,
    Upsample2D,
    binary_cross_entropy,
)
from docs.notes.checks import agree, check, differences, matrices
from docs.notes.checks.formula import Value, holds

UNPRINTED = {"8.31": "the derivative is of a function without a formula"}

RNG = np.random.default_rng(8)

# One dimension.
LENGTH, SIZE = 7, 3
X1, W1, DY1, B1 = RNG.normal(size=LENGTH), RNG.normal(size=SIZE), RNG.normal(size=LENGTH - SIZE + 1), 0.3

# Pictures: (channels, outputs, width of the pattern, stride, padding, height, width, images)
CASES = ((2, 3, 3, 1, 1, 5, 4, 2), (1, 2, 2, 2, 0, 5, 4, 3), (2, 1, 3, 2, 1, 6, 5, 2), (1, 1, 2, 3, 1, 5, 6, 1))


def matrix(w: Array, length: int) -> Array:
    """(8.2), as it stands."""
    k = len(w)
    return np.array([[w[h - i] if 0 <= h - i < k else 0.0 for h in range(length)] for i in range(length - k + 1)])


def correlation(x: Array, w: Array, b: float = 0.0) -> Array:
    """(8.1), as it stands."""
    k = len(w)
    return np.array([b + sum(w[u] * x[i + u] for u in range(k)) for i in range(len(x) - k + 1)])


def by_index(x: Array, w: Array, dy: Array) -> tuple[Array, float, Array]:
    """(8.5), (8.6), (8.7), sum by sum."""
    places = range(len(dy))
    dw = np.array([sum(dy[i] * x[i + u] for i in places) for u in range(len(w))])
    dx = [sum(w[u] * dy[h - u] for u in range(len(w)) if h - u in places) for h in range(len(x))]
    return dw, float(sum(dy)), np.array(dx)


def in_a_row(w: Array, b: float = 0.0) -> Conv2D:
    """A layer that does the same with the first row of an image as high as its pattern."""
    layer = Conv2D(1, 1, len(w)).astype(np.float64)
    weight = np.zeros((1, 1, len(w), len(w)))
    weight[0, 0, 0] = w
    layer.params = {"weight": weight, "bias": np.full((1, 1, 1, 1), b)}
    return layer


def as_row(x: Array, height: int) -> Array:
    image = np.zeros((1, height, len(x), 1))
    image[0, 0, :, 0] = x
    return image


@check("8.1", "8.2", "8.3", by="digitscope")
def a_correlation_is_digitscopes() -> None:
    y = in_a_row(W1, B1).forward(as_row(X1, SIZE))[0].ravel()
    agree(y, correlation(X1, W1, B1))
    agree(y, matrix(W1, LENGTH) @ X1 + B1)
    y3, m3, x3 = matrices("8.3")
    w = m3[0, :3]
    agree(matrix(w, 5), m3)
    agree(in_a_row(w).forward(as_row(x3[:, 0], 3))[0].ravel(), y3[:, 0])


@check("8.4", by="numbers")
def what_is_moved_comes_out_moved() -> None:
    moved = np.append(RNG.normal(), X1[:-1])
    agree(correlation(moved, W1, B1)[1:], correlation(X1, W1, B1)[:-1])


@check("8.5", "8.6", "8.7", "8.8", by="sympy")
def one_dimension_symbolically() -> None:
    x, w, dy = sp.symbols("x:5"), sp.symbols("w:3"), sp.symbols("d:3")
    b = sp.Symbol("b")
    along = sum(dy[i] * (b + sum(w[u] * x[i + u] for u in range(3))) for i in range(3))
    assert sp.expand(sp.diff(along, b) - sum(dy)) == 0
    for u in range(3):
        assert sp.expand(sp.diff(along, w[u]) - sum(dy[i] * x[i + u] for i in range(3))) == 0
    for h in range(5):
        back = sum(w[u] * dy[h - u] for u in range(3) if 0 <= h - u < 3)
        assert sp.expand(sp.diff(along, x[h]) - back) == 0
    _, m, numbers = matrices("8.3")
    dw, dx = matrices("8.8")
    there = dict(zip((*x, *w, *dy), (*numbers[:, 0], *m[0, :3], 1, 0, -1), strict=True))
    agree(np.array([float(sp.diff(along, v).subs(there)) for v in w]), dw[:, 0])
    agree(np.array([float(sp.diff(along, v).subs(there)) for v in x]), dx[:, 0])


@check("8.5", "8.6", "8.7", "8.8", by="differences")
def one_dimension_by_differences() -> None:
    _, m, numbers = matrices("8.3")
    for x, w, dy in ((X1, W1, DY1), (numbers[:, 0], m[0, :3], np.array([1.0, 0, -1]))):
        dw, db, dx = by_index(x, w, dy)
        agree(differences(partial(correlation, x), w, dy), dw)
        agree(differences(partial(correlation, w=w), x, dy), dx)
        agree(differences(partial(correlation, x, w), np.zeros(()), dy), db)
        agree(matrix(w, len(x)).T @ dy, dx)
    printed_dw, printed_dx = matrices("8.8")
    agree(dw, printed_dw[:, 0])
    agree(dx, printed_dx[:, 0])


@check("8.5", "8.6", "8.7", "8.8", by="digitscope")
def one_dimension_is_digitscopes() -> None:
    _, m, numbers = matrices("8.3")
    for x, w, dy in ((X1, W1, DY1), (numbers[:, 0], m[0, :3], np.array([1.0, 0, -1]))):
        dx, grads = in_a_row(w, B1).forward(as_row(x, SIZE))[1](dy.reshape(1, 1, -1, 1))
        own_dw, own_db, own_dx = by_index(x, w, dy)
        agree(grads["weight"][0, 0, 0], own_dw)
        agree(grads["bias"].ravel(), np.array([own_db]))
        agree(dx[0, 0, :, 0], own_dx)
    printed_dw, printed_dx = matrices("8.8")
    agree(own_dw, printed_dw[:, 0])
    agree(own_dx, printed_dx[:, 0])
    # dM of a dense layer, summed along its diagonals.
    dense = Dense(LENGTH, len(DY1)).astype(np.float64)
    dm = dense.forward(X1[:, None])[1](DY1[:, None])[1]["weight"]
    agree(np.array([np.trace(dm, offset=u) for u in range(SIZE)]), by_index(X1, W1, DY1)[0])


def places(length: int, size: int, stride: int, padding: int) -> int:
    """(8.10), by trying."""
    return sum(stride * i + size <= length + 2 * padding for i in range(length + 2 * padding))


def windows(x: Array, k: int, s: int, p: int) -> Array:
    """(8.16) with an axis for each of the six indices, number by number."""
    c, h, w, n = x.shape
    found = np.zeros((c, k, k, places(h, k, s, p), places(w, k, s, p), n), dtype=x.dtype)
    for u, v, i, j in product(*map(range, found.shape[1:5])):
        row, column = s * i + u - p, s * j + v - p
        if 0 <= row < h and 0 <= column < w:
            found[:, u, v, i, j] = x[:, row, column]
    return found


def pictures(x: Array, weight: Array, b: Array, s: int, p: int) -> Array:
    """(8.9), as it stands."""
    y: Array = np.einsum("ocuv,cuvijn->oijn", weight, windows(x, weight.shape[-1], s, p)) + b
    return y


def picture_derivatives(x: Array, weight: Array, dy: Array, s: int, p: int) -> tuple[Array, Array, Array]:
    """(8.11), (8.12), (8.13): dx place by place."""
    k = weight.shape[-1]
    dw = np.einsum("oijn,cuvijn->ocuv", dy, windows(x, k, s, p))
    dx = np.zeros_like(x)
    for h, w, i, j in product(*map(range, (*x.shape[1:3], *dy.shape[1:3]))):
        u, v = h + p - s * i, w + p - s * j
        if 0 <= u < k and 0 <= v < k:
            dx[:, h, w] += weight[:, :, u, v].T @ dy[:, i, j]
    return dw, dy.sum(axis=(1, 2, 3)), dx


def case(numbers: tuple[int, ...]) -> tuple[Conv2D, Array, Array]:
    """A layer, an input and a dy."""
    c, o, k, s, p, h, w, n = numbers
    layer = Conv2D(c, o, k, stride=s, padding=p).astype(np.float64)
    layer.params = {"weight": RNG.normal(size=(o, c, k, k)), "bias": RNG.normal(size=(o, 1, 1, 1))}
    return layer, RNG.normal(size=(c, h, w, n)), RNG.normal(size=(o, places(h, k, s, p), places(w, k, s, p), n))


@check("8.9", "8.10", by="digitscope")
def a_layer_is_digitscopes() -> None:
    for numbers in CASES:
        layer, x, dy = case(numbers)
        _, o, k, s, p, h, w, n = numbers
        y = layer.forward(x)[0]
        agree(y, pictures(x, layer.params["weight"], layer.params["bias"], s, p))
        assert y.shape == dy.shape == (o, (h + 2 * p - k) // s + 1, (w + 2 * p - k) // s + 1, n)


@check("8.11", "8.12", "8.13", by="sympy")
def a_layer_symbolically() -> None:
    for s, p, h, w in ((1, 0, 3, 3), (2, 1, 3, 2)):
        c, o, k, n = 2, 2, 2, 1
        hp, wp = places(h, k, s, p), places(w, k, s, p)
        x = np.array(sp.symbols(f"x:{c * h * w * n}")).reshape(c, h, w, n)
        weight = np.array(sp.symbols(f"w:{o * c * k * k}")).reshape(o, c, k, k)
        b = np.array(sp.symbols(f"b:{o}"))
        dy = np.array(sp.symbols(f"d:{o * hp * wp * n}")).reshape(o, hp, wp, n)
        seen = windows(x, k, s, p)
        along = sp.expand(
            sum(
                dy[at]
                * (
                    b[at[0]]
                    + sum(
                        weight[at[0], i, u, v] * seen[i, u, v, at[1], at[2], at[3]] for i, u, v in np.ndindex(c, k, k)
                    )
                )
                for at in np.ndindex(*dy.shape)
            )
        )
        for at in np.ndindex(*weight.shape):
            by_hand = sum(dy[at[0], i, j, 0] * seen[at[1], at[2], at[3], i, j, 0] for i, j in np.ndindex(hp, wp))
            assert sp.expand(sp.diff(along, weight[at]) - by_hand) == 0
        for q in range(o):
            assert sp.expand(sp.diff(along, b[q]) - dy[q].sum()) == 0
        for at in np.ndindex(*x.shape):
            by_hand = sum(
                weight[q, at[0], at[1] + p - s * i, at[2] + p - s * j] * dy[q, i, j, 0]
                for q, i, j in np.ndindex(o, hp, wp)
                if 0 <= at[1] + p - s * i < k and 0 <= at[2] + p - s * j < k
            )
            assert sp.expand(sp.diff(along, x[at]) - by_hand) == 0


@check("8.11", "8.12", "8.13", by="differences")
def a_layer_by_differences() -> None:
    for numbers in CASES:
        layer, x, dy = case(numbers)
        weight, b, s, p = layer.params["weight"], layer.params["bias"], layer.stride, layer.padding
        dw, db, dx = picture_derivatives(x, weight, dy, s, p)
        agree(differences(partial(pictures, x, b=b, s=s, p=p), weight, dy), dw)
        agree(differences(partial(pictures, x, weight, s=s, p=p), b, dy).ravel(), db)
        agree(differences(partial(pictures, weight=weight, b=b, s=s, p=p), x, dy), dx)


@check("8.11", "8.12", "8.13", by="digitscope")
def a_layers_derivatives_are_digitscopes() -> None:
    for numbers in CASES:
        layer, x, dy = case(numbers)
        dx, grads = layer.forward(x)[1](dy)
        own_dw, own_db, own_dx = picture_derivatives(x, layer.params["weight"], dy, layer.stride, layer.padding)
        agree(grads["weight"], own_dw)
        agree(grads["bias"].ravel(), own_db)
        agree(dx, own_dx)


def as_product(layer: Conv2D, x: Array) -> tuple[Array, Array]:
    """W and X of (8.17)."""
    weight = layer.params["weight"]
    columns = windows(x, layer.kernel_size, layer.stride, layer.padding)
    return weight.reshape(len(weight), -1), columns.reshape(weight[0].size, -1)


def into_pixels(dwindows: Array, shape: tuple[int, ...], s: int, p: int) -> Array:
    """Each number of dX added where its copy came from."""
    dx = np.zeros(shape)
    _, h, w, _ = shape
    for u, v, i, j in product(*map(range, dwindows.shape[1:5])):
        row, column = s * i + u - p, s * j + v - p
        if 0 <= row < h and 0 <= column < w:
            dx[:, row, column] += dwindows[:, u, v, i, j]
    return dx


@check("8.16", "8.17", by="digitscope")
def one_product_is_digitscopes() -> None:
    for numbers in CASES:
        layer, x, _ = case(numbers)
        weight, columns = as_product(layer, x)
        y = layer.forward(x)[0]
        ones = np.ones((columns.shape[1], 1))
        agree(y.reshape(len(weight), -1), weight @ columns + layer.params["bias"].reshape(-1, 1) @ ones.T)


@check("8.18", by="sympy")
def one_product_symbolically() -> None:
    """Two rows of places, whose columns stand one behind the other in X."""
    weight, b = sp.Matrix(2, 3, sp.symbols("w:6")), sp.Matrix(2, 1, sp.symbols("b:2"))
    rows = [sp.Matrix(3, 2, sp.symbols(f"x{i}_:6")) for i in range(2)]
    drows = [sp.Matrix(2, 2, sp.symbols(f"d{i}_:4")) for i in range(2)]
    x, dy, ones = sp.Matrix.hstack(*rows), sp.Matrix.hstack(*drows), sp.ones(4, 1)
    along = sum(u * v for u, v in zip(dy, weight * x + b * ones.T, strict=True))
    dw = sp.Matrix(2, 3, [sp.diff(along, v) for v in weight])
    assert sp.expand(dw - dy * x.T) == sp.zeros(2, 3)
    assert sp.expand(dw - sum((d * r.T for d, r in zip(drows, rows, strict=True)), sp.zeros(2, 3))) == sp.zeros(2, 3)
    assert sp.expand(sp.Matrix(2, 1, [sp.diff(along, v) for v in b]) - dy * ones) == sp.zeros(2, 1)
    assert sp.expand(sp.Matrix(3, 4, [sp.diff(along, v) for v in x]) - weight.T * dy) == sp.zeros(3, 4)


@check("8.18", by="differences")
def one_product_by_differences() -> None:
    weight, columns, dy = RNG.normal(size=(2, 4)), RNG.normal(size=(4, 6)), RNG.normal(size=(2, 6))
    agree(differences(lambda w: w @ columns, weight, dy), dy @ columns.T)
    agree(differences(lambda x: weight @ x, columns, dy), weight.T @ dy)
    ones = np.ones((6, 1))
    agree(differences(lambda b: b @ ones.T, np.zeros((2, 1)), dy), dy @ ones)


@check("8.18", by="digitscope")
def the_products_derivatives_are_digitscopes() -> None:
    for numbers in CASES:
        layer, x, dy = case(numbers)
        k, s, p = layer.kernel_size, layer.stride, layer.padding
        weight, columns = as_product(layer, x)
        dx, grads = layer.forward(x)[1](dy)
        flat = dy.reshape(len(dy), -1)
        agree(grads["weight"].reshape(weight.shape), flat @ columns.T)
        agree(grads["bias"].ravel(), flat @ np.ones(flat.shape[1]))
        seen = windows(x, k, s, p)
        agree(dx, into_pixels((weight.T @ flat).reshape(seen.shape), x.shape, s, p))


POOLS = ((2, 2, 4, 5), (3, 2, 7, 5), (2, 1, 3, 4))  # size, stride, height, width


def winners(x: Array, k: int, s: int) -> Array:
    """m of (8.20) for one channel of one image, (H', W', H, W)."""
    hp, wp = places(x.shape[0], k, s, 0), places(x.shape[1], k, s, 0)
    m = np.zeros((hp, wp, *x.shape))
    for i, j in np.ndindex(hp, wp):
        window = x[s * i : s * i + k, s * j : s * j + k]
        u, v = np.unravel_index(window.argmax(), window.shape)
        m[i, j, s * i + u, s * j + v] = 1
    return m


def mean_back(dy: Array, shape: tuple[int, int], k: int, s: int) -> Array:
    """(8.22) for one channel of one image."""
    dx = np.zeros(shape)
    for h, w, i, j in np.ndindex(*shape, *dy.shape):
        dx[h, w] += (0 <= h - s * i < k) * (0 <= w - s * j < k) * dy[i, j] / k**2
    return dx


def pooled(x: Array, k: int, s: int, how: str) -> Array:
    """(8.19) or (8.21) for one channel of one image."""
    hp, wp = places(x.shape[0], k, s, 0), places(x.shape[1], k, s, 0)
    squares = [[x[s * i : s * i + k, s * j : s * j + k] for j in range(wp)] for i in range(hp)]
    return np.array([[q.max() if how == "max" else q.sum() / k**2 for q in row] for row in squares])


@check("8.19", "8.20", "8.21", "8.22", "8.23", "8.24", "8.25", "8.26", by="digitscope")
def pooling_is_digitscopes() -> None:
    for k, s, h, w in POOLS:
        x = RNG.normal(size=(h, w))
        image = x[None, :, :, None]
        for layer, how in ((MaxPool2D(k, s), "max"), (AveragePool2D(k, s), "mean")):
            y, backward = layer.forward(image)
            agree(y[0, :, :, 0], pooled(x, k, s, how))
            dy = RNG.normal(size=y.shape[1:3])
            dx = backward(dy[None, :, :, None])[0][0, :, :, 0]
            if how == "max":
                agree(dx, np.einsum("ij,ijhw->hw", dy, winners(x, k, s)))
            else:
                agree(dx, mean_back(dy, (h, w), k, s))
    x = RNG.normal(size=(2, 3, 4, 5))
    y, backward = GlobalAveragePool2D().forward(x)
    agree(y, x.sum(axis=(1, 2)) / 12)
    dy = RNG.normal(size=y.shape)
    agree(backward(dy)[0], np.broadcast_to(dy[:, None, None, :] / 12, x.shape))
    image, small, dsmall = matrices("8.25")
    y, backward = MaxPool2D(2).forward(image[None, :, :, None])
    agree(y[0, :, :, 0], small)
    agree(backward(dsmall[None, :, :, None])[0][0, :, :, 0], matrices("8.26")[0])


@check("8.20", "8.22", "8.24", "8.26", by="sympy")
def pooling_symbolically() -> None:
    image, _, dsmall = matrices("8.25")
    x = np.array(sp.symbols("x:16", real=True)).reshape(4, 4)
    there = dict(zip(x.ravel(), image.ravel(), strict=True))
    k, s = 2, 2
    squares = {(i, j): x[s * i : s * i + k, s * j : s * j + k].ravel() for i, j in np.ndindex(2, 2)}
    largest = sum(dsmall[at] * sp.Max(*square) for at, square in squares.items())
    mean = sum(dsmall[at] * sum(square) / k**2 for at, square in squares.items())
    largest_slopes = [float(sp.diff(largest, v).subs(there)) for v in x.ravel()]
    agree(np.array(largest_slopes).reshape(4, 4), matrices("8.26")[0])
    agree(np.array(largest_slopes).reshape(4, 4), np.einsum("ij,ijhw->hw", dsmall, winners(image, k, s)))
    agree(np.array([float(sp.diff(mean, v)) for v in x.ravel()]).reshape(4, 4), mean_back(dsmall, (4, 4), k, s))
    d = sp.Symbol("d")
    for v in x.ravel():
        assert sp.diff(d * sum(x.ravel()) / 16, v) == d / 16


@check("8.20", "8.22", "8.24", "8.26", by="differences")
def pooling_by_differences() -> None:
    for k, s, h, w in POOLS:
        x = RNG.normal(size=(h, w))
        dy = RNG.normal(size=(places(h, k, s, 0), places(w, k, s, 0)))
        largest = differences(partial(pooled, k=k, s=s, how="max"), x, dy)
        agree(largest, np.einsum("ij,ijhw->hw", dy, winners(x, k, s)))
        mean = differences(partial(pooled, k=k, s=s, how="mean"), x, dy)
        agree(mean, mean_back(dy, (h, w), k, s))
    agree(differences(lambda x: float(0.7 * x.sum() / x.size), x), np.full(x.shape, 0.7 / x.size))
    image, _, dsmall = matrices("8.25")
    slopes = differences(partial(pooled, k=2, s=2, how="max"), image, dsmall)
    agree(slopes, matrices("8.26")[0])


@check("8.27", by="digitscope")
def a_receptive_field_is_where_the_derivative_is_not_zero() -> None:
    """Of the shipped network, with weights of 1 and the mean for the maximum, so that nothing hides or cancels."""
    reach = jump = 1
    layers: list[Conv2D | AveragePool2D] = []
    for layer in Model.load(SHIPPED["convnet"]).network.layers:
        if isinstance(layer, Conv2D):
            k, s = layer.kernel_size, layer.stride
            ones = Conv2D(1, 1, k, stride=s, padding=layer.padding, bias=False).astype(np.float64)
            ones.params = {"weight": np.ones((1, 1, k, k))}
            layers.append(ones)
        elif isinstance(layer, MaxPool2D):
            k, s = layer.size, layer.stride
            layers.append(AveragePool2D(k, s))
        else:
            continue
        reach, jump = reach + (k - 1) * jump, s * jump
        y, backward = Network(*layers).forward(np.ones((1, 28, 28, 1)))
        ends = []
        for at in (y.shape[1] // 2 - 1, y.shape[1] // 2):
            dy = np.zeros_like(y)
            dy[0, at, at] = 1
            seen = np.flatnonzero((backward(dy)[0][0] > 1e-12).any(axis=(0, 2)))  # rounding leaves 1e-17
            ends.append(seen[-1])
        assert len(seen) == reach
        assert ends[1] - ends[0] == jump
    assert reach == 24
    assert y.shape == (1, 3, 3, 1)


@check("8.1", "8.2", "8.3", "8.4", "8.5", "8.6", "8.7", "8.8", by="printed")
def one_dimension_as_printed() -> None:
    layer, x = in_a_row(W1, B1), X1
    y, backward = layer.forward(as_row(x, SIZE))
    dx, grads = backward(DY1.reshape(1, 1, -1, 1))
    m = Dense(LENGTH, len(DY1)).astype(np.float64)
    dm = m.forward(x[:, None])[1](DY1[:, None])[1]["weight"]
    ours: dict[str, Value] = {
        "x": x, "w": W1, "b": B1, "y": y.ravel(), "M": matrix(W1, LENGTH), "dy": DY1, "dM": dm,
        "dw": grads["weight"][0, 0, 0], "db": float(grads["bias"].ravel()[0]), "dx": dx[0, 0, :, 0],
    }  # fmt: skip
    for number in ("8.1", "8.2", "8.5", "8.6", "8.7"):
        holds(number, ours)
    holds("8.3", {})
    # An image that begins with zeros, so that what comes in from outside is known; without a bias what comes out, too.
    early = np.concatenate([np.zeros(SIZE), x])
    late = np.append(0.0, early[:-1])
    plain = in_a_row(W1)
    y, moved = (plain.forward(as_row(v, SIZE))[0].ravel() for v in (early, late))
    holds("8.4", {"x": early, "x'": late, "w": W1, "b": 0.0, "y": y, "y'": moved})
    _, m3, x3 = matrices("8.3")
    dx, grads = in_a_row(m3[0, :3]).forward(as_row(x3[:, 0], 3))[1](np.array([1.0, 0, -1]).reshape(1, 1, 3, 1))
    holds("8.8", {"dw": grads["weight"][0, 0, 0][:, None], "dx": dx[0, 0]})


@check("8.9", "8.10", "8.11", "8.12", "8.13", "8.16", "8.17", "8.18", by="printed")
def a_layer_as_printed() -> None:
    for numbers in (CASES[0], CASES[3]):
        layer, x, dy = case(numbers)
        _, o, k, s, p, h, w, n = numbers
        y, backward = layer.forward(x)
        dx, grads = backward(dy)
        ours: dict[str, Value] = {
            "x": x, "y": y, "W": layer.params["weight"], "b": layer.params["bias"].ravel(), "dy": dy, "dx": dx,
            "dW": grads["weight"], "db": grads["bias"].ravel(), "s": float(s), "p": float(p), "k": float(k),
            "N": float(n),
        }  # fmt: skip
        for number in ("8.9", "8.11", "8.12", "8.13"):
            holds(number, ours)
        holds("8.10", {"H": float(h), "H'": float(y.shape[1]), "p": float(p), "k": float(k), "s": float(s)})
        holds("8.10", {"H": float(w), "H'": float(y.shape[2]), "p": float(p), "k": float(k), "s": float(s)})
        seen = windows(x, k, s, p)
        holds("8.16", {"X": seen, "x": x, "s": float(s), "p": float(p)})
        columns = seen.reshape(-1, dy[0].size)
        flat = {
            "X": columns, "W": layer.params["weight"].reshape(o, -1), "b": layer.params["bias"].reshape(o, 1),
            "Y": y.reshape(o, -1), "ones": np.ones((columns.shape[1], 1)), "dY": dy.reshape(o, -1),
            "dW": grads["weight"].reshape(o, -1), "db": grads["bias"].reshape(o, 1),
        }  # fmt: skip
        holds("8.17", flat)
        dense = Dense(*flat["W"].shape[::-1]).astype(np.float64)
        dense.params = {"weight": flat["W"], "bias": flat["b"]}
        holds("8.18", flat | {"dX": dense.forward(columns)[1](flat["dY"])[0]})


@check("8.19", "8.20", "8.21", "8.22", "8.23", "8.24", "8.25", "8.26", "8.27", by="printed")
def pooling_as_printed() -> None:
    k, s, h, w = POOLS[1]
    x = RNG.normal(size=(1, h, w, 1))
    for layer, forward, back in ((MaxPool2D(k, s), "8.19", "8.20"), (AveragePool2D(k, s), "8.21", "8.22")):
        y, backward = layer.forward(x)
        dy = RNG.normal(size=y.shape)
        m = winners(x[0, :, :, 0], k, s)[None, ..., None]
        pooling: dict[str, Value] = {
            "x": x,
            "y": y,
            "dy": dy,
            "dx": backward(dy)[0],
            "m": m,
            "s": float(s),
            "k": float(k),
        }
        holds(forward, pooling, sizes={"u": k, "v": k})
        holds(back, pooling)
    x = RNG.normal(size=(2, 3, 4, 2))
    y, backward = GlobalAveragePool2D().forward(x)
    dy = RNG.normal(size=y.shape)
    ours: dict[str, Value] = {"x": x, "y": y, "dy": dy, "dx": backward(dy)[0], "H": 3.0, "W": 4.0}
    holds("8.23", ours)
    holds("8.24", ours)
    image, _, dsmall = matrices("8.25")
    y, backward = MaxPool2D(2).forward(image[None, :, :, None])
    holds("8.25", {"x": image, "y": y[0, :, :, 0], "dy": dsmall})
    holds("8.26", {"dx": backward(dsmall[None, :, :, None])[0][0, :, :, 0]})
    # The shipped network: what its first numbers see, and how far its places lie apart.
    size, stride = [1.0, 5, 2, 3, 3, 2, 3], [1.0, 1, 2, 1, 1, 2, 1]
    reach, jump = [1.0, 5, 6, 10, 14, 16, 24], [1.0, 1, 2, 2, 2, 4, 4]
    known = {"E": np.array(reach), "J": np.array(jump), "k": np.array(size), "s": np.array(stride)}
    holds("8.27", known, sizes={"l": len(reach) - 1})


DILATED = ((2, 3, 3, 1, 2, 2, 6, 5, 2), (1, 2, 2, 1, 0, 3, 5, 6, 1))
"""channels, outputs, width of the pattern, stride, padding, dilation, height, width, images"""


def dilated(x: Array, weight: Array, b: Array, p: int, d: int) -> Array:
    """(8.28) with stride 1, as it stands."""
    (_, h, w, n), (o, _, k, _) = x.shape, weight.shape
    y = np.zeros((o, h + 2 * p - d * (k - 1), w + 2 * p - d * (k - 1), n)) + b
    for i, j, u, v in product(*map(range, (*y.shape[1:3], k, k))):
        row, column = i + d * u - p, j + d * v - p
        if 0 <= row < h and 0 <= column < w:
            y[:, i, j] += weight[:, :, u, v] @ x[:, row, column]
    return y


def dilated_derivatives(x: Array, weight: Array, dy: Array, p: int, d: int) -> tuple[Array, Array]:
    """(8.29) with stride 1, product by product."""
    dw, dx = np.zeros_like(weight), np.zeros_like(x)
    _, h, w, _ = x.shape
    for i, j, u, v in product(*map(range, (*dy.shape[1:3], *weight.shape[2:]))):
        row, column = i + d * u - p, j + d * v - p
        if 0 <= row < h and 0 <= column < w:
            dw[:, :, u, v] += dy[:, i, j] @ x[:, row, column].T
            dx[:, row, column] += weight[:, :, u, v].T @ dy[:, i, j]
    return dw, dx


@check("8.28", "8.29", by="digitscope")
def dilation_is_digitscopes() -> None:
    for c, o, k, _, p, d, h, w, n in DILATED:
        layer = Conv2D(c, o, k, padding=p, dilation=d).astype(np.float64)
        x, weight = RNG.normal(size=(c, h, w, n)), layer.params["weight"]
        y, backward = layer.forward(x)
        agree(y, dilated(x, weight, layer.params["bias"], p, d))
        dy = RNG.normal(size=y.shape)
        dx, grads = backward(dy)
        dw, own_dx = dilated_derivatives(x, weight, dy, p, d)
        agree(grads["weight"], dw)
        agree(dx, own_dx)


@check("8.29", by="differences")
def dilation_by_differences() -> None:
    for c, o, k, _, p, d, h, w, n in DILATED:
        x, weight, b = RNG.normal(size=(c, h, w, n)), RNG.normal(size=(o, c, k, k)), RNG.normal(size=(o, 1, 1, 1))
        dy = RNG.normal(size=dilated(x, weight, b, p, d).shape)
        dw, dx = dilated_derivatives(x, weight, dy, p, d)
        agree(differences(partial(dilated, x, b=b, p=p, d=d), weight, dy), dw)
        agree(differences(partial(dilated, weight=weight, b=b, p=p, d=d), x, dy), dx)


def enlarged(x: Array, s: int) -> Array:
    """y of (8.30), number by number."""
    c, h, w, _ = x.shape
    return np.array([[[x[q, i // s, j // s] for j in range(s * w)] for i in range(s * h)] for q in range(c)])


def sums_of_squares(dy: Array, s: int) -> Array:
    """dx of (8.30)."""
    c, h, w, n = dy.shape
    dx = np.zeros((c, h // s, w // s, n))
    for row, column, u, v in product(range(h // s), range(w // s), range(s), range(s)):
        dx[:, row, column] += dy[:, s * row + u, s * column + v]
    return dx


@check("8.30", "8.31", by="digitscope")
def resolution_is_digitscopes() -> None:
    x = RNG.normal(size=(2, 2, 3, 2))
    y, backward = Upsample2D(2).forward(x)
    dy = RNG.normal(size=y.shape)
    agree(y, enlarged(x, 2))
    agree(backward(dy)[0], sums_of_squares(dy, 2))
    layer = Dense(3, 4).astype(np.float64)
    x = RNG.normal(size=(3, 5))
    y, backward = Skip(layer).forward(x)
    agree(y, np.concatenate([x, layer.forward(x)[0]]))
    dy = RNG.normal(size=y.shape)
    agree(backward(dy)[0], dy[:3] + layer.params["weight"].T @ dy[3:])


@check("8.30", "8.31", by="differences")
def resolution_by_differences() -> None:
    x, dy = RNG.normal(size=(2, 2, 3, 2)), RNG.normal(size=(2, 4, 6, 2))
    agree(differences(partial(enlarged, s=2), x, dy), sums_of_squares(dy, 2))
    m, x, dy = RNG.normal(size=(4, 3)), RNG.normal(size=(3, 5)), RNG.normal(size=(7, 5))
    agree(differences(lambda x: np.concatenate([x, m @ x]), x, dy), dy[:3] + m.T @ dy[3:])


def mean_of_pixels(z: Array, t: Array, w: Array) -> Array:
    """L of (8.32)."""
    p = 1 / (1 + np.exp(-z))
    return np.asarray(-(w * (t * np.log(p) + (1 - t) * np.log(1 - p))).mean())


@check("8.32", by="digitscope")
def the_loss_of_pixels_is_digitscopes() -> None:
    z, t, w = RNG.normal(size=(1, 3, 4, 2)), RNG.random((1, 3, 4, 2)), RNG.random((1, 3, 4, 2))
    value, backward = binary_cross_entropy(z, t, w)
    agree(np.asarray(value), mean_of_pixels(z, t, w))
    agree(backward(1.0), w * (1 / (1 + np.exp(-z)) - t) / z.size)


@check("8.32", by="differences")
def the_loss_of_pixels_by_differences() -> None:
    z, t, w = RNG.normal(size=6), RNG.random(6), RNG.random(6)
    agree(differences(partial(mean_of_pixels, t=t, w=w), z, np.ones(())), w * (1 / (1 + np.exp(-z)) - t) / 6)


@check("8.29", "8.30", "8.31", "8.32", by="sympy")
def pixels_symbolically() -> None:
    x, w, d = sp.symbols("x:5"), sp.symbols("w:2"), sp.symbols("d:3")
    along = sum(d[i] * sum(w[u] * x[i + 2 * u] for u in range(2)) for i in range(3))
    for u in range(2):
        assert sp.expand(sp.diff(along, w[u]) - sum(d[i] * x[i + 2 * u] for i in range(3))) == 0
    for h in range(5):
        back = sum(w[u] * d[i] for u in range(2) for i in range(3) if i + 2 * u == h)
        assert sp.expand(sp.diff(along, x[h]) - back) == 0
    e = sp.symbols("e:4")
    along = sum(e[i] * x[i // 2] for i in range(4))
    assert [sp.diff(along, x[h]) for h in range(2)] == [e[0] + e[1], e[2] + e[3]]
    f = sp.Function("f")
    along = d[0] * x[0] + d[1] * f(x[0])
    assert sp.simplify(sp.diff(along, x[0]) - d[0] - sp.diff(f(x[0]), x[0]) * d[1]) == 0
    z, t, weight = sp.symbols("z t w", real=True)
    p = 1 / (1 + sp.exp(-z))
    loss = -weight * (t * sp.log(p) + (1 - t) * sp.log(1 - p))
    assert sp.simplify(sp.diff(loss, z) - weight * (p - t)) == 0


@check("8.28", "8.29", by="printed")
def dilation_as_printed() -> None:
    for c, o, k, s, p, d, h, w, n in DILATED:
        layer = Conv2D(c, o, k, stride=s, padding=p, dilation=d).astype(np.float64)
        x = RNG.normal(size=(c, h, w, n))
        y, backward = layer.forward(x)
        dy = RNG.normal(size=y.shape)
        dx, grads = backward(dy)
        ours: dict[str, Value] = {
            "x": x, "y": y, "W": layer.params["weight"], "b": layer.params["bias"].ravel(), "dy": dy, "dx": dx,
            "dW": grads["weight"], "s": float(s), "p": float(p), "d": float(d), "k": float(k), "N": float(n),
        }  # fmt: skip
        holds("8.28", ours)
        holds("8.29", ours)


@check("8.30", "8.32", by="printed")
def pixels_as_printed() -> None:
    x = RNG.normal(size=(2, 2, 3, 2))
    y, backward = Upsample2D(2).forward(x)
    dy = RNG.normal(size=y.shape)
    sizes = {"u": 2, "v": 2}
    holds("8.30", {"dx": backward(dy)[0], "dy": dy, "s": 2.0}, skip=1, sizes=sizes)  # the first rounds an index
    z, t, w = RNG.normal(size=6), RNG.random(6), RNG.random(6)
    value, loss_backward = binary_cross_entropy(z, t, w)
    p = 1 / (1 + np.exp(-z))
    holds("8.32", {"L": value, "N": 6.0, "Ψ": w, "q": t, "a": p, "dz": loss_backward(1.0)})


def small_example() -> tuple[Array, Array, Array, Conv2D]:
    """x, W and y of (8.14), and the layer."""
    x, w, y = matrices("8.14")
    layer = Conv2D(1, 1, 2).astype(np.float64)
    layer.params = {"weight": w.reshape(1, 1, 2, 2), "bias": np.zeros((1, 1, 1, 1))}
    return x, w, y, layer


SMALL_DY = np.array([[1.0, 0.0], [0.0, -1.0]])


def small_map(x: Array, w: Array) -> Array:
    """(8.9), as it stands, for one channel without padding."""
    return np.array([[(w * x[i : i + 2, j : j + 2]).sum() for j in range(2)] for i in range(2)])


@check("8.14", "8.15", by="digitscope")
def two_dimensions_are_digitscopes() -> None:
    x, _, y, layer = small_example()
    ours, backward = layer.forward(x.reshape(1, 3, 3, 1))
    agree(ours[0, :, :, 0], y)
    dx, grads = backward(SMALL_DY.reshape(1, 2, 2, 1))
    w_first, w_last, x_first, x_last = matrices("8.15")
    agree(grads["weight"][0, 0], w_first - w_last)
    agree(dx[0, :, :, 0], x_first - x_last)


@check("8.15", by="differences")
def two_dimensions_by_differences() -> None:
    x, w, _, _ = small_example()
    w_first, w_last, x_first, x_last = matrices("8.15")
    agree(differences(lambda w: small_map(x, w), w, SMALL_DY), w_first - w_last)
    agree(differences(lambda x: small_map(x, w), x, SMALL_DY), x_first - x_last)


@check("8.15", by="sympy")
def two_dimensions_symbolically() -> None:
    numbers, w, _, _ = small_example()
    x, weight = sp.Matrix(3, 3, sp.symbols("x:9")), sp.Matrix(2, 2, sp.symbols("w:4"))
    along = sum(weight[u, v] * (x[u, v] - x[u + 1, v + 1]) for u in range(2) for v in range(2))
    there = dict(zip([*x, *weight], [*numbers.ravel(), *w.ravel()], strict=True))
    w_first, w_last, x_first, x_last = matrices("8.15")
    for symbols, slopes in ((weight, w_first - w_last), (x, x_first - x_last)):
        for symbol, slope in zip(symbols, slopes.ravel(), strict=True):
            agree(float(sp.diff(along, symbol).subs(there)), float(slope))


@check("8.14", "8.15", by="printed")
def two_dimensions_as_printed() -> None:
    x, w, y, layer = small_example()
    holds("8.14", {"x": x, "W": w, "y": y})
    dx, grads = layer.forward(x.reshape(1, 3, 3, 1))[1](SMALL_DY.reshape(1, 2, 2, 1))
    holds("8.15", {"dW": grads["weight"][0, 0], "dx": dx[0, :, :, 0]})
