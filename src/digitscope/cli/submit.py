"""digitscope submit."""

from pathlib import Path

import click

from digitscope.cli.options import model_and_files, threads_option


@click.command(short_help="Write a submission for Kaggle's Digit Recognizer.")
@click.argument("arguments", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="[MODEL] TEST_CSV")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("submission.csv"),
    show_default=True,
    metavar="FILE",
    help="Where to write.",
)
@threads_option
@click.pass_context
def submit(context: click.Context, arguments: tuple[Path, ...], out: Path, threads: int | None) -> None:
    """Read the images of Kaggle's test.csv and write ImageId,Label, ids from 1.

    Without a MODEL (a .safetensors file) by the model that comes with Digitscope, which has learned MNIST.

    \b
    Example:
      digitscope train --data train.csv --out runs/kaggle
      digitscope submit runs/kaggle/model.safetensors test.csv
    """
    from digitscope.datasets import read_table
    from digitscope.jobs.kaggle import expectation, leakage, write_submission
    from digitscope.model import Model
    from digitscope.training import default_threads

    model, files = model_and_files(arguments)
    if len(files) != 1:
        raise click.UsageError(f"submit expects one TEST_CSV; got {len(files)}.", context)
    (test_csv,) = files
    loaded = Model.load(model)
    table = read_table(test_csv)
    count = write_submission(out, loaded.predict(table.images, threads=threads or default_threads()))
    click.echo(f"{out}: {count:,} answers")
    click.echo(expectation(loaded))
    click.echo(leakage(loaded))
