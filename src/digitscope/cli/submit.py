"""digitscope submit."""

from pathlib import Path

import click

from digitscope.cli.options import model_and_files, model_text, threads_option


@click.command(short_help="Write a submission for Kaggle's Digit Recognizer.")
@click.argument("arguments", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="[MODEL] TEST_CSV")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("submission.csv"),
    show_default=True,
    metavar="FILE",
    help="The file to write.",
)
@threads_option
@click.pass_context
def submit(context: click.Context, arguments: tuple[Path, ...], out: Path, threads: int | None) -> None:
    """Read the images of Kaggle's test.csv and write ImageId,Label, ids from 1.

    MODEL is a .safetensors file or the name of a bundled model. If no MODEL is given, the bundled `reader` is used; the
    others are `best` and `convnet`. All three were trained on MNIST, which holds Kaggle's test images.

    \b
    Example:
      digitscope train --data train.csv --out runs/kaggle
      digitscope submit runs/kaggle/model.safetensors test.csv
    """
    from digitscope.datasets import read_table
    from digitscope.jobs.kaggle import expectation, leakage, write_submission
    from digitscope.model import Model

    model, files = model_and_files(arguments)
    if len(files) != 1:
        raise click.UsageError(f"submit expects one TEST_CSV; got {len(files)}.", context)
    (test_csv,) = files
    loaded = Model.load(model)
    table = read_table(test_csv)
    count = write_submission(out, loaded.predict(table.images, threads=threads))
    click.echo(model_text(model))
    click.echo(f"{out}: {count:,} answers")
    click.echo(expectation(loaded))
    click.echo(leakage(loaded))
