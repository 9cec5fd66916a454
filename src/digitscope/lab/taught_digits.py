"""The digits that the lab was taught, in a file that `load_data` reads, too."""

import threading
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from digitscope.datasets.csv_table import read_csv_table
from digitscope.datasets.writers import csv_bytes
from digitscope.errors import DataError
from digitscope.files.atomic import unwritable, write_atomic
from digitscope.vision.normalize import SHAPE

TAUGHT_DIGITS = "taught-digits.csv"
"""The name of the file in the lab's folder."""
MOST = 5000
"""Digits that are kept."""

Digits = tuple[NDArray[np.uint8], NDArray[np.int64]]
"""Images (N, 28, 28) and labels (N,)."""


class TaughtDigits:
    """Images of 28x28 pixels and their labels, the oldest first. Its methods may be called from any thread.

    path: a CSV file in the layout of Kaggle's train.csv, which is made with the first digit
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()

    def all(self) -> Digits:
        """Raises: DataError if the file is damaged."""
        with self._lock:
            return self._read()

    def add(self, image: NDArray[np.uint8], label: int) -> None:
        """Keeps a digit; the same image has its newest label only.

        Raises: DataError if there are too many; DigitscopeError if they cannot be written.
        """
        with self._lock:
            images, labels = self._without(image)
            if len(labels) >= MOST:
                raise DataError(f"The lab keeps {MOST} taught digits at most. Download and delete them first.")
            self._write((np.concatenate([images, image[None]]), np.append(labels, label)))

    def remove(self, image: NDArray[np.uint8]) -> None:
        """Deletes a digit, if it is there."""
        with self._lock:
            self._write(self._without(image))

    def clear(self) -> None:
        """Deletes all digits.

        Raises: DigitscopeError if the file cannot be deleted.
        """
        with self._lock:
            self._delete()

    def _read(self) -> Digits:
        if not self._path.exists():
            return np.zeros((0, *SHAPE), np.uint8), np.zeros(0, np.int64)
        table = read_csv_table(self._path)
        if table.labels is None:
            raise DataError(f"{self._path} has no labels. Move it away; the lab then begins another one.")
        return table.images, table.labels

    def _without(self, image: NDArray[np.uint8]) -> Digits:
        images, labels = self._read()
        kept = (images != image).any(axis=(1, 2))
        return images[kept], labels[kept]

    def _write(self, digits: Digits) -> None:
        if len(digits[1]):
            write_atomic(self._path, csv_bytes(*digits))
        else:
            self._delete()

    def _delete(self) -> None:
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            raise unwritable(self._path, error) from error
