"""784-30-10 of sigmoids with the quadratic cost: the network of Nielsen's book, chapter 1.

Test accuracy 94.82 % ± 0.28 (n = 5 seeds), 9.7 s of training, 23,860 parameters; 2 cores of AMD EPYC (family 26,
model 2) with AVX-512, Linux.

Weights and biases start from N(0, 1); mini-batches of 10 at learning rate 3.0, 50,000 images, 30 epochs. The book
reports 95.42 % on the test images, the best of three trials at their best epochs; our figure is from the last epoch of
each seed.
Source: Nielsen 2015, "Neural Networks and Deep Learning", chapter 1, network.py.
"""

import math

import numpy as np

from digitscope.nn import Constant, Dense, GradientDescent, MeanSquaredError, Network, Sigmoid, normal
from digitscope.recipes.recipe import Recipe, Shape, hold_out_end
from digitscope.training import Plan

START = normal(1.0)


def build(rng: np.random.Generator, shape: Shape, classes: int) -> Network:
    return Network(
        Dense(math.prod(shape), 30, rng=rng, weight=START, bias=START),
        Sigmoid(),
        Dense(30, classes, rng=rng, weight=START, bias=START),
        Sigmoid(),
    )


RECIPE = Recipe(
    name="sigmoid",
    title="784-30-10 of sigmoids, squared error, 30 epochs",
    summary="one hidden layer of 30 sigmoids, squared error",
    published="95.42 % (best of three; Nielsen 2015, chapter 1)",
    build=build,
    plan=Plan(
        loss=MeanSquaredError(),
        optimizer=GradientDescent(),
        schedule=Constant(3.0),
        epochs=30,
        batch_size=10,
        shard_size=None,
    ),
    split=hold_out_end(1 / 6),
    initializers=(START, START),
)
