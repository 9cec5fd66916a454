import sys
from collections import Counter
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest

from digitscope.datasets import DataSet
from digitscope.errors import DataError, TrainingError
from digitscope.recipes import RECIPES
from digitscope.recipes.recipe import Split, class_notices, hold_out_end, hold_out_nothing, random_subset
from digitscope.recipes.records import load_records

MANY = np.arange(60_000) * 7 % 10  # labels


@pytest.mark.parametrize("name", RECIPES)
def test_equal_seeds_give_equal_trainings(few: DataSet, name: str) -> None:
    one, same, other = (RECIPES[name].start(few, seed) for seed in (1, 1, 2))
    for name, p in one.run.network.params.items():
        np.testing.assert_array_equal(p, same.run.network.params[name])
    assert any(not np.array_equal(p, other.run.network.params[name]) for name, p in one.run.network.params.items())
    np.testing.assert_array_equal(one.images, same.images)


def of(labels: Any) -> DataSet:
    """Blank images with these labels."""
    return DataSet("mine", np.zeros((len(labels), 1, 1), np.uint8), labels)


def halves(split: Split, data: DataSet) -> tuple[list[int], list[int]]:
    train, validation = split(data, np.random.default_rng(0))
    assert len({*train.tolist(), *validation.tolist()}) == len(train) + len(validation)
    return train.tolist(), validation.tolist()


def test_of_mnist_the_end_is_held_out_as_one_block(mnist: DataSet) -> None:
    train, validation = halves(hold_out_end(1 / 6), mnist)
    assert train == list(range(50_000))
    assert validation == list(range(50_000, 60_000))
    again = DataSet("raw", mnist.x_train.copy(), mnist.y_train.copy())  # computed in another way
    assert halves(hold_out_end(1 / 6), again)[1] == validation
    assert halves(hold_out_end(0.999999), mnist)[0] == [0]


def test_of_other_data_the_last_images_of_each_class_are_held_out() -> None:
    labels = np.repeat([3, 1, 2, 5], [40, 4, 35, 1])
    train, validation = halves(hold_out_end(1 / 10), of(labels))
    assert validation == [36, 37, 38, 39, 43, 75, 76, 77, 78]
    assert sorted(train + validation) == list(range(80))
    mixed = np.random.default_rng(0).permutation(labels)
    _, validation = halves(hold_out_end(1 / 10), of(mixed))
    assert Counter(mixed[validation].tolist()) == {3: 4, 1: 1, 2: 4}
    assert min(validation) > 55


@pytest.mark.parametrize("split", [hold_out_end(0.9), hold_out_end(0.01), random_subset(20, validation=10)])
def test_each_class_with_two_images_is_on_both_sides(split: Split) -> None:
    labels = np.repeat(np.arange(10), [2, 3, 200, 2, 2, 2, 2, 2, 2, 300])
    for part in halves(split, of(labels)):
        assert set(labels[part].tolist()) == set(range(10))


@pytest.mark.parametrize(
    ("labels", "notices"),
    [
        ([0, 1, 2] * 20, []),
        ([0, 2, 7] * 2, ["No training image is of classes 1, 3, 4, 5 and 6: the network has an output for them, but"]),
        ([0, 0, 1], ["No validation image is of class 1: the validation accuracy says nothing about it."]),
        ([0, 0, 99], ["classes 1, 2, 3, 4, 5, 6, 7, 8 and 90 more", "No validation image is of class 99"]),
    ],
)
def test_a_class_that_is_not_on_both_sides_is_named(labels: list[int], notices: list[str]) -> None:
    found = RECIPES["mlp"].start(of(labels), 0).notices
    assert len(found) == len(notices)
    for sentence, words in zip(found, notices, strict=True):
        assert words in sentence


def test_a_stray_label_does_not_build_a_large_network() -> None:
    labels = np.arange(600) % 10
    labels[5] = 4000
    with pytest.raises(DataError, match=r"11 different ones up to 4000\. Correct the stray label"):
        RECIPES["mlp"].start(of(labels), 0)


@pytest.mark.parametrize(
    ("different", "highest", "allowed"), [(2, 999, True), (100, 1000, True), (99, 1000, False), (2, 4000, False)]
)
def test_labels_may_have_small_gaps(different: int, highest: int, allowed: bool) -> None:
    data = of(np.repeat([*range(different - 1), highest], 2))
    with nullcontext() if allowed else pytest.raises(DataError, match=f"{different} different ones up to {highest}"):
        RECIPES["mlp"].start(data, 0)


def test_notices_name_classes_and_ignore_a_validation_of_no_images() -> None:
    data = DataSet("mine", np.zeros((3, 1, 1), np.uint8), np.array([0, 0, 1]), class_names=("cat", "dog", "owl"))
    missing, unknown = class_notices(data, np.array([0, 1]), np.array([0]))
    assert missing.startswith("No training image is of class 2 (owl): the network has an output for it, but never")
    assert unknown.startswith("No validation image is of class 1 (dog): ")
    assert class_notices(data, np.array([0, 1]), np.array([], np.int64)) == (missing,)


@pytest.mark.parametrize("share", [0, 1, -0.1, float("nan")])
def test_a_share_of_none_or_all_is_refused(share: float) -> None:
    with pytest.raises(TrainingError, match=f"expected between 0 and 1; got {share}"):
        hold_out_end(share)


def test_nothing_may_be_held_out() -> None:
    train, validation = hold_out_nothing(of(MANY[:7]), np.random.default_rng(0))
    assert (train.tolist(), validation.tolist()) == (list(range(7)), [])


def test_a_draw_has_kaggles_size_and_no_image_twice(mnist: DataSet) -> None:
    split = random_subset(42_000, validation=1_000)
    drawn = np.random.default_rng(0).permutation(60_000)
    assert halves(split, mnist) == (drawn[1_000:42_000].tolist(), drawn[:1_000].tolist())
    train, validation = halves(split, of(MANY[:420]))
    assert (len(train), len(validation)) == (410, 10)


@pytest.mark.parametrize("split", [hold_out_end(1 / 12), random_subset(42_000, validation=1_000)])
def test_one_image_is_too_few(split: Split) -> None:
    with pytest.raises(TrainingError, match="at least 2 images of a class, one of them to validate on; got 1 image,"):
        halves(split, of([0]))
    with pytest.raises(TrainingError, match="got 3 images, each of a different class"):
        halves(split, of([0, 1, 2]))
    assert [len(part) for part in halves(split, of([4, 4]))] == [1, 1]


def test_the_seed_is_the_historical_network() -> None:
    recipe = RECIPES["seed"]
    network = recipe.build(np.random.default_rng(0), (28, 28), 10)
    assert {name: p.shape for name, p in network.params.items()} == {
        "0.weight": (10, 784),
        "0.bias": (10, 1),
        "2.weight": (10, 10),
        "2.bias": (10, 1),
    }
    for p in network.params.values():
        assert -0.5 <= p.min() < 0 < p.max() <= 0.5
    assert (recipe.plan.epochs, recipe.plan.batch_size, recipe.plan.schedule(0, 500)) == (500, None, 0.1)


@pytest.mark.parametrize("name", RECIPES)
def test_every_rung_was_measured_and_its_docstring_claims_what_the_record_says(name: str) -> None:
    record = load_records([name])[name]
    assert record.n >= (1 if name == "ensemble" else 5)  # and 1 is labelled so
    assert [run["recipe"] for run in record.runs] == [name] * record.n
    assert len({run["seed"] for run in record.runs}) == record.n
    assert record.title == RECIPES[name].title
    assert record.published == RECIPES[name].published
    docstring = sys.modules[RECIPES[name].build.__module__].__doc__
    assert docstring is not None
    assert record.claim in " ".join(docstring.split())
