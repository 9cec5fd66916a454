"""Pooling, with max pooling's fast version, against loops, PyTorch's numbers and finite differences."""

from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digitscope.arrays import Array
from digitscope.errors import ShapeError
from digitscope.nn import (
    AveragePool2D,
    Conv2D,
    Dense,
    Flatten,
    GlobalAveragePool2D,
    Layer,
    MaxPool2D,
    Network,
    check_gradients,
)
from digitscope.nn.kernels.pooling import fast_max_pool
from digitscope.nn.layer import Backward
from digitscope.nn.pooling import max_pool

SQUARES = np.array([[1, 3, 3, 0, 2], [3, 3, 1, 2, 2], [0, 1, 3, 2, 2], [4, 4, 0, 1, 0], [4, 0, 4, 1, 5]], np.float64)


def name(layer: object) -> str:
    return f"{type(layer).__name__} {' '.join(map(str, layer.config().values()))}" if isinstance(layer, Layer) else ""


def max_loops(x: Array, dy: Array, size: int, stride: int) -> tuple[Array, Array]:
    y, dx = np.zeros_like(dy), np.zeros_like(x)
    for c, i, j, n in product(*map(range, dy.shape)):
        best = stride * i, stride * j
        for column, row in product(range(stride * j, stride * j + size), range(stride * i, stride * i + size)):
            if x[c, row, column, n] > x[(c, *best, n)]:
                best = row, column
        y[c, i, j, n] = x[(c, *best, n)]
        dx[(c, *best, n)] += dy[c, i, j, n]
    return y, dx


def mean_loops(x: Array, dy: Array, size: int, stride: int) -> tuple[Array, Array]:
    y, dx = np.zeros_like(dy), np.zeros_like(x)
    for c, i, j, n in product(*map(range, dy.shape)):
        for row, column in product(range(stride * i, stride * i + size), range(stride * j, stride * j + size)):
            y[c, i, j, n] += x[c, row, column, n] / size**2
            dx[c, row, column, n] += dy[c, i, j, n] / size**2
    return y, dx


@pytest.mark.parametrize(("kind", "loops"), [(MaxPool2D, max_loops), (AveragePool2D, mean_loops)], ids=["max", "mean"])
@settings(deadline=None)
@given(
    size=st.integers(1, 4),
    stride=st.integers(1, 5),
    more=st.tuples(st.integers(0, 5), st.integers(0, 5)),
    channels=st.integers(1, 3),
    batch=st.integers(1, 3),
    values=st.sampled_from([2, 5, 1000]),
    training=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_pooling_agrees_with_loops(
    kind: Any,
    loops: Any,
    size: int,
    stride: int,
    more: tuple[int, int],
    channels: int,
    batch: int,
    values: int,
    training: bool,
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    height, width = size + more[0], size + more[1]
    x = rng.integers(0, values, (channels, height, width, batch)).astype(np.float64)
    dy = rng.normal(size=(channels, (height - size) // stride + 1, (width - size) // stride + 1, batch))
    y, backward = kind(size, stride).forward(x, training=training)
    dx, grads = backward(dy)
    expected, expected_dx = loops(x, dy, size, stride)
    np.testing.assert_allclose(y, expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(dx, expected_dx, rtol=1e-12, atol=1e-12)
    assert grads == {}


@settings(deadline=None)
@given(
    size=st.integers(1, 4),
    stride=st.integers(1, 5),
    extra=st.tuples(st.integers(0, 9), st.integers(0, 9)),
    channels=st.integers(1, 5),
    batch=st.integers(1, 9),
    values=st.sampled_from([1, 2, 5, 1000]),
    dtype=st.sampled_from([np.float32, np.float64]),
    keep_masks=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_fast_max_pooling_is_bit_identical_to_the_definition(
    size: int,
    stride: int,
    extra: tuple[int, int],
    channels: int,
    batch: int,
    values: int,
    dtype: type[np.floating],
    keep_masks: bool,
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    x = rng.integers(0, values, (channels, size + extra[0], size + extra[1], batch)).astype(dtype)
    expected, expected_backward = max_pool(x, size, stride)
    y, backward = fast_max_pool(x, size, stride, keep_masks=keep_masks)
    np.testing.assert_array_equal(y, expected, strict=True)
    dy = rng.integers(-9, 9, y.shape).astype(dtype)  # whole numbers, so that the order of a sum does not matter
    np.testing.assert_array_equal(backward(dy), expected_backward(dy), strict=True)


class Defined(MaxPool2D):
    """Max pooling that computes with the definition."""

    def forward(
        self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None, need_dx: bool = True
    ) -> tuple[Array, Backward]:
        y, backward = max_pool(x, self.size, self.stride)
        return y, lambda dy: (backward(dy), {})


POOLS: list[Any] = [
    MaxPool2D(2),
    MaxPool2D(3),
    MaxPool2D(3, 2),
    MaxPool2D(2, 1),
    MaxPool2D(1, 2),
    Defined(2),
    Defined(3, 2),
    AveragePool2D(2),
    AveragePool2D(3, 2),
    AveragePool2D(1),
    GlobalAveragePool2D(),
]


def test_of_equal_numbers_the_first_in_column_order_receives_dy() -> None:
    y, backward = MaxPool2D(2).forward(np.zeros((1, 4, 2, 1)))
    dx = backward(np.array([5.0, 7.0]).reshape(1, 2, 1, 1))[0]
    assert dx[0, :, :, 0].tolist() == [[5, 0], [0, 0], [7, 0], [0, 0]]
    x = np.array([[1.0, 2.0], [2.0, 2.0]]).reshape(1, 2, 2, 1)
    y, backward = MaxPool2D(2).forward(x)
    assert backward(np.ones_like(y))[0][0, :, :, 0].tolist() == [[0, 0], [1, 0]]


@pytest.mark.parametrize(
    ("layer", "y", "dx"),
    [
        (
            MaxPool2D(3, 2),
            [[3, 3], [4, 5]],
            [[0, 1, 2, 0, 0], [0, 0, 0, 0, 0], [0, 0, 0, 0, 0], [4, 0, 0, 0, 0], [0, 0, 0, 0, 8]],
        ),
        (
            AveragePool2D(3, 2),
            [[2, 1.8888888888888888], [2.2222222222222223, 2]],
            np.array([1, 1, 5, 4, 4])[:, None] * np.array([1, 1, 3, 2, 2]) / 9,
        ),
    ],
    ids=name,
)
def test_overlapping_windows_and_ties_agree_with_pytorch(layer: Layer, y: Any, dx: Any) -> None:
    # torch 2.13.0, float64: max_pool2d and avg_pool2d of SQUARES, windows of 3, stride 2. Among equal numbers
    # PyTorch takes the first in row order, so it is given the transposed image.
    own, backward = layer.forward(SQUARES.T.reshape(1, 5, 5, 1))
    np.testing.assert_allclose(own[0, :, :, 0].T, y, rtol=1e-15)
    own_dx = backward(np.array([[1.0, 4.0], [2.0, 8.0]]).reshape(1, 2, 2, 1))[0]
    np.testing.assert_allclose(own_dx[0, :, :, 0].T, dx, rtol=1e-15)


def test_rows_and_columns_left_over_are_not_read() -> None:
    x = SQUARES.reshape(1, 5, 5, 1).copy()
    for layer in (MaxPool2D(2), AveragePool2D(2)):
        y, backward = layer.forward(x)
        assert y.shape == (1, 2, 2, 1)
        dx = backward(np.ones_like(y))[0]
        assert dx.shape == x.shape
        assert not dx[:, 4].any()
        assert not dx[:, :, 4].any()
        other = x.copy()
        other[:, 4], other[:, :, 4] = 99, 99
        np.testing.assert_array_equal(layer.forward(other)[0], y)


def test_the_global_mean_is_one_number_for_each_channel() -> None:
    x = np.random.default_rng(0).normal(size=(3, 4, 5, 2))
    y, backward = GlobalAveragePool2D().forward(x)
    dy = np.arange(6.0).reshape(3, 2)
    dx = backward(dy)[0]
    assert dx.shape == x.shape
    for c, n in product(range(3), range(2)):
        assert y[c, n] == pytest.approx(sum(x[c, :, :, n].ravel().tolist()) / 20)
        np.testing.assert_allclose(dx[c, :, :, n], np.full((4, 5), dy[c, n] / 20))


@pytest.mark.parametrize("layer", POOLS, ids=name)
@pytest.mark.parametrize("shape", [(2, 5, 4, 3), (1, 3, 7, 2), (3, 6, 6, 4)], ids=str)
def test_the_derivative_agrees_with_differences(layer: Layer, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(1)
    x = rng.permutation(np.prod(shape)).reshape(shape) / 10  # no two numbers close to each other
    features = layer.forward(x)[0][..., 0].size
    network = Network(layer, Flatten(), Dense(features, 4, rng=rng))
    result = check_gradients(network, x, rng.integers(0, 4, shape[-1]))
    assert result.passed, str(result)


@pytest.mark.parametrize("layer", POOLS, ids=name)
def test_between_other_layers_the_derivative_agrees_with_differences(layer: Layer) -> None:
    rng = np.random.default_rng(2)
    conv = Conv2D(1, 3, 2, rng=rng)
    x = rng.normal(size=(1, 8, 7, 3))
    features = layer.forward(conv.forward(x)[0])[0][..., 0].size
    result = check_gradients(Network(conv, layer, Flatten(), Dense(features, 4, rng=rng)), x, np.array([1, 0, 3]))
    assert result.passed, str(result)


@pytest.mark.parametrize("layer", POOLS, ids=name)
def test_forward_and_backward_change_nothing(layer: Layer) -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(2, 6, 5, 3)).astype(np.float32)
    kept, attributes = x.copy(), dict(vars(layer))
    y, backward = layer.forward(x)
    dy = rng.normal(size=y.shape).astype(np.float32)
    kept_dy, kept_y = dy.copy(), y.copy()
    dx = backward(dy)[0]
    layer.forward(x + 1)
    np.testing.assert_array_equal(backward(dy)[0], dx)
    np.testing.assert_array_equal(x, kept)
    np.testing.assert_array_equal(dy, kept_dy)
    np.testing.assert_array_equal(y, kept_y)
    assert vars(layer) == attributes
    assert y.dtype == dx.dtype == np.float32
    again, without_dx = layer.forward(x, need_dx=False)
    np.testing.assert_array_equal(again, y)
    assert without_dx(dy)[1] == {}


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"^Pooling over 2x2 expects \(C, H, W, N\) .*; got \(784, 5\)"):
        MaxPool2D(2).forward(np.zeros((784, 5)))
    with pytest.raises(ShapeError, match=r"over 3x3 .* with H and W of at least 3; got \(1, 4, 2, 5\)"):
        AveragePool2D(3).forward(np.zeros((1, 4, 2, 5)))
    with pytest.raises(ShapeError, match=r"got \(4, 5\)"):
        GlobalAveragePool2D().forward(np.zeros((4, 5)))
    with pytest.raises(ShapeError, match="a size and a stride of at least 1; got 0 and 0"):
        MaxPool2D(0)
    with pytest.raises(ShapeError, match="a size and a stride of at least 1; got 2 and 0"):
        AveragePool2D(2, 0)
