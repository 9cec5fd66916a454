"""digitscope ensemble."""

from pathlib import Path

import click

from digitscope.cli.completion import complete_model
from digitscope.cli.options import FilePath, paths_argument


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
@click.pass_context
def ensemble(context: click.Context, models: tuple[Path, ...], out: Path) -> None:
    """Combine several trained models into one, whose probabilities are the mean of theirs. The ensemble is used like
    any other model. Its confidence is calibrated on the MNIST validation images shared by all members, if any.

    MODEL is a .safetensors file or the name of a bundled model: `reader`, `best` or `convnet`.

    \b
    Example:
      digitscope train --recipe deep --seed 1 --out runs/a
      digitscope train --recipe deep --seed 2 --out runs/b
      digitscope ensemble runs/a/model.safetensors runs/b/model.safetensors
    """
    from digitscope.datasets import load_data
    from digitscope.files.atomic import check_new
    from digitscope.files.opening import shown_path
    from digitscope.model import Model
    from digitscope.recipes.held_out import held_out

    if len(models) < 2:
        raise click.UsageError("ensemble expects at least 2 models; got 1.", context)
    check_new(out, "--out")
    combined = Model.ensemble([Model.load(path) for path in models])
    data = load_data("mnist")
    validation = held_out(combined.info, data)
    if validation is not None:
        combined = combined.calibrated(data.x_train[validation], data.y_train[validation])
    combined.save(out)
    click.echo(f"{shown_path(out)}: {len(models)} members, {combined.parameters:,} parameters")
