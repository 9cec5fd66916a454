"""Arrays that the packages pass to each other, and what people hand in, checked and brought to one form.

Inside, images are uint8 (N, H, W), 0 paper to 255 ink, and labels int64 (N,), counted from 0. Rows of other numbers are
`Features`.
"""

import math
from typing import Any, TypeGuard

import numpy as np
import numpy.typing as npt

from digitscope.errors import DataError, ShapeError

Array = npt.NDArray[Any]
"""An array of numbers; docstrings state its shape and type."""

MAX_CLASSES = 4_096
"""A higher label is an identifier or a slip. It would ask for a giant network; a confusion matrix of this many classes
takes 134 MB."""


class Features(np.ndarray[Any, np.dtype[np.floating[Any]]]):
    """Rows of real-valued features, (N, D), that a network takes as they are: an array that is not images.

    A slice is `Features`, too, so that whatever takes some of the rows need not know which of the two it has.
    `as_features` makes one.
    """


def as_features(values: npt.ArrayLike) -> Features:
    """Finite numbers of any range, (N, D), as float32 or float64; float32 stays float32, everything else is float64.

    Raises: ShapeError for other ranks; DataError for what is not a finite number.
    """
    array = as_numbers(values, "Features")
    if array.ndim != 2 or not array.shape[1]:
        raise ShapeError(f"Features are expected as (N, D), D at least 1; got {array.shape}.")
    array = np.ascontiguousarray(array, np.float32 if array.dtype == np.float32 else np.float64)
    if not np.isfinite(array).all():
        raise DataError("Features are expected as finite numbers; got NaN or infinity. Replace or leave out such rows.")
    return array.view(Features)


def as_weights(weights: npt.ArrayLike, count: int) -> npt.NDArray[np.float64]:
    """How much each of `count` examples counts, float64 (N,), scaled to the mean 1.

    Raises: ShapeError for another shape or number; DataError for negative or infinite weights, and if all are 0.
    """
    array = as_numbers(weights, "Weights").astype(np.float64)
    if array.shape != (count,):
        raise ShapeError(f"Weights are expected as one number for each of {count} examples; got {array.shape}.")
    if not (np.isfinite(array).all() and (array >= 0).all() and array.any()):
        raise DataError("Weights are expected as finite numbers from 0 on, some of them positive; got others.")
    array = array / array.max()  # first, so that the sum of the largest does not overflow
    scaled: npt.NDArray[np.float64] = array / array.mean()
    return scaled


def is_bytes(images: object) -> TypeGuard[Array]:
    """Whether these are images as inside the package: an array of uint8, of rank 2 or 3, on any device."""
    return getattr(images, "dtype", None) == np.uint8 and getattr(images, "ndim", 0) in (2, 3)


def as_images(images: npt.ArrayLike, shape: tuple[int, int] | None = None) -> npt.NDArray[np.uint8]:
    """Grey images as uint8 (N, H, W), 0 (paper) to 255 (ink).

    Accepts whole numbers from 0 to 255, and floats from 0 to 1, which are multiplied by 255 and rounded. Lists, data
    frames, and arrays of any memory layout and byte order are as good as arrays. `shape` is the height and width that
    is expected, if it is known.

    Shapes: (N, H, W), (N, H, W, 1), (N, 1, H, W), or rows (N, H W) -> (N, H, W). Without `shape` rows are square
        images if their length is a square, else images of one row.
    Raises: ShapeError for other ranks and sizes and for colours; DataError for NaN, other ranges, 0/1 masks, and no
        numbers at all.
    """
    array = as_numbers(images, "Images")
    size = "(N, H, W)" if shape is None else f"(N, {shape[0]}, {shape[1]})"
    pixels = "H*W" if shape is None else str(math.prod(shape))
    expected = f"Images are expected as {size} or rows (N, {pixels})"
    if shape is not None and array.shape in (shape, (math.prod(shape),)):
        raise ShapeError(f"{expected}; got one image, {array.shape}. Put it into a batch: images[None].")
    if array.ndim == 2 and shape is not None and array.shape == (math.prod(shape), 1):
        raise ShapeError(f"{expected}; got a column, {array.shape}. Turn it into a row: images.T.")
    array = without_channel_axis(array)
    if array.ndim == 2:
        side = math.isqrt(array.shape[1])
        rows = shape if shape is not None else (side, side) if side * side == array.shape[1] else (1, array.shape[1])
        if math.prod(rows) != array.shape[1]:
            raise ShapeError(f"{expected}; got {array.shape}.")
        array = array.reshape(len(array), *rows)
    if array.ndim != 3 or (shape is not None and array.shape[1:] != shape):
        raise ShapeError(f"{expected}; got {array.shape}.")
    return np.ascontiguousarray(_as_bytes(array))


def without_channel_axis(images: Array) -> Array:
    """Grey images without their one channel, which is the last axis in Keras and the second in PyTorch.

    Shapes: (N, H, W, 1) and (N, 1, H, W) -> (N, H, W); others stay as they are.
    Raises: ShapeError for images of three or four channels, which are colours.
    """
    if images.ndim != 4:
        return images
    for axis in (3, 1):
        channels = images.shape[axis]
        if channels == 1:
            return images.squeeze(axis)
        if channels in (3, 4):
            raise ShapeError(
                f"Images are expected to be grey, (N, H, W); got {channels} channels, {images.shape}. "
                f"Give images.mean(axis={axis}).astype(images.dtype)."
            )
    return images


def as_labels(labels: npt.ArrayLike, count: int, classes: int | None = None) -> npt.NDArray[np.int64]:
    """Labels as int64 (N,), one for each of `count` images, from 0 to classes - 1 if the number of classes is known.

    Accepts integers and whole floats, in lists, series and arrays, also as a column (N, 1).

    Raises: ShapeError for another shape or number; DataError for labels that are not whole numbers in that range.
    """
    array = as_numbers(labels, "Labels")
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim == 2 and len(array) == count and np.isin(array, (0, 1)).all() and (array.sum(axis=1) == 1).all():
        raise ShapeError(
            f"Labels are expected as integers, ({count},); got one-hot rows, {array.shape}. Give labels.argmax(axis=1)."
        )
    if array.shape != (count,):
        raise ShapeError(f"Labels are expected as one integer for each of {count} images; got {array.shape}.")
    if array.dtype.kind == "b":
        raise DataError("Labels are expected as integers from 0; got truth values. Give labels.astype(int).")
    if array.dtype.kind == "f":
        wrong = ~(array == np.trunc(array))  # NaN, too
        if wrong.any():
            raise DataError(f"Labels are expected as whole numbers from 0; got {array[wrong][0]}.")
    if not array.size:
        return array.astype(np.int64)
    lowest, highest = array.min().item(), array.max().item()
    limit = MAX_CLASSES if classes is None else classes
    if lowest < 0 or highest >= limit:
        wrong_label = lowest if lowest < 0 else highest
        raise DataError(f"Labels are expected from 0 to {limit - 1}; got {wrong_label:.0f}. Correct or renumber them.")
    return array.astype(np.int64)


def as_numbers(values: npt.ArrayLike, what: str) -> Array:
    """The values as a NumPy array of real numbers or truth values in the machine's byte order. `what` names them.

    Raises: ShapeError if they are not one array; DataError for elements of another type.
    """
    try:
        array = np.asarray(values)
    except (ValueError, TypeError) as error:
        came = type(values).__name__
        raise ShapeError(f"{what} are expected as one array of numbers; got a {came}: {error}") from error
    if array.dtype.kind == "O":  # a data frame with columns of several types, a list of arrays of one shape
        try:
            array = np.asarray(array.tolist())
        except ValueError as error:
            raise ShapeError(f"{what} are expected as one array; got parts of several shapes.") from error
    if array.dtype.kind not in "buif":
        hint = " Number them: numpy.unique(labels, return_inverse=True)[1]." if what == "Labels" else ""
        raise DataError(f"{what} are expected as numbers; got elements of type {array.dtype}.{hint}")
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def image_grid(images: Array, columns: int) -> Array:
    """The images in rows of so many, without gaps.

    Shapes: uint8 (N, H, W), N at least 1 -> uint8 (rows H, columns W)
    """
    count, height, width = images.shape
    columns = min(columns, count)
    rows = -(-count // columns)
    cells = np.zeros((rows * columns, height, width), np.uint8)
    cells[:count] = images
    return cells.reshape(rows, columns, height, width).swapaxes(1, 2).reshape(rows * height, columns * width)


def _as_bytes(array: Array) -> npt.NDArray[np.uint8]:
    """Intensities as uint8: whole numbers 0 to 255 as they are, floats 0 to 1 times 255."""
    accepted = "Images are expected as whole numbers from 0 (paper) to 255 (ink) or floats from 0 to 1"
    if array.dtype.kind == "b":
        raise DataError(f"{accepted}; got truth values, a mask. Give images * numpy.uint8(255).")
    if not array.size:
        return array.astype(np.uint8)
    lowest, highest = array.min(), array.max()
    if not (np.isfinite(lowest) and np.isfinite(highest)):
        raise DataError(f"{accepted}; got {np.nan if np.isnan(lowest) else 'infinity'}. Replace such pixels.")
    if lowest < 0:
        raise DataError(
            f"{accepted}; got {lowest:.4g} to {highest:.4g}: standardized images? Give them as they were before."
        )
    if array.dtype.kind == "f" and highest <= 1:
        return np.rint(array * np.float32(255)).astype(np.uint8)
    if highest == 1:
        raise DataError(f"{accepted}; got whole numbers 0 and 1, a mask. Give images * 255.")
    if highest > 255:
        raise DataError(f"{accepted}; got {lowest:.4g} to {highest:.4g}. Divide by the highest possible value.")
    if array.dtype == np.uint8 or highest == 0:
        return array.astype(np.uint8, copy=False)
    if highest <= 16:
        raise DataError(f"{accepted}; got {lowest:.4g} to {highest:.4g}. Give images / 16 if 16 is full ink.")
    if array.dtype.kind == "f" and (array != np.trunc(array)).any():
        raise DataError(f"{accepted}; got floats up to {highest:.4g}. Give images / 255.")
    return array.astype(np.uint8)
