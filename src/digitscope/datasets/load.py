"""One door to all data sets: a name or a path in, a checked `DataSet` out."""

import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from digitscope.datasets.csv_table import MAX_LABEL, read_table
from digitscope.datasets.idx import read_images, read_labels
from digitscope.datasets.mnist import load_mnist
from digitscope.datasets.npz import read_npz
from digitscope.errors import DataError
from digitscope.files.opening import open_plain_or_gzip

_POSSIBLE = (
    "A source is mnist, a CSV file, a folder of IDX files, or an .npz file with x_train, y_train, x_test, y_test."
)
_EXPECTED_FILES = (
    "train-images-idx3-ubyte and train-labels-idx1-ubyte, and t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte "
    "for a test part, raw or .gz"
)


@dataclass(frozen=True, eq=False)
class DataSet:
    """Images and labels for training, and for the test where the source has them.

    Shapes: images (N, H, W) uint8, 0 (paper) to 255 (ink), one H and W for all; labels (N,) int64, counted from 0;
        x_test and y_test both None where the source has no test part
    Raises: DataError where the arrays are not so.
    """

    name: str
    x_train: NDArray[np.uint8]
    y_train: NDArray[np.int64]
    x_test: NDArray[np.uint8] | None = None
    y_test: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        _check_part(self.name, "training", self.x_train, self.y_train)
        if self.x_test is None and self.y_test is None:
            return
        if self.x_test is None or self.y_test is None:
            raise DataError(f"{self.name} has one of test images and test labels; give both or neither.")
        _check_part(self.name, "test", self.x_test, self.y_test)
        if self.x_train.shape[1:] != self.x_test.shape[1:]:
            raise DataError(
                f"{self.name} has training images of {_size(self.x_train)} and test images of "
                f"{_size(self.x_test)} pixels; one size is expected."
            )

    @property
    def classes(self) -> int:
        """The number of classes: the highest label of both parts + 1, and at least 2."""
        highest = self.y_train.max() if self.y_test is None else max(self.y_train.max(), self.y_test.max())
        return max(int(highest) + 1, 2)

    @property
    def evaluation_split(self) -> tuple[str, NDArray[np.uint8], NDArray[np.int64]]:
        """What a model is judged on, as ("test", images, labels); all images where none are set apart: ("all", ...)."""
        if self.x_test is None or self.y_test is None:
            return "all", self.x_train, self.y_train
        return "test", self.x_test, self.y_test

    @cached_property
    def digest(self) -> str:
        """Eight hexadecimal digits, the CRC-32 of the training images and labels.

        A resumed run compares them to see whether its data are still the same.
        """
        crc = zlib.crc32(self.x_train.tobytes())
        return f"{zlib.crc32(self.y_train.tobytes(), crc):08x}"


def load_data(source: str) -> DataSet:
    """The data set that a name or a path stands for.

    - mnist: the digits that come with the package (./mnist is a path of that name)
    - a CSV file with labels, as `read_table` takes it: a training part only
    - a folder of IDX files, raw or .gz (the raw one where both are there): a training part, maybe a test part
    - an .npz file in the layout of Keras: images (N, H, W), (N, H, W, 1) or (N, 784) of whole numbers 0 to 255

    A path may start with ~. What a file holds decides, not its name.

    Raises: DataError where there is no such source or it cannot be used.
    """
    if source == "mnist":
        (x_train, y_train), (x_test, y_test) = load_mnist()
        return DataSet("mnist", x_train, y_train.astype(np.int64), x_test, y_test.astype(np.int64))
    try:
        path = Path(source).expanduser()
        is_folder, is_there = path.is_dir(), path.exists()
    except (OSError, RuntimeError):  # a name too long; ~ without a home
        is_there = False
    if not is_there:
        raise DataError(f"{source!r} is no known source and no file or folder. {_POSSIBLE}")
    if is_folder:
        return _load_folder(path)
    if not path.is_file():
        raise DataError(f"{source!r} is not a regular file. {_POSSIBLE}")
    with open_plain_or_gzip(path) as stream:
        magic = stream.read(4)
    if magic[:3] == b"\x00\x00\x08":
        raise DataError(f"{path} is a single IDX file. Give the folder that holds it and its companion.")
    if magic[:2] == b"PK":
        return _load_npz(path)
    table = read_table(path)
    if table.labels is None:
        raise DataError(
            f"{path} has no label column: it is a test file, for `digitscope submit`. A label column is expected."
        )
    return DataSet(path.name, table.images, table.labels)


def _load_folder(folder: Path) -> DataSet:
    train = _find_pair(folder, ("train",))
    test = _find_pair(folder, ("t10k", "test"))
    if train is None:
        raise DataError(
            f"{folder} holds no {'training' if test else 'IDX'} files of the usual names. "
            f"Expected are {_EXPECTED_FILES}."
        )
    x_train, y_train = read_images(train[0]), read_labels(train[1]).astype(np.int64)
    name = folder.resolve().name
    if test is None:
        return DataSet(name, x_train, y_train)
    return DataSet(name, x_train, y_train, read_images(test[0]), read_labels(test[1]).astype(np.int64))


def _find_pair(folder: Path, prefixes: tuple[str, ...]) -> tuple[Path, Path] | None:
    """The files of images and of labels; None where the folder has neither."""
    found = {}
    for stem in ("images-idx3", "labels-idx1"):
        spellings = [f"{prefix}-{name}-ubyte" for prefix in prefixes for name in (stem, stem.replace("-", "."))]
        candidates = [folder / f"{name}{suffix}" for suffix in ("", ".gz") for name in spellings]
        found[spellings[0]] = next((path for path in candidates if path.is_file()), None)
    images, labels = found.values()
    if images is not None and labels is not None:
        return images, labels
    if images is None and labels is None:
        return None
    there = (images or labels or folder).name
    missing = next(name for name, path in found.items() if path is None)
    raise DataError(f"{folder} holds {there} but no {missing} (raw or .gz). Add it, or take both away.")


def _load_npz(path: Path) -> DataSet:
    arrays = read_npz(path)
    x_test, y_test = arrays.get("x_test"), arrays.get("y_test")
    return DataSet(
        path.name,
        _to_images(path, "x_train", arrays["x_train"]),
        _to_labels(path, "y_train", arrays["y_train"]),
        None if x_test is None else _to_images(path, "x_test", x_test),
        None if y_test is None else _to_labels(path, "y_test", y_test),
    )


def _to_images(path: Path, key: str, array: NDArray[Any]) -> NDArray[np.uint8]:
    """Whole numbers of any type as uint8, and the shapes (N, 784) and (N, H, W, 1) as (N, H, W)."""
    shape = array.shape
    if array.ndim == 2 and shape[1] == 784:
        array = array.reshape(-1, 28, 28)
    elif array.ndim == 4 and shape[3] == 1:
        array = array[..., 0]
    elif array.ndim != 3:
        raise DataError(
            f"{path}: {key} has the shape {shape}; (N, H, W), (N, H, W, 1) or (N, 784) is expected, in grey."
        )
    if array.dtype != np.uint8:
        wrong = ~((array >= 0) & (array <= 255) & (array == np.trunc(array)))
        if wrong.any():
            raise DataError(
                f"{path}: {key} holds the pixel {array[wrong][0]} in image {int(np.argwhere(wrong)[0, 0])}; "
                f"whole numbers from 0 (paper) to 255 (ink) are expected. Scale and round them first."
            )
    return np.ascontiguousarray(array, dtype=np.uint8)


def _to_labels(path: Path, key: str, array: NDArray[Any]) -> NDArray[np.int64]:
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise DataError(
            f"{path}: {key} holds {array.dtype} elements of shape {array.shape}; integers (N,) are expected."
        )
    if array.max() > MAX_LABEL:  # before the conversion, which uint64 may not survive
        raise DataError(f"{path}: {key} holds the label {array.max()}; {MAX_LABEL} is the highest possible.")
    return array.astype(np.int64)


def _check_part(name: str, part: str, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> None:
    if images.dtype != np.uint8 or images.ndim != 3 or labels.dtype != np.int64 or labels.ndim != 1:
        raise DataError(
            f"{name}: {part} images (N, H, W) of uint8 and labels (N,) of int64 are expected; got "
            f"{images.shape} of {images.dtype} and {labels.shape} of {labels.dtype}."
        )
    if len(images) != len(labels):
        raise DataError(f"{name} has {len(images):,} {part} images but {len(labels):,} labels; give one for each.")
    if images.size == 0:
        raise DataError(f"{name} has no {part} images: their shape is {images.shape}.")
    if labels.min() < 0 or labels.max() > MAX_LABEL:
        wrong = labels.min() if labels.min() < 0 else labels.max()
        raise DataError(f"{name} has the {part} label {wrong}; labels from 0 to {MAX_LABEL} are expected.")


def _size(images: NDArray[np.uint8]) -> str:
    return f"{images.shape[1]}x{images.shape[2]}"
