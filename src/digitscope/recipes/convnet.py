"""Four convolutions on warped images: the default recipe, 99.5 % in a minute or two.

Test accuracy 99.58 % ± 0.04 (n = 5 seeds), 44.2 s (1 thread) of training, 38,714 parameters; 2 cores of AMD EPYC
(family 26, model 2) with AVX-512, Linux.

Only the third convolution is padded, because MNIST's images are blank at the edges. Max pooling comes before batch
normalization, which then has a quarter of the work. Each image is rotated, scaled, sheared, shifted and elastically
distorted in a new way each time, and standardized, so that a pale image is read like any other. Width, distortion,
learning rate and epochs were chosen on 10,000 validation images (docs/log.md); here the last 5,000 training images are
for validation.
"""

import numpy as np

from digitscope.augmentation.augment import Augment
from digitscope.nn import Momentum, Network, OneCycle, SoftmaxCrossEntropy, Standardize
from digitscope.recipes.blocks import four_convolutions
from digitscope.recipes.recipe import Recipe, Shape, hold_out_end
from digitscope.training import Plan


def build(rng: np.random.Generator, shape: Shape, classes: int) -> Network:
    return Network(Standardize(), *four_convolutions(rng, shape, classes, channels=(16, 32, 64)).layers)


RECIPE = Recipe(
    name="convnet",
    title="conv16x5 pool conv32x3 conv32x3 pool conv64x3, batch norm, warped images",
    summary="four convolutions, data augmentation",
    published="99.6 % (two convolutions with elastic distortion; Simard et al. 2003)",
    build=build,
    plan=Plan(
        loss=SoftmaxCrossEntropy(label_smoothing=0.05),
        optimizer=Momentum(nesterov=True),
        schedule=OneCycle(0.2),
        epochs=8,
        batch_size=128,
        shard_size=32,
        augment=Augment(rotation=10, scale=0.1, shear=0.15, shift=1, elastic=0.8),
    ),
    split=hold_out_end(1 / 12),
)
