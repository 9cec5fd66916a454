"""Drawings made with a pen on a square surface: from strokes to ink, and from ink to an image in MNIST's format.

A drawing needs no search for paper and ink, because its strokes are known. Only the last part of `prepare` is left:
the width of the strokes, the box and the centre of mass.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from digitscope.arrays import Array
from digitscope.errors import NoInkError, ShapeError
from digitscope.vision.decode import as_bytes
from digitscope.vision.normalize import SHAPE, Shape
from digitscope.vision.prepare import Preparation, PreparationStep, fit_to_format

SURFACE = 280
"""Side of the rendered surface, in pixels."""
_SUBPIXELS = 4
"""Number of subpixels along the side of a pixel: its grey level is the share of them that the ink covers."""
_LEAST_INK = 0.1
"""A drawing without any pixel of more ink is empty."""
_LIGHTEST_TOUCH = 0.4
"""The width of a stroke at no pressure, relative to its width at half of the pen's full pressure."""


@dataclass(frozen=True, eq=False)
class PenStroke:
    """What a pen draws between touching the surface and leaving it. Lengths are fractions of the surface's side.

    Shapes: points (N, 3), N >= 1: x to the right, y down, and pressure from 0 to 1.
    Raises: ShapeError for another shape, and for numbers that are not finite.
    """

    points: Array
    width: float
    """The width of the line at a pressure of 0.5, which a mouse has."""

    def __post_init__(self) -> None:
        points = np.asarray(self.points, np.float64)
        if points.ndim != 2 or points.shape[1] != 3 or not len(points):
            raise ShapeError(f"A stroke expects points (N, 3): x, y and pressure; got {points.shape}.")
        if not np.isfinite(points).all() or not 0 < self.width <= 1:
            raise ShapeError("A stroke expects finite points, and a width above 0 of at most the surface's side.")
        object.__setattr__(self, "points", points)

    @property
    def radii(self) -> Array:
        """Half the line's width at each point, (N,)."""
        share = _LIGHTEST_TOUCH + 2 * (1 - _LIGHTEST_TOUCH) * self.points[:, 2].clip(0, 1)
        radii: Array = self.width / 2 * share
        return radii


def draw_strokes(strokes: Sequence[PenStroke], side: int = SURFACE) -> Array:
    """The ink of the strokes, with soft edges: each stroke is round at its points and straight between them.

    Shapes: (side, side), 0 paper to 1 ink
    """
    from PIL import Image, ImageDraw

    large = _SUBPIXELS * side
    image = Image.new("L", (large, large))
    draw = ImageDraw.Draw(image)
    for stroke in strokes:
        # The middle of the first subpixel is at 0 in Pillow's coordinates.
        centres, radii = stroke.points[:, :2] * large - 0.5, (stroke.radii * large)[:, None]
        for box in np.concatenate([centres - radii, centres + radii], axis=1).tolist():
            draw.ellipse(box, fill=255)
        along = np.diff(centres, axis=0)
        lengths = np.hypot(along[:, 0], along[:, 1])[:, None]
        across = np.stack([-along[:, 1], along[:, 0]], axis=1) / np.maximum(lengths, 1e-9)
        near, far = radii[:-1] * across, radii[1:] * across
        corners = [centres[:-1] + near, centres[1:] + far, centres[1:] - far, centres[:-1] - near]
        for corner in np.concatenate(corners, axis=1)[lengths[:, 0] > 0].tolist():
            draw.polygon(corner, fill=255)
    return np.asarray(image.reduce(_SUBPIXELS), np.float32) / 255


def prepare_drawing(ink: Array, shape: Shape = SHAPE) -> Preparation:
    """Converts the ink of a drawing to an image in MNIST's format, or to the same format in another size.

    Shapes: ink (H, W), 0 paper to 1 ink. Raises: NoInkError if nothing is drawn.
    """
    if not ink.size or ink.max() <= _LEAST_INK:
        raise NoInkError("Nothing is drawn yet. Draw a digit, or give a picture of one.")
    steps, image = fit_to_format(ink, shape)
    height, width = ink.shape
    drawing = PreparationStep(
        "drawing", f"As drawn: {width} by {height} pixels.", as_bytes(ink), {"width": width, "height": height}
    )
    return Preparation((drawing, *steps), image)


def shrink_only(ink: Array, shape: Shape = SHAPE) -> NDArray[np.uint8]:
    """The ink as an image of this shape without any preparation: every pixel is the mean of a rectangle of the drawing.

    Shapes: (H, W), 0 paper to 1 ink -> shape
    """
    from PIL import Image

    small = Image.fromarray(ink.astype(np.float32)).resize(shape[::-1], Image.Resampling.BOX)
    return as_bytes(np.asarray(small))
