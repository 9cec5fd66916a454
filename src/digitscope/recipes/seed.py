"""784-10-10: the network the project began with, trained by gradient descent on all images at once.

Test accuracy 85.03 % ± 0.62 (n = 10 seeds), 4.5 s of training, 7,960 parameters; 2 cores of AMD EPYC (family 26,
model 2) with AVX-512, Linux.

Weights and biases start from U(-0.5, 0.5); pixels / 255; each of 500 steps uses all 41,000 images at learning rate
0.1. Each seed draws its own 42,000 of MNIST's training images, as many as Kaggle's train.csv holds, and keeps 1,000 of
them for validation. The test images are MNIST's own 10,000. docs/log.md lists the three mistakes of the first code.
"""

import math

import numpy as np

from digitscope.nn import Constant, Dense, GradientDescent, Network, ReLU, SoftmaxCrossEntropy, uniform
from digitscope.recipes.recipe import Recipe, Shape, random_subset
from digitscope.training import Plan

START = uniform(-0.5, 0.5)


def build(rng: np.random.Generator, shape: Shape, classes: int) -> Network:
    return Network(
        Dense(math.prod(shape), 10, rng=rng, weight=START, bias=START),
        ReLU(),
        Dense(10, classes, rng=rng, weight=START, bias=START),
    )


RECIPE = Recipe(
    name="seed",
    title="784-10-10, full-batch gradient descent, 500 steps",
    summary="two dense layers of 10 units, full-batch gradient descent",
    published="85.20 % (one validation draw of 1,000; the project's first version)",
    build=build,
    plan=Plan(
        loss=SoftmaxCrossEntropy(),
        optimizer=GradientDescent(),
        schedule=Constant(0.1),
        epochs=500,
        batch_size=None,
        shard_size=2_050,
    ),
    split=random_subset(42_000, validation=1_000),
    initializers=(START, START),
)
