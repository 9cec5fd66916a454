import json
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest

from digitscope.arrays import Array
from digitscope.datasets import DataSet
from digitscope.errors import DigitscopeError, ModelError
from digitscope.model import SHIPPED, Answer, Model
from digitscope.model_file import read_model, write_model
from digitscope.nn import (
    Adam,
    BackgroundCrossEntropy,
    BatchNorm,
    Conv2D,
    Dense,
    Ensemble,
    Flatten,
    MaxPool2D,
    MeanSquaredError,
    Network,
    OneCycle,
    ReLU,
    Reshape,
    Residual,
    ShiftAverage,
    Sigmoid,
    SoftmaxCrossEntropy,
    to_batch,
)
from digitscope.recipes import RECIPES
from digitscope.recipes.held_out import held_out
from digitscope.training import Plan, Run, train
from digitscope.training_info import FineTuning, TrainingInfo


def make(loss: SoftmaxCrossEntropy | MeanSquaredError | None = None) -> Model:
    rng = np.random.default_rng(0)
    network = Network(Dense(784, 16, rng=rng), ReLU(), Dense(16, 10, rng=rng), Sigmoid())
    return Model(network, loss or SoftmaxCrossEntropy(), (28, 28), TrainingInfo(recipe="test", seed=3))


@pytest.mark.parametrize("loss", [SoftmaxCrossEntropy(), MeanSquaredError()], ids=repr)
def test_a_loaded_model_equals_the_saved_one(
    tmp_path: Path, few: DataSet, loss: SoftmaxCrossEntropy | MeanSquaredError
) -> None:
    model = make(loss)
    model.save(tmp_path / "m")
    model.save(tmp_path / "again")
    assert (tmp_path / "m").read_bytes() == (tmp_path / "again").read_bytes()
    loaded = Model.load(tmp_path / "m")
    assert loaded.info == model.info
    assert loaded.loss == loss
    assert loaded.parameters == 784 * 16 + 16 + 16 * 10 + 10
    p = loaded.predict_proba(few.x_train[:20])
    np.testing.assert_array_equal(p, model.predict_proba(few.x_train[:20]))
    np.testing.assert_allclose(p.sum(axis=1), np.ones(20), rtol=1e-6)
    np.testing.assert_array_equal(loaded.predict(few.x_train[:20]), p.argmax(axis=1))


def test_a_network_of_nested_layers_comes_back_with_its_statistics(tmp_path: Path, few: DataSet) -> None:
    rng = np.random.default_rng(1)

    def member() -> Network:
        block = Residual(Conv2D(4, 4, 3, padding=1, bias=False, rng=rng), BatchNorm(4), ReLU())
        start = Reshape(1, 28, 28), Conv2D(1, 4, 5, stride=3, rng=rng), BatchNorm(4), ReLU()
        return Network(*start, block, MaxPool2D(2), Flatten(), Dense(64, 10, rng=rng))

    looking = ShiftAverage(Ensemble(member(), member()), 28, 28, [(0, 0), (0, 1), (-1, 0)])
    network = Network(looking).measure_statistics([to_batch(few.x_train[:200])])[1]
    assert len(network.statistics) == 8
    model = Model(network, SoftmaxCrossEntropy(), (28, 28))
    model.save(tmp_path / "m")
    loaded = Model.load(tmp_path / "m")
    assert loaded.parameters == model.parameters
    assert loaded.network.config() == network.config()
    assert loaded.network.statistics.keys() == network.statistics.keys()
    for name, value in {**network.params, **network.statistics}.items():
        own = {**loaded.network.params, **loaded.network.statistics}[name]
        np.testing.assert_array_equal(own, value, strict=True)
    np.testing.assert_array_equal(loaded.predict_proba(few.x_train[:20]), model.predict_proba(few.x_train[:20]))
    loaded.save(tmp_path / "again")
    assert (tmp_path / "m").read_bytes() == (tmp_path / "again").read_bytes()
    model.save(tmp_path / "half", half=True)
    half = Model.load(tmp_path / "half").network
    for name, value in {**network.params, **network.statistics}.items():
        own = {**half.params, **half.statistics}[name]
        np.testing.assert_array_equal(own, value.astype(np.float16).astype(np.float32), strict=True)


def test_images_that_do_not_fit_are_refused(few: DataSet) -> None:
    model = make()
    for images, message in (
        (few.x_train[0], r"\(N, 28, 28\) or rows \(N, 784\); got one image, \(28, 28\).*images\[None\]"),
        (few.x_train[:2, 2:], r"got \(2, 26, 28\)"),
        (few.x_train[:2] / 255 - 0.1, "standardized"),
    ):
        for method in (model.predict, model.predict_proba, model.logits, model.answers):
            with pytest.raises(DigitscopeError, match=message):
                method(images)


def test_images_in_every_usual_form_give_the_same_answers(few: DataSet) -> None:
    model, images = make(), few.x_train[:3]
    expected = model.predict_proba(images)
    for same in (images / 255, images.reshape(3, 784), images.tolist(), pd.DataFrame(images.reshape(3, 784) / 255)):
        np.testing.assert_array_equal(model.predict_proba(same), expected)


def test_validation_gives_the_calibration(tmp_path: Path, few: DataSet) -> None:
    model = make()
    images, labels = few.x_train[:99], few.y_train[:99]
    assert model.calibration is None
    assert all(answer.is_digit and len(answer.plausible) == 1 for answer in model.answers(images, refuse=0.5))
    calibrated = model.calibrated(images, labels)
    assert calibrated.calibration is not None
    calibrated.save(tmp_path / "m")
    loaded = Model.load(tmp_path / "m")
    assert loaded.calibration is not None
    np.testing.assert_array_equal(loaded.calibration.evidence, calibrated.calibration.evidence)
    np.testing.assert_array_equal(loaded.predict_proba(images), calibrated.predict_proba(images))
    # Untrained, its logits are too large or too small; the temperature does not reduce the likelihood.
    before, after = (m.predict_proba(images)[np.arange(99), labels] for m in (model, calibrated))
    assert np.log(after).mean() > np.log(before).mean()
    answers = loaded.answers(images, refuse=0.1)
    assert sum(not answer.is_digit for answer in answers) == 9  # those below the tenth of 99 scores
    assert all(answer.is_digit for answer in loaded.answers(images, refuse=0))
    assert max(len(answer.plausible) for answer in answers) == 10  # nothing was learned, so every digit is plausible
    for answer, p in zip(answers, loaded.predict_proba(images), strict=True):
        assert answer.digit == p.argmax() == answer.plausible[0]
        assert answer.probability == pytest.approx(p.max())


def test_logits_probabilities_and_labels_belong_together(few: DataSet) -> None:
    model = make().calibrated(few.x_train[:99], few.y_train[:99])
    assert model.calibration is not None
    images = few.x_train[:200]
    logits = model.logits(images)
    assert logits.shape == (200, 10)
    exp = np.exp(logits.astype(np.float64) / model.calibration.temperature)
    probabilities = exp / exp.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.predict_proba(images), probabilities, rtol=1e-4)
    np.testing.assert_array_equal(model.predict(images), logits.argmax(axis=1))
    for threads in (1, 2):
        np.testing.assert_array_equal(model.logits(images, threads=threads), logits)


def test_an_evaluation_checks_its_labels(few: DataSet) -> None:
    model, images, labels = make(), few.x_train[:50], few.y_train[:50]
    result = model.evaluate(images / 255, labels.astype(np.uint8))
    assert result.accuracy == (model.predict(images) == labels).mean()
    assert result.confusion.sum() == 50
    for wrong, message in (
        (labels[:49], "one integer for each of 50 images"),
        (labels - 1, "from 0 to 9; got -1"),
        (labels + 10, "from 0 to 9; got 19"),
        (np.eye(10)[labels], "one-hot"),
    ):
        with pytest.raises(DigitscopeError, match=message):
            model.evaluate(images, wrong)
        with pytest.raises(DigitscopeError, match=message):
            model.calibrated(images, wrong)


def test_a_model_on_the_cpu_is_moved_there_and_nowhere_else(few: DataSet) -> None:
    model = make()
    np.testing.assert_array_equal(model.to("cpu").logits(few.x_train[:5]), model.logits(few.x_train[:5]))
    with pytest.raises(DigitscopeError, match="cpu or cuda; got 'gpu'"):
        model.to("gpu")


class OnDevice:
    """An array that has to be fetched, as CuPy's."""

    def __init__(self, array: Array) -> None:
        self.array = array

    def get(self) -> Array:
        return self.array


def test_a_model_on_a_device_is_saved_from_there(tmp_path: Path) -> None:
    model = make()
    model.save(tmp_path / "here")
    there: Any = model.network.map_arrays(lambda array: cast(Array, OnDevice(array)))
    replace(model, network=there).save(tmp_path / "there")
    assert (tmp_path / "there").read_bytes() == (tmp_path / "here").read_bytes()


def test_a_models_repr() -> None:
    model = make()
    assert model.classes == 10
    assert repr(model) == "Model(test, 28x28 -> 10 classes, 12,730 parameters)"
    assert repr(Model.load("convnet")) == "Model(convnet, 28x28 -> 10 classes, 38,714 parameters, 99.59 % test)"
    lines = model.summary().splitlines()
    assert lines[0] == repr(model)
    assert lines[1].split() == ["name", "layer", "output", "parameters", "MFLOP"]
    assert lines[-1].split()[:2] == ["total", "10"]


def background(few: DataSet, seed: int) -> Model:
    """A small network that distinguishes digits from their negatives, which were its background class in training."""
    rng = np.random.default_rng(seed)
    network = Network(Dense(784, 16, rng=rng), ReLU(), Dense(16, 10, rng=rng))
    chosen, validation = RECIPES["mlp"].divide(few, seed)
    images = np.concatenate([few.x_train[chosen], 255 - few.x_train[chosen]])
    labels = np.concatenate([few.y_train[chosen], np.full(len(chosen), 10)])
    plan = Plan(BackgroundCrossEntropy(), Adam(), OneCycle(0.01), epochs=4, batch_size=50)
    run = Run.start(network, plan, len(images), rng)
    for _ in train(run, images, labels):
        pass
    info = TrainingInfo(
        "mlp", seed, data_digest=few.digest, classes=10, validation_images=len(validation), test_accuracy=0.5
    )
    return Model(run.outcome(images), BackgroundCrossEntropy(), (28, 28), info)


def test_an_ensemble_of_models_with_a_background_class(few: DataSet, tmp_path: Path) -> None:
    assert few.x_test is not None
    assert few.y_test is not None
    members = [background(few, 1), background(few, 2)]
    ensemble = Model.ensemble(members)
    digits, others = few.x_test, 255 - few.x_test
    for images in (digits, others):
        mean = np.mean([member.predict_proba(images) for member in members], axis=0)
        np.testing.assert_allclose(ensemble.predict_proba(images), mean, rtol=1e-3, atol=1e-6)
        evidence = np.mean([[answer.evidence for answer in member.answers(images)] for member in members], axis=0)
        np.testing.assert_allclose(
            [answer.evidence for answer in ensemble.answers(images)], evidence, rtol=1e-3, atol=1e-4
        )
    chosen = held_out(ensemble.info, few)
    assert chosen is not None
    np.testing.assert_array_equal(chosen, RECIPES["mlp"].divide(few, 0)[1])
    ensemble.calibrated(few.x_train[chosen], few.y_train[chosen]).save(tmp_path / "m")
    loaded = Model.load(tmp_path / "m")
    assert isinstance(loaded.loss, BackgroundCrossEntropy)
    assert (loaded.info, loaded.info.test_accuracy) == (ensemble.info, None)
    assert (loaded.predict(digits) == few.y_test).mean() > 0.8
    assert np.mean([answer.is_digit for answer in loaded.answers(digits, refuse=0.05)]) > 0.85
    assert np.mean([answer.is_digit for answer in loaded.answers(others, refuse=0.05)]) < 0.15


@pytest.mark.parametrize(
    ("others", "message"),
    [
        ([Model(make().network, BackgroundCrossEntropy(), (28, 28))], "SoftmaxCrossEntropy and BackgroundCrossEntropy"),
        ([make(MeanSquaredError())], "trained on a cross-entropy; got one of MeanSquaredError"),
        ([Model(Network(Dense(784, 9)), SoftmaxCrossEntropy(), (28, 28))], "got one of 10 classes .* one of 9 classes"),
        ([Model(Network(Dense(4, 10)), SoftmaxCrossEntropy(), (2, 2))], "one of 10 classes of 2x2 pixels"),
    ],
)
def test_models_that_cannot_form_an_ensemble(others: list[Model], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        Model.ensemble([make(), *others])
    with pytest.raises(ModelError, match="at least 1 model; got none"):
        Model.ensemble([])


class TestInfo:
    RUN = TrainingInfo("mlp", 3, 5, 0.1, None, "few", "0123abcd", 10, 1100, 100, 0.9, None)

    def test_a_run_keeps_every_key_in_its_order(self) -> None:
        assert json.dumps(self.RUN.as_json()) == (
            '{"recipe": "mlp", "seed": 3, "epochs": 5, "learning_rate": 0.1, "batch_size": null, "data": "few", '
            '"data_digest": "0123abcd", "classes": 10, "train_images": 1100, "validation_images": 100, '
            '"validation_accuracy": 0.9, "test_accuracy": null}'
        )

    @pytest.mark.parametrize("name", SHIPPED)
    def test_the_bundled_models_keep_their_bytes(self, name: str, tmp_path: Path) -> None:
        write_model(tmp_path / "m", read_model(SHIPPED[name]), one_byte=True)
        assert (tmp_path / "m").read_bytes() == SHIPPED[name].read_bytes()

    def test_ensembles_and_fine_tuning_come_back(self) -> None:
        lesson = FineTuning(3, {"1": 2, "7": 1}, 0, 5000, 0.99, 0.991)
        info = TrainingInfo("ensemble", classes=10, members=(self.RUN, TrainingInfo()), taught=(lesson,))
        content = info.as_json()
        assert list(content) == ["recipe", "classes", "members", "taught"]
        assert content["taught"][0]["evaluated_images"] == 5000
        assert TrainingInfo.from_json(json.loads(json.dumps(content))) == info
        assert info.without_accuracy().members[0].validation_accuracy is None


@pytest.mark.parametrize(
    ("plausible", "threshold", "text", "evidence_text"),
    [
        ((4,), 1.72, "4 (91.3 %)", "score 1.2; 99 % of real digits score 1.7 or more"),
        ((4, 9), -np.inf, "4 (91.3 %), or 9 (8.7 %)", "score 1.2; the model has no threshold for rejecting a picture"),
    ],
)
def test_an_answer_in_words(plausible: tuple[int, ...], threshold: float, text: str, evidence_text: str) -> None:
    probabilities = np.zeros(10)
    probabilities[[4, 9]] = 0.913, 0.087
    answer = Answer(4, 0.913, probabilities, 1.2, threshold, plausible, refuse=0.01)
    assert (answer.text, answer.evidence_text) == (text, evidence_text)
