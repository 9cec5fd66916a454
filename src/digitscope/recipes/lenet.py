"""LeNet-5, as published in 1998, on images that are shifted, scaled and sheared a little.

Test accuracy 99.31 % ± 0.02 (n = 5 seeds), 42.3 s (1 thread) of training, 61,706 parameters; 2 cores of AMD EPYC
(family 26, model 2) with AVX-512, Linux.

Two convolutions of 5x5 to 6 and 16 channels, each followed by average pooling over 2x2, then 120, 84 and 10 units, all
with tanh. The last 5,000 training images are for validation.
Differences from LeCun, Bottou, Bengio and Haffner 1998, section II:
- Images are padded by 2 within the first convolution; theirs were 32x32.
- Each of the 16 channels sees all 6 channels before it; theirs see 3 to 6, to save work and break symmetry.
- Average pooling has no trainable factor and bias.
- tanh is not scaled to 1.7159 tanh(2x/3), and initial weights follow Glorot's rule.
- The loss is cross-entropy after softmax; theirs uses distances to drawn digits.
- Nesterov momentum with a one-cycle learning rate replaces a diagonal second-order method.
"""

import numpy as np

from digitscope.augmentation.augment import Augment
from digitscope.nn import (
    AveragePool2D,
    Conv2D,
    Dense,
    Flatten,
    Momentum,
    Network,
    OneCycle,
    Reshape,
    SoftmaxCrossEntropy,
    Tanh,
    glorot,
    zeros,
)
from digitscope.recipes.blocks import dense
from digitscope.recipes.recipe import Recipe, Shape, hold_out_end
from digitscope.training import Plan


def build(rng: np.random.Generator, shape: Shape, classes: int) -> Network:
    layers = [
        Reshape(1, *shape),
        Conv2D(1, 6, 5, padding=2, rng=rng, weight=glorot),
        Tanh(),
        AveragePool2D(2),
        Conv2D(6, 16, 5, rng=rng, weight=glorot),
        Tanh(),
        AveragePool2D(2),
        Flatten(),
    ]
    return Network(
        *layers,
        dense(layers, shape, 120, rng=rng, weight=glorot),
        Tanh(),
        Dense(120, 84, rng=rng, weight=glorot),
        Tanh(),
        Dense(84, classes, rng=rng, weight=glorot),
    )


RECIPE = Recipe(
    name="lenet",
    title="LeNet-5: conv6x5 pool conv16x5 pool 120-84-10, tanh",
    summary="LeNet-5 of 1998",
    published="99.05 % (99.2 with distortions; LeCun et al. 1998)",
    build=build,
    plan=Plan(
        loss=SoftmaxCrossEntropy(),
        optimizer=Momentum(nesterov=True, weight_decay=1e-4),
        schedule=OneCycle(0.1),
        epochs=20,
        batch_size=64,
        shard_size=32,
        augment=Augment(scale=0.1, shear=0.15, shift=1),
    ),
    split=hold_out_end(1 / 12),
    initializers=(glorot, zeros),
)
