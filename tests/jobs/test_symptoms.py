"""Each fault is recognized in a run that was made for it, and none in healthy runs of the recipes."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from digitscope.datasets import DataSet
from digitscope.errors import DivergenceError
from digitscope.jobs.layer_health import layer_health
from digitscope.jobs.symptoms import Guess, label_symptoms, training_symptoms
from digitscope.jobs.timeline import Experiment, Timeline
from digitscope.nn import BackgroundCrossEntropy, MeanSquaredError, SoftmaxCrossEntropy
from digitscope.training import Epoch


def symptoms(folder: Path, *, steps: int, **settings: Any) -> set[str]:
    """Everything that is named in a training, at the ends of its epochs or ten times in all."""
    timeline = Timeline.begin(folder, Experiment(**settings))
    t, plan = timeline.training, timeline.plan
    classes = timeline.data.classes
    guess = Guess.of(plan.loss, t.labels, classes)
    last = min(steps, timeline.steps)
    found: set[str] = set()
    try:
        for result in timeline.go(0, last, threads=1, is_wanted=lambda step: step % max(1, last // 10) == 0):
            if isinstance(result, Epoch) or timeline.step % max(1, last // 10) == 0:
                health = layer_health(timeline.run.learner, plan.loss, t.images[:100], t.labels[:100])
                found |= {
                    symptom.key
                    for symptom in training_symptoms(
                        timeline.run.history,
                        health,
                        guess,
                        minimum=plan.loss.minimum(classes),
                        validation_images=len(t.validation[1]),
                    )
                }
    except DivergenceError:
        found.add("diverged")
    timeline.close()
    return found


@pytest.mark.parametrize(
    ("recipe", "images", "steps"),
    [
        ("seed", 3000, 400),
        ("sigmoid", 3000, 3000),
        ("3blue1brown", 3000, 2000),
        ("mlp", 12_000, 10**9),
        ("simard-mlp", 3000, 300),
        ("lenet", 2000, 150),
        ("fast", 4000, 10**9),
        ("convnet", 2000, 60),
        ("reader", 1000, 15),
        ("tiny", 2000, 60),
        ("deep", 400, 3),
    ],
)
def test_healthy_runs_have_no_symptom(recipe: str, images: int, steps: int, tmp_path: Path) -> None:
    assert symptoms(tmp_path, recipe=recipe, images=images, steps=steps) == set()


@pytest.mark.parametrize(
    ("recipe", "settings"),
    [
        ("mlp", {"learning_rate": 2.0}),
        ("mlp", {"optimizer": "adam", "learning_rate": 1.0}),
        ("lenet", {"learning_rate": 10.0, "epochs": 1}),
        ("sigmoid", {"learning_rate": 1000.0}),
        ("fast", {"learning_rate": 20.0}),
    ],
)
def test_a_rate_that_is_too_high(recipe: str, settings: dict[str, Any], tmp_path: Path) -> None:
    assert symptoms(tmp_path, recipe=recipe, images=6000, steps=400, **settings) & {"rate-too-high", "diverged"}


def test_a_loss_that_is_not_finite(tmp_path: Path) -> None:
    assert "diverged" in symptoms(tmp_path, recipe="simard-mlp", images=500, steps=99, learning_rate=1e30)


@pytest.mark.parametrize(("recipe", "rate"), [("seed", 10.0), ("mlp", 5.0)])
def test_dying_relus(recipe: str, rate: float, tmp_path: Path) -> None:
    assert "dying-relus" in symptoms(tmp_path, recipe=recipe, images=3000, steps=100, learning_rate=rate)


def test_overfitting(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"epochs": 40, "dropout": 0.0, "label_smoothing": 0.0}
    assert symptoms(tmp_path, recipe="mlp", images=1000, steps=10**9, **settings) == {"overfitting"}


@pytest.fixture(scope="module")
def digits(mnist: DataSet) -> DataSet:
    return replace(mnist, name="digits", x_train=mnist.x_train[:3000], y_train=mnist.y_train[:3000])


def test_labels_of_other_images(digits: DataSet, tmp_path: Path) -> None:
    path = tmp_path / "shuffled.npz"
    shuffled = np.random.default_rng(0).permutation(digits.y_train)
    np.savez(path, x_train=digits.x_train, y_train=shuffled)
    found = symptoms(tmp_path / "run", recipe="mlp", data=str(path), epochs=30, steps=10**9)
    assert found == {"labels-unrelated"}
    assert [s.key for s in label_symptoms(replace(digits, y_train=shuffled))] == ["labels-shuffled"]


@pytest.mark.parametrize(
    ("change", "key", "value"),
    [
        (lambda y: y + 1, "labels-offset", 1),
        (lambda y: (y + 3) % 10, "labels-offset", 3),
        (lambda y: np.roll(y, 1), "labels-rows", 1),
        (lambda y: np.roll(y, -2), "labels-rows", -2),
    ],
)
def test_labels_that_are_shifted(digits: DataSet, change: Any, key: str, value: int) -> None:
    (symptom,) = label_symptoms(replace(digits, y_train=change(digits.y_train)))
    assert symptom.key == key
    assert value in symptom.values.values()


def test_nothing_is_said_of_other_data(digits: DataSet) -> None:
    assert label_symptoms(digits) == []
    noise = np.random.default_rng(0).integers(0, 256, (500, 28, 28), dtype=np.uint8)
    assert label_symptoms(DataSet("noise", noise, digits.y_train[:500])) == []
    assert label_symptoms(DataSet("small", noise[:, :8, :8], digits.y_train[:500])) == []


def test_a_guess_is_the_best_constant_answer() -> None:
    labels = np.repeat(np.arange(10), [100, 50, 20, 10, 10, 10, 10, 10, 10, 20])
    entropy = -sum(p * np.log(p) for p in np.bincount(labels) / len(labels))
    assert Guess.of(SoftmaxCrossEntropy(), labels, 10).loss == pytest.approx(entropy, rel=1e-4)
    assert Guess.of(MeanSquaredError(), labels, 10).accuracy == 0.4
    shares = np.bincount(labels) / len(labels)
    assert Guess.of(MeanSquaredError(), labels, 10).loss == pytest.approx((1 - (shares**2).sum()) / 2, rel=1e-4)
    with_background = np.append(labels, np.full(250, 10))
    assert Guess.of(BackgroundCrossEntropy(), with_background, 10).loss == pytest.approx(
        np.log(2) + entropy / 2, rel=1e-3
    )
