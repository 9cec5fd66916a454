"""Convolution as one matrix product of copied windows, for GPUs: there it counts how few operations are started."""

from collections.abc import Callable

import numpy as np

from digitscope.arrays import Array
from digitscope.nn.kernels.product import row_sums


def convolve_windows(
    x: Array, W: Array, b: Array | None, stride: int, padding: int, *, need_dx: bool = True
) -> tuple[Array, Callable[[Array], tuple[Array | None, Array, Array | None]]]:
    """The same as `digitscope.nn.conv.convolve`, except for rounding. Returns y and backward, dy -> (dx, dW, db).

    Every window is copied into a column of X (im2col), and all else is three products,
        y = W X + b,  dW = dy X^T,  dx = W' Y,
    with Y the windows of dy, which has s - 1 zeros between its rows and columns and k - 1 around them, and with W' the
    kernel turned by 180 degrees and its channels exchanged. dx is None without need_dx, and db without b.

    Shapes: x (C, H, W, N), W (O, C, k, k), b (O, 1, 1, 1) -> y (O, H', W', N), with H' and W' as in `convolve`
    Source: Chellapilla, Puri and Simard 2006. Compared with `fast_convolve`: docs/log.md
    """
    (outputs, channels, k, _), s, p = W.shape, stride, padding
    _, height, width, batch = x.shape
    rows, columns = (height + 2 * p - k) // s + 1, (width + 2 * p - k) // s + 1
    padded = x
    if p:
        padded = np.zeros_like(x, shape=(channels, height + 2 * p, width + 2 * p, batch), order="C")
        padded[:, p : p + height, p : p + width] = x
    X = _window_columns(padded, k, s)
    y = (W.reshape(outputs, -1) @ X).reshape(outputs, rows, columns, batch)
    if b is not None:
        y += b

    def backward(dy: Array) -> tuple[Array | None, Array, Array | None]:
        dy_rows = dy.reshape(outputs, -1)
        dW = (dy_rows @ X.T).reshape(W.shape)
        db = row_sums(dy_rows).reshape(-1, 1, 1, 1) if b is not None else None
        if not need_dx:
            return None, dW, db
        spread = np.zeros_like(dy, shape=(outputs, height + 2 * p + k - 1, width + 2 * p + k - 1, batch), order="C")
        spread[:, k - 1 : k + s * (rows - 1) : s, k - 1 : k + s * (columns - 1) : s] = dy
        Y = _window_columns(spread[:, p : p + height + k - 1, p : p + width + k - 1], k, 1)
        turned = W[:, :, ::-1, ::-1].transpose(1, 0, 2, 3).reshape(channels, -1)
        return (turned @ Y).reshape(x.shape), dW, db

    return y, backward


def _window_columns(x: Array, size: int, stride: int) -> Array:
    """X[(c,u,v),(i,j,n)] = x[c, s i + u, s j + v, n]. (C, H, W, N) -> (C k k, H' W' N)"""
    windows = np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(1, 2))[:, ::stride, ::stride]
    return windows.transpose(0, 4, 5, 1, 2, 3).reshape(x.shape[0] * size * size, -1)
