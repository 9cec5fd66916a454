"""Convolution as a few large matrix products, with a third to a half of the multiplications of its definition."""

from collections.abc import Callable
from functools import reduce
from math import prod

import numpy as np

from digitscope.arrays import Array
from digitscope.nn.kernels.product import SMALL_PRODUCT, row_sums
from digitscope.nn.kernels.toom_cook import choose_transforms

SMALL_PRODUCT_TRANSPOSED = 1_200
"""Largest result of X Y^T, in numbers, that OpenBLAS computes without copying (packing) its factors first."""
MIN_PIECE = 24
"""Minimum number of rows of X in each piece if X Y^T is computed in pieces."""
ROW_GAP = 16
"""Unused numbers after each row of a factor, 64 bytes of float32. Rows a power of two apart would compete for the same
few lines of the cache."""


def fast_convolve(
    x: Array, W: Array, b: Array | None, stride: int, padding: int, *, need_dx: bool = True
) -> tuple[Array, Callable[[Array], tuple[Array | None, Array, Array | None]]]:
    """The same as `digitscope.nn.conv.convolve`, except for rounding. Returns y and backward, dy -> (dx, dW, db).

    dx is None without need_dx, and db without b.

    Along the width. A row w of the kernel slides over a row of x as y = A^T ((G w) * (T x)), * element by element, with
    the matrices of `choose_transforms`. The input transform T cuts the row into Q tiles and maps each to g numbers:
        R[h,c,g,(q,n)] = sum_w T[g,q,w] x[c, h - p, w, n].

    Along the height. Rows are the first axis in memory. So the k rows of a window lie one after the other, and the
    windows of one row of outputs,
        X_gi[(u,c),(q,n)] = R[s i + u, c, g, (q,n)],
    are a view of R that begins at row s i, so nothing is copied; im2col would copy every window.

    All sums are then matrix products, with W_g[o,(u,c)] = sum_v G[g,v] W[o,c,u,v]:
        M_gi = W_g X_gi and y_i = A^T M_i,
        dM_i = A dy_i, dW_g = sum_i dM_gi X_gi^T and dW = sum_g G_g dW_g.
    dx is a convolution of dM with the kernel reversed in u, with k - 1 rows of zeros around dM and s - 1 between its
    rows, and T^T at the end.

    Source: as matrix products Chellapilla, Puri and Simard 2006; with fewer multiplications Lavin and Gray 2016, here
    along one axis. Derivation: docs/notes/12-speed.md#fewer-multiplications
    """
    (outputs, channels, k, _), s, p = W.shape, stride, padding
    height = (x.shape[1] + 2 * p - k) // s + 1
    transforms = choose_transforms(x.shape[2], k, s, p, channels, outputs)
    T, G, A = (np.asarray(matrix, x.dtype, like=x) for matrix in transforms)
    X = row_windows(transform_rows(T, x, p, p), k, s)
    W_g = np.empty_like(x, shape=(len(X), outputs, k, len(G), channels), order="C")
    np.matmul(G, W.transpose(0, 2, 3, 1)[:, :, None], out=W_g.transpose(1, 2, 3, 0, 4))
    y = multiply_rows(W_g.reshape(len(W_g), outputs, -1), X)
    y = y.reshape(outputs, height, -1, x.shape[3])
    is_transformed = len(X) > 1  # otherwise A is the identity
    if is_transformed:
        y = np.matmul(A.reshape(-1, A.shape[2]).T, y)
    if b is not None:
        y += b

    def backward(dy: Array) -> tuple[Array | None, Array, Array | None]:
        if is_transformed or need_dx:
            below = x.shape[1] + 2 * p - 1 - s * (height - 1)
            dM = transform_rows(A[None] if is_transformed else None, dy, k - 1, below, s)
            dM_rows = dM[k - 1 : k - 1 + s * height : s]
        else:
            dM_rows = dy.reshape(outputs, height, 1, -1).transpose(1, 0, 2, 3)
        dW = multiply_transposed(X, dM_rows.transpose(2, 0, 1, 3)).sum(axis=1)
        dW = dW.reshape(len(X), k, len(G), -1).transpose(2, 0, 1, 3)
        dW = np.tensordot(G, dW, axes=((0, 1), (0, 1)))
        dW = dW.reshape(k, k, channels, outputs).transpose(3, 2, 1, 0)
        db = row_sums(dy.reshape(outputs, -1)).reshape(-1, 1, 1, 1) if b is not None else None
        return (input_derivative(dM, W, T, G, x, p) if need_dx else None), dW, db

    return y, backward


def input_derivative(dM: Array, W: Array, T: Array, G: Array, x: Array, padding: int) -> Array:
    """dx of x's shape. Shapes: dM with its rows of zeros, (H + 2p + k - 1, O, G, Q N)"""
    outputs, channels, k, _ = W.shape
    reversed_W_g = np.empty_like(x, shape=(dM.shape[2], len(G), channels, k, outputs), order="C")
    np.matmul(G, W[:, :, ::-1].transpose(1, 2, 3, 0)[:, :, None], out=reversed_W_g.transpose(2, 3, 1, 0, 4))
    windows = row_windows(dM, k, 1)[:, padding : padding + x.shape[1]]
    dR = multiply_rows(reversed_W_g.reshape(len(reversed_W_g), -1, k * outputs), windows)
    dR = dR.reshape(len(G), *x.shape[:2], -1, x.shape[3])
    return reduce(np.add, map(np.matmul, T.reshape(len(T), -1, x.shape[2]).transpose(0, 2, 1), dR))


def transform_rows(T: Array | None, x: Array, above: int, below: int, step: int = 1) -> Array:
    """R[above + step h,(d,c),g,(q,n)] = sum_w T[d,g,q,w] x[c,h,w,n], and zeros in all other rows.

    Shapes: T (D, G, Q, W), x (C, H, W, N) -> (above + (H - 1) step + 1 + below, D C, G, Q N)
    Without T, x itself: D = G = 1, Q = W.
    """
    channels, height, width, batch = x.shape
    depth, points, tiles, _ = T.shape if T is not None else (1, 1, width, width)
    end = above + (height - 1) * step + 1
    rows = empty_with_row_gap(x, (end + below, depth, channels), (points * tiles, batch))
    rows[:above] = rows[end:] = 0
    for between in range(1, step):
        rows[above + between : end : step] = 0
    x = x.transpose(1, 0, 2, 3)[:, None]
    if T is None:
        rows[above:end:step] = x
    else:
        np.matmul(T.reshape(depth, 1, -1, width), x, out=rows[above:end:step])
    return rows.reshape(len(rows), depth * channels, points, -1)


def row_windows(rows: Array, size: int, stride: int) -> Array:
    """X[g,i,(u,d),l] = rows[s i + u, d, g, l], a view. (H, D, G, L) -> (G, H', size D, L), H' = (H - size) // s + 1"""
    views = np.lib.stride_tricks.sliding_window_view(rows, size, axis=0)[::stride].transpose(2, 0, 4, 1, 3)
    return views.reshape(*views.shape[:2], size * rows.shape[1], rows.shape[3])


def multiply_rows(W: Array, X: Array) -> Array:
    """y[:,i,g] = W[g] X[g,i], in pieces so small that BLAS multiplies without packing them first.

    Shapes: W (G, O, D), X (G, H', D, L) -> (O, H', G, L)
    """
    (points, outputs, depth), (_, height, _, length) = W.shape, X.shape
    y = empty_with_row_gap(W, (outputs,), (height, points, length))
    fewest = -(-outputs * depth * length // SMALL_PRODUCT)
    pieces = next((n for n in range(fewest, 4 * fewest) if length % n == 0), 1)
    np.matmul(W[:, None], split_last_axis(X, pieces), out=split_last_axis(y.transpose(2, 1, 0, 3), pieces))
    return y


def multiply_transposed(X: Array, y: Array) -> Array:
    """X[g,i] y[g,i]^T for each g and i, which BLAS computes faster than the transpose, y X^T (docs/log.md).

    If y has few rows, X is cut into pieces that BLAS multiplies without packing them first.
    Shapes: X (G, H', D, L), y (G, H', O, L) -> (G, H', D, O)
    """
    points, height, depth, length = X.shape
    sizes = [n for n in range(MIN_PIECE, depth) if depth % n == 0 and n * y.shape[2] <= SMALL_PRODUCT_TRANSPOSED]
    piece = max(sizes, default=depth)
    products: Array = np.matmul(X.reshape(points, height, -1, piece, length), y[:, :, None].transpose(0, 1, 2, 4, 3))
    return products.reshape(points, height, depth, -1)


def empty_with_row_gap(like: Array, rows: tuple[int, ...], columns: tuple[int, ...]) -> Array:
    """An uninitialized array of like's type, (*rows, *columns), with ROW_GAP unused numbers after each row."""
    length = prod(columns)
    return np.empty_like(like, shape=(*rows, length + ROW_GAP), order="C")[..., :length].reshape(*rows, *columns)


def split_last_axis(x: Array, pieces: int) -> Array:
    """The last axis in equal pieces, in order along a new first axis; a view. (..., L) -> (pieces, ..., L / pieces)"""
    return np.moveaxis(x.reshape(*x.shape[:-1], pieces, -1), -2, 0)
