"""The layers' outputs and derivatives, against naive loops and numbers computed by hand."""

import json
import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digitscope.arrays import Array
from digitscope.errors import DataError, ShapeError
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
    to_batch,
)
from digitscope.nn.kernels.product import MAX_SUM_LENGTH, product
from digitscope.nn.layer import Backward, Params, built_in_layers

RNG = np.random.default_rng(0)


def small_network() -> Network:
    rng = np.random.default_rng(1)
    return Network(Dense(6, 8, rng=rng), ReLU(), Dropout(0.25), Dense(8, 4, rng=rng))


def test_dense_is_a_weighted_sum_and_a_bias() -> None:
    layer = Dense(3, 2, rng=RNG)
    x = RNG.normal(size=(3, 4))
    dy = RNG.normal(size=(2, 4))
    W, b = layer.params["weight"], layer.params["bias"]
    b[:] = RNG.normal(size=b.shape)
    y, backward = layer.forward(x)
    dx, grads = backward(dy)
    for n in range(4):
        for o in range(2):
            assert y[o, n] == pytest.approx(b[o, 0] + sum(W[o, i] * x[i, n] for i in range(3)))
        for i in range(3):
            assert dx[i, n] == pytest.approx(sum(W[o, i] * dy[o, n] for o in range(2)))
    for o in range(2):
        assert grads["bias"][o, 0] == pytest.approx(sum(dy[o, n] for n in range(4)))
        for i in range(3):
            assert grads["weight"][o, i] == pytest.approx(sum(dy[o, n] * x[i, n] for n in range(4)))


@pytest.mark.parametrize(
    ("layer", "x", "y"),
    [
        (ReLU(), [-2.0, 0.0, 3.0], [0.0, 0.0, 3.0]),
        (LeakyReLU(0.1), [-2.0, 0.0, 3.0], [-0.2, 0.0, 3.0]),
        (Sigmoid(), [0.0, np.log(3.0), -np.log(3.0), 1000.0, -1000.0], [0.5, 0.75, 0.25, 1.0, 0.0]),
        (Tanh(), [0.0, np.log(2.0), -1000.0], [0.0, 0.6, -1.0]),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Layer) else "",
)
def test_activations_at_points_computed_by_hand(layer: Layer, x: list[float], y: list[float]) -> None:
    np.testing.assert_allclose(layer.forward(np.array([x]))[0], [y], atol=1e-12)


@settings(deadline=None)
@given(
    rows=st.integers(1, 20),
    inner=st.integers(1, 3 * MAX_SUM_LENGTH),
    columns=st.integers(1, 400),
    transposed=st.booleans(),
)
def test_product_is_the_matrix_product(rows: int, inner: int, columns: int, transposed: bool) -> None:
    rng = np.random.default_rng(inner)
    a = rng.normal(size=(rows, inner))
    b = rng.normal(size=(columns, inner)).T if transposed else rng.normal(size=(inner, columns))
    y = product(a, b)
    np.testing.assert_allclose(y, np.einsum("ik,kj->ij", a, b), rtol=1e-9, atol=1e-9)
    assert y.flags.c_contiguous


def test_dropout_drops_the_given_fraction_and_keeps_the_mean() -> None:
    x = np.ones((400, 500), dtype=np.float32)
    y, backward = Dropout(0.3).forward(x, training=True, rng=np.random.default_rng(0))
    dropped = float((y == 0).mean())
    assert dropped == pytest.approx(0.3, abs=0.005)
    assert y.mean() == pytest.approx(1.0, abs=0.01)
    assert y.dtype == np.float32
    np.testing.assert_array_equal(backward(x)[0], y)


def test_dropout_only_acts_in_training_and_needs_a_generator_there() -> None:
    x = RNG.normal(size=(3, 2))
    y, backward = Dropout(0.5).forward(x)
    np.testing.assert_array_equal(y, x)
    np.testing.assert_array_equal(backward(x)[0], x)
    with pytest.raises(ShapeError, match="needs a random generator in training"):
        Dropout(0.5).forward(x, training=True)
    with pytest.raises(ShapeError, match=r"from 0 to below 1; got 1\.0"):
        Dropout(1.0)


def test_dropout_just_below_1_is_finite() -> None:
    x = np.ones((400, 500), dtype=np.float32)
    y, _ = Dropout(np.nextafter(1, 0)).forward(x, training=True, rng=np.random.default_rng(0))
    assert set(np.unique(y)) == {0, 65536}


def test_reshape_keeps_the_order_and_the_batch() -> None:
    x = np.arange(24).reshape(12, 2)
    y, backward = Reshape(3, 4).forward(x)
    assert y.shape == (3, 4, 2)
    np.testing.assert_array_equal(y[..., 1].ravel(), x[:, 1])
    np.testing.assert_array_equal(backward(y)[0], x)
    np.testing.assert_array_equal(Flatten().forward(y)[0], x)
    with pytest.raises(ShapeError, match=r"Reshape expects 10 numbers for each example; got \(12,\)"):
        Reshape(2, 5).forward(x)


def test_a_batch_is_columns_of_intensities() -> None:
    images = np.array([[[0, 51], [102, 255]], [[255, 0], [0, 0]]], dtype=np.uint8)
    x = to_batch(images)
    assert x.dtype == np.float32
    np.testing.assert_array_equal(x, np.array([[0, 1], [0.2, 0], [0.4, 0], [1, 0]], dtype=np.float32))


def test_a_wrong_shape_says_what_to_do() -> None:
    with pytest.raises(ShapeError, match=r"Dense expects \(6, N\); got \(2, 3, 5\)\. Put Flatten\(\) before it\."):
        small_network().forward(np.zeros((2, 3, 5)))
    with pytest.raises(ShapeError, match=r"Dense expects \(6, N\); got \(5, 6\)\. The batch is the last axis"):
        small_network().forward(np.zeros((5, 6)))
    with pytest.raises(ShapeError, match="at least 1 feature in and out; got 0 and 3"):
        Dense(0, 3)


def test_parameters_are_named_by_index_and_set_by_value() -> None:
    network = small_network()
    assert list(network.params) == ["0.weight", "0.bias", "3.weight", "3.bias"]
    assert network.params["0.weight"] is network.layers[0].params["weight"]
    new = {name: np.full_like(p, 2) for name, p in network.params.items()}
    network.params = new
    assert network.params["3.bias"].tolist() == [[2.0]] * 4
    assert network.params["3.bias"] is not new["3.bias"]
    with pytest.raises(ShapeError, match=r"missing or unknown: 3\.bias"):
        network.params = {name: p for name, p in new.items() if name != "3.bias"}
    with pytest.raises(ShapeError, match=r"3\.bias expects shape \(4, 1\); got \(4,\)"):
        network.params = {**new, "3.bias": np.zeros(4)}
    assert (network.params["0.weight"] == 2).all()


def test_without_dx_the_parameters_derivatives_are_the_same() -> None:
    network = Network(Flatten(), *small_network().layers)
    x = RNG.normal(size=(2, 3, 5)).astype(np.float32)
    y, with_dx = network.forward(x, training=True, rng=np.random.default_rng(5))
    again, without_dx = network.forward(x, training=True, rng=np.random.default_rng(5), need_dx=False)
    np.testing.assert_array_equal(y, again)
    dx, grads = with_dx(np.ones_like(y))
    same = without_dx(np.ones_like(y))[1]
    assert dx.shape == x.shape
    assert list(grads) == list(same) == ["4.weight", "4.bias", "1.weight", "1.bias"]
    for name in grads:
        np.testing.assert_array_equal(grads[name], same[name])


class Undifferentiated(ReLU):
    """Raises an error if its derivative is used."""

    def forward(
        self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None, need_dx: bool = True
    ) -> tuple[Array, Backward]:
        def backward(dy: Array) -> tuple[Array, Params]:
            raise AssertionError("backward was called")

        return super().forward(x)[0], backward


@pytest.mark.parametrize("first", [Dense(5, 4), Network(Dense(5, 4)), BatchNorm(5), Residual(Dense(5, 5))], ids=str)
def test_without_dx_nothing_before_the_first_layer_that_learns_is_differentiated(first: Layer) -> None:
    network = Network(Undifferentiated(), first, Tanh())
    y, backward = network.forward(np.ones((5, 3)), need_dx=False)
    dx, grads = backward(np.ones_like(y))
    assert dx is None
    assert grads.keys() == network.params.keys()
    assert first.forward(np.ones((5, 3)), need_dx=False)[1](y)[0] is None
    with pytest.raises(AssertionError, match="was called"):
        network.forward(np.ones((5, 3)))[1](y)


def test_without_parameters_and_dx_nothing_is_differentiated() -> None:
    assert Network(Undifferentiated()).forward(np.ones((5, 3)), need_dx=False)[1](np.ones((5, 3))) == (None, {})


def test_forward_and_backward_change_nothing_and_may_interleave() -> None:
    network = small_network()
    one, two = RNG.normal(size=(2, 6, 5))
    kept = one.copy()
    y, backward = network.forward(one)
    expected = {name: g.copy() for name, g in backward(np.ones_like(y))[1].items()}
    y, backward = network.forward(one)
    network.forward(two)[1](np.ones_like(y))
    for name, g in backward(np.ones_like(y))[1].items():
        np.testing.assert_array_equal(g, expected[name])
    np.testing.assert_array_equal(one, kept)


def test_threads_may_share_a_network() -> None:
    network = small_network()
    inputs = RNG.normal(size=(8, 6, 50))
    expected = [network.forward(x)[0] for x in inputs]
    wrong = []

    def work(i: int) -> None:
        for _ in range(50):
            if not np.array_equal(network.forward(inputs[i])[0], expected[i]):
                wrong.append(i)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_images_become_the_same_input_in_any_form() -> None:
    images = RNG.integers(0, 256, (3, 5, 5), dtype=np.uint8)
    expected = to_batch(images)
    assert expected.shape == (25, 3)
    assert expected.dtype == np.float32
    assert expected.max() <= 1
    for same in (images / 255, images.reshape(3, 25), images.astype(int), images.tolist()):
        np.testing.assert_array_equal(to_batch(same), expected)
    assert to_batch(images[:0]).shape == (25, 0)
    with pytest.raises(DataError, match="standardized"):
        to_batch(images - images.mean())


def test_every_layer_is_created_again_from_its_configuration() -> None:
    convolutions = Network(
        Reshape(1, 6, 7),
        Conv2D(1, 2, 3, stride=2, padding=1),
        Skip(Conv2D(2, 2, 3, padding=2, dilation=2)),
        *(Upsample2D(2), SpaceToDepth(2), DepthToSpace(2), SpaceToDepth(2), Conv2D(16, 2, 1)),
        Residual(BatchNorm(2, eps=1e-3), Conv2D(2, 2, 3, padding=1, bias=False), Residual(LeakyReLU(0.2))),
        AveragePool2D(2, 1),
        GlobalAveragePool2D(),
        Dense(2, 4),
    )
    other = Network(
        Reshape(2, 3, 7), MaxPool2D(2), MaxPool2D(1, 2), Flatten(), Frozen(Dense(4, 5), Tanh()), Dense(5, 4)
    )
    sequence = Network(Reshape(4, 1, 1), MaxPoolHeight(1), FoldHeight(), Conv1D(4, 4, 3), SplitSteps(2))
    looking = ShiftAverage(Ensemble(convolutions, other), 6, 7, [(0, 0), (1, -2)])
    network = Network(Standardize(eps=0.1), Network(looking, Sigmoid()), Dropout(0.1), ReLU(), sequence)

    def kinds(config: Any) -> set[str]:
        inner = [config["network"]] if "network" in config else config.get("layers", [])
        return {layer["type"] for layer in inner}.union(*(kinds(layer) for layer in inner))

    assert kinds(network.config()) == set(built_in_layers())
    again = Network.from_config(json.loads(json.dumps(network.config())))
    again.params, again.statistics = network.params, network.statistics
    assert again.config() == network.config()
    x = RNG.normal(size=(42, 3))
    np.testing.assert_array_equal(again.forward(x)[0], network.forward(x)[0])
    assert len(np.unique(again.forward(x)[0])) > 6


def test_a_copy_of_another_type_shares_no_memory() -> None:
    network = small_network()
    exact = network.astype(np.float64)
    exact.params["0.weight"][:] = 0
    assert exact.params["0.weight"].dtype == np.float64
    assert network.params["0.weight"].dtype == np.float32
    assert network.params["0.weight"].any()
