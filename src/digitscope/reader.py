"""Reads all numbers in a picture.

`vision.layout` finds the lines of writing, and a network reads each of them (`vision.line_reader`): digits, signs, and
a mark for everything else. The digits' images are classified by the model, too. Characters that touch are cut in
several ways; the one counts in which the model is surest of the text's digits. Among the texts that the network finds
most probable, one with the features f has the probability

    exp(w f) / sum over all texts of exp(w f'),

a conditional logit (McFadden 1974). The features are what the network says, what the model says of the digits'
images, and what is counted in the text; the `Weights` w are fitted. The probability of a number is that of all texts
that have its digits in this order. A number in a line with letters is less probable, because a digit may be a letter,
or a letter a digit. A picture of a single digit is read as `vision.prepare` and the model read it, even if the network
sees none in its only component.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import compress
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from digitscope.arguments import check_kind
from digitscope.arrays import Array
from digitscope.errors import ModelError
from digitscope.metrics import CONFIDENT
from digitscope.model import Model
from digitscope.nn import BackgroundCrossEntropy
from digitscope.nn.ctc import beam_search
from digitscope.training import thread_count
from digitscope.vision.characters import INKED, Cuttings, best_cuts
from digitscope.vision.decode import PictureSource, to_picture
from digitscope.vision.layout import PageLayout, Part, as_one_line, find_digit, find_layout, layout_of_ink, turned
from digitscope.vision.line_reader import (
    LINE_NETWORK,
    OTHER,
    LineLogits,
    LineReader,
    as_written,
    shares_kept,
    to_labels,
    to_text,
)
from digitscope.vision.normalize import Shape, centre, cut_out, fit_box
from digitscope.vision.prepare import fit_to_format

Box = tuple[float, float, float, float]
"""left, top, right, bottom in pixels of the picture."""

SIDES = ("left", "top", "right", "bottom")
"""Of a picture, in the order of a box."""
CLASSES = 10
TEXTS = 6
"""Number of texts, with different digits, among which the model decides."""
LEAST = 1e-4
"""The least probability that the model is believed to give a digit."""
UPRIGHT = 0.35
"""A page with a score of less for each digit may be turned. A digit that is sure has a score of 0.5."""
MAX_PIECES = 100
"""Maximum number of components that are read as pieces of one line, such as the segments of a display."""
ONE_LINE = 0.3
"""Minimum score for each digit of several lines that are read as one."""
GAIN = 0.2
"""Minimum gain in it."""
TURNED = 1.4
"""Minimum score of a turned page: words upside down may look like two or three digits.

For a quarter turn it is enough that at least two digits are read, all of them CONFIDENT, and nothing else.
"""


class Weights(NamedTuple):
    """How much each feature of a text counts.

    `benchmarks.fit_reading` fits them to generated pictures. The present ones were fitted with the line reader's former
    weights; fitted again, they read no more numbers. They differ from fitted ones in two ways: a slash costs less,
    because slashes are rare in these pictures; and all are divided by 1.2, so that of the answers with a confidence of
    0.9 or more no more than 3 % are wrong.
    """

    log_p: float = 0.53
    """log P of all texts with these digits, according to the line reader."""
    log_class: float = 0.42
    """The sum over the digits of log P(digit | image, a digit)."""
    least_digit: float = 0.88
    """The least of the digits' log P(a digit | image)."""
    digits: float = 0.76
    """The number of digits: a longer text has more factors, each below 1."""
    slashes: float = -0.25
    """The number of slashes, which look like 1."""
    others: float = -1.16
    """The number of runs of letters, or of other things."""
    beside_letters: float = 0.4
    """How much less probable a line's digits are if it has letters, too."""

    @property
    def of_features(self) -> Array:
        return np.array(self[:-1])


WEIGHTS = Weights()


@dataclass(frozen=True, repr=False)
class ReadDigit:
    """A digit of a number."""

    label: int
    confidence: float
    """The probability that this digit is in this place."""
    box: Box
    image: NDArray[np.uint8] = field(compare=False)
    """(H, W): the digit as the model saw it."""

    def __str__(self) -> str:
        return str(self.label)

    def __repr__(self) -> str:
        box = ", ".join(f"{side:.0f}" for side in self.box)
        return f"ReadDigit({self.label}, confidence={self.confidence:.3f}, box=({box}))"


@dataclass(frozen=True, repr=False)
class ReadLine:
    """A line of writing with digits, from left to right."""

    text: str
    """As written, with signs, decimal points and one blank between numbers. Letters are left out."""
    digits: tuple[ReadDigit, ...]
    confidence: float
    """The probability that the line's digits are right: none is wrong, missing or superfluous."""
    left_out: tuple[Box, ...] = ()
    """Letters and other things in this line, which are not read."""
    cut: tuple[str, ...] = ()
    """The sides of the picture, of SIDES, that the line's writing reaches, so that they may cut it."""

    @property
    def digits_alone(self) -> str:
        """The digits without signs and blanks."""
        return "".join(map(str, self.digits))

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"ReadLine({self.text!r}, confidence={self.confidence:.3f})"


@dataclass(frozen=True, repr=False)
class Reading:
    """The lines of digits in a picture. str(reading) is their text."""

    lines: tuple[ReadLine, ...]
    """From top to bottom; empty if there are no digits."""
    confidence: float
    """The probability that every line is right, and that no other has digits."""
    left_out: tuple[Box, ...] = ()
    """Writing that is not read, in all lines: letters and other things."""

    @property
    def digits(self) -> int:
        """The number of digits."""
        return sum(len(line.digits) for line in self.lines)

    @property
    def text(self) -> str:
        """The text of each line, separated by line breaks."""
        return "\n".join(map(str, self.lines))

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"Reading({self.text!r}, confidence={self.confidence:.3f})"


def read(
    picture: PictureSource, model: Model | str | os.PathLike[str] | None = None, *, threads: int | None = 1
) -> Reading:
    """All digits in a picture, line by line.

    picture: a path, bytes, an open file, a PIL image or an array, as `vision.decode.to_picture` takes it
    model: a model of ten digits, or its file or name; None for the default model, which is loaded once
    Raises: PictureError if the picture cannot be read; ModelError for another model.
    """
    pixels, reader = to_picture(picture), PictureReader(_to_model(model), thread_count(threads))
    layout = find_layout(pixels)
    reading = reader.read(layout, pixels.shape[:2])
    if reading.text.isdigit() and reading.digits == 1:
        return reader.read_as_one(reading, pixels)
    if not reading.lines and len(layout.components) == 1:
        return reader.read_nothing_as_one(reading, pixels)
    return reading


def read_ink(ink: Array, model: Model | str | os.PathLike[str] | None = None, *, threads: int | None = 1) -> Reading:
    """All digits in a drawing, line by line: `read` without its search for ink and paper.

    Shapes: ink (H, W), 0 paper to 1 ink. Raises: ModelError for a model of other classes than the ten digits.
    """
    return PictureReader(_to_model(model), thread_count(threads)).read(layout_of_ink(ink), ink.shape)


def _to_model(model: Model | str | os.PathLike[str] | None) -> Model:
    if model is None:
        return _default_model()
    if isinstance(model, str | os.PathLike):
        return Model.load(Path(model))
    check_kind("model", model, "a Model, its file or its name, or None", Model)
    return model


@cache
def _default_model() -> Model:
    return Model.load()


@cache
def _line_reader() -> LineReader:
    return LineReader.load(LINE_NETWORK)


@dataclass(frozen=True, eq=False)
class Candidates:
    """What a part of a line may say: for different digits, the most probable text."""

    digits: list[str]
    texts: list[str]
    images: list[NDArray[np.uint8]]
    """Of the digits of each text."""
    boxes: list[list[Box]]
    """Of the characters of each text, in pixels of the part's ink."""
    others: list[list[Box]]
    """Of writing of which each text says nothing."""
    features: Array
    """What the weights are for, (texts, 6)."""
    seen: float
    """The probability of all texts that the line reader found, also of those that are not candidates."""

    def probabilities(self, weights: Weights = WEIGHTS) -> Array:
        """(texts,)"""
        scores = self.features @ weights.of_features
        p: Array = self.seen * np.exp(scores - np.logaddexp.reduce(scores))
        return p


class _Written(NamedTuple):
    """A text's digits in a line's ink."""

    images: NDArray[np.uint8]
    boxes: list[Box]
    """Of all characters."""
    others: list[Box]
    """Of writing that belongs to none of them."""
    log_class: float
    """The sum over the digits of log P(digit | image, a digit)."""
    least_digit: float
    """The least of all digits' log P(a digit | image), at most 0."""


@dataclass(frozen=True)
class _ReadPart:
    """A part of a line: its text with OTHER for what is left out."""

    text: str
    digits: tuple[ReadDigit, ...]
    left_out: tuple[Box, ...]
    cut: NDArray[np.bool_]
    """Which of SIDES its characters reach, (4,)."""
    confidence: float


class PictureReader:
    """Reads layouts with a model. Raises: ModelError for a model of other classes than the ten digits."""

    def __init__(self, model: Model, threads: int) -> None:
        if model.classes != CLASSES:
            raise ModelError(
                f"Reading numbers expects a model of {CLASSES} digits; got {model.classes} classes. Use one that was "
                "trained on MNIST."
            )
        self._model, self._threads = model, threads

    def read(self, layout: PageLayout, size: tuple[int, ...]) -> Reading:
        """The reading of a layout, which is one line or is turned if that gives more. size: of the picture"""
        score, reading = self._read_upright(layout, size)
        few = len(layout.components) <= MAX_PIECES
        if len(layout.lines) > 1 and few and score < UPRIGHT * max(1, reading.digits):
            other, other_reading = self._read_upright(as_one_line(layout), size)
            least = max(ONE_LINE, GAIN + score / max(1, reading.digits))
            if other > least * max(1, other_reading.digits):
                score, reading = other, other_reading
        if layout.lines and score < UPRIGHT * max(1, reading.digits):
            upright = score
            for quarters in (1, 3, 2):
                other, other_reading = self._read_upright(turned(layout, quarters), size)
                least = max(upright + 1, TURNED, UPRIGHT * other_reading.digits)
                if other > score and (other > least or (quarters != 2 and _is_sure(other_reading))):
                    score, reading = other, other_reading
        return reading

    def _read_upright(self, layout: PageLayout, size: tuple[int, ...]) -> tuple[float, Reading]:
        """A score that is high for sure digits and low for letters, and the reading."""
        lines: list[ReadLine] = []
        left_out: list[Box] = []
        confidence, score = 1 - layout.left_out, 0.0
        for parts in layout.lines:
            read_parts = [self._read_part(part, layout, size) for part in parts]
            digits = tuple(digit for part in read_parts for digit in part.digits)
            others = tuple(box for part in read_parts for box in part.left_out)
            left_out += others
            text = " ".join(part.text for part in read_parts)
            sure = float(np.prod([part.confidence for part in read_parts]))
            sure *= WEIGHTS.beside_letters if digits and others else 1
            confidence *= sure
            score += sum(digit.confidence - 0.5 for digit in digits) - 0.5 * text.count(OTHER)
            if digits:
                cut = tuple(compress(SIDES, np.any([part.cut for part in read_parts], axis=0)))
                lines.append(ReadLine(as_written(text), digits, sure, others, cut))
        return score, Reading(tuple(lines), confidence, tuple(left_out))

    def _read_part(self, part: Part, layout: PageLayout, size: tuple[int, ...]) -> _ReadPart:
        candidates = self.candidates(part)
        shares = candidates.probabilities()
        first = int(shares.argmax())
        best, text = candidates.digits[first], candidates.texts[first]
        in_picture, others = (
            [tuple(np.clip(layout.to_picture(part.to_map(box)), 0, [*size[1::-1]] * 2).tolist()) for box in boxes]
            for boxes in (candidates.boxes[first], candidates.others[first])
        )
        inked = np.array([box for character, box in zip(text, in_picture, strict=True) if character != " "])
        height, width = size
        distances = inked.reshape(-1, 4) * [1, 1, -1, -1] + [0, 0, width, height]
        cut: NDArray[np.bool_] = np.any(distances < layout.scale, axis=0)
        kept = shares_kept(best, list(zip(candidates.digits, shares.tolist(), strict=True)))
        places = [box for character, box in zip(text, in_picture, strict=True) if character.isdigit()]
        found = zip(best, kept, places, candidates.images[first], strict=True)
        return _ReadPart(
            text,
            tuple(ReadDigit(int(character), candidates.seen * p, box, image) for character, p, box, image in found),
            (*(box for character, box in zip(text, in_picture, strict=True) if character == OTHER), *others),
            cut,
            float(shares.max()),
        )

    def candidates(self, part: Part) -> Candidates:
        """What a part of a line may say."""
        said = _line_reader()(part.ink, part.top, part.bottom)
        by_digits: dict[str, list[tuple[float, str]]] = {}
        for labels, log_p in beam_search(said.logits):
            text = to_text(labels)
            by_digits.setdefault("".join(filter(str.isdigit, text)), []).append((log_p, text))
        totals = {digits: float(np.logaddexp.reduce([p for p, _ in found])) for digits, found in by_digits.items()}
        seen = min(1.0, float(np.exp(np.logaddexp.reduce(list(totals.values())))))
        options = sorted(totals, key=lambda digits: -totals[digits])[:TEXTS]
        texts = [max(by_digits[digits])[1] for digits in options]
        written = self._write(said, texts)
        features = [
            [totals[digits], w.log_class, w.least_digit, len(digits), text.count("/"), text.count(OTHER)]
            for digits, text, w in zip(options, texts, written, strict=True)
        ]
        images, boxes, others = ([w.images for w in written], [w.boxes for w in written], [w.others for w in written])
        return Candidates(options, texts, images, boxes, others, np.array(features), seen)

    def _write(self, said: LineLogits, texts: Sequence[str]) -> list[_Written]:
        """Each text in the line's ink, where characters that touch are cut so that the model is surest of the digits.

        Texts share most of their digits, so each image is classified once.
        """
        places = [said.places(to_labels(text)) for text in texts]
        cuttings = [list(zip(text, said.characters(of), strict=True)) for text, of in zip(texts, places, strict=True)]
        digits = [cutting for of in cuttings for character, cutting in of if character.isdigit()]
        inks = {strokes.ink.tobytes(): strokes.ink for cutting in digits for row in cutting for strokes in row}
        images = self._images(list(inks.values()))
        log_digit, log_class = self._log_classes(images)
        number = {ink: k for k, ink in enumerate(inks)}

        def numbers(cutting: Cuttings) -> Array:
            return np.array([[number[strokes.ink.tobytes()] for strokes in row] for row in cutting])

        def score(character: str, cutting: Cuttings) -> Array:
            if not character.isdigit():
                return np.zeros((len(cutting), len(cutting[0])))
            of = numbers(cutting)
            scores: Array = log_digit[of] + log_class[of, int(character)]
            return scores

        written = []
        for text, of, in_line in zip(texts, cuttings, places, strict=True):
            cuts = best_cuts([score(character, cutting) for character, cutting in of])
            chosen = [cutting[left][right] for (_, cutting), (left, right) in zip(of, cuts, strict=True)]
            found = [number[strokes.ink.tobytes()] for strokes, c in zip(chosen, text, strict=True) if c.isdigit()]
            labels = [int(c) for c in text if c.isdigit()]
            written.append(
                _Written(
                    images[found],
                    said.boxes(chosen),
                    said.others(in_line),
                    float(log_class[found, labels].sum()),
                    float(log_digit[found].min(initial=0)),
                )
            )
        return written

    def _images(self, digits: Sequence[Array]) -> NDArray[np.uint8]:
        """The digits' ink in MNIST's format. (N, *shape)"""
        shape = self._model.image_shape
        return np.array([_digit_image(ink, shape) for ink in digits], np.uint8).reshape(-1, *shape)

    def _log_classes(self, images: NDArray[np.uint8]) -> tuple[Array, Array]:
        """log P(a digit) of each image, (N,), and log P(class | a digit), (N, classes)."""
        if not len(images):
            return np.zeros(0), np.zeros((0, CLASSES))
        loss = self._model.loss
        outputs = self._model.logits(images, threads=self._threads).T.astype(np.float64)
        log_class: Array = np.log(np.maximum(loss.probabilities(outputs).T, LEAST))
        if not isinstance(loss, BackgroundCrossEntropy):  # knows digits only, so that it is unsure of other things
            return log_class.max(axis=1), log_class
        return np.maximum(-np.logaddexp(0, -loss.evidence(outputs)), np.log(LEAST)), log_class

    def read_as_one(self, reading: Reading, picture: NDArray[np.uint8]) -> Reading:
        """The reading of a picture of one digit, which the model gives the class that it has in `prepare`."""
        found = find_digit(picture)
        if found is None:
            return reading
        image = fit_to_format(found.coverage, self._model.image_shape)[1]
        log_p = self._log_classes(image[None])[1][0]
        (line,) = reading.lines
        label = int(log_p.argmax())
        confidence = float(np.exp(log_p[label]) * line.digits[0].confidence)
        if label != line.digits[0].label:
            confidence = min(confidence, float(np.exp(log_p[label]) / 2))
        digit = ReadDigit(label, confidence, line.digits[0].box, image)
        sure = min(reading.confidence, confidence)
        line = replace(line, text=str(label), digits=(digit,), confidence=sure)
        return replace(reading, lines=(line,), confidence=sure)

    def read_nothing_as_one(self, reading: Reading, picture: NDArray[np.uint8]) -> Reading:
        """The reading of a picture in whose only component the line reader sees no digit, and the model perhaps one.

        The two disagree, so the digit has at most half of the model's probability.
        """
        found = find_digit(picture)
        if found is None or self._model.calibration is None:
            return reading
        image = fit_to_format(found.coverage, self._model.image_shape)[1]
        (answer,) = self._model.answers(image[None], threads=self._threads)
        if not answer.is_digit:
            return reading
        rows, columns = found.box
        box = found.layout.to_picture((columns.start, rows.start, columns.stop, rows.stop))
        left, top, right, bottom = np.clip(box, 0, [*picture.shape[1::-1]] * 2).tolist()
        digit = ReadDigit(answer.digit, answer.probability / 2, (left, top, right, bottom), image)
        line = ReadLine(str(digit), (digit,), digit.confidence)
        return Reading((line,), digit.confidence)


def _is_sure(reading: Reading) -> bool:
    """Whether there are several digits, all of them sure, and nothing else."""
    digits = [digit for line in reading.lines for digit in line.digits]
    return len(digits) > 1 and not reading.left_out and min(digit.confidence for digit in digits) >= CONFIDENT


def _digit_image(ink: Array, shape: Shape) -> NDArray[np.uint8]:
    return centre(fit_box(cut_out(ink), shape), shape) if ink.max(initial=0) > INKED else np.zeros(shape, np.uint8)
