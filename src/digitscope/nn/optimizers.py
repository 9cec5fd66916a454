"""Optimizers: the rules that turn a gradient into a step.

Every optimizer works in place on dicts of arrays with the same keys. Each number is updated independently of the
others, so an array may also be given in parts. The gradients are overwritten: they hold intermediate results.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from digitscope.arguments import check_number, check_truth
from digitscope.arrays import Array
from digitscope.nn.kernels.optimizers import adam_in_place, momentum_in_place
from digitscope.nn.kernels.product import sum_of_squares
from digitscope.nn.layer import Params

State = dict[str, Params]
"""The arrays that an optimizer keeps between steps: for each of its slots, one for each parameter."""


def gradient_norm(grads: Mapping[str, Array]) -> float:
    """|g| = sqrt(sum of g²) over all parameters together."""
    return math.sqrt(sum(sum_of_squares(g) for g in grads.values()))


def clip_scale(norm: float, limit: float | None) -> float:
    """The factor that shortens gradients of this norm to at most `limit`.

    g <- g min(1, limit / |g|). Source: Pascanu, Mikolov and Bengio 2013, algorithm 1.
    """
    return limit / norm if limit is not None and norm > limit else 1.0


@dataclass(frozen=True, kw_only=True)
class Optimizer(ABC):
    """A rule that changes parameters according to their gradients. A derived class defines `updated`.

    weight_decay is decoupled from the gradient (Loshchilov and Hutter 2019): before each step
    w <- w - learning_rate weight_decay w, for weights only, never for biases.
    clip_norm is the largest norm that the whole gradient may have; a longer gradient is scaled down to it. None: no
    limit.
    """

    weight_decay: float = 0.0
    clip_norm: float | None = None
    slots: ClassVar[tuple[str, ...]] = ()
    """Names of the arrays that the optimizer keeps for each parameter."""

    def __post_init__(self) -> None:
        check_number(f"{type(self).__name__}'s weight_decay", self.weight_decay, least=0)
        check_number(f"{type(self).__name__}'s clip_norm", self.clip_norm, least=0, optional=True)

    def start(self, params: Mapping[str, Array]) -> State:
        """The state before the first step: zeros."""
        return {slot: {name: np.zeros_like(p) for name, p in params.items()} for slot in self.slots}

    def update(self, params: Params, grads: Params, state: State, learning_rate: float, step: int) -> None:
        """Takes one step, in place; `step` counts from 0. Overwrites the gradients. Does not clip."""
        for name, w in params.items():
            if self.weight_decay and name.endswith("weight"):
                w *= 1 - learning_rate * self.weight_decay
            self._update_in_place(w, grads[name], [state[slot][name] for slot in self.slots], learning_rate, step)

    @abstractmethod
    def updated(self, w: Array, g: Array, slots: list[Array], learning_rate: float, step: int) -> tuple[Array, ...]:
        """One parameter after a step, then its slots: the definition. Changes none of its arguments."""

    def _update_in_place(self, w: Array, g: Array, slots: list[Array], learning_rate: float, step: int) -> None:
        """Writes `updated` into w and the slots. May overwrite g."""
        for array, new in zip([w, *slots], self.updated(w, g, slots, learning_rate, step), strict=True):
            array[...] = new


@dataclass(frozen=True, kw_only=True)
class GradientDescent(Optimizer):
    """w <- w - learning_rate g.

    Source: Cauchy 1847. Derivation: docs/notes/06-descent.md#straight-down-for-a-small-step
    """

    def updated(self, w: Array, g: Array, slots: list[Array], learning_rate: float, step: int) -> tuple[Array, ...]:
        return (w - learning_rate * g,)

    def _update_in_place(self, w: Array, g: Array, slots: list[Array], learning_rate: float, step: int) -> None:
        g *= learning_rate
        w -= g


@dataclass(frozen=True, kw_only=True)
class Momentum(Optimizer):
    """Gradient descent that keeps part of its velocity.

    v <- momentum v + g
    w <- w - learning_rate v                          heavy ball (Polyak 1964)
    w <- w - learning_rate (g + momentum v)           with nesterov=True (Sutskever et al. 2013)

    Derivation: docs/notes/06-descent.md#momentum
    """

    momentum: float = 0.9
    nesterov: bool = False
    slots: ClassVar[tuple[str, ...]] = ("velocity",)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("Momentum's momentum", self.momentum, least=0, below=1)
        check_truth("Momentum's nesterov", self.nesterov)

    def updated(self, w: Array, g: Array, slots: list[Array], learning_rate: float, step: int) -> tuple[Array, ...]:
        v = self.momentum * slots[0] + g
        direction = g + self.momentum * v if self.nesterov else v
        return w - learning_rate * direction, v

    def _update_in_place(self, w: Array, g: Array, slots: list[Array], learning_rate: float, step: int) -> None:
        momentum_in_place(w, g, slots[0], learning_rate, self.momentum, nesterov=self.nesterov)


@dataclass(frozen=True, kw_only=True)
class Adam(Optimizer):
    """A step size for each number, from running means of its gradient and of its squared gradient.

    m <- beta1 m + (1 - beta1) g,   v <- beta2 v + (1 - beta2) g²
    w <- w - learning_rate m' / (sqrt(v') + eps),   m' = m / (1 - beta1^t), v' = v / (1 - beta2^t), t = step + 1

    Source: Kingma and Ba 2015, algorithm 1. Derivation: docs/notes/06-descent.md#a-rate-for-each-number
    """

    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    slots: ClassVar[tuple[str, ...]] = ("mean", "square")

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number(f"{type(self).__name__}'s beta1", self.beta1, least=0, below=1)
        check_number(f"{type(self).__name__}'s beta2", self.beta2, least=0, below=1)
        check_number(f"{type(self).__name__}'s eps", self.eps, least=0)

    def updated(self, w: Array, g: Array, slots: list[Array], learning_rate: float, step: int) -> tuple[Array, ...]:
        t = step + 1
        m = self.beta1 * slots[0] + (1 - self.beta1) * g
        v = self.beta2 * slots[1] + (1 - self.beta2) * g**2
        m_corrected, v_corrected = m / (1 - self.beta1**t), v / (1 - self.beta2**t)
        return w - learning_rate * m_corrected / (np.sqrt(v_corrected) + self.eps), m, v

    def _update_in_place(self, w: Array, g: Array, slots: list[Array], learning_rate: float, step: int) -> None:
        m, v = slots
        adam_in_place(w, g, m, v, learning_rate, step + 1, self.beta1, self.beta2, self.eps)


@dataclass(frozen=True, kw_only=True)
class AdamW(Adam):
    """Adam with decoupled weight decay.

    Source: Loshchilov and Hutter 2019, algorithm 2. Derivation: docs/notes/06-descent.md#weights-that-nobody-needs
    """

    weight_decay: float = 0.01
