"""Models of every architecture that is exported: each recipe's network, untrained, and all layers with odd settings."""

from pathlib import Path

import numpy as np

from digitscope import Model
from digitscope.calibration import Calibration
from digitscope.nn import (
    AveragePool2D,
    BatchNorm,
    Conv1D,
    Conv2D,
    Dense,
    DepthToSpace,
    Dropout,
    Ensemble,
    Flatten,
    FoldHeight,
    Frozen,
    GlobalAveragePool2D,
    Layer,
    LeakyReLU,
    MaxPool2D,
    MaxPoolHeight,
    MeanSquaredError,
    Network,
    ReLU,
    Reshape,
    Residual,
    ShiftAverage,
    Sigmoid,
    Skip,
    SoftmaxCrossEntropy,
    SpaceToDepth,
    SplitSteps,
    Standardize,
    Tanh,
    Upsample2D,
)
from digitscope.recipes import RECIPES

CALIBRATION = Calibration(0.7, np.linspace(-2, 4, 200, dtype=np.float32), np.linspace(0.1, 1, 200, dtype=np.float32))


GOLDEN = Path(__file__).parent / "golden"
"""Weights and outputs of PyTorch and Keras, made by golden/make.py."""


def convolutional(*, normalized_rows: bool = False) -> Model:
    """The architecture of the golden files. In Keras's there is one more normalization, and dropout."""
    network = Network(
        *(Reshape(1, 8, 8), Conv2D(1, 4, 3, padding=1), BatchNorm(4), ReLU(), MaxPool2D(2)),
        *(Conv2D(4, 6, 3, bias=False), BatchNorm(6), ReLU(), Flatten()),
        *([BatchNorm(24)] if normalized_rows else []),
        *(Dense(24, 12), Tanh(), Dropout(0.5), Dense(12, 10)),
    )
    return Model(network, SoftmaxCrossEntropy(), (8, 8))


def with_statistics(network: Network, rng: np.random.Generator) -> Network:
    """The network, with random statistics in place of those of a new one, which change nothing."""
    network.statistics = {
        name: (rng.uniform(0.5, 1.5, array.shape) if "variance" in name else rng.normal(0, 0.1, array.shape)).astype(
            np.float32
        )
        for name, array in network.statistics.items()
    }
    return network


def recipe_model(name: str) -> Model:
    """The recipe's network as its training leaves it, except that nothing was learned."""
    recipe, rng = RECIPES[name], np.random.default_rng(0)
    network = with_statistics(recipe.build(rng, (28, 28), 10), rng)
    if recipe.plan.shifts:
        network = Network(ShiftAverage(network, 28, 28, recipe.plan.shifts))
    return Model(network, recipe.plan.loss, (28, 28), calibration=CALIBRATION)


def odd_network() -> Network:
    """Layers with settings that no recipe has."""
    rng = np.random.default_rng(1)
    return with_statistics(
        Network(
            *(Standardize(0.01), Reshape(1, 12, 10), Conv2D(1, 4, 3, stride=2, padding=1, rng=rng), BatchNorm(4, 0.01)),
            *(LeakyReLU(0.2), Residual(Conv2D(4, 4, 3, padding=1, rng=rng), Residual(Sigmoid())), MaxPool2D(3, 1)),
            *(AveragePool2D(2, 1), Flatten(), Dropout(0.5), Dense(24, 9, rng=rng), BatchNorm(9), Tanh()),
            Dense(9, 3, rng=rng),
        ),
        rng,
    )


def sequence_network() -> Network:
    """Layers of networks that answer for every pixel or for every step of a sequence."""
    rng = np.random.default_rng(3)
    level = Conv2D(12, 8, 3, padding=3, dilation=3, rng=rng), Skip(Tanh()), DepthToSpace(2)
    return with_statistics(
        Network(
            *(Reshape(1, 12, 10), Conv2D(1, 3, 3, padding=2, dilation=2, rng=rng), Skip(SpaceToDepth(2), *level)),
            *(MaxPoolHeight(5), Upsample2D(3), FoldHeight(), Conv1D(42, 6, 5, bias=False, rng=rng), BatchNorm(6)),
            *(ReLU(), SplitSteps(3), Conv1D(2, 3, 3, rng=rng), Flatten(), Dense(270, 3, rng=rng)),
        ),
        rng,
    )


def _odd_model(*layers: Layer, squared: bool = False) -> Model:
    return Model(Network(*layers), MeanSquaredError() if squared else SoftmaxCrossEntropy(), (12, 10))


def _dense() -> Network:
    return Network(Dense(120, 3, rng=np.random.default_rng(2)))


SHIFTS = (0, 0), (3, -2), (-40, 0), (0, 5)
ODD = {
    "odd": _odd_model(*odd_network().layers),
    "frozen": _odd_model(Frozen(*odd_network().layers[:-1]), ReLU(), odd_network().layers[-1]),
    "mean": _odd_model(Reshape(1, 12, 10), Conv2D(1, 3, 5, rng=np.random.default_rng(4)), GlobalAveragePool2D()),
    "sequence": _odd_model(*sequence_network().layers),
    "sequences": _odd_model(Ensemble(*(Frozen(*sequence_network().layers) for _ in range(2)))),
    "shifts": _odd_model(ShiftAverage(odd_network(), 12, 10, SHIFTS)),
    "different members": _odd_model(Ensemble(odd_network(), Dense(120, 3), ShiftAverage(_dense(), 12, 10, SHIFTS))),
    "nested members": _odd_model(Ensemble(*2 * [Network(Ensemble(_dense(), Dense(120, 3)))]), squared=True),
    "shifted members": _odd_model(Ensemble(*(ShiftAverage(_dense(), 12, 10, SHIFTS) for _ in range(2)))),
}
