"""A trained network with everything needed to use it: its input size, its calibration, and how it was trained."""

import math
import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from digitscope.arguments import check_kind, check_number, check_truth, check_wholes
from digitscope.arrays import Array, as_images
from digitscope.bundled import DEFAULT_MODEL as DEFAULT_MODEL
from digitscope.bundled import SHIPPED as SHIPPED
from digitscope.calibration import Calibration
from digitscope.datasets import DataSet, as_data_set
from digitscope.datasets.load import LabelledImages
from digitscope.errors import DataError, DigitscopeError, DigitscopeWarning, ModelError
from digitscope.files.opening import exists, shown_path
from digitscope.metrics import Evaluation, percentage
from digitscope.model_file import ModelContent, read_model, write_model
from digitscope.nn import BackgroundCrossEntropy, Ensemble, Loss, Network, SoftmaxCrossEntropy
from digitscope.recipes import RECIPES
from digitscope.recipes.held_out import digests, evaluation_part, recognized
from digitscope.training import thread_count, to_device
from digitscope.training.inference import outputs_in_chunks
from digitscope.training_info import TrainingInfo

REFUSED_SHARE = 0.01
"""The fraction of real digits that may be rejected."""
MAX_OUTPUT = 1e30
"""A bound on the network's outputs: beyond it, float32 overflows to infinity."""
MISSED_SHARE = 0.002
"""The fraction of digits that may be missing from the set of plausible ones."""
LEAST_PLAUSIBLE = 0.01
"""The minimum probability of a plausible digit. Without it, few validation images would make the set long."""


@dataclass(frozen=True, eq=False)
class Answer:
    """What a model reads in one image."""

    digit: int
    """The most probable class, even if the image is not a digit."""
    probability: float
    """The probability of that class, given that the image belongs to some class."""
    probabilities: Array
    """The probability of each class, (classes,)."""
    evidence: float
    """The evidence that the image belongs to any class, in nats."""
    evidence_threshold: float
    """The least evidence that counts as a digit."""
    plausible: tuple[int, ...]
    """Every class that may well be the true one, the most probable first."""
    refuse: float
    """The fraction of real digits whose evidence is below the threshold."""

    @property
    def is_digit(self) -> bool:
        return self.evidence >= self.evidence_threshold

    @property
    def text(self) -> str:
        """The plausible digits with their probabilities: 4 (91.3 %), or 9 (8.2 %)"""
        return ", or ".join(f"{k} ({percentage(self.probabilities[k], 1)} %)" for k in self.plausible)

    @property
    def evidence_text(self) -> str:
        """The evidence and what it is compared with: score 8.2; 99 % of real digits score 1.7 or more"""
        usual = f"{100 * (1 - self.refuse):.4g} % of real digits score {self.evidence_threshold:.1f} or more"
        if self.evidence_threshold == -math.inf:
            usual = "the model has no threshold for rejecting a picture"
        return f"score {self.evidence:.1f}; {usual}"


@dataclass(frozen=True, eq=False, repr=False)
class Model:
    """A network that reads images, and what its outputs mean.

    Every method takes images as `digitscope.arrays.as_images` accepts them: uint8 0 (paper) to 255 (ink) or floats 0 to
    1, (N, H, W) or rows (N, H W), in arrays, lists or data frames. `threads` is the number of threads, None for all
    processors; the results are the same to the bit.
    """

    network: Network
    loss: Loss
    """The loss that the network was trained on, which determines how outputs become probabilities."""
    image_shape: tuple[int, int]
    """Height and width that the network expects, in pixels."""
    info: TrainingInfo = field(default_factory=TrainingInfo)
    """How the network was trained, and how accurate it was."""
    calibration: Calibration | None = None
    """The temperature and the thresholds, from validation images. Without them nothing is rejected."""

    def __post_init__(self) -> None:
        check_kind("Model's network", self.network, "a Network", Network)
        check_kind("Model's loss", self.loss, "a Loss", Loss)
        check_wholes("Model's image_shape", self.image_shape, 1)
        if len(self.image_shape) != 2:
            raise ModelError(f"Model's image_shape is expected as (height, width); got {self.image_shape}.")
        check_kind("Model's info", self.info, "a TrainingInfo", TrainingInfo)
        outputs = self.network.output_shape((math.prod(self.image_shape),)) if self.network.layers else ()
        if len(outputs) != 1:
            raise ModelError(
                f"Model's network is expected to give one number for each class; it gives {outputs}. End it with Dense."
            )
        if self.info.classes not in (None, *outputs):
            raise ModelError(f"Model's info has {self.info.classes} classes; its network gives {outputs[0]} numbers.")

    def predict(self, images: npt.ArrayLike, *, threads: int | None = None) -> Array:
        """The most probable class of each image, (N,).

        Raises: ShapeError or DataError for images that the network cannot take.
        """
        labels: Array = self.predict_proba(images, threads=threads).argmax(axis=1)
        return labels

    def predict_proba(self, images: npt.ArrayLike, *, threads: int | None = None) -> Array:
        """The probability of each class for each image, at the temperature of the calibration.

        Shapes: (N, classes), rows adding up to 1. Raises: as `predict`.
        """
        return self.probabilities(self.logits(images, threads=threads))

    def logits(self, images: npt.ArrayLike, *, threads: int | None = None) -> Array:
        """The network's outputs as they are, before temperature and softmax.

        Shapes: (N, classes). Raises: as `predict`.
        """
        return self._outputs(images, threads).T

    def probabilities(self, logits: Array) -> Array:
        """What `predict_proba` gives for images with these logits. Shapes: (N, classes) -> (N, classes)"""
        temperature = self.calibration.temperature if self.calibration else 1.0
        probabilities: Array = self.loss.probabilities(logits.T / np.float32(temperature)).T
        return probabilities

    def answers(
        self, images: npt.ArrayLike, *, refuse: float = REFUSED_SHARE, threads: int | None = None
    ) -> list[Answer]:
        """What each image shows, and whether it is a digit at all.

        refuse: the fraction of real digits that may be rejected as "not a digit". Raises: as `predict`.
        """
        check_number("refuse", refuse)
        return self.answers_from_logits(self.logits(images, threads=threads), refuse=refuse)

    def answers_from_logits(self, logits: Array, *, refuse: float = REFUSED_SHARE) -> list[Answer]:
        """What `answers` gives for images with these logits. Shapes: (N, classes) -> N"""
        evidence_threshold, probability_threshold = -math.inf, math.inf
        if self.calibration:
            evidence_threshold = self.calibration.evidence_threshold(refuse)
            probability_threshold = max(LEAST_PLAUSIBLE, self.calibration.probability_threshold(MISSED_SHARE))
        answers = []
        for p, evidence in zip(self.probabilities(logits), self.loss.evidence(logits.T), strict=True):
            order = [int(k) for k in np.argsort(-p, kind="stable")]
            plausible = tuple(order[:1] + [k for k in order[1:] if p[k] >= probability_threshold])
            answers.append(
                Answer(order[0], float(p[order[0]]), p, float(evidence), evidence_threshold, plausible, refuse)
            )
        return answers

    def evaluate(self, x: LabelledImages, y: npt.ArrayLike | None = None, *, threads: int | None = None) -> Evaluation:
        """Accuracy, confusion matrix, calibration and more on labelled images.

        x, y: images and labels; or x alone: a DataSet, or what `load_data` takes, whose test images count, or all
        images if it has no test part, without those that the model learned from (`recipes.held_out.evaluation_part`).
        If the model learned from any of them, a DigitscopeWarning says so.

        Shapes: labels (N,), integers 0 to classes - 1. Raises: as `predict`, for other labels, and as `as_data_set`.
        """
        data = as_data_set(x, y, shape=self.image_shape, classes=self.classes)
        if y is None:
            part = evaluation_part(self.info, data)
            images, labels, notice = part.images, part.labels, part.notice
        else:
            images, labels, notice = data.x_train, data.y_train, None
            if data.digest in digests(self.info):
                notice = "The model learned from these images: it reads new images less accurately."
            else:
                notice = recognized(self.info, data.name, images)
        if notice is not None:
            warnings.warn(notice, DigitscopeWarning, stacklevel=2)
        return Evaluation.of(labels, self.predict_proba(images, threads=threads))

    def check_data(self, data: DataSet) -> None:
        """Raises: DataError unless the images have the size that the model reads, and the labels are classes of it."""
        own, other = (f"{height}x{width}" for height, width in (self.image_shape, data.x_train.shape[1:]))
        if own != other:
            raise DataError(f"The model reads images of {own} pixels; {data.name} has {other}. Train a model on it.")
        if data.classes > self.classes:
            raise DataError(
                f"The model knows {self.classes} classes; {data.name} has labels up to {data.classes - 1}. Train a "
                "model on it."
            )

    def calibrated(self, images: npt.ArrayLike, labels: npt.ArrayLike, *, threads: int | None = None) -> "Model":
        """This model with temperature and thresholds fitted to images that the network was not trained on.

        Shapes: labels (N,), integers 0 to classes - 1. Raises: as `evaluate`.
        """
        outputs = self._outputs(images, threads)
        probabilities = self.loss.probabilities(outputs).T
        return replace(self, calibration=Calibration.fit(labels, probabilities, self.loss.evidence(outputs)))

    def to(self, device: str) -> "Model":
        """This model with its network on "cpu" or "cuda", which is where it then predicts.

        Raises: TrainingError for another device, or if there is no GPU that CuPy can use.
        """
        return replace(self, network=self.network.map_arrays(to_device(device)))

    @cached_property
    def classes(self) -> int:
        """The number of classes."""
        return self.network.output_shape((math.prod(self.image_shape),))[0]

    @property
    def parameters(self) -> int:
        """The number of learned parameters."""
        return sum(p.size for p in self.network.params.values())

    def summary(self) -> str:
        """The model in one line, then its layers: shape of the output, parameters, MFLOP per image."""
        return f"{self!r}\n{self.network.summary((math.prod(self.image_shape),))}"

    def __repr__(self) -> str:
        height, width = self.image_shape
        parts = [f"{height}x{width} -> {self.classes} classes", f"{self.parameters:,} parameters"]
        if self.info.recipe is not None:
            parts.insert(0, self.info.recipe)
        for part in ("test", "validation"):
            if (accuracy := getattr(self.info, f"{part}_accuracy")) is not None:
                parts.append(f"{percentage(accuracy)} % {part}")
                break
        return f"Model({', '.join(parts)})"

    def _outputs(self, images: npt.ArrayLike, threads: int | None) -> Array:
        """As the network gives them, (classes, N).

        Raises: ModelError if they are too large for probabilities.
        """
        checked = as_images(images, shape=self.image_shape)
        outputs = outputs_in_chunks(self.network, checked, threads=thread_count(threads))
        if not (np.abs(outputs) < MAX_OUTPUT).all():
            raise ModelError(
                f"The network's outputs are expected between -{MAX_OUTPUT:g} and {MAX_OUTPUT:g}; some are not. "
                "Its weights are too large or damaged: use another model."
            )
        return outputs

    def save(self, path: str | Path, *, half: bool = False) -> None:
        """Writes a safetensors file; the same model gives the same bytes. `half`: in float16, half as large.

        Raises: ModelError for a network that is too large or too deeply nested to be loaded again, or for a loss of
            your own.
        """
        check_kind("path", path, "a file name", str, os.PathLike)
        check_truth("half", half)
        network = self.network.map_arrays(to_device("cpu"))
        network = network if type(network) is Network else Network(network)
        write_model(
            Path(path), ModelContent(network, self.loss, self.image_shape, self.info, self.calibration), half=half
        )

    @classmethod
    def ensemble(cls, models: Sequence["Model"]) -> "Model":
        """Combines models that were trained separately into one, with the mean of their probabilities and evidence.

        It has the entries of `info` that all of them share, but no accuracy, which must be measured.
        Raises: ModelError if there are none, if they differ in images, classes or loss, or if the loss is not a
            cross-entropy.
        """
        check_kind("models", models, "a list of models", list, tuple)
        for model in models:
            check_kind("Each of the models", model, "a Model", Model)
        if not models:
            raise ModelError("An ensemble expects at least 1 model; got none.")
        first = models[0]
        for model in models:
            if (model.image_shape, model.classes) != (first.image_shape, first.classes):
                sizes = [f"{m.classes} classes of {m.image_shape[0]}x{m.image_shape[1]} pixels" for m in (first, model)]
                raise ModelError(
                    "An ensemble expects models of the same image size and the same classes; got one of "
                    f"{' and one of '.join(sizes)}."
                )
            if not isinstance(model.loss, SoftmaxCrossEntropy | BackgroundCrossEntropy):
                raise ModelError(
                    f"An ensemble expects models trained on a cross-entropy; got one of {type(model.loss).__name__}."
                )
            if type(model.loss) is not type(first.loss):
                raise ModelError(
                    f"An ensemble expects models trained on the same loss; got {type(first.loss).__name__} and "
                    f"{type(model.loss).__name__}. Combine those that have a background class separately."
                )
        infos = [model.info for model in models]
        own = {"recipe", "members", "taught", "validation_accuracy", "test_accuracy"}
        names = [entry.name for entry in fields(TrainingInfo) if entry.name not in own]
        values = {name: {getattr(info, name) for info in infos} for name in names}
        shared = {name: found.pop() for name, found in values.items() if len(found) == 1}
        info = TrainingInfo(recipe="ensemble", members=tuple(infos), **shared)
        network = Network(Ensemble(*(model.network for model in models)))
        return cls(network, first.loss, first.image_shape, info)

    @classmethod
    def load(cls, source: str | Path = DEFAULT_MODEL) -> "Model":
        """Reads what `save` wrote: a file, or the name of a bundled model (`SHIPPED`).

        Raises: ModelError if there is no such model, or the file is not a whole model of this format.
        """
        check_kind("source", source, "a path or the name of a bundled model", str, os.PathLike)
        path = SHIPPED.get(str(source), Path(source))
        if not path.suffix:
            _check_name(path)
        content = read_model(path)
        try:
            return cls(content.network, content.loss, content.image_shape, content.info, content.calibration)
        except DigitscopeError as error:
            raise ModelError(f"{shown_path(path)}: {error}") from error


def _check_name(path: Path) -> None:
    """Raises: ModelError for a folder that holds a model, and for a bare name of which there is neither a file nor a
    bundled model.
    """
    inner = path / "model.safetensors"
    try:
        is_there, holds_a_model = exists(path), exists(inner)
    except ValueError:  # a name that cannot be; reading it says why
        return
    if holds_a_model:
        raise ModelError(f"{shown_path(path)} is a folder; a file is expected: {shown_path(inner)}.")
    if path.name == str(path) and not is_there:
        hint = f" It is a recipe; train it: digitscope train --recipe {path}." if str(path) in RECIPES else ""
        raise ModelError(
            f"{shown_path(path)} is neither a file nor one of the bundled models {', '.join(SHIPPED)}.{hint}"
        )
