"""digitscope data."""

from pathlib import Path

import click

from digitscope.cli.completion import complete_data
from digitscope.cli.options import FilePath

FOLDER_FORMATS = ("csv", "idx", "parquet", "png")
"""The formats of `digitscope.datasets.writers`, which takes NumPy to load. A test compares the two."""
MAX_ROWS = 60
"""Maximum number of classes that are listed."""


@click.command(short_help="Show the contents of a data set, or convert it.")
@click.argument("source", default="mnist", metavar="SOURCE", shell_complete=complete_data)
@click.option(
    "--picture",
    type=FilePath(),
    metavar="FILE",
    help="Also write samples as a picture, one row for each class.",
)
@click.option(
    "--to",
    "out",
    type=FilePath(),
    metavar="OUT",
    help="Also convert it to a new file, .csv, .csv.gz, .npz or .parquet, or with --format to a new folder.",
)
@click.option(
    "--format",
    "folder_format",
    type=click.Choice(FOLDER_FORMATS),
    help="What the folder OUT will hold: train and test as csv, as Hugging Face's parquet, as idx, or as png pictures.",
)
@click.pass_context
def data(
    context: click.Context, source: str, picture: Path | None, out: Path | None, folder_format: str | None
) -> None:
    """Show the contents of a data set: the number of images of each class, intensities, and samples.

    SOURCE is mnist, sklearn-digits, a CSV or Parquet file, an .npz, a folder of IDX files, of such tables, or of
    pictures with one subfolder for each class.

    \b
    Examples:
      digitscope data mnist
      digitscope data train.csv --picture samples.png
      digitscope data my_digits/
      digitscope data train.csv --to train.parquet
      digitscope data mnist --to mnist_pictures --format png
    """
    import numpy as np

    from digitscope.cli.braille import side_by_side
    from digitscope.cli.console import Output, literal
    from digitscope.cli.tables import print_table
    from digitscope.datasets import load_data
    from digitscope.datasets.writers import check_output, write_data
    from digitscope.files.atomic import check_new
    from digitscope.files.opening import shown_path
    from digitscope.metrics import percentage
    from digitscope.report.samples import write_samples

    if picture is not None:
        check_new(picture, "--picture")
    if out is not None:
        check_output(out, folder_format)
        check_new(out, "--to")
    elif folder_format is not None:
        raise click.UsageError("--format expects a folder to write: --to OUT.", context)
    loaded = load_data(source)
    console = Output()
    if picture is not None:
        write_samples(picture, loaded.x_train, loaded.y_train)
    if out is not None:
        write_data(loaded, out, folder_format)
    parts = {"train": (loaded.x_train, loaded.y_train)}
    if loaded.x_test is not None and loaded.y_test is not None:
        parts["test"] = (loaded.x_test, loaded.y_test)
    console.print(f"[bold]{literal(loaded.name)}[/]: {loaded.classes} classes")
    for name, (images, _) in parts.items():
        size = " x ".join(map(str, images.shape[1:]))
        console.print(
            f"{name}: {len(images):,} images of {size} pixels, intensities {images.min()} to {images.max()}\n"
            f"    mean {images.mean():.1f}, ink on {percentage(float(np.mean(images > 0)), 1)} % of the pixels"
        )
    rows = [["class", *parts]]
    counts = [np.bincount(labels, minlength=loaded.classes) for _, labels in parts.values()]
    shown = range(loaded.classes) if loaded.classes <= MAX_ROWS else range(MAX_ROWS - 10)
    for k in shown:
        name = f"{k} {loaded.class_names[k]}" if loaded.class_names else str(k)
        rows.append([name, *(f"{count[k]:,}" for count in counts)])
    print_table(console, rows)
    if more := loaded.classes - len(shown):
        fewest, most = counts[0][len(shown) :].min(), counts[0][len(shown) :].max()
        images_each = f"{fewest:,} to {most:,}" if fewest < most else f"{fewest:,}"
        console.print(f"and {more:,} more classes with {images_each} training images each")
    first = [np.flatnonzero(loaded.y_train == k)[:1] for k in range(min(loaded.classes, 10))]
    samples = loaded.x_train[np.concatenate(first)]
    width = -(-samples.shape[2] // 2)
    columns = max(1, min(5, (console.width + 2) // (width + 2)))
    for row in range(0, len(samples), columns):
        console.print()
        console.print(side_by_side(samples[row : row + columns], encoding=console.encoding), soft_wrap=True)
    if picture is not None:
        console.print(f"\nSamples of each class: {literal(picture)}", soft_wrap=True)
    if out is not None:
        console.print(f"\nConverted: {literal(shown_path(out))}", soft_wrap=True)
