"""How sure a model may be, learned from images that it was not trained on."""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np

from digitscope.arrays import Array
from digitscope.errors import DigitscopeError
from digitscope.metrics import fit_temperature, temper


@dataclass(frozen=True, eq=False)
class Calibration:
    """A model's scores on validation images, against which those of new images are held.

    Let s_1 .. s_n be the scores of the validation images, in order, and k = floor(a (n + 1)). If a new image is drawn
    as they were, all ranks of its score among them are equally likely, so it is below s_k with a probability of at
    most k / (n + 1) <= a. No more is assumed, neither of the network nor of its scores.

    Source: Vovk, Gammerman and Shafer 2005; prediction sets by probability: Sadinle, Lei and Wasserman 2019.
    """

    temperature: float
    """T, by which the logits are divided."""
    evidence: Array
    """The evidence that each image is of any class, ascending, (n,)."""
    probability: Array
    """The probability of each image's true class, at that temperature, ascending, (n,)."""

    @classmethod
    def fit(cls, labels: Array, probabilities: Array, evidence: Array) -> Self:
        """From the answers for images that the network has not learned from.

        Shapes: labels (N,), probabilities (N, classes), evidence (N,)
        """
        temperature = fit_temperature(labels, probabilities)
        of_label = temper(probabilities, temperature)[np.arange(len(labels)), labels]
        return cls(temperature, np.sort(evidence).astype(np.float32), np.sort(of_label).astype(np.float32))

    def evidence_threshold(self, share: float) -> float:
        """The evidence below which at most this share of true digits lies."""
        return _least(self.evidence, share)

    def probability_threshold(self, share: float) -> float:
        """The probability below which that of the true class lies for at most this share of digits."""
        return _least(self.probability, share)


def _least(scores: Array, share: float) -> float:
    """s_k, k = floor(share (n + 1)), the first being s_1; without a bound where k is 0."""
    if not 0 <= share < 1:
        raise DigitscopeError(f"The share of digits that may be refused is expected from 0 to below 1; got {share}.")
    k = math.floor(share * (len(scores) + 1) + 1e-9)  # 0.29 * 100 is 28.999999999999996
    return float(scores[k - 1]) if k else -math.inf
