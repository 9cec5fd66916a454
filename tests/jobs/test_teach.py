from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from threadpoolctl import threadpool_limits

from digitscope.arrays import Array
from digitscope.augmentation.augment import STANDARD
from digitscope.datasets import DataSet
from digitscope.errors import DataError, DigitscopeError, ShapeError, TrainingError
from digitscope.jobs.teach import TeachResult, TeachSettings, interpolate, teach
from digitscope.model import Model
from digitscope.nn import (
    BatchNorm,
    Conv2D,
    Dense,
    MeanSquaredError,
    Network,
    Params,
    ReLU,
    SoftmaxCrossEntropy,
    to_batch,
)
from digitscope.recipes import RECIPES
from digitscope.recipes.held_out import held_out
from digitscope.recipes.recipe import hold_out_end
from digitscope.synthetic.non_digits import VARIANTS, DigitSource
from digitscope.training import Run, train
from digitscope.training_info import TrainingInfo


def drawn(name: str, count: int, data: DataSet) -> Array:
    """Digits in rare forms, drawn from images that no model here was trained on."""
    digits = DigitSource(data.x_train[-5000:], data.y_train[-5000:])
    rng = np.random.default_rng(0)
    return np.stack([VARIANTS[name].draw(rng, digits) for _ in range(count)])


def small(data: DataSet, seed: int = 0) -> Model:
    """A network with batch normalization after a short training."""
    rng = np.random.default_rng(seed)
    network = Network(Dense(784, 32, rng=rng), BatchNorm(32), ReLU(), Dense(32, 10, rng=rng))
    plan = replace(RECIPES["mlp"].plan, epochs=5, shard_size=32)
    run = Run.start(network, plan, len(data.x_train), rng)
    for _ in train(run, data.x_train, data.y_train):
        pass
    return Model(run.outcome(data.x_train), SoftmaxCrossEntropy(), (28, 28), TrainingInfo(data_digest=data.digest))


@pytest.fixture(scope="module")
def model(few: DataSet) -> Model:
    return small(few)


@pytest.fixture(scope="module")
def examples(few: DataSet) -> Array:
    """Three zeros."""
    assert few.x_test is not None
    assert few.y_test is not None
    zeros: Array = few.x_test[few.y_test == 0][:3]
    return zeros


QUICK = TeachSettings(accepted_loss=1.0, rehearsed_images=2000)
"""Settings under which any of the hundred evaluated images may be lost."""


def test_three_examples_suffice_for_similar_ones(mnist: DataSet) -> None:
    model = Model.load("convnet")
    before = {name: value.copy() for name, value in model.network.params.items()}
    slashed = drawn("0 slashed", 203, mnist)
    hard = np.argsort(model.predict_proba(slashed)[:, 0], kind="stable")[:3]
    others = np.delete(slashed, hard, axis=0)
    steps: list[Any] = []
    lesson = teach(model, slashed[hard], [0, 0, 0], threads=2, callback=steps.append)  # MNIST is the default
    assert lesson.problem is None
    assert lesson.learned.all()
    assert (lesson.model.predict(others) == 0).mean() > 0.85
    assert (lesson.evaluated, lesson.held_out) == (5000, True)
    evaluated = mnist.x_train[-5000:], mnist.y_train[-5000:]
    assert lesson.correct_before == (model.predict(evaluated[0], threads=2) == evaluated[1]).sum()
    assert lesson.correct_after == (lesson.model.predict(evaluated[0], threads=2) == evaluated[1]).sum()
    assert lesson.correct_before - lesson.correct_after <= 5
    assert steps[-1].step == steps[-1].steps
    for name, value in model.network.params.items():
        np.testing.assert_array_equal(value, before[name])
    # Its info: the figures are those of the new model, or have been removed.
    info = lesson.model.info
    assert info.test_accuracy is None
    assert info.validation_accuracy == lesson.accuracy_after
    assert (info.recipe, info.data_digest) == ("convnet", mnist.digest)
    (record,) = info.taught
    assert (record.examples, record.labels) == (3, {"0": 3})
    chosen = held_out(info, mnist)
    assert chosen is not None
    np.testing.assert_array_equal(chosen, np.arange(55_000, 60_000))


def test_the_same_lesson_gives_the_same_bytes_on_any_number_of_threads(
    model: Model, few: DataSet, examples: Array, tmp_path: Path
) -> None:
    contents = []
    for name, threads, seed in (("a", 1, 0), ("b", 2, 0), ("c", 1, 1)):
        lesson = teach(model, examples, np.zeros(3, int), few, settings=QUICK, threads=threads, seed=seed)
        lesson.save(tmp_path / name)
        contents.append((tmp_path / name).read_bytes())
    assert contents[0] == contents[1] != contents[2]


def test_a_taught_model_can_be_taught_again(model: Model, few: DataSet, examples: Array) -> None:
    assert few.x_test is not None
    first = teach(model, examples, np.zeros(3, int), few, settings=QUICK)
    second = teach(first.model, few.x_test[few.y_test == 1][:2], np.array([1, 1]), few, settings=QUICK)
    assert first.problem is second.problem is None
    assert [lesson.labels for lesson in second.model.info.taught] == [{"0": 3}, {"1": 2}]
    assert second.accuracy_before == first.accuracy_after


def test_only_the_last_layers_of_a_convolutional_network_learn(few: DataSet, examples: Array) -> None:
    rng = np.random.default_rng(0)
    network = RECIPES["tiny"].build(rng, (28, 28), 10)
    run = Run.start(network, replace(RECIPES["tiny"].plan, epochs=2), len(few.x_train), rng)
    for _ in train(run, few.x_train, few.y_train):
        pass
    model = Model(network, run.plan.loss, (28, 28), TrainingInfo(data_digest=few.digest))
    last = max(i for i, layer in enumerate(model.network.layers) if isinstance(layer, Conv2D))
    for all_layers in (False, True):
        lesson = teach(model, examples, np.zeros(3, int), few, settings=replace(QUICK, all_layers=all_layers))
        assert lesson.model.network.params.keys() == model.network.params.keys()
        for arrays in ("params", "statistics"):
            old, new = getattr(model.network, arrays), getattr(lesson.model.network, arrays)
            for name, value in new.items():
                same = np.array_equal(value, old[name])
                assert same == (not all_layers and int(name.split(".")[0]) < last), name
        assert lesson.learned.all()
        np.testing.assert_array_equal(lesson.after, lesson.model.predict_proba(examples))


def test_the_same_lesson_of_features_gives_the_same_bytes_on_any_number_of_threads(
    mnist: DataSet, few: DataSet, examples: Array, tmp_path: Path
) -> None:
    settings = TeachSettings(rehearsed_features=500, accepted_loss=1.0)
    contents = []
    for name, threads in (("a", 1), ("b", 2)):
        with threadpool_limits(threads, "blas"):
            lesson = teach(Model.load("convnet"), examples, np.zeros(3, int), mnist, settings=settings, threads=threads)
        lesson.save(tmp_path / name)
        contents.append((tmp_path / name).read_bytes())
    assert contents[0] == contents[1]


def test_a_calibration_that_the_recipe_drew_is_moved(
    model: Model, few: DataSet, examples: Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    learned, validated = RECIPES["mlp"].divide(few, 0)
    info = replace(model.info, recipe="mlp", seed=0, train_images=len(learned), validation_images=len(validated))
    calibrated = replace(model, info=info).calibrated(few.x_train[validated], few.y_train[validated])
    plain = teach(calibrated, examples, np.zeros(3, int), few, settings=QUICK).model.calibration
    monkeypatch.setitem(
        RECIPES, "mlp", replace(RECIPES["mlp"], calibration_examples=lambda images, labels, rng: (images, labels))
    )
    moved = teach(calibrated, examples, np.zeros(3, int), few, settings=QUICK).model.calibration
    assert plain is not None
    assert moved is not None
    assert calibrated.calibration is not None
    assert moved.temperature == calibrated.calibration.temperature != plain.temperature
    changes = moved.evidence - calibrated.calibration.evidence
    np.testing.assert_allclose(changes, changes[0], atol=1e-5)
    assert abs(np.median(moved.evidence) - np.median(plain.evidence)) < 1


def test_every_member_of_an_ensemble_learns(few: DataSet, examples: Array) -> None:
    ensemble = Model.ensemble([small(few, seed=1), small(few, seed=2)])
    lesson = teach(ensemble, examples, np.zeros(3, int), few, settings=QUICK)
    assert lesson.learned.all()
    old, new = ensemble.network.params, lesson.model.network.params
    assert old.keys() == new.keys()
    for name, value in new.items():
        assert not np.array_equal(value, old[name]), name
    for name, value in lesson.model.network.statistics.items():
        assert not np.array_equal(value, ensemble.network.statistics[name]), name


class Recorder:
    """An augmentation that records its images."""

    def __init__(self) -> None:
        self.seen: list[Array] = []

    def __call__(self, images: Array, rng: np.random.Generator) -> Array:
        self.seen += [image.copy() for image in images]
        return STANDARD(images, rng)


def contents(images: Iterable[Array]) -> Counter[bytes]:
    return Counter(image.tobytes() for image in images)


def rehearsed_images(data: DataSet) -> Array:
    """The images that `teach` does not evaluate on, if the model's validation images are unknown."""
    return data.x_train[hold_out_end(1 / 12)(data, np.random.default_rng(0))[0]]


def test_no_evaluated_image_is_rehearsed(model: Model, few: DataSet, examples: Array) -> None:
    recorder = Recorder()
    lesson = teach(model, examples, np.zeros(3, int), few, settings=replace(QUICK, augment=recorder), threads=1)
    rehearsed = rehearsed_images(few)
    assert (lesson.evaluated, lesson.held_out, lesson.rehearsed) == (1200 - len(rehearsed), False, len(rehearsed))
    assert contents(recorder.seen).keys() == contents([*rehearsed, *examples]).keys()
    assert lesson.model.info.validation_accuracy is None


def test_statistics_are_measured_with_the_weights_that_are_kept(model: Model, few: DataSet, examples: Array) -> None:
    settings = replace(QUICK, interpolation=(0.0,))  # back to the old weights, whose statistics are known
    network = teach(model, examples, np.zeros(3, int), few, settings=settings).model.network
    first, norm, *_ = network.layers
    np.testing.assert_array_equal(first.params["weight"], model.network.params["0.weight"])
    outputs = first.forward(to_batch(rehearsed_images(few)))[0]
    np.testing.assert_allclose(norm.statistics["mean"], outputs.mean(axis=1), atol=1e-3)


class TestSave:
    def lesson(self, model: Model, correct_after: int, after: int = 3) -> TeachResult:
        answers = np.eye(10)[[3, after]]
        return TeachResult(model, np.array([3, 3]), answers, answers, 50, 5000, True, 4990, correct_after)

    def test_up_to_a_tenth_of_a_point_may_be_lost(self, model: Model, tmp_path: Path) -> None:
        self.lesson(model, 4985).save(tmp_path / "m")
        assert (tmp_path / "m").exists()
        with pytest.raises(
            TrainingError,
            match=r"99\.68 % of 5,000 images correctly instead of 99\.80 %, more than 0\.1 percentage points",
        ):
            self.lesson(model, 4984).save(tmp_path / "n")
        assert not (tmp_path / "n").exists()

    def test_without_success_nothing_is_written(self, model: Model, tmp_path: Path) -> None:
        with pytest.raises(TrainingError, match="1 of 2 examples are still not read as labelled"):
            self.lesson(model, 4990, after=5).save(tmp_path / "m")
        assert not (tmp_path / "m").exists()

    def test_no_file_is_overwritten(self, model: Model, tmp_path: Path) -> None:
        (tmp_path / "m").write_bytes(b"mine")
        with pytest.raises(DigitscopeError, match="exists already"):
            self.lesson(model, 4990).save(tmp_path / "m")
        assert (tmp_path / "m").read_bytes() == b"mine"


def test_examples_that_contradict_the_rehearsed_images_are_not_learned(few: DataSet, model: Model) -> None:
    zeros = few.x_train[few.y_train == 0]
    lesson = teach(model, zeros[:2], np.array([1, 2]), few, settings=QUICK)
    assert lesson.learned.all() or lesson.problem is not None
    same = np.stack([zeros[0], zeros[0]])
    same[1, 0, 0] = 1  # equal except for a trace of ink, so that no network distinguishes them
    lesson = teach(model, same, np.array([0, 2]), few, settings=QUICK)
    assert lesson.problem is not None
    assert "1 of 2 examples" in lesson.problem


@pytest.mark.parametrize(
    ("labels", "changes", "error", "message"),
    [
        ([1, 2], {}, ShapeError, r"one integer for each of 3 images; got \(2,\)"),
        ([1, 2, 10], {}, DataError, "from 0 to 9; got 10"),
        ([1, 2, -1], {}, DataError, "from 0 to 9; got -1"),
        ([1.0, 2.5, 3.0], {}, DataError, "whole numbers from 0; got 2.5"),
        ([1, 1, 1], {"data": "mnist", "data_digest": "0"}, DataError, "learned from mnist, not from this few"),
    ],
)
def test_invalid_examples_are_refused(
    model: Model, few: DataSet, labels: list[int], changes: dict[str, Any], error: type[DigitscopeError], message: str
) -> None:
    with pytest.raises(error, match=message):
        teach(replace(model, info=replace(model.info, **changes)), few.x_train[:3], np.array(labels), few)


def test_one_image_with_two_labels_is_refused(model: Model, few: DataSet) -> None:
    images = few.x_train[[0, 1, 0]]
    with pytest.raises(DataError, match="Examples 1 and 3 are the same image, labelled 5 and 3"):
        teach(model, images, np.array([5, 0, 3]), few)


def test_images_of_another_size_are_refused(model: Model, few: DataSet) -> None:
    with pytest.raises(DataError, match="reads images of 28x28 pixels; few has 24x24"):
        teach(model, few.x_train[:1], np.array([5]), DataSet("few", few.x_train[:, 2:-2, 2:-2], few.y_train))
    with pytest.raises(ShapeError, match=r"got \(1, 26, 28\)"):
        teach(model, few.x_train[:1, 2:], np.array([5]), few)


def test_weights_between_those_of_two_networks() -> None:
    rng = np.random.default_rng(0)
    old, new = (Network(Dense(3, 2, rng=rng)) for _ in range(2))
    middle = interpolate(old, new, 0.25).params
    for name in middle:
        np.testing.assert_allclose(middle[name], 0.75 * old.params[name] + 0.25 * new.params[name], rtol=1e-6)


def taught_params(model: Model, few: DataSet, examples: Array, settings: TeachSettings = QUICK) -> Params:
    return teach(model, examples, np.zeros(3, int), few, settings=settings, threads=1).model.network.params


def test_images_are_augmented_as_in_the_models_training(
    model: Model, few: DataSet, examples: Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, default = Recorder(), Recorder()
    recipe = replace(RECIPES["mlp"], plan=replace(RECIPES["mlp"].plan, augment=own))
    monkeypatch.setitem(RECIPES, "varied", recipe)
    settings = replace(QUICK, augment=default)
    varied = replace(model, info=replace(model.info, recipe="varied"))
    taught_params(varied, few, examples, settings)
    assert (bool(own.seen), bool(default.seen)) == (True, False)
    taught_params(replace(model, info=replace(model.info, recipe="mlp")), few, examples, settings)  # it has none
    assert default.seen


def test_an_augmentation_that_replaced_the_recipes_is_used(model: Model, few: DataSet, examples: Array) -> None:
    params = {
        augment: taught_params(replace(model, info=TrainingInfo(recipe="mlp", augment=augment)), few, examples)[
            "3.weight"
        ]
        for augment in (None, "none", "standard", "noise=0.2")
    }
    np.testing.assert_array_equal(params["none"], params[None])  # which is teach's own, the standard one
    np.testing.assert_array_equal(params["standard"], params[None])
    assert not np.array_equal(params["noise=0.2"], params[None])


def test_the_loss_is_that_of_the_models_training(
    model: Model, few: DataSet, examples: Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = RECIPES["mlp"].plan
    for name, loss in (("smooth", SoftmaxCrossEntropy(0.5)), ("squared", MeanSquaredError())):
        monkeypatch.setitem(RECIPES, name, replace(RECIPES["mlp"], plan=replace(plan, loss=loss)))
    params = {
        name: taught_params(replace(model, info=replace(model.info, recipe=name)), few, examples)["3.weight"]
        for name in (None, "smooth", "squared")
    }
    smoother = replace(model, info=TrainingInfo(recipe="mlp", label_smoothing=0.5))
    np.testing.assert_array_equal(taught_params(smoother, few, examples)["3.weight"], params["smooth"])
    assert not np.array_equal(params["smooth"], params[None])
    np.testing.assert_array_equal(params["squared"], params[None])  # of another kind than the model's own loss


def test_the_recipes_extra_examples_are_rehearsed_in_their_share(
    model: Model, few: DataSet, examples: Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    def negatives(images: Array, labels: Array, rng: np.random.Generator) -> tuple[Array, Array]:
        count = round(0.4 * len(images))
        return 255 - images[:count], labels[:count]

    recorder = Recorder()
    monkeypatch.setitem(RECIPES, "other", replace(RECIPES["mlp"], extra_examples=negatives))
    other = TrainingInfo(recipe="other")
    settings = replace(QUICK, rehearsed_images=1000, augment=recorder)
    for info in (other, TrainingInfo(recipe="ensemble", members=(other,))):
        recorder.seen.clear()
        lesson = teach(replace(model, info=info), examples, np.zeros(3, int), few, settings=settings, threads=1)
        assert lesson.rehearsed == 500 + 200  # half as many images as without extra examples, and 0.4 of that
        seen = contents(recorder.seen)
        drawn = [key for key in seen if key not in contents(few.x_train) and key not in contents(examples)]
        assert set(drawn) <= contents(255 - few.x_train).keys()
        assert len(drawn) == 10  # each in twenty copies
        assert {seen[key] for key in drawn} == {
            20 * seen[image.tobytes()] for image in few.x_train if image.tobytes() in seen
        }


def test_examples_in_every_usual_form_give_the_same_model(model: Model, few: DataSet, examples: Array) -> None:
    expected = taught_params(model, few, examples)
    for images, labels in (
        (examples / 255, [0, 0, 0]),
        (examples.reshape(3, 784).tolist(), np.zeros((3, 1))),
        (pd.DataFrame(examples.reshape(3, 784)), pd.Series([0, 0, 0], dtype="uint8")),
    ):
        lesson = teach(model, images, labels, few, settings=QUICK)
        np.testing.assert_array_equal(lesson.model.network.params["3.weight"], expected["3.weight"])
    with pytest.raises(DataError, match="no training images"):
        teach(model, examples[:0], [], few)


def test_a_data_set_of_examples(model: Model, few: DataSet, examples: Array) -> None:
    expected = taught_params(model, few, examples)
    lesson = teach(model, DataSet("mine", examples, np.zeros(3, int)), data=few, settings=QUICK)
    np.testing.assert_array_equal(lesson.model.network.params["3.weight"], expected["3.weight"])
    with pytest.raises(DataError, match="Leave them out"):
        teach(model, few, [0], few)


@pytest.mark.parametrize(("share", "accepted"), [(1.0, False), (0.74, True), (0.76, False)])
def test_as_many_examples_must_be_learned_as_the_settings_demand(model: Model, share: float, accepted: bool) -> None:
    result = TeachResult(
        model=model,
        labels=np.array([0, 0, 0, 1]),
        before=np.eye(10)[[0, 0, 0, 0]],
        after=np.eye(10)[[0, 0, 0, 2]],
        rehearsed=10,
        evaluated=10,
        held_out=True,
        correct_before=10,
        correct_after=10,
        settings=TeachSettings(learned_share=share),
    )
    assert (result.problem is None) == accepted


def test_rounds_end_when_enough_examples_are_learned(model: Model, few: DataSet) -> None:
    """Of ten zeros three are labelled 1, which no round changes."""
    assert few.x_test is not None
    zeros = few.x_test[few.y_test == 0][:10]
    labels = np.array([0] * 7 + [1] * 3)
    steps: list[int] = []
    for share in (0.7, 1.0):
        count: list[object] = []
        teach(model, zeros, labels, few, settings=replace(QUICK, learned_share=share), callback=count.append)
        steps.append(len(count))
    assert steps[0] < steps[1]
