"""`digitscope sweep` without the terminal: tries settings of a recipe, and stops the poor ones early.

Optuna chooses the settings (a tree-structured Parzen estimator, after ten trials at random) and says which trials to
stop (asynchronous successive halving). It keeps nothing on disk: each trial that is done is a file of ours, written
whole, from which a new study is filled. So a sweep that was killed continues with the same trials as one that was not.

Ranks try settings in rounds, one each. What a round tries, and when it stops, depends on the rounds before it, not on
which rank was faster.
"""

import csv
import io
import json
import math
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from digitscope.arguments import check_whole
from digitscope.datasets import load_data
from digitscope.errors import DataError, DigitscopeError, DivergenceError, TrainingError
from digitscope.files.atomic import write_atomic
from digitscope.files.lock import lock_folder
from digitscope.files.opening import exists, shown_path
from digitscope.jobs.cross_validation import TRAINING, train_from_checkpoint
from digitscope.jobs.train import Settings
from digitscope.training import Epoch
from digitscope.training.parallel.ranks import Ranks
from digitscope.training.settings import setting_text

if TYPE_CHECKING:
    import optuna

SETTINGS = "sweep.json"
TABLE = "trials.csv"
PLOT = "trials.png"
REDUCTION = 3
"""After 1, 3, 9, ... epochs a trial goes on only if it is among the best third of those that came so far."""

Value = float | int | str | tuple[int, ...]
COMPLETE, STOPPED, FAILED = "complete", "stopped early", "failed"

_NUMBERS = ("learning_rate", "weight_decay", "dropout", "label_smoothing")
_LOGARITHMIC = ("learning_rate", "weight_decay", "batch_size")
_NAMES = ("activation", "optimizer", "schedule", "loss", "augment")
TRIED = (*_NUMBERS, "batch_size", "layers", *_NAMES)
"""The settings that can be tried."""


@dataclass(frozen=True)
class Choices:
    """The values of one setting that are tried: those in `values`, or the numbers from `low` to `high`."""

    values: tuple[Value, ...] = ()
    low: float = 0.0
    high: float = 0.0

    @classmethod
    def parse(cls, name: str, text: str) -> Self:
        """The choices that a text stands for: 0.001..0.1, or 0,0.25,0.5, or 16,64,32x32 for layers.

        Raises: TrainingError for an unknown setting, or values that are none of it.
        """
        if name not in TRIED:
            known = ", ".join(setting.replace("_", "-") for setting in TRIED)
            raise TrainingError(f"The setting {name.replace('_', '-')!r} cannot be tried. Choose from {known}.")
        low, dots, high = text.partition("..")
        if dots:
            if name not in (*_NUMBERS, "batch_size"):
                raise TrainingError(f"{name} has no range; got {text!r}. List its values, separated by commas.")
            ends = [_number(name, end) for end in (low, high)]
            if not ends[0] < ends[1]:
                raise TrainingError(f"A range of {name} is expected from a lower to a higher number; got {text!r}.")
            if name in _LOGARITHMIC and ends[0] <= 0:
                raise TrainingError(f"A range of {name} is expected to begin above 0; got {text!r}.")
            return cls(low=ends[0], high=ends[1])
        return cls(tuple(_value(name, part.strip()) for part in text.split(",")))

    def distribution(self, name: str) -> "optuna.distributions.BaseDistribution":
        """The same for Optuna. Values are chosen by their index, because Optuna takes no tuples."""
        from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

        if self.values:
            return CategoricalDistribution(list(range(len(self.values))))
        if name == "batch_size":
            return IntDistribution(round(self.low), round(self.high), log=True)
        return FloatDistribution(self.low, self.high, log=name in _LOGARITHMIC)

    def value(self, drawn: Any) -> Value:
        """The setting for what Optuna chose."""
        chosen: Value = self.values[drawn] if self.values else drawn
        return float(f"{chosen:.4g}") if isinstance(chosen, float) else chosen


@dataclass(frozen=True)
class SweepTrial:
    """A trial that is done."""

    number: int
    """From 1."""
    settings: dict[str, Any]
    accuracies: list[float]
    """The validation accuracy after each epoch."""
    state: str
    """"complete", "stopped early" or "failed"."""
    problem: str | None
    """The reason, if it failed."""
    drawn: dict[str, Any]
    """What Optuna chose, and what its pruner noted."""
    notes: dict[str, Any]

    @property
    def accuracy(self) -> float:
        """The last validation accuracy; not a number if there is none."""
        return self.accuracies[-1] if self.accuracies else math.nan


@dataclass(frozen=True)
class TrialEpoch:
    """An epoch of a trial that is done."""

    number: int
    settings: dict[str, Any]
    epoch: int
    epochs: int
    accuracy: float


class SweepJob:
    """A sweep in its folder, which is locked until the context ends. A sweep of the same settings that was stopped
    there, however it ended, continues; with a larger number of trials, one that was finished does, too.

    Raises: DigitscopeError if Optuna is not installed, or the folder cannot be written; TrainingError for settings that
        do not fit, or a folder with another sweep; DataError for the data.
    """

    def __init__(
        self,
        settings: Settings,
        choices: Mapping[str, Choices],
        folder: Path,
        *,
        trials: int,
        threads: int | None = None,
        checkpoint_every: float = 5.0,
        ranks: Ranks | None = None,
    ) -> None:
        check_whole("trials", trials, 1, error=TrainingError)
        if not choices:
            raise TrainingError("A sweep expects at least one setting to try, such as --try learning-rate=0.001..0.1.")
        _check_installed()
        self.settings, self.choices, self.folder = settings, dict(choices), folder
        self.trials, self.threads, self.checkpoint_every = trials, threads, checkpoint_every
        self.ranks, (self.rank, self.size) = ranks, (0, 1) if ranks is None else (ranks.rank, ranks.size)
        self.data = load_data(settings.data)
        for name, choice in choices.items():
            for value in choice.values or (choice.low, choice.high):
                changed: dict[str, Any] = {
                    name: round(choice.low) if name == "batch_size" and not choice.values else value
                }
                replace(settings, **changed).changed_recipe()  # raises its errors before anything is written
        settings.changed_recipe().start(self.data, settings.seed)
        tried = {name: asdict(choice) for name, choice in choices.items()}
        begun = {**asdict(settings), "data": self.data.digest, "try": tried, "ranks": self.size}
        with ExitStack() as stack:
            if self.rank == 0:
                self._open_folder(json.loads(json.dumps(begun)), stack)
            if ranks is not None:
                ranks.share()  # The others read what rank 0 has locked.
            self.done = self._read_trials()
            self._stack = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def work(self) -> Generator[TrialEpoch | SweepTrial, None, None]:
        """Trains the trials that are not done yet, and yields their epochs and each that is done; of ranks, each the
        epochs of its own.

        Raises: DigitscopeError if a file cannot be written; ModelError for a damaged checkpoint.
        """
        for first in range(len(self.done) // self.size * self.size + 1, self.trials + 1, self.size):
            before = self.done[: first - 1]
            own: list[SweepTrial] = []
            if (number := first + self.rank) <= self.trials:
                own = [self._read_trial(number) or (yield from self._try(number, before))]
            if self.ranks is None:
                found = own
            else:
                self.ranks.share()  # Ranks that are done sleep here.
                found = self.ranks.gather(own)
            new = found[len(self.done) - len(before) :]
            self.done = before + found
            if self.rank == 0:
                self._write_table()
            yield from new
        if self.rank == 0:
            self._write_table()
            self._write_plot()

    def _try(self, number: int, before: Sequence[SweepTrial]) -> Generator[TrialEpoch, None, SweepTrial]:
        """Chooses a trial's settings by those of the rounds before, trains it and keeps its record."""
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        pruner = optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=REDUCTION)
        # A generator for each trial: what it draws depends on the trials before it, not on who was killed.
        sampler = optuna.samplers.TPESampler(seed=(self.settings.seed + number) % 2**32)
        study = optuna.create_study(direction="maximize", pruner=pruner, sampler=sampler)
        distributions = {name: choice.distribution(name) for name, choice in self.choices.items()}
        for done in before:
            study.add_trial(_frozen(done, distributions))
        trial = study.ask(distributions)
        done = yield from self._trial(number, trial)
        state = {COMPLETE: optuna.trial.TrialState.COMPLETE, STOPPED: optuna.trial.TrialState.PRUNED}
        told = state.get(done.state, optuna.trial.TrialState.FAIL)
        study.tell(trial, done.accuracy if done.state == COMPLETE else None, state=told)
        record = json.dumps(asdict(replace(done, notes=study.trials[-1].system_attrs)))
        write_atomic(self._record(number), record.encode())
        self._checkpoint(number).unlink(missing_ok=True)
        return SweepTrial(**json.loads(record))  # as it is read again: with lists, not tuples

    def _trial(self, number: int, trial: "optuna.Trial") -> Generator[TrialEpoch, None, SweepTrial]:
        """Trains one trial, until it ends or the pruner stops it."""
        settings: dict[str, Any] = {name: choice.value(trial.params[name]) for name, choice in self.choices.items()}
        done = SweepTrial(number, settings, [], COMPLETE, None, trial.params, {})
        try:
            chosen = replace(self.settings, **settings)
            training = chosen.changed_recipe().start(self.data, chosen.seed)
            run = training.run
            about = json.loads(json.dumps({**asdict(chosen), "data": self.data.digest, "trial": number}))
            results = train_from_checkpoint(
                training,
                self._checkpoint(number),
                about,
                validated=True,
                threads=self.threads,
                checkpoint_every=self.checkpoint_every,
            )
            for result in results:
                if not isinstance(result, Epoch):
                    continue
                # All epochs, those before a resumption too: the pruner sees each of them once.
                measured = [value for value in run.history["validation_accuracy"] if value is not None]
                for accuracy in measured[len(done.accuracies) :]:
                    done.accuracies.append(accuracy)
                    trial.report(accuracy, len(done.accuracies))
                    if trial.should_prune() and len(done.accuracies) < run.epochs:
                        return replace(done, state=STOPPED)
                yield TrialEpoch(number, settings, result.epoch, run.epochs, measured[-1])
        except (DivergenceError, TrainingError, DataError) as error:
            return replace(done, state=FAILED, problem=str(error))
        return done

    def _open_folder(self, begun: dict[str, Any], stack: ExitStack) -> None:
        path = self.folder / SETTINGS
        stack.enter_context(lock_folder(self.folder))
        before = None
        if exists(path):
            try:
                before = json.loads(path.read_text(encoding="utf-8"))
            except (OSError, ValueError):
                before = {}
        if before is None:
            write_atomic(path, json.dumps(begun).encode())
        elif before != begun:
            raise TrainingError(
                f"{shown_path(self.folder)} holds a sweep of other settings, data or number of ranks. Continue it with "
                "the same ones, or choose another --out."
            )

    def _record(self, number: int) -> Path:
        return self.folder / f"trial-{number}.json"

    def _checkpoint(self, number: int) -> Path:
        return self.folder / f"trial-{number}-{TRAINING}"

    def _read_trials(self) -> list[SweepTrial]:
        """The trials that are done, in order, up to the first that is not."""
        found: list[SweepTrial] = []
        while done := self._read_trial(len(found) + 1):
            found.append(done)
        return found

    def _read_trial(self, number: int) -> SweepTrial | None:
        """The trial, if it is done."""
        if not exists(path := self._record(number)):
            return None
        try:
            done = SweepTrial(**json.loads(path.read_text(encoding="utf-8")))
            _frozen(done, {name: choice.distribution(name) for name, choice in self.choices.items()})
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise DigitscopeError(
                f"{shown_path(path)} is damaged ({error}). Delete it and the trials after it to repeat them."
            ) from error
        return done

    def _write_table(self) -> None:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["trial", *self.choices, "epochs", "validation_accuracy", "state"])
        for done in ranking(self.done):
            cells = [setting_text(done.settings[name]) for name in self.choices]
            accuracy = "" if math.isnan(done.accuracy) else done.accuracy
            writer.writerow([done.number, *cells, len(done.accuracies), accuracy, done.state])
        write_atomic(self.folder / TABLE, text.getvalue().encode())

    def _write_plot(self) -> None:
        from digitscope.report import to_png
        from digitscope.report.sweep_figure import sweep_figure

        curves = [(done.number, done.accuracies) for done in ranking(self.done)]
        write_atomic(self.folder / PLOT, to_png(sweep_figure(curves)))


def ranking(trials: Sequence[SweepTrial]) -> list[SweepTrial]:
    """Complete trials first, then those that went further; among equals the most accurate first."""
    order = {COMPLETE: 0, STOPPED: 1, FAILED: 2}
    return sorted(trials, key=lambda done: (order[done.state], -len(done.accuracies), -(done.accuracies or [0.0])[-1]))


def _frozen(
    done: SweepTrial, distributions: "Mapping[str, optuna.distributions.BaseDistribution]"
) -> "optuna.trial.FrozenTrial":
    """A trial that is done, for a new study."""
    import optuna

    states = {COMPLETE: optuna.trial.TrialState.COMPLETE, STOPPED: optuna.trial.TrialState.PRUNED}
    return optuna.trial.create_trial(
        state=states.get(done.state, optuna.trial.TrialState.FAIL),
        value=done.accuracy if done.state == COMPLETE else None,
        params=done.drawn,
        distributions=dict(distributions),
        intermediate_values=dict(enumerate(done.accuracies, start=1)),
        system_attrs=done.notes,
    )


def _number(name: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise TrainingError(f"{name} is expected as a number; got {text!r}.")
    return number


def _value(name: str, text: str) -> Value:
    if not text:
        raise TrainingError(f"The values of {name} are expected between commas; one is empty.")
    if name in _NAMES:
        return text
    if name == "layers":
        widths = () if text == "none" else text.split("x")
        if not all(width.isascii() and width.isdecimal() for width in widths):
            raise TrainingError(f"layers are expected as widths such as 64 or 32x32, or none; got {text!r}.")
        return tuple(map(int, widths))
    number = _number(name, text)
    if name != "batch_size":
        return number
    if number != int(number):
        raise TrainingError(f"batch_size is expected as a whole number; got {text!r}.")
    return int(number)


def _check_installed() -> None:
    try:
        import_module("optuna")
    except ImportError as error:
        raise DigitscopeError(f"A sweep needs Optuna ({error}): pip install 'digitscope[sweep]'.") from error
