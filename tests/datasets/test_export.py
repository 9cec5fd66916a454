"""Exported digits are read back as they were."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from digitscope.datasets import DataSet, load_data
from digitscope.datasets.export import csv_bytes, idx_zip, png_zip


def unpacked(content: bytes, folder: Path) -> Path:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        archive.extractall(folder)
    return folder


def check(found: DataSet, images: np.ndarray, labels: np.ndarray, *, mixed: bool = False) -> None:
    order = np.lexsort(found.x_train.reshape(len(labels), -1).T), np.lexsort(images.reshape(len(labels), -1).T)
    if not mixed:
        order = np.arange(len(labels)), np.arange(len(labels))
    np.testing.assert_array_equal(found.x_train[order[0]], images[order[1]])
    np.testing.assert_array_equal(found.y_train[order[0]], labels[order[1]])


@pytest.mark.parametrize("count", [1, 40])
def test_exported_digits_are_read_back(few: DataSet, tmp_path: Path, count: int) -> None:
    images, labels = few.x_train[:count], few.y_train[:count]
    table = tmp_path / "taught.csv"
    table.write_bytes(csv_bytes(images, labels))
    check(load_data(table), images, labels)
    check(load_data(unpacked(idx_zip(images, labels), tmp_path / "idx")), images, labels)
    check(load_data(unpacked(png_zip(images, labels), tmp_path / "png")), images, labels, mixed=True)


def test_the_csv_has_the_layout_of_kaggles_table(few: DataSet) -> None:
    header, row = csv_bytes(few.x_train[:1], few.y_train[:1]).decode().splitlines()
    assert header.startswith("label,pixel0,pixel1,")
    assert header.endswith(",pixel783")
    assert row == ",".join(map(str, [few.y_train[0], *few.x_train[0].ravel()]))


def test_equal_digits_give_equal_bytes(few: DataSet) -> None:
    part = few.x_train[:5], few.y_train[:5]
    assert idx_zip(*part) == idx_zip(*part)
    assert png_zip(*part) == png_zip(*part)
