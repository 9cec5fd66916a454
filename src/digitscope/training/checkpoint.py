"""A training on disk, from which it goes on as if it had never stopped."""

import operator
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from digitscope.arrays import Array
from digitscope.errors import ModelError
from digitscope.files.tensors import read_tensors, write_tensors
from digitscope.training.identity import describe, difference
from digitscope.training.parallel.device import to_cpu
from digitscope.training.run import HISTORY_COLUMNS, Run
from digitscope.training.snapshots import stack_snapshots, unstack_snapshots

FORMAT = 3


def save_checkpoint(path: Path, run: Run, settings: Mapping[str, Any]) -> None:
    """Writes weights, optimizer state, position, random state, history and snapshots, and the caller's own `settings`.

    The old checkpoint stays until the new one is complete: a process killed at any moment leaves one or the other.
    The plan is written as `identity.describe` describes it.
    """
    arrays: dict[str, Array] = {f"param/{name}": p for name, p in run.network.params.items()}
    for slot, state in run.optimizer_state.items():
        arrays.update({f"optimizer/{slot}/{name}": array for name, array in state.items()})
    arrays.update({f"average/{name}": array for name, array in run.average.items()})
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
        "seconds": run.seconds,
        "order": run.order.bit_generator.state,
        "shard_rngs": [rng.bit_generator.state for rng in run.shard_rngs],
    }

    write_tensors(path, "checkpoint", {name: to_cpu(array) for name, array in arrays.items()}, about)


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that was read. `restore` puts it into a run that was started with the same settings."""

    path: Path
    settings: dict[str, Any]
    _arrays: dict[str, Array]
    _about: dict[str, Any]

    @property
    def position(self) -> tuple[int, int]:
        """The number of complete epochs, and of complete steps in the next epoch."""
        return self._about["epoch"], self._about["batch"]

    @property
    def history(self) -> dict[str, list[float | None]]:
        """The history of the run so far, as `Run.history`."""
        return {
            column: [None if np.isnan(v) else v for v in self._arrays[f"history/{column}"].tolist()]
            for column in HISTORY_COLUMNS
        }

    def restore(self, run: Run) -> None:
        """Brings a fresh run to where the saved one stood.

        Raises: ModelError if the checkpoint is of another plan or network, or damaged; the run is unchanged then.
        """
        about, arrays = self._about, self._arrays
        if differs := difference(describe(run.plan), about.get("plan")):
            raise ModelError(
                f"{self.path}: the checkpoint is of another plan; {differs}. "
                "Resume with the settings and the version of Digitscope that began it, or begin anew."
            )
        targets = {f"param/{name}": p for name, p in run.network.params.items()}
        for slot, state in run.optimizer_state.items():
            targets.update({f"optimizer/{slot}/{name}": array for name, array in state.items()})
        targets.update({f"average/{name}": array for name, array in run.average.items()})
        history = {f"history/{column}" for column in HISTORY_COLUMNS}
        snapshots = {f"snapshot/{name}" for name in stack_snapshots([])}
        if differing := arrays.keys() ^ (targets.keys() | history | snapshots):
            raise ModelError(f"{self.path}: not in both checkpoint and network: {', '.join(sorted(differing))}.")
        for name, target in targets.items():
            if (arrays[name].shape, arrays[name].dtype) != (target.shape, target.dtype):
                raise ModelError(
                    f"{self.path}: {name} expects {target.dtype} {target.shape}; "
                    f"got {arrays[name].dtype} {arrays[name].shape}."
                )
        try:
            if len(about["shard_rngs"]) != len(run.shard_rngs):
                raise ModelError(f"{self.path}: expected {len(run.shard_rngs)} shards; got {len(about['shard_rngs'])}.")
            order, *shard_rngs = deepcopy([run.order, *run.shard_rngs])
            for rng, state in zip([order, *shard_rngs], [about["order"], *about["shard_rngs"]], strict=True):
                rng.bit_generator.state = state
            member, epoch, batch = (operator.index(about[name]) for name in ("member", "epoch", "batch"))
            seconds = float(about["seconds"])
            if not (0 <= member < len(run.learners) and 0 <= epoch <= run.epochs and batch >= 0):
                raise ValueError(f"member {member}, epoch {epoch}, batch {batch}")
            taken = unstack_snapshots({name.removeprefix("snapshot/"): arrays[name] for name in snapshots})
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise ModelError(f"{self.path}: the checkpoint is damaged ({error}). Begin anew.") from error
        for name, target in targets.items():
            target[...] = arrays[name]
        run.member, run.epoch, run.batch, run.seconds = member, epoch, batch, seconds
        run.order, run.shard_rngs, run.snapshots = order, shard_rngs, taken
        run.history = self.history


def load_checkpoint(path: Path) -> Checkpoint:
    """Raises: ModelError if there is no whole checkpoint of this format."""
    arrays, about = read_tensors(path, "checkpoint")
    if about.get("format") != FORMAT:
        raise ModelError(f"{path}: expected a checkpoint of format {FORMAT}; got {about.get('format')}.")
    settings = about.get("settings")
    if not isinstance(settings, dict):
        raise ModelError(f"{path}: the checkpoint is damaged (it has no settings). Begin anew.")
    return Checkpoint(path, settings, arrays, about)
