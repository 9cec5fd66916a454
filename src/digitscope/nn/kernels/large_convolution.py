"""Convolution of large images as matrix products of short runs of pixels, with or without dilation."""

from collections.abc import Callable, Iterator

import numpy as np

from digitscope.arrays import Array

BLOCK = 128_000
"""Numbers in a block of windows, 512 KB of float32: it stays in the cache between its copy and its product."""


def convolve_large(
    x: Array, W: Array, b: Array | None, padding: int, dilation: int, *, need_dx: bool = True
) -> tuple[Array, Callable[[Array], tuple[Array | None, Array, Array | None]]]:
    """The same as `digitscope.nn.conv.convolve` with stride 1, except for rounding. Returns y and backward.

    The padded image is one row of pixels, in which the window's pixel (u, v) is o(u, v) = d (u W + v) pixels after its
    first, whatever the window: W is the padded width and d the dilation. So the windows of a run of pixels l are k²
    slices of that row,
        X[(u,v,c),l] = x[c, l + o(u,v)],
    and y = W X + b. At the end of each row, windows wrap to the next one; these outputs are left out. A run is so short
    that X stays in the cache, and its length is not that of a row, so images of any width take the same time for a
    pixel. `fast_convolve` needs fewer operations, but its transforms grow with the square of the width.
        dW = sum_l dy[:,l] X[:,l]^T
        dx[c, l + o(u,v)] += (W^T dy)[(u,v,c),l]

    Shapes: x (C, H, W, N), W (O, C, k, k), b (O, 1, 1, 1) -> y (O, H + 2p - d (k - 1), W + 2p - d (k - 1), N)
    """
    (channels, height, width, batch), (outputs, _, k, _), p, d = x.shape, W.shape, padding, dilation
    rows, columns = height + 2 * p, width + 2 * p
    size = rows - d * (k - 1), columns - d * (k - 1)
    row = columns * batch
    length = (size[0] - 1) * row + size[1] * batch
    padded = np.zeros_like(x, shape=(channels, rows, columns, batch), order="C")
    padded[:, p : p + height, p : p + width] = x
    pixels = padded.reshape(channels, -1)
    offsets = [d * (u * row + v * batch) for u in range(k) for v in range(k)]
    W_rows = W.transpose(0, 2, 3, 1).reshape(outputs, -1)
    step = max(1, BLOCK // W_rows.shape[1])

    def blocks() -> Iterator[tuple[int, int, Array]]:
        buffer = np.empty_like(x, shape=(len(offsets), channels, min(step, length)), order="C")
        for start in range(0, length, step):
            stop = min(start + step, length)
            X = buffer[..., : stop - start]
            for window, offset in zip(X, offsets, strict=True):
                window[...] = pixels[:, start + offset : stop + offset]
            yield start, stop, X.reshape(-1, stop - start)

    y = np.empty_like(x, shape=(outputs, size[0] * row), order="C")
    for start, stop, X in blocks():
        np.matmul(W_rows, X, out=y[:, start:stop])
    y = y.reshape(outputs, size[0], columns, batch)[:, :, : size[1]]
    y = y.copy() if b is None else y + b

    def backward(dy: Array) -> tuple[Array | None, Array, Array | None]:
        dy_rows = np.zeros_like(x, shape=(outputs, size[0], columns, batch), order="C")
        dy_rows[:, :, : size[1]] = dy
        dy_pixels = dy_rows.reshape(outputs, -1)
        dW = np.zeros_like(W_rows)
        dx_pixels = np.zeros_like(pixels) if need_dx else None
        for start, stop, X in blocks():
            dy_block = dy_pixels[:, start:stop]
            dW += dy_block @ X.T
            if dx_pixels is not None:
                dX = (W_rows.T @ dy_block).reshape(len(offsets), channels, -1)
                for window, offset in zip(dX, offsets, strict=True):
                    dx_pixels[:, start + offset : stop + offset] += window
        dx = None
        if dx_pixels is not None:
            dx = dx_pixels.reshape(padded.shape)[:, p : p + height, p : p + width]
        db = dy.sum(axis=(1, 2, 3)).reshape(b.shape) if b is not None else None
        return dx, dW.reshape(outputs, k, k, channels).transpose(0, 3, 1, 2), db

    return y, backward
