"""Layers from images to sequences: the height becomes channels, then convolution along the width alone."""

from collections.abc import Mapping
from math import prod
from typing import Any, Self

import numpy as np

from digitscope.arguments import check_sizes, check_truth, check_whole
from digitscope.arrays import Array
from digitscope.errors import ShapeError
from digitscope.nn.initializers import Initializer, check_initializers, he, zeros
from digitscope.nn.kernels.pooling import max_along
from digitscope.nn.kernels.product import row_sums
from digitscope.nn.layer import CALL, Backward, Layer, Params


class MaxPoolHeight(Layer):
    """The maximum of `size` rows, column by column: images become lower and stay as wide.

    y[c,i,j,n] = max_u x[c, size i + u, j, n]
    dx[c,h,w,n] = dy[c,i,w,n] if x[c,h,w,n] is the first maximum of window i, else 0

    Shapes: x (C, H, W, N) -> y (C, H // size, W, N); rows left over are not read.
    Raises: ShapeError if x is not of rank 4 or is lower than the window.
    Source: Shi, Bai and Yao 2017, "An End-to-End Trainable Neural Network for Image-based Sequence Recognition"
    Derivation: docs/notes/08-convolution.md#smaller-maps
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        check_whole("MaxPoolHeight's size", size)
        if size < 1:
            raise ShapeError(f"MaxPoolHeight expects a size of at least 1; got {size}.")
        self.size = size

    def forward(
        self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None, need_dx: bool = True
    ) -> tuple[Array, Backward]:
        self._check(x.shape)
        y, pool_backward = max_along(x, 1, self.size, self.size, keep_masks=training)
        return y, lambda dy: (pool_backward(dy), {})

    def _check(self, shape: tuple[int, ...]) -> None:
        if len(shape) != 4 or shape[1] < self.size:
            raise ShapeError(f"MaxPoolHeight expects (C, H, W, N), H at least {self.size}; got {shape}.")

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        self._check((*shape, 1))
        return shape[0], shape[1] // self.size, shape[2]

    def memory(self, shape: tuple[int, ...]) -> int:
        """The maximum so far and the next one; each row of the window takes a call of NumPy."""
        return super().memory(shape) + prod(self.output_shape(shape)) + self.size * CALL

    def config(self) -> dict[str, Any]:
        return {"size": self.size}


class FoldHeight(Layer):
    """Makes each column of an image one step of a sequence; its channels are the column's numbers.

    y[(c,i),t,n] = x[c,i,t,n]
    dx is dy in x's shape

    Shapes: x (C, H, W, N) -> y (C H, W, N). Raises: ShapeError if x is not of rank 4.
    Source: Shi, Bai and Yao 2017, section 2.1 ("map-to-sequence")
    Derivation: docs/notes/08-convolution.md#an-answer-for-every-pixel
    """

    def forward(
        self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None, need_dx: bool = True
    ) -> tuple[Array, Backward]:
        self._check(x.shape)
        return x.reshape(-1, *x.shape[2:]), lambda dy: (dy.reshape(x.shape), {})

    def _check(self, shape: tuple[int, ...]) -> None:
        if len(shape) != 4:
            raise ShapeError(f"FoldHeight expects (C, H, W, N); got {shape}.")

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        self._check((*shape, 1))
        return shape[0] * shape[1], shape[2]


class Conv1D(Layer):
    """A convolution along a sequence, as long as before: zeros are added at both ends.

    With k the kernel's size, odd, p = (k - 1) / 2, and x zero outside the sequence:
    y[o,t,n] = b[o] + sum_{c,u} W[o,c,u] x[c, t + u - p, n]
    dW[o,c,u] = sum_{t,n} dy[o,t,n] x[c, t + u - p, n]
    db[o] = sum_{t,n} dy[o,t,n]
    dx[c,t,n] = sum_{o,u} W[o,c,u] dy[o, t - u + p, n]

    It is k matrix products with shifted views of x, which are not copied.

    Shapes: x (C, T, N) -> y (O, T, N); W (O, C, k), b (O, 1, 1). Set `bias` to False before batch normalization.
    Raises: ShapeError if x is not of rank 3 or does not have C channels, or for an even kernel size.
    Source: Waibel et al. 1989, "Phoneme Recognition Using Time-Delay Neural Networks"
    Derivation: docs/notes/08-convolution.md
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        bias: bool = True,
        rng: np.random.Generator | None = None,
        weight: Initializer = he,
    ) -> None:
        """Draws the weights from `rng`; if it is None, from a generator with a random seed."""
        super().__init__()
        check_sizes("Conv1D", in_channels=in_channels, out_channels=out_channels, kernel_size=kernel_size)
        check_truth("Conv1D's bias", bias)
        check_initializers("Conv1D", rng, weight=weight)
        if min(in_channels, out_channels, kernel_size) < 1 or kernel_size % 2 == 0:
            raise ShapeError(
                "Conv1D expects channels of at least 1 and an odd kernel_size; "
                f"got {in_channels}, {out_channels}, {kernel_size}."
            )
        rng = np.random.default_rng() if rng is None else rng
        self.in_channels, self.out_channels, self.kernel_size = in_channels, out_channels, kernel_size
        fans = in_channels * kernel_size, out_channels * kernel_size
        self.params["weight"] = weight(rng, (out_channels, in_channels, kernel_size), *fans)
        if bias:
            self.params["bias"] = zeros(rng, (out_channels, 1, 1), *fans)

    def forward(
        self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None, need_dx: bool = True
    ) -> tuple[Array, Backward]:
        self._check(x.shape)
        W, b = np.copy(self.params["weight"].transpose(2, 0, 1), order="C"), self.params.get("bias")
        channels, length, batch = x.shape
        edge = self.kernel_size // 2
        padded = np.pad(x, ((0, 0), (edge, edge), (0, 0))).reshape(channels, -1)
        windows = [padded[:, u * batch : (u + length) * batch] for u in range(self.kernel_size)]
        y: Array = sum(w @ window for w, window in zip(W, windows, strict=True)).reshape(-1, length, batch)
        if b is not None:
            y += b

        def backward(dy: Array) -> tuple[Array | None, Params]:
            rows = dy.reshape(self.out_channels, -1)
            dW = np.stack([(window @ rows.T).T for window in windows], axis=2)
            grads = {"weight": dW} if b is None else {"weight": dW, "bias": row_sums(rows).reshape(b.shape)}
            if not need_dx:
                return None, grads
            padded_dx = np.zeros_like(padded)
            for u, w in enumerate(W):
                padded_dx[:, u * batch : (u + length) * batch] += w.T @ rows
            return padded_dx.reshape(channels, -1, batch)[:, edge : edge + length], grads

        return y, backward

    def _check(self, shape: tuple[int, ...]) -> None:
        if len(shape) != 3 or shape[0] != self.in_channels:
            raise ShapeError(f"Conv1D expects ({self.in_channels}, T, N); got {shape}.")

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        self._check((*shape, 1))
        return self.out_channels, shape[1]

    def memory(self, shape: tuple[int, ...]) -> int:
        """The padded input, a product and the sum so far; each place of the kernel takes a call of NumPy."""
        padded = self.in_channels * (shape[1] + self.kernel_size - 1)
        return super().memory(shape) + padded + 2 * prod(self.output_shape(shape)) + self.kernel_size * CALL

    def flops(self, shape: tuple[int, ...], *, training: bool = False, need_dx: bool = False) -> int:
        return 2 * (1 + training * (1 + need_dx)) * self.params["weight"].size * self.output_shape(shape)[1]

    def config(self) -> dict[str, Any]:
        return {
            "in_channels": self.in_channels,
            "out_channels": self.out_channels,
            "kernel_size": self.kernel_size,
            "bias": "bias" in self.params,
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        return cls(**config, weight=zeros)


class SplitSteps(Layer):
    """Makes each step of a sequence several, between which its channels are divided.

    y[c, factor t + r, n] = x[r C' + c, t, n]    with C' = C / factor
    dx is dy in the order of x

    Shapes: x (C, T, N) -> y (C / factor, factor T, N). Raises: ShapeError for another rank or number of channels.
    Source: Shi et al. 2016, "Real-Time Single Image and Video Super-Resolution", here along one axis
    Derivation: docs/notes/08-convolution.md#an-answer-for-every-pixel
    """

    def __init__(self, factor: int) -> None:
        super().__init__()
        check_whole("SplitSteps's factor", factor)
        if factor < 1:
            raise ShapeError(f"SplitSteps expects a factor of at least 1; got {factor}.")
        self.factor = factor

    def forward(
        self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None, need_dx: bool = True
    ) -> tuple[Array, Backward]:
        self._check(x.shape)
        _, length, batch = x.shape
        y = x.reshape(self.factor, -1, length, batch).transpose(1, 2, 0, 3).reshape(-1, self.factor * length, batch)

        def backward(dy: Array) -> tuple[Array, Params]:
            split = dy.reshape(-1, length, self.factor, batch).transpose(2, 0, 1, 3)
            return split.reshape(x.shape), {}

        return y, backward

    def _check(self, shape: tuple[int, ...]) -> None:
        if len(shape) != 3 or shape[0] % self.factor:
            raise ShapeError(f"SplitSteps expects (C, T, N), C divisible by {self.factor}; got {shape}.")

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        self._check((*shape, 1))
        return shape[0] // self.factor, self.factor * shape[1]

    def config(self) -> dict[str, Any]:
        return {"factor": self.factor}
