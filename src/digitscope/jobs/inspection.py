"""`digitscope look` without the terminal: what each layer of a model computes for one picture."""

import math
from typing import Any

import numpy as np

from digitscope.arrays import Array
from digitscope.explain.definition import derivations
from digitscope.explain.pixels import pixel_slopes
from digitscope.explain.trace import Call, Trace, network_input
from digitscope.explain.units import shown_calls
from digitscope.model import REFUSED_SHARE, Model
from digitscope.nn import Dropout, Ensemble, ShiftAverage, Standardize
from digitscope.report.inspection_page import Inspection, LayerOutput
from digitscope.vision import prepare
from digitscope.vision.decode import PictureSource

LAYER_SENTENCES = {
    "AveragePool2D": "The mean of each window: the maps become smaller.",
    "BatchNorm": "Each channel is shifted and scaled by its mean and variance over many training images.",
    "Conv1D": "One row for each kernel, which moves along the sequence.",
    "Conv2D": "One map for each kernel, which moves over the input. Orange: its pattern is here. Blue: the opposite.",
    "Dense": "Each number is a weighted sum of all numbers of the input, plus a bias.",
    "DepthToSpace": "Channels become pixels: the maps become larger.",
    "Dropout": "Unchanged: dropout acts in training only.",
    "Ensemble": "The mean of the members' probabilities, as logits.",
    "Flatten": "The same numbers in one column.",
    "FoldHeight": "Each column of the maps becomes one step of a sequence.",
    "Frozen": "The output of layers that do not learn.",
    "GlobalAveragePool2D": "One number for each map: its mean.",
    "LeakyReLU": "Negative numbers are scaled down.",
    "MaxPool2D": "The maximum of each window: the maps become smaller, and a small shift changes little.",
    "MaxPoolHeight": "The maximum of each window over the rows: the maps become lower.",
    "Network": "The output of the layers inside.",
    "ReLU": "Negative numbers become 0.",
    "Reshape": "The same numbers, laid out in another shape.",
    "Residual": "The input of the block plus the output of its layers, which are shown above.",
    "ShiftAverage": "The mean of the probabilities for all shifted copies of the image, as logits.",
    "Sigmoid": "Each number is squeezed into the range from 0 to 1.",
    "Skip": "The maps of the input, then those of the output of its layers, which are shown above.",
    "SpaceToDepth": "Pixels become channels: the maps become smaller, and nothing is lost.",
    "SplitSteps": "Each step of the sequence becomes several.",
    "Standardize": "The numbers minus their mean, divided by their standard deviation: brightness and contrast go.",
    "Tanh": "Each number is squeezed into the range from -1 to 1.",
    "Upsample2D": "Each number is repeated in a square: the maps become larger.",
}
"""What each layer does, by its class."""


def inspect_picture(
    picture: PictureSource, model: Model, *, name: str, model_name: str, refuse: float = REFUSED_SHARE
) -> Inspection:
    """Prepares a picture of one digit, reads it, and keeps what each layer computed.

    name, model_name: the names of the picture and the model on the page; refuse: as in `Model.answers`

    For an ensemble or test-time augmentation, the layers of one member (or shift) are kept, and the outputs of all.
    Raises: PictureError if the picture cannot be read, NoInkError if nothing is written on it.
    """
    preparation = prepare(picture, model.image_shape)
    image = preparation.image
    (answer,) = model.answers(image[None], refuse=refuse)
    order = np.argsort(-answer.probabilities, kind="stable")
    digit, other = int(order[0]), int(order[min(1, len(order) - 1)])
    return Inspection(
        picture=name,
        model=model_name,
        steps=tuple((step.name, step.sentence, step.image) for step in preparation.steps),
        image=image,
        digit=digit,
        other=other,
        answer=answer.text if answer.is_digit else f"not a digit; most like {answer.text}",
        is_digit=answer.is_digit,
        probabilities=answer.probabilities,
        plausible=answer.plausible,
        evidence=answer.evidence,
        evidence_sentence=f"Digit {answer.evidence_text}.",
        slope=pixel_slopes(model, image, digit, other),
        layers=layer_outputs(model, image),
    )


def layer_outputs(model: Model, image: Array) -> tuple[LayerOutput, ...]:
    """What each layer computes for one image, uint8 (H, W), in the order in which the layers finish."""
    trace = Trace(model.network, network_input(model.network, image[None]))
    return tuple(_layer_output(call, image.shape) for call in shown_calls(trace.calls[""]))


def _layer_output(call: Call, image_shape: tuple[int, ...]) -> LayerOutput:
    layer, parent = call.layer, call.parent
    definition: Any = type(layer)
    kind = definition.__name__
    sentence = LAYER_SENTENCES.get(kind, f"The output of {kind}.")
    text = kind if call.parts else repr(layer)
    if parent is not None and isinstance(parent.layer, Ensemble) and call.parts:
        text, sentence = "member", "The logits of this member of the ensemble."
    elif parent is not None and isinstance(parent.layer, ShiftAverage):
        down, right = parent.layer.shifts[parent.parts.index(call)]
        text = f"shift by {down}, {right}"
        sentence = f"The logits for the image shifted by {down} pixels down and {right} to the right."
    values = np.asarray(call.y)[..., 0]
    shape = values.shape
    if isinstance(layer, Standardize | Dropout) and shape == (math.prod(image_shape),):
        values = values.reshape(image_shape)  # still one number for each pixel
    notes = next(iter(derivations(definition)), None)
    return LayerOutput(call.name or "output", text, sentence, shape, values, notes)
