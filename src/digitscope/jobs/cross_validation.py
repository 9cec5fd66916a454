"""Cross-validation: every image is read by a network that did not learn from it."""

import time
from collections.abc import Generator, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from digitscope.arguments import check_whole
from digitscope.calibration import Calibration
from digitscope.datasets import DataSet
from digitscope.errors import ModelError, TrainingError
from digitscope.files.opening import exists, shown_path
from digitscope.jobs.train import Settings, info_of
from digitscope.metrics import Evaluation, wilson_interval
from digitscope.model import Model
from digitscope.recipes.recipe import Split, Training, hold_out_fold, hold_out_nothing
from digitscope.training import Epoch, Step, load_checkpoint, save_checkpoint, train

TRAINING = "training.safetensors"
"""The checkpoint of the training under way. `digitscope train` has another name, so nobody takes this for its run."""
ALL = "all"
"""The name of the part that is all images."""


@dataclass(frozen=True)
class FoldEpoch:
    """An epoch that is done, of a training on a part of the images."""

    part: str
    """The name of the part, such as fold-2."""
    member: int
    """The number of the committee's member, from 0."""
    epoch: int
    epochs: int


@dataclass(frozen=True)
class FoldScore:
    """The accuracy on a fold, of the model that learned from the others."""

    fold: int
    """The number of the fold, from 0."""
    images: int
    accuracy: float


Progress = FoldEpoch | FoldScore


class FoldTrainings:
    """Trains a recipe on parts of a data set. Each model is a file in the folder, and is not trained again once it is
    there; a training that was stopped continues from its checkpoint. Nothing else may work in the folder meanwhile.

    members: the number of networks that are trained on each part, from different seeds; a model is their committee
    """

    def __init__(
        self,
        folder: Path,
        data: DataSet,
        settings: Settings,
        *,
        folds: int,
        members: int = 1,
        threads: int | None = None,
        checkpoint_every: float = 5.0,
    ) -> None:
        """Raises: TrainingError for numbers out of their range, and for folds that the data do not have."""
        check_whole("members", members, 1, error=TrainingError)
        self.folder, self.data, self.settings = folder, data, settings
        self.folds, self.members = folds, members
        self.threads, self.checkpoint_every = threads, checkpoint_every
        self.recipe = settings.changed_recipe()
        # These raise their errors before anything is written.
        run = self._training(settings.seed, hold_out_fold(0, folds)).run
        if members > 1:
            Model.ensemble([Model(run.network, run.plan.loss, data.x_train.shape[1:])])

    def cross_validate(self) -> Generator[Progress, None, "CrossValidation"]:
        """Trains a model for each fold, on the other folds, and reads the fold with it. Yields its progress.

        Raises: DivergenceError, ModelError for a damaged file in the folder, DigitscopeError if it cannot be written.
        """
        labels = self.data.y_train
        logits = np.zeros((len(labels), self.data.classes), np.float32)
        accuracies = []
        for fold in range(self.folds):
            split = hold_out_fold(fold, self.folds)
            model = yield from self.train_part(f"fold-{fold + 1}", split)
            _, held_out = split(self.data, np.random.default_rng(0))
            logits[held_out] = model.logits(self.data.x_train[held_out], threads=self.threads)
            accuracies.append(float((logits[held_out].argmax(axis=1) == labels[held_out]).mean()))
            yield FoldScore(fold, len(held_out), accuracies[-1])
        # Every model of a part has the same loss: that of the recipe.
        probabilities = model.loss.probabilities(logits.T).T
        calibration = Calibration.fit(labels, probabilities, model.loss.evidence(logits.T))
        evaluation = Evaluation.of(labels, replace(model, calibration=calibration).probabilities(logits))
        return CrossValidation(tuple(accuracies), calibration, evaluation)

    def train_all(self, validated: "CrossValidation") -> Generator[Progress, None, Model]:
        """Trains a model on all images, with the calibration and the accuracy of the cross-validation.

        Raises: as `cross_validate`.
        """
        model = yield from self.train_part(ALL, hold_out_nothing)
        info = replace(
            model.info,
            validation_accuracy=validated.evaluation.accuracy,
            validation_images=validated.evaluation.images,
            folds=self.folds,
        )
        return replace(model, info=info, calibration=validated.calibration)

    def train_part(self, part: str, split: Split) -> Generator[Progress, None, Model]:
        """Trains the committee on the images that the split leaves for training, or reads it if it was trained before.

        Raises: as `cross_validate`.
        """
        models = []
        for member in range(self.members):
            models.append((yield from self._member(part, member, split)))
        return models[0] if len(models) == 1 else Model.ensemble(models)

    def _member(self, part: str, member: int, split: Split) -> Generator[Progress, None, Model]:
        name = part if self.members == 1 else f"{part}-member-{member + 1}"
        path = self.folder / f"{name}.safetensors"
        if exists(path):
            return Model.load(path)
        seed = self.settings.seed + member
        training = self._training(seed, split)
        run = training.run
        about = {**asdict(replace(self.settings, seed=seed)), "digest": self.data.digest, "part": name}
        for result in train_from_checkpoint(
            training,
            self.folder / TRAINING,
            about,
            validated=False,
            threads=self.threads,
            checkpoint_every=self.checkpoint_every,
        ):
            if isinstance(result, Epoch):
                yield FoldEpoch(part, member, result.epoch, run.epochs)
        info = info_of(self.recipe, self.data, training, seed, self.settings.changes, None)
        info = replace(info, folds=self.folds)
        model = Model(run.outcome(training.images), run.plan.loss, self.data.x_train.shape[1:], info)
        model.save(path)
        (self.folder / TRAINING).unlink(missing_ok=True)
        return model

    def _training(self, seed: int, split: Split) -> Training:
        return replace(self.recipe, split=split).start(self.data, seed)


@dataclass(frozen=True, eq=False)
class CrossValidation:
    """The results of a cross-validation."""

    accuracies: tuple[float, ...]
    """The accuracy on each fold."""
    calibration: Calibration
    """The calibration on all images, each read by the model that did not learn from it."""
    evaluation: Evaluation
    """The evaluation of these answers, with this calibration."""


def train_from_checkpoint(
    training: Training,
    path: Path,
    about: Mapping[str, Any],
    *,
    validated: bool,
    threads: int | None,
    checkpoint_every: float,
) -> Iterator[Step | Epoch]:
    """Trains to the end, and saves a checkpoint every `checkpoint_every` seconds. If the checkpoint at `path` has the
    same `about`, which is JSON, the training continues from there; another one is overwritten.

    validated: whether each epoch is evaluated on the training's validation images

    Raises: ModelError for a damaged checkpoint; DivergenceError; DigitscopeError if the checkpoint cannot be written.
    """
    run = training.run
    settings = {name: list(value) if isinstance(value, tuple) else value for name, value in about.items()}
    if exists(path):
        try:
            checkpoint = load_checkpoint(path)
            if checkpoint.settings == settings:
                checkpoint.restore(run)
        except ModelError as error:
            raise ModelError(f"{error} Delete {shown_path(path)} to begin this training again.") from error
    saved = time.monotonic()
    validation = training.validation if validated else None
    for result in train(run, training.images, training.labels, validation=validation, threads=threads):
        if time.monotonic() - saved >= checkpoint_every:
            save_checkpoint(path, run, settings)
            saved = time.monotonic()
        yield result


def expected_interval(accuracy: float, images: int, others: int) -> tuple[float, float]:
    """The 95 % interval of the accuracy on `others` new images, given that on `images` images of the same distribution.

    Both are random: their difference has the variance p (1 - p) (1/n + 1/m), as if p had been measured on
    n m / (n + m) images. So this is Wilson's interval for that number.
    """
    return wilson_interval(accuracy, max(1, round(images * others / (images + others))))
