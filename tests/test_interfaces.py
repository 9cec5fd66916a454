"""The tables of docs/interfaces.md: what stands in the right column runs, row by row."""

import ast
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.test_commands_in_documents import check_command

PAGE = (Path(__file__).parents[1] / "docs" / "interfaces.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| (?P<theirs>.+?) \| (?P<ours>.+?) \|(?: (?P<differs>.+?))? \|$", re.MULTILINE)
SCIKIT_LEARN = """
import joblib
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_digits
from sklearn.metrics import ConfusionMatrixDisplay, confusion_matrix, log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
"""
# Names that the rows use like a reader's own variables.
OWN = """
clf = DenseClassifier((16,), epochs=2, random_state=0)
optimizer = nn.Adam()
state = optimizer.start(network.params)
"""


def sections() -> dict[str, list[tuple[str, str]]]:
    """The rows (theirs, ours) of each library's table."""
    parts = re.split(r"^## (.*)$", PAGE, flags=re.MULTILINE)
    found = {}
    for title, text in zip(parts[1::2], parts[2::2], strict=True):
        rows = [(row["theirs"], row["ours"]) for row in ROW.finditer(text)]
        if rows:
            found[title] = rows[1:]
    return found


def code(cell: str) -> str | None:
    """The code in a cell; None for words."""
    return cell[1:-1] if cell.startswith("`") and cell.endswith("`") and cell.count("`") == 2 else None


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the page's first block defines."""
    block = re.search(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert block
    found: dict[str, Any] = {}
    exec(block[1] + OWN, found)
    return found


def test_the_tables_have_rows_for_three_libraries() -> None:
    assert {title: len(rows) > 15 for title, rows in sections().items()} == dict.fromkeys(
        ("scikit-learn", "Keras", "PyTorch"), True
    )
    for line in PAGE.splitlines():
        assert not line.startswith("|") or line.startswith("|---") or ROW.fullmatch(line), line


@pytest.mark.parametrize("library", sections())
@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_what_stands_in_a_row_runs(
    library: str, names: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Image.fromarray(255 - np.kron(names["x"][0], np.ones((4, 4), np.uint8))).save("photo.png")
    ours, theirs = dict(names), dict(names)
    exec(SCIKIT_LEARN + "clf = MLPClassifier((8,), max_iter=2)", theirs)
    for left, right in sections()[library]:
        if (foreign := code(left)) is not None:
            ast.parse(foreign if not foreign.startswith("class ") else f"{foreign}: ...")
            if library == "scikit-learn":
                run(foreign, theirs, left)
        elif left[0] == "`":
            pytest.fail(f"{left} is not one piece of code.")
        source = code(right)
        if source is None:
            assert right == "nothing", right
        elif source.startswith("digitscope "):
            check_command(source.removeprefix("digitscope "))
        else:
            run(source, ours, right)


def run(source: str, names: dict[str, Any], row: str) -> None:
    try:
        exec(source, names)
    except Exception as error:
        error.add_note(f"In the row {row}")
        raise
