"""Operations on the pixels of a batch of images, with parameters for each image. Augment and the corruptions use them.

Between operations images are float32 (H, W, N), intensities 0 (paper) to 1 (ink).
"""

from functools import lru_cache

import numpy as np

from digitscope.arrays import Array


def warp(images: Array, coefficients: Array, elastic_width: float = 0.0) -> Array:
    """Each image shifted, rotated, scaled, sheared or distorted. The pixel at q of the result is read from the image at
    p(q) = sum_i coefficients[i] f_i(q), where the f_i are `warp_functions`.

    Shapes: uint8 (N, H, W), coefficients float32 (2, functions, N), for row and column -> float32 (H, W, N)
    """
    count, height, width = images.shape
    y, x = warp_functions(height, width, elastic_width) @ coefficients
    return interpolate(images, y, x).reshape(height, width, count)


@lru_cache(maxsize=8)
def warp_functions(height: int, width: int, elastic_width: float) -> Array:
    """The basis functions of a warp at each pixel, (H W, functions): 1, row and column from the centre and, unless
    elastic_width is 0, Gaussian bumps, scaled so that their squares add up to 1 at each pixel.
    """
    row, column = np.mgrid[:height, :width].reshape(2, -1, 1)
    columns = [np.ones_like(row), row - (height - 1) / 2, column - (width - 1) / 2]
    if elastic_width:
        knots = [np.arange(-elastic_width, side + elastic_width, elastic_width) for side in (height, width)]
        down, across = (knot.reshape(1, -1) for knot in np.meshgrid(*knots))
        distance = (row - down) ** 2 + (column - across) ** 2
        bumps = np.exp(-distance / (2 * elastic_width**2))
        columns.append(bumps / np.sqrt((bumps**2).sum(axis=1, keepdims=True)))
    return np.concatenate(columns, axis=1).astype(np.float32)


def interpolate(images: Array, y: Array, x: Array) -> Array:
    """Bilinear interpolation: each image at positions between its pixels. Outside the image there is paper.

    y and x count from the centre of the image and are overwritten.
    Shapes: (N, H, W), (P, N), (P, N) -> float32 (P, N), 0 to 1
    """
    count, height, width = images.shape
    padded = np.zeros((count, height + 3, width + 3), np.uint8)
    padded[:, 1:-2, 1:-2] = images
    y += (height + 1) / 2
    x += (width + 1) / 2
    np.clip(y, 0, height + 1, out=y)
    np.clip(x, 0, width + 1, out=x)
    row, column = np.floor(y), np.floor(x)
    y -= row
    x -= column
    row *= width + 3
    row += column
    index = row.astype(np.intp)
    index += np.arange(count) * padded[0].size
    pixels = padded.reshape(-1)

    def interpolate_row(start: int) -> Array:
        left, right = (pixels[start + side :].take(index).astype(np.float32) for side in (0, 1))
        right -= left
        right *= x
        right += left
        return right

    upper, lower = interpolate_row(0), interpolate_row(width + 3)
    lower -= upper
    lower *= y
    lower += upper
    lower *= np.float32(1 / 255)
    return lower


def thicken(x: Array, amount: Array) -> Array:
    """Mixes each image with its dilation, or with its erosion if the amount is negative. Strokes grow or shrink at each
    edge by up to one pixel.

    Shapes: (H, W, N), amount (N,) from -1 to 1 -> (H, W, N)
    """
    grown, shrunk = x, x
    for neighbour in _shifted_copies(x):
        grown, shrunk = np.maximum(grown, neighbour), np.minimum(shrunk, neighbour)
    thicker: Array = x + np.maximum(amount, 0) * (grown - x) + np.maximum(-amount, 0) * (shrunk - x)
    return thicker


def _shifted_copies(x: Array) -> list[Array]:
    """x shifted by one pixel down, up, right and left, with paper at the edge. (H, W, N) -> four of (H, W, N)"""
    p = np.pad(x, ((1, 1), (1, 1), (0, 0)))
    return [p[:-2, 1:-1], p[2:, 1:-1], p[1:-1, :-2], p[1:-1, 2:]]


def blur(x: Array, passes: int) -> Array:
    """x filtered `passes` times with the kernel 1 2 1 / 2 4 2 / 1 2 1, divided by 16: approximately a Gaussian blur
    with standard deviation sqrt(passes / 2) pixels.
    """
    for _ in range(passes):
        for axis in (0, 1):
            p = np.pad(x, [(1, 1) if i == axis else (0, 0) for i in range(3)])
            before, after = (p[:-2], p[2:]) if axis == 0 else (p[:, :-2], p[:, 2:])
            x = (x + x + before + after) * np.float32(0.25)
    return x


def erase_rectangle(x: Array, start: Array, length: Array) -> None:
    """Erases a rectangle in each image, in place. start and length: (2, N) or (2,), rows and columns in pixels."""
    inside = []
    for side, begin, size in zip(x.shape[:2], start, length, strict=True):
        centres = np.arange(side)[:, None] + 0.5
        inside.append((centres > begin) & (centres < begin + size))
    x *= ~(inside[0][:, None] & inside[1][None])
