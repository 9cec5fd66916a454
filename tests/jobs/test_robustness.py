"""The results of --robust, against the same results computed in another way."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from digitscope.augmentation.corruptions import CORRUPTIONS, STRENGTHS
from digitscope.calibration import fit_temperature, temper
from digitscope.datasets import DataSet
from digitscope.datasets.mnist_facts import DISPUTED
from digitscope.jobs.robustness import measure, mnist_result
from digitscope.metrics import Evaluation, accuracy
from digitscope.model import Model
from digitscope.nn import Dense, Network, SoftmaxCrossEntropy
from digitscope.recipes import RECIPES
from digitscope.robustness_results import Robustness
from digitscope.training_info import TrainingInfo


@pytest.fixture(scope="module")
def data(few: DataSet) -> DataSet:
    """Few images for training, fewer for the evaluation."""
    assert few.x_test is not None
    assert few.y_test is not None
    return DataSet("few", few.x_train, few.y_train, few.x_test[:80], few.y_test[:80])


@pytest.fixture(scope="module")
def model(few: DataSet) -> Model:
    """A model whose weights are templates: the mean image of each class."""
    network = Network(Dense(784, 10, rng=np.random.default_rng(0)))
    means = np.array([few.x_train[few.y_train == k].mean(axis=0).ravel() / 255 for k in range(10)])
    network.params = {"0.weight": 0.5 * means, "0.bias": -0.25 * (means**2).sum(axis=1, keepdims=True)}
    info = TrainingInfo(recipe="mlp", seed=3, data_digest=few.digest, validation_images=100)
    return Model(network, SoftmaxCrossEntropy(), (28, 28), info)


@pytest.fixture(scope="module")
def found(model: Model, data: DataSet) -> Robustness:
    return measure(model, data)


def test_each_corruption_at_each_strength(model: Model, data: DataSet, found: Robustness) -> None:
    assert data.x_test is not None
    assert data.y_test is not None
    assert list(found.corruptions) == list(CORRUPTIONS)
    for number, (name, corruption) in enumerate(found.corruptions.items()):
        assert (corruption.unit, corruption.amounts) == (CORRUPTIONS[name].unit, CORRUPTIONS[name].amounts)
        assert len(corruption.estimates) == 5
        np.testing.assert_array_equal(found.samples[number, 0], data.x_test[number])
        for strength, estimate in zip(STRENGTHS, corruption.estimates, strict=True):
            worse = CORRUPTIONS[name](data.x_test, strength, np.random.default_rng([0, number]))
            assert estimate.images == 80
            assert estimate.accuracy == accuracy(data.y_test, model.predict(worse))
            np.testing.assert_array_equal(found.samples[number, strength], worse[number])
    everything = [estimate.accuracy for result in found.corruptions.values() for estimate in result.estimates]
    assert found.mean_accuracy == pytest.approx(sum(everything) / 40)
    assert found.mean_accuracy < found.clean.accuracy - 0.1


def test_the_seed_decides(model: Model, data: DataSet, found: Robustness) -> None:
    assert measure(model, data, threads=2).as_json() == found.as_json()
    assert measure(model, data, seed=1).corruptions != found.corruptions


def test_progress_passes_every_step(model: Model, data: DataSet) -> None:
    steps: list[tuple[str, int]] = []

    def track(given: Any) -> Any:
        for step in given:
            steps.append(step)
            yield step

    measure(model, data, track=track)
    assert steps == [(name, strength) for name in CORRUPTIONS for strength in STRENGTHS]


class TestTemperature:
    @pytest.mark.parametrize("recipe", ["mlp", "seed"])  # one holds out the end, the other draws
    def test_is_fitted_on_the_images_held_out(self, model: Model, data: DataSet, recipe: str) -> None:
        images, labels = RECIPES[recipe].start(data, seed=3).validation
        info = replace(model.info, recipe=recipe, validation_images=len(images))
        result = measure(replace(model, info=info), data)
        expected = fit_temperature(labels, model.predict_proba(images))
        assert result.temperature == expected
        assert result.temperature_source == f"{len(images)} validation images"
        assert result.calibrated is not None
        assert data.x_test is not None
        assert data.y_test is not None
        tempered = Evaluation.of(data.y_test, temper(model.predict_proba(data.x_test), expected))
        assert (
            result.calibrated.reliability.expected_calibration_error == tempered.reliability.expected_calibration_error
        )
        assert result.calibrated.accuracy == result.clean.accuracy
        assert result.calibrated.negative_log_likelihood == tempered.negative_log_likelihood

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"data_digest": "0"}, "was not trained on few"),
            ({"recipe": "none"}, "does not say which"),
            ({"recipe": None}, "does not say which"),
            ({"seed": None}, "does not say which"),
            ({"validation_images": 99}, "does not say which"),
        ],
    )
    def test_is_not_fitted_if_they_are_unknown(
        self, model: Model, data: DataSet, changes: dict[str, Any], words: str
    ) -> None:
        result = measure(replace(model, info=replace(model.info, **changes)), data)
        assert (result.temperature, result.calibrated) == (None, None)
        assert words in result.temperature_source
        assert result.uncalibrated.brier_score == result.clean.brier_score

    def test_of_a_calibrated_model_it_is_fitted_on_the_original_logits(self, mnist: DataSet) -> None:
        model = Model.load("convnet")
        assert model.calibration is not None
        assert mnist.x_test is not None
        assert mnist.y_test is not None
        data = DataSet("mnist", mnist.x_train, mnist.y_train, mnist.x_test[4000:4300], mnist.y_test[4000:4300])
        result = measure(model, data)
        stored = model.calibration.temperature
        assert result.temperature == pytest.approx(stored, rel=1e-3)  # the bundled weights are rounded to float16
        assert abs(stored - 1) > 0.3
        assert data.x_test is not None
        z = model.logits(data.x_test).astype(np.float64)
        for evaluation, temperature in ((result.uncalibrated, 1.0), (result.calibrated, stored)):
            p = np.exp(z / temperature)
            p /= p.sum(axis=1, keepdims=True)
            assert evaluation is not None
            expected = -np.log(p[np.arange(300), data.y_test]).mean()
            assert evaluation.negative_log_likelihood == pytest.approx(expected, rel=1e-4)
        assert result.calibrated is not None
        assert result.calibrated.brier_score == pytest.approx(result.clean.brier_score, rel=0.01)
        assert result.uncalibrated.negative_log_likelihood > 1.2 * result.calibrated.negative_log_likelihood

    def test_a_stored_one_is_used_for_data_that_the_model_was_not_trained_on(self, data: DataSet) -> None:
        model = Model.load("convnet")
        result = measure(model, data)
        assert model.calibration is not None
        assert result.temperature == model.calibration.temperature
        assert result.temperature_source == "validation images when the model was trained"

    def test_is_not_fitted_on_the_evaluated_images(self, model: Model, data: DataSet) -> None:
        images = DataSet("few", data.x_train[:80], data.y_train[:80])
        result = measure(replace(model, info=replace(model.info, data_digest=images.digest)), images)
        assert result.temperature is None
        assert "there are no test images" in result.temperature_source
        assert result.clean.images == 80


class TestMnist:
    def test_parts_and_disputed_images(self, mnist: DataSet) -> None:
        _, images, labels = mnist.evaluation_split
        answers = labels.copy()
        for dispute in DISPUTED[:4]:
            answers[dispute.index] = dispute.other
        answers[[0, 1, 2, 9999]] += 1
        result = mnist_result(images, labels, answers)
        assert {name: (part.images, part.accuracy) for name, part in result.parts.items()} == {
            "all": (10_000, 0.9992),
            "the first 5,000, students": (5_000, pytest.approx(0.9986)),
            "the last 5,000, census": (5_000, pytest.approx(0.9998)),
            "without the 15 disputed": (9_985, pytest.approx(1 - 4 / 9_985)),
        }
        assert (result.as_labelled, result.as_raters) == (11, 3)  # of the first four, people are divided on the last
        np.testing.assert_array_equal(result.disputed_images[1], images[1621])
        assert [image.answer for image in result.disputed[:5]] == [9, 6, 4, 9, 2]
        assert (result.disputed[0].index, result.disputed[0].label, result.disputed[0].raters) == (947, 8, 9)

    def test_other_images_have_no_such_parts(self, found: Robustness) -> None:
        assert found.mnist is None
        assert found.as_json()["mnist"] is None
