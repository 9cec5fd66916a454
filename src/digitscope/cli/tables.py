"""Tables that fit the terminal, and unused file names."""

import itertools
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

_GAP = 2


def print_table(console: "Console", rows: Sequence[Sequence[str]], *, left: Collection[int] = (0,)) -> None:
    """Prints the headings and rows in columns. If they do not fit the terminal, each row becomes a paragraph with its
    headings, so that nothing is cut.

    left: the columns that are aligned to the left
    """
    from rich.cells import cell_len

    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    if sum(widths) + _GAP * (len(widths) - 1) > console.width:
        for row in rows[1:]:
            console.print(row[0], style="bold", markup=False)
            for heading, cell in zip(rows[0][1:], row[1:], strict=True):
                if cell:
                    console.print(f"  {heading}: {cell}", markup=False)
        return
    for number, row in enumerate(rows):
        cells = []
        for column, (cell, width) in enumerate(zip(row, widths, strict=True)):
            space = " " * (width - cell_len(cell))
            cells.append(cell + space if column in left else space + cell)
        line = (" " * _GAP).join(cells).rstrip()
        console.print(line, style=None if number else "bold", markup=False, soft_wrap=True)


def free_name(stem: str, suffix: str) -> Path:
    """An unused name in the working folder: STEM.html, then STEM-2.html and so on."""
    from digitscope.files.opening import exists

    names = (Path(f"{stem}{f'-{n}' if n > 1 else ''}{suffix}") for n in itertools.count(1))
    return next(name for name in names if not exists(name))
