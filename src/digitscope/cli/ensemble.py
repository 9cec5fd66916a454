"""digitscope ensemble."""

from pathlib import Path

import click


@click.command(short_help="Make one model of several: the mean of their probabilities.")
@click.argument("models", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="MODEL MODEL...")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("ensemble.safetensors"),
    show_default=True,
    metavar="FILE",
    help="Where to write.",
)
@click.pass_context
def ensemble(context: click.Context, models: tuple[Path, ...], out: Path) -> None:
    """Make one model of several that were trained apart. Its probabilities are the mean of theirs; it is used as any
    other. How sure it may be is measured on the images of MNIST that validated all of them, where there are such.

    \b
    Example:
      digitscope train --recipe deep --seed 1 --out runs/a
      digitscope train --recipe deep --seed 2 --out runs/b
      digitscope ensemble runs/a/model.safetensors runs/b/model.safetensors
    """
    from digitscope.datasets import load_data
    from digitscope.errors import ModelError
    from digitscope.model import Model
    from digitscope.recipes.held_out import held_out

    if len(models) < 2:
        raise click.UsageError("ensemble expects at least 2 models; got 1.", context)
    if out.exists():
        raise ModelError(f"{out} exists already. Choose another --out, or delete it.")
    whole = Model.ensemble([Model.load(path) for path in models])
    data = load_data("mnist")
    validation = held_out(whole.info, data)
    if validation is not None:
        whole = whole.calibrated(data.x_train[validation], data.y_train[validation])
    whole.save(out)
    click.echo(f"{out}: {len(models)} members, {whole.parameters:,} parameters")
