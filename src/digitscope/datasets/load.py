"""Loads any supported data set: a name or a path in, a checked `DataSet` out."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from digitscope.arguments import check_kind
from digitscope.arrays import as_images, as_labels
from digitscope.datasets.data_set import DataSet
from digitscope.datasets.folder import has_subfolders, load_picture_folder, unwrapped
from digitscope.datasets.idx import is_idx
from digitscope.datasets.idx_set import (
    EXPECTED_FILES,
    find_idx_folders,
    find_idx_sets,
    load_idx_file,
    load_only_idx_set,
)
from digitscope.datasets.mnist import load_mnist
from digitscope.datasets.npz import read_npz
from digitscope.datasets.table_files import TableSet, find_table_sets, load_table, load_table_set
from digitscope.errors import DataError
from digitscope.files.opening import open_plain_or_gzip, unreadable

_POSSIBLE = (
    "A source is mnist, sklearn-digits, a CSV or Parquet file, a folder of IDX files, a folder of pictures with one "
    "subfolder for each class, or an .npz file with x_train, y_train, x_test, y_test."
)
SCIKIT_LEARN_DIGITS = "sklearn-digits"


def load_data(source: str | os.PathLike[str], shape: tuple[int, int] | None = None) -> DataSet:
    """The data set that a name or a path stands for.

    - mnist: the digits that come with the package (./mnist is a path of that name)
    - sklearn-digits: the 1,797 digits of 8x8 pixels that come with scikit-learn, which has to be installed
    - a CSV or Parquet file with labels, as `read_table` takes it: a training part only; or a folder of such files, with
      train and test in their names. One for testing without labels, as Kaggle gives it, is left out.
    - a folder of IDX files, raw or .gz (the raw one where both are there): a training part, maybe a test part; or a
      folder around it, such as the root that torchvision downloads to; or one of the files, which stands for all whose
      names begin alike
    - a folder of pictures with one subfolder for each class, maybe split in train and test: see `load_picture_folder`;
      or a folder that holds nothing else
    - an .npz file in the layout of Keras, with images and labels as `DataSet` takes them: see `read_npz`

    Files of EMNIST's names hold images whose rows and columns are swapped; they are turned upright.

    `shape` is the height and width that a model reads, if that is known: pictures are prepared to it.

    A path may start with ~. What a file holds decides, not its name.

    Raises: DataError if there is no such source or it cannot be used.
    """
    check_kind("source", source, "a path or mnist", str, os.PathLike)
    source = os.fspath(source)
    if source == "mnist":
        (x_train, y_train), (x_test, y_test) = load_mnist()
        return DataSet("mnist", x_train, y_train.astype(np.int64), x_test, y_test.astype(np.int64))
    if source == SCIKIT_LEARN_DIGITS:
        return _load_scikit_learn_digits()
    try:
        path = Path(source).expanduser()
        is_folder, is_there = path.is_dir(), source != "" and path.exists()
    except PermissionError as error:
        raise unreadable(source, error) from error
    except (OSError, RuntimeError):  # a name too long; ~ without a home
        is_there = False
    if not is_there:
        raise DataError(f"{source!r} is neither a known source nor a file or folder. {_POSSIBLE}")
    if is_folder:
        try:
            return _load_folder(path, shape)
        except OSError as error:
            raise unreadable(source, error) from error
    if not path.is_file():
        raise DataError(f"{source!r} is not a regular file. {_POSSIBLE}")
    with open_plain_or_gzip(path) as stream:
        magic = stream.read(4)
    if is_idx(magic):
        return load_idx_file(path)
    if magic[:2] == b"PK":
        return _load_npz(path)
    return load_table(path, shape)


LabelledImages = npt.ArrayLike | str | os.PathLike[str] | DataSet
"""What `as_data_set` takes: images, which need labels beside them, or a data set, or its name or path."""


def as_data_set(
    x: LabelledImages,
    y: npt.ArrayLike | None = None,
    *,
    shape: tuple[int, int] | None = None,
    classes: int | None = None,
) -> DataSet:
    """A DataSet as it is, what `load_data` takes as it loads it, and images x with labels y as their training part.

    `shape` and `classes` are the height and width of the images and the number of classes, if they are known.

    Raises: ShapeError or DataError if there are labels beside a data set, or no labels beside images; and as
        `load_data`, `as_images` and `as_labels`.
    """
    if isinstance(x, DataSet | str | os.PathLike):
        if y is not None:
            raise DataError("Labels are expected beside images only; a data set has its own. Leave them out.")
        return x if isinstance(x, DataSet) else load_data(x, shape)
    if y is None:
        raise DataError("Labels are expected beside images, or a data set, or its name or path; got images alone.")
    images = as_images(x, shape)
    return DataSet("arrays", images, as_labels(y, len(images), classes))


def _load_folder(folder: Path, shape: tuple[int, int] | None) -> DataSet:
    if sets := find_idx_sets(folder):
        return load_only_idx_set(folder, sets)
    if inner := find_idx_folders(folder):
        if len(inner) > 1:
            names = ", ".join(str(path.relative_to(folder)) for path in inner[:5])
            raise DataError(f"{folder} holds {len(inner)} folders of IDX files: {names}. Give one of them.")
        return replace(_load_folder(inner[0], shape), name=folder.resolve().name)
    if tables := _parquet_sets(folder):
        return load_table_set(folder, tables, shape)
    if has_subfolders(folder):
        return load_picture_folder(unwrapped(folder), shape)
    if tables := find_table_sets(folder, ("csv", "tsv")):
        return load_table_set(folder, tables, shape)
    raise DataError(
        f"{folder} holds no IDX files of the usual names. Expected are {EXPECTED_FILES}, or a table named train "
        "(.csv or .parquet), or subfolders, one for each class, with pictures."
    )


def _parquet_sets(folder: Path) -> dict[str, TableSet]:
    """The Parquet files in the folder, or in the folders inside it, as in a copy of a repository of Hugging Face."""
    if found := find_table_sets(folder, ("parquet",)):
        return found
    inner = (path for path in sorted(folder.iterdir()) if path.is_dir() and not path.name.startswith("."))
    return {f"{path.name}/{key}": parts for path in inner for key, parts in find_table_sets(path, ("parquet",)).items()}


def _load_npz(path: Path) -> DataSet:
    arrays = read_npz(path)
    return DataSet(path.name, arrays["x_train"], arrays["y_train"], arrays.get("x_test"), arrays.get("y_test"))


def _load_scikit_learn_digits() -> DataSet:
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise DataError(f"{SCIKIT_LEARN_DIGITS} needs scikit-learn: pip install 'digitscope[sklearn]'.") from error
    found = load_digits()
    return DataSet(SCIKIT_LEARN_DIGITS, found.images / 16, found.target)
