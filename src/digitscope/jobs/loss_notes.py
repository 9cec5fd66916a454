"""Answers to common questions about a training's losses, each given only where it applies."""

from digitscope.nn import Dropout
from digitscope.training import Run, recent_mean


def loss_notes(run: Run, classes: int) -> tuple[str, ...]:
    """Sentences that explain why the loss does not go to 0, and why the validation loss is below the training loss.
    Each is given only if it is true.

    classes: the number of the network's outputs
    """
    notes = []
    least = run.plan.loss.minimum(classes)
    if least > 0:
        notes.append(
            "Label smoothing aims at a probability below 100 % for the right class, so the loss cannot go to 0: its "
            f"smallest possible value is {least:.4f} nats."
        )
    validation = run.history["validation_loss"][-1]
    if (harder := _harder(run)) and validation is not None and validation < recent_mean(run.history, "loss"):
        notes.append(
            f"The validation loss is below the training loss: {' and '.join(harder)} "
            f"{'make' if len(harder) > 1 else 'makes'} reading harder, in training only."
        )
    return tuple(notes)


def _harder(run: Run) -> list[str]:
    """The settings that make reading harder in training than in validation."""
    has_dropout = any(isinstance(layer, Dropout) and layer.rate > 0 for _, layer in run.network.named_layers())
    return ["augmentation"] * (run.plan.augment is not None) + ["dropout"] * has_dropout
