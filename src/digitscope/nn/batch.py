"""The door: where rows of pixels become the columns that the layers work on."""

import numpy as np

from digitscope.arrays import Array


def to_batch(images: Array) -> Array:
    """Turns images into a network's input: a column an image, intensities from 0 to 1.

    x[d,n] = images[n,d] / 255, where d counts the pixels row by row

    The result is the transposed view of rows that lie together in memory: matrix products take it as it is.

    Shapes: uint8 (N, H, W) or (N, D) -> float32 (D, N)
    Derivation: docs/notes/01-pictures.md#a-picture-is-a-list-of-numbers
    """
    rows: Array = images.reshape(len(images), -1).astype(np.float32)
    rows /= 255
    return rows.T
