"""Activation functions: non-linear, applied to each number separately."""

from typing import Any

import numpy as np

from digitscope.arguments import check_number
from digitscope.arrays import Array
from digitscope.nn.layer import Backward, Layer, Params


class ReLU(Layer):
    """The rectified linear unit.

    y = max(x, 0)
    dx = dy where x > 0, else 0. At x = 0 there is no derivative; 0 is used.

    Shapes: any, y like x. Source: Nair and Hinton 2010.
    Derivation: docs/notes/03-activations.md#four-bends-and-their-slopes
    """

    def forward(
        self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None, need_dx: bool = True
    ) -> tuple[Array, Backward]:
        y = np.maximum(x, 0)

        def backward(dy: Array) -> tuple[Array, Params]:
            return dy * (y > 0), {}

        return y, backward

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return shape


class LeakyReLU(Layer):
    """A ReLU with a small slope for negative inputs, so that every unit keeps learning.

    y = x where x > 0, else slope x
    dx = dy where x > 0, else slope dy

    Shapes: any, y like x. Source: Maas, Hannun and Ng 2013.
    Derivation: docs/notes/03-activations.md#four-bends-and-their-slopes
    """

    def __init__(self, slope: float = 0.01) -> None:
        super().__init__()
        check_number("LeakyReLU's slope", slope)
        self.slope = slope

    def forward(
        self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None, need_dx: bool = True
    ) -> tuple[Array, Backward]:
        def backward(dy: Array) -> tuple[Array, Params]:
            return np.where(x > 0, dy, self.slope * dy), {}

        return np.where(x > 0, x, self.slope * x), backward

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return shape

    def config(self) -> dict[str, Any]:
        return {"slope": self.slope}


class Sigmoid(Layer):
    """The logistic function.

    y = 1 / (1 + e^-x), computed as (1 + tanh(x/2)) / 2, which never overflows
    dx = dy y (1 - y)

    Shapes: any, y like x. Source: Nielsen 2015, chapter 1, equation 3.
    Derivation: docs/notes/03-activations.md#four-bends-and-their-slopes
    """

    def forward(
        self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None, need_dx: bool = True
    ) -> tuple[Array, Backward]:
        y = 0.5 * np.tanh(0.5 * x) + 0.5

        def backward(dy: Array) -> tuple[Array, Params]:
            return dy * (y * (1 - y)), {}

        return y, backward

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return shape


class Tanh(Layer):
    """The hyperbolic tangent.

    y = tanh x
    dx = dy (1 - y²)

    Shapes: any, y like x. Source: LeCun et al. 1998, "Efficient BackProp", section 4.4.
    Derivation: docs/notes/03-activations.md#four-bends-and-their-slopes
    """

    def forward(
        self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None, need_dx: bool = True
    ) -> tuple[Array, Backward]:
        y = np.tanh(x)

        def backward(dy: Array) -> tuple[Array, Params]:
            return dy * (1 - y * y), {}

        return y, backward

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return shape
