"""The notebooks: Python files with cells (py:percent), which the tests run and the site shows with their outputs."""

import ast
import base64
import contextlib
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from matplotlib.figure import Figure

from digitscope.report import to_png

FOLDER = Path(__file__).parent
QUICK = "DIGITSCOPE_QUICK"
"""The environment variable with which the notebooks take less data."""


@dataclass(frozen=True)
class CellRun:
    """A cell, and what it showed."""

    cell: Any
    """As nbformat has it: cell_type "markdown" or "code", and source."""
    printed: str = ""
    value: Any = None
    """Of the last line, if it is an expression."""


def notebook_paths() -> list[Path]:
    """The notebooks in order."""
    return sorted(FOLDER.glob("[0-9]-*.py"))


def cells(path: Path) -> list[Any]:
    """The cells of a notebook, as nbformat has them."""
    found: list[Any] = jupytext.read(path).cells
    return found


def run_notebook(
    path: Path, folder: Path, names: dict[str, Any] | None = None, *, quick: bool = False
) -> Iterator[CellRun]:
    """Runs the cells one after the other in this process, in a folder where they may write.

    names: gets the names that the cells define.
    Raises: what a cell raises, with the cell's first line in a note.
    """
    names = {} if names is None else names
    names["__name__"] = "__main__"
    for number, cell in enumerate(cells(path)):
        if cell.cell_type != "code":
            yield CellRun(cell)
            continue
        try:
            with contextlib.chdir(folder), _environment(quick), contextlib.redirect_stdout(io.StringIO()) as printed:
                value = _run(cell.source, f"{path.name}, cell {number}", names)
        except Exception as error:
            error.add_note(f"{path.name}, cell {number}: {cell.source.splitlines()[0]}")
            raise
        yield CellRun(cell, printed.getvalue(), value)


def _run(source: str, place: str, names: dict[str, Any]) -> Any:
    """Runs a cell as a notebook does, and returns the value of its last line."""
    body = ast.parse(source).body
    last = body.pop() if isinstance(body[-1], ast.Expr) else None
    exec(compile(ast.Module(body, []), place, "exec"), names)
    return eval(compile(ast.Expression(last.value), place, "eval"), names) if isinstance(last, ast.Expr) else None


@contextlib.contextmanager
def _environment(quick: bool) -> Iterator[None]:
    before = os.environ.get(QUICK)
    os.environ[QUICK] = "1" if quick else ""
    try:
        yield
    finally:
        if before is None:
            del os.environ[QUICK]
        else:
            os.environ[QUICK] = before


def write_notebook(path: Path, out: Path, folder: Path, *, quick: bool = False) -> None:
    """Runs a notebook and writes it with its outputs as a file for Jupyter."""
    v4: Any = nbformat.v4
    written = v4.new_notebook()
    written.metadata = {
        "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
        "language_info": {"name": "python"},
    }
    for count, done in enumerate(run_notebook(path, folder, quick=quick)):
        if done.cell.cell_type != "code":
            cell = v4.new_markdown_cell(done.cell.source)
        else:
            cell = v4.new_code_cell(done.cell.source)
            if done.printed:
                cell.outputs.append(v4.new_output("stream", name="stdout", text=done.printed))
            if done.value is not None:
                cell.outputs.append(v4.new_output("execute_result", data=_shown(done.value)))
        cell.id = f"cell-{count}"
        written.cells.append(cell)
    validator: Any = nbformat
    validator.validate(written)
    out.write_text(v4.writes(written), encoding="utf-8")


def _shown(value: Any) -> dict[str, Any]:
    """The value as Jupyter stores it: a picture if it has one, and text."""

    found: dict[str, Any] = {"text/plain": repr(value)}
    if isinstance(value, Figure):
        found["image/png"] = base64.b64encode(to_png(value)).decode()
    elif hasattr(value, "_repr_png_"):
        found["image/png"] = base64.b64encode(value._repr_png_()).decode()
    return found
