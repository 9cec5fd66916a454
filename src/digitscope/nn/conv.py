"""The convolutional layer."""

from collections.abc import Mapping
from functools import reduce
from math import prod
from typing import Any, Self

import numpy as np

from digitscope.arrays import Array
from digitscope.errors import ShapeError
from digitscope.nn.initializers import Initializer, he, zeros
from digitscope.nn.kernels.product import SMALL, row_sums
from digitscope.nn.kernels.toom_cook import filtering
from digitscope.nn.layer import Backward, Layer, Params

SMALL_OUTCOME = 1_200
"""Numbers up to which OpenBLAS takes a product X Y^T without rearranging its factors in memory first."""
LEAST = 24
"""Rows of X in such a product from which on that pays."""
GAP = 16
"""Numbers left free between the rows of a factor, 64 bytes: rows a power of two apart would meet in the same few places
of the cache."""


class Conv2D(Layer):
    """2-D cross-correlation with zero padding: one small pattern for each output channel, sought everywhere.

    With s the stride, p the padding, and x zero outside the image:
    y[o,i,j,n] = b[o] + sum_{c,u,v} W[o,c,u,v] x[c, s i + u - p, s j + v - p, n]
    dW[o,c,u,v] = sum_{i,j,n} dy[o,i,j,n] x[c, s i + u - p, s j + v - p, n]
    db[o] = sum_{i,j,n} dy[o,i,j,n]
    dx[c,h,w,n] = sum_{o,u,v} W[o,c,u,v] dy[o,i,j,n] over the i, j with s i + u - p = h and s j + v - p = w

    All three are matrix products. Along the width a row of W slides over a row of x as y = A ((G w) * (T x)), * number
    by number, with the matrices of `filtering`: T samples the Q tiles of the row at G points each,
        R[h,c,g,(q,n)] = sum_w T[g,q,w] x[c, h - p, w, n].
    Along the height nothing is done: with rows as the first axis, the k rows of a window lie one after the other in
    memory, so that the windows of one row of places,
        X_gi[(u,c),(q,n)] = R[s i + u, c, g, (q,n)],
    are R itself from row s i on. With W_g[o,(u,c)] = sum_v G[g,v] W[o,c,u,v] then
        M_gi = W_g X_gi, y_i = A M_i, and back dM_i = A^T dy_i, dW_g = sum_i dM_gi X_gi^T, dW = sum_g G_g dW_g.
    dx is the same the other way: rows of dM, with k - 1 rows of zeros around them, under the weights turned over in u,
    and T^T at the end.

    Shapes: x (C, H, W, N) -> y (O, H', W', N) with H' = (H + 2p - k) // s + 1, and W' likewise;
    W (O, C, k, k), b (O, 1, 1, 1). Without `bias` there is no b: batch normalization after it would take it away.
    Raises: ShapeError where x is not of rank 4, has not C channels, or is smaller than the window.
    Source: LeCun et al. 1998, section II; as a matrix product Chellapilla, Puri and Simard 2006; with fewer products
    Lavin and Gray 2016, here along one axis.
    Derivation: docs/notes/08-convolution.md
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        stride: int = 1,
        padding: int = 0,
        bias: bool = True,
        rng: np.random.Generator | None = None,
        weight: Initializer = he,
    ) -> None:
        """Draws the weights from `rng`; without one, from fresh entropy."""
        super().__init__()
        if min(in_channels, out_channels, kernel_size, stride) < 1 or padding < 0:
            raise ShapeError(
                "Conv2D expects channels, kernel_size and stride of at least 1 and padding of at least 0; "
                f"got {in_channels}, {out_channels}, {kernel_size}, {stride}, {padding}."
            )
        rng = np.random.default_rng() if rng is None else rng
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding
        window = kernel_size * kernel_size
        shape = (out_channels, in_channels, kernel_size, kernel_size)
        self.params["weight"] = weight(rng, shape, in_channels * window, out_channels * window)
        if bias:
            self.params["bias"] = zeros(rng, (out_channels, 1, 1, 1), in_channels * window, out_channels * window)

    def forward(
        self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None, need_dx: bool = True
    ) -> tuple[Array, Backward]:
        k, s, p = self.kernel_size, self.stride, self.padding
        if x.ndim != 4 or x.shape[0] != self.in_channels:
            hint = f" Put Reshape({self.in_channels}, H, W) before it." if x.ndim == 2 else ""
            raise ShapeError(f"Conv2D expects ({self.in_channels}, H, W, N); got {x.shape}.{hint}")
        if min(x.shape[1:3]) + 2 * p < k:
            raise ShapeError(f"Conv2D's window of {k}x{k} does not fit into images of {x.shape[1:3]} padded by {p}.")
        outputs, height = self.out_channels, (x.shape[1] + 2 * p - k) // s + 1
        matrices = filtering(x.shape[2], k, s, p, self.in_channels, outputs)
        T, G, A = (np.asarray(matrix, x.dtype, like=x) for matrix in matrices)
        X = row_windows(sample_rows(T, x, p, p), k, s)
        W = np.empty_like(x, shape=(len(X), outputs, k, len(G), self.in_channels), order="C")
        weight = self.params["weight"].transpose(0, 2, 3, 1)[:, :, None]
        np.matmul(G, weight, out=W.transpose(1, 2, 3, 0, 4))
        y = multiply_rows(W.reshape(len(W), outputs, -1), X)
        y = y.reshape(outputs, height, -1, x.shape[3])
        interpolated = len(X) > 1
        if interpolated:
            y = np.matmul(A.reshape(-1, A.shape[2]).T, y)
        if "bias" in self.params:
            y += self.params["bias"]

        def backward(dy: Array) -> tuple[Array | None, Params]:
            if interpolated or need_dx:
                below = x.shape[1] + 2 * p - 1 - s * (height - 1)
                dM = sample_rows(A[None] if interpolated else None, dy, k - 1, below, s)
                rows = dM[k - 1 : k - 1 + s * height : s]
            else:
                rows = dy.reshape(outputs, height, 1, -1).transpose(1, 0, 2, 3)
            dW = multiply_transposed(X, rows.transpose(2, 0, 1, 3)).sum(axis=1)
            dW = dW.reshape(len(X), k, len(G), -1).transpose(2, 0, 1, 3)
            dW = np.tensordot(G, dW, axes=((0, 1), (0, 1)))
            grads = {"weight": dW.reshape(k, k, self.in_channels, outputs).transpose(3, 2, 1, 0)}
            if "bias" in self.params:
                grads["bias"] = row_sums(dy.reshape(outputs, -1)).reshape(-1, 1, 1, 1)
            return (self._dx(T, G, dM, x) if need_dx else None), grads

        return y, backward

    def _dx(self, T: Array, G: Array, dM: Array, x: Array) -> Array:
        """dx from dM with its rows of zeros, (H + 2p + k - 1, O, G, Q N)."""
        k, channels, outputs = self.kernel_size, self.in_channels, self.out_channels
        turned = np.empty_like(x, shape=(dM.shape[2], len(G), channels, k, outputs), order="C")
        weight = self.params["weight"][:, :, ::-1].transpose(1, 2, 3, 0)[:, :, None]
        np.matmul(G, weight, out=turned.transpose(2, 3, 1, 0, 4))
        windows = row_windows(dM, k, 1)[:, self.padding : self.padding + x.shape[1]]
        dR = multiply_rows(turned.reshape(len(turned), -1, k * outputs), windows)
        dR = dR.reshape(len(G), *x.shape[:2], -1, x.shape[3])
        return reduce(np.add, map(np.matmul, T.reshape(len(T), -1, x.shape[2]).transpose(0, 2, 1), dR))

    def flops(self, shape: tuple[int, ...], *, training: bool = False, need_dx: bool = False) -> int:
        places = prod(self.output_shape(shape)[1:])
        return 2 * (1 + training * (1 + need_dx)) * self.params["weight"].size * places

    def config(self) -> dict[str, Any]:
        return {
            "in_channels": self.in_channels,
            "out_channels": self.out_channels,
            "kernel_size": self.kernel_size,
            "stride": self.stride,
            "padding": self.padding,
            "bias": "bias" in self.params,
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        return cls(**config, weight=zeros)


def sample_rows(T: Array | None, x: Array, above: int, below: int, apart: int = 1) -> Array:
    """R[h,(d,c),g,(q,n)] = sum_w T[d,g,q,w] x[c,h,w,n], with rows of zeros above, below and between.

    Shapes: T (D, G, Q, W), x (C, H, W, N) -> (above + (H - 1) apart + 1 + below, D C, G, Q N)
    Without T, x itself: D = G = 1, Q = W.
    """
    channels, height, width, batch = x.shape
    depth, points, tiles, _ = T.shape if T is not None else (1, 1, width, width)
    end = above + (height - 1) * apart + 1
    rows = empty_apart(x, (end + below, depth, channels), (points * tiles, batch))
    rows[:above] = rows[end:] = 0
    for between in range(1, apart):
        rows[above + between : end : apart] = 0
    x = x.transpose(1, 0, 2, 3)[:, None]
    if T is None:
        rows[above:end:apart] = x
    else:
        np.matmul(T.reshape(depth, 1, -1, width), x, out=rows[above:end:apart])
    return rows.reshape(len(rows), depth * channels, points, -1)


def row_windows(rows: Array, size: int, stride: int) -> Array:
    """X[g,i,(u,d),l] = rows[s i + u, d, g, l], a view. (H, D, G, L) -> (G, H', size D, L), H' = (H - size) // s + 1"""
    views = np.lib.stride_tricks.sliding_window_view(rows, size, axis=0)[::stride].transpose(2, 0, 4, 1, 3)
    return views.reshape(*views.shape[:2], size * rows.shape[1], rows.shape[3])


def multiply_rows(W: Array, X: Array) -> Array:
    """y[:,i,g] = W[g] X[g,i], in pieces that BLAS takes without rearranging them first.

    Shapes: W (G, O, D), X (G, H', D, L) -> (O, H', G, L)
    """
    (points, outputs, depth), (_, height, _, length) = W.shape, X.shape
    y = empty_apart(W, (outputs,), (height, points, length))
    least = -(-outputs * depth * length // SMALL)
    pieces = next((n for n in range(least, 4 * least) if length % n == 0), 1)
    np.matmul(W[:, None], cut(X, pieces), out=cut(y.transpose(2, 1, 0, 3), pieces))
    return y


def multiply_transposed(X: Array, y: Array) -> Array:
    """X[g,i] y[g,i]^T for each g and i: faster with BLAS than y X^T, which is the same turned round.

    For few y, X is cut into pieces that BLAS takes without rearranging them first.
    Shapes: X (G, H', D, L), y (G, H', O, L) -> (G, H', D, O)
    """
    points, height, depth, length = X.shape
    fitting = [n for n in range(LEAST, depth) if depth % n == 0 and n * y.shape[2] <= SMALL_OUTCOME]
    piece = max(fitting, default=depth)
    products: Array = np.matmul(X.reshape(points, height, -1, piece, length), y[:, :, None].transpose(0, 1, 2, 4, 3))
    return products.reshape(points, height, depth, -1)


def empty_apart(like: Array, rows: tuple[int, ...], columns: tuple[int, ...]) -> Array:
    """An array of like's kind, (*rows, *columns), yet without values; with GAP numbers more after each row."""
    length = prod(columns)
    return np.empty_like(like, shape=(*rows, length + GAP), order="C")[..., :length].reshape(*rows, *columns)


def cut(x: Array, pieces: int) -> Array:
    """The last axis in equal pieces, in order along a new first axis; a view. (..., L) -> (pieces, ..., L / pieces)"""
    return np.moveaxis(x.reshape(*x.shape[:-1], pieces, -1), -2, 0)
