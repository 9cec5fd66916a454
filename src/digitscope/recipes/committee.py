"""Five deeps, each from weights of its own: the mean of their probabilities.

Test accuracy not measured yet.

The members learn one after the other by the plan of deep. Networks that start elsewhere make other mistakes, which the
mean cancels.
"""

import numpy as np

from digitscope.nn import Committee, Network
from digitscope.recipes import deep
from digitscope.recipes.recipe import Recipe, Shape

MEMBERS = 5


def build(rng: np.random.Generator, shape: Shape, classes: int) -> Network:
    return Network(Committee(*(deep.build(rng, shape, classes) for _ in range(MEMBERS))))


RECIPE = Recipe(
    name="committee",
    title="the mean of five deeps",
    published="99.77 % (35 convnets; Ciresan et al. 2012), 99.82 % (ten; ttdoucet/mnist)",
    build=build,
    plan=deep.RECIPE.plan,
    split=deep.RECIPE.split,
)
