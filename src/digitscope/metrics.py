"""How good a classifier's answers are. Plain functions of arrays, NumPy only.

Probabilities come as rows, (N, classes); labels and predictions as integers, (N,).
"""

import math
from dataclasses import dataclass

import numpy as np

from digitscope.arrays import Array

_TINY = np.finfo(np.float32).tiny
"""Stands for a probability of 0 where its logarithm is taken: 1.2e-38."""


def accuracy(labels: Array, predictions: Array) -> float:
    """The share of predictions that are right, 0 to 1."""
    return float(np.mean(labels == predictions))


def wilson_interval(share: float, n: int, z: float = 1.96) -> tuple[float, float]:
    """The interval that holds the true share with 95 % probability, seen `share` in n independent trials.

    (share + z²/2n ± z sqrt(share (1 - share) / n + z²/4n²)) / (1 + z²/n)

    Unlike the usual ± it stays inside 0..1 and is not empty at share = 1.
    Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference".
    """
    centre = share + z * z / (2 * n)
    spread = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


def confusion_matrix(labels: Array, predictions: Array, classes: int) -> Array:
    """Counts, (classes, classes): row the true class, column the predicted one."""
    return np.bincount(labels * classes + predictions, minlength=classes * classes).reshape(classes, classes)


def precision_recall(confusion: Array) -> tuple[Array, Array]:
    """For each class: of the images called so, the share that are (precision); of those that are, the share
    called so (recall). nan where a class was never predicted, or never occurs.
    """
    right = np.diag(confusion).astype(np.float64)
    predicted, true = confusion.sum(axis=0), confusion.sum(axis=1)
    nothing = np.full(right.shape, np.nan)
    precision = np.divide(right, predicted, out=nothing.copy(), where=predicted > 0)
    recall = np.divide(right, true, out=nothing, where=true > 0)
    return precision, recall


def most_confused(confusion: Array, count: int = 3) -> list[tuple[int, int, int]]:
    """The most frequent mistakes as (true class, predicted class, how often), the most frequent first."""
    mistakes = confusion.copy()
    np.fill_diagonal(mistakes, 0)
    order = np.argsort(-mistakes, axis=None, kind="stable")[:count]
    pairs = (divmod(int(flat), confusion.shape[0]) for flat in order)
    return [(true, predicted, int(mistakes[true, predicted])) for true, predicted in pairs if mistakes[true, predicted]]


def negative_log_likelihood(labels: Array, probabilities: Array) -> float:
    """-(1/N) Σ log p[n, label n], in nats. A probability of 0 counts as the smallest float32, 1.2e-38."""
    chosen = probabilities[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(chosen, _TINY)).mean())


def brier_score(labels: Array, probabilities: Array) -> float:
    """(1/N) Σ_n Σ_k (p[n,k] - [k = label n])², from 0 (sure and right) to 2 (sure and wrong).

    Source: Brier 1950, "Verification of forecasts expressed in terms of probability".
    """
    difference = probabilities.astype(np.float64)
    difference[np.arange(len(labels)), labels] -= 1
    return float((difference**2).sum(axis=1).mean())


def temper(probabilities: Array, temperature: float) -> Array:
    """Softmax of log p / T: less sure for T > 1, surer for T < 1; which class is the most probable stays.

    Shapes: (N, classes) -> float64 (N, classes)
    """
    z = np.log(np.maximum(probabilities, _TINY), dtype=np.float64) / temperature
    e: Array = np.exp(z - z.max(axis=1, keepdims=True))
    e /= e.sum(axis=1, keepdims=True)
    return e


def fit_temperature(labels: Array, probabilities: Array) -> float:
    """The T from 0.05 to 20 for which tempered probabilities have the smallest negative log-likelihood.

    With b = 1/T and z = log p, the likelihood's derivative is that of a softmax at the logits b z:
    L(b) = -(1/N) Σ_n (b z[n, label n] - log Σ_k e^(b z[n,k]))
    dL/db = (1/N) Σ_n (Σ_k softmax(b z)[n,k] z[n,k] - z[n, label n])
    L is convex in b, so dL/db only grows: halving the interval of log b finds its zero, or the end that is nearest.

    Fit it on images that the network has not learned from; those it has learned make it look surer than it is.
    Source: Guo et al. 2017, "On calibration of modern neural networks", section 4.2.
    """
    z = np.log(np.maximum(probabilities, _TINY), dtype=np.float64)
    wanted = z[np.arange(len(labels)), labels].mean()
    low, high = -math.log(20), math.log(20)
    for _ in range(50):
        middle = (low + high) / 2
        expected = (temper(probabilities, math.exp(-middle)) * z).sum(axis=1).mean()
        low, high = (low, middle) if expected > wanted else (middle, high)
    return math.exp(-(low + high) / 2)


@dataclass(frozen=True)
class ReliabilityDiagram:
    """Whether probabilities mean what they say: in bins of confidence, how sure and how often right."""

    edges: Array
    """The bins' limits, (bins + 1,)."""
    counts: Array
    """How many images fell into each bin, (bins,)."""
    confidence: Array
    """The mean of the highest probability in each bin; nan in an empty bin."""
    accuracy: Array
    """The share that was right in each bin; nan in an empty bin."""
    expected_calibration_error: float
    """The expected calibration error: the mean over images of |accuracy - confidence| of their bin."""


def reliability_diagram(labels: Array, probabilities: Array, bins: int = 15) -> ReliabilityDiagram:
    """Confidence against accuracy, in bins of equal width.

    Source: Guo et al. 2017, "On calibration of modern neural networks", equation 3.
    """
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = (probabilities.argmax(axis=1) == labels).astype(np.float64)
    edges = np.linspace(0.0, 1.0, bins + 1)
    # Bins are open below and closed above, so that a probability of exactly 1 falls into the last one.
    which = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, bins - 1)
    counts = np.bincount(which, minlength=bins)
    sums = np.bincount(which, weights=confidence, minlength=bins)
    rights = np.bincount(which, weights=right, minlength=bins)
    some = counts > 0
    nothing = np.full(bins, np.nan)
    return ReliabilityDiagram(
        edges=edges,
        counts=counts,
        confidence=np.divide(sums, counts, out=nothing.copy(), where=some),
        accuracy=np.divide(rights, counts, out=nothing, where=some),
        expected_calibration_error=float(np.abs(rights - sums).sum() / len(labels)),
    )


@dataclass(frozen=True)
class Evaluation:
    """Everything that is asked of a classifier's answers for labelled images."""

    images: int
    accuracy: float
    interval: tuple[float, float]
    """Where the true accuracy lies with 95 % probability."""
    negative_log_likelihood: float
    """Mean, in nats."""
    brier_score: float
    reliability: ReliabilityDiagram
    confusion: Array
    """Counts, (classes, classes): row the true class, column the predicted one."""
    precision: Array
    recall: Array

    @classmethod
    def of(cls, labels: Array, probabilities: Array) -> "Evaluation":
        """Of integer labels (N,) and probabilities (N, classes)."""
        predictions = probabilities.argmax(axis=1)
        confusion = confusion_matrix(labels, predictions, probabilities.shape[1])
        precision, recall = precision_recall(confusion)
        share = accuracy(labels, predictions)
        return cls(
            images=len(labels),
            accuracy=share,
            interval=wilson_interval(share, len(labels)),
            negative_log_likelihood=negative_log_likelihood(labels, probabilities),
            brier_score=brier_score(labels, probabilities),
            reliability=reliability_diagram(labels, probabilities),
            confusion=confusion,
            precision=precision,
            recall=recall,
        )
