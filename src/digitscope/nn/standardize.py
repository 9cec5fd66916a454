"""Standardization of each example."""

from typing import Any

import numpy as np

from digitscope.arguments import check_number
from digitscope.arrays import Array
from digitscope.errors import ShapeError
from digitscope.nn.layer import Backward, Layer


class Standardize(Layer):
    """Standardizes each image: mean 0 and variance 1; removes its brightness and contrast.

    With the mean m[n] and variance v[n] of the D numbers of example n and r[n] = 1 / sqrt(v[n] + eps):
    y = (x - m) r
    dx = r (dy - sum dy / D - y sum(dy y) / D), the sums over the example's numbers

    It does not depend on the other images of a batch, so it is the same in training and afterwards. Nothing is learned,
    since the next layer has weights of its own.

    Shapes: x (..., N) -> y like x. Raises: ShapeError if x has no axis but the batch's.
    Source: layer normalization without gain and bias, Ba, Kiros and Hinton 2016, section 3.
    Derivation: docs/notes/09-normalization.md#one-image-at-a-time
    """

    def __init__(self, eps: float = 1e-5) -> None:
        super().__init__()
        check_number("Standardize's eps", eps)
        if eps < 0:
            raise ShapeError(f"Standardize expects eps of at least 0; got {eps}.")
        self.eps = eps

    def forward(
        self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None, need_dx: bool = True
    ) -> tuple[Array, Backward]:
        self._check(x.shape)
        numbers = x.reshape(-1, x.shape[-1])
        y = numbers - numbers.mean(axis=0)
        r = 1 / np.sqrt((y * y).mean(axis=0) + self.eps)
        y *= r

        def backward(dy: Array) -> tuple[Array, dict[str, Array]]:
            dY = dy.reshape(y.shape)
            dx = r * (dY - dY.mean(axis=0) - y * (dY * y).mean(axis=0))
            return dx.reshape(x.shape), {}

        return y.reshape(x.shape), backward

    def _check(self, shape: tuple[int, ...]) -> None:
        if len(shape) < 2:
            raise ShapeError(f"Standardize expects (..., N); got {shape}.")

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        self._check((*shape, 1))
        return shape

    def config(self) -> dict[str, Any]:
        return {"eps": self.eps}
