"""`DigitClassifier`: the ladder's networks for images of digits."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data

from digitscope.arrays import Array, without_channel_axis
from digitscope.datasets import DataSet
from digitscope.errors import ArgumentError
from digitscope.model import Model
from digitscope.recipes import RECIPES, Recipe
from digitscope.recipes.recipe import hold_out_nothing
from digitscope.sklearn.dense_classifier import BATCH_SIZE, DenseClassifier
from digitscope.sklearn.network_classifier import Beginning, NetworkClassifier
from digitscope.sklearn.preparation import PixelScaling, RowPreparation
from digitscope.training import Augmentation, Plan
from digitscope.training.settings import by_name
from digitscope.training_info import TrainingInfo

LEAST_SIDE = 8
"""Pixels: digits in smaller images are hardly legible. Rows that are shorter than such an image are not images."""
MOST_ENLARGEMENT = 4
STEPS = 500
"""Minimum number of steps of a training with the default number of epochs: few images are seen more often."""
PARTIAL_SHARE = 0.25
"""The constant learning rate of `partial_fit`, as a share of the highest rate of the recipe's schedule."""


class DigitClassifier(NetworkClassifier):
    """A network that reads images of digits, by any recipe of Digitscope; images of other things as well.

    Images are rows (N, H W), such as the 784 pixels of MNIST or the 64 of `sklearn.datasets.load_digits`, or arrays
    (N, H, W). Pixels are from 0 (paper) to 255 (ink), 0 to 1 or 0 to 16, as integers or floats; `fit` finds out which,
    and any other range is scaled linearly. Images that are too small for the recipe's convolutions are enlarged by a
    whole factor. All images are trained on; recipes of the command line hold out a twelfth instead.

    Rows of fewer than 64 numbers are not images. They are learned by a `DenseClassifier` with its default network.

    Parameters
    ----------
    recipe: the name of a recipe, as listed by `digitscope recipes`.
    epochs: passes over the images. None: the recipe's own, or as many as make 500 steps if there are few images.
    learning_rate: the highest of the recipe's schedule. None: the recipe's own.
    batch_size: images per step. None: the recipe's own.
    augment: "standard", "none", amounts such as "rotation=10,shift=1", or a function (images, rng) -> network input.
        None: the recipe's own.
    random_state: a number, a RandomState, or None for another result each time.
    n_threads: None: all processors for a fit that takes more than a second, one in a parallel job of joblib. The result
        does not depend on it.
    verbose: 1 prints a line for each epoch.
    early_stopping: holds out a share of each class, stops when the accuracy on it has not risen by more than `tol` for
        `n_iter_no_change` epochs, and keeps the network of the best epoch.
    validation_fraction, n_iter_no_change, tol: see early_stopping.

    Attributes
    ----------
    classes_, n_features_in_, feature_names_in_ (if X has names), n_iter_ (epochs done), loss_curve_ (mean loss of each
    epoch), validation_scores_ (accuracies, with early_stopping), network_ (`digitscope.Network`), model_
    (`digitscope.Model`, to save or to use elsewhere).
    """

    def __init__(
        self,
        recipe: str = "convnet",
        *,
        epochs: int | None = None,
        learning_rate: float | None = None,
        batch_size: int | None = None,
        augment: Augmentation | str | None = None,
        random_state: Any = None,
        n_threads: int | None = None,
        verbose: int = 0,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        tol: float = 1e-4,
    ) -> None:
        self.recipe = recipe
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.augment = augment
        self.random_state = random_state
        self.n_threads = n_threads
        self.verbose = verbose
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    def _rows(self, X: ArrayLike, y: Any = "no_validation", *, reset: bool) -> Any:
        """Images as rows (N, H W), of numbers of any type, with y if it is given."""
        shape = None
        images: Any = np.asarray(X) if isinstance(X, list | tuple) else X
        if isinstance(images, np.ndarray):
            images = without_channel_axis(images)
        sides = getattr(images, "shape", ())
        if not reset and len(sides) == 2 and min(sides) > 1 and math.prod(sides) == self.n_features_in_:
            raise ValueError(f"Images are expected as (N, H, W); got one image, {sides}. Give images[None].")
        if getattr(images, "ndim", 2) == 3:
            shape = images.shape[1:]
            if 0 in shape:
                raise ValueError(f"Images are expected to have at least 1 pixel; got {images.shape}.")
            images = np.asarray(images).reshape(len(images), math.prod(shape))
        result = validate_data(self, images, y, reset=reset)
        if reset:
            self._image_shape = shape
        known = self._image_shape
        if known is not None and shape not in (None, known):
            raise ValueError(f"Images are expected as (N, {known[0]}, {known[1]}); got {np.shape(X)}.")
        return result

    def _begin(self, rows: Array, labels: Array, weights: Array | None, seed: int) -> Beginning:
        by_name("recipe", RECIPES, self.recipe)
        pixels = rows.shape[1]
        if self._image_shape is None and pixels < LEAST_SIDE**2:
            return self._as_dense_classifier()._begin(
                rows.astype(np.result_type(rows, np.float32)), labels, weights, seed
            )
        recipe = replace(self._recipe_with_settings(), split=hold_out_nothing)
        if self.epochs is None:
            epochs = max(recipe.plan.epochs, -(-STEPS // recipe.plan.batches(len(rows))))
            recipe = replace(recipe, plan=replace(recipe.plan, epochs=epochs))
        shape = self._image_shape or _square(pixels)
        classes = max(len(self.classes_), 2)  # as of any data set
        scaling = replace(PixelScaling.fit(rows, shape), enlargement=_enlargement(recipe, shape, classes))
        data = DataSet("images", scaling.images(rows), labels, class_names=tuple(map(str, range(classes))))
        training = recipe.start(data, seed)
        extra = len(training.images) - len(rows)
        return Beginning(
            network=training.run.network,
            plan=training.run.plan,
            preparation=scaling,
            rng=np.random.default_rng(seed).spawn(5)[4],  # `start` draws from the first four
            batch_size=training.run.plan.batch_size,
            extra_images=training.images[-extra:] if extra else None,
            extra_labels=training.labels[-extra:] if extra else None,
        )

    def _recipe_with_settings(self) -> Recipe:
        return by_name("recipe", RECIPES, self.recipe).with_settings(
            epochs=self.epochs, learning_rate=self.learning_rate, batch_size=self.batch_size, augment=self.augment
        )

    def _settings(self, preparation: RowPreparation) -> tuple[Plan, int | None]:
        if not isinstance(preparation, PixelScaling):
            return self._as_dense_classifier()._settings(preparation)
        plan = self._recipe_with_settings().plan
        return plan, plan.batch_size

    def _as_dense_classifier(self) -> DenseClassifier:
        dense = DenseClassifier(
            epochs=self.epochs,
            learning_rate=self.learning_rate,
            batch_size=BATCH_SIZE if self.batch_size is None else self.batch_size,
            early_stopping=self.early_stopping,
        )
        dense.classes_ = self.classes_
        return dense

    @property
    def _partial_rate(self) -> float:
        rate = self._plan.schedule.learning_rate
        return rate if self.learning_rate is not None else PARTIAL_SHARE * rate

    @property
    def model_(self) -> Model:
        """The network as a `digitscope.Model`, which reads uint8 images of the network's input size and can be saved.

        Its classes are the indices of `classes_`.
        Raises: ArgumentError if it did not learn from images.
        """
        check_is_fitted(self)
        scaling: RowPreparation = self._preparation
        if not isinstance(scaling, PixelScaling):
            raise ArgumentError(
                "A model reads images; the classifier was fitted to rows that are too short to be images."
            )
        info = TrainingInfo(
            recipe=self.recipe,
            epochs=self.n_iter_,
            learning_rate=self._plan.schedule.learning_rate,
            batch_size=self._plan.batch_size,
        )
        return Model(self._predicting_network(), self._plan.loss, scaling.input_shape, info)


def _square(pixels: int) -> tuple[int, int]:
    """The shape of a square image with so many pixels. Raises: ArgumentError if there is none."""
    side = math.isqrt(pixels)
    if side * side == pixels:
        return side, side
    raise ArgumentError(
        f"Rows are expected to be square images, such as 784 pixels; got {pixels} numbers. Leave out columns "
        "that are not pixels, give images as (N, H, W), or use DenseClassifier for other tables."
    )


def _enlargement(recipe: Recipe, shape: tuple[int, int], classes: int) -> int:
    """The smallest factor by which images of this shape fit the recipe; 1 if none does, of which `start` complains."""
    height, width = shape
    factors = range(1, MOST_ENLARGEMENT + 1)
    return next((k for k in factors if recipe.fits((k * height, k * width), classes)), 1)
