"""What every layer is: a map, and beside it the map's derivative."""

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from digitscope.arrays import Array

Params = dict[str, Array]
Backward = Callable[[Array], tuple[Array | Any, Params]]
"""dy -> (dx, {parameter: its derivative}); dx may be None after forward(need_dx=False)."""


class Layer:
    """A differentiable map of a batch of inputs to a batch of outputs. The batch is the last axis.

    A layer of your own has a `forward` and, if it learns, arrays in `params`; `config` lets it be saved.
    `check_gradients` tells whether its derivative is right.
    """

    def __init__(self) -> None:
        self.params: Params = {}
        """What is learned."""
        self.statistics: Params = {}
        """What is not learned but measured, by `measure`; saved with the parameters."""

    def forward(
        self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None, need_dx: bool = True
    ) -> tuple[Array, Backward]:
        """Returns y and backward, where backward(dy) -> (dx, {name: derivative of that parameter}).

        dy is the derivative of the loss with respect to y, of y's shape. The closure holds whatever the derivative
        needs. Nothing is kept on the layer and x is not changed, so several threads may use one layer at once.

        training: whether layers that act differently in training, as dropout does, act as in training.
        rng: the source of randomness; only used in training.
        need_dx: False if dx is not used, as for the first layer that learns. A layer with parameters then returns None
            as dx and saves the work; one without parameters may ignore it.
        """
        raise TypeError(f"{type(self).__name__} must define forward(x, *, training=False, rng=None, need_dx=True)")

    def measure_statistics(self, batches: Sequence[Array]) -> tuple[list[Array], Self]:
        """The layer's outputs for these inputs, and a copy of it with `statistics` measured from all of them together.

        For a layer without statistics the copy is the layer itself.
        """
        return [self.forward(x)[0] for x in batches], self

    def config(self) -> dict[str, Any]:
        """What `from_config` needs to make the same layer again; the model file keeps it as JSON."""
        return {}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """A layer of that configuration; its parameters are yet to be loaded."""
        return cls(**config)

    def astype(self, dtype: npt.DTypeLike) -> Self:
        """A copy with parameters of this type: float32 in training, float64 in gradient checks."""
        return self.map_arrays(lambda array: array.astype(dtype))

    def map_arrays(self, function: Callable[[Array], Array]) -> Self:
        """A copy whose parameters and statistics are function(array): of another type, or on another device."""
        twin = copy(self)
        twin.params = {name: function(value) for name, value in self.params.items()}
        twin.statistics = {name: function(value) for name, value in self.statistics.items()}
        return twin
