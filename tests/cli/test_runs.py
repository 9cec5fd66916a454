"""digitscope runs."""

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from digitscope.errors import DataError
from digitscope.jobs.runs import read_history
from digitscope.jobs.train import Job, Settings
from digitscope.metrics import percentage
from digitscope.nn import Ensemble, Network
from digitscope.recipes import RECIPES

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


def test_a_folder_that_may_not_be_read_is_one_line(
    digitscope: Digitscope, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stat = Path.stat

    def denied(path: Path, **options: Any) -> os.stat_result:
        if path.parent.name == "empty":
            raise PermissionError(13, "Permission denied")
        return stat(path, **options)

    monkeypatch.setattr(Path, "stat", denied)
    answer = digitscope("runs")
    assert answer.status == 0
    assert any("whole" in line for line in answer.out.splitlines())
    (line,) = [line for line in answer.out.splitlines() if "empty" in line]
    assert line.startswith("damaged: ")
    assert "Permission denied" in line


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "the column step is missing or empty"),
        ("step,epoch\n", "the column step is missing or empty"),
        ("step,epoch\n1,1\n2\n", "line 3 has 1 cells, not 2"),
        ("step,epoch\n1,1\n\n", "line 3 has 0 cells, not 2"),
    ],
)
def test_a_damaged_history_names_the_line(tmp_path: Path, content: str, reason: str) -> None:
    (tmp_path / "history.csv").write_text(content)
    with pytest.raises(DataError, match=reason):
        read_history(tmp_path / "history.csv")


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
    for arguments, message in (
        ([runs / "empty"], f"No training was found in {runs / 'empty'}."),
        (["nowhere"], "No training was found in nowhere."),
        (["a", "b", "c"], "runs expects one FOLDER, or two runs to compare; got 3."),
        ([runs, "--data", "mnist"], "--data is for comparing two runs; name both."),
    ):
        answer = digitscope("runs", *arguments)
        assert (answer.status, answer.out, len(answer.err.splitlines())) == (2, "", 1)
        assert answer.err.startswith(f"Error: {message}")


def test_a_training_under_way_is_running(digitscope: Digitscope, runs: Path, few_file: Path) -> None:
    with Job.begin(Settings("seed", str(few_file)), runs / "now"):
        (run,) = digitscope("runs", runs / "now", "--json").json
        assert run["state"] == "running"
        assert "0 of 500, running" in digitscope("runs", runs / "now").out
    (run,) = digitscope("runs", runs / "now", "--json").json
    assert run["state"] == "stopped"


def test_a_stopped_training_has_the_settings_that_it_uses(
    digitscope: Digitscope, few_file: Path, tmp_path: Path
) -> None:
    settings = Settings("mlp", str(few_file), epochs=1, layers=(16, 16), optimizer="adam")
    with Job.begin(settings, tmp_path / "adam") as job:
        rate = job.recipe.plan.schedule.learning_rate
        (run,) = digitscope("runs", tmp_path / "adam", "--json").json
        assert run["settings"]["learning_rate"] == rate != RECIPES["mlp"].plan.schedule.learning_rate
        for _ in job.work(threads=1, checkpoint_every=1e9):
            pass
        job.finish()
    with Job.begin(settings, tmp_path / "again"):
        pass
    page = tmp_path / "page.html"
    result = digitscope("runs", tmp_path / "adam", tmp_path / "again", "--out", page, "--json").json
    # One is read from a model, which knows the file's name, the other from a checkpoint, which has its path.
    assert [name for name, *_ in result["settings"]] == ["data"]


def test_of_an_ensemble_the_epochs_of_one_member_are_counted(
    digitscope: Digitscope, few_file: Path, tmp_path: Path
) -> None:
    recipe = RECIPES["mlp"]

    def build(*arguments: Any) -> Network:
        return Network(Ensemble(*(recipe.build(*arguments) for _ in range(2))))

    with patch.dict(RECIPES, {"pair": replace(recipe, name="pair", build=build)}):
        with Job.begin(Settings("pair", str(few_file), epochs=2), tmp_path / "run") as job:
            for result in job.work(threads=1, checkpoint_every=0):
                if result.epoch == 4:
                    break
        (run,) = digitscope("runs", tmp_path / "run", "--json").json
        assert (run["epoch"], run["member"]) == (1, 1)
        assert "1 of 2 of member 2, stopped" in digitscope("runs", tmp_path / "run").out


def test_two_runs_side_by_side(digitscope: Digitscope, runs: Path, few_file: Path, in_folder: Files) -> None:
    answer = digitscope("runs", runs / "whole", runs / "stopped")
    assert answer.status == 0
    assert "not finished" in answer.out
    assert answer.out.splitlines()[-1] == "page: comparison.html"
    page = Path("comparison.html").read_text(encoding="utf-8")
    assert "<tr><td>epochs</td><td>6</td><td>7</td></tr>" in page
    assert "<tr><td>seed</td><td>0</td><td>3</td></tr>" in page
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
