"""Every example of every help text runs, with small data and recipes in place of the large ones."""

import shlex
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file

from digitscope.bundled import SHIPPED
from digitscope.cli import cli
from digitscope.datasets import DataSet
from digitscope.datasets.mnist_facts import MNIST_DIGEST
from digitscope.jobs.teach import TeachSettings, teach
from digitscope.jobs.train import Job, Settings
from digitscope.recipes import RECIPES

Digitscope = Callable[..., Any]  # see conftest.py

KEPT = "mlp", "seed", "convnet", "deep"
"""The recipes that examples name. All of them are small here."""
WRITTEN = "--out", "--show", "--report", "--picture", "--to"
"""Options whose value is a file or folder that the example writes."""


def examples(digitscope: Digitscope, verb: str) -> list[list[str]]:
    """The arguments of each example in the help of a verb, "" being the help of the group."""
    lines = [line.strip() for line in digitscope(*verb.split(), "--help").out.splitlines()]
    commands = [line.partition("  ")[0].partition(" >")[0] for line in lines if line.startswith("digitscope ")]
    return [shlex.split(command)[1:] for command in commands]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, few: DataSet) -> Iterator[DataSet]:
    """MNIST has 300 images, and each recipe is a small network that is trained for a moment."""
    assert few.x_test is not None
    assert few.y_test is not None
    small = (few.x_train[:300], few.y_train[:300]), (few.x_test[:50], few.y_test[:50])
    monkeypatch.setattr("digitscope.datasets.load.load_mnist", lambda: small)
    monkeypatch.setattr(DataSet, "digest", MNIST_DIGEST)  # The bundled models are taught with what they learned from.
    for page in ("training_page.write_training_page", "inspection_page.write_inspection_page"):
        monkeypatch.setattr(f"digitscope.report.{page}", lambda path, result: Path(path).touch())
    monkeypatch.setattr("uvicorn.Server.run", lambda server, sockets: None)
    monkeypatch.setattr("webbrowser.open", lambda address: True)
    for name in SHIPPED:
        monkeypatch.setitem(SHIPPED, name, SHIPPED["convnet"])
    monkeypatch.setattr(
        "digitscope.jobs.teach.teach", partial(teach, settings=TeachSettings(rehearsed_images=200, accepted_loss=1.0))
    )
    quick = RECIPES["mlp"].with_settings(epochs=1)
    kept = {name: replace(quick, name=name) for name in RECIPES if name in KEPT}
    with patch.dict(RECIPES, kept, clear=True):  # restores the order, too
        yield few


def prepare(name: str, data: DataSet) -> None:
    """Makes the file or folder that an example reads; nothing if the name is none of a file."""
    path, _, label = name.partition("=")
    if Path(path).exists() or "*" in path:
        return
    if path.endswith((".png", ".jpg")):
        firsts = [np.flatnonzero(data.y_train == int(digit))[0] for digit in label.replace(" ", "") or "5"]
        row = Image.fromarray(255 - np.concatenate(data.x_train[firsts], axis=1))
        row.resize((4 * row.width, 4 * row.height) if len(firsts) > 1 else row.size).save(path)
    elif path.endswith(".csv"):
        table = np.hstack([data.y_train[:60, None], data.x_train[:60].reshape(60, -1)])
        names = ["label", *(f"pixel{i}" for i in range(784))]
        columns = slice(1, None) if path == "test.csv" else slice(None)
        np.savetxt(path, table[:, columns], "%d", ",", header=",".join(names[columns]), comments="")
    elif path == "weights.safetensors":
        network = RECIPES["mlp"].build(np.random.default_rng(0), (28, 28), 10)
        arrays = {name: array if name.endswith("weight") else array[:, 0] for name, array in network.params.items()}
        save_file(arrays, path)
    elif path == "my_digits/":
        for k in range(2):
            Path(path, str(k)).mkdir(parents=True)
            Image.fromarray(data.x_train[np.flatnonzero(data.y_train == k)[0]]).save(Path(path, str(k), "x.png"))


def runs(digitscope: Digitscope) -> None:
    """Two finished runs and one that was stopped."""
    for recipe in ("mlp", "seed"):
        assert digitscope("train", "--recipe", recipe, "--out", f"runs/{recipe}").status == 0
    Path("model.safetensors").write_bytes(Path("runs/mlp/model.safetensors").read_bytes())
    with Job.begin(Settings("mlp"), Path("runs/stopped")):
        pass


@pytest.mark.parametrize("verb", ["", *cli.commands])
def test_every_example_runs(
    digitscope: Digitscope, small: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    monkeypatch.chdir(tmp_path)
    commands = examples(digitscope, verb)
    assert [command for command in commands if command[0] == verb or not verb]
    if any("runs" in word or "model.safetensors" in word or word == "--resume" for words in commands for word in words):
        runs(digitscope)
    all_written: set[str] = set()
    for command in commands:
        written = {command[i + 1] for i, word in enumerate(command) if word in WRITTEN}
        for word in command:
            if word not in written:
                prepare(word, small)
        words = [file for word in command for file in _expanded(word, all_written)]
        answer = digitscope(*words)
        assert (answer.status, answer.err) == (0, ""), f"digitscope {shlex.join(command)}"
        for file in written:
            assert Path(file).exists(), file
        all_written |= written


def _expanded(word: str, written: set[str]) -> list[str]:
    """As a shell does it, but without the large pictures that examples have written."""
    return sorted({*map(str, Path().glob(word))} - written) if "*" in word else [word]
