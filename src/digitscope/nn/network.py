"""A network: layers in a row, and the chain rule."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from typing import Any, Self

import numpy as np

from digitscope.arguments import shown
from digitscope.arrays import Array
from digitscope.errors import LayerError, ShapeError
from digitscope.nn.layer import CALL, Backward, Layer, Params, build, describe, only_entry
from digitscope.nn.summary import count_parameters, summarize

_WIDTH = 100
"""Maximum number of characters in a network's repr before its middle layers are left out."""


class Network(Layer):
    """Layers one after the other: y = f_L(... f_2(f_1(x))).

    By the chain rule backward goes through them in reverse order. Each layer's backward turns the derivative of the
    loss with respect to its output into that with respect to its input, and gives the derivatives of its parameters.

    A network is a layer itself. Its parameters' names begin with the layer's index: "0.weight", "2.bias".

    Shapes: x as the first layer expects it -> y as the last one returns it.
    Raises: LayerError if an argument is not a layer.
    Source: Rumelhart, Hinton and Williams 1986.
    Derivation: docs/notes/05-backpropagation.md#many-paths-contributions-add
    """

    def __init__(self, *layers: Layer) -> None:
        for layer in layers:
            if not isinstance(layer, Layer):
                raise LayerError(
                    f"{type(self).__name__} expects layers, such as Network(Dense(784, 10), ReLU()); "
                    f"got {shown(layer)}."
                )
        self.layers = layers

    @property
    def params(self) -> Params:
        """All parameters by name: the layers' own arrays, not copies. Assigning a dict copies its values into them."""
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
        # If dx is not needed, neither are the derivatives of layers before the first one with parameters.
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

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        for layer in self.layers:
            shape = layer.output_shape(shape)
        return shape

    def memory(self, shape: tuple[int, ...]) -> int:
        inner = zip(self.layers, self.input_shapes(shape), strict=True)
        return CALL + sum(layer.memory(layer_shape) for layer, layer_shape in inner)

    def flops(self, shape: tuple[int, ...], *, training: bool = False, need_dx: bool = False) -> int:
        total = 0
        for layer, layer_shape in zip(self.layers, self.input_shapes(shape), strict=True):
            total += layer.flops(layer_shape, training=training, need_dx=need_dx)
            need_dx = need_dx or bool(layer.params)
        return total

    @property
    def members(self) -> tuple[Layer, ...]:
        return self.layers[0].members if len(self.layers) == 1 else ()

    def measure_statistics(self, batches: Sequence[Array]) -> tuple[list[Array], Self]:
        """Measures each layer's statistics in turn, on the outputs of the layers before it."""
        layers = []
        outputs = list(batches)
        for layer in self.layers:
            outputs, measured = layer.measure_statistics(outputs)
            layers.append(measured)
        return outputs, self._with_layers(layers)

    def map_arrays(self, function: Callable[[Array], Array]) -> Self:
        return self._with_layers([layer.map_arrays(function) for layer in self.layers])

    def thawed(self) -> Layer:
        return self._with_layers([layer.thawed() for layer in self.layers])

    def _with_layers(self, layers: Sequence[Layer]) -> Self:
        changed = copy(self)
        changed.layers = tuple(layers)
        return changed

    def config(self) -> dict[str, Any]:
        return {"layers": [describe(layer) for layer in self.layers]}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Raises: ModelError for a layer whose class is not known."""
        return cls(*map(build, only_entry(config, "layers")))

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers)

    def __getitem__(self, index: int | str) -> Layer:
        """network[2] is a layer by its index, network["2.0"] a layer by the name that its parameters begin with.

        Raises: LayerError if there is no such layer.
        """
        try:
            return self.layers[index] if isinstance(index, int) else dict(self.named_layers())[index]
        except LookupError as error:
            names = ", ".join(name for name, _ in self.named_layers())
            raise LayerError(f"The network has the layers {names}; got {index!r}.") from error

    def __repr__(self) -> str:
        texts = [_abbreviated(layer) for layer in self.layers]
        if len(texts) > 3 and sum(map(len, texts)) > _WIDTH:
            texts = [*texts[:2], f"... {len(texts) - 3} more ...", texts[-1]]
        count = f"; {count_parameters(self):,} parameters" if texts else ""
        return f"{type(self).__name__}({', '.join(texts)}{count})"

    def summary(self, input_shape: tuple[int, ...]) -> str:
        """A table of the layers: name, layer, shape of the output, parameters, and MFLOP forward for one example.

        Layers inside others are indented below them; their parameters and operations are part of those above.

        Shapes: `input_shape` is that of one input without the batch axis. Raises: ShapeError if it does not fit.
        """
        return summarize(self, input_shape)

    @property
    def parts(self) -> dict[str, Layer]:
        return {str(i): layer for i, layer in enumerate(self.layers)}

    def input_shapes(self, shape: tuple[int, ...]) -> list[tuple[int, ...]]:
        shapes = []
        for layer in self.layers:
            shapes.append(shape)
            shape = layer.output_shape(shape)
        return shapes


def assign_arrays(own: Params, values: Mapping[str, Array], kind: str) -> None:
    """Copies the values into a layer's own arrays of the same names.

    Raises: ShapeError if names or shapes differ; then nothing is changed.
    """
    if differing := own.keys() ^ values.keys():
        raise ShapeError(
            f"The network expects the {kind}s {', '.join(own)}; missing or unknown: {', '.join(differing)}."
        )
    for name, value in own.items():
        if values[name].shape != value.shape:
            raise ShapeError(f"The {kind} {name} expects shape {value.shape}; got {values[name].shape}.")
    for name, value in own.items():
        value[...] = values[name]


def _abbreviated(layer: Layer) -> str:
    """The layer's repr, or only the number of layers inside it."""
    return f"{type(layer).__name__}({len(layer.parts)} layers)" if layer.parts else repr(layer)
