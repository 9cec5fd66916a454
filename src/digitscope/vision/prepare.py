"""From a picture of one digit to an image in MNIST's format, with a picture of each step."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from digitscope.arrays import Array
from digitscope.errors import NoInkError
from digitscope.vision.decode import PictureSource, as_bytes, shrink, source_name, to_picture
from digitscope.vision.layout import DigitInk, find_digit
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

SHOWN = 320
"""Maximum longer side, in pixels, of the picture in a step."""


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
    found = find_digit(whole)
    if found is None:
        raise NoInkError(
            f"{name} shows no ink: nothing stands out from its paper. "
            "Write larger or darker, or give the part with the digit."
        )
    last_steps, image = fit_to_format(found.coverage, shape)
    return Preparation((*_first_steps(whole, found), *last_steps), image)


def _first_steps(whole: NDArray[np.uint8], found: DigitInk) -> tuple[PreparationStep, ...]:
    height, width = whole.shape[:2]
    steps = [
        PreparationStep(
            "picture",
            f"As given, upright: {width} by {height} pixels.",
            shrink(whole, SHOWN),
            {"width": width, "height": height},
        )
    ]
    layout = found.layout
    rows, columns = layout.searched((height, width))
    if (rows.stop - rows.start) * (columns.stop - columns.start) < height * width:
        closer = shrink(whole[rows, columns], SHOWN)
        steps.append(PreparationStep("closer", "The part with writing is searched again, in another size.", closer))
    return (
        *steps,
        PreparationStep("ink", "How probable it is, for each pixel, that it is ink.", as_bytes(layout.ink)),
        PreparationStep("digit", "The ink that belongs to the digit.", as_bytes(found.in_map)),
    )


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


def _width_sentence(width: float, target: float) -> str:
    now = f"Its strokes are {width:.1f} of MNIST's pixels wide"
    if target == width:
        return f"{now}, as in MNIST."
    return f"{now}; they are made {'thicker' if target > width else 'thinner'}, {target:.1f}."
