"""digitscope submit."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from digitscope.cli.completion import complete_model_and_files
from digitscope.cli.options import FilePath, model_and_files, model_text, paths_argument, threads_option

if TYPE_CHECKING:
    from digitscope.training_info import TrainingInfo


@click.command(short_help="Write a submission for Kaggle's Digit Recognizer.")
@paths_argument("[MODEL] TEST_CSV", complete_model_and_files)
@click.option(
    "--out",
    type=FilePath(),
    default=Path("submission.csv"),
    show_default=True,
    metavar="FILE",
    help="The file to write.",
)
@threads_option
@click.pass_context
def submit(context: click.Context, arguments: tuple[Path, ...], out: Path, threads: int | None) -> None:
    """Read the images in Kaggle's test.csv and write a submission: ImageId,Label, with ids from 1.

    MODEL is a .safetensors file or the name of a bundled model. If no MODEL is given, the bundled `reader` is used; the
    others are `best` and `convnet`. All three were trained on MNIST, which contains Kaggle's test images.

    \b
    Example:
      digitscope train --data train.csv --out runs/kaggle
      digitscope submit runs/kaggle/model.safetensors test.csv
    """
    from digitscope.datasets.table_files import read_fitting_table
    from digitscope.files.atomic import check_new
    from digitscope.files.opening import shown_path
    from digitscope.jobs.kaggle import check_submission_name, write_submission
    from digitscope.model import Model

    model, files = model_and_files(arguments)
    if len(files) != 1:
        raise click.UsageError(f"submit expects one TEST_CSV; got {len(files)}.", context)
    (test_csv,) = files
    check_submission_name(out)
    check_new(out, "--out")
    loaded = Model.load(model)
    table = read_fitting_table(test_csv, loaded.image_shape)
    count = write_submission(out, loaded.predict(table.images, threads=threads))
    click.echo(model_text(model))
    click.echo(f"{shown_path(out)}: {count:,} predictions")
    if table.labels is not None:
        click.echo(f"Note: {test_csv} has labels, which were not used. Kaggle's test.csv has none: is this train.csv?")
    click.echo(_expectation(loaded.info))
    click.echo(_leakage(loaded.info))


def _expectation(info: "TrainingInfo") -> str:
    """The accuracy to expect, from the model's validation images."""
    from digitscope.metrics import percentage, wilson_interval

    share, n = info.validation_accuracy, info.validation_images
    if share is None or not n:
        return "The accuracy to expect is unknown: the model file has no validation accuracy."
    low, high = map(percentage, wilson_interval(share, n))
    images = f"{n:,} validation images" if info.folds is None else f"{n:,} training images in {info.folds} folds"
    return f"Expect about {percentage(share)} %: the model's accuracy on {images} (95 % interval {low} to {high} %)."


def _leakage(info: "TrainingInfo") -> str:
    """What a score means, given the data that the model was trained on."""
    from digitscope.datasets.mnist_facts import MNIST_DIGEST
    from digitscope.recipes.held_out import digests

    if info.data == "mnist" or MNIST_DIGEST in digests(info):
        return (
            "Warning: this model learned from the public MNIST, whose 70,000 images include Kaggle's test images. Its "
            "score there measures leakage, not accuracy. For an honest score: digitscope train --data train.csv."
        )
    return (
        "Kaggle's test images are among the 70,000 of the public MNIST: a score is honest only if the model learned "
        "from train.csv alone."
    )
