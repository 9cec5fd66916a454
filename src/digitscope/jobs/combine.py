"""`digitscope ensemble` without the terminal: a committee of trained models, with its accuracy and calibration."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from digitscope.datasets import DataSet
from digitscope.metrics import accuracy
from digitscope.model import Model
from digitscope.recipes import recipe_of
from digitscope.recipes.held_out import held_out


def combine(models: Sequence[Model], data: DataSet) -> Model:
    """The mean of the models' probabilities. The training images of the data that were held out from all of them give
    its calibration and its validation accuracy; without such images it has neither. If the recipe draws calibration
    images, they are drawn from these.

    Raises: ModelError as `Model.ensemble`.
    """
    combined = Model.ensemble(models)
    indices = held_out(combined.info, data)
    if indices is None:
        return combined
    images, labels = data.x_train[indices], data.y_train[indices]
    measured = accuracy(labels, combined.predict(images))
    info = replace(combined.info, validation_accuracy=measured, validation_images=len(images))
    recipe = recipe_of(combined.info)
    if recipe is not None and recipe.calibration_examples is not None:
        images, labels = recipe.calibration_examples(images, labels, np.random.default_rng(0))
    return replace(combined, info=info).calibrated(images, labels)
