"""digitscope runs."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from digitscope.cli.completion import complete_data
from digitscope.cli.options import FilePath, json_option, threads_option

if TYPE_CHECKING:
    from digitscope.jobs.runs import FoundRun

SORTS = ("newest", "validation", "recipe", "run")


@click.command(short_help="List your trainings, or compare two of them.")
@click.argument("folders", nargs=-1, type=FilePath(), metavar="[FOLDER | RUN RUN]")
@click.option(
    "--sort",
    type=click.Choice(SORTS),
    default="newest",
    show_default=True,
    help="The order of the list: the newest or the highest validation accuracy first, or by name.",
)
@click.option(
    "--out",
    type=FilePath(),
    metavar="FILE.html",
    help="The page to write for a comparison. [default: comparison.html, with a number if that exists]",
)
@click.option(
    "--data",
    "source",
    metavar="SOURCE",
    shell_complete=complete_data,
    help="The data to compare two trainings on. [default: mnist, if both were trained on it]",
)
@threads_option
@json_option
@click.pass_context
def runs(
    context: click.Context,
    folders: tuple[Path, ...],
    sort: str,
    out: Path | None,
    source: str | None,
    threads: int | None,
    as_json: bool,
) -> None:
    """List the trainings in runs/, or in FOLDER, with their settings, validation accuracy and progress.

    With two folders, RUN RUN, write one page that shows both side by side: the settings that differ, the accuracies
    with their intervals, the learning curves in the same axes, and the confusion matrices.

    \b
    Examples:
      digitscope runs
      digitscope runs --sort validation --json
      digitscope runs runs/mlp runs/seed
    """
    if len(folders) > 2:
        raise click.UsageError(f"runs expects one FOLDER, or two runs to compare; got {len(folders)}.", context)
    if len(folders) == 2:
        _compare((folders[0], folders[1]), out, source, threads, as_json)
        return
    if given := [name for name, value in (("--out", out), ("--data", source)) if value is not None]:
        raise click.UsageError(f"{given[0]} is for comparing two runs; name both.", context)
    _list(folders[0] if folders else Path("runs"), sort, as_json)


def _list(folder: Path, sort: str, as_json: bool) -> None:
    from digitscope.cli.console import Output
    from digitscope.cli.tables import print_table
    from digitscope.jobs.runs import find_runs

    found = find_runs(folder)
    if sort == "validation":
        found.sort(key=lambda run: -(run.validation_accuracy or 0))
    elif sort != "newest":
        found.sort(key=lambda run: (run.recipe or "", str(run.folder)) if sort == "recipe" else str(run.folder))
    if as_json:
        click.echo(json.dumps([run.as_json() for run in found]))
        return
    readable = [run for run in found if run.problem is None]
    if readable:
        rows = [["run", "recipe", "epochs", "settings", "validation"], *map(_row, readable)]
        print_table(Output(), rows, left=(0, 1, 3))
    for run in found:
        if run.problem is not None:
            click.echo(f"damaged: {run.problem}")


def _row(run: "FoundRun") -> list[str]:
    from digitscope.files.opening import shown_path
    from digitscope.metrics import percentage
    from digitscope.training.settings import setting_text

    total = (run.settings or {}).get("epochs")
    member = f" of member {run.member + 1}" if run.member else ""
    epochs = str(run.epoch) if run.state == "finished" else f"{run.epoch} of {total}{member}, {run.state}"
    own = {**({"data": run.data} if run.data != "mnist" else {}), **run.own_settings}
    settings = ", ".join(f"{name.replace('_', ' ')} {setting_text(value)}" for name, value in own.items())
    accuracy = "" if run.validation_accuracy is None else f"{percentage(run.validation_accuracy)} %"
    return [shown_path(run.folder), run.recipe or "", epochs, settings, accuracy]


def _compare(
    folders: tuple[Path, Path], out: Path | None, source: str | None, threads: int | None, as_json: bool
) -> None:
    from digitscope.cli.console import Output
    from digitscope.cli.tables import free_name, print_table
    from digitscope.errors import DataError
    from digitscope.files.atomic import check_new
    from digitscope.files.opening import shown_path
    from digitscope.jobs.runs import compare_runs
    from digitscope.report.comparison_page import results_table, settings_table, write_comparison_page

    if out is not None and out.suffix.lower() != ".html":
        raise DataError(f"{out}: --out expects a name that ends with .html, such as comparison.html.")
    if out is not None:
        check_new(out, "--out")
    comparison = compare_runs(folders, source, threads=threads)
    out = free_name("comparison", ".html") if out is None else out
    write_comparison_page(out, comparison)
    settings, results = settings_table(comparison), results_table(comparison)
    if as_json:
        click.echo(json.dumps({"settings": settings[1:], "results": results[1:], "written": str(out)}))
        return
    console = Output()
    for table in (settings, results):
        if len(table) > 1:
            print_table(console, table)
            click.echo()
    if comparison.reason:
        click.echo(comparison.reason)
    click.echo(f"page: {shown_path(out)}")
