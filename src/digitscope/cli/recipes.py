"""digitscope recipes."""

from typing import TYPE_CHECKING

import click

from digitscope.cli.completion import complete_recipe
from digitscope.cli.options import known_recipe

if TYPE_CHECKING:
    from digitscope.recipes import Recipe
    from digitscope.recipes.records import Record

MNIST = ((28, 28), 10)
"""An image's height and width, and the number of classes."""


@click.command(short_help="Show all recipes with their measured results.")
@click.argument("name", required=False, metavar="[NAME]", callback=known_recipe, shell_complete=complete_recipe)
def recipes(name: str | None) -> None:
    """Show every recipe with its results: mean and standard deviation over n seeds. With a NAME, show that recipe's
    network, the published result, and the machine and the command of our measurement.

    \b
    Examples:
      digitscope recipes
      digitscope recipes convnet
    """
    import numpy as np

    from digitscope.cli.console import Output
    from digitscope.cli.tables import print_table
    from digitscope.recipes import DEFAULT, RECIPES
    from digitscope.recipes.records import load_records

    records = load_records(RECIPES)
    console = Output()
    if name is not None:
        for line in _details(RECIPES[name], records.get(name)):
            click.echo(line)
        return
    rows = [["recipe", "test accuracy", "n", "training", "parameters"]]
    for recipe in RECIPES.values():
        network = recipe.build(np.random.default_rng(0), *MNIST)
        record = records.get(recipe.name)
        measured = [record.accuracy, str(record.n), record.training] if record else ["not measured", "", ""]
        parameters = f"{sum(p.size for p in network.params.values()):,}"
        rows.append([recipe.name + " *" * (recipe.name == DEFAULT), *measured, parameters])
    print_table(console, rows, left=(0, 1))
    console.print("* the default of digitscope train. Details: digitscope recipes NAME")


def _details(recipe: "Recipe", record: "Record | None") -> list[str]:
    import math

    import numpy as np

    from digitscope.metrics import percentage
    from digitscope.recipes.records import load_rate_shares

    shape, classes = MNIST
    network = recipe.build(np.random.default_rng(0), shape, classes)
    work = network.flops((math.prod(shape),), training=True) / 1e6
    share = load_rate_shares().get(recipe.name)
    rate = f", at {percentage(share, 0)} % of the machine's peak rate for matrix products" if share is not None else ""
    lines = [
        f"{recipe.name}: {recipe.title}",
        f"parameters: {sum(p.size for p in network.params.values()):,}",
        f"operations: {work:,.2f} MFLOP to train on one image{rate}",
        f"published: {recipe.published}",
    ]
    if record is None:
        return [*lines, "test accuracy: not measured"]
    return [
        *lines,
        f"test accuracy: {record.accuracy} (n = {record.n})",
        f"training: {record.training}",
        f"measured on: {record.machine}, {record.date}",
        f"command: {record.command}",
        f"train it: digitscope train --recipe {recipe.name}",
    ]
