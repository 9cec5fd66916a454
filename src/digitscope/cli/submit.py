"""digitscope submit."""

from pathlib import Path

import click

from digitscope.cli.options import model_argument, threads_option


@click.command(short_help="Write a submission for Kaggle's Digit Recognizer.")
@model_argument
@click.argument("test_csv", type=click.Path(path_type=Path), metavar="TEST_CSV")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("submission.csv"),
    show_default=True,
    metavar="FILE",
    help="Where to write.",
)
@threads_option
def submit(model: Path, test_csv: Path, out: Path, threads: int | None) -> None:
    """Read the images of Kaggle's test.csv and write ImageId,Label, ids from 1.

    \b
    Example:
      digitscope train --data train.csv --out runs/kaggle
      digitscope submit runs/kaggle/model.safetensors test.csv
    """
    from digitscope.data import read_table
    from digitscope.model import Model
    from digitscope.submission import expectation, leakage, write_submission
    from digitscope.training import default_threads

    loaded = Model.load(model)
    table = read_table(test_csv)
    count = write_submission(out, loaded.predict(table.images, threads=threads or default_threads()))
    click.echo(f"{out}: {count:,} answers")
    click.echo(expectation(loaded))
    click.echo(leakage(loaded))
