"""Layers that make images smaller: the largest or the mean of each window."""

from collections.abc import Callable, Iterator
from functools import reduce
from typing import Any

import numpy as np

from digitscope.arrays import Array
from digitscope.errors import ShapeError
from digitscope.nn.layer import Backward, Layer, Params


class MaxPool2D(Layer):
    """The largest number of each window, channel by channel.

    y[c,i,j,n] = max_{u,v} x[c, s i + u, s j + v, n]
    dx[c,h,w,n] = the sum of dy[c,i,j,n] over the windows (i,j) whose largest number is x[c,h,w,n]. Where several
    numbers of a window are largest, the first of them, column by column, gets all of dy: a choice, since the maximum
    has no derivative there.

    The largest of each column is found first, then the largest of those: half the work, and along memory.

    Shapes: x (C, H, W, N) -> y (C, H', W', N), H' = (H - size) // stride + 1; rows and columns left over are not read.
    `stride` is `size` unless given. Raises: ShapeError where x is not of rank 4 or is smaller than the window.
    Source: Ranzato et al. 2007.
    Derivation: docs/notes/08-convolution.md#smaller-maps
    """

    def __init__(self, size: int, stride: int | None = None) -> None:
        super().__init__()
        self.size, self.stride = _checked(size, stride)

    def forward(
        self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None, need_dx: bool = True
    ) -> tuple[Array, Backward]:
        _check_input(x, self.size)
        high, high_backward = self._along(x, 1, training)
        y, wide_backward = self._along(high, 2, training)
        return y, lambda dy: (high_backward(wide_backward(dy)), {})

    def _along(self, x: Array, axis: int, training: bool) -> tuple[Array, Callable[[Array], Array]]:
        """The largest number of each window along one axis, and its derivative dy -> dx.

        In training who is largest is noted at once, while x is in the cache; x itself need not be kept then.
        """
        views = self._views(x, axis)
        y = reduce(np.maximum, views)
        if not training:
            return y, lambda dy: self._along(x, axis, training=True)[1](dy)
        largest = [view == y for view in views[:-1]]
        shape, apart = x.shape, self.stride >= self.size
        fills = self.stride == self.size > 1 and x.shape[axis] == y.shape[axis] * self.size

        def backward(dy: Array) -> Array:
            make = np.empty_like if fills else np.zeros_like
            dx = make(dy, shape=shape, order="C")
            *first, last = self._views(dx, axis)
            left = dy  # of each window, what no number got yet
            for into, here in zip(first, largest, strict=True):
                if apart:
                    np.multiply(left, here, out=into)
                    left = np.subtract(left, into, out=last if into is first[-1] else None)
                else:
                    share = left * here
                    into += share
                    left = left - share
            if left is not last:
                last += left
            return dx

        return y, backward

    def _views(self, x: Array, axis: int) -> list[Array]:
        """For each place in a window along that axis, that number of every window."""
        return [_every(x, axis, start, self.size, self.stride) for start in range(self.size)]

    def config(self) -> dict[str, Any]:
        return {"size": self.size, "stride": self.stride}


class AveragePool2D(Layer):
    """The mean of each window, channel by channel.

    y[c,i,j,n] = (1/size²) sum_{u,v} x[c, s i + u, s j + v, n]
    dx[c,h,w,n] = (1/size²) times the sum of dy[c,i,j,n] over the windows (i,j) that x[c,h,w,n] is in

    Shapes: x (C, H, W, N) -> y (C, H', W', N), H' = (H - size) // stride + 1; rows and columns left over are not read.
    `stride` is `size` unless given. Raises: ShapeError where x is not of rank 4 or is smaller than the window.
    Source: LeCun et al. 1998, section II ("sub-sampling"), there followed by a learned factor and bias.
    Derivation: docs/notes/08-convolution.md#smaller-maps
    """

    def __init__(self, size: int, stride: int | None = None) -> None:
        super().__init__()
        self.size, self.stride = _checked(size, stride)

    def forward(
        self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None, need_dx: bool = True
    ) -> tuple[Array, Backward]:
        _check_input(x, self.size)
        numbers = self.size**2
        y = sum(self._views(x)) * x.dtype.type(1 / numbers)

        def backward(dy: Array) -> tuple[Array, Params]:
            dx = np.zeros_like(x)
            share = dy * dy.dtype.type(1 / numbers)
            for into in self._views(dx):
                into += share
            return dx, {}

        return y, backward

    def _views(self, x: Array) -> Iterator[Array]:
        """For each place in a window, that number of every window."""
        for u in range(self.size):
            rows = _every(x, 1, u, self.size, self.stride)
            for v in range(self.size):
                yield _every(rows, 2, v, self.size, self.stride)

    def config(self) -> dict[str, Any]:
        return {"size": self.size, "stride": self.stride}


class GlobalAveragePool2D(Layer):
    """The mean of each channel: what of it there is, wherever it is.

    y[c,n] = (1/(H W)) sum_{i,j} x[c,i,j,n]
    dx[c,i,j,n] = dy[c,n] / (H W)

    Shapes: x (C, H, W, N) -> y (C, N). Raises: ShapeError where x is not of rank 4.
    Source: Lin, Chen and Yan 2013, section 3.2.
    Derivation: docs/notes/08-convolution.md#smaller-maps
    """

    def forward(
        self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None, need_dx: bool = True
    ) -> tuple[Array, Backward]:
        _check_input(x, 1)

        def backward(dy: Array) -> tuple[Array, Params]:
            share = dy * dy.dtype.type(1 / (x.shape[1] * x.shape[2]))
            return np.zeros_like(x) + share[:, None, None, :], {}

        return x.mean(axis=(1, 2)), backward


def _every(x: Array, axis: int, start: int, size: int, stride: int) -> Array:
    """Of each window along `axis`, the number at `start`; a view."""
    places = (x.shape[axis] - size) // stride + 1
    every = slice(start, start + stride * places, stride)
    return x[:, every] if axis == 1 else x[:, :, every]


def _checked(size: int, stride: int | None) -> tuple[int, int]:
    stride = size if stride is None else stride
    if size < 1 or stride < 1:
        raise ShapeError(f"Pooling expects a size and a stride of at least 1; got {size} and {stride}.")
    return size, stride


def _check_input(x: Array, size: int) -> None:
    if x.ndim != 4 or min(x.shape[1:3]) < size:
        raise ShapeError(f"Pooling over {size}x{size} expects (C, H, W, N) with H and W at least that; got {x.shape}.")
