"""digitscope check-gradients."""

import sys
from typing import TYPE_CHECKING

import click

from digitscope.cli.options import recipe_option

if TYPE_CHECKING:
    from digitscope.nn import LayerCheck

IMAGES = 2
EVERY_ENTRY_UP_TO = 10_000
"""Up to this number of parameters, --full compares every entry."""
DRAWN = 400
"""Approximate number of entries that --full compares in a larger network: the same number of each array."""


@click.command(name="check-gradients", short_help="Check every derivative against finite differences.")
@recipe_option("Check this recipe's network only, and show one line for each layer. [default: all]", "name")
@click.option(
    "--full",
    is_flag=True,
    help="Also compare single entries of each array through the whole network. Takes minutes for large networks.",
)
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, metavar="N", help="Seed of weights and images."
)
def check_gradients(name: str | None, full: bool, seed: int) -> None:
    """Check the hand-written derivatives of each layer against central finite differences in float64.

    Each layer is checked by itself, along a random direction of its input and of each of its parameters. Then the whole
    network and the loss are checked. If a derivative is wrong, its layer is named, and the exit status is 1.

    \b
    Examples:
      digitscope check-gradients
      digitscope check-gradients --recipe convnet
      digitscope check-gradients --recipe seed --full
    """
    import numpy as np

    from digitscope.datasets import load_data
    from digitscope.nn import check_gradients as check
    from digitscope.nn import check_layers, to_batch
    from digitscope.recipes import RECIPES

    data = load_data("mnist")
    passed = True
    for recipe in RECIPES.values() if name is None else [RECIPES[name]]:
        rng = np.random.default_rng(seed)
        chosen = rng.choice(len(data.x_train), IMAGES, replace=False)
        network = recipe.build(rng, data.x_train.shape[1:], data.classes)
        # In a pooling window of blank paper all pixels tie for the maximum, which has no derivative there. A little
        # noise breaks the ties.
        x = to_batch(data.x_train[chosen]) + rng.uniform(0, 0.1, (data.x_train[0].size, IMAGES))
        labels = data.y_train[chosen]
        layers = check_layers(network, x, labels, recipe.plan.loss, seed=seed)
        click.echo(_summary(recipe.name, layers))
        for layer in layers:
            if name is not None or not layer.passed:
                click.echo(_line(layer))
        passed = passed and all(layer.passed for layer in layers)
        if full:
            large = sum(p.size for p in network.params.values()) > EVERY_ENTRY_UP_TO
            entries = -(-DRAWN // len(network.params)) if large else None
            result = check(network, x, labels, recipe.plan.loss, entries=entries, seed=seed)
            click.echo(f"\n{recipe.name}, {f'{entries} entries of each array' if large else 'every entry'}\n{result}\n")
            passed = passed and result.passed
    sys.exit(0 if passed else 1)


def _summary(name: str, layers: "tuple[LayerCheck, ...]") -> str:
    wrong = next((layer for layer in layers if not layer.passed), None)
    if wrong is not None:
        return f"{name}: FAILED at {wrong.name} ({wrong.kind})"
    largest = max(layer.worst.relative_error for layer in layers)
    return f"{name}: {len(layers) - 2} layers passed, relative error at most {largest:.1e}"


def _line(layer: "LayerCheck") -> str:
    """At most 40 columns, if it passes."""
    wrong = [c.name for c in layer.comparisons if not c.relative_error < layer.tolerance]
    result = f"  FAILED: {', '.join(wrong)}" if wrong else ""
    return f"{layer.name:<8} {layer.kind:<22} {layer.worst.relative_error:.1e}{result}"
