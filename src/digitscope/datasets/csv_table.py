"""Tables of digits: CSV in the style of Kaggle's "Digit Recognizer", one image a line."""

import codecs
import csv
import io
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from digitscope.arrays import MAX_CLASSES, Array
from digitscope.errors import DataError
from digitscope.files.opening import (
    LIMIT,
    Stream,
    check_file,
    guess_file_type,
    open_plain_or_gzip,
    unpacked_limit,
)

SIDE = 28  # pixels
MAX_LABEL = MAX_CLASSES - 1

_LABEL_NAMES = ("label", "class", "target", "digit", "y")
_COUNTER_NAMES = ("", "id", "imageid", "index", "unnamed: 0")
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
_LINE_LIMIT = 1 << 17  # characters of a line: 785 columns need far fewer, and csv takes no more
_PIECE = 1 << 21  # bytes that are converted at a time
_PIXELS = frozenset(map(str, range(256)))
_HIGHEST = {"pixel": 255, "label": MAX_LABEL, "index": 2**53}

Part = tuple[NDArray[np.uint8], NDArray[np.int64]]
"""The pixels and labels of some lines."""


@dataclass(frozen=True, eq=False)
class Table:
    """The images of a table and their labels.

    Shapes: images (N, 28, 28) uint8, 0 (paper) to 255 (ink); labels (N,) int64, None where the table has none
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64] | None


@dataclass(frozen=True)
class _Layout:
    """How a table is laid out: its columns' names (None without a header), the index of the label column, and whether
    the first column is an index, which counts the lines."""

    width: int
    names: list[str] | None
    label: int | None
    indexed: bool

    def kind(self, column: int) -> str:
        """What the column holds: pixel, label or index."""
        return "index" if self.indexed and not column else "label" if column == self.label else "pixel"


def read_table(path: Path) -> Table:
    """The images in a CSV file, plain or gzip: 784 pixel columns, row by row of the image, and maybe labels.

    The label column is the one named label, class, target, digit or y, wherever it stands; in a table of 785
    columns without such a name it is the first. A table of 784 columns without such a name has no labels. A first
    line of numbers is an image, not a header, unless they all differ (0, 1, ..., 783). A first column that a header
    names id, index or not at all, as pandas does, is left out.

    Memory is bounded by the images: the text is read and converted piece by piece.

    Raises: DataError, naming the line (counted from 1, the header included) and the column, where the lines have
        different lengths, a pixel is not a whole number from 0 to 255 or a label not one from 0 to the highest of
        MAX_CLASSES; also where the file is missing, empty, no text, has another number of pixel columns, or unfolds
        to more than `opening.unpacked_limit`.
    """
    limit = unpacked_limit(check_file(path))
    with open_plain_or_gzip(path) as stream:
        _check_kind(path, stream)
        parts: list[Part] = []
        layout: _Layout | None = None
        images = 0
        for number, lines in _batches(path, stream, limit):
            if layout is None:
                filled = next((k for k, line in enumerate(lines) if line.strip()), None)
                if filled is None:
                    continue
                layout = _read_layout(path, lines[filled], number + filled)
                if layout.names is not None:
                    lines = [*[""] * (filled + 1), *lines[filled + 1 :]]
            numbered = [(number + k, line) for k, line in enumerate(lines) if line.strip()]
            if numbered:
                parts.append(_values(path, layout, numbered))
                images += len(numbered)
                if images * SIDE * SIDE > LIMIT:
                    raise DataError(f"{path} has over {images:,} images; {LIMIT:,} bytes of them are read at most.")
    if layout is None:
        raise DataError(f"{path} has no lines. A header and {SIDE * SIDE} pixel columns are expected.")
    if not images:
        raise DataError(f"{path} has a header but no images. One line for each image is expected.")
    return _as_table(layout, parts)


def _as_table(layout: _Layout, parts: list[Part]) -> Table:
    pixels = np.concatenate([pixels for pixels, _ in parts])
    labels = None if layout.label is None else np.concatenate([labels for _, labels in parts])
    return Table(pixels.reshape(-1, SIDE, SIDE), labels)


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
        if len(rest) > _LINE_LIMIT:
            raise _too_long(path, number + len(lines))
        yield number, lines
        number += len(lines)
    yield number, (rest + decoder.decode(b"", final=True)).split("\n")


def _too_long(path: Path, line: int) -> DataError:
    return DataError(
        f"{path}, line {line}: over {_LINE_LIMIT:,} characters came; {SIDE * SIDE} pixel columns, and a label column "
        "where there are labels, are expected."
    )


def _values(path: Path, layout: _Layout, numbered: list[tuple[int, str]]) -> Part:
    """Pixels (N, 784) and labels (N,) in these lines, which are not blank; no labels if the table has none."""
    values = _fast_values(layout, [line for _, line in numbered])
    if values is None:
        values = np.array([_slow_values(path, layout, number, line) for number, line in numbered])
    others = [column for column in range(layout.width) if layout.kind(column) != "pixel"]
    pixels = np.delete(values, others, axis=1).astype(np.uint8) if others else values.astype(np.uint8)
    return pixels, np.empty(0, np.int64) if layout.label is None else values[:, layout.label].astype(np.int64)


def _fast_values(layout: _Layout, lines: list[str]) -> Array | None:
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
    highest = [_HIGHEST[layout.kind(column)] for column in range(layout.width)]
    # Written so that NaN fails too: an empty cell, or the filling of a short line.
    right = (values.min(axis=0) >= 0).all() and (values.max(axis=0) <= highest).all()
    whole = values.dtype.kind != "f" or (values == np.trunc(values)).all()
    return values if right and whole else None


def _slow_values(path: Path, layout: _Layout, number: int, line: str) -> list[int]:
    """The whole numbers in a line.

    Raises: DataError that names the first cell at fault.
    """
    if len(line) > _LINE_LIMIT:
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
        if fault := _cell_fault(cell, layout.kind(column)):
            name = f" ({layout.names[column][:40]})" if layout.names else ""
            raise DataError(f"{path}, line {number}, column {column + 1}{name}: {fault}")
        values.append(int(float(cell)))
    return values


def _read_layout(path: Path, line: str, number: int) -> _Layout:
    """The layout of the table by its first line that is not blank."""
    if len(line) > _LINE_LIMIT:
        raise _too_long(path, number)
    cells = next(csv.reader([line]), [])
    names = [cell.strip() for cell in cells] if _is_header(cells) else None
    label = _find_label(names, len(cells))
    has_label = label is not None
    indexed = names is not None and names[0].lower() in _COUNTER_NAMES and len(cells) - has_label == SIDE * SIDE + 1
    pixels = len(cells) - has_label - indexed
    if pixels != SIDE * SIDE:
        hint = "."
        if pixels <= 1 and re.search(r"[;\t]", line):
            hint = "; separate the columns by commas."
        elif SIDE * SIDE < pixels <= SIDE * SIDE + 2:
            hint = ". Is the first column an index? Leave it out: frame.to_csv(path, index=False)."
        raise DataError(
            f"{path} has {pixels} pixel column{'s' * (pixels != 1)}{' and a label column' * has_label}; "
            f"{SIDE * SIDE} = {SIDE}x{SIDE} pixel columns are expected, and a label column where there are labels"
            f"{hint}"
        )
    return _Layout(len(cells), names, label, indexed)


def _is_header(cells: list[str]) -> bool:
    """Whether the cells are names rather than an image, perhaps one with a fault.

    Names may be numbers too: 0, 1, ..., 783. But they differ, where most pixels of an image are alike.
    """
    numbers = sum(_NUMBER.fullmatch(cell) is not None for cell in cells)
    return 2 * numbers < len(cells) or (len(cells) > 255 and len(set(cells)) == len(cells))


def _find_label(names: list[str] | None, width: int) -> int | None:
    """The index of the label column."""
    lower = [name.lower() for name in names or []]
    for name in _LABEL_NAMES:
        if name in lower:
            return lower.index(name)
    if width == SIDE * SIDE + 1 and not (names is not None and lower[0] in _COUNTER_NAMES):
        return 0
    return None


def _cell_fault(cell: str, kind: str) -> str:
    """What is wrong with the cell; empty where it is right."""
    highest = _HIGHEST[kind]
    expected = f"a {kind} is a whole number from 0 to {highest}" if kind != "index" else "an index counts from 0"
    if not cell.strip():
        return f"the {kind} is missing; {expected}."
    if not _NUMBER.fullmatch(cell):
        return f"{cell[:40]!r} is not a number; {expected}."
    value = float(cell)
    if not 0 <= value <= highest or value != int(value):
        return f"{cell[:40]} came; {expected}."
    return ""
