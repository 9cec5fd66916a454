"""Convolution: definition and fast version against loops, SciPy, PyTorch's numbers and finite differences."""

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.signal import correlate2d

from digitscope.arrays import Array
from digitscope.errors import ShapeError
from digitscope.nn import (
    BatchNorm,
    Conv2D,
    Dense,
    Flatten,
    GlobalAveragePool2D,
    MaxPool2D,
    Network,
    ReLU,
    Reshape,
    Tanh,
    check_gradients,
)
from digitscope.nn.conv import convolve
from digitscope.nn.kernels import convolution, large_convolution
from digitscope.nn.kernels.convolution import fast_convolve
from digitscope.nn.kernels.large_convolution import convolve_large
from digitscope.nn.kernels.toom_cook import toom_cook
from digitscope.nn.kernels.window_convolution import convolve_windows
from digitscope.nn.layer import Backward, Params

GEOMETRIES = [  # kernel_size, stride, padding, height, width
    (1, 1, 0, 3, 4),
    (3, 1, 0, 5, 4),
    (3, 1, 1, 4, 3),
    (2, 2, 0, 5, 4),
    (3, 2, 1, 6, 5),
    (2, 3, 1, 5, 6),
    (5, 1, 2, 3, 3),
    (3, 1, 4, 2, 1),
]


def make(
    inputs: int, outputs: int, kernel: int, stride: int = 1, padding: int = 0, *, dilation: int = 1, seed: int = 0
) -> Conv2D:
    rng = np.random.default_rng(seed)
    layer = Conv2D(inputs, outputs, kernel, stride=stride, padding=padding, dilation=dilation, rng=rng).astype(
        np.float64
    )
    layer.params["bias"][...] = rng.normal(size=(outputs, 1, 1, 1))
    return layer


def loops(layer: Conv2D, x: Array, dy_of: Any) -> tuple[Array, Array, Array, Array]:
    """y, dx, dW and db by the formulas, one product at a time."""
    W, b = layer.params["weight"], layer.params["bias"]
    (outputs, channels, k, _), s, p = W.shape, layer.stride, layer.padding
    _, height, width, batch = x.shape
    y = np.zeros((outputs, (height + 2 * p - k) // s + 1, (width + 2 * p - k) // s + 1, batch))
    y += b
    dy = dy_of(y.shape)
    dx, dW = np.zeros_like(x), np.zeros_like(W)
    for o, i, j, n in product(*map(range, y.shape)):
        for c, u, v in product(range(channels), range(k), range(k)):
            row, column = s * i + u - p, s * j + v - p
            if 0 <= row < height and 0 <= column < width:
                y[o, i, j, n] += W[o, c, u, v] * x[c, row, column, n]
                dW[o, c, u, v] += dy[o, i, j, n] * x[c, row, column, n]
                dx[c, row, column, n] += W[o, c, u, v] * dy[o, i, j, n]
    db = np.array([sum(dy[o].ravel().tolist()) for o in range(outputs)]).reshape(b.shape)
    return y, dx, dW, db


@given(
    channels=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    window=st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(0, 3)),
    more=st.tuples(st.integers(0, 4), st.integers(0, 4)),
    batch=st.integers(1, 3),
    seed=st.integers(0, 2**32 - 1),
)
def test_forward_and_all_derivatives_agree_with_loops(
    channels: tuple[int, int], window: tuple[int, int, int], more: tuple[int, int], batch: int, seed: int
) -> None:
    kernel, stride, padding = window
    least = max(1, kernel - 2 * padding)
    rng = np.random.default_rng(seed)
    layer = make(*channels, kernel, stride, padding, seed=seed)
    x = rng.normal(size=(channels[0], least + more[0], least + more[1], batch))
    dys: list[Array] = []

    def draw(shape: tuple[int, ...]) -> Array:
        dys.append(rng.normal(size=shape))
        return dys[0]

    y, dx, dW, db = loops(layer, x, draw)
    own, backward = layer.forward(x)
    own_dx, grads = backward(dys[0])
    defined, defined_backward = convolve(x, layer.params["weight"], layer.params["bias"], stride, padding)
    for found in (own, own_dx, grads["weight"], grads["bias"]), (defined, *defined_backward(dys[0])):
        for one, other in zip(found, (y, dx, dW, db), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("version", [fast_convolve, convolve_windows])
@settings(deadline=None)
@given(
    channels=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    window=st.tuples(st.integers(1, 5), st.integers(1, 3), st.integers(0, 3)),
    extra=st.tuples(st.integers(0, 14), st.integers(0, 14)),
    batch=st.integers(1, 40),
    dtype=st.sampled_from([np.float32, np.float64]),
    need_dx=st.booleans(),
    bias=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
@example((3, 5), (5, 1, 2), (12, 12), 32, np.float32, True, True, 0)
@example((1, 1), (1, 1, 0), (0, 0), 1, np.float32, True, True, 0)
@example((16, 24), (3, 2, 1), (20, 19), 64, np.float32, False, False, 0)
def test_the_fast_versions_agree_with_the_definition(
    version: Callable[..., tuple[Array, Callable[[Array], tuple[Array | None, Array, Array | None]]]],
    channels: tuple[int, int],
    window: tuple[int, int, int],
    extra: tuple[int, int],
    batch: int,
    dtype: type[np.floating],
    need_dx: bool,
    bias: bool,
    seed: int,
) -> None:
    (inputs, outputs), (k, stride, padding) = channels, window
    rng = np.random.default_rng(seed)
    smallest = max(1, k - 2 * padding)

    def draw(*shape: int) -> Array:
        return rng.normal(size=shape).astype(dtype)

    x, W = draw(inputs, smallest + extra[0], smallest + extra[1], batch), draw(outputs, inputs, k, k)
    b = draw(outputs, 1, 1, 1) if bias else None
    y, backward = version(x, W, b, stride, padding, need_dx=need_dx)
    expected, expected_backward = convolve(
        x, W, np.zeros((outputs, 1, 1, 1), dtype) if b is None else b, stride, padding
    )
    dy = draw(*expected.shape)
    dx, dW, db = backward(dy)
    expected_dx, expected_dW, expected_db = expected_backward(dy)
    assert (dx is None, db is None) == (not need_dx, not bias)
    tolerance = 1e-5 if dtype == np.float32 else 1e-12
    pairs = [(y, expected), (dx, expected_dx), (dW, expected_dW), (db, expected_db)]
    for found, right in pairs:
        if found is not None:
            assert found.shape == right.shape
            assert found.dtype == dtype
            terms = max(inputs * k * k, outputs * k * k, dy[0].size)
            assert np.abs(found - right).max() <= tolerance * terms**0.5


@pytest.mark.parametrize("tile", range(2, 6))
@pytest.mark.parametrize(
    ("kernel", "padding", "height", "width"), [(2, 0, 3, 7), (3, 1, 4, 5), (3, 0, 5, 8), (4, 3, 2, 3)]
)
def test_the_toom_cook_algorithm_agrees_with_the_definition(
    monkeypatch: pytest.MonkeyPatch, kernel: int, padding: int, height: int, width: int, tile: int
) -> None:
    monkeypatch.setattr(convolution, "choose_transforms", lambda width, *_: toom_cook(width, kernel, padding, tile))
    rng = np.random.default_rng(tile)
    layer = make(3, 2, kernel, 1, padding)
    x = rng.normal(size=(3, height, width, 2))
    own, backward = layer.forward(x)
    dy = rng.normal(size=own.shape)
    expected = loops(layer, x, lambda shape: dy)
    own_dx, grads = backward(dy)
    for one, other in zip((own, own_dx, grads["weight"], grads["bias"]), expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
def test_forward_agrees_with_scipys_correlation(geometry: tuple[int, ...]) -> None:
    kernel, stride, padding, height, width = geometry
    layer = make(3, 4, kernel, stride, padding)
    x = np.random.default_rng(1).normal(size=(3, height, width, 5))
    padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    W, b = layer.params["weight"], layer.params["bias"]
    y = layer.forward(x)[0]
    for o, n in product(range(4), range(5)):
        expected = sum(correlate2d(padded[c, :, :, n], W[o, c], mode="valid") for c in range(3))
        np.testing.assert_allclose(y[o, :, :, n], expected[::stride, ::stride] + b[o, 0], rtol=1e-12, atol=1e-12)


def test_it_agrees_with_pytorch() -> None:
    # torch 2.13.0, float64: conv2d(x, W, b, stride=2, padding=1) and its gradients.
    layer = Conv2D(1, 2, 2, stride=2, padding=1).astype(np.float64)
    layer.params["weight"] = np.cos(np.arange(8.0)).reshape(2, 1, 2, 2)
    layer.params["bias"] = np.array([0.5, -1.0]).reshape(2, 1, 1, 1)
    y, backward = layer.forward(np.sin(np.arange(12.0)).reshape(1, 3, 4, 1))
    dx, grads = backward(np.cos(np.arange(12.0) * 0.7).reshape(2, 2, 3, 1))
    expected_y = [
        [
            [0.5, -0.7503731181095321, 0.441273355072379],
            [-0.8883593739085566, -0.24281809877855542, 1.5731293597529878],
        ],
        [
            [-1, 0.49347681664341114, -0.8645007614090554],
            [-0.4687968373005632, -0.4668996936479297, -2.3895959825167656],
        ],
    ]
    expected_dx = [
        [-1.3596012350253994, -0.13920302148392424, -0.6165759307245258, 0.6739440230505378],
        [0.010852571526949906, -1.4350057399748555, -0.29523134221107705, -1.0367085338190627],
        [1.2535895354859012, 1.1159773900524739, 1.501161656495197, 0.5369685130570522],
    ]
    expected_dW = [
        [[0.28828038076645257, 0.6453403164397504], [1.2157185454853003, 0.708584220439298]],
        [[-0.6221706004604364, -0.9673474849607787], [0.42371730530477697, 0.7486748630408047]],
    ]
    np.testing.assert_allclose(y[..., 0], expected_y, rtol=1e-12)
    np.testing.assert_allclose(dx[0, ..., 0], expected_dx, rtol=1e-12)
    np.testing.assert_allclose(grads["weight"][:, 0], expected_dW, rtol=1e-12)
    np.testing.assert_allclose(grads["bias"].ravel(), [-0.44871580237458186, 2.378952179356709], rtol=1e-12)


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
def test_its_derivative_agrees_with_differences(geometry: tuple[int, ...], bias: bool) -> None:
    kernel, stride, padding, height, width = geometry
    rng = np.random.default_rng(2)
    conv = Conv2D(2, 3, kernel, stride=stride, padding=padding, bias=bias, rng=rng)
    x = rng.normal(size=(2, height, width, 3))
    y = conv.forward(x)[0]
    network = Network(conv, Tanh(), Flatten(), Dense(y[..., 0].size, 4, rng=rng))
    result = check_gradients(network, x, np.array([0, 3, 2]))
    assert result.passed, str(result)
    assert {c.name for c in result.comparisons} >= {"0.weight", "input"}
    assert ("0.bias" in network.params) == bias


class Defined(Conv2D):
    """A convolutional layer that computes with the definition."""

    def forward(
        self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None, need_dx: bool = True
    ) -> tuple[Array, Backward]:
        y, backward = convolve(x, self.params["weight"], self.params["bias"], self.stride, self.padding)

        def named(dy: Array) -> tuple[Array, Params]:
            dx, dW, db = backward(dy)
            return dx, {"weight": dW, "bias": db}

        return y, named


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
def test_the_definitions_derivatives_agree_with_differences(geometry: tuple[int, ...]) -> None:
    kernel, stride, padding, height, width = geometry
    rng = np.random.default_rng(2)
    conv = Defined(2, 3, kernel, stride=stride, padding=padding, rng=rng)
    features = conv.output_shape((2, height, width))
    network = Network(conv, Tanh(), Flatten(), Dense(int(np.prod(features)), 4, rng=rng))
    result = check_gradients(network, rng.normal(size=(2, height, width, 3)), np.array([0, 3, 2]))
    assert result.passed, str(result)


def test_a_bias_before_batch_norm_has_derivative_zero() -> None:
    rng = np.random.default_rng(3)
    convs = [Conv2D(3, 4, 3, rng=rng, padding=1), Conv2D(4, 6, 3, rng=rng)]
    end = [BatchNorm(6), ReLU(), GlobalAveragePool2D(), Dense(6, 10, rng=rng)]
    network = Network(convs[0], BatchNorm(4), Tanh(), MaxPool2D(2), convs[1], *end)
    result = check_gradients(network, rng.normal(size=(3, 12, 12, 16)), rng.integers(0, 10, 16), entries=20)
    assert result.passed, str(result)
    biases = [c for c in result.comparisons if c.name in ("0.bias", "4.bias")]
    assert len(biases) == 2
    assert all(abs(c.by_hand) < 1e-14 for c in biases)


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
def test_forward_and_backward_change_nothing(geometry: tuple[int, ...]) -> None:
    kernel, stride, padding, height, width = geometry
    rng = np.random.default_rng(4)
    layer = Conv2D(2, 3, kernel, stride=stride, padding=padding, rng=rng)
    x = rng.normal(size=(2, height, width, 3)).astype(np.float32)
    kept = {"x": x.copy(), **{name: p.copy() for name, p in layer.params.items()}}
    attributes = dict(vars(layer))
    y, backward = layer.forward(x)
    dy = rng.normal(size=y.shape).astype(np.float32)
    kept["dy"], kept["y"] = dy.copy(), y.copy()
    first_dx, first = backward(dy)
    layer.forward(2 * x)
    second_dx, second = backward(dy)
    for name, value in {"x": x, "dy": dy, "y": y, **layer.params}.items():
        np.testing.assert_array_equal(value, kept[name])
    assert vars(layer) == attributes
    np.testing.assert_array_equal(first_dx, second_dx)
    for name in first:
        np.testing.assert_array_equal(first[name], second[name])
        assert first[name].dtype == np.float32
        assert first[name].shape == layer.params[name].shape
    assert y.dtype == first_dx.dtype == np.float32
    assert first_dx.shape == x.shape


def test_without_dx_the_parameters_derivatives_are_the_same() -> None:
    rng = np.random.default_rng(5)
    network = Network(Reshape(2, 6, 5), Conv2D(2, 3, 3, stride=2, padding=1, rng=rng), Tanh(), Flatten())
    x = rng.normal(size=(60, 4)).astype(np.float32)
    y, with_dx = network.forward(x, training=True)
    again, without_dx = network.forward(x, training=True, need_dx=False)
    np.testing.assert_array_equal(y, again)
    grads, same = with_dx(np.ones_like(y))[1], without_dx(np.ones_like(y))[1]
    assert list(grads) == list(same) == ["1.weight", "1.bias"]
    for name in grads:
        np.testing.assert_array_equal(grads[name], same[name])


def test_arrays_may_lie_in_memory_in_any_order() -> None:
    layer = make(2, 3, 3, padding=1)
    x = np.random.default_rng(6).normal(size=(2, 5, 4, 3))
    y, backward = layer.forward(x)
    turned = np.ascontiguousarray(x.T).T
    again, turned_backward = layer.forward(turned)
    np.testing.assert_allclose(again, y, rtol=1e-12, atol=1e-12)
    dx, grads = backward(y)
    turned_dx, turned_grads = turned_backward(np.asfortranarray(y))
    np.testing.assert_allclose(turned_dx, dx, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(turned_grads["weight"], grads["weight"], rtol=1e-12, atol=1e-12)


def test_a_large_batch_gives_the_same_as_many_small_ones() -> None:
    layer = make(4, 8, 3)
    x = np.random.default_rng(7).normal(size=(4, 14, 14, 150))
    y, backward = layer.forward(x)
    dx, grads = backward(y)
    parts = [(part, *layer.forward(part)) for part in np.split(x, 50, axis=-1)]
    np.testing.assert_allclose(y, np.concatenate([part_y for _, part_y, _ in parts], axis=-1), rtol=1e-10, atol=1e-10)
    done = [part_backward(part_y) for _, part_y, part_backward in parts]
    np.testing.assert_allclose(dx, np.concatenate([part_dx for part_dx, _ in done], axis=-1), rtol=1e-9, atol=1e-9)
    for name, g in grads.items():
        np.testing.assert_allclose(g, sum(part[name] for _, part in done), rtol=1e-9, atol=1e-9)


def test_wrong_shapes_say_what_to_do() -> None:
    layer = Conv2D(1, 2, 3)
    with pytest.raises(ShapeError, match=r"^Conv2D expects \(1, H, W, N\); got \(784, 64\)\. Put Reshape\(1, H, W\)"):
        layer.forward(np.zeros((784, 64)))
    with pytest.raises(ShapeError, match=r"^Conv2D expects \(1, H, W, N\); got \(3, 28, 28, 5\)\.$"):
        layer.forward(np.zeros((3, 28, 28, 5)))
    with pytest.raises(ShapeError, match=r"window of 3x3 does not fit into images of \(2, 9\) padded by 0"):
        layer.forward(np.zeros((1, 2, 9, 5)))
    for arguments in ((0, 1, 3), (1, 0, 3), (1, 1, 0)):
        with pytest.raises(ShapeError, match=f"Conv2D expects .* got {', '.join(map(str, arguments))}, 1, 0"):
            Conv2D(*arguments)
    with pytest.raises(ShapeError, match="stride of at least 1 and padding of at least 0; got 1, 1, 3, 0, 0"):
        Conv2D(1, 1, 3, stride=0)
    with pytest.raises(ShapeError, match="got 1, 1, 3, 1, -1"):
        Conv2D(1, 1, 3, padding=-1)


def test_its_first_weights_keep_the_variance() -> None:
    layer = Conv2D(16, 64, 5, rng=np.random.default_rng(8))
    assert layer.params["weight"].shape == (64, 16, 5, 5)
    assert layer.params["weight"].std() == pytest.approx((2 / (16 * 25)) ** 0.5, rel=0.02)
    assert not layer.params["bias"].any()


def test_rows_of_factors_are_not_a_power_of_two_apart() -> None:
    """Such rows would compete for the same cache lines, which only the time would reveal."""
    T = np.ones((1, 8, 4, 24), np.float32)
    rows = convolution.transform_rows(T, np.ones((3, 5, 24, 64), np.float32), 1, 1)
    products = convolution.multiply_rows(np.ones((8, 6, 9), np.float32), convolution.row_windows(rows, 3, 1))
    line = 8 * 4 * 64
    assert rows.strides[1] == (line + convolution.ROW_GAP) * 4
    assert products.strides[0] == (5 * line + convolution.ROW_GAP) * 4


@settings(deadline=None)
@given(
    channels=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    window=st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(0, 5)),
    more=st.tuples(st.integers(0, 60), st.integers(0, 60)),
    batch=st.integers(1, 3),
    block=st.sampled_from([1, 40, 128_000]),
    need_dx=st.booleans(),
    bias=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_version_for_large_images_agrees_with_the_definition(
    channels: tuple[int, int],
    window: tuple[int, int, int],
    more: tuple[int, int],
    batch: int,
    block: int,
    need_dx: bool,
    bias: bool,
    seed: int,
) -> None:
    (inputs, outputs), (k, dilation, padding) = channels, window
    rng = np.random.default_rng(seed)
    least = max(1, dilation * (k - 1) + 1 - 2 * padding)
    x = rng.normal(size=(inputs, least + more[0], least + more[1], batch))
    W, b = rng.normal(size=(outputs, inputs, k, k)), rng.normal(size=(outputs, 1, 1, 1)) * bias
    expected, expected_backward = convolve(x, W, b, 1, padding, dilation)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(large_convolution, "BLOCK", min(block, x.size))
        y, backward = convolve_large(x, W, b if bias else None, padding, dilation, need_dx=need_dx)
        dy = rng.normal(size=y.shape)
        dx, dW, db = backward(dy)
    expected_dx, expected_dW, expected_db = expected_backward(dy)
    np.testing.assert_allclose(y, expected, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(dW, expected_dW, rtol=1e-9, atol=1e-9)
    assert (dx is None) == (not need_dx)
    assert (db is None) == (not bias)
    if dx is not None:
        np.testing.assert_allclose(dx, expected_dx, rtol=1e-9, atol=1e-9)
    if db is not None:
        np.testing.assert_allclose(db, expected_db, rtol=1e-9, atol=1e-9)


def test_a_dilated_window_reads_every_other_pixel() -> None:
    layer = make(1, 1, 3, dilation=2)
    x = np.random.default_rng(0).normal(size=(1, 5, 5, 1))
    y, _ = layer.forward(x)
    W, b = layer.params["weight"], layer.params["bias"]
    assert y.shape == (1, 1, 1, 1)
    assert y.item() == pytest.approx((W[0, 0] * x[0, ::2, ::2, 0]).sum() + b.item())
    result = check_gradients(
        Network(Reshape(1, 6, 7), make(1, 2, 3, padding=2, dilation=2), Tanh(), Flatten(), Dense(84, 3)),
        np.random.default_rng(1).normal(size=(42, 4)),
        np.array([0, 1, 2, 0]),
    )
    assert result.passed, str(result)


@pytest.mark.parametrize("dilation", [0, 2])
def test_dilation_is_at_least_1_and_excludes_a_stride(dilation: int) -> None:
    with pytest.raises(ShapeError, match="dilation"):
        Conv2D(1, 1, 3, stride=2, dilation=dilation)
