from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from digitscope.arrays import Array
from digitscope.datasets import DataSet
from digitscope.errors import DataError, DigitscopeError, ModelError, ShapeError, TrainingError
from digitscope.jobs import teach as teaching
from digitscope.jobs.teach import Lesson, between, teach
from digitscope.model import Model
from digitscope.nn import BatchNorm, Dense, Network, ReLU, SoftmaxCrossEntropy, to_batch
from digitscope.recipes import RECIPES
from digitscope.recipes.held_out import held_out
from digitscope.synthetic.non_digits import VARIANTS, DigitSource
from digitscope.training import Plan, Run, train
from digitscope.training_info import TrainingInfo


def drawn(name: str, count: int, data: DataSet) -> Array:
    """DigitSource as few people write them, made from images that nothing here learns from."""
    digits = DigitSource(data.x_train[-5000:], data.y_train[-5000:])
    rng = np.random.default_rng(0)
    return np.stack([VARIANTS[name].draw(rng, digits) for _ in range(count)])


def small(data: DataSet, seed: int = 0) -> Model:
    """A network with batch normalization that has learned the data a little."""
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


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred images judge here, of which any may be lost."""
    monkeypatch.setattr(teaching, "LIMIT", 1.0)
    monkeypatch.setattr(teaching, "REHEARSED", 2000)


def test_three_examples_are_enough_for_others_like_them(mnist: DataSet) -> None:
    model = Model.load("convnet")
    before = {name: value.copy() for name, value in model.network.params.items()}
    ones = drawn("1 upstroke", 203, mnist)
    hard = np.argsort(model.predict_proba(ones)[:, 1], kind="stable")[:3]
    others = np.delete(ones, hard, axis=0)
    steps: list[Any] = []
    lesson = teach(model, ones[hard], np.array([1, 1, 1]), mnist, threads=2, watch=steps.append)
    assert lesson.problem is None
    assert lesson.learned.all()
    assert (lesson.model.predict(others) == 1).mean() > 0.85
    assert (lesson.judged, lesson.unseen) == (5000, True)
    judged = mnist.x_train[-5000:], mnist.y_train[-5000:]
    assert lesson.right_before == (model.predict(judged[0], threads=2) == judged[1]).sum()
    assert lesson.right_after == (lesson.model.predict(judged[0], threads=2) == judged[1]).sum()
    assert lesson.right_before - lesson.right_after <= 5
    assert steps[-1].step == steps[-1].steps
    for name, value in model.network.params.items():
        np.testing.assert_array_equal(value, before[name])
    # What it says of itself: the figures are those of the new model, or gone.
    info = lesson.model.info
    assert info.test_accuracy is None
    assert info.validation_accuracy == lesson.accuracy_after
    assert (info.recipe, info.data_digest) == ("convnet", mnist.digest)
    (record,) = info.taught
    assert (record.examples, record.labels) == (3, {"1": 3})
    chosen = held_out(info, mnist)
    assert chosen is not None
    np.testing.assert_array_equal(chosen, np.arange(55_000, 60_000))


@pytest.mark.usefixtures("quick")
def test_the_same_lesson_gives_the_same_bytes_on_any_number_of_threads(
    model: Model, few: DataSet, examples: Array, tmp_path: Path
) -> None:
    contents = []
    for name, threads, seed in (("a", 1, 0), ("b", 2, 0), ("c", 1, 1)):
        lesson = teach(model, examples, np.zeros(3, int), few, threads=threads, seed=seed)
        lesson.save(tmp_path / name)
        contents.append((tmp_path / name).read_bytes())
    assert contents[0] == contents[1] != contents[2]


@pytest.mark.usefixtures("quick")
def test_a_taught_model_can_be_taught_again(model: Model, few: DataSet, examples: Array) -> None:
    assert few.x_test is not None
    first = teach(model, examples, np.zeros(3, int), few)
    second = teach(first.model, few.x_test[few.y_test == 1][:2], np.array([1, 1]), few)
    assert first.problem is second.problem is None
    assert [lesson.labels for lesson in second.model.info.taught] == [{"0": 3}, {"1": 2}]
    assert second.accuracy_before == first.accuracy_after


@pytest.mark.usefixtures("quick")
def test_every_member_of_a_ensemble_learns(few: DataSet, examples: Array) -> None:
    ensemble = Model.ensemble([small(few, seed=1), small(few, seed=2)])
    lesson = teach(ensemble, examples, np.zeros(3, int), few)
    assert lesson.learned.all()
    old, new = ensemble.network.params, lesson.model.network.params
    assert old.keys() == new.keys()
    for name, value in new.items():
        assert not np.array_equal(value, old[name]), name
    for name, value in lesson.model.network.statistics.items():
        assert not np.array_equal(value, ensemble.network.statistics[name]), name


@pytest.mark.usefixtures("quick")
def test_nothing_of_what_judges_is_rehearsed(
    model: Model, few: DataSet, examples: Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Array] = []

    def watch(run: Run, images: Array, labels: Array, **options: Any) -> Any:
        seen.append(images)
        return train(run, images, labels, **options)

    monkeypatch.setattr(teaching, "train", watch)
    lesson = teach(model, examples, np.zeros(3, int), few)
    assert (lesson.judged, lesson.unseen, lesson.rehearsed) == (100, False, 1100)
    images = {image.tobytes() for image in seen[0]}
    assert images == {image.tobytes() for image in [*few.x_train[:1100], *examples]}
    assert lesson.model.info.validation_accuracy is None


@pytest.mark.usefixtures("quick")
def test_statistics_are_measured_with_the_weights_that_are_kept(
    model: Model, few: DataSet, examples: Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(teaching, "PLACES", (0.0,))  # all the way back to the old weights, whose statistics are known
    network = teach(model, examples, np.zeros(3, int), few).model.network
    first, norm, *_ = network.layers
    np.testing.assert_array_equal(first.params["weight"], model.network.params["0.weight"])
    outputs = first.forward(to_batch(few.x_train[:1100]))[0]
    np.testing.assert_allclose(norm.statistics["mean"], outputs.mean(axis=1), atol=1e-3)


class TestSave:
    def lesson(self, model: Model, right_after: int, after: int = 3) -> Lesson:
        answers = np.eye(10)[[3, after]]
        return Lesson(model, np.array([3, 3]), answers, answers, 50, 5000, True, 4990, right_after)

    def test_up_to_a_tenth_of_a_point_may_be_lost(self, model: Model, tmp_path: Path) -> None:
        self.lesson(model, 4985).save(tmp_path / "m")
        assert (tmp_path / "m").exists()
        with pytest.raises(TrainingError, match=r"99\.68% of 5,000 images right instead of 99\.80%, more than 0\.1"):
            self.lesson(model, 4984).save(tmp_path / "n")
        assert not (tmp_path / "n").exists()

    def test_what_was_not_learned_is_not_written(self, model: Model, tmp_path: Path) -> None:
        with pytest.raises(TrainingError, match="1 of 2 examples are still not read as labelled"):
            self.lesson(model, 4990, after=5).save(tmp_path / "m")
        assert not (tmp_path / "m").exists()

    def test_no_file_is_overwritten(self, model: Model, tmp_path: Path) -> None:
        (tmp_path / "m").write_bytes(b"mine")
        with pytest.raises(ModelError, match="exists already"):
            self.lesson(model, 4990).save(tmp_path / "m")
        assert (tmp_path / "m").read_bytes() == b"mine"


@pytest.mark.usefixtures("quick")
def test_what_contradicts_all_that_is_rehearsed_is_not_learned(few: DataSet, model: Model) -> None:
    zeros = few.x_train[few.y_train == 0]
    lesson = teach(model, zeros[:2], np.array([1, 2]), few)
    assert lesson.learned.all() or lesson.problem is not None
    same = np.stack([zeros[0], zeros[0]])
    same[1, 0, 0] = 1  # alike but for a trace of ink, so that no network tells them apart
    lesson = teach(model, same, np.array([0, 2]), few)
    assert lesson.problem is not None
    assert "1 of 2 examples" in lesson.problem


@pytest.mark.parametrize(
    ("labels", "changes", "error", "message"),
    [
        ([1, 2], {}, ShapeError, r"one label an image; got 3 images, int64 \(2,\)"),
        ([1, 2, 10], {}, DataError, "knows the classes 0 to 9; The examples have labels 1 to 10"),
        ([1, 2, -1], {}, DataError, "labels -1 to 2"),
        ([1.0, 2.0, 3.0], {}, ShapeError, "float64"),
        ([1, 1, 1], {"data": "mnist", "data_digest": "0"}, DataError, "learned from mnist, not from this few"),
    ],
)
def test_what_does_not_fit_is_refused(
    model: Model, few: DataSet, labels: list[int], changes: dict[str, Any], error: type[DigitscopeError], message: str
) -> None:
    with pytest.raises(error, match=message):
        teach(replace(model, info=replace(model.info, **changes)), few.x_train[:3], np.array(labels), few)


def test_one_image_with_two_labels_is_refused(model: Model, few: DataSet) -> None:
    images = few.x_train[[0, 1, 0]]
    with pytest.raises(DataError, match="Examples 1 and 3 are one image, labelled 5 and 3"):
        teach(model, images, np.array([5, 0, 3]), few)


def test_images_of_another_size_are_refused(model: Model, few: DataSet) -> None:
    with pytest.raises(ModelError, match="reads images of 28x28 pixels; few has others"):
        teach(model, few.x_train[:1], np.array([5]), DataSet("few", few.x_train[:, 2:-2, 2:-2], few.y_train))
    with pytest.raises(ShapeError, match=r"got \(1, 26, 28\)"):
        teach(model, few.x_train[:1, 2:], np.array([5]), few)


def test_between_two_networks() -> None:
    rng = np.random.default_rng(0)
    old, new = (Network(Dense(3, 2, rng=rng)) for _ in range(2))
    middle = between(old, new, 0.25).params
    for name in middle:
        np.testing.assert_allclose(middle[name], 0.75 * old.params[name] + 0.25 * new.params[name], rtol=1e-6)


def test_the_plan_varies_images_as_the_recipe_does(model: Model) -> None:
    def plan(recipe: str | None) -> Plan:
        return teaching._plan(replace(model, info=TrainingInfo(recipe=recipe)), passes=1)

    assert plan("convnet").augment == RECIPES["convnet"].plan.augment
    assert plan("convnet").loss == RECIPES["convnet"].plan.loss
    assert plan("mlp").augment == plan(None).augment == teaching.VARIATION
    assert plan("sigmoid").loss == plan(None).loss == SoftmaxCrossEntropy()  # it was trained on another loss


def test_what_the_recipe_learns_besides_is_rehearsed_in_its_share(
    model: Model, few: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    def besides(images: Array, labels: Array, rng: np.random.Generator) -> tuple[Array, Array]:
        count = round(0.4 * len(images))
        return 255 - images[:count], np.full(count, 10)

    monkeypatch.setitem(RECIPES, "other", replace(RECIPES["mlp"], extra_examples=besides))
    monkeypatch.setattr(teaching, "REHEARSED", 1000)
    rng = np.random.default_rng(0)
    other = TrainingInfo(recipe="other")
    for info in (other, TrainingInfo(recipe="ensemble", members=(other,))):
        known = replace(model, info=info)
        images, labels = teaching._rehearsal(known, few.x_train, few.y_train, rng)
        np.testing.assert_array_equal(images[:500], few.x_train[:500])
        np.testing.assert_array_equal(images[500:], np.repeat(255 - few.x_train[:20], 10, axis=0))
        assert labels.tolist() == [*few.y_train[:500], *[10] * 200]
    images, labels = teaching._rehearsal(model, few.x_train, few.y_train, rng)
    np.testing.assert_array_equal(images, few.x_train[:1000])
    np.testing.assert_array_equal(labels, few.y_train[:1000])


class TestHeldOut:
    def info(self, few: DataSet, recipe: str, seed: int) -> TrainingInfo:
        images, _ = RECIPES[recipe].start(few, seed).validation
        return TrainingInfo(recipe=recipe, seed=seed, data_digest=few.digest, validation_images=len(images))

    @pytest.mark.parametrize("recipe", ["mlp", "seed"])
    def test_of_one_model(self, few: DataSet, recipe: str) -> None:
        chosen = held_out(self.info(few, recipe, 3), few)
        assert chosen is not None
        np.testing.assert_array_equal(few.x_train[chosen], RECIPES[recipe].start(few, 3).validation[0])

    def test_of_a_ensemble_it_is_what_none_of_the_members_learned_from(self, few: DataSet) -> None:
        one, two = self.info(few, "mlp", 1), self.info(few, "deep", 2)
        chosen = held_out(TrainingInfo(members=(one, two)), few)
        assert chosen is not None
        assert two.validation_images is not None
        np.testing.assert_array_equal(chosen, np.arange(1200 - two.validation_images, 1200))
        assert held_out(TrainingInfo(members=(one, TrainingInfo(recipe="mlp"))), few) is None

    def test_of_the_best_shipped_model(self, mnist: DataSet) -> None:
        chosen = held_out(Model.load("best").info, mnist)
        assert chosen is not None
        np.testing.assert_array_equal(chosen, np.arange(58_000, 60_000))
