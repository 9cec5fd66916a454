"""Five networks of the recipe deep, each from its own initial weights: the mean of their probabilities.

Test accuracy 99.75 % (n = 1), 2.3 h (1 thread) of training, 5,933,490 parameters; 2 cores of AMD EPYC (family 26,
model 2) with AVX-512, Linux.

The members are trained one after the other by the plan of deep. Networks with different initial weights make partly
different mistakes, which the mean cancels, but most of their errors are shared. Measured on the five networks of deep's
own record.
"""

import numpy as np

from digitscope.nn import Ensemble, Network
from digitscope.recipes import deep
from digitscope.recipes.recipe import Recipe, Shape

MEMBERS = 5


def build(rng: np.random.Generator, shape: Shape, classes: int) -> Network:
    return Network(Ensemble(*(deep.build(rng, shape, classes) for _ in range(MEMBERS))))


RECIPE = Recipe(
    name="ensemble",
    title="the mean of five deeps",
    summary="ensemble of five `deep` networks",
    published="99.77 % (35 convnets; Ciresan et al. 2012), 99.82 % (ten; ttdoucet/mnist)",
    build=build,
    plan=deep.RECIPE.plan,
    split=deep.RECIPE.split,
)
