"""Blocks of layers that several convolutional recipes share."""

import numpy as np

from digitscope.nn import BatchNorm, Conv2D, Dense, Flatten, Initializer, Layer, MaxPool2D, Network, ReLU, Reshape, he
from digitscope.recipes.recipe import Shape


def convolution(
    in_channels: int,
    out_channels: int,
    kernel_size: int,
    *,
    stride: int = 1,
    padding: int = 0,
    pool: bool = False,
    rng: np.random.Generator,
) -> list[Layer]:
    """Convolution, max pooling over 2x2 if `pool`, batch normalization, ReLU.

    Pooling comes first because it keeps only a quarter of the numbers, so that normalization has less work.
    """
    conv = Conv2D(in_channels, out_channels, kernel_size, stride=stride, padding=padding, bias=False, rng=rng)
    pooling: list[Layer] = [MaxPool2D(2)] if pool else []
    return [conv, *pooling, BatchNorm(out_channels), ReLU()]


def dense(
    layers: list[Layer], shape: Shape, units: int, *, rng: np.random.Generator, weight: Initializer = he
) -> Dense:
    """A dense layer whose input is the output of these layers for an image of this shape."""
    height, width = shape
    outputs, _ = Network(*layers).forward(np.zeros((height * width, 1), np.float32))
    return Dense(len(outputs), units, rng=rng, weight=weight)


def four_convolutions(
    rng: np.random.Generator, shape: Shape, classes: int, *, channels: tuple[int, int, int]
) -> Network:
    """The network of convnet, reader and tiny: 5x5, pool, 3x3, 3x3, pool, 3x3, and a dense layer.

    The feature maps of 28x28 pixels are 12x12, 10x10, 5x5 and 3x3. Only the third convolution is padded, because
    MNIST's images are blank at the edges.
    """
    first, middle, last = channels
    layers = [
        Reshape(1, *shape),
        *convolution(1, first, 5, pool=True, rng=rng),
        *convolution(first, middle, 3, rng=rng),
        *convolution(middle, middle, 3, padding=1, pool=True, rng=rng),
        *convolution(middle, last, 3, rng=rng),
        Flatten(),
    ]
    return Network(*layers, dense(layers, shape, classes, rng=rng))
