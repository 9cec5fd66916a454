"""Labelled images as files that other programs read, and that `load_data` reads back."""

import gzip
import io
import json
import struct
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from digitscope.arrays import Array
from digitscope.datasets.csv_table import LINE_LIMIT
from digitscope.datasets.data_set import DataSet
from digitscope.datasets.parquet import METADATA_KEY, OWN_METADATA, import_parquet
from digitscope.datasets.table import LEAST_SIDE
from digitscope.errors import DataError
from digitscope.files.atomic import make_folder_atomic, open_atomic
from digitscope.files.opening import shown_path

Part = tuple[NDArray[np.uint8], NDArray[np.int64]]
"""Images (N, H, W) and labels (N,)."""
Parts = dict[str, Part]
"""The parts of a data set by their names: train, and maybe test."""

FILE_ENDINGS = (".csv", ".csv.gz", ".npz", ".parquet")
"""The files that `write_data` writes."""
FOLDER_FORMATS = ("csv", "idx", "parquet", "png")
"""The formats of which it writes a folder."""

_DATE = (1980, 1, 1, 0, 0, 0)
"""The date of all files in an archive, so that equal images give equal bytes."""
_ROWS = 250
"""Images that are written at a time, and the rows of a group in a Parquet file."""
_NUMBERS = tuple(map(str, range(256)))


def check_output(path: Path, folder_format: str | None) -> str:
    """What `write_data` writes there: one of FILE_ENDINGS, or of FOLDER_FORMATS if a folder's format is given.

    Raises: DataError if neither the path's ending nor the format says what to write, or if they disagree.
    """
    ending = next((ending for ending in FILE_ENDINGS if path.name.lower().endswith(ending)), None)
    if ending is None and folder_format is None:
        raise DataError(
            f"{shown_path(path)} is expected to end in {', '.join(FILE_ENDINGS[:-1])} or {FILE_ENDINGS[-1]}, or to be "
            f"a folder with a format: {', '.join(FOLDER_FORMATS)}."
        )
    if ending is not None and folder_format is not None:
        raise DataError(
            f"{shown_path(path)} ends like a file, and {folder_format} is the format of a folder. Leave the format "
            "out, or give a name without the ending."
        )
    return ending or str(folder_format)


def write_data(data: DataSet, path: Path, folder_format: str | None = None) -> None:
    """Writes a data set to a file, whose ending says which, or to a new folder with files of that format.

    `load_data` reads the same images and labels back. Only pictures in a folder come in another order; those over
    `folder.LARGEST_THUMBNAIL` pixels a side are prepared like photos, and those on light paper inverted. Parquet keeps
    the names of classes. Equal data give equal bytes.

    Images are written piece by piece, so that they are in memory once.

    Raises: DataError as `check_output`, if a file cannot hold both parts of the data or images of this size, and if
        pyarrow is missing; DigitscopeError if the file or folder cannot be written. Then nothing is left.
    """
    kind = check_output(path, folder_format)
    height, width = data.x_train.shape[1:]
    if "csv" in kind and len(_csv_header(height, width)) > LINE_LIMIT:  # a row is shorter
        raise DataError(
            f"{data.name} has images of {height}x{width} pixels, too many for a line of a CSV file. Choose "
            "another format."
        )
    if "parquet" in kind:
        import_parquet(path)
    parts: Parts = {"train": (data.x_train, data.y_train)}
    if data.x_test is not None and data.y_test is not None:
        parts["test"] = (data.x_test, data.y_test)
    if kind in FOLDER_FORMATS:
        with make_folder_atomic(path) as folder:
            _fill_folder(folder, kind, parts, data)
        return
    if len(parts) > 1 and kind != ".npz":
        raise DataError(
            f"{data.name} has a training and a test part, and {shown_path(path)} can hold one. Give the name of a "
            f"folder, and the format {kind.split('.')[1]}: it will hold a file for each part."
        )
    with open_atomic(path) as file:
        if kind == ".npz":
            _write_npz(file, parts)
        else:
            _write_table(file, kind, parts["train"], data)


def _fill_folder(folder: Path, folder_format: str, parts: Parts, data: DataSet) -> None:
    for part, (images, labels) in parts.items():
        if folder_format == "idx":
            for name, pieces in _idx_files(part, images, labels).items():
                with (folder / name).open("xb") as file:
                    file.writelines(pieces)
        elif folder_format == "png":
            for name, content in _png_files(images, labels):
                path = (folder / part if len(parts) > 1 else folder) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
        else:
            shard = "-00000-of-00001" if folder_format == "parquet" else ""  # Hugging Face's names
            with (folder / f"{part}{shard}.{folder_format}").open("xb") as file:
                _write_table(file, f".{folder_format}", (images, labels), data)


def _write_table(file: BinaryIO, kind: str, part: Part, data: DataSet) -> None:
    """Writes one part as a file of this kind: .csv, .csv.gz or .parquet."""
    if kind == ".csv":
        file.writelines(_csv_pieces(*part))
    elif kind == ".csv.gz":
        with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as zipped:
            zipped.writelines(_csv_pieces(*part))
    else:
        given = data.class_names or ()
        _write_parquet(file, *part, [*given, *map(str, range(len(given), data.classes))])


def csv_bytes(images: NDArray[np.uint8], labels: NDArray[np.int64]) -> bytes:
    """A CSV file in the layout of Kaggle's train.csv: label, pixel0, pixel1, ... Images that are not square have
    columns named by row and column: 1x1, 1x2, ...

    Shapes: uint8 (N, H, W), labels (N,)
    """
    return b"".join(_csv_pieces(images, labels))


def _csv_pieces(images: NDArray[np.uint8], labels: NDArray[np.int64]) -> Iterator[bytes]:
    height, width = images.shape[1:]
    yield _csv_header(height, width)
    for start in range(0, len(images), _ROWS):
        rows = images[start : start + _ROWS].reshape(-1, height * width).tolist()
        yield "".join(
            f"{label},{','.join(map(_NUMBERS.__getitem__, row))}\n"
            for label, row in zip(labels[start : start + _ROWS].tolist(), rows, strict=True)
        ).encode()


def _csv_header(height: int, width: int) -> bytes:
    if height == width >= LEAST_SIDE:
        names = [f"pixel{k}" for k in range(height * width)]
    else:
        names = [f"{row}x{column}" for row in range(1, height + 1) for column in range(1, width + 1)]
    return (",".join(["label", *names]) + "\n").encode()


def idx_zip(images: NDArray[np.uint8], labels: NDArray[np.int64]) -> bytes:
    """A ZIP archive with the two IDX files of a training part, in MNIST's layout.

    Shapes: uint8 (N, H, W), labels (N,)
    """
    return _archive((name, b"".join(pieces)) for name, pieces in _idx_files("train", images, labels).items())


def _idx_files(part: str, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> dict[str, Iterator[bytes]]:
    """The files of a part, train or test, by name. Labels over 255 are int32 instead of uint8."""
    prefix = {"train": "train", "test": "t10k"}[part]
    if labels.max() <= 255:
        return {
            f"{prefix}-images-idx3-ubyte": _idx_pieces(images, 0x08),
            f"{prefix}-labels-idx1-ubyte": _idx_pieces(labels.astype(np.uint8), 0x08),
        }
    return {
        f"{prefix}-images-idx3-ubyte": _idx_pieces(images, 0x08),
        f"{prefix}-labels-idx1-int": _idx_pieces(labels.astype(">i4"), 0x0C),
    }


def _idx_pieces(array: Array, code: int) -> Iterator[bytes]:
    yield struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape)
    for start in range(0, len(array), _ROWS):
        yield array[start : start + _ROWS].tobytes()


def png_zip(images: NDArray[np.uint8], labels: NDArray[np.int64]) -> bytes:
    """A ZIP archive of PNG pictures, light ink on black as in MNIST, in one folder for each label.

    Shapes: uint8 (N, H, W), labels (N,)
    """
    return _archive(_png_files(images, labels))


def _png_files(images: NDArray[np.uint8], labels: NDArray[np.int64]) -> Iterator[tuple[str, bytes]]:
    for number, (image, label) in enumerate(zip(images, labels.tolist(), strict=True), 1):
        yield f"{label}/{number:05d}.png", _png(image)


def _png(image: NDArray[np.uint8]) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def _archive(files: Iterable[tuple[str, bytes]]) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as target:
        for name, content in files:
            target.writestr(zipfile.ZipInfo(name, _DATE), content, zipfile.ZIP_DEFLATED)
    return archive.getvalue()


def _write_npz(file: BinaryIO, parts: Parts) -> None:
    """An archive in the layout of Keras, labels as uint8 unless they are larger."""
    with zipfile.ZipFile(file, "w") as archive:
        for part, (images, labels) in parts.items():
            small = labels.astype(np.uint8) if labels.max() <= 255 else labels
            for name, array in ((f"x_{part}", images), (f"y_{part}", small)):
                info = zipfile.ZipInfo(f"{name}.npy", _DATE)
                info.compress_type = zipfile.ZIP_DEFLATED
                with archive.open(info, "w", force_zip64=True) as member:
                    npy.write_array(member, array, allow_pickle=False)


def _write_parquet(
    file: BinaryIO, images: NDArray[np.uint8], labels: NDArray[np.int64], class_names: Sequence[str]
) -> None:
    """A table in Hugging Face's layout, with the metadata from which `datasets` restores pictures and classes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    picture = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    features = {"image": {"_type": "Image"}, "label": {"names": list(class_names), "_type": "ClassLabel"}}
    metadata = {METADATA_KEY: json.dumps({"info": {"features": features}}), **OWN_METADATA}
    schema = pa.schema({"image": picture, "label": pa.int64()}, metadata)
    with pq.ParquetWriter(file, schema) as writer:
        for start in range(0, len(images), _ROWS):
            pictures = [{"bytes": _png(image), "path": None} for image in images[start : start + _ROWS]]
            columns = [pa.array(pictures, picture), pa.array(labels[start : start + _ROWS])]
            writer.write_batch(pa.record_batch(columns, schema=schema))
