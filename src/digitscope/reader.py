"""Reads whole numbers: decides which pieces of a line form digits together, and which digits these are.

A line is a graph (LeCun, Bottou, Bengio and Haffner 1998, sections V and VI): its nodes are the places between pieces,
an arc from i to j is the run of pieces i .. j-1, which is a digit or is left out as something else. A path from the
first node to the last is a reading of the line. The score of a reading is the sum of the scores of its arcs, and

    P(reading | line) = exp(score) / Z,   Z = sum over all readings of exp(score)

The score of an arc is a weighted sum of features: the network's log probabilities, and measures of its shape. The
weights were fitted by maximum likelihood to lines of generated photos; `python -m benchmarks.fit_reader` fits them
again. The probability of the right text is the sum over all readings with this text.

Sources: conditional random fields, Lafferty, McCallum and Pereira 2001; on segments, Sarawagi and Cohen 2004.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from digitscope.arguments import check_kind
from digitscope.arrays import Array
from digitscope.errors import ModelError
from digitscope.model import Model
from digitscope.nn import BackgroundCrossEntropy
from digitscope.training import thread_count
from digitscope.vision.decode import PictureSource, to_picture
from digitscope.vision.lines import HEIGHT, TextLine, find_lines, find_lines_in_ink
from digitscope.vision.segment import Candidate, Piece, candidates, cut

Box = tuple[float, float, float, float]
"""left, top, right, bottom in pixels of the picture."""

CLASSES = 10
MIN_PRESENCE = 0.93
"""The geometric mean, over a reading's digits, of the probability that a digit is present. Noise has less."""
MANY, MIN_CERTAINTY = 8, 0.65
"""From so many digits on, the minimum geometric mean of the probability that a digit is right. Textures of many strokes
have less; few digits may be as uncertain and yet be there."""
SURE = 0.95
"""After a reading of two or more digits with more than this confidence, only one more assumption about ink and paper is
tried; otherwise all are. A single digit is not enough, because a stroke may be an edge of the sheet."""
MIN_DIGIT_SHARE = 0.4
"""Minimum share of the components that are digits by themselves, if there are many; with less, they are a texture."""

# The features of an arc and their weights; lengths are in heights of a digit.
DIGIT_WEIGHTS = {
    "bias": -0.77,
    "log P(a digit)": 0.47,
    "log P(this digit)": 1.3,
    "both log P, times width": 2.14,
    "both log P, times pieces": -0.08,
    "strokes cut": -0.51,
    "gap": -2.73,
    "height, |log|": -2.28,
    "width over height, beyond 0.9": -2.82,
    "several components": -0.44,
    "whole components": 1.35,
}
LEFT_OUT_WEIGHTS = {
    "bias": 0.16,
    "piece of a component": -1.47,
    "log P(no digit)": 0.13,
    "height": -0.34,
    "ink": -3.33,
    "at the border": 2.71,
}
CLASS_FEATURE = list(DIGIT_WEIGHTS).index("log P(this digit)")
"""The feature that differs from class to class: 0 in `Graph.features`, since `Graph.classes` holds it."""
WEIGHTS: Array = np.array([*DIGIT_WEIGHTS.values(), *LEFT_OUT_WEIGHTS.values()])


@dataclass(frozen=True, repr=False)
class ReadDigit:
    """A digit of a number."""

    label: int
    confidence: float
    """The probability that this digit is in this place."""
    present: float
    """The probability that any digit is in this place."""
    box: Box
    image: NDArray[np.uint8] = field(compare=False)
    """(H, W): the digit as the network saw it."""

    def __str__(self) -> str:
        return str(self.label)

    def __repr__(self) -> str:
        box = ", ".join(f"{side:.0f}" for side in self.box)
        return f"ReadDigit({self.label}, confidence={self.confidence:.3f}, box=({box}))"


@dataclass(frozen=True, repr=False)
class ReadLine:
    """A line of digits, from left to right."""

    digits: tuple[ReadDigit, ...]
    confidence: float
    """The probability that the line is right: no digit is wrong, missing or superfluous."""

    @property
    def text(self) -> str:
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
    """The probability that every line is right."""

    @property
    def digits(self) -> int:
        """The number of digits."""
        return sum(len(line.digits) for line in self.lines)

    @property
    def text(self) -> str:
        """The digits of each line, separated by line breaks."""
        return "\n".join(map(str, self.lines))

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"Reading({self.text!r}, confidence={self.confidence:.3f})"


@dataclass(frozen=True, eq=False)
class Graph:
    """The graph of a line. Its arcs are in the order of their first nodes."""

    nodes: int
    start: NDArray[np.intp]
    end: NDArray[np.intp]
    features: Array
    """(arcs, features): those of DIGIT_WEIGHTS, then those of LEFT_OUT_WEIGHTS."""
    classes: Array
    """(arcs, classes): the log probability of each digit; arbitrary for an arc that is left out."""
    box: list[tuple[int, int, int, int] | None]
    """left, top, right, bottom of a digit in the line; None for an arc that is left out."""
    heaviest: NDArray[np.intp]
    """The arc's piece with the most ink."""

    @property
    def left_out(self) -> NDArray[np.bool_]:
        return np.array([box is None for box in self.box])


def read(
    picture: PictureSource, model: Model | str | os.PathLike[str] | None = None, *, threads: int | None = 1
) -> Reading:
    """All digits in a picture, line by line.

    If ink and paper can be told apart in several ways, the reading with the most digits and confidence is returned.

    picture: a path, bytes, an open file, a PIL image or an array, as `vision.decode.to_picture` takes it
    model: a model of ten digits, or its file or name; None for the default model, which is loaded once
    Raises: PictureError if the picture cannot be read; ModelError for another model.
    """
    return _read(to_picture(picture), _to_model(model), thread_count(threads))


def read_ink(ink: Array, model: Model | str | os.PathLike[str] | None = None, *, threads: int | None = 1) -> Reading:
    """All digits in a drawing, line by line: `read` without its search for ink and paper.

    Shapes: ink (H, W), 0 paper to 1 ink. Raises: ModelError for a model of other classes than the ten digits.
    """
    model = _to_model(model)
    _check_classes(model)
    return _present(_reading(find_lines_in_ink(ink), ink.shape, model, thread_count(threads)))


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


def _read(picture: NDArray[np.uint8], model: Model, threads: int) -> Reading:
    _check_classes(model)
    best = 0.0, Reading((), 1.0)

    def no_digits(images: NDArray[np.uint8]) -> bool:
        log_digit, _, _ = _classify(images, model, threads)
        return float(np.mean(log_digit > np.log(0.5))) < MIN_DIGIT_SHARE

    for lines in find_lines(picture, no_digits, model.image_shape):
        is_last = best[1].digits > 1 and best[1].confidence > SURE
        reading = _reading(lines, picture.shape[:2], model, threads)
        best = max(best, (_reading_score(reading), reading), key=lambda pair: pair[0])
        if is_last:
            break
    return _present(best[1])


def _check_classes(model: Model) -> None:
    if model.classes != CLASSES:
        raise ModelError(
            f"Reading numbers expects a model of {CLASSES} digits; got {model.classes} classes. Use one that was "
            "trained on MNIST."
        )


def _reading(lines: list[TextLine], size: tuple[int, ...], model: Model, threads: int) -> Reading:
    read_lines = [_read_line(line, size, model, threads) for line in lines]
    confidence = float(np.prod([line.confidence for line in read_lines]))
    return Reading(tuple(line for line in read_lines if line.digits), confidence)


def _present(reading: Reading) -> Reading:
    """The reading, or an empty one if its digits are probably noise."""
    present = [digit.present for line in reading.lines for digit in line.digits]
    count = len(present)
    if np.prod(present) <= MIN_PRESENCE**count:
        return Reading((), 1.0)
    certainty = float(reading.confidence ** (1 / max(count, 1)))
    return Reading((), 1 - certainty) if count >= MANY and certainty < MIN_CERTAINTY else reading


def _reading_score(reading: Reading) -> float:
    """The total size of the digits' boxes, in pixels of the picture, weighted by confidence."""
    pixels = 0.0
    for line in reading.lines:
        for digit in line.digits:
            left, top, right, bottom = digit.box
            pixels += digit.confidence**2 * (right - left + bottom - top)
    return pixels * (0.2 + reading.confidence)


def _read_line(line: TextLine, size: tuple[int, ...], model: Model, threads: int) -> ReadLine:
    pieces = cut(line)
    found = candidates(line, pieces, model.image_shape)
    images = {(candidate.first, candidate.last + 1): candidate.image for candidate in found}
    graph = build_graph(line, pieces, found, model, threads)
    text, confidence = solve(graph)
    limits = [*size[::-1]] * 2
    digits = []
    for arc, label, confidence_of_digit, present in text:
        inside = np.array([line.corner] * 2).ravel() + line.scale * np.array(graph.box[arc])
        left, top, right, bottom = np.clip(inside, 0, limits).tolist()
        image = images[int(graph.start[arc]), int(graph.end[arc])]
        digits.append(ReadDigit(label, confidence_of_digit, present, (left, top, right, bottom), image))
    return ReadLine(tuple(digits), confidence)


def build_graph(line: TextLine, pieces: list[Piece], digits: list[Candidate], model: Model, threads: int = 1) -> Graph:
    """The graph of a line: an arc for each candidate digit, and for each component and each piece to be left out."""
    log_digit, log_none, classes = _classify(np.array([c.image for c in digits]), model, threads)
    none = {(c.first, c.last): float(p) for c, p in zip(digits, log_none, strict=True)}
    arcs: list[tuple[int, int, list[float], Array, tuple[int, int, int, int] | None]] = []
    for c, log_present, log_class in zip(digits, log_digit, classes, strict=True):
        left, top, right, bottom = c.box
        width, height = (right - left) / HEIGHT, (bottom - top) / HEIGHT
        both = float(log_present + log_class.max())
        features = [
            1,
            float(log_present),
            0,  # differs from class to class
            both * width,
            both * (c.last - c.first + 1),
            c.cuts,
            max(c.gap, 0),
            abs(np.log(height)),
            max(0, width / height - 0.9),
            float(c.gap > -1),
            float(c.whole),
            *[0.0] * len(LEFT_OUT_WEIGHTS),
        ]
        arcs.append((c.first, c.last + 1, features, log_class, c.box))
    no_classes = np.zeros(CLASSES)
    for first, last, whole in _runs_to_leave_out(pieces):
        run = pieces[first : last + 1]
        top, bottom = min(p.place[0].start for p in run), max(p.place[0].stop for p in run)
        ink = sum(float(p.coverage.sum()) for p in run) / (HEIGHT * line.stroke)
        features = [
            *[0.0] * len(DIGIT_WEIGHTS),
            1,
            float(not whole),
            none.get((first, last), 0.0),
            min((bottom - top) / HEIGHT, 1.5),
            min(ink, 4),
            float(line.at_border[run[0].component]),
        ]
        arcs.append((first, last + 1, features, no_classes, None))
    arcs.sort(key=lambda arc: arc[:2])
    ink_of = np.array([p.coverage.sum() for p in pieces])
    return Graph(
        nodes=len(pieces) + 1,
        start=np.array([arc[0] for arc in arcs], np.intp),
        end=np.array([arc[1] for arc in arcs], np.intp),
        features=np.array([arc[2] for arc in arcs]).reshape(len(arcs), len(WEIGHTS)),
        classes=np.array([arc[3] for arc in arcs]).reshape(len(arcs), CLASSES),
        box=[arc[4] for arc in arcs],
        heaviest=np.array([arc[0] + int(ink_of[arc[0] : arc[1]].argmax()) for arc in arcs], np.intp),
    )


def _classify(images: NDArray[np.uint8], model: Model, threads: int) -> tuple[Array, Array, Array]:
    """log P(a digit), log P(not a digit), both (N,), and log P(class | a digit), (N, classes), of each image."""
    if not len(images):
        return np.zeros(0), np.zeros(0), np.zeros((0, CLASSES))
    outputs = model.logits(images, threads=threads).T.astype(np.float64)
    classes = np.log(np.maximum(model.loss.probabilities(outputs).T, 1e-30))
    if isinstance(model.loss, BackgroundCrossEntropy):
        odds = model.loss.evidence(outputs)
    else:  # a model that knows digits only is unsure of other things
        odds = classes.max(axis=1) - np.log(np.maximum(1 - np.exp(classes.max(axis=1)), 1e-30))
    return -np.logaddexp(0, -odds), -np.logaddexp(0, odds), classes


def _runs_to_leave_out(pieces: list[Piece]) -> list[tuple[int, int, bool]]:
    """First and last piece of every run that may be left out, and whether it is a whole component.

    These are the components whose pieces are neighbours, and the single pieces.
    """
    runs = []
    pieces_of: dict[int, list[int]] = {}
    for i, piece in enumerate(pieces):
        pieces_of.setdefault(piece.component, []).append(i)
    for numbers in pieces_of.values():
        if numbers[-1] - numbers[0] + 1 == len(numbers):
            runs.append((numbers[0], numbers[-1], True))
        if len(numbers) > 1:
            runs += [(i, i, False) for i in numbers]
    return runs


def solve(graph: Graph, weights: Array = WEIGHTS) -> tuple[list[tuple[int, int, float, float]], float]:
    """The most probable reading and the probability of its text.

    The reading is a list of (arc, label, probability of this digit, probability of any digit). The best path is found
    by the Viterbi algorithm, sums over all paths by the forward and backward recursion,
        A[j] = log sum over arcs i -> j of exp(A[i] + score),  A[0] = 0,  log Z = A[last]
    and B the same from the end. The probability of an arc is exp(A[i] + score + B[j] - log Z). A path contains at most
    one of the arcs that have a piece in common, so the probability of a digit is the sum over all arcs with its
    heaviest piece as this label; the probability of any digit is the sum over all labels.
    """
    scores, total = arc_scores(graph, weights)
    best = np.where(graph.left_out, total, scores.max(axis=1, initial=-np.inf))
    ahead, behind = np.full(graph.nodes, -np.inf), np.full(graph.nodes, -np.inf)
    highest, back = ahead.copy(), np.zeros(graph.nodes, int)
    ahead[0] = highest[0] = behind[-1] = 0
    for arc, (i, j) in enumerate(zip(graph.start, graph.end, strict=True)):
        ahead[j] = np.logaddexp(ahead[j], ahead[i] + total[arc])
        if highest[i] + best[arc] > highest[j]:
            highest[j], back[j] = highest[i] + best[arc], arc
    for arc in range(len(total) - 1, -1, -1):
        i, j = graph.start[arc], graph.end[arc]
        behind[i] = np.logaddexp(behind[i], behind[j] + total[arc])
    around = ahead[graph.start] + behind[graph.end] - ahead[-1]
    digits = []
    node = graph.nodes - 1
    while node > 0:
        arc = int(back[node])
        if not graph.left_out[arc]:
            label = int(scores[arc].argmax())
            piece = graph.heaviest[arc]
            arcs = (graph.start <= piece) & (piece < graph.end)
            probabilities = np.exp(around[arcs, None] + scores[arcs]).sum(axis=0).clip(max=1)
            digits.append((arc, label, float(probabilities[label]), float(min(1, probabilities.sum()))))
        node = graph.start[arc]
    digits.reverse()
    text_sum = log_sum_of_text(graph, scores, total, [label for _, label, *_ in digits])
    return digits, min(1.0, float(np.exp(text_sum - ahead[-1])))


def arc_scores(graph: Graph, weights: Array) -> tuple[Array, Array]:
    """The score of each arc as each class, -inf where it is left out, and log sum exp of all that an arc may be.

    Shapes: (arcs, classes), (arcs,)
    """
    shape = graph.features @ weights
    left_out = graph.left_out
    scores = np.where(left_out[:, None], -np.inf, shape[:, None] + weights[CLASS_FEATURE] * graph.classes)
    total = np.where(left_out, shape, np.logaddexp.reduce(scores, axis=1))
    return scores, total


def log_sum_of_text(graph: Graph, scores: Array, total: Array, text: Sequence[int]) -> float:
    """log of the sum of exp(score) over all readings with this text, by the forward recursion: A[j, k] for k digits."""
    ahead = np.full((graph.nodes, len(text) + 1), -np.inf)
    ahead[0, 0] = 0
    left_out = graph.left_out
    labels = np.array(text, int)
    for arc, (i, j) in enumerate(zip(graph.start, graph.end, strict=True)):
        if left_out[arc]:
            ahead[j] = np.logaddexp(ahead[j], ahead[i] + total[arc])
        else:
            ahead[j, 1:] = np.logaddexp(ahead[j, 1:], ahead[i, :-1] + scores[arc, labels])
    return float(ahead[-1, -1])
