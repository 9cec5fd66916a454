"""digitscope import."""

from pathlib import Path

import click

from digitscope.cli.completion import complete_recipe_or_model
from digitscope.cli.options import FilePath, check_new_model, finite


@click.command("import", short_help="Make a model from weights of PyTorch or Keras.")
@click.argument("weights", type=FilePath(), metavar="WEIGHTS")
@click.option(
    "--like",
    required=True,
    type=FilePath(),
    metavar="RECIPE|MODEL",
    shell_complete=complete_recipe_or_model,
    help="The architecture: a recipe's name, or a model.",
)
@click.option(
    "--eps",
    type=click.FloatRange(0),
    callback=finite,
    metavar="X",
    help="What batch normalization adds to the variance. [default: 0.00001 for PyTorch, 0.001 for Keras, as there]",
)
@click.option(
    "--out",
    type=FilePath(),
    default=Path("imported.safetensors"),
    show_default=True,
    metavar="FILE",
    help="The file to write.",
)
def import_weights(weights: Path, like: Path, eps: float | None, out: Path) -> None:
    """Make a model from weights that a network of the same architecture learned in PyTorch or Keras, and list which
    tensor became which layer's.

    WEIGHTS is a .safetensors or .npz file: what safetensors.torch.save_file makes of model.state_dict() in PyTorch, or
    numpy.savez("weights.npz", *model.get_weights()) in Keras.

    \b
    Example:
      digitscope import weights.safetensors --like mlp --out mine.safetensors
      digitscope evaluate mine.safetensors
    """
    from digitscope.cli.console import Output
    from digitscope.cli.tables import print_table
    from digitscope.errors import printable
    from digitscope.files.opening import shown_path
    from digitscope.interchange import import_weights as imported_weights

    check_new_model(out)
    imported = imported_weights(weights, like, eps=eps)
    imported.model.save(out)
    rows = [[imported.framework, "here", "shape"]]
    arrays = {**imported.model.network.params, **imported.model.network.statistics}
    rows += [
        [printable(theirs), ours, " x ".join(map(str, arrays[ours].shape))] for ours, theirs in imported.names.items()
    ]
    print_table(Output(), rows, left=(0, 1, 2))
    click.echo(f"{shown_path(out)}: {imported.model.parameters:,} parameters, accuracy not measured yet")
