import csv
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from digitscope.augmentation.augment import Augment
from digitscope.cli import cli
from digitscope.cli.shell import PROGRAM
from digitscope.datasets import DataSet
from digitscope.errors import DivergenceError
from digitscope.files.atomic import write_atomic
from digitscope.jobs.train import CHECKPOINT, PREVIOUS, Job, Settings, latest_stopped, newest_checkpoint
from digitscope.model import Model
from digitscope.nn import Ensemble
from digitscope.recipes import RECIPES
from digitscope.training import load_checkpoint
from digitscope.training.settings import (
    ACTIVATIONS,
    NAMED_AUGMENTATIONS,
    NAMED_LOSSES,
    NAMED_OPTIMIZERS,
    NAMED_SCHEDULES,
)

Files = Callable[[], list[str]]
Digitscope = Callable[..., Any]  # see conftest.py


CHANGED = {
    "layers": [16, 12],
    "activation": "sigmoid",
    "dropout": 0.1,
    "loss": "cross-entropy",
    "label_smoothing": 0.1,
    "optimizer": "adam",
    "weight_decay": 0.01,
    "schedule": "cosine",
    "augment": "rotation=10,shift=1",
}


def test_a_run_writes_model_history_and_report(digitscope: Digitscope, few_file: Path, in_folder: Files) -> None:
    answer = digitscope("train", "--data", few_file, "--epochs", 3, "--seed", 5, "--json")
    assert answer.status == 0
    assert answer.err == ""
    result = answer.json
    assert result["recipe"] == "convnet"
    assert result["seed"] == 5
    assert result["epochs"] == 3
    assert result["settings"] == {"epochs": 3}
    assert not CHANGED.keys() & Model.load(result["model"]).info.as_json().keys()
    assert result["parameters"] == sum(p.size for p in Model.load(result["model"]).network.params.values())
    assert result["train_seconds"] > 0
    assert 0.5 < result["validation_accuracy"] <= 1
    assert 0.5 < result["test_accuracy"] <= 1
    assert result["test_interval"][0] < result["test_accuracy"] < result["test_interval"][1]
    assert in_folder() == ["runs/convnet/history.csv", "runs/convnet/model.safetensors", "runs/convnet/report.html"]
    with Path("runs/convnet/history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert float(rows[-1]["validation_accuracy"]) == result["validation_accuracy"]
    assert [row["validation_accuracy"] != "" for row in rows].count(True) == 3
    page = Path("runs/convnet/report.html").read_text(encoding="utf-8")
    assert page.count("<svg") == 6
    assert not re.findall(r'(?:src|href)="(?!#|data:)', page)


def test_data_sorted_by_class(digitscope: Digitscope, few: DataSet, in_folder: Files) -> None:
    keep = np.argsort(few.y_train, kind="stable")[:600]  # no image of the last classes, and one image of 9
    keep = np.append(keep[few.y_train[keep] < 5], np.flatnonzero(few.y_train == 9)[0])
    np.savez("sorted.npz", x_train=few.x_train[keep], y_train=few.y_train[keep])
    command = ["train", "--data", "sorted.npz", "--recipe", "mlp", "--epochs", 4, "--threads", 1]
    answer = digitscope(*command, "--out", "plain")
    notices = [
        "No training image is of classes 5, 6, 7 and 8: the network has an output for them, but never learns them.",
        "No validation image is of class 9: the validation accuracy says nothing about it.",
    ]
    assert [line for line in answer.out.splitlines() if line.startswith("Note: ")] == [f"Note: {n}" for n in notices]
    result = digitscope(*command, "--json").json
    assert result["notices"] == notices
    assert result["validation_accuracy"] > 0.7
    page = Path("runs/mlp/report.html").read_text(encoding="utf-8")
    for notice in notices:
        assert f'<p class="notice">{notice}</p>' in page
    recall = digitscope("evaluate", "runs/mlp/model.safetensors", "--data", "sorted.npz", "--json").json["recall"]
    assert min(recall[:5]) > 0.5


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(
    digitscope: Digitscope, few_file: Path, in_folder: Files
) -> None:
    for threads, seed in ((1, 0), (2, 0), (1, 1)):
        digitscope("train", "--data", few_file, "--epochs", 2, "--seed", seed, "--threads", threads, "--json")
    models = [Path(f"runs/convnet{suffix}/model.safetensors").read_bytes() for suffix in ("", "-2", "-3")]
    assert models[0] == models[1] != models[2]


def write_first(path: str, few: DataSet, images: int) -> str:
    """A file of the first images, and of a third as many test images."""
    assert few.x_test is not None
    assert few.y_test is not None
    n, m = images, images // 3
    np.savez(path, x_train=few.x_train[:n], y_train=few.y_train[:n], x_test=few.x_test[:m], y_test=few.y_test[:m])
    return path


@pytest.mark.parametrize("recipe", [name for name in RECIPES if name != "ensemble"])
def test_every_recipe_learns(digitscope: Digitscope, few: DataSet, in_folder: Files, recipe: str) -> None:
    images, epochs = {
        "seed": (1200, 300),
        "sigmoid": (1200, 15),
        "3blue1brown": (1200, 30),
        "simard-mlp": (1200, 12),
        "lenet": (1200, 8),
        "reader": (600, 3),
        "deep": (600, 1),
    }.get(recipe, (1200, 5))
    data = write_first("few.npz", few, images)
    command = ["train", "--recipe", recipe, "--data", data, "--epochs", epochs, "--threads", 1]
    result = digitscope(*command, "--json").json
    assert result["test_accuracy"] > 0.7


def test_an_ensemble_is_trained_evaluated_and_used_like_any_network(
    digitscope: Digitscope, few: DataSet, in_folder: Files
) -> None:
    data = write_first("few.npz", few, 100)
    command = ["train", "--recipe", "ensemble", "--data", data, "--epochs", 2, "--threads", 1, "--out", "five"]
    result = digitscope(*command, "--json").json
    assert result["epochs"] == 10
    loaded = Model.load(result["model"])
    (ensemble,) = loaded.network.layers
    assert isinstance(ensemble, Ensemble)
    assert len(ensemble.layers) == 5
    answer = digitscope("evaluate", result["model"], "--data", data, "--threads", 1, "--json").json
    assert answer["accuracy"] == result["test_accuracy"] > 0.2


def test_without_a_terminal_the_output_is_plain_lines(digitscope: Digitscope, few_file: Path, in_folder: Files) -> None:
    answer = digitscope("train", "--data", few_file, "--epochs", 3)
    assert answer.status == 0
    assert "\x1b" not in answer.out
    lines = answer.out.splitlines()
    assert lines[0].startswith("convnet: ")
    assert lines[1].startswith("few.npz: 1,099 training images, 101 validation images; ")
    assert [line.split()[:2] for line in lines[2:5]] == [["epoch", "1/3"], ["epoch", "2/3"], ["epoch", "3/3"]]
    for name in ("test accuracy", "95 % interval", "most often confused", "training", "parameters", "report.html"):
        assert name in answer.out


TERMINAL = {"TTY_COMPATIBLE": "1", "TTY_INTERACTIVE": "1", "TERM": "xterm", "COLUMNS": "80", "LINES": "24"}
"""Variables that make rich treat any output as a terminal of 80 x 24."""


@pytest.mark.parametrize(
    ("variables", "is_live"), [({}, True), ({"NO_COLOR": "1"}, True), ({"TERM": "dumb", "TTY_INTERACTIVE": ""}, False)]
)
def test_a_terminal_shows_curves_and_digits_that_stay(
    digitscope: Digitscope,
    few_file: Path,
    in_folder: Files,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    is_live: bool,
) -> None:
    for name, value in {**TERMINAL, **variables}.items():
        monkeypatch.setenv(name, value)
    answer = digitscope("train", "--recipe", "mlp", "--data", few_file, "--epochs", 1)
    last = answer.out.rpartition("training images   ")[2]
    for text in ("Loss", "Accuracy", "10 validation images after epoch 1", "images/s"):
        assert (text in last) == is_live
    assert ("\nepoch 1/1  train loss" in answer.out) != is_live
    assert (re.search(r"\x1b\[[\d;]*3\d", answer.out) is not None) == (variables == {})


def test_json_is_alone_on_a_terminal_too(
    digitscope: Digitscope, few_file: Path, in_folder: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in TERMINAL.items():
        monkeypatch.setenv(name, value)
    answer = digitscope("train", "--recipe", "mlp", "--data", few_file, "--epochs", 1, "--json")
    assert answer.json["epochs"] == 1


def test_it_ends_with_what_the_losses_mean_and_what_to_do_next(
    digitscope: Digitscope, few_file: Path, in_folder: Files
) -> None:
    answer = digitscope("train", "--recipe", "mlp", "--data", few_file, "--epochs", 1, "--out", "my run")
    assert "its smallest possible value is 0.2824 nats." in answer.out
    commands = [line.split("  ")[-1] for line in answer.out.partition("What you can do next\n")[2].splitlines()]
    *verbs, opening = [shlex.split(command.replace(f"{PROGRAM} ", "digitscope ")) for command in commands]
    assert [verb[1] for verb in verbs] == ["predict", "read", "evaluate", "teach", "look"]
    assert set(cli.commands) >= {verb[1] for verb in verbs}
    for program, _, model, *_ in verbs:
        assert (program, Path(model)) == ("digitscope", Path("my run/model.safetensors"))
        assert Path(model).is_file()
    assert Path(opening[-1]).is_file()
    evaluate = verbs[2][1:]
    evaluate.remove("--robust")
    assert digitscope(*evaluate).status == 0


@pytest.mark.parametrize(
    ("variables", "program"), [({}, "digitscope"), ({"UV_RUN_RECURSION_DEPTH": "1"}, "uv run digitscope")]
)
def test_commands_to_go_on_with_start_as_this_one_did(variables: dict[str, str], program: str) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("UV")} | variables
    code = "from digitscope.cli.shell import PROGRAM; print(PROGRAM)"
    assert subprocess.check_output([sys.executable, "-c", code], env=environment, text=True).strip() == program


def test_settings_replace_the_recipes(digitscope: Digitscope, few_file: Path, in_folder: Files) -> None:
    result = digitscope(
        "train", "--data", few_file, "--epochs", 1, "--batch-size", 50, "--learning-rate", 0.01, "--json"
    ).json
    info = Model.load(result["model"]).info
    assert (info.epochs, info.batch_size, info.learning_rate) == (1, 50, 0.01)
    with Path("runs/convnet/history.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 22


def test_any_setting_can_replace_the_recipes(digitscope: Digitscope, few_file: Path, in_folder: Files) -> None:
    options = [f"--{name.replace('_', '-')}={value}" for name, value in CHANGED.items() if name != "layers"]
    command = ["train", "--recipe", "mlp", "--data", few_file, "--epochs", 1, "--layers", "16,12", *options]
    result = digitscope(*command, "--json").json
    assert result["settings"] == {"epochs": 1, **CHANGED}
    model = Model.load(result["model"])
    assert [type(layer).__name__ for layer in model.network] == ["Dense", "Sigmoid", "Dropout"] * 2 + ["Dense"]
    assert {name: getattr(model.info, name) for name in CHANGED} == {**CHANGED, "layers": (16, 12)}
    assert model.info.learning_rate == 0.005
    text = "changed: layers 16,12; activation sigmoid; dropout 0.1; epochs 1; "
    assert text in Path("runs/mlp/report.html").read_text(encoding="utf-8")
    with Job.begin(Settings("mlp", str(few_file), layers=(16, 12)), Path("stopped")):
        pass
    answer = digitscope("train", "--resume", "--out", "stopped", "--layers", "16,16")
    assert "The run in stopped began with --layers 16,12; got 16,16. Leave out --layers." in answer.err
    with Job.resume(Path("stopped"), {"layers": (16, 12)}) as resumed:
        assert resumed.training.run.network.params["3.weight"].shape == (12, 16)


def test_the_help_names_every_choice_within_80_columns(digitscope: Digitscope, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = digitscope("train", "--help").out.splitlines()
    assert max(map(len, lines)) <= 80
    text = " ".join(" ".join(lines).split()).replace("- ", "-")
    amounts = [field.name for field in fields(Augment) if field.name != "elastic_width"]
    for name in (*ACTIVATIONS, *NAMED_LOSSES, *NAMED_OPTIMIZERS, *NAMED_SCHEDULES, *NAMED_AUGMENTATIONS, *amounts):
        assert re.search(rf"\b{name}\b", text.partition("(default: the recipe")[2]), name
    for field in fields(Settings):
        assert f"--{field.name.replace('_', '-')} " in text


def test_data_without_test_images_have_no_test_accuracy(
    digitscope: Digitscope, few_file: Path, in_folder: Files
) -> None:
    content = np.load(few_file)
    np.savez("train_only.npz", x_train=content["x_train"], y_train=content["y_train"])
    answer = digitscope("train", "--data", "train_only.npz", "--epochs", 1, "--json")
    assert answer.json["test_accuracy"] is None
    answer = digitscope("train", "--data", "train_only.npz", "--epochs", 1)
    assert "none: train_only.npz has no test images" in answer.out


def test_a_run_is_never_overwritten(digitscope: Digitscope, few_file: Path, in_folder: Files) -> None:
    first = digitscope("train", "--data", few_file, "--epochs", 1, "--out", "mine", "--json")
    assert first.status == 0
    before = {name: Path(name).read_bytes() for name in in_folder()}
    again = digitscope("train", "--data", few_file, "--epochs", 1, "--out", "mine")
    assert again.status == 2
    assert again.err.startswith("Error: mine already holds a run.")
    assert {name: Path(name).read_bytes() for name in in_folder()} == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--recipe", "cnn9"], f"--recipe expects one of {', '.join(RECIPES)}; got 'cnn9'."),
        (["--data", "nowhere.csv"], "nowhere.csv"),
        (["--epochs", "0"], "0 is not in the range x>=1"),
        (["--learning-rate", "-1"], "-1.0 is not in the range x>0"),
        (["--learning-rate", "nan"], "--learning-rate expects a number; got nan."),
        (["--threads", "none"], "'none' is not a valid integer range"),
        (
            ["--layers", "16,x"],
            "--layers expects widths of at least 1, separated by commas, such as 16,16, or none; got '16,x'.",
        ),
        (["--layers", "0"], "--layers expects widths of at least 1"),
        (["--layers", "60000,60000"], "up to 100,000,000 parameters"),
        (["--layers", "none", "--recipe", "mlp", "--dropout", "0.1"], "dropout expects a network with a hidden layer"),
        (["--activation", "swish"], "activation expects one of relu, leaky-relu, sigmoid, tanh; got 'swish'."),
        (["--dropout", "1"], "1.0 is not in the range 0<=x<1"),
        (["--label-smoothing", "nan"], "--label-smoothing expects a number; got nan."),
        (["--recipe", "sigmoid", "--label-smoothing", "0.1"], "Label smoothing expects a cross-entropy"),
        (["--recipe", "tiny", "--loss", "squared-error"], "the loss is MeanSquaredError"),
        (["--recipe", "reader", "--loss", "squared-error"], "only its own loss takes"),
        (["--augment", "rotate=10"], "Augment has the amounts rotation, scale, "),
        (["--resume"], "No stopped run was found under runs/."),
        (["--resume", "--out", "nowhere"], "nowhere holds no checkpoint: there is nothing to resume."),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(
    digitscope: Digitscope, in_folder: Files, arguments: list[str], message: str
) -> None:
    answer = digitscope("train", *arguments)
    assert answer.status == 2
    assert answer.out == ""
    (line,) = answer.err.splitlines()
    assert line.startswith("Error: ")
    assert message in line
    assert in_folder() == []


@pytest.mark.parametrize("option", ["--seed", "--epochs", "--batch-size"])
def test_a_number_that_no_model_file_can_hold_is_refused_before_the_training(
    digitscope: Digitscope, few_file: Path, in_folder: Files, option: str
) -> None:
    answer = digitscope("train", "--recipe", "mlp", "--data", few_file, option, 2**128)
    assert answer.status == 2
    (line,) = answer.err.splitlines()
    assert line.endswith("is expected to be below 2^128; got a larger number.")
    assert in_folder() == []


@pytest.mark.parametrize("rate", ["1e6", "1e308"])
def test_a_learning_rate_that_is_too_high_says_so_and_leaves_the_checkpoint(
    digitscope: Digitscope, few_file: Path, in_folder: Files, rate: str
) -> None:
    command = ["train", "--recipe", "mlp", "--data", few_file, "--epochs", 2, "--learning-rate", rate, "--out", "x"]
    answer = digitscope(*command)
    assert answer.status == 2
    (line,) = answer.err.splitlines()
    assert re.fullmatch(
        r"Error: The (validation )?loss is (nan|inf) (at step|after epoch) \d+ of \d+: the learning rate, .*, is too "
        rf"high\. Try --learning-rate {RECIPES['mlp'].plan.schedule.learning_rate:.2g}\. "
        r"The last good checkpoint is x.checkpoint\.safetensors\.",
        line,
    )
    assert in_folder() == ["x/checkpoint.safetensors"]


def test_advice_for_a_learning_rate_that_is_too_high_is_a_tenth_or_the_rate_of_the_optimizer(
    digitscope: Digitscope, few_file: Path, in_folder: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    def diverge(*_: object, **__: object) -> None:
        raise DivergenceError("The loss is nan.")

    monkeypatch.setattr("digitscope.jobs.train.train", diverge)
    rate = 8 * RECIPES["mlp"].plan.schedule.learning_rate
    answer = digitscope("train", "--recipe", "mlp", "--data", few_file, "--learning-rate", rate)
    assert f"Try --learning-rate {rate / 10:.2g}." in answer.err
    command = ["train", "--recipe", "mlp", "--data", few_file, "--optimizer", "adam", "--learning-rate", "0.1"]
    adam = RECIPES["mlp"].with_settings(optimizer="adam").plan.schedule.learning_rate
    assert f"Try --learning-rate {adam:.2g}." in digitscope(*command).err


def test_resume_uses_the_runs_own_settings_and_no_others(
    digitscope: Digitscope, few_file: Path, in_folder: Files
) -> None:
    command = ["train", "--recipe", "mlp", "--data", few_file, "--batch-size", 100, "--learning-rate", 1e20]
    assert digitscope(*command).status == 2  # stopped: the loss is not finite
    before = Path("runs/mlp/checkpoint.safetensors").read_bytes()
    began_with = {"recipe": "mlp", "data": few_file, "batch-size": 100, "learning-rate": 1e20, "epochs": None}
    for option, other in (("recipe", "seed"), ("data", "mnist"), ("batch-size", 50), ("epochs", 3)):
        given = [*command, "--resume", "--out", "runs/mlp", f"--{option}", other]  # the last one counts
        answer = digitscope(*given)
        was = began_with[option]
        began = f"without --{option}" if was is None else f"with --{option} {was}"
        assert answer.status == 2
        assert answer.err == (
            f"Error: The run in {Path('runs/mlp')} began {began}; got {other}. Leave out --{option}.\n"
        )
    answer = digitscope(*command, "--resume")
    assert answer.err.startswith("Error: The loss is ")  # it continues
    assert Path("runs/mlp/checkpoint.safetensors").read_bytes() == before
    assert in_folder() == ["runs/mlp/checkpoint.safetensors"]


def start(folder: Path, *arguments: object) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "digitscope", "train", "--out", str(folder), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process: "subprocess.Popen[str]") -> tuple[int, str]:
    _, err = process.communicate(timeout=60)
    return process.returncode, err


def test_a_folder_in_use_is_refused(digitscope: Digitscope, few_file: Path, in_folder: Files) -> None:
    with Job.begin(Settings("mlp", str(few_file), epochs=1), Path("mine")):
        before = in_folder()
        for option in ("--resume", "--json"):
            answer = digitscope("train", "--out", "mine", option)
            assert answer.status == 2
            assert answer.err.startswith(f"Error: mine is in use by another training (process {os.getpid()}, since ")
        assert in_folder() == before
    assert in_folder() == ["mine/checkpoint.safetensors"]
    assert digitscope("train", "--out", "mine", "--resume", "--json").status == 0


@pytest.mark.parametrize("out", [[], ["--out", "runs/x"]])
def test_a_file_instead_of_a_folder_is_an_error(
    digitscope: Digitscope, few_file: Path, in_folder: Files, out: list[str]
) -> None:
    Path("runs").touch()
    answer = digitscope("train", "--recipe", "mlp", "--data", few_file, *out)
    assert (answer.status, answer.out) == (2, "")
    assert "cannot be written: a part of its path is not a folder. Choose a place where you may write." in answer.err
    assert in_folder() == ["runs"]


def test_a_folder_that_is_deleted_while_the_run_finishes_is_an_error(
    digitscope: Digitscope, few_file: Path, in_folder: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = write_atomic

    def delete_and_write(path: Path, content: bytes) -> None:
        shutil.rmtree(path.parent)
        write(path, content)

    monkeypatch.setattr("digitscope.jobs.train.write_atomic", delete_and_write)
    answer = digitscope("train", "--recipe", "mlp", "--data", few_file, "--epochs", 1, "--out", "mine")
    assert answer.status == 2
    assert answer.err == (
        "Error: mine was deleted or changed while the run was written: model.safetensors is missing. Train again.\n"
    )


@pytest.mark.usefixtures("ctrl_c_as_before")
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other rules, and allows fewer names")
@pytest.mark.parametrize(
    ("folder", "word"),
    [
        ("a b", "'a b'"),
        ("-x", "./-x"),
        ("a'\"$(x)`y`", "'a'\"'\"'\"$(x)`y`'"),
        ("a\n\x1b", r"$'a\x0a\x1b'"),
        ("ä\x07", r"$'\xc3\xa4\x07'"),
    ],
)
def test_the_resume_command_can_be_pasted(
    digitscope: Digitscope,
    few_file: Path,
    in_folder: Files,
    monkeypatch: pytest.MonkeyPatch,
    folder: str,
    word: str,
) -> None:
    def stop(job: Job, **_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Job, "work", stop)
    answer = digitscope("train", "--recipe", "mlp", "--data", few_file, f"--out={folder}")
    command = f"digitscope train --resume --out {word}"
    assert answer.status == 130
    assert answer.err == f"Stopped. Continue from the last checkpoint with: {command}\n".replace("digitscope", PROGRAM)
    pasted = subprocess.run(["bash", "-c", f'digitscope() {{ printf %s "$4"; }}; {command}'], capture_output=True)
    assert pasted.stdout == os.fsencode(folder if folder != "-x" else "./-x")


DIED = 9
DYING = f"""
import os, sys
from digitscope.cli import cli

moment, write, *arguments = sys.argv[1:]
begun, die_next = 0, False

def audit(event, details):
    global begun, die_next
    if die_next:
        os._exit({DIED})
    if event not in ("open", "os.rename") or not str(details[0]).endswith(".part"):
        return
    begun += event == "open"
    if begun == int(write):
        if event == "os.rename" and moment == "half":
            os.truncate(details[0], os.path.getsize(details[0]) // 2)
        if moment in (("before",) if event == "open" else ("half", "unnamed")):
            os._exit({DIED})
        die_next = event == "os.rename"

sys.addaudithook(audit)  # Python reports each opening and renaming of a file before it happens
cli(arguments)
"""
"""A command that ends at its n-th writing of a file as if killed: before it, when half of it is written, when all
of it is written but the file still has its temporary name, or right after it."""


def position(path: Path) -> tuple[int, int]:
    """(epoch, batch) of a checkpoint."""
    checkpoint = load_checkpoint(path)
    return checkpoint.epoch, checkpoint.batch


def test_killed_at_any_moment_and_resumed_it_ends_with_the_same_bytes(few_file: Path, tmp_path: Path) -> None:
    settings = ("--recipe", "mlp", "--data", few_file, "--epochs", 2, "--batch-size", 200, "--checkpoint-every", 0)
    whole, folder = tmp_path / "whole", tmp_path / "killed"
    assert finish(start(whole, *settings, "--threads", 1))[0] == 0

    def position_after_dying(moment: str, write: int) -> tuple[int, int] | None:
        """(epoch, batch) of the checkpoint that is left; None if there is none."""
        arguments = ["--resume", "--checkpoint-every", 0] if newest_checkpoint(folder) else settings
        command = [moment, write, "train", "--out", folder, *arguments, "--threads", 1]
        done = subprocess.run([sys.executable, "-c", DYING, *map(str, command)], capture_output=True, check=False)
        assert done.returncode == DIED, done.stderr
        checkpoint = newest_checkpoint(folder)
        return None if checkpoint is None else position(checkpoint)

    # Writings: a checkpoint first and after each of an epoch's 6 batches and after the epoch; model, history, report.
    assert position_after_dying("before", 1) is None
    assert position_after_dying("half", 1) is None
    assert len(list(folder.glob("checkpoint.safetensors.*.part"))) == 1
    assert position_after_dying("after", 3) == (0, 2)
    assert position_after_dying("before", 2) == (0, 3)
    assert position_after_dying("half", 3) == (0, 5)
    assert len(list(folder.glob("checkpoint.safetensors.*.part"))) == 1
    assert position_after_dying("unnamed", 3) == (1, 0)
    assert [path.name for path in folder.glob("*.safetensors")] == ["checkpoint-previous.safetensors"]
    assert position_after_dying("after", 2) == (1, 2)
    assert position_after_dying("half", 6) == (2, 0)
    assert not (folder / "model.safetensors").exists()
    assert position_after_dying("unnamed", 2) == (2, 0)
    assert (folder / "model.safetensors").exists()
    assert position_after_dying("after", 3) == (2, 0)
    assert (folder / "report.html").exists()
    assert finish(start(folder, "--resume", "--threads", 2))[0] == 0
    assert_same(folder, whole)


def test_a_damaged_checkpoint_names_the_one_before_and_the_way_on(
    digitscope: Digitscope, few_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = Path("runs/seed")
    with Job.begin(Settings("seed", str(few_file), epochs=3), folder) as job:
        for result in job.work(threads=1, checkpoint_every=0):
            if result.epoch == 2:
                break
    newest, previous = folder / CHECKPOINT, folder / PREVIOUS
    assert (position(previous), position(newest)) == ((1, 0), (1, 1))
    content, content_before = newest.read_bytes(), previous.read_bytes()
    newest.write_bytes(content[:-1])
    answer = digitscope("train", "--resume")
    assert answer.status == 2
    (line,) = answer.err.splitlines()
    assert line.startswith(f"Error: {newest}: expected a Digitscope checkpoint")
    assert line.endswith(
        f"checkpoint-previous.safetensors beside it is whole, after epoch 1: delete {newest} and resume again."
    )
    previous.write_bytes(content_before[:-1])
    assert "beside it" not in digitscope("train", "--resume").err
    previous.write_bytes(content_before)
    newest.unlink()
    (found,) = digitscope("runs", "--json").json
    assert (found["state"], found["epoch"]) == ("stopped", 1)
    assert digitscope("train", "--out", folder).status == 2  # it holds a run
    with Job.resume(latest_stopped("seed")) as job:
        assert (job.training.run.epoch, job.training.run.batch) == (1, 0)


def assert_same(folder: Path, whole: Path) -> None:
    """The same model, and the same learning in the report; the rest of the report has times."""
    learning, expected = (
        (run / "report.html")
        .read_text(encoding="utf-8")
        .partition('<div class="learning">')[2]
        .partition("</script>")[0]
        for run in (folder, whole)
    )
    assert learning == expected != ""
    assert (folder / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
    assert sorted(path.name for path in folder.iterdir()) == ["history.csv", "model.safetensors", "report.html"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends Ctrl-C to a console, not to one process")
def test_ctrl_c_saves_prints_the_resume_command_and_exits_130(few_file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "my run"
    process = start(folder, "--recipe", "mlp", "--data", few_file, "--epochs", 1000, "--checkpoint-every", 1000)
    assert process.stdout is not None
    *_, line = [process.stdout.readline() for _ in range(3)]  # recipe, data, and one of 20 lines that show epochs
    assert line.split()[:2] == ["epoch", "50/1000"]
    process.send_signal(signal.SIGINT)
    status, err = finish(process)
    assert status == 130
    assert err == f"Stopped and saved. Continue with: {PROGRAM} train --resume --out '{folder}'\n"
    epoch, _ = position(folder / "checkpoint.safetensors")
    assert 50 <= epoch < 1000
    assert not (folder / "model.safetensors").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends Ctrl-C to a console, not to one process")
def test_ctrl_c_pressed_twice_stops_at_once_without_a_traceback(few_file: Path, tmp_path: Path) -> None:
    process = start(tmp_path / "run", "--recipe", "mlp", "--data", few_file, "--epochs", 1000)
    assert process.stdout is not None
    for _ in range(3):  # recipe, data, and one of 20 lines that show epochs
        process.stdout.readline()
    process.send_signal(signal.SIGINT)
    time.sleep(0.001)
    process.send_signal(signal.SIGINT)
    status, err = finish(process)
    assert status in (130, -signal.SIGINT)
    assert re.fullmatch(r"(Stopped.*\n)?", err)
