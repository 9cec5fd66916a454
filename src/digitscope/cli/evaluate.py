"""digitscope evaluate."""

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING

import click

from digitscope.cli.options import data_option, json_option, model_argument, threads_option

if TYPE_CHECKING:
    from rich.table import Table

    from digitscope.metrics import Evaluation

MATRIX_UP_TO = 12
"""Classes; a larger confusion matrix does not fit into a terminal."""


@click.command(short_help="Measure a model on labelled images.")
@model_argument
@data_option
@threads_option
@json_option
def evaluate(model: Path, source: str, threads: int | None, as_json: bool) -> None:
    """Measure a model on the test images of a data set, or on all its images where none are set apart.

    \b
    Examples:
      digitscope evaluate runs/mlp/model.safetensors
      digitscope evaluate model.safetensors --data train.csv --json
    """
    from digitscope.data import load_data
    from digitscope.errors import DataError
    from digitscope.metrics import Evaluation
    from digitscope.model import Model
    from digitscope.training import default_threads

    loaded = Model.load(model)
    data = load_data(source)
    part = "all" if data.x_test is None else "test"
    images, labels = (data.x_train, data.y_train) if data.x_test is None else (data.x_test, data.y_test)
    assert labels is not None
    probabilities = loaded.probabilities(images, threads=threads or default_threads())
    classes = probabilities.shape[1]
    if labels.max() >= classes:
        raise DataError(f"{model} knows {classes} classes; {source} has labels up to {labels.max()}. Train one on it.")
    result = Evaluation.of(labels, probabilities)
    if as_json:
        content = {
            "model": str(model),
            "data": data.name,
            "part": part,
            "images": result.images,
            "accuracy": result.accuracy,
            "interval": list(result.interval),
            "negative_log_likelihood": result.negative_log_likelihood,
            "calibration_error": result.calibration.error,
            "precision": [_finite(value) for value in result.precision.tolist()],
            "recall": [_finite(value) for value in result.recall.tolist()],
            "confusion": result.confusion.tolist(),
        }
        click.echo(json.dumps(content))
        return

    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    low, high = result.interval
    console.print(f"accuracy [bold]{result.accuracy:.2%}[/] on {result.images:,} images ({part} of {data.name}),")
    console.print(f"95% interval {low:.2%} to {high:.2%}")
    console.print(f"negative log-likelihood {result.negative_log_likelihood:.4f} nats")
    console.print(f"calibration error {result.calibration.error:.2%}")
    console.print()
    console.print(_matrix(result) if classes <= MATRIX_UP_TO else _by_class(result))


def _matrix(result: "Evaluation") -> "Table":
    """The confusion matrix, with recall at the end of the rows and precision below."""
    from rich.table import Table

    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("read as ->", style="bold")
    for k in range(len(result.confusion)):
        table.add_column(str(k), justify="right")
    table.add_column("recall %", justify="right")
    for k, row in enumerate(result.confusion.tolist()):
        cells = [f"[bold]{n}[/]" if k == j else str(n) if n else "." for j, n in enumerate(row)]
        table.add_row(str(k), *cells, _per_cent(result.recall[k]))
    table.add_row("precision %", *(_per_cent(value) for value in result.precision))
    return table


def _by_class(result: "Evaluation") -> "Table":
    """A row a class, with what it was most often taken for."""
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for heading in ("class", "images", "precision %", "recall %", "most often read as"):
        table.add_column(heading, justify="right")
    for k, row in enumerate(result.confusion):
        mistakes = row.copy()
        mistakes[k] = 0
        other = int(mistakes.argmax())
        mistaken = f"{other} ({mistakes[other]})" if mistakes[other] else "."
        table.add_row(str(k), str(row.sum()), _per_cent(result.precision[k]), _per_cent(result.recall[k]), mistaken)
    return table


def _per_cent(share: float) -> str:
    return "-" if math.isnan(share) else f"{100 * share:.1f}"


def _finite(share: float) -> float | None:
    return None if math.isnan(share) else share
