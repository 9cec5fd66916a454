"""A training that can go back to any of its steps, and on from there in another way.

Some of its states are kept as checkpoints. Every other step is reached by training again from the nearest checkpoint
before it; since a training is deterministic, that gives the same bits.
"""

import json
import re
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Self, cast

import numpy as np

from digitscope.arguments import check_whole, shown
from digitscope.datasets import DataSet, load_data
from digitscope.errors import DataError, ModelError, TrainingError
from digitscope.files.atomic import remove_temporary, write_atomic
from digitscope.files.lock import FolderLock
from digitscope.jobs.fit import PLAN
from digitscope.jobs.layer_list import LayerChoice, network_of
from digitscope.jobs.train import ChosenSettings, info_of
from digitscope.model import Model
from digitscope.recipes import RECIPES, Recipe, Training
from digitscope.recipes.recipe import NETWORK, VALIDATION_SHARE, hold_out_end
from digitscope.training import (
    HISTORY_COLUMNS,
    Epoch,
    Plan,
    Run,
    SingleStep,
    Step,
    Thresholds,
    evaluate,
    load_checkpoint,
    save_checkpoint,
    train,
)
from digitscope.training.settings import PlanSettings, by_name

STATE = "timeline.json"
MAX_BRANCHES = 12
MAX_CHECKPOINTS = 24
"""Of a branch."""
MAX_BYTES = 512 << 20
"""Of all checkpoints together, except each branch's first and last."""
SAVE_SECONDS = 1.0
"""Minimum time between two checkpoints."""
SAVE_SHARE = 0.02
"""Maximum share of the time that is spent in writing them."""

MAX_PIXELS, MAX_CLASSES = 128 * 128, 100
"""Of the images: larger ones make dense layers and confusion matrices too large to be kept and shown."""

BRANCH_SETTINGS = ("epochs", "learning_rate", "label_smoothing", "optimizer", "weight_decay", "schedule", "augment")
"""Those that a branch may change: the batches stay as they are, so that each step has one number."""

History = dict[str, list[float | None]]
Wanted = Callable[[int], bool]
Results = Generator[Step | Epoch, None, None]


@dataclass(frozen=True)
class Experiment(ChosenSettings):
    """Everything that decides a training's bits."""

    recipe: str
    """A rung of the ladder, or "network" for a list of layers."""
    network: tuple[LayerChoice, ...] = ()
    data: str = "mnist"
    """As `load_data` takes it."""
    images: int | None = None
    """The number of training images of the data that are used, spread evenly over all; None for all."""

    def __post_init__(self) -> None:
        """Raises: TrainingError for an unknown recipe, and for settings that only a rung takes."""
        check_whole("seed", self.seed, 0, error=TrainingError)
        check_whole("images", self.images, 20, optional=True, error=TrainingError)
        if self.recipe == NETWORK:
            given = [name for name in ("layers", "activation", "dropout") if getattr(self, name) is not None]
            if given:
                raise TrainingError(f"{', '.join(given)} can be set for a recipe. Change the list of layers instead.")
            return
        by_name("recipe", {**RECIPES, NETWORK: None}, self.recipe)
        if self.network:
            raise TrainingError(f"A list of layers is expected with the recipe {NETWORK}; got {self.recipe}.")

    def changed_recipe(self) -> Recipe:
        """Raises: as `Recipe.with_settings`."""
        if self.recipe != NETWORK:
            return RECIPES[self.recipe].with_settings(**self.changes)
        plan = PLAN.with_settings(**cast(PlanSettings, self.changes))  # a list of layers has no others
        choices = self.network
        return Recipe(
            NETWORK,
            "",
            "",
            lambda rng, shape, classes: network_of(choices, rng, shape, classes),
            plan,
            hold_out_end(VALIDATION_SHARE),
        )

    def load(self) -> DataSet:
        """The data, or their part. Raises: as `load_data` and `check_size`; DataError if there are fewer images."""
        data = load_data(self.data)
        check_size(data)
        count = len(data.y_train)
        if self.images is None or self.images == count:
            return data
        if self.images > count:
            raise DataError(f"{data.name} has {count:,} training images; got {self.images:,}. Choose fewer.")
        rows = np.arange(self.images) * count // self.images
        name = f"{data.name} ({self.images:,} images)"
        return replace(data, name=name, x_train=data.x_train[rows], y_train=data.y_train[rows])

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """What `as_json` gave, also by way of a file.

        Raises: DigitscopeError for other entries or values.
        """
        values = dict(content)
        if unknown := values.keys() - {entry.name for entry in fields(cls)}:
            raise TrainingError(f"An experiment has no setting {shown(min(unknown))}.")
        network = values.pop("network", ())
        layers = values.pop("layers", None)
        return cls(
            network=tuple(LayerChoice(**choice) for choice in network),
            layers=None if layers is None else tuple(layers),
            **values,
        )


def check_size(data: DataSet) -> None:
    """Raises: DataError for images of more than MAX_PIXELS, or more than MAX_CLASSES classes."""
    _, height, width = data.x_train.shape
    if height * width > MAX_PIXELS or data.classes > MAX_CLASSES:
        raise DataError(
            f"{data.name} has images of {height}x{width} pixels in {data.classes:,} classes; up to "
            f"{MAX_PIXELS:,} pixels and {MAX_CLASSES} classes are expected. Scale the images down or leave classes out."
        )


@dataclass(frozen=True)
class Branch:
    """A way that the training takes from some step on."""

    parent: int | None = None
    """The branch that it left; None for the first one."""
    step: int = 0
    """The number of steps that it has in common with its parent."""
    changes: dict[str, Any] = field(default_factory=dict)
    """The settings that replace its parent's."""


class Timeline:
    """One training in its folder, which is locked for other processes until `close`."""

    def __init__(
        self,
        folder: Path,
        experiment: Experiment,
        lock: FolderLock,
        branches: list[Branch],
        branch: int = 0,
    ) -> None:
        self.folder, self.experiment, self.lock = folder, experiment, lock
        self.branches, self.branch = branches, branch
        self.recipe = experiment.changed_recipe()
        self.data = experiment.load()
        self.training: Training = self.recipe.start(self.data, experiment.seed)
        self.curves: list[History] = [{name: [] for name in HISTORY_COLUMNS} for _ in branches]
        """All results that are known of each branch, also those after the current step."""
        self.saves = 0
        """The number of checkpoints that were written."""
        self._kept: dict[tuple[int, int], int] = {}
        """The size of each checkpoint in bytes, by branch and step."""
        self._saved = time.monotonic()
        self._save_seconds = 0.0
        self._has_trained = False

    @classmethod
    def begin(cls, folder: Path, experiment: Experiment) -> "Timeline":
        """A new training, before its first step. Nothing is written before its data are read.

        Raises: DigitscopeError if the settings, the data and the network do not fit each other.
        """
        lock = FolderLock(folder)
        timeline = cls(folder, experiment, lock, [Branch()])
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
        timeline.save()
        return timeline

    @classmethod
    def open(cls, folder: Path, *, patience: float = 0.0) -> tuple["Timeline", dict[str, Any]]:
        """The training in a folder, at its first step, and what was noted with `write_state`, with the "branch" and
        "step" at which it stood.

        patience: the seconds for which a process that still works in the folder is waited for

        Raises: DigitscopeError if there is none, if its data have changed, or if another process works on it.
        """
        lock = FolderLock(folder)
        _acquire(lock, patience)
        try:
            # Not before: a process that held the lock may have saved the training just before it ended.
            experiment, branches, (branch, step), digest, noted = read_state(folder)
            timeline = cls(folder, experiment, lock, branches)
            if timeline.data.digest != digest:
                raise TrainingError(f"{experiment.data} has changed since the training began. Start a new one.")
            timeline._find_kept()
            return timeline, {**noted, "branch": branch, "step": step}
        except BaseException:
            lock.release()
            raise

    def close(self) -> None:
        self.lock.release()

    @property
    def run(self) -> Run:
        return self.training.run

    @property
    def plan(self) -> Plan:
        return self.run.plan

    @property
    def batches(self) -> int:
        """Steps in an epoch."""
        return self.plan.batches(len(self.training.images))

    @property
    def step(self) -> int:
        """The number of steps done."""
        return self.run.epoch * self.batches + self.run.batch

    @property
    def steps(self) -> int:
        """The number of steps of the current branch's plan."""
        return self.run.epochs * self.batches

    def steps_of(self, branch: int) -> int:
        """The number of steps of a branch's plan."""
        return self.plan_of(branch).epochs * len(self.run.learners) * self.batches

    @property
    def is_finished(self) -> bool:
        return self.run.epoch == self.run.epochs

    def plan_of(self, branch: int) -> Plan:
        """Raises: TrainingError if its changes do not fit."""
        own = self.branches[branch]
        if own.parent is None:
            return self.recipe.plan
        return self.plan_of(own.parent).with_settings(**own.changes)

    def changes_of(self, branch: int) -> dict[str, Any]:
        """The settings of a branch that replace the recipe's own."""
        own = self.branches[branch]
        before = self.experiment.changes if own.parent is None else self.changes_of(own.parent)
        return {**before, **own.changes}

    def results(self, *, threads: int, is_wanted: Wanted | None = None) -> Results:
        """Trains from the current step to the end of the branch, and keeps checkpoints on the way.

        Whenever the iteration is left, the training may be saved, go elsewhere, or go on.

        Raises: DivergenceError.
        """
        t, run = self.training, self.run
        if run.epoch >= run.epochs:
            return
        # The number of BLAS threads is chosen by trials, which need not be repeated at length.
        thresholds = Thresholds(blas_trials=3, blas_trial_seconds=0.05) if self._has_trained else None
        self._has_trained = True
        for result in train(
            run,
            t.images,
            t.labels,
            validation=t.validation,
            threads=threads,
            thresholds=thresholds,
            is_wanted=is_wanted,
        ):
            if not isinstance(result, SingleStep):
                self._note(result)
            if run.batch < self.batches and self._is_save_due():
                self.save()
            yield result
            if self.is_finished:
                return  # before `train` replaces the weights by their average, from which no branch could go on

    def go(self, branch: int, step: int, *, threads: int, is_wanted: Wanted | None = None) -> Results:
        """Brings the training to a step, and yields the results on the way there.

        Raises: TrainingError if there is no such branch or step; DivergenceError.
        """
        branch = self.branch_at(branch, step)
        self._restore_nearest(branch, step)
        if self.step == step and self.run.batch < self.batches:
            return

        def wanted(number: int) -> bool:
            return number == step or (is_wanted is not None and is_wanted(number))

        for result in self.results(threads=threads, is_wanted=wanted):
            yield result
            # At the end of an epoch its validation is part of the step.
            if self.step == step and (isinstance(result, Epoch) or step % self.batches):
                return

    def branch_at(self, branch: int, step: int) -> int:
        """The branch that the step of a branch belongs to: before it left its parent, that one.

        Raises: TrainingError if there is no such branch or step.
        """
        if not 0 <= branch < len(self.branches):
            raise TrainingError(f"There are {len(self.branches)} branches, from 0; got {branch}.")
        steps = self.steps_of(branch)
        if not 0 <= step <= steps:
            raise TrainingError(f"The branch has the steps 0 to {steps:,}; got {step:,}.")
        while (parent := self.branches[branch].parent) is not None and step < self.branches[branch].step:
            branch = parent
        return branch

    def fork(self, changes: Mapping[str, Any]) -> None:
        """Leaves the branch at the current step: from here on, the training goes on with these settings.

        Raises: TrainingError or DataError for settings that a branch cannot change, or values out of range.
        """
        if unknown := [name for name in changes if name not in BRANCH_SETTINGS]:
            raise TrainingError(f"A branch can change {', '.join(BRANCH_SETTINGS)}; got {unknown[0]}.")
        if len(self.branches) >= MAX_BRANCHES:
            raise TrainingError(f"A training has up to {MAX_BRANCHES} branches. Start a new one.")
        run, plan = self.run, self.plan.with_settings(**changes)
        if plan.epochs != run.plan.epochs and len(run.learners) > 1:
            raise TrainingError("The epochs of an ensemble cannot be changed on the way. Leave them out.")
        if plan.epochs * self.batches < self.step:
            least = -(-self.step // self.batches)
            raise TrainingError(f"epochs is expected to be at least {least}; got {plan.epochs}.")
        if plan.optimizer.slots != run.plan.optimizer.slots:
            run.optimizer_state = plan.optimizer.start(run.learner.params)
        run.plan = plan
        self.branches.append(Branch(self.branch, self.step, dict(changes)))
        self.curves.append({name: list(values) for name, values in run.history.items()})
        self.branch = len(self.branches) - 1
        self.save()

    def save(self) -> None:
        """Writes a checkpoint of the current step, unless there is one, and removes others if there are too many.

        Raises: DigitscopeError if it cannot be written.
        """
        began = time.monotonic()
        key = self.branch, self.step
        if key not in self._kept:
            path = self._path(*key)
            save_checkpoint(path, self.run, {})
            self._kept[key] = path.stat().st_size
            self.saves += 1
            self._thin()
        self._saved = time.monotonic()
        self._save_seconds = self._saved - began

    def write_state(self, noted: Mapping[str, Any], *, position: tuple[int, int] | None = None) -> None:
        """Notes in the folder where the training stands (or shall go), for `open`, with the caller's own values."""
        state = {
            "experiment": self.experiment.as_json(),
            "digest": self.data.digest,
            "branches": [asdict(branch) for branch in self.branches],
            "position": position or (self.branch, self.step),
            "noted": dict(noted),
        }
        write_atomic(self.folder / STATE, json.dumps(state).encode())

    def model(self, *, threads: int | None = None) -> Model:
        """The network of the current step, ready for use: averaged, measured and calibrated. The run stays as it is."""
        run, t = self.run, self.training
        network = run.outcome(t.images).map_arrays(np.copy)
        accuracy = run.history["validation_accuracy"][-1] if self.step and run.batch == 0 else None
        if accuracy is None:
            accuracy = evaluate(network, self.plan.loss, *t.validation, threads=threads)[1]
        info = info_of(
            replace(self.recipe, plan=self.plan),
            self.data,
            t,
            self.experiment.seed,
            self.changes_of(self.branch),
            accuracy,
            epochs=min(run.epoch, self.plan.epochs),
        )
        height, width = t.images.shape[1:]
        model = Model(network, self.plan.loss, (height, width), info)
        return model.calibrated(*t.calibration(), threads=threads)

    def kept(self, branch: int) -> list[int]:
        """The steps of a branch of which there are checkpoints."""
        return sorted(step for number, step in self._kept if number == branch)

    def _note(self, result: Step | Epoch) -> None:
        """Adds to the branch's curve what it does not have yet. At the end of an epoch the last entry has changed."""
        curve, history = self.curves[self.branch], self.run.history
        known, count = len(curve["step"]), len(history["step"])
        if count > known or (count == known and isinstance(result, Epoch)):
            first = min(known, count - 1)
            for name, values in history.items():
                curve[name][first:] = values[first:]

    def _restore_nearest(self, branch: int, step: int) -> None:
        """Brings the run to the last checkpoint before the step, unless it is nearer already."""
        before = [kept for kept in self.kept(branch) if kept <= step]
        if not before:
            raise ModelError(f"{self.folder}: the checkpoint from which branch {branch} began is missing.")
        if self.branch == branch and before[-1] <= self.step <= step:
            return
        self.restore(branch, before[-1])

    def restore(self, branch: int, step: int) -> None:
        """Brings the run to a step of which there is a checkpoint. Raises: ModelError if it is missing or damaged."""
        run = self.run
        run.plan = self.plan_of(branch)
        run.member = 0
        run.optimizer_state = run.plan.optimizer.start(run.learner.params)
        load_checkpoint(self._path(branch, step)).restore(run)
        self.branch = branch

    def _path(self, branch: int, step: int) -> Path:
        return self.folder / f"branch-{branch}" / f"step-{step:09}.safetensors"

    def _is_save_due(self) -> bool:
        since = time.monotonic() - self._saved
        return since >= max(SAVE_SECONDS, self._save_seconds / SAVE_SHARE)

    def _find_kept(self) -> None:
        """Reads which checkpoints there are, and the curves from each branch's last one."""
        for number in range(len(self.branches)):
            for step, path in checkpoints(self.folder, number).items():
                self._kept[number, step] = path.stat().st_size
            steps = self.kept(number)
            if not steps:
                raise ModelError(f"{self.folder}: the checkpoints of branch {number} are missing.")
            remove_temporary(self._path(number, steps[0]))
            self.curves[number] = load_checkpoint(self._path(number, steps[-1])).history

    def _thin(self) -> None:
        """Removes checkpoints that are close to their neighbours until there are few enough."""
        while (key := self._superfluous()) is not None:
            self._path(*key).unlink(missing_ok=True)
            del self._kept[key]

    def _superfluous(self) -> tuple[int, int] | None:
        """Of too many checkpoints, the one whose neighbours are closest to each other; else None."""
        gaps: dict[tuple[int, int], int] = {}
        for branch in range(len(self.branches)):
            steps = self.kept(branch)
            own = {
                (branch, step): after - before for before, step, after in zip(steps, steps[1:], steps[2:], strict=False)
            }
            if len(steps) > MAX_CHECKPOINTS:
                return min(own, key=lambda key: own[key])
            gaps |= own
        if sum(self._kept[key] for key in gaps) <= MAX_BYTES:
            return None
        return min(gaps, key=lambda key: gaps[key])


def read_state(folder: Path) -> tuple[Experiment, list[Branch], tuple[int, int], str, dict[str, Any]]:
    """What `write_state` wrote: the experiment, its branches, the branch and step at which it stood, the digest of its
    data, and the caller's own values.

    Raises: ModelError if it is missing or damaged.
    """
    path = folder / STATE
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
        experiment = Experiment.from_json(state["experiment"])
        branches = [Branch(**branch) for branch in state["branches"]]
        branch, step = (int(number) for number in state["position"])
        return experiment, branches, (branch, step), state["digest"], dict(state["noted"])
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise ModelError(f"{path}: expected a training of the lab; it is missing or damaged ({error}).") from error


def checkpoints(folder: Path, branch: int) -> dict[int, Path]:
    """The files of a branch's checkpoints by their steps, in order."""
    found = {}
    for path in (folder / f"branch-{branch}").glob("step-*.safetensors"):
        if match := re.fullmatch(r"step-(\d{9,})\.safetensors", path.name):
            found[int(match[1])] = path
    return dict(sorted(found.items()))


def _acquire(lock: FolderLock, patience: float) -> None:
    """Raises: TrainingError if another process holds the lock for longer than that."""
    end = time.monotonic() + patience
    while True:
        try:
            return lock.acquire()
        except TrainingError:
            if time.monotonic() >= end:
                raise
            time.sleep(0.1)
