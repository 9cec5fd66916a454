"""The convolutional layer."""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from digitscope.arrays import Array
from digitscope.errors import ShapeError
from digitscope.nn.initializers import Initializer, he, zeros
from digitscope.nn.layer import Backward, Layer, Params
from digitscope.nn.product import SMALL, row_sums

SMALL_OUTCOME = 1_200
"""Numbers up to which OpenBLAS takes a product X Y^T without rearranging its factors in memory first."""
LEAST = 24
"""Rows of X in such a product from which on that pays."""


class Conv2D(Layer):
    """2-D cross-correlation with zero padding: one small pattern for each output channel, sought everywhere.

    With s the stride, p the padding, and x zero outside the image:
    y[o,i,j,n] = b[o] + sum_{c,u,v} W[o,c,u,v] x[c, s i + u - p, s j + v - p, n]
    dW[o,c,u,v] = sum_{i,j,n} dy[o,i,j,n] x[c, s i + u - p, s j + v - p, n]
    db[o] = sum_{i,j,n} dy[o,i,j,n]
    dx[c,h,w,n] = sum_{o,u,v} W[o,c,u,v] dy[o,i,j,n] over the i, j with s i + u - p = h and s j + v - p = w

    All three are matrix products of windows ("im2col"). Along the width each number is copied to every window it is
    in; along the height nothing is: with rows as the first axis,
        R[h,(c,v),(j,n)] = x[c, h - p, s j + v - p, n],
    the k rows of a window lie one after the other in memory, so that the windows of one row of places,
        X_i[(u,c,v),(j,n)] = R[s i + u, (c,v), (j,n)],
    are R itself from row s i on. Then y_i = W X_i and dW = sum_i dy_i X_i^T. dx is the same the other way: rows of dy,
    with k - 1 rows of zeros around them, under the weights turned over in u.

    Shapes: x (C, H, W, N) -> y (O, H', W', N) with H' = (H + 2p - k) // s + 1, and W' likewise;
    W (O, C, k, k), b (O, 1, 1, 1). Without `bias` there is no b: batch normalization after it would take it away.
    Raises: ShapeError where x is not of rank 4, has not C channels, or is smaller than the window.
    Source: LeCun et al. 1998, section II; as a matrix product Chellapilla, Puri and Simard 2006.
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
        self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None
    ) -> tuple[Array, Backward]:
        return self._forward(x, need_dx=True)

    def forward_without_dx(
        self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None
    ) -> tuple[Array, Backward]:
        return self._forward(x, need_dx=False)

    def _forward(self, x: Array, *, need_dx: bool) -> tuple[Array, Backward]:
        k, s, p = self.kernel_size, self.stride, self.padding
        if x.ndim != 4 or x.shape[0] != self.in_channels:
            hint = f" Put Reshape({self.in_channels}, H, W) before it." if x.ndim == 2 else ""
            raise ShapeError(f"Conv2D expects ({self.in_channels}, H, W, N); got {x.shape}.{hint}")
        if min(x.shape[1:3]) + 2 * p < k:
            raise ShapeError(f"Conv2D's window of {k}x{k} does not fit into images of {x.shape[1:3]} padded by {p}.")
        W, batch = self.params["weight"], x.shape[-1]
        height, width = ((length + 2 * p - k) // s + 1 for length in x.shape[1:3])
        X = row_windows(width_windows(x, k, s, p), k, s)
        y = np.empty_like(x, shape=(self.out_channels, height, width, batch), order="C")
        flat = np.empty_like(W, shape=(self.out_channels, k, self.in_channels, k), order="C")
        for v in range(k):  # A single copy takes up to four times as long.
            flat[..., v] = W[..., v].transpose(0, 2, 1)
        multiply_rows(flat.reshape(self.out_channels, -1), X, y.reshape(*y.shape[:2], -1))
        if "bias" in self.params:
            y += self.params["bias"]

        def backward(dy: Array) -> tuple[Array, Params]:
            rows = dy.reshape(self.out_channels, height, -1).transpose(1, 0, 2)
            dW = multiply_transposed(X, rows).sum(axis=0).T
            grads = {"weight": dW.reshape(-1, k, self.in_channels, k).transpose(0, 2, 1, 3)}
            if "bias" in self.params:
                grads["bias"] = row_sums(dy.reshape(self.out_channels, -1)).reshape(-1, 1, 1, 1)
            return (self._dx(x, rows) if need_dx else x[:0]), grads

        return y, backward

    def _dx(self, x: Array, rows: Array) -> Array:
        """dx from the rows of dy, (H', O, W' N)."""
        k, s, p = self.kernel_size, self.stride, self.padding
        channels, height, width, batch = x.shape
        spread = np.zeros_like(x, shape=(height + 2 * p + k - 1, *rows.shape[1:]), order="C")
        spread[k - 1 : k - 1 + s * len(rows) : s] = rows
        turned = self.params["weight"][:, :, ::-1].transpose(1, 3, 2, 0).reshape(channels * k, -1)
        pieces = np.empty_like(x, shape=(channels * k, height, rows.shape[2]), order="C")
        multiply_rows(turned, row_windows(spread, k, 1)[p : p + height], pieces)
        pieces = pieces.reshape(channels, k, height, -1, batch)
        dx = np.zeros_like(x, order="C")
        for v in range(k):
            columns, seers = seen(width, pieces.shape[3], v - p, s)
            dx[:, :, columns] += pieces[:, v, :, seers]
        return dx

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


def width_windows(x: Array, size: int, stride: int, padding: int) -> Array:
    """R[h,(c,v),(j,n)] = x[c, h - p, s j + v - p, n] with stride s and padding p, x being zero outside the image.

    (C, H, W, N) -> (H + 2p, C size, W' N), W' = (W + 2p - size) // s + 1
    """
    channels, height, width, batch = x.shape
    places = (width + 2 * padding - size) // stride + 1
    rows = np.empty_like(x, shape=(height + 2 * padding, channels, size, places, batch), order="C")
    image = rows[padding : padding + height]
    for v in range(size):
        columns, seers = seen(width, places, v - padding, stride)
        image[:, :, v, seers] = x[:, :, columns].transpose(1, 0, 2, 3)
        if padding:
            image[:, :, v, : seers.start] = image[:, :, v, seers.stop :] = 0
    if padding:
        rows[:padding] = rows[padding + height :] = 0
    return rows.reshape(len(rows), channels * size, -1)


def seen(width: int, places: int, shift: int, stride: int) -> tuple[slice, slice]:
    """The columns s j + shift that places j see, as far as the image goes; and the places that see them."""
    first = max(0, -(shift // stride))
    end = max(first, min(places, (width - 1 - shift) // stride + 1))
    return slice(stride * first + shift, stride * end + shift, stride), slice(first, end)


def row_windows(rows: Array, size: int, stride: int) -> Array:
    """X[i,(u,d),l] = rows[s i + u, d, l], a view. (H, D, L) -> (H', size D, L), H' = (H - size) // s + 1"""
    views = np.lib.stride_tricks.sliding_window_view(rows, size, axis=0)[::stride].transpose(0, 3, 1, 2)
    return views.reshape(len(views), size * rows.shape[1], rows.shape[2])


def multiply_rows(W: Array, X: Array, y: Array) -> None:
    """Writes y[:,i] = W X[i], in pieces that BLAS takes without rearranging them first.

    Shapes: W (O, D), X (H', D, L), y (O, H', L)
    """
    length = X.shape[2]
    least = -(-W.size * length // SMALL)
    pieces = next((n for n in range(least, 4 * least) if length % n == 0), 1)
    np.matmul(W, cut(X, pieces), out=cut(y.transpose(1, 0, 2), pieces))


def multiply_transposed(X: Array, y: Array) -> Array:
    """X[i] y[i]^T for each i: faster with BLAS than y[i] X[i]^T, which is the same turned round.

    For few y, X is cut into pieces that BLAS takes without rearranging them first.
    Shapes: X (H', D, L), y (H', O, L) -> (H', D, O)
    """
    height, depth, length = X.shape
    fitting = [n for n in range(LEAST, depth) if depth % n == 0 and n * y.shape[1] <= SMALL_OUTCOME]
    piece = max(fitting, default=depth)
    products: Array = np.matmul(X.reshape(height, -1, piece, length), y[:, None].transpose(0, 1, 3, 2))
    return products.reshape(height, depth, -1)


def cut(x: Array, pieces: int) -> Array:
    """The last axis in equal pieces, in order along a new first axis; a view. (..., L) -> (pieces, ..., L / pieces)"""
    return np.moveaxis(x.reshape(*x.shape[:-1], pieces, -1), -2, 0)
