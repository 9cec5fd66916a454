"""Layer normalization: each image is standardized separately."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from digitscope.errors import ShapeError
from digitscope.nn import Dense, Flatten, Network, Standardize, Tanh, check_gradients

X = np.sin(np.arange(12.0)).reshape(2, 1, 3, 2)
DY = np.cos(np.arange(12.0) * 0.7).reshape(2, 1, 3, 2)

# torch 2.13.0, float64: layer_norm(X with the batch first, all axes but the batch's, eps=1e-5), and the input's
# derivative for DY; a row for each number, a column for each image.
TORCH_Y = [
    [-0.07859485248292626, 1.1227371813561047],
    [1.2680580055084447, 0.17079644164812519],
    [-1.1994055060434807, -1.3244209607310005],
    [-0.4924040947791775, 0.8719797628775966],
    [1.386626615308738, 0.5391467394175781],
    [-0.8842801675115987, -1.3802391645684038],
]
TORCH_DX = [
    [1.2054525670935115, 0.2527766484382983],
    [-0.661080016312912, -0.933300810823052],
    [-1.1405481531661643, -0.6722108567661942],
    [-0.8057717872695027, -0.3911358228275936],
    [0.17969106551264702, 0.9030996680272013],
    [1.2222563241424207, 0.8407711739513402],
]


def test_it_agrees_with_pytorch() -> None:
    y, backward = Standardize().forward(X)
    dx, grads = backward(DY)
    assert (y.shape, dx.shape, grads) == (X.shape, X.shape, {})
    np.testing.assert_allclose(y.reshape(6, 2), TORCH_Y, rtol=1e-12)
    np.testing.assert_allclose(dx.reshape(6, 2), TORCH_DX, rtol=1e-11)


@given(
    channels=st.integers(1, 3),
    side=st.integers(1, 4),
    batch=st.integers(1, 5),
    size=st.floats(1e-3, 1e3),
    seed=st.integers(0, 2**32 - 1),
)
def test_forward_and_derivative_agree_with_loops(channels: int, side: int, batch: int, size: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = size * rng.normal(size=(channels, side, 2, batch)) + rng.normal()
    dy = rng.normal(size=x.shape)
    layer = Standardize(eps=1e-3)
    y, backward = layer.forward(x, training=True)
    dx, _ = backward(dy)
    for n in range(batch):
        numbers = [float(v) for v in x[..., n].ravel()]
        slopes = [float(v) for v in dy[..., n].ravel()]
        D = len(numbers)
        mean = sum(numbers) / D
        r = 1 / (sum((v - mean) ** 2 for v in numbers) / D + 1e-3) ** 0.5
        h = [(v - mean) * r for v in numbers]
        dot = sum(s * v for s, v in zip(slopes, h, strict=True))
        np.testing.assert_allclose(y[..., n].ravel(), h, rtol=1e-8, atol=1e-8)
        expected = [r * (s - sum(slopes) / D - v * dot / D) for s, v in zip(slopes, h, strict=True)]
        np.testing.assert_allclose(dx[..., n].ravel(), expected, rtol=1e-8, atol=1e-8 * r)


@pytest.mark.parametrize("shape", [(6, 3), (2, 3, 3, 4), (5, 1)], ids=str)
def test_its_derivative_agrees_with_differences(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(1)
    x = 3 * rng.normal(size=shape) + 1
    network = Network(Standardize(), Tanh(), Flatten(), Dense(x[..., 0].size, 4, rng=rng))
    result = check_gradients(network, x, rng.integers(0, 4, shape[-1]))
    assert result.passed, str(result)
    assert "input" in {c.name for c in result.comparisons}


def test_brightness_contrast_and_other_images_do_not_matter() -> None:
    x = np.random.default_rng(2).random((784, 9))
    layer = Standardize(eps=0)
    y = layer.forward(x)[0]
    np.testing.assert_allclose(layer.forward(0.2 * x + 0.7)[0], y, atol=1e-12)
    np.testing.assert_allclose(layer.forward(x[:, 3:4])[0], y[:, 3:4], atol=1e-12)
    np.testing.assert_array_equal(layer.forward(x, training=True)[0], y)
    np.testing.assert_allclose(y.mean(axis=0), np.zeros(9), atol=1e-12)
    np.testing.assert_allclose(y.var(axis=0), np.ones(9), rtol=1e-12)
    single = layer.forward(x.astype(np.float32))[0]
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, y, atol=1e-5)


def test_an_empty_image_becomes_zeros() -> None:
    y, backward = Standardize().forward(np.full((5, 2), 7, np.float32))
    np.testing.assert_array_equal(y, np.zeros((5, 2)))
    assert np.isfinite(backward(np.ones_like(y))[0]).all()


def test_invalid_arguments_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"Standardize expects \(..., N\); got \(7,\)"):
        Standardize().forward(np.ones(7))
    with pytest.raises(ShapeError, match="eps of at least 0; got -1"):
        Standardize(eps=-1)
