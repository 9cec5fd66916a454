"""The results that `train` yields."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from digitscope.arrays import Array


@dataclass(frozen=True)
class Step:
    """Figures of the steps since the last result."""

    epoch: int
    """The epoch that the step belongs to, from 1."""
    step: int
    """Steps done since the beginning."""
    steps: int
    """Steps of the whole plan."""
    loss: float
    """Mean loss of the images since the last result, each before the step that used it."""
    accuracy: float
    """The fraction of these images whose label had the largest output."""
    learning_rate: float
    """The learning rate of the last step."""
    gradient_norm: float
    """The gradient norm of the last step, before clipping."""
    seconds: float
    """Time spent in training steps since the beginning."""
    examples_per_second: float
    """Images per second since the last result."""


@dataclass(frozen=True)
class SingleStep(Step):
    """The same figures of one step alone, for a caller of `train` who wants to stop after it. They are not part of the
    history.
    """


@dataclass(frozen=True)
class Epoch:
    """Figures of the network at the end of an epoch."""

    epoch: int
    """Epochs completed."""
    validation_loss: float | None
    validation_accuracy: float | None
    seconds: float
    """Time spent in training steps since the beginning."""
    outputs: Array | None = field(default=None, compare=False, repr=False)
    """The network's outputs for the validation images, (classes, N)."""


RECENT = 20
"""Maximum number of values of which `recent_mean` takes the mean: about a fifth of an epoch."""


def recent_mean(history: Mapping[str, Sequence[float | None]], column: str) -> float:
    """The mean of the last tenth of a column of step results, which are noisy, but of RECENT values at most."""
    values = [value for value in history[column] if value is not None]
    recent = values[-max(1, min(RECENT, len(values) // 10)) :]
    return sum(recent) / len(recent)
