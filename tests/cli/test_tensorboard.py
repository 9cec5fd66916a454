"""digitscope train --tensorboard: TensorBoard itself reads what was written."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from digitscope import DataSet
from digitscope.jobs.train import Job

Digitscope = Callable[..., Any]  # see conftest.py
Files = Callable[[], list[str]]
TAGS = {
    *("loss/train", "accuracy/train", "loss/validation", "accuracy/validation", "accuracy/test"),
    *("step/learning rate", "step/gradient norm", "step/images per second"),
}


@pytest.fixture
def command(few: DataSet, in_folder: Files) -> list[object]:
    assert few.x_test is not None
    assert few.y_test is not None
    np.savez("few.npz", x_train=few.x_train[:120], y_train=few.y_train[:120], x_test=few.x_test, y_test=few.y_test)
    return ["train", "--recipe", "mlp", "--data", "few.npz", "--epochs", 3, "--batch-size", 20, "--out", "run"]


def curves(folder: str) -> dict[str, list[tuple[int, float]]]:
    """Steps and values of each tag, as TensorBoard reads them."""
    events = EventAccumulator(folder).Reload()
    return {tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def check(read: dict[str, list[tuple[int, float]]]) -> None:
    """The curves are those of history.csv."""
    assert set(read) == TAGS
    with Path("run", "history.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    columns = {
        "loss/train": "loss",
        "accuracy/validation": "validation_accuracy",
        "step/learning rate": "learning_rate",
    }
    for tag, column in columns.items():
        expected = [(int(row["step"]), float(row[column])) for row in rows if row[column]]
        assert [step for step, _ in read[tag]] == [step for step, _ in expected]
        np.testing.assert_allclose([value for _, value in read[tag]], [value for _, value in expected], rtol=1e-4)
    assert len(read["accuracy/validation"]) == 3
    assert len(read["accuracy/test"]) == 1


def test_tensorboard_reads_the_curves(digitscope: Digitscope, command: list[object]) -> None:
    answer = digitscope(*command, "--tensorboard", "events")
    assert (answer.status, answer.err) == (0, "")
    check(curves("events"))
    again = digitscope(*command[:-1], "other", "--tensorboard", "events")
    assert again.status == 2
    assert again.err.startswith("Error: events holds the events of another run. Choose another --tensorboard")
    assert not Path("other").exists()


def test_a_resumed_run_has_each_step_once(
    digitscope: Digitscope, command: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    save, saved = Job.save, []

    def save_once(job: Job) -> None:
        """Saves at the beginning and after four results, so that a stop repeats steps that were written already."""
        saved.append(job)
        if len(saved) in (1, 5):
            save(job)
        if len(saved) == 8:
            raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(Job, "save", save_once)
        stopped = digitscope(*command, "--tensorboard", "events", "--checkpoint-every", 0)
        assert stopped.status == 2
    before = curves("events")
    assert len(before["loss/train"]) > 4
    answer = digitscope("train", "--resume", "--out", "run", "--tensorboard", "events")
    assert (answer.status, answer.err) == (0, "")
    assert len(list(Path("events").iterdir())) == 2
    check(curves("events"))


def test_a_folder_that_cannot_be_written_is_an_error_before_the_work(
    digitscope: Digitscope, command: list[object], in_folder: Files
) -> None:
    Path("file").touch()
    for place in ("file", "file/x"):
        answer = digitscope(*command, "--tensorboard", place)
        (line,) = answer.err.splitlines()
        assert answer.status == 2
        assert "cannot be written: " in line
    assert in_folder() == ["few.npz", "file"]
