"""The ladder: one rung, one file; the file's docstring is the claim."""

from digitscope.recipes import mlp, seed, sigmoid
from digitscope.recipes.recipe import Recipe, Training

RECIPES: dict[str, Recipe] = {recipe.name: recipe for recipe in (seed.RECIPE, sigmoid.RECIPE, mlp.RECIPE)}
"""All recipes by name, in the order of the ladder."""

DEFAULT = mlp.RECIPE.name

__all__ = ["DEFAULT", "RECIPES", "Recipe", "Training"]
