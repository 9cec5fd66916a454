"""From a picture of one digit to an image in MNIST's format, with a picture of each step."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from digitscope.arrays import Array
from digitscope.errors import NoInkError
from digitscope.vision.decode import PictureSource, as_bytes, shrink, source_name, to_picture
from digitscope.vision.ink import Ink, find_ink
from digitscope.vision.normalize import (
    SHAPE,
    WIDTHS,
    Shape,
    box_of,
    centre,
    cut_out,
    enlarge,
    fit_box,
    set_width,
    stroke_width,
)
from digitscope.vision.paper import ink_axis, project_colours

WORKING = 320
"""Maximum longer side, in pixels, of the picture in which ink is searched for."""
SMALL = 0.2
"""Fraction of the longer side: for a digit no larger than this, the search is repeated in an enlarged part of the
picture."""


@dataclass(frozen=True, eq=False)
class PreparationStep:
    """One step of a preparation. image: uint8, (H, W) or (H, W, 3) in colour"""

    name: str
    sentence: str
    image: NDArray[np.uint8]
    values: Mapping[str, float] = field(default_factory=dict)
    """The numbers in the sentence by name, for pages in other languages. A truth is 0 or 1."""


@dataclass(frozen=True, eq=False)
class Preparation:
    """An image in MNIST's format, and the steps from the picture to it."""

    steps: tuple[PreparationStep, ...]
    image: NDArray[np.uint8]
    """(28, 28) unless another shape was given, 0 paper to 255 ink."""


def prepare(picture: PictureSource, shape: Shape = SHAPE) -> Preparation:
    """Finds the digit in a picture and converts it to MNIST's format, or to the same format in another size.

    `vision.decode.to_picture` states what a picture may be: a path, bytes, an open file, a PIL image or an array.

    shape: height and width of the image; `Model.image_shape` for a model of another image size

    Raises: PictureError if the picture cannot be read, NoInkError if nothing is written on it.
    """
    return prepare_decoded(to_picture(picture), source_name(picture), shape)


def prepare_decoded(whole: NDArray[np.uint8], name: str, shape: Shape = SHAPE) -> Preparation:
    """`prepare` for a picture (H, W, 3) that is already decoded; `name` is its name in errors.

    Raises: NoInkError if nothing is written on it.
    """
    colours = shrink(whole, WORKING)
    value, ink = _search(colours)
    if ink is None:
        raise NoInkError(
            f"{name} shows no ink: nothing stands out from its paper. "
            "Write larger or darker, or give the part with the digit."
        )
    height, width = whole.shape[:2]
    steps = [
        PreparationStep(
            "picture", f"As given, upright: {width} by {height} pixels.", colours, {"width": width, "height": height}
        )
    ]
    surroundings = _surroundings(ink.digit, whole)
    if surroundings is not None:
        closer = shrink(surroundings, WORKING)
        closer_value, closer_ink = _search(closer)
        if closer_ink is not None:
            steps.append(
                PreparationStep("closer", "The digit is small, so the search is repeated in its surroundings.", closer)
            )
            value, ink = closer_value, closer_ink
    last_steps, image = fit_to_format(ink.coverage, shape)
    return Preparation((*steps, *_ink_steps(value, ink), *last_steps), image)


def fit_to_format(coverage: Array, shape: Shape = SHAPE) -> tuple[tuple[PreparationStep, ...], NDArray[np.uint8]]:
    """The last steps of every preparation: strokes as wide as MNIST's, the box, and the centre of mass.

    Shapes: coverage (H, W), 0 paper to 1 ink, with some ink -> the steps, and the image of this shape
    """
    digit = cut_out(coverage)
    drawing = enlarge(digit)
    stroke = stroke_width(drawing)
    target = float(np.clip(stroke, *WIDTHS))
    if target != stroke:
        drawing = digit = set_width(drawing, stroke, target)
    box = fit_box(digit, shape)
    image = centre(box, shape)
    (box_height, box_width), (height, width) = box_of(shape), shape
    steps = (
        PreparationStep(
            "strokes", _width_sentence(stroke, target), as_bytes(drawing), {"width": stroke, "target": target}
        ),
        PreparationStep(
            "box",
            f"Scaled to fit {box_width} by {box_height} pixels, in its proportions, with soft edges.",
            box,
            {"width": box_width, "height": box_height},
        ),
        PreparationStep(
            "image",
            f"Placed in {width} by {height} pixels by its centre of mass: what the network sees.",
            image,
            {"width": width, "height": height},
        ),
    )
    return steps, image


def _search(colours: NDArray[np.uint8]) -> tuple[Array, Ink | None]:
    rgb = colours.astype(np.float32) / 255
    value = project_colours(rgb, ink_axis(rgb))
    return value, find_ink(value)


def _surroundings(digit: Array, whole: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """The digit with a margin of its own size; None if the digit would not be much larger in this part."""
    scale = max(whole.shape[:2]) / max(digit.shape)
    places = [np.flatnonzero(digit.any(axis=1 - axis)) for axis in (0, 1)]
    size = max(place[-1] - place[0] + 1 for place in places)
    if scale < 1.5 or size > SMALL * max(digit.shape):
        return None
    parts = [slice(max(0, round((p[0] - size) * scale)), round((p[-1] + 1 + size) * scale)) for p in places]
    return whole[parts[0], parts[1]]


def _ink_steps(value: Array, ink: Ink) -> tuple[PreparationStep, ...]:
    kind, other = ("dark", "light") if ink.dark else ("light", "dark")
    lines = " Lines that cross the whole picture are removed." if ink.ruled else ""
    return (
        PreparationStep("grey", "The colours projected on the axis in which the ink stands out most.", as_bytes(value)),
        PreparationStep(
            "paper",
            f"The {other} paper alone: its {kind} strokes are painted over.",
            as_bytes(ink.paper),
            {"dark": ink.dark},
        ),
        PreparationStep(
            "contrast",
            f"How far each pixel differs from its paper.{lines}",
            as_bytes(ink.contrast / ink.level),
            {"ruled": ink.ruled},
        ),
        PreparationStep("ink", "Every pixel that counts as ink.", as_bytes(ink.ink)),
        PreparationStep("digit", "The ink that belongs to the digit.", as_bytes(ink.coverage)),
    )


def _width_sentence(width: float, target: float) -> str:
    now = f"Its strokes are {width:.1f} of MNIST's pixels wide"
    if target == width:
        return f"{now}, as in MNIST."
    return f"{now}; they are made {'thicker' if target > width else 'thinner'}, {target:.1f}."
