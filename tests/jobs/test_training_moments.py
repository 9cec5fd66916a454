"""A training seen at each step that it keeps, beside the process that trains."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from digitscope.arrays import Array
from digitscope.datasets import DataSet
from digitscope.errors import DataError, ModelError
from digitscope.jobs.timeline import Experiment, Timeline
from digitscope.jobs.training_moments import kept_moments, outputs_over_training
from digitscope.training import network_outputs


@pytest.fixture
def timeline(few_file: Path, tmp_path: Path) -> Iterator[Timeline]:
    experiment = Experiment("mlp", data=str(few_file), seed=5, epochs=3, batch_size=50)
    started = Timeline.begin(tmp_path / "run", experiment)
    yield started
    started.close()


def train_to(timeline: Timeline, step: int) -> None:
    for _ in timeline.go(timeline.branch, step, threads=1):
        pass
    timeline.save()
    timeline.write_state({})


@pytest.fixture
def images(few: DataSet) -> Array:
    assert few.x_test is not None
    return few.x_test[:40]


def ignore(done: float) -> None:
    assert 0 <= done <= 1


def test_the_outputs_are_those_of_the_run_at_each_step(timeline: Timeline, images: Array) -> None:
    expected = []
    for step in (0, 5, 30):
        train_to(timeline, step)
        expected.append(network_outputs(timeline.run.outcome(timeline.training.images), images).T)
    moments = kept_moments(timeline.folder)
    assert moments == [(0, 0), (0, 5), (0, 30)]
    told: list[float] = []
    found = outputs_over_training(timeline.folder, moments, images, report=told.append)  # it is locked by `timeline`
    assert told == [0, 1 / 3, 2 / 3, 1]
    assert found.steps == [0, 5, 30]
    assert found.epochs == [step / timeline.batches for step in (0, 5, 30)]
    np.testing.assert_array_equal(found.logits, expected)
    np.testing.assert_allclose(found.probabilities.sum(axis=2), 1, rtol=1e-5)
    assert (found.probabilities.argmax(axis=2) == found.logits.argmax(axis=2)).all()


def test_a_branch_comes_after_its_parents_steps(timeline: Timeline, images: Array) -> None:
    for step in (4, 12, 20):
        train_to(timeline, step)
    for _ in timeline.go(0, 12, threads=1):
        pass
    timeline.fork({"learning_rate": 0.01})
    train_to(timeline, 14)
    timeline.fork({"learning_rate": 0.02})
    train_to(timeline, 16)
    assert kept_moments(timeline.folder) == [(0, 0), (0, 4), (1, 12), (2, 14), (2, 16)]
    expected = network_outputs(timeline.run.outcome(timeline.training.images), images).T
    found = outputs_over_training(timeline.folder, kept_moments(timeline.folder), images, report=ignore)
    np.testing.assert_array_equal(found.logits[-1], expected)


def test_a_checkpoint_that_is_gone_is_left_out(timeline: Timeline, images: Array) -> None:
    train_to(timeline, 3)
    train_to(timeline, 6)
    moments = kept_moments(timeline.folder)
    next(timeline.folder.glob("branch-0/step-*3.safetensors")).unlink()
    assert outputs_over_training(timeline.folder, moments, images, report=ignore).steps == [0, 6]


def test_what_cannot_be_read(timeline: Timeline, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="missing or damaged"):
        kept_moments(tmp_path / "nothing")
    timeline.write_state({})
    with pytest.raises(DataError, match="28x28 pixels; these have 8x8"):
        outputs_over_training(timeline.folder, [(0, 0)], np.zeros((2, 8, 8), np.uint8), report=ignore)
