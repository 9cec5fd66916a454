"""Weights of PyTorch and Keras in a network of the same architecture.

Each layer that learns is a module there, whose tensors have its name and a role:

    here                   PyTorch                          Keras
    Dense weight (O, I)    weight (O, I)                    kernel (I, O)
    Conv2D weight          weight (O, C, k, k)              kernel (k, k, C, O)
    Conv1D weight          weight (O, C, k)                 kernel (k, C, O)
    bias                   bias                             bias
    BatchNorm scale,       weight, bias, running_mean,      gamma, beta, moving_mean,
      shift, mean, var.      running_var                      moving_variance

The first convolution of the file belongs to our first one, the second to our second one, and so on; likewise for the
others. Modules are ordered by the numbers in their names.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from digitscope.arguments import check_kind, check_number
from digitscope.arrays import Array
from digitscope.datasets.npz import read_archive
from digitscope.errors import ModelError
from digitscope.files.opening import shown_path
from digitscope.files.tensors import read_foreign_tensors
from digitscope.model import Model
from digitscope.nn import (
    BatchNorm,
    Conv1D,
    Conv2D,
    Dense,
    DepthToSpace,
    Flatten,
    FoldHeight,
    Layer,
    Reshape,
    SpaceToDepth,
)
from digitscope.recipes import RECIPES
from digitscope.training_info import TrainingInfo

_ROLES = {
    "PyTorch": {"weight": "weight", "bias": "bias", "running_mean": "mean", "running_var": "variance"},
    "Keras": {"kernel": "weight", "bias": "bias", "gamma": "scale", "beta": "shift"}
    | {"moving_mean": "mean", "moving_variance": "variance"},
}
"""The roles of tensors, and ours. PyTorch's batch normalization has its scale as weight and its shift as bias."""
_COUNTERS = "num_batches_tracked", "seed_generator_state"
"""Tensors that are not needed for predictions."""
_EPS = {"PyTorch": 1e-5, "Keras": 1e-3}
"""What each adds to the variance in batch normalization, unless told otherwise; it is not in the file."""
_HINTS = {
    ".h5": 'In Keras: np.savez("weights.npz", *model.get_weights()).',
    ".keras": 'In Keras: np.savez("weights.npz", *model.get_weights()).',
    ".pt": 'In PyTorch: safetensors.torch.save_file(model.state_dict(), "weights.safetensors").',
    ".pth": 'In PyTorch: safetensors.torch.save_file(model.state_dict(), "weights.safetensors").',
}


@dataclass(frozen=True)
class ImportedWeights:
    """A model with weights of another program, and which tensor became which layer's."""

    model: Model
    framework: str
    """The program whose layouts the file has: "PyTorch" or "Keras"."""
    names: dict[str, str]
    """The name of each array in our network, and that of the tensor in the file."""


@dataclass(frozen=True)
class _OwnLayer:
    """A layer of ours that learns."""

    name: str
    layer: Dense | Conv1D | Conv2D | BatchNorm
    flattened: tuple[int, ...] | None
    """The shape of the feature maps or the sequence whose numbers, flattened, are its inputs; None for other inputs."""

    @property
    def text(self) -> str:
        return f"layer {self.name}, {self.layer!r}"

    @property
    def arrays(self) -> dict[str, Array]:
        return {**self.layer.params, **self.layer.statistics}


Module = dict[str, str]
"""The tensors of one module in the file: our role -> its name."""


def import_weights(path: str | Path, like: str | Path | Model, *, eps: float | None = None) -> ImportedWeights:
    """A model with the architecture of `like` and the weights in a file of PyTorch or Keras.

    path: .safetensors or .npz: PyTorch's state_dict, Keras's variables by their paths, or what
        np.savez(path, *model.get_weights()) writes in Keras, whose tensors have no names
    like: a recipe's name, a model or its file; images, classes and loss are its own
    eps: what batch normalization adds to the variance; by default 0.00001 for PyTorch and 0.001 for Keras, as there

    The model has no accuracy and no calibration, which must be measured: `Model.evaluate`, `Model.calibrated`.
    Raises: ModelError that names the first tensor that does not fit; DataError or ModelError for a file that cannot be
        read.
    """
    check_kind("path", path, "a file name", str, Path)
    check_kind("like", like, "a recipe's name, a model or its file", str, Path, Model)
    if eps is not None:
        check_number("eps", eps, least=0)
    path, like = Path(path), _model_like(like)
    tensors = _read(path)
    network = like.network.map_arrays(lambda array: np.array(array, np.float32))
    own = list(_own_layers(network, (like.image_shape[0] * like.image_shape[1],)))
    try:
        framework, modules, problem = _modules(tensors, own)
        names = _assign(own, modules, tensors, framework)
        if problem is not None:
            raise ModelError(problem)
        _check_channels(network, (like.image_shape[0] * like.image_shape[1],), framework)
    except ModelError as error:
        raise ModelError(f"{shown_path(path)}: {error}") from error
    for part in own:
        if isinstance(part.layer, BatchNorm):
            part.layer.eps = _EPS[framework] if eps is None else eps
    model = replace(like, network=network, info=TrainingInfo(classes=like.classes), calibration=None)
    return ImportedWeights(model, framework, names)


def _model_like(like: str | Path | Model) -> Model:
    if isinstance(like, Model):
        return like.to("cpu")
    if (recipe := RECIPES.get(str(like))) is not None:
        return Model(recipe.build(np.random.default_rng(0), (28, 28), 10), recipe.plan.loss, (28, 28))
    return Model.load(like)


def _read(path: Path) -> dict[str, Array]:
    """All tensors but the counters. Raises: ModelError if there are none."""
    if path.suffix.lower() == ".npz":
        tensors = read_archive(path, lambda names: list(filter(_is_wanted, names)))
    elif path.suffix.lower() == ".safetensors":
        tensors = read_foreign_tensors(path, _is_wanted)
    else:
        raise ModelError(
            f"{shown_path(path)}: weights are expected as .safetensors or .npz. "
            f"{_HINTS.get(path.suffix.lower(), 'Convert the file in the program that wrote it.')}"
        )
    if not tensors:
        raise ModelError(f"{shown_path(path)}: weights are expected; the file has none.")
    return tensors


def _own_layers(network: Layer, shape: tuple[int, ...]) -> Iterator[_OwnLayer]:
    """The layers that learn, in order.

    Raises: ModelError for a layer of one's own that learns.
    """
    flattened: tuple[int, ...] | None = None
    for name, layer, input_shape in _leaves(network, shape):
        if isinstance(layer, Dense | Conv1D | Conv2D | BatchNorm):
            yield _OwnLayer(name, layer, flattened)
        elif layer.params or layer.statistics:
            raise ModelError(
                f"Weights can be imported into Dense, Conv1D, Conv2D and BatchNorm; layer {name} is {layer!r}."
            )
        if isinstance(layer, Flatten) and len(input_shape) > 1:
            flattened = input_shape
        elif isinstance(layer, Dense | Reshape):
            flattened = None


def _leaves(layer: Layer, shape: tuple[int, ...], prefix: str = "") -> Iterator[tuple[str, Layer, tuple[int, ...]]]:
    """The layers without parts inside this one, with their names and the shapes of their inputs."""
    for (key, part), part_shape in zip(layer.parts.items(), layer.input_shapes(shape), strict=True):
        if part.parts:
            yield from _leaves(part, part_shape, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", part, part_shape


def _modules(tensors: Mapping[str, Array], own: list[_OwnLayer]) -> tuple[str, list[Module], str | None]:
    """The program that wrote the tensors; for each of our layers its module in the file, up to the first layer that has
    none; and what is wrong if the numbers differ, which a tensor of another shape before it explains better.

    Raises: ModelError for tensors that belong to no layer of ours.
    """
    if all(re.fullmatch(r"arr_\d+", name) for name in tensors):
        return "Keras", *_unnamed_modules(tensors, own)
    roles = {name: _split(name)[1] for name in tensors}
    framework = "Keras" if {"kernel", "gamma", "moving_mean"} & set(roles.values()) else "PyTorch"
    modules: dict[str, Module] = {}
    for name, role in roles.items():
        if role not in _ROLES[framework]:
            known = ", ".join(_ROLES[framework])
            raise ModelError(f"{name} does not fit: {framework}'s tensors are called {known}.")
        modules.setdefault(_split(name)[0], {})[_ROLES[framework][role]] = name
    kinds: dict[type[Layer], list[tuple[str, Module]]] = {BatchNorm: [], Conv1D: [], Conv2D: [], Dense: []}
    for place in sorted(modules, key=_natural):
        kinds[_kind(modules[place], tensors)].append((place, modules[place]))
    _check_order(kinds, tensors)
    matched: list[Module] = []
    for part in own:
        kind: type[Layer] = type(part.layer)
        if not kinds[kind]:
            return framework, matched, f"a tensor for {part.text} is expected; the file has no more of this kind."
        module = kinds[kind].pop(0)[1]
        if kind is BatchNorm and framework == "PyTorch":
            module = {{"weight": "scale", "bias": "shift"}.get(role, role): name for role, name in module.items()}
        matched.append(module)
    for kind, rest in kinds.items():
        for _, module in rest:
            name = next(iter(module.values()))
            count = sum(type(part.layer) is kind for part in own)
            problem = f"{name} {tensors[name].shape} does not fit: the network has {count} {kind.__name__} only."
            return framework, matched, problem
    return framework, matched, None


def _unnamed_modules(tensors: Mapping[str, Array], own: list[_OwnLayer]) -> tuple[list[Module], str | None]:
    """The same for Keras's get_weights, which has each layer's arrays in the order of our own layers' arrays."""
    names = iter(sorted(tensors, key=_natural))
    modules: list[Module] = []
    for part in own:
        module = {}
        for role in part.arrays:
            if (name := next(names, None)) is None:
                problem = f"a tensor for the {role} of {part.text} is expected; the file has {len(tensors)} only."
                return modules, problem
            module[role] = name
        modules.append(module)
    if (name := next(names, None)) is not None:
        return modules, f"{name} {tensors[name].shape} does not fit: the network has no more layers that learn."
    return modules, None


def _kind(module: Module, tensors: Mapping[str, Array]) -> type[Layer]:
    """The class of our layer for this module. Raises: ModelError if there is none."""
    if module.keys() & {"scale", "shift", "mean", "variance"}:
        return BatchNorm
    name = module.get("weight", next(iter(module.values())))
    kinds: dict[int, type[Layer]] = {4: Conv2D, 3: Conv1D, 2: Dense}
    kind = kinds.get(tensors[name].ndim)
    if kind is None:
        raise ModelError(
            f"{name} {tensors[name].shape} does not fit: of Digitscope's layers, dense ones have weights with two "
            "axes, convolutions with three or four, and batch normalization has a mean and a variance."
        )
    return kind


def _check_order(kinds: Mapping[type[Layer], list[tuple[str, Module]]], tensors: Mapping[str, Array]) -> None:
    """Raises: ModelError if two modules could be exchanged unnoticed: of one kind and shape, with names that differ in
    more than numbers.
    """
    for modules in kinds.values():
        seen: dict[tuple[int, ...], str] = {}
        for name, module in modules:
            shape = tensors[module.get("weight", next(iter(module.values())))].shape
            first = seen.setdefault(shape, name)
            if re.sub(r"[\d_]+", "", first) != re.sub(r"[\d_]+", "", name):
                raise ModelError(
                    f"{next(iter(module.values()))} {shape} does not fit for sure: whether {first} or {name} comes "
                    "first is not clear from their names. Rename them, with numbers in the order of the layers."
                )


def _assign(
    own: list[_OwnLayer], modules: list[Module], tensors: Mapping[str, Array], framework: str
) -> dict[str, str]:
    """Copies the tensors into our layers. The result: `ImportedWeights.names`.

    Raises: ModelError that names the first tensor that does not fit.
    """
    names: dict[str, str] = {}
    for part, module in zip(own, modules, strict=False):
        for role, name in module.items():
            if role not in part.arrays:
                hint = " Subtract it from the mean of the batch normalization behind it." if role == "bias" else ""
                raise ModelError(f"{name} {tensors[name].shape} does not fit {part.text}, which has no {role}.{hint}")
        for role, array in part.arrays.items():
            if role not in module:
                near = next(iter(module.values()))
                raise ModelError(f"the {role} of {part.text} is expected beside {near}; the file has none.")
            name = module[role]
            expected = _their_shape(role, array, framework)
            if tensors[name].shape != expected:
                raise ModelError(
                    f"{name} {tensors[name].shape} does not fit the {role} of {part.text}: {expected} is expected in "
                    f"{framework}'s layout."
                )
            with np.errstate(over="ignore"):  # infinity is found below
                array[...] = _turned(tensors[name], role, part, framework).reshape(array.shape)
            if not np.isfinite(array).all() or (role == "variance" and (array < 0).any()):
                raise ModelError(f"{name} is expected as finite float32 numbers, variances from 0 on; some are not.")
            names[f"{part.name}.{role}"] = name
    return names


def _their_shape(role: str, array: Array, framework: str) -> tuple[int, ...]:
    """The shape that an array of ours has there."""
    if role != "weight":
        return (len(array),)
    if framework == "PyTorch":
        return array.shape
    return array.shape[::-1] if array.ndim == 2 else (*array.shape[2:], array.shape[1], array.shape[0])


def _turned(tensor: Array, role: str, part: _OwnLayer, framework: str) -> Array:
    """The tensor in our order of axes. Keras flattens feature maps (H, W, C), we flatten (C, H, W); likewise steps."""
    if framework == "PyTorch":
        return tensor
    if tensor.ndim > 2:
        return np.moveaxis(tensor, (-1, -2), (0, 1))
    if part.flattened is not None and (role == "weight" or isinstance(part.layer, BatchNorm)):
        channels, *sides = part.flattened
        tensor = np.moveaxis(tensor.reshape(*sides, channels, -1), -2, 0).reshape(tensor.shape)
    return tensor.T


def _check_channels(network: Layer, shape: tuple[int, ...], framework: str) -> None:
    """Raises: ModelError if a layer gives its channels in another order than there."""
    for name, layer, input_shape in _leaves(network, shape):
        if isinstance(layer, Reshape):
            differs = framework == "Keras" and len(layer.shape) > 1 and layer.shape[0] > 1
        elif isinstance(layer, FoldHeight):
            differs = framework == "Keras" and min(input_shape[:2]) > 1
        elif isinstance(layer, SpaceToDepth | DepthToSpace):
            maps = min(input_shape[0], layer.output_shape(input_shape)[0])
            differs = framework == "PyTorch" and layer.size > 1 and maps > 1  # PixelUnshuffle and PixelShuffle
        else:
            differs = False
        if differs:
            raise ModelError(f"layer {name}, {layer!r}, has its channels in another order than in {framework}.")


def _split(name: str) -> tuple[str, str]:
    """The module and the role of a tensor: "conv1" and "weight", "conv2d_1" and "kernel"."""
    module, _, role = name.split(":")[0].replace("/", ".").rpartition(".")
    return module, role


def _is_wanted(name: str) -> bool:
    return _split(name)[1] not in _COUNTERS


def _natural(name: str) -> list[tuple[int, str]]:
    """Sorts names by the numbers in them: "layer9" before "layer10". A number of more digits is larger."""
    parts = (part.lstrip("0") if part.isdecimal() else part for part in re.split(r"(\d+)", name))
    return [(len(part), part) if i % 2 else (0, part) for i, part in enumerate(parts)]
