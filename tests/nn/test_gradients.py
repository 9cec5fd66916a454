"""Every derivative against central differences, and whether the check itself would notice a mistake."""

from typing import Any

import numpy as np
import pytest

from digitscope.arrays import Array
from digitscope.errors import ShapeError
from digitscope.nn import (
    BackgroundCrossEntropy,
    BatchNorm,
    Dense,
    Dropout,
    Flatten,
    Layer,
    LeakyReLU,
    Loss,
    MeanSquaredError,
    Network,
    ReLU,
    Reshape,
    Sigmoid,
    SoftmaxCrossEntropy,
    Tanh,
    check_gradients,
    normal,
)
from digitscope.nn.layer import Backward, Params

RNG = np.random.default_rng(0)
X = RNG.normal(size=(6, 5))
LABELS = np.array([0, 3, 1, 2, 3])


def dense(inputs: int, outputs: int) -> Dense:
    return Dense(inputs, outputs, rng=np.random.default_rng(inputs * outputs), bias=normal(0.5))


@pytest.mark.parametrize(
    "layer",
    [ReLU(), LeakyReLU(0.1), Sigmoid(), Tanh(), Dropout(0.4), Reshape(2, 2, 2), Network(dense(8, 8), Tanh())],
    ids=lambda layer: type(layer).__name__,
)
@pytest.mark.parametrize(
    "loss",
    [
        SoftmaxCrossEntropy(),
        SoftmaxCrossEntropy(label_smoothing=0.1),
        BackgroundCrossEntropy(label_smoothing=0.1),
        MeanSquaredError(),
    ],
    ids=repr,
)
def test_every_layer_and_loss_agrees_with_differences(layer: Layer, loss: Loss) -> None:
    network = Network(dense(6, 8), layer, Flatten(), dense(8, 4))
    result = check_gradients(network, X, LABELS, loss)
    assert result.passed, str(result)
    assert {c.name for c in result.comparisons} >= {"0.weight", "0.bias", "3.weight", "3.bias", "input", "direction"}
    assert {c.name: c.checked for c in result.comparisons}["0.weight"] == 48


def test_columns_stay_below_each_other_where_names_are_long() -> None:
    nested: Layer = dense(6, 4)
    for _ in range(6):
        nested = Network(nested)
    *lines, _ = str(check_gradients(nested, X, LABELS)).splitlines()
    assert lines[0].startswith("0.0.0.0.0.0.weight ")
    assert len({line.index(" checked ") for line in lines}) == 1


def test_arrays_may_lie_in_memory_in_any_order() -> None:
    network = Network(dense(6, 8), Tanh(), dense(8, 4))
    network.layers[0].params["weight"] = np.asfortranarray(network.layers[0].params["weight"])
    result = check_gradients(network, np.asfortranarray(X), LABELS)
    assert result.passed, str(result)


def test_a_long_sum_is_cut_without_harm_to_its_derivative() -> None:
    network = Network(dense(1000, 3), Tanh(), dense(3, 4))
    result = check_gradients(network, RNG.normal(size=(1000, 5)), LABELS, entries=50)
    assert result.passed, str(result)


class WrongBy(Dense):
    """A dense layer with one entry of one derivative off by a factor."""

    def __init__(self, inputs: int, outputs: int, name: str, factor: float) -> None:
        super().__init__(inputs, outputs, rng=np.random.default_rng(1), bias=normal(0.5))
        self.name, self.factor = name, factor

    def forward(
        self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None, need_dx: bool = True
    ) -> tuple[Array, Backward]:
        y, right = super().forward(x)

        def backward(dy: Array) -> tuple[Array, Params]:
            dx, grads = right(dy)
            every = {**grads, "input": dx}
            every[self.name] = every[self.name].copy()
            largest = np.unravel_index(np.abs(every[self.name]).argmax(), every[self.name].shape)
            every[self.name][largest] *= self.factor
            return every.pop("input"), every

        return y, backward


@pytest.mark.parametrize("name", ["weight", "bias", "input"])
def test_an_error_of_one_per_cent_in_one_entry_is_caught_and_named(name: str) -> None:
    network = Network(WrongBy(6, 4, name, 1.01))
    result = check_gradients(network, X, LABELS)
    assert not result.passed
    assert result.worst.name == ("input" if name == "input" else f"0.{name}")
    assert result.worst.relative_error == pytest.approx(0.01, rel=0.05)
    assert f"FAILED at {result.worst.name}" in str(result)
    assert check_gradients(Network(WrongBy(6, 4, name, 1.0)), X, LABELS).passed


class HistoricalDense(Dense):
    """The project's first version: the bias gradient summed over all axes, not over the batch alone."""

    def forward(
        self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None, need_dx: bool = True
    ) -> tuple[Array, Backward]:
        y, right = super().forward(x)

        def backward(dy: Array) -> tuple[Array, Params]:
            dx, grads = right(dy)
            return dx, {**grads, "bias": np.full_like(grads["bias"], dy.sum())}

        return y, backward


def test_the_historical_bias_bug_is_caught() -> None:
    network = Network(HistoricalDense(6, 8, rng=np.random.default_rng(2)), ReLU(), dense(8, 4))
    result = check_gradients(network, X, LABELS)
    assert not result.passed
    assert result.worst.name == "0.bias"


class BiasOff(Dense):
    """A dense layer that adds a number to the derivative of its bias."""

    off = 0.0

    def forward(
        self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None, need_dx: bool = True
    ) -> tuple[Array, Backward]:
        y, right = super().forward(x)

        def backward(dy: Array) -> tuple[Array, Params]:
            dx, grads = right(dy)
            return dx, {**grads, "bias": grads["bias"] + self.off}

        return y, backward


@pytest.mark.parametrize("size", [1e-3, 1.0, 1e3])
def test_a_derivative_that_is_nothing_passes_and_a_wrong_one_there_is_caught(size: float) -> None:
    """Batch normalization takes a bias before it away, but for rounding."""
    biased = BiasOff(6, 8, rng=np.random.default_rng(3))
    network = Network(biased, BatchNorm(8, eps=0), Tanh(), dense(8, 4))
    result = check_gradients(network, size * X, LABELS)
    assert result.passed, str(result)
    assert abs({c.name: c for c in result.comparisons}["0.bias"].by_hand) < 1e-13 / size
    biased.off = 1e-6 / size
    result = check_gradients(network, size * X, LABELS)
    assert not result.passed
    assert result.worst.name == "0.bias"


def test_a_small_derivative_is_judged_by_its_own_size() -> None:
    """One that is 1/100,000 of the others, and wrong by one per cent."""
    network = Network(dense(6, 8), Scale(), WrongBy(8, 4, "bias", 1.01))
    network.layers[1].params["scale"][...] = 1e5
    network.layers[2].params["weight"][...] *= 1e-5
    result = check_gradients(network, X, LABELS)
    assert result.worst.name == "2.bias"
    assert not result.passed


def test_one_direction_sees_an_error_that_drawn_entries_miss() -> None:
    network = Network(dense(400, 40), Tanh(), WrongBy(40, 4, "weight", 3.0))
    result = check_gradients(network, RNG.normal(size=(400, 5)), LABELS, entries=1, seed=3)
    by_name = {c.name: c for c in result.comparisons}
    assert by_name["2.weight"].relative_error < 1e-6
    assert by_name["direction"].relative_error > 1e-6


def test_the_network_is_left_as_it_was() -> None:
    network = Network(dense(6, 4))
    before = {name: p.copy() for name, p in network.params.items()}
    x = X.copy()
    check_gradients(network, x, LABELS)
    assert all(np.array_equal(before[name], p) and p.dtype == np.float32 for name, p in network.params.items())
    np.testing.assert_array_equal(x, X)


class Scale(Layer):
    """What a user's own layer looks like."""

    def __init__(self) -> None:
        super().__init__()
        self.params["scale"] = np.full((8, 1), 1.5)

    def forward(
        self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None, need_dx: bool = True
    ) -> tuple[Array, Backward]:
        scale = self.params["scale"]
        return x * scale, lambda dy: (dy * scale, {"scale": (dy * x).sum(axis=1, keepdims=True)})


class Forgetful(Scale):
    def forward(self, x: Array, **kwargs: Any) -> tuple[Array, Backward]:
        y, _ = super().forward(x)
        return y, lambda dy: (dy, {})


def test_a_layer_of_ones_own_can_be_checked() -> None:
    assert check_gradients(Network(dense(6, 8), Scale(), dense(8, 4)), X, LABELS).passed
    with pytest.raises(ShapeError, match=r"one derivative of its name; not in both: 1\.scale"):
        check_gradients(Network(dense(6, 8), Forgetful(), dense(8, 4)), X, LABELS)


class Vain(Scale):
    """Its parameter changes nothing but the last bits, and those at random, as rounding does."""

    def forward(
        self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None, need_dx: bool = True
    ) -> tuple[Array, Backward]:
        scale = self.params["scale"]
        return x + 1e-13 * np.sin(1e9 * scale), lambda dy: (dy, {"scale": np.zeros_like(scale)})


def test_rounding_over_a_small_width_is_not_taken_for_a_derivative() -> None:
    result = check_gradients(Network(dense(6, 8), Vain(), dense(8, 4)), X, LABELS)
    assert result.passed, str(result)


def test_labels_outside_the_classes_are_refused() -> None:
    with pytest.raises(ShapeError, match="from 0 to 3; got 0 to 4"):
        check_gradients(Network(dense(6, 4)), X, np.array([0, 1, 2, 3, 4]))
    with pytest.raises(ShapeError, match="from 0 to 3; got -1 to 2"):
        check_gradients(Network(dense(6, 4)), X, np.array([0, 1, 2, -1, 2]))
