"""Is a derivative right? Compare it with how the loss really changes."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from digitscope.arrays import Array
from digitscope.errors import ShapeError
from digitscope.nn.layer import Layer
from digitscope.nn.losses import Loss, SoftmaxCrossEntropy

TOLERANCE = 1e-6
# Central differences err by h² times the third derivative, and by rounding over h. A ReLU whose kink lies between
# w - h and w + h spoils them; a smaller h steps over fewer kinks, so it is tried where the first one disagrees.
# At last a large one: where the derivative is exactly 0, rounding over h is all there is to see.
_WIDTHS = (1e-5, 1e-6, 3e-7, 1e-7, 1e-3)
# Of the whole gradient's root mean square: what is smaller is judged as if it were of this size. The bias of a
# convolution right before batch normalization has the derivative 0, by hand 1e-17 and by differences 1e-11.
_NOTHING = 1e-3


@dataclass(frozen=True)
class Comparison:
    """One array's derivatives, by hand and by differences."""

    name: str
    """The parameter, or "input", or "direction" for all of them together along one random direction."""
    checked: int
    """How many of its entries were compared."""
    entry: tuple[int, ...]
    """Where the two differ most."""
    by_hand: float
    by_differences: float
    relative_error: float
    """|by hand - by differences| at that entry, over the largest of the two, of the array's root mean square, and of
    1/1000 of the root mean square of the whole gradient: a derivative that is 0 need not be 0 to the last bit."""


@dataclass(frozen=True)
class GradientCheck:
    """What check_gradients found. str() of it is a table.

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
        width = max([12, *(len(c.name) for c in self.comparisons)])
        lines = [
            f"{c.name:<{width}} {c.checked:>8,} checked   worst {c.relative_error:.1e} at {list(c.entry)}: "
            f"by hand {c.by_hand:+.9e}, by differences {c.by_differences:+.9e}"
            for c in self.comparisons
        ]
        verdict = "passed" if self.passed else f"FAILED at {self.worst.name}{list(self.worst.entry)}"
        return "\n".join([*lines, f"{verdict}: relative error at most {self.worst.relative_error:.1e}"])


def check_gradients(
    network: Layer,
    x: Array,
    labels: Array,
    loss: Loss | None = None,
    *,
    entries: int | None = None,
    seed: int = 0,
    tolerance: float = TOLERANCE,
) -> GradientCheck:
    """Compares every derivative, of each parameter and of the input, with central differences in float64.

    dL/dw ~ (L(w + h) - L(w - h)) / 2h,   h = 1e-5

    The network is copied to float64 and run as in training; what is random in it is drawn anew from `seed` for
    each evaluation, so that dropout drops the same numbers each time. At last all parameters and the input are
    moved together along one random direction, which sees an error anywhere.

    Where a maximum has ties there is no derivative to compare. The flat parts of an image give max pooling ties: a
    little noise in x, a hundredth, parts them.

    `entries` is how many entries of each array are compared, drawn at random; without it, all are.

    Shapes: x as the network's input (features, N), labels (N,); a small batch does.
    Raises: ShapeError where x, labels and the network do not fit.
    Source: the random direction is that of HIPS autograd's check_grads.
    Derivation: docs/notes/05-backpropagation.md#is-it-right
    """
    twin = network.astype(np.float64)
    x = np.array(x, dtype=np.float64)
    loss = SoftmaxCrossEntropy() if loss is None else loss
    labels = np.asarray(labels)

    def outputs_and_backward() -> tuple[Array, Callable[[Array], tuple[Array, dict[str, Array]]]]:
        return twin.forward(x, training=True, rng=np.random.default_rng(seed))

    def value() -> float:
        return loss.forward(outputs_and_backward()[0], labels)[0]

    outputs, backward = outputs_and_backward()
    if labels.size and not 0 <= labels.min() <= labels.max() < outputs.shape[0]:
        raise ShapeError(f"Labels must be from 0 to {outputs.shape[0] - 1}; got {labels.min()} to {labels.max()}.")
    dx, grads = backward(loss.forward(outputs, labels)[1](1.0))
    if missing := twin.params.keys() ^ grads.keys():
        raise ShapeError(f"Each parameter needs one derivative of its name; not in both: {', '.join(missing)}.")
    arrays = {**twin.params, "input": x}
    by_hand = {**grads, "input": dx}
    rng = np.random.default_rng(seed)
    size = sum(array.size for array in arrays.values())
    typical = float(np.sqrt(sum(float(np.vdot(g, g)) for g in by_hand.values()) / size))

    comparisons = []
    for name, array in arrays.items():
        if by_hand[name].shape != array.shape:
            raise ShapeError(f"The derivative of {name} must have its shape {array.shape}; got {by_hand[name].shape}.")
        chosen = np.arange(array.size)
        if entries is not None and entries < array.size:
            chosen = rng.choice(array.size, entries, replace=False)
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
    comparisons.append(_compare_direction(value, arrays, by_hand, typical, rng, tolerance))
    return GradientCheck(tuple(comparisons), tolerance)


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
    move(0.0)
    return Comparison("direction", sum(array.size for array in arrays.values()), (), hand, best, float(error))
