"""A recipe: a network, a plan for its training, and which images it is trained on."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from digitscope.arrays import Array
from digitscope.datasets import DataSet
from digitscope.errors import TrainingError
from digitscope.nn import Network
from digitscope.training import Plan, Run

Split = Callable[[Array, np.random.Generator], tuple[Array, Array]]
"""(labels (N,), rng) -> (indices to train on, indices to validate on)"""

Shape = tuple[int, int]
"""Height and width of an image, in pixels."""


@dataclass(frozen=True)
class Recipe:
    """One rung of the ladder."""

    name: str
    title: str
    """The network and its training in a few words."""
    published: str
    """The accuracy that others published for a comparable network, and the source."""
    build: Callable[[np.random.Generator, Shape, int], Network]
    """(rng, (height, width), classes) -> the network before training"""
    plan: Plan
    split: Split
    extra_examples: Callable[[Array, Array, np.random.Generator], tuple[Array, Array]] | None = None
    """(images, labels, rng) -> additional images and labels for training, made from these; None for none."""
    summary: str = ""
    """The network in at most ten words, for the table in the README."""

    def start(self, data: DataSet, seed: int) -> "Training":
        """A training with everything random drawn from one seed: the split, the weights, and the order of images."""
        _, network_rng, run_rng, extra_rng = np.random.default_rng(seed).spawn(4)
        train, validation = self.divide(data.y_train, seed)
        _, height, width = data.x_train.shape
        network = self.build(network_rng, (height, width), data.classes)
        images, labels = data.x_train[train], data.y_train[train]
        if self.extra_examples is not None:
            extra_images, extra_labels = self.extra_examples(images, labels, extra_rng)
            images, labels = np.concatenate([images, extra_images]), np.concatenate([labels, extra_labels])
        return Training(
            run=Run.start(network, self.plan, len(images), run_rng),
            images=images,
            labels=labels,
            validation=(data.x_train[validation], data.y_train[validation]),
        )

    def divide(self, labels: Array, seed: int) -> tuple[Array, Array]:
        """The indices of the images to train on and of those to validate on, as `start` divides them."""
        return self.split(labels, np.random.default_rng(seed).spawn(3)[0])

    def with_settings(
        self, *, epochs: int | None = None, learning_rate: float | None = None, batch_size: int | None = None
    ) -> "Recipe":
        """The same recipe with these settings replaced; None keeps the recipe's own value."""
        plan = self.plan.with_settings(epochs=epochs, learning_rate=learning_rate, batch_size=batch_size)
        return replace(self, plan=plan)


@dataclass(frozen=True)
class Training:
    """A recipe applied to data: the run, and the images for training and validation."""

    run: Run
    images: Array
    labels: Array
    validation: tuple[Array, Array]


def hold_out_end(share: float) -> Split:
    """Holds out the last images for validation, as one block. Neighbours in MNIST share a writer, so a random choice
    would put the same writers on both sides and overestimate the accuracy.

    If the images are grouped by class, the last ones would be of few classes. Then evenly spaced images are held out.
    """
    if not 0 < share < 1:
        raise TrainingError(f"The share of images that validate is expected between 0 and 1; got {share}.")

    def split(labels: Array, rng: np.random.Generator) -> tuple[Array, Array]:
        images = len(labels)
        held_out = max(1, round(images * share))
        _check(images, held_out)
        indices = np.arange(images)
        validation = indices[images - held_out :]
        if np.count_nonzero(np.diff(labels)) < len(np.unique(labels)):
            validation = (np.arange(1, held_out + 1) * images) // held_out - 1
        return np.delete(indices, validation), validation

    return split


def hold_out_nothing(labels: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """All images are for training, none for validation."""
    return np.arange(len(labels)), np.arange(0)


def random_subset(size: int, validation: int) -> Split:
    """`size` images drawn at random, of which the first `validation` are for validation. If there are fewer images, the
    same fraction is.
    """

    def split(labels: Array, rng: np.random.Generator) -> tuple[Array, Array]:
        drawn = rng.permutation(len(labels))[:size]
        held_out = max(1, round(len(drawn) * validation / size))
        _check(len(labels), held_out)
        return drawn[held_out:], drawn[:held_out]

    return split


def _check(images: int, held_out: int) -> None:
    if images <= held_out:
        raise TrainingError(f"Training expects at least 2 images, one of them to validate on; got {images}.")
