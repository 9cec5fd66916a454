"""Snapshots of a training: their contents, that they change nothing, and that a resumed run has the same ones."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from digitscope.arrays import Array
from digitscope.datasets import DataSet
from digitscope.errors import DivergenceError, ModelError, TrainingError
from digitscope.files.tensors import read_tensors, write_tensors
from digitscope.nn import BatchNorm, Dense, Dropout, Momentum, Network, OneCycle, ReLU, SoftmaxCrossEntropy, softmax
from digitscope.training import (
    SNAPSHOTS,
    Epoch,
    Plan,
    Run,
    Snapshot,
    Step,
    TailAverage,
    is_snapshot_due,
    load_checkpoint,
    network_outputs,
    save_checkpoint,
    train,
)
from digitscope.training.snapshots import stack_snapshots, unstack_snapshots

PLAN = Plan(
    loss=SoftmaxCrossEntropy(label_smoothing=0.1),
    optimizer=Momentum(),
    schedule=OneCycle(0.1),
    epochs=2,
    batch_size=100,
    averaging=TailAverage(0.4),
)
WATCH = [3, 0, 7]


def start() -> Run:
    rng = np.random.default_rng(5)
    network = Network(Dense(784, 20, rng=rng), BatchNorm(20), ReLU(), Dropout(0.2), Dense(20, 10, rng=rng))
    return Run.start(network, PLAN, 300, rng)


def work(run: Run, few: DataSet, watch: list[int], threads: int = 1) -> Iterator[Step | Epoch]:
    validation = few.x_train[300:450], few.y_train[300:450]
    return train(run, few.x_train[:300], few.y_train[:300], validation=validation, watch=watch, threads=threads)


@pytest.fixture(scope="module")
def whole(few: DataSet) -> Run:
    """A run that was watched and never stopped."""
    run = start()
    list(work(run, few, WATCH))
    return run


def content(snapshots: list[Snapshot]) -> list[tuple[object, ...]]:
    return [(s.epoch, s.loss, s.accuracy, s.probabilities.tobytes(), s.weights.tobytes()) for s in snapshots]


def weights(run: Run) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in {**run.network.params, **run.network.statistics}.items()}


def test_snapshots_have_the_answers_of_the_outcome(few: DataSet, whole: Run) -> None:
    assert [snapshot.epoch for snapshot in whole.snapshots] == [0, 1, 2]
    known = [value for value in whole.history["validation_loss"] if value is not None]
    assert [snapshot.loss for snapshot in whole.snapshots[1:]] == known

    def check(snapshot: Snapshot, network: Network) -> None:
        expected: Array = softmax(network_outputs(network, few.x_train[300:450])[:, WATCH]).T
        np.testing.assert_array_equal(snapshot.probabilities, expected)
        np.testing.assert_array_equal(snapshot.weights, network.params["0.weight"][:16].astype(np.float16))

    check(whole.snapshots[-1], whole.outcome(few.x_train[:300]))
    check(whole.snapshots[0], start().outcome(few.x_train[:300]))


def test_watching_changes_nothing_else(few: DataSet, whole: Run) -> None:
    run = start()
    list(work(run, few, [], threads=2))
    assert run.snapshots == []
    assert weights(run) == weights(whole)
    for column in ("loss", "gradient_norm", "validation_loss", "validation_accuracy"):
        assert run.history[column] == whole.history[column]


@pytest.mark.parametrize("stop", [0, 1, 3, 4, 7, 8])
def test_a_resumed_run_has_the_same_snapshots(few: DataSet, whole: Run, tmp_path: Path, stop: int) -> None:
    stopped = start()
    results = work(stopped, few, WATCH)
    for _ in range(stop):
        next(results)
    save_checkpoint(tmp_path / "c", stopped, {})
    resumed = start()
    load_checkpoint(tmp_path / "c").restore(resumed)
    assert content(resumed.snapshots) == content(stopped.snapshots)
    list(work(resumed, few, WATCH))
    assert content(resumed.snapshots) == content(whole.snapshots)
    assert weights(resumed) == weights(whole)


@pytest.mark.parametrize("epochs", [1, 8, 30, 31, 45, 50, 59, 60, 61, 300, 1000])
def test_snapshots_are_few_and_evenly_spaced(epochs: int) -> None:
    due = [epoch for epoch in range(1, epochs + 1) if is_snapshot_due(epoch, epochs)]
    assert min(epochs, SNAPSHOTS // 2) <= len(due) <= SNAPSHOTS
    assert due[-1] == epochs
    assert len(set(np.diff(due[:-1]))) <= 1
    if epochs % SNAPSHOTS == 0:
        assert len(due) == SNAPSHOTS


@pytest.mark.parametrize("watch", [[150], [-1], [0, 1000]])
def test_images_that_are_not_there_cannot_be_watched(few: DataSet, watch: list[int]) -> None:
    with pytest.raises(TrainingError, match=r"watch expects indices of 150 validation images; got \["):
        work(start(), few, watch)
    with pytest.raises(TrainingError, match="watch expects indices of 0 validation images"):
        train(start(), few.x_train[:300], few.y_train[:300], watch=[0])


@pytest.mark.parametrize(
    "damage",
    [
        {"epoch": np.array([0, 2, 1])},
        {"epoch": np.array([0, 1, 1])},
        {"epoch": np.array([0, 1])},
        {"accuracy": np.array([0.1, np.nan, 0.9])},
        {"weights": np.zeros((3, 16, 784), np.float32)},
        {"probabilities": np.zeros((3, 10), np.float32)},
        {"weights": np.zeros(3, np.float16)},
        {"loss": np.zeros((3, 2))},
    ],
    ids=str,
)
def test_damaged_snapshots_are_refused(whole: Run, tmp_path: Path, damage: dict[str, Array]) -> None:
    save_checkpoint(tmp_path / "c", whole, {})
    arrays, about = read_tensors(tmp_path / "c", "checkpoint")
    arrays.update({f"snapshot/{name}": array for name, array in damage.items()})
    write_tensors(tmp_path / "c", "checkpoint", arrays, {**about, "kind": "checkpoint"})
    other = start()
    with pytest.raises(ModelError, match=r"c: the checkpoint is damaged \("):
        load_checkpoint(tmp_path / "c").restore(other)
    assert other.snapshots == []


def test_weights_that_overflow_before_the_first_step_are_no_warning(few: DataSet) -> None:
    network = Network(Dense(784, 10, rng=np.random.default_rng(5)))
    network.params["0.weight"][...] *= 1e37
    run = Run.start(network, replace(PLAN, averaging=None), 300, np.random.default_rng(5))
    with pytest.raises(DivergenceError):
        list(work(run, few, WATCH))
    assert run.snapshots[0].loss == np.inf


def test_a_loss_that_overflowed_is_restored(whole: Run) -> None:
    stacked = stack_snapshots(whole.snapshots)
    stacked["loss"][0] = np.inf
    assert unstack_snapshots(stacked)[0].loss == np.inf
