"""The residual connection."""

from collections.abc import Sequence
from math import prod
from typing import Self

import numpy as np

from digitscope.arrays import Array
from digitscope.errors import ShapeError
from digitscope.nn.layer import Backward, Params
from digitscope.nn.network import Network


class Residual(Network):
    """Layers whose output is added to their input, so that they only learn the change.

    y = x + f(x), where f is the layers one after the other
    dx = dy + df, where df is f's own dx for dy. dy reaches x unchanged, however many layers f has.

    Shapes: any, y like x. Raises: ShapeError if f(x) has another shape than x.
    Source: He et al. 2015, "Deep residual learning", section 3.2.
    Derivation: docs/notes/09-normalization.md#a-way-past-the-layers
    """

    def forward(
        self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None, need_dx: bool = True
    ) -> tuple[Array, Backward]:
        f, f_backward = super().forward(x, training=training, rng=rng, need_dx=need_dx)
        self._check(x.shape, f.shape)

        def backward(dy: Array) -> tuple[Array | None, Params]:
            df, grads = f_backward(dy)
            return dy + df if need_dx else None, grads

        return x + f, backward

    def _check(self, shape: tuple[int, ...], changed: tuple[int, ...]) -> None:
        if changed != shape:
            raise ShapeError(f"Residual expects layers that keep the shape {shape}; they give {changed}.")

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        self._check(shape, super().output_shape(shape))
        return shape

    def memory(self, shape: tuple[int, ...]) -> int:
        return super().memory(shape) + prod(shape)

    def measure_statistics(self, batches: Sequence[Array]) -> tuple[list[Array], Self]:
        outputs, measured = super().measure_statistics(batches)
        return [x + f for x, f in zip(batches, outputs, strict=True)], measured
