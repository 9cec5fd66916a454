"""digitscope recipes."""

import click

MNIST = ((28, 28), 10)
"""An image's height and width, and classes."""


@click.command(short_help="Show the ladder with its measured figures.")
def recipes() -> None:
    """Show every recipe with its figures: mean and standard deviation over n seeds, and where they were measured.

    \b
    Example:
      digitscope recipes
    """
    import numpy as np
    from rich.console import Console
    from rich.table import Table

    from digitscope.recipes import DEFAULT, RECIPES
    from digitscope.recipes.records import load_records, load_shares

    records, shares = load_records(RECIPES), load_shares()
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
    console = Console(highlight=False)
    console.print(table)
    console.print("* the default of digitscope train")
    console.print("MFLOP: million operations to learn from one image, convolutions by their definition", soft_wrap=True)
    console.print("share: how much of the machine's rate in matrix products the training reaches", soft_wrap=True)
    for name, recipe in RECIPES.items():
        console.print(f"\n[bold]{name}[/]: {recipe.title}", soft_wrap=True)
        console.print(f"[dim]published {recipe.published}[/]", soft_wrap=True)
        if name in records:
            console.print(f"[dim]{records[name].machine}: {records[name].command}[/]", soft_wrap=True)
