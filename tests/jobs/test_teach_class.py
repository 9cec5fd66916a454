from dataclasses import replace

import numpy as np
import pytest

from digitscope.datasets import DataSet
from digitscope.errors import DataError
from digitscope.jobs.teach import TeachSettings
from digitscope.jobs.teach_class import CLASS_SETTINGS, NOT_A_DIGIT, split_writers, teach_class
from digitscope.model import Model
from digitscope.nn import Dense, Network, ReLU, SoftmaxCrossEntropy
from digitscope.recipes import RECIPES
from digitscope.synthetic.non_digits import VARIANTS, DigitSource, non_digits
from digitscope.training import Run, train
from digitscope.training_info import TrainingInfo

QUICK = TeachSettings(learned_share=0.8, accepted_loss=1.0, rehearsed_images=1000, rounds=1)


@pytest.fixture(scope="module")
def model(few: DataSet) -> Model:
    rng = np.random.default_rng(0)
    network = Network(Dense(784, 32, rng=rng), ReLU(), Dense(32, 10, rng=rng))
    run = Run.start(network, replace(RECIPES["mlp"].plan, epochs=3, shard_size=32), len(few.x_train), rng)
    for _ in train(run, few.x_train, few.y_train):
        pass
    return Model(run.outcome(few.x_train), SoftmaxCrossEntropy(), (28, 28), TrainingInfo(data_digest=few.digest))


def test_writers_who_were_held_out_are_read_better(mnist: DataSet) -> None:
    """A class of eight who write a 1 with a long upstroke."""
    digits = DigitSource(mnist.x_train[-5000:], mnist.y_train[-5000:])
    rng = np.random.default_rng(0)
    images = np.stack([VARIANTS["1 upstroke"].draw(rng, digits) for _ in range(64)])
    settings = replace(CLASS_SETTINGS, rehearsed_images=1500, rounds=2)
    writers = [i // 8 for i in range(64)]
    lesson = teach_class(Model.load("convnet"), images, np.ones(64, int), writers, mnist, settings=settings)
    assert (lesson.writers_learned, lesson.writers_held_out, len(lesson.labels)) == (6, 2, 16)
    assert lesson.correct_before < 12
    assert lesson.correct_after > lesson.correct_before + 3


def test_no_drawing_of_a_held_out_writer_is_learned(model: Model, few: DataSet) -> None:
    images, labels, writers = few.x_train[:80], few.y_train[:80], [f"{i % 8}" for i in range(80)]
    lesson = teach_class(model, images, labels, writers, few, settings=QUICK)
    assert {writers[i] for i in lesson.learned}.isdisjoint({writers[i] for i in lesson.held_out})
    assert sorted([*lesson.learned, *lesson.held_out]) == list(range(80))
    np.testing.assert_array_equal(lesson.result.labels, labels[lesson.learned])
    np.testing.assert_array_equal(lesson.labels, labels[lesson.held_out])
    np.testing.assert_array_equal(lesson.before, model.predict(images[lesson.held_out]))
    np.testing.assert_array_equal(lesson.after, lesson.result.model.predict(images[lesson.held_out]))
    assert lesson.correct_before == (model.predict(images[lesson.held_out]) == labels[lesson.held_out]).sum()


@pytest.mark.parametrize(
    ("writers", "share", "held_out"), [(2, 0.25, 1), (3, 0.0, 1), (4, 0.25, 1), (30, 0.25, 8), (3, 0.9, 2)]
)
def test_whole_writers_are_held_out(writers: int, share: float, held_out: int) -> None:
    names = [i % writers for i in range(5 * writers)]
    learned, other = split_writers(names, share)
    assert len({names[i] for i in other}) == held_out
    assert len({names[i] for i in learned}) == writers - held_out
    assert sorted([*learned, *other]) == list(range(5 * writers))


def test_the_seed_decides_who_is_held_out() -> None:
    names = [f"{i % 20}" for i in range(60)]
    choices = [split_writers(names, seed=seed)[1].tolist() for seed in (0, 0, 1)]
    assert choices[0] == choices[1] != choices[2]


def test_what_a_model_rejects_is_not_read_as_meant(mnist: DataSet) -> None:
    """A scribble that stands for a 1, in which the network sees no digit."""
    scribbles = non_digits(16, np.random.default_rng(0), mnist.x_train[:100], mnist.y_train[:100])
    model = Model.load("convnet")
    rejected = np.array([not answer.is_digit for answer in model.answers(scribbles)])
    labels = model.predict(scribbles)
    settings = replace(QUICK, learned_share=0.0, rehearsed_images=200)
    lesson = teach_class(model, scribbles, labels, [i // 2 for i in range(16)], mnist, settings=settings)
    np.testing.assert_array_equal(lesson.before == NOT_A_DIGIT, rejected[lesson.held_out])
    assert lesson.correct_before == (~rejected[lesson.held_out]).sum() < len(lesson.held_out)


def test_equal_drawings_with_different_labels_are_left_out(model: Model, few: DataSet) -> None:
    images, labels, writers = few.x_train[:40], few.y_train[:40], [i % 8 for i in range(40)]
    learned = split_writers(writers)[0]
    a, b, c, d = learned[:4]
    images = images.copy()
    images[b], images[d] = images[a], images[c]
    labels = labels.copy()
    labels[a], labels[b] = 1, 2
    labels[d] = labels[c]
    lesson = teach_class(model, images, labels, writers, few, settings=replace(QUICK, learned_share=0.0))
    assert set(learned) - set(lesson.learned) == {a, b}


@pytest.mark.parametrize(
    ("count", "writers", "message"),
    [
        (8, ["a"] * 8, "At least 2 writers are expected, one to learn from and one to be held out; got 1."),
        (5, ["a", "b"] * 2 + ["a"], "At least 5 drawings to learn from are expected"),
        (6, ["a", "b"], "A writer is expected for each of 6 drawings; got 2."),
    ],
)
def test_too_little_to_learn_from_is_explained(
    model: Model, few: DataSet, count: int, writers: list[str], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        teach_class(model, few.x_train[:count], few.y_train[:count], writers, few, settings=QUICK)
