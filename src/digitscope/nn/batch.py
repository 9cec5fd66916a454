"""Images as a network's input."""

import math

import numpy as np
import numpy.typing as npt

from digitscope.arrays import Array, Features, as_images, is_bytes


def to_batch(images: npt.ArrayLike) -> Array:
    """Converts uint8 images to network input (float32, batch last): one column for each image, values from 0 to 1.

    x[d,n] = images[n,d] / 255, where d counts the pixels row by row

    The result is a transposed view of contiguous rows, which BLAS accepts without a copy. Images that are not uint8 are
    converted by `as_images` first, so that floats from 0 to 1 are not divided again. `Features` are only transposed.

    Shapes: (N, H, W) or (N, D) -> float32 (D, N), or of the type of features. Raises: as `as_images`.
    Derivation: docs/notes/01-pictures.md#a-picture-is-a-list-of-numbers
    """
    if isinstance(images, Features):
        return images.view(np.ndarray).T
    pixels = images if is_bytes(images) else as_images(images)
    rows: Array = pixels.reshape(len(pixels), math.prod(pixels.shape[1:])).astype(np.float32)
    rows /= 255
    return rows.T
