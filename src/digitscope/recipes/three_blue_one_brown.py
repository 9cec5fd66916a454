"""784-16-16-10 of sigmoids with the squared error: the network of 3Blue1Brown's videos.

Test accuracy 95.20 % ± 0.26 (n = 5 seeds), 58.6 s of training, 13,002 parameters; 2 cores of AMD EPYC (family 25,
model 1), Linux.

Two hidden layers of 16 units, 13,002 weights and biases. The cost is half the sum of the squared differences from the
one-hot label, averaged over a mini-batch. The videos say that the network reads about 96 % of new images correctly, but
not how it was trained; they link to the code of `sigmoid`. Initial weights, batch size, learning rate and schedule
were chosen on 10,000 validation images (docs/log.md); here the last 5,000 training images are for
validation.
Source: Grant Sanderson, 3Blue1Brown, 2017: "Gradient descent, how neural networks learn", at 13:18.
"""

import math

import numpy as np

from digitscope.nn import Dense, GradientDescent, MeanSquaredError, Network, OneCycle, Sigmoid, glorot, zeros
from digitscope.recipes.recipe import Recipe, Shape, hold_out_end
from digitscope.training import Plan


def build(rng: np.random.Generator, shape: Shape, classes: int) -> Network:
    return Network(
        Dense(math.prod(shape), 16, rng=rng, weight=glorot),
        Sigmoid(),
        Dense(16, 16, rng=rng, weight=glorot),
        Sigmoid(),
        Dense(16, classes, rng=rng, weight=glorot),
        Sigmoid(),
    )


RECIPE = Recipe(
    name="3blue1brown",
    title="784-16-16-10 of sigmoids, squared error, 30 epochs",
    summary="two hidden layers of 16 sigmoids, squared error",
    published="about 96 % (3Blue1Brown 2017, chapter 2)",
    build=build,
    plan=Plan(
        loss=MeanSquaredError(),
        optimizer=GradientDescent(),
        schedule=OneCycle(3.0),
        epochs=30,
        batch_size=32,
        shard_size=None,
    ),
    split=hold_out_end(1 / 12),
    initializers=(glorot, zeros),
)
