"""Finds the training images that were held out for a model's validation."""

from functools import reduce

import numpy as np

from digitscope.arrays import Array
from digitscope.datasets import DataSet
from digitscope.recipes import RECIPES
from digitscope.training_info import TrainingInfo


def held_out(info: TrainingInfo, data: DataSet) -> Array | None:
    """The indices of the training images that were held out for the model's validation, drawn again from its seed.

    None if the model's info does not determine them, or if the model was trained on other data. For an ensemble they
    are the images that were held out for all of its members.
    """
    if info.members:
        parts = [held_out(member, data) for member in info.members]
        shared = reduce(np.intersect1d, [np.empty(0, np.int64) if part is None else part for part in parts])
        return shared if len(shared) else None
    recipe = RECIPES.get(info.recipe or "")
    if recipe is None or info.seed is None or info.data_digest != data.digest:
        return None
    _, validation = recipe.divide(data, info.seed)
    return validation if len(validation) == info.validation_images else None
