"""`digitscope evaluate --robust` without the terminal: corrupted images, temperature scaling, parts of MNIST."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from digitscope.arrays import Array
from digitscope.augmentation.corruptions import CORRUPTIONS, STRENGTHS
from digitscope.calibration import fit_temperature, temper
from digitscope.datasets import DataSet
from digitscope.datasets.mnist_facts import DISPUTED, HALVES, is_mnist_test
from digitscope.metrics import Evaluation
from digitscope.model import Model
from digitscope.recipes.held_out import evaluation_part, held_out
from digitscope.robustness_results import (
    AccuracyEstimate,
    CorruptionResult,
    DisputedResult,
    MnistResult,
    Robustness,
)

Track = Callable[[Sequence[tuple[str, int]]], Iterable[tuple[str, int]]]
"""Iterates over the sequence that it is given, and may show the progress."""


def measure(
    model: Model, data: DataSet, *, threads: int | None = None, seed: int = 0, track: Track = iter
) -> Robustness:
    """Evaluates the model on the `evaluation_part` of the data; the same seed gives the same results.

    Images corrupted at different strengths differ in nothing else: they turn the same way and have the same noise. The
    two calibrations compare the logits themselves with the logits divided by the temperature.
    """
    part = evaluation_part(model.info, data)
    images, labels = part.images, part.labels
    corruptions, samples = measure_corruptions(model, images, labels, threads, seed, track)
    clean = Evaluation.of(labels, model.predict_proba(images, threads=threads))
    uncalibrated = replace(model, calibration=None)
    probabilities = uncalibrated.predict_proba(images, threads=threads)
    temperature, source = _temperature(uncalibrated, model, data, threads)
    return Robustness(
        name=model.info.recipe or "the model",
        source=f"{part.name} images of {data.name}",
        clean=clean,
        seed=seed,
        corruptions=corruptions,
        samples=samples,
        temperature=temperature,
        temperature_source=source,
        uncalibrated=Evaluation.of(labels, probabilities),
        calibrated=None if temperature is None else Evaluation.of(labels, temper(probabilities, temperature)),
        mnist=mnist_result(images, labels, probabilities.argmax(axis=1)) if is_mnist_test(images, labels) else None,
        notice=part.notice,
    )


def mnist_result(images: Array, labels: Array, answers: Array) -> MnistResult:
    """The accuracy on each half of MNIST's test images and without the disputed images, and the answers for those."""
    disputed = [dispute.index for dispute in DISPUTED]
    undisputed = np.delete(np.arange(len(labels)), disputed)
    parts: dict[str, Any] = {"all": slice(None), **HALVES, f"without the {len(DISPUTED)} disputed": undisputed}
    return MnistResult(
        parts={name: AccuracyEstimate.of(labels[part], answers[part]) for name, part in parts.items()},
        disputed=tuple(
            DisputedResult(d.index, d.label, d.other, d.votes, d.raters, int(answers[d.index])) for d in DISPUTED
        ),
        disputed_images=images[disputed],
    )


def measure_corruptions(
    model: Model, images: Array, labels: Array, threads: int | None, seed: int, track: Track
) -> tuple[dict[str, CorruptionResult], Array]:
    """For each corruption the accuracy at each strength, and one image, as it is and at each strength.

    Shapes: samples (corruptions, 1 + strengths, H, W)
    """
    names = list(CORRUPTIONS)
    estimates: dict[str, list[AccuracyEstimate]] = {name: [] for name in names}
    # The first eight images, one for each corruption.
    shown = np.arange(len(names)) % len(images)
    samples = np.repeat(images[shown][:, None], 1 + len(STRENGTHS), axis=1)
    for name, strength in track([(name, strength) for name in names for strength in STRENGTHS]):
        number = names.index(name)
        corrupted = CORRUPTIONS[name](images, strength, np.random.default_rng([seed, number]))
        estimates[name].append(AccuracyEstimate.of(labels, model.predict(corrupted, threads=threads)))
        samples[number, strength] = corrupted[shown[number]]
    results = {
        name: CorruptionResult(CORRUPTIONS[name].unit, CORRUPTIONS[name].amounts, tuple(found))
        for name, found in estimates.items()
    }
    return results, samples


def _temperature(uncalibrated: Model, model: Model, data: DataSet, threads: int | None) -> tuple[float | None, str]:
    """The temperature of the model's logits, and the images that it was fitted on; or None, and why."""
    if data.x_test is None:
        return None, "there are no test images, so it would be evaluated on the images that it is fitted on"
    validation = held_out(model.info, data)
    if validation is not None:
        probabilities = uncalibrated.predict_proba(data.x_train[validation], threads=threads)
        return fit_temperature(data.y_train[validation], probabilities), f"{len(validation):,} validation images"
    if model.calibration is not None:
        return model.calibration.temperature, "validation images when the model was trained"
    if model.info.data_digest != data.digest:
        return None, f"the model was not trained on {data.name}, so none of its images were held out"
    return None, "the model file does not say which images were held out"
