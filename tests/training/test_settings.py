"""Settings of a training by name."""

from dataclasses import replace
from typing import Any

import pytest

from digitscope.augmentation.augment import STANDARD, Augment
from digitscope.errors import DataError, DigitscopeError, TrainingError
from digitscope.nn import (
    Adam,
    AdamW,
    BackgroundCrossEntropy,
    Constant,
    Cosine,
    GradientDescent,
    MeanSquaredError,
    Momentum,
    OneCycle,
    Optimizer,
    SoftmaxCrossEntropy,
)
from digitscope.training import Plan
from digitscope.training.settings import rate_for, recorded_settings, settings_text

PLAN = Plan(
    loss=SoftmaxCrossEntropy(label_smoothing=0.1),
    optimizer=Momentum(nesterov=True, weight_decay=0.01),
    schedule=OneCycle(0.4, warm_up=0.5),
    epochs=8,
    batch_size=256,
    augment=Augment(rotation=3),
)


def test_none_keeps_what_the_plan_has() -> None:
    assert PLAN.with_settings() == PLAN


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"loss": "cross-entropy"}, {}),
        ({"loss": "squared-error"}, {"loss": MeanSquaredError()}),
        ({"label_smoothing": 0.0}, {"loss": SoftmaxCrossEntropy()}),
        ({"loss": BackgroundCrossEntropy(), "label_smoothing": 0.2}, {"loss": BackgroundCrossEntropy(0.2)}),
        ({"optimizer": "nesterov"}, {"optimizer": Momentum(nesterov=True)}),
        ({"optimizer": "adam", "learning_rate": 0.1}, {"optimizer": Adam(), "schedule": OneCycle(0.1, warm_up=0.5)}),
        ({"optimizer": "adamw", "learning_rate": 0.4}, {"optimizer": AdamW()}),
        ({"optimizer": "adam", "schedule": Cosine(0.3)}, {"optimizer": Adam(), "schedule": Cosine(0.3)}),
        ({"weight_decay": 0.0}, {"optimizer": Momentum(nesterov=True)}),
        ({"schedule": "one-cycle"}, {}),
        ({"schedule": "constant"}, {"schedule": Constant(0.4)}),
        ({"schedule": "cosine", "learning_rate": 0.1}, {"schedule": Cosine(0.1)}),
        ({"augment": "none"}, {"augment": None}),
        ({"augment": "standard"}, {"augment": STANDARD}),
        ({"augment": "shift=1, elastic=0.5"}, {"augment": Augment(shift=1, elastic=0.5)}),
    ],
)
def test_names_stand_for_objects(settings: dict[str, Any], expected: dict[str, Any]) -> None:
    assert PLAN.with_settings(**settings) == replace(PLAN, **expected)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"loss": "hinge"}, TrainingError, "loss expects one of cross-entropy, squared-error; got 'hinge'"),
        ({"optimizer": "sgd"}, TrainingError, "optimizer expects one of gradient-descent, .*; got 'sgd'"),
        ({"schedule": "linear"}, TrainingError, "schedule expects one of constant, .*; got 'linear'"),
        ({"augment": "much"}, TrainingError, "augment expects none, standard, or amounts .*; got 'much'"),
        ({"augment": "turn=3"}, DataError, "Augment has the amounts rotation, .*; got 'turn'"),
        ({"augment": "rotation=a"}, DataError, "Augment expects amounts such as .*; got 'rotation=a'"),
        ({"augment": "erase=2"}, DataError, "Augment expects erase of 0 to 1; got 2.0"),
        ({"loss": "squared-error", "label_smoothing": 0.1}, TrainingError, "the loss is MeanSquaredError"),
        ({"label_smoothing": 2.0}, TrainingError, "label_smoothing is expected from 0 to 1; got 2.0"),
        ({"weight_decay": -1.0}, DigitscopeError, "weight_decay is expected as a number from 0 on; got -1.0"),
        ({"weight_decay": 1e30}, TrainingError, "learning rate times the weight decay is expected to be below 1"),
        ({"optimizer": 3}, TrainingError, "Plan's optimizer is expected as"),
    ],
)
def test_an_invalid_setting_is_one_clear_error(
    settings: dict[str, Any], error: type[DigitscopeError], message: str
) -> None:
    with pytest.raises(error, match=message):
        PLAN.with_settings(**settings)


@pytest.mark.parametrize(
    ("optimizer", "previous", "expected"),
    [
        (Momentum(), GradientDescent(), 0.05),
        (GradientDescent(), Momentum(nesterov=True), 0.5),
        (Momentum(nesterov=True), Momentum(), 0.5),
        (Momentum(momentum=0.95), Momentum(), 0.25),
        (Adam(), Momentum(), 0.005),
        (AdamW(), Adam(), 0.5),
        (Momentum(), Adam(), 0.05),
        (GradientDescent(), Adam(), 0.5),
    ],
)
def test_another_optimizer_has_a_rate_of_its_own(optimizer: Optimizer, previous: Optimizer, expected: float) -> None:
    assert rate_for(optimizer, previous, 0.5) == expected
    plan = replace(PLAN, optimizer=previous, schedule=Constant(0.5))
    assert plan.with_settings(optimizer=optimizer).schedule.learning_rate == expected
    assert plan.with_settings(optimizer=optimizer, learning_rate=0.3).schedule.learning_rate == 0.3


class Own(Optimizer):
    def updated(self, *_: Any) -> tuple[Any, ...]:
        return ()


def test_the_rate_of_an_optimizer_that_needs_no_other_is_kept_exactly() -> None:
    for optimizer, previous in ((Momentum(nesterov=True), Momentum()), (Own(), Momentum()), (Momentum(), Own())):
        assert rate_for(optimizer, previous, 1 / 3) == 1 / 3
    assert rate_for(Adam(), Own(), 1 / 3) == rate_for(Own(), Adam(), 1 / 3) == 1 / 3


@pytest.mark.parametrize("augment", [Augment(), STANDARD, Augment(elastic_width=2.5, noise=0.123456789)])
def test_an_augmentation_is_restored_from_its_text(augment: Augment) -> None:
    assert Augment.from_text(augment.as_text()) == augment


def test_the_settings_in_a_model_file() -> None:
    settings = {"epochs": 3, "layers": [16, 16], "dropout": 0.1, "loss": SoftmaxCrossEntropy(0.2)}
    settings |= {"optimizer": Adam(), "schedule": Adam, "augment": STANDARD, "activation": None}
    assert recorded_settings(settings) == {
        "layers": (16, 16),
        "dropout": 0.1,
        "loss": "cross-entropy",
        "label_smoothing": 0.2,
        "optimizer": "adam",
        "augment": "rotation=10,scale=0.1,shear=0.15,shift=1,elastic=0.8",
    }
    smoothed = {"loss": SoftmaxCrossEntropy(0.2), "label_smoothing": 0.3}
    assert recorded_settings(smoothed) == {"loss": "cross-entropy", "label_smoothing": 0.3}
    assert settings_text({"layers": (), "label_smoothing": 0.10, "augment": None}) == "layers none; label smoothing 0.1"


def test_a_weight_decay_is_compared_with_the_learning_rate_that_is_given_beside_it() -> None:
    plan = PLAN.with_settings(weight_decay=100.0, learning_rate=0.001)
    assert (plan.optimizer.weight_decay, plan.schedule.learning_rate) == (100.0, 0.001)
