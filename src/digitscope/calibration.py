"""Calibration: a temperature and conformal thresholds, fitted on images that the model was not trained on."""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from digitscope.arguments import shown
from digitscope.arrays import Array
from digitscope.errors import DataError, DigitscopeError, ShapeError
from digitscope.metrics import as_labels_and_probabilities, as_probabilities

TEMPERATURES = 0.001, 1000.0
"""The lowest and the highest temperature of a calibration. `fit_temperature` finds one from 0.05 to 20."""

_TINY = np.finfo(np.float32).tiny
"""Replaces a probability of 0 before the logarithm is taken: 1.2e-38."""


def temper(probabilities: npt.ArrayLike, temperature: float) -> Array:
    """Softmax of log p / T: less confident for T > 1, more for T < 1, with the same order of the classes.

    For p = softmax(z) the result is softmax(z / T).

    Shapes: (N, classes) -> float64 (N, classes)
    Raises: ShapeError or DataError for invalid probabilities; DataError unless T is a positive number.
    """
    if not (temperature > 0 and math.isfinite(temperature)):
        raise DataError(f"A temperature is expected to be positive; got {temperature}.")
    return _tempered(_log(as_probabilities(probabilities)), temperature)


def fit_temperature(labels: npt.ArrayLike, probabilities: npt.ArrayLike) -> float:
    """The T from 0.05 to 20 for which tempered probabilities have the smallest negative log-likelihood.

    With b = 1/T and z = log p, the likelihood's derivative is that of a softmax at the logits b z:
    L(b) = -(1/N) Σ_n (b z[n, label n] - log Σ_k e^(b z[n,k]))
    dL/db = (1/N) Σ_n (Σ_k softmax(b z)[n,k] z[n,k] - z[n, label n])
    L is convex in b, so dL/db increases: bisection of log b finds its zero, or the nearer end of the interval.

    Use images that the network was not trained on, because it is too confident on its training images. Use the
    probabilities of the original logits: if these were already divided by the best temperature, the result is 1.
    Raises: ShapeError or DataError for labels and probabilities that do not fit.
    Source: Guo et al. 2017, "On calibration of modern neural networks", section 4.2.
    """
    true, p = as_labels_and_probabilities(labels, probabilities)
    z = _log(p)
    target = z[np.arange(len(true)), true].mean()
    low, high = -math.log(20), math.log(20)
    for _ in range(50):
        middle = (low + high) / 2
        expected = (_tempered(z, math.exp(-middle)) * z).sum(axis=1).mean()
        low, high = (low, middle) if expected > target else (middle, high)
    return math.exp(-(low + high) / 2)


@dataclass(frozen=True, eq=False)
class Calibration:
    """A temperature, and the scores of validation images, to which the scores of new images are compared.

    Let s_1 .. s_n be the scores of the validation images, in order, and k = floor(a (n + 1)). If a new image is from
    the same distribution, all ranks of its score among them are equally likely, so its score is below s_k with a
    probability of at most k / (n + 1) <= a. No other assumption about the network or its scores is needed.

    Raises: DataError unless the temperature is in TEMPERATURES and the scores are finite and ascending; ShapeError for
        scores of another shape, and for none.
    Source: Vovk, Gammerman and Shafer 2005; prediction sets by probability: Sadinle, Lei and Wasserman 2019.
    """

    temperature: float
    """T, by which the logits are divided."""
    evidence: Array
    """The evidence that a validation image belongs to any class, for each image, ascending, (n,)."""
    probability: Array
    """The probability of the true class at this temperature, for each validation image, ascending, (n,)."""

    def __post_init__(self) -> None:
        low, high = TEMPERATURES
        if not low <= self.temperature <= high:
            raise DataError(f"A temperature is expected from {low} to {high}; got {shown(self.temperature)}.")
        if not self.evidence.size:
            raise ShapeError("The scores of at least 1 image are expected; got none.")
        for name, scores in (("evidence", self.evidence), ("probability", self.probability)):
            if scores.ndim != 1 or scores.shape != self.evidence.shape:
                raise ShapeError(f"Scores are expected as (n,), one of each kind per image; {name} is {scores.shape}.")
            if not (np.isfinite(scores).all() and (scores[1:] >= scores[:-1]).all()):
                raise DataError(f"Scores are expected to be finite and in ascending order; {name} is not.")

    @classmethod
    def fit(cls, labels: npt.ArrayLike, probabilities: npt.ArrayLike, evidence: npt.ArrayLike) -> Self:
        """The calibration for a network's answers to images that it was not trained on.

        probabilities: those of the original logits, at temperature 1

        Shapes: labels (N,), probabilities (N, classes), evidence (N,)
        Raises: ShapeError or DataError if they do not fit.
        """
        true, p = as_labels_and_probabilities(labels, probabilities)
        scores = np.asarray(evidence)
        if scores.shape != true.shape:
            raise ShapeError(f"The evidence is expected for each of {len(true)} images; got {scores.shape}.")
        temperature = fit_temperature(true, p)
        label_probability = temper(p, temperature)[np.arange(len(true)), true]
        return cls(temperature, np.sort(scores).astype(np.float32), np.sort(label_probability).astype(np.float32))

    def moved(self, before: npt.ArrayLike, after: npt.ArrayLike) -> Self:
        """The calibration of the network after it has learned a little more, if the images of the fit are not at hand.

        Every evidence moves by the median change of that of other images. The temperature stays, and so do the
        probabilities. The guarantee is then approximate.

        Shapes: evidence of the same images before and after, (N,)
        Raises: ShapeError if the two differ in shape, or for no images.
        """
        changes = np.subtract(*_pair(before, after))
        return type(self)(self.temperature, self.evidence - np.float32(np.median(changes)), self.probability)

    def evidence_threshold(self, share: float) -> float:
        """The threshold for which at most this share of digits has less evidence."""
        return _score_at_rank(self.evidence, share)

    def probability_threshold(self, share: float) -> float:
        """The threshold for which at most this share of digits has a smaller probability of the true class."""
        return _score_at_rank(self.probability, share)


def _pair(before: npt.ArrayLike, after: npt.ArrayLike) -> tuple[Array, Array]:
    first, second = np.asarray(before, np.float64), np.asarray(after, np.float64)
    if first.shape != second.shape or first.ndim != 1 or not first.size:
        raise ShapeError(f"The evidence of the same images is expected, (N,); got {first.shape} and {second.shape}.")
    return first, second


def _log(probabilities: Array) -> Array:
    z: Array = np.log(np.maximum(probabilities, _TINY), dtype=np.float64)
    return z


def _tempered(z: Array, temperature: float) -> Array:
    """softmax(z / T) of each row."""
    e: Array = z / temperature
    e -= e.max(axis=1, keepdims=True)
    np.exp(e, out=e)
    e /= e.sum(axis=1, keepdims=True)
    return e


def _score_at_rank(scores: Array, share: float) -> float:
    """s_k for k = floor(share (n + 1)), where s_1 is the first score; minus infinity for k = 0."""
    if not 0 <= share < 1:
        raise DigitscopeError(f"The share of digits that may be refused is expected from 0 to below 1; got {share}.")
    k = math.floor(share * (len(scores) + 1) + 1e-9)  # 0.29 * 100 is 28.999999999999996
    return float(scores[k - 1]) if k else -math.inf
