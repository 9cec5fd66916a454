"""Dropout."""

from typing import Any

import numpy as np

from digitscope.arguments import check_number
from digitscope.arrays import Array
from digitscope.errors import ShapeError
from digitscope.nn.layer import Backward, Layer, Params

_LEVELS = 65536
"""Number of values of each random number: 16 bits are drawn faster than 32 (docs/log.md)."""


class Dropout(Layer):
    """In training, sets a random fraction of the numbers to zero, so that no unit relies on another.

    y = x m / (1 - rate), where each m is 0 with probability `rate`, else 1. The division keeps the expected value of y
    at x. Outside training y = x.
    dx = dy m / (1 - rate)

    `rate` is rounded to a multiple of 1/65536, and to 65535/65536 at most.

    Shapes: any, y like x. Raises: ShapeError for training without an rng.
    Source: Srivastava et al. 2014; scaled in training, as in its section 10.
    Derivation: docs/notes/09-normalization.md#dropout-unreliable-on-purpose
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        check_number("Dropout's rate", rate)
        if not 0 <= rate < 1:
            raise ShapeError(f"Dropout's rate is the fraction dropped, from 0 to below 1; got {rate}.")
        self.rate = rate

    def forward(
        self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None, need_dx: bool = True
    ) -> tuple[Array, Backward]:
        if not training:
            return x, lambda dy: (dy, {})
        if rng is None:
            raise ShapeError("Dropout needs a random generator in training: forward(x, training=True, rng=...).")
        dropped = min(round(self.rate * _LEVELS), _LEVELS - 1)
        is_kept = rng.integers(0, _LEVELS, x.shape, dtype=np.uint16) >= dropped
        mask = np.asarray(is_kept * x.dtype.type(_LEVELS / (_LEVELS - dropped)), like=x)  # m / (1 - rate)

        def backward(dy: Array) -> tuple[Array, Params]:
            return dy * mask, {}

        return x * mask, backward

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return shape

    def config(self) -> dict[str, Any]:
        return {"rate": self.rate}
