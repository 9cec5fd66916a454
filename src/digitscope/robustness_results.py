"""Results of `digitscope evaluate --robust` as plain numbers, so that the report does not depend on their source."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from digitscope.arrays import Array
from digitscope.metrics import Evaluation, accuracy, wilson_interval


@dataclass(frozen=True)
class AccuracyEstimate:
    """The accuracy on some images, with its interval."""

    images: int
    accuracy: float

    @classmethod
    def of(cls, labels: npt.ArrayLike, predictions: npt.ArrayLike) -> "AccuracyEstimate":
        """Raises: ShapeError or DataError as `metrics.accuracy`."""
        return cls(len(np.asarray(labels)), accuracy(labels, predictions))

    @property
    def interval(self) -> tuple[float, float]:
        """The interval that holds the true accuracy with 95 % probability."""
        return wilson_interval(self.accuracy, self.images)

    def as_json(self) -> dict[str, Any]:
        return {"images": self.images, "accuracy": self.accuracy, "interval": list(self.interval)}


@dataclass(frozen=True)
class CorruptionResult:
    """The accuracy on images that were corrupted in one way."""

    unit: str
    amounts: tuple[float, ...]
    """The amount at each strength, in that unit."""
    estimates: tuple[AccuracyEstimate, ...]
    """At each strength."""

    def as_json(self) -> dict[str, Any]:
        return {
            "unit": self.unit,
            "amounts": list(self.amounts),
            "accuracy": [estimate.accuracy for estimate in self.estimates],
            "interval": [list(estimate.interval) for estimate in self.estimates],
        }


@dataclass(frozen=True)
class DisputedResult:
    """A test image of MNIST whose label people dispute, and what the model reads in it."""

    index: int
    label: int
    other: int
    """The digit that people could choose instead of the label."""
    votes: tuple[int, int, int]
    """The numbers of five people who saw the label, the other digit, or neither."""
    raters: int | None
    """The digit that most of the five saw instead of the label; None if most saw neither, or they disagree."""
    answer: int

    def as_json(self) -> dict[str, Any]:
        return {
            "index": self.index,
            "label": self.label,
            "other": self.other,
            "votes": self.votes,
            "raters": self.raters,
            "answer": self.answer,
        }


@dataclass(frozen=True, eq=False)
class MnistResult:
    """The accuracy on parts of MNIST's test images."""

    parts: dict[str, AccuracyEstimate]
    """On all, on each half, and on those whose label nobody disputes."""
    disputed: tuple[DisputedResult, ...]
    disputed_images: Array

    @property
    def as_labelled(self) -> int:
        """The number of disputed images that are read as their label says."""
        return sum(image.answer == image.label for image in self.disputed)

    @property
    def as_raters(self) -> int:
        """The number of disputed images that are read as most people read them, instead of the label."""
        return sum(image.answer == image.raters for image in self.disputed)

    def as_json(self) -> dict[str, Any]:
        return {
            "shares": {name: estimate.as_json() for name, estimate in self.parts.items()},
            "disputed": [image.as_json() for image in self.disputed],
        }


@dataclass(frozen=True, eq=False)
class Robustness:
    """How a model does on corrupted images, how far its probabilities can be trusted, and on which images it fails."""

    name: str
    """The model's recipe."""
    source: str
    """The images that it was evaluated on."""
    clean: Evaluation
    """The evaluation of the model's answers for the images as they are."""
    seed: int
    """The seed of the corruptions' random numbers."""
    corruptions: dict[str, CorruptionResult]
    samples: Array
    """For each corruption one image as it is and at each strength, (corruptions, 1 + strengths, H, W)."""
    temperature: float | None
    temperature_source: str
    """The images that the temperature was fitted on, or why there is no temperature."""
    uncalibrated: Evaluation
    """The evaluation of the softmax of the logits themselves (temperature 1), on the images as they are."""
    calibrated: Evaluation | None
    """The evaluation of the softmax of the logits divided by the temperature."""
    mnist: MnistResult | None
    """None if the images are not MNIST's test images."""
    notice: str | None = None
    """A warning about the images, if the model learned from some of them."""

    @property
    def mean_accuracy(self) -> float:
        """The mean over all corruptions and strengths."""
        return float(
            np.mean([estimate.accuracy for result in self.corruptions.values() for estimate in result.estimates])
        )

    def as_json(self) -> dict[str, Any]:
        """What `digitscope evaluate --robust --json` prints under "robustness"."""
        return {
            "seed": self.seed,
            "mean_accuracy": self.mean_accuracy,
            "corruptions": {name: result.as_json() for name, result in self.corruptions.items()},
            "temperature": self.temperature,
            "temperature_source": self.temperature_source,
            "calibration": _calibration(self.uncalibrated),
            "calibration_tempered": None if self.calibrated is None else _calibration(self.calibrated),
            "mnist": None if self.mnist is None else self.mnist.as_json(),
        }


def _calibration(result: Evaluation) -> dict[str, float]:
    return {
        "error": result.reliability.expected_calibration_error,
        "negative_log_likelihood": result.negative_log_likelihood,
        "brier_score": result.brier_score,
    }
