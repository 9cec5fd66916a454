"""Dropout."""

from typing import Any

import numpy as np

from digitscope.arrays import Array
from digitscope.errors import ShapeError
from digitscope.nn.layer import Backward, Layer, Params


class Dropout(Layer):
    """While training, sets a random share of the numbers to zero, so that no unit relies on another.

    y = x m / (1 - rate), where each m is 0 with probability `rate`, else 1; the division keeps the mean of y
    that of x. Outside training y = x.
    dx = dy m / (1 - rate)

    `rate` is rounded to 1/65536: 16 random bits a number decide, a fifth
    faster than 32.

    Shapes: any, y like x. Raises: ShapeError for training without an rng.
    Source: Srivastava et al. 2014; scaled while training, as in its section 10.
    Derivation: docs/notes/09-normalization.md#dropout-unreliable-on-purpose
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        if not 0 <= rate < 1:
            raise ShapeError(f"Dropout's rate is the share dropped, from 0 to below 1; got {rate}.")
        self.rate = rate

    def forward(
        self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None, need_dx: bool = True
    ) -> tuple[Array, Backward]:
        if not training:
            return x, lambda dy: (dy, {})
        if rng is None:
            raise ShapeError("Dropout needs a source of randomness in training: forward(x, training=True, rng=...).")
        dropped = round(self.rate * 65536)
        keep = rng.integers(0, 65536, x.shape, dtype=np.uint16) >= dropped
        mask = np.asarray(keep * x.dtype.type(65536 / (65536 - dropped)), like=x)

        def backward(dy: Array) -> tuple[Array, Params]:
            return dy * mask, {}

        return x * mask, backward

    def config(self) -> dict[str, Any]:
        return {"rate": self.rate}
