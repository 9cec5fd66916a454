"""`digitscope runs` without the terminal: the trainings in a folder, and two of them side by side."""

import csv
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from digitscope.arrays import Array
from digitscope.datasets import DataSet, load_data
from digitscope.errors import DataError, DigitscopeError, TrainingError
from digitscope.files.lock import NAME as LOCK_FILE
from digitscope.files.lock import FolderLock
from digitscope.jobs.train import (
    CHECKPOINT,
    HISTORY,
    MODEL,
    PREVIOUS,
    Settings,
    begun_settings,
    holds_run,
    newest_checkpoint,
)
from digitscope.metrics import Evaluation
from digitscope.model import Model
from digitscope.recipes import RECIPES, Recipe
from digitscope.recipes.held_out import digests, evaluation_part
from digitscope.report.comparison_page import ComparedRun, RunComparison
from digitscope.training import load_checkpoint
from digitscope.training.settings import setting_text

History = dict[str, list[float | None]]

_NEEDED = ("step", "epoch", "loss", "accuracy", "validation_loss", "validation_accuracy")


@dataclass(frozen=True)
class FoundRun:
    """A training in its folder."""

    folder: Path
    state: str
    """"finished", "running", "stopped" or "damaged"."""
    recipe: str | None = None
    data: str | None = None
    settings: dict[str, Any] | None = None
    """Epochs, learning rate, seed and so on: those that are known."""
    epoch: int | None = None
    """The number of complete epochs; of an ensemble, those of the member that learns."""
    validation_accuracy: float | None = None
    test_accuracy: float | None = None
    member: int = 0
    """The number of the ensemble's member that learns, from 0."""
    changed: float = 0.0
    """When its model or checkpoint was written, in seconds since 1970."""
    problem: str | None = None
    """The reason why it cannot be read, if it is damaged."""

    def as_json(self) -> dict[str, Any]:
        """What `digitscope runs --json` prints."""
        return {**asdict(self), "folder": str(self.folder)}

    @property
    def own_settings(self) -> dict[str, Any]:
        """The settings that differ from the recipe's own, and the seed."""
        recipe = RECIPES.get(self.recipe or "")
        if recipe is None or self.settings is None:
            return dict(self.settings or {})
        usual = _plan_settings(recipe)
        return {name: value for name, value in self.settings.items() if name not in usual or value != usual[name]}


def _plan_settings(recipe: Recipe) -> dict[str, Any]:
    """The settings of the recipe's own plan that every training has."""
    plan = recipe.plan
    return {
        "epochs": plan.epochs,
        "learning_rate": plan.schedule.learning_rate,
        "batch_size": "all" if plan.batch_size is None else plan.batch_size,
    }


def find_runs(folder: Path) -> list[FoundRun]:
    """The training in `folder`, or those in the folders in it; the newest first. A damaged one says why.

    Raises: TrainingError if there is none.
    """
    folders = [folder] if holds_run(folder) else [path for path in _subfolders(folder) if _may_hold_run(path)]
    if not folders:
        raise TrainingError(
            f"No training was found in {folder}. Train a network with `digitscope train`, or name another folder."
        )
    return sorted((read_run(path) for path in folders), key=lambda run: -run.changed)


def _may_hold_run(folder: Path) -> bool:
    try:
        return holds_run(folder)
    except DigitscopeError:
        return True  # `read_run` says why it cannot be read


def _subfolders(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield from (path for path in sorted(folder.iterdir()) if path.is_dir())


def read_run(folder: Path) -> FoundRun:
    """The training in a folder: finished, stopped or damaged."""
    try:
        if checkpoint := newest_checkpoint(folder):
            return _stopped(checkpoint)
        return _finished(folder)
    except DigitscopeError as error:
        problem = str(error)
    except OSError as error:
        problem = f"{folder} cannot be read: {error}"
    return FoundRun(folder, "damaged", changed=_changed(folder), problem=problem)


def _stopped(path: Path) -> FoundRun:
    checkpoint, folder = load_checkpoint(path), path.parent
    settings, _ = begun_settings(checkpoint)
    recipe = settings.changed_recipe()
    given = {name: value for name, value in asdict(settings).items() if value is not None}
    measured = [value for value in checkpoint.history["validation_accuracy"] if value is not None]
    return FoundRun(
        folder,
        "running" if _is_running(folder) else "stopped",
        given.pop("recipe"),
        given.pop("data"),
        {**_plan_settings(recipe), **given},
        checkpoint.epoch - checkpoint.member * recipe.plan.epochs,
        measured[-1] if measured else None,
        member=checkpoint.member,
        changed=_changed(folder),
    )


def _is_running(folder: Path) -> bool:
    """Whether a process holds the folder's lock. A process that was killed leaves the lock file, but not the lock."""
    if not (folder / LOCK_FILE).exists():
        return False
    try:
        with FolderLock(folder):
            return False
    except TrainingError:
        return True


def _finished(folder: Path) -> FoundRun:
    info = Model.load(folder / MODEL).info
    read_history(folder / HISTORY)
    known = [field.name for field in fields(Settings) if field.name not in ("recipe", "data")]
    values = {name: value for name in known if (value := getattr(info, name)) is not None}
    values.setdefault("batch_size", "all")
    return FoundRun(
        folder,
        "finished",
        info.recipe,
        info.data,
        values,
        info.epochs,
        info.validation_accuracy,
        info.test_accuracy,
        changed=_changed(folder),
    )


def _changed(folder: Path) -> float:
    """When the model or the checkpoint was written, the later of the two; 0 if neither can be read."""
    times = []
    for name in (MODEL, CHECKPOINT, PREVIOUS):
        with suppress(OSError):
            times.append((folder / name).stat().st_mtime)
    return max(times, default=0.0)


def read_history(path: Path) -> History:
    """The columns of a history.csv; None where there is no number.

    Raises: DataError if it is missing, damaged or without rows.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))
        heading = rows.pop(0) if rows else []
        for number, row in enumerate(rows, start=2):
            if len(row) != len(heading):
                raise ValueError(f"line {number} has {len(row)} cells, not {len(heading)}")
        history = {name: [float(row[i]) if row[i] else None for row in rows] for i, name in enumerate(heading)}
    except FileNotFoundError:
        raise DataError(f"{path} does not exist. Train again, or restore it.") from None
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(f"{path}: expected the history of a training; {error}.") from error
    if missing := [name for name in _NEEDED if not history.get(name)]:
        raise DataError(f"{path}: expected the history of a training; the column {missing[0]} is missing or empty.")
    return history


def compare_runs(folders: tuple[Path, Path], source: str | None, *, threads: int | None = None) -> RunComparison:
    """Two trainings side by side.

    source: the data on whose evaluation images both are compared; None takes MNIST if both were trained on it
    Raises: TrainingError or DataError if a folder holds no training, or a damaged one; DataError for the data.
    """
    first, second = (_checked_run(folder) for folder in folders)
    data, reason = _common_data((first, second), source)
    (one, one_answers), (other, other_answers) = (_compared(run, data, threads) for run in (first, second))
    return RunComparison((one, other), data.name if data else None, reason, _only_right(one_answers, other_answers))


def _only_right(first: "_Answers | None", second: "_Answers | None") -> tuple[int, int] | None:
    """The numbers of images that only the first, and only the second, read correctly, if they saw the same images."""
    if first is None or second is None or not np.array_equal(first.images, second.images):
        return None
    return int((first.right & ~second.right).sum()), int((second.right & ~first.right).sum())


def _checked_run(folder: Path) -> FoundRun:
    if not holds_run(folder):
        raise TrainingError(f"No training was found in {folder}. Name two folders that `digitscope train` wrote.")
    run = read_run(folder)
    if run.problem is not None:
        raise TrainingError(run.problem)
    return run


def _common_data(runs: tuple[FoundRun, FoundRun], source: str | None) -> tuple[DataSet | None, str]:
    """The data to compare on; or None, and the reason."""
    if any(run.state != "finished" for run in runs):
        return None, "A training that is not finished has no model yet, so there is no confusion matrix."
    if source is not None:
        return load_data(source), ""
    mnist = load_data("mnist")
    if all(mnist.digest in digests(Model.load(run.folder / MODEL).info) for run in runs):
        return mnist, ""
    return None, "The confusion matrices need the data that both were trained on: name them with --data."


@dataclass(frozen=True, eq=False)
class _Answers:
    images: Array
    right: Array
    """Whether each of them was read correctly."""


def _compared(run: FoundRun, data: DataSet | None, threads: int | None) -> tuple[ComparedRun, _Answers | None]:
    """One side of the page, and the answers if there are data."""
    settings = {"recipe": run.recipe, "data": run.data, **(run.settings or {})}
    settings = {name: setting_text(value) for name, value in settings.items()}
    if checkpoint := newest_checkpoint(run.folder):
        history = load_checkpoint(checkpoint).history
        return ComparedRun(str(run.folder), settings, history, run.validation_accuracy), None
    model = Model.load(run.folder / MODEL)
    evaluation = answers = None
    if data is not None:
        model.check_data(data)
        part = evaluation_part(model.info, data)
        probabilities = model.predict_proba(part.images, threads=threads)
        evaluation = Evaluation.of(part.labels, probabilities)
        answers = _Answers(part.images, probabilities.argmax(axis=1) == part.labels)
    compared = ComparedRun(
        str(run.folder),
        settings,
        read_history(run.folder / HISTORY),
        run.validation_accuracy,
        model.info.validation_images,
        model.parameters,
        evaluation,
    )
    return compared, answers
