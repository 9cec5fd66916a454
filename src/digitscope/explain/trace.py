"""One pass through a network, forward and backward, with every array written down by name."""

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
    Params,
    Residual,
    ShiftAverage,
    Standardize,
    softmax,
    to_batch,
)
from digitscope.nn.losses import log_sum_exp

Watch = Callable[[Layer, str], Layer]


def rule_for(rules: Any, layer: Layer | Loss) -> Callable[..., Any]:
    """The rule of a singledispatch function for a layer (or a loss).

    The rule of a base class holds only as long as a subclass leaves its `forward` alone: else it is the general one.
    """
    owner: Any = next(cls for cls in type(layer).__mro__ if cls in rules.registry)
    same = owner is object or type(layer).forward is owner.forward
    rule: Callable[..., Any] = rules.registry[owner if same else object]
    return rule


@dataclass(eq=False, repr=False)
class Call:
    """One use of a layer in a pass: what went into it, what came out, and the same on the way back."""

    name: str
    """The layer's path as in the names of its parameters, "" for the network itself. "@k" in it is the k-th shifted
    image of a ShiftAverage, whose layers are used once for each."""
    layer: Layer
    input: str
    """The name of the array that went in."""
    training: bool
    parent: "Call | None"
    x: Array
    parts: list["Call"] = field(default_factory=list)
    """The uses of the layers inside, in order."""

    y: Array = field(init=False)
    backward: Backward = field(init=False)
    dy: Array = field(init=False)
    dx: Array = field(init=False)
    grads: Params = field(init=False)
    _places: dict[str, tuple[str, Array]] = field(default_factory=dict)
    """What `entry` found, by its `what`."""

    @property
    def output(self) -> str:
        """The name of the array that came out."""
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
        """What the layer computes on the way, by full name: a batch's mean, a member's probabilities."""
        return dict(rule_for(inner_arrays, self.layer)(self.layer, self))

    def entry(self, what: str, index: Index, symbol: str | None = None) -> Factor:
        """The number at that place of "x", "y" or "dy", of a parameter or statistic ("weight"), of a parameter's
        derivative ("dweight"), or of what the layer computes on the way ("mean").
        """
        if what not in self._places:
            self._places[what] = self._find(what)
        name, array = self._places[what]
        return Factor(symbol or what, float(array[index]), name, index)

    def _find(self, what: str) -> tuple[str, Array]:
        if what == "x":
            return self.input, self.x
        if what == "y":
            return self.output, self.y
        if what == "dy":
            return f"d{self.output}", self.dy
        for name in (what, self.inside(what)):
            if name in self.inner:
                return name, self.inner[name]
        for own in (self.layer.params, self.layer.statistics):
            if what in own:
                return self.parameter(what), own[what]
        return f"d{self.parameter(what[1:])}", self.grads[what[1:]]


@singledispatch
def watch_inside(layer: object, watch: Watch) -> Layer:
    """A copy of the layer, each layer inside replaced by watch(layer, its place)."""
    assert isinstance(layer, Layer)
    return copy(layer)


@watch_inside.register(Network)
@watch_inside.register(Residual)
@watch_inside.register(Ensemble)
def _(layer: Network, watch: Watch) -> Layer:
    twin = copy(layer)
    twin.layers = tuple(watch(inner, f".{i}") for i, inner in enumerate(layer.layers))
    return twin


@watch_inside.register
def _(layer: ShiftAverage, watch: Watch) -> Layer:
    twin = copy(layer)
    twin.network = watch(layer.network, "@")
    return twin


@singledispatch
def part_input(layer: object, call: Call, part: str) -> str:
    """The name of the array that the next layer inside takes. Layers in a row take each other's outputs."""
    return call.parts[-1].name if call.parts else call.input


@part_input.register
def _(layer: Residual, call: Call, part: str) -> str:
    return call.parts[-1].name if call.parts else call.inside("branch")


@part_input.register(Ensemble)
@part_input.register(ShiftAverage)
def _(layer: Layer, call: Call, part: str) -> str:
    return f"{part}.input"


@singledispatch
def inner_arrays(layer: object, call: Call) -> Mapping[str, Array]:
    """What a layer computes on the way, by full name."""
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
    """A pass through a network, forward; `run_back` adds the way back."""

    def __init__(
        self,
        network: Layer,
        x: Array,
        *,
        training: bool = False,
        seed: int = 0,
        nudge: tuple[str, Index, float] | None = None,
    ) -> None:
        """nudge: an array's name, a place in it and what is added there, to see what follows from it."""
        self.arrays: dict[str, Array] = {}
        """Activations by name, in the order in which they were computed."""
        self.derivatives: dict[str, Array] = {}
        """Of the loss, with respect to each of them."""
        self.calls: dict[str, Call] = {}
        self.consumers: dict[str, Call] = {}
        """The call that takes an array; of a row in a row, the innermost."""
        self._nudge = nudge
        self._open: list[Call] = []
        self.output, self._backward = self._watch(network, "").forward(
            x, training=training, rng=np.random.default_rng(seed)
        )

    def run_back(self, dy: Array) -> Params:
        """Takes the derivative of the loss back through the network; returns that of each parameter."""
        return self._backward(dy)[1]

    def _watch(self, layer: Layer, place: str) -> Layer:
        twin: Layer = rule_for(watch_inside, layer)(layer, self._watch)
        run = twin.forward

        def forward(x: Array, **options: Any) -> tuple[Array, Backward]:
            call, fresh = self._enter(layer, place, x, bool(options.get("training")))
            y, call.backward = run(call.x, **options)
            self._open.pop()
            call.y = self._keep(call.output, y)

            def backward(dy: Array) -> tuple[Array, Params]:
                call.dy = self.derivatives[call.output] = dy
                call.dx, call.grads = call.backward(dy)
                if fresh:
                    self.derivatives[call.input] = call.dx
                return call.dx, call.grads

            return call.y, backward

        vars(twin)["forward"] = forward
        return twin

    def _enter(self, layer: Layer, place: str, x: Array, training: bool) -> tuple[Call, bool]:
        """The call that begins, and whether its input is an array that was not seen before."""
        parent = self._open[-1] if self._open else None
        if parent is None:
            name, source = "", "input"
        else:
            name = f"{parent.name}@{len(parent.parts)}" if place == "@" else f"{parent.name}{place}".removeprefix(".")
            source = rule_for(part_input, parent.layer)(parent.layer, parent, name)
        fresh = source not in self.arrays
        if fresh:
            x = self._keep(source, x)
        call = Call(name, layer, source, training, parent, x)
        self.consumers[source] = call
        if parent is not None:
            parent.parts.append(call)
        self.calls[name] = call
        self._open.append(call)
        return call, fresh

    def _keep(self, name: str, array: Array) -> Array:
        if self._nudge is not None and self._nudge[0] == name:
            array = array.copy()
            array[self._nudge[1]] += self._nudge[2]
        self.arrays[name] = array
        return array


def network_input(network: Layer, images: npt.NDArray[np.uint8], dtype: npt.DTypeLike | None = None) -> Array:
    """The images as the network takes them, in the precision and on the device of its parameters.

    Shapes: uint8 (N, H, W) -> (H W, N)
    """
    if not len(images):
        raise ShapeError("An explanation expects at least 1 image; got none.")
    x = to_batch(images)
    own = list(network.params.values())
    if not own:
        return x.astype(dtype or x.dtype)
    return np.asarray(x, dtype or np.result_type(*(array.dtype for array in own)), like=own[0])
