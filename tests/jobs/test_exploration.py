"""A model's answers one by one, its layers as points, and two models compared."""

import csv
import io

import numpy as np
import pytest

from digitscope import Model, Network, explain, nn
from digitscope.datasets import DataSet
from digitscope.errors import DigitscopeError
from digitscope.jobs.exploration import (
    MOST_NUMBERS,
    ComparedModels,
    Readings,
    centred_logits,
    evenly_spaced,
    layer_points,
    layer_shape,
    layer_shapes,
    read_test_images,
    same_neighbour_share,
)
from digitscope.metrics import Evaluation, confusion_matrix, mcnemar_p, reliability_diagram


def ignore(done: float) -> None:
    assert 0 <= done <= 1


@pytest.fixture(scope="module")
def model() -> Model:
    return Model.load("convnet")


@pytest.fixture(scope="module")
def readings(few: DataSet) -> Readings:
    """Of a network of random weights, which makes mistakes of all kinds."""
    rng = np.random.default_rng(0)
    network = Network(nn.Dense(784, 10, rng=rng))
    return read_test_images(Model(network, nn.SoftmaxCrossEntropy(), (28, 28)), few, report=ignore)


def test_the_answers_are_the_models_bit_for_bit_and_the_progress_is_told(model: Model, mnist: DataSet) -> None:
    assert mnist.x_test is not None
    assert mnist.y_test is not None
    images, labels = mnist.x_test[:1300], mnist.y_test[:1300]
    part = DataSet("part", mnist.x_train[:100], mnist.y_train[:100], images, labels)
    told: list[float] = []
    found = read_test_images(model, part, threads=2, report=told.append)
    assert told == [0, 500 / 1300, 1000 / 1300, 1]
    np.testing.assert_array_equal(found.logits, model.logits(images))
    np.testing.assert_array_equal(found.probabilities, model.predict_proba(images))
    np.testing.assert_array_equal(found.answers, model.predict(images))
    expected = Evaluation.of(labels, model.predict_proba(images))
    assert (found.evaluation.accuracy, found.evaluation.brier_score) == (expected.accuracy, expected.brier_score)


def test_cells_hold_every_image_once_and_as_many_as_the_matrix_says(readings: Readings) -> None:
    confusion = confusion_matrix(readings.labels, readings.answers, 10)
    cells = {(label, answer): readings.cell(label, answer) for label in range(10) for answer in range(10)}
    assert all(len(found) == confusion[cell] for cell, found in cells.items())
    assert sorted(np.concatenate(list(cells.values()))) == list(range(300))
    for (label, answer), found in cells.items():
        assert (readings.labels[found] == label).all()
        assert (readings.probabilities[found].argmax(axis=1) == answer).all()
        assert (np.diff(readings.confidence[found]) <= 0).all()


def test_bins_hold_as_many_images_as_the_reliability_diagram_says(readings: Readings) -> None:
    diagram = reliability_diagram(readings.labels, readings.probabilities)
    bins = [readings.bin(number) for number in range(15)]
    assert [len(found) for found in bins] == diagram.counts.tolist()
    for found, confidence, accuracy in zip(bins, diagram.confidence, diagram.accuracy, strict=True):
        if len(found):
            right = readings.answers[found] == readings.labels[found]
            assert readings.confidence[found].mean() == pytest.approx(confidence, rel=1e-5)
            assert right.mean() == pytest.approx(accuracy)
            assert (np.diff(right.astype(int)) >= 0).all()  # wrong ones first


def test_mistakes_are_all_wrong_answers_the_most_confident_first(readings: Readings) -> None:
    found = readings.mistakes
    assert len(found) == np.count_nonzero(readings.answers != readings.labels)
    assert (readings.answers[found] != readings.labels[found]).all()
    assert (np.diff(readings.confidence[found]) <= 0).all()
    rows = list(csv.DictReader(io.StringIO(readings.mistakes_csv().decode())))
    assert [int(row["index"]) for row in rows] == found.tolist()
    for row in rows:
        p = readings.probabilities[int(row["index"])]
        assert (int(row["label"]), int(row["answer"])) == (readings.labels[int(row["index"])], p.argmax())
        np.testing.assert_allclose([float(row[f"p{k}"]) for k in range(10)], p, rtol=1e-5)


def test_a_cell_or_bin_that_there_is_not_is_refused(readings: Readings) -> None:
    for cell in ((10, 0), (0, 10), (-1, 0)):
        with pytest.raises(DigitscopeError, match="A class is expected from 0 to 9"):
            readings.cell(*cell)
    for number in (-1, 15):
        with pytest.raises(DigitscopeError, match="A bin is expected from 0 to 14"):
            readings.bin(number)


def test_a_model_of_other_images_is_refused(few: DataSet) -> None:
    model = Model(Network(nn.Dense(64, 10)), nn.SoftmaxCrossEntropy(), (8, 8))
    with pytest.raises(DigitscopeError, match="reads images of 8x8 pixels"):
        read_test_images(model, few, report=ignore)


def test_two_models_are_compared_image_by_image(readings: Readings, few: DataSet, model: Model) -> None:
    other = read_test_images(model, few, report=ignore)
    found = ComparedModels.of(readings, other)
    parts = (found.both, found.only_first, found.only_second, found.neither)
    assert sorted(np.concatenate(parts)) == list(range(300))
    first, second = (r.answers == r.labels for r in (readings, other))
    for part, (one, two) in zip(parts, [(True, True), (True, False), (False, True), (False, False)], strict=True):
        assert (first[part] == one).all()
        assert (second[part] == two).all()
        label = readings.labels[part]
        difference = np.abs(readings.probabilities[part, label] - other.probabilities[part, label])
        assert (np.diff(difference) <= 0).all()
    assert len(found.only_second) > 200
    assert found.p_value == mcnemar_p(len(found.only_first), len(found.only_second)) < 1e-50
    with pytest.raises(DigitscopeError, match="on the same images"):
        ComparedModels.of(readings, Readings(other.labels[1:], other.logits[1:], other.probabilities[1:]))


def test_layers_are_the_activations_as_rows(model: Model, few: DataSet) -> None:
    images = few.x_train[:150]
    shapes = layer_shapes(model)
    assert (shapes[0].name, shapes[0].shape) == ("input", (28, 28))
    assert [shape.text.partition("(")[0] for shape in shapes[1:3]] == ["Standardize", "Conv2D"]
    assert not any(shape.text.startswith(("Reshape", "Flatten")) for shape in shapes)
    activations = explain.activations(model, images)
    told: list[float] = []
    for shape in shapes:
        points = layer_points(model, shape, images, report=told.append)
        assert points.shape == (150, shape.size)
        np.testing.assert_allclose(points, activations[shape.name].reshape(-1, 150).T, rtol=1e-4, atol=1e-5)
        assert shape.most_images * shape.size <= MOST_NUMBERS
    assert told[:3] == [0, 100 / 150, 1]
    np.testing.assert_allclose(points, model.logits(images), rtol=1e-4, atol=1e-4)
    with pytest.raises(DigitscopeError, match=r"no layer '99'\. Choose one of input"):
        layer_shape(model, "99")


def test_layers_of_all_bundled_models_and_of_an_ensemble_have_points(few: DataSet, model: Model) -> None:
    for some in (Model.load("reader"), Model.load("best"), Model.ensemble([model, model])):
        for shape in layer_shapes(some):
            assert layer_points(some, shape, few.x_train[:3], report=ignore).shape == (3, shape.size), shape


def test_an_even_choice_has_both_ends() -> None:
    assert evenly_spaced(10_000, 3).tolist() == [0, 5000, 9999]
    assert evenly_spaced(4, 9).tolist() == [0, 1, 2, 3]
    assert len(np.unique(evenly_spaced(10_000, 2_000))) == 2_000


def test_centred_logits_have_the_same_softmax_up_to_a_temperature(readings: Readings) -> None:
    points = centred_logits(readings.logits)
    np.testing.assert_allclose(points.sum(axis=1), 0, atol=1e-5)
    assert 0.98 <= np.mean(np.linalg.norm(points, axis=1) <= 1 + 1e-6) < 1
    scale = np.linalg.norm(readings.logits[0] - readings.logits[0].mean()) / np.linalg.norm(points[0])
    np.testing.assert_allclose(nn.softmax(scale * points.T).T, nn.softmax(readings.logits.T).T, rtol=1e-3)
    assert not centred_logits(np.ones((3, 10), np.float32)).any()


def test_the_share_of_nearest_neighbours_with_the_same_label() -> None:
    rng = np.random.default_rng(0)
    points, labels = rng.normal(3, 1, (60, 4)), rng.integers(0, 3, 60)
    same = 0
    for i, point in enumerate(points):
        others = np.delete(np.arange(60), i)
        nearest = others[np.linalg.norm(points[others] - point, axis=1).argmin()]
        same += labels[nearest] == labels[i]
    assert same_neighbour_share(points, labels) == same / 60
    assert same_neighbour_share(np.array([[0.0], [1], [10], [11]]), np.array([0, 0, 1, 1])) == 1
