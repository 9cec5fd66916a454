"""The layers for sequences, against naive loops and differences."""

import numpy as np
import pytest

from digitscope.arrays import Array
from digitscope.errors import ShapeError
from digitscope.nn import Layer, Network
from digitscope.nn.layer import build, describe
from digitscope.nn.sequence import Conv1D, FoldHeight, MaxPoolHeight, SplitSteps

RNG = np.random.default_rng(0)


def check_derivatives(layer: Layer, x: Array) -> None:
    """dx and all gradients against central differences of sum(dy y)."""
    layer = layer.astype(np.float64)
    y, backward = layer.forward(x, training=True)
    dy = RNG.normal(size=y.shape)
    dx, grads = backward(dy)
    for array, derivative in [(x, dx), *((layer.params[name], grads[name]) for name in layer.params)]:
        numeric = np.zeros_like(array)
        for index in np.ndindex(array.shape):
            values = []
            old = array[index]
            for moved in (old + 1e-5, old - 1e-5):
                array[index] = moved
                values.append(float((layer.forward(x, training=True)[0] * dy).sum()))
            array[index] = old
            numeric[index] = (values[0] - values[1]) / 2e-5
        np.testing.assert_allclose(derivative, numeric, atol=1e-8)


@pytest.mark.parametrize("kernel_size", [1, 3, 5])
def test_conv1d_is_its_definition(kernel_size: int) -> None:
    layer = Conv1D(2, 3, kernel_size, rng=RNG)
    layer.params["bias"][:] = RNG.normal(size=(3, 1, 1))
    x = RNG.normal(size=(2, 6, 4))
    y, _ = layer.forward(x)
    W, b, p = layer.params["weight"], layer.params["bias"], kernel_size // 2
    for o, t, n in np.ndindex(y.shape):
        terms = [
            W[o, c, u] * x[c, t + u - p, n] for c in range(2) for u in range(kernel_size) if 0 <= t + u - p < x.shape[1]
        ]
        assert y[o, t, n] == pytest.approx(b[o, 0, 0] + sum(terms))


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (Conv1D(2, 3, 3, rng=RNG), (2, 5, 3)),
        (Conv1D(2, 3, 1, bias=False, rng=RNG), (2, 5, 3)),
        (MaxPoolHeight(2), (2, 5, 3, 2)),
        (FoldHeight(), (2, 3, 4, 2)),
        (SplitSteps(2), (4, 3, 2)),
        (Network(Conv1D(2, 4, 3, rng=RNG), SplitSteps(2)), (2, 4, 2)),
    ],
)
def test_derivatives_agree_with_differences(layer: Layer, shape: tuple[int, ...]) -> None:
    check_derivatives(layer, RNG.normal(size=shape))


def test_conv1d_without_dx() -> None:
    dx, grads = Conv1D(2, 3, 3, rng=RNG).forward(RNG.normal(size=(2, 5, 3)), need_dx=False)[1](np.ones((3, 5, 3)))
    assert dx is None
    assert grads["weight"].shape == (3, 2, 3)


def test_the_order_of_what_is_folded_and_split() -> None:
    x = np.arange(8.0).reshape(2, 2, 2, 1)
    np.testing.assert_array_equal(FoldHeight()(x)[..., 0], [[0, 1], [2, 3], [4, 5], [6, 7]])
    np.testing.assert_array_equal(SplitSteps(2)(FoldHeight()(x))[..., 0], [[0, 4, 1, 5], [2, 6, 3, 7]])
    np.testing.assert_array_equal(MaxPoolHeight(2)(x)[..., 0], [[[2, 3]], [[6, 7]]])


@pytest.mark.parametrize("layer", [Conv1D(2, 3, 3), Conv1D(2, 3, 1, bias=False), MaxPoolHeight(2), SplitSteps(2)])
def test_a_layer_is_built_again_from_its_description(layer: Layer) -> None:
    assert repr(build(describe(layer))) == repr(layer)
    shape = (2, 6, 5) if isinstance(layer, MaxPoolHeight) else (2, 6)
    assert layer.output_shape(shape) == layer(np.zeros((*shape, 1), np.float32)).shape[:-1]


def test_shapes_that_do_not_fit() -> None:
    x = np.zeros((3, 5, 2))
    for layer in (Conv1D(2, 3, 3), MaxPoolHeight(2), FoldHeight(), SplitSteps(2)):
        with pytest.raises(ShapeError, match="expects"):
            layer(x)
    with pytest.raises(ShapeError, match="odd"):
        Conv1D(2, 3, 2)
    with pytest.raises(ShapeError, match="at least 1"):
        SplitSteps(0)
    with pytest.raises(ShapeError, match="at least 1"):
        MaxPoolHeight(0)
