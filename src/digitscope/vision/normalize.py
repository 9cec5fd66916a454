"""MNIST's normalization of a digit.

Its authors describe it (LeCun, Cortes and Burges, http://yann.lecun.com/exdb/mnist/): bilevel images were scaled to fit
a box of 20x20 pixels with their proportions kept; the grey levels come from anti-aliasing; and each digit was moved in
a field of 28x28 until its centre of mass was at the centre.

Images of other sizes have the same format: a box of 20/28 of their height and width.

Before this normalization a digit is a large drawing whose longer side has LARGE pixels, 0 (paper) to 1 (ink).
"""

import numpy as np
from numpy.typing import NDArray

from digitscope.arrays import Array

SIDE = 28
"""Side of an image, in pixels."""
BOX = 20
"""Side of the box for the digit in an image, in pixels."""
FINE = 10
"""Number of a large drawing's pixels along the side of one of MNIST's."""
LARGE = BOX * FINE
Shape = tuple[int, int]
"""Height and width of an image, in pixels."""
SHAPE: Shape = (SIDE, SIDE)
WIDTHS = (1.8, 3.6)
"""Width of MNIST's strokes, in its pixels: the 10th and the 90th percentile."""


def cut_out(coverage: Array) -> Array:
    """The bounding box of the digit. (H, W) -> (h, w)"""
    rows, columns = (np.flatnonzero(coverage.max(axis=1 - axis) > 0.1) for axis in (0, 1))
    return coverage[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def enlarge(digit: Array) -> Array:
    """The digit as a large drawing, with its proportions kept. (h, w) -> (H, W), max(H, W) = LARGE"""
    return np.clip(_resize(digit, (LARGE, LARGE)), 0, 1)


def _resize(digit: Array, box: Shape) -> Array:
    """The digit, resized with its proportions kept to fit the box, with anti-aliasing if it shrinks."""
    from PIL import Image

    scale = min(side / length for side, length in zip(box, digit.shape, strict=True))
    height, width = (max(1, round(scale * length)) for length in digit.shape)
    image = Image.fromarray(digit.astype(np.float32)).resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(image)


def stroke_width(drawing: Array, *, fine: float = FINE) -> float:
    """The mean width of a drawing's strokes in pixels of MNIST, each as wide as `fine` of the drawing's; 0 without ink.

    Across a stroke of width w, the mean distance to its edge is w/4 + 1/2, measured from the middle of a pixel to the
    middle of the first pixel outside.
    """
    from scipy.ndimage import distance_transform_edt

    ink = np.pad(drawing > 0.5, 1)
    if not ink.any():
        return 0.0
    return (4 * float(distance_transform_edt(ink)[ink].mean()) - 2) / fine


def set_width(drawing: Array, width: float, target: float, *, fine: float = FINE) -> Array:
    """The drawing with another stroke width. Widths are in pixels of MNIST, each as wide as `fine` of the drawing's.

    A dilation by a disc of radius r changes the stroke width from w to w + 2r and the digit's size from S to S + 2r.
    After scaling to a box of size B the width is B (w + 2r) / (S + 2r) = target. With S = B this gives
    r = B (target - w) / 2 (B - target). If r is negative, the ink is eroded.
    """
    from scipy.ndimage import distance_transform_edt

    radius = fine * BOX * (target - width) / (2 * (BOX - target))
    edge = int(np.ceil(abs(radius))) + 1
    padded = np.pad(drawing, edge)
    ink = padded > 0.5
    # The signed distance to the edge of the ink, in pixels; the new edge is one pixel soft.
    distance = distance_transform_edt(~ink) - distance_transform_edt(ink)
    drawn: Array = np.clip(radius - distance + 0.5, 0, 1)
    return drawn


def box_of(shape: Shape) -> Shape:
    """The height and width of the box for a digit in an image of this shape; 20x20 in 28x28."""
    height, width = (max(1, round(BOX / SIDE * side)) for side in shape)
    return height, width


def fit_box(digit: Array, shape: Shape = SHAPE) -> NDArray[np.uint8]:
    """The digit, scaled with anti-aliasing and its proportions kept to fit the box of an image of this shape.

    Shapes: (H, W) -> (h, w), max(h, w) = 20 for 28x28
    """
    small = np.clip(_resize(digit, box_of(shape)), 0, 1)
    grey: NDArray[np.uint8] = (255 * small / max(small.max(), 0.5)).round().astype(np.uint8)
    return grey


def centre(digit: NDArray[np.uint8], shape: Shape = SHAPE) -> NDArray[np.uint8]:
    """The digit in an image of this shape, moved by whole pixels until its centre of mass is in the pixel right and
    below of the middle.

    This is where it is in all of MNIST's images. (h, w) -> shape
    """
    mass = digit.astype(np.float64)
    start = []
    for axis, (side, whole) in enumerate(zip(digit.shape, shape, strict=True)):
        middle = (mass.sum(axis=1 - axis) @ (np.arange(side) + 0.5)) / mass.sum()
        start.append(int(np.clip(np.ceil(whole / 2 - middle), 0, whole - side)))
    image = np.zeros(shape, np.uint8)
    image[start[0] : start[0] + digit.shape[0], start[1] : start[1] + digit.shape[1]] = digit
    return image
