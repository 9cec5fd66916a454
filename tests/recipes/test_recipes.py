import importlib
from collections import Counter

import numpy as np
import pytest

from digitscope.datasets import DataSet
from digitscope.errors import TrainingError
from digitscope.recipes import RECIPES
from digitscope.recipes.recipe import Split, hold_out_end, hold_out_nothing, random_subset
from digitscope.recipes.records import load_records

MANY = np.arange(60_000) * 7 % 10  # labels


@pytest.mark.parametrize("name", RECIPES)
def test_a_seed_decides_everything(few: DataSet, name: str) -> None:
    one, same, other = (RECIPES[name].start(few, seed) for seed in (1, 1, 2))
    for name, p in one.run.network.params.items():
        np.testing.assert_array_equal(p, same.run.network.params[name])
    assert any(not np.array_equal(p, other.run.network.params[name]) for name, p in one.run.network.params.items())
    np.testing.assert_array_equal(one.images, same.images)


def test_the_end_is_held_out_as_one_block() -> None:
    train, validation = hold_out_end(1 / 6)(MANY, np.random.default_rng(0))
    assert train.tolist() == list(range(50_000))
    assert validation.tolist() == list(range(50_000, 60_000))


def test_images_grouped_by_class_validate_on_each_class() -> None:
    labels = np.repeat([3, 1, 2], [40, 4, 36])
    train, validation = hold_out_end(1 / 10)(labels, np.random.default_rng(0))
    assert validation.tolist() == [9, 19, 29, 39, 49, 59, 69, 79]
    assert sorted([*train, *validation]) == list(range(80))
    mixed = np.random.default_rng(0).permutation(labels)
    assert hold_out_end(1 / 10)(mixed, np.random.default_rng(0))[1].tolist() == list(range(72, 80))


def test_nothing_may_be_held_out() -> None:
    train, validation = hold_out_nothing(MANY[:7], np.random.default_rng(0))
    assert (train.tolist(), validation.tolist()) == (list(range(7)), [])


def test_a_draw_is_of_kaggles_size_and_has_no_image_twice() -> None:
    train, validation = random_subset(42_000, validation=1_000)(MANY, np.random.default_rng(0))
    assert (len(train), len(validation)) == (41_000, 1_000)
    assert Counter([*train.tolist(), *validation.tolist()]).most_common(1)[0][1] == 1
    train, validation = random_subset(42_000, validation=1_000)(MANY[:420], np.random.default_rng(0))
    assert (len(train), len(validation)) == (410, 10)


@pytest.mark.parametrize("split", [hold_out_end(1 / 12), random_subset(42_000, validation=1_000)])
def test_one_image_is_too_few(split: Split) -> None:
    with pytest.raises(TrainingError, match="at least 2 images, one of them to validate on; got 1"):
        split(MANY[:1], np.random.default_rng(0))
    assert [len(part) for part in split(MANY[:2], np.random.default_rng(0))] == [1, 1]


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
    docstring = importlib.import_module(f"digitscope.recipes.{name.replace('-', '_')}").__doc__
    assert docstring is not None
    assert record.claim in " ".join(docstring.split())
