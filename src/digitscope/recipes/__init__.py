"""The ladder of recipes: one rung, one file; the file's docstring is the measured claim."""

from digitscope.recipes import convnet, deep, ensemble, fast, lenet, mlp, reader, seed, sigmoid, simard_mlp, tiny
from digitscope.recipes.recipe import Recipe, Training

RECIPES: dict[str, Recipe] = {
    rung.RECIPE.name: rung.RECIPE
    for rung in (seed, sigmoid, mlp, simard_mlp, lenet, fast, convnet, reader, tiny, deep, ensemble)
}
"""All recipes by name, in the order of the ladder."""

DEFAULT = convnet.RECIPE.name
"""The recipe that `digitscope train` uses if none is named, since it takes a minute. The bundled default model is of
the recipe reader, which also learns from drawings that are not digits and takes 8 minutes."""

__all__ = ["DEFAULT", "RECIPES", "Recipe", "Training"]
