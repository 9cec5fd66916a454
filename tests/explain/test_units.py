"""Receptive fields, and the images that excite units most."""

import numpy as np
import pytest

from digitscope import explain
from digitscope.datasets import DataSet
from digitscope.explain.trace import Trace, network_input
from digitscope.explain.units import input_box, most_exciting, receptive_field, shown_calls
from digitscope.model import Model
from digitscope.nn import (
    Conv1D,
    Conv2D,
    Dense,
    DepthToSpace,
    Ensemble,
    Flatten,
    FoldHeight,
    LeakyReLU,
    MaxPool2D,
    MaxPoolHeight,
    Network,
    Reshape,
    Residual,
    ShiftAverage,
    Skip,
    SpaceToDepth,
    Upsample2D,
)
from digitscope.nn.layer import built_in_layers


def network() -> Network:
    rng = np.random.default_rng(0)
    return Network(
        Reshape(1, 14, 14),
        Conv2D(1, 3, 3, padding=1, stride=2, rng=rng),
        Residual(Conv2D(3, 3, 3, padding=1, rng=rng), LeakyReLU(0.5)),
        MaxPool2D(2),
        Flatten(),
        Dense(27, 4, rng=rng),
    )


def resolutions() -> Network:
    rng = np.random.default_rng(0)
    return Network(
        *(Reshape(1, 14, 14), MaxPoolHeight(2), Upsample2D(2), Conv2D(1, 2, 3, padding=2, dilation=2, rng=rng)),
        *(Skip(SpaceToDepth(2), Conv2D(8, 2, 1, rng=rng), Upsample2D(2)), DepthToSpace(2)),
        *(MaxPoolHeight(2), FoldHeight(), Conv1D(14, 2, 3, rng=rng), Flatten(), Dense(112, 4, rng=rng)),
    )


@pytest.mark.parametrize(
    ("model", "places"),
    [
        (network(), [("1", 0, 6), ("2.0", 3, 3), ("2", 6, 0), ("3", 1, 2)]),
        (resolutions(), [("1", 3, 5), ("2", 4, 9), ("3", 7, 0), ("4.0", 2, 5), ("4", 13, 6), ("5", 5, 20)]),
    ],
    ids=["windows", "resolutions"],
)
def test_a_number_changes_with_the_pixels_of_its_receptive_field_only(
    model: Network, places: list[tuple[str, int, int]]
) -> None:
    rng = np.random.default_rng(1)
    for name, row, column in places:
        changed = np.zeros((14, 14), bool)
        for _ in range(8):  # a maximum hides some of its inputs
            image = rng.integers(1, 255, (14, 14), np.uint8)
            copies = np.repeat(image[None], 197, axis=0)
            copies.reshape(197, -1)[np.arange(196), np.arange(196)] = 0
            values = explain.activations(model, copies)[name][:, row, column]
            changed |= (np.abs(values[:, :196] - values[:, 196:]).max(axis=0) > 1e-6).reshape(14, 14)
        trace = Trace(model, network_input(model, image[None]))
        top, left, bottom, right = receptive_field(trace, name, row, column, (14, 14))
        rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
        assert (top, bottom) == (rows[0], rows[-1] + 1), name
        assert (left, right) == (columns[0], columns[-1] + 1), name


def test_each_layer_has_a_rule_unless_it_has_others_inside_or_its_numbers_are_no_pixels() -> None:
    inside = {"Ensemble", "Frozen", "Network", "Residual", "ShiftAverage", "Skip"}
    no_pixels = {"Conv1D", "Dense", "Flatten", "FoldHeight", "GlobalAveragePool2D", "SplitSteps"}
    with_rule = {kind.__name__ for kind in input_box.registry}
    assert {name for name in built_in_layers() if name not in with_rule} == inside | no_pixels


def test_a_step_of_a_sequence_sees_the_whole_image() -> None:
    trace = Trace(resolutions(), np.zeros((196, 1), np.float32))
    assert receptive_field(trace, "8", 0, 5, (14, 14)) == (0, 0, 14, 14)


def test_the_step_that_excites_a_unit_of_a_sequence_is_a_column() -> None:
    model = resolutions()
    images = np.random.default_rng(2).integers(0, 256, (3, 14, 14), np.uint8)
    steps = explain.activations(model, images)["8"][1]  # (steps, N)
    found = most_exciting(model, images, 1)["8"]
    step, image = np.unravel_index(steps.argmax(), steps.shape)
    assert (found.rows[1, 0], found.columns[1, 0], found.images[1, 0]) == (0, step, image)


@pytest.mark.parametrize("name", ["4", "output"])
def test_dense_layers_see_the_whole_image(name: str) -> None:
    trace = Trace(network(), np.zeros((196, 1), np.float32))
    assert receptive_field(trace, name, 0, 0, (14, 14)) == (0, 0, 14, 14)


def test_receptive_fields_inside_an_ensemble_and_a_shift(few: DataSet) -> None:
    inner = [
        Network(Reshape(1, 28, 28), Conv2D(1, 2, 5, rng=np.random.default_rng(k)), Flatten(), Dense(1152, 3))
        for k in (0, 1)
    ]
    for outer, name in ((Ensemble(*inner), "0.0.1"), (ShiftAverage(inner[0], 28, 28, [(0, 1), (0, 0)]), "0@1.1")):
        trace = Trace(Network(outer), network_input(inner[0], few.x_train[:1]))
        assert receptive_field(trace, name, 4, 6, (28, 28)) == (4, 6, 9, 11)


def test_the_most_exciting_images_are_those_with_the_largest_outputs(few: DataSet) -> None:
    model = Model.load("reader")
    images = few.x_train[:120]
    found = most_exciting(model.network, images, 5)
    arrays = explain.activations(model, images)
    trace = Trace(model.network, network_input(model.network, images[:1]))
    assert list(found) == [call.output for call in shown_calls(trace.calls[""])]
    for name in ("1", "11", "16"):
        maxima = arrays[name].reshape(len(arrays[name]), -1, 120).max(axis=1)
        exciting = found[name]
        assert exciting.images.shape == (len(maxima), 5)
        np.testing.assert_allclose(exciting.outputs, -np.sort(-maxima, axis=1)[:, :5], rtol=1e-5)
        np.testing.assert_array_equal(exciting.images[:, 0], maxima.argmax(axis=1))
    unit, image = 7, int(found["11"].images[7, 0])
    row, column = int(found["11"].rows[unit, 0]), int(found["11"].columns[unit, 0])
    assert arrays["11"][unit, row, column, image] == pytest.approx(found["11"].outputs[unit, 0], rel=1e-5)
