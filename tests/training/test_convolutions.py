"""A small network with all features of a large one: threads and interruptions do not change it."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from digitscope.arrays import Array
from digitscope.augmentation.augment import Augment
from digitscope.datasets import DataSet
from digitscope.errors import ModelError
from digitscope.nn import (
    AdamW,
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    MaxPool2D,
    Momentum,
    Network,
    OneCycle,
    ReLU,
    Reshape,
    Residual,
    SoftmaxCrossEntropy,
    to_batch,
)
from digitscope.training import (
    Epoch,
    ExponentialAverage,
    Plan,
    Run,
    TailAverage,
    Thresholds,
    evaluate,
    load_checkpoint,
    measure_statistics,
    save_checkpoint,
    train,
)

IMAGES = 330
"""A number that neither batches nor shards divide."""
PLAN = Plan(
    loss=SoftmaxCrossEntropy(label_smoothing=0.1),
    optimizer=Momentum(nesterov=True, weight_decay=1e-3, clip_norm=1.0),
    schedule=OneCycle(0.1),
    epochs=2,
    batch_size=100,
    shard_size=32,
    augment=Augment(rotation=10, scale=0.1, shear=0.1, shift=2, elastic=0.5, thickness=0.3, noise=0.1, erase=0.3),
    averaging=TailAverage(0.5),
)
WHOLE = replace(PLAN, shard_size=None, optimizer=AdamW(), schedule=OneCycle(0.003), averaging=ExponentialAverage(0.9))
PLANS = pytest.mark.parametrize("plan", [PLAN, WHOLE], ids=["shards", "one shard"])


def start(plan: Plan, images: int = IMAGES) -> Run:
    rng = np.random.default_rng(7)
    network = Network(
        Reshape(1, 28, 28),
        Conv2D(1, 4, 5, stride=2, rng=rng),
        BatchNorm(4),
        ReLU(),
        MaxPool2D(2),
        Residual(Conv2D(4, 4, 3, padding=1, bias=False, rng=rng), BatchNorm(4), ReLU()),
        Flatten(),
        Dropout(0.2),
        Dense(144, 10, rng=rng),
    )
    return Run.start(network, plan, images, rng)


def data(few: DataSet) -> tuple[Array, Array]:
    return few.x_train[:IMAGES], few.y_train[:IMAGES]


def weights(run: Run, few: DataSet) -> dict[str, bytes]:
    outcome = run.outcome(few.x_train[:IMAGES])
    arrays = {**run.network.params, **{f"average {name}": value for name, value in run.average.items()}}
    outcomes = {f"outcome {name}": value for name, value in {**outcome.params, **outcome.statistics}.items()}
    return {name: value.tobytes() for name, value in {**arrays, **outcomes}.items()}


@PLANS
def test_threads_do_not_change_a_bit(few: DataSet, plan: Plan) -> None:
    # BLAS uses all threads if they round in the same way, even if they do not save time on this machine.
    always = Thresholds(blas_time_ratio=math.inf)
    runs = [start(plan) for _ in range(3)]
    results = [
        list(train(run, *data(few), validation=data(few), threads=n, thresholds=always))
        for n, run in enumerate(runs, start=1)
    ]
    assert weights(runs[0], few) == weights(runs[1], few) == weights(runs[2], few)
    assert weights(runs[0], few) != weights(start(plan), few)
    accuracies = [[r.validation_accuracy for r in result if isinstance(r, Epoch)] for result in results]
    assert accuracies[0] == accuracies[1] == accuracies[2]


RUNS: dict[Plan, Run] = {}


def whole_run(few: DataSet, plan: Plan) -> Run:
    """A run that was never stopped; each plan is run once."""
    if plan not in RUNS:
        RUNS[plan] = start(plan)
        list(train(RUNS[plan], *data(few), validation=data(few)))
    return RUNS[plan]


@PLANS
@pytest.mark.parametrize("stop", [1, 3, 5, 6, 8])
def test_a_run_that_is_stopped_and_resumed_ends_the_same(few: DataSet, tmp_path: Path, plan: Plan, stop: int) -> None:
    whole = whole_run(few, plan)
    stopped = start(plan)
    for number, _ in enumerate(train(stopped, *data(few), validation=data(few)), start=1):
        if number == stop:
            save_checkpoint(tmp_path / "c", stopped, {})
            break
    resumed = start(plan)
    load_checkpoint(tmp_path / "c").restore(resumed)
    assert weights(resumed, few) == weights(stopped, few)
    list(train(resumed, *data(few), validation=data(few), threads=2))
    assert weights(resumed, few) == weights(whole, few)
    for column in ("step", "loss", "accuracy", "gradient_norm", "validation_loss", "validation_accuracy"):
        assert resumed.history[column] == whole.history[column]


def test_validation_uses_the_outcome_and_unchanged_images(few: DataSet) -> None:
    run = start(PLAN)
    images, labels = data(few)
    for result in train(run, images, labels, validation=(images, labels)):
        if isinstance(result, Epoch):
            expected = evaluate(run.outcome(images), PLAN.loss, images, labels)
            assert (result.validation_loss, result.validation_accuracy) == expected
            last = measure_statistics(run.network, images)
            averaged = result.epoch == 2  # the average is of the last half of the steps
            assert (evaluate(last, PLAN.loss, images, labels) != expected) == averaged


def test_each_shard_of_images_is_changed_by_the_plan(few: DataSet) -> None:
    seen: list[tuple[int, ...]] = []

    def augment(images: Array, rng: np.random.Generator) -> Array:
        seen.append(images.shape)
        assert images.dtype == np.uint8
        return np.zeros_like(to_batch(images))

    run = start(replace(PLAN, augment=augment, averaging=None, epochs=1))
    list(train(run, *data(few)))
    assert seen == [(n, 28, 28) for n in 3 * [32, 32, 32, 4] + [30]]
    # Empty images do not change the first layer's weights.
    decay = math.prod(1 - rate * 1e-3 for rate in run.history["learning_rate"] if rate is not None)
    first = start(PLAN).network.params["1.weight"]
    np.testing.assert_allclose(run.network.params["1.weight"], decay * first, rtol=1e-5)


def test_it_learns(few: DataSet) -> None:
    plan = replace(PLAN, augment=Augment(shift=1), epochs=8, batch_size=50)
    run = start(plan, len(few.x_train))
    list(train(run, few.x_train, few.y_train, threads=2))
    assert few.x_test is not None
    assert few.y_test is not None
    assert evaluate(run.outcome(few.x_train), plan.loss, few.x_test, few.y_test)[1] > 0.85


def test_a_checkpoint_without_the_average_is_refused(few: DataSet, tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "c", replace(start(PLAN), average={}), {})
    run = start(PLAN)
    before = weights(run, few)
    with pytest.raises(ModelError, match=r"not in both checkpoint and network: average/1\.bias, average/1\.weight"):
        load_checkpoint(tmp_path / "c").restore(run)
    assert weights(run, few) == before
