"""The convolutional layer."""

from collections.abc import Callable, Mapping
from math import prod
from typing import Any, Self

import numpy as np

from digitscope.arguments import check_sizes, check_truth
from digitscope.arrays import Array
from digitscope.errors import ShapeError
from digitscope.nn.initializers import Initializer, check_initializers, he, zeros
from digitscope.nn.kernels.convolution import fast_convolve
from digitscope.nn.kernels.large_convolution import BLOCK, convolve_large
from digitscope.nn.kernels.window_convolution import convolve_windows
from digitscope.nn.layer import CALL, Backward, Layer, Params

WIDE = 40
"""Width, in pixels, from which on `convolve_large` is faster than `fast_convolve`."""


def convolve(
    x: Array, W: Array, b: Array, stride: int = 1, padding: int = 0, dilation: int = 1
) -> tuple[Array, Callable[[Array], tuple[Array, Array, Array]]]:
    """2-D cross-correlation with zero padding: the definition. Returns y and backward, dy -> (dx, dW, db).

    With s the stride, p the padding, d the dilation, and x zero outside the image:
    y[o,i,j,n] = b[o] + sum_{c,u,v} W[o,c,u,v] x[c, s i + d u - p, s j + d v - p, n]
    dW[o,c,u,v] = sum_{i,j,n} dy[o,i,j,n] x[c, s i + d u - p, s j + d v - p, n]
    db[o] = sum_{i,j,n} dy[o,i,j,n]
    dx[c,h,w,n] = sum_{o,u,v} W[o,c,u,v] dy[o,i,j,n] over the i, j with s i + d u - p = h and s j + d v - p = w

    Conv2D computes the same by `fast_convolve`, by `convolve_large` for wide images and for dilation, and on a GPU by
    `convolve_windows`.

    Shapes: x (C, H, W, N), W (O, C, k, k), b (O, 1, 1, 1) -> y (O, H', W', N) with
    H' = (H + 2p - d (k - 1) - 1) // s + 1, and W' likewise
    Source: LeCun et al. 1998, section II; dilation: Yu and Koltun 2016. Derivation: docs/notes/08-convolution.md
    """
    k, s, p, d = W.shape[2], stride, padding, dilation
    extent = d * (k - 1) + 1
    _, height, width, _ = x.shape
    padded = np.pad(x, ((0, 0), (p, p), (p, p), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (extent, extent), axis=(1, 2))
    windows = windows[:, ::s, ::s, :, ::d, ::d]  # (C, H', W', N, k, k)
    y: Array = np.tensordot(W, windows, axes=((1, 2, 3), (0, 4, 5))) + b

    def backward(dy: Array) -> tuple[Array, Array, Array]:
        dW = np.tensordot(dy, windows, axes=((1, 2, 3), (1, 2, 3)))
        db = dy.sum(axis=(1, 2, 3)).reshape(b.shape)
        dx = np.zeros_like(padded)
        for u in range(k):
            for v in range(k):
                # The entries of x that W[..., u, v] was multiplied by.
                covered = dx[:, d * u : d * u + s * dy.shape[1] : s, d * v : d * v + s * dy.shape[2] : s]
                covered += np.tensordot(W[:, :, u, v], dy, axes=(0, 0))
        return dx[:, p : p + height, p : p + width], dW, db

    return y, backward


def _is_on_gpu(x: Any) -> bool:
    return not isinstance(x, np.ndarray)


class Conv2D(Layer):
    """A convolution: each output channel searches the whole image for one small pattern of weights.

    y, dW, db and dx are those of `convolve`.

    Shapes: x (C, H, W, N) -> y (O, H', W', N) with H' = (H + 2p - d (k - 1) - 1) // s + 1, and W' likewise;
    W (O, C, k, k), b (O, 1, 1, 1). Stride and dilation cannot both be above 1. Set `bias` to False before batch
    normalization, which would subtract b again.
    Raises: ShapeError if x is not of rank 4, does not have C channels, or is smaller than the window.
    Source: LeCun et al. 1998, section II. Derivation: docs/notes/08-convolution.md
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        stride: int = 1,
        padding: int = 0,
        dilation: int = 1,
        bias: bool = True,
        rng: np.random.Generator | None = None,
        weight: Initializer = he,
    ) -> None:
        """Draws the weights from `rng`; if it is None, from a generator with a random seed."""
        super().__init__()
        check_sizes("Conv2D", in_channels=in_channels, out_channels=out_channels, kernel_size=kernel_size)
        check_sizes("Conv2D", stride=stride, padding=padding, dilation=dilation)
        check_truth("Conv2D's bias", bias)
        check_initializers("Conv2D", rng, weight=weight)
        if min(in_channels, out_channels, kernel_size, stride) < 1 or padding < 0:
            raise ShapeError(
                "Conv2D expects channels, kernel_size and stride of at least 1 and padding of at least 0; "
                f"got {in_channels}, {out_channels}, {kernel_size}, {stride}, {padding}."
            )
        if dilation < 1 or (dilation > 1 and stride > 1):
            raise ShapeError(f"Conv2D expects a dilation of at least 1, and of 1 if it has a stride; got {dilation}.")
        rng = np.random.default_rng() if rng is None else rng
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding
        self.dilation = dilation
        window = kernel_size * kernel_size
        shape = (out_channels, in_channels, kernel_size, kernel_size)
        self.params["weight"] = weight(rng, shape, in_channels * window, out_channels * window)
        if bias:
            self.params["bias"] = zeros(rng, (out_channels, 1, 1, 1), in_channels * window, out_channels * window)

    def forward(
        self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None, need_dx: bool = True
    ) -> tuple[Array, Backward]:
        self._check(x.shape)
        W, b = self.params["weight"], self.params.get("bias")
        if self.dilation == 1 and _is_on_gpu(x):
            y, convolution_backward = convolve_windows(x, W, b, self.stride, self.padding, need_dx=need_dx)
        elif self._is_large(x.shape):
            y, convolution_backward = convolve_large(x, W, b, self.padding, self.dilation, need_dx=need_dx)
        else:
            y, convolution_backward = fast_convolve(x, W, b, self.stride, self.padding, need_dx=need_dx)

        def backward(dy: Array) -> tuple[Array | None, Params]:
            dx, dW, db = convolution_backward(dy)
            return dx, {"weight": dW} if db is None else {"weight": dW, "bias": db}

        return y, backward

    def _is_large(self, shape: tuple[int, ...]) -> bool:
        return self.dilation > 1 or (self.stride == 1 and shape[2] >= WIDE)

    @property
    def _extent(self) -> int:
        """Side of the window in pixels, those between its weights included."""
        return self.dilation * (self.kernel_size - 1) + 1

    def _check(self, shape: tuple[int, ...]) -> None:
        k, p = self._extent, self.padding
        if len(shape) != 4 or shape[0] != self.in_channels:
            hint = f" Put Reshape({self.in_channels}, H, W) before it." if len(shape) == 2 else ""
            raise ShapeError(f"Conv2D expects ({self.in_channels}, H, W, N); got {shape}.{hint}")
        if min(shape[1:3]) + 2 * p < k:
            raise ShapeError(f"Conv2D's window of {k}x{k} does not fit into images of {shape[1:3]} padded by {p}.")

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        self._check((*shape, 1))
        height, width = ((side + 2 * self.padding - self._extent) // self.stride + 1 for side in shape[1:])
        return self.out_channels, height, width

    def memory(self, shape: tuple[int, ...]) -> int:
        """Of `fast_convolve`: each row of the padded image and of the output, transformed, and the transform itself.

        Of `convolve_large`: the padded image, outputs at all its pixels and one block of windows. In each block, each
        weight of a kernel takes a call of NumPy.
        """
        _, rows, places = self.output_shape(shape)
        if self._is_large(shape):
            padded_pixels = (shape[1] + 2 * self.padding) * (shape[2] + 2 * self.padding)
            window = self.in_channels * self.kernel_size**2
            blocks = -(-padded_pixels // max(1, BLOCK // window))
            maps = (self.in_channels + self.out_channels) * padded_pixels
            block = min(max(BLOCK, window), window * padded_pixels)
            return super().memory(shape) + maps + block + blocks * self.kernel_size**2 * CALL
        transformed = self.kernel_size * (places + 1)
        padded = self.in_channels * (shape[1] + 2 * self.padding)
        return super().memory(shape) + transformed * (padded + self.out_channels * rows + 2 * shape[2])

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
        } | ({"dilation": self.dilation} if self.dilation > 1 else {})

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        return cls(**config, weight=zeros)
