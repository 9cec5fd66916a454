"""Data augmentation: random changes that keep the digit recognizable, so that each epoch has new images."""

import math
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from digitscope.arguments import check_number, shown
from digitscope.arrays import Array, as_images, is_bytes
from digitscope.augmentation.warp import blur, erase_rectangle, thicken, warp, warp_functions
from digitscope.errors import DataError


@dataclass(frozen=True, kw_only=True)
class Augment:
    """Distorts each image of a batch at random and independently. Every distortion is off (0) unless given.

    The geometry is one warp with bilinear interpolation. The pixel at q of the result is read from the image at
        p(q) = centre + A (q - centre) + t + e(q)
    where A rotates, scales and shears, t shifts, and e is a smooth random field (Simard's elastic distortion): normal
    random numbers at the knots of a grid, spread by Gaussians of `elastic_width` and scaled to a standard deviation of
    `elastic`. p is linear in the random numbers, so it is one matrix product for all pixels and images.

    Stroke thickness, blur, contrast, noise and erasing follow, in this order.

    Source: Simard, Steinkraus and Platt 2003; erasing: Zhong et al. 2017.
    """

    rotation: float = 0.0
    """Degrees: each image is rotated by U(-rotation, rotation)."""
    scale: float = 0.0
    """Width and height are scaled independently, each by exp(U(-scale, scale))."""
    shear: float = 0.0
    """Slant, U(-shear, shear): the sideways shift for each pixel of height."""
    shift: float = 0.0
    """Pixels: each image moves by U(-shift, shift) along each side."""
    elastic: float = 0.0
    """Pixels: the standard deviation of the elastic field."""
    elastic_width: float = 4.0
    """Pixels: the standard deviation of the Gaussians that smooth the elastic field."""
    thickness: float = 0.0
    """Pixels: strokes grow or shrink at each edge by U(-thickness, thickness); at most 1."""
    blur: float = 0.0
    """Each image is mixed with its blurred copy, whose share is U(0, blur); at most 1."""
    contrast: float = 0.0
    """Intensities are multiplied by U(1 - contrast, 1 + contrast) and clipped at 1; at most 1."""
    noise: float = 0.0
    """Normal noise of standard deviation U(0, noise) is added, then intensities are clipped to 0 .. 1."""
    erase: float = 0.0
    """A rectangle at a random position is erased. Its sides are U(0, erase) of the image's; at most 1."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            check_number(f"Augment's {field.name}", value, error=DataError)
            maximum = 1.0 if field.name in ("thickness", "blur", "contrast", "erase") else math.inf
            if not 0 <= value <= maximum:
                limit = "at least 0" if math.isinf(maximum) else "0 to 1"
                raise DataError(f"Augment expects {field.name} of {limit}; got {value}.")
        if self.elastic_width < 0.5:
            raise DataError(f"Augment expects an elastic_width of at least 0.5 pixels; got {self.elastic_width}.")

    @classmethod
    def from_text(cls, text: str) -> "Augment":
        """The augmentation of amounts by name: "rotation=10,shift=1".

        Raises: DataError for another name, or an amount that is not a number of its range.
        """
        amounts: dict[str, float] = {}
        for part in text.split(","):
            name, _, amount = (piece.strip() for piece in part.partition("="))
            try:
                amounts[name] = float(amount)
            except ValueError:
                raise DataError(
                    f"Augment expects amounts such as rotation=10,shift=1; got {shown(part.strip())}."
                ) from None
        names = [field.name for field in fields(cls)]
        if unknown := [name for name in amounts if name not in names]:
            raise DataError(f"Augment has the amounts {', '.join(names)}; got {shown(unknown[0])}.")
        return cls(**amounts)

    def as_text(self) -> str:
        """What `from_text` reads: the amounts that differ from their defaults."""
        amounts = {field.name: float(getattr(self, field.name)) for field in fields(self)}
        texts = [
            f"{field.name}={amounts[field.name]!r}".removesuffix(".0")
            for field in fields(self)
            if amounts[field.name] != field.default
        ]
        return ",".join(texts) or "rotation=0"

    def __call__(self, images: npt.ArrayLike, rng: np.random.Generator) -> Array:
        """The distorted images as network input.

        Shapes: (N, H, W), in any form that `as_images` accepts -> float32 (H W, N), 0 to 1. Raises: as `as_images`.
        """
        if not (is_bytes(images) and images.ndim == 3):
            images = as_images(images)
        count, height, width = images.shape
        if not images.size:
            return np.zeros((height * width, count), np.float32)
        elastic_width = self.elastic_width if self.elastic else 0.0
        functions = warp_functions(height, width, elastic_width).shape[1]
        x = warp(images, self._coefficients(functions, count, rng), elastic_width)
        if self.thickness:
            x = thicken(x, _uniform(rng, -self.thickness, self.thickness, count))
        if self.blur:
            x += _uniform(rng, 0, self.blur, count) * (blur(x, passes=2) - x)
        if self.contrast:
            x *= _uniform(rng, 1 - self.contrast, 1 + self.contrast, count)
            np.minimum(x, 1, out=x)
        if self.noise:
            x += _uniform(rng, 0, self.noise, count) * rng.standard_normal(x.shape, np.float32)
            np.clip(x, 0, 1, out=x)
        if self.erase:
            _erase_at_random(x, self.erase, rng)
        return x.reshape(-1, count)

    def _coefficients(self, functions: int, count: int, rng: np.random.Generator) -> Array:
        """Coefficients of the basis functions for the position where a pixel is read: (2, functions, N), for row and
        column.

        The first three functions are 1, row - centre, column - centre.
        """
        angle = np.radians(rng.uniform(-self.rotation, self.rotation, count))
        shear = rng.uniform(-self.shear, self.shear, count)
        down, across = np.exp(rng.uniform(-self.scale, self.scale, (2, count)))
        c = np.zeros((2, functions, count), np.float32)
        c[:, 0] = rng.uniform(-self.shift, self.shift, (2, count))
        # The map goes from the result back to the image: rotate, slant, then divide by the scale.
        c[0, 1], c[0, 2] = np.cos(angle) / down, -np.sin(angle) / down
        c[1, 1] = (np.sin(angle) + shear * np.cos(angle)) / across
        c[1, 2] = (np.cos(angle) - shear * np.sin(angle)) / across
        if functions > 3:
            c[:, 3:] = self.elastic * rng.standard_normal((2, functions - 3, count), np.float32)
        return c


STANDARD = Augment(rotation=10, scale=0.1, shear=0.15, shift=1, elastic=0.8)
"""The augmentation of the recipes convnet and deep."""


def _uniform(rng: np.random.Generator, low: float, high: float, count: int) -> Array:
    """A random number for each image, U(low, high), float32 (N,)."""
    numbers: Array = rng.uniform(low, high, (count,)).astype(np.float32)
    return numbers


def _erase_at_random(x: Array, largest: float, rng: np.random.Generator) -> None:
    """Erases a random rectangle in each image, in place. Each side is at most `largest` of the image's."""
    start, length = np.empty((2, 2, x.shape[2]))
    for axis, side in enumerate(x.shape[:2]):
        length[axis] = rng.uniform(0, largest, x.shape[2]) * side
        start[axis] = rng.uniform(0, side, x.shape[2]) - length[axis] / 2
    erase_rectangle(x, start, length)
