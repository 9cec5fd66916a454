"""`digitscope train` without the terminal: trains a recipe on data, and writes the model and its report."""

import csv
import io
import itertools
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np

from digitscope.arrays import Array
from digitscope.datasets import DataSet, load_data
from digitscope.errors import DivergenceError, TrainingError
from digitscope.files.atomic import remove_temporary, unwritable, write_atomic
from digitscope.files.lock import FolderLock
from digitscope.files.opening import exists
from digitscope.jobs.loss_notes import loss_notes
from digitscope.metrics import Evaluation
from digitscope.model import Model
from digitscope.recipes import RECIPES, Recipe, RecipeSettings, Training
from digitscope.training import Epoch, Step, load_checkpoint, save_checkpoint, stack_snapshots, train
from digitscope.training.settings import recorded_settings, setting_text
from digitscope.training_info import TrainingInfo

if TYPE_CHECKING:
    from digitscope.report.learning_slider import LearningSteps

MODEL, HISTORY, REPORT, CHECKPOINT = "model.safetensors", "history.csv", "report.html", "checkpoint.safetensors"


@dataclass(frozen=True)
class Settings:
    """What decides the outcome of a run; None keeps the recipe's own value."""

    recipe: str
    data: str = "mnist"
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

    def __post_init__(self) -> None:
        if self.layers is not None:  # a checkpoint has a list
            object.__setattr__(self, "layers", tuple(self.layers))

    @property
    def changes(self) -> RecipeSettings:
        """The settings that replace the recipe's own."""
        values = {name: getattr(self, name) for name in RecipeSettings.__annotations__}
        return cast(RecipeSettings, {name: value for name, value in values.items() if value is not None})


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
    """What the reader of the results should know about the classes."""

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
        # Of the validation images: test images would be used before everything is decided.
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
            with FolderLock(folder):  # says so if the run is under way
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
        path = folder / CHECKPOINT
        if not exists(path):
            state = "is finished" if exists(folder / MODEL) else "holds no checkpoint"
            raise TrainingError(f"{folder} {state}: there is nothing to resume. Start again without --resume.")
        with ExitStack() as stack:
            lock = stack.enter_context(FolderLock(folder))
            checkpoint = load_checkpoint(path)
            digest = checkpoint.settings.pop("digest")
            settings = Settings(**checkpoint.settings)
            _check_given(given or {}, settings, folder)
            data, recipe, training = _prepare(settings)
            if data.digest != digest:
                raise TrainingError(
                    f"{settings.data} is not what the run in {folder} began with. Restore it, or start a new run."
                )
            checkpoint.restore(training.run)
            for name in (MODEL, HISTORY, REPORT, CHECKPOINT):
                remove_temporary(folder / name)
            stack.pop_all()
        return cls(settings, folder, data, recipe, training, lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.lock.release()

    def save(self) -> None:
        """Writes the checkpoint."""
        settings = {**asdict(self.settings), "digest": self.data.digest}
        save_checkpoint(self.folder / CHECKPOINT, self.training.run, settings)

    def work(self, *, threads: int, checkpoint_every: float, device: str = "cpu") -> Iterator[Step | Epoch]:
        """Trains to the end, yielding results, with a checkpoint every so many seconds.

        Raises: DivergenceError, which then names the last checkpoint.
        """
        t = self.training
        saved = time.monotonic()
        try:
            for result in train(
                t.run, t.images, t.labels, validation=t.validation, watch=self.watch, threads=threads, device=device
            ):
                if time.monotonic() - saved >= checkpoint_every:
                    self.save()
                    saved = time.monotonic()
                yield result
        except DivergenceError as error:
            rate = self.recipe.plan.schedule.learning_rate
            own = RECIPES[self.settings.recipe].plan.schedule.learning_rate
            advised = own if rate >= 10 * own else rate / 10  # A tenth of 1e6 is too high, too.
            raise DivergenceError(
                f"{error} Try --learning-rate {advised:.2g}. The last good checkpoint is {self.folder / CHECKPOINT}."
            ) from error

    def finish(self, *, threads: int | None = None) -> Summary:
        """Evaluates on the test set (its only use), writes model, history and report, and removes the checkpoint."""
        run = self.training.run
        validation_accuracy = run.history["validation_accuracy"][-1]
        assert validation_accuracy is not None
        network = run.outcome(self.training.images)
        model = Model(network, run.plan.loss, self.data.x_train.shape[1:], self._info(validation_accuracy))
        model = model.calibrated(*self.training.validation, threads=threads)
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
                f"{self.folder} was deleted or changed while the run was written: {', '.join(missing)} is not there. "
                "Train again."
            )
        (self.folder / CHECKPOINT).unlink(missing_ok=True)
        return summary

    def _info(self, validation_accuracy: float) -> TrainingInfo:
        # Nothing that differs between two runs of the same settings: the same run gives the same bytes.
        plan = self.recipe.plan
        return TrainingInfo(
            recipe=self.recipe.name,
            seed=self.settings.seed,
            epochs=plan.epochs,
            learning_rate=plan.schedule.learning_rate,
            batch_size=plan.batch_size,
            data=self.data.name,
            data_digest=self.data.digest,
            classes=self.data.classes,
            train_images=len(self.training.images),
            validation_images=len(self.training.validation[0]),
            validation_accuracy=validation_accuracy,
            **recorded_settings(self.settings.changes),
        )

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


def first_of_each_class(labels: Array) -> list[int]:
    """The index of the first image of each class, of up to ten classes."""
    return [int(index) for index in np.unique(labels, return_index=True)[1][:10]]


def holds_run(folder: Path) -> bool:
    """Raises: DigitscopeError if the folder cannot be read."""
    return any(exists(folder / name) for name in (MODEL, HISTORY, REPORT, CHECKPOINT))


def _holds_run_error(folder: Path) -> TrainingError:
    return TrainingError(
        f"{folder} already holds a run. Choose another --out, delete it, or continue it with --resume."
    )


def latest_stopped(recipe: str | None) -> Path:
    """The folder under runs/ with the newest checkpoint, of any recipe or of this one.

    Raises: TrainingError if there is none.
    """
    pattern = f"{recipe or '*'}/{CHECKPOINT}", f"{recipe or '*'}-[0-9]*/{CHECKPOINT}"
    found = {path for each in pattern for path in Path("runs").glob(each)}
    if not found:
        raise TrainingError("No stopped run was found under runs/. Name its folder: --resume --out DIR.")
    return max(found, key=lambda path: path.stat().st_mtime).parent


def _check_given(given: Mapping[str, Any], settings: Settings, folder: Path) -> None:
    """Raises: TrainingError if a given setting differs from what the run in the folder began with."""
    begun = asdict(settings)
    for name, value in given.items():
        # Compared as JSON, which is how a checkpoint keeps them: there a tuple is a list.
        if json.dumps(value) != json.dumps(begun[name]):
            option = f"--{name.replace('_', '-')}"
            with_what = f"with {option} {setting_text(begun[name])}" if begun[name] is not None else f"without {option}"
            got = setting_text(value)
            raise TrainingError(f"The run in {folder} began {with_what}; got {got}. Leave out {option}.")


def _prepare(settings: Settings) -> tuple[DataSet, Recipe, Training]:
    recipe = RECIPES[settings.recipe].with_settings(**settings.changes)
    data = load_data(settings.data)
    return data, recipe, recipe.start(data, settings.seed)


def _new_folder(parent: Path, name: str) -> Path:
    """parent/name, or parent/name-2 and so on: the first that does not exist, made so that nobody else takes it.

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
    writer.writerows(zip(*history.values(), strict=True))
    return text.getvalue().encode()
