"""How each layer of a network fares in its training: the size of its gradient, and units that no longer react."""

import math
from dataclasses import dataclass

import numpy as np

from digitscope.arrays import Array
from digitscope.explain.trace import Trace, network_input
from digitscope.nn import Loss, Network, ReLU, gradient_norm
from digitscope.training.inference import quiet_overflow


@dataclass(frozen=True)
class LayerHealth:
    """Figures of one layer for a batch of images."""

    name: str
    """As the names of its parameters begin."""
    kind: str
    """The name of its class."""
    gradient_norm: float | None
    """Of all its parameters together; None if it has none, or if it is not finite."""
    units: int | None
    """Units or channels of a ReLU layer; None for other layers."""
    dead: float | None
    """The fraction of them that are 0 for every image and at every position: their weights get no gradient."""


def layer_health(network: Network, loss: Loss, images: Array, labels: Array) -> list[LayerHealth]:
    """The layers that have parameters, and the ReLU layers, in the order in which they are computed.

    The pass is one of training, with the statistics of these images, and dropout drawn with a fixed seed. The network
    is not changed.

    Shapes: images uint8 (N, H, W), labels (N,)
    """
    with quiet_overflow():
        trace = Trace(network, network_input(network, images), training=True)
        gradients = trace.run_back(loss.forward(trace.output, labels)[1](1.0))
        found = []
        for name, call in trace.calls.items():
            layer = call.layer
            own = {} if layer.parts else layer.params
            if not own and not isinstance(layer, ReLU):
                continue
            units, dead = _dead(call.y) if isinstance(layer, ReLU) else (None, None)
            norm = gradient_norm({key: gradients[call.parameter(key)] for key in own})
            shown_norm = norm if own and math.isfinite(norm) else None
            found.append(LayerHealth(name, type(layer).__name__, shown_norm, units, dead))
    return found


def _dead(outputs: Array) -> tuple[int, float]:
    """(units, ..., N) -> the number of units, and the fraction that is 0 everywhere."""
    highest = outputs.reshape(len(outputs), -1).max(axis=1)
    return len(outputs), float(np.mean(highest <= 0))
