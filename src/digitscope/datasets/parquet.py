"""Tables of images in Parquet: pictures in Hugging Face's layout, or a column for each pixel as pandas writes them."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from digitscope.arrays import MAX_CLASSES, Array, as_labels
from digitscope.datasets.folder import load_pictures
from digitscope.datasets.table import LABEL_NAMES, Layout, Shape, Table, TableRows, cell_fault, find_layout, is_right
from digitscope.errors import DataError, DigitscopeError
from digitscope.files.opening import LIMIT, check_file, shown_path, unpacked_limit

METADATA_KEY = b"huggingface"
"""The key of the schema's metadata under which `datasets` keeps the types of columns and the names of classes."""

OWN_METADATA = {b"digitscope": b"images"}
"""Metadata of a schema whose pictures are images already, because Digitscope wrote them."""

_BATCH = 1024  # rows
_LEAST_PIXELS = 64


def read_parquet(paths: Sequence[Path], shape: Shape | None = None) -> Table:
    """The images and labels in a Parquet file, or in several that are the shards of one table.

    - Hugging Face's layout: one column with PNG or JPEG files, as bytes or as a struct of bytes and path, and a label
      column, named as `find_layout` says. The pictures are used as `load_picture_folder` says, but as they are if
      Digitscope wrote them. The names of the classes are in the schema's metadata.
    - A column for each pixel, as `find_layout` and `TableRows` say.

    Rows are read in batches. Their number and size are checked before.

    Raises: DataError, naming the row (counted from 1) and the column, for what cannot be used; and if pyarrow is not
        installed.
    """
    pq = import_parquet(paths[0])
    files = []
    try:
        for path in paths:
            limit = unpacked_limit(check_file(path))
            file = pq.ParquetFile(path)
            files.append(file)
            _check_size(path, file.metadata, limit)
            if file.schema_arrow.names != files[0].schema_arrow.names:
                raise DataError(f"{path} and {paths[0]} have different columns; shards of one table are expected.")
        if not sum(file.metadata.num_rows for file in files):
            raise DataError(f"{paths[0]} has no rows. One row for each image is expected.")
        picture = _picture_column(files[0].schema_arrow)
        if picture is None:
            return _read_pixels(paths, files)
        return _read_pictures(paths, files, picture, shape)
    except DigitscopeError:
        raise
    # For damaged files pyarrow raises many kinds of errors: ArrowInvalid, OSError, KeyError, ...
    except Exception as error:
        if isinstance(error, MemoryError):
            raise DataError(f"{paths[0]} needs more memory than there is. Close other programs.") from error
        raise DataError(
            f"{paths[min(len(files), len(paths) - 1)]} cannot be read as Parquet: it is damaged or written in an "
            f"unusual way ({error}). Copy it again."
        ) from error
    finally:
        for file in files:
            file.close()


def import_parquet(path: Path | str) -> Any:
    """The module pyarrow.parquet, for this file. Raises: DataError if it is not installed."""
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise DataError(
            f"{shown_path(path)} is a Parquet file, which needs pyarrow: pip install 'digitscope[parquet]'."
        ) from error
    return pyarrow.parquet


def _check_size(path: Path, metadata: Any, limit: int) -> None:
    """Raises: DataError if the file announces more than is read."""
    if metadata.num_rows * _LEAST_PIXELS > LIMIT:
        raise DataError(f"{path} announces {metadata.num_rows:,} rows; {LIMIT // _LEAST_PIXELS:,} are read at most.")
    unpacked = sum(metadata.row_group(k).total_byte_size for k in range(metadata.num_row_groups))
    if unpacked > limit:
        raise DataError(f"{path} unfolds to {unpacked:,} bytes; {limit:,} are read at most of this file.")


def _picture_column(schema: Any) -> str | None:
    """The name of the first column with the bytes of files; None if there is none."""
    from pyarrow import types

    def is_bytes(kind: Any) -> bool:
        return bool(types.is_binary(kind) or types.is_large_binary(kind))

    for column in schema:
        kind = column.type
        if is_bytes(kind) or (
            types.is_struct(kind) and kind.get_field_index("bytes") >= 0 and is_bytes(kind.field("bytes").type)
        ):
            return str(column.name)
    return None


def _batches(paths: Sequence[Path], files: Sequence[Any], columns: Sequence[str]) -> Iterator[tuple[Path, int, Any]]:
    """The rows in batches, each with its file and the number of its first row."""
    for path, file in zip(paths, files, strict=True):
        row = 1
        for batch in file.iter_batches(_BATCH, columns=columns):
            yield path, row, batch
            row += len(batch)


def _read_pictures(paths: Sequence[Path], files: Sequence[Any], picture: str, shape: Shape | None) -> Table:
    schema = files[0].schema_arrow
    label = next((name for known in LABEL_NAMES for name in schema.names if name.lower() == known), None)
    labels: list[Array] = []

    def pictures() -> Iterator[tuple[bytes, str]]:
        for path, row, batch in _batches(paths, files, [picture] if label is None else [picture, label]):
            column = batch.column(picture)
            if hasattr(column, "field"):
                column = column.field("bytes")
            for k, content in enumerate(column):
                if not content.is_valid:
                    raise DataError(
                        f"{path}, row {row + k}, column {picture}: the bytes of a picture are expected; none came. "
                        "Write the table again with the pictures in it."
                    )
                yield content.as_py(), f"{shown_path(path)}, row {row + k}"
            if label is not None:
                found = batch.column(label).to_numpy(zero_copy_only=False)
                try:
                    labels.append(as_labels(found, len(batch)))
                except DigitscopeError as error:
                    raise DataError(f"{path}, column {label}, rows {row} to {row + len(batch) - 1}: {error}") from error

    images = load_pictures(pictures(), shape, are_images=OWN_METADATA.items() <= (schema.metadata or {}).items())
    if label is None:
        return Table(images, None)
    return Table(images, np.concatenate(labels), _class_names(schema.metadata, label))


def _class_names(metadata: Any, label: str) -> tuple[str, ...] | None:
    """The names of the classes, if the metadata have them and they are not only the labels."""
    try:
        names = json.loads((metadata or {})[METADATA_KEY])["info"]["features"][label]["names"]
    except (KeyError, TypeError, ValueError, RecursionError):
        return None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names) or len(names) > MAX_CLASSES:
        return None
    return None if names == [str(k) for k in range(len(names))] else tuple(names)


def _read_pixels(paths: Sequence[Path], files: Sequence[Any]) -> Table:
    from pyarrow import types

    schema = files[0].schema_arrow
    index = (schema.pandas_metadata or {}).get("index_columns", ())
    names = [name for name in schema.names if name not in index or name.lower() in LABEL_NAMES]
    for name in names:
        kind = schema.field(name).type
        if not (types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind)):
            raise DataError(
                f"{paths[0]}, column {name[:40]} holds {str(kind)[:80]}; pictures as bytes in one column, or a column "
                "of numbers for each pixel, are expected."
            )
    layout = find_layout(paths[0], names, len(names))
    rows = TableRows(paths[0], layout)
    for path, row, batch in _batches(paths, files, names):
        columns = [batch.column(name).to_numpy(zero_copy_only=False) for name in names]
        values = np.column_stack(columns) * 1  # truth values become numbers
        fault = rows.add(values) if is_right(layout, values) else _first_fault(layout, values)
        if fault:
            raise DataError(f"{path}, row {row + fault[0]}, {layout.place(fault[1])}: {fault[2]}")
    return rows.table()


def _first_fault(layout: Layout, values: Array) -> tuple[int, int, str]:
    """The row, the column and the fault of the first cell at fault."""
    return next(
        (row, column, fault)
        for row, cells in enumerate(values.tolist())
        for column, value in enumerate(cells)
        if (fault := cell_fault("" if value != value else f"{value:g}", value, layout.kind(column)))
    )
