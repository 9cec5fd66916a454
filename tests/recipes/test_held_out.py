"""The images on which a model is evaluated: never, without a warning, its own training images."""

import hashlib
import re
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from digitscope import DataSet, Model, Network, fit
from digitscope.errors import DigitscopeWarning
from digitscope.jobs.robustness import measure
from digitscope.nn import Dense
from digitscope.recipes import RECIPES
from digitscope.recipes.held_out import EvaluationPart, digests, evaluation_part, held_out, sample_hashes
from digitscope.training_info import FineTuning, TrainingInfo

HELD_OUT = 101


@pytest.fixture(scope="module")
def alone(few: DataSet) -> DataSet:
    """Images without a test part, as in a table."""
    return DataSet("alone.csv", few.x_train, few.y_train)


@pytest.fixture(scope="module")
def model(alone: DataSet) -> Model:
    return fit("mlp", alone, epochs=3)


def contents(part: EvaluationPart) -> list[bytes]:
    return [image.tobytes() for image in part.images]


def test_a_test_part_is_evaluated_whole(few: DataSet, model: Model) -> None:
    part = evaluation_part(model.info, few)
    assert (part.name, len(part.images), part.notice) == ("test", 300, None)


def test_on_its_own_data_a_model_is_evaluated_on_its_validation_images(alone: DataSet, model: Model) -> None:
    part = evaluation_part(model.info, alone)
    assert (part.name, len(part.labels)) == ("validation", HELD_OUT)
    assert part.notice is not None
    assert "learned from 1,099 of these 1,200 images of alone.csv: it is evaluated on the 101 others" in part.notice
    with pytest.warns(DigitscopeWarning, match="1,099 of these 1,200"):
        evaluation = model.evaluate(alone)
    assert evaluation.accuracy == pytest.approx(model.info.validation_accuracy)
    with pytest.warns(DigitscopeWarning, match="learned from these images: it reads new images less accurately"):
        training = model.evaluate(alone.x_train, alone.y_train)
    assert training.images == 1200
    assert training.accuracy > evaluation.accuracy
    robustness = measure(replace(model, calibration=None), alone)
    assert (robustness.clean.images, robustness.notice) == (HELD_OUT, part.notice)


def test_a_network_that_fit_trained(alone: DataSet) -> None:
    start = Network(Dense(784, 10, rng=np.random.default_rng(0)))
    model = fit(start, alone, epochs=1)
    assert evaluation_part(model.info, alone).name == "validation"
    for other in (
        fit(start, alone, epochs=1, validation=0.2),
        fit(start, alone, epochs=1, validation=(alone.x_train[:HELD_OUT], alone.y_train[:HELD_OUT])),
        fit(model, alone, epochs=1),  # the network before may have been trained on the images that are held out here
    ):
        part = evaluation_part(other.info, alone)
        assert (part.name, len(part.labels)) == ("all", 1200)
        assert part.notice == "The model learned from these images of alone.csv: it reads new images less accurately."


def drawn(data: DataSet, recipe: str, seed: int) -> TrainingInfo:
    """The info of a model that was trained by the recipe on the data."""
    images, _ = RECIPES[recipe].start(data, seed).validation
    return TrainingInfo(recipe=recipe, seed=seed, data_digest=data.digest, validation_images=len(images))


@pytest.mark.parametrize("recipe", ["mlp", "seed"])
def test_the_held_out_images_of_a_model_are_drawn_again(few: DataSet, recipe: str) -> None:
    info = drawn(few, recipe, 3)
    chosen = held_out(info, few)
    assert chosen is not None
    np.testing.assert_array_equal(few.x_train[chosen], RECIPES[recipe].start(few, 3).validation[0])
    assert held_out(info, DataSet("inverted", 255 - few.x_train, few.y_train)) is None
    assert held_out(replace(info, validation_images=7), few) is None
    assert held_out(replace(info, seed=None), few) is None


def test_the_held_out_images_of_an_ensemble_are_those_of_all_members(few: DataSet) -> None:
    one, two = drawn(few, "mlp", 1), drawn(few, "deep", 2)
    chosen = held_out(TrainingInfo(members=(one, two)), few)
    assert chosen is not None
    np.testing.assert_array_equal(chosen, held_out(two, few))
    assert held_out(TrainingInfo(members=(one, TrainingInfo(recipe="mlp"))), few) is None


@pytest.mark.parametrize(("name", "first"), [("best", 58_000), ("reader", 55_000)])
def test_the_held_out_images_of_the_bundled_models(mnist: DataSet, name: str, first: int) -> None:
    chosen = held_out(Model.load(name).info, mnist)
    assert chosen is not None
    np.testing.assert_array_equal(chosen, np.arange(first, 60_000))


def test_an_ensemble_is_evaluated_on_images_that_no_member_was_trained_on(alone: DataSet, model: Model) -> None:
    other = fit("seed", alone, epochs=1, seed=3)
    parts = [evaluation_part(m.info, alone) for m in (model, other, Model.ensemble([model, other]))]
    shared = set(contents(parts[0])) & set(contents(parts[1]))
    assert set(contents(parts[2])) == shared
    assert parts[2].name == "validation"
    assert 0 < len(shared) < len(parts[1].labels)
    stranger = replace(other, info=replace(other.info, data_digest="00000000"))
    assert contents(evaluation_part(Model.ensemble([model, stranger]).info, alone)) == contents(parts[0])


def test_the_examples_of_a_lesson(alone: DataSet, few: DataSet, model: Model) -> None:
    examples = DataSet("mine", few.x_train[:3], few.y_train[:3])
    lesson = FineTuning(3, {"5": 1}, 0, 100, 0.9, 0.9, examples.digest)
    taught = replace(model.info, taught=(lesson,))
    assert evaluation_part(taught, examples).notice == (
        "The model learned from these images of mine: it reads new images less accurately."
    )
    assert evaluation_part(model.info, examples).notice is None
    assert evaluation_part(taught, alone).name == "validation"
    assert digests(TrainingInfo(members=(taught, TrainingInfo()))) == {alone.digest, examples.digest}
    with_test = replace(examples, x_test=few.x_test, y_test=few.y_test)
    assert evaluation_part(taught, with_test).notice is None


def test_mnists_images_by_another_name(mnist: DataSet) -> None:
    keep = np.random.default_rng(0).permutation(60_000)[:600]  # as Kaggle's train.csv holds them
    shuffled = DataSet("train.csv", mnist.x_train[keep], mnist.y_train[keep])
    part = evaluation_part(Model.load("convnet").info, shuffled)
    assert part.name == "unseen"
    assert contents(part) == [image.tobytes() for image in mnist.x_train[keep[keep >= 55_000]]]
    border = slice(54_990, 55_010)
    as_test = replace(shuffled, x_test=mnist.x_train[border], y_test=mnist.y_train[border])
    part = evaluation_part(Model.load("convnet").info, as_test)
    assert (part.name, contents(part)) == ("unseen", [image.tobytes() for image in mnist.x_train[55_000:55_010]])
    assert evaluation_part(Model.load("convnet").info, mnist).name == "test"


def test_other_data_give_no_warning(alone: DataSet, model: Model, tmp_path: Path) -> None:
    others = DataSet("others", 255 - alone.x_train[:50], alone.y_train[:50])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert model.evaluate(others).images == 50
        assert model.evaluate(others.x_train, others.y_train).images == 50


def test_the_sample_has_the_smallest_hashes(few: DataSet) -> None:
    hashes = [hashlib.blake2b(image, digest_size=8).hexdigest() for image in few.x_train[:100]]
    assert sample_hashes(few.x_train[:100]) == tuple(sorted(hashes)[:64])


@pytest.mark.parametrize(
    ("rows", "found"),
    [(slice(None, None, -1), "64"), (slice(0, 400), r"\d+"), (np.repeat(np.arange(600), 2), r"\d+")],
    ids=["reversed", "a part", "doubled"],
)
def test_images_in_another_order_are_recognized(
    alone: DataSet, model: Model, rows: slice | np.ndarray, found: str
) -> None:
    other = DataSet("other.csv", alone.x_train[rows], alone.y_train[rows])
    part = evaluation_part(model.info, other)
    assert len(part.images) == len(other.x_train)
    assert part.notice is not None
    assert re.match(
        rf"The model learned from some of these images of other\.csv, in another file or order \({found} of the 64 ",
        part.notice,
    )
    assert evaluation_part(TrainingInfo.from_json(model.info.as_json()), other).notice == part.notice
    committee = TrainingInfo(recipe="ensemble", members=(model.info, model.info))
    assert evaluation_part(committee, other).notice == part.notice


def test_a_model_of_mnist_needs_no_sample(mnist: DataSet, model: Model) -> None:
    assert len(model.info.data_sample) == 64
    for name in ("convnet", "reader", "best"):
        assert "data_sample" not in Model.load(name).info.as_json()
