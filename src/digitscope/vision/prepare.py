"""From a picture of one digit to an image as MNIST has them, each step shown."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from digitscope.arrays import Array
from digitscope.errors import NoInkError
from digitscope.vision.decode import PictureSource, as_bytes, shrink, source_name, to_picture
from digitscope.vision.ink import Ink, along, find_ink, ink_axis
from digitscope.vision.normalize import WIDTHS, centre, cut_out, enlarge, fit_box, set_width, stroke_width

WORKING = 320  # pixels of the longer side in which ink is looked for
SMALL = 0.2  # of the longer side: a digit no larger than that is looked at again, enlarged


@dataclass(frozen=True, eq=False)
class PreparationStep:
    """One step on the way. image: uint8, (H, W) or (H, W, 3) in colour"""

    name: str
    sentence: str
    image: NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Preparation:
    """How a picture became an image."""

    steps: tuple[PreparationStep, ...]
    image: NDArray[np.uint8]
    """(28, 28), 0 paper to 255 ink."""


def prepare(picture: PictureSource) -> Preparation:
    """Finds the digit in a picture and converts it to MNIST's format.

    `vision.decode.to_picture` states what a picture may be: a path, bytes, an open file, a PIL image or an array.

    Raises: PictureError if the picture cannot be read, NoInkError if nothing is written on it.
    """
    return prepare_decoded(to_picture(picture), source_name(picture))


def prepare_decoded(whole: NDArray[np.uint8], name: str) -> Preparation:
    """`prepare` of a picture (H, W, 3) that is decoded already; errors call it by this name."""
    colours = shrink(whole, WORKING)
    value, found = _look(colours)
    if found is None:
        raise NoInkError(
            f"{name} shows no ink: nothing stands out from its paper. "
            "Write larger or darker, or give the part with the digit."
        )
    steps = [PreparationStep("picture", f"As it came, upright, {whole.shape[1]} by {whole.shape[0]} pixels.", colours)]
    near = _around(found.digit, whole)
    if near is not None:
        closer = shrink(near, WORKING)
        value_there, there = _look(closer)
        if there is not None:
            steps.append(
                PreparationStep(
                    "closer", "The digit is small, so its surroundings are looked at again, larger.", closer
                )
            )
            value, found = value_there, there
    digit = cut_out(found.coverage)
    drawing = enlarge(digit)
    now = stroke_width(drawing)
    wanted = float(np.clip(now, *WIDTHS))
    if wanted != now:
        drawing = digit = set_width(drawing, now, wanted)
    box = fit_box(digit)
    image = centre(box)
    steps += [
        *_ink_steps(value, found),
        PreparationStep("strokes", _about_width(now, wanted), as_bytes(drawing)),
        PreparationStep("box", "Scaled to fit 20 by 20 pixels, in its proportions, with soft edges.", box),
        PreparationStep("image", "Placed in 28 by 28 pixels by its centre of mass: what the network sees.", image),
    ]
    return Preparation(tuple(steps), image)


def _look(colours: NDArray[np.uint8]) -> tuple[Array, Ink | None]:
    rgb = colours.astype(np.float32) / 255
    value = along(rgb, ink_axis(rgb))
    return value, find_ink(value)


def _around(digit: Array, whole: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """The part of the picture with the digit and as much around it, where that shows the digit much larger."""
    scale = max(whole.shape[:2]) / max(digit.shape)
    places = [np.flatnonzero(digit.any(axis=1 - axis)) for axis in (0, 1)]
    size = max(place[-1] - place[0] + 1 for place in places)
    if scale < 1.5 or size > SMALL * max(digit.shape):
        return None
    parts = [slice(max(0, round((p[0] - size) * scale)), round((p[-1] + 1 + size) * scale)) for p in places]
    return whole[parts[0], parts[1]]


def _ink_steps(value: Array, found: Ink) -> tuple[PreparationStep, ...]:
    kind, other = ("dark", "light") if found.dark else ("light", "dark")
    lines = " Lines that cross the whole picture are taken away." if found.ruled else ""
    return (
        PreparationStep("grey", "In the one direction of colour in which the ink stands out most.", as_bytes(value)),
        PreparationStep(
            "paper", f"The paper alone: {kind} strokes on {other} paper, painted over.", as_bytes(found.paper)
        ),
        PreparationStep(
            "contrast", f"How far each point differs from its paper.{lines}", as_bytes(found.contrast / found.level)
        ),
        PreparationStep("ink", "All that is ink.", as_bytes(found.ink)),
        PreparationStep("digit", "What of it belongs to the digit.", as_bytes(found.coverage)),
    )


def _about_width(now: float, wanted: float) -> str:
    if wanted == now:
        return f"Strokes of {now:.1f} of MNIST's pixels, as MNIST has them."
    return f"Strokes of {now:.1f} of MNIST's pixels made {'thicker' if wanted > now else 'thinner'}: {wanted:.1f}."
