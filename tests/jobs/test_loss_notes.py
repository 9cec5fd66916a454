"""The explanations of losses appear exactly when they are true."""

import numpy as np
import pytest

from digitscope.augmentation.augment import Augment
from digitscope.jobs.loss_notes import loss_notes
from digitscope.nn import (
    BackgroundCrossEntropy,
    Dense,
    Dropout,
    Loss,
    MeanSquaredError,
    Momentum,
    Network,
    OneCycle,
    Residual,
    SoftmaxCrossEntropy,
)
from digitscope.training import Plan, Run, recent_mean

PLAIN = SoftmaxCrossEntropy()


def make_run(
    *, loss: Loss = PLAIN, augment: bool = False, dropout: float | None = None, validation_loss: float | None = 0.4
) -> Run:
    """A run of 200 steps whose last 20 have a mean loss of 0.5."""
    layers = [] if dropout is None else [Residual(Dropout(dropout))]
    plan = Plan(loss, Momentum(), OneCycle(0.1), epochs=1, batch_size=10, augment=Augment(shift=1) if augment else None)
    run = Run.start(Network(*layers, Dense(4, 10, rng=np.random.default_rng(0))), plan, 300, np.random.default_rng(0))
    for name, values in (
        ("loss", [0.1] * 180 + [0.6, 0.4] * 10),
        ("validation_loss", [0.1] * 199 + [validation_loss]),
    ):
        run.history[name] = list(values)
    return run


def smoothed(value: str) -> str:
    return (
        "Label smoothing aims at a probability below 100 % for the right class, so the loss cannot go to 0: its "
        f"smallest possible value is {value} nats."
    )


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (PLAIN, ()),
        (MeanSquaredError(), ()),
        (SoftmaxCrossEntropy(0.05), (smoothed("0.2824"),)),
        (SoftmaxCrossEntropy(0.1), (smoothed("0.5003"),)),
        (BackgroundCrossEntropy(0.05), (smoothed("0.2896"),)),
    ],
    ids=repr,
)
def test_label_smoothing_keeps_the_loss_above_zero(loss: Loss, expected: tuple[str, ...]) -> None:
    assert loss_notes(make_run(loss=loss), 10) == expected


@pytest.mark.parametrize(
    ("augment", "dropout", "validation_loss", "harder"),
    [
        (True, None, 0.4999, "augmentation makes"),
        (False, 0.2, 0.4, "dropout makes"),
        (True, 0.2, 0.4, "augmentation and dropout make"),
        (True, 0.2, 0.5, None),
        (True, 0.2, 0.6, None),
        (True, 0.2, None, None),
        (False, None, 0.4, None),
        (False, 0.0, 0.4, None),
    ],
)
def test_a_validation_loss_below_the_training_loss(
    augment: bool, dropout: float | None, validation_loss: float | None, harder: str | None
) -> None:
    run = make_run(augment=augment, dropout=dropout, validation_loss=validation_loss)
    sentence = f"The validation loss is below the training loss: {harder} reading harder, in training only."
    assert loss_notes(run, 10) == ((sentence,) if harder else ())


@pytest.mark.parametrize(
    ("values", "mean"),
    [([3.0], 3.0), ([9.0] * 18 + [1.0], 1.0), ([9.0] * 18 + [1.0, 2.0], 1.5), ([9.0] * 980 + [0.0, 1.0] * 10, 0.5)],
    ids=lambda value: str(len(value)) if isinstance(value, list) else "",
)
def test_recent_figures_are_the_last_tenth_at_most_twenty(values: list[float | None], mean: float) -> None:
    assert recent_mean({"loss": values}, "loss") == mean
