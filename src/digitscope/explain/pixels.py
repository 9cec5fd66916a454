"""The derivative of a model's outputs with respect to the pixels of an image."""

import numpy as np

from digitscope.arrays import Array
from digitscope.explain.trace import network_input
from digitscope.model import Model


def pixel_slopes(model: Model, image: Array, digit: int, other: int) -> Array:
    """How much more the outputs favour `digit` over `other` if a pixel gets more ink.

    ds/dx[i,j] with s = output[digit] - output[other], as a mean over nine copies of the image that are shifted by at
    most one pixel, each shifted back. A single derivative is noisy: what depends on the exact pixel averages out.

    Shapes: uint8 (H, W) -> (H, W)
    """
    shifts = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)]
    copies = np.stack([np.roll(image, shift, (0, 1)) for shift in shifts])
    output, backward = model.network.forward(network_input(model.network, copies))
    direction = np.zeros_like(output)
    direction[digit] += 1
    direction[other] -= 1
    slopes = np.asarray(backward(direction)[0]).T.reshape(copies.shape)
    back = [np.roll(slope, (-down, -right), (0, 1)) for slope, (down, right) in zip(slopes, shifts, strict=True)]
    mean: Array = np.mean(back, axis=0)
    return mean
