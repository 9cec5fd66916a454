"""A real GPU beside the processor; skipped where CuPy cannot use one. `python -m benchmarks.gpu` times both."""

import numpy as np
import pytest

from digitscope import Model, fit
from digitscope.arrays import Array
from digitscope.datasets import DataSet
from digitscope.errors import TrainingError
from digitscope.nn import Conv2D, Layer, to_batch
from digitscope.recipes import RECIPES
from digitscope.training.parallel.device import Transfer, device_of, to_cpu, to_device


@pytest.fixture
def gpu() -> Transfer:
    try:
        return to_device("cuda")
    except TrainingError as error:
        pytest.skip(str(error))


def loss_and_derivatives(network: Layer, name: str, x: Array, labels: Array) -> tuple[float, dict[str, Array]]:
    outputs, backward = network.forward(x, training=True, rng=np.random.default_rng(3), need_dx=False)
    value, loss_backward = RECIPES[name].plan.loss.forward(outputs, labels)
    return value, {part: to_cpu(d) for part, d in backward(loss_backward(1.0))[1].items()}


@pytest.mark.parametrize("name", [name for name in RECIPES if name != "ensemble"])
def test_the_derivatives_are_those_of_the_processor(name: str, gpu: Transfer, few: DataSet) -> None:
    network = RECIPES[name].build(np.random.default_rng(1), (28, 28), 10)
    network = network.map_arrays(lambda array: array.astype(np.float64))
    x, labels = to_batch(few.x_train[:32]).astype(np.float64), few.y_train[:32]
    value, expected = loss_and_derivatives(network, name, x, labels)
    there, found = loss_and_derivatives(network.map_arrays(gpu), name, gpu(x), gpu(labels))
    assert there == pytest.approx(value, rel=1e-12)
    for part, d in expected.items():
        np.testing.assert_allclose(found[part], d, rtol=0, atol=1e-11 * np.abs(d).max())


@pytest.mark.parametrize("dilation", [1, 2])
def test_wide_and_dilated_convolutions(dilation: int, gpu: Transfer) -> None:
    layer = Conv2D(2, 3, 3, padding=1, dilation=dilation, rng=np.random.default_rng(0)).astype(np.float64)
    x, moved = np.random.default_rng(1).normal(size=(2, 50, 60, 3)), layer.map_arrays(gpu)
    (y, backward), (there, backward_there) = layer.forward(x), moved.forward(gpu(x))
    (dx, grads), (dx_there, grads_there) = backward(y), backward_there(there)
    assert dx is not None
    assert dx_there is not None
    for one, other in ((y, there), (dx, dx_there), (grads["weight"], grads_there["weight"])):
        np.testing.assert_allclose(to_cpu(other), one, rtol=1e-10, atol=1e-10)


def test_a_training_and_predictions(gpu: Transfer, few: DataSet) -> None:
    x, labels = few.x_train[:600], few.y_train[:600]
    ours, theirs = (fit("fast", x, labels, epochs=1, seed=1, device=device) for device in ("cpu", "cuda"))
    assert device_of(theirs.network) == "cpu"
    np.testing.assert_allclose(theirs.predict_proba(x), ours.predict_proba(x), atol=0.02)
    model = Model.load("convnet")
    there = model.to("cuda")
    assert device_of(there.network) == "cuda"
    np.testing.assert_allclose(there.predict_proba(x), model.predict_proba(x), atol=1e-4)
