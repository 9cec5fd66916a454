"""digitscope recipes."""

import click

MNIST = ((28, 28), 10)
"""An image's height and width, and the number of classes."""


@click.command(short_help="Show all recipes with their measured results.")
def recipes() -> None:
    """Show every recipe with its results: mean and standard deviation over n seeds, and where they were measured.

    \b
    Example:
      digitscope recipes
    """
    import numpy as np
    from rich.table import Table

    from digitscope.cli.console import Output
    from digitscope.recipes import DEFAULT, RECIPES
    from digitscope.recipes.records import load_rate_shares, load_records

    records, shares = load_records(RECIPES), load_rate_shares()
    table = Table(box=None, padding=(0, 1), pad_edge=False)
    for heading in ("recipe", "test accuracy", "n", "training", "parameters", "MFLOP", "share"):
        table.add_column(heading, justify="left" if heading in ("recipe", "test accuracy") else "right")
    for name, recipe in RECIPES.items():
        shown = f"[bold]{name}[/]" + (" *" if name == DEFAULT else "")
        network = recipe.build(np.random.default_rng(0), *MNIST)
        work = f"{network.flops((28 * 28,), training=True) / 1e6:,.2f}"
        parameters = f"{sum(p.size for p in network.params.values()):,}"
        share = f"{shares[name]:.0%}" if name in shares else ""
        accuracy, n, seconds = "not measured", "", ""
        if name in records:
            r = records[name]
            accuracy = r.accuracy
            n, seconds = str(r.n), r.training
        table.add_row(shown, accuracy, n, seconds, parameters, work, share)
    console = Output()
    console.print(table)
    console.print("* the default of digitscope train")
    console.print("MFLOP: million operations of training on one image, by the layers' definitions")
    console.print("share: of the machine's highest rate of operations in matrix products")
    for name, recipe in RECIPES.items():
        console.print(f"\n[bold]{name}[/]: {recipe.title}")
        console.print(f"[dim]published {recipe.published}[/]")
        if name in records:
            console.print(f"[dim]{records[name].machine}:[/]")
            console.print(f"[dim]{records[name].command}[/]")
