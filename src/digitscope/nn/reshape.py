"""Layers that only change the shape."""

import math
from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from digitscope.arguments import check_wholes
from digitscope.arrays import Array
from digitscope.errors import ShapeError
from digitscope.nn.layer import Backward, Layer, Params, only_entry


class Reshape(Layer):
    """Gives each example another shape; the batch stays the last axis.

    y[...,n] has the numbers of x[...,n] in the same (row-major) order
    dx is dy in x's shape

    Shapes: x (..., N) -> y (*shape, N). Raises: ShapeError if an example does not have as many numbers as the shape.
    Derivation: docs/notes/01-pictures.md#a-picture-is-a-list-of-numbers
    """

    def __init__(self, *shape: int) -> None:
        super().__init__()
        check_wholes("Reshape's shape", shape, 1)
        self.shape = shape

    def forward(
        self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None, need_dx: bool = True
    ) -> tuple[Array, Backward]:
        self._check(x.shape[:-1])
        return x.reshape(*self.shape, x.shape[-1]), lambda dy: (dy.reshape(x.shape), {})

    def _check(self, shape: tuple[int, ...]) -> None:
        if math.prod(shape) != math.prod(self.shape):
            raise ShapeError(f"Reshape expects {math.prod(self.shape)} numbers for each example; got {shape}.")

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        self._check(shape)
        return self.shape

    def config(self) -> dict[str, Any]:
        return {"shape": list(self.shape)}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        return cls(*only_entry(config, "shape"))


class Flatten(Layer):
    """Makes each example one column; the batch stays the last axis.

    y[(c,i,j),n] = x[c,i,j,n]
    dx is dy in x's shape

    Shapes: x (..., N) -> y (D, N), D the product of all axes but the last.
    Derivation: docs/notes/01-pictures.md#a-picture-is-a-list-of-numbers
    """

    def forward(
        self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None, need_dx: bool = True
    ) -> tuple[Array, Backward]:
        def backward(dy: Array) -> tuple[Array, Params]:
            return dy.reshape(x.shape), {}

        return x.reshape(-1, x.shape[-1]), backward

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (math.prod(shape),)
