"""Chapter 12: convolution with fewer copies and fewer multiplications."""

from functools import partial

import numpy as np
import sympy as sp

from digitscope.arrays import Array
from digitscope.nn.kernels.convolution import row_windows, transform_rows
from digitscope.nn.kernels.toom_cook import Transforms, toom_cook
from digitscope.nn.kernels.toom_cook import direct_transforms as copied
from docs.notes.checks import agree, check, differences, matrices
from docs.notes.checks.chapter_08 import CASES, SIZE, as_row, case, correlation, in_a_row
from docs.notes.checks.formula import Value, holds

RNG = np.random.default_rng(8)


@check("12.11", "12.12", by="digitscope")
def rows_and_their_windows_are_digitscopes() -> None:
    for numbers in CASES:
        layer, x, dy = case(numbers)
        k, s, p = layer.kernel_size, layer.stride, layer.padding
        rows = transform_rows(copied(x.shape[2], k, s, p).input_transform, x, p, p)
        channels, height, width, batch = x.shape
        for h, c, v, j in np.ndindex(height + 2 * p, channels, k, dy.shape[2]):
            inside = 0 <= h - p < height and 0 <= s * j + v - p < width
            expected = x[c, h - p, s * j + v - p] if inside else np.zeros(batch)
            agree(rows[h, v * channels + c, 0].reshape(-1, batch)[j], expected)
        in_order = layer.params["weight"].transpose(0, 2, 3, 1).reshape(len(dy), -1)
        (y, backward), bias = layer.forward(x), layer.params["bias"]
        dw = np.zeros_like(in_order)
        for i, window in enumerate(row_windows(rows, k, s)[0]):
            agree(in_order @ window, (y - bias)[:, i].reshape(len(dy), -1))
            dw += dy[:, i].reshape(len(dy), -1) @ window.T
        agree(dw, backward(dy)[1]["weight"].transpose(0, 2, 3, 1).reshape(dw.shape))


@check("12.12", by="sympy")
def rows_symbolically() -> None:
    """Two rows of places, whose columns stand one behind the other in X."""
    weight = sp.Matrix(2, 3, sp.symbols("w:6"))
    rows = [sp.Matrix(3, 2, sp.symbols(f"x{i}_:6")) for i in range(2)]
    drows = [sp.Matrix(2, 2, sp.symbols(f"d{i}_:4")) for i in range(2)]
    along = sum(u * v for d, r in zip(drows, rows, strict=True) for u, v in zip(d, weight * r, strict=True))
    dw = sp.Matrix(2, 3, [sp.diff(along, v) for v in weight])
    assert sp.expand(dw - sum((d * r.T for d, r in zip(drows, rows, strict=True)), sp.zeros(2, 3))) == sp.zeros(2, 3)


@check("12.12", by="differences")
def the_rows_by_differences() -> None:
    xs, dys = RNG.normal(size=(3, 4, 2)), RNG.normal(size=(3, 2, 2))
    dw = sum(d @ x.T for d, x in zip(dys, xs, strict=True))
    agree(differences(lambda w: w @ xs, RNG.normal(size=(2, 4)), dys), dw)


@check("12.11", "12.12", by="printed")
def rows_as_printed() -> None:
    for numbers in (CASES[0], CASES[3]):
        layer, x, dy = case(numbers)
        _, o, k, s, p, h, w, n = numbers
        y, backward = layer.forward(x)
        rows = transform_rows(copied(w, k, s, p).input_transform, x, p, p)
        named = rows.reshape(h + 2 * p, k, x.shape[0], dy.shape[2], n)
        holds("12.11", {"R": named, "x": x, "p": float(p), "s": float(s)})
        by_row = {
            "Y": (y - layer.params["bias"]).transpose(1, 0, 2, 3).reshape(dy.shape[1], o, -1),
            "W": layer.params["weight"].transpose(0, 2, 3, 1).reshape(o, -1),
            "X": row_windows(rows, k, s)[0], "dY": dy.transpose(1, 0, 2, 3).reshape(dy.shape[1], o, -1),
            "dW": backward(dy)[1]["weight"].transpose(0, 2, 3, 1).reshape(o, -1),
        }  # fmt: skip
        holds("12.12", by_row)


TILE = 2


def one_tile(rng: np.random.Generator, tile: int = TILE) -> tuple[Transforms, Array, Array, Array]:
    """T, G and A for all places of a row at once; a row, a pattern, and a derivative with respect to the places."""
    length = tile + SIZE - 1
    return toom_cook(length, SIZE, 0, tile), rng.normal(size=length), rng.normal(size=SIZE), rng.normal(size=tile)


def places_of_products(A: Array, P: Array) -> Array:
    y: Array = A.T @ P
    return y


def tiled(T: Array, G: Array, A: Array, x: Array, w: Array) -> Array:
    """(12.15), as it stands."""
    return places_of_products(A, (G @ w) * (T @ x))


def by_hand() -> tuple[Array, Array, Array, Array]:
    """V, A, G and T of the points 0, 1, -1 and infinity, as the text has them."""
    V = np.array([[1.0, 0, 0, 0], [1, 1, 1, 1], [1, -1, 1, -1], [0, 0, 0, 1]])
    A, G = (np.vstack([V[:3, :n], np.eye(n)[-1]]) for n in (TILE, SIZE))
    return V, A, G, np.linalg.inv(V).T


@check("12.13", "12.14", "12.15", "12.16", by="sympy")
def a_product_of_polynomials() -> None:
    V, A, G, T = by_hand()
    z = sp.Symbol("z")
    f, w, x = sp.symbols("f:2"), sp.symbols("w:3"), sp.symbols("x:4")
    product_ = sp.Poly(sum(f[a] * z**a for a in range(2)) * sum(w[v] * z**v for v in range(3)), z)
    e = product_.all_coeffs()[::-1]
    for h in range(4):
        assert sp.expand(e[h] - sum(f[a] * w[h - a] for a in range(2) if 0 <= h - a < 3)) == 0
    for value, other in zip(
        sp.Matrix(V) * sp.Matrix(e), zip(A @ np.array(f), G @ np.array(w), strict=True), strict=True
    ):
        assert sp.simplify(value - other[0] * other[1]) == 0
    total = sum(x[h] * e[h] for h in range(4))
    y = A.T @ ((G @ np.array(w)) * (T @ np.array(x)))
    for a in range(2):
        assert sp.expand(sp.diff(total, f[a]) - sum(w[v] * x[a + v] for v in range(3))) == 0
        assert sp.simplify(sp.diff(total, f[a]) - y[a]) == 0


@check("12.15", "12.17", by="differences")
def a_tile_by_differences() -> None:
    for tile in range(2, 7):
        (T, G, A), x, w, dy = one_tile(RNG, tile)
        T, G, A = T[0, :, 0], G[0], A[:, 0]
        agree(places_of_products(A, (G @ w) * (T @ x)), correlation(x, w))
        dP = A @ dy
        agree(differences(partial(tiled, T, G, A, x), w, dy), G.T @ (dP * (T @ x)))
        agree(differences(partial(tiled, T, G, A, w=w), x, dy), T.T @ (dP * (G @ w)))
        agree(differences(partial(places_of_products, A), (G @ w) * (T @ x), dy), dP)


@check("12.17", by="sympy")
def a_tile_symbolically() -> None:
    _, A, G, T = by_hand()
    w, x, dy = (np.array(sp.symbols(f"{name}:{n}")) for name, n in (("w", 3), ("x", 4), ("d", 2)))
    along = dy @ (A.T @ ((G @ w) * (T @ x)))
    for symbols, slopes in ((w, G.T @ ((A @ dy) * (T @ x))), (x, T.T @ ((A @ dy) * (G @ w)))):
        for symbol, slope in zip(symbols, slopes, strict=True):
            assert sp.simplify(sp.diff(along, symbol) - slope) == 0
    P = np.array(sp.symbols("p:4"))
    for symbol, slope in zip(P, A @ dy, strict=True):
        assert sp.simplify(sp.diff(dy @ (A.T @ P), symbol) - slope) == 0


@check("12.13", "12.15", "12.17", by="digitscope")
def a_tile_is_digitscopes() -> None:
    (T, G, A), x, w, dy = one_tile(RNG)
    T, G, A = T[0, :, 0], G[0], A[:, 0]
    y, backward = in_a_row(w).forward(as_row(x, SIZE))
    dx, grads = backward(dy.reshape(1, 1, -1, 1))
    agree(A.T @ ((G @ w) * (T @ x)), y.ravel())
    agree(G.T @ ((A @ dy) * (T @ x)), grads["weight"][0, 0, 0])
    agree(T.T @ ((A @ dy) * (G @ w)), dx[0, 0, :, 0])
    agree(np.array([sum(dy[a] * w[h - a] for a in range(TILE) if 0 <= h - a < SIZE) for h in range(4)]), dx[0, 0, :, 0])


@check("12.13", "12.14", "12.15", "12.16", "12.17", by="printed")
def a_tile_as_printed() -> None:
    V, A, G, T = by_hand()
    f, w, x, dy = (RNG.normal(size=n) for n in (TILE, SIZE, TILE + SIZE - 1, TILE))
    e = np.convolve(f, w)
    holds("12.13", {"e": e, "f": f, "w": w, "m": float(TILE)})
    columns = {name: one[:, None] for name, one in (("e", e), ("f", f), ("w", w), ("x", x), ("dy", dy))}
    y, backward = in_a_row(w).forward(as_row(x, SIZE))
    dx, grads = backward(dy.reshape(1, 1, -1, 1))
    ours: dict[str, Value] = {
        **columns, "V": V, "A": A, "G": G, "T": T, "y": y.reshape(-1, 1), "dx": dx[0, 0],
        "dw": grads["weight"][0, 0, 0][:, None], "dP": A @ columns["dy"],
    }  # fmt: skip
    for number in ("12.14", "12.15", "12.17"):
        holds(number, ours)
    _, m3, x3 = matrices("8.3")
    x, w = x3[:4], m3[0, :3, None]
    holds("12.16", {"T": T, "x": x, "G": G, "w": w, "y": correlation(x.ravel(), w.ravel())[:, None]})
