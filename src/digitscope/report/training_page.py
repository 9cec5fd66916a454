"""The report of a training, as one page: report.html."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from digitscope.arrays import Array
from digitscope.errors import ShapeError
from digitscope.metrics import Evaluation, percentage
from digitscope.report.figures import (
    History,
    calibration_figure,
    confident_mistakes,
    confusion_figure,
    first_layer_weights,
    learning_curves,
    sample_predictions,
)
from digitscope.report.learning_slider import LearningSteps, learning_slider
from digitscope.report.page import Section, write_report

WEIGHT_COLOURS = "Orange: ink here excites the unit. Blue: ink here inhibits it."


@dataclass(frozen=True, eq=False)
class TrainingResult:
    """The results of a training, as plain numbers and arrays."""

    recipe: str
    description: str
    """The network and its training in a few words."""
    data: str
    """The name of the data set."""
    history: History
    part: str
    """The part of the data set that the images below are from: "test", or "validation" without test images."""
    images: Array
    labels: Array
    probabilities: Array
    evaluation: Evaluation
    """The evaluation of these probabilities."""
    first_weights: Array | None
    """The weights of the first layer that has any, (units, ...); None if no layer has."""
    validation_accuracy: float
    train_seconds: float
    epochs: int
    parameters: int
    train_images: int
    seed: int
    learning: LearningSteps | None = None
    loss_notes: Sequence[str] = ()
    """Sentences that explain the losses."""
    notices: Sequence[str] = ()
    """Sentences that the reader should know first."""


def write_training_page(path: Path, result: TrainingResult) -> None:
    """Writes the figures and numbers as one self-contained page."""
    write_report(
        path,
        title=f"Digitscope: {result.recipe} on {result.data}",
        lead=result.description,
        notices=result.notices,
        facts=_facts(result),
        sections=_sections(result),
    )


def _facts(result: TrainingResult) -> Sequence[tuple[str, str]]:
    evaluation = result.evaluation
    low, high = evaluation.interval
    return [
        (f"{result.part.capitalize()} accuracy", f"{percentage(evaluation.accuracy)} %"),
        ("95 % interval", f"{percentage(low)} to {percentage(high)} %"),
        ("Validation accuracy", f"{percentage(result.validation_accuracy)} %"),
        ("Negative log-likelihood", f"{evaluation.negative_log_likelihood:.4f} nats"),
        ("Training", f"{result.train_seconds:.1f} s, {result.epochs} {'epoch' if result.epochs == 1 else 'epochs'}"),
        ("Parameters", f"{result.parameters:,}"),
        ("Images", f"{result.train_images:,} training, {evaluation.images:,} {result.part}"),
        ("Seed", str(result.seed)),
    ]


def _sections(result: TrainingResult) -> Sequence[Section]:
    part, images, labels, probabilities = result.part, result.images, result.labels, result.probabilities
    # Without test images, only the images that the temperature was fitted on are left to evaluate it.
    caution = " The temperature was fitted on these same images." if part == "validation" else ""
    sections = [
        Section(
            "Learning curves",
            " ".join(
                [
                    "Loss and accuracy after each step, on the training images and on the validation images.",
                    *result.loss_notes,
                ]
            ),
            learning_curves(result.history),
            "docs/notes/06-descent.md#a-slope-from-a-few-images",
        ),
        *_learning(result.learning),
        Section(
            "Sample predictions",
            f"Images of the {part} set, with the probability that the network gives to each class.",
            sample_predictions(images, labels, probabilities),
            "docs/notes/04-softmax.md#shares-that-come-from-scores",
        ),
        Section(
            "Confusion matrix",
            "Rows are the true classes, columns the answers. The diagonal is the recall: the share of each class that "
            "was read correctly.",
            confusion_figure(result.evaluation.confusion),
            "docs/notes/11-uncertainty.md#the-interval-of-an-accuracy",
        ),
        Section(
            "Most confident errors",
            "Confident mistakes: wrong answers with the highest probability.",
            confident_mistakes(images, labels, probabilities),
            "docs/notes/04-softmax.md#how-wrong-was-it",
        ),
    ]
    first_layer = _first_layer(result.first_weights, images.shape[1:])
    if first_layer is not None:
        sections.append(first_layer)
    sections.append(
        Section(
            "Calibration",
            f"How often the network was right, by how confident it was. On the diagonal, both agree.{caution}",
            calibration_figure(result.evaluation.reliability),
            "docs/notes/11-uncertainty.md#does-90--mean-nine-in-ten",
        )
    )
    return sections


def _learning(steps: LearningSteps | None) -> list[Section]:
    if steps is None:
        return []
    weights = f" {WEIGHT_COLOURS}" if steps.patterns is not None else ""
    sentence = f"How the network read validation images before training and after each of these epochs.{weights}"
    return [Section("Epoch by epoch", sentence, learning_slider(steps), "docs/notes/06-descent.md")]


def _first_layer(weights: Array | None, image_shape: tuple[int, ...]) -> Section | None:
    """The weights of a dense layer, whose units see the whole image, or of a convolution, whose units see a window.

    None if they are not images.
    """
    if weights is None:
        return None
    dense = weights.ndim == 2
    try:
        figure = first_layer_weights(weights, (image_shape[0], image_shape[1]) if dense else None)
    except ShapeError:
        return None
    return Section(
        "Weights of the first layer",
        f"The weights of each unit, laid out as an image. {WEIGHT_COLOURS}",
        figure,
        "docs/notes/02-neurons.md#a-stencil" if dense else "docs/notes/08-convolution.md#what-the-filters-look-like",
    )
