"""How a gradient becomes a step.

Every optimizer works in place on dicts of arrays with the same keys, number by number, so that the arrays may
be whole or cut into parts. The gradients are used up: their memory serves for intermediate results.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from digitscope.arrays import Array
from digitscope.nn.kernels.product import sum_of_squares
from digitscope.nn.layer import Params

State = dict[str, Params]
"""What an optimizer remembers: for each of its slots, an array for each parameter."""


def gradient_norm(grads: Mapping[str, Array]) -> float:
    """|g| = sqrt(sum of g²) over all parameters together."""
    return math.sqrt(sum(sum_of_squares(g) for g in grads.values()))


def clip_scale(norm: float, limit: float | None) -> float:
    """What to multiply gradients of this norm by so that it is at most `limit`.

    g <- g min(1, limit / |g|). Source: Pascanu, Mikolov and Bengio 2013, algorithm 1.
    """
    return limit / norm if limit is not None and norm > limit else 1.0


@dataclass(frozen=True, kw_only=True)
class Optimizer(ABC):
    """weight_decay is decoupled from the gradient (Loshchilov and Hutter 2019): before each step
    w <- w - learning_rate weight_decay w, for weights only, never for biases.
    clip_norm, where given, is the largest norm of the whole gradient; longer ones are shortened.
    """

    weight_decay: float = 0.0
    clip_norm: float | None = None
    slots: ClassVar[tuple[str, ...]] = ()

    def start(self, params: Mapping[str, Array]) -> State:
        """The state before the first step: zeros."""
        return {slot: {name: np.zeros_like(p) for name, p in params.items()} for slot in self.slots}

    def update(self, params: Params, grads: Params, state: State, learning_rate: float, step: int) -> None:
        """Takes one step, in place; `step` counts from 0. Uses the gradients up. Does not clip."""
        for name, p in params.items():
            if self.weight_decay and name.endswith("weight"):
                p *= 1 - learning_rate * self.weight_decay
            self._move(p, grads[name], [state[slot][name] for slot in self.slots], learning_rate, step)

    @abstractmethod
    def _move(self, p: Array, g: Array, slots: list[Array], learning_rate: float, step: int) -> None:
        """One parameter's step."""


@dataclass(frozen=True, kw_only=True)
class GradientDescent(Optimizer):
    """w <- w - learning_rate g.

    Source: Cauchy 1847. Derivation: docs/notes/06-descent.md#straight-down-for-a-small-step
    """

    def _move(self, p: Array, g: Array, slots: list[Array], learning_rate: float, step: int) -> None:
        g *= learning_rate
        p -= g


@dataclass(frozen=True, kw_only=True)
class Momentum(Optimizer):
    """Gradient descent that keeps some of its speed.

    v <- momentum v + g
    w <- w - learning_rate v                          heavy ball (Polyak 1964)
    w <- w - learning_rate (g + momentum v)           with nesterov=True (Sutskever et al. 2013)

    Derivation: docs/notes/06-descent.md#momentum
    """

    momentum: float = 0.9
    nesterov: bool = False
    slots: ClassVar[tuple[str, ...]] = ("velocity",)

    def _move(self, p: Array, g: Array, slots: list[Array], learning_rate: float, step: int) -> None:
        (v,) = slots
        v *= self.momentum
        v += g
        if self.nesterov:
            g *= learning_rate
            p -= g
            np.multiply(v, learning_rate * self.momentum, out=g)
        else:
            np.multiply(v, learning_rate, out=g)
        p -= g


@dataclass(frozen=True, kw_only=True)
class Adam(Optimizer):
    """Steps of a size that the gradient's mean and scatter choose, for each number apart.

    m <- beta1 m + (1 - beta1) g,   v <- beta2 v + (1 - beta2) g²
    w <- w - learning_rate m' / (sqrt(v') + eps),   m' = m / (1 - beta1^t), v' = v / (1 - beta2^t), t = step + 1

    Source: Kingma and Ba 2015, algorithm 1. Derivation: docs/notes/06-descent.md#a-rate-for-each-number
    """

    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    slots: ClassVar[tuple[str, ...]] = ("mean", "square")

    def _move(self, p: Array, g: Array, slots: list[Array], learning_rate: float, step: int) -> None:
        m, v = slots
        root = g * g
        root *= 1 - self.beta2
        v *= self.beta2
        v += root
        g *= 1 - self.beta1
        m *= self.beta1
        m += g
        np.sqrt(v, out=root)
        root /= math.sqrt(1 - self.beta2 ** (step + 1))
        root += self.eps
        np.divide(m, root, out=g)
        g *= learning_rate / (1 - self.beta1 ** (step + 1))
        p -= g


@dataclass(frozen=True, kw_only=True)
class AdamW(Adam):
    """Adam with decoupled weight decay.

    Source: Loshchilov and Hutter 2019, algorithm 2. Derivation: docs/notes/06-descent.md#weights-that-nobody-needs
    """

    weight_decay: float = 0.01
