"""A trained network with all that is needed to use it: what it takes, what its answers mean, how good it is."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from digitscope.arrays import Array
from digitscope.calibration import Calibration
from digitscope.errors import ModelError, ShapeError
from digitscope.files.tensors import read_tensors, write_tensors
from digitscope.nn import LOSSES, Ensemble, Loss, Network, SoftmaxCrossEntropy
from digitscope.training import network_outputs

FORMAT = 1

_EVIDENCE, _PROBABILITY = "conformal.evidence", "conformal.probability"

SHIPPED = {path.stem: path for path in (Path(__file__).parent / "models").glob("*.safetensors")}
"""The models in the package, by name; models/README.md says how they were made."""


REFUSE, AMBIGUOUS = 0.01, 0.002
"""Of true digits: the share that may be refused, and the share whose set of plausible digits may lack the true one."""
WORTH_NAMING = 0.01
"""The least probability of a plausible digit: with few validation images the set of them all would be long."""


@dataclass(frozen=True, eq=False)
class Answer:
    """What a model says of one image."""

    digit: int
    """The most probable class, whether it is one or not."""
    probability: float
    """Of that class, given that it is any."""
    probabilities: Array
    """Of all classes, (classes,)."""
    evidence: float
    """The evidence that it is of any class, in nats."""
    evidence_threshold: float
    """What it takes."""
    plausible: tuple[int, ...]
    """Every class that may well be the true one, the most probable first."""

    @property
    def is_digit(self) -> bool:
        return self.evidence >= self.evidence_threshold


@dataclass(frozen=True)
class Model:
    """A network that reads images."""

    network: Network
    loss: Loss
    """What it was trained on, which says how outputs become probabilities."""
    image_shape: tuple[int, int]
    """Height and width that it expects, in pixels."""
    about: dict[str, Any] = field(default_factory=dict)
    """Where it comes from: recipe, seed, epochs, data, and its measured figures."""
    conformal: Calibration | None = None
    """How sure it may be, from its validation images; without it nothing is refused."""

    def outputs(self, images: Array, *, threads: int = 1) -> Array:
        """The network's outputs, logits for most, (classes, N); shapes and errors as in `probabilities`."""
        images = np.asarray(images)
        if images.dtype != np.uint8 or images.shape[1:] != self.image_shape:
            height, width = self.image_shape
            raise ShapeError(
                f"The model expects images of uint8, (N, {height}, {width}); got {images.dtype}, {images.shape}."
            )
        return network_outputs(self.network, images, threads=threads)

    def probabilities(self, images: Array, *, threads: int = 1) -> Array:
        """The probability of each class for each image.

        Shapes: images uint8 (N, H, W), 0 paper to 255 ink -> (N, classes), rows adding up to 1.
        Raises: ShapeError where images are of another size or type.
        """
        return self._probabilities(self.outputs(images, threads=threads))

    def _probabilities(self, outputs: Array) -> Array:
        temperature = self.conformal.temperature if self.conformal else 1.0
        probabilities: Array = self.loss.probabilities(outputs / np.float32(temperature)).T
        return probabilities

    def answers(self, images: Array, *, refuse: float = REFUSE, threads: int = 1) -> list[Answer]:
        """What each image is, and whether it is a digit at all; refuse: the share of true digits that it may refuse.

        Shapes and errors as in `probabilities`.
        """
        outputs = self.outputs(images, threads=threads)
        evidence_threshold, probability_threshold = -math.inf, math.inf
        if self.conformal:
            evidence_threshold = self.conformal.evidence_threshold(refuse)
            probability_threshold = max(WORTH_NAMING, self.conformal.probability_threshold(AMBIGUOUS))
        answers = []
        for p, evidence in zip(self._probabilities(outputs), self.loss.evidence(outputs), strict=True):
            order = [int(k) for k in np.argsort(-p, kind="stable")]
            plausible = tuple(order[:1] + [k for k in order[1:] if p[k] >= probability_threshold])
            answers.append(Answer(order[0], float(p[order[0]]), p, float(evidence), evidence_threshold, plausible))
        return answers

    def calibrated(self, images: Array, labels: Array, *, threads: int = 1) -> "Model":
        """This model with what its answers for these images say of how sure it may be.

        The network must not have learned from them. Shapes and errors as in `probabilities`; labels (N,)
        """
        outputs = self.outputs(images, threads=threads)
        probabilities = self.loss.probabilities(outputs).T
        return replace(self, conformal=Calibration.fit(labels, probabilities, self.loss.evidence(outputs)))

    def predict(self, images: Array, *, threads: int = 1) -> Array:
        """The most probable class of each image, (N,); shapes and errors as in `probabilities`."""
        labels: Array = self.probabilities(images, threads=threads).argmax(axis=1)
        return labels

    @property
    def parameters(self) -> int:
        """How many numbers were learned."""
        return sum(p.size for p in self.network.params.values())

    def save(self, path: str | Path, *, half: bool = False) -> None:
        """Writes a safetensors file; the same model gives the same bytes. `half`: in float16, half as large."""
        about = {
            "format": FORMAT,
            "network": self.network.config(),
            "loss": type(self.loss).__name__,
            "image_shape": list(self.image_shape),
            "preprocessing": "pixels / 255",
            "about": self.about,
        }
        arrays = {**self.network.params, **self.network.statistics}
        if self.conformal:
            about["temperature"] = self.conformal.temperature
            arrays[_EVIDENCE], arrays[_PROBABILITY] = self.conformal.evidence, self.conformal.probability
        if half:
            arrays = {name: array.astype(np.float16) for name, array in arrays.items()}
        write_tensors(Path(path), "model", arrays, about)

    @classmethod
    def ensemble(cls, models: Sequence["Model"]) -> "Model":
        """Models that were trained apart as one, whose probabilities are the mean of theirs.

        What all of them say of themselves, it says too.
        Raises: ModelError where they differ in what they read, or were trained on another loss than cross-entropy.
        """
        first = models[0]
        for model in models:
            if (model.image_shape, model.about.get("classes")) != (first.image_shape, first.about.get("classes")):
                raise ModelError("An ensemble expects models that read images of one size, of the same classes.")
            if not isinstance(model.loss, SoftmaxCrossEntropy):
                raise ModelError(f"An ensemble expects models of softmax; got one of {type(model.loss).__name__}.")
        shared = {k: v for k, v in first.about.items() if all(model.about.get(k) == v for model in models)}
        about = {**shared, "recipe": "ensemble", "members": [model.about for model in models]}
        network = Network(Ensemble(*(model.network for model in models)))
        return cls(network, first.loss, first.image_shape, about)

    @classmethod
    def load(cls, source: str | Path = "reader") -> "Model":
        """Reads what `save` wrote: a file, or the name of a model in the package (`SHIPPED`).

        Raises: ModelError where there is no such model, or the file is not a whole model of this format.
        """
        path = SHIPPED.get(str(source), Path(source))
        arrays, about = read_tensors(path, "model")
        if about.get("format") != FORMAT:
            raise ModelError(f"{path}: expected a model of format {FORMAT}; got {about.get('format')}.")
        for name, array in arrays.items():
            if array.dtype not in (np.float32, np.float16):
                raise ModelError(f"{path}: {name} expects float32 or float16; got {array.dtype}.")
        try:
            network = Network.from_config(about["network"])
            statistics = {name: arrays.pop(name) for name in network.statistics if name in arrays}
            conformal = None
            if "temperature" in about:
                scores = (arrays.pop(name).astype(np.float32) for name in (_EVIDENCE, _PROBABILITY))
                conformal = Calibration(float(about["temperature"]), *scores)
            network.params, network.statistics = arrays, statistics
            height, width = about["image_shape"]
            return cls(network, LOSSES[about["loss"]](), (int(height), int(width)), about["about"], conformal)
        except (KeyError, TypeError, ValueError, AttributeError, MemoryError) as error:
            raise ModelError(f"{path}: the description of the network is damaged ({error}).") from error
