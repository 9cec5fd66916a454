"""Results of single steps: a training can be stopped after any of them, and goes on with the same results and bits."""

from pathlib import Path

import numpy as np
import pytest

from digitscope.datasets import DataSet
from digitscope.nn import Dense, Dropout, Momentum, Network, OneCycle, ReLU, SoftmaxCrossEntropy
from digitscope.training import Epoch, Plan, Run, SingleStep, Step, load_checkpoint, save_checkpoint, train

IMAGES, BATCHES = 1100, 220
PLAN = Plan(SoftmaxCrossEntropy(), Momentum(), OneCycle(0.1), epochs=2, batch_size=5)
TIMES = ("seconds", "examples_per_second")


def start() -> Run:
    rng = np.random.default_rng(3)
    return Run.start(Network(Dense(784, 8, rng=rng), ReLU(), Dropout(0.1), Dense(8, 10, rng=rng)), PLAN, IMAGES, rng)


def figures(run: Run) -> dict[str, list[float | None]]:
    return {name: column for name, column in run.history.items() if name not in TIMES}


@pytest.fixture(scope="module")
def whole(few: DataSet) -> Run:
    run = start()
    for _ in train(run, few.x_train[:IMAGES], few.y_train[:IMAGES], validation=(few.x_train[:50], few.y_train[:50])):
        pass
    return run


def test_single_steps_change_nothing(few: DataSet, whole: Run) -> None:
    run, images, labels = start(), few.x_train[:IMAGES], few.y_train[:IMAGES]
    validation = few.x_train[:50], few.y_train[:50]
    results = list(train(run, images, labels, validation=validation, is_wanted=lambda step: step in (1, 2, 7, 220)))
    singles = [result for result in results if isinstance(result, SingleStep)]
    assert [result.step for result in singles] == [1, 2, 7, 220]
    steps = [result for result in results if isinstance(result, Step) and not isinstance(result, SingleStep)]
    assert [result.loss for result in steps] == run.history["loss"]
    # Of 220 batches every other one is reported: the first report is of steps 1 and 2, the mean of their losses.
    assert (singles[0].loss + singles[1].loss) / 2 == pytest.approx(steps[0].loss)
    assert all(np.isfinite(result.gradient_norm) for result in singles)
    assert figures(run) == figures(whole)
    for name, weights in whole.network.params.items():
        np.testing.assert_array_equal(run.network.params[name], weights)


@pytest.mark.parametrize("stop", [1, 7, 8, 219, 220, 221, 437])
def test_a_run_goes_on_from_any_step(few: DataSet, whole: Run, tmp_path: Path, stop: int) -> None:
    images, labels = few.x_train[:IMAGES], few.y_train[:IMAGES]
    validation = few.x_train[:50], few.y_train[:50]
    run = start()
    for result in train(run, images, labels, validation=validation, is_wanted=lambda step: step == stop):
        if isinstance(result, SingleStep):
            save_checkpoint(tmp_path / "c", run, {})
            break
    resumed = start()
    load_checkpoint(tmp_path / "c").restore(resumed)
    for _ in train(resumed, images, labels, validation=validation):
        pass
    assert figures(resumed) == figures(whole)
    for name, weights in whole.network.params.items():
        np.testing.assert_array_equal(resumed.network.params[name], weights)


def test_an_epoch_has_the_outputs_that_were_validated(few: DataSet) -> None:
    images, labels = few.x_train[:IMAGES], few.y_train[:IMAGES]
    epochs = [
        result
        for result in train(start(), images, labels, validation=(few.x_train[:50], few.y_train[:50]))
        if isinstance(result, Epoch)
    ]
    for epoch in epochs:
        assert epoch.outputs is not None
        assert epoch.outputs.shape == (10, 50)
        assert (epoch.outputs.argmax(axis=0) == few.y_train[:50]).mean() == epoch.validation_accuracy
