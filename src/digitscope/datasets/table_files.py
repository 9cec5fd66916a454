"""Tables of images by their files: one CSV or Parquet file, or those of a data set in a folder.

train.csv, test.csv                                    as Kaggle names them; also fashion-mnist_train.csv
train-00000-of-00001.parquet, test-00000-of-00001...   as Hugging Face does, in shards
"""

import re
from collections.abc import Sequence
from pathlib import Path

from digitscope.datasets.csv_table import read_csv_table
from digitscope.datasets.data_set import DataSet
from digitscope.datasets.emnist import as_mnist
from digitscope.datasets.parquet import read_parquet
from digitscope.datasets.table import LEAST_SIDE, Shape, Table
from digitscope.errors import DataError
from digitscope.files.opening import PARQUET_MAGIC, check_file, is_text, open_plain_or_gzip, shown_path

_NAME = re.compile(
    r"(?:(?P<set>.*)[-_.])?(?P<part>train|test|validation)(?:-\d+-of-\d+)?\.(?P<kind>csv|tsv|parquet)(?:\.gz)?",
    re.IGNORECASE,
)

_FIRST_LINE = 1 << 16
"""Bytes by which a table is recognized."""

TableSet = dict[str, list[Path]]
"""The files of each part of a data set: train, test or validation."""


def is_table(path: Path) -> bool:
    """Whether it is a Parquet file, or one of text whose first line has as many cells as the smallest image.

    Raises: DataError if it is a file that cannot be read.
    """
    try:
        if not path.is_file():
            return False
    except OSError:  # The name is too long, or a folder on the way cannot be searched.
        return False
    with open_plain_or_gzip(path) as stream:
        head = stream.read(_FIRST_LINE)
    line = head.partition(b"\n")[0]
    return head.startswith(PARQUET_MAGIC) or (
        is_text(line) and len(re.findall(rb"[,;\t| ]", line)) >= LEAST_SIDE**2 - 1
    )


def read_table(path: Path, shape: Shape | None = None) -> Table:
    """The images in a CSV or Parquet file, and their labels where it has some.

    `shape` is the height and width that a model reads, if that is known: pictures in a Parquet file are prepared to it.

    Raises: DataError as `read_csv_table` and `read_parquet`.
    """
    return _read_parts([path], shape)


def read_fitting_table(path: Path, shape: Shape) -> Table:
    """A table of images of this height and width, which a model reads.

    Raises: DataError if they have another size, or as `read_table`.
    """
    table = read_table(path, shape)
    read, found = (f"{height}x{width}" for height, width in (shape, table.images.shape[1:]))
    if read != found:
        raise DataError(
            f"{shown_path(path)} has images of {found} pixels; the model reads {read}. Name a model that was trained "
            f"on images of {found}."
        )
    return table


def load_table(path: Path, shape: Shape | None) -> DataSet:
    """A table as a training part. Raises: DataError if it has no labels, or as `read_table`."""
    table = read_table(path, shape)
    data = _with_labels(path, table)
    return data if table.has_header else as_mnist(path.name, data)


def find_table_sets(folder: Path, kinds: Sequence[str]) -> dict[str, TableSet]:
    """The data sets of tables in the folder that have a training part, by their names and kinds of files."""
    found: dict[str, TableSet] = {}
    for path in sorted(folder.iterdir()):
        match = _NAME.fullmatch(path.name)
        if match and match["kind"].lower() in kinds and path.is_file():
            key = f"{match['set'] or ''}.{match['kind'].lower()}"
            found.setdefault(key, {}).setdefault(match["part"].lower(), []).append(path)
    return {key: parts for key, parts in found.items() if "train" in parts}


def load_table_set(folder: Path, sets: dict[str, TableSet], shape: Shape | None) -> DataSet:
    """The data set of a folder's tables. The validation part is the test part where there is no other with labels.

    Raises: DataError if there are several, or as `read_table`.
    """
    if len(sets) > 1:
        firsts = [parts["train"][0] for parts in sets.values()]
        names = ", ".join(path.name for path in firsts[:5])
        raise DataError(f"{folder} holds {len(sets)} data sets of tables: {names}. Give one of these files.")
    (parts,) = sets.values()
    first = parts["train"][0]
    train = _read_parts(parts["train"], shape)
    data = _with_labels(first, train, name=folder.resolve().name)
    for part in ("test", "validation"):
        if part in parts:
            table = _read_parts(parts[part], shape)
            if table.labels is not None:
                data = DataSet(data.name, data.x_train, data.y_train, table.images, table.labels, data.class_names)
                break
    return data if train.has_header else as_mnist(first.name, data)


def _read_parts(paths: Sequence[Path], shape: Shape | None) -> Table:
    """The table in a file or in shards."""
    check_file(paths[0])
    with open_plain_or_gzip(paths[0]) as stream:
        is_parquet = stream.read(4) == PARQUET_MAGIC
    if is_parquet:
        return read_parquet(paths, shape)
    if len(paths) > 1:
        raise DataError(f"{paths[0]} and {paths[1].name} are one part in two files; one is expected. Give one of them.")
    return read_csv_table(paths[0])


def _with_labels(path: Path, table: Table, name: str | None = None) -> DataSet:
    if table.labels is None:
        raise DataError(
            f"{path} has no label column: it is a test file, for `digitscope submit`. A label column is expected."
        )
    return DataSet(name or path.name, table.images, table.labels, class_names=table.class_names)
