"""Snapshots: how a network reads a few images at several moments of its training, and its first layer's weights."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np

from digitscope.arrays import Array

SNAPSHOTS = 30
"""Maximum number of snapshots after the one that is taken before the first step."""
UNITS = 16
"""Maximum number of units of the first layer whose weights a snapshot holds. Together with SNAPSHOTS it bounds the size
of checkpoints and reports."""


@dataclass(frozen=True, eq=False)
class Snapshot:
    """The run's outcome at one moment: before the first step, or at the end of an epoch."""

    epoch: int
    """Epochs completed; 0 before the first step."""
    loss: float
    """Mean loss of all validation images."""
    accuracy: float
    """Accuracy on all validation images."""
    probabilities: Array
    """The probability of each class for each watched image, float32 (N, classes)."""
    weights: Array
    """The weights of the first UNITS units of the first layer that has any, float16 (units, ...)."""


def is_snapshot_due(epoch: int, epochs: int) -> bool:
    """Whether a snapshot is taken at the end of this epoch: of each, or of evenly spaced ones and the last."""
    return epoch % -(-epochs // SNAPSHOTS) == 0 or epoch == epochs


def stack_snapshots(snapshots: Sequence[Snapshot]) -> dict[str, Array]:
    """The values of each field as one array, the snapshots along its first axis."""
    return {field.name: np.array([getattr(s, field.name) for s in snapshots]) for field in fields(Snapshot)}


def unstack_snapshots(arrays: Mapping[str, Array]) -> list[Snapshot]:
    """What `stack_snapshots` stacked.

    Raises: ValueError for arrays of other types, ranks or lengths, or for numbers that are not finite but for the loss,
        which may overflow; KeyError if an array is missing.
    """
    columns = [arrays[field.name] for field in fields(Snapshot)]
    if not any(column.size for column in columns):
        return []
    kinds = [(column.dtype.name, column.ndim) for column in columns]
    dtype, rank = kinds[-1]
    if kinds[:-1] != [("int64", 1), ("float64", 1), ("float64", 1), ("float32", 3)] or dtype != "float16" or rank < 2:
        raise ValueError(", ".join(f"{kind} of rank {rank}" for kind, rank in kinds))
    if np.any(np.diff(columns[0]) <= 0):
        raise ValueError(f"of the epochs {columns[0].tolist()}")
    if len({len(column) for column in columns}) > 1 or not all(np.isfinite(column).all() for column in columns[2:]):
        raise ValueError("they differ in length, or have numbers that are not finite")
    return [Snapshot(int(e), float(loss), float(share), *a) for e, loss, share, *a in zip(*columns, strict=True)]
