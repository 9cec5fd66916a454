"""What training yields."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """How the steps since the last result went."""

    epoch: int
    """The pass over the images that the step belongs to, from 1."""
    step: int
    """Steps done in all."""
    steps: int
    """Steps planned in all."""
    loss: float
    """Mean over the images since the last result, of the loss each had before the step that used it."""
    accuracy: float
    """Likewise: the share that the network got right."""
    learning_rate: float
    """Of the last step."""
    gradient_norm: float
    """Of the last step, before clipping."""
    seconds: float
    """Spent in training steps since the beginning."""
    examples_per_second: float
    """Since the last result."""


@dataclass(frozen=True)
class Epoch:
    """How the network does at the end of a pass over the images."""

    epoch: int
    """Epochs completed."""
    validation_loss: float | None
    validation_accuracy: float | None
    seconds: float
    """Spent in training steps since the beginning."""
