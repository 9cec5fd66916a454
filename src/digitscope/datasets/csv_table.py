"""Tables of images as text, one image a line: Kaggle's "Digit Recognizer", and what NumPy, pandas and R write."""

import codecs
import csv
import io
import re
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from digitscope.arrays import Array
from digitscope.datasets.table import Layout, Table, TableRows, cell_fault, find_layout, is_right
from digitscope.errors import DataError
from digitscope.files.opening import Stream, check_file, guess_file_type, open_plain_or_gzip, unpacked_limit

LINE_LIMIT = 1 << 17
"""Characters of a line: 785 columns need far fewer, and csv takes no more."""

_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
_PIECE = 1 << 21  # bytes that are converted at a time
_PIXELS = frozenset(map(str, range(256)))


def read_csv_table(path: Path) -> Table:
    """The images in a CSV file, plain or gzip: pixel columns, row by row of the image, and maybe labels.

    Columns are separated by commas, semicolons, tabs, bars or spaces; if not by commas, 0,5 is 0.5. A first line of
    numbers is an image, not a header, unless they all differ (0, 1, ..., 783). `find_layout` says which columns are
    expected, and `TableRows` which pixels.

    Memory is bounded by the images: the text is read and converted piece by piece.

    Raises: DataError, naming the line (counted from 1, the header included) and the column, where the lines have
        different lengths, a pixel is not a number from 0 to 255 or a label not a whole number from 0 to MAX_LABEL;
        also where the file is missing, empty, no text, has pixel columns that make no image, or unfolds to more than
        `opening.unpacked_limit`.
    """
    limit = unpacked_limit(check_file(path))
    with open_plain_or_gzip(path) as stream:
        _check_kind(path, stream)
        rows: TableRows | None = None
        layout: Layout | None = None
        separator = ","
        for number, lines in _batches(path, stream, limit):
            if layout is None or rows is None:
                filled = next((k for k, line in enumerate(lines) if line.strip()), None)
                if filled is None:
                    continue
                separator = _separator(lines[filled])
                layout = _read_layout(path, _with_commas(lines[filled], separator), number + filled)
                rows = TableRows(path, layout)
                if layout.names is not None:
                    lines = [*[""] * (filled + 1), *lines[filled + 1 :]]
            numbered = [(number + k, _with_commas(line, separator)) for k, line in enumerate(lines) if line.strip()]
            if numbered and (fault := rows.add(_values(path, layout, numbered))):
                row, column, text = fault
                raise DataError(f"{path}, line {numbered[row][0]}, {layout.place(column)}: {text}")
    if rows is None:
        raise DataError(f"{path} has no lines. A header and pixel columns are expected.")
    if not rows.count:
        raise DataError(f"{path} has a header but no images. One line for each image is expected.")
    return rows.table()


def _separator(line: str) -> str:
    """What separates the columns of a line. Beside a separator other than the comma, commas are decimal commas."""
    commas = line.count(",")
    rare = next((other for other in ";\t|" if other in line and 2 * line.count(other) >= commas), None)
    return rare or (" " if not commas and " " in line.strip() else ",")


def _with_commas(line: str, separator: str) -> str:
    """The line with commas as separators and points in its numbers."""
    if separator == ",":
        return line
    return ",".join(line.split()) if separator == " " else line.replace(",", ".").replace(separator, ",")


def _check_kind(path: Path, stream: Stream) -> None:
    """Leaves the stream at its start.

    Raises: DataError unless its first bytes may be a table.
    """
    kind = guess_file_type(stream.read(4096))
    if kind not in ("CSV text", "text"):
        raise DataError(f"{path} is not a CSV table; this seems to be {kind}.")
    stream.seek(0)


def _batches(path: Path, stream: Stream, limit: int) -> Iterator[tuple[int, list[str]]]:
    """The lines in pieces of some megabytes, with the number of the first line of each, counted from 1.

    Raises: DataError for a line that is too long to be an image, and if more than `limit` bytes come.
    """
    utf8 = codecs.getincrementaldecoder("utf-8-sig")(errors="replace")  # bytes that are not UTF-8 are not digits
    decoder = io.IncrementalNewlineDecoder(utf8, translate=True)
    number, rest, came = 1, "", 0
    while content := stream.read(_PIECE):
        came += len(content)
        if came > limit:
            raise DataError(
                f"{path} unfolds to more than {limit:,} bytes, {limit // path.stat().st_size} times its size. It is "
                "damaged, or not a table of images."
            )
        text = rest + decoder.decode(content)
        if not text.strip():  # millions of blank lines
            number, rest = number + text.count("\n"), ""
            continue
        *lines, rest = text.split("\n")
        if len(rest) > LINE_LIMIT:
            raise _too_long(path, number + len(lines))
        yield number, lines
        number += len(lines)
    yield number, (rest + decoder.decode(b"", final=True)).split("\n")


def _too_long(path: Path, line: int) -> DataError:
    return DataError(
        f"{path}, line {line}: over {LINE_LIMIT:,} characters came; one image, and a label where there are labels, is "
        "expected in a line."
    )


def _values(path: Path, layout: Layout, numbered: list[tuple[int, str]]) -> Array:
    """The numbers in these lines, which are not blank. (n, width)"""
    values = _fast_values(layout, [line for _, line in numbered])
    if values is None:
        values = np.array([_slow_values(path, layout, number, line) for number, line in numbered])
    return values


def _fast_values(layout: Layout, lines: list[str]) -> Array | None:
    """What `_slow_values` gives for all lines, if all is as expected; else None."""
    import pandas as pd

    if lines[0].count(",") != layout.width - 1:  # pandas counts the columns in the first line
        return None
    try:
        with warnings.catch_warnings():
            # A column of numbers and words, which is an error below.
            warnings.simplefilter("ignore", pd.errors.DtypeWarning)
            # Types are left to pandas: asked for small ones, its version 2 wraps numbers around silently.
            frame = pd.read_csv(io.StringIO("\n".join(lines)), header=None, skip_blank_lines=False)
    except (ValueError, OverflowError):
        return None
    if frame.shape != (len(lines), layout.width) or not all(dtype.kind in "iuf" for dtype in frame.dtypes):
        return None
    values: Array = frame.to_numpy()
    return values if is_right(layout, values) else None


def _slow_values(path: Path, layout: Layout, number: int, line: str) -> list[float]:
    """The numbers in a line.

    Raises: DataError that names the first cell at fault.
    """
    if len(line) > LINE_LIMIT:
        raise _too_long(path, number)
    try:
        cells = next(csv.reader([line], strict=True), [])
    except csv.Error as error:
        raise DataError(f"{path}, line {number}: not a line of CSV ({error}).") from error
    if len(cells) != layout.width:
        raise DataError(
            f"{path}, line {number}: {len(cells)} column{'s' * (len(cells) != 1)} came; "
            f"{layout.width} are expected as in the first line."
        )
    if _PIXELS.issuperset(cells):  # a quick look at most lines
        return list(map(int, cells))
    values = []
    for column, cell in enumerate(cells):
        value = float(cell) if _NUMBER.fullmatch(cell) else None
        if fault := cell_fault(cell, value, layout.kind(column)):
            raise DataError(f"{path}, line {number}, {layout.place(column)}: {fault}")
        values.append(value or 0.0)
    return values


def _read_layout(path: Path, line: str, number: int) -> Layout:
    """The layout of the table by its first line that is not blank."""
    if len(line) > LINE_LIMIT:
        raise _too_long(path, number)
    cells = next(csv.reader([line]), [])
    return find_layout(path, [cell.strip() for cell in cells] if _is_header(cells) else None, len(cells))


def _is_header(cells: list[str]) -> bool:
    """Whether the cells are names rather than an image, perhaps one with a fault.

    Names may be numbers too, as in 0, 1, ..., 783, label. But these count or differ, where most pixels of an image are
    alike.
    """
    numbers = [cell.strip() for cell in cells if _NUMBER.fullmatch(cell)]
    if 2 * len(numbers) < len(cells):
        return True
    if len(cells) > 255 and len(set(cells)) == len(cells):
        return True
    return len(numbers) >= len(cells) - 2 and numbers == [str(k) for k in range(len(numbers))]
