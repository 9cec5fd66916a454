"""A network for checks of derivatives in evaluation mode."""

import numpy as np

from digitscope.arrays import Array
from digitscope.nn import Network
from digitscope.nn.layer import Backward


class EvaluationMode(Network):
    """Its layers in evaluation mode, so that check_gradients checks their derivatives in this mode."""

    def forward(
        self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None, need_dx: bool = True
    ) -> tuple[Array, Backward]:
        return super().forward(x)
