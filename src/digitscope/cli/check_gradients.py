"""digitscope check-gradients."""

import sys

import click

IMAGES = 2
EVERY_ENTRY_UP_TO = 10_000
"""Up to this number of parameters, every entry is compared."""
DRAWN = 400
"""Approximate number of entries compared in a larger network: the same number of each array."""


@click.command(name="check-gradients", short_help="Compare every derivative with differences.")
@click.option("--recipe", "name", metavar="NAME", help="Check this recipe's network only. [default: all]")
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, metavar="N", help="Seed of weights and images."
)
@click.pass_context
def check_gradients(context: click.Context, name: str | None, seed: int) -> None:
    """Compare the hand-written derivatives of a network with central differences in float64.

    \b
    Example:
      digitscope check-gradients --recipe seed
    """
    import numpy as np

    from digitscope.datasets import load_data
    from digitscope.nn import check_gradients as check
    from digitscope.nn import to_batch
    from digitscope.recipes import RECIPES

    if name is not None and name not in RECIPES:
        raise click.UsageError(f"--recipe expects one of {', '.join(RECIPES)}; got {name!r}.", context)
    data = load_data("mnist")
    passed = True
    for recipe in RECIPES.values() if name is None else [RECIPES[name]]:
        rng = np.random.default_rng(seed)
        chosen = rng.choice(len(data.x_train), IMAGES, replace=False)
        network = recipe.build(rng, data.x_train.shape[1:], data.classes)
        large = sum(p.size for p in network.params.values()) > EVERY_ENTRY_UP_TO
        entries = -(-DRAWN // len(network.params)) if large else None
        result = check(
            network,
            # Windows of blank paper tie for the maximum, which has no derivative there. A little noise breaks the ties.
            to_batch(data.x_train[chosen]) + rng.uniform(0, 0.1, (data.x_train[0].size, IMAGES)),
            data.y_train[chosen],
            recipe.plan.loss,
            entries=entries,
            seed=seed,
        )
        click.echo(f"{recipe.name}: {f'{entries} entries of each array' if large else 'every entry'}\n{result}\n")
        passed = passed and result.passed
    sys.exit(0 if passed else 1)
