"""784-512-10: a dense network, trained as one would today.

PLACEHOLDER
"""

import numpy as np

from digitscope.nn import Dense, Dropout, Momentum, Network, OneCycle, ReLU, SoftmaxCrossEntropy
from digitscope.recipes.recipe import Recipe, hold_out_end
from digitscope.training import Plan


def build(rng: np.random.Generator, features: int, classes: int) -> Network:
    return Network(
        Dense(features, 512, rng=rng),
        ReLU(),
        Dropout(0.2),
        Dense(512, classes, rng=rng),
    )


RECIPE = Recipe(
    name="mlp",
    title="784-512-10, ReLU, dropout, one-cycle",
    published="98.4 % (784-800-10 without distortions; Simard et al. 2003)",
    build=build,
    plan=Plan(
        loss=SoftmaxCrossEntropy(label_smoothing=0.05),
        optimizer=Momentum(nesterov=True),
        schedule=OneCycle(0.4),
        epochs=8,
        batch_size=256,
        shard_size=None,
    ),
    split=hold_out_end(1 / 12),
)
