"""Each notebook runs from its first cell to its last, and what its text says is true of the results."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from digitscope.datasets import DataSet
from docs.notebooks import FOLDER, notebook_paths, run_notebook, write_notebook


def first_gradient(names: dict[str, Any]) -> None:
    assert names["by_trying"] < 0  # "a larger weight makes the loss smaller"
    assert names["gradients"].parameters.keys() == names["network"].params.keys()
    assert names["evaluation"].accuracy > names["accuracy"] > 0.75  # "with a hidden layer, without"


def convolution(names: dict[str, Any]) -> None:
    results = names["results"]
    lost = {recipe: results[recipe, "as they are"] - results[recipe, "shuffled"] for recipe in ("mlp", "fast")}
    assert lost["fast"] > 0.2 > abs(lost["mlp"])  # "The convolutional network loses more"


def handwriting(names: dict[str, Any]) -> None:
    assert (names["answer"].digit, names["answer"].is_digit) == (7, True)
    assert not names["refused"].is_digit
    assert names["found"].text == "7049"
    assert (names["taught"].predict(names["asked"]) == 1).all()
    assert (names["model"].predict(names["ones"]) == 1).mean() < 1


CHECKS: dict[str, Callable[[dict[str, Any]], None]] = {
    "1-first-gradient": first_gradient,
    "2-convolution": convolution,
    "3-handwriting": handwriting,
}


@pytest.mark.parametrize("name", CHECKS)
def test_a_notebook_runs_and_its_text_is_true(
    name: str, tmp_path: Path, mnist: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrays = (mnist.x_train, mnist.y_train), (mnist.x_test, mnist.y_test)
    monkeypatch.setattr("digitscope.datasets.load_mnist", lambda: arrays)
    names: dict[str, Any] = {}
    cells = list(run_notebook(FOLDER / f"{name}.py", tmp_path, names, quick=True))
    assert any(done.cell.cell_type == "markdown" for done in cells)
    CHECKS[name](names)


def test_every_notebook_is_checked_and_listed() -> None:
    assert [path.stem for path in notebook_paths()] == list(CHECKS)
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    for path in notebook_paths():
        title = re.search(r"^# # (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
        assert title
        assert f"[{title[1]}]({path.name})" in readme


def test_a_notebook_is_written_with_its_outputs(tmp_path: Path) -> None:
    source = tmp_path / "small.py"
    source.write_text("# %% [markdown]\n# # Small\n\n# %%\nprint(1)\n6 * 7\n\n# %%\nx = 1\n")
    write_notebook(source, tmp_path / "small.ipynb", tmp_path)
    cells = json.loads((tmp_path / "small.ipynb").read_text())["cells"]
    assert [cell["cell_type"] for cell in cells] == ["markdown", "code", "code"]
    assert [output["output_type"] for output in cells[1]["outputs"]] == ["stream", "execute_result"]
    assert cells[1]["outputs"][1]["data"] == {"text/plain": ["42"]}
    assert cells[2]["outputs"] == []


def test_an_error_names_its_cell(tmp_path: Path) -> None:
    source = tmp_path / "bad.py"
    source.write_text("# %%\nx = 1\n\n# %%\ny = x / 0\n")
    with pytest.raises(ZeroDivisionError) as caught:
        list(run_notebook(source, tmp_path))
    assert caught.value.__notes__ == ["bad.py, cell 1: y = x / 0"]
