"""A recipe: a network, a plan for its training, and which images it is trained on."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Unpack

import numpy as np

from digitscope.arguments import check_whole
from digitscope.arrays import Array
from digitscope.datasets import DataSet
from digitscope.errors import DataError, ShapeError, TrainingError
from digitscope.nn import Initializer, Network, he, to_batch, zeros
from digitscope.recipes.network_settings import NetworkSettings
from digitscope.training import Plan, Run
from digitscope.training.settings import PlanSettings, settings_text

Split = Callable[[DataSet, np.random.Generator], tuple[Array, Array]]
"""(data, rng) -> (indices of the images to train on, indices of those to validate on)"""

NETWORK = "network"
"""The recipe's name in the info of a model that `fit` trained from a network."""
VALIDATION_SHARE = 1 / 12
"""The fraction of the images that are held out for validation unless a recipe says otherwise."""

Shape = tuple[int, int]
"""Height and width of an image, in pixels."""


class RecipeSettings(PlanSettings, total=False):
    """The settings that `Recipe.with_settings` takes; None keeps the recipe's own."""

    layers: Sequence[int] | None
    activation: str | None
    dropout: float | None


Build = Callable[[np.random.Generator, Shape, int], Network]
"""(rng, (height, width), classes) -> the network before training"""


@dataclass(frozen=True)
class Recipe:
    """One rung of the ladder."""

    name: str
    title: str
    """The network and its training in a few words."""
    published: str
    """The accuracy that others published for a comparable network, and the source."""
    build: Build
    plan: Plan
    split: Split
    extra_examples: Callable[[Array, Array, np.random.Generator], tuple[Array, Array]] | None = None
    """(images, labels, rng) -> additional images and labels for training, made from these; None for none."""
    calibration_examples: Callable[[Array, Array, np.random.Generator], tuple[Array, Array]] | None = None
    """(validation images, labels, rng) -> the images and labels that temperature and thresholds are fitted to, made
    from these; None for the validation images themselves."""
    summary: str = ""
    """The network in at most ten words, for the table in the README."""
    initializers: tuple[Initializer, Initializer] = he, zeros
    """The initializers of weights and biases for dense layers that `with_settings` adds."""

    def start(self, data: DataSet, seed: int) -> "Training":
        """A training with everything random drawn from one seed: the split, the weights, and the order of images.

        Raises: TrainingError if no class has two images, or if the network cannot take images of this size; DataError
            if the labels have large gaps.
        """
        _, network_rng, run_rng, extra_rng, calibration_rng = np.random.default_rng(seed).spawn(5)
        _check_gaps(data.y_train)
        train, validation = self.divide(data, seed)
        images, labels = data.x_train[train], data.y_train[train]
        network = self._network(network_rng, images[:2], data.classes)
        if self.extra_examples is not None:
            extra_images, extra_labels = self.extra_examples(images, labels, extra_rng)
            images, labels = np.concatenate([images, extra_images]), np.concatenate([labels, extra_labels])
        return Training(
            run=Run.start(network, self.plan, len(images), run_rng),
            images=images,
            labels=labels,
            validation=(data.x_train[validation], data.y_train[validation]),
            notices=class_notices(data, data.y_train[train], data.y_train[validation]),
            calibration_examples=self.calibration_examples,
            calibration_rng=calibration_rng,
        )

    def fits(self, shape: Shape, classes: int) -> bool:
        """Whether its network can learn from images of this height and width."""
        try:
            self._try(np.random.default_rng(0), np.zeros((2, *shape), np.uint8), classes)
        except ShapeError:
            return False
        return True

    def _network(self, rng: np.random.Generator, images: Array, classes: int) -> Network:
        """The network before training, after a trial with a few images.

        Raises: TrainingError that names other recipes, if these images do not fit a recipe's network; ShapeError if
            they do not fit a given one.
        """
        from digitscope.recipes import RECIPES

        try:
            return self._try(rng, images, classes)
        except ShapeError as error:
            _, height, width = images.shape
            if self.name == NETWORK:
                columns = " Are there columns that are not pixels?" if height == 1 else ""
                raise ShapeError(
                    f"The network does not fit images of {height}x{width} pixels.{columns} {error}"
                ) from error
            others = [name for name, recipe in RECIPES.items() if recipe.fits((height, width), classes)]
            raise TrainingError(
                f"The recipe {self.name} cannot learn from {classes} classes of {height}x{width} pixels: {error} "
                f"Recipes that can: {', '.join(others)}."
            ) from error

    def _try(self, rng: np.random.Generator, images: Array, classes: int) -> Network:
        """The network before training. A step and a prediction are tried with it, because a layer may not fit the
        images, and that must be known before anything is written.
        """
        network = self.build(rng, (images.shape[1], images.shape[2]), classes)
        run = Run.start(network, self.plan, len(images), np.random.default_rng(0))
        learner, augment = run.learner, self.plan.augment
        inputs = to_batch(images) if augment is None else augment(images, np.random.default_rng(0))
        outputs, backward = learner.forward(inputs, training=True, rng=np.random.default_rng(0))
        _, loss_backward = self.plan.loss.forward(outputs, np.zeros(len(images), np.int64))
        backward(loss_backward(1.0))
        run.outcome(images).forward(to_batch(images))
        return network

    def divide(self, data: DataSet, seed: int) -> tuple[Array, Array]:
        """The indices of the images to train on and of those to validate on, as `start` divides them."""
        return self.split(data, np.random.default_rng(seed).spawn(3)[0])

    def with_settings(
        self,
        *,
        layers: Sequence[int] | None = None,
        activation: str | None = None,
        dropout: float | None = None,
        **plan_settings: Unpack[PlanSettings],
    ) -> "Recipe":
        """The same recipe with these settings, which its title then names; None keeps the recipe's own value.

        layers: the widths of the hidden dense layers, between the convolutions, if there are any, and the output.
        activation: the function of all hidden layers; `training.settings` has its names and those of the plan.
        dropout: the rate before each dense layer that follows learned layers.
        A different loss changes the output layer to match: sigmoids for the squared error, logits for a cross-entropy.

        Raises: TrainingError or DataError for values of another kind or range, and for settings that do not fit
            together or the recipe; for settings that do not fit the network, `start` raises them.
        """
        plan = self.plan.with_settings(**plan_settings)
        if self.extra_examples is not None and not isinstance(plan.loss, type(self.plan.loss)):
            raise TrainingError(
                f"The recipe {self.name} also learns from images that are not digits, which only its own loss takes. "
                "Leave out the loss, or choose the recipe convnet."
            )
        given = {"layers": layers, "activation": activation, "dropout": dropout, **plan_settings}
        if plan.schedule.learning_rate != self.plan.schedule.learning_rate:
            given["learning_rate"] = plan.schedule.learning_rate
        changes = settings_text(given)
        network_settings = NetworkSettings(
            layers=layers,
            activation=activation,
            dropout=dropout,
            loss=None if type(plan.loss) is type(self.plan.loss) else plan.loss,
        )
        return replace(
            self,
            title=f"{self.title} (changed: {changes})" if changes else self.title,
            plan=plan,
            build=self.build if network_settings == NetworkSettings() else self._build_with(network_settings),
        )

    def _build_with(self, settings: NetworkSettings) -> Build:
        weight, bias = self.initializers

        def build(rng: np.random.Generator, shape: Shape, classes: int) -> Network:
            return settings.apply(self.build(rng, shape, classes), weight=weight, bias=bias, rng=rng)

        return build


@dataclass(frozen=True)
class Training:
    """A recipe applied to data: the run, and the images for training and validation."""

    run: Run
    images: Array
    labels: Array
    validation: tuple[Array, Array]
    notices: tuple[str, ...] = ()
    """Warnings about the classes: see `class_notices`."""
    calibration_examples: Callable[[Array, Array, np.random.Generator], tuple[Array, Array]] | None = None
    """As in `Recipe`."""
    calibration_rng: np.random.Generator | None = None

    def calibration(self) -> tuple[Array, Array]:
        """The images and labels that the model's temperature and thresholds are fitted to; the same each time."""
        if self.calibration_examples is None or not len(self.validation[1]):
            return self.validation
        assert self.calibration_rng is not None
        return self.calibration_examples(*self.validation, deepcopy(self.calibration_rng))


def hold_out_end(share: float) -> Split:
    """Holds out the last images for validation.

    Of MNIST these are one block. Neighbours in MNIST share a writer, so a random choice would put the same writers on
    both sides and overestimate the accuracy.

    For other data they are the last images of each class, at least one of each class that has two: the data may be
    sorted by class, and the last classes would never be learned.

    Raises: TrainingError for a share that is not between 0 and 1; the split raises it if no class has two images.
    """
    if not 0 < share < 1:
        raise TrainingError(f"The share of validation images is expected between 0 and 1; got {share}.")

    def split(data: DataSet, rng: np.random.Generator) -> tuple[Array, Array]:
        labels = data.y_train
        if data.is_mnist:
            indices = np.arange(len(labels))
            held_out = min(max(1, round(len(labels) * share)), len(labels) - 1)
            return indices[:-held_out], indices[-held_out:]
        from_end = _rank_in_class(labels[::-1])[::-1]
        validates = from_end < _held_out_counts(labels, share)[labels]
        return np.flatnonzero(~validates), np.flatnonzero(validates)

    return split


def hold_out_nothing(data: DataSet, rng: np.random.Generator) -> tuple[Array, Array]:
    """All images are for training, none for validation."""
    return np.arange(len(data.y_train)), np.arange(0)


def hold_out_fold(fold: int, folds: int) -> Split:
    """Holds out one of `folds` parts of equal size, counted from 0. Together the parts hold each image once.

    The parts are blocks of MNIST, or blocks of each class of other data, for the reasons in `hold_out_end`.

    Raises: TrainingError for fewer than 2 folds, or a fold that is not among them; the split raises it if no class has
        an image for each fold.
    """
    check_whole("folds", folds, 2, error=TrainingError)
    check_whole("fold", fold, 0, error=TrainingError)
    if fold >= folds:
        raise TrainingError(f"The fold is expected from 0 to {folds - 1}; got {fold}.")

    def split(data: DataSet, rng: np.random.Generator) -> tuple[Array, Array]:
        labels = data.y_train
        counts = np.bincount(labels)
        if counts.max() < folds:
            raise TrainingError(
                f"{folds} folds expect a class with at least {folds} images; the largest of {data.name} has "
                f"{counts.max()}. Choose fewer folds, or give more images."
            )
        if data.is_mnist:
            place, count = np.arange(len(labels)), np.full(len(labels), len(labels))
        else:
            place, count = _rank_in_class(labels), counts[labels]
        validates = place * folds // count == fold
        return np.flatnonzero(~validates), np.flatnonzero(validates)

    return split


def random_subset(size: int, validation: int) -> Split:
    """`size` images drawn at random, of which the first `validation` are for validation. If there are fewer images, the
    same fraction of them is.

    For data other than MNIST, two images of each class are drawn first, and the fraction is held out of each class.
    """

    def split(data: DataSet, rng: np.random.Generator) -> tuple[Array, Array]:
        labels = data.y_train
        drawn = rng.permutation(len(labels))
        if data.is_mnist:
            return drawn[validation:size], drawn[:validation]
        drawn = drawn[np.argsort(_rank_in_class(labels[drawn]) >= 2, kind="stable")][:size]
        labels = labels[drawn]
        validates = _rank_in_class(labels) < _held_out_counts(labels, validation / size)[labels]
        return drawn[~validates], drawn[validates]

    return split


def _check_gaps(labels: Array) -> None:
    """Raises: DataError for labels that need many outputs, most of which would belong to no class."""
    different, highest = len(np.unique(labels)), int(labels.max())
    if highest >= 1000 and different < highest / 10:
        raise DataError(
            f"Labels are expected from 0 without large gaps; got {different} different ones up to {highest}. Correct "
            "the stray label, or renumber them: numpy.unique(labels, return_inverse=True)[1]."
        )


def _rank_in_class(labels: Array) -> Array:
    """The number of images of the same class before each image, (N,)."""
    counts = np.bincount(labels)
    order = np.argsort(labels, kind="stable")
    rank = np.empty(len(labels), np.int64)
    rank[order] = np.arange(len(labels)) - np.repeat(np.cumsum(counts) - counts, counts)
    return rank


def _held_out_counts(labels: Array, share: float) -> Array:
    """The number of images of each class that are held out: this share, but at least one and not all. (classes,)

    Raises: TrainingError if no class has two images.
    """
    counts = np.bincount(labels)
    held_out: Array = np.clip(np.rint(share * counts), 1, counts - 1).clip(min=0).astype(np.int64)
    if not held_out.any():
        raise TrainingError(
            f"Training expects at least 2 images of a class, one of them to validate on; got {len(labels)} "
            f"image{'s' * (len(labels) != 1)}, each of a different class. Give more images, or fewer classes."
        )
    return held_out


def class_notices(data: DataSet, trained: Array, validated: Array) -> tuple[str, ...]:
    """Sentences about the classes that are not learned or not validated, given the labels of both sides."""
    counts = np.bincount(trained, minlength=data.classes)
    notices = []
    if len(missing := np.flatnonzero(counts == 0)):
        pronoun = "it" if len(missing) == 1 else "them"
        notices.append(
            f"No training image is of {_named(data, missing)}: the network has an output for {pronoun}, but never "
            f"learns {pronoun}."
        )
    unknown = np.flatnonzero((counts > 0) & (np.bincount(validated, minlength=data.classes) == 0))
    if len(validated) and len(unknown):
        notices.append(
            f"No validation image is of {_named(data, unknown)}: the validation accuracy says nothing about "
            f"{'it' if len(unknown) == 1 else 'them'}."
        )
    return tuple(notices)


def _named(data: DataSet, classes: Array) -> str:
    """class 7; classes 3, 5 and 7; classes 10, 11, 12, 13, 14, 15, 16, 17 and 42 more"""
    shown = classes[:8].tolist()
    names = [f"{k} ({data.class_names[k]})" if data.class_names else str(k) for k in shown]
    if more := len(classes) - len(names):
        names.append(f"{more} more")
    listed = " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
    return f"class{'es' * (len(names) > 1)} {listed}"
