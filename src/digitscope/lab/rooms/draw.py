"""The room Draw: a drawing, its preparation, the answer, and everything that the network computed on the way."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from digitscope import explain
from digitscope.arrays import Array
from digitscope.errors import DataError
from digitscope.explain.pixels import pixel_slopes
from digitscope.explain.trace import Call, Trace, network_input
from digitscope.explain.units import most_exciting, receptive_field, shown_calls
from digitscope.jobs.drawn_digit import (
    DrawnAnswer,
    answer_drawing,
    answer_picture,
    stroke_effects,
)
from digitscope.jobs.teach import TeachSettings
from digitscope.lab.background import Background, Progress
from digitscope.lab.digit_files import FileForm, digits_file
from digitscope.lab.drawings import (
    Drawing,
    Parts,
    damaged_model,
    damaged_network,
    decoded_image,
    pen_strokes,
    shown_image,
)
from digitscope.lab.encoding import base64_text, encoded, png
from digitscope.lab.explanations import MOST_TERMS, explained
from digitscope.lab.requests import Bounds
from digitscope.lab.routes import Download, NotFoundError, Page, Route, Upload
from digitscope.lab.state import Lab
from digitscope.lab.taught_digits import TAUGHT_DIGITS, TaughtDigits
from digitscope.lab.teaching import Lesson, TaughtModel, teach_digits
from digitscope.model import Answer, Model
from digitscope.nn import Conv1D, Conv2D, Dense, Flatten
from digitscope.reader import Reading
from digitscope.vision.drawing import draw_strokes
from digitscope.vision.normalize import SHAPE
from digitscope.vision.prepare import PreparationStep

MOST_EFFECTS = 60
"""Strokes of a drawing whose effects are computed."""
MOST_NUMBERS = 12_000
"""Numbers of a layer that are sent; the maps of large layers are not all sent."""
EXCITING = 9
"""Images that excite a unit most."""
SEARCHED = 2000
"""Images that are searched for them: enough for every pattern that a unit may have learned, and done in seconds."""
REMEMBERED = 100
"""Digits taught before that are rehearsed with a new one."""
NEWEST = 60
"""Taught digits that are sent to the page."""
SETTINGS = TeachSettings()
LARGEST_PICTURE = 24 << 20  # bytes: a photo of a phone has up to 15 MB

Name = Annotated[str, Bounds(1, 100)]


@dataclass(frozen=True)
class DrawingQuestion:
    """A model, maybe damaged, and what is shown to it."""

    model: Name
    drawing: Drawing
    damage: Parts = ()


@dataclass(frozen=True)
class UnitQuestion(DrawingQuestion):
    """A unit: a number of a layer's output."""

    layer: Annotated[str, Bounds(1, 60)] = "output"
    index: Annotated[tuple[Annotated[int, Bounds(0, 1 << 24)], ...], Bounds(1, 3)] = (0,)


@dataclass(frozen=True)
class TermsQuestion(DrawingQuestion):
    """A number of the forward pass, and which of its terms, the largest first."""

    of: Annotated[str, Bounds(1, 100)] = "output"
    index: Annotated[tuple[Annotated[int, Bounds(0, 1 << 24)], ...], Bounds(0, 6)] = (0, 0)
    numeric: bool = False
    """Has no effect: there are no derivatives here."""
    first: Annotated[int, Bounds(0, 10_000_000)] = 0
    count: Annotated[int, Bounds(1, MOST_TERMS)] = 20


@dataclass(frozen=True)
class WhyQuestion(DrawingQuestion):
    """Two digits that are compared; by default the answer and the next most probable one."""

    digit: Annotated[int, Bounds(0, 999)] | None = None
    other: Annotated[int, Bounds(0, 999)] | None = None


def answer(lab: Lab, question: DrawingQuestion) -> dict[str, object]:
    """What the model reads in a drawing, with and without the preparation."""
    model = damaged_model(lab.model(question.model), question.damage)
    drawing = question.drawing
    if drawing.image is not None:
        image = decoded_image(drawing.image, model.image_shape)
        (found,) = model.answers(image[None], threads=1)
        return {"answer": _answer(found), "image": encoded(image)}
    return _drawn(answer_drawing(draw_strokes(pen_strokes(drawing.strokes)), model), skip_first=True)


def picture(lab: Lab, file: Upload) -> dict[str, object]:
    """Prepares a picture of a digit, such as a photo; its answer is that of the model that the lab was started with."""
    return _drawn(answer_picture(file.content, lab.model(lab.default_model)), skip_first=False)


def _drawn(found: DrawnAnswer, *, skip_first: bool) -> dict[str, object]:
    """skip_first: the page has the picture of the first step already."""
    steps = found.preparation.steps
    return {
        "answer": _answer(found.answer),
        "image": encoded(found.preparation.image),
        "unprepared": {"answer": _answer(found.unprepared_answer), "image": encoded(found.unprepared)},
        "steps": [_step(step, picture=not (skip_first and step is steps[0])) for step in steps],
        "number": None if found.number is None else _number(found.number),
    }


def _answer(found: Answer) -> dict[str, object]:
    return {
        "digit": found.digit,
        "is_digit": found.is_digit,
        "probabilities": found.probabilities.astype(float).tolist(),
        "plausible": list(found.plausible),
        "evidence": found.evidence,
        "threshold": found.evidence_threshold if np.isfinite(found.evidence_threshold) else None,
        "refuse": found.refuse,
    }


def _step(step: PreparationStep, *, picture: bool) -> dict[str, object]:
    shown = {"picture": base64_text(png(step.image))} if picture else {}
    return {"key": step.name, "values": {name: float(value) for name, value in step.values.items()}, **shown}


def _number(reading: Reading) -> dict[str, object]:
    digits = [
        {"label": digit.label, "confidence": digit.confidence, "box": list(digit.box)}
        for line in reading.lines
        for digit in line.digits
    ]
    return {"lines": [line.text for line in reading.lines], "confidence": reading.confidence, "digits": digits}


def layers(lab: Lab, question: DrawingQuestion) -> dict[str, object]:
    """What each layer computes."""
    model = damaged_model(lab.model(question.model), question.damage)
    trace = Trace(model.network, network_input(model.network, shown_image(question.drawing, model)[None]))
    return {"layers": [_layer(call) for call in shown_calls(trace.calls[""])]}


def _layer(call: Call) -> dict[str, object]:
    values = np.asarray(call.y)[..., 0]
    shape = list(values.shape)
    shown = max(1, MOST_NUMBERS // int(np.prod(shape[1:]))) if len(shape) > 1 else MOST_NUMBERS
    largest = float(np.abs(values).max())
    return {
        "name": call.output,
        "path": call.path,
        "kind": type(call.layer).__name__,
        "text": type(call.layer).__name__ if call.parts else repr(call.layer),
        "shape": shape,
        "parameters": sum(array.size for array in call.layer.params.values()),
        "has_parts": bool(call.layer.parts),
        "largest": largest,
        "values": encoded(_levels(values[:shown], largest)),
    }


def _levels(values: Array, largest: float) -> Array:
    """The values in 255 levels: 128 for 0, 255 for `largest` and 1 for its negative."""
    levels: Array = np.round(128 + 127 * values / (largest or 1.0)).astype(np.uint8)
    return levels


def unit(lab: Lab, question: UnitQuestion) -> dict[str, object]:
    """One unit: its value, its weights, what it sees, and the test images that excite it most."""
    whole = lab.model(question.model)
    model = damaged_model(whole, question.damage)
    image = shown_image(question.drawing, model)
    trace = Trace(model.network, network_input(model.network, image[None]))
    call = {call.output: call for call in shown_calls(trace.calls[""])}.get(question.layer)
    if call is None:
        raise DataError(f"The model has no layer {question.layer!r}. It has {', '.join(trace.arrays)}.")
    index, shape = question.index, call.y.shape[:-1]
    if len(index) != len(shape) or any(i >= length for i, length in zip(index, shape, strict=True)):
        raise DataError(f"The layer {question.layer} has the shape {shape}; got the index {index}.")
    row, column = index[1:] if len(index) == 3 else (0, 0)
    is_off = any(
        part.kind == "off" and part.layer == call.path and (not part.units or index[0] in part.units)
        for part in question.damage
    )
    return {
        "value": float(call.y[(*index, 0)]),
        "off": is_off,
        "field": receptive_field(trace, question.layer, row, column, model.image_shape),
        "weights": _weights(call, index[0], trace, model.image_shape),
        "exciting": _exciting(lab, question, whole, trace),
    }


def _weights(call: Call, unit: int, trace: Trace, image_shape: tuple[int, int]) -> dict[str, object] | None:
    """The unit's weights, (channels, rows, columns), laid out as what they are multiplied by; None if it has none."""
    if not isinstance(call.layer, Conv1D | Conv2D | Dense):
        return None
    weight = np.asarray(call.layer.params["weight"][unit], np.float32)
    if isinstance(call.layer, Conv1D | Conv2D):
        return encoded(weight.reshape(len(weight), -1, weight.shape[-1]))
    source = trace.calls.get(call.input)
    if source is not None and isinstance(source.layer, Flatten) and source.x.ndim == 4:
        return encoded(weight.reshape(source.x.shape[:-1]))
    is_image = weight.size == image_shape[0] * image_shape[1]
    return encoded(weight.reshape((1, *image_shape) if is_image else (1, 1, -1)))


def terms(lab: Lab, question: TermsQuestion) -> dict[str, object]:
    """Why a number of the forward pass has its value: the terms that sum to it, its formula and its code."""
    model = lab.model(question.model)
    image = shown_image(question.drawing, model)
    # In float64 the terms add up to what the pass computed, to all digits that are shown.
    network = damaged_network(model.network.astype(np.float64), question.damage)
    found = explain.terms(network, image[None], of=question.of, index=question.index, loss=model.loss)
    given = {*network.params, *network.statistics, "images"}
    return explained(found, first=question.first, count=question.count, given=given)


def _exciting(lab: Lab, question: UnitQuestion, model: Model, trace: Trace) -> list[dict[str, object]] | None:
    """The images, or None while they are searched: the page asks again."""
    _, images, labels = lab.mnist.evaluation_split
    images = images[:SEARCHED]
    if images.shape[1:] != model.image_shape:
        return []
    found = _room(lab).searches.ask(
        question.model, lambda report: most_exciting(model.network, images, EXCITING, report), wait=0
    )
    if isinstance(found, Progress):
        return None
    exciting, unit = found[question.layer], question.index[0]
    listed: list[dict[str, object]] = []
    for k, n in enumerate(exciting.images[unit].tolist()):
        place = int(exciting.rows[unit, k]), int(exciting.columns[unit, k])
        listed.append(
            {
                "index": n,
                "label": int(labels[n]),
                "value": float(exciting.outputs[unit, k]),
                "field": receptive_field(trace, question.layer, *place, model.image_shape),
                "image": encoded(images[n]),
            }
        )
    return listed


class _Room:
    """What the room keeps for a lab."""

    def __init__(self, lab: Lab) -> None:
        self.searches = Background(4)
        self.digits = TaughtDigits(lab.folder / TAUGHT_DIGITS)
        self.lesson = Lesson(lab.teacher, lambda state: lab.hub.publish("draw.lesson", state))
        lab.at_close(self.searches.close)
        lab.at_close(self.lesson.cancel)


def _room(lab: Lab) -> _Room:
    return lab.shared(_Room)


def why(lab: Lab, question: WhyQuestion) -> dict[str, object]:
    """What speaks for the answer: the derivative with respect to each pixel, and the effect of each stroke."""
    model = damaged_model(lab.model(question.model), question.damage)
    image = shown_image(question.drawing, model)
    for digit in (question.digit, question.other):
        if digit is not None and digit >= model.classes:
            raise DataError(f"The model has the digits 0 to {model.classes - 1}; got {digit}.")
    (outputs,) = model.logits(image[None], threads=1)
    order = [int(k) for k in np.argsort(-outputs, kind="stable")]
    first = order[0] if question.digit is None else question.digit
    second = next(k for k in order if k != first) if question.other is None else question.other
    return {
        "digit": first,
        "other": second,
        "margin": float(outputs[first] - outputs[second]),
        "image": encoded(image),
        "slopes": encoded(pixel_slopes(model, image, first, second).astype(np.float32)),
        "strokes": _effects(question.drawing, model, first, second),
    }


def _effects(drawing: Drawing, model: Model, digit: int, other: int) -> list[Mapping[str, object] | None]:
    """For each stroke: how much it adds to the margin, and the answer without it. Empty for pictures."""
    if drawing.image is not None or len(drawing.strokes) > MOST_EFFECTS:
        return []
    strokes = pen_strokes(drawing.strokes)
    found = stroke_effects(strokes, model, digit=digit, other=other, prepared=drawing.prepared)
    return [
        None
        if effect is None
        else {
            "effect": found.margin - effect.margin,
            "digit": effect.digit,
            "probability": effect.probability,
            "is_digit": effect.is_digit,
        }
        for effect in found.strokes
    ]


@dataclass(frozen=True)
class TeachRequest:
    """A drawing and what it is."""

    model: Name
    drawing: Drawing
    label: Annotated[int, Bounds(0, 999)]


def teach(lab: Lab, request: TeachRequest) -> dict[str, object]:
    """Begins to teach a copy of the model what a drawing is, and keeps the drawing."""
    model, label = lab.model(request.model), request.label
    if label >= model.classes:
        raise DataError(f"The model has the digits 0 to {model.classes - 1}; got {label}.")
    image = shown_image(request.drawing, model)
    room = _room(lab)
    images, labels = room.digits.all() if model.image_shape == SHAPE else (image[:0], np.zeros(0, np.int64))
    images, labels = images[-REMEMBERED:], labels[-REMEMBERED:]
    # What it was taught before and still reads is not to be forgotten.
    known = (images != image).any(axis=(1, 2)) & (labels < model.classes)
    if known.any():
        known[known] = model.predict(images[known], threads=1) == labels[known]
    examples = np.concatenate([image[None], images[known]])
    example_labels = np.concatenate([[label], labels[known]])

    def keep(taught: TaughtModel) -> dict[str, object]:
        return {
            "former": request.model,
            "model": None if taught.problem else lab.keep(taught.model, "taught"),
            "label": label,
            "image": encoded(image)["data"],
            "before": taught.before.astype(float).tolist(),
            "after": taught.after.astype(float).tolist(),
            "test_images": taught.test_images,
            "test_correct_before": taught.test_correct_before,
            "test_correct_after": taught.test_correct_after,
            "problem": taught.problem,
        }

    state = room.lesson.start(teach_digits, (model, examples, example_labels, SETTINGS), keep)
    if model.image_shape == SHAPE:
        room.digits.add(image, label)
    return state


def lesson(lab: Lab) -> dict[str, object]:
    """The lesson that is running, or the result of the last one."""
    return _room(lab).lesson.state


def cancel(lab: Lab) -> dict[str, object]:
    """Ends the lesson that is running."""
    _room(lab).lesson.cancel()
    return _room(lab).lesson.state


def taught(lab: Lab) -> dict[str, object]:
    """How many digits the lab was taught, by label, and the newest of them."""
    images, labels = _room(lab).digits.all()
    newest = slice(-NEWEST, None)
    counts = {str(label): int((labels == label).sum()) for label in np.unique(labels)}
    return {
        "count": len(labels),
        "labels": counts,
        "newest": {"labels": labels[newest].tolist(), "images": encoded(images[newest])},
    }


@dataclass(frozen=True)
class ForgetRequest:
    """Which of the taught digits to delete."""

    image: Annotated[str, Bounds(4, 20_000)] | None = None
    """Its pixels in base64; all digits without it."""


def forget(lab: Lab, request: ForgetRequest) -> dict[str, object]:
    """Deletes one of the taught digits, or all of them."""
    digits = _room(lab).digits
    if request.image is None:
        digits.clear()
    else:
        digits.remove(decoded_image(request.image, SHAPE))
    return taught(lab)


@dataclass(frozen=True)
class DownloadRequest:
    """In which form."""

    form: FileForm


def download(lab: Lab, request: DownloadRequest) -> Download:
    """The taught digits as a file."""
    images, labels = _room(lab).digits.all()
    if not len(labels):
        raise NotFoundError("No digits were taught yet.")
    return digits_file("taught-digits", request.form, images, labels)


PAGES = [Page("/draw", "draw")]
ROUTES = [
    Route("POST", "/api/draw/answer", "What a model reads in a drawing.", answer),
    Route("POST", "/api/draw/picture", "Prepares a picture of a digit.", picture, largest=LARGEST_PICTURE),
    Route("POST", "/api/draw/layers", "What each layer computes for a drawing.", layers),
    Route("POST", "/api/draw/unit", "One unit of a layer.", unit),
    Route("POST", "/api/draw/terms", "Why a number of the forward pass has its value.", terms),
    Route("POST", "/api/draw/why", "What speaks for the answer.", why),
    Route("POST", "/api/draw/teach", "Begins to teach the network what a drawing is.", teach),
    Route("GET", "/api/draw/lesson", "The lesson that is running, or what came of the last one.", lesson),
    Route("POST", "/api/draw/lesson/cancel", "Ends the lesson that is running.", cancel),
    Route("GET", "/api/draw/taught", "The digits that the lab was taught.", taught),
    Route("POST", "/api/draw/taught/forget", "Deletes taught digits.", forget),
    Route("GET", "/api/draw/taught/file", "The taught digits as a file.", download),
]
