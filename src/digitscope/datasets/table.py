"""Tables of images, whatever their file: which columns are pixels, labels or an index, and which number is full ink."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from digitscope.arrays import MAX_CLASSES, Array
from digitscope.errors import DataError
from digitscope.files.opening import LIMIT

MAX_LABEL = MAX_CLASSES - 1
LEAST_SIDE = 8
"""The side of the smallest square images that are found without names of rows and columns; as scikit-learn's digits."""

LABEL_NAMES = ("label", "labels", "class", "target", "digit", "y")
_COUNTER_NAMES = ("", "id", "imageid", "index", "unnamed: 0")
_ROW_AND_COLUMN = re.compile(r"\D*(\d+)\D+(\d+)", re.ASCII)
_HIGHEST = {"pixel": 255, "label": MAX_LABEL, "index": 2**53}
_FEW = 10
"""Lines from which on it is odd that a column, taken for labels, has only one value."""

Shape = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Table:
    """The images of a table and their labels.

    Shapes: images (N, H, W) uint8, 0 (paper) to 255 (ink); labels (N,) int64, None where the table has none
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64] | None
    class_names: tuple[str, ...] | None = None
    """The name of each label, if the file names its classes other than by their labels."""
    has_header: bool = True
    """Whether the columns have names."""


@dataclass(frozen=True)
class Layout:
    """How a table is laid out: its columns' names (None without a header), the index of the label column, whether the
    first column is an index, which counts the lines, and the height and width of the images."""

    width: int
    names: Sequence[str] | None
    label: int | None
    indexed: bool
    shape: Shape

    def kind(self, column: int) -> str:
        """What the column holds: pixel, label or index."""
        return "index" if self.indexed and not column else "label" if column == self.label else "pixel"

    @property
    def pixels(self) -> list[int]:
        """The indices of the pixel columns."""
        return [column for column in range(self.width) if self.kind(column) == "pixel"]

    @property
    def highest(self) -> list[int]:
        """The highest number that each column may hold."""
        return [_HIGHEST[self.kind(column)] for column in range(self.width)]

    def place(self, column: int) -> str:
        """The column as errors name it."""
        return f"column {column + 1}{f' ({self.names[column][:40]})' if self.names else ''}"


def find_layout(path: Path, names: Sequence[str] | None, width: int) -> Layout:
    """The layout of a table with these columns.

    The label column is the one named label, labels, class, target, digit or y, wherever it stands. Without such a name
    it is the first, if all columns but one make a square image. A first column that is named id, index or not at all,
    as pandas does, is left out. Images are square, of LEAST_SIDE pixels or more a side, or of the height and width by
    which the pixel columns are named: 1x1 to 28x20, pixel_0_0 to pixel_7_7.

    Raises: DataError if the pixel columns make no image.
    """
    lower = [name.strip().lower() for name in names or []]
    label = next((lower.index(name) for name in LABEL_NAMES if name in lower), None)
    indexed = bool(lower) and label != 0 and lower[0] in _COUNTER_NAMES
    pixels = width - (label is not None) - indexed
    named = [name for column, name in enumerate(lower) if column != label and not (indexed and not column)]
    shape = _shape(named, pixels)
    if shape is None and label is None and not indexed and (shape := _shape(named[1:], pixels - 1)):
        label = 0
    if shape is None:
        hint = "."
        if 28 * 28 < pixels <= 28 * 28 + 2:
            hint = ". Is the first column an index? Leave it out: frame.to_csv(path, index=False)."
        raise DataError(
            f"{path} has {pixels} pixel column{'s' * (pixels != 1)}{' and a label column' * (label is not None)}; "
            "784 = 28x28 or another square are expected, and a label column where there are labels. Name the columns "
            f"by row and column, such as 1x1 to 28x20, if the images are not square{hint}"
        )
    return Layout(width, names, label, indexed, shape)


def _shape(names: Sequence[str], pixels: int) -> Shape | None:
    """The height and width of images of so many pixels; None if these are unknown."""
    if names and (first := _ROW_AND_COLUMN.fullmatch(names[0])) and (last := _ROW_AND_COLUMN.fullmatch(names[-1])):
        height, width = (int(last[k]) - int(first[k]) + 1 for k in (1, 2))
        if height > 0 and height * width == pixels:
            return height, width
    side = math.isqrt(max(pixels, 0))
    return (side, side) if side >= LEAST_SIDE and side * side == pixels else None


def cell_fault(cell: str, value: float | None, kind: str) -> str:
    """What is wrong with a cell of that kind and value (None if it is not a number); empty where it is right."""
    highest = _HIGHEST[kind]
    expected = "an index counts from 0" if kind == "index" else f"a {kind} is a whole number from 0 to {highest}"
    if not cell.strip():
        return f"the {kind} is missing; {expected}."
    if value is None:
        return f"{cell[:40]!r} is not a number; {expected}."
    if not 0 <= value <= highest or (kind != "pixel" and value != int(value)):
        return f"{cell[:40]} came; {expected}."
    return ""


def is_right(layout: Layout, values: Array) -> bool:
    """Whether `cell_fault` finds nothing wrong in numbers, (n, width)."""
    others = values[:, [column for column in range(layout.width) if layout.kind(column) != "pixel"]]
    # Written so that NaN fails too: an empty cell, or the filling of a short line.
    right = (values.min(axis=0) >= 0).all() and (values.max(axis=0) <= layout.highest).all()
    return bool(right and (others == np.trunc(others)).all())


class TableRows:
    """The rows of a table as they come, piece by piece: a large table is in memory once, as bytes.

    Full ink is 255, or 1 if no number is larger: fractions, and masks of 0 and 1. In images of 8x8 pixels whose highest
    number is 16 it is 16, as in the digits of scikit-learn and UCI.
    """

    def __init__(self, path: Path, layout: Layout) -> None:
        self.count = 0
        self._path, self._layout = path, layout
        self._columns = layout.pixels
        self._pieces: list[tuple[NDArray[np.uint8], bool]] = []  # pixels, and whether none was over 1
        self._labels: list[NDArray[np.int64]] = []
        self._full: int | None = None
        self._highest = 0.0

    def add(self, values: Array) -> tuple[int, int, str] | None:
        """Takes rows of numbers, (n, width), in which `cell_fault` finds nothing wrong.

        Returns None, or the row, the column and the fault of a pixel that does not fit the pixels before it.
        Raises: DataError if there are too many images.
        """
        pixels = values[:, self._columns] if len(self._columns) < self._layout.width else values
        highest = float(pixels.max())
        unit = highest <= 1
        fractions = pixels != np.trunc(pixels) if pixels.dtype.kind == "f" else np.zeros((1, 1), bool)
        broken = bool(fractions.any())
        if not unit and self._full == 1:
            return self._fault(pixels, pixels > 1, "a pixel is from 0 to 1 in a table with fractions")
        if broken and (not unit or self._full == 255):
            return self._fault(
                pixels, fractions, "a pixel is a whole number from 0 to 255 in a table with pixels over 1"
            )
        self._full = 1 if broken else self._full if unit else 255
        self._highest = max(self._highest, highest)
        self._pieces.append(((np.rint(pixels * 255.0) if unit else pixels).astype(np.uint8), unit))
        if self._layout.label is not None:
            self._labels.append(values[:, self._layout.label].astype(np.int64))
        self.count += len(values)
        if self.count * len(self._columns) > LIMIT:
            raise DataError(f"{self._path} has over {self.count:,} images; {LIMIT:,} bytes of them are read at most.")
        return None

    def _fault(self, pixels: Array, wrong: Array, expected: str) -> tuple[int, int, str]:
        row, column = np.argwhere(wrong)[0]
        return int(row), self._columns[column], f"{pixels[row, column]:g} came; {expected}."

    def table(self) -> Table:
        """All rows, at least one. The pieces are used up.

        Raises: DataError if the column that was taken for the labels is hardly that.
        """
        pixels = np.empty((self.count, len(self._columns)), np.uint8)
        filled = 0
        self._pieces.reverse()
        while self._pieces:
            piece, unit = self._pieces.pop()
            pixels[filled : filled + len(piece)] = piece // 255 if unit and self._full == 255 else piece
            filled += len(piece)
        images = pixels.reshape(-1, *self._layout.shape)
        if self._layout.shape == (8, 8) and self._highest == 16:
            images = np.rint(images * (255 / 16)).astype(np.uint8)
        labels = self._joined_labels(pixels) if self._labels else None
        return Table(images, labels, has_header=self._layout.names is not None)

    def _joined_labels(self, pixels: Array) -> NDArray[np.int64]:
        labels = np.concatenate(self._labels)
        constant = (labels == labels[0]).all() and not (pixels[:, -1] == pixels[0, -1]).all()
        if self._layout.names is None and constant and len(labels) >= _FEW:
            raise DataError(
                f"{self._path} has no header, and its first column, which then is the label, is {labels[0]} in all "
                "lines. Is the last one the label? Name the columns in a first line, that one label."
            )
        return labels
