"""The ladder of recipes. Each rung is one file, whose docstring states its measured results."""

from digitscope.recipes import (
    convnet,
    deep,
    ensemble,
    fast,
    lenet,
    mlp,
    reader,
    seed,
    sigmoid,
    simard_mlp,
    three_blue_one_brown,
    tiny,
)
from digitscope.recipes.recipe import Recipe, RecipeSettings, Training
from digitscope.training_info import TrainingInfo

RECIPES: dict[str, Recipe] = {
    rung.RECIPE.name: rung.RECIPE
    for rung in (
        *(seed, sigmoid, three_blue_one_brown, mlp, simard_mlp, lenet),
        *(fast, convnet, reader, tiny, deep, ensemble),
    )
}
"""All recipes by name, in the order of the ladder."""

DEFAULT = convnet.RECIPE.name
"""The recipe that `digitscope train` uses if none is named, because it takes about a minute. The bundled default model
was trained with the recipe reader, which takes 8 minutes and also learns to reject what is not a digit."""


def recipe_of(info: TrainingInfo) -> Recipe | None:
    """The recipe that the model, or the first member of an ensemble, was trained by, with its loss and augmentation.

    None if that is not known. The other settings are the recipe's own.
    """
    if info.members:
        return recipe_of(info.members[0])
    recipe = RECIPES.get(info.recipe or "")
    if recipe is None:
        return None
    return recipe.with_settings(loss=info.loss, label_smoothing=info.label_smoothing, augment=info.augment)


__all__ = ["DEFAULT", "RECIPES", "Recipe", "RecipeSettings", "Training", "recipe_of"]
