"""Initial weights: random, and scaled so that signals neither grow nor vanish from layer to layer.

An initializer is a function (rng, shape, fan_in, fan_out) -> float32 array. fan_in is the number of inputs that one
output is summed from, and fan_out the number of outputs that one input contributes to.
"""

from collections.abc import Callable

import numpy as np

from digitscope.arguments import check_function, check_kind
from digitscope.arrays import Array

Initializer = Callable[[np.random.Generator, tuple[int, ...], int, int], Array]


def check_initializers(owner: str, rng: object, **initializers: object) -> None:
    """Raises: ArgumentError unless rng is a random generator or None, and each initializer a function."""
    check_kind(f"{owner}'s rng", rng, "a numpy.random.Generator or None", np.random.Generator, type(None))
    for name, initializer in initializers.items():
        check_function(f"{owner}'s {name}", initializer, "an initializer, such as nn.he")


def zeros(rng: np.random.Generator, shape: tuple[int, ...], fan_in: int, fan_out: int) -> Array:
    """Zeros, for biases. Weights need random values: otherwise all units of a layer would stay identical.

    Derivation: docs/notes/07-initialization.md#all-alike-stays-all-alike
    """
    return np.zeros(shape, np.float32)


def uniform(low: float, high: float) -> Initializer:
    """U(low, high), independent of the layer's size.

    Derivation: docs/notes/07-initialization.md#too-loud-from-the-start
    """

    def draw(rng: np.random.Generator, shape: tuple[int, ...], fan_in: int, fan_out: int) -> Array:
        return rng.uniform(low, high, shape).astype(np.float32)

    return draw


def normal(deviation: float) -> Initializer:
    """N(0, deviation²), independent of the layer's size.

    Derivation: docs/notes/07-initialization.md#measured-ten-layers-deep
    """

    def draw(rng: np.random.Generator, shape: tuple[int, ...], fan_in: int, fan_out: int) -> Array:
        return rng.normal(0.0, deviation, shape).astype(np.float32)

    return draw


def glorot(rng: np.random.Generator, shape: tuple[int, ...], fan_in: int, fan_out: int) -> Array:
    """U(-a, a) with a = sqrt(6 / (fan_in + fan_out)): variance 2 / (fan_in + fan_out), for tanh and sigmoid.

    Source: Glorot and Bengio 2010, equation 16.
    Derivation: docs/notes/07-initialization.md#the-way-back
    """
    limit = (6 / (fan_in + fan_out)) ** 0.5
    return rng.uniform(-limit, limit, shape).astype(np.float32)


def he(rng: np.random.Generator, shape: tuple[int, ...], fan_in: int, fan_out: int) -> Array:
    """N(0, 2 / fan_in), for ReLU, which sets about half of its inputs to 0.

    Source: He et al. 2015, "Delving deep into rectifiers", equation 10.
    Derivation: docs/notes/07-initialization.md#half-of-it-is-silenced
    """
    return rng.normal(0.0, (2 / fan_in) ** 0.5, shape).astype(np.float32)


def lecun(rng: np.random.Generator, shape: tuple[int, ...], fan_in: int, fan_out: int) -> Array:
    """N(0, 1 / fan_in): outputs have the variance of inputs.

    Source: LeCun et al. 1998, "Efficient BackProp", equation 16.
    Derivation: docs/notes/07-initialization.md#the-size-of-a-random-sum
    """
    return rng.normal(0.0, (1 / fan_in) ** 0.5, shape).astype(np.float32)
