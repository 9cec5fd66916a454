"""Every derivative against central differences, and tests that the check itself notices mistakes."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from digitscope.arrays import Array
from digitscope.errors import ArgumentError, DataError, ShapeError
from digitscope.nn import (
    BackgroundCrossEntropy,
    BatchNorm,
    Dense,
    Dropout,
    Ensemble,
    Flatten,
    Frozen,
    GradientCheck,
    Layer,
    LeakyReLU,
    Loss,
    MaxPool2D,
    MeanSquaredError,
    Network,
    ReLU,
    Reshape,
    Residual,
    ShiftAverage,
    Sigmoid,
    SoftmaxCrossEntropy,
    Tanh,
    check_gradients,
    check_layers,
    normal,
)
from digitscope.nn.gradient_check import Comparison
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


def test_the_table_is_aligned_if_names_are_long() -> None:
    nested: Layer = dense(6, 4)
    for _ in range(6):
        nested = Network(nested)
    head, *lines, _ = str(check_gradients(nested, X, LABELS)).splitlines()
    assert lines[0].startswith("0.0.0.0.0.0.weight ")
    ends = [head.index(heading) + len(heading) for heading in ("checked", "error", "by hand", "by differences")]
    for line in lines:
        found = re.match(r"\S+ +(\S+) +(\S+) +(\S+) +(\S+)", line)
        assert found is not None
        assert [found.end(column) for column in (1, 2, 3, 4)] == ends


def test_the_table_of_a_deep_ensemble_fits_80_columns() -> None:
    whole = Comparison("direction", 5_935_058, (), -5.5e-3, -5.5e-3, 1.4e-8)
    weight = Comparison("0.4.20.0.weight", 5, (241, 148, 2, 1), -5.5e-3, -5.5e-3, 1.4e-8)
    *lines, verdict = str(GradientCheck((weight, whole))).splitlines()
    assert max(map(len, lines)) <= 80
    assert verdict == "passed: relative error at most 1.4e-08"


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
    """A dense layer with one entry of one derivative wrong by a factor."""

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
    """The dense layer of the first version: its bias gradient is summed over all axes, not only over the batch."""

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
def test_a_zero_derivative_passes_and_a_wrong_one_in_its_place_is_caught(size: float) -> None:
    """Batch normalization removes a bias before it, except for rounding."""
    biased = BiasOff(6, 8, rng=np.random.default_rng(3))
    network = Network(biased, BatchNorm(8, eps=0), Tanh(), dense(8, 4))
    result = check_gradients(network, size * X, LABELS)
    assert result.passed, str(result)
    assert abs({c.name: c for c in result.comparisons}["0.bias"].by_hand) < 1e-13 / size
    biased.off = 1e-6 / size
    result = check_gradients(network, size * X, LABELS)
    assert not result.passed
    assert result.worst.name == "0.bias"


def test_a_small_derivative_is_compared_by_its_own_size() -> None:
    """It is 1/100,000 of the others, and wrong by one per cent."""
    network = Network(dense(6, 8), Scale(), WrongBy(8, 4, "bias", 1.01))
    network.layers[1].params["scale"][...] = 1e5
    network.layers[2].params["weight"][...] *= 1e-5
    result = check_gradients(network, X, LABELS)
    assert result.worst.name == "2.bias"
    assert not result.passed


def test_the_random_direction_reveals_an_error_that_the_drawn_entries_miss() -> None:
    network = Network(dense(400, 40), Tanh(), WrongBy(40, 4, "weight", 3.0))
    result = check_gradients(network, RNG.normal(size=(400, 5)), LABELS, entries=1, seed=3)
    by_name = {c.name: c for c in result.comparisons}
    assert by_name["2.weight"].relative_error < 1e-6
    assert by_name["direction"].relative_error > 1e-6


CHECKS: list[Callable[..., object]] = [check_gradients, check_layers]


@pytest.mark.parametrize("check", CHECKS)
def test_the_network_is_not_changed(check: Callable[..., object]) -> None:
    network = Network(dense(6, 4))
    before = {name: p.copy() for name, p in network.params.items()}
    x = X.copy()
    check(network, x, LABELS)
    assert all(np.array_equal(before[name], p) and p.dtype == np.float32 for name, p in network.params.items())
    np.testing.assert_array_equal(x, X)


class Scale(Layer):
    """A layer as a user would write it."""

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


def test_a_custom_layer_can_be_checked() -> None:
    assert check_gradients(Network(dense(6, 8), Scale(), dense(8, 4)), X, LABELS).passed


class Transposed(Scale):
    def forward(self, x: Array, **kwargs: Any) -> tuple[Array, Backward]:
        y, right = super().forward(x)
        return y, lambda dy: (right(dy)[0], {"scale": right(dy)[1]["scale"].T})


@pytest.mark.parametrize("check", CHECKS)
def test_missing_derivatives_and_those_of_another_shape_are_refused(check: Callable[..., object]) -> None:
    with pytest.raises(ShapeError, match=r"one derivative for each parameter, .*missing or unknown: 1\.scale"):
        check(Network(dense(6, 8), Forgetful(), dense(8, 4)), X, LABELS)
    with pytest.raises(ShapeError, match=r"of 1\.scale must have its shape \(8, 1\); got \(1, 8\)"):
        check(Network(dense(6, 8), Transposed(), dense(8, 4)), X, LABELS)


def test_each_layer_is_checked_alone() -> None:
    block = Residual(dense(8, 8), Tanh())
    layers = check_layers(Network(dense(6, 8), block, Dropout(0.4), Scale(), dense(8, 4)), X, LABELS)
    dense_parts = ["input", "weight", "bias"]
    assert [(layer.name, layer.kind, [c.name for c in layer.comparisons]) for layer in layers] == [
        ("0", "Dense", dense_parts),
        ("1.0", "Dense", dense_parts),
        ("1.1", "Tanh", ["input"]),
        ("1", "Residual", ["input"]),
        ("2", "Dropout", ["input"]),
        ("3", "Scale", ["input", "scale"]),
        ("4", "Dense", dense_parts),
        ("network", "Network", ["input", "parameters"]),
        ("loss", "SoftmaxCrossEntropy", ["outputs"]),
    ]
    assert all(layer.passed for layer in layers), layers
    assert [c.checked for c in layers[0].comparisons] == [X.size, 48, 8]


@pytest.mark.parametrize("name", ["weight", "bias", "input"])
def test_an_error_in_a_layer_is_located(name: str) -> None:
    network = Network(dense(6, 6), Residual(dense(6, 6), WrongBy(6, 6, name, 1.1), Tanh()), dense(6, 4))
    failed = [layer for layer in check_layers(network, X, LABELS) if not layer.passed]
    assert [layer.name for layer in failed] == ["1.1", *(["1"] if name == "input" else []), "network"]
    assert failed[0].kind == "WrongBy"
    assert failed[0].worst.name == name
    assert 1e-4 < failed[0].worst.relative_error < 0.5
    assert all(layer.passed for layer in check_layers(network, X, LABELS, tolerance=0.5))
    assert not replace(failed[0], tolerance=failed[0].worst.relative_error).passed
    assert replace(failed[0], tolerance=1.01 * failed[0].worst.relative_error).passed


class WrongLoss(SoftmaxCrossEntropy):
    def forward(self, outputs: Array, labels: Array) -> tuple[float, Callable[[float], Array]]:
        value, backward = super().forward(outputs, labels)
        return value, lambda d: 1.01 * backward(d)


def test_an_error_in_the_loss_is_located() -> None:
    layers = check_layers(Network(dense(6, 4)), X, LABELS, WrongLoss())
    assert [layer.name for layer in layers if not layer.passed] == ["loss"]
    assert 1e-3 < layers[-1].worst.relative_error < 0.0101
    assert check_layers(Network(dense(6, 4)), X, LABELS, WrongLoss(), tolerance=0.02)[-1].passed


def test_zeros_of_a_relu_are_no_ties_for_a_maximum() -> None:
    network = Network(Reshape(1, 2, 3), ReLU(), MaxPool2D(2), Flatten(), dense(1, 4))
    x = np.where(np.arange(5) < 2, -np.abs(X), X)
    assert all(layer.passed for layer in check_layers(network, x, LABELS))


class WrongInTraining(Tanh):
    def forward(self, x: Array, *, training: bool = False, **kwargs: Any) -> tuple[Array, Backward]:
        y, right = super().forward(x)
        return y, lambda dy: ((1 + training) * right(dy)[0], {})


def test_a_layer_is_checked_in_the_mode_in_which_it_is_used() -> None:
    frozen, learning = (
        [layer.passed for layer in check_layers(Network(part, dense(6, 4)), X, LABELS)]
        for part in (Frozen(WrongInTraining()), Network(WrongInTraining()))
    )
    assert frozen == [True] * 5
    assert learning == [False, False, True, False, True]


class WithoutEffect(Scale):
    """A layer whose parameter only changes the last bits of the output, at random, as rounding does."""

    def forward(
        self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None, need_dx: bool = True
    ) -> tuple[Array, Backward]:
        scale = self.params["scale"]
        return x + 1e-13 * np.sin(1e9 * scale), lambda dy: (dy, {"scale": np.zeros_like(scale)})


def test_rounding_over_a_small_step_is_not_taken_for_a_derivative() -> None:
    result = check_gradients(Network(dense(6, 8), WithoutEffect(), dense(8, 4)), X, LABELS)
    assert result.passed, str(result)


class Opaque(Layer):
    """Hides the layers of a network, so that check_gradients computes all of them each time."""

    def __init__(self, network: Layer) -> None:
        super().__init__()
        self.network, self.params, self.statistics = network, network.params, network.statistics

    def forward(
        self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None, need_dx: bool = True
    ) -> tuple[Array, Backward]:
        return self.network.forward(x, training=training, rng=rng)

    def map_arrays(self, function: Callable[[Array], Array]) -> "Opaque":
        return Opaque(self.network.map_arrays(function))


def with_dropout(seed: int) -> Network:
    rng = np.random.default_rng(seed)
    return Network(
        Dense(6, 6, rng=rng),
        Dropout(0.3),
        Residual(Dense(6, 6, rng=rng), BatchNorm(6), Tanh(), Dropout(0.3)),
        Network(Dropout(0.2), ReLU()),
        Dense(6, 4, rng=rng),
    )


@pytest.mark.parametrize(
    "network",
    [
        with_dropout(0),
        Network(with_dropout(0), Dropout(0.1)),
        Ensemble(with_dropout(0), with_dropout(1), with_dropout(2)),
        Network(Ensemble(with_dropout(0), Ensemble(with_dropout(1), with_dropout(2)))),
        Ensemble(ShiftAverage(with_dropout(0), 2, 3, [(0, 1), (1, 0)]), with_dropout(1)),
    ],
    ids=["row", "nested", "members", "members of members", "shifts"],
)
def test_cached_outputs_equal_computed_ones(network: Network) -> None:
    x, labels = RNG.normal(size=(6, 9)), RNG.integers(0, 4, 9)
    result = check_gradients(network, x, labels, seed=3)
    assert result.passed, str(result)
    assert result == check_gradients(Opaque(network), x, labels, seed=3)


class Counted(Scale):
    calls = 0

    def forward(self, x: Array, **kwargs: Any) -> tuple[Array, Backward]:
        Counted.calls += 1
        return super().forward(x)


@pytest.mark.parametrize("others", [0, 2])
def test_layers_before_a_changed_parameter_and_other_members_are_not_computed_again(others: int) -> None:
    Counted.calls = 0
    counted = Network(dense(6, 8), Counted(), dense(8, 40), Tanh(), dense(40, 4))
    members = [Network(dense(6, 4), Tanh(), dense(4, 4)) for _ in range(others)]
    result = check_gradients(Ensemble(*members, counted, *members), X, LABELS)
    assert result.passed, str(result)
    before_and_itself = dense(6, 8).params["weight"].size + 8 + 8 + X.size
    assert (
        Counted.calls == 1 + 2 * before_and_itself + 2
    )  # once in the first pass, twice for each entry, twice for the direction


class InPlace(Network):
    """The sum of its layers' outputs for the same input, added in place to the first layer's output."""

    def forward(
        self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None, need_dx: bool = True
    ) -> tuple[Array, Backward]:
        (y, backward), *others = [layer.forward(x, training=training, rng=rng) for layer in self.layers]
        for other, _ in others:
            y += other

        def backward_of_all(dy: Array) -> tuple[Array, Params]:
            parts = [backward(dy), *(back(dy) for _, back in others)]
            grads = {f"{i}.{name}": value for i, (_, own) in enumerate(parts) for name, value in own.items()}
            return sum((dx for dx, _ in parts), np.zeros_like(x)), grads

        return y, backward_of_all


def test_a_network_may_compute_in_place() -> None:
    network = Network(InPlace(dense(6, 8), dense(6, 8), Network(dense(6, 8), Tanh())), dense(8, 4))
    result = check_gradients(network, X, LABELS)
    assert result.passed, str(result)


def test_the_background_is_a_label_of_its_loss() -> None:
    network, labels = Network(dense(6, 4)), np.array([0, 4, 2, 4, 3])
    assert check_gradients(network, X, labels, BackgroundCrossEntropy()).passed
    with pytest.raises(DataError, match="from 0 to 4; got 5"):
        check_gradients(network, X, labels + 1, BackgroundCrossEntropy())
    with pytest.raises(DataError, match="from 0 to 3; got 4"):
        check_gradients(network, X, labels)


@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        ([0, 1, 2, 3, 4], DataError, "from 0 to 3; got 4"),
        ([0, 1, 2, -1, 2], DataError, "from 0 to 3; got -1"),
        ([0, 1, 2, 1.5, 2], DataError, "whole numbers from 0; got 1.5"),
        (np.eye(5, 4, dtype=int)[[0, 1, 2, 3, 0]], ShapeError, "one-hot"),
        ([0, 1, 2, 3], ShapeError, r"each of 5 images; got \(4,\)"),
        (["a", "b", "c", "d", "a"], DataError, "expected as numbers"),
    ],
)
@pytest.mark.parametrize("check", CHECKS)
def test_wrong_labels_are_refused(
    check: Callable[..., object], labels: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        check(Network(dense(6, 4)), X, labels)


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (X.T, ShapeError, r"Dense expects \(6, N\); got \(5, 6\)"),
        (X[:, 0], ShapeError, r"the batch last: \(features, N\); got \(6,\)"),
        (X[:, :0], ShapeError, r"got \(6, 0\)"),
        ([[1, 2], [3]], ShapeError, "Inputs are expected as one array of numbers; got a list"),
        ("x", DataError, "Inputs are expected as numbers; got elements of type <U1"),
        (np.where(X > 1, np.nan, X), DataError, "finite numbers; got NaN"),
    ],
)
@pytest.mark.parametrize("check", CHECKS)
def test_a_wrong_input_is_refused(check: Callable[..., object], x: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        check(Network(dense(6, 4)), x, LABELS)


@pytest.mark.parametrize("options", [{"seed": -1}, {"tolerance": -1}, {"loss": "cross-entropy"}], ids=str)
@pytest.mark.parametrize("check", CHECKS)
def test_other_arguments_are_checked(check: Callable[..., object], options: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError, match=f"{next(iter(options))} is expected as"):
        check(Network(dense(6, 4)), X, LABELS, **options)
