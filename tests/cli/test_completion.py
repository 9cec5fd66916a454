"""Completion in the shell."""

import os
import shutil
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from digitscope.bundled import SHIPPED
from digitscope.cli import cli
from digitscope.cli.completion import RECIPE_NAMES, SETTING_NAMES
from digitscope.recipes import RECIPES
from digitscope.training.settings import (
    ACTIVATIONS,
    NAMED_AUGMENTATIONS,
    NAMED_LOSSES,
    NAMED_OPTIMIZERS,
    NAMED_SCHEDULES,
)

DIGITS = [f"a.png={k}" for k in range(10)]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("a.png", "red.jpg", "rows.csv", "runs/mlp/model.safetensors", "runs/mlp/report.html", "sevens/7.png"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()
    return tmp_path


def completed(*words: str) -> list[str]:
    """The completions of the last word; "FILES" if the shell completes file names."""
    *before, typed = words
    items = ShellComplete(cli, {}, "digitscope", "_DIGITSCOPE_COMPLETE").get_completions(before, typed)
    return ["FILES" if item.type == "file" else item.value for item in items]


@pytest.mark.parametrize("verb", ["evaluate", "ensemble", "predict", "look", "read", "teach", "submit"])
def test_models_are_bundled_ones_and_files(verb: str) -> None:
    assert completed(verb, "con") == ["convnet"]
    assert completed(verb, "runs/")[0] == "runs/mlp/model.safetensors"
    assert completed(verb, "./ru")[0] == "./runs/mlp/model.safetensors"
    assert {*SHIPPED, "runs/mlp/model.safetensors"} <= set(completed(verb, ""))


def test_the_names_of_settings() -> None:
    tables: dict[str, Collection[str]] = {
        "activation": ACTIVATIONS,
        "optimizer": NAMED_OPTIMIZERS,
        "schedule": NAMED_SCHEDULES,
        "loss": NAMED_LOSSES,
        "augment": NAMED_AUGMENTATIONS,
    }
    assert {name: list(names) for name, names in SETTING_NAMES.items()} == {n: list(t) for n, t in tables.items()}
    for name, table in tables.items():
        assert completed("train", f"--{name}", "") == list(table)
    assert completed("train", "--optimizer", "ad") == ["adam", "adamw"]


def test_pictures_are_files() -> None:
    assert completed("predict", "re") == ["reader", "red.jpg"]
    assert completed("predict", "a") == ["FILES"]
    assert completed("predict", "convnet", "re") == ["FILES"]
    assert completed("evaluate", "sev") == ["FILES"]  # there is no such model, so the shell completes the name


def test_examples_are_a_picture_and_a_class() -> None:
    assert completed("teach", "a") == DIGITS
    assert completed("teach", "a.png=") == DIGITS
    assert completed("teach", "convnet", "a.png=7") == ["a.png=7"]
    assert completed("teach", "x=y.png=") == [f"x=y.png={k}" for k in range(10)]
    assert completed("teach", "r") == ["reader", "runs/mlp/model.safetensors", "red.jpg=", "rows.csv=", "runs/"]
    assert completed("teach", "sev") == ["FILES"]
    # bash passes on "a.png=7" as three words.
    assert completed("teach", "a.png", "=") == list("0123456789")
    assert completed("teach", "a.png", "=", "7") == ["7"]


def test_data_and_recipes() -> None:
    assert completed("data", "m") == ["mnist"]
    for verb in ("train", "evaluate", "teach", "runs"):
        assert completed(verb, "--data", "m") == ["mnist"], verb
    assert completed("train", "--data", "ro") == ["FILES"]
    assert completed("train", "--recipe", "se") == completed("recipes", "se") == ["seed"]
    assert completed("check-gradients", "--recipe", "") == list(RECIPE_NAMES)
    assert sorted(RECIPES) == sorted(RECIPE_NAMES)


def test_verbs_and_options() -> None:
    assert completed("ev") == ["evaluate"]
    assert completed("train", "--ep") == ["--epochs"]


def test_it_loads_no_numpy_and_writes_nothing_else(folder: Path) -> None:
    code = (
        "import sys\nfrom digitscope.cli import cli\n"
        "try:\n    cli(prog_name='digitscope')\n"
        "finally:\n    print([name for name in ('numpy', 'rich', 'PIL') if name in sys.modules], file=sys.stderr)"
    )
    for shell in ("bash", "zsh", "fish"):
        environment = {
            "_DIGITSCOPE_COMPLETE": f"{shell}_complete",
            "COMP_WORDS": "digitscope evaluate --data mnist conv",
            "COMP_CWORD": "conv" if shell == "fish" else "4",
        }
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
        assert "convnet" in done.stdout
        assert done.stderr == "[]\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_each_shell(shell: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "digitscope", "--completion", shell], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert f"_DIGITSCOPE_COMPLETE={shell}_complete" in done.stdout
    if shell == "bash" and shutil.which("bash"):
        subprocess.run(["bash", "-n"], input=done.stdout, text=True, check=True)
