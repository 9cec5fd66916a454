"""Which images a trained model has not learned from."""

from collections.abc import Mapping
from functools import reduce
from typing import Any

import numpy as np

from digitscope.arrays import Array
from digitscope.datasets import DataSet
from digitscope.recipes import RECIPES


def held_out(about: Mapping[str, Any], data: DataSet) -> Array | None:
    """Which of the data's training images validated the model, drawn again from the seed in its file. None where the
    file does not say, or where it learned from other data.

    For an ensemble they are those that validated all of its members. about: what the model says of itself
    """
    members = about.get("members")
    if isinstance(members, list) and members:
        parts = [held_out(member, data) if isinstance(member, dict) else None for member in members]
        shared = reduce(np.intersect1d, [np.empty(0, np.int64) if part is None else part for part in parts])
        return shared if len(shared) else None
    recipe, seed = RECIPES.get(str(about.get("recipe"))), about.get("seed")
    if recipe is None or not isinstance(seed, int) or seed < 0 or about.get("data_digest") != data.digest:
        return None
    _, validation = recipe.divide(len(data.x_train), seed)
    return validation if len(validation) == about.get("validation_images") else None
