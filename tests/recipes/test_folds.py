"""Folds hold each image once, and each class evenly."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from digitscope.datasets import DataSet
from digitscope.errors import TrainingError
from digitscope.recipes.recipe import hold_out_fold


def data(labels: list[int]) -> DataSet:
    return DataSet("labels", np.zeros((len(labels), 8, 8), np.uint8), np.array(labels))


@given(st.lists(st.integers(0, 3), min_size=8, max_size=60), st.integers(2, 6))
def test_each_image_is_held_out_once_and_each_class_evenly(labels: list[int], folds: int) -> None:
    counts = np.bincount(labels)
    if counts.max() < folds:
        with pytest.raises(TrainingError, match=f"{folds} folds expect a class with at least {folds} images"):
            hold_out_fold(0, folds)(data(labels), np.random.default_rng(0))
        return
    held_out = []
    for fold in range(folds):
        train, validation = hold_out_fold(fold, folds)(data(labels), np.random.default_rng(fold))
        assert sorted([*train, *validation]) == list(range(len(labels)))
        own = np.bincount(np.array(labels)[validation], minlength=len(counts))
        assert (np.abs(own - counts / folds) < 1).all()
        assert len(validation)
        held_out.extend(validation.tolist())
    assert sorted(held_out) == list(range(len(labels)))


def test_the_folds_of_mnist_are_blocks(mnist: DataSet) -> None:
    for fold in range(5):
        _, validation = hold_out_fold(fold, 5)(mnist, np.random.default_rng(0))
        assert np.array_equal(validation, np.arange(12_000 * fold, 12_000 * (fold + 1)))


@pytest.mark.parametrize(("fold", "folds"), [(0, 1), (0, 2.5), (2, 2), (-1, 2)])
def test_other_folds_are_errors(fold: int, folds: int) -> None:
    with pytest.raises(TrainingError, match=r"fold|folds"):
        hold_out_fold(fold, folds)
