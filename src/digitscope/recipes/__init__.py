"""The ladder: one rung, one file; the file's docstring is the claim."""

from digitscope.recipes import convnet, deep, ensemble, fast, lenet, mlp, reader, seed, sigmoid, simard_mlp, tiny
from digitscope.recipes.recipe import Recipe, Training

RECIPES: dict[str, Recipe] = {
    rung.RECIPE.name: rung.RECIPE
    for rung in (seed, sigmoid, mlp, simard_mlp, lenet, fast, convnet, reader, tiny, deep, ensemble)
}
"""All recipes by name, in the order of the ladder."""

DEFAULT = convnet.RECIPE.name

__all__ = ["DEFAULT", "RECIPES", "Recipe", "Training"]
