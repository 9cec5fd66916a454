"""Metrics: accuracy, confusion and calibration of a classifier's answers. Plain functions of arrays, NumPy only.

Labels and predictions are whole numbers from 0, (N,), of any type, in arrays, lists or series; probabilities are rows,
(N, classes), that add up to 1.
"""

import math
from collections.abc import Sized
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from digitscope.arguments import check_whole
from digitscope.arrays import MAX_CLASSES, Array, as_labels
from digitscope.errors import DataError, ShapeError

_TINY = np.finfo(np.float32).tiny
"""Replaces a probability of 0 before the logarithm is taken: 1.2e-38."""
CONFIDENT = 0.9
"""A digit that is read with at least this confidence is shown without it."""
_SUM_TOLERANCE = 1e-3
"""Maximum difference of the sum of an image's probabilities from 1; float16 rounds more coarsely than float32."""


def accuracy(labels: npt.ArrayLike, predictions: npt.ArrayLike) -> float:
    """The fraction of predictions that are right, 0 to 1.

    Raises: ShapeError or DataError unless both are whole numbers from 0, one for each image, of at least one image.
    """
    true, predicted = _checked_labels(labels, predictions, None)
    return float(np.mean(true == predicted))


def wilson_interval(share: float, n: int, z: float = 1.96) -> tuple[float, float]:
    """The confidence interval (95 % by default) of a proportion that was `share` in n independent trials.

    (share + z²/2n ± z sqrt(share (1 - share) / n + z²/4n²)) / (1 + z²/n)

    Unlike the usual ±, the interval stays within 0..1 and has a positive length at share = 1.
    Raises: DataError unless 0 <= share <= 1 and n >= 1.
    Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference".
    """
    if not (0 <= share <= 1 and n >= 1):
        raise DataError(f"An interval expects a share from 0 to 1 of at least 1 trial; got {share} of {n}.")
    centre = share + z * z / (2 * n)
    spread = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


def mcnemar_p(only_first: int, only_second: int) -> float:
    """The exact two-sided p-value of McNemar's test, for two classifiers on the same images.

    p = min(1, 2 Σ_{i=0..min(a, b)} C(a + b, i) / 2^(a + b))

    a and b are the numbers of images that only the first, and only the second, reads correctly. If both were equally
    good, each of these images would be a fair coin; p is the probability that a + b fair coins fall at least as
    unevenly. The images that both read, or neither, say nothing about the difference.

    Raises: ArgumentError unless both are whole numbers from 0.
    Source: McNemar 1947. Derivation, with the bell curve instead of the coins' sum:
        docs/notes/11-uncertainty.md#the-interval-of-an-accuracy
    """
    check_whole("only_first", only_first, 0)
    check_whole("only_second", only_second, 0)
    coins = only_first + only_second
    ways = total = 1
    for i in range(1, min(only_first, only_second) + 1):
        ways = ways * (coins - i + 1) // i  # C(coins, i), without rounding
        total += ways
    return min(1.0, 2 * total / (1 << coins))


def confusion_matrix(labels: npt.ArrayLike, predictions: npt.ArrayLike, classes: int) -> Array:
    """Counts, (classes, classes): row the true class, column the predicted one.

    Raises: as `accuracy`; DataError for a class that is not below `classes`, and for more classes than MAX_CLASSES.
    """
    if not 0 < classes <= MAX_CLASSES:
        raise DataError(f"A confusion matrix is expected for 1 to {MAX_CLASSES:,} classes; got {classes:,}.")
    true, predicted = _checked_labels(labels, predictions, classes)
    return np.bincount(true * classes + predicted, minlength=classes * classes).reshape(classes, classes)


def precision_recall(confusion: npt.ArrayLike) -> tuple[Array, Array]:
    """For each class: its precision, the fraction of right answers among the images predicted as this class; and its
    recall, the fraction of right answers among its own images. nan if a class was never predicted, or never occurs.

    Raises: ShapeError or DataError unless `confusion` is a square of counts.
    """
    counts = _checked_confusion(confusion)
    right = np.diag(counts).astype(np.float64)
    predicted, true = counts.sum(axis=0), counts.sum(axis=1)
    nothing = np.full(right.shape, np.nan)
    precision = np.divide(right, predicted, out=nothing.copy(), where=predicted > 0)
    recall = np.divide(right, true, out=nothing, where=true > 0)
    return precision, recall


def most_confused(confusion: npt.ArrayLike, count: int = 3) -> list[tuple[int, int, int]]:
    """The most frequent mistakes as (true class, predicted class, count), the most frequent first.

    Raises: as `precision_recall`.
    """
    mistakes = _checked_confusion(confusion).copy()
    np.fill_diagonal(mistakes, 0)
    true, predicted = np.nonzero(mistakes)
    order = np.argsort(-mistakes[true, predicted], kind="stable")[:count]
    return [(int(true[i]), int(predicted[i]), int(mistakes[true[i], predicted[i]])) for i in order]


def negative_log_likelihood(labels: npt.ArrayLike, probabilities: npt.ArrayLike) -> float:
    """-(1/N) Σ log p[n, label n], in nats. A probability of 0 counts as the smallest float32, 1.2e-38.

    Raises: ShapeError or DataError unless there is one label from 0 to classes - 1 for each row of probabilities.
    """
    true, p = as_labels_and_probabilities(labels, probabilities)
    chosen = p[np.arange(len(true)), true]
    return float(-np.log(np.maximum(chosen, _TINY)).mean())


def brier_score(labels: npt.ArrayLike, probabilities: npt.ArrayLike) -> float:
    """(1/N) Σ_n Σ_k (p[n,k] - [k = label n])², from 0 (certain and right) to 2 (certain and wrong).

    Raises: as `negative_log_likelihood`.
    Source: Brier 1950, "Verification of forecasts expressed in terms of probability".
    """
    true, p = as_labels_and_probabilities(labels, probabilities)
    difference = p.astype(np.float64)
    difference[np.arange(len(true)), true] -= 1
    return float((difference**2).sum(axis=1).mean())


@dataclass(frozen=True, eq=False)
class ReliabilityDiagram:
    """Confidence and accuracy in bins of confidence. They are equal for perfectly calibrated probabilities."""

    edges: Array
    """The bins' limits, (bins + 1,)."""
    counts: Array
    """The number of images in each bin, (bins,)."""
    confidence: Array
    """The mean of the highest probability in each bin; nan in an empty bin."""
    accuracy: Array
    """The fraction of right answers in each bin; nan in an empty bin."""
    expected_calibration_error: float
    """The mean over all images of |accuracy - confidence| in the image's bin, 0 to 1."""


def reliability_diagram(labels: npt.ArrayLike, probabilities: npt.ArrayLike, bins: int = 15) -> ReliabilityDiagram:
    """Confidence against accuracy, in bins of equal width.

    Raises: as `negative_log_likelihood`; DataError for no bins.
    Source: Guo et al. 2017, "On calibration of modern neural networks", equation 3.
    """
    true, p = as_labels_and_probabilities(labels, probabilities)
    if bins < 1:
        raise DataError(f"A reliability diagram expects at least 1 bin; got {bins}.")
    confidence = p.max(axis=1).astype(np.float64)
    right = (p.argmax(axis=1) == true).astype(np.float64)
    edges = np.linspace(0.0, 1.0, bins + 1)
    bin_index = confidence_bins(confidence, bins)
    counts = np.bincount(bin_index, minlength=bins)
    sums = np.bincount(bin_index, weights=confidence, minlength=bins)
    right_counts = np.bincount(bin_index, weights=right, minlength=bins)
    filled = counts > 0
    nothing = np.full(bins, np.nan)
    return ReliabilityDiagram(
        edges=edges,
        counts=counts,
        confidence=np.divide(sums, counts, out=nothing.copy(), where=filled),
        accuracy=np.divide(right_counts, counts, out=nothing, where=filled),
        expected_calibration_error=float(np.abs(right_counts - sums).sum() / len(true)),
    )


def confidence_bins(confidence: Array, bins: int = 15) -> Array:
    """The bin of a reliability diagram that each confidence falls into, (N,), from 0.

    A bin includes its upper limit, so that a probability of exactly 1 falls into the last one.
    """
    edges = np.linspace(0.0, 1.0, bins + 1)
    return np.clip(np.searchsorted(edges, confidence.astype(np.float64), side="left") - 1, 0, bins - 1)


@dataclass(frozen=True, eq=False, repr=False)
class Evaluation:
    """The metrics of a classifier's probabilities for labelled images."""

    images: int
    accuracy: float
    interval: tuple[float, float]
    """The 95 % confidence interval of the true accuracy."""
    negative_log_likelihood: float
    """Mean, in nats."""
    brier_score: float
    reliability: ReliabilityDiagram
    confusion: Array
    """Counts, (classes, classes): row the true class, column the predicted one."""
    precision: Array
    """For each class, (classes,); nan if it was never predicted."""
    recall: Array
    """For each class, (classes,); nan if it never occurs."""

    @classmethod
    def of(cls, labels: npt.ArrayLike, probabilities: npt.ArrayLike) -> "Evaluation":
        """The evaluation for labels (N,) and probabilities (N, classes). Raises: as `negative_log_likelihood`."""
        true, p = as_labels_and_probabilities(labels, probabilities)
        predictions = p.argmax(axis=1)
        confusion = confusion_matrix(true, predictions, p.shape[1])
        precision, recall = precision_recall(confusion)
        share = accuracy(true, predictions)
        return cls(
            images=len(true),
            accuracy=share,
            interval=wilson_interval(share, len(true)),
            negative_log_likelihood=negative_log_likelihood(true, p),
            brier_score=brier_score(true, p),
            reliability=reliability_diagram(true, p),
            confusion=confusion,
            precision=precision,
            recall=recall,
        )

    def __repr__(self) -> str:
        low, high = map(percentage, self.interval)
        return (
            f"Evaluation({self.images:,} images, accuracy {percentage(self.accuracy)} % ({low} to {high} %), "
            f"negative log-likelihood {self.negative_log_likelihood:.4f}, calibration error "
            f"{percentage(self.reliability.expected_calibration_error)} %)"
        )


def as_probabilities(probabilities: npt.ArrayLike) -> Array:
    """Probabilities as an array of floats, (N, classes).

    Raises: ShapeError for another rank and for no rows; DataError unless all are finite and at least 0 and every row
        adds up to 1.
    """
    try:
        p = np.asarray(probabilities)
    except (ValueError, TypeError) as error:
        raise ShapeError(f"Probabilities are expected as one array, (N, classes): {error}") from error
    if p.ndim != 2 or not p.size:
        raise ShapeError(f"Probabilities are expected as rows, (N, classes), at least one; got {p.shape}.")
    if p.dtype.kind not in "buif":
        raise DataError(f"Probabilities are expected as numbers; got elements of type {p.dtype}.")
    if p.dtype.kind != "f":
        p = p.astype(np.float64)
    lowest = p.min()
    if not (lowest >= 0 and np.isfinite(p.max())):
        wrong = p[~(np.isfinite(p) & (p >= 0))][0]
        raise DataError(f"Probabilities are expected as finite numbers from 0; got {wrong}. Are these logits?")
    sums = p.sum(axis=1, dtype=np.float64)
    if (difference := np.abs(sums - 1)).max() > _SUM_TOLERANCE:
        row = int(difference.argmax())
        raise DataError(
            f"The probabilities of an image are expected to add up to 1; row {row} of {p.shape} adds up to "
            f"{sums[row]:.4g}. Divide each row by its sum, or transpose columns."
        )
    return p


def as_labels_and_probabilities(
    labels: npt.ArrayLike, probabilities: npt.ArrayLike
) -> tuple[npt.NDArray[np.int64], Array]:
    """Labels as int64 (N,), probabilities as floats (N, classes).

    Raises: as `as_probabilities`; ShapeError or DataError unless there is one label from 0 to classes - 1 for each row.
    """
    p = as_probabilities(probabilities)
    return as_labels(labels, *p.shape), p


def _checked_labels(
    labels: npt.ArrayLike, predictions: npt.ArrayLike, classes: int | None
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    count, predicted = _count(labels), _count(predictions)
    if count != predicted or not count:
        raise ShapeError(
            f"Expected one prediction for each label, at least one; got {count} labels, {predicted} predictions."
        )
    return as_labels(labels, count, classes), as_labels(predictions, count, classes)


def _count(values: npt.ArrayLike) -> int:
    """The length; 0 for a single number."""
    return len(values) if isinstance(values, Sized) and getattr(values, "ndim", None) != 0 else 0


def _checked_confusion(confusion: npt.ArrayLike) -> Array:
    counts = np.asarray(confusion)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1]:
        raise ShapeError(f"A confusion matrix is expected as (classes, classes); got {counts.shape}.")
    if counts.dtype.kind not in "iu" or (counts < 0).any():
        raise DataError("A confusion matrix is expected as counts, whole numbers from 0.")
    return counts.astype(np.int64, copy=False)


def percentage(share: float, decimals: int = 2) -> str:
    """A fraction as a number of per cent. 0 and 100 stand for none and all only: a share between them is rounded to the
    nearest number between them.
    """
    rounded = 100 * share
    if 0 < share < 1:
        least = 10.0**-decimals
        rounded = min(max(rounded, least), 100 - least)
    return f"{rounded:.{decimals}f}"
