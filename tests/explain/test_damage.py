"""Damaged networks compute what they should."""

import numpy as np
import pytest

from digitscope import explain
from digitscope.datasets import DataSet
from digitscope.errors import ShapeError
from digitscope.explain.damage import Noise, Silence, damaged
from digitscope.model import Model
from digitscope.nn import Conv2D, Dense, Ensemble, Flatten, Network, ReLU, Reshape, Residual, ShiftAverage, to_batch


def network(seed: int = 0) -> Network:
    rng = np.random.default_rng(seed)
    return Network(
        Reshape(1, 28, 28),
        Conv2D(1, 3, 5, stride=4, rng=rng),
        Residual(Conv2D(3, 3, 3, padding=1, rng=rng), ReLU()),
        Flatten(),
        Dense(108, 10, rng=rng),
    )


def test_units_that_are_off_give_zero_and_the_rest_follows(few: DataSet) -> None:
    whole = network()
    images = few.x_train[:3]
    broken = damaged(whole, (Silence("1", (0, 2)), Silence("2.1", (1,))))
    before, after = explain.activations(whole, images), explain.activations(broken, images)
    assert list(before) == list(after)
    expected = before["1"].copy()
    expected[[0, 2]] = 0
    np.testing.assert_array_equal(after["1"], expected)
    inner = dict(whole.named_layers())["2.0"](expected)
    kept = np.maximum(inner, 0)
    kept[1] = 0
    np.testing.assert_array_equal(after["2"], expected + kept)
    np.testing.assert_allclose(after["output"], whole.layers[4](whole.layers[3](expected + kept)), rtol=1e-6)
    np.testing.assert_array_equal(whole(to_batch(images)), before["output"])  # the original is as it was


def test_no_derivative_flows_through_a_unit_that_is_off(few: DataSet) -> None:
    broken = damaged(network(), (Silence("1", (1,)),))
    gradients = explain.gradients(broken, few.x_train[:2], few.y_train[:2])
    assert not gradients.parameters["1.weight"][1].any()
    assert gradients.parameters["1.weight"][0].any()


def test_a_layer_that_is_off_leaves_the_biases(few: DataSet) -> None:
    whole = network()
    outputs = damaged(whole, (Silence("3"),))(to_batch(few.x_train[:4]))
    np.testing.assert_allclose(outputs, np.repeat(whole.params["4.bias"], 4, axis=1))


def test_noise_is_relative_to_the_weights_and_the_same_for_the_same_seed() -> None:
    whole = network()
    first, second, other = (damaged(whole, (Noise(0.5, seed),)).params for seed in (3, 3, 4))
    for name, weight in whole.params.items():
        np.testing.assert_array_equal(first[name], second[name])
        change = first[name] - weight
        if name.endswith("weight"):
            assert change.std() == pytest.approx(0.5 * weight.std(), rel=0.25), name
            assert (first[name] != other[name]).any()
        else:
            assert not change.any()
    only = damaged(whole, (Noise(0.5, 3, "2"),)).params
    assert [name for name in only if (only[name] != whole.params[name]).any()] == ["2.0.weight"]
    np.testing.assert_array_equal(only["2.0.weight"], first["2.0.weight"])


def test_layers_inside_ensembles_and_shifts_can_be_off(few: DataSet) -> None:
    x = to_batch(few.x_train[:2])
    first, second = network(), network(1)
    broken = damaged(Network(Ensemble(first, second)), (Silence("0.0.1"), Noise(0.1)))
    assert not np.allclose(broken(x), Network(Ensemble(first, second))(x))
    shifted = Network(ShiftAverage(first, 28, 28, [(0, 0), (0, 1)]))
    off = damaged(shifted, (Silence("0.1"), Silence("0.2.1"), Silence("0.3")))(x)
    np.testing.assert_allclose(off[:, 0], off[:, 1])
    assert not np.allclose(off, shifted(x))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (Silence("9"), "one of the layers 0, 1, 2, 2.0"),
        (Silence(""), "one of the layers"),
        (Noise(1, 0, "x"), "one of the layers"),
        (Silence("2"), "consists of other layers"),
    ],
)
def test_damage_to_what_is_not_there_is_refused(damage: Silence | Noise, message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        damaged(network(), (damage,))


def test_a_unit_that_is_not_there_is_refused(few: DataSet) -> None:
    model = Model.load("reader")
    broken = damaged(model.network, (Silence("1", (20,)),))
    with pytest.raises(ShapeError, match="the units 0 to 19"):
        broken(to_batch(few.x_train[:1]))
