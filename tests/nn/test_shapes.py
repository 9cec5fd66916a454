"""The shape and the memory of a layer's output, known without computing it."""

import tracemalloc
from typing import Any

import numpy as np
import pytest

from digitscope.arrays import Array
from digitscope.errors import ArgumentError, ShapeError
from digitscope.nn import (
    AveragePool2D,
    Backward,
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
    Network,
    ReLU,
    Reshape,
    Residual,
    ShiftAverage,
    Sigmoid,
    Skip,
    SpaceToDepth,
    SplitSteps,
    Standardize,
    Tanh,
    Upsample2D,
)
from digitscope.nn.layer import built_in_layers

SHAPES = [(), (12,), (4, 5), (6,), (1, 12), (3, 4, 4), (3, 7, 5), (2, 4, 4), (3, 1, 1), (1, 2, 3, 4)]
NEVER_FITS = [Residual(Dense(12, 6)), Ensemble(Dense(12, 4), Dense(12, 5))]
LAYERS: list[Layer] = [
    AveragePool2D(2),
    AveragePool2D(3, 2),
    BatchNorm(3),
    Conv1D(4, 3, 3),
    Conv2D(3, 5, 3, padding=1),
    Conv2D(3, 2, 2, stride=2, padding=3),
    Conv2D(3, 2, 3, dilation=2, padding=1),
    Dense(12, 7),
    DepthToSpace(1),
    Dropout(0.5),
    Ensemble(Dense(12, 4), Network(Dense(12, 4), ReLU())),
    Flatten(),
    FoldHeight(),
    Frozen(Dense(12, 2), Tanh()),
    GlobalAveragePool2D(),
    LeakyReLU(),
    MaxPool2D(2),
    MaxPool2D(3, 1),
    MaxPoolHeight(2),
    Network(Reshape(3, 2, 2), Conv2D(3, 1, 2)),
    ReLU(),
    Reshape(3, 4),
    Residual(Conv2D(3, 3, 3, padding=1)),
    *NEVER_FITS,
    ShiftAverage(Dense(12, 3), 3, 4, [(0, 0), (1, -1)]),
    ShiftAverage(Tanh(), 3, 4, [(0, 0)]),
    Sigmoid(),
    Skip(Conv2D(3, 2, 3, padding=1)),
    SpaceToDepth(2),
    SplitSteps(2),
    Standardize(),
    Tanh(),
    Upsample2D(3),
]


@pytest.mark.parametrize("layer", LAYERS, ids=repr)
def test_the_shape_is_that_of_the_output_or_the_same_error(layer: Layer) -> None:
    fitting = 0
    for shape in SHAPES:
        x = np.zeros((*shape, 1), np.float32)
        try:
            expected = layer.forward(x)[0].shape[:-1]
        except ShapeError:
            with pytest.raises(ShapeError):
                layer.output_shape(shape)
        else:
            assert layer.output_shape(shape) == expected
            fitting += 1
    assert fitting or layer in NEVER_FITS


def test_every_layer_is_among_them() -> None:
    assert {type(layer).__name__ for layer in LAYERS} == built_in_layers().keys()


def peak(layer: Layer, x: Array) -> int:
    layer.forward(x)  # makes what is made only once
    tracemalloc.start()
    try:
        kept = layer.forward(x)
        return tracemalloc.get_traced_memory()[1]
    finally:
        del kept
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (Conv2D(1, 8, 5), (1, 28, 28)),
        (Conv2D(8, 8, 3, padding=1), (8, 14, 14)),
        (Conv2D(3, 2, 3, padding=30), (3, 8, 8)),
        (Conv2D(8, 4, 5, stride=3), (8, 20, 20)),
        (MaxPool2D(2), (8, 14, 14)),
        (MaxPool2D(5, 1), (8, 14, 14)),
        (Conv2D(8, 8, 3, padding=2, dilation=2), (8, 14, 14)),
        (Conv2D(2, 3, 3, padding=1), (2, 8, 60)),
        (Conv1D(8, 12, 5), (8, 40)),
        (DepthToSpace(2), (16, 14, 14)),
        (MaxPoolHeight(4), (8, 28, 28)),
        (SplitSteps(2), (24, 100)),
        (Upsample2D(3), (4, 14, 14)),
        (Skip(SpaceToDepth(2), Conv2D(16, 4, 1), Upsample2D(2)), (4, 14, 14)),
        (Dense(784, 100), (784,)),
        (Residual(Conv2D(4, 4, 3, padding=1), BatchNorm(4), ReLU()), (4, 14, 14)),
        (ShiftAverage(Network(Dense(784, 300), ReLU(), Dense(300, 10)), 28, 28, [(0, 0), (1, 0), (0, 1)]), (784,)),
        (Network(Ensemble(*(Network(Dense(784, 3000), Tanh(), Dense(3000, 10)) for _ in range(3)))), (784,)),
    ],
    ids=repr,
)
def test_memory_is_a_bound_and_not_far_above(layer: Layer, shape: tuple[int, ...]) -> None:
    images = 40
    measured = peak(layer, np.ones((*shape, images), np.float32))
    bound = 4 * images * layer.memory(shape)
    assert bound / 6 < measured < bound


@pytest.mark.parametrize(
    ("layer", "shape", "expected"),
    [
        (Dense(784, 100), (784,), 1000 + 100),
        # 66 x 66 outputs; three columns for each of 67 places: rows with padding, rows of outputs, two images
        (Conv2D(3, 2, 3, padding=30), (3, 8, 8), 1000 + 2 * 66 * 66 + 3 * 67 * (3 * 68 + 2 * 66 + 2 * 8)),
        (MaxPool2D(5, 1), (8, 14, 14), 1000 + 800 + 1568 + 10_000),
        # 10 x 9 pixels with padding, six numbers and four calls for a window
        (Conv2D(2, 3, 2, padding=1, dilation=3), (2, 8, 7), 1000 + 3 * 7 * 6 + 5 * 90 + 8 * 90 + 4000),
        # a window of more numbers than a block has: each is a block of its own
        (Conv2D(1, 1, 400), (1, 400, 409), 1000 + 10 + 2 * 163_600 + 160_000 + 163_600 * 160_000 * 1000),
        (Conv1D(3, 2, 5), (3, 10), 1000 + 20 + 3 * 14 + 40 + 5000),
        (MaxPoolHeight(3), (2, 7, 5), 1000 + 20 + 20 + 3000),
        (Upsample2D(3), (2, 4, 5), 1000 + 360),
        (Skip(Upsample2D(1)), (2, 4, 5), 1000 + 1040 + 80),
        (AveragePool2D(3, 2), (3, 7, 5), 1000 + 18 + 9000),
        (Residual(Dense(12, 12)), (12,), 1000 + 1012 + 12),
        (Ensemble(Dense(12, 4), Dense(12, 4)), (12,), 1000 + 2 * 1004),
        (ShiftAverage(Dense(12, 3), 3, 4, [(0, 0), (1, -1)]), (12,), 1000 + 2 * (12 + 1003)),
    ],
    ids=repr,
)
def test_memory_computed_by_hand(layer: Layer, shape: tuple[int, ...], expected: int) -> None:
    assert layer.memory(shape) == expected


class Doubled(Network):
    """A layer of one's own that changes the shape in a way of its own."""

    def forward(
        self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None, need_dx: bool = True
    ) -> tuple[Array, Backward]:
        parts = [layer.forward(x)[0] for layer in self.layers]
        return np.concatenate(parts), lambda dy: (dy[: len(x)] + dy[len(x) :], {})


def test_the_shape_of_a_layer_of_ones_own_comes_from_its_forward() -> None:
    layer = Doubled(Dense(3, 5), Dense(3, 6))
    assert layer.output_shape((3,)) == (11,)
    assert layer.memory((3,)) == Layer.memory(layer, (3,)) == 1011
    assert Network(layer, Dense(11, 2)).flops((3,)) == 44


def test_a_connection_past_layers_needs_an_axis_to_put_them_beside() -> None:
    for layers, shape in (((), ()), ((Reshape(),), (1,)), ((Reshape(1),), ())):
        with pytest.raises(ShapeError, match="Skip expects layers that keep all axes but the first"):
            Skip(*layers).output_shape(shape)
        with pytest.raises(ShapeError, match="Skip expects layers that keep all axes but the first"):
            Skip(*layers).forward(np.ones((*shape, 1)))


def test_no_layer_multiplies_numbers_without_limit() -> None:
    assert Upsample2D(2**31).output_shape((1, 1, 1)) == (1, 2**31, 2**31)
    for layer in (Upsample2D(2**32), Skip(Upsample2D(1))):
        with pytest.raises(ShapeError, match="expects to give at most 9,223,372,036,854,775,807 numbers; it gives"):
            layer.output_shape((2**62, 1, 1))


def test_padding_takes_no_memory_before_it_is_used() -> None:
    wide = Conv2D(1, 1, 3, padding=2**30)
    assert wide.output_shape((1, 28, 28)) == (1, 2**31 + 26, 2**31 + 26)
    assert wide.memory((1, 28, 28)) > 2**62


@pytest.mark.parametrize(
    "make",
    [
        lambda: Reshape(-28, -28),
        lambda: Reshape(784.0),  # type: ignore[arg-type]
        lambda: LeakyReLU(float("nan")),
        lambda: LeakyReLU(float("inf")),
        lambda: LeakyReLU(10**400),
        lambda: BatchNorm(3, float("inf")),
        lambda: Standardize(float("nan")),
        lambda: Dense(10**400, 3),
    ],
)
def test_numbers_are_finite_and_sides_whole(make: Any) -> None:
    with pytest.raises(ArgumentError, match="expected"):
        make()
