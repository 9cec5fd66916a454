"""A network: layers in a row, and the chain rule."""

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from typing import Any, Self

import numpy as np

from digitscope.arrays import Array
from digitscope.errors import ShapeError
from digitscope.nn.layer import Backward, Layer, Params, build, describe


class Network(Layer):
    """Layers one after the other: y = f_L(... f_2(f_1(x))).

    The chain rule walks them backwards: each layer's backward turns the derivative of the loss with respect
    to its output into that with respect to its input, and gives the derivatives of its parameters on the way.

    A network is a layer itself. Its parameters are named by the layer's place: "0.weight", "2.bias".

    Shapes: x what the first layer takes -> y what the last one gives.
    Source: Rumelhart, Hinton and Williams 1986.
    Derivation: docs/notes/05-backpropagation.md#many-paths-contributions-add
    """

    def __init__(self, *layers: Layer) -> None:
        self.layers = layers

    @property
    def params(self) -> Params:
        """All parameters by name: the layers' own arrays, not copies. Assigning copies values into them."""
        return {f"{i}.{name}": value for i, layer in enumerate(self.layers) for name, value in layer.params.items()}

    @params.setter
    def params(self, values: Mapping[str, Array]) -> None:
        assign_arrays(self.params, values, "parameter")

    @property
    def statistics(self) -> Params:
        """All measured statistics by name, as with `params`."""
        return {f"{i}.{name}": value for i, layer in enumerate(self.layers) for name, value in layer.statistics.items()}

    @statistics.setter
    def statistics(self, values: Mapping[str, Array]) -> None:
        assign_arrays(self.statistics, values, "statistic")

    def forward(
        self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None, need_dx: bool = True
    ) -> tuple[Array, Backward]:
        # Without dx, the layers before the first one that learns have nothing to derive.
        first = 0 if need_dx else next((i for i, layer in enumerate(self.layers) if layer.params), len(self.layers))
        backwards: list[tuple[int, Backward]] = []
        for i, layer in enumerate(self.layers):
            x, backward = layer.forward(x, training=training, rng=rng, need_dx=need_dx or i > first)
            if i >= first:
                backwards.append((i, backward))

        def walk_back(dy: Array) -> tuple[Array | None, Params]:
            grads: Params = {}
            for i, backward in reversed(backwards):
                dy, own = backward(dy)
                for name, value in own.items():
                    grads[f"{i}.{name}"] = value
            return dy if need_dx else None, grads

        return x, walk_back

    def flops(self, shape: tuple[int, ...], *, training: bool = False, need_dx: bool = False) -> int:
        total = 0
        for layer in self.layers:
            total += layer.flops(shape, training=training, need_dx=need_dx)
            shape = layer.output_shape(shape)
            need_dx = need_dx or bool(layer.params)
        return total

    @property
    def members(self) -> tuple[Layer, ...]:
        return self.layers[0].members if len(self.layers) == 1 else ()

    def measure_statistics(self, batches: Sequence[Array]) -> tuple[list[Array], Self]:
        """Each layer's statistics in turn, from the outputs of those before it."""
        layers = []
        outputs = list(batches)
        for layer in self.layers:
            outputs, measured = layer.measure_statistics(outputs)
            layers.append(measured)
        return outputs, self._with_layers(layers)

    def map_arrays(self, function: Callable[[Array], Array]) -> Self:
        return self._with_layers([layer.map_arrays(function) for layer in self.layers])

    def _with_layers(self, layers: Sequence[Layer]) -> Self:
        twin = copy(self)
        twin.layers = tuple(layers)
        return twin

    def config(self) -> dict[str, Any]:
        return {"layers": [describe(layer) for layer in self.layers]}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Raises: ModelError for a layer whose class is not known."""
        return cls(*map(build, config["layers"]))


def assign_arrays(own: Params, values: Mapping[str, Array], what: str) -> None:
    """Copies the values into a layer's own arrays of the same names.

    Raises: ShapeError if names or shapes differ; nothing is changed then.
    """
    if differing := own.keys() ^ values.keys():
        raise ShapeError(f"The network has the {what}s {', '.join(own)}; not in both: {', '.join(differing)}.")
    for name, value in own.items():
        if values[name].shape != value.shape:
            raise ShapeError(f"The {what} {name} expects shape {value.shape}; got {values[name].shape}.")
    for name, value in own.items():
        value[...] = values[name]
