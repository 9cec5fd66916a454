"""evaluate --robust."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from digitscope.augmentation.corruptions import CORRUPTIONS
from digitscope.model import Model

Digitscope = Callable[..., Any]  # see conftest.py
Files = Callable[[], list[str]]


@pytest.fixture
def model(trained: Path) -> Path:
    return trained / "model.safetensors"


def test_tables_and_a_page(digitscope: Digitscope, model: Path, few_file: Path, in_folder: Files) -> None:
    plain = digitscope("evaluate", model, "--data", few_file)
    answer = digitscope("evaluate", model, "--data", few_file, "--robust", "--report", "new/robust.html")
    assert answer.status == 0
    assert answer.err == ""
    assert answer.out.startswith(plain.out)
    lines = answer.out[len(plain.out) :].splitlines()
    names = [line.split(",")[0] for line in lines if line.partition(",")[0] in CORRUPTIONS]
    assert names == list(CORRUPTIONS)
    assert "The temperature " in answer.out
    assert "was fitted on 101 validation images." in answer.out
    assert "students" not in answer.out  # these are not MNIST's test images
    assert lines[-1] == "report: new/robust.html"
    assert max(map(len, answer.out.splitlines())) <= 80
    assert in_folder() == ["new/robust.html"]


def test_the_same_as_json(digitscope: Digitscope, model: Path, few_file: Path, in_folder: Files) -> None:
    plain = digitscope("evaluate", model, "--data", few_file, "--json").json
    content = digitscope("evaluate", model, "--data", few_file, "--robust", "--json").json
    robustness = content.pop("robustness")
    assert content == plain
    assert list(robustness["corruptions"]) == list(CORRUPTIONS)
    assert robustness["calibration_tempered"]["brier_score"] == pytest.approx(plain["brier_score"], rel=1e-4)
    stored = Model.load(model).calibration
    assert stored is not None
    assert robustness["temperature"] == pytest.approx(stored.temperature)
    assert in_folder() == []  # no page was asked for


def test_a_page_that_exists_is_kept(digitscope: Digitscope, few_file: Path, in_folder: Files) -> None:
    Path("robust.html").write_text("former")
    # The model is missing, too: the page is checked before anything is read.
    answer = digitscope("evaluate", "none.safetensors", "--data", few_file, "--robust", "--report", "robust.html")
    assert (answer.status, answer.out) == (2, "")
    assert answer.err == "Error: robust.html exists already. Choose another --report, or delete it.\n"
    assert Path("robust.html").read_text() == "former"


def test_a_page_without_robust(digitscope: Digitscope, model: Path, in_folder: Files) -> None:
    answer = digitscope("evaluate", model, "--report", "robust.html")
    assert (answer.status, answer.out) == (2, "")
    (line,) = answer.err.splitlines()
    assert line.startswith("Error: --report writes the results of --robust: give both.")
    assert in_folder() == []


@pytest.mark.parametrize("source", ["none.csv", "."])
def test_bad_data_leave_no_page(digitscope: Digitscope, model: Path, in_folder: Files, source: str) -> None:
    answer = digitscope("evaluate", model, "--data", source, "--robust", "--report", "robust.html")
    assert (answer.status, answer.out) == (2, "")
    assert len(answer.err.splitlines()) == 1
    assert in_folder() == []
