"""digitscope runs."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from digitscope.jobs.train import Job, Settings
from digitscope.metrics import percentage

Digitscope = Callable[..., Any]  # see conftest.py
Files = Callable[[], list[str]]


@pytest.fixture
def runs(trained: Path, few_file: Path, in_folder: Files) -> Path:
    """A folder with a finished, a stopped and three damaged trainings, and a folder that holds none."""
    folder = Path("runs")
    shutil.copytree(trained, folder / "whole")
    settings = Settings("seed", str(few_file), epochs=7, seed=3)
    with Job.begin(settings, folder / "stopped"):
        pass
    shutil.copytree(folder / "stopped", folder / "no-settings")
    for name in ("no-settings/checkpoint.safetensors", "no-model/model.safetensors"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"{}")
    shutil.copytree(trained, folder / "no-history")
    (folder / "no-history" / "history.csv").write_text("step,loss\n1,x\n")
    (folder / "empty").mkdir()
    for path in folder.rglob("*.safetensors"):
        os.utime(path, (0, 100 + len(path.parent.name)))
    return folder


def test_the_list(digitscope: Digitscope, runs: Path, few_file: Path) -> None:
    found = {Path(run["folder"]).name: run for run in digitscope("runs", "--json").json}
    assert found.keys() == {"whole", "stopped", "no-settings", "no-model", "no-history"}
    whole, stopped = found["whole"], found["stopped"]
    assert (whole["state"], whole["recipe"], whole["epoch"]) == ("finished", "convnet", 6)
    assert 0.5 < whole["validation_accuracy"] < 1
    assert (stopped["state"], stopped["recipe"], stopped["epoch"]) == ("stopped", "seed", 0)
    assert (stopped["settings"]["epochs"], stopped["settings"]["seed"]) == (7, 3)
    for name in ("no-settings", "no-model", "no-history"):
        assert found[name]["state"] == "damaged"
        assert str(runs / name) in found[name]["problem"]
    lines = digitscope("runs").out.splitlines()
    text = " ".join(lines)
    assert f"{percentage(whole['validation_accuracy'])} %" in text
    assert "epochs 6, seed 0" in text
    assert "0 of 7, stopped" in text
    assert sum(line.startswith("damaged: ") for line in lines) == 3
    assert str(few_file) in text


def test_the_order(digitscope: Digitscope, runs: Path) -> None:
    def order(*options: str) -> list[str]:
        return [Path(run["folder"]).name for run in digitscope("runs", *options, "--json").json]

    assert order()[0] == "no-settings"
    assert order("--sort", "validation")[0] == "whole"
    assert order("--sort", "run") == ["no-history", "no-model", "no-settings", "stopped", "whole"]
    assert order("--sort", "recipe")[-2:] == ["whole", "stopped"]  # convnet, seed; damaged ones have none


def test_one_run_and_no_run(digitscope: Digitscope, runs: Path) -> None:
    (run,) = digitscope("runs", runs / "whole", "--json").json
    assert run["state"] == "finished"
    for arguments in ([runs / "empty"], ["nowhere"], ["a", "b", "c"], [runs, "--data", "mnist"]):
        answer = digitscope("runs", *arguments)
        assert (answer.status, answer.out, len(answer.err.splitlines())) == (2, "", 1)


def test_a_training_under_way_is_running(digitscope: Digitscope, runs: Path, few_file: Path) -> None:
    with Job.begin(Settings("seed", str(few_file)), runs / "now"):
        (run,) = digitscope("runs", runs / "now", "--json").json
        assert run["state"] == "running"
        assert "0 of 500, running" in digitscope("runs", runs / "now").out
    (run,) = digitscope("runs", runs / "now", "--json").json
    assert run["state"] == "stopped"


def test_two_runs_side_by_side(digitscope: Digitscope, runs: Path, few_file: Path, in_folder: Files) -> None:
    answer = digitscope("runs", runs / "whole", runs / "stopped")
    assert answer.status == 0
    assert "not finished" in answer.out
    assert answer.out.splitlines()[-1] == "page: comparison.html"
    page = Path("comparison.html").read_text(encoding="utf-8")
    assert "0.1" in page
    assert "Confusion" not in page
    shutil.copytree(runs / "whole", "again")
    result = digitscope("runs", runs / "whole", "again", "--data", few_file, "--json").json
    assert result["written"] == "comparison-2.html"
    assert result["settings"] == []
    rows = {name: values for name, *values in result["results"]}
    assert rows["correct in this run only"] == ["0", "0"]
    assert rows["accuracy on few.npz"][0] == rows["accuracy on few.npz"][1]
    assert Path("comparison-2.html").read_text(encoding="utf-8").count("<h2>Confusion matrix: ") == 2


@pytest.mark.parametrize("name", ["no-settings", "no-model", "no-history", "empty"])
def test_a_damaged_run_is_not_compared(digitscope: Digitscope, runs: Path, in_folder: Files, name: str) -> None:
    before = in_folder()
    answer = digitscope("runs", runs / "whole", runs / name)
    assert (answer.status, answer.out, len(answer.err.splitlines())) == (2, "", 1)
    assert name in answer.err
    assert in_folder() == before


def test_on_a_narrow_terminal_nothing_is_cut(
    digitscope: Digitscope, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    out = digitscope("runs").out
    assert "…" not in out
    assert "  epochs: 0 of 7, stopped\n" in out
