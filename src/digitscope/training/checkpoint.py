"""A training on disk: enough to go on as if it had never stopped."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from digitscope.arrays import Array
from digitscope.errors import ModelError
from digitscope.files.tensors import read_tensors, write_tensors
from digitscope.training.parallel.device import to_device
from digitscope.training.run import HISTORY_COLUMNS, Run

FORMAT = 1


def save_checkpoint(path: Path, run: Run, settings: Mapping[str, Any]) -> None:
    """Writes weights, optimizer state, position, random state and history, and the caller's own `settings`.

    The old checkpoint stays whole until the new one is: a process killed at any moment leaves one or the other.
    """
    arrays: dict[str, Array] = {f"param/{name}": p for name, p in run.network.params.items()}
    for slot, state in run.optimizer_state.items():
        arrays.update({f"optimizer/{slot}/{name}": array for name, array in state.items()})
    arrays.update({f"average/{name}": array for name, array in run.average.items()})
    for column, values in run.history.items():
        arrays[f"history/{column}"] = np.array([np.nan if v is None else v for v in values], dtype=np.float64)
    about = {
        "format": FORMAT,
        "settings": dict(settings),
        "plan": repr(run.plan),
        "member": run.member,
        "epoch": run.epoch,
        "batch": run.batch,
        "seconds": run.seconds,
        "order": run.order.bit_generator.state,
        "shard_rngs": [rng.bit_generator.state for rng in run.shard_rngs],
    }
    to_cpu = to_device("cpu")
    write_tensors(path, "checkpoint", {name: to_cpu(array) for name, array in arrays.items()}, about)


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that was read, to be put into a run that was started with the same settings."""

    path: Path
    settings: dict[str, Any]
    _arrays: dict[str, Array]
    _about: dict[str, Any]

    def restore(self, run: Run) -> None:
        """Brings a fresh run to where the saved one stood.

        Raises: ModelError where the checkpoint is of another plan or network; the run is unchanged then.
        """
        about, arrays = self._about, self._arrays
        if about["plan"] != repr(run.plan):
            raise ModelError(
                f"{self.path}: expected a checkpoint of {run.plan}; got one of {about['plan']}. "
                "Resume with the version of Digitscope that began it, or begin anew."
            )
        targets = {f"param/{name}": p for name, p in run.network.params.items()}
        for slot, state in run.optimizer_state.items():
            targets.update({f"optimizer/{slot}/{name}": array for name, array in state.items()})
        targets.update({f"average/{name}": array for name, array in run.average.items()})
        history = {f"history/{column}" for column in HISTORY_COLUMNS}
        if differing := arrays.keys() ^ (targets.keys() | history):
            raise ModelError(f"{self.path}: not in both checkpoint and network: {', '.join(sorted(differing))}.")
        for name, target in targets.items():
            if (arrays[name].shape, arrays[name].dtype) != (target.shape, target.dtype):
                raise ModelError(
                    f"{self.path}: {name} expects {target.dtype} {target.shape}; "
                    f"got {arrays[name].dtype} {arrays[name].shape}."
                )
        if len(about["shard_rngs"]) != len(run.shard_rngs):
            raise ModelError(f"{self.path}: expected {len(run.shard_rngs)} shards; got {len(about['shard_rngs'])}.")
        for name, target in targets.items():
            target[...] = arrays[name]
        run.member, run.epoch, run.batch, run.seconds = (about[k] for k in ("member", "epoch", "batch", "seconds"))
        run.order.bit_generator.state = about["order"]
        for rng, state in zip(run.shard_rngs, about["shard_rngs"], strict=True):
            rng.bit_generator.state = state
        run.history = {
            column: [None if np.isnan(v) else v for v in arrays[f"history/{column}"].tolist()]
            for column in HISTORY_COLUMNS
        }


def load_checkpoint(path: Path) -> Checkpoint:
    """Raises: ModelError where there is no whole checkpoint of this format."""
    arrays, about = read_tensors(path, "checkpoint")
    if about.get("format") != FORMAT:
        raise ModelError(f"{path}: expected a checkpoint of format {FORMAT}; got {about.get('format')}.")
    return Checkpoint(path, about["settings"], arrays, about)
