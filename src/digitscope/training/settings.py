"""Settings of a training by name, as `fit`, the command line and model files use them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypedDict, TypeVar

from digitscope.arguments import shown
from digitscope.augmentation.augment import STANDARD, Augment
from digitscope.errors import TrainingError
from digitscope.nn import (
    Adam,
    AdamW,
    BackgroundCrossEntropy,
    Constant,
    Cosine,
    GradientDescent,
    Layer,
    LeakyReLU,
    Loss,
    MeanSquaredError,
    Momentum,
    OneCycle,
    Optimizer,
    ReLU,
    Schedule,
    Sigmoid,
    SoftmaxCrossEntropy,
    StepDecay,
    Tanh,
)
from digitscope.training.parallel.shards import Augmentation
from digitscope.training_info import CHANGES

T = TypeVar("T")

ACTIVATIONS: dict[str, type[Layer]] = {"relu": ReLU, "leaky-relu": LeakyReLU, "sigmoid": Sigmoid, "tanh": Tanh}
NAMED_LOSSES: dict[str, type[Loss]] = {"cross-entropy": SoftmaxCrossEntropy, "squared-error": MeanSquaredError}
NAMED_OPTIMIZERS: dict[str, Optimizer] = {
    "gradient-descent": GradientDescent(),
    "momentum": Momentum(),
    "nesterov": Momentum(nesterov=True),
    "adam": Adam(),
    "adamw": AdamW(),
}
NAMED_SCHEDULES: dict[str, type[Schedule]] = {
    "constant": Constant,
    "step": StepDecay,
    "cosine": Cosine,
    "one-cycle": OneCycle,
}
NAMED_AUGMENTATIONS: dict[str, Augment | None] = {
    "none": None,
    "standard": STANDARD,
}

ADAM_RATE, DESCENT_RATE = 0.005, 0.5
"""The highest learning rates of Adam and of gradient descent where none can be derived from another optimizer's
(docs/log.md)."""


class PlanSettings(TypedDict, total=False):
    """The settings that `Plan.with_settings` takes; None keeps the plan's own."""

    epochs: int | None
    learning_rate: float | None
    batch_size: int | None
    loss: Loss | str | None
    label_smoothing: float | None
    optimizer: Optimizer | str | None
    weight_decay: float | None
    schedule: Schedule | str | None
    augment: Augmentation | str | None


def by_name(setting: str, choices: Mapping[str, T], name: object) -> T:
    """Raises: TrainingError if no choice has this name."""
    if isinstance(name, str) and name in choices:
        return choices[name]
    raise TrainingError(f"{setting} expects one of {', '.join(choices)}; got {shown(name)}.")


def loss_by_name(loss: Loss | str, own: Loss) -> Loss:
    """The loss, if it is one already, or the loss of that name. The name of `own` gives `own`, with its smoothing.

    Raises: TrainingError for an unknown name.
    """
    if not isinstance(loss, str):
        return loss
    kind = by_name("loss", NAMED_LOSSES, loss)
    return own if type(own) is kind else kind()


def optimizer_by_name(optimizer: Optimizer | str) -> Optimizer:
    """The optimizer, if it is one already, or the optimizer of that name.

    Raises: TrainingError for an unknown name.
    """
    return by_name("optimizer", NAMED_OPTIMIZERS, optimizer) if isinstance(optimizer, str) else optimizer


def schedule_by_name(schedule: Schedule | str, own: Schedule) -> Schedule:
    """The schedule, if it is one already. A name gives that schedule with the highest rate of `own`, or `own` itself if
    it has this name.

    Raises: TrainingError for an unknown name.
    """
    if not isinstance(schedule, str):
        return schedule
    kind = by_name("schedule", NAMED_SCHEDULES, schedule)
    return own if type(own) is kind else kind(own.learning_rate)


def augmentation_by_name(augment: Augmentation | str) -> Augmentation | None:
    """The function, if it is one already. A text is a name, or amounts such as "rotation=10,shift=1". The result None
    means no augmentation.

    Raises: TrainingError for an unknown name; DataError as `Augment.from_text`.
    """
    if not isinstance(augment, str):
        return augment
    if "=" in augment:
        return Augment.from_text(augment)
    if augment in NAMED_AUGMENTATIONS:
        return NAMED_AUGMENTATIONS[augment]
    names = ", ".join(NAMED_AUGMENTATIONS)
    raise TrainingError(f"augment expects {names}, or amounts such as rotation=10,shift=1; got {shown(augment)}.")


def with_label_smoothing(loss: Loss, label_smoothing: float) -> Loss:
    """Raises: TrainingError for a loss without label smoothing, or an amount outside 0 to 1."""
    if isinstance(loss, SoftmaxCrossEntropy | BackgroundCrossEntropy):
        return replace(loss, label_smoothing=label_smoothing)
    raise TrainingError(
        f"Label smoothing expects a cross-entropy; the loss is {type(loss).__name__}. "
        "Leave it out, or choose the loss cross-entropy."
    )


def rate_for(optimizer: Optimizer, previous: Optimizer, rate: float) -> float:
    """The highest learning rate for an optimizer in a plan whose previous optimizer used `rate`.

    Momentum m adds up gradients to 1 / (1 - m) times their size, so with more momentum the rate is lower by as much.
    With less momentum it stays: a higher one might diverge. The steps of Adam do not depend on the size of the
    gradients, so its rate is unrelated to that of the others. An optimizer of your own keeps the rate.
    """
    momentum, previous_momentum = _momentum(optimizer), _momentum(previous)
    if isinstance(optimizer, Adam):
        return rate if previous_momentum is None else ADAM_RATE
    if momentum is None or momentum == previous_momentum:
        return rate
    if isinstance(previous, Adam):
        return round(DESCENT_RATE * (1 - momentum), 10)
    if previous_momentum is None or momentum < previous_momentum:
        return rate
    return round(rate * (1 - momentum) / (1 - previous_momentum), 10)


def _momentum(optimizer: Optimizer) -> float | None:
    """The momentum of gradient descent, 0 without momentum; None for other optimizers."""
    if isinstance(optimizer, GradientDescent):
        return 0.0
    return optimizer.momentum if isinstance(optimizer, Momentum) else None


def recorded_settings(settings: Mapping[str, object]) -> dict[str, Any]:
    """What a `TrainingInfo` holds of a recipe's settings: numbers, names, and the amounts of an `Augment` as text.

    Objects without a name are left out. The plan's epochs, learning rate and batch size are recorded in any case.
    """
    names = {name: _name_of(value) for name, value in settings.items()}
    if names.get("label_smoothing") is None and isinstance(loss := settings.get("loss"), Loss):
        names["label_smoothing"] = getattr(loss, "label_smoothing", None)
    recordable = {name: value for name, value in names.items() if isinstance(value, int | float | str | tuple)}
    return {name: recordable[name] for name in CHANGES if name in recordable}


def _name_of(value: object) -> object:
    """The name or text of an object that has one; anything else as it is."""
    if isinstance(value, list | Augment):
        return value.as_text() if isinstance(value, Augment) else tuple(value)
    for name, choice in (*NAMED_LOSSES.items(), *NAMED_OPTIMIZERS.items(), *NAMED_SCHEDULES.items()):
        if value == choice or type(value) is choice:
            return name
    return value


def settings_text(settings: Mapping[str, object]) -> str:
    """The settings that are not None, for people: "layers 16,16; label smoothing 0.1"."""
    given = {name.replace("_", " "): value for name, value in settings.items() if value is not None}
    return "; ".join(f"{name} {setting_text(value)}" for name, value in given.items())


def setting_text(value: object) -> str:
    """A setting as the command line takes it: 16,16 or none for widths; an object as Python shows it."""
    if isinstance(value, list | tuple):
        return ",".join(map(str, value)) or "none"
    return f"{value:g}" if isinstance(value, float) else value if isinstance(value, str) else shown(value)
