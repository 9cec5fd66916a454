"""The residual connection."""

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


@given(features=st.integers(1, 6), batch=st.integers(1, 5), seed=st.integers(0, 2**32 - 1))
def test_the_output_is_added_to_the_input(features: int, batch: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    inner = Dense(features, features, rng=rng).astype(np.float64)
    x, dy = rng.normal(size=(2, features, batch))
    y, backward = Residual(inner).forward(x)
    dx, grads = backward(dy)
    W, b = inner.params["weight"], inner.params["bias"]
    for n in range(batch):
        for o in range(features):
            assert y[o, n] == pytest.approx(x[o, n] + b[o, 0] + sum(W[o, i] * x[i, n] for i in range(features)))
            assert dx[o, n] == pytest.approx(dy[o, n] + sum(W[i, o] * dy[i, n] for i in range(features)))
    np.testing.assert_allclose(grads["0.weight"], np.einsum("on,in->oi", dy, x), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("shape", [(3, 6, 5, 4), (1, 4, 4, 2), (2, 3, 7, 3)], ids=str)
def test_its_derivative_agrees_with_differences(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(1)
    channels = shape[0]

    def conv() -> Conv2D:
        return Conv2D(channels, channels, 3, padding=1, rng=rng)

    network = Network(
        Residual(conv(), BatchNorm(channels), Tanh(), Residual(conv(), Dropout(0.2)), conv()),
        MaxPool2D(2),
        Flatten(),
        Dense(channels * (shape[1] // 2) * (shape[2] // 2), 4, rng=rng),
    )
    result = check_gradients(network, rng.normal(size=shape), rng.integers(0, 4, shape[-1]))
    assert result.passed, str(result)
    assert {c.name for c in result.comparisons} >= {"0.0.weight", "0.3.0.weight", "0.1.scale", "input"}


def test_without_dx_the_parameters_derivatives_are_the_same() -> None:
    rng = np.random.default_rng(2)
    network = Network(Residual(Dense(5, 5, rng=rng), ReLU(), Dense(5, 5, rng=rng)), Dense(5, 3, rng=rng))
    x = rng.normal(size=(5, 4))
    kept = x.copy()
    y, with_dx = network.forward(x, training=True)
    again, without_dx = network.forward(x, training=True, need_dx=False)
    np.testing.assert_array_equal(y, again)
    dx, grads = with_dx(np.ones_like(y))
    same = without_dx(np.ones_like(y))[1]
    assert list(grads) == list(same)
    for name in grads:
        np.testing.assert_array_equal(grads[name], same[name])
    np.testing.assert_array_equal(x, kept)
    assert dx.shape == x.shape


def test_without_layers_it_doubles_its_input() -> None:
    y, backward = Residual().forward(np.array([[1.0, 2.0]]))
    assert y.tolist() == [[2, 4]]
    assert backward(y)[0].tolist() == [[4, 8]]


def test_layers_that_change_the_shape_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"layers that keep the shape \(5, 2\); they give \(3, 2\)"):
        Residual(Dense(5, 3)).forward(np.zeros((5, 2)))
    with pytest.raises(ShapeError, match=r"keep the shape \(1, 5, 5, 2\); they give \(1, 3, 3, 2\)"):
        Residual(Conv2D(1, 1, 3)).forward(np.zeros((1, 5, 5, 2)))
