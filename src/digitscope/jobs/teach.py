"""`digitscope teach` without the terminal: corrects a model with a few examples.

The network is trained for a few seconds on the examples and on images that it already knows, because it would forget
what it does not see again ("rehearsal", Robins 1995). In a convolutional network only the last convolution and the
layers after it learn; the outputs of the layers before are computed once for each image, so a lesson takes a second or
two (Yosinski et al. 2014: early layers are general). Then its weights are interpolated back towards the old ones, if
that keeps more of the accuracy. On the line from the old to the new weights, networks read the new examples almost as
well as at its end, and the old images better (Wortsman et al. 2022, "Robust fine-tuning of zero-shot models";
docs/log.md).
"""

import math
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from digitscope.arguments import check_function, check_kind, check_whole
from digitscope.arrays import Array, as_features, as_images, as_labels
from digitscope.augmentation.augment import STANDARD
from digitscope.blas_threads import blas_threads
from digitscope.calibration import Calibration
from digitscope.datasets import DataSet, as_data_set
from digitscope.datasets.load import LabelledImages
from digitscope.errors import DataError, TrainingError
from digitscope.files.atomic import check_new
from digitscope.metrics import percentage
from digitscope.model import Model
from digitscope.nn import Adam, Conv2D, Network, OneCycle, Reshape, to_batch
from digitscope.recipes import recipe_of
from digitscope.recipes.held_out import held_out
from digitscope.recipes.recipe import VALIDATION_SHARE, hold_out_end
from digitscope.training import Plan, Run, Step, TailAverage, measure_statistics, thread_count, train
from digitscope.training.inference import CHUNK, outputs_in_chunks
from digitscope.training.parallel.shards import Augmentation
from digitscope.training.parallel.threads import ThreadMap
from digitscope.training.run import STATISTICS_IMAGES
from digitscope.training_info import FineTuning


@dataclass(frozen=True, kw_only=True)
class TeachSettings:
    """How a model is taught. The defaults were measured; docs/log.md has the figures."""

    rehearsed_images: int = 10_000
    """Maximum number of rehearsed images, and the approximate number of images in a round, if all layers learn."""
    rehearsed_features: int = 3_000
    """The same, if only the last layers learn: the images whose features are computed."""
    feature_epochs: int = 3
    """The number of passes over these features in a round."""
    all_layers: bool = False
    """Whether all layers learn, also where the first ones need not. It takes several times as long."""
    drawing_copies: int = 20
    """Copies of each rehearsed drawing, if the recipe generates any. Drawings are slow to make, so each is reused."""
    example_share: float = 0.05
    """The examples are copied until they make up this fraction of the rehearsed images."""
    learned_share: float = 1.0
    """Fraction of the examples that must be read correctly at the end. Below 1, some labels may be wrong."""
    rounds: int = 4
    """Maximum number of rounds. Teaching ends after the first round that leaves enough examples read correctly."""
    interpolation: tuple[float, ...] = (1.0, 0.8, 0.65, 0.5, 0.4, 0.3)
    """Points that are tried on the line from the old weights (0) to the new ones (1)."""
    accepted_loss: float = 0.001
    """Loss of accuracy up to which the new model may be used: 0.1 percentage points."""
    negligible_loss: float = 0.0005
    """Loss of accuracy at which the interpolation stops early."""
    augment: Augmentation = STANDARD
    """The augmentation, unless the model's recipe has one."""


@dataclass(frozen=True, eq=False)
class TeachResult:
    """The taught model, and how it compares with the old one."""

    model: Model
    """The taught model. `save` writes it, unless it must not be used."""
    labels: Array = field(repr=False)
    """The labels of the examples, (N,)."""
    before: Array = field(repr=False)
    """The old model's probabilities for the examples, (N, classes)."""
    after: Array = field(repr=False)
    """The new model's probabilities, likewise."""
    rehearsed: int
    """The number of images that were rehearsed."""
    evaluated: int
    """The number of images on which both models were evaluated; they were not rehearsed."""
    held_out: bool
    """Whether it is known that no earlier training of the model used these images either."""
    correct_before: int
    """The number of evaluated images that the old model reads correctly."""
    correct_after: int
    settings: TeachSettings = field(default=TeachSettings(), repr=False)

    @property
    def accuracy_before(self) -> float:
        """The old model's accuracy on the evaluated images."""
        return self.correct_before / self.evaluated

    @property
    def accuracy_after(self) -> float:
        """The new model's accuracy on the same images."""
        return self.correct_after / self.evaluated

    @property
    def learned(self) -> Array:
        """Whether the new model reads each example correctly, (N,)."""
        correct: Array = self.after.argmax(axis=1) == self.labels
        return correct

    @property
    def problem(self) -> str | None:
        """The reason why the new model must not be used; None if it may be."""
        wrong = int((~self.learned).sum())
        if not _enough(self.learned, self.settings):
            return (
                f"After {self.settings.rounds} rounds {wrong} of {len(self.labels)} examples are still not read as "
                "labelled. Check the labels and how the pictures were prepared, or give more examples of that kind."
            )
        limit = self.settings.accepted_loss
        if self.correct_before - self.correct_after > limit * self.evaluated:
            return (
                f"The model would read {percentage(self.accuracy_after)} % of {self.evaluated:,} images correctly "
                f"instead of {percentage(self.accuracy_before)} %, more than {100 * limit:g} percentage points less. "
                "Leave out examples that look like another digit, or give more of them."
            )
        return None

    def save(self, path: str | Path) -> None:
        """Writes the new model.

        Raises: TrainingError if it has not learned, or has forgotten too much; DigitscopeError if the file
            exists or cannot be written.
        """
        path = Path(path)
        if self.problem:
            raise TrainingError(f"{self.problem} Nothing was written.")
        check_new(path, "name")
        self.model.save(path)


def teach(
    model: Model,
    images: LabelledImages,
    labels: npt.ArrayLike | None = None,
    data: DataSet | str | os.PathLike[str] = "mnist",
    *,
    settings: TeachSettings = TeachSettings(),
    seed: int = 0,
    threads: int | None = None,
    callback: Callable[[Step], object] | None = None,
) -> TeachResult:
    """Teaches a copy of the model to read these examples, and others like them, as labelled.

    images, labels: the examples; or images alone: a DataSet, or what `load_data` takes, such as a folder of pictures
        with one subfolder for each class. The examples are then its training part.
    data: the data set that the model was trained on, or its name. The model rehearses its images and is evaluated on
        others of them: on those that validated the model if its info determines them, else on a twelfth.
    callback: is called with the result of each training step.
    Equal arguments give the same model to the byte, whatever `threads` and `callback` are.

    Shapes: images as `as_images` takes them, (N, H, W); labels (N,), integers 0 to classes - 1
    Raises: ShapeError or DataError if model, examples and data do not fit together; DivergenceError.
    """
    check_kind("model", model, "a Model (Model.load() gives one)", Model)
    check_kind("settings", settings, "TeachSettings", TeachSettings)
    check_whole("seed", seed, 0)
    check_function("callback", callback, optional=True)
    threads = thread_count(threads)
    data = as_data_set(data)
    model = model.to("cpu")
    examples, example_labels = _checked_examples(model, images, labels)
    _check_data(model, data)
    before = model.predict_proba(examples, threads=threads)
    known = held_out(model.info, data)
    evaluated = hold_out_end(VALIDATION_SHARE)(data, np.random.default_rng(seed))[1] if known is None else known
    evaluation_labels = data.y_train[evaluated]
    rng = np.random.default_rng(seed)
    others = rng.permutation(np.setdiff1d(np.arange(len(data.x_train)), evaluated))
    pupil = _pupil(model, settings, threads)
    rehearsed = _rehearsal(model, data.x_train[others], data.y_train[others], settings, pupil.rehearsed, rng)
    copies = max(1, round(settings.example_share * len(rehearsed[0]) / len(examples)))
    lesson = pupil.inputs(np.concatenate([rehearsed[0], np.repeat(examples, copies, axis=0)]), rng)
    lesson_labels = np.concatenate([rehearsed[1], np.repeat(example_labels, copies)])
    familiar = pupil.plain_inputs(rehearsed[0][:: -(-len(rehearsed[0]) // STATISTICS_IMAGES)])
    plain_examples, evaluation = pupil.plain_inputs(examples), pupil.plain_inputs(data.x_train[evaluated])

    def reads_examples(learner: Network) -> bool:
        answers = outputs_in_chunks(learner, plain_examples).argmax(axis=0)
        return _enough(answers == example_labels, settings)

    def evaluate(learner: Network) -> tuple[Array, int]:
        outputs = outputs_in_chunks(learner, evaluation, threads=threads)
        return outputs, int((outputs.argmax(axis=0) == evaluation_labels).sum())

    plan = _plan(model, settings, pupil, images=len(lesson))
    old = pupil.learner
    learner = old.map_arrays(np.copy)
    for _ in range(settings.rounds):
        run = Run.start(learner, plan, len(lesson), rng)
        for step in train(run, lesson, lesson_labels, threads=threads):
            if isinstance(step, Step) and callback is not None:
                callback(step)
        learner = run.outcome(familiar)
        if reads_examples(learner):
            break

    old_outputs, correct_before = evaluate(old)
    best, best_outputs, correct_after = learner, None, -1
    for fraction in settings.interpolation:
        candidate = measure_statistics(interpolate(old, learner, fraction), familiar)
        if fraction != settings.interpolation[0] and not reads_examples(candidate):
            break  # the nearer to the old weights, the more it reads as it did before
        outputs, correct = evaluate(candidate)
        if correct > correct_after:
            best, best_outputs, correct_after = candidate, outputs, correct
        if correct_before - correct <= settings.negligible_loss * len(evaluated):
            break

    fine_tuning = FineTuning(
        examples=len(examples),
        labels={str(label): count for label, count in sorted(Counter(example_labels.tolist()).items())},
        seed=seed,
        evaluated_images=len(evaluated),
        accuracy_before=correct_before / len(evaluated),
        accuracy_after=correct_after / len(evaluated),
        data_digest=DataSet("examples", examples, example_labels).digest,
    )
    info = replace(model.info.without_accuracy(), taught=(*model.info.taught, fine_tuning))
    taught = Model(pupil.whole(best), model.loss, model.image_shape)
    if known is not None and best_outputs is not None:
        info = replace(info, validation_accuracy=correct_after / len(evaluated))
        taught = replace(taught, calibration=_calibration(model, old_outputs, best_outputs, evaluation_labels))
    taught = replace(taught, info=info)
    return TeachResult(
        model=taught,
        labels=example_labels,
        before=before,
        after=taught.predict_proba(examples, threads=threads),
        rehearsed=len(rehearsed[0]),
        evaluated=len(evaluated),
        held_out=known is not None,
        correct_before=correct_before,
        correct_after=correct_after,
        settings=settings,
    )


def _calibration(model: Model, before: Array, after: Array, labels: Array) -> Calibration:
    """The taught model's calibration, given the outputs for the evaluated images, (classes, N). If the old one was
    fitted to images that its recipe drew, it is moved, because drawing them again takes longer than the lesson."""
    recipe = recipe_of(model.info)
    if model.calibration is not None and recipe is not None and recipe.calibration_examples is not None:
        return model.calibration.moved(model.loss.evidence(before), model.loss.evidence(after))
    return Calibration.fit(labels, model.loss.probabilities(after).T, model.loss.evidence(after))


def _enough(learned: Array, settings: TeachSettings) -> bool:
    """Whether as many examples are read correctly, (N,) truth values, as the settings demand."""
    return bool(learned.sum() >= settings.learned_share * len(learned))


def interpolate(old: Network, new: Network, fraction: float) -> Network:
    """The network with weights old + fraction (new - old). Its statistics are those of `new`: measure them again."""
    network = new.map_arrays(np.copy)
    old_params = old.params
    network.params = {
        name: old_params[name] + np.float32(fraction) * (p - old_params[name]) for name, p in new.params.items()
    }
    return network


@dataclass(frozen=True, eq=False)
class _Pupil:
    """A network whose last layers learn. If all of them do, they learn from images, else from features."""

    fixed: Network | None
    """The layers that stay as they are; None if all learn."""
    learner: Network
    """The other layers."""
    augment: Augmentation
    rehearsed: int
    """The maximum number of images that are rehearsed."""
    epochs: int
    """The passes over these in a round; 0 for as many as give about so many images."""
    threads: int

    def whole(self, learner: Network) -> Network:
        """The network with these last layers."""
        return learner if self.fixed is None else Network(*self.fixed.layers, *learner.layers[1:])

    def inputs(self, images: Array, rng: np.random.Generator) -> Array:
        """What the last layers learn from: the features of augmented images, or the images, which the training
        augments.

        Shapes: uint8 (N, H, W) -> Features (N, D) or the same
        """
        if self.fixed is None:
            return images
        chunks = range(0, len(images), CHUNK)
        rngs = rng.spawn(len(chunks))
        with blas_threads(1):  # with more some machines round differently, and they wait for each other
            columns = [self.augment(images[i : i + CHUNK], chunk) for i, chunk in zip(chunks, rngs, strict=True)]
        return self._features(columns)

    def plain_inputs(self, images: Array) -> Array:
        """The same for images as they are."""
        if self.fixed is None:
            return images
        return self._features([to_batch(images[i : i + CHUNK]) for i in range(0, len(images), CHUNK)])

    def _features(self, batches: list[Array]) -> Array:
        assert self.fixed is not None
        fixed = self.fixed
        with blas_threads(1), ThreadMap(min(self.threads, len(batches))) as thread_map:
            outputs = thread_map(lambda x: fixed.forward(x, need_dx=False)[0], batches)
        return as_features(np.concatenate([y.reshape(-1, y.shape[-1]).T for y in outputs]))


def _pupil(model: Model, settings: TeachSettings, threads: int) -> _Pupil:
    """The network, cut before its last convolution, unless that is the first layer that has learned."""
    recipe = recipe_of(model.info)
    augment = (recipe.plan.augment if recipe is not None else None) or settings.augment
    layers = model.network.layers
    convolutions = [i for i, layer in enumerate(layers) if isinstance(layer, Conv2D)]
    cut = convolutions[-1] if convolutions else 0
    if settings.all_layers or not any(layer.params for layer in layers[:cut]):
        return _Pupil(None, model.network, augment, settings.rehearsed_images, 0, threads)
    fixed = Network(*layers[:cut])
    shape = fixed.output_shape((math.prod(model.image_shape),))
    learner = Network(Reshape(*shape), *layers[cut:])
    return _Pupil(fixed, learner, augment, settings.rehearsed_features, settings.feature_epochs, threads)


def _plan(model: Model, settings: TeachSettings, pupil: _Pupil, *, images: int) -> Plan:
    """Loss and augmentation are those of the training that the network comes from."""
    recipe, loss = recipe_of(model.info), model.loss
    if recipe is not None and type(recipe.plan.loss) is type(loss):
        loss = recipe.plan.loss
    return Plan(
        loss=loss,
        optimizer=Adam(),  # its step size suits any network; the rates of other optimizers depend on the recipe
        schedule=OneCycle(0.001),
        epochs=pupil.epochs or max(1, settings.rehearsed_images // images),
        batch_size=128,
        shard_size=32,
        augment=pupil.augment if pupil.fixed is None else None,
        averaging=TailAverage(0.5),
    )


def _rehearsal(
    model: Model, images: Array, labels: Array, settings: TeachSettings, count: int, rng: np.random.Generator
) -> tuple[Array, Array]:
    """The first of the images, and the recipe's extra examples, if it has any, in the recipe's proportion."""
    recipe = recipe_of(model.info)
    if recipe is None or recipe.extra_examples is None:
        return images[:count], labels[:count]
    copies = settings.drawing_copies
    few = -(-min(count, len(images)) // (2 * copies))
    extra_images, extra_labels = recipe.extra_examples(images[:few], labels[:few], rng)
    extra_images, extra_labels = np.repeat(extra_images, copies, axis=0), np.repeat(extra_labels, copies)
    return np.concatenate([images[: copies * few], extra_images]), np.concatenate(
        [labels[: copies * few], extra_labels]
    )


def _checked_examples(model: Model, x: LabelledImages, y: npt.ArrayLike | None) -> tuple[Array, Array]:
    """The examples as uint8 (N, H, W) and int64 (N,), of which no image has two labels."""
    data = as_data_set(x, y, shape=model.image_shape, classes=model.classes)
    examples = as_images(data.x_train, model.image_shape)
    checked = as_labels(data.y_train, len(examples), model.classes)
    first: dict[bytes, int] = {}
    for i, image in enumerate(examples):
        j = first.setdefault(image.tobytes(), i)
        if checked[i] != checked[j]:
            raise DataError(
                f"Examples {j + 1} and {i + 1} are the same image, labelled {checked[j]} and {checked[i]}. Keep one."
            )
    return examples, checked


def _check_data(model: Model, data: DataSet) -> None:
    """Raises: DataError if the model was not trained on the data."""
    model.check_data(data)
    if model.info.data_digest not in (None, data.digest):
        raise DataError(
            f"The model learned from {model.info.data}, not from this {data.name}. "
            "Name with --data the data that it learned from: without rehearsing them it would forget them."
        )
