"""Labelled images as files that other programs read, and that `load_data` reads back."""

import io
import struct
import zipfile

import numpy as np
from numpy.typing import NDArray

_DATE = (1980, 1, 1, 0, 0, 0)
"""The date of all files in an archive, so that equal images give equal bytes."""


def csv_bytes(images: NDArray[np.uint8], labels: NDArray[np.int64]) -> bytes:
    """A CSV file in the layout of Kaggle's train.csv: label, pixel0, pixel1, ...

    Shapes: uint8 (N, H, W), labels (N,)
    """
    rows = images.reshape(len(images), -1)
    lines = [",".join(["label", *(f"pixel{k}" for k in range(rows.shape[1]))])]
    lines += [",".join(map(str, [int(label), *row])) for label, row in zip(labels, rows.tolist(), strict=True)]
    return ("\n".join(lines) + "\n").encode()


def idx_zip(images: NDArray[np.uint8], labels: NDArray[np.int64]) -> bytes:
    """A ZIP archive with the two IDX files of a training part, in MNIST's layout.

    Shapes: uint8 (N, H, W), labels (N,), 0 to 255
    """
    return _archive(
        {
            "train-images-idx3-ubyte": _idx(images),
            "train-labels-idx1-ubyte": _idx(labels.astype(np.uint8)),
        }
    )


def png_zip(images: NDArray[np.uint8], labels: NDArray[np.int64]) -> bytes:
    """A ZIP archive of PNG pictures, light ink on black as in MNIST, in one folder for each label.

    Shapes: uint8 (N, H, W), labels (N,)
    """
    from PIL import Image

    files = {}
    for number, (image, label) in enumerate(zip(images, labels, strict=True), 1):
        file = io.BytesIO()
        Image.fromarray(image).save(file, "PNG")
        files[f"{label}/{number:05d}.png"] = file.getvalue()
    return _archive(files)


def _idx(array: NDArray[np.uint8]) -> bytes:
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 0x08, array.ndim, *array.shape)
    return header + array.tobytes()


def _archive(files: dict[str, bytes]) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as target:
        for name, content in files.items():
            target.writestr(zipfile.ZipInfo(name, _DATE), content, zipfile.ZIP_DEFLATED)
    return archive.getvalue()
