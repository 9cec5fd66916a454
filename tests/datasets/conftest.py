"""Functions that write the files for the readers, and small images to write."""

import gzip
import io
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

Array = NDArray[Any]


def _idx_bytes(array: Array) -> bytes:
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


def _csv_text(images: Array, labels: Array | None, names: list[str] | None = None, at: int = 0) -> str:
    rows = images.reshape(len(images), -1).tolist()
    for row, label in zip(rows, [] if labels is None else labels.tolist(), strict=labels is not None):
        row.insert(at, label)
    header = [",".join(names)] if names else []
    return "\n".join(header + [",".join(map(str, row)) for row in rows]) + "\n"


@pytest.fixture(scope="session")
def idx_bytes() -> Callable[[Array], bytes]:
    """The content of an IDX file that holds the array."""
    return _idx_bytes


@pytest.fixture(scope="session")
def csv_text() -> Callable[..., str]:
    """A table of images and labels as text: (images, labels or None, column names or None, place of the label)."""
    return _csv_text


def _npz_bytes(compress: bool = False, **arrays: Array) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w") as member:
                np.lib.format.write_array(member, array)
    return file.getvalue()


@pytest.fixture(scope="session")
def npz_bytes() -> Callable[..., bytes]:
    """The content of an .npz file with the named arrays."""
    return _npz_bytes


@pytest.fixture(scope="session")
def pixel_names() -> list[str]:
    return [f"pixel{i}" for i in range(784)]


@pytest.fixture(scope="session")
def digits() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Five images of noise, 28x28, and their labels."""
    rng = np.random.default_rng(5)
    return rng.integers(0, 256, (5, 28, 28), dtype=np.uint8), np.array([7, 2, 1, 0, 4])


@pytest.fixture(scope="session")
def wrong_files() -> dict[str, bytes]:
    """Files that are given by mistake: the words that the message should contain, and the content."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a.txt", "a")
    npy = io.BytesIO()
    np.save(npy, np.zeros(3))
    return {
        "a PNG picture": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
        "a JPEG picture": b"\xff\xd8\xff\xe0\0\x10JFIF",
        "a ZIP archive": archive.getvalue(),
        "a NumPy .npy file": npy.getvalue(),
        "a Python pickle": b"\x80\x04\x95",
        "UTF-16 text": "label,pixel0\n".encode("utf-16"),
        "binary data of an unknown kind (it starts with c3 28 00 01)": b"\xc3\x28\0\1\2\3",
    }


@pytest.fixture(scope="session")
def wrong_texts() -> dict[str, bytes]:
    """The same for files that are text."""
    return {
        "CSV text": b"label,pixel0\n5,0\n",
        "an HTML page": b"\n<!DOCTYPE html><html><body>404</body></html>",
        "a Git LFS pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n",
        "this seems to be text": b"hello there",
    }


@pytest.fixture
def idx_folder(tmp_path: Path, digits: tuple[Array, Array]) -> Path:
    """A folder with the four IDX files: five digits for training, the last two of them for testing."""
    images, labels = digits
    folder = tmp_path / "digits"
    folder.mkdir()
    (folder / "train-images-idx3-ubyte").write_bytes(_idx_bytes(images))
    (folder / "train-labels-idx1-ubyte").write_bytes(_idx_bytes(labels))
    (folder / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(_idx_bytes(images[3:])))
    (folder / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(_idx_bytes(labels[3:])))
    return folder
