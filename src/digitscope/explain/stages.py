"""The stages of one step of training, in the order in which they are computed: forward, loss, backward, update."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from digitscope.explain.descent import DescentStep
from digitscope.explain.trace import Call
from digitscope.explain.update_rules import UPDATED
from digitscope.nn import BatchNorm, Ensemble, Frozen, Network, ShiftAverage

Phase = Literal["input", "forward", "loss", "backward", "update"]


@dataclass(frozen=True)
class Stage:
    """Arrays that are computed together."""

    key: str
    """Unique within the step, such as "0.forward", "loss.maximum" or "2.backward.weights"."""
    phase: Phase
    layer: str
    """The layer's path, as in the names of its parameters; "" for the loss."""
    kind: str
    """The class of the layer, the loss or the optimizer."""
    outputs: tuple[str, ...]
    """The names of the arrays that are computed, as `DescentStep.array` takes them."""


def stages(step: DescentStep) -> list[Stage]:
    """The stages of a step, each layer's in the order in which a pass uses the layers."""
    _ = step.recorded.backward  # the pass back, which gives each call its gradients
    calls = list(_in_order(step.recorded.trace.calls[""]))
    found = [Stage("input", "input", "", "to_batch", ("input",))]
    for call, entering in calls:
        found += _forward(call, entering)
    found += _loss(step)
    for call, entering in reversed(calls):
        found += _backward(call, entering)
    return found + list(_update(step))


def factor_arrays(step: DescentStep, name: str) -> dict[str, str]:
    """The arrays that the terms of an array's numbers come from, with their symbols: {"input": "x", "0.weight": "W"}.

    They are those of a number in the middle, where no window reaches beyond the border.
    """
    array = step.array(name)
    index = tuple(length // 2 for length in array.shape[:-1]) + ((0,) if array.ndim else ())
    found: dict[str, str] = {}
    for term in step.terms(name, index).terms:
        for factor in term.factors:
            if factor.name is not None:
                found.setdefault(factor.name, factor.symbol)
    return found


def has_batch(step: DescentStep, name: str) -> bool:
    """Whether the last axis of an array is that of the images."""
    trace = step.recorded.trace
    if name.removeprefix("d") in trace.arrays or name in step.recorded.loss_call.inner:
        return True
    for call in trace.calls.values():
        if name in call.inner:
            return not (isinstance(call.layer, BatchNorm) and name != call.inside("normalized"))
    return False


def _in_order(call: Call) -> Iterator[tuple[Call, bool]]:
    """The calls with their stages, as (call, entering): what is inside a layer comes between its entry and itself."""
    if call.parts and call.name:
        yield call, True
    for part in call.parts:
        yield from _in_order(part)
    if call.name:
        yield call, False


def _forward(call: Call, entering: bool) -> Iterator[Stage]:
    kind = type(call.layer).__name__
    if entering:
        known = (call.input, *(part.name for part in call.parts))
        if inputs := tuple(part.input for part in call.parts if part.input not in known):
            yield Stage(f"{call.name}.enter", "forward", call.name, kind, inputs)
        return
    if isinstance(call.layer, BatchNorm):
        if call.training:
            measured = call.inside("mean"), call.inside("variance")
            yield Stage(f"{call.name}.statistics", "forward", call.name, kind, measured)
        yield Stage(f"{call.name}.normalize", "forward", call.name, kind, (call.inside("normalized"),))
    elif call.inner:
        yield Stage(f"{call.name}.statistics", "forward", call.name, kind, tuple(call.inner))
    yield Stage(f"{call.name}.forward", "forward", call.name, kind, (call.output,))


def _loss(step: DescentStep) -> Iterator[Stage]:
    kind = type(step.recorded.loss).__name__
    for name in step.recorded.loss_call.inner:
        yield Stage(f"loss.{name}", "loss", "", kind, (name,))
    yield Stage("loss", "loss", "", kind, ("loss",))
    yield Stage("loss.backward", "backward", "", kind, ("doutput",))


def _backward(call: Call, entering: bool) -> Iterator[Stage]:
    kind = type(call.layer).__name__
    if call.parts and not entering:
        ends = call.parts if isinstance(call.layer, Ensemble | ShiftAverage) else call.parts[-1:]
        yield Stage(f"{call.name}.split", "backward", call.name, kind, tuple(f"d{part.output}" for part in ends))
        return
    if entering and type(call.layer) in (Network, Frozen):
        return  # the first layer inside has computed it
    if call.grads and not call.parts:
        names = tuple(f"d{call.parameter(own)}" for own in call.grads)
        yield Stage(f"{call.name}.backward.parameters", "backward", call.name, kind, names)
    yield Stage(f"{call.name}.backward.input", "backward", call.name, kind, (f"d{call.input}",))


def _update(step: DescentStep) -> Iterator[Stage]:
    """For each layer what the optimizer keeps, if it keeps anything, then the parameters."""
    kind = type(step.optimizer).__name__
    layers: dict[str, list[str]] = {}
    for name in step.updates:
        layers.setdefault(name.rpartition(".")[0], []).append(name)
    for layer, names in layers.items():
        slots = tuple(f"{UPDATED}{slot}.{name}" for name in names for slot in step.optimizer.slots)
        if slots:
            yield Stage(f"{layer}.moments", "update", layer, kind, slots)
        yield Stage(f"{layer}.update", "update", layer, kind, tuple(f"{UPDATED}{name}" for name in names))
