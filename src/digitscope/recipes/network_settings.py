"""Changes of a recipe's network before its training: hidden layers, activation function, dropout, output."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from digitscope.arguments import check_number, check_wholes
from digitscope.errors import TrainingError
from digitscope.nn import (
    Dense,
    Dropout,
    Ensemble,
    Initializer,
    Layer,
    Loss,
    MeanSquaredError,
    Network,
    ReLU,
    Sigmoid,
)
from digitscope.training.settings import ACTIVATIONS, by_name

MAX_PARAMETERS = 100_000_000
"""Maximum for the dense layers together: 400 MB, of which training needs several copies."""


@dataclass(frozen=True, kw_only=True)
class NetworkSettings:
    """The changes; None keeps the recipe's own value.

    Raises: TrainingError for widths that are not whole numbers from 1, or an unknown activation function.
    """

    layers: Sequence[int] | None = None
    """The widths of the hidden dense layers."""
    activation: str | None = None
    """The name of the hidden layers' activation function."""
    dropout: float | None = None
    """The rate of dropout before each dense layer that follows learned layers."""
    loss: Loss | None = None
    """The loss that the outputs are made for."""

    def __post_init__(self) -> None:
        if self.layers is not None:
            check_wholes("layers", self.layers, 1)
        if self.activation is not None:
            by_name("activation", ACTIVATIONS, self.activation)
        check_number("dropout", self.dropout, least=0, below=1, optional=True)

    def apply(self, network: Network, *, weight: Initializer, bias: Initializer, rng: np.random.Generator) -> Network:
        """The network with these changes, or the ensemble whose members have them.

        New dense layers draw their weights and biases by `weight` and `bias` from `rng`.
        Raises: TrainingError if the network has no hidden layer that could be changed, or would be too large.
        """
        if network.members:
            members = [member for member in network.members if isinstance(member, Network)]
            return Network(Ensemble(*(self.apply(member, weight=weight, bias=bias, rng=rng) for member in members)))
        if self.layers is not None:
            network = with_layers(network, self.layers, weight=weight, bias=bias, rng=rng)
        if self.activation is not None:
            network = with_activation(network, ACTIVATIONS[self.activation])
        if self.dropout is not None:
            network = with_dropout(network, self.dropout)
        return network if self.loss is None else with_output_for(network, self.loss)


def with_layers(
    network: Network,
    widths: Sequence[int],
    *,
    weight: Initializer,
    bias: Initializer,
    rng: np.random.Generator,
) -> Network:
    """The network with hidden dense layers of these widths between its other layers and its output.

    They have the activation function and the dropout of the network's hidden layers. If the network has these widths
    already, it is returned as it is.

    Raises: TrainingError for more than MAX_PARAMETERS.
    """
    first = next(i for i, layer in enumerate(network.layers) if isinstance(layer, Dense))
    before, dense_part = network.layers[:first], network.layers[first:]
    dense = [layer for layer in dense_part if isinstance(layer, Dense)]
    if [layer.out_features for layer in dense[:-1]] == list(widths):
        return network
    sizes = [dense[0].in_features, *widths, dense[-1].out_features]
    parameters = sum((inputs + 1) * outputs for inputs, outputs in pairwise(sizes))
    if parameters > MAX_PARAMETERS:
        raise TrainingError(
            f"layers is expected to give up to {MAX_PARAMETERS:,} parameters; {','.join(map(str, widths))} gives "
            f"{parameters:,}. Choose fewer or narrower layers."
        )
    activation = next((type(layer) for layer in network.layers[:-1] if _is_activation(layer)), ReLU)
    rates = [layer.rate for layer in dense_part if isinstance(layer, Dropout)][:1]
    *hidden, last = pairwise(sizes)
    layers: list[Layer] = []
    for inputs, outputs in hidden:
        layers += [Dense(inputs, outputs, rng=rng, weight=weight, bias=bias), activation(), *map(Dropout, rates)]
    output = [network.layers[-1]] if _is_activation(network.layers[-1]) else []
    return Network(*before, *layers, Dense(*last, rng=rng, weight=weight, bias=bias), *output)


def with_activation(network: Network, activation: type[Layer]) -> Network:
    """The network with another activation function in every hidden layer; the weights stay as they were drawn.

    Raises: TrainingError if there is no hidden layer.
    """
    *hidden, output = network.layers
    changed = [_replace_activations(layer, activation) for layer in hidden]
    if all(new is old for new, old in zip(changed, hidden, strict=True)):
        raise TrainingError("activation expects a network with a hidden layer; this network has none. Leave it out.")
    return Network(*changed, output)


def with_dropout(network: Network, rate: float) -> Network:
    """The network with dropout at this rate, and none elsewhere, before each dense layer that follows learned layers.

    Raises: TrainingError if there is no such layer; ShapeError for a rate outside 0 to below 1.
    """
    layers: list[Layer] = []
    for layer in network.layers:
        if isinstance(layer, Dropout):
            continue
        if isinstance(layer, Dense) and any(before.params for before in layers):
            layers.append(Dropout(rate))
        layers.append(layer)
    if not any(isinstance(layer, Dropout) for layer in layers):
        raise TrainingError("dropout expects a network with a hidden layer; this network has none. Leave it out.")
    if not rate:
        layers = [layer for layer in layers if not isinstance(layer, Dropout)]
    return Network(*layers)


def with_output_for(network: Network, loss: Loss) -> Network:
    """The network with the outputs that the loss expects: sigmoids for the squared error, else logits."""
    *hidden, output = network.layers
    if isinstance(loss, MeanSquaredError):
        return network if _is_activation(output) else Network(*network.layers, Sigmoid())
    return Network(*hidden) if _is_activation(output) else network


def _is_activation(layer: Layer) -> bool:
    return type(layer) in ACTIVATIONS.values()


def _replace_activations(layer: Layer, activation: type[Layer]) -> Layer:
    if _is_activation(layer):
        return activation()
    if not isinstance(layer, Network):
        return layer
    changed = [_replace_activations(inner, activation) for inner in layer.layers]
    same = all(new is old for new, old in zip(changed, layer.layers, strict=True))
    return layer if same else type(layer)(*changed)
