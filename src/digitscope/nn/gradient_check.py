"""Gradient check: compares hand-written derivatives with how the loss really changes."""

from collections.abc import Callable, Iterable
from copy import copy
from dataclasses import dataclass
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
# Central differences err by h² times the third derivative, and by rounding over h. A ReLU whose kink lies between
# w - h and w + h spoils them; a smaller h steps over fewer kinks, so it is tried where the first one disagrees. The
# large one comes last: where the derivative is exactly 0, smaller ones show nothing but rounding.
_WIDTHS = (1e-5, 1e-6, 3e-7, 1e-7, 1e-3)
# Relative to the root mean square of the whole gradient: smaller derivatives are compared as if they had this size. The
# bias of a convolution right before batch normalization has the derivative 0: 1e-17 by hand, 1e-11 by differences.
_NOTHING = 1e-3


@dataclass(frozen=True)
class Comparison:
    """One array's derivatives, by hand and by differences."""

    name: str
    """The parameter, or "input", or "direction" for all of them together along one random direction."""
    checked: int
    """The number of its entries that were compared."""
    entry: tuple[int, ...]
    """Where the two differ most."""
    by_hand: float
    by_differences: float
    relative_error: float
    """|by hand - by differences| at that entry, over the largest of the two, of the array's root mean square, and of
    1/1000 of the root mean square of the whole gradient: a derivative that is 0 need not be 0 to the last bit."""


@dataclass(frozen=True)
class GradientCheck:
    """The result of check_gradients; str() gives a table.

    Derivation: docs/notes/05-backpropagation.md#is-it-right
    """

    comparisons: tuple[Comparison, ...]
    tolerance: float = TOLERANCE

    @property
    def worst(self) -> Comparison:
        return max(self.comparisons, key=lambda comparison: comparison.relative_error)

    @property
    def passed(self) -> bool:
        return self.worst.relative_error < self.tolerance

    def __str__(self) -> str:
        width = max(9, *(len(c.name) for c in self.comparisons))
        lines = [f"{'array':<{width}}   checked    error       by hand  by differences  entry"]
        for c in self.comparisons:
            entry = ",".join(map(str, c.entry))
            line = f"{c.name:<{width}} {c.checked:>9,}  {c.relative_error:.1e}"
            lines.append(f"{line} {c.by_hand:+13.6e}  {c.by_differences:+14.6e}  {entry}".rstrip())
        verdict = "passed" if self.passed else f"FAILED at {self.worst.name}{list(self.worst.entry)}"
        return "\n".join([*lines, f"{verdict}: relative error at most {self.worst.relative_error:.1e}"])


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

    The network is copied to float64 and run as in training. Each evaluation draws its random numbers anew from `seed`,
    so that dropout drops the same numbers each time. Finally all parameters and the input are moved together along one
    random direction, which reveals an error anywhere.

    Changing a parameter affects its own layer and the layers after it. Outputs of the other layers are kept from the
    first pass, not computed again.

    Where a maximum has ties there is no derivative to compare. The flat parts of an image give max pooling ties; a
    little noise in x, of a hundredth, breaks them.

    `entries` is the number of entries of each array that are compared, drawn at random; by default all are.

    Shapes: x as the network's input, the batch last, (features, N) or (C, H, W, N); labels (N,) from 0 to K - 1 for K
        outputs, and also K with BackgroundCrossEntropy. A small batch suffices.
    Raises: ShapeError if x, labels and the network do not fit together; DataError if x has a NaN or infinity, and for
        labels that are not whole numbers in that range.
    Source: the random direction is that of HIPS autograd's check_grads.
    Derivation: docs/notes/05-backpropagation.md#is-it-right
    """
    check_kind("network", network, "a network or layer (model.network of a model)", Layer)
    check_whole("entries", entries, 1, optional=True)
    check_whole("seed", seed, 0)
    check_number("tolerance", tolerance, least=0)
    x = _as_input(x)
    loss = SoftmaxCrossEntropy() if loss is None else loss
    check_kind("loss", loss, "a Loss or None", Loss)
    memories: list[_Memory] = []
    twin = _remembering(network.astype(np.float64), memories)
    rng = np.random.default_rng(seed)
    start = rng.bit_generator.state

    def run() -> tuple[Array, Backward]:
        rng.bit_generator.state = start
        return twin.forward(x, training=True, rng=rng)

    outputs, backward = run()
    targets = as_labels(labels, x.shape[-1], loss.classes(len(outputs)))
    dx, grads = backward(loss.forward(outputs, targets)[1](1.0))
    if missing := twin.params.keys() ^ grads.keys():
        raise ShapeError(f"Each parameter needs one derivative of its name; not in both: {', '.join(missing)}.")

    def value() -> float:
        return loss.forward(run()[0], targets)[0]

    arrays = {**twin.params, "input": x}
    by_hand = {**grads, "input": dx}
    drawing = np.random.default_rng(seed)
    size = sum(array.size for array in arrays.values())
    typical = float(np.sqrt(sum(float(np.vdot(g, g)) for g in by_hand.values()) / size))

    comparisons = []
    for name, array in arrays.items():
        if by_hand[name].shape != array.shape:
            raise ShapeError(f"The derivative of {name} must have its shape {array.shape}; got {by_hand[name].shape}.")
        for memory in memories:
            memory.expect_changes((array,))
        chosen = np.arange(array.size)
        if entries is not None and entries < array.size:
            chosen = drawing.choice(array.size, entries, replace=False)
        hand = by_hand[name].reshape(-1)[chosen]
        numeric = np.array([_central_difference(value, array, i, _WIDTHS[0]) for i in chosen.tolist()])
        floor = max(float(np.sqrt(np.mean(numeric**2))), _NOTHING * typical, 1e-9)
        for width in _WIDTHS[1:]:
            for k in np.flatnonzero(_relative_error(hand, numeric, floor) >= tolerance):
                again = _central_difference(value, array, int(chosen[k]), width)
                if abs(again - hand[k]) < abs(numeric[k] - hand[k]):
                    numeric[k] = again
        error = _relative_error(hand, numeric, floor)
        worst = int(error.argmax())
        entry = tuple(int(i) for i in np.unravel_index(chosen[worst], array.shape))
        comparisons.append(
            Comparison(name, len(chosen), entry, float(hand[worst]), float(numeric[worst]), float(error[worst]))
        )
    for memory in memories:
        memory.expect_changes(arrays.values())
    comparisons.append(_compare_direction(value, arrays, by_hand, typical, drawing, tolerance))
    return GradientCheck(tuple(comparisons), tolerance)


def _as_input(x: npt.ArrayLike) -> Array:
    """A copy of x in float64."""
    array = as_numbers(x, "Inputs").astype(np.float64)
    if array.ndim < 2 or not array.size:
        raise ShapeError(
            f"Inputs are expected as the network takes them, the batch last: (features, N); got {array.shape}."
        )
    if not np.isfinite(array).all():
        raise DataError("Inputs are expected as finite numbers; got NaN or infinity. Replace them.")
    return array


class _Memory:
    """Takes the place of a layer's forward: returns the outputs of the first pass where computing would repeat them.

    A layer's output is a function of its input, its parameters and the state of the random generator. If all three
    are as in the first pass, so are the output and the state that the generator is left in.
    """

    def __init__(self, layer: Layer) -> None:
        self.layer, self.compute = layer, layer.forward
        self.calls: list[tuple[Array, object, Array, Backward, Any]] = []
        """Of the first pass: input, other arguments; output, backward, state of the generator afterwards."""
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
                return y.copy(), backward  # a copy, because the caller may go on computing in place
        known_x = x.copy() if self.recording else x
        y, backward = self.compute(x, rng=rng, **options)
        if self.recording:
            self.calls.append((known_x, arguments, y.copy(), backward, _state(rng)))
        return y, backward


def _state(rng: np.random.Generator | None) -> Any:
    return None if rng is None else rng.bit_generator.state


def _remembering(layer: Layer, memories: list[_Memory]) -> Layer:
    """A copy of the layer; if it is a network, the layers in it have memories, which are added to the list."""
    layer = copy(layer)
    if isinstance(layer, Network):
        layer.layers = tuple(_remembering(inner, memories) for inner in layer.layers)
        memories.extend(map(_Memory, layer.layers))
    return layer


def _relative_error(a: Array, b: Array, floor: float) -> Array:
    error: Array = np.abs(a - b) / np.maximum(np.maximum(np.abs(a), np.abs(b)), floor)
    return error


def _central_difference(value: Callable[[], float], array: Array, i: int, width: float) -> float:
    kept = array.flat[i]
    array.flat[i] = kept + width
    above = value()
    array.flat[i] = kept - width
    below = value()
    array.flat[i] = kept
    return (above - below) / (2 * width)


def _compare_direction(
    value: Callable[[], float],
    arrays: dict[str, Array],
    by_hand: dict[str, Array],
    typical: float,
    rng: np.random.Generator,
    tolerance: float,
) -> Comparison:
    """One derivative along a random direction through all the arrays: <gradient, direction>."""
    direction = {name: rng.standard_normal(array.shape) for name, array in arrays.items()}
    length = np.sqrt(sum(float(np.vdot(d, d)) for d in direction.values()))
    kept = {name: array.copy() for name, array in arrays.items()}
    hand = sum(float(np.vdot(by_hand[name], d)) for name, d in direction.items()) / length
    floor = max(typical, 1e-9)  # the gradient's root mean square is what a random direction sees of it

    def move(width: float) -> float:
        for name, array in arrays.items():
            array[...] = kept[name] + direction[name] * (width / length)
        return value()

    best, error = 0.0, np.inf
    for width in _WIDTHS:
        numeric = (move(width) - move(-width)) / (2 * width)
        here = abs(hand - numeric) / max(abs(hand), abs(numeric), floor)
        if here < error:
            best, error = numeric, here
        if error < tolerance:
            break
    return Comparison("direction", sum(array.size for array in arrays.values()), (), hand, best, float(error))
