"""A layer: a differentiable map of a batch, with its derivative beside it."""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from math import prod
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from digitscope.arguments import shown
from digitscope.arrays import Array
from digitscope.errors import LayerError, ModelError

Params = dict[str, Array]
Backward = Callable[[Array], tuple[Array | Any, Params]]
"""dy -> (dx, {parameter: its derivative}); dx may be None after forward(need_dx=False)."""

CALL = 1_000
"""What a layer's call takes besides its arrays, in numbers: memory of some objects, and about as much time."""


class Layer:
    """A differentiable map of a batch of inputs to a batch of outputs. The batch is the last axis.

    A layer of your own has a `forward` and, if it learns, arrays in `params`. To be saved and loaded, it returns the
    arguments of its __init__ from `config`. `check_gradients` checks its derivative.

    Derived classes are registered by name, so that a model file can refer to them.
    Raises: LayerError for a derived class whose forward lacks a keyword, or that has the name of a Digitscope layer.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        parameters = inspect.signature(cls.forward).parameters
        missing = [keyword for keyword in ("training", "rng", "need_dx") if keyword not in parameters]
        if missing and all(parameter.kind != parameter.VAR_KEYWORD for parameter in parameters.values()):
            raise LayerError(
                f"{cls.__name__}.forward lacks {', '.join(missing)}. "
                "Define it as forward(self, x, *, training=False, rng=None, need_dx=True)."
            )
        name = cls.__name__
        if name in _CLASSES and _is_built_in(_CLASSES[name]) and not _is_built_in(cls):
            raise LayerError(f"{name} is the name of a layer of Digitscope. Give your class another name.")
        _CLASSES[name] = cls
        if not _is_built_in(cls) and "forward" in vars(cls) and "input_shapes" not in vars(cls):
            # What is inherited from a layer of Digitscope is about that layer's forward.
            for method in ("output_shape", "memory", "flops"):
                if method not in vars(cls):
                    setattr(cls, method, getattr(Layer, method))

    def __init__(self) -> None:
        self.params: Params = {}
        """The arrays that training changes, by name."""
        self.statistics: Params = {}
        """Arrays that `measure_statistics` measures after training, by name; saved with the parameters."""

    def forward(
        self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None, need_dx: bool = True
    ) -> tuple[Array, Backward]:
        """Returns y and backward, where backward(dy) -> (dx, {name: derivative of that parameter}).

        dy is the derivative of the loss with respect to y, of y's shape. The closure holds whatever the derivative
        needs. Nothing is kept on the layer and x is not changed, so several threads may use one layer at once.

        training: True in training, where some layers act differently, as dropout does.
        rng: the random generator; only used in training.
        need_dx: False if dx is not used, as for the first layer that learns. A layer with parameters then returns None
            as dx and saves the work; one without parameters may ignore it.
        """
        raise TypeError(f"{type(self).__name__} must define forward(x, *, training=False, rng=None, need_dx=True)")

    def __call__(self, x: Array) -> Array:
        """The outputs for x, outside training."""
        return self.forward(x)[0]

    @property
    def members(self) -> tuple["Layer", ...]:
        """The layers that are trained separately, one after the other: an ensemble's members. Others have none."""
        return ()

    def measure_statistics(self, batches: Sequence[Array]) -> tuple[list[Array], Self]:
        """The layer's outputs for these inputs, and a copy of it whose `statistics` are measured over all of them.

        A layer without statistics returns itself instead of a copy.
        """
        return [self.forward(x)[0] for x in batches], self

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of an output for an input of this shape, both without the batch axis."""
        example = np.zeros((*shape, 1), np.float32, like=next(iter(self.params.values()), None))
        return self.forward(example)[0].shape[:-1]

    def memory(self, shape: tuple[int, ...]) -> int:
        """About how many numbers a forward pass of one input takes memory for: outputs, and what backward needs.

        It is an upper bound, from shapes alone. Each call of a layer counts CALL numbers more.

        Shapes: `shape` is that of an input without the batch axis, (784,)
        """
        return CALL + prod(self.output_shape(shape))

    def flops(self, shape: tuple[int, ...], *, training: bool = False, need_dx: bool = False) -> int:
        """The number of multiplications and additions in the matrix products for one input.

        2 K P forward                       Y = W X
        6 K P in training                   Y = W X, dW = dY X^T, dX = W^T dY, 2 K P each
        4 K P in training without dX        the first layer that learns, whose dX is not used

        K is the number of weights in W, and P the number of positions where W is applied: 1 in a dense layer, H' W' in
        a convolution. ShiftAverage counts once for each shift, but only once in training; an ensemble counts all its
        members. Biases, activations, pooling and normalization count as 0 although they take time, because the figure
        is compared with the machine's rate in matrix products and with other programs. For the same reason a
        convolution counts by its definition, although Conv2D needs half as many operations.

        Shapes: `shape` is that of an input without the batch axis, (784,)
        Derivation: docs/notes/12-speed.md#counting
        """
        return 0

    def thawed(self) -> "Layer":
        """The layer with every Frozen removed, so that all parameters learn again; shares the arrays."""
        return self

    def config(self) -> dict[str, Any]:
        """The arguments from which `from_config` creates the same layer; model files contain them as JSON."""
        return {}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """A layer with this configuration, whose parameters still have to be loaded."""
        return cls(**config)

    def astype(self, dtype: npt.DTypeLike) -> Self:
        """A copy with parameters of this type: float32 in training, float64 in gradient checks."""
        return self.map_arrays(lambda array: array.astype(dtype))

    def map_arrays(self, function: Callable[[Array], Array]) -> Self:
        """A copy with function(array) for each parameter and statistic, to change the type or the device."""
        mapped = copy(self)
        mapped.params = {name: function(value) for name, value in self.params.items()}
        mapped.statistics = {name: function(value) for name, value in self.statistics.items()}
        return mapped

    def __repr__(self) -> str:
        """The call that creates this layer, without arguments that have their default values."""
        parameters = inspect.signature(type(self)).parameters
        arguments: list[str] = []
        positional = True
        for name, value in self.config().items():
            parameter = parameters.get(name)
            if parameter is not None and parameter.kind is parameter.VAR_POSITIONAL:
                arguments += map(repr, value)
            elif parameter is not None and value == parameter.default:
                positional = False
            else:
                positional = positional and parameter is not None and parameter.kind is not parameter.KEYWORD_ONLY
                arguments.append(repr(value) if positional else f"{name}={value!r}")
        return f"{type(self).__name__}({', '.join(arguments)})"

    @property
    def parts(self) -> dict[str, "Layer"]:
        """The layers inside this one, by the name that their parameters begin with."""
        return {}

    def input_shapes(self, shape: tuple[int, ...]) -> list[tuple[int, ...]]:
        """The shape of each part's input if that of this layer is `shape`, all without the batch axis."""
        return []

    def named_layers(self) -> Iterator[tuple[str, "Layer"]]:
        """The layers inside this one and those inside them, by the names that their parameters begin with, as "2.0"."""
        for name, layer in self.parts.items():
            yield name, layer
            for inner_name, inner in layer.named_layers():
                yield f"{name}.{inner_name}", inner


_CLASSES: dict[str, type[Layer]] = {}
"""All layer classes by name. A second class of the same name replaces the first, since notebook cells run again."""


def _is_built_in(layer_class: type[Layer]) -> bool:
    return layer_class.__module__.partition(".")[0] == "digitscope"


def built_in_layers() -> dict[str, type[Layer]]:
    """Digitscope's own layers by name."""
    return {name: layer_class for name, layer_class in _CLASSES.items() if _is_built_in(layer_class)}


def describe(layer: Layer) -> dict[str, Any]:
    """The layer's class and configuration, as a model file contains them in JSON."""
    return {"type": type(layer).__name__, **layer.config()}


def only_entry(config: Mapping[str, Any], name: str) -> list[Any]:
    """The list of this name, if the configuration has it and nothing else.

    Raises: ModelError otherwise.
    """
    if config.keys() != {name} or not isinstance(config[name], list):
        raise ModelError(f"A configuration of {name}, a list, is expected; got {shown(config)}.")
    return list(config[name])


def build(description: Mapping[str, Any]) -> Layer:
    """The layer with this description; its parameters still have to be loaded.

    Raises: ModelError if no class has that name, or if your own class does not accept what its config() returned.
    """
    config = dict(description)
    name = config.pop("type")
    if name not in _CLASSES:
        raise ModelError(f"The layer {name!r} is not known. Define its class, or import it, before loading the model.")
    layer_class = _CLASSES[name]
    try:
        return layer_class.from_config(config)
    except TypeError as error:
        if _is_built_in(layer_class):
            raise
        raise ModelError(
            f"The layer {name} cannot be created from {config}: {error}. Its config() must return __init__'s arguments."
        ) from error
