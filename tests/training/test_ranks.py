"""A training on several ranks, started by mpiexec."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from digitscope.cli import cli
from digitscope.cli.ranks import ending_together
from digitscope.errors import DivergenceError, TrainingError
from digitscope.jobs.train import CHECKPOINT, MODEL, PREVIOUS, REPORT
from digitscope.nn import Constant, Dense, Momentum, Network, SoftmaxCrossEntropy
from digitscope.training import Plan, Run, train
from digitscope.training.parallel.ranks import Ranks, mpi_ranks
from tests.training.on_ranks import digest

MPIEXEC = shutil.which("mpiexec", path=Path(sys.executable).parent)
with_mpi = pytest.mark.skipif(MPIEXEC is None and "CI" not in os.environ, reason="the package openmpi is not installed")
"""Where every change is checked they fail without it."""

ENVIRONMENT = {
    **os.environ,
    **{f"{program}_ALLOW_RUN_AS_ROOT{more}": "1" for program in ("OMPI", "PRTE") for more in ("", "_CONFIRM")},
}


def start(ranks: int, *command: object) -> subprocess.Popen[str]:
    assert MPIEXEC is not None
    arguments = [MPIEXEC, "--oversubscribe", "-n", str(ranks), sys.executable, *map(str, command)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    try:
        out, err = process.communicate(timeout=120)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return process.returncode, out, err


@with_mpi
def test_any_number_of_ranks_gives_the_same_bits() -> None:
    status, out, err = finish(start(4, Path(__file__).with_name("on_ranks.py")))
    assert (status, err) == (0, "")
    expected = digest()
    assert sorted(out.splitlines()) == [f"{size} {expected}" for size in (1, 2, 3, 4) for _ in range(size)]


def children(pid: int) -> list[int]:
    found = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    return [int(child) for child, parent in map(str.split, found.splitlines()) if int(parent) == pid]


@with_mpi
def test_a_training_of_which_a_rank_was_killed_is_resumed(few_file: Path, tmp_path: Path) -> None:
    alone, folder = tmp_path / "alone", tmp_path / "ranks"
    settings = "--data", str(few_file), "--recipe", "lenet", "--epochs", "2"
    with pytest.raises(SystemExit, match="0"):
        cli(["train", *settings, "--out", str(alone), "--json"])
    training = "-m", "digitscope", "train"
    process = start(2, *training, *settings, "--out", folder, "--checkpoint-every", 0)
    end = time.monotonic() + 60
    while not (folder / PREVIOUS).exists():
        assert process.poll() is None
        assert time.monotonic() < end, "waited for a minute"
        time.sleep(0.02)
    os.kill(children(process.pid)[-1], signal.SIGKILL)
    assert finish(process)[0] != 0
    assert not (folder / REPORT).exists()
    status, out, err = finish(start(3, *training, "--resume", "--out", folder))
    assert (status, err) == (0, "")
    assert "3 ranks with 1 thread" in out
    assert "\nNote: a batch has 2 shards, so 1 of the 3 ranks compute no gradients.\n" in out
    assert out.count("continuing after epoch") == out.count("epoch 2/2") == out.count("test accuracy") == 1
    assert (folder / MODEL).read_bytes() == (alone / MODEL).read_bytes()
    assert sorted(path.name for path in folder.iterdir()) == sorted(path.name for path in alone.iterdir())


@with_mpi
def test_seeds_go_to_ranks(few_file: Path, tmp_path: Path) -> None:
    command = "train", "--data", str(few_file), "--recipe", "mlp", "--epochs", "1", "--seeds", "1,2,3", "--json"
    status, out, err = finish(start(2, "-m", "digitscope", *command, "--out", tmp_path / "ranks"))
    assert (status, err) == (0, "")
    assert [member["seed"] for member in json.loads(out)] == [1, 2, 3]
    with pytest.raises(SystemExit, match="0"):
        cli([*command, "--out", str(tmp_path / "alone")])
    for seed in (1, 2, 3):
        ranks, alone = (tmp_path / folder / f"seed-{seed}" / MODEL for folder in ("ranks", "alone"))
        assert ranks.read_bytes() == alone.read_bytes()


@with_mpi
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--recipe", "cnn9"], "--recipe expects one of"),  # each rank meets it
        (["--optimizer", "gradient-descent", "--learning-rate", "1e30"], "The loss is"),  # all, in a step
    ],
)
def test_an_error_is_one_line_and_ends_all_ranks(
    few_file: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    status, out, err = finish(
        start(2, "-m", "digitscope", "train", "--data", few_file, *arguments, "--out", tmp_path / "run", "--json")
    )
    errors = [line for line in err.splitlines() if "Error:" in line or "Traceback" in line]
    assert len(errors) == 1, err
    assert f"Error: {message}" in errors[0]
    assert (status, out) == (2, "")
    assert [path.name for path in tmp_path.glob("*/*")] in ([], [CHECKPOINT])


class Ended(BaseException):
    """In place of the end of the process."""


class OneRank(Ranks):
    """A rank whose methods do not communicate."""

    def __init__(self, rank: int) -> None:
        self.rank, self.size = rank, 2

    def share(self, value: Any = None) -> Any:
        raise Ended("while it waited for rank 0")

    def abort(self, status: int) -> Any:
        raise Ended(status)


@pytest.mark.parametrize(
    ("rank", "error", "end", "line"),
    [
        (0, DivergenceError("too fast"), 2, "Error: too fast"),
        (1, DivergenceError("too fast"), "while it waited for rank 0", ""),
        (1, TrainingError("no thread"), 2, "Error on rank 1: no thread"),
        (1, MemoryError(), 2, "Error on rank 1: There is not enough memory"),
        (1, PermissionError(13, "denied", "x.npz"), 2, "Error on rank 1: x.npz cannot be used: denied."),
        (1, IndexError("a fault"), 1, "Traceback"),
        (0, IndexError("a fault"), 1, "Traceback"),
        (0, SystemExit(130), 130, ""),
    ],
)
def test_an_error_of_a_rank_ends_all(
    capsys: pytest.CaptureFixture[str], rank: int, error: BaseException, end: object, line: str
) -> None:
    with pytest.raises(Ended) as ended, ending_together(OneRank(rank)):
        raise error
    assert ended.value.args == (end,)
    said = capsys.readouterr().err
    assert said.startswith(line)
    assert said.count("\n") == (1 if "Error" in line else said.count("\n") if line else 0)


@pytest.mark.parametrize(
    ("variables", "ranks"),
    [
        ({}, 1),
        ({"OMPI_COMM_WORLD_SIZE": "2"}, 2),
        ({"PMI_SIZE": "1"}, 1),
        ({"PMI_SIZE": "3"}, 3),
        ({"SLURM_STEP_NUM_TASKS": "3"}, 1),  # tasks without MPI
        ({"SLURM_STEP_NUM_TASKS": "3", "PMIX_RANK": "1"}, 3),
        ({"SLURM_STEP_NUM_TASKS": "1", "PMIX_RANK": "0"}, 1),
    ],
)
def test_ranks_are_looked_for_only_where_mpiexec_started_them(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], ranks: int
) -> None:
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    if ranks == 1:
        assert mpi_ranks() is None
        return
    with pytest.raises(TrainingError, match=r"needs mpi4py .*Install 'digitscope\[mpi\]', or train without mpiexec"):
        mpi_ranks()


@pytest.mark.parametrize(
    "arguments", [["kaggle", "a.csv", "b.csv"], ["evaluate", "--folds", "2"], ["export", "convnet", "x"]]
)
def test_other_commands_do_not_run_on_ranks(monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> None:
    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "2")
    monkeypatch.setenv("OMPI_COMM_WORLD_RANK", "0")
    answer = CliRunner().invoke(cli, arguments)
    assert answer.exit_code == 2
    assert answer.stderr == (
        f"Error: mpiexec started 2 ranks, and digitscope {arguments[0]} runs in one process: leave mpiexec out. "
        "digitscope train and digitscope sweep run on several ranks.\n"
    )


@pytest.mark.parametrize(
    ("size", "versions", "message"),
    [
        (1, lambda own: [own], "mpiexec started 2 ranks, but mpi4py finds 1: .* Use the mpiexec of Some MPI 5"),
        (2, lambda own: [own, {**own, "numpy": "1.0"}], r"All ranks expect .*; rank 1 has .*'numpy': '1\.0'"),
    ],
)
def test_ranks_that_do_not_belong_together(
    monkeypatch: pytest.MonkeyPatch, size: int, versions: Callable[[Any], Any], message: str
) -> None:
    world = SimpleNamespace(rank=0, size=size, allgather=versions)
    mpi = SimpleNamespace(COMM_WORLD=world, Get_library_version=lambda: "Some MPI 5, package")
    monkeypatch.setitem(sys.modules, "mpi4py", SimpleNamespace(MPI=mpi))
    monkeypatch.setenv("PMI_SIZE", "2")
    with pytest.raises(TrainingError, match=message):
        mpi_ranks()


def test_ranks_cannot_train_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("digitscope.training.loop.to_device", lambda name: np.asarray)
    plan = Plan(SoftmaxCrossEntropy(), Momentum(), Constant(0.1), epochs=1, batch_size=None)
    run = Run.start(Network(Dense(4, 2)), plan, 3, np.random.default_rng(0))
    with pytest.raises(TrainingError, match="Ranks train on the cpu; got the device cuda"):
        train(run, np.zeros((3, 2, 2), np.uint8), [0, 1, 1], device="cuda", ranks=OneRank(0))


def test_parts_of_ranks() -> None:
    parts = []
    for rank in range(3):
        ranks = OneRank(rank)
        ranks.size = 3
        parts.append(ranks.part(range(5)))
    assert [list(part) for part in parts] == [[0], [1, 2], [3, 4]]
