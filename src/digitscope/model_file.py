"""The file of a model: what it may hold. Everything is checked before memory is taken for it.

The description of the network is checked first, against the shapes that the file's own header gives. Only then the
network is built, then its memory and operations are bounded, and at last the arrays are read and checked.
"""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from digitscope.arguments import is_number, is_whole, shown
from digitscope.arrays import Array
from digitscope.calibration import Calibration
from digitscope.errors import DigitscopeError, ModelError
from digitscope.files.opening import shown_path
from digitscope.files.rounded_weights import SCALE, rounded, unrounded
from digitscope.files.tensors import TensorFile, open_tensors, write_tensors
from digitscope.nn import LOSSES, BatchNorm, Loss, Network
from digitscope.training_info import TrainingInfo

FORMAT = 1
ROUNDED_FORMAT = 2
"""The format of a file whose weights have one byte each, as `files.rounded_weights` writes them."""
PREPROCESSING = "pixels / 255"

MAX_NESTING = 8
"""Layers inside layers."""
MAX_LAYERS = 10_000
"""Layers in all."""
MAX_MEMORY = 1 << 28
"""Numbers that one image may take memory for (`Layer.memory`), 1 GiB. The recipe ensemble takes 6 million."""
MAX_FLOPS = 1 << 36
"""Operations that one image may take (`Layer.flops`): seconds. The recipe ensemble takes 0.6 billion."""

_REQUIRED = {"kind", "format", "network", "loss", "image_shape", "preprocessing", "about"}
_EVIDENCE, _PROBABILITY = "conformal.evidence", "conformal.probability"


@dataclass(frozen=True)
class ModelContent:
    """What a file holds of a model; the fields are those of `Model`."""

    network: Network
    loss: Loss
    image_shape: tuple[int, int]
    info: TrainingInfo
    calibration: Calibration | None


def write_model(path: Path, content: ModelContent, *, half: bool = False, one_byte: bool = False) -> None:
    """Writes a safetensors file; equal content gives equal bytes.

    half: in float16, half as large; one_byte: a quarter as large, with rounded weights, and all else in float16

    Raises: ModelError for a network or a loss that `read_model` would refuse.
    """
    network, calibration = content.network, content.calibration
    loss = type(content.loss)
    if LOSSES.get(loss.__name__) is not loss:
        raise ModelError(
            f"A model file expects one of the losses {', '.join(LOSSES)}; got {shown(loss)}. Save the model with the "
            "one whose probabilities it needs: dataclasses.replace(model, loss=...)."
        )
    about: dict[str, Any] = {
        "format": ROUNDED_FORMAT if one_byte else FORMAT,
        "network": network.config(),
        "loss": loss.__name__,
        "image_shape": list(content.image_shape),
        "preprocessing": PREPROCESSING,
        "about": content.info.as_json(),
    }
    arrays = {**network.params, **network.statistics}
    check_network(network, content.image_shape)
    if calibration:
        about["temperature"] = calibration.temperature
        arrays[_EVIDENCE], arrays[_PROBABILITY] = calibration.evidence, calibration.probability
    check_finite(arrays)
    if one_byte:
        arrays = rounded(arrays)
    if half or one_byte:
        with np.errstate(over="ignore"):
            arrays = {name: _halved(name, array) for name, array in arrays.items()}
        check_finite(arrays)
    write_tensors(path, "model", arrays, about)


def _halved(name: str, array: Array) -> Array:
    return array if array.dtype == np.int8 or name.endswith(SCALE) else array.astype(np.float16)


def read_model(path: Path) -> ModelContent:
    """What `write_model` wrote.

    Raises: ModelError if there is no such file, or it is not a whole model of this format.
    """
    with open_tensors(path, "model") as file:
        try:
            return _read(file)
        except DigitscopeError as error:
            raise ModelError(f"{shown_path(path)}: {error}") from error


def _read(file: TensorFile) -> ModelContent:
    about, shapes = file.about, dict(file.shapes)
    if about.get("format") not in (FORMAT, ROUNDED_FORMAT):
        raise ModelError(
            f"expected a model of format {FORMAT} or {ROUNDED_FORMAT}; got {shown(about.get('format'))}. If a later "
            "version of Digitscope wrote it, install that version."
        )
    if differing := (about.keys() - {"temperature"}) ^ _REQUIRED:
        names = ", ".join(sorted(_REQUIRED))
        raise ModelError(f"missing or unknown: {', '.join(sorted(differing))}. A model has the entries {names}.")
    if about["format"] == ROUNDED_FORMAT:
        _check_scales(file, shapes)
    for name, dtype in file.dtypes.items():
        if dtype not in ("float32", "float16") and not (dtype == "int8" and name + SCALE in file.shapes):
            raise ModelError(f"{name} expects float32 or float16; got {dtype}.")
    if about["preprocessing"] != PREPROCESSING:
        raise ModelError(f"preprocessing is expected as {PREPROCESSING!r}; got {shown(about['preprocessing'])}.")
    loss, shape = _loss(about["loss"]), _image_shape(about["image_shape"])
    info = TrainingInfo.from_json(about["about"])
    scores = {name: shapes.pop(name) for name in (_EVIDENCE, _PROBABILITY) if name in shapes}
    if "temperature" in about and not (is_number(about["temperature"]) and len(scores) == 2):
        raise ModelError(f"temperature is expected as a number, with {_EVIDENCE} and {_PROBABILITY}.")
    if "temperature" not in about and scores:
        raise ModelError(f"{', '.join(scores)} are expected with a temperature.")
    network = build_network(about["network"], shapes, shape)
    with np.errstate(over="ignore", invalid="ignore"):
        arrays = unrounded(file.read()) if about["format"] == ROUNDED_FORMAT else file.read()
    arrays = {name: array.astype(np.float32, copy=False) for name, array in arrays.items()}
    check_finite(arrays)
    calibration = None
    if scores:
        calibration = Calibration(float(about["temperature"]), arrays.pop(_EVIDENCE), arrays.pop(_PROBABILITY))
    fill_network(network, arrays)
    return ModelContent(network, loss, shape, info, calibration)


def _check_scales(file: TensorFile, shapes: dict[str, tuple[int, ...]]) -> None:
    """Takes the scales out of the shapes. Raises: ModelError unless each has whole numbers of so many outputs."""
    for scale in [name for name in shapes if name.endswith(SCALE)]:
        name, shape = scale.removesuffix(SCALE), shapes.pop(scale)
        if file.dtypes.get(name) != "int8" or file.dtypes[scale] != "float32" or shape != shapes[name][:1]:
            raise ModelError(f"{scale} is expected as float32, one number for each output of {name} in int8.")


def build_network(description: Any, shapes: Mapping[str, tuple[int, ...]], input_shape: tuple[int, ...]) -> Network:
    """The network of this description, given the shapes of its arrays in the header of a file, before they are read.

    input_shape: of one image or row.
    Raises: ModelError or ShapeError for a network that `write_model` would refuse, or of other arrays.
    """
    _check_description(description, sum(map(math.prod, shapes.values())))
    with _one_error():
        network = Network.from_config(description)
    _check_shapes(network, shapes)
    with _one_error():
        _check_cost(network, input_shape)
    return network


def fill_network(network: Network, arrays: dict[str, Array]) -> None:
    """Gives a network its parameters and statistics. Raises: ModelError for a negative variance."""
    statistics = {name: arrays.pop(name) for name in network.statistics}
    network.params, network.statistics = arrays, statistics
    _check_variances(network)


def check_network(network: Network, input_shape: tuple[int, ...]) -> None:
    """Raises: ModelError for a network that `build_network` would refuse."""
    _check_description(network.config(), sum(a.size for a in (*network.params.values(), *network.statistics.values())))
    _check_cost(network, input_shape)


def _loss(name: Any) -> Loss:
    if not isinstance(name, str) or name not in LOSSES:
        raise ModelError(f"the loss is expected as one of {', '.join(LOSSES)}; got {shown(name)}.")
    return LOSSES[name]()


def _image_shape(value: Any) -> tuple[int, int]:
    if not (isinstance(value, list) and len(value) == 2 and all(is_whole(side) and side > 0 for side in value)):
        raise ModelError(f"image_shape is expected as [height, width]; got {shown(value)}.")
    height, width = value
    return height, width


def _check_description(description: Any, numbers: int) -> None:
    """Raises: ModelError for a network of too many layers, too deeply nested, or with more than `numbers` parameters
    and statistics. Sizes of other types than whole numbers are left to the layers' own checks.
    """
    left = numbers
    for count, (layer, nesting) in enumerate(_descriptions(description), start=1):
        if nesting > MAX_NESTING:
            raise ModelError(f"layers are expected to be nested at most {MAX_NESTING} deep; they are nested deeper.")
        if count > MAX_LAYERS:
            raise ModelError(f"a network is expected with at most {MAX_LAYERS:,} layers; it has more.")
        left -= _count_numbers(layer)
        if left < 0:
            raise ModelError(f"the layers are expected with the {numbers:,} numbers that the file has; they have more.")


def _descriptions(description: Any) -> Iterator[tuple[dict[str, Any], int]]:
    """Each object that has a type, outermost first, and the number of such objects that it is in.

    The configuration of a layer of one's own is searched, too: it may describe other layers.
    """
    level, nesting = [description], 0
    while level:
        inner: list[Any] = []
        while level:
            value = level.pop()
            if isinstance(value, dict) and "type" in value:
                yield value, nesting + 1
                inner += value.values()
            elif isinstance(value, dict):
                level += value.values()
            elif isinstance(value, list):
                level += value
        level, nesting = inner, nesting + 1


def _count_numbers(layer: Mapping[str, Any]) -> int:
    """The parameters and statistics that a layer of this description takes memory for when it is built."""
    names = SIZES.get(str(layer["type"]))
    if names is None:
        return 0
    sizes: list[Any] = [layer.get(name) for name in names]
    return math.prod(size for size in sizes if is_whole(size) and size > 0)


SIZES = {
    "Dense": ("in_features", "out_features"),
    "Conv1D": ("in_channels", "out_channels", "kernel_size"),
    "Conv2D": ("in_channels", "out_channels", "kernel_size", "kernel_size"),
    "BatchNorm": ("channels",),
}
"""The sizes whose product is about the number of a layer's parameters and statistics."""


@contextmanager
def _one_error() -> Iterator[None]:
    """A configuration that is not of its class, or a forward of one's own, may end in any error."""
    try:
        with np.errstate(all="ignore"):
            yield
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, ArithmeticError, MemoryError) as error:
        if isinstance(error, DigitscopeError):
            raise
        raise ModelError(f"the description of the network is damaged ({error}).") from error


def _check_shapes(network: Network, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Raises: ModelError unless the network's arrays are those of the file."""
    own = {**network.params, **network.statistics}
    if differing := own.keys() ^ shapes.keys():
        raise ModelError(f"missing or unknown: {', '.join(sorted(differing))}. The network has {', '.join(own)}.")
    for name, array in own.items():
        if array.shape != shapes[name]:
            raise ModelError(f"{name} expects shape {array.shape}; got {shapes[name]}.")


def _check_cost(network: Network, input_shape: tuple[int, ...]) -> None:
    """Raises: ShapeError for a network that does not take such images; ModelError if one takes it too much memory or
    too many operations.
    """
    pixels = math.prod(input_shape)
    numbers = pixels + network.memory((pixels,))
    if numbers > MAX_MEMORY:
        raise ModelError(f"one image may take memory for {MAX_MEMORY:,} numbers; it takes {shown(numbers)}.")
    flops = network.flops((pixels,))
    if flops > MAX_FLOPS:
        raise ModelError(f"one image may take {MAX_FLOPS:,} operations; it takes {shown(flops)}.")


def check_finite(arrays: Mapping[str, Array]) -> None:
    """Raises: ModelError for NaN and infinity."""
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise ModelError(f"{name} is expected as finite {array.dtype} numbers; some are not.")


def _check_variances(network: Network) -> None:
    for name, layer in network.named_layers():
        if isinstance(layer, BatchNorm) and (layer.statistics["variance"] < 0).any():
            raise ModelError(f"{name}.variance is expected from 0 on; it has negative numbers.")
