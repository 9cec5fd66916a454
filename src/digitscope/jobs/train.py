"""`digitscope train` without the terminal: trains a recipe on data, and writes the model and its report."""

import csv
import io
import itertools
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np

from digitscope.arguments import check_kind, check_number, check_whole, check_wholes, shown
from digitscope.arrays import Array
from digitscope.datasets import DataSet, load_data
from digitscope.errors import DigitscopeError, DivergenceError, ModelError, TrainingError
from digitscope.files.atomic import remove_temporary, unwritable, write_atomic
from digitscope.files.lock import FolderLock
from digitscope.files.opening import exists
from digitscope.jobs.loss_notes import loss_notes
from digitscope.metrics import Evaluation
from digitscope.model import Model
from digitscope.recipes import RECIPES, Recipe, RecipeSettings, Training
from digitscope.recipes.held_out import sample_hashes
from digitscope.training import (
    Checkpoint,
    Epoch,
    Step,
    is_snapshot_due,
    load_checkpoint,
    save_checkpoint,
    stack_snapshots,
    train,
)
from digitscope.training.parallel.ranks import Ranks
from digitscope.training.settings import by_name, recorded_settings, setting_text
from digitscope.training.snapshots import UNITS
from digitscope.training_info import TrainingInfo

if TYPE_CHECKING:
    from digitscope.report.learning_slider import LearningSteps

MODEL, HISTORY, REPORT, CHECKPOINT = "model.safetensors", "history.csv", "report.html", "checkpoint.safetensors"
PREVIOUS = "checkpoint-previous.safetensors"
"""The checkpoint before the newest one: for the case that the newest one is damaged."""


@dataclass(frozen=True, kw_only=True)
class ChosenSettings:
    """The seed, and the settings that replace a recipe's own; None keeps the recipe's own value."""

    epochs: int | None = None
    learning_rate: float | None = None
    batch_size: int | None = None
    seed: int = 0
    layers: tuple[int, ...] | None = None
    activation: str | None = None
    dropout: float | None = None
    loss: str | None = None
    label_smoothing: float | None = None
    optimizer: str | None = None
    weight_decay: float | None = None
    schedule: str | None = None
    augment: str | None = None

    @property
    def changes(self) -> RecipeSettings:
        """The settings that replace the recipe's own."""
        values = {name: getattr(self, name) for name in RecipeSettings.__annotations__}
        return cast(RecipeSettings, {name: value for name, value in values.items() if value is not None})


@dataclass(frozen=True)
class Settings(ChosenSettings):
    """Everything that decides the outcome of a run."""

    recipe: str
    data: str = "mnist"

    def __post_init__(self) -> None:
        """Raises: TrainingError for values of other types; the recipe and its plan check their ranges."""
        by_name("recipe", RECIPES, self.recipe)
        error = TrainingError
        check_kind("data", self.data, "a name or a path", str, error=error)
        check_whole("seed", self.seed, 0, error=error)
        for name in ("epochs", "batch_size"):
            check_whole(name, getattr(self, name), 1, optional=True, error=error)
        for name in ("learning_rate", "dropout", "label_smoothing", "weight_decay"):
            check_number(name, getattr(self, name), least=0, optional=True, error=error)
        for name in ("activation", "loss", "optimizer", "schedule", "augment"):
            check_kind(name, getattr(self, name), "text", str, type(None), error=error)
        if self.layers is not None:
            check_wholes("layers", self.layers, 1)
            object.__setattr__(self, "layers", tuple(self.layers))  # a checkpoint holds a list

    def changed_recipe(self) -> Recipe:
        """The recipe with these settings.

        Raises: as `Recipe.with_settings`.
        """
        return RECIPES[self.recipe].with_settings(**self.changes)


@dataclass(frozen=True)
class Summary:
    """The results of a run."""

    recipe: str
    seed: int
    epochs: int
    settings: dict[str, Any]
    """Those that replace the recipe's own, by name."""
    parameters: int
    train_seconds: float
    """Spent in training steps, before and after each resumption."""
    validation_accuracy: float
    test: Evaluation | None
    """None if the data have no test images."""
    model: Path
    report: Path
    loss_notes: tuple[str, ...]
    """Explanations of the losses."""
    notices: tuple[str, ...] = ()
    """Warnings about the classes, for the reader of the results."""

    def as_json(self) -> dict[str, Any]:
        """What `digitscope train --json` prints."""
        return {
            "recipe": self.recipe,
            "seed": self.seed,
            "epochs": self.epochs,
            "settings": self.settings,
            "parameters": self.parameters,
            "train_seconds": round(self.train_seconds, 3),
            "validation_accuracy": self.validation_accuracy,
            "test_accuracy": self.test.accuracy if self.test else None,
            "test_interval": list(self.test.interval) if self.test else None,
            "model": str(self.model),
            "report": str(self.report),
            "notices": list(self.notices),
        }


class Job:
    """One run in its folder, which is locked for other processes until the run is finished or the context ends."""

    def __init__(
        self,
        settings: Settings,
        folder: Path,
        data: DataSet,
        recipe: Recipe,
        training: Training,
        lock: FolderLock,
    ) -> None:
        self.settings, self.folder, self.lock = settings, folder, lock
        self.data, self.recipe, self.training = data, recipe, training
        # These are validation images, because test images must not be used before everything is decided.
        self.watch = first_of_each_class(training.validation[1])

    @property
    def watched(self) -> tuple[Array, Array]:
        """The images that snapshots are about, and their labels."""
        images, labels = self.training.validation
        return images[self.watch], labels[self.watch]

    @classmethod
    def begin(cls, settings: Settings, folder: Path | None) -> "Job":
        """A new run in `folder`, or in a new one under runs/. Nothing is written before the data are read.

        Raises: TrainingError if the folder holds a run already, or another process works in it; DataError for the data;
            DigitscopeError if the folder cannot be written.
        """
        if folder is not None and holds_run(folder):
            with FolderLock(folder):  # its error says so if the run is under way
                raise _holds_run_error(folder)
        data, recipe, training = _prepare(settings)
        folder = _new_folder(Path("runs"), settings.recipe) if folder is None else folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise unwritable(folder, error) from error
        with ExitStack() as stack:
            lock = stack.enter_context(FolderLock(folder))
            if holds_run(folder):
                raise _holds_run_error(folder)
            job = cls(settings, folder, data, recipe, training, lock)
            job.save()
            stack.pop_all()
        return job

    @classmethod
    def resume(cls, folder: Path, given: Mapping[str, Any] | None = None) -> "Job":
        """The run that was stopped in `folder`, as it was then. `given` are settings that it must have begun with.

        Raises: TrainingError if there is none, one with other settings, or one that another process works on;
            ModelError or DataError if it or its data are not as they were.
        """
        with ExitStack() as stack:
            # First of all: a process that ends just now may still write its last checkpoint.
            lock = stack.enter_context(FolderLock(folder))
            path = newest_checkpoint(folder)
            if path is None:
                state = "is finished" if exists(folder / MODEL) else "holds no checkpoint"
                raise TrainingError(f"{folder} {state}: there is nothing to resume. Start again without --resume.")
            try:
                job = cls._restored(path, given or {}, lock)
            except DigitscopeError as error:
                raise cls._with_way_out(error, path, given or {}, lock) from error
            for name in (MODEL, HISTORY, REPORT, CHECKPOINT):
                remove_temporary(folder / name)
            stack.pop_all()
        return job

    @classmethod
    def _restored(cls, path: Path, given: Mapping[str, Any], lock: FolderLock) -> "Job":
        """The run of this checkpoint."""
        checkpoint, folder = load_checkpoint(path), path.parent
        settings, digest = begun_settings(checkpoint)
        _check_given(given, settings, folder)
        begun_data = settings.data
        settings = replace(settings, data=given.get("data", begun_data))
        data, recipe, training = _prepare(settings)
        if data.digest != digest and settings.data != begun_data:
            raise _other_setting("data", begun_data, settings.data, folder)
        if data.digest != digest:
            raise TrainingError(
                f"{settings.data} has changed since the run in {folder} began. Restore it, or start a new run."
            )
        checkpoint.restore(training.run)
        job = cls(settings, folder, data, recipe, training, lock)
        _check_validated(checkpoint, job)
        return job

    @classmethod
    def _with_way_out(
        cls, error: DigitscopeError, path: Path, given: Mapping[str, Any], lock: FolderLock
    ) -> DigitscopeError:
        """The error, with the checkpoint before this one if that can be used."""
        previous = path.with_name(PREVIOUS)
        if path == previous or not exists(previous):
            return error
        try:
            epoch = cls._restored(previous, given, lock).training.run.epoch
        except DigitscopeError:
            return error
        return ModelError(
            f"{error} {PREVIOUS} beside it is whole, after epoch {epoch}: delete {path} and resume again."
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.lock.release()

    def save(self) -> None:
        """Writes the checkpoint."""
        settings = {**asdict(self.settings), "digest": self.data.digest}
        save_checkpoint(self.folder / CHECKPOINT, self.training.run, settings, previous=self.folder / PREVIOUS)

    def work(
        self, *, threads: int, checkpoint_every: float, device: str = "cpu", ranks: Ranks | None = None
    ) -> Iterator[Step | Epoch]:
        """Trains to the end, yields results, and saves a checkpoint every `checkpoint_every` seconds.

        ranks: this process is rank 0, and the others call `take_part`.

        Raises: DivergenceError, which then names the last checkpoint.
        """
        if ranks is not None:
            ranks.share((self.training, self.watch))
        saved = time.monotonic()
        try:
            for result in _results(self.training, self.watch, threads, device, ranks):
                if time.monotonic() - saved >= checkpoint_every:
                    self.save()
                    saved = time.monotonic()
                yield result
        except DivergenceError as error:
            rate = self.recipe.plan.schedule.learning_rate
            own = replace(self.settings, learning_rate=None).changed_recipe().plan.schedule.learning_rate
            advised = own if rate >= 10 * own else rate / 10  # A tenth of 1e6 is too high, too.
            raise DivergenceError(
                f"{error} Try --learning-rate {advised:.2g}. The last good checkpoint is {self.folder / CHECKPOINT}."
            ) from error

    def finish(self, *, threads: int | None = None) -> Summary:
        """Evaluates on the test set (its only use), writes model, history and report, and removes the checkpoint.

        Raises: DigitscopeError if a file cannot be written; TrainingError if one was deleted meanwhile.
        """
        run = self.training.run
        validation_accuracy = run.history["validation_accuracy"][-1]
        assert validation_accuracy is not None
        network = run.outcome(self.training.images)
        info = info_of(
            self.recipe, self.data, self.training, self.settings.seed, self.settings.changes, validation_accuracy
        )
        model = Model(network, run.plan.loss, self.data.x_train.shape[1:], info)
        model = model.calibrated(*self.training.calibration(), threads=threads)
        if self.data.x_test is None or self.data.y_test is None:
            images, labels = self.training.validation
        else:
            images, labels = self.data.x_test, self.data.y_test
        probabilities = model.predict_proba(images, threads=threads)
        evaluation = Evaluation.of(labels, probabilities)
        test = evaluation if self.data.x_test is not None else None
        if test is not None:
            model = replace(model, info=replace(model.info, test_accuracy=test.accuracy))
        summary = Summary(
            recipe=self.recipe.name,
            seed=self.settings.seed,
            epochs=run.epochs,
            settings=dict(self.settings.changes),
            parameters=model.parameters,
            train_seconds=run.seconds,
            validation_accuracy=validation_accuracy,
            test=test,
            model=self.folder / MODEL,
            report=self.folder / REPORT,
            loss_notes=loss_notes(run, model.classes),
            notices=self.training.notices,
        )
        model.save(summary.model)
        write_atomic(self.folder / HISTORY, _csv(run.history))
        self._write_report(summary, model, evaluation, images, labels, probabilities)
        missing = [name for name in (MODEL, HISTORY, REPORT) if not exists(self.folder / name)]
        if missing:
            raise TrainingError(
                f"{self.folder} was deleted or changed while the run was written: {', '.join(missing)} is missing. "
                "Train again."
            )
        for name in (PREVIOUS, CHECKPOINT):
            (self.folder / name).unlink(missing_ok=True)
        return summary

    def _write_report(
        self, summary: Summary, model: Model, evaluation: Evaluation, images: Array, labels: Array, probabilities: Array
    ) -> None:
        from digitscope.report.training_page import TrainingResult, write_training_page  # matplotlib: only now

        result = TrainingResult(
            recipe=self.recipe.name,
            description=self.recipe.title,
            data=self.data.name,
            history=self.training.run.history,
            part="test" if summary.test else "validation",
            images=images,
            labels=labels,
            probabilities=probabilities,
            evaluation=evaluation,
            first_weights=next(iter(model.network.params.values()), None),
            validation_accuracy=summary.validation_accuracy,
            train_seconds=summary.train_seconds,
            epochs=summary.epochs,
            parameters=summary.parameters,
            train_images=len(self.training.images),
            seed=summary.seed,
            learning=self._learning_steps(),
            loss_notes=summary.loss_notes,
            notices=summary.notices,
        )
        write_training_page(summary.report, result)

    def _learning_steps(self) -> "LearningSteps | None":
        """The snapshots as numbers; None if the run began without any."""
        from digitscope.report.learning_slider import LearningSteps

        if not self.training.run.snapshots:
            return None
        snapshots = stack_snapshots(self.training.run.snapshots)
        images, labels = self.watched
        return LearningSteps(
            epochs=snapshots["epoch"],
            losses=snapshots["loss"],
            accuracies=snapshots["accuracy"],
            probabilities=snapshots["probabilities"],
            weights=snapshots["weights"],
            images=images,
            labels=labels,
        )


def take_part(ranks: Ranks, *, threads: int) -> None:
    """Trains, as one of the ranks other than rank 0, what rank 0's job trains; only that reports and writes."""
    training, watch = ranks.share()
    for _ in _results(training, watch, threads, "cpu", ranks):
        pass


def _results(
    training: Training, watch: list[int], threads: int, device: str, ranks: Ranks | None
) -> Iterator[Step | Epoch]:
    t = training
    return train(
        *(t.run, t.images, t.labels),
        validation=t.validation,
        watch=watch,
        threads=threads,
        device=device,
        ranks=ranks,
    )


def info_of(
    recipe: Recipe,
    data: DataSet,
    training: Training,
    seed: int,
    changes: Mapping[str, Any],
    validation_accuracy: float | None,
    *,
    epochs: int | None = None,
) -> TrainingInfo:
    """How a model was trained. `changes` are the settings that replace the recipe's own, `epochs` the complete ones if
    they are fewer than the plan's.

    It holds nothing that differs between two runs with the same settings: their files have the same bytes.
    """
    plan = recipe.plan
    return TrainingInfo(
        recipe=recipe.name,
        seed=seed,
        epochs=plan.epochs if epochs is None else epochs,
        learning_rate=plan.schedule.learning_rate,
        batch_size=plan.batch_size,
        data=data.name,
        data_digest=data.digest,
        data_sample=() if data.is_mnist else sample_hashes(training.images),
        classes=data.classes,
        train_images=len(training.images),
        validation_images=len(training.validation[0]),
        validation_accuracy=validation_accuracy,
        **recorded_settings(changes),
    )


def first_of_each_class(labels: Array) -> list[int]:
    """The index of the first image of each class, of up to ten classes."""
    return [int(index) for index in np.unique(labels, return_index=True)[1][:10]]


def holds_run(folder: Path) -> bool:
    """Raises: DigitscopeError if the folder cannot be read."""
    return any(exists(folder / name) for name in (MODEL, HISTORY, REPORT, CHECKPOINT, PREVIOUS))


def newest_checkpoint(folder: Path) -> Path | None:
    """The checkpoint from which the run in the folder goes on; None if there is none.

    Raises: DigitscopeError if the folder cannot be read.
    """
    return next((folder / name for name in (CHECKPOINT, PREVIOUS) if exists(folder / name)), None)


def _holds_run_error(folder: Path) -> TrainingError:
    return TrainingError(
        f"{folder} already holds a run. Choose another --out, delete it, or continue it with --resume."
    )


def latest_stopped(recipe: str | None) -> Path:
    """The folder under runs/ with the newest checkpoint, of any recipe or of this one.

    Raises: TrainingError if there is none.
    """
    folders = (recipe or "*", f"{recipe or '*'}-[0-9]*")
    found = {
        path for folder in folders for name in (CHECKPOINT, PREVIOUS) for path in Path("runs").glob(f"{folder}/{name}")
    }
    if not found:
        raise TrainingError("No stopped run was found under runs/. Name its folder: --resume --out DIR.")
    return max(found, key=lambda path: path.stat().st_mtime).parent


def begun_settings(checkpoint: Checkpoint) -> tuple[Settings, str]:
    """What the run began with, and the digest of its data.

    Raises: ModelError for other entries, or values that no setting has.
    """
    values = dict(checkpoint.settings)
    digest = values.pop("digest", None)
    known = [field.name for field in fields(Settings)]
    if unknown := [name for name in values if name not in known]:
        raise checkpoint.damaged(f"the unknown setting {shown(unknown[0])}")
    if "recipe" not in values or not isinstance(digest, str):
        raise checkpoint.damaged("the settings lack the recipe, or the digest of the data")
    try:
        settings = Settings(**values)
        settings.changed_recipe()
    except DigitscopeError as error:
        raise checkpoint.damaged(str(error)) from error
    return settings, digest


def _check_validated(checkpoint: Checkpoint, job: Job) -> None:
    """Raises: ModelError unless each epoch was validated, and its snapshots taken, as `train` does it for the job."""
    run = job.training.run
    if run.epoch and not any(value is not None for value in checkpoint.history["validation_accuracy"]):
        raise checkpoint.damaged("no epoch was validated")
    shapes = {(snapshot.probabilities.shape, snapshot.weights.shape) for snapshot in run.snapshots}
    first = next(iter(run.learners[0].params.values()))[:UNITS]
    if shapes - {((len(job.watch), job.data.classes), first.shape)}:
        raise checkpoint.damaged("snapshots of other shapes")
    due = [epoch for epoch in range(run.epoch + 1) if epoch == 0 or is_snapshot_due(epoch, run.epochs)]
    begun = run.epoch or run.batch
    if [snapshot.epoch for snapshot in run.snapshots] not in ([due] if begun else [due, []]):
        raise checkpoint.damaged("snapshots of other epochs")


def _check_given(given: Mapping[str, Any], settings: Settings, folder: Path) -> None:
    """Raises: TrainingError if a given setting differs from what the run in the folder began with.

    The data may have another path now: they are compared by their digest, once they are loaded.
    """
    begun = asdict(settings)
    for name, value in given.items():
        # Compared as JSON, which is how a checkpoint keeps them: there a tuple is a list.
        if name != "data" and json.dumps(value) != json.dumps(begun[name]):
            raise _other_setting(name, begun[name], value, folder)


def _other_setting(name: str, begun: Any, given: Any, folder: Path) -> TrainingError:
    option = f"--{name.replace('_', '-')}"
    setting = f"with {option} {setting_text(begun)}" if begun is not None else f"without {option}"
    return TrainingError(f"The run in {folder} began {setting}; got {setting_text(given)}. Leave out {option}.")


def _prepare(settings: Settings) -> tuple[DataSet, Recipe, Training]:
    recipe = settings.changed_recipe()
    data = load_data(settings.data)
    return data, recipe, recipe.start(data, settings.seed)


def _new_folder(parent: Path, name: str) -> Path:
    """parent/name, or parent/name-2 and so on: the first that does not exist. It is created at once, so that no other
    process takes it.

    Raises: DigitscopeError if no folder can be made there.
    """
    try:
        parent.mkdir(parents=True, exist_ok=True)
        for number in itertools.count(1):
            folder = parent / (name if number == 1 else f"{name}-{number}")
            try:
                folder.mkdir()
            except FileExistsError:
                continue
            return folder
    except OSError as error:
        raise unwritable(parent, error) from error
    raise AssertionError("count never ends")


def _csv(history: dict[str, list[float | None]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(history)
    # A checkpoint holds all columns as floats.
    whole = {name: [f"{value:.0f}" for value in history[name] if value is not None] for name in ("epoch", "step")}
    writer.writerows(zip(*{**history, **whole}.values(), strict=True))
    return text.getvalue().encode()
