"""What a model reads in a drawing or a picture, with and without the preparation, and what each stroke counts for."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from digitscope.arrays import Array
from digitscope.errors import NoInkError
from digitscope.model import Answer, Model
from digitscope.nn import BackgroundCrossEntropy
from digitscope.reader import CLASSES, Reading, read, read_ink
from digitscope.vision.decode import PictureSource, to_picture
from digitscope.vision.drawing import PenStroke, draw_strokes, prepare_drawing, shrink_only
from digitscope.vision.prepare import Preparation, prepare_decoded

SURE_OF_NUMBER = 0.9
"""Minimum confidence of a number of several digits if the whole picture could also be one digit."""


@dataclass(frozen=True, eq=False)
class DrawnAnswer:
    """What a model reads."""

    preparation: Preparation
    answer: Answer
    unprepared: NDArray[np.uint8]
    """(H, W): the picture only scaled to the size of the model's images."""
    unprepared_answer: Answer
    number: Reading | None
    """The reading of the whole picture, if it shows several digits."""


def answer_drawing(ink: Array, model: Model) -> DrawnAnswer:
    """What a model reads in the ink of a drawing.

    Shapes: (H, W), 0 paper to 1 ink. Raises: NoInkError if nothing is drawn.
    """
    preparation = prepare_drawing(ink, model.image_shape)
    unprepared = shrink_only(ink, model.image_shape)
    answer, unprepared_answer = model.answers(np.stack([preparation.image, unprepared]), threads=1)
    # A model that knows what is not a digit takes several digits for none.
    may_be_number = model.classes == CLASSES and not (
        answer.is_digit and isinstance(model.loss, BackgroundCrossEntropy)
    )
    reading = read_ink(ink, model) if may_be_number else None
    return DrawnAnswer(preparation, answer, unprepared, unprepared_answer, _number(reading, answer))


def answer_picture(picture: PictureSource, model: Model) -> DrawnAnswer:
    """What a model reads in a picture, such as a photo.

    Raises: PictureError if the picture cannot be read, NoInkError if nothing is written on it.
    """
    colours = to_picture(picture)
    preparation = prepare_decoded(colours, "The picture", model.image_shape)
    grey = colours.mean(axis=2, dtype=np.float32) / 255
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    unprepared = shrink_only(1 - grey if np.median(border) > 0.5 else grey, model.image_shape)
    answer, unprepared_answer = model.answers(np.stack([preparation.image, unprepared]), threads=1)
    reading = read(colours, model) if model.classes == CLASSES else None
    return DrawnAnswer(preparation, answer, unprepared, unprepared_answer, _number(reading, answer))


def _number(reading: Reading | None, answer: Answer) -> Reading | None:
    if reading is None or reading.digits < 2:
        return None
    return reading if not answer.is_digit or reading.confidence > SURE_OF_NUMBER else None


@dataclass(frozen=True)
class StrokeEffect:
    """What the model computes if one stroke is left out."""

    margin: float
    """output[digit] - output[other] without the stroke. The stroke's effect is the margin of the whole drawing minus
    this number: it is positive if the stroke speaks for `digit`."""
    digit: int
    """The answer without the stroke."""
    probability: float
    """Its probability."""
    is_digit: bool


@dataclass(frozen=True)
class StrokeEffects:
    """What each stroke of a drawing counts for."""

    margin: float
    """output[digit] - output[other] for the whole drawing."""
    strokes: tuple[StrokeEffect | None, ...]
    """None for a stroke without which nothing is left."""


def stroke_effects(
    strokes: Sequence[PenStroke], model: Model, *, digit: int, other: int, prepared: bool = True
) -> StrokeEffects:
    """Reads the drawing without each of its strokes in turn: everything is computed again, the preparation included.

    digit, other: the classes that are compared

    Raises: NoInkError if nothing is drawn.
    """
    whole = _image(strokes, model, prepared)
    if whole is None:
        raise NoInkError("Nothing is drawn yet. Draw a digit first.")
    without = [_image([*strokes[:k], *strokes[k + 1 :]], model, prepared) for k in range(len(strokes))]
    images = np.stack([whole, *(image for image in without if image is not None)])
    outputs = model.logits(images, threads=1)
    answers = model.answers_from_logits(outputs)
    margins = (outputs[:, digit] - outputs[:, other]).tolist()
    found = zip(margins[1:], answers[1:], strict=True)
    effects: list[StrokeEffect | None] = []
    for image in without:
        if image is None:
            effects.append(None)
            continue
        margin, answer = next(found)
        effects.append(StrokeEffect(margin, answer.digit, answer.probability, answer.is_digit))
    return StrokeEffects(margins[0], tuple(effects))


def _image(strokes: Sequence[PenStroke], model: Model, prepared: bool) -> NDArray[np.uint8] | None:
    if not strokes:
        return None
    ink = draw_strokes(strokes)
    try:
        return prepare_drawing(ink, model.image_shape).image if prepared else shrink_only(ink, model.image_shape)
    except NoInkError:
        return None
