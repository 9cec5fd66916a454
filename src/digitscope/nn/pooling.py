"""Pooling, which makes images smaller: the maximum or the mean of each window."""

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from digitscope.arguments import check_whole
from digitscope.arrays import Array
from digitscope.errors import ShapeError
from digitscope.nn.kernels.pooling import fast_max_pool
from digitscope.nn.layer import CALL, Backward, Layer, Params


def at_offset(x: Array, u: int, v: int, size: int, stride: int) -> Array:
    """The number in row u and column v of every window; a view. (C, H, W, N) -> (C, H', W', N)"""
    rows, columns = ((length - size) // stride + 1 for length in x.shape[1:3])
    return x[:, u : u + stride * rows : stride, v : v + stride * columns : stride]


def max_pool(x: Array, size: int, stride: int) -> tuple[Array, Callable[[Array], Array]]:
    """The maximum of each window, channel by channel: the definition. Returns y and backward, dy -> dx.

    y[c,i,j,n] = max_{u,v} x[c, s i + u, s j + v, n]
    dx[c,h,w,n] = the sum of dy[c,i,j,n] over the windows (i,j) whose maximum is x[c,h,w,n]. If several numbers of a
    window are equal to its maximum, the first of them, column by column, receives all of dy: a choice, since the
    maximum has no derivative there.

    MaxPool2D computes the same by `fast_max_pool`.

    Shapes: x (C, H, W, N) -> y (C, H', W', N), H' = (H - size) // stride + 1; rows and columns left over are not read.
    Source: Ranzato et al. 2007. Derivation: docs/notes/08-convolution.md#smaller-maps
    """
    offsets = [(u, v) for v in range(size) for u in range(size)]  # column by column
    numbers = np.stack([at_offset(x, u, v, size, stride) for u, v in offsets])
    winner = numbers.argmax(axis=0)  # the first of several

    def backward(dy: Array) -> Array:
        dx = np.zeros_like(x)
        for index, (u, v) in enumerate(offsets):
            at_offset(dx, u, v, size, stride)[...] += dy * (winner == index)
        return dx

    return numbers.max(axis=0), backward


class MaxPool2D(Layer):
    """The maximum of each window, channel by channel; y and dx are those of `max_pool`.

    Shapes: x (C, H, W, N) -> y (C, H', W', N), H' = (H - size) // stride + 1; rows and columns left over are not read.
    `stride` is `size` unless given. Raises: ShapeError if x is not of rank 4 or is smaller than the window.
    Source: Ranzato et al. 2007. Derivation: docs/notes/08-convolution.md#smaller-maps
    """

    def __init__(self, size: int, stride: int | None = None) -> None:
        super().__init__()
        self.size, self.stride = _check_window(size, stride)

    def forward(
        self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None, need_dx: bool = True
    ) -> tuple[Array, Backward]:
        _check_input(x.shape, self.size)
        y, pool_backward = fast_max_pool(x, self.size, self.stride, keep_masks=training)
        return y, lambda dy: (pool_backward(dy), {})

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return _output_shape(shape, self.size, self.stride)

    def memory(self, shape: tuple[int, ...]) -> int:
        """Half pooled, it has all columns; each of 2 size views takes a call of NumPy."""
        return super().memory(shape) + prod(shape) + 2 * self.size * CALL

    def config(self) -> dict[str, Any]:
        return {"size": self.size, "stride": self.stride}


class AveragePool2D(Layer):
    """The mean of each window, channel by channel.

    y[c,i,j,n] = (1/size²) sum_{u,v} x[c, s i + u, s j + v, n]
    dx[c,h,w,n] = (1/size²) times the sum of dy[c,i,j,n] over the windows (i,j) that x[c,h,w,n] is in

    Shapes: x (C, H, W, N) -> y (C, H', W', N), H' = (H - size) // stride + 1; rows and columns left over are not read.
    `stride` is `size` unless given. Raises: ShapeError if x is not of rank 4 or is smaller than the window.
    Source: LeCun et al. 1998, section II ("sub-sampling"), there followed by a learned factor and bias.
    Derivation: docs/notes/08-convolution.md#smaller-maps
    """

    def __init__(self, size: int, stride: int | None = None) -> None:
        super().__init__()
        self.size, self.stride = _check_window(size, stride)

    def forward(
        self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None, need_dx: bool = True
    ) -> tuple[Array, Backward]:
        _check_input(x.shape, self.size)
        size, stride = self.size, self.stride
        offsets = [(u, v) for u in range(size) for v in range(size)]
        y = sum(at_offset(x, u, v, size, stride) for u, v in offsets) * x.dtype.type(1 / size**2)

        def backward(dy: Array) -> tuple[Array, Params]:
            dx = np.zeros_like(x)
            mean_dy = dy * dy.dtype.type(1 / size**2)
            for u, v in offsets:
                at_offset(dx, u, v, size, stride)[...] += mean_dy
            return dx, {}

        return y, backward

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return _output_shape(shape, self.size, self.stride)

    def memory(self, shape: tuple[int, ...]) -> int:
        """Each place of the window takes a call of NumPy."""
        return super().memory(shape) + self.size**2 * CALL

    def config(self) -> dict[str, Any]:
        return {"size": self.size, "stride": self.stride}


class GlobalAveragePool2D(Layer):
    """The mean of each channel over all positions.

    y[c,n] = (1/(H W)) sum_{i,j} x[c,i,j,n]
    dx[c,i,j,n] = dy[c,n] / (H W)

    Shapes: x (C, H, W, N) -> y (C, N). Raises: ShapeError if x is not of rank 4.
    Source: Lin, Chen and Yan 2013, section 3.2.
    Derivation: docs/notes/08-convolution.md#smaller-maps
    """

    def forward(
        self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None, need_dx: bool = True
    ) -> tuple[Array, Backward]:
        _check_input(x.shape, 1)

        def backward(dy: Array) -> tuple[Array, Params]:
            mean_dy = dy * dy.dtype.type(1 / (x.shape[1] * x.shape[2]))
            return np.zeros_like(x) + mean_dy[:, None, None, :], {}

        return x.mean(axis=(1, 2)), backward

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        _check_input((*shape, 1), 1)
        return shape[:1]


def _check_window(size: int, stride: int | None) -> tuple[int, int]:
    check_whole("Pooling's size", size)
    check_whole("Pooling's stride", stride, optional=True)
    stride = size if stride is None else stride
    if size < 1 or stride < 1:
        raise ShapeError(f"Pooling expects a size and a stride of at least 1; got {size} and {stride}.")
    return size, stride


def _check_input(shape: tuple[int, ...], size: int) -> None:
    if len(shape) != 4 or min(shape[1:3]) < size:
        raise ShapeError(
            f"Pooling over {size}x{size} expects (C, H, W, N) with H and W of at least {size}; got {shape}."
        )


def _output_shape(shape: tuple[int, ...], size: int, stride: int) -> tuple[int, ...]:
    _check_input((*shape, 1), size)
    channels, height, width = shape
    return channels, (height - size) // stride + 1, (width - size) // stride + 1
