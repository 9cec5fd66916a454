"""What a job refuses to go on from."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from digitscope.arrays import Array
from digitscope.datasets import DataSet
from digitscope.errors import DigitscopeError, ModelError, TrainingError
from digitscope.files.tensors import read_tensors, write_tensors
from digitscope.jobs.train import CHECKPOINT, Job, Settings
from digitscope.training import Epoch

WRONG_SETTINGS: dict[str, list[Any]] = {
    "recipe": ["cnn9", 3, [], None],
    "data": [3, None, []],
    "epochs": [0, 1.5, "3", [], True, 4],
    "batch_size": [0, 1.5, "3", [], True],
    "learning_rate": [-1, 0, "x", [], float("nan"), 10**400],
    "seed": [-1, 0.5, "x", None, []],
    "layers": [3, "x", [0], [1.5], [[1]]],
    "activation": ["swish", 3, []],
    "dropout": [2, "x", []],
    "augment": ["swish=3", 3],
    "digest": [3, None, "other"],
    "speed": [3],
}


@pytest.fixture(scope="module")
def stopped(few_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that stopped after its first epoch."""
    folder = tmp_path_factory.mktemp("stopped")
    with Job.begin(Settings("mlp", str(few_file), epochs=3), folder) as job:
        next(result for result in job.work(threads=1, checkpoint_every=1e9) if isinstance(result, Epoch))
        job.save()
    return folder


@pytest.mark.parametrize(("name", "value"), [(name, v) for name, values in WRONG_SETTINGS.items() for v in values])
def test_damaged_settings_are_one_error(stopped: Path, tmp_path: Path, name: str, value: Any) -> None:
    arrays, about = read_tensors(stopped / CHECKPOINT, "checkpoint")
    del about["kind"]
    about["settings"][name] = value
    write_tensors(tmp_path / CHECKPOINT, "checkpoint", arrays, about)
    with pytest.raises(DigitscopeError, match=r"checkpoint is damaged|of another plan|has changed since the run"):
        Job.resume(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [CHECKPOINT]


def test_the_data_may_have_moved_but_not_changed(stopped: Path, few_file: Path, few: DataSet, tmp_path: Path) -> None:
    folder, moved, other = tmp_path / "run", tmp_path / few_file.name, tmp_path / "other.npz"
    shutil.copytree(stopped, folder)
    shutil.copy(few_file, moved)
    with Job.resume(folder, {"data": str(moved)}) as job:
        assert (job.settings.data, job.training.run.epoch) == (str(moved), 1)
    np.savez(other, x_train=few.x_train[:100], y_train=few.y_train[:100])
    with pytest.raises(TrainingError, match=r"began with --data .*; got .*other\.npz\. Leave out --data\."):
        Job.resume(folder, {"data": str(other)})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda arrays: arrays["history/validation_accuracy"].fill(np.nan), "no epoch was validated"),
        (lambda arrays: arrays["snapshot/epoch"].put(0, -1), "snapshots of other epochs"),
        (
            lambda arrays: arrays.update({"snapshot/probabilities": arrays["snapshot/probabilities"][:, :, 1:]}),
            "snapshots of other shapes",
        ),
        (
            lambda arrays: arrays.update({"snapshot/weights": arrays["snapshot/weights"][:, :, 1:]}),
            "snapshots of other shapes",
        ),
    ],
)
def test_a_checkpoint_that_no_job_writes_is_one_error(
    stopped: Path, tmp_path: Path, change: Callable[[dict[str, Array]], object], message: str
) -> None:
    arrays, about = read_tensors(stopped / CHECKPOINT, "checkpoint")
    del about["kind"]
    change(arrays)
    write_tensors(tmp_path / CHECKPOINT, "checkpoint", arrays, about)
    with pytest.raises(ModelError, match=message):
        Job.resume(tmp_path)
