"""Which images of a data set a model has learned from, and which it can be evaluated on."""

from dataclasses import dataclass
from functools import reduce
from hashlib import blake2b

import numpy as np

from digitscope.arrays import Array
from digitscope.datasets import DataSet, load_data
from digitscope.datasets.mnist_facts import MNIST_DIGEST
from digitscope.recipes import RECIPES
from digitscope.recipes.recipe import NETWORK, VALIDATION_SHARE, hold_out_end
from digitscope.training_info import TrainingInfo

SAMPLE = 64
"""The number of learned images whose hashes a model file holds."""


def sample_hashes(images: Array) -> tuple[str, ...]:
    """The hashes of up to 64 of the images, the smallest ones, as hexadecimal digits.

    The choice depends on the contents alone. So a share f of these images, in any order and file, holds none of the
    sample with probability (1 - f)^64.
    """
    return tuple(sorted(_hashes(images))[:SAMPLE])


def _hashes(images: Array) -> set[str]:
    return {blake2b(image.tobytes(), digest_size=8).hexdigest() for image in images}


def held_out(info: TrainingInfo, data: DataSet) -> Array | None:
    """The indices of the training images that were held out for the model's validation, drawn again from its seed.

    None if the model's info does not determine them, if a cross-validation divided the images otherwise, or if the
    model was trained on other data. For an ensemble they are the images that were held out for all of its members.
    """
    if info.members:
        parts = [held_out(member, data) for member in info.members]
        shared = reduce(np.intersect1d, [np.empty(0, np.int64) if part is None else part for part in parts])
        return shared if len(shared) else None
    recipe = RECIPES.get(info.recipe or "")
    if (
        info.seed is None
        or info.folds is not None
        or info.data_digest != data.digest
        or (recipe is None and info.recipe != NETWORK)
    ):
        return None
    if recipe is None:
        train, validation = hold_out_end(VALIDATION_SHARE)(data, np.random.default_rng(info.seed))
    else:
        train, validation = recipe.divide(data, info.seed)
    # `fit` may have been given other validation images. A recipe with extra examples trains on more than these.
    adds_images = recipe is not None and recipe.extra_examples is not None
    others = info.train_images not in (None, len(train)) and not adds_images
    return None if others or info.validation_images != len(validation) else validation


@dataclass(frozen=True, eq=False)
class EvaluationPart:
    """The images of a data set that a model is evaluated on."""

    name: str
    """The part: "test", "all", "validation", or "unseen" (the images that the model did not learn from)."""
    images: Array
    labels: Array
    notice: str | None = None
    """A warning about the images; None if the model did not learn from any of them."""


def evaluation_part(info: TrainingInfo, data: DataSet) -> EvaluationPart:
    """The test images of the data, or all images if there is no test part, without those that the model learned from.

    A model reads images that it learned from better than new ones. If it learned from all of them, or if the held-out
    images cannot be drawn again, all are used, and the notice says so.
    """
    name, images, labels = data.evaluation_split
    seen = _seen(info, data, images)
    if not seen.any():
        return EvaluationPart(name, images, labels, recognized(info, data.name, images))
    if seen.all():
        notice = f"The model learned from these images of {data.name}: it reads new images less accurately."
        return EvaluationPart(name, images, labels, notice)
    part, others = "unseen", "others"
    if data.x_test is None and data.digest in digests(info):
        part, others = "validation", "others, which validated it and set its temperature"
    notice = (
        f"The model learned from {np.count_nonzero(seen):,} of these {len(images):,} images of {data.name}: it is "
        f"evaluated on the {np.count_nonzero(~seen):,} {others}."
    )
    return EvaluationPart(part, images[~seen], labels[~seen], notice)


def recognized(info: TrainingInfo, name: str, images: Array) -> str | None:
    """A warning if images of the model's sample are among these: it was trained on them in another file or order."""
    sample = _sample(info)
    found = len(sample & _hashes(images)) if sample else 0
    if not found:
        return None
    return (
        f"The model learned from some of these images of {name}, in another file or order ({found} of the "
        f"{len(sample)} that it can recognize are among them): it reads new images less accurately."
    )


def _sample(info: TrainingInfo) -> set[str]:
    return set(info.data_sample).union(*map(_sample, info.members))


def digests(info: TrainingInfo) -> set[str]:
    """The digests of all data that the model learned from, including those of its members and examples."""
    found = {info.data_digest, *(lesson.data_digest for lesson in info.taught)}
    return {digest for digest in found if digest is not None}.union(*map(digests, info.members))


def _seen(info: TrainingInfo, data: DataSet, images: Array) -> Array:
    """Whether the model learned from each of the images: the test part of the data, or all if there is none. (N,)"""
    seen = np.zeros(len(images), bool)
    has_test = data.x_test is not None
    if not has_test and any(lesson.data_digest == data.digest for lesson in info.taught):
        return ~seen
    if info.members:
        return reduce(np.logical_or, (_seen(member, data, images) for member in info.members))
    if info.data_digest == data.digest and not has_test:
        validation = held_out(info, data)
        seen[:] = True
        seen[np.empty(0, int) if validation is None else validation] = False
    elif info.data_digest == MNIST_DIGEST != data.digest and images.shape[1:] == (28, 28):
        return _among_mnist(info, images)  # Kaggle's train.csv also holds images of MNIST
    return seen


def _among_mnist(info: TrainingInfo, images: Array) -> Array:
    """Whether each image is one of MNIST's training images that the model learned from. (N,)"""
    mnist = load_data("mnist")
    validation = held_out(info, mnist)
    learned = mnist.x_train if validation is None else np.delete(mnist.x_train, validation, axis=0)
    contents = {image.tobytes() for image in learned}
    return np.array([image.tobytes() in contents for image in images])
