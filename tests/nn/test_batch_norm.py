"""Batch normalization, in training and with measured statistics."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from digitscope.errors import ShapeError
from digitscope.nn import (
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    MaxPool2D,
    Network,
    ReLU,
    Residual,
    Tanh,
    check_gradients,
)
from tests.nn.evaluation_mode import EvaluationMode

SHAPES = [(3, 7), (1, 2), (4, 3, 2, 5), (2, 1, 1, 4), (3, 2, 6), (2, 4, 4, 1)]
X = np.sin(np.arange(12.0)).reshape(2, 1, 2, 3)
DY = np.cos(np.arange(12.0) * 0.7).reshape(2, 1, 2, 3)

# torch 2.13.0, float64: batch_norm(X, [0.1, -0.2], [0.5, 2.0], [1.5, -0.5], [0.25, 2.0], training=..., eps=1e-5) and
# the derivatives of the input, the weight and the bias for DY.
TORCH: dict[bool, tuple[list[list[list[float]]], list[list[list[float]]], list[float], list[float]]] = {
    True: (
        [
            [
                [0.18814873869788554, 1.9608174838483485, 2.103702759788239],
                [0.48543650276763306, -1.406154753525932, -1.8319507315761747],
            ],
            [
                [2.227363285829254, 1.559091756192876, 1.3218918286360246],
                [1.7338440226509575, 2.416201390875224, 2.7416077158156638],
            ],
        ],
        [
            [
                [2.3119819598894096, 0.44650036899273027, -0.9171174017528979],
                [-1.087946194895245, -0.5473306985025284, -0.20608803373146822],
            ],
            [
                [0.5724545077986657, 0.2669526777976656, -0.09043362613212692],
                [-0.35991066228449975, -0.3656060033642264, -0.02345689381547841],
            ],
        ],
        [3.3019907861499, 1.1164393167935889],
        [-0.44871580237458186, 2.378952179356709],
    ),
    False: (
        [
            [
                [0.03787008693256, 1.8228817554932824, 1.9667619279823476],
                [0.3372278373507206, -1.5675343884563648, -1.9962951432929352],
            ],
            [
                [2.028077548460101, 1.6970102398034284, 1.5794994105263918],
                [1.783583975137344, 2.1216295261171663, 2.282838542871941],
            ],
        ],
        [
            [
                [2.1212991306744, 1.6224590669896921, 0.3605511524774928],
                [-1.070929602812034, -1.9987354321624227, -1.986504756664195],
            ],
            [
                [0.17333294232823362, -0.0659419157423533, -0.2742032604684555],
                [-0.35350252725211023, -0.26654403183974135, -0.05422571338775824],
            ],
        ],
        [3.3698083396576246, 0.9554223741326451],
        [-0.44871580237458186, 2.378952179356709],
    ),
}


def make(channels: int, seed: int = 0) -> BatchNorm:
    rng = np.random.default_rng(seed)
    layer = BatchNorm(channels).astype(np.float64)
    layer.params = {"scale": rng.normal(size=channels), "shift": rng.normal(size=channels)}
    layer.statistics = {"mean": rng.normal(size=channels), "variance": rng.uniform(0.5, 2, channels)}
    return layer


@pytest.mark.parametrize("training", [True, False], ids=["training", "use"])
def test_it_agrees_with_pytorch(training: bool) -> None:
    layer = BatchNorm(2).astype(np.float64)
    layer.params = {"scale": np.array([1.5, -0.5]), "shift": np.array([0.25, 2.0])}
    layer.statistics = {"mean": np.array([0.1, -0.2]), "variance": np.array([0.5, 2.0])}
    y, backward = layer.forward(X, training=training)
    dx, grads = backward(DY)
    expected_y, expected_dx, dscale, dshift = TORCH[training]
    np.testing.assert_allclose(y[:, 0], expected_y, rtol=1e-12)
    np.testing.assert_allclose(dx[:, 0], expected_dx, rtol=1e-11)
    np.testing.assert_allclose(grads["scale"], dscale, rtol=1e-12)
    np.testing.assert_allclose(grads["shift"], dshift, rtol=1e-12)


@given(
    channels=st.integers(1, 4),
    side=st.integers(1, 4),
    batch=st.integers(1, 5),
    size=st.floats(1e-3, 1e3),
    seed=st.integers(0, 2**32 - 1),
)
def test_forward_and_all_derivatives_agree_with_loops(
    channels: int, side: int, batch: int, size: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    layer = make(channels, seed)
    x = size * rng.normal(size=(channels, side, 2, batch)) + rng.normal()
    dy = rng.normal(size=x.shape)
    for training in (True, False):
        y, backward = layer.forward(x, training=training)
        dx, grads = backward(dy)
        for c in range(channels):
            numbers = [float(v) for v in x[c].ravel()]
            slopes = [float(v) for v in dy[c].ravel()]
            M = len(numbers)
            mean = sum(numbers) / M if training else layer.statistics["mean"][c]
            variance = sum((v - mean) ** 2 for v in numbers) / M if training else layer.statistics["variance"][c]
            r = 1 / (variance + layer.eps) ** 0.5
            h = [(v - mean) * r for v in numbers]
            scale, shift = layer.params["scale"][c], layer.params["shift"][c]
            dscale, dshift = sum(s * v for s, v in zip(slopes, h, strict=True)), sum(slopes)
            through = [training * (dshift + v * dscale) / M for v in h]
            np.testing.assert_allclose(y[c].ravel(), [scale * v + shift for v in h], rtol=1e-8, atol=1e-8)
            expected = [scale * r * (s - t) for s, t in zip(slopes, through, strict=True)]
            np.testing.assert_allclose(dx[c].ravel(), expected, rtol=1e-8, atol=1e-8 * r)
            assert grads["scale"][c] == pytest.approx(dscale, rel=1e-8, abs=1e-8)
            assert grads["shift"][c] == pytest.approx(dshift, rel=1e-8, abs=1e-8)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("kind", [Network, EvaluationMode], ids=["training", "use"])
def test_its_derivative_agrees_with_differences(shape: tuple[int, ...], kind: type[Network]) -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=shape) * 3 + 1
    norm = kind(make(shape[0]))
    network = Network(norm, Tanh(), Flatten(), Dense(x[..., 0].size, 4, rng=rng))
    result = check_gradients(network, x, rng.integers(0, 4, shape[-1]))
    assert result.passed, str(result)
    assert {c.name for c in result.comparisons} >= {"0.0.scale", "0.0.shift", "input"}


@pytest.mark.parametrize("shape", [(3, 400), (4, 6, 5, 20)], ids=str)
def test_in_training_each_channel_has_mean_0_and_variance_1(shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(2).normal(5, 3, shape).astype(np.float32)
    layer = BatchNorm(shape[0])
    y = layer.forward(x, training=True)[0]
    axes = tuple(range(1, len(shape)))
    assert y.dtype == np.float32
    np.testing.assert_allclose(y.mean(axis=axes), np.zeros(shape[0]), atol=1e-5)
    np.testing.assert_allclose(y.var(axis=axes), np.ones(shape[0]), rtol=1e-4)
    layer.params = {"scale": np.full(shape[0], 2, np.float32), "shift": np.full(shape[0], -1, np.float32)}
    y = layer.forward(x, training=True)[0]
    np.testing.assert_allclose(y.mean(axis=axes), np.full(shape[0], -1), atol=1e-5)
    np.testing.assert_allclose(y.std(axis=axes), np.full(shape[0], 2), rtol=1e-4)


def test_equal_numbers_become_the_shift() -> None:
    layer = BatchNorm(2)
    layer.params["shift"][:] = [3, -4]
    y, backward = layer.forward(np.full((2, 5), 7, np.float32), training=True)
    np.testing.assert_array_equal(y, np.repeat([[3.0], [-4.0]], 5, axis=1))
    assert np.isfinite(backward(np.ones_like(y))[0]).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_measured_statistics_are_those_of_all_numbers_together(dtype: type[np.floating]) -> None:
    rng = np.random.default_rng(3)
    batches = [rng.normal(4, 2, (3, 5, 4, n)).astype(dtype) for n in (7, 1, 20)]
    layer = make(3).astype(dtype)
    layer.statistics = {"mean": np.zeros(3, dtype), "variance": np.ones(3, dtype)}
    outputs, measured = layer.measure_statistics(batches)
    together = np.concatenate(batches, axis=-1).astype(np.float64)
    mean, variance = together.mean(axis=(1, 2, 3)), together.var(axis=(1, 2, 3))
    tolerance = 1e-5 if dtype is np.float32 else 1e-12
    np.testing.assert_allclose(measured.statistics["mean"], mean, rtol=tolerance)
    np.testing.assert_allclose(measured.statistics["variance"], variance, rtol=tolerance)
    assert all(value.dtype == dtype for value in measured.statistics.values())
    scale, shift = layer.params["scale"][:, None, None, None], layer.params["shift"][:, None, None, None]
    h = (together - mean[:, None, None, None]) / np.sqrt(variance + 1e-5)[:, None, None, None]
    np.testing.assert_allclose(np.concatenate(outputs, axis=-1), scale * h + shift, rtol=1e-4, atol=1e-4)
    for x, y in zip(batches, outputs, strict=True):
        np.testing.assert_array_equal(measured.forward(x)[0], y)
    assert layer.statistics["mean"].tolist() == [0, 0, 0]
    assert layer.statistics["variance"].tolist() == [1, 1, 1]


def test_an_output_depends_on_other_images_only_in_training() -> None:
    rng = np.random.default_rng(4)
    layer = make(3)
    x = rng.normal(size=(3, 4, 4, 6))
    y = layer.forward(x)[0]
    for n in range(6):
        np.testing.assert_allclose(layer.forward(x[..., n : n + 1])[0], y[..., n : n + 1], rtol=1e-12)
    together = layer.forward(x, training=True)[0]
    assert not np.allclose(layer.forward(x[..., :3], training=True)[0], together[..., :3])


def test_a_whole_network_is_measured_layer_by_layer() -> None:
    rng = np.random.default_rng(5)
    inner = Residual(Conv2D(4, 4, 3, padding=1, rng=rng), BatchNorm(4), ReLU())
    network = Network(
        Conv2D(1, 4, 3, rng=rng), BatchNorm(4), ReLU(), inner, MaxPool2D(2), Flatten(), Dropout(0.5), BatchNorm(36)
    )
    assert sorted(network.statistics) == [
        f"{place}.{name}" for place, name in product(("1", "3.1", "7"), ("mean", "variance"))
    ]
    before = {name: value.copy() for name, value in {**network.params, **network.statistics}.items()}
    batches = [rng.normal(size=(1, 8, 8, n)).astype(np.float32) for n in (30, 20)]
    outputs, measured = network.measure_statistics(batches)
    for name, value in {**network.params, **network.statistics}.items():
        np.testing.assert_array_equal(value, before[name])
    assert type(measured.layers[3]) is Residual
    # With all images in one batch, training uses the same statistics. Only dropout differs.
    walked = Network(*network.layers[:6]).forward(np.concatenate(batches, axis=-1), training=True)[0]
    expected = network.layers[7].forward(walked, training=True)[0]
    np.testing.assert_allclose(np.concatenate(outputs, axis=-1), expected, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(measured.forward(np.concatenate(batches, axis=-1))[0], expected, rtol=1e-3, atol=1e-4)
    for x, y in zip(batches, outputs, strict=True):
        np.testing.assert_array_equal(measured.forward(x)[0], y)


def test_statistics_are_set_by_value_and_follow_a_copy() -> None:
    network = Network(Dense(6, 3), BatchNorm(3))
    values = {"1.mean": np.array([1.0, 2.0, 3.0]), "1.variance": np.array([4.0, 5.0, 6.0])}
    network.statistics = values
    assert network.statistics["1.mean"].dtype == np.float32
    assert network.layers[1].statistics["variance"].tolist() == [4, 5, 6]
    exact = network.astype(np.float64)
    exact.statistics["1.mean"][:] = 0
    assert exact.statistics["1.variance"].dtype == np.float64
    assert network.statistics["1.mean"].tolist() == [1, 2, 3]
    with pytest.raises(ShapeError, match=r"expects the statistics 1\.mean, 1\.variance; missing or unknown: 1\.mean"):
        network.statistics = {"1.variance": values["1.variance"]}
    with pytest.raises(ShapeError, match=r"1\.mean expects shape \(3,\); got \(2,\)"):
        network.statistics = {**values, "1.mean": np.zeros(2)}


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("training", [True, False], ids=["training", "use"])
def test_forward_and_backward_change_nothing(shape: tuple[int, ...], training: bool) -> None:
    rng = np.random.default_rng(6)
    layer = make(shape[0]).astype(np.float32)
    x = rng.normal(size=shape).astype(np.float32)
    own = {**layer.params, **layer.statistics, "x": x}
    kept, attributes = {name: value.copy() for name, value in own.items()}, dict(vars(layer))
    y, backward = layer.forward(x, training=training)
    dy = rng.normal(size=shape).astype(np.float32)
    kept_dy, kept_y = dy.copy(), y.copy()
    dx, grads = backward(dy)
    layer.forward(x + 1, training=training)
    again_dx, again = backward(dy)
    np.testing.assert_array_equal(again_dx, dx)
    for name, value in {**own, **{f"d{key}": g for key, g in grads.items()}}.items():
        np.testing.assert_array_equal(value, {**kept, **{f"d{key}": g for key, g in again.items()}}[name])
    np.testing.assert_array_equal(dy, kept_dy)
    np.testing.assert_array_equal(y, kept_y)
    assert vars(layer) == attributes
    assert {array.dtype for array in (y, dx, *grads.values())} == {np.dtype(np.float32)}
    same = layer.forward(x, training=training, need_dx=False)[1](dy)[1]
    for name, g in grads.items():
        np.testing.assert_array_equal(same[name], g)


def test_weight_decay_does_not_change_scale_and_shift() -> None:
    assert not any(name.endswith("weight") for name in BatchNorm(3).params)


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"^BatchNorm expects \(4, \.\.\., N\); got \(3, 2, 2, 5\)"):
        BatchNorm(4).forward(np.zeros((3, 2, 2, 5)))
    with pytest.raises(ShapeError, match=r"got \(4,\)"):
        BatchNorm(4).forward(np.zeros(4))
    with pytest.raises(ShapeError, match=r"at least 1 channel and eps of at least 0; got 0 and 1e-05"):
        BatchNorm(0)
    with pytest.raises(ShapeError, match=r"got 3 and -1"):
        BatchNorm(3, eps=-1)
