"""Sweeps: choices, successive halving, and a sweep that was killed."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from digitscope.datasets import DataSet
from digitscope.errors import DigitscopeError, TrainingError
from digitscope.jobs.cross_validation import TRAINING
from digitscope.jobs.sweep import Choices, SweepJob, SweepTrial, TrialEpoch, ranking
from digitscope.jobs.train import Settings
from digitscope.training.parallel.ranks import Ranks
from tests.training.test_ranks import finish, start, with_mpi

CHOICES = {
    "learning_rate": Choices.parse("learning_rate", "0.00001..1"),
    "layers": Choices.parse("layers", "8,16x8"),
}
COMMAND = ["--try", "learning-rate=0.00001..1", "--try", "layers=8,16x8", "--trials", "8", "--epochs", "4"]


@pytest.fixture(scope="module")
def data_file(few: DataSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sweep") / "few.npz"
    np.savez(path, x_train=few.x_train[:200], y_train=few.y_train[:200])
    return path


@pytest.fixture(scope="module")
def finished(data_file: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[SweepTrial]]:
    """A sweep that was never interrupted: its folder and its trials."""
    folder = tmp_path_factory.mktemp("finished") / "sweep"
    with SweepJob(Settings("mlp", str(data_file), epochs=4), CHOICES, folder, trials=8, threads=1) as job:
        list(job.work())
        return folder, list(job.done)


def test_poor_trials_are_stopped_early(finished: tuple[Path, list[SweepTrial]]) -> None:
    folder, trials = finished
    assert [trial.number for trial in trials] == list(range(1, 9))
    lengths = {trial.state: {len(t.accuracies) for t in trials if t.state == trial.state} for trial in trials}
    assert lengths["complete"] == {4}
    assert lengths["stopped early"] <= {1, 3}
    for trial in trials:
        assert 1e-5 <= trial.settings["learning_rate"] <= 1
        assert trial.settings["layers"] in ([8], [16, 8])
    best = ranking(trials)[0]
    assert best.accuracy == max(trial.accuracy for trial in trials if trial.state == "complete")
    lines = (folder / "trials.csv").read_text().splitlines()
    assert lines[0] == "trial,learning_rate,layers,epochs,validation_accuracy,state"
    assert lines[1].startswith(f"{best.number},")
    assert len(lines) == 9
    assert (folder / "trials.png").read_bytes().startswith(b"\x89PNG")


def test_a_killed_sweep_continues_to_the_same_bytes(
    finished: tuple[Path, list[SweepTrial]], data_file: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "sweep"
    command = ["sweep", "--recipe", "mlp", "--data", str(data_file), *COMMAND, "--out", str(folder), "--threads", "1"]
    with subprocess.Popen([sys.executable, "-m", "digitscope", *command], stdout=subprocess.DEVNULL) as process:
        end = time.monotonic() + 120
        while not (folder / "trial-3.json").exists() and process.poll() is None and time.monotonic() < end:
            time.sleep(0.02)
        process.kill()
    assert (folder / "trial-3.json").exists()
    assert not (folder / "trial-8.json").exists()
    (folder / "trials.csv.1234abcd.part").touch()  # a writing that was cut off
    with SweepJob(Settings("mlp", str(data_file), epochs=4), CHOICES, folder, trials=8, threads=1) as job:
        assert len(job.done) >= 3
        list(job.work())
    assert (folder / "trials.csv").read_bytes() == (finished[0] / "trials.csv").read_bytes()
    names = ["sweep.json", *(f"trial-{number}.json" for number in range(1, 9)), "trials.csv", "trials.png"]
    assert sorted(path.name for path in folder.iterdir()) == names


def test_a_trial_continues_from_its_checkpoint(
    finished: tuple[Path, list[SweepTrial]], data_file: Path, tmp_path: Path
) -> None:
    settings = Settings("mlp", str(data_file), epochs=4)
    with SweepJob(settings, CHOICES, tmp_path, trials=8, threads=1, checkpoint_every=0) as job:
        work = job.work()
        next(work)
        next(work)  # within the first trial
        work.close()
    assert (tmp_path / f"trial-1-{TRAINING}").exists()
    assert not (tmp_path / "trial-1.json").exists()
    with SweepJob(settings, CHOICES, tmp_path, trials=3, threads=1) as job:
        results = list(job.work())
    assert isinstance(results[0], SweepTrial) or results[0].epoch > 1
    assert job.done == finished[1][:3]


def test_more_trials_go_on_from_a_finished_sweep(
    finished: tuple[Path, list[SweepTrial]], data_file: Path, tmp_path: Path
) -> None:
    settings = Settings("mlp", str(data_file), epochs=4)
    for trials in (2, 3):
        with SweepJob(settings, CHOICES, tmp_path, trials=trials, threads=1) as job:
            list(job.work())
    assert job.done == finished[1][:3]


class RankInThread(Ranks):
    """A rank of two that are threads of this process."""

    def __init__(self, rank: int, meeting: threading.Barrier, parts: list[list[Any]]) -> None:
        self.rank, self.size, self._meeting, self._parts = rank, 2, meeting, parts

    def share(self, value: Any = None) -> Any:
        self._meeting.wait(60)

    def gather(self, part: Sequence[Any]) -> list[Any]:
        self._parts[self.rank] = list(part)
        self._meeting.wait(60)
        found = [item for items in self._parts for item in items]
        self._meeting.wait(60)
        return found


def on_two_ranks(settings: Settings, folder: Path, trials: int) -> list[list[SweepTrial | TrialEpoch]]:
    """What a sweep says on each of two ranks."""
    meeting = threading.Barrier(2)
    parts: list[list[Any]] = [[], []]

    def work(rank: int) -> list[SweepTrial | TrialEpoch]:
        ranks = RankInThread(rank, meeting, parts)
        with SweepJob(settings, CHOICES, folder, trials=trials, threads=1, ranks=ranks) as job:
            return list(job.work())

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(work, range(2)))


@with_mpi
def test_ranks_try_settings_at_the_same_time_and_end_alike_however_often_they_were_stopped(
    finished: tuple[Path, list[SweepTrial]], data_file: Path, tmp_path: Path
) -> None:
    command = ["-m", "digitscope", "sweep", "--recipe", "mlp", "--data", data_file, *COMMAND, "--trials", "5"]
    status, out, err = finish(start(2, *command, "--out", tmp_path / "mpi", "--threads", "1"))
    assert (status, err) == (0, "")
    assert [line.split(":")[0] for line in out.splitlines()[:5]] == [f"trial {n} of 5" for n in range(1, 6)]
    settings, folder = Settings("mlp", str(data_file), epochs=4), tmp_path / "threads"
    said = on_two_ranks(settings, folder, 3)
    (folder / "trial-1.json").unlink()  # as if it had been killed in the first round, after its second trial
    (folder / "trial-3.json").unlink()
    said = on_two_ranks(settings, folder, 5)
    done = [[result for result in results if isinstance(result, SweepTrial)] for results in said]
    assert [trial.number for trial in done[0]] == [1, 2, 3, 4, 5]
    assert done[0] == done[1]
    assert done[0][0] == finished[1][0]
    epochs = [{result.number for result in results if isinstance(result, TrialEpoch)} for results in said]
    assert not epochs[0] & epochs[1]
    assert epochs[1] <= {4}  # the second trial was done before
    assert (folder / "trials.csv").read_bytes() == (tmp_path / "mpi" / "trials.csv").read_bytes()
    with pytest.raises(TrainingError, match="number of ranks"):
        SweepJob(settings, CHOICES, folder, trials=5)


def test_a_trial_that_diverges_is_listed_as_failed(data_file: Path, tmp_path: Path) -> None:
    choices = {"learning_rate": Choices.parse("learning_rate", "1e30,0.1")}
    with SweepJob(Settings("mlp", str(data_file), epochs=1), choices, tmp_path, trials=6, threads=1) as job:
        list(job.work())
    failed = [trial for trial in job.done if trial.state == "failed"]
    assert failed
    assert all("learning rate" in str(trial.problem) for trial in failed)
    assert ranking(job.done)[0].state == "complete"


def test_another_sweep_or_a_damaged_trial_is_an_error(data_file: Path, tmp_path: Path) -> None:
    settings = Settings("mlp", str(data_file), epochs=1)
    with SweepJob(settings, CHOICES, tmp_path, trials=1, threads=1) as job:
        list(job.work())
    with pytest.raises(TrainingError, match="holds a sweep of other settings, data or number of ranks"):
        SweepJob(Settings("mlp", str(data_file), epochs=2), CHOICES, tmp_path, trials=1)
    for content in ("{", json.dumps({"number": 1})):
        (tmp_path / "trial-1.json").write_text(content)
        with pytest.raises(DigitscopeError, match=r"trial-1\.json is damaged .* Delete it"):
            SweepJob(settings, CHOICES, tmp_path, trials=1)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("epochs", "1,2", "The setting 'epochs' cannot be tried. Choose from learning-rate"),
        ("learning_rate", "fast", "learning_rate is expected as a number; got 'fast'"),
        ("learning_rate", "0..1", "expected to begin above 0"),
        ("learning_rate", "0.1..0.01", "from a lower to a higher number"),
        ("learning_rate", "0.1,,1", "one is empty"),
        ("learning_rate", "", "one is empty"),
        ("optimizer", "adam..nesterov", "optimizer has no range"),
        ("layers", "16x", "layers are expected as widths"),
        ("batch_size", "1.5", "whole number"),
    ],
)
def test_choices_that_are_none(name: str, text: str, message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        Choices.parse(name, text)


@pytest.mark.parametrize(("name", "values"), [("optimizer", "adam,sgd"), ("dropout", "0.5,2"), ("batch_size", "0")])
def test_values_that_do_not_fit_are_found_before_anything_is_written(
    data_file: Path, tmp_path: Path, name: str, values: str
) -> None:
    with pytest.raises(DigitscopeError):
        SweepJob(Settings("mlp", str(data_file)), {name: Choices.parse(name, values)}, tmp_path / "x", trials=2)
    assert not (tmp_path / "x").exists()


def test_ranges_are_ranges(data_file: Path, tmp_path: Path) -> None:
    ranges = {"dropout": "0..0.5", "batch_size": "8..64"}
    choices = {name: Choices.parse(name, text) for name, text in ranges.items()}
    with SweepJob(Settings("mlp", str(data_file), epochs=1), choices, tmp_path, trials=4, threads=1) as job:
        list(job.work())
    assert len({trial.settings["dropout"] for trial in job.done}) == 4
    assert all(isinstance(trial.settings["batch_size"], int) for trial in job.done)


def test_without_optuna_the_error_names_the_extra(
    data_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(DigitscopeError, match=r"pip install 'digitscope\[sweep\]'"):
        SweepJob(Settings("mlp", str(data_file)), CHOICES, tmp_path / "x", trials=2)
