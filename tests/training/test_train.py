"""The training loop: what it computes, and that threads and interruptions do not change it."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from digitscope.arrays import Array
from digitscope.datasets import DataSet
from digitscope.errors import DivergenceError, ModelError
from digitscope.nn import (
    Adam,
    Constant,
    Dense,
    Dropout,
    GradientDescent,
    Momentum,
    Network,
    OneCycle,
    ReLU,
    SoftmaxCrossEntropy,
    to_batch,
)
from digitscope.training import (
    Epoch,
    Plan,
    Run,
    Step,
    Thresholds,
    evaluate,
    load_checkpoint,
    network_outputs,
    save_checkpoint,
    train,
)

PLAN = Plan(
    loss=SoftmaxCrossEntropy(label_smoothing=0.1),
    optimizer=Momentum(nesterov=True, weight_decay=1e-3, clip_norm=1.0),
    schedule=OneCycle(0.1),
    epochs=2,
    batch_size=100,
    shard_size=None,
)
SHARDED = replace(PLAN, shard_size=32, optimizer=Adam(), schedule=OneCycle(0.003))
FULL = replace(PLAN, batch_size=None, shard_size=250, epochs=12, optimizer=GradientDescent(), schedule=Constant(0.5))


def start(plan: Plan, images: int, hidden: int = 300) -> Run:
    rng = np.random.default_rng(7)
    network = Network(Dense(784, hidden, rng=rng), ReLU(), Dropout(0.2), Dense(hidden, 10, rng=rng))
    return Run.start(network, plan, images, rng)


def data(few: DataSet, images: int = 1150) -> tuple[Array, Array]:
    """A number that neither batches nor shards divide."""
    return few.x_train[:images], few.y_train[:images]


def weights(run: Run) -> dict[str, bytes]:
    return {name: p.tobytes() for name, p in run.network.params.items()}


@pytest.mark.parametrize("plan", [PLAN, SHARDED, FULL], ids=["one shard", "shards", "full batch"])
def test_threads_do_not_change_a_bit(few: DataSet, plan: Plan) -> None:
    # BLAS uses all threads if they round in the same way, even if they do not save time on this machine.
    always = Thresholds(blas_time_ratio=math.inf)
    runs = [start(plan, 1150) for _ in range(3)]
    for run, threads in zip(runs, (1, 2, 3), strict=True):
        for _ in train(run, *data(few), threads=threads, thresholds=always):
            pass
    assert weights(runs[0]) == weights(runs[1]) == weights(runs[2])
    assert weights(runs[0]) != weights(start(plan, 1150))


def test_a_step_is_the_gradient_of_the_whole_batch(few: DataSet) -> None:
    images, labels = data(few, 130)
    plan = replace(PLAN, batch_size=None, shard_size=32, epochs=1, optimizer=GradientDescent(), schedule=Constant(0.5))
    rng = np.random.default_rng(1)
    network = Network(Dense(784, 20, rng=rng), ReLU(), Dense(20, 10, rng=rng))
    exact = network.astype(np.float64)
    outputs, backward = exact.forward(to_batch(images).astype(np.float64))
    loss, loss_backward = plan.loss.forward(outputs, labels)
    grads = backward(loss_backward(1.0))[1]
    (step, epoch) = train(Run.start(network, plan, 130, rng), images, labels, validation=(images, labels))
    for name, p in exact.params.items():
        np.testing.assert_allclose(network.params[name], p - 0.5 * grads[name], atol=1e-6)
    assert isinstance(step, Step)
    assert step.loss == pytest.approx(loss, rel=1e-5)
    assert step.accuracy == pytest.approx(float((outputs.argmax(axis=0) == labels).mean()))
    assert step.gradient_norm == pytest.approx(np.sqrt(sum((g**2).sum() for g in grads.values())), rel=1e-5)
    assert (step.step, step.steps, step.learning_rate) == (1, 1, 0.5)
    assert isinstance(epoch, Epoch)
    assert (epoch.validation_loss, epoch.validation_accuracy) == evaluate(network, plan.loss, images, labels)


def test_every_image_is_used_once_in_each_epoch_in_a_new_order(few: DataSet) -> None:
    run = start(replace(PLAN, epochs=2), 1150)
    first = run.draw_order(1150)[1]
    again = run.draw_order(1150)[1]
    np.testing.assert_array_equal(first, again)
    assert sorted(first.tolist()) == list(range(1150))
    for result in train(run, *data(few)):
        if isinstance(result, Epoch) and result.epoch == 1:
            assert not np.array_equal(run.draw_order(1150)[1], first)


def test_it_learns_and_keeps_its_history(few: DataSet) -> None:
    run = start(replace(PLAN, epochs=5), 1150)
    assert few.x_test is not None
    assert few.y_test is not None
    results = list(train(run, *data(few), validation=(few.x_test, few.y_test), threads=2))
    epochs = [result for result in results if isinstance(result, Epoch)]
    steps = [result for result in results if isinstance(result, Step)]
    assert [epoch.epoch for epoch in epochs] == [1, 2, 3, 4, 5]
    assert [step.step for step in steps] == list(range(1, 61))
    assert [step.epoch for step in steps[::12]] == [1, 2, 3, 4, 5]
    assert epochs[-1].validation_accuracy is not None
    assert epochs[-1].validation_accuracy > 0.8
    assert steps[-1].loss < steps[0].loss / 2
    assert run.history["loss"] == [step.loss for step in steps]
    known = [i for i, value in enumerate(run.history["validation_accuracy"]) if value is not None]
    assert known == [11, 23, 35, 47, 59]
    assert run.seconds == epochs[-1].seconds >= steps[-1].seconds > 0
    assert all(step.examples_per_second > 0 for step in steps)


WHOLE: dict[Plan, Run] = {}


def whole_run(few: DataSet, plan: Plan) -> Run:
    """A run that was never stopped; each plan is run once."""
    if plan not in WHOLE:
        WHOLE[plan] = start(plan, 1150)
        list(train(WHOLE[plan], *data(few), validation=data(few, 50)))
    return WHOLE[plan]


@pytest.mark.parametrize("plan", [PLAN, SHARDED, FULL], ids=["one shard", "shards", "full batch"])
@pytest.mark.parametrize("stop", [1, 2, 7, 12, 13, 14, 20])
def test_a_run_that_is_stopped_and_resumed_ends_the_same(few: DataSet, tmp_path: Path, plan: Plan, stop: int) -> None:
    whole = whole_run(few, plan)
    stopped = start(plan, 1150)
    for number, _ in enumerate(train(stopped, *data(few), validation=data(few, 50)), start=1):
        if number == stop:
            save_checkpoint(tmp_path / "c", stopped, {"recipe": "x"})
            break
    resumed = start(plan, 1150)
    checkpoint = load_checkpoint(tmp_path / "c")
    assert checkpoint.settings == {"recipe": "x"}
    checkpoint.restore(resumed)
    list(train(resumed, *data(few), validation=data(few, 50), threads=2))
    assert weights(resumed) == weights(whole)
    for column in ("step", "loss", "accuracy", "gradient_norm", "validation_loss", "validation_accuracy"):
        assert resumed.history[column] == whole.history[column]


def test_a_checkpoint_of_something_else_is_refused_and_changes_nothing(few: DataSet, tmp_path: Path) -> None:
    path = tmp_path / "c"
    save_checkpoint(path, start(PLAN, 1150), {})
    other = start(replace(PLAN, epochs=3), 1150)
    before = weights(other)
    with pytest.raises(ModelError, match=r"c: the checkpoint is of another plan; plan\.epochs: expected 3, got 2"):
        load_checkpoint(path).restore(other)
    with pytest.raises(ModelError, match=r"param/0\.weight expects float32 \(200, 784\); got float32 \(300, 784\)"):
        load_checkpoint(path).restore(start(PLAN, 1150, hidden=200))
    assert weights(other) == before


@pytest.mark.parametrize("keep", [0, 1, 7, 8, 100, 5000, -1])
def test_a_truncated_checkpoint_is_refused(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "c"
    save_checkpoint(path, start(PLAN, 1150), {})
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ModelError, match="expected a Digitscope checkpoint"):
        load_checkpoint(path)


def test_a_loss_that_is_not_finite_stops_before_the_update(few: DataSet) -> None:
    plan = replace(PLAN, optimizer=GradientDescent(), schedule=Constant(1e30))
    run = start(plan, 1150)
    results: list[object] = []
    with pytest.raises(
        DivergenceError,
        match=r"The loss is (nan|inf) at step \d+ of 24: the learning rate, 1e\+30, is too high\.",
    ):
        results.extend(train(run, *data(few)))
    assert 1 <= len(results) < 24
    assert all(np.isfinite(p).all() for p in run.network.params.values())


def test_weights_of_any_size_have_finite_snapshots(few: DataSet) -> None:
    plan = replace(PLAN, optimizer=GradientDescent(), schedule=Constant(1e9), epochs=1, batch_size=None)
    run = start(plan, 1150)
    list(train(run, *data(few), validation=(few.x_train[1150:], few.y_train[1150:]), watch=[0]))
    assert np.abs(next(iter(run.network.params.values()))).max() > 1e5
    assert np.isfinite(run.snapshots[-1].weights).all()


def test_a_validation_loss_that_is_not_finite_is_an_error(few: DataSet) -> None:
    plan = replace(PLAN, optimizer=GradientDescent(), schedule=Constant(1e30), epochs=1, batch_size=None)
    with pytest.raises(
        DivergenceError,
        match=r"The validation loss is (nan|inf) after epoch 1 of 1: the learning rate, 1e\+30, is too high\.",
    ):
        list(train(start(plan, 1150), *data(few), validation=(few.x_train[1150:], few.y_train[1150:])))


def test_outputs_of_many_images_do_not_depend_on_threads(few: DataSet) -> None:
    network = start(PLAN, 1150).network
    one, two = (network_outputs(network, few.x_train[:1050], threads=threads) for threads in (1, 2))
    np.testing.assert_array_equal(one, two)
    np.testing.assert_allclose(one, network.forward(to_batch(few.x_train[:1050]))[0], atol=1e-4)
