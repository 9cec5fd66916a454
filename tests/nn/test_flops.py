"""The count of floating-point operations, against numbers computed by hand."""

import pytest

from digitscope.nn import (
    BatchNorm,
    Conv1D,
    Conv2D,
    Dense,
    Dropout,
    Ensemble,
    Flatten,
    FoldHeight,
    GlobalAveragePool2D,
    Layer,
    MaxPool2D,
    Network,
    ReLU,
    Reshape,
    Residual,
    ShiftAverage,
    Skip,
)


def dense() -> Network:
    return Network(Dense(784, 800), ReLU(), Dropout(0.2), Dense(800, 10))


def lenet() -> Network:
    """28 -> 24 -> 12 -> 8 -> 4: 576 positions, then 64."""
    return Network(
        *(Reshape(1, 28, 28), Conv2D(1, 16, 5), MaxPool2D(2), ReLU()),
        *(Conv2D(16, 32, 5), MaxPool2D(2), ReLU()),
        *(Flatten(), Dense(512, 128), ReLU(), Dense(128, 10)),
    )


def residual() -> Network:
    """Padded, strided and without bias: 6 x 6 -> 3 x 3, which the residual layers keep."""
    return Network(
        *(Reshape(1, 6, 6), Conv2D(1, 4, 3, stride=2, padding=1, bias=False)),
        Residual(BatchNorm(4), ReLU(), Conv2D(4, 4, 3, padding=1)),
        *(GlobalAveragePool2D(), Dense(4, 2)),
    )


def sequence() -> Network:
    """Dilated, 4 x 6 -> 2 x 4, then 4 steps, which the layers beside them keep."""
    return Network(
        *(Reshape(1, 4, 6), Conv2D(1, 2, 2, dilation=2), FoldHeight(), Conv1D(4, 3, 3)),
        Skip(Conv1D(3, 2, 1)),
    )


FIRST, SECOND, THIRD, FOURTH = 16 * 25 * 576, 16 * 32 * 25 * 64, 512 * 128, 128 * 10


@pytest.mark.parametrize(
    ("network", "features", "forward", "training"),
    [
        (dense(), 784, 2 * 784 * 800 + 2 * 800 * 10, 4 * 784 * 800 + 6 * 800 * 10),
        (lenet(), 784, 2_232_832, 4 * FIRST + 6 * (SECOND + THIRD + FOURTH)),
        (residual(), 36, 2 * (36 * 9 + 144 * 9 + 8), 4 * 36 * 9 + 6 * (144 * 9 + 8)),
        (sequence(), 24, 2 * (8 * 8 + 36 * 4 + 6 * 4), 4 * 8 * 8 + 6 * (36 * 4 + 6 * 4)),
        # The first layer with parameters does not need dx, at any depth.
        (Network(Network(Dense(3, 4)), Dense(4, 2)), 3, 2 * (12 + 8), 4 * 12 + 6 * 8),
        (Network(Residual(Dense(3, 3))), 3, 18, 4 * 9),
        (Ensemble(Dense(3, 4), Dense(3, 4)), 3, 2 * 24, 4 * 24),
        # Three shifted copies in evaluation, one in training.
        (ShiftAverage(Network(Dense(4, 5)), 2, 2, [(0, 0), (0, 1), (1, 0)]), 4, 3 * 2 * 20, 4 * 20),
        (Network(ReLU()), 3, 0, 0),
    ],
    ids=[
        "dense",
        "convnet",
        "residual",
        "sequence",
        "nested",
        "residual first",
        "ensemble",
        "views",
        "nothing learned",
    ],
)
def test_by_hand(network: Layer, features: int, forward: int, training: int) -> None:
    assert network.flops((features,)) == forward
    assert network.flops((features,), training=True) == training
