"""Drawings as requests describe them, and the images and damaged models that they stand for."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray

from digitscope.errors import DataError
from digitscope.explain.damage import Damage, Noise, Silence, damaged
from digitscope.lab.requests import Bounds
from digitscope.model import Model
from digitscope.nn import Network
from digitscope.vision.drawing import PenStroke, draw_strokes, prepare_drawing, shrink_only

MOST_POINTS = 20_000
"""Points of all strokes of a drawing."""
_FULL = 1000
"""Coordinates are whole numbers, so that a link holds a drawing exactly: thousandths of the surface's side."""


@dataclass(frozen=True)
class DrawnStroke:
    """A stroke of a pen."""

    points: Annotated[tuple[int, ...], Bounds(3, 3 * MOST_POINTS)]
    """x, y and pressure of each point in turn: thousandths of the side, and per cent."""
    width: Annotated[int, Bounds(5, 300)] = 70
    """Of the line at a pressure of 50 per cent, in thousandths of the side."""


@dataclass(frozen=True)
class Drawing:
    """What is shown to the network: strokes, or an image in MNIST's format."""

    strokes: Annotated[tuple[DrawnStroke, ...], Bounds(0, 200)] = ()
    image: Annotated[str, Bounds(4, 20_000)] | None = None
    """The pixels of an image, row by row, one byte each, as base64; instead of strokes."""
    prepared: bool = True
    """False to show the network the drawing as it is, only scaled."""


@dataclass(frozen=True)
class DamagePart:
    """One thing that is broken in the network."""

    kind: Literal["off", "noise"]
    layer: Annotated[str, Bounds(0, 40)] = ""
    """The layer's path, such as "5.0"; "" is all layers, for noise."""
    units: Annotated[tuple[int, ...], Bounds(0, 64)] = ()
    """The neurons or channels that are off; none is the whole layer."""
    sigma: Annotated[float, Bounds(0, 10)] = 0.0
    seed: Annotated[int, Bounds(0, 2**31 - 1)] = 0


Parts = Annotated[tuple[DamagePart, ...], Bounds(0, 50)]


def pen_strokes(strokes: Sequence[DrawnStroke], most_points: int = MOST_POINTS) -> list[PenStroke]:
    """The strokes as the renderer takes them.

    Raises: DataError if points lack a number or are far outside, or if there are more than `most_points`.
    """
    if sum(len(stroke.points) for stroke in strokes) > 3 * most_points:
        raise DataError(f"A drawing is expected with at most {most_points} points. Draw with fewer strokes.")
    found = []
    for stroke in strokes:
        if len(stroke.points) % 3:
            raise DataError(f"The points of a stroke are expected as x, y, pressure in turn; got {len(stroke.points)}.")
        if max(map(abs, stroke.points)) > 10 * _FULL:
            raise DataError("Points are expected on the drawing's surface, from 0 to 1000.")
        points = np.array(stroke.points, np.float64).reshape(-1, 3) / [_FULL, _FULL, 100]
        found.append(PenStroke(points, stroke.width / _FULL))
    return found


def shown_image(drawing: Drawing, model: Model) -> NDArray[np.uint8]:
    """The image that the model sees, (H, W).

    Raises: NoInkError if nothing is drawn; DataError for an image of another size.
    """
    if drawing.image is not None:
        return decoded_image(drawing.image, model.image_shape)
    ink = draw_strokes(pen_strokes(drawing.strokes))
    if not drawing.prepared and ink.any():
        return shrink_only(ink, model.image_shape)
    return prepare_drawing(ink, model.image_shape).image


def decoded_image(text: str, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """The pixels in base64, as (H, W).

    Raises: DataError if it is not base64, or not that many pixels.
    """
    try:
        pixels = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise DataError("The field image is expected as pixels in base64.") from None
    if len(pixels) != shape[0] * shape[1]:
        raise DataError(f"The model reads images of {shape[0]}x{shape[1]} pixels; got {len(pixels)} pixels.")
    return np.frombuffer(pixels, np.uint8).reshape(shape)


def damaged_model(model: Model, parts: tuple[DamagePart, ...]) -> Model:
    """The model, or a copy of it with this damage.

    Raises: ShapeError for a layer or a unit that it does not have.
    """
    return _damaged(model, parts) if parts else model


@lru_cache(maxsize=8)
def _damaged(model: Model, parts: tuple[DamagePart, ...]) -> Model:
    return replace(model, network=damaged_network(model.network, parts))


def damaged_network(network: Network, parts: tuple[DamagePart, ...]) -> Network:
    """The network with this damage.

    Raises: as `damaged_model`.
    """
    damage: Damage = tuple(
        Silence(part.layer, part.units) if part.kind == "off" else Noise(part.sigma, part.seed, part.layer)
        for part in parts
    )
    return damaged(network, damage)
