"""From the rows of a table to a network's input, in the same way for training and for prediction."""

import math
import warnings
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from digitscope.arrays import Array, Features, as_features
from digitscope.errors import DigitscopeWarning


class RowPreparation(ABC):
    """What is done to rows (N, D) before a network sees them."""

    @property
    @abstractmethod
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one example: (D,), or (H, W) for images."""

    @abstractmethod
    def examples(self, rows: Array) -> Array:
        """What the network learns from: `Features`, or images uint8 (N, H, W)."""

    @abstractmethod
    def features(self, rows: Array) -> Features:
        """What the network predicts from, in float64."""


@dataclass(frozen=True, eq=False)
class Standardization(RowPreparation):
    """Shifts and scales each feature to mean 0 and standard deviation 1 over the training rows.

    x[n,d] = (row[n,d] - mean[d]) / deviation[d]
    mean[d] = sum_n w[n] row[n,d] / sum_n w[n], deviation[d]² = sum_n w[n] (row[n,d] - mean[d])² / sum_n w[n]

    A feature that is constant up to rounding is only shifted.
    """

    mean: Array
    deviation: Array
    dtype: np.dtype[Any]
    """The type that the network is trained in."""

    @classmethod
    def fit(cls, rows: Array, weights: Array | None, *, standardize: bool) -> Self:
        dtype = np.dtype(np.float32 if rows.dtype == np.float32 else np.float64)
        features = rows.shape[1]
        if not standardize:
            return cls(np.zeros(features), np.ones(features), dtype)
        values = rows.astype(np.float64, order="C")  # NumPy adds up a data frame's columns in another order.
        mean = np.average(values, axis=0, weights=weights)
        centred = values - mean
        largest = np.abs(centred).max(axis=0)
        constant = largest <= 1e-12 * np.abs(values).max(axis=0)
        largest[constant] = 1.0  # The squares of centred / largest neither overflow nor vanish.
        deviation = largest * np.sqrt(np.average((centred / largest) ** 2, axis=0, weights=weights))
        deviation[constant] = 1.0
        return cls(mean, deviation, dtype)

    @property
    def input_shape(self) -> tuple[int, ...]:
        return self.mean.shape

    def features(self, rows: Array) -> Features:
        return as_features((rows.astype(np.float64) - self.mean) / self.deviation)

    def examples(self, rows: Array) -> Array:
        return as_features(self.features(rows).astype(self.dtype))


@dataclass(frozen=True)
class PixelScaling(RowPreparation):
    """Rows of pixels as images: the range of intensities that `fit` found becomes 0 (paper) to 255 (ink)."""

    low: float
    high: float
    height: int
    width: int
    enlargement: int = 1
    """How many pixels of the network's input one pixel becomes in height and width."""
    from_floats: bool = False
    """Whether the range was found in floats from 0 to 1: whole bytes are then still from 0 to 255."""

    @classmethod
    def fit(cls, rows: Array, shape: tuple[int, int]) -> Self:
        """0 to 1, 0 to 16 (as in scikit-learn's digits) or 0 to 255, the first that covers the pixels; if none does,
        their lowest and highest value.
        """
        low, high = float(rows.min()), float(rows.max())
        limit = next((limit for limit in (1.0, 16.0, 255.0) if high <= limit), high)
        if low < 0:
            limit = high
        low = min(low, 0.0)
        return cls(low, limit, *shape, from_floats=rows.dtype.kind == "f" and (low, limit) == (0.0, 1.0))

    @property
    def input_shape(self) -> tuple[int, int]:
        return self.height * self.enlargement, self.width * self.enlargement

    def images(self, rows: Array) -> Array:
        """uint8 (N, H, W), enlarged."""
        low, high = (0.0, 255.0) if self.from_floats and rows.dtype == np.uint8 else (self.low, self.high)
        self._check_range(rows, high)
        scaled = (rows.astype(np.float64) - low) * (255 / (high - low or 1.0))
        images: Array = np.rint(scaled.clip(0, 255)).astype(np.uint8).reshape(-1, self.height, self.width)
        k = self.enlargement
        return images if k == 1 else images.repeat(k, axis=1).repeat(k, axis=2)

    def _check_range(self, rows: Array, high: float) -> None:
        """Warns of pixels on another scale than those that the network learned from: a common mistake."""
        if not len(rows) or self.low < 0:
            return
        highest = float(rows.max())
        too_low = high >= 255 and rows.dtype.kind == "f" and 0 < highest <= 1
        if too_low or highest > 16 * high > 0:
            warnings.warn(
                f"Pixels are expected from {self.low:g} to {high:g}, as fit found them; got {highest:g} at most. Give "
                "them on the same scale.",
                DigitscopeWarning,
                stacklevel=5,
            )

    def examples(self, rows: Array) -> Array:
        return self.images(rows)

    def features(self, rows: Array) -> Features:
        images = self.images(rows)
        return as_features(images.reshape(len(images), math.prod(images.shape[1:])).astype(np.float64) / 255)
