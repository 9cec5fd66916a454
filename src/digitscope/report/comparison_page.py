"""Two trainings side by side, as one page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from digitscope.metrics import Evaluation, percentage, wilson_interval
from digitscope.report.figures import History, compare_curves, confusion_figure
from digitscope.report.page import Section, Table, write_report

_LENGTHS = (("epochs begun", "epoch"), ("steps", "step"))


@dataclass(frozen=True, eq=False)
class ComparedRun:
    """One of the two trainings, as plain numbers."""

    name: str
    """Its folder."""
    settings: Mapping[str, Any]
    history: History
    validation_accuracy: float | None
    validation_images: int | None = None
    parameters: int | None = None
    evaluation: Evaluation | None = None
    """On the images that both are compared on."""


@dataclass(frozen=True, eq=False)
class RunComparison:
    """Two trainings."""

    runs: tuple[ComparedRun, ComparedRun]
    data: str | None
    """The data set that both were evaluated on."""
    reason: str
    """The reason why they were not evaluated; empty if they were."""
    only_right: tuple[int, int] | None
    """The numbers of images that only the first, and only the second, read correctly; None if the images differed."""


def settings_table(comparison: RunComparison) -> Table:
    """The settings that differ, one row each. "-" is one that a training does not have."""
    first, second = comparison.runs
    names = [*first.settings, *(name for name in second.settings if name not in first.settings)]
    rows = [["setting", first.name, second.name]]
    for name in names:
        one, other = (str(run.settings.get(name, "-")) for run in comparison.runs)
        if one != other:
            rows.append([name.replace("_", " "), one, other])
    return rows


def results_table(comparison: RunComparison) -> Table:
    """Accuracies with their intervals, and sizes."""
    rows = [["", *(run.name for run in comparison.runs)]]
    rows.append(["validation accuracy", *map(_validation, comparison.runs)])
    if comparison.data is not None:
        rows.append([f"accuracy on {comparison.data}", *map(_evaluated, comparison.runs)])
    if comparison.only_right is not None:
        rows.append(["correct in this run only", *(f"{count:,}" for count in comparison.only_right)])
    rows.extend([name, *(f"{_last(run.history[column]):,.0f}" for run in comparison.runs)] for name, column in _LENGTHS)
    rows.append(["parameters", *("-" if run.parameters is None else f"{run.parameters:,}" for run in comparison.runs)])
    return rows


def _last(column: Sequence[float | None]) -> float:
    """The last number; 0 for a training that has not begun."""
    return max((value for value in column if value is not None), default=0.0)


def _validation(run: ComparedRun) -> str:
    share, n = run.validation_accuracy, run.validation_images
    if share is None:
        return "-"
    return f"{percentage(share)} %" + (_interval(wilson_interval(share, n)) if n else "")


def _evaluated(run: ComparedRun) -> str:
    if run.evaluation is None:
        return "-"
    return f"{percentage(run.evaluation.accuracy)} %{_interval(run.evaluation.interval)}"


def _interval(interval: tuple[float, float]) -> str:
    low, high = map(percentage, interval)
    return f" ({low} to {high})"


def write_comparison_page(path: Path, comparison: RunComparison) -> None:
    """Writes tables and figures of both trainings as one self-contained page."""
    first, second = comparison.runs
    settings, results = settings_table(comparison), results_table(comparison)
    sections = [
        Section(
            "Settings and results",
            "The settings that differ, then the accuracies with their 95 % intervals. Correct in this run only: "
            "images that the other run misread.",
            [*settings, *results[1:]],
        ),
        Section(
            "Learning curves",
            "Loss and accuracy over the steps, in the same axes. Pale lines are the running mean on the training "
            "images; the others are for the validation images.",
            compare_curves([run.name for run in comparison.runs], [run.history for run in comparison.runs]),
        ),
    ]
    for run in comparison.runs:
        if run.evaluation is not None:
            sentence = f"{run.evaluation.images:,} images of {comparison.data}. Rows are the true classes, columns the "
            figure = confusion_figure(run.evaluation.confusion)
            sections.append(Section(f"Confusion matrix: {run.name}", f"{sentence}answers.", figure))
    write_report(
        path,
        title=f"Digitscope: {first.name} and {second.name}",
        lead="Two trainings side by side.",
        facts=[],
        sections=sections,
        notices=[comparison.reason] if comparison.reason else [],
    )
