import gzip
import hashlib
from importlib.resources import files

import numpy as np
import pytest

from digitscope.datasets import load_mnist
from digitscope.datasets.mnist import RAW_MD5


@pytest.mark.parametrize("name", RAW_MD5)
def test_the_files_are_the_published_ones(name: str) -> None:
    packed = (files("digitscope.datasets") / "mnist" / f"{name}.gz").read_bytes()
    assert hashlib.md5(gzip.decompress(packed)).hexdigest() == RAW_MD5[name]
    readme = (files("digitscope.datasets") / "mnist" / "README.md").read_text()
    assert f"| {name} | {RAW_MD5[name]} | {hashlib.md5(packed).hexdigest()} |" in readme


def test_shapes_types_and_order() -> None:
    (x_train, y_train), (x_test, y_test) = load_mnist()
    assert x_train.shape == (60000, 28, 28)
    assert y_train.shape == (60000,)
    assert x_test.shape == (10000, 28, 28)
    assert y_test.shape == (10000,)
    assert {array.dtype for array in (x_train, y_train, x_test, y_test)} == {np.dtype(np.uint8)}
    # The well-known first labels and class counts of these files.
    assert y_train[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert y_test[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    assert np.bincount(y_train).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert x_train.max() == 255
    assert np.median(x_train[:, 0, :]) == 0  # paper at the upper edge


def test_digits_are_centred_by_mass() -> None:
    images = load_mnist()[1][0].astype(np.float64)
    centre = (images * np.arange(28)).sum(axis=(1, 2)) / images.sum(axis=(1, 2))
    assert abs(centre.mean() - 14) < 0.5
