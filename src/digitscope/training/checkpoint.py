"""A training on disk, from which it goes on as if it had never stopped."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from digitscope.arguments import is_number, is_whole, shown
from digitscope.arrays import Array
from digitscope.errors import ModelError
from digitscope.files.opening import shown_path
from digitscope.files.tensors import read_tensors, write_tensors
from digitscope.training.identity import describe, difference
from digitscope.training.parallel.device import to_cpu
from digitscope.training.run import HISTORY_COLUMNS, VALIDATION_COLUMNS, Run, is_reported, reported_steps
from digitscope.training.snapshots import Snapshot, stack_snapshots, unstack_snapshots

FORMAT = 4
_ENTRIES = {
    *("kind", "format", "settings", "plan", "member", "epoch", "batch", "unreported", "seconds"),
    *("order", "shard_rngs"),
}


def save_checkpoint(path: Path, run: Run, settings: Mapping[str, Any], *, previous: Path | None = None) -> None:
    """Writes weights, optimizer state, position, random state, history and snapshots, and the caller's own `settings`.

    The old checkpoint stays until the new one is complete: a process killed at any moment leaves one or the other. If
    `previous` is given, the old one stays under that name afterwards, too.
    The plan is written as `identity.describe` describes it.
    """
    arrays = _arrays(run)
    for column, values in run.history.items():
        arrays[f"history/{column}"] = np.array([np.nan if v is None else v for v in values], dtype=np.float64)
    arrays.update({f"snapshot/{name}": stacked for name, stacked in stack_snapshots(run.snapshots).items()})
    about = {
        "format": FORMAT,
        "settings": dict(settings),
        "plan": describe(run.plan),
        "member": run.member,
        "epoch": run.epoch,
        "batch": run.batch,
        "unreported": list(run.unreported),
        "seconds": run.seconds,
        "order": run.order.bit_generator.state,
        "shard_rngs": [rng.bit_generator.state for rng in run.shard_rngs],
    }
    on_cpu = {name: to_cpu(array) for name, array in arrays.items()}
    write_tensors(path, "checkpoint", on_cpu, about, previous=previous)


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that was read. `restore` puts it into a run that was started with the same settings."""

    path: Path
    settings: dict[str, Any]
    """The caller's own, as JSON holds them."""
    member: int
    epoch: int
    """The number of complete epochs, of all members together."""
    batch: int
    """The number of complete steps in the next epoch."""
    unreported: tuple[float, int, int]
    """As `Run.unreported`."""
    seconds: float
    history: dict[str, list[float | None]]
    """The history of the run so far, as `Run.history`."""
    snapshots: list[Snapshot]
    _plan: Any
    _generators: list[Any]
    """The states of the generator of the order and of those of the shards."""
    _arrays: dict[str, Array]
    """Weights, optimizer state and average."""

    def restore(self, run: Run) -> None:
        """Brings a fresh run to where the saved one stood.

        Raises: ModelError if the checkpoint is of another plan or network, or damaged; the run is unchanged then.
        """
        if differs := difference(describe(run.plan), self._plan):
            raise ModelError(
                f"{shown_path(self.path)}: the checkpoint is of another plan; {differs}. "
                "Resume with the settings and the version of Digitscope that began it, or begin anew."
            )
        targets = _arrays(run)
        self._check_arrays(targets)
        self._check_position(run)
        order, *shard_rngs = self._restored([run.order, *run.shard_rngs])
        for name, target in targets.items():
            target[...] = self._arrays[name]
        run.member, run.epoch, run.batch, run.seconds = self.member, self.epoch, self.batch, self.seconds
        run.unreported = self.unreported
        run.order, run.shard_rngs = order, shard_rngs
        run.history = {column: list(values) for column, values in self.history.items()}
        run.snapshots = list(self.snapshots)

    def damaged(self, reason: str) -> ModelError:
        """The error for a checkpoint that says what cannot be."""
        return _damaged(self.path, reason)

    def _check_arrays(self, targets: Mapping[str, Array]) -> None:
        """Raises: ModelError unless the arrays are those of the run, with finite numbers."""
        if differing := self._arrays.keys() ^ targets.keys():
            raise self.damaged(f"not in both checkpoint and network: {', '.join(sorted(differing))}")
        for name, target in targets.items():
            array = self._arrays[name]
            if (array.shape, array.dtype) != (target.shape, target.dtype):
                raise self.damaged(f"{name} expects {target.dtype} {target.shape}; got {array.dtype} {array.shape}")
            if not np.isfinite(array).all():
                raise self.damaged(f"{name} is expected as finite numbers; some are not")

    def _check_position(self, run: Run) -> None:
        """Raises: ModelError for a position that the run cannot have, or a history of another length than that."""
        member, epoch, batch, of_member = self.member, self.epoch, self.batch, run.plan.epochs
        batches = run.plan.batches(run.images)
        is_within = member < len(run.learners) and member * of_member <= epoch <= (member + 1) * of_member
        last = 0 if epoch == (member + 1) * of_member else batches
        if not (is_within and batch <= last):
            raise self.damaged(f"there is no batch {batch} of epoch {epoch} of member {member}")
        steps = reported_steps(epoch, batch, batches)
        if self.history["step"] != steps:
            raise self.damaged(
                f"the history is expected with {len(steps)} results up to step {epoch * batches + batch}"
            )
        if (batch in (0, batches) or is_reported(batch, batches)) != (self.unreported == (0.0, 0, 0)):
            raise self.damaged(f"unreported: {shown(self.unreported)} after batch {batch}")
        ends = [step % batches == 0 and step <= epoch * batches for step in steps]
        known = [value is not None for value in self.history["validation_accuracy"]]
        if any(known) and known != ends:
            raise self.damaged("validation_accuracy is expected at the end of each epoch")

    def _restored(self, rngs: list[np.random.Generator]) -> list[np.random.Generator]:
        """Copies of the generators with the states of the checkpoint."""
        if len(self._generators) != len(rngs):
            raise self.damaged(f"expected {len(rngs) - 1} shards; got {len(self._generators) - 1}")
        rngs = deepcopy(rngs)
        for rng, state in zip(rngs, self._generators, strict=True):
            try:
                rng.bit_generator.state = state
            except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
                raise self.damaged(f"the state of a generator: {error}") from error
            if rng.bit_generator.state != state:
                raise self.damaged(f"the state of a generator: {shown(state)}")
        return rngs


def _arrays(run: Run) -> dict[str, Array]:
    """Weights, optimizer state and average by name."""
    arrays = {f"param/{name}": p for name, p in run.network.params.items()}
    for slot, state in run.optimizer_state.items():
        arrays.update({f"optimizer/{slot}/{name}": array for name, array in state.items()})
    return arrays | {f"average/{name}": array for name, array in run.average.items()}


def load_checkpoint(path: Path) -> Checkpoint:
    """Raises: ModelError if there is no whole checkpoint of this format."""
    arrays, about = read_tensors(path, "checkpoint")
    if about.get("format") != FORMAT:
        raise ModelError(
            f"{shown_path(path)}: expected a checkpoint of format {FORMAT}; got {shown(about.get('format'))}. "
            "Resume with the version of Digitscope that began it, or begin anew."
        )
    if differing := about.keys() ^ _ENTRIES:
        raise _damaged(path, f"missing or unknown: {', '.join(sorted(differing))}")
    for name, kind in (("settings", dict), ("shard_rngs", list)):
        if not isinstance(about[name], kind):
            raise _damaged(path, f"{name}: {shown(about[name])}")
    for name in ("member", "epoch", "batch"):
        if not is_whole(about[name]) or about[name] < 0:
            raise _damaged(path, f"{name}: {shown(about[name])}")
    if not is_number(about["seconds"]) or about["seconds"] < 0:
        raise _damaged(path, f"seconds: {shown(about['seconds'])}")
    columns = {name: arrays.pop(f"history/{name}", None) for name in HISTORY_COLUMNS}
    stacked = {name: arrays.pop(f"snapshot/{name}", None) for name in stack_snapshots([])}
    return Checkpoint(
        path=path,
        settings=about["settings"],
        member=about["member"],
        epoch=about["epoch"],
        batch=about["batch"],
        unreported=_unreported(path, about["unreported"]),
        seconds=float(about["seconds"]),
        history=_history(path, columns),
        snapshots=_snapshots(path, stacked),
        _plan=about["plan"],
        _generators=[about["order"], *about["shard_rngs"]],
        _arrays=arrays,
    )


def _unreported(path: Path, value: Any) -> tuple[float, int, int]:
    loss, right, seen = value if isinstance(value, list) and len(value) == 3 else ("", 0, 0)
    if not (is_number(loss) and is_whole(right) and is_whole(seen) and 0 <= right <= seen):
        raise _damaged(path, f"unreported: {shown(value)}")
    return float(loss), right, seen


def _history(path: Path, columns: Mapping[str, Array | None]) -> dict[str, list[float | None]]:
    lengths = set()
    for name, column in columns.items():
        if column is None or column.ndim != 1 or column.dtype != np.float64:
            raise _damaged(path, f"history/{name} is expected as float64 (results,)")
        if name not in VALIDATION_COLUMNS and np.isnan(column).any():
            raise _damaged(path, f"history/{name} is expected as numbers; some are not")
        lengths.add(len(column))
    if len(lengths) != 1:
        raise _damaged(path, "the columns of the history differ in length")
    return {
        name: [None if np.isnan(value) else value for value in column.tolist()]
        for name, column in columns.items()
        if column is not None
    }


def _snapshots(path: Path, stacked: Mapping[str, Array | None]) -> list[Snapshot]:
    try:
        return unstack_snapshots({name: array for name, array in stacked.items() if array is not None})
    except (LookupError, TypeError, ValueError, OverflowError) as error:
        raise _damaged(path, f"snapshots: {error}") from error


def _damaged(path: Path, reason: str) -> ModelError:
    return ModelError(f"{shown_path(path)}: the checkpoint is damaged ({reason}).")
