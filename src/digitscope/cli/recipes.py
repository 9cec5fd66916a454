"""digitscope recipes."""

import click


@click.command(short_help="Show the ladder with its measured figures.")
def recipes() -> None:
    """Show every recipe with its figures: mean and standard deviation over n seeds, and where they were measured.

    \b
    Example:
      digitscope recipes
    """
    from rich.console import Console
    from rich.table import Table

    from digitscope.recipes import DEFAULT, RECIPES
    from digitscope.records import load_records

    records = load_records(RECIPES)
    table = Table(box=None, padding=(0, 2), pad_edge=False)
    for heading in ("recipe", "test accuracy", "n", "training", "parameters", "network"):
        table.add_column(heading, justify="right" if heading in ("n", "training", "parameters") else "left")
    for name, recipe in RECIPES.items():
        shown = f"[bold]{name}[/]" + (" *" if name == DEFAULT else "")
        if name not in records:
            table.add_row(shown, "not measured", "", "", "", recipe.title)
            continue
        r = records[name]
        accuracy = f"{r.mean('test_accuracy'):.2%} ± {100 * r.spread('test_accuracy'):.2f}"
        seconds = f"{r.mean('train_seconds'):.1f} s"
        table.add_row(shown, accuracy, str(r.n), seconds, f"{r.runs[0]['parameters']:,}", recipe.title)
    console = Console(highlight=False)
    console.print(table)
    console.print("* the default of digitscope train")
    for r in records.values():
        console.print(
            f"[dim]{r.recipe}: published {r.published}; measured on {r.machine} by: {r.command}[/]", soft_wrap=True
        )
