"""The units of a network: which layers stand for it, what part of the image a unit sees, and which images excite it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import singledispatch

import numpy as np
from numpy.typing import NDArray

from digitscope.arrays import Array
from digitscope.explain.trace import Call, Trace, network_input, rule_for
from digitscope.nn import (
    AveragePool2D,
    BatchNorm,
    Conv2D,
    DepthToSpace,
    Dropout,
    Ensemble,
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
    Standardize,
    Tanh,
    Upsample2D,
)

Box = tuple[int, int, int, int]
"""Top, left, bottom and right; the pixels from top to bottom - 1 and from left to right - 1."""
_BATCH = 50
"""Images in one pass of `most_exciting`: their maps of all layers fit into the cache of a processor or nearly."""


def shown_calls(call: Call) -> Iterator[Call]:
    """The calls inside, then the call. One member stands for all of an ensemble, and one shift for all shifts."""
    alike = isinstance(call.layer, Ensemble | ShiftAverage)
    first = _unshifted(call.layer) if isinstance(call.layer, ShiftAverage) else 0
    for place, part in enumerate(call.parts):
        if alike and place != first:
            yield part
        else:
            yield from shown_calls(part)
    # The output of a network is that of its last layer, which was shown.
    if not call.parts or alike or isinstance(call.layer, Residual | Skip) or not isinstance(call.layer, Network):
        yield call


def _unshifted(layer: ShiftAverage) -> int:
    return layer.shifts.index((0, 0)) if (0, 0) in layer.shifts else 0


def receptive_field(trace: Trace, name: str, row: int, column: int, shape: tuple[int, int]) -> Box:
    """The part of the image on which a number of a feature map depends.

    name: the layer's output, as in `Trace.arrays`; row, column: the number's place in each channel
    shape: height and width of the image

    Layers that mix all pixels, such as Dense, see the whole image. So does Standardize, but its mean and variance
    change little with each pixel, and this is left out here.
    """
    call = trace.calls["" if name == "output" else name]
    box: Box | None = (row, column, row + 1, column + 1) if call.y.ndim == 4 else None
    while box is not None:
        box = _input_box(call, box)
        while call.input not in trace.calls and call.parent is not None:
            call = call.parent  # the input of an inner layer has a name of its own
        if call.input not in trace.calls:
            break
        call = trace.calls[call.input]
    return box or (0, 0, *shape)


def _input_box(call: Call, box: Box) -> Box | None:
    """The part of the call's input on which this part of its output depends; None if it is everything."""
    if not call.parts:
        found: Box | None = rule_for(input_box, call.layer)(call.layer, box, call.x.shape)
        return found
    if isinstance(call.layer, Ensemble | ShiftAverage):
        return None
    inner: Box | None = box
    for part in reversed(call.parts):
        inner = None if inner is None else _input_box(part, inner)
    if inner is None or not isinstance(call.layer, Residual | Skip):
        return inner
    return min(box[0], inner[0]), min(box[1], inner[1]), max(box[2], inner[2]), max(box[3], inner[3])


@singledispatch
def input_box(layer: object, box: Box, shape: tuple[int, ...]) -> Box | None:
    """The part of a layer's input, of this shape, on which this part of its output depends; None if it is everything.

    Register a rule for a layer of your own that does not depend on all of its input.
    """
    return None


@input_box.register(BatchNorm)
@input_box.register(Dropout)
@input_box.register(LeakyReLU)
@input_box.register(ReLU)
@input_box.register(Reshape)
@input_box.register(Sigmoid)
@input_box.register(Standardize)
@input_box.register(Tanh)
def _(layer: object, box: Box, shape: tuple[int, ...]) -> Box | None:
    return box


@input_box.register
def _(layer: Conv2D, box: Box, shape: tuple[int, ...]) -> Box | None:
    extent = layer.dilation * (layer.kernel_size - 1) + 1
    return _windows(box, layer.stride, extent, layer.padding, shape)


@input_box.register(MaxPool2D)
@input_box.register(AveragePool2D)
def _(layer: MaxPool2D | AveragePool2D, box: Box, shape: tuple[int, ...]) -> Box | None:
    return _windows(box, layer.stride, layer.size, 0, shape)


@input_box.register
def _(layer: MaxPoolHeight, box: Box, shape: tuple[int, ...]) -> Box | None:
    top, left, bottom, right = box
    return layer.size * top, left, layer.size * bottom, right


@input_box.register
def _(layer: SpaceToDepth, box: Box, shape: tuple[int, ...]) -> Box | None:
    return _windows(box, layer.size, layer.size, 0, shape)


@input_box.register(DepthToSpace)
@input_box.register(Upsample2D)
def _(layer: DepthToSpace | Upsample2D, box: Box, shape: tuple[int, ...]) -> Box | None:
    top, left, bottom, right = box
    return top // layer.size, left // layer.size, -(-bottom // layer.size), -(-right // layer.size)


def _windows(box: Box, stride: int, size: int, padding: int, shape: tuple[int, ...]) -> Box:
    """The union of the windows of these outputs, without padding."""
    top, left = (max(0, stride * start - padding) for start in box[:2])
    bottom, right = (
        min(length, stride * (end - 1) - padding + size) for end, length in zip(box[2:], shape[1:3], strict=True)
    )
    return top, left, bottom, right


@dataclass(frozen=True, eq=False)
class ExcitingImages:
    """For each unit of a layer, the images for which its output is largest, the largest first."""

    images: NDArray[np.intp]
    """(units, count): indices of images."""
    outputs: Array
    """(units, count): the unit's output, or the maximum of the channel's map."""
    rows: NDArray[np.intp]
    """(units, count): the row of this maximum; 0 if there is no map."""
    columns: NDArray[np.intp]
    """(units, count): its column, or its step in a sequence; 0 if there is neither."""


def most_exciting(
    network: Network, images: NDArray[np.uint8], count: int, report: Callable[[float], object] = lambda done: None
) -> dict[str, ExcitingImages]:
    """The images that excite each unit most, by the names of the layers that `shown_calls` yields.

    report: is called with the fraction that is done

    Shapes: uint8 (N, H, W), N >= count
    """
    found: dict[str, list[tuple[Array, NDArray[np.intp]]]] = {}
    sizes: dict[str, tuple[int, ...]] = {}
    for start in range(0, len(images), _BATCH):
        trace = Trace(network, network_input(network, images[start : start + _BATCH]))
        for call in shown_calls(trace.calls[""]):
            maps = np.asarray(call.y).reshape(len(call.y), -1, call.y.shape[-1])  # (units, places, N)
            sizes[call.output] = call.y.shape[1:-1]
            places = maps.argmax(axis=1)
            largest = np.take_along_axis(maps, places[:, None], axis=1)[:, 0]
            found.setdefault(call.output, []).append((largest, places))
        report(min(1.0, (start + _BATCH) / len(images)))
    exciting = {}
    for name, batches in found.items():
        outputs, places = (np.concatenate(parts, axis=1) for parts in zip(*batches, strict=True))
        order = np.argsort(-outputs, axis=1, kind="stable")[:, :count]
        place = np.take_along_axis(places, order, axis=1)
        width = sizes[name][-1] if sizes[name] else 1
        exciting[name] = ExcitingImages(
            order, np.take_along_axis(outputs, order, axis=1), place // width, place % width
        )
    return exciting
