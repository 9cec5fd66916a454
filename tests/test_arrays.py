"""Images and labels in all usual forms are converted to one format; others give one clear error."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from digitscope.arrays import as_images, as_labels
from digitscope.errors import DataError, ShapeError

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (3, 28, 28), dtype=np.uint8)
ROWS = PIXELS.reshape(3, -1)

SAME = {
    "uint8": PIXELS,
    "rows": ROWS,
    "a channel as in Keras": PIXELS[..., None],
    "a channel as in PyTorch": PIXELS[:, None],
    "int64": PIXELS.astype(np.int64),
    "whole float64": PIXELS.astype(np.float64),
    "0 to 1, float16": (PIXELS / 255).astype(np.float16),
    "0 to 1, float32": PIXELS.astype(np.float32) / 255,
    "0 to 1, float64": PIXELS / 255,
    "big-endian": PIXELS.astype(">i2"),
    "big-endian floats": (PIXELS / 255).astype(">f8"),
    "Fortran order": np.asfortranarray(PIXELS),
    "a list": PIXELS.tolist(),
    "a list of arrays": list(PIXELS),
    "a list of rows": list(ROWS),
    "a data frame": pd.DataFrame(ROWS),
    "a data frame of floats": pd.DataFrame(ROWS / 255),
    "a data frame of objects": pd.DataFrame(ROWS).astype(object),
    "a view": np.repeat(PIXELS, 2, axis=2)[:, :, ::2],
}


@pytest.mark.parametrize("images", SAME.values(), ids=SAME)
def test_images_in_any_form_are_the_same(images: Any) -> None:
    result = as_images(images, (28, 28))
    assert result.dtype == np.uint8
    assert result.flags.c_contiguous
    np.testing.assert_array_equal(result, PIXELS)
    np.testing.assert_array_equal(as_images(images), PIXELS)


def test_valid_images_are_not_copied() -> None:
    assert as_images(PIXELS) is PIXELS


@given(st.integers(0, 255), st.sampled_from([np.float32, np.float64]))
def test_every_intensity_survives_the_division_by_255(pixel: int, dtype: type) -> None:
    images = np.full((1, 2, 2), pixel, np.uint8)
    np.testing.assert_array_equal(as_images(images.astype(dtype) / dtype(255)), images)


def test_blank_images_are_images() -> None:
    for dtype in (np.uint8, np.int64, np.float32):
        np.testing.assert_array_equal(as_images(np.zeros((2, 28, 28), dtype)), np.zeros((2, 28, 28)))


def test_rows_of_another_length() -> None:
    assert as_images(np.zeros((4, 64), np.uint8)).shape == (4, 8, 8)
    assert as_images(np.zeros((4, 10), np.uint8)).shape == (4, 1, 10)
    assert as_images(np.zeros((4, 12), np.uint8), (3, 4)).shape == (4, 3, 4)


def test_a_read_only_array_stays_as_it_is() -> None:
    images = PIXELS.copy()
    images.flags.writeable = False
    np.testing.assert_array_equal(as_images(images), PIXELS)


REFUSED_IMAGES: dict[str, tuple[Any, type[Exception], str]] = {
    "0 to 16": (PIXELS % 17 * 1.0, DataError, "got 0 to 16. Give images / 16"),
    "standardized": (RNG.normal(size=(3, 28, 28)), DataError, "standardized images"),
    "0 to 1000": (PIXELS.astype(np.int64) * 4, DataError, "Divide by the highest possible value"),
    "fractions of 255": (PIXELS + 0.5 - 0.5 * (PIXELS == 255), DataError, "Give images / 255"),
    "NaN": (np.where(PIXELS > 250, np.nan, PIXELS), DataError, "got nan"),
    "infinity": (np.where(PIXELS > 250, np.inf, PIXELS), DataError, "got infinity"),
    "a mask": (PIXELS > 128, DataError, r"a mask. Give images \* numpy.uint8\(255\)"),
    "a mask of numbers": ((PIXELS > 128).astype(int), DataError, r"a mask. Give images \* 255"),
    "text": ([["a", "b"]], DataError, "got elements of type <U1"),
    "objects": ([[None] * 784], DataError, "got elements of type object"),
    "complex": (PIXELS * 1j, DataError, "complex128"),
    "one image": (PIXELS[0], ShapeError, r"one image, \(28, 28\). Put it into a batch: images\[None\]"),
    "one row": (ROWS[0], ShapeError, r"one image, \(784,\)"),
    "a column": (ROWS[:1].T, ShapeError, r"a column, \(784, 1\). Turn it into a row: images.T"),
    "columns": (ROWS.T, ShapeError, r"got \(784, 3\)"),
    "another size": (PIXELS[:, 2:], ShapeError, r"\(N, 28, 28\) or rows \(N, 784\); got \(3, 26, 28\)"),
    "colours": (np.stack([PIXELS] * 3, axis=3), ShapeError, r"\(3, 28, 28, 3\). Give images.mean\(axis=3\)"),
    "colours first": (np.stack([PIXELS] * 3, axis=1), ShapeError, r"\(3, 3, 28, 28\). Give images.mean\(axis=1\)"),
    "two channels": (np.stack([PIXELS] * 2, axis=3), ShapeError, r"got \(3, 28, 28, 2\)"),
    "a number": (7, ShapeError, r"got \(\)"),
    "lists of several lengths": ([[1, 2], [3]], ShapeError, "one array of numbers; got a list"),
}


@pytest.mark.parametrize(("images", "error", "message"), REFUSED_IMAGES.values(), ids=REFUSED_IMAGES)
def test_other_images_are_refused_in_one_line(images: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        as_images(images, (28, 28))
    assert "\n" not in str(caught.value)


LABELS = [3, 0, 9]


@pytest.mark.parametrize(
    "labels",
    [
        LABELS,
        tuple(LABELS),
        np.array(LABELS, np.uint8),
        np.array(LABELS, ">i4"),
        np.array(LABELS, float),
        np.array(LABELS)[:, None],
        pd.Series(LABELS, index=[7, 8, 9]),
        pd.DataFrame({"label": LABELS}),
        np.array(LABELS, object),
    ],
    ids=str,
)
def test_labels_in_any_form_are_the_same(labels: Any) -> None:
    result = as_labels(labels, 3, classes=10)
    assert result.dtype == np.int64
    np.testing.assert_array_equal(result, LABELS)


REFUSED_LABELS: dict[str, tuple[Any, type[Exception], str]] = {
    "negative": ([3, -1, 9], DataError, "from 0 to 9; got -1"),
    "too high": ([3, 10, 9], DataError, "from 0 to 9; got 10"),
    "fractions": ([3, 0.5, 9], DataError, "whole numbers from 0; got 0.5"),
    "NaN": ([3, np.nan, 9], DataError, "whole numbers from 0; got nan"),
    "text": (["three", "0", "9"], DataError, "numpy.unique"),
    "truth": ([True, False, True], DataError, "truth values"),
    "one-hot": (np.eye(10)[LABELS], ShapeError, r"labels.argmax\(axis=1\)"),
    "too few": ([3, 0], ShapeError, r"one integer for each of 3 images; got \(2,\)"),
    "one": (3, ShapeError, r"got \(\)"),
    "huge": (np.array([0, 1, 2**64 - 1], np.uint64), DataError, "from 0 to 9"),
}


@pytest.mark.parametrize(("labels", "error", "message"), REFUSED_LABELS.values(), ids=REFUSED_LABELS)
def test_other_labels_are_refused_in_one_line(labels: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        as_labels(labels, 3, classes=10)
    assert "\n" not in str(caught.value)


def test_many_classes_are_valid_but_identifiers_are_not() -> None:
    assert as_labels([4000, 4], 2).tolist() == [4000, 4]
    with pytest.raises(DataError, match="from 0 to 4095; got 70000"):
        as_labels([0, 70_000], 2)
