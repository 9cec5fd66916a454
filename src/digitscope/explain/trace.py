"""Records one pass through a network, forward and backward: every array by name."""

import re
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass, field
from functools import cached_property, reduce, singledispatch
from typing import Any

import numpy as np
import numpy.typing as npt

from digitscope.arrays import Array
from digitscope.errors import ShapeError
from digitscope.explain.term import Factor, Index
from digitscope.nn import (
    Backward,
    BatchNorm,
    Ensemble,
    Layer,
    Loss,
    Network,
    Optimizer,
    Params,
    Residual,
    ShiftAverage,
    Skip,
    Standardize,
    softmax,
    to_batch,
)
from digitscope.nn.losses import log_sum_exp

Watch = Callable[[Layer, str], Layer]


def rule_for(rules: Any, layer: Layer | Loss | Optimizer) -> Callable[..., Any]:
    """The rule of a singledispatch function for a layer (or a loss or an optimizer).

    A subclass with its own `forward` (or `updated`) does not inherit its base's rule; it gets the general one.
    """
    owner: Any = next(cls for cls in type(layer).__mro__ if cls in rules.registry)
    computes = "updated" if isinstance(layer, Optimizer) else "forward"
    same = owner is object or getattr(type(layer), computes) is getattr(owner, computes)
    rule: Callable[..., Any] = rules.registry[owner if same else object]
    return rule


@dataclass(eq=False, repr=False)
class Call:
    """One use of a layer in a pass: its inputs and outputs, forward and backward."""

    name: str
    """The layer's path as in the names of its parameters, "" for the network itself. "@k" in it stands for the k-th
    shift of a ShiftAverage, whose layers are used once for each shift."""
    layer: Layer
    input: str
    """The name of the input array."""
    training: bool
    parent: "Call | None"
    x: Array
    parts: list["Call"] = field(default_factory=list)
    """The calls of the layers inside, in order."""

    y: Array = field(init=False)
    backward: Backward = field(init=False)
    dy: Array = field(init=False)
    dx: Array = field(init=False)
    grads: Params = field(init=False)
    _found: dict[str, tuple[str, Array]] = field(default_factory=dict)
    """The names and arrays that `entry` has looked up, by their short names."""

    @property
    def output(self) -> str:
        """The name of the output array."""
        return self.name or "output"

    def inside(self, name: str) -> str:
        """The name of an array that belongs to this layer: "mean" of layer 3 is "3.mean"."""
        return f"{self.name}.{name}" if self.name else name

    @property
    def path(self) -> str:
        """The layer's path in the names of parameters, which have no "@"."""
        return re.sub(r"@\d+", "", self.name).removeprefix(".")

    def parameter(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    @cached_property
    def inner(self) -> dict[str, Array]:
        """The layer's intermediate results by full name, such as a batch's mean or a member's probabilities."""
        return dict(rule_for(inner_arrays, self.layer)(self.layer, self))

    def entry(self, short_name: str, index: Index, symbol: str | None = None) -> Factor:
        """The number at this index of "x", "y" or "dy", of a parameter or statistic ("weight"), of a parameter's
        derivative ("dweight"), or of an intermediate result ("mean").
        """
        if short_name not in self._found:
            self._found[short_name] = self._find(short_name)
        name, array = self._found[short_name]
        return Factor(symbol or short_name, float(array[index]), name, index)

    def _find(self, short_name: str) -> tuple[str, Array]:
        if short_name == "x":
            return self.input, self.x
        if short_name == "y":
            return self.output, self.y
        if short_name == "dy":
            return f"d{self.output}", self.dy
        for name in (short_name, self.inside(short_name)):
            if name in self.inner:
                return name, self.inner[name]
        for own in (self.layer.params, self.layer.statistics):
            if short_name in own:
                return self.parameter(short_name), own[short_name]
        return f"d{self.parameter(short_name[1:])}", self.grads[short_name[1:]]


@singledispatch
def watch_inside(layer: object, watch: Watch) -> Layer:
    """A copy of the layer in which watch(inner, suffix) replaces each layer inside; suffix extends the layer's path."""
    assert isinstance(layer, Layer)
    return copy(layer)


@watch_inside.register(Network)
@watch_inside.register(Residual)
@watch_inside.register(Skip)
@watch_inside.register(Ensemble)
def _(layer: Network, watch: Watch) -> Layer:
    watched = copy(layer)
    watched.layers = tuple(watch(inner, f".{i}") for i, inner in enumerate(layer.layers))
    return watched


@watch_inside.register
def _(layer: ShiftAverage, watch: Watch) -> Layer:
    watched = copy(layer)
    watched.network = watch(layer.network, "@")
    return watched


@singledispatch
def part_input(layer: object, call: Call, part: str) -> str:
    """The name of the next inner layer's input. In a network it is the previous layer's output."""
    return call.parts[-1].name if call.parts else call.input


@part_input.register(Residual)
@part_input.register(Skip)
def _(layer: Layer, call: Call, part: str) -> str:
    return call.parts[-1].name if call.parts else call.inside("branch")


@part_input.register(Ensemble)
@part_input.register(ShiftAverage)
def _(layer: Layer, call: Call, part: str) -> str:
    return f"{part}.input"


@singledispatch
def inner_arrays(layer: object, call: Call) -> Mapping[str, Array]:
    """The intermediate results of a layer, by full name."""
    return {}


@inner_arrays.register(Ensemble)
@inner_arrays.register(ShiftAverage)
def _(layer: Layer, call: Call) -> Mapping[str, Array]:
    p = {f"{part.name}.probability": softmax(part.y) for part in call.parts}
    e = {f"{part.name}.evidence": log_sum_exp(part.y) for part in call.parts}
    mean_p, mean_e = (reduce(np.add, of.values()) / len(call.parts) for of in (p, e))
    return {**p, **e, call.inside("mean_probability"): mean_p, call.inside("mean_evidence"): mean_e}


@inner_arrays.register
def _(layer: BatchNorm, call: Call) -> Mapping[str, Array]:
    rows = call.x.reshape(layer.channels, -1)
    mean = rows.mean(axis=1) if call.training else layer.statistics["mean"]
    variance = rows.var(axis=1) if call.training else layer.statistics["variance"]
    normalized = (rows - mean[:, None]) / np.sqrt(variance + layer.eps)[:, None]
    batch = {call.inside("mean"): mean, call.inside("variance"): variance} if call.training else {}
    return {**batch, call.inside("normalized"): normalized.reshape(call.x.shape)}


@inner_arrays.register
def _(layer: Standardize, call: Call) -> Mapping[str, Array]:
    numbers = call.x.reshape(-1, call.x.shape[-1])
    return {call.inside("mean"): numbers.mean(axis=0), call.inside("variance"): numbers.var(axis=0)}


class Trace:
    """A recorded forward pass through a network; `run_back` adds the backward pass."""

    def __init__(
        self,
        network: Layer,
        x: Array,
        *,
        training: bool = False,
        seed: int = 0,
        nudge: tuple[str, Index, float] | None = None,
    ) -> None:
        """nudge: an activation's name, an index in it and a number that is added there, to observe its effect."""
        self.arrays: dict[str, Array] = {}
        """Activations by name, in the order in which they were computed."""
        self.derivatives: dict[str, Array] = {}
        """The derivatives of the loss with respect to each of them."""
        self.calls: dict[str, Call] = {}
        self.consumers: dict[str, Call] = {}
        """For each array, the call that has it as input; among nested networks, the innermost."""
        self._nudge = nudge
        self._open: list[Call] = []
        self.output, self._backward = self._watch(network, "").forward(
            x, training=training, rng=np.random.default_rng(seed)
        )

    def run_back(self, dy: Array) -> Params:
        """Propagates the derivative of the loss back through the network; returns that of each parameter."""
        return self._backward(dy)[1]

    def _watch(self, layer: Layer, suffix: str) -> Layer:
        watched: Layer = rule_for(watch_inside, layer)(layer, self._watch)
        run = watched.forward

        def forward(x: Array, **options: Any) -> tuple[Array, Backward]:
            call, is_new = self._enter(layer, suffix, x, bool(options.get("training")))
            y, call.backward = run(call.x, **options)
            self._open.pop()
            call.y = self._keep(call.output, y)

            def backward(dy: Array) -> tuple[Array, Params]:
                call.dy = self.derivatives[call.output] = dy
                call.dx, call.grads = call.backward(dy)
                if is_new:
                    self.derivatives[call.input] = call.dx
                return call.dx, call.grads

            return call.y, backward

        vars(watched)["forward"] = forward
        return watched

    def _enter(self, layer: Layer, suffix: str, x: Array, training: bool) -> tuple[Call, bool]:
        """The call that begins, and whether its input is a new array."""
        parent = self._open[-1] if self._open else None
        if parent is None:
            name, source = "", "input"
        else:
            name = f"{parent.name}@{len(parent.parts)}" if suffix == "@" else f"{parent.name}{suffix}".removeprefix(".")
            source = rule_for(part_input, parent.layer)(parent.layer, parent, name)
        is_new = source not in self.arrays
        if is_new:
            x = self._keep(source, x)
        call = Call(name, layer, source, training, parent, x)
        self.consumers[source] = call
        if parent is not None:
            parent.parts.append(call)
        self.calls[name] = call
        self._open.append(call)
        return call, is_new

    def _keep(self, name: str, array: Array) -> Array:
        if self._nudge is not None and self._nudge[0] == name:
            array = array.copy()
            array[self._nudge[1]] += self._nudge[2]
        self.arrays[name] = array
        return array


def network_input(network: Layer, images: npt.NDArray[np.uint8], dtype: npt.DTypeLike | None = None) -> Array:
    """The images in the network's input format, in the precision and on the device of its parameters.

    Shapes: uint8 (N, H, W) -> (H W, N). Raises: ShapeError if there are no images.
    """
    if not len(images):
        raise ShapeError("An explanation expects at least 1 image; got none.")
    x = to_batch(images)
    own = list(network.params.values())
    if not own:
        return x.astype(dtype or x.dtype)
    return np.asarray(x, dtype or np.result_type(*(array.dtype for array in own)), like=own[0])
