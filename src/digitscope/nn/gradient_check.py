"""Gradient check: compares hand-written derivatives with how the loss really changes."""

from collections.abc import Callable, Iterable, Mapping
from copy import copy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from digitscope.arguments import check_kind, check_number, check_whole
from digitscope.arrays import Array, as_labels, as_numbers
from digitscope.errors import DataError, ShapeError
from digitscope.nn.layer import Backward, Layer
from digitscope.nn.losses import Loss, SoftmaxCrossEntropy
from digitscope.nn.network import Network

TOLERANCE = 1e-6
# The error of a central difference grows as h², and its rounding error as 1/h. If the kink of a ReLU lies between w - h
# and w + h, the difference is wrong. Smaller steps cross fewer kinks, so they are tried where the first step disagrees.
# The large step comes last: if the derivative is exactly 0, small steps show nothing but rounding.
_WIDTHS = (1e-5, 1e-6, 3e-7, 1e-7, 1e-3)
# Relative to the root mean square of the whole gradient: smaller derivatives are compared as if they had this size. The
# bias of a convolution right before batch normalization has the derivative 0: 1e-17 by hand, 1e-11 by differences.
_NEGLIGIBLE = 1e-3
# How far `check_layers` moves a layer's input, relative to its root mean square.
_NEARBY = 1e-2


@dataclass(frozen=True)
class Comparison:
    """One array's derivatives, by hand (from backward) and by central differences."""

    name: str
    """The parameter, or "input", or "direction" for all of them together along one random direction."""
    checked: int
    """The number of the array's entries that were compared."""
    entry: tuple[int, ...]
    """The index of the entry where the two differ most."""
    by_hand: float
    by_differences: float
    relative_error: float
    """|by_hand - by_differences| at that entry, divided by the largest of these: either derivative, the array's root
    mean square, 1/1000 of the whole gradient's root mean square. The last one is for derivatives that are 0 except for
    rounding."""


class _Verdict:
    """What the comparisons of a check say together."""

    comparisons: tuple[Comparison, ...]
    tolerance: float

    @property
    def worst(self) -> Comparison:
        return max(self.comparisons, key=lambda comparison: comparison.relative_error)

    @property
    def passed(self) -> bool:
        return self.worst.relative_error < self.tolerance


@dataclass(frozen=True)
class GradientCheck(_Verdict):
    """The result of check_gradients; str() gives a table.

    Derivation: docs/notes/05-backpropagation.md#is-it-right
    """

    comparisons: tuple[Comparison, ...]
    tolerance: float = TOLERANCE

    def __str__(self) -> str:
        width = max(9, *(len(c.name) for c in self.comparisons))
        lines = [f"{'array':<{width}}   checked    error       by hand  by differences  entry"]
        for c in self.comparisons:
            entry = ",".join(map(str, c.entry))
            line = f"{c.name:<{width}} {c.checked:>9,}  {c.relative_error:.1e}"
            lines.append(f"{line} {c.by_hand:+13.6e}  {c.by_differences:+14.6e}  {entry}".rstrip())
        verdict = "passed" if self.passed else f"FAILED at {self.worst.name}{list(self.worst.entry)}"
        return "\n".join([*lines, f"{verdict}: relative error at most {self.worst.relative_error:.1e}"])


@dataclass(frozen=True)
class LayerCheck(_Verdict):
    """The derivatives of one layer alone, by hand (from backward) and by central differences.

    Derivation: docs/notes/05-backpropagation.md#is-it-right
    """

    name: str
    """The name that the layer's parameters begin with; "network" for all layers together, "loss" for the loss."""
    kind: str
    """The layer's class."""
    comparisons: tuple[Comparison, ...]
    """Along one random direction each: of the input, of each parameter, and of all parameters of the network."""
    tolerance: float = TOLERANCE


def check_layers(
    network: Layer,
    x: npt.ArrayLike,
    labels: npt.ArrayLike,
    loss: Loss | None = None,
    *,
    seed: int = 0,
    tolerance: float = TOLERANCE,
) -> tuple[LayerCheck, ...]:
    """Compares the backward of each layer alone with central differences in float64, so that an error is located.

    <backward(dy), v> ~ <dy, f(a + h v) - f(a - h v)> / 2h

    with dy and v random, and v a direction of one array: the input or a parameter. The layers' inputs are those of the
    pass of x, moved a little, because zeros that a ReLU returns tie for the maximum of a pooling layer. This takes a
    few passes of each layer, and an error anywhere in an array changes the sum.

    Layers come in the order in which they finish: those inside another one before it, at last the network, whose
    backward is the chain rule, and the loss. So the first that fails is the one that is wrong.

    Shapes and errors: as `check_gradients`. Derivation: docs/notes/05-backpropagation.md#is-it-right
    """
    x, loss = _checked_arguments(network, x, loss, seed, tolerance)
    calls: list[_LayerCall] = []
    outputs, _ = _recording(network.astype(np.float64), "", calls).forward(
        x, training=True, rng=np.random.default_rng(seed)
    )
    targets = as_labels(labels, x.shape[-1], loss.classes(len(outputs)))
    checks = [LayerCheck(*_compare_layer(call, seed, tolerance), tolerance) for call in calls]
    by_hand = {"outputs": loss.forward(outputs, targets)[1](1.0)}
    compared = _compare_direction(
        lambda: loss.forward(outputs, targets)[0], {"outputs": outputs}, by_hand, np.random.default_rng(seed), tolerance
    )
    checks.append(LayerCheck("loss", type(loss).__name__, (replace(compared, name="outputs"),), tolerance))
    return tuple(checks)


def check_gradients(
    network: Layer,
    x: npt.ArrayLike,
    labels: npt.ArrayLike,
    loss: Loss | None = None,
    *,
    entries: int | None = None,
    seed: int = 0,
    tolerance: float = TOLERANCE,
) -> GradientCheck:
    """Compares every derivative, of each parameter and of the input, with central differences in float64.

    dL/dw ~ (L(w + h) - L(w - h)) / 2h,   h = 1e-5

    The network is copied to float64 and run as in training. Each evaluation restarts the random generator from `seed`,
    so that dropout drops the same numbers each time. Finally all parameters and the input are moved together along one
    random direction, which reveals an error anywhere.

    Changing a parameter affects its own layer and the layers after it. Outputs of the other layers are kept from the
    first pass, not computed again.

    A maximum with ties has no derivative to compare. The flat parts of an image cause ties in max pooling; noise of
    about 0.01, added to x, breaks them.

    `entries` is the number of entries of each array that are compared, drawn at random; by default all are.

    Shapes: x as the network's input, the batch last, (features, N) or (C, H, W, N); labels (N,) from 0 to K - 1 for K
        outputs, and also K with BackgroundCrossEntropy. A small batch suffices.
    Raises: ShapeError if x, labels and the network do not fit together; DataError if x has a NaN or infinity, and for
        labels that are not whole numbers in that range.
    Source: the random direction is that of HIPS autograd's check_grads.
    Derivation: docs/notes/05-backpropagation.md#is-it-right
    """
    check_whole("entries", entries, 1, optional=True)
    x, loss = _checked_arguments(network, x, loss, seed, tolerance)
    caches: list[_ForwardCache] = []
    network = _with_caches(network.astype(np.float64), caches)
    rng = np.random.default_rng(seed)
    start = rng.bit_generator.state

    def run() -> tuple[Array, Backward]:
        rng.bit_generator.state = start
        return network.forward(x, training=True, rng=rng)

    outputs, backward = run()
    targets = as_labels(labels, x.shape[-1], loss.classes(len(outputs)))
    dx, grads = backward(loss.forward(outputs, targets)[1](1.0))
    _check_names(network.params, grads)

    def value() -> float:
        return loss.forward(run()[0], targets)[0]

    arrays = {**network.params, "input": x}
    by_hand = {**grads, "input": dx}
    entry_rng = np.random.default_rng(seed)
    typical = _root_mean_square(by_hand.values())

    comparisons = []
    for name, array in arrays.items():
        _check_shape(name, by_hand[name], array)
        for cache in caches:
            cache.expect_changes((array,))
        chosen = np.arange(array.size)
        if entries is not None and entries < array.size:
            chosen = entry_rng.choice(array.size, entries, replace=False)
        hand = by_hand[name].reshape(-1)[chosen]
        numeric = np.array([_central_difference(value, array, i, _WIDTHS[0]) for i in chosen.tolist()])
        floor = max(float(np.sqrt(np.mean(numeric**2))), _NEGLIGIBLE * typical, 1e-9)
        for width in _WIDTHS[1:]:
            for k in np.flatnonzero(_relative_error(hand, numeric, floor) >= tolerance):
                retried = _central_difference(value, array, int(chosen[k]), width)
                if abs(retried - hand[k]) < abs(numeric[k] - hand[k]):
                    numeric[k] = retried
        error = _relative_error(hand, numeric, floor)
        worst = int(error.argmax())
        entry = tuple(int(i) for i in np.unravel_index(chosen[worst], array.shape))
        comparisons.append(
            Comparison(name, len(chosen), entry, float(hand[worst]), float(numeric[worst]), float(error[worst]))
        )
    for cache in caches:
        cache.expect_changes(arrays.values())
    comparisons.append(_compare_direction(value, arrays, by_hand, entry_rng, tolerance))
    return GradientCheck(tuple(comparisons), tolerance)


def _checked_arguments(
    network: Layer, x: npt.ArrayLike, loss: Loss | None, seed: int, tolerance: float
) -> tuple[Array, Loss]:
    """A copy of x in float64, and the loss, after all arguments have been checked."""
    check_kind("network", network, "a network or layer (model.network of a model)", Layer)
    check_whole("seed", seed, 0)
    check_number("tolerance", tolerance, least=0)
    check_kind("loss", loss, "a Loss or None", Loss, type(None))
    array = as_numbers(x, "Inputs").astype(np.float64)
    if array.ndim < 2 or not array.size:
        raise ShapeError(
            f"Inputs are expected in the network's input format, the batch last: (features, N); got {array.shape}."
        )
    if not np.isfinite(array).all():
        raise DataError("Inputs are expected as finite numbers; got NaN or infinity. Replace them.")
    return array, loss or SoftmaxCrossEntropy()


class _ForwardCache:
    """Replaces a layer's forward: returns the output of the first pass if computing it again would give the same.

    A layer's output is a function of its input, its parameters and the state of the random generator. If all three
    equal those of the first pass, so do the output and the generator's state afterwards.
    """

    def __init__(self, layer: Layer) -> None:
        self.layer, self.compute = layer, layer.forward
        self.calls: list[tuple[Array, object, Array, Backward, Any]] = []
        """The calls of the first pass: input, other arguments, output, backward, the generator's state afterwards."""
        self.recording, self.changing = True, False
        layer.forward = self.forward  # type: ignore[method-assign]

    def expect_changes(self, arrays: Iterable[Array]) -> None:
        """Ends the first pass. From now on only these arrays change."""
        parameters = self.layer.params.values()
        self.recording = False
        self.changing = any(np.may_share_memory(array, parameter) for array in arrays for parameter in parameters)

    def forward(self, x: Array, *, rng: np.random.Generator | None = None, **options: Any) -> tuple[Array, Backward]:
        arguments = (options, _state(rng))
        for known_x, known_arguments, y, backward, state in [] if self.changing else self.calls:
            if arguments == known_arguments and np.array_equal(x, known_x):
                if rng is not None:
                    rng.bit_generator.state = state
                return y.copy(), backward  # a copy, because the caller may change it in place
        known_x = x.copy() if self.recording else x
        y, backward = self.compute(x, rng=rng, **options)
        if self.recording:
            self.calls.append((known_x, arguments, y.copy(), backward, _state(rng)))
        return y, backward


def _state(rng: np.random.Generator | None) -> Any:
    return None if rng is None else rng.bit_generator.state


def _with_caches(layer: Layer, caches: list[_ForwardCache]) -> Layer:
    """A copy of the layer; if it is a network, each layer in it has a cache, which is added to the list."""
    layer = copy(layer)
    if isinstance(layer, Network):
        layer.layers = tuple(_with_caches(inner, caches) for inner in layer.layers)
        caches.extend(map(_ForwardCache, layer.layers))
    return layer


@dataclass(frozen=True, eq=False)
class _LayerCall:
    """One use of a layer in a pass."""

    name: str
    layer: Layer
    x: Array
    training: bool


def _recording(layer: Layer, name: str, calls: list[_LayerCall]) -> Layer:
    """A copy of the layer that adds each use of it, and of the layers inside, to the list when the use ends."""
    recorded = copy(layer)
    if isinstance(recorded, Network):
        recorded.layers = tuple(
            _recording(inner, f"{name}.{i}".removeprefix("."), calls) for i, inner in enumerate(recorded.layers)
        )
    compute = recorded.forward

    def forward(x: Array, *, training: bool = False, **options: Any) -> tuple[Array, Backward]:
        result = compute(x, training=training, **options)
        calls.append(_LayerCall(name, layer, x, training))
        return result

    recorded.forward = forward  # type: ignore[method-assign]
    return recorded


def _compare_layer(call: _LayerCall, seed: int, tolerance: float) -> tuple[str, str, tuple[Comparison, ...]]:
    """The layer's name, its class, and the comparisons."""
    layer, rng = call.layer, np.random.default_rng(seed)
    x = call.x + _NEARBY * _root_mean_square([call.x]) * rng.standard_normal(call.x.shape)

    def run() -> tuple[Array, Backward]:
        return layer.forward(x, training=call.training, rng=np.random.default_rng(seed))

    y, backward = run()
    dy = np.empty_like(y)  # in the same memory layout, so that the products below need no copy
    dy[...] = rng.standard_normal(y.shape)
    dx, grads = backward(dy)
    _check_names({f"{call.name}.{name}": p for name, p in layer.params.items()}, {f"{call.name}.{g}": 0 for g in grads})
    groups = {"input": {"input": x}}
    if not call.name and layer.params:
        groups["parameters"] = layer.params
    elif not layer.parts:  # the parameters of layers inside are compared there
        groups.update({name: {name: array} for name, array in layer.params.items()})
    by_hand = {"input": dx, **grads}
    comparisons = []
    for group, arrays in groups.items():
        for name, array in arrays.items():
            _check_shape(f"{call.name}.{name}", by_hand[name], array)
        own = {name: by_hand[name] for name in arrays}
        compared = _compare_direction(lambda: float((dy * run()[0]).sum()), arrays, own, rng, tolerance)
        comparisons.append(replace(compared, name=group))
    return call.name or "network", type(layer).__name__, tuple(comparisons)


def _check_names(params: Mapping[str, object], grads: Mapping[str, object]) -> None:
    if differing := params.keys() ^ grads.keys():
        raise ShapeError(
            "backward is expected to return one derivative for each parameter, by its name; "
            f"missing or unknown: {', '.join(differing)}."
        )


def _check_shape(name: str, by_hand: Array, array: Array) -> None:
    if by_hand.shape != array.shape:
        raise ShapeError(f"The derivative of {name} must have its shape {array.shape}; got {by_hand.shape}.")


def _root_mean_square(arrays: Iterable[Array]) -> float:
    kept = list(arrays)
    return float(np.sqrt(sum(float(np.vdot(a, a)) for a in kept) / sum(a.size for a in kept)))


def _relative_error(a: Array, b: Array, floor: float) -> Array:
    error: Array = np.abs(a - b) / np.maximum(np.maximum(np.abs(a), np.abs(b)), floor)
    return error


def _central_difference(value: Callable[[], float], array: Array, i: int, width: float) -> float:
    original = array.flat[i]
    array.flat[i] = original + width
    above = value()
    array.flat[i] = original - width
    below = value()
    array.flat[i] = original
    return (above - below) / (2 * width)


def _compare_direction(
    value: Callable[[], float],
    arrays: dict[str, Array],
    by_hand: dict[str, Array],
    rng: np.random.Generator,
    tolerance: float,
) -> Comparison:
    """The derivative along one random direction in the space of all arrays: <gradient, direction>."""
    direction = {name: rng.standard_normal(array.shape) for name, array in arrays.items()}
    length = np.sqrt(sum(float(np.vdot(d, d)) for d in direction.values()))
    original = {name: array.copy() for name, array in arrays.items()}
    hand = sum(float(np.vdot(by_hand[name], d)) for name, d in direction.items()) / length
    # The derivative along a random direction is about the gradient's root mean square.
    floor = max(_root_mean_square(by_hand.values()), 1e-9)

    def move(width: float) -> float:
        for name, array in arrays.items():
            array[...] = original[name] + direction[name] * (width / length)
        return value()

    best, best_error = 0.0, np.inf
    for width in _WIDTHS:
        numeric = (move(width) - move(-width)) / (2 * width)
        error = abs(hand - numeric) / max(abs(hand), abs(numeric), floor)
        if error < best_error:
            best, best_error = numeric, error
        if best_error < tolerance:
            break
    for name, array in arrays.items():
        array[...] = original[name]
    return Comparison("direction", sum(array.size for array in arrays.values()), (), hand, best, float(best_error))
