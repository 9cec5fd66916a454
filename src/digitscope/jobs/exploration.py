"""What a model makes of a data set's test images: its answers one by one, its layers as points, two models compared."""

import csv
import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np

from digitscope.arrays import Array
from digitscope.datasets import DataSet
from digitscope.errors import DataError
from digitscope.explain.trace import Trace, network_input
from digitscope.explain.units import shown_calls
from digitscope.metrics import Evaluation, confidence_bins, mcnemar_p
from digitscope.model import Model
from digitscope.recipes.held_out import evaluation_part
from digitscope.training.inference import CHUNK, quiet_overflow

Report = Callable[[float], None]
"""Is told which fraction of the work is done, and may end it by an exception."""
MOST_NUMBERS = 1 << 24
"""Maximum number of numbers in the points of a layer: 128 MiB in float64."""
_AT_ONCE = 5 * CHUNK
_SAME_NUMBERS = ("Dropout", "Flatten", "Reshape")
"""Layers whose outputs are their inputs in another shape."""


@dataclass(frozen=True, eq=False)
class Readings:
    """A model's answers for the images that it is evaluated on."""

    labels: Array
    """(N,)"""
    logits: Array
    """(N, classes)"""
    probabilities: Array
    """(N, classes)"""
    notice: str | None = None
    """A warning about the images, if the model learned from some of them."""

    @cached_property
    def answers(self) -> Array:
        """The most probable classes, (N,)."""
        answers: Array = self.probabilities.argmax(axis=1)
        return answers

    @cached_property
    def confidence(self) -> Array:
        """The probabilities of the answers, (N,)."""
        confidence: Array = self.probabilities.max(axis=1)
        return confidence

    @cached_property
    def evaluation(self) -> Evaluation:
        """The metrics of these answers."""
        return Evaluation.of(self.labels, self.probabilities)

    @property
    def mistakes(self) -> Array:
        """The indices of the images that are read wrongly, those with the most confident answers first."""
        return self._most_confident(self.answers != self.labels)

    def cell(self, label: int, answer: int) -> Array:
        """The indices of the images behind a cell of the confusion matrix, those with the most confident answers first.

        Raises: DataError for a class that there is not.
        """
        classes = self.probabilities.shape[1]
        for k in (label, answer):
            if not 0 <= k < classes:
                raise DataError(f"A class is expected from 0 to {classes - 1}; got {k}.")
        return self._most_confident((self.labels == label) & (self.answers == answer))

    def bin(self, number: int) -> Array:
        """The indices of the images in a bin of the reliability diagram: first those that are read wrongly.

        Raises: DataError for a bin that there is not.
        """
        bins = len(self.evaluation.reliability.counts)
        if not 0 <= number < bins:
            raise DataError(f"A bin is expected from 0 to {bins - 1}; got {number}.")
        inside = confidence_bins(self.confidence, bins) == number
        wrong = self.answers != self.labels
        return np.concatenate([self._most_confident(inside & wrong), self._most_confident(inside & ~wrong)])

    def _most_confident(self, chosen: Array) -> Array:
        indices = np.flatnonzero(chosen)
        return indices[np.argsort(-self.confidence[indices], kind="stable")]

    def mistakes_csv(self) -> bytes:
        """The mistakes as a table: the image's index, its label, the answer, and the probability of each class."""
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow(["index", "label", "answer", *(f"p{k}" for k in range(self.probabilities.shape[1]))])
        for i in self.mistakes:
            table.writerow([i, self.labels[i], self.answers[i], *(f"{p:.6g}" for p in self.probabilities[i])])
        return text.getvalue().encode()


def read_test_images(model: Model, data: DataSet, *, threads: int | None = None, report: Report) -> Readings:
    """The model's answers for the `evaluation_part` of the data.

    Raises: DataError if the model does not read images of this size, or does not know all classes.
    """
    model.check_data(data)
    part = evaluation_part(model.info, data)
    parts = []
    for start in _chunk_starts(len(part.images), _AT_ONCE, report):
        parts.append(model.logits(part.images[start : start + _AT_ONCE], threads=threads))
    logits = np.concatenate(parts)
    return Readings(part.labels, logits, model.probabilities(logits), part.notice)


@dataclass(frozen=True, eq=False)
class ComparedModels:
    """Two models on the same images, as indices: which of them reads each image correctly."""

    both: Array
    only_first: Array
    only_second: Array
    neither: Array

    @classmethod
    def of(cls, first: Readings, second: Readings) -> "ComparedModels":
        """In each part, the images on which the two differ most in the probability of the label come first.

        Raises: DataError if the two were not given the same images.
        """
        if not np.array_equal(first.labels, second.labels):
            raise DataError("Two models are compared on the same images; these two were evaluated on different ones.")
        rows = np.arange(len(first.labels))
        difference = np.abs(first.probabilities[rows, first.labels] - second.probabilities[rows, second.labels])
        order = np.argsort(-difference, kind="stable")
        one, other = ((readings.answers == readings.labels)[order] for readings in (first, second))
        return cls(order[one & other], order[one & ~other], order[~one & other], order[~one & ~other])

    @property
    def p_value(self) -> float:
        """The exact p-value of McNemar's test."""
        return mcnemar_p(len(self.only_first), len(self.only_second))


@dataclass(frozen=True)
class LayerShape:
    """An array of a pass that can be shown as points."""

    name: str
    """As in `explain.activations`."""
    text: str
    """The layer as code; "" for the input."""
    shape: tuple[int, ...]
    """Of one image's numbers."""

    @property
    def size(self) -> int:
        return prod(self.shape)

    @property
    def most_images(self) -> int:
        """The number of images whose numbers are at most MOST_NUMBERS."""
        return max(2, MOST_NUMBERS // self.size)


def layer_shapes(model: Model) -> list[LayerShape]:
    """The input and the outputs of the layers, in order, without those that only have another shape."""
    blank = np.zeros((1, *model.image_shape), np.uint8)
    trace = Trace(model.network, network_input(model.network, blank))
    shapes = [LayerShape("input", "", model.image_shape)]
    for call in shown_calls(trace.calls[""]):
        kind = type(call.layer).__name__
        if kind not in _SAME_NUMBERS:
            shapes.append(LayerShape(call.output, kind if call.parts else repr(call.layer), call.y.shape[:-1]))
    return shapes


def layer_shape(model: Model, name: str) -> LayerShape:
    """Raises: DataError if the model has no such layer."""
    shapes = {shape.name: shape for shape in layer_shapes(model)}
    if name not in shapes:
        raise DataError(f"The model has no layer {name!r}. Choose one of {', '.join(shapes)}.")
    return shapes[name]


def layer_points(model: Model, layer: LayerShape, images: Array, *, report: Report) -> Array:
    """What a layer computes for each image, as rows. Shapes: uint8 (N, H, W), N up to `most_images` -> (N, D)"""
    assert 0 < len(images) <= layer.most_images
    parts = []
    for start in _chunk_starts(len(images), CHUNK, report):
        with quiet_overflow():
            trace = Trace(model.network, network_input(model.network, images[start : start + CHUNK]))
        values = np.asarray(trace.arrays[layer.name])
        parts.append(values.reshape(-1, values.shape[-1]).T)
    return np.concatenate(parts)


def same_neighbour_share(points: Array, labels: Array) -> float:
    """The fraction of points whose nearest other point has the same label: how well a layer keeps the classes apart.

    |x - y|² = |x|² - 2 x·y + |y|², and |x|² does not matter for which y is nearest.

    Shapes: (N, D), N at least 2, labels (N,)
    """
    centred = points - points.mean(axis=0)
    distances = np.square(centred).sum(axis=1) - 2 * centred @ centred.T
    np.fill_diagonal(distances, np.inf)
    return float((labels[distances.argmin(axis=1)] == labels).mean())


def evenly_spaced(images: int, count: int) -> Array:
    """Up to `count` indices of images, spread evenly: the first and the last are among them."""
    return np.linspace(0, images - 1, min(count, images)).round().astype(np.int64)


def centred_logits(logits: Array) -> Array:
    """Logits for the tour: each image's mean is subtracted, which softmax ignores, and all are divided by the length
    that 99 in 100 images stay below, so that nearly all points are in the unit ball.

    Shapes: (N, classes) -> (N, classes)
    """
    centred = logits - logits.mean(axis=1, keepdims=True)
    length = float(np.quantile(np.linalg.norm(centred, axis=1), 0.99))
    scaled: Array = centred / (length or 1.0)
    return scaled


def _chunk_starts(count: int, chunk: int, report: Report) -> Iterable[int]:
    for start in range(0, count, chunk):
        report(start / count)
        yield start
    report(1.0)
