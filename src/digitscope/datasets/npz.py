"""NumPy archives, among them those with training and test images and their labels in one .npz file."""

import math
import zipfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from numpy.lib import format as npy
from numpy.typing import NDArray

from digitscope.errors import DataError
from digitscope.files.opening import check_file, unpacked_limit

_KEYS: tuple[str, ...] = ("x_train", "y_train", "x_test", "y_test")
_OTHER_KEYS: tuple[tuple[str, ...], ...] = (
    ("X_train", "y_train", "X_test", "y_test"),  # as in scikit-learn's examples
    ("train_images", "train_labels", "test_images", "test_labels"),  # MedMNIST
    ("images", "labels"),
    ("x", "y"),
    ("X", "y"),
    ("data", "target"),  # as of scikit-learn's data sets
)
_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def read_npz(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays x_train and y_train, and x_test and y_test where the archive has them; others are left alone.

    Names other than these, which are those of Keras: X_train, train_images with train_labels; images and labels, x and
    y, X and y, data and target for a training part.

    Raises: as `read_archive`; DataError if an array is missing.
    """

    def choose(held: Sequence[str]) -> Sequence[str]:
        names = next((names for names in (_KEYS, *_OTHER_KEYS) if set(held) >= set(names[:2])), _KEYS)
        keys = names if any(name in held for name in names[2:]) else names[:2]
        if missing := [key for key in keys if key not in held]:
            raise DataError(
                f"{path} has no {' and no '.join(missing)}; {names[0]} and {names[1]}, and both or neither of "
                f"{names[2]} and {names[3]}, are expected. It holds {_listed(held)}."
            )
        return keys

    return dict(zip(_KEYS, read_archive(path, choose).values(), strict=False))


def read_archive(path: Path, choose: Callable[[Sequence[str]], Sequence[str]]) -> dict[str, NDArray[Any]]:
    """The arrays that `choose` picks from all names, in that order.

    Each array's header is checked before its elements are read, and objects (pickles) are never loaded.

    Raises: DataError where the file is missing or no archive, an array is damaged, over 2 GiB or not of numbers; or if
        the archive unfolds to more than `opening.unpacked_limit`; and what `choose` raises.
    """
    limit = unpacked_limit(check_file(path))
    try:
        with zipfile.ZipFile(path) as archive:
            held = {name.removesuffix(".npy"): name for name in archive.namelist()}
            if not any(name.endswith(".npy") for name in held.values()):
                raise DataError(f"{path} is a ZIP archive{_contents(held)}")
            keys = choose(list(held))
            unpacked = sum(archive.getinfo(held[key]).file_size for key in keys)
            if unpacked > limit:
                raise DataError(f"{path} unfolds to {unpacked:,} bytes; {limit:,} are read at most of this file.")
            return {key: _read_member(path, archive, archive.getinfo(held[key])) for key in keys}
    except DataError:
        raise
    # zipfile and NumPy's reader of headers raise whatever they stumble over: BadZipFile, RuntimeError, TokenError, ...
    except Exception as error:
        if isinstance(error, MemoryError):
            raise DataError(
                f"{path} needs more memory than there is. Close other programs or use fewer images."
            ) from error
        if isinstance(error, OSError) and error.errno is not None:  # too many open files, a disk that fails
            raise DataError(f"{path} cannot be read: {error.strerror}.") from error
        raise DataError(
            f"{path} cannot be read as .npz: the archive is damaged, encrypted or packed in an unusual way. Copy it "
            "again, or write it with numpy.savez_compressed."
        ) from error


def _contents(names: Iterable[str]) -> str:
    """What an archive without arrays probably is, and what to do with it."""
    tables = [name for name in names if name.lower().endswith(".csv")]
    if any(name.startswith("xl/") for name in names):
        return ", an Excel workbook. Save its sheet as CSV."
    if tables:
        return f" with {_listed(tables)}, as Kaggle gives it. Unpack it, and give the table with labels."
    return f" that holds {_listed(names)}. Unpack it, and give the file or folder in it."


def _listed(names: Iterable[str]) -> str:
    """The first few names, short."""
    shown = [name if len(name) <= 40 else f"{name[:37]}..." for name in names]
    more = f" and {len(shown) - 5} more" if len(shown) > 5 else ""
    return (", ".join(shown[:5]) or "nothing") + more


def _read_member(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> NDArray[Any]:
    """The array in one member of the archive."""
    with archive.open(info) as stream:
        version = npy.read_magic(stream)
        if version not in _HEADERS:
            raise DataError(f"{path}: {info.filename} is not a plain array of numbers (.npy version {version}).")
        shape, _, dtype = _HEADERS[version](stream)
        announced = stream.tell() + math.prod(shape) * dtype.itemsize
        if dtype.kind not in "iuf":
            raise DataError(f"{path}: {info.filename} holds {dtype} elements; integers or floats are expected.")
        if min(shape, default=1) < 1 or announced != info.file_size:
            raise DataError(
                f"{path}: {info.filename} announces {dtype} elements of shape {shape}, {announced:,} bytes with "
                f"the header; {info.file_size:,} came. The archive is damaged or the array empty."
            )
    with archive.open(info) as stream:
        array: NDArray[Any] = npy.read_array(stream, allow_pickle=False)
    return array
