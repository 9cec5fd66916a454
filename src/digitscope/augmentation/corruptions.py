"""Eight ways in which a picture of a digit gets worse, each at five strengths, to try a network on.

Each is a function of images uint8 (N, H, W), an amount in its own unit and a generator; it returns images likewise.

After Hendrycks & Dietterich 2019, "Benchmarking neural network robustness to common corruptions and perturbations".
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from digitscope.arrays import Array
from digitscope.augmentation.warp import blur, empty, thicken, warp
from digitscope.errors import DataError

CHUNK = 1000
"""Images that are changed at a time, which bounds the memory."""


def rotate(images: Array, degrees: float, rng: np.random.Generator) -> Array:
    """Turned about the centre, left or right by random: p(q) = centre + R (q - centre)."""
    angle = np.radians(degrees * _signs(len(images), rng))
    return _warp(images, np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]))


def shift(images: Array, pixels: float, rng: np.random.Generator) -> Array:
    """Moved up, down, left or right by random; what leaves the picture is lost."""
    turns = np.pi / 2 * rng.integers(4, size=len(images))
    return _warp(images, _times(np.ones(len(images))), pixels * np.array([np.sin(turns), np.cos(turns)]).round())


def scale(images: Array, per_cent: float, rng: np.random.Generator) -> Array:
    """Made larger or smaller by random, about the centre: p(q) = centre + (q - centre) / factor."""
    return _warp(images, _times(1 / (1 + per_cent / 100 * _signs(len(images), rng))))


def add_noise(images: Array, deviation: float, rng: np.random.Generator) -> Array:
    """Normal noise on each pixel, cut to 0 .. 1; its deviation is a share of the full intensity."""
    x = _to_float(images)
    return _to_uint8(x + np.float32(deviation) * rng.standard_normal(x.shape, np.float32))


def blur_gaussian(images: Array, deviation: float, rng: np.random.Generator) -> Array:
    """Under a Gaussian of this deviation in pixels, about: of variance 1/2 for each pass of the kernel 1 2 1."""
    return _to_uint8(blur(_to_float(images), passes=round(2 * deviation**2)))


def change_thickness(images: Array, pixels: float, rng: np.random.Generator) -> Array:
    """Strokes grow or shrink, by random, by so many pixels at each edge."""
    x, signs = _to_float(images), _signs(len(images), rng)
    while pixels > 0:
        x = thicken(x, (min(pixels, 1.0) * signs).astype(np.float32))
        pixels -= 1
    return _to_uint8(x)


def fade(images: Array, factor: float, rng: np.random.Generator) -> Array:
    """Ink times a factor: paler on the same paper."""
    return _to_uint8(np.float32(factor) * _to_float(images))


def occlude(images: Array, side: float, rng: np.random.Generator) -> Array:
    """A square of paper, its side in pixels, anywhere in the picture."""
    x = _to_float(images)
    room = np.maximum(np.array(x.shape[:2]) - side, 0)
    empty(x, rng.integers(room + 1, size=(len(images), 2)).T, np.array([side, side]))
    return _to_uint8(x)


@dataclass(frozen=True)
class Corruption:
    """One way to get worse, and how far at each strength."""

    change: Callable[[Array, float, np.random.Generator], Array]
    amounts: tuple[float, float, float, float, float]
    unit: str

    def __call__(self, images: Array, strength: int, rng: np.random.Generator) -> Array:
        """The images at a strength of 1 to 5. Equal generators give equal images.

        Shapes: uint8 (N, H, W) -> uint8 (N, H, W)
        Raises: DataError where the strength is none.
        """
        if strength not in STRENGTHS:
            raise DataError(f"A corruption expects a strength of 1 to 5; got {strength}.")
        chunks = [images[i : i + CHUNK] for i in range(0, len(images), CHUNK)]
        return np.concatenate([self.change(chunk, self.amounts[strength - 1], rng) for chunk in chunks])


STRENGTHS = (1, 2, 3, 4, 5)

CORRUPTIONS = {
    "rotation": Corruption(rotate, (10, 20, 30, 40, 50), "degrees either way"),
    "shift": Corruption(shift, (1, 2, 3, 4, 5), "pixels"),
    "scale": Corruption(scale, (10, 20, 30, 40, 50), "% either way"),
    "noise": Corruption(add_noise, (0.1, 0.2, 0.3, 0.4, 0.5), "of full intensity"),
    "blur": Corruption(blur_gaussian, (0.7, 1, 1.4, 2, 2.8), "pixels' deviation"),
    "thickness": Corruption(change_thickness, (0.3, 0.6, 0.9, 1.2, 1.5), "pixels either way"),
    "contrast": Corruption(fade, (0.8, 0.6, 0.4, 0.2, 0.1), "times the ink"),
    "occlusion": Corruption(occlude, (4, 6, 8, 10, 12), "pixels' side"),
}
"""By name. At each edge of a stroke, thickness changes by its pixels; noise and blur have normal deviations.

The amounts were set by looking at pictures, from a change that hardly shows to one where people begin to fail; never by
what a network makes of them.
"""


def _warp(images: Array, matrix: Array, move: Array | float = 0.0) -> Array:
    """Read at centre + matrix (q - centre) - move. matrix (2, 2, N), move (2, N): rows, columns."""
    coefficients = np.zeros((2, 3, len(images)), np.float32)
    coefficients[:, 0] -= move
    coefficients[:, 1:] = matrix
    return _to_uint8(warp(images, coefficients))


def _times(factors: Array) -> Array:
    """The matrix of a stretch alike in both directions. (N,) -> (2, 2, N)"""
    return np.eye(2)[:, :, None] * factors


def _signs(count: int, rng: np.random.Generator) -> Array:
    """-1 or 1 for each image."""
    return rng.choice([-1.0, 1.0], count)


def _to_float(images: Array) -> Array:
    """uint8 (N, H, W) -> float32 (H, W, N), 0 to 1"""
    x: Array = images.transpose(1, 2, 0).astype(np.float32)
    x /= 255
    return x


def _to_uint8(x: Array) -> Array:
    """float32 (H, W, N) -> uint8 (N, H, W), rounded, cut to 0 .. 255"""
    return np.ascontiguousarray((255 * x).round().clip(0, 255).astype(np.uint8).transpose(2, 0, 1))
