"""Eight image corruptions, each at five strengths, for measuring robustness.

Each is a function of images uint8 (N, H, W), an amount in its own unit and a generator, and returns images of the same
shape and type.

Source: Hendrycks & Dietterich 2019, "Benchmarking neural network robustness to common corruptions and perturbations"
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from digitscope.arrays import Array, as_images
from digitscope.augmentation.warp import blur, erase_rectangle, thicken, warp
from digitscope.errors import DataError

CHUNK = 1000
"""Number of images that are corrupted at a time, which bounds the memory."""


def rotate(images: Array, degrees: float, rng: np.random.Generator) -> Array:
    """Rotates about the centre in a random direction: p(q) = centre + R (q - centre)."""
    angle = np.radians(degrees * _random_signs(len(images), rng))
    return _affine_warp(images, np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]))


def shift(images: Array, pixels: float, rng: np.random.Generator) -> Array:
    """Shifts up, down, left or right, chosen at random. Ink that leaves the image is lost."""
    turns = np.pi / 2 * rng.integers(4, size=len(images))
    return _affine_warp(
        images, _scaling_matrices(np.ones(len(images))), pixels * np.array([np.sin(turns), np.cos(turns)]).round()
    )


def scale(images: Array, per_cent: float, rng: np.random.Generator) -> Array:
    """Enlarges or shrinks about the centre, chosen at random: p(q) = centre + (q - centre) / factor."""
    return _affine_warp(images, _scaling_matrices(1 / (1 + per_cent / 100 * _random_signs(len(images), rng))))


def add_noise(images: Array, deviation: float, rng: np.random.Generator) -> Array:
    """Adds normal noise to each pixel and clips to 0 .. 1. The standard deviation is a fraction of full intensity."""
    x = _to_float(images)
    return _to_uint8(x + np.float32(deviation) * rng.standard_normal(x.shape, np.float32))


def blur_gaussian(images: Array, deviation: float, rng: np.random.Generator) -> Array:
    """Blurs with approximately a Gaussian of this standard deviation in pixels: each pass of the kernel 1 2 1 has
    variance 1/2.
    """
    return _to_uint8(blur(_to_float(images), passes=round(2 * deviation**2)))


def change_thickness(images: Array, pixels: float, rng: np.random.Generator) -> Array:
    """Thickens or thins strokes, chosen at random, by this many pixels at each edge."""
    x, signs = _to_float(images), _random_signs(len(images), rng)
    while pixels > 0:
        x = thicken(x, (min(pixels, 1.0) * signs).astype(np.float32))
        pixels -= 1
    return _to_uint8(x)


def reduce_contrast(images: Array, factor: float, rng: np.random.Generator) -> Array:
    """Multiplies the ink by a factor; the paper stays."""
    return _to_uint8(np.float32(factor) * _to_float(images))


def occlude(images: Array, side: float, rng: np.random.Generator) -> Array:
    """Covers a square at a random position with paper. side in pixels"""
    x = _to_float(images)
    max_start = np.maximum(np.array(x.shape[:2]) - side, 0)
    erase_rectangle(x, rng.integers(max_start + 1, size=(len(images), 2)).T, np.array([side, side]))
    return _to_uint8(x)


@dataclass(frozen=True)
class Corruption:
    """A corruption and its amount at each strength."""

    corrupt: Callable[[Array, float, np.random.Generator], Array]
    amounts: tuple[float, float, float, float, float]
    unit: str

    def __call__(self, images: npt.ArrayLike, strength: int, rng: np.random.Generator) -> Array:
        """The images, corrupted at a strength of 1 to 5. Equal generators give equal images.

        Shapes: (N, H, W), in any form that `as_images` accepts -> uint8 (N, H, W)
        Raises: DataError if the strength is not 1, 2, 3, 4 or 5; and as `as_images`.
        """
        if strength not in STRENGTHS:
            raise DataError(f"A corruption expects a strength of 1 to 5; got {strength}.")
        images = as_images(images)
        if not images.size:
            return images
        chunks = [images[i : i + CHUNK] for i in range(0, len(images), CHUNK)]
        return np.concatenate([self.corrupt(chunk, self.amounts[strength - 1], rng) for chunk in chunks])


STRENGTHS = (1, 2, 3, 4, 5)

CORRUPTIONS = {
    "rotation": Corruption(rotate, (10, 20, 30, 40, 50), "degrees either way"),
    "shift": Corruption(shift, (1, 2, 3, 4, 5), "pixels"),
    "scale": Corruption(scale, (10, 20, 30, 40, 50), "% either way"),
    "noise": Corruption(add_noise, (0.1, 0.2, 0.3, 0.4, 0.5), "of full intensity"),
    "blur": Corruption(blur_gaussian, (0.7, 1, 1.4, 2, 2.8), "pixels' deviation"),
    "thickness": Corruption(change_thickness, (0.3, 0.6, 0.9, 1.2, 1.5), "pixels either way"),
    "contrast": Corruption(reduce_contrast, (0.8, 0.6, 0.4, 0.2, 0.1), "times the ink"),
    "occlusion": Corruption(occlude, (4, 6, 8, 10, 12), "pixels' side"),
}
"""The corruptions by name, with the amounts at strengths 1 to 5.

The amounts were chosen by looking at images, from a change that is hardly visible to one at which people begin to fail.
No network's accuracy was considered.
"""


def _affine_warp(images: Array, matrix: Array, translation: Array | float = 0.0) -> Array:
    """Each image read at centre + matrix (q - centre) - translation.

    Shapes: matrix (2, 2, N), translation (2, N), for rows and columns
    """
    coefficients = np.zeros((2, 3, len(images)), np.float32)
    coefficients[:, 0] -= translation
    coefficients[:, 1:] = matrix
    return _to_uint8(warp(images, coefficients))


def _scaling_matrices(factors: Array) -> Array:
    """Matrices that scale rows and columns by the same factor. (N,) -> (2, 2, N)"""
    return np.eye(2)[:, :, None] * factors


def _random_signs(count: int, rng: np.random.Generator) -> Array:
    """-1 or 1 for each image, at random. (N,)"""
    return rng.choice([-1.0, 1.0], count)


def _to_float(images: Array) -> Array:
    """uint8 (N, H, W) -> float32 (H, W, N), 0 to 1"""
    x: Array = images.transpose(1, 2, 0).astype(np.float32)
    x /= 255
    return x


def _to_uint8(x: Array) -> Array:
    """float32 (H, W, N) -> uint8 (N, H, W), rounded and clipped to 0 .. 255"""
    return np.ascontiguousarray((255 * x).round().clip(0, 255).astype(np.uint8).transpose(2, 0, 1))
