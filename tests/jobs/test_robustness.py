"""What --robust finds, against the same worked out by other means."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from digitscope.augmentation.corruptions import CORRUPTIONS, STRENGTHS
from digitscope.calibration import fit_temperature, temper
from digitscope.datasets import DataSet
from digitscope.datasets.mnist_facts import DISPUTED
from digitscope.jobs.robustness import MnistTest, Robustness, measure, write_page
from digitscope.metrics import Evaluation, accuracy
from digitscope.model import Model
from digitscope.nn import Dense, Network, SoftmaxCrossEntropy
from digitscope.recipes import RECIPES
from digitscope.training_info import TrainingInfo


@pytest.fixture(scope="module")
def data(few: DataSet) -> DataSet:
    """Few images to learn from, fewer to judge on."""
    assert few.x_test is not None
    assert few.y_test is not None
    return DataSet("few", few.x_train, few.y_train, few.x_test[:80], few.y_test[:80])


@pytest.fixture(scope="module")
def model(few: DataSet) -> Model:
    """Templates: the mean image of each class, as if they were learned from the few."""
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
    assert list(found.corrupted) == list(CORRUPTIONS)
    for number, (name, shares) in enumerate(found.corrupted.items()):
        assert len(shares) == 5
        np.testing.assert_array_equal(found.samples[number, 0], data.x_test[number])
        for strength, share in zip(STRENGTHS, shares, strict=True):
            worse = CORRUPTIONS[name](data.x_test, strength, np.random.default_rng([0, number]))
            assert share.images == 80
            assert share.accuracy == accuracy(data.y_test, model.predict(worse))
            np.testing.assert_array_equal(found.samples[number, strength], worse[number])
    everything = [share.accuracy for shares in found.corrupted.values() for share in shares]
    assert found.mean_accuracy == pytest.approx(sum(everything) / 40)
    assert found.mean_accuracy < found.clean.accuracy - 0.1


def test_the_seed_decides(model: Model, data: DataSet, found: Robustness) -> None:
    assert measure(model, data, threads=2).as_json() == found.as_json()
    assert measure(model, data, seed=1).corrupted != found.corrupted


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
        assert result.tempered is not None
        assert data.x_test is not None
        assert data.y_test is not None
        tempered = Evaluation.of(data.y_test, temper(model.predict_proba(data.x_test), expected))
        assert result.tempered.reliability.expected_calibration_error == tempered.reliability.expected_calibration_error
        assert result.tempered.accuracy == result.clean.accuracy
        assert result.tempered.negative_log_likelihood == tempered.negative_log_likelihood

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"data_digest": "0"}, "did not learn from few"),
            ({"recipe": "none"}, "does not say which"),
            ({"recipe": None}, "does not say which"),
            ({"seed": None}, "does not say which"),
            ({"validation_images": 99}, "does not say which"),
        ],
    )
    def test_is_not_fitted_where_they_are_not_known(
        self, model: Model, data: DataSet, changes: dict[str, Any], words: str
    ) -> None:
        result = measure(replace(model, info=replace(model.info, **changes)), data)
        assert (result.temperature, result.tempered) == (None, None)
        assert words in result.temperature_source
        assert result.temperature_text().startswith("No temperature was fitted: ")
        assert result.calibration_rows()[0] == ["calibration", "as it is"]

    def test_is_not_fitted_on_what_it_is_judged_on(self, model: Model, data: DataSet) -> None:
        images = DataSet("few", data.x_train[:80], data.y_train[:80])
        result = measure(replace(model, info=replace(model.info, data_digest=images.digest)), images)
        assert result.temperature is None
        assert "no test images are set apart" in result.temperature_source
        assert result.clean.images == 80


class TestMnist:
    def test_parts_and_disputed_images(self, mnist: DataSet) -> None:
        _, images, labels = mnist.evaluation_split
        answers = labels.copy()
        for dispute in DISPUTED[:4]:
            answers[dispute.index] = dispute.other
        answers[[0, 1, 2, 9999]] += 1
        result = MnistTest.of(images, labels, answers)
        assert {name: (share.images, share.accuracy) for name, share in result.shares.items()} == {
            "all": (10_000, 0.9992),
            "the first 5,000, students": (5_000, pytest.approx(0.9986)),
            "the last 5,000, census": (5_000, pytest.approx(0.9998)),
            "without the 15 disputed": (9_985, pytest.approx(1 - 4 / 9_985)),
        }
        assert (result.as_labelled, result.as_raters) == (11, 3)  # of the first four, people are divided on the last
        np.testing.assert_array_equal(result.images[1], images[1621])
        rows = result.disputed_rows()
        assert rows[1] == ["947", "8", "9", "9"]
        assert rows[4] == ["2130", "4", "divided", "9"]
        assert rows[7] == ["2654", "6", "neither", "6"]
        assert result.share_rows()[1] == ["all", "10,000", "99.92", "99.84 to 99.96"]

    def test_other_images_have_no_such_parts(self, found: Robustness) -> None:
        assert found.mnist is None
        assert found.as_json()["mnist"] is None


def test_tables_and_json_agree(found: Robustness) -> None:
    content = json.loads(json.dumps(found.as_json()))
    rows = found.corruption_rows()
    assert rows[1][0] == "rotation, 10 to 50 degrees either way"
    assert [row[1:] for row in rows[1:]] == [
        [f"{100 * share:.1f}" for share in kind["accuracy"]] for kind in content["corruptions"].values()
    ]
    before, after = content["calibration"], content["calibration_tempered"]
    assert found.calibration_rows()[1:] == [
        ["error in 15 bins, %", f"{100 * before['error']:.2f}", f"{100 * after['error']:.2f}"],
        [
            "negative log-likelihood, nats",
            f"{before['negative_log_likelihood']:.4f}",
            f"{after['negative_log_likelihood']:.4f}",
        ],
        ["Brier score, 0 to 2", f"{before['brier_score']:.4f}", f"{after['brier_score']:.4f}"],
    ]


@pytest.mark.parametrize("everything", [True, False])
def test_the_page(found: Robustness, mnist: DataSet, tmp_path: Path, everything: bool) -> None:
    if everything:
        _, images, labels = mnist.evaluation_split
        found = replace(found, mnist=MnistTest.of(images, labels, labels))
    else:
        found = replace(found, temperature=None, tempered=None, temperature_source="it is not known")
    write_page(tmp_path / "page.html", Path("my.safetensors"), found)
    root = ElementTree.fromstring((tmp_path / "page.html").read_text(encoding="utf-8").removeprefix("<!DOCTYPE html>"))
    tables = [[["".join(cell.itertext()) for cell in row] for row in table.iter("tr")] for table in root.iter("table")]
    assert [row[1:] for row in tables[0]] == [row[1:] for row in found.corruption_rows()]
    assert tables[1] == [[text.replace(" %", "\u00a0%") for text in row] for row in found.calibration_rows()]
    assert len(tables) == (3 if everything else 2)
    assert len(list(root.iter("{http://www.w3.org/2000/svg}svg"))) == (3 if everything else 2)
    words = "".join(root.itertext())
    assert ("15 of the 15 are read as labelled" in words) == everything
    assert ("No temperature was fitted: it is not known." in words) != everything
