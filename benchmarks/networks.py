"""The networks that are compared, each described once, as a recipe. Digitscope trains the recipe itself;
benchmarks/torch_port.py builds PyTorch's network from it, and benchmarks/peers.py scikit-learn's.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from digitscope.arrays import Array
from digitscope.nn import (
    Adam,
    Backward,
    Constant,
    Conv2D,
    Dense,
    Flatten,
    Layer,
    MaxPool2D,
    Momentum,
    Network,
    Optimizer,
    Params,
    ReLU,
    Reshape,
    Schedule,
    SoftmaxCrossEntropy,
)
from digitscope.recipes import RECIPES, Recipe
from digitscope.recipes.recipe import Shape, hold_out_nothing
from digitscope.training import Plan, Run

SHARDS = (16, 32, 64)
"""Sizes of shards that are tried for the convnets below; the ladder's recipes have a fixed size."""
WORK = 2e11
"""Approximate floating-point operations of one measurement, which takes some seconds. Programs then take turns faster
than the load of the machine changes."""
LARGEST = 12_000
"""Maximum number of images in one measurement: a fifth of an epoch."""


class StandardizePixels(Layer):
    """y = (x - mean) / deviation, with those of all of MNIST's pixels; dx = dy / deviation. Shapes: any, y like x."""

    mean, deviation = 0.1307, 0.3081

    def forward(
        self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None, need_dx: bool = True
    ) -> tuple[Array, Backward]:
        def backward(dy: Array) -> tuple[Array, Params]:
            return dy / self.deviation, {}

        return (x - self.mean) / self.deviation, backward


@dataclass(frozen=True)
class TorchOneCycle(Schedule):
    """PyTorch's OneCycleLR with its defaults: from 1/25 to 1 over 30 % of the steps, then to 4e-6, both by a cosine."""

    def factor(self, progress: float) -> float:
        if progress < 0.3:
            return 1 + (1 / 25 - 1) * (1 + math.cos(math.pi * progress / 0.3)) / 2
        return 4e-6 + (1 - 4e-6) * (1 + math.cos(math.pi * (progress - 0.3) / 0.7)) / 2


def dense(hidden: int, batch: int) -> Recipe:
    """One hidden layer of ReLUs."""
    return Recipe(
        name=f"784-{hidden}-10, batch {batch}",
        title="momentum",
        published="",
        build=lambda rng, shape, classes: Network(
            Dense(math.prod(shape), hidden, rng=rng), ReLU(), Dense(hidden, classes, rng=rng)
        ),
        plan=_plan(Momentum(), Constant(0.05), batch),
        split=hold_out_nothing,
    )


def _plan(optimizer: Optimizer, schedule: Schedule, batch: int, shard: int | None = None) -> Plan:
    return Plan(
        loss=SoftmaxCrossEntropy(),
        optimizer=optimizer,
        schedule=schedule,
        epochs=1,
        batch_size=batch,
        shard_size=shard,
    )


# Pooling comes before ReLU in both libraries: the result is the same, and it is less work.


def conv16(rng: np.random.Generator, shape: Shape, classes: int) -> Network:
    return Network(
        *(Reshape(1, *shape), Conv2D(1, 16, 5, rng=rng), MaxPool2D(2), ReLU()),
        *(Conv2D(16, 32, 5, rng=rng), MaxPool2D(2), ReLU()),
        *(Flatten(), Dense(512, 128, rng=rng), ReLU(), Dense(128, classes, rng=rng)),
    )


def conv24(rng: np.random.Generator, shape: Shape, classes: int) -> Network:
    """All weights and biases start from U(-a, a), a = 1 / sqrt(fan_in), as PyTorch's do."""
    network = Network(
        *(StandardizePixels(), Reshape(1, *shape), Conv2D(1, 24, 5, rng=rng), MaxPool2D(2), ReLU()),
        *(Conv2D(24, 32, 3, rng=rng), MaxPool2D(2), ReLU()),
        *(Flatten(), Dense(800, 256, rng=rng), ReLU(), Dense(256, classes, rng=rng)),
    )
    for layer in network.layers:
        for p in layer.params.values():
            limit = layer.params["weight"][0].size ** -0.5
            p[...] = rng.uniform(-limit, limit, p.shape)
    return network


DENSE = (dense(128, 64), dense(800, 64), dense(800, 256))
CONVNETS = (
    Recipe(
        name="conv16x5 pool conv32x5 pool 128 10",
        title="unpadded, batch 128, Nesterov momentum",
        published="",
        build=conv16,
        plan=_plan(Momentum(nesterov=True), Constant(0.05), 128, 32),
        split=hold_out_nothing,
    ),
    Recipe(
        name="conv24x5 pool conv32x3 pool 256 10",
        title="unpadded, batch 256, Adam",
        published="99.04 % ± 0.07 (n = 30, images in a fixed order; tuomaso/train_mnist_fast)",
        build=conv24,
        plan=_plan(Adam(beta1=0.7, beta2=0.9), TorchOneCycle(0.01), 256, 32),
        split=hold_out_nothing,
    ),
)
NETWORKS: dict[str, Recipe] = {**RECIPES, **{recipe.name: recipe for recipe in (*DENSE, *CONVNETS)}}
"""All networks that can be timed, by name: the ladder and the networks above."""


def plain(recipe: Recipe) -> Recipe:
    """The recipe for timing the network alone: no augmentation, no averaged weights, one small constant rate."""
    rate = recipe.plan.schedule.learning_rate
    small = rate if isinstance(recipe.plan.schedule, Constant) else rate / 10
    return replace(recipe, plan=replace(recipe.plan, schedule=Constant(small), augment=None, averaging=None))


def for_mnist(recipe: Recipe) -> Network:
    """The recipe's network before training, always with the same weights."""
    return recipe.build(np.random.default_rng(0), (28, 28), 10)


def training_flops(recipe: Recipe) -> int:
    """Floating-point operations in matrix products for training on one image; for an ensemble, those of one member."""
    run = Run.start(for_mnist(recipe), recipe.plan, 1, np.random.default_rng(0))
    return run.learner.flops((784,), training=True)


def images_at_a_time(recipe: Recipe) -> int:
    """Number of images in one measurement: whole batches, or five steps if a batch has all images."""
    batch = recipe.plan.batch_size
    if batch is None:
        return 5 * 41_000
    return batch * max(4, round(min(LARGEST, WORK / training_flops(recipe)) / batch))
