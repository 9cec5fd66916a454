"""One-hot encoding of labels."""

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from digitscope.errors import DataError, ShapeError


def one_hot(labels: NDArray[Any], classes: int, dtype: DTypeLike = np.float32) -> NDArray[Any]:
    """The labels as columns of zeros with a single 1; the definition that losses refer to as [k = label n].

    Y[k,n] = 1 if labels[n] = k, else 0

    Shapes: labels (N,) -> Y (classes, N), the same kind of array as the labels (NumPy, CuPy, ...)
    Raises: ShapeError if the labels are not of rank 1; DataError if they are not integers from 0 to classes - 1.
    """
    if labels.ndim != 1:
        raise ShapeError(f"one_hot expects labels (N,); got {labels.shape}. Give one integer for each image.")
    if labels.dtype.kind not in "iu":
        raise DataError(f"one_hot expects integer labels; got {labels.dtype}. Convert them first.")
    outside = (labels < 0) | (labels >= classes)
    if outside.any():
        raise DataError(
            f"one_hot expects labels from 0 to {classes - 1}; got {int(labels[outside][0])}. "
            f"Raise the number of classes or correct the label."
        )
    columns: NDArray[Any] = np.equal(np.arange(classes, like=labels)[:, None], labels).astype(dtype)
    return columns
