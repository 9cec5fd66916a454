"""Layers that change the resolution, against loops, their inverses and finite differences."""

import numpy as np
import pytest

from digitscope.arrays import Array
from digitscope.errors import ShapeError
from digitscope.nn import (
    Conv2D,
    Dense,
    DepthToSpace,
    Flatten,
    Network,
    Reshape,
    Skip,
    SpaceToDepth,
    Tanh,
    Upsample2D,
    binary_cross_entropy,
    check_gradients,
)

RNG = np.random.default_rng(0)


def test_squares_become_channels_and_come_back() -> None:
    x = RNG.normal(size=(2, 4, 6, 3))
    y, backward = SpaceToDepth(2).forward(x)
    assert y.shape == (8, 2, 3, 3)
    for c, i, j, u, v in np.ndindex(2, 2, 3, 2, 2):
        np.testing.assert_array_equal(y[(u * 2 + v) * 2 + c, i, j], x[c, 2 * i + u, 2 * j + v])
    np.testing.assert_array_equal(DepthToSpace(2).forward(y)[0], x)
    np.testing.assert_array_equal(backward(y)[0], x)
    np.testing.assert_array_equal(DepthToSpace(2).forward(y)[1](x)[0], y)


def test_each_pixel_is_repeated_and_its_derivative_is_their_sum() -> None:
    x = RNG.normal(size=(2, 2, 3, 4))
    y, backward = Upsample2D(3).forward(x)
    dy = RNG.normal(size=y.shape)
    assert y.shape == (2, 6, 9, 4)
    for h, w in np.ndindex(2, 3):
        square = slice(3 * h, 3 * h + 3), slice(3 * w, 3 * w + 3)
        assert (y[:, *square] == x[:, h : h + 1, w : w + 1]).all()
        np.testing.assert_allclose(backward(dy)[0][:, h, w], dy[:, *square].sum(axis=(1, 2)))


def unet() -> Network:
    """Every layer of this file, with dilation."""
    rng = np.random.default_rng(1)
    return Network(
        *(Reshape(1, 8, 4), SpaceToDepth(2), Conv2D(4, 3, 3, padding=1, rng=rng), Tanh()),
        Skip(SpaceToDepth(2), Conv2D(12, 5, 3, padding=2, dilation=2, rng=rng), Tanh(), Upsample2D(2)),
        *(Conv2D(8, 4, 1, rng=rng), DepthToSpace(2), Flatten(), Dense(32, 4, rng=rng)),
    )


def test_all_derivatives_agree_with_differences() -> None:
    result = check_gradients(unet(), RNG.normal(size=(32, 3)), np.array([0, 2, 3]))
    assert result.passed, str(result)


def test_skip_puts_the_output_beside_the_input() -> None:
    x = RNG.normal(size=(3, 5))
    np.testing.assert_array_equal(Skip(Tanh()).forward(x)[0], np.concatenate([x, np.tanh(x)]))


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (SpaceToDepth(2), (1, 3, 4, 1)),
        (SpaceToDepth(2), (1, 4, 3, 1)),
        (SpaceToDepth(2), (4, 1)),
        (DepthToSpace(2), (3, 4, 4, 1)),
        (DepthToSpace(2), (4, 1)),
        (Upsample2D(2), (4, 1)),
        (Skip(SpaceToDepth(2)), (1, 4, 4, 1)),
        (Skip(Dense(4, 4), Reshape(2, 2)), (4, 1)),
    ],
    ids=str,
)
def test_shapes_that_do_not_fit(layer: SpaceToDepth, shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match="expects"):
        layer.forward(np.zeros(shape))
    with pytest.raises(ShapeError, match="expects"):
        layer.output_shape(shape[:-1])


@pytest.mark.parametrize("kind", [SpaceToDepth, DepthToSpace, Upsample2D])
def test_a_size_is_at_least_1(kind: type[SpaceToDepth]) -> None:
    with pytest.raises(ShapeError, match="at least 1"):
        kind(0)


def test_binary_cross_entropy_agrees_with_its_formula_and_with_differences() -> None:
    z, t, w = RNG.normal(size=(1, 4, 5, 2)) * 3, RNG.random((1, 4, 5, 2)), RNG.integers(0, 3, (1, 4, 5, 2))
    p = 1 / (1 + np.exp(-z))

    def loss(logits: Array) -> float:
        return binary_cross_entropy(logits, t, w)[0]

    assert loss(z) == pytest.approx(-(w * (t * np.log(p) + (1 - t) * np.log(1 - p))).mean())
    dz = binary_cross_entropy(z, t, w)[1](2.0)
    for index in np.ndindex(z.shape):
        step = np.zeros_like(z)
        step[index] = 1e-6
        assert dz[index] == pytest.approx((loss(z + step) - loss(z - step)) / 1e-6, abs=1e-8)


def test_binary_cross_entropy_of_huge_logits() -> None:
    z, t = np.array([[1e4, -1e4, 1e4]], np.float32), np.array([[1, 0, 0]], np.float32)
    value, backward = binary_cross_entropy(z, t)
    assert value == pytest.approx(1e4 / 3)
    np.testing.assert_allclose(backward(1.0), np.array([[0, 0, 1 / 3]]), rtol=1e-6)
    assert backward(1.0).dtype == np.float32


@pytest.mark.parametrize(("t", "w"), [(np.zeros((2, 3)), None), (np.zeros((1, 3)), np.ones((1, 2)))])
def test_targets_and_weights_have_the_logits_shape(t: Array, w: Array | None) -> None:
    with pytest.raises(ShapeError, match="logits' shape"):
        binary_cross_entropy(np.zeros((1, 3)), t, w)
