"""How much work a network is: the floating-point operations of its matrix products."""

import numpy as np

from digitscope.arrays import Array
from digitscope.nn.ensemble import Ensemble, ShiftAverage
from digitscope.nn.layer import Layer
from digitscope.nn.network import Network


def operations(network: Layer, features: int, *, training: bool = False) -> int:
    """The multiplications and additions that one image takes in the matrix products of dense and convolutional layers.

    2 K P forward                       Y = W X
    6 K P in training                   Y = W X, dW = dY X^T, dX = W^T dY, each as much as the other
    4 K P in training without dX        the first layer that learns, whose dX is not used (need_dx=False)

    K is how many numbers W has and P at how many places it is applied: 1 in a dense layer, H' W' in a convolution.
    ShiftAverage counts as many times as it looks at the image, in training once; an ensemble's members count each by
    itself, as they learn. All else (biases, activations, pooling, normalization) is not counted, though it takes time:
    the figure is for comparison with the machine's rate in matrix products, and with others who do the same work.
    So a convolution counts by its definition, though Conv2D finds its sums with half as many operations.

    `features` is the length of an image as the network takes it, a column (features, 1).
    Derivation: docs/notes/12-speed.md#counting
    """
    return _operations(network, np.zeros((features, 1), np.float32), training, need_dx=False)


def _operations(layer: Layer, x: Array, training: bool, *, need_dx: bool) -> int:
    """As `operations`, for one layer and the image x as it arrives there; the walk follows Network's own."""
    if isinstance(layer, ShiftAverage):
        return (1 if training else len(layer.shifts)) * _operations(layer.network, x, training, need_dx=need_dx)
    if isinstance(layer, Ensemble):
        return sum(_operations(member, x, training, need_dx=need_dx) for member in layer.layers)
    if isinstance(layer, Network):
        total = 0
        for inner in layer.layers:
            total += _operations(inner, x, training, need_dx=need_dx)
            x = inner.forward(x)[0]
            need_dx = need_dx or bool(inner.params)
        return total
    if "weight" not in layer.params:
        return 0
    places: int = layer.forward(x)[0][0].size
    products = 1 + training * (1 + need_dx)
    return 2 * products * layer.params["weight"].size * places
