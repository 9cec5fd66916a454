"""digitscope ensemble."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from digitscope.cli.completion import complete_model
from digitscope.cli.options import FilePath, check_new_model, data_option, paths_argument

if TYPE_CHECKING:
    from digitscope.training_info import TrainingInfo


@click.command(short_help="Combine several models: the mean of their probabilities.")
@paths_argument("MODEL MODEL...", complete_model, "models")
@click.option(
    "--out",
    type=FilePath(),
    default=Path("ensemble.safetensors"),
    show_default=True,
    metavar="FILE",
    help="The file to write.",
)
@data_option
@click.pass_context
def ensemble(context: click.Context, models: tuple[Path, ...], out: Path, source: str) -> None:
    """Combine several trained models into one, whose probabilities are the mean of theirs. The ensemble is used like
    any other model. Its accuracy is measured, and its confidence calibrated, on the validation images shared by all
    members, if any. If they were trained on other data than MNIST, name the data with --data.

    MODEL is a .safetensors file or the name of a bundled model: `reader`, `best` or `convnet`.

    \b
    Example:
      digitscope train --recipe mlp --data train.csv --seed 1 --out a
      digitscope train --recipe mlp --data train.csv --seed 2 --out b
      digitscope ensemble a/model.safetensors b/model.safetensors --data train.csv
    """
    from digitscope.datasets import load_data
    from digitscope.files.opening import shown_path
    from digitscope.jobs.combine import combine
    from digitscope.model import Model

    if len(models) < 2:
        raise click.UsageError("ensemble expects at least 2 models; got 1.", context)
    check_new_model(out)
    members = [Model.load(path) for path in models]
    data = load_data(source, members[0].image_shape)
    combined = combine(members, data)
    combined.save(out)
    click.echo(f"{shown_path(out)}: {len(models)} members, {combined.parameters:,} parameters")
    click.echo(_expectation(combined.info, data.name))


def _expectation(info: "TrainingInfo", data: str) -> str:
    """The accuracy to expect; or why it is unknown."""
    from digitscope.metrics import percentage, wilson_interval

    share, n = info.validation_accuracy, info.validation_images
    if share is None or not n:
        return (
            f"Note: no training image of {data} was held out from all members, so the accuracy is unknown and the "
            "confidence is not calibrated. If they were trained on other data, name these with --data."
        )
    low, high = map(percentage, wilson_interval(share, n))
    return (
        f"accuracy {percentage(share)} % on the {n:,} images of {data} that were held out from all members "
        f"(95 % interval {low} to {high} %)"
    )
