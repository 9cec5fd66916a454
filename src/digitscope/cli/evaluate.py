"""digitscope evaluate."""

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from digitscope.cli.options import (
    FilePath,
    data_option,
    json_option,
    model_argument,
    model_text,
    recipe_option,
    threads_option,
)

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from digitscope.datasets import DataSet
    from digitscope.metrics import Evaluation
    from digitscope.model import Model
    from digitscope.report.page import Table as Rows
    from digitscope.robustness_results import Robustness

MATRIX_UP_TO = 12
"""Maximum number of classes of a confusion matrix that is printed whole; a larger one does not fit a terminal."""

MAX_ROWS = 60
"""Maximum number of classes with a row each; of more classes, those with the lowest recall are listed."""


@click.command(short_help="Evaluate a model, or a recipe by cross-validation.")
@model_argument
@data_option
@click.option(
    "--robust",
    is_flag=True,
    help="Also evaluate on corrupted images, with temperature scaling, and on subsets of MNIST's test set.",
)
@click.option(
    "--report",
    type=FilePath(),
    metavar="FILE.html",
    help="Also write the results of --robust as a page.",
)
@click.option(
    "--folds",
    type=click.IntRange(2),
    metavar="K",
    help="Cross-validate a recipe instead of a model: each of K parts of the training images is read by a network that "
    "learned from the others.",
)
@recipe_option("The recipe that --folds trains. [default: convnet]")
@click.option("--epochs", type=click.IntRange(1), metavar="N", help="Its epochs. [default: the recipe's]")
@click.option("--seed", type=click.IntRange(0), metavar="N", help="The seed of its random numbers. [default: 0]")
@threads_option
@json_option
@click.pass_context
def evaluate(
    context: click.Context,
    model: Path,
    source: str,
    robust: bool,
    report: Path | None,
    folds: int | None,
    recipe: str | None,
    epochs: int | None,
    seed: int | None,
    threads: int | None,
    as_json: bool,
) -> None:
    """Evaluate a model on the test images of a data set, or on all of its images if it has no test part. Images that
    the model learned from are left out; if it learned from all of them, a warning says so.

    With --folds, a recipe is evaluated instead, by cross-validation on the training images.

    MODEL is a .safetensors file or the name of a bundled model. If no MODEL is given, the bundled `reader` is used; the
    others are `best` and `convnet`.

    \b
    Examples:
      digitscope evaluate runs/mlp/model.safetensors
      digitscope evaluate model.safetensors --data train.csv --json
      digitscope evaluate model.safetensors --robust --report robust.html
      digitscope evaluate --folds 5 --recipe mlp --data train.csv
    """
    _check_options(context, folds)
    if folds is not None:
        _cross_validate(source, folds, recipe, epochs, seed or 0, threads, as_json)
        return
    from digitscope.cli.console import Output, literal
    from digitscope.datasets import load_data
    from digitscope.files.atomic import check_new
    from digitscope.metrics import Evaluation
    from digitscope.model import Model
    from digitscope.recipes.held_out import evaluation_part

    if report is not None and not robust:
        raise click.UsageError("--report writes the results of --robust: give both.", context)
    if report is not None:
        check_new(report, "--report")
    loaded = Model.load(model)
    data = load_data(source, loaded.image_shape)
    loaded.check_data(data)
    part = evaluation_part(loaded.info, data)
    result = Evaluation.of(part.labels, loaded.predict_proba(part.images, threads=threads))
    console = Output(quiet=as_json, soft_wrap=True)
    console.print(model_text(model), markup=False)
    if part.notice:
        kind = "Note" if part.name in ("validation", "unseen") else "Warning"
        console.print(f"{kind}: {part.notice}", markup=False, style="bold")
    _print_metrics(console, result, f"({part.name} images of {literal(data.name)})")
    found = _robustness(console, loaded, data, threads) if robust else None
    if as_json:
        content = {
            "model": str(model),
            "data": data.name,
            "part": part.name,
            "notice": part.notice,
            **_metrics(result),
        }
        if found is not None:
            content["robustness"] = found.as_json()
        click.echo(json.dumps(content))
    if report is not None and found is not None:
        from digitscope.report.robustness_page import write_robustness_page

        write_robustness_page(report, str(model), found)
        console.print(f"\nreport: {literal(report)}")


def _check_options(context: click.Context, folds: int | None) -> None:
    """Raises: click.UsageError for options that are of the other kind of evaluation."""
    others = ("recipe", "epochs", "seed") if folds is None else ("model", "robust", "report")
    given = [
        "MODEL" if name == "model" else f"--{name}"
        for name in others
        if context.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT
    ]
    if given and folds is None:
        raise click.UsageError(f"{given[0]} is for a cross-validation, which needs --folds K.", context)
    if given:
        raise click.UsageError(f"--folds evaluates a recipe, which it trains: leave out {given[0]}.", context)


def _cross_validate(
    source: str, folds: int, recipe: str | None, epochs: int | None, seed: int, threads: int | None, as_json: bool
) -> None:
    """Cross-validates a recipe and prints the metrics of all folds together."""
    from tempfile import TemporaryDirectory

    from digitscope.cli.console import Output, literal
    from digitscope.cli.fold_view import show_folds
    from digitscope.datasets import load_data
    from digitscope.jobs.cross_validation import FoldTrainings
    from digitscope.jobs.train import Settings
    from digitscope.recipes import DEFAULT

    settings = Settings(recipe or DEFAULT, source, epochs=epochs, seed=seed)
    data = load_data(source)
    console = Output(quiet=as_json, soft_wrap=True)
    with TemporaryDirectory(prefix="digitscope-") as folder:
        trainings = FoldTrainings(Path(folder), data, settings, folds=folds, threads=threads)
        console.print(f"recipe: {settings.recipe}")
        validated = show_folds(trainings.cross_validate(), console, folds=folds)
    _print_metrics(console, validated.evaluation, f"(training images of {literal(data.name)}, {folds} folds)")
    if as_json:
        content = {
            "recipe": settings.recipe,
            "data": data.name,
            "folds": folds,
            "fold_accuracies": list(validated.accuracies),
            **_metrics(validated.evaluation),
        }
        click.echo(json.dumps(content))


def _metrics(result: "Evaluation") -> dict[str, Any]:
    """The metrics as JSON."""
    return {
        "images": result.images,
        "accuracy": result.accuracy,
        "interval": list(result.interval),
        "negative_log_likelihood": result.negative_log_likelihood,
        "brier_score": result.brier_score,
        "calibration_error": result.reliability.expected_calibration_error,
        "precision": [_finite(value) for value in result.precision.tolist()],
        "recall": [_finite(value) for value in result.recall.tolist()],
        "confusion": result.confusion.tolist(),
    }


def _print_metrics(console: "Console", result: "Evaluation", where: str) -> None:
    from digitscope.metrics import percentage

    low, high = map(percentage, result.interval)
    console.print(f"accuracy [bold]{percentage(result.accuracy)} %[/] on {result.images:,} images {where},")
    console.print(f"95 % interval {low} to {high} %")
    console.print(
        f"negative log-likelihood {result.negative_log_likelihood:.4f} nats, Brier score {result.brier_score:.4f}"
    )
    console.print(f"expected calibration error {percentage(result.reliability.expected_calibration_error)} %")
    console.print()
    _print_confusion(console, result)


def _robustness(console: "Console", model: "Model", data: "DataSet", threads: int | None) -> "Robustness":
    """Measures the robustness and prints it. On a terminal, a progress bar is shown meanwhile."""
    from rich.progress import Progress

    from digitscope.cli.tables import print_table
    from digitscope.jobs.robustness import measure
    from digitscope.report import robustness_page as page

    with Progress(console=console, transient=True, disable=console.quiet or not console.is_terminal) as progress:
        found = measure(
            model, data, threads=threads, track=lambda steps: progress.track(steps, description="corrupted images")
        )
    tables = [
        (page.corruption_table(found), page.corruption_sentence(found)),
        (page.calibration_table(found), page.temperature_sentence(found)),
    ]
    if found.mnist is not None:
        tables.append((page.parts_table(found.mnist), page.HALVES))
        tables.append((page.disputed_table(found.mnist), page.disputed_sentence(found.mnist)))
    for rows, remark in tables:
        console.print()
        print_table(console, rows)
        console.print(remark, style="dim", markup=False, soft_wrap=False)
    return found


def _print_confusion(console: "Console", result: "Evaluation") -> None:
    """The confusion matrix; with many classes, or on a narrow terminal, one row for each class."""
    from digitscope.cli.tables import print_table

    few = len(result.confusion) <= MATRIX_UP_TO
    if few:
        matrix, endless = _matrix(result), console.options.update(width=1000)
        if console.measure(matrix, options=endless).maximum <= console.width:
            console.print("confusion matrix (rows: true class, columns: answer)", style="bold")
            console.print(matrix)
            return
    print_table(console, _by_class(result, None if few else 1), left=())


def _matrix(result: "Evaluation") -> "Table":
    """The confusion matrix, with recall at the end of the rows and precision below."""
    from rich.table import Table

    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("class", style="bold")
    for k in range(len(result.confusion)):
        table.add_column(str(k), justify="right")
    table.add_column("recall %", justify="right")
    for k, row in enumerate(result.confusion.tolist()):
        cells = [f"[bold]{n}[/]" if k == j else str(n) if n else "." for j, n in enumerate(row)]
        table.add_row(str(k), *cells, _per_cent(result.recall[k]))
    table.add_row("precision %", *(_per_cent(value) for value in result.precision))
    return table


def _by_class(result: "Evaluation", mistakes: int | None) -> "Rows":
    """One row for each class, with the classes that it was mistaken for: all, or this many. Of many classes, those with
    the lowest recall have a row.
    """
    import numpy as np

    rows = [["class", "images", "precision %", "recall %", "read as" if mistakes is None else "most often read as"]]
    worst = np.argsort(np.nan_to_num(result.recall, nan=2), kind="stable")[:MAX_ROWS]
    for k in worst.tolist() if len(result.confusion) > MAX_ROWS else range(len(result.confusion)):
        row = result.confusion[k].tolist()
        others = sorted((j for j, count in enumerate(row) if count and j != k), key=lambda j: -row[j])
        mistaken = ", ".join(f"{j} ({row[j]})" for j in others[:mistakes]) or "."
        rows.append([str(k), str(sum(row)), _per_cent(result.precision[k]), _per_cent(result.recall[k]), mistaken])
    return rows


def _per_cent(share: float) -> str:
    from digitscope.metrics import percentage

    return "-" if math.isnan(share) else percentage(share, 1)


def _finite(share: float) -> float | None:
    return None if math.isnan(share) else share
