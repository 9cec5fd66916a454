"""`digitscope teach` without the terminal: a model and a few examples become a model that reads such digits, too.

The network learns on for a few seconds, from the examples and from images that it knew: what it does not see again it
would forget ("rehearsal", Robins 1995). Then its weights are taken back towards the old ones, if that keeps more of
what it knew: on the line between both, networks read the new almost as well and the old better than at its end
(Wortsman et al. 2022, "Robust fine-tuning of zero-shot models"; docs/log.md).
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from digitscope.arrays import Array
from digitscope.augmentation.augment import Augment
from digitscope.datasets import DataSet
from digitscope.errors import DataError, ModelError, ShapeError, TrainingError
from digitscope.model import Model
from digitscope.nn import Adam, Network, OneCycle
from digitscope.recipes import RECIPES, Recipe
from digitscope.recipes.held_out import held_out
from digitscope.training import Plan, Run, Step, TailAverage, measure_statistics, train
from digitscope.training_info import FineTuning, TrainingInfo

LIMIT = 0.001
"""The share of validation images that may be lost: 0.1 points."""
ENOUGH = 0.0005
"""A loss that no better place on the way back is looked for."""
REHEARSED = 10_000
"""Images that are rehearsed, at most, and about as many as a round goes through."""
COPIES = 10
"""Of each drawing that is rehearsed, where the recipe makes any: they take time to draw, and are varied anyway."""
SHARE = 0.05
"""Of what is rehearsed, so much again are examples, each in as many copies as that takes."""
ROUNDS = 4
"""Passes at most; the first after which all examples are read right is the last."""
PLACES = (1.0, 0.8, 0.65, 0.5, 0.4, 0.3)
"""Where to stop on the way from the old weights (0) to the new ones (1)."""
VARIATION = Augment(rotation=10, scale=0.1, shear=0.15, shift=1, elastic=0.8)
"""How images are varied, where the recipe does not say."""

Watch = Callable[[Step], object]
"""Is told of each step's result."""


@dataclass(frozen=True, eq=False)
class Lesson:
    """What came of teaching."""

    model: Model
    """The model that was taught. `save` writes it, unless it must not be used."""
    labels: Array
    """What the examples show, (N,)."""
    before: Array
    """The probabilities that the old model gave to the examples' classes, (N, classes)."""
    after: Array
    """Those that the new one gives."""
    rehearsed: int
    """How many images were rehearsed."""
    judged: int
    """How many images both models were judged on; they were not rehearsed."""
    unseen: bool
    """Whether it is known that no training of the model used them before, either."""
    right_before: int
    """How many of them the old model reads right."""
    right_after: int

    @property
    def accuracy_before(self) -> float:
        """The share of the judged images that the old model reads right."""
        return self.right_before / self.judged

    @property
    def accuracy_after(self) -> float:
        return self.right_after / self.judged

    @property
    def learned(self) -> Array:
        """Whether the new model reads each example right, (N,)."""
        right: Array = self.after.argmax(axis=1) == self.labels
        return right

    @property
    def problem(self) -> str | None:
        """Why the new model must not be used; None where it may."""
        wrong = int((~self.learned).sum())
        if wrong:
            return (
                f"After {ROUNDS} rounds {wrong} of {len(self.labels)} examples are still not read as labelled. "
                "Check the labels and how the pictures were prepared, or give more examples of that kind."
            )
        if self.right_before - self.right_after > LIMIT * self.judged:
            return (
                f"The model would read {self.accuracy_after:.2%} of {self.judged:,} images right instead of "
                f"{self.accuracy_before:.2%}, more than {100 * LIMIT:g} points less. "
                "Leave out examples that look like another digit, or give more of them."
            )
        return None

    def save(self, path: Path) -> None:
        """Writes the new model, whole or not at all.

        Raises: TrainingError where it has not learned, or has forgotten too much; ModelError where the file exists.
        """
        if self.problem:
            raise TrainingError(f"{self.problem} Nothing was written.")
        if path.exists():
            raise ModelError(f"{path} exists already. Choose another --out, or delete it.")
        self.model.save(path)


def teach(
    model: Model,
    images: Array,
    labels: Array,
    data: DataSet,
    *,
    seed: int = 0,
    threads: int = 1,
    watch: Watch = lambda step: None,
) -> Lesson:
    """Teaches the model to read the examples right and others like them; the model itself stays as it is.

    data: what it learned from, which it rehearses and is judged on: on the images that validated it where its file
    says which these were, else on the last twelfth. Equal arguments but for `threads` give the same model to the byte.

    Shapes: images uint8 (N, H, W), 0 paper to 255 ink, as the model reads them; labels integers (N,)
    Raises: ShapeError, DataError, ModelError where model, examples and data do not fit together; DivergenceError.
    """
    labels = np.asarray(labels)
    before = _check(model, images, labels, data)
    known = held_out(model.info, data)
    judged = _last_twelfth(len(data.x_train)) if known is None else known
    judged_images, judged_labels = data.x_train[judged], data.y_train[judged]
    rng = np.random.default_rng(seed)
    others = rng.permutation(np.setdiff1d(np.arange(len(data.x_train)), judged))
    rehearsed, rehearsed_labels = _rehearsal(model, data.x_train[others], data.y_train[others], rng)
    copies = max(1, round(SHARE * len(rehearsed) / len(images)))
    lesson_images = np.concatenate([rehearsed, np.repeat(images, copies, axis=0)])
    lesson_labels = np.concatenate([rehearsed_labels, np.repeat(labels, copies)])

    plan = _plan(model, passes=max(1, REHEARSED // len(lesson_images)))
    network = model.network.map_arrays(np.copy)
    for _ in range(ROUNDS):
        run = Run.start(network, plan, len(lesson_images), rng)
        for result in train(run, lesson_images, lesson_labels, threads=threads):
            if isinstance(result, Step):
                watch(result)
        network = run.outcome(rehearsed)
        if (_with(model, network).predict(images) == labels).all():
            break

    def right(one: Model) -> int:
        return int((one.predict(judged_images, threads=threads) == judged_labels).sum())

    right_before = right(model)
    best, best_right = network, -1
    for place in PLACES:
        candidate = measure_statistics(between(model.network, network, place), rehearsed)
        if place != PLACES[0] and (_with(model, candidate).predict(images) != labels).any():
            break  # nearer to the old weights it reads more and more as it did
        now = right(_with(model, candidate))
        if now > best_right:
            best, best_right = candidate, now
        if right_before - now <= ENOUGH * len(judged):
            break

    fine_tuning = FineTuning(
        examples=len(images),
        labels={str(label): count for label, count in sorted(Counter(labels.tolist()).items())},
        seed=seed,
        evaluated_images=len(judged),
        accuracy_before=right_before / len(judged),
        accuracy_after=best_right / len(judged),
    )
    info = replace(model.info.without_accuracy(), taught=(*model.info.taught, fine_tuning))
    taught = _with(model, best)
    if known is not None:
        info = replace(info, validation_accuracy=best_right / len(judged))
        taught = taught.calibrated(judged_images, judged_labels, threads=threads)
    taught = replace(taught, info=info)
    return Lesson(
        model=taught,
        labels=labels,
        before=before,
        after=taught.predict_proba(images),
        rehearsed=len(rehearsed),
        judged=len(judged),
        unseen=known is not None,
        right_before=right_before,
        right_after=best_right,
    )


def between(old: Network, new: Network, place: float) -> Network:
    """The network with weights old + place (new - old); its statistics, those of new, must be measured again."""
    network = new.map_arrays(np.copy)
    old_params = old.params
    network.params = {
        name: old_params[name] + np.float32(place) * (p - old_params[name]) for name, p in new.params.items()
    }
    return network


def _with(model: Model, network: Network) -> Model:
    """The model's way of reading with another network, and nothing that it says of itself."""
    return Model(network, model.loss, model.image_shape)


def _recipe(info: TrainingInfo) -> Recipe | None:
    """What the network, or the first member of an ensemble, was trained by; None if that is not known."""
    return _recipe(info.members[0]) if info.members else RECIPES.get(info.recipe or "")


def _plan(model: Model, passes: int) -> Plan:
    """Images are varied, and answers judged, as in the training that the network comes from."""
    recipe = _recipe(model.info)
    loss, augment = model.loss, None
    if recipe is not None:
        augment = recipe.plan.augment
        if type(recipe.plan.loss) is type(loss):
            loss = recipe.plan.loss
    return Plan(
        loss=loss,
        optimizer=Adam(),  # whose steps are of one size in any network; others' rates differ by the recipe
        schedule=OneCycle(0.001),
        epochs=passes,
        batch_size=128,
        shard_size=32,
        augment=augment or VARIATION,
        averaging=TailAverage(0.5),
    )


def _rehearsal(model: Model, images: Array, labels: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """The first of the images, REHEARSED at most, and among these, in the recipe's share, what it learns besides."""
    recipe = _recipe(model.info)
    if recipe is None or recipe.extra_examples is None:
        return images[:REHEARSED], labels[:REHEARSED]
    few = -(-min(REHEARSED, len(images)) // (2 * COPIES))
    made, of_made = recipe.extra_examples(images[:few], labels[:few], rng)
    made, of_made = np.repeat(made, COPIES, axis=0), np.repeat(of_made, COPIES)
    count = COPIES * few
    return np.concatenate([images[:count], made]), np.concatenate([labels[:count], of_made])


def _last_twelfth(images: int) -> Array:
    return np.arange(images - max(1, round(images / 12)), images)


def _check(model: Model, images: Array, labels: Array, data: DataSet) -> Array:
    """The model's probabilities for the examples, as a by-product of seeing whether all fits together."""
    if len(images) == 0 or labels.shape != (len(images),) or labels.dtype.kind not in "iu":
        raise ShapeError(
            f"Teaching expects one label an image; got {len(images)} images, {labels.dtype} {labels.shape}."
        )
    if data.x_train.shape[1:] != model.image_shape:
        height, width = model.image_shape
        raise ModelError(f"The model reads images of {height}x{width} pixels; {data.name} has others.")
    if model.info.data_digest not in (None, data.digest):
        raise DataError(
            f"The model learned from {model.info.data}, not from this {data.name}. "
            "Give with --data what it learned from, which it must rehearse so as not to forget it."
        )
    before = model.predict_proba(images)
    classes = before.shape[1]
    for part, found in (("The examples", labels), (data.name, data.y_train)):
        if found.min() < 0 or found.max() >= classes:
            raise DataError(
                f"The model knows the classes 0 to {classes - 1}; {part} have labels {found.min()} to {found.max()}."
            )
    first: dict[bytes, int] = {}
    for i, image in enumerate(images):
        j = first.setdefault(image.tobytes(), i)
        if labels[i] != labels[j]:
            raise DataError(
                f"Examples {j + 1} and {i + 1} are one image, labelled {labels[j]} and {labels[i]}. Decide for one."
            )
    return before
