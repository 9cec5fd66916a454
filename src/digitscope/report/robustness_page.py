"""A model's robustness as tables and sentences for a terminal, and as one page with figures."""

from pathlib import Path

import numpy as np

from digitscope.metrics import Evaluation, percentage
from digitscope.report.figures import calibration_figure, corruption_figure, disputed_figure
from digitscope.report.page import Section, Table, write_report
from digitscope.robustness_results import MnistResult, Robustness

HALVES = "High-school students wrote the first half, Census Bureau employees the second."


def corruption_table(result: Robustness) -> Table:
    """Accuracy in per cent, with one row for each corruption."""
    strengths = range(1, result.samples.shape[1])
    rows = [["accuracy, % at strength", *map(str, strengths)]]
    for name, corruption in result.corruptions.items():
        amount = f"{corruption.amounts[0]:g} to {corruption.amounts[-1]:g} {corruption.unit}"
        rows.append([f"{name}, {amount}", *(percentage(found.accuracy, 1) for found in corruption.estimates)])
    return rows


def corruption_sentence(result: Robustness) -> str:
    return f"The mean over all corruptions and strengths is {percentage(result.mean_accuracy)} %."


def calibration_table(result: Robustness) -> Table:
    """Measures of calibration before and, if a temperature was fitted, after temperature scaling."""
    columns: list[tuple[str, Evaluation]] = [("uncalibrated (T = 1)", result.uncalibrated)]
    if result.calibrated is not None:
        columns.append((f"calibrated (T = {result.temperature:.3f})", result.calibrated))
    evaluations = [evaluation for _, evaluation in columns]
    return [
        ["calibration", *(heading for heading, _ in columns)],
        [
            "calibration error (15 bins), %",
            *(percentage(found.reliability.expected_calibration_error) for found in evaluations),
        ],
        ["negative log-likelihood, nats", *(f"{found.negative_log_likelihood:.4f}" for found in evaluations)],
        ["Brier score, 0 to 2", *(f"{found.brier_score:.4f}" for found in evaluations)],
    ]


def temperature_sentence(result: Robustness) -> str:
    if result.temperature is None:
        return f"No temperature was fitted: {result.temperature_source}."
    return f"The temperature {result.temperature:.3f} was fitted on {result.temperature_source}."


def parts_table(mnist: MnistResult) -> Table:
    """The accuracy on each part of MNIST's test images."""
    rows = [["test images", "number", "accuracy, %", "95 % interval"]]
    for name, estimate in mnist.parts.items():
        low, high = estimate.interval
        interval = f"{percentage(low)} to {percentage(high)}"
        rows.append([name, f"{estimate.images:,}", percentage(estimate.accuracy), interval])
    return rows


def disputed_table(mnist: MnistResult) -> Table:
    """One row for each image whose label people dispute."""
    rows = [["disputed image", "label", "people", "answer"]]
    for image in mnist.disputed:
        people = "divided" if max(image.votes) < 3 else "neither" if image.raters is None else str(image.raters)
        rows.append([str(image.index), str(image.label), people, str(image.answer)])
    return rows


def disputed_sentence(mnist: MnistResult) -> str:
    agreed = sum(image.raters is not None for image in mnist.disputed)
    return (
        f"{mnist.as_labelled} of the {len(mnist.disputed)} images are read as labelled. Of the {agreed} in which most "
        f"people saw one other digit, {mnist.as_raters} are read as that digit."
    )


def write_robustness_page(path: Path, model: str, result: Robustness) -> None:
    """Writes the tables and figures as one self-contained page. model: the name or file of the model."""
    clean = result.clean
    corruptions = result.corruptions.values()
    curves = corruption_figure(
        list(result.corruptions),
        [corruption.unit for corruption in corruptions],
        [corruption.amounts for corruption in corruptions],
        np.array([[clean.accuracy, *(found.accuracy for found in c.estimates)] for c in corruptions]),
        result.samples,
        clean.images,
    )
    reliability = calibration_figure(
        result.uncalibrated.reliability, result.calibrated.reliability if result.calibrated else None
    )
    sections = [
        Section(
            "Accuracy on corrupted images",
            "Accuracy in per cent at increasing strength. Below each curve is one of the images at each strength.",
            curves,
            "docs/notes/10-regularization.md#what-does-not-matter",
        ),
        Section(
            "Accuracy on corrupted images in numbers",
            f"Each accuracy is on the same {clean.images:,} images. {corruption_sentence(result)}",
            corruption_table(result),
            "docs/notes/11-uncertainty.md#the-interval-of-an-accuracy",
        ),
        Section(
            "Calibration",
            "How often the model was right, by how confident it was. On the diagonal, both agree.",
            reliability,
            "docs/notes/11-uncertainty.md#does-90--mean-nine-in-ten",
        ),
        Section(
            "Calibration in numbers",
            f"Lower is better. {temperature_sentence(result)}",
            calibration_table(result),
            "docs/notes/11-uncertainty.md#one-number-repairs-most-of-it",
        ),
    ]
    if (mnist := result.mnist) is not None:
        texts = [
            (f"read {answer}", f"label {label}", f"people {people}")
            for _, label, people, answer in disputed_table(mnist)[1:]
        ]
        sections += [
            Section(
                "Disputed labels",
                f"In these images, fewer than three of five people saw what the label says. {disputed_sentence(mnist)}",
                disputed_figure(mnist.disputed_images, texts),
                "docs/notes/11-uncertainty.md#the-fifteen",
            ),
            Section(
                "Accuracy on parts of the test set",
                HALVES,
                parts_table(mnist),
                "docs/notes/11-uncertainty.md#who-wrote-it",
            ),
        ]
    low, high = clean.interval
    facts = [
        ("Accuracy", f"{percentage(clean.accuracy)} %"),
        ("95 % interval", f"{percentage(low)} to {percentage(high)} %"),
        ("Accuracy on corrupted images", f"{percentage(result.mean_accuracy)} %"),
        ("Calibration error", f"{percentage(result.uncalibrated.reliability.expected_calibration_error)} %"),
        ("Images", f"{clean.images:,}, {result.source}"),
        ("Model", model),
    ]
    write_report(
        path,
        title=f"Digitscope: robustness of {result.name}",
        lead="The accuracy on corrupted images, and how far the probabilities can be trusted.",
        notices=[result.notice] if result.notice else [],
        facts=facts,
        sections=sections,
    )
