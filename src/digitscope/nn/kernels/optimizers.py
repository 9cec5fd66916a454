"""Optimizer steps in place. Intermediate results overwrite the gradient; only Adam allocates another buffer."""

import math

import numpy as np

from digitscope.arrays import Array


def momentum_in_place(w: Array, g: Array, v: Array, learning_rate: float, momentum: float, *, nesterov: bool) -> None:
    """`digitscope.nn.optimizers.Momentum.updated`, written into w and v. Overwrites g."""
    v *= momentum
    v += g
    if nesterov:
        g *= learning_rate
        w -= g
        np.multiply(v, learning_rate * momentum, out=g)
    else:
        np.multiply(v, learning_rate, out=g)
    w -= g


def adam_in_place(
    w: Array, g: Array, m: Array, v: Array, learning_rate: float, t: int, beta1: float, beta2: float, eps: float
) -> None:
    """`digitscope.nn.optimizers.Adam.updated`, written into w, m and v. Overwrites g.

    The learning rate is corrected instead of m, and sqrt(v') = sqrt(v) / sqrt(1 - beta2^t).
    """
    root = g * g
    root *= 1 - beta2
    v *= beta2
    v += root
    g *= 1 - beta1
    m *= beta1
    m += g
    np.sqrt(v, out=root)
    root /= math.sqrt(1 - beta2**t)
    root += eps
    np.divide(m, root, out=g)
    g *= learning_rate / (1 - beta1**t)
    w -= g
