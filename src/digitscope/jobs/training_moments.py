"""How a training read some images at each step that it keeps. It only reads, also while another process trains."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from digitscope.arrays import Array
from digitscope.errors import DataError
from digitscope.files.lock import FolderLock
from digitscope.jobs.timeline import Timeline, checkpoints, read_state
from digitscope.training.inference import outputs_in_chunks, quiet_overflow


@dataclass(frozen=True, eq=False)
class TrainingMoments:
    """A network's outputs for the same images at several steps of its training."""

    steps: list[int]
    epochs: list[float]
    """The steps as epochs: 1.5 is in the middle of the second one."""
    logits: Array
    """(moments, N, classes)"""
    probabilities: Array
    """(moments, N, classes)"""


def kept_moments(folder: Path) -> list[tuple[int, int]]:
    """The branch and step of each checkpoint on the way to where the training stands or stood, the first one first.

    Raises: ModelError if there is no training in the folder.
    """
    _, branches, (branch, _), _, _ = read_state(folder)
    number = min(branch, len(branches) - 1)
    moments = [(number, step) for step in checkpoints(folder, number)]
    while (parent := branches[number].parent) is not None:
        common = branches[number].step
        moments = [*((parent, step) for step in checkpoints(folder, parent) if step < common), *moments]
        number = parent
    return moments


def outputs_over_training(
    folder: Path,
    moments: list[tuple[int, int]],
    images: Array,
    *,
    threads: int = 1,
    report: Callable[[float], None],
) -> TrainingMoments:
    """The outputs at each of the `kept_moments`. A checkpoint that was deleted in the meantime is left out.

    images: uint8 (N, H, W)
    Raises: DataError if the network reads images of another size; ModelError if a checkpoint is damaged.
    """
    experiment, branches, _, _, _ = read_state(folder)
    timeline = Timeline(folder, experiment, FolderLock(folder), branches)  # not locked: nothing is written
    if timeline.training.images.shape[1:] != images.shape[1:]:
        own, other = ("x".join(map(str, a.shape[1:])) for a in (timeline.training.images, images))
        raise DataError(f"The training is on images of {own} pixels; these have {other}.")
    steps, logits, probabilities = [], [], []
    for number, (branch, step) in enumerate(moments):
        report(number / len(moments))
        if step not in checkpoints(folder, branch):
            continue
        timeline.restore(branch, step)
        with quiet_overflow():
            outputs = outputs_in_chunks(timeline.run.outcome(timeline.training.images), images, threads=threads)
            probabilities.append(timeline.plan.loss.probabilities(outputs).T)
        logits.append(outputs.T.copy())
        steps.append(step)
    report(1.0)
    epochs = [step / timeline.batches for step in steps]
    return TrainingMoments(steps, epochs, np.array(logits), np.array(probabilities))
