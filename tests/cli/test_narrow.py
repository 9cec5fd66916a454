"""On a terminal of 40 columns nothing is cut."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from digitscope.cli import cli
from digitscope.datasets import DataSet

Digitscope = Callable[..., Any]  # see conftest.py
Files = Callable[[], list[str]]


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    assert shutil.get_terminal_size().columns == 40


@pytest.mark.parametrize("verb", ["", *cli.commands])
def test_help(digitscope: Digitscope, monkeypatch: pytest.MonkeyPatch, verb: str) -> None:
    def words(text: str) -> list[str]:
        return re.sub(r"-\s+", "-", text).split()  # a line may end at a hyphen

    narrow = digitscope(*verb.split(), "--help").out
    paragraphs = narrow.removeprefix("Usage: digitscope ").split("\n\n")
    wrapped = [line for text in paragraphs if "digitscope " not in text for line in text.splitlines()]
    assert len(wrapped) > 3
    assert max(map(len, [narrow.splitlines()[0], *wrapped])) <= 40
    monkeypatch.setenv("COLUMNS", "80")
    assert words(narrow) == words(digitscope(*verb.split(), "--help").out)


def test_evaluate_shows_every_mistake(digitscope: Digitscope, trained: Path, few_file: Path) -> None:
    model = trained / "model.safetensors"
    confusion = digitscope("evaluate", model, "--data", few_file, "--json").json["confusion"]
    out = digitscope("evaluate", model, "--data", few_file).out
    assert "…" not in out
    text = " ".join(out.split())
    for k, row in enumerate(confusion):
        part = text.partition(f" {k} images: {sum(row)} ")[2].partition(" images: ")[0]
        assert "read as: " in part
        for j, count in enumerate(row):
            if j != k:
                assert (f" {j} ({count})" in part) == (count > 0)


def test_data_and_its_samples(digitscope: Digitscope, few_file: Path) -> None:
    out = digitscope("data", few_file).out
    assert "…" not in out
    assert max(map(len, out.splitlines())) <= 40
    assert len(out.split("\n\n")) == 1 + 5  # two samples side by side, not five


def test_pictures(digitscope: Digitscope, in_folder: Files, few: DataSet) -> None:
    name = "a-picture-whose-name-is-longer-than-the-terminal-is-wide.png"
    Image.fromarray(255 - few.x_train[0]).save(name)
    for verb in ("predict", "read"):
        assert f"{name}: 5 (" in digitscope(verb, "convnet", name).out
    assert digitscope("predict", f"no-{name}").err.startswith(f"Error: no-{name} does not exist.")
