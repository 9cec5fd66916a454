"""A network from a list of layers: sizes of inputs are filled in, and shapes are checked before anything is built."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from digitscope.arguments import check_kind, check_number, check_whole, shown
from digitscope.errors import TrainingError
from digitscope.nn import (
    AveragePool2D,
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    Layer,
    MaxPool2D,
    Network,
    ReLU,
    Reshape,
    Residual,
)
from digitscope.training.settings import ACTIVATIONS

MAX_LAYERS, MAX_PARAMETERS = 40, 5_000_000
MAX_NUMBERS, MAX_OPERATIONS = 1_000_000, 400_000_000
"""Of one image: numbers in all feature maps together, and multiplications and additions forward."""

SIZES: dict[str, tuple[str, ...]] = {
    "dense": ("units",),
    "convolution": ("units", "kernel", "stride", "padding"),
    "residual": ("kernel",),
    "max-pool": ("size",),
    "average-pool": ("size",),
    "batch-norm": (),
    "dropout": ("rate",),
    **dict.fromkeys(ACTIVATIONS, ()),
}
"""The kinds of layers, and which sizes each of them takes."""

Shape = tuple[int, ...]


@dataclass(frozen=True)
class LayerChoice:
    """One layer of the list; sizes that its kind does not take are None.

    Raises: TrainingError for an unknown kind, a size that is missing or out of range, or one that the kind lacks.
    """

    kind: str
    units: int | None = None
    """Units of a dense layer, channels of a convolution."""
    kernel: int | None = None
    """Height and width of a convolution's kernel; in a residual block it is odd, and 3 by default."""
    stride: int | None = None
    """Of a convolution; 1 by default."""
    padding: int | None = None
    """Of a convolution; 0 by default."""
    size: int | None = None
    """Height, width and stride of a pooling window; 2 by default."""
    rate: float | None = None
    """The fraction that dropout drops."""

    def __post_init__(self) -> None:
        check_kind("kind", self.kind, "text", str, error=TrainingError)
        if self.kind not in SIZES:
            raise TrainingError(f"kind expects one of {', '.join(SIZES)}; got {shown(self.kind)}.")
        for name, most in (("units", 4096), ("kernel", 15), ("stride", 8), ("padding", 8), ("size", 14)):
            value = getattr(self, name)
            check_whole(name, value, 0 if name == "padding" else 1, optional=True, error=TrainingError)
            if value is not None and value > most:
                raise TrainingError(f"{name} is expected up to {most}; got {value}.")
        check_number("rate", self.rate, least=0, below=1, optional=True, error=TrainingError)
        for name in ("units", "kernel", "stride", "padding", "size", "rate"):
            takes, given = name in SIZES[self.kind], getattr(self, name) is not None
            if given and not takes:
                raise TrainingError(f"a {self.kind} layer takes no {name}; got {getattr(self, name)}.")
            if takes and not given and (name in ("units", "rate") or (self.kind, name) == ("convolution", "kernel")):
                raise TrainingError(f"a {self.kind} layer needs its {name}.")
        if self.kind == "residual" and (self.kernel or 3) % 2 == 0:
            raise TrainingError(f"the kernel of a residual block is expected to be odd; got {self.kernel}.")

    @property
    def needs_maps(self) -> bool:
        """Whether its input is feature maps, not a list of numbers."""
        return self.kind in ("convolution", "residual", "max-pool", "average-pool")


@dataclass(frozen=True)
class PlannedLayer:
    """A layer of the list with what follows from the layers before it."""

    choice: LayerChoice
    input: Shape
    """(channels, height, width) or (units,), without the batch axis."""
    output: Shape
    parameters: int


def plan_layers(choices: Sequence[LayerChoice], shape: tuple[int, int], classes: int) -> list[PlannedLayer]:
    """The layers with their shapes for images of this height and width, and the output layer, a dense one, at the end.

    Raises: TrainingError that names the layer at which shapes do not fit or the network becomes too large.
    """
    if len(choices) > MAX_LAYERS:
        raise TrainingError(f"A network is expected with up to {MAX_LAYERS} layers; got {len(choices)}.")
    planned: list[PlannedLayer] = []
    current: Shape = (1, *shape)
    parameters = numbers = operations = 0
    output = LayerChoice("dense", units=classes)
    for number, choice in enumerate([*choices, output], start=1):
        place = f"Layer {number} ({choice.kind})" if choice is not output else "The output layer"
        layer = _plan(choice, current, place)
        current = layer.output
        parameters += layer.parameters
        numbers += math.prod(current)
        operations += 2 * layer.parameters * (math.prod(current[1:]) if len(current) == 3 else 1)
        for amount, most, what in (
            (parameters, MAX_PARAMETERS, "parameters"),
            (numbers, MAX_NUMBERS, "numbers in its feature maps"),
            (operations, MAX_OPERATIONS, "operations for an image"),
        ):
            if amount > most:
                raise TrainingError(
                    f"{place}: a network is expected with up to {most:,} {what}; up to here it has {amount:,}. "
                    "Choose fewer or smaller layers."
                )
        planned.append(layer)
    return planned


def _plan(choice: LayerChoice, shape: Shape, place: str) -> PlannedLayer:
    if choice.needs_maps and len(shape) != 3:
        raise TrainingError(
            f"{place}: expected feature maps as input; the layer before gives {shape[0]} numbers. Put it before the "
            "first dense layer."
        )
    if choice.kind == "dense":
        units = choice.units or 0
        return PlannedLayer(choice, shape, (units,), (math.prod(shape) + 1) * units)
    if choice.kind == "batch-norm":
        return PlannedLayer(choice, shape, shape, 2 * shape[0])
    if choice.kind == "residual":
        kernel = choice.kernel or 3
        return PlannedLayer(choice, shape, shape, 2 * (shape[0] * shape[0] * kernel**2 + 2 * shape[0]))
    if not choice.needs_maps:
        return PlannedLayer(choice, shape, shape, 0)
    channels, *sides = shape
    kernel, stride, padding = _window(choice)
    outputs = [(side + 2 * padding - kernel) // stride + 1 for side in sides]
    if min(side + 2 * padding for side in sides) < kernel:
        raise TrainingError(
            f"{place}: expected feature maps of at least {kernel}x{kernel} pixels, with padding; got "
            f"{sides[0]}x{sides[1]}. Choose a smaller window, or fewer poolings before it."
        )
    if choice.kind == "convolution":
        units = choice.units or 0
        return PlannedLayer(choice, shape, (units, *outputs), (channels * kernel**2 + 1) * units)
    return PlannedLayer(choice, shape, (channels, *outputs), 0)


def _window(choice: LayerChoice) -> tuple[int, int, int]:
    """Kernel, stride and padding."""
    if choice.kind == "convolution":
        return choice.kernel or 1, choice.stride or 1, choice.padding or 0
    size = choice.size or 2
    return size, size, 0


def network_of(
    choices: Sequence[LayerChoice], rng: np.random.Generator, shape: tuple[int, int], classes: int
) -> Network:
    """The network of this list, with He's initial weights from `rng`.

    Raises: as `plan_layers`.
    """
    layers: list[Layer] = []
    has_maps = False
    for planned in plan_layers(choices, shape, classes):
        is_map = len(planned.input) == 3
        if not has_maps and (planned.choice.needs_maps or (planned.choice.kind == "batch-norm" and is_map)):
            layers.append(Reshape(1, *shape))
            has_maps = True
        if planned.choice.kind == "dense" and has_maps and is_map:
            layers.append(Flatten())
        layers.append(_layer(planned, rng))
    return Network(*layers)


def _layer(planned: PlannedLayer, rng: np.random.Generator) -> Layer:
    choice, inputs = planned.choice, planned.input
    if choice.kind == "dense":
        return Dense(math.prod(inputs), planned.output[0], rng=rng)
    if choice.kind == "batch-norm":
        return BatchNorm(inputs[0])
    if choice.kind == "dropout":
        return Dropout(choice.rate or 0.0)
    if choice.kind in ACTIVATIONS:
        return ACTIVATIONS[choice.kind]()
    kernel, stride, padding = _window(choice)
    if choice.kind == "convolution":
        return Conv2D(inputs[0], planned.output[0], kernel, stride=stride, padding=padding, rng=rng)
    if choice.kind == "residual":
        return _residual(inputs[0], choice.kernel or 3, rng)
    return MaxPool2D(kernel) if choice.kind == "max-pool" else AveragePool2D(kernel)


def _residual(channels: int, kernel: int, rng: np.random.Generator) -> Residual:
    first, second = (
        Conv2D(channels, channels, kernel, padding=kernel // 2, bias=False, rng=rng),
        Conv2D(channels, channels, kernel, padding=kernel // 2, bias=False, rng=rng),
    )
    return Residual(first, BatchNorm(channels), ReLU(), second, BatchNorm(channels))
