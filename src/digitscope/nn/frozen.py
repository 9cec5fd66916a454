"""Layers that do not learn."""

from collections.abc import Mapping, Sequence
from typing import Self

import numpy as np

from digitscope.arrays import Array
from digitscope.nn.layer import Backward, Layer, Params
from digitscope.nn.network import Network, assign_arrays


class Frozen(Network):
    """Layers that stay unchanged while others learn, for fine-tuning.

    y = f(x), where f is the layers one after the other, always in evaluation mode: even in training, batch
    normalization uses its measured statistics and dropout drops nothing
    dx = f's own dx for dy

    The parameters are not learned, so they are among the `statistics`, which the model file contains.

    Shapes: those of the layers. Source: Yosinski et al. 2014, "How transferable are features in deep neural networks?"
    Derivation: docs/notes/05-backpropagation.md#many-paths-contributions-add
    """

    @property
    def params(self) -> Params:
        """Empty, because no parameter is trained."""
        return {}

    @params.setter
    def params(self, values: Mapping[str, Array]) -> None:
        assign_arrays(self.params, values, "parameter")

    @property
    def statistics(self) -> Params:
        """The parameters and statistics of all layers by name."""
        return {**super().params, **super().statistics}

    @statistics.setter
    def statistics(self, values: Mapping[str, Array]) -> None:
        assign_arrays(self.statistics, values, "statistic")

    def forward(
        self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None, need_dx: bool = True
    ) -> tuple[Array, Backward]:
        y, layers_backward = super().forward(x)
        return y, lambda dy: (layers_backward(dy)[0] if need_dx else None, {})

    def flops(self, shape: tuple[int, ...], *, training: bool = False, need_dx: bool = False) -> int:
        return super().flops(shape, training=training and need_dx, need_dx=True)

    @property
    def members(self) -> tuple[Layer, ...]:
        return ()

    def thawed(self) -> Layer:
        layers = [layer.thawed() for layer in self.layers]
        return layers[0] if len(layers) == 1 else Network(*layers)

    def measure_statistics(self, batches: Sequence[Array]) -> tuple[list[Array], Self]:
        return [self.forward(x, need_dx=False)[0] for x in batches], self
