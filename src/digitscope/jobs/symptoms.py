"""What commonly goes wrong in a training, recognized from its figures.

The thresholds were chosen so that each fault is found in runs that were made for it, and none in runs of the recipes
(tests/jobs/test_symptoms.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from digitscope.arrays import Array
from digitscope.datasets import DataSet
from digitscope.jobs.layer_health import LayerHealth
from digitscope.model import Model
from digitscope.nn import BackgroundCrossEntropy, Loss, MeanSquaredError

WINDOW = 10
"""Results whose mean is compared."""
DEAD_SHARE, DEAD_UNITS = 0.4, 4
"""A ReLU layer of at least so many units is dying if this fraction of them is dead. In the recipes it is up to 0.11."""
OVERFITTING_RATIO, OVERFITTING_GAP = 5.0, 0.03
"""Validation loss over training loss, and training accuracy minus validation accuracy."""
MEMORIZING_GAP, LUCK = 0.1, 0.03
CHECKED_IMAGES = 400
"""Images of the data whose labels are compared with the answers of the bundled reader."""
SHARE_OF_DIGITS, AGREEMENT, DISAGREEMENT = 0.7, 0.8, 0.3


@dataclass(frozen=True)
class Symptom:
    """Something that goes wrong."""

    key: str
    """"diverged", "rate-too-high", "dying-relus", "overfitting", "labels-unrelated", "labels-offset", "labels-rows" or
    "labels-shuffled"."""
    values: Mapping[str, float | str]
    """The figures by which it was recognized."""


@dataclass(frozen=True)
class Guess:
    """The results of a network that does not look at the image, and always gives the frequencies of the classes."""

    loss: float
    accuracy: float

    @classmethod
    def of(cls, loss: Loss, labels: Array, classes: int) -> "Guess":
        """The best of such results for these labels; `classes` is the number of the network's outputs."""
        counts = np.bincount(labels, minlength=classes).astype(np.float64)
        if isinstance(loss, BackgroundCrossEntropy):
            counts, background = counts[:classes], max(1.0, counts[classes:].sum())
            outputs = np.log(np.maximum(counts, 1.0) / background)
        else:
            shares = counts / counts.sum()
            outputs = shares if isinstance(loss, MeanSquaredError) else np.log(np.maximum(shares, 1e-6))
        shown = labels[:: -(-len(labels) // 1000)]
        repeated = np.repeat(outputs[:, None].astype(np.float32), len(shown), axis=1)
        return cls(loss.forward(repeated, shown)[0], float(counts.max() / len(labels)))


def training_symptoms(
    history: Mapping[str, Sequence[float | None]],
    health: Sequence[LayerHealth],
    guess: Guess,
    *,
    minimum: float = 0.0,
    validation_images: int = 0,
) -> list[Symptom]:
    """What goes wrong at the moment.

    history: as `Run.history`; health: of the layers now; minimum: the least value that the loss can have
    """
    losses = np.array(history["loss"], dtype=np.float64)
    found = [_rate(losses, guess), _dying(health), _labels(history, guess, validation_images)]
    if found[-1] is None:
        found.append(_overfitting(history, minimum))
    return [symptom for symptom in found if symptom is not None]


def _rate(losses: Array, guess: Guess) -> Symptom | None:
    """The loss has risen again, or is stuck above that of a guess."""
    if len(losses) < 2 * WINDOW:
        return None
    means = np.convolve(losses, np.full(WINDOW, 1 / WINDOW), mode="valid")
    now, lowest = float(means[-1]), float(means[:-WINDOW].min(initial=losses[0]))
    has_risen = now > 1.25 * lowest and now - lowest > 0.15 * guess.loss
    is_stuck = len(losses) >= 5 * WINDOW and now > 1.5 * guess.loss and now > 0.7 * means[WINDOW]
    if not (has_risen or is_stuck):
        return None
    return Symptom("rate-too-high", {"loss": now, "lowest": min(lowest, now), "guess": guess.loss})


def _dying(health: Sequence[LayerHealth]) -> Symptom | None:
    layers = [layer for layer in health if layer.dead is not None and (layer.units or 0) >= DEAD_UNITS]
    worst = max(layers, key=lambda layer: layer.dead or 0.0, default=None)
    if worst is None or worst.dead is None or worst.dead < DEAD_SHARE:
        return None
    return Symptom("dying-relus", {"layer": worst.name, "dead": worst.dead})


def _last_epoch(history: Mapping[str, Sequence[float | None]]) -> dict[str, float] | None:
    """The last validation, with the training's own means over that epoch; None before the end of the first epoch."""
    accuracies = history["validation_accuracy"]
    last = next((i for i in range(len(accuracies) - 1, -1, -1) if accuracies[i] is not None), None)
    if last is None:
        return None
    epoch = history["epoch"][last]
    rows = [i for i in range(last + 1) if history["epoch"][i] == epoch]
    mean = {name: float(np.mean([history[name][i] for i in rows])) for name in ("loss", "accuracy")}
    validation = {name: float(history[name][last] or 0.0) for name in ("validation_loss", "validation_accuracy")}
    return {"epoch": float(epoch or 0), **mean, **validation}


def _labels(history: Mapping[str, Sequence[float | None]], guess: Guess, images: int) -> Symptom | None:
    """The training images are learned by heart, and the validation images are guessed."""
    epoch = _last_epoch(history)
    if epoch is None or images < 100 or epoch["epoch"] < 2:
        return None
    training, validation = epoch["accuracy"], epoch["validation_accuracy"]
    if training - validation < MEMORIZING_GAP or validation > guess.accuracy + LUCK:
        return None
    return Symptom("labels-unrelated", {"training": training, "validation": validation})


def _overfitting(history: Mapping[str, Sequence[float | None]], minimum: float) -> Symptom | None:
    epoch = _last_epoch(history)
    if epoch is None or epoch["epoch"] < 3:
        return None
    training, validation = epoch["loss"] - minimum, epoch["validation_loss"] - minimum
    gap = epoch["accuracy"] - epoch["validation_accuracy"]
    if validation < OVERFITTING_RATIO * training or gap < OVERFITTING_GAP:
        return None
    return Symptom("overfitting", {"training": epoch["accuracy"], "validation": epoch["validation_accuracy"]})


def label_symptoms(data: DataSet) -> list[Symptom]:
    """Whether labels of digits are those of other images, or counted from another number than 0.

    Some images in a row are read by the bundled reader. Nothing is said of data that are not digits of 28x28 pixels.
    """
    if data.x_train.shape[1:] != (28, 28):
        return []
    first = max(0, (len(data.x_train) - CHECKED_IMAGES) // 2)
    images, labels = (part[first : first + CHECKED_IMAGES] for part in (data.x_train, data.y_train))
    answers = Model.load("reader").answers(images, threads=1)
    digits = np.array([answer.digit for answer in answers])
    share = float(np.mean([answer.is_digit for answer in answers]))
    agreement = float(np.mean(digits == labels))
    if share < SHARE_OF_DIGITS or agreement > DISAGREEMENT or len(digits) < 20:
        return []
    for offset in (1, -1, *range(2, 10)):
        if np.mean(digits + offset == labels) >= AGREEMENT or np.mean((digits + offset) % 10 == labels) >= AGREEMENT:
            return [Symptom("labels-offset", {"offset": offset, "agreement": agreement})]
    for rows in (1, -1, 2, -2):
        # The label of image i stands in row i + rows; at the ends of what was read, the roll compares others.
        if np.mean(digits == np.roll(labels, -rows)) >= AGREEMENT:
            return [Symptom("labels-rows", {"rows": rows, "agreement": agreement})]
    return [Symptom("labels-shuffled", {"agreement": agreement})]
