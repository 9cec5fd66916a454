"""Tables of digits: CSV in the style of Kaggle's "Digit Recognizer", one image a line."""

import csv
import gzip
import io
import re
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from digitscope.arrays import MAX_CLASSES
from digitscope.errors import DataError
from digitscope.files.opening import Stream, check_file, guess_file_type, is_text, open_plain_or_gzip

SIDE = 28  # pixels
MAX_LABEL = MAX_CLASSES - 1

_LABEL_NAMES = ("label", "class", "target", "digit", "y")
_COUNTER_NAMES = ("", "id", "imageid", "index", "unnamed: 0")
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
_LINE_LIMIT = 1 << 17  # characters of the first line: 785 columns need far fewer, and csv takes no more


@dataclass(frozen=True, eq=False)
class Table:
    """The images of a table and their labels.

    Shapes: images (N, 28, 28) uint8, 0 (paper) to 255 (ink); labels (N,) int64, None where the table has none
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64] | None


@dataclass(frozen=True)
class _Layout:
    """How a table is laid out: its columns' names (None without a header) and the index of the label column."""

    width: int
    names: list[str] | None
    label: int | None
    header_line: int  # counted from 1; 0 without a header
    zipped: bool


def read_table(path: Path) -> Table:
    """The images in a CSV file, plain or gzip: 784 pixel columns, row by row of the image, and maybe labels.

    The label column is the one named label, class, target, digit or y, wherever it stands; in a table of 785
    columns without such a name it is the first. A table of 784 columns without such a name has no labels. A first
    line of numbers is an image, not a header, unless they all differ (0, 1, ..., 783).

    Raises: DataError, naming the line (counted from 1, the header included) and the column, where the lines have
        different lengths, a pixel is not a whole number from 0 to 255 or a label not one from 0 to 65535; also
        where the file is missing, empty, no text, or has another number of pixel columns.
    """
    import pandas as pd

    check_file(path)
    layout = _read_layout(path)
    try:
        with warnings.catch_warnings():
            # A column of numbers and words, which is an error below.
            warnings.simplefilter("ignore", pd.errors.DtypeWarning)
            # Types are left to pandas: asked for small ones, its version 2 wraps numbers around silently.
            frame = pd.read_csv(
                path,
                header=None if layout.names is None else 0,
                compression="gzip" if layout.zipped else None,
            )
    except (ValueError, OverflowError, EOFError, OSError, zlib.error) as error:
        raise _find_fault(path, layout, error) from error
    # Where the lines are longer than the header, pandas takes their first cells for an index.
    indexed = not isinstance(frame.index, pd.RangeIndex)
    if indexed or frame.shape[1] != layout.width or not all(dtype.kind in "iuf" for dtype in frame.dtypes):
        raise _find_fault(path, layout)
    values = frame.to_numpy()
    highest = np.full(layout.width, 255)
    if layout.label is not None:
        highest[layout.label] = MAX_LABEL
    # Written so that NaN fails too: an empty cell, or the filling of a short line.
    right = (values.min(axis=0) >= 0).all() and (values.max(axis=0) <= highest).all()
    if not right or (values.dtype.kind == "f" and (values != np.trunc(values)).any()):
        raise _find_fault(path, layout)
    label = layout.width if layout.label is None else layout.label
    images = np.empty((len(values), SIDE * SIDE), dtype=np.uint8)
    images[:, :label] = values[:, :label]
    images[:, label:] = values[:, label + 1 :]
    labels = None if layout.label is None else values[:, label].astype(np.int64)
    return Table(images.reshape(-1, SIDE, SIDE), labels)


def _read_layout(path: Path) -> _Layout:
    """The layout of the table by its first line that is not blank."""
    with open_plain_or_gzip(path) as stream:
        zipped = isinstance(stream, gzip.GzipFile)
        head = stream.read(4096)
        if not is_text(head):
            raise DataError(f"{path} is not a CSV text file; this seems to be {guess_file_type(head)}.")
        stream.seek(0)
        lines = _decode(stream)
        number = 1
        while (line := lines.readline(_LINE_LIMIT)).isspace():
            number += 1
    cells = next(csv.reader([line]), [])
    if not cells:
        raise DataError(f"{path} has no lines. A header and {SIDE * SIDE} pixel columns are expected.")
    names = [cell.strip() for cell in cells] if _is_header(cells) else None
    label = _find_label(path, names, len(cells))
    pixels = len(cells) - (label is not None)
    if pixels != SIDE * SIDE:
        hint = "." if pixels > 1 or not re.search(r"[;\t]", line) else "; separate the columns by commas."
        raise DataError(
            f"{path} has {pixels} pixel column{'s' * (pixels != 1)}{' and a label column' * (label is not None)}; "
            f"{SIDE * SIDE} = {SIDE}x{SIDE} pixel columns are expected, and a label column where there are labels"
            f"{hint}"
        )
    return _Layout(len(cells), names, label, number if names else 0, zipped)


def _is_header(cells: list[str]) -> bool:
    """Whether the cells are names rather than an image, perhaps one with a fault.

    Names may be numbers too: 0, 1, ..., 783. But they differ, where most pixels of an image are alike.
    """
    numbers = sum(_NUMBER.fullmatch(cell) is not None for cell in cells)
    return 2 * numbers < len(cells) or (len(cells) > 255 and len(set(cells)) == len(cells))


def _find_label(path: Path, names: list[str] | None, width: int) -> int | None:
    """The index of the label column."""
    lower = [name.lower() for name in names or []]
    for name in _LABEL_NAMES:
        if name in lower:
            return lower.index(name)
    if width != SIDE * SIDE + 1:
        return None
    if names is not None and lower[0] in _COUNTER_NAMES:
        raise DataError(
            f"{path} has {width} columns, none named label, and the first, {names[0]!r}, seems to count the lines. "
            f"Name the label column label, or leave out the first column."
        )
    return 0


def _find_fault(path: Path, layout: _Layout, reason: Exception | None = None) -> DataError:
    """The error for the first cell or line that is at fault, found by reading the table again, slowly.

    `reason` is what pandas said; it is passed on where no cell and no line is at fault.
    """
    pixels = {str(value) for value in range(256)}
    images = 0
    end = 0  # of the last row: a row with a quote left open runs over many lines
    with open_plain_or_gzip(path) as stream:
        rows = csv.reader(_decode(stream))
        try:
            for row in rows:
                line, end = end + 1, rows.line_num
                if line <= layout.header_line or (len(row) < 2 and not "".join(row).strip()):
                    continue
                images += 1
                if len(row) != layout.width:
                    return DataError(
                        f"{path}, line {line}: {len(row)} column{'s' * (len(row) != 1)} came; "
                        f"{layout.width} are expected as in the first line."
                    )
                if pixels.issuperset(row):  # a quick look at most rows
                    continue
                for column, cell in enumerate(row):
                    if fault := _cell_fault(cell, column == layout.label):
                        name = f" ({layout.names[column]})" if layout.names else ""
                        return DataError(f"{path}, line {line}, column {column + 1}{name}: {fault}")
        except csv.Error as error:
            return DataError(f"{path}, line {end + 1}: not a line of CSV ({error}).")
    if not images:
        return DataError(f"{path} has a header but no images. One line for each image is expected.")
    return DataError(f"{path} cannot be read as CSV: {' '.join(str(reason).split())}.")


def _cell_fault(cell: str, is_label: bool) -> str:
    """What is wrong with the cell; empty where it is right."""
    what, highest = ("label", MAX_LABEL) if is_label else ("pixel", 255)
    expected = f"a {what} is a whole number from 0 to {highest}"
    if not cell.strip():
        return f"the {what} is missing; {expected}."
    if not _NUMBER.fullmatch(cell):
        return f"{cell[:40]!r} is not a number; {expected}."
    value = float(cell)
    if not 0 <= value <= highest or value != int(value):
        return f"{cell[:40]} came; {expected}."
    return ""


def _decode(stream: Stream) -> io.TextIOWrapper:
    """The stream as text. Bytes that are not UTF-8 become signs that are no digits; line ends are left to csv."""
    return io.TextIOWrapper(stream, encoding="utf-8-sig", errors="replace", newline="")
