from collections.abc import Callable
from pathlib import Path

import numpy as np

from digitscope.model import Model
from digitscope.nn import (
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Ensemble,
    Flatten,
    Frozen,
    Layer,
    MaxPool2D,
    Network,
    ReLU,
    Reshape,
    Residual,
    ShiftAverage,
    SoftmaxCrossEntropy,
    Tanh,
    check_gradients,
    to_batch,
)

RNG = np.random.default_rng(0)


def parts() -> Network:
    norm = BatchNorm(3)
    norm.statistics = {"mean": np.array([0.1, 0.2, 0.3], np.float32), "variance": np.array([0.5, 1.0, 2.0], np.float32)}
    return Network(Reshape(1, 6, 6), Conv2D(1, 3, 3, rng=RNG), norm, ReLU(), MaxPool2D(2), Flatten(), Dropout(0.5))


def test_in_training_it_acts_as_in_evaluation() -> None:
    layer, x = parts(), RNG.normal(size=(36, 5)).astype(np.float32)
    y, backward = Frozen(layer).forward(x, training=True, rng=np.random.default_rng(1))
    y_in_use, backward_in_use = layer.forward(x)
    np.testing.assert_array_equal(y, y_in_use)
    dy = RNG.normal(size=y.shape).astype(np.float32)
    dx, grads = backward(dy)
    np.testing.assert_array_equal(dx, backward_in_use(dy)[0])
    assert grads == {}


def test_it_learns_and_measures_nothing() -> None:
    layer = parts()
    frozen = Frozen(layer)
    assert frozen.params == {}
    assert frozen.statistics.keys() == {f"0.{name}" for name in {**layer.params, **layer.statistics}}
    outputs, measured = frozen.measure_statistics([RNG.normal(size=(36, 5)).astype(np.float32)])
    assert measured is frozen
    assert outputs[0].shape == (12, 5)


def test_layers_before_it_learn() -> None:
    network = Network(Dense(8, 36, rng=RNG), Frozen(parts()), Dense(12, 3, rng=RNG))
    assert list(network.params) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    assert check_gradients(network, RNG.normal(size=(8, 4)), np.array([0, 1, 2, 0])).passed


def test_without_dx_layers_before_the_first_that_learns_are_not_differentiated() -> None:
    network = Network(Frozen(parts()), Dense(12, 3, rng=RNG))
    y, backward = network.forward(RNG.normal(size=(36, 5)).astype(np.float32), training=True, need_dx=False)
    dx, grads = backward(np.ones_like(y))
    assert dx is None
    assert list(grads) == ["1.weight", "1.bias"]


def test_a_copy_maps_the_arrays_of_the_layer() -> None:
    exact = Frozen(parts()).astype(np.float64)
    assert {value.dtype for value in exact.statistics.values()} == {np.dtype(np.float64)}


def test_a_model_file_keeps_its_arrays(tmp_path: Path) -> None:
    network = Network(Frozen(parts()), Dense(12, 3, rng=RNG))
    Model(network, SoftmaxCrossEntropy(), (6, 6)).save(tmp_path / "m.safetensors")
    images = RNG.integers(0, 256, (4, 6, 6), dtype=np.uint8)
    loaded = Model.load(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(loaded.logits(images), network.forward(to_batch(images))[0].T)
    assert loaded.network.config() == network.config()


def test_its_flops_are_those_of_a_forward_pass_unless_a_layer_before_it_learns() -> None:
    layer = Dense(12, 3, rng=RNG)
    assert Network(Frozen(layer)).flops((12,), training=True) == layer.flops((12,)) == 72
    learns_before = Network(Dense(5, 12, rng=RNG), Frozen(layer))
    assert learns_before.flops((5,), training=True) == 4 * 60 + 6 * 36


def test_the_members_of_a_frozen_ensemble_do_not_learn() -> None:
    ensemble = Ensemble(Dense(12, 3, rng=RNG), Dense(12, 3, rng=RNG))
    assert len(Network(ensemble).members) == 2
    assert Network(Frozen(ensemble)).members == ()


def test_thawed_layers_learn_again_at_any_depth() -> None:
    def network(wrap: Callable[[Layer], Layer]) -> Network:
        inner = Network(wrap(Dense(9, 9, rng=np.random.default_rng(1))), Residual(wrap(Dense(9, 9, rng=RNG))))
        return Network(ShiftAverage(inner, 3, 3, [(0, 0)]), Ensemble(wrap(Dense(9, 2, rng=RNG))))

    thawed, plain = network(Frozen).thawed(), network(lambda layer: layer)
    assert thawed.config() == plain.config()
    assert thawed.params.keys() == plain.params.keys()
    assert Network(Frozen(ReLU(), Tanh())).thawed().config() == Network(Network(ReLU(), Tanh())).config()
