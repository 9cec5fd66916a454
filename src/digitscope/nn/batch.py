"""Images as a network's input."""

import numpy as np

from digitscope.arrays import Array


def to_batch(images: Array) -> Array:
    """Converts uint8 images to network input (float32, batch last): one column an image, intensities from 0 to 1.

    x[d,n] = images[n,d] / 255, where d counts the pixels row by row

    The result is a transposed view of contiguous rows, which BLAS accepts without a copy.

    Shapes: uint8 (N, H, W) or (N, D) -> float32 (D, N)
    Derivation: docs/notes/01-pictures.md#a-picture-is-a-list-of-numbers
    """
    rows: Array = images.reshape(len(images), -1).astype(np.float32)
    rows /= 255
    return rows.T
