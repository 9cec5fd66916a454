"""The products that sum to each number of a layer, for each kind of layer: the docstrings' formulas, written out."""

from collections.abc import Iterator
from dataclasses import replace
from functools import singledispatch
from itertools import product

import numpy as np

from digitscope.explain.term import Explanation, Factor, Index, Term
from digitscope.explain.trace import Call
from digitscope.nn import (
    AveragePool2D,
    BatchNorm,
    Conv1D,
    Conv2D,
    Dense,
    DepthToSpace,
    Dropout,
    Ensemble,
    Flatten,
    FoldHeight,
    Frozen,
    GlobalAveragePool2D,
    Layer,
    LeakyReLU,
    MaxPool2D,
    MaxPoolHeight,
    Network,
    ReLU,
    Reshape,
    Residual,
    ShiftAverage,
    Sigmoid,
    Skip,
    SpaceToDepth,
    SplitSteps,
    Standardize,
    Tanh,
    Upsample2D,
)


def constant(symbol: str, value: float) -> Factor:
    return Factor(symbol, float(value))


def term(*factors: Factor) -> Term:
    return Term(factors)


MINUS = constant("-1", -1.0)


@singledispatch
def layer_terms(layer: object, call: Call, of: str, index: Index) -> Explanation | None:
    """The explanation of one number of a layer, or None if nothing is known but `forward` and `backward`.

    `of` is "y", "dx", "d" and a parameter's name, or a name of `inner_arrays`. Register a rule for a layer of your own:

        @explain.layer_terms.register
        def _(layer: Scale, call: Call, of: str, index: Index) -> Explanation | None:
            if of == "y":
                return Explanation([Term((call.entry("factor", (0,)), call.entry("x", index)))], "y")
            return None

    If the result is None, or if a layer has no rule, derivatives are explained by `chain_rule`.
    """
    return None


def chain_rule(call: Call, of: str, index: Index) -> Explanation:
    """A derivative by the chain rule alone, for any layer.

    dx[i] = sum_k dy[k] dy[k]/dx[i], over all outputs k of all examples; a parameter's derivative likewise

    backward is linear in dy, so for dy = 1 at k and 0 elsewhere it returns dy[k]/dx[i]. It is called once for each k,
    which is exact but slow: use it for layers with at most a few thousand outputs.
    """
    terms = []
    for k in map(tuple, np.argwhere(call.dy != 0).tolist()):
        unit = np.zeros_like(call.dy)
        unit[k] = 1
        dx, grads = call.backward(unit)
        slope = float((dx if of == "dx" else grads[of[1:]])[index])
        if slope:
            symbol = f"∂y/∂{of[1:]}"
            terms.append(term(call.entry("dy", k), constant(symbol, slope)))
    return Explanation(terms, of)


@layer_terms.register
def _(layer: Dense, call: Call, of: str, index: Index) -> Explanation | None:
    row, column = index
    if of == "y":
        terms = [term(call.entry("bias", (row, 0), "b"))]
        for i in range(layer.in_features):
            terms.append(term(call.entry("weight", (row, i), "W"), call.entry("x", (i, column))))
        return Explanation(terms, "y")
    if of == "dx":
        places = range(layer.out_features)
        return Explanation(
            [term(call.entry("weight", (o, row), "W"), call.entry("dy", (o, column))) for o in places], "dx"
        )
    examples = range(call.x.shape[1])
    if of == "dweight":
        return Explanation([term(call.entry("dy", (row, n)), call.entry("x", (column, n))) for n in examples], "dW")
    return Explanation([term(call.entry("dy", (row, n))) for n in examples], "db")


@layer_terms.register
def _(layer: Conv2D, call: Call, of: str, index: Index) -> Explanation | None:
    k, s, p, d = layer.kernel_size, layer.stride, layer.padding, layer.dilation
    _, height, width, examples = call.x.shape
    rows, columns = call.y.shape[1:3]
    if of == "y":
        o, i, j, n = index
        terms = [term(call.entry("bias", (o, 0, 0, 0), "b"))] if "bias" in layer.params else []
        for u, h in _inside(i, k, s, p, height, d):
            for v, w in _inside(j, k, s, p, width, d):
                for c in range(layer.in_channels):
                    terms.append(term(call.entry("weight", (o, c, u, v), "W"), call.entry("x", (c, h, w, n))))
        return Explanation(terms, "y")
    if of == "dx":
        c, h, w, n = index
        places = product(
            range(layer.out_channels), _windows(h + p, k, s, rows, d), _windows(w + p, k, s, columns, d)
        )  # the windows that contain the pixel, and its position in each
        return Explanation(
            [
                term(call.entry("weight", (o, c, u, v), "W"), call.entry("dy", (o, i, j, n)))
                for o, (i, u), (j, v) in places
            ],
            "dx",
        )
    if of == "dweight":
        o, c, u, v = index
        terms = []
        for i, j in product(range(rows), range(columns)):
            h, w = s * i + d * u - p, s * j + d * v - p
            if 0 <= h < height and 0 <= w < width:
                for n in range(examples):
                    terms.append(term(call.entry("dy", (o, i, j, n)), call.entry("x", (c, h, w, n))))
        return Explanation(terms, "dW")
    return Explanation([term(call.entry("dy", (index[0], *rest))) for rest in np.ndindex(call.y.shape[1:])], "db")


@layer_terms.register
def _(layer: Conv1D, call: Call, of: str, index: Index) -> Explanation | None:
    k, p = layer.kernel_size, layer.kernel_size // 2
    _, length, examples = call.x.shape
    if of == "y":
        o, t, n = index
        terms = [term(call.entry("bias", (o, 0, 0), "b"))] if "bias" in layer.params else []
        for u, place in _inside(t, k, 1, p, length):
            for c in range(layer.in_channels):
                terms.append(term(call.entry("weight", (o, c, u), "W"), call.entry("x", (c, place, n))))
        return Explanation(terms, "y")
    if of == "dx":
        c, t, n = index
        places = product(range(layer.out_channels), _windows(t + p, k, 1, length))
        return Explanation(
            [term(call.entry("weight", (o, c, u), "W"), call.entry("dy", (o, i, n))) for o, (i, u) in places], "dx"
        )
    if of == "dweight":
        o, c, u = index
        steps = [(t, t + u - p) for t in range(length) if 0 <= t + u - p < length]
        return Explanation(
            [
                term(call.entry("dy", (o, t, n)), call.entry("x", (c, place, n)))
                for t, place in steps
                for n in range(examples)
            ],
            "dW",
        )
    return Explanation([term(call.entry("dy", (index[0], *rest))) for rest in np.ndindex(call.y.shape[1:])], "db")


def _inside(
    i: int, kernel: int, stride: int, padding: int, length: int, dilation: int = 1
) -> Iterator[tuple[int, int]]:
    """The positions u in window i that lie within the image, and the position in the image,
    stride i + dilation u - padding.
    """
    start = stride * i - padding
    return ((u, start + dilation * u) for u in range(kernel) if 0 <= start + dilation * u < length)


def _windows(h: int, kernel: int, stride: int, windows: int, dilation: int = 1) -> list[tuple[int, int]]:
    """The windows i that contain position h, and its position u in each of them: stride i + dilation u = h."""
    offsets = ((i, h - stride * i) for i in range(windows))
    return [(i, o // dilation) for i, o in offsets if o % dilation == 0 and 0 <= o // dilation < kernel]


@layer_terms.register
def _(layer: MaxPool2D, call: Call, of: str, index: Index) -> Explanation | None:
    c, row, column, n = index
    if of == "y":
        places = _window(layer, row, column)
        values = [call.x[c, h, w, n] for h, w in places]
        terms = [term(call.entry("x", (c, h, w, n))) for h, w in places]
        return Explanation(terms, "y", "max", chosen=values.index(max(values)))
    terms = []
    for i, j in _windows_around(layer, call, row, column):
        places = _window(layer, i, j)
        values = [call.x[c, h, w, n] for h, w in places]
        largest = places[values.index(max(values))] == (row, column)
        terms.append(term(call.entry("dy", (c, i, j, n)), constant("[x is the largest]", largest)))
    return Explanation(terms, "dx")


@layer_terms.register
def _(layer: MaxPoolHeight, call: Call, of: str, index: Index) -> Explanation | None:
    c, row, column, n = index
    window = row if of == "y" else row // layer.size
    if window >= call.y.shape[1]:
        return Explanation([], "dx")  # a row left over
    places = [layer.size * window + u for u in range(layer.size)]
    values = [call.x[c, h, column, n] for h in places]
    largest = values.index(max(values))
    if of == "y":
        return Explanation([term(call.entry("x", (c, h, column, n))) for h in places], "y", "max", chosen=largest)
    is_largest = constant("[x is the largest]", places[largest] == row)
    return Explanation([term(call.entry("dy", (c, window, column, n)), is_largest)], "dx")


@layer_terms.register
def _(layer: SpaceToDepth, call: Call, of: str, index: Index) -> Explanation | None:
    place = (_in_squares if of == "y" else _in_channels)(index, layer.size, len(call.x))
    return Explanation([term(call.entry("x" if of == "y" else "dy", place))], of)


@layer_terms.register
def _(layer: DepthToSpace, call: Call, of: str, index: Index) -> Explanation | None:
    place = (_in_channels if of == "y" else _in_squares)(index, layer.size, len(call.y))
    return Explanation([term(call.entry("x" if of == "y" else "dy", place))], of)


def _in_squares(index: Index, size: int, channels: int) -> Index:
    """The place in the larger image, with so many channels, of a number of the smaller one."""
    channel, i, j, n = index
    square, c = divmod(channel, channels)
    u, v = divmod(square, size)
    return c, size * i + u, size * j + v, n


def _in_channels(index: Index, size: int, channels: int) -> Index:
    """The place in the smaller image of a number of the larger one, which has so many channels."""
    c, h, w, n = index
    (i, u), (j, v) = divmod(h, size), divmod(w, size)
    return (size * u + v) * channels + c, i, j, n


@layer_terms.register
def _(layer: Upsample2D, call: Call, of: str, index: Index) -> Explanation | None:
    (c, h, w, n), s = index, layer.size
    if of == "y":
        return Explanation([term(call.entry("x", (c, h // s, w // s, n)))], "y")
    return Explanation([term(call.entry("dy", (c, s * h + u, s * w + v, n))) for u in range(s) for v in range(s)], "dx")


@layer_terms.register
def _(layer: SplitSteps, call: Call, of: str, index: Index) -> Explanation | None:
    channels, parts = call.y.shape[0], layer.factor
    channel, step, n = index
    if of == "y":
        return Explanation([term(call.entry("x", (step % parts * channels + channel, step // parts, n)))], "y")
    part, own = divmod(channel, channels)
    return Explanation([term(call.entry("dy", (own, parts * step + part, n)))], "dx")


def _window(layer: MaxPool2D | AveragePool2D, i: int, j: int) -> list[tuple[int, int]]:
    """The positions in a window, column by column."""
    s = layer.stride
    return [(s * i + u, s * j + v) for v, u in product(range(layer.size), repeat=2)]


def _windows_around(layer: MaxPool2D | AveragePool2D, call: Call, h: int, w: int) -> Iterator[tuple[int, int]]:
    """The windows that contain a position."""
    rows = _windows(h, layer.size, layer.stride, call.y.shape[1])
    columns = _windows(w, layer.size, layer.stride, call.y.shape[2])
    return ((i, j) for (i, _), (j, _) in product(rows, columns))


@layer_terms.register
def _(layer: AveragePool2D, call: Call, of: str, index: Index) -> Explanation | None:
    c, row, column, n = index
    if of == "y":
        terms = [term(call.entry("x", (c, h, w, n))) for h, w in _window(layer, row, column)]
    else:
        terms = [term(call.entry("dy", (c, i, j, n))) for i, j in _windows_around(layer, call, row, column)]
    return Explanation(terms, of, scale=1 / layer.size**2)


@layer_terms.register
def _(layer: GlobalAveragePool2D, call: Call, of: str, index: Index) -> Explanation | None:
    height, width = call.x.shape[1:3]
    c, n = index[0], index[-1]
    if of == "y":
        terms = [term(call.entry("x", (c, i, j, n))) for i, j in np.ndindex(height, width)]
    else:
        terms = [term(call.entry("dy", (c, n)))]
    return Explanation(terms, of, scale=1 / (height * width))


@layer_terms.register
def _(layer: BatchNorm, call: Call, of: str, index: Index) -> Explanation | None:
    c = index[:1]
    channel = [c + rest for rest in np.ndindex(call.x.shape[1:])]
    scale = call.entry("scale", c)
    r = _deviation(call, c, layer.eps)
    if of == "y":
        return Explanation([term(scale, call.entry("normalized", index, "h")), term(call.entry("shift", c))], "y")
    if of == call.inside("normalized"):
        return Explanation([term(call.entry("x", index), r), term(MINUS, call.entry("mean", c, "m"), r)], "h")
    if of == call.inside("mean"):
        terms = [term(call.entry("x", place)) for place in channel]
        return Explanation(terms, "mean m", scale=1 / len(channel))
    if of == call.inside("variance"):
        return _mean_square(call, channel, c)
    if of == "dshift":
        return Explanation([term(call.entry("dy", place)) for place in channel], "dshift")
    if of == "dscale":
        terms = [term(call.entry("dy", place), call.entry("normalized", place, "h")) for place in channel]
        return Explanation(terms, "dscale")
    terms = [term(scale, r, call.entry("dy", index))]
    if call.training:
        share = constant("-1/M", -1 / len(channel))
        terms.append(term(share, scale, r, call.entry("dshift", c)))
        terms.append(term(share, scale, r, call.entry("normalized", index, "h"), call.entry("dscale", c)))
    return Explanation(terms, "dx")


def _deviation(call: Call, place: Index, eps: float) -> Factor:
    """1 / standard deviation of a channel or of an example."""
    v = call.entry("variance", place)
    return replace(v, symbol="1/√(v + eps)", value=float(1 / np.sqrt(v.value + eps)))


def _mean_square(call: Call, places: list[Index], of: Index) -> Explanation:
    """The variance: the mean of (x - m)²."""
    m = call.entry("mean", of).value
    entries = [call.entry("x", place) for place in places]
    differences = [replace(x, symbol="x - m", value=x.value - m) for x in entries]
    return Explanation([term(x, x) for x in differences], "variance v", scale=1 / len(places))


@layer_terms.register
def _(layer: Standardize, call: Call, of: str, index: Index) -> Explanation | None:
    n = index[-1:]
    example = [rest + n for rest in np.ndindex(call.x.shape[:-1])]
    if of == call.inside("mean"):
        terms = [term(call.entry("x", place)) for place in example]
        return Explanation(terms, "mean m", scale=1 / len(example))
    if of == call.inside("variance"):
        return _mean_square(call, example, n)
    r = _deviation(call, n, layer.eps)
    if of == "y":
        return Explanation([term(call.entry("x", index), r), term(MINUS, call.entry("mean", n, "m"), r)], "y")
    y, share = call.entry("y", index), constant("-1/D", -1 / len(example))
    terms = [term(r, call.entry("dy", index))]
    for place in example:
        dy = call.entry("dy", place)
        terms.append(term(share, r, dy))
        terms.append(term(share, r, y, dy, call.entry("y", place)))
    return Explanation(terms, "dx")


@layer_terms.register
def _(layer: Dropout, call: Call, of: str, index: Index) -> Explanation | None:
    number = call.entry("x" if of == "y" else "dy", index)
    if not call.training:
        return Explanation([term(number)], of)
    mask = call.backward(np.ones_like(call.y))[0][index]
    return Explanation([term(number, constant("m / (1 - rate)", mask))], of)


@layer_terms.register
def _(layer: ReLU, call: Call, of: str, index: Index) -> Explanation | None:
    x = call.entry("x", index)
    if of == "y":
        return Explanation([term(x), term(constant("0", 0))], "y", "max", chosen=int(x.value <= 0))
    return Explanation([term(call.entry("dy", index), replace(x, symbol="[x > 0]", value=float(x.value > 0)))], "dx")


@layer_terms.register
def _(layer: LeakyReLU, call: Call, of: str, index: Index) -> Explanation | None:
    x = call.entry("x", index)
    number = x if of == "y" else call.entry("dy", index)
    slope = [] if x.value > 0 else [constant("slope", layer.slope)]
    return Explanation([term(*slope, number)], of)


@layer_terms.register
def _(layer: Sigmoid, call: Call, of: str, index: Index) -> Explanation | None:
    if of == "y":
        return Explanation([term(call.entry("x", index))], "y", "sigmoid")
    y = call.entry("y", index)
    return Explanation([term(call.entry("dy", index), y, replace(y, symbol="1 - y", value=1 - y.value))], "dx")


@layer_terms.register
def _(layer: Tanh, call: Call, of: str, index: Index) -> Explanation | None:
    if of == "y":
        return Explanation([term(call.entry("x", index))], "y", "tanh")
    y = call.entry("y", index)
    return Explanation([term(call.entry("dy", index), replace(y, symbol="1 - y²", value=1 - y.value**2))], "dx")


@layer_terms.register(Reshape)
@layer_terms.register(Flatten)
@layer_terms.register(FoldHeight)
def _(layer: Layer, call: Call, of: str, index: Index) -> Explanation | None:
    target, origin, number = (call.y, call.x, "x") if of == "y" else (call.x, call.y, "dy")
    place = np.unravel_index(np.ravel_multi_index(index, target.shape), origin.shape)
    return Explanation([term(call.entry(number, tuple(map(int, place))))], of)


@layer_terms.register(Network)
@layer_terms.register(Frozen)
def _(layer: Network, call: Call, of: str, index: Index) -> Explanation | None:
    if of == "y" and call.parts:
        return Explanation([term(_output(call.parts[-1], index, "y"))], "y")
    return None


@layer_terms.register
def _(layer: Residual, call: Call, of: str, index: Index) -> Explanation | None:
    if not call.parts:
        return None
    if of == "y":
        return Explanation([term(call.entry("x", index)), term(_output(call.parts[-1], index, "f"))], "y")
    return Explanation([term(call.entry("dy", index)), term(_input_derivative(call.parts[0], index, "df"))], "dx")


@layer_terms.register
def _(layer: Skip, call: Call, of: str, index: Index) -> Explanation | None:
    if not call.parts:
        return None
    if of == "y":
        c, *rest = index
        beside = c - len(call.x)
        found = call.entry("x", index) if beside < 0 else _output(call.parts[-1], (beside, *rest), "f")
        return Explanation([term(found)], "y")
    return Explanation([term(call.entry("dy", index)), term(_input_derivative(call.parts[0], index, "df"))], "dx")


@layer_terms.register
def _(layer: Ensemble, call: Call, of: str, index: Index) -> Explanation | None:
    if of == "dx":
        return Explanation([term(_input_derivative(part, index, "dx of f_m")) for part in call.parts], "dx")
    return _mean_of_members(call, of, index)


@layer_terms.register
def _(layer: ShiftAverage, call: Call, of: str, index: Index) -> Explanation | None:
    if of != "dx":
        if call.training:
            return Explanation([term(_output(call.parts[0], index, "f"))], "y")
        explanation = _mean_of_members(call, of, index)
        return replace(explanation, symbol="y", definition=ShiftAverage)
    terms = []
    for part, (down, right) in zip(call.parts, _shifts(layer, call), strict=True):
        place = _moved(layer, index, down, right)
        if place is not None:
            terms.append(term(_input_derivative(part, place, "dx of f")))
    return Explanation(terms, "dx")


def _mean_of_members(call: Call, of: str, index: Index) -> Explanation:
    """An ensemble's logits, and the probabilities and evidence from which they are computed."""
    if of == "y":
        p = call.entry("mean_probability", index)
        log_p = replace(p, symbol="log p", value=float(np.log(p.value)))
        return Explanation([term(log_p), term(call.entry("mean_evidence", index[1:], "e"))], "y")
    share = 1 / len(call.parts)
    if of == call.inside("mean_probability"):
        terms = [term(call.entry(f"{part.name}.probability", index, "p_m")) for part in call.parts]
        return Explanation(terms, "y", scale=share)
    if of == call.inside("mean_evidence"):
        terms = [term(call.entry(f"{part.name}.evidence", index, "e_m")) for part in call.parts]
        return Explanation(terms, "y", scale=share)
    owner, _, kind = of.rpartition(".")
    part = next(part for part in call.parts if part.name == owner)
    n = index[-1]
    terms = [term(_output(part, (k, n), "f_m")) for k in range(len(part.y))]
    if kind == "probability":
        return Explanation(terms, "p_m", "softmax", chosen=index[0])
    return Explanation(terms, "e_m", "log-sum-exp")


@singledispatch
def part_terms(layer: object, call: Call, part: Call, of: str, index: Index) -> Explanation:
    """The explanation of a number that a layer passes to a layer inside it: its input ("x"), or the derivative of its
    output ("dy").

    This general rule is that of layers one after the other, of which only the last one's output is explained.
    """
    return Explanation([term(call.entry("dy", index))], "y")


@part_terms.register
def _(layer: Residual, call: Call, part: Call, of: str, index: Index) -> Explanation:
    return Explanation([term(call.entry("x" if of == "x" else "dy", index))], "y" if of == "x" else "dx")


@part_terms.register
def _(layer: Skip, call: Call, part: Call, of: str, index: Index) -> Explanation:
    if of == "x":
        return Explanation([term(call.entry("x", index))], "y")
    return Explanation([term(call.entry("dy", (len(call.x) + index[0], *index[1:])))], "dx")


@part_terms.register
def _(layer: Ensemble, call: Call, part: Call, of: str, index: Index) -> Explanation:
    if of == "x":
        return Explanation([term(call.entry("x", index))], "p_m")
    return _member_derivative(call, part, index)


@part_terms.register
def _(layer: ShiftAverage, call: Call, part: Call, of: str, index: Index) -> Explanation:
    if of == "dy":
        if call.training:
            return Explanation([term(call.entry("dy", index))], "dx")
        return _member_derivative(call, part, index)
    down, right = _shifts(layer, call)[call.parts.index(part)]
    place = _moved(layer, index, -down, -right)
    return Explanation([] if place is None else [term(call.entry("x", place))], "y")


def _member_derivative(call: Call, part: Call, index: Index) -> Explanation:
    """df_m of `Ensemble`, with r_m[k] = dy[k] p_m[k] / (M p[k]) written out, p being the mean of the p_m."""
    (k, n), count = index, len(call.parts)

    def p(j: int) -> Factor:
        return call.entry(f"{part.name}.probability", (j, n), "p_m")

    def r(j: int) -> tuple[Factor, ...]:
        mean = call.entry("mean_probability", (j, n))
        return call.entry("dy", (j, n)), p(j), replace(mean, symbol="1/p", value=1 / mean.value), share

    share = constant("1/M", 1 / count)
    terms = [term(*r(k))]
    for j in range(len(call.y)):
        terms.append(term(MINUS, p(k), *r(j)))
        terms.append(term(p(k), share, call.entry("dy", (j, n))))
    return Explanation(terms, "df_m", definition=Ensemble)


def _output(part: Call, index: Index, symbol: str) -> Factor:
    return part.entry("y", index, symbol)


def _input_derivative(part: Call, index: Index, symbol: str) -> Factor:
    return Factor(symbol, float(part.dx[index]), f"d{part.input}", index)


def _shifts(layer: ShiftAverage, call: Call) -> tuple[tuple[int, int], ...]:
    return ((0, 0),) if call.training else layer.shifts


def _moved(layer: ShiftAverage, index: Index, down: int, right: int) -> Index | None:
    """The index of a pixel after a shift of the image; None if it is then outside."""
    row, column = divmod(index[0], layer.width)
    row, column = row + down, column + right
    if 0 <= row < layer.height and 0 <= column < layer.width:
        return (row * layer.width + column, *index[1:])
    return None
