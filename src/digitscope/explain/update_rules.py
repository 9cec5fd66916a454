"""The products that sum to each number of an update, for each kind of optimizer."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import singledispatch

import numpy as np

from digitscope.explain.layer_rules import MINUS, constant, term
from digitscope.explain.term import Explanation, Factor, Index, Term
from digitscope.nn import Adam, GradientDescent, Momentum, Optimizer, Params

UPDATED = "updated."
"""What the names of arrays after an update begin with: "updated.0.weight"."""


@dataclass(frozen=True, eq=False)
class UpdateCall:
    """The update of one parameter."""

    name: str
    """The parameter's."""
    arrays: Params
    """By name: the parameter, its derivative before clipping, the optimizer's slots ("velocity.0.weight"), and the
    parameter and the slots after the update, with UPDATED in front."""
    learning_rate: float
    clip: float
    """The factor that shortens the gradient; 1 if nothing is clipped."""
    step: int
    """The number of steps before this one."""

    def entry(self, name: str, index: Index, symbol: str) -> Factor:
        return Factor(symbol, float(self.arrays[name][index]), name, index)

    def gradient(self, index: Index) -> tuple[Factor, ...]:
        g = self.entry(f"d{self.name}", index, "g")
        return (g,) if self.clip == 1 else (constant("limit / |g|", self.clip), g)

    def slot(self, slot: str, index: Index, symbol: str, *, updated: bool = False) -> Factor:
        return self.entry(f"{UPDATED * updated}{slot}.{self.name}", index, symbol)


@singledispatch
def update_terms(optimizer: object, call: UpdateCall, of: str, index: Index) -> Explanation | None:
    """The explanation of a number after an update; `of` is "w" for the parameter, or the name of a slot. None if
    nothing is known about it. Register a rule for an optimizer of your own as with `layer_terms`.
    """
    return None


@update_terms.register
def _(optimizer: GradientDescent, call: UpdateCall, of: str, index: Index) -> Explanation | None:
    return _step(optimizer, call, index, [call.gradient(index)])


@update_terms.register
def _(optimizer: Momentum, call: UpdateCall, of: str, index: Index) -> Explanation | None:
    momentum = constant("momentum", optimizer.momentum)
    if of == "velocity":
        return Explanation([term(momentum, call.slot("velocity", index, "v")), term(*call.gradient(index))], "v")
    v = call.slot("velocity", index, "v", updated=True)
    return _step(optimizer, call, index, [call.gradient(index), (momentum, v)] if optimizer.nesterov else [(v,)])


@update_terms.register
def _(optimizer: Adam, call: UpdateCall, of: str, index: Index) -> Explanation | None:
    b1, b2, t = optimizer.beta1, optimizer.beta2, call.step + 1
    g = call.gradient(index)
    if of == "mean":
        old = term(constant("beta1", b1), call.slot("mean", index, "m"))
        return Explanation([old, term(constant("1 - beta1", 1 - b1), *g)], "m", definition=Adam)
    if of == "square":
        old = term(constant("beta2", b2), call.slot("square", index, "v"))
        return Explanation([old, term(constant("1 - beta2", 1 - b2), *g, *g)], "v", definition=Adam)
    m, v = (call.slot(slot, index, symbol, updated=True) for slot, symbol in (("mean", "m"), ("square", "v")))
    root = np.sqrt(v.value / (1 - b2**t)) + optimizer.eps
    return _step(
        optimizer,
        call,
        index,
        [
            (
                m,
                constant("1 / (1 - beta1^t)", 1 / (1 - b1**t)),
                replace(v, symbol="1 / (sqrt(v') + eps)", value=float(1 / root)),
            )
        ],
    )


def _step(optimizer: Optimizer, call: UpdateCall, index: Index, direction: Sequence[tuple[Factor, ...]]) -> Explanation:
    """w - learning_rate (the sum of the direction's products), after the decay of weights."""
    w, rate = call.entry(call.name, index, "w"), constant("learning_rate", call.learning_rate)
    terms: list[Term] = [term(w)]
    if optimizer.weight_decay and call.name.endswith("weight"):
        terms.append(term(MINUS, rate, constant("weight_decay", optimizer.weight_decay), w))
    terms += [term(MINUS, rate, *factors) for factors in direction]
    definition = Adam if isinstance(optimizer, Adam) else type(optimizer)
    return Explanation(terms, "w", definition=definition)
