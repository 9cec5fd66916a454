"""Layers that change the resolution of images, and the connection past them."""

from collections.abc import Sequence
from math import prod
from typing import Any, Self

import numpy as np

from digitscope.arguments import check_whole, shown
from digitscope.arrays import Array
from digitscope.errors import ShapeError
from digitscope.nn.layer import Backward, Layer, Params
from digitscope.nn.network import Network

MAX_NUMBERS = 2**63 - 1
"""Numbers of an example. Without a limit, layers that multiply them would have shapes of millions of digits."""


class SpaceToDepth(Layer):
    """Moves each square of pixels into channels: the image gets smaller, and no number is lost.

    y[(u,v,c),i,j,n] = x[c, s i + u, s j + v, n]
    dx is dy moved back, by `DepthToSpace`

    Followed by a convolution of 1x1, it is a convolution of s x s with stride s.

    Shapes: x (C, H, W, N) -> y (s s C, H / s, W / s, N). Raises: ShapeError if x is not of rank 4, or s does not divide
    H and W.
    Source: Shi et al. 2016, section 3.2, in the other direction.
    Derivation: docs/notes/08-convolution.md#an-answer-for-every-pixel
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = _check_size("SpaceToDepth", size)

    def forward(
        self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None, need_dx: bool = True
    ) -> tuple[Array, Backward]:
        self.output_shape(x.shape[:-1])
        return space_to_depth(x, self.size), lambda dy: (depth_to_space(dy, self.size), {})

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        s = self.size
        if len(shape) != 3 or shape[1] % s or shape[2] % s:
            raise ShapeError(f"SpaceToDepth expects (C, H, W, N), H and W divisible by {s}; got {shape} and N.")
        return s * s * shape[0], shape[1] // s, shape[2] // s

    def config(self) -> dict[str, Any]:
        return {"size": self.size}


class DepthToSpace(Layer):
    """Moves channels into squares of pixels: the inverse of `SpaceToDepth`.

    y[c, s i + u, s j + v, n] = x[(u,v,c),i,j,n]
    dx is dy moved back, by `SpaceToDepth`

    Shapes: x (s s C, H, W, N) -> y (C, s H, s W, N). Raises: ShapeError if x is not of rank 4, or s² does not divide
    its channels.
    Source: Shi et al. 2016, "Real-time single image and video super-resolution", section 3.2.
    Derivation: docs/notes/08-convolution.md#an-answer-for-every-pixel
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = _check_size("DepthToSpace", size)

    def forward(
        self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None, need_dx: bool = True
    ) -> tuple[Array, Backward]:
        self.output_shape(x.shape[:-1])
        return depth_to_space(x, self.size), lambda dy: (space_to_depth(dy, self.size), {})

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        s = self.size
        if len(shape) != 3 or shape[0] % (s * s):
            raise ShapeError(f"DepthToSpace expects (C, H, W, N), C divisible by {s * s}; got {shape} and N.")
        return shape[0] // (s * s), s * shape[1], s * shape[2]

    def config(self) -> dict[str, Any]:
        return {"size": self.size}


class Upsample2D(Layer):
    """Repeats each pixel in a square: nearest-neighbour enlargement.

    y[c,i,j,n] = x[c, i // s, j // s, n]
    dx[c,h,w,n] = sum of dy[c,i,j,n] over the square, i // s = h and j // s = w

    Shapes: x (C, H, W, N) -> y (C, s H, s W, N). Raises: ShapeError if x is not of rank 4, or y is too large for any
    array.
    Source: Odena, Dumoulin and Olah 2016, "Deconvolution and checkerboard artifacts".
    Derivation: docs/notes/08-convolution.md#an-answer-for-every-pixel
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = _check_size("Upsample2D", size)

    def forward(
        self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None, need_dx: bool = True
    ) -> tuple[Array, Backward]:
        self.output_shape(x.shape[:-1])
        (c, h, w, n), s = x.shape, self.size
        y = np.empty_like(x, shape=(c, h, s, w, s, n), order="C")
        y[...] = x[:, :, None, :, None]

        def backward(dy: Array) -> tuple[Array, Params]:
            return dy.reshape(c, h, s, w, s, n).sum(axis=(2, 4)), {}

        return y.reshape(c, s * h, s * w, n), backward

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        if len(shape) != 3:
            raise ShapeError(f"Upsample2D expects (C, H, W, N); got {shape} and N.")
        return _check_output("Upsample2D", (shape[0], self.size * shape[1], self.size * shape[2]))

    def config(self) -> dict[str, Any]:
        return {"size": self.size}


class Skip(Network):
    """Layers whose output is put beside their input, as more channels.

    y = [x, f(x)] along the first axis, where f is the layers one after the other
    dx = dy[:C] + df, where df is f's own dx for the rest of dy

    With layers that shrink the image and enlarge it again as f, this is one level of a U-Net: x keeps what is fine, and
    f(x) knows what is around it.

    Shapes: x (C, ..., N) -> y (C + C', ..., N). Raises: ShapeError if f(x) differs from x in another axis, if x has no
    axis but the batch's, or if y is too large for any array.
    Source: Ronneberger, Fischer and Brox 2015, "U-Net", section 2.
    Derivation: docs/notes/08-convolution.md#an-answer-for-every-pixel
    """

    def forward(
        self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None, need_dx: bool = True
    ) -> tuple[Array, Backward]:
        f, f_backward = super().forward(x, training=training, rng=rng, need_dx=need_dx)
        self._check(x.shape[:-1], f.shape[:-1])
        channels = len(x)

        def backward(dy: Array) -> tuple[Array | None, Params]:
            df, grads = f_backward(dy[channels:])
            return dy[:channels] + df if need_dx else None, grads

        return np.concatenate([x, f]), backward

    def _check(self, shape: tuple[int, ...], changed: tuple[int, ...]) -> None:
        if not shape or not changed or changed[1:] != shape[1:]:
            raise ShapeError(f"Skip expects layers that keep all axes but the first of {shape}; they give {changed}.")

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        changed = super().output_shape(shape)
        self._check(shape, changed)
        return _check_output("Skip", (shape[0] + changed[0], *shape[1:]))

    def memory(self, shape: tuple[int, ...]) -> int:
        return super().memory(shape) + prod(self.output_shape(shape))

    def measure_statistics(self, batches: Sequence[Array]) -> tuple[list[Array], Self]:
        outputs, measured = super().measure_statistics(batches)
        return [np.concatenate([x, f]) for x, f in zip(batches, outputs, strict=True)], measured


def space_to_depth(x: Array, size: int) -> Array:
    """y of `SpaceToDepth`"""
    (c, h, w, n), s = x.shape, size
    return x.reshape(c, h // s, s, w // s, s, n).transpose(2, 4, 0, 1, 3, 5).reshape(s * s * c, h // s, w // s, n)


def depth_to_space(x: Array, size: int) -> Array:
    """y of `DepthToSpace`"""
    (c, h, w, n), s = x.shape, size
    return x.reshape(s, s, c // (s * s), h, w, n).transpose(2, 3, 0, 4, 1, 5).reshape(c // (s * s), s * h, s * w, n)


def _check_output(layer: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    if (numbers := prod(shape)) > MAX_NUMBERS:
        raise ShapeError(f"{layer} expects to give at most {MAX_NUMBERS:,} numbers; it gives {shown(numbers)}.")
    return shape


def _check_size(layer: str, size: int) -> int:
    check_whole(f"{layer}'s size", size)
    if size < 1:
        raise ShapeError(f"{layer} expects a size of at least 1; got {size}.")
    return size
