"""A model as one readable file of plain NumPy, with its weights in an .npz beside it."""

import inspect
import io
import textwrap
import zipfile
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any

import numpy as np

from digitscope.errors import ModelError
from digitscope.interchange import plain_layers
from digitscope.interchange.accuracy_figures import accuracy_figures
from digitscope.model import REFUSED_SHARE, Model
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
    MeanSquaredError,
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
from digitscope.nn.layer import built_in_layers

MAX_LINES = 200
"""The longest file: one that a learner reads to its end."""
_WIDTH = 120


def numpy_script(model: Model, name: str) -> str:
    """The content of NAME.py, which reads its weights from NAME.npz.

    Raises: ModelError for a layer of one's own, and for a network that needs more than MAX_LINES lines.
    """
    script = _Script()
    height, width = model.image_shape
    script.function("network", model.network, (height * width,), _Names(""))
    if isinstance(model.loss, MeanSquaredError):
        clipped = "p = np.clip(logits / TEMPERATURE, np.finfo(np.float32).tiny, 1)"
        probabilities, evidence = f"{clipped}\n        p = p / p.sum(axis=0)", "logits.max(axis=0)"
    else:
        script.use(plain_layers.softmax)
        script.use(plain_layers.log_sum_exp)
        probabilities, evidence = "p = softmax(logits / TEMPERATURE)", "log_sum_exp(logits)"
    calibration = model.calibration
    threshold = calibration.evidence_threshold(REFUSED_SHARE) if calibration else -np.inf
    figures = "; ".join(figure.text for figure in accuracy_figures(model.info))
    facts = (
        f"Digitscope {version('digitscope')} wrote this file. The network has {model.parameters:,} parameters. "
        f"Accuracy: {figures or 'not measured'}."
    )
    text = _PAGE.format(
        facts="\n".join(textwrap.wrap(facts, _WIDTH)),
        name=name,
        shape=f"(N, {height}, {width})",
        pixels=height * width,
        height=height,
        width=width,
        temperature=repr(float(calibration.temperature)) if calibration else "1.0",
        threshold=repr(float(threshold)) if np.isfinite(threshold) else "-np.inf",
        share=f"{1 - REFUSED_SHARE:.0%}",
        layers="\n\n\n".join(inspect.getsource(function).rstrip() for function in script.used),
        functions="\n\n\n".join(script.functions),
        probabilities=probabilities,
        evidence=evidence,
    )
    if (lines := text.count("\n")) > MAX_LINES:
        raise ModelError(
            f"A file of plain NumPy is expected with at most {MAX_LINES} lines, so that it can be read; this network "
            f"needs {lines}. Export it as .onnx."
        )
    return text


def weights_npz(model: Model) -> bytes:
    """The content of NAME.npz: all arrays by their names in the model. Equal models give equal bytes."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, array in {**model.network.params, **model.network.statistics}.items():
            content = io.BytesIO()
            np.lib.format.write_array(content, np.asarray(array, np.float32, order="C"), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0)), content.getvalue())
    return file.getvalue()


_PAGE = '''\
"""The network of {name}.npz in plain NumPy, layer by layer.

{facts}

    python {name}.py digits.npy

reads the images in a NumPy array of shape {shape}, uint8 from 0 (paper) to 255 (ink), light strokes on black as in
MNIST. Inside the network the batch is the last axis: columns (D, N) and feature maps (C, H, W, N).
"""

import sys
from pathlib import Path

import numpy as np

Array = np.ndarray
WEIGHTS = dict(np.load(Path(__file__).with_suffix(".npz")))
TEMPERATURE = {temperature}  # Divides the logits, so that of all answers given with 90 %, 90 % are right.
THRESHOLD = {threshold}  # {share} of real digits have at least this evidence.


def arrays(layer: str) -> dict[str, Array]:
    """What this layer has learned, by name."""
    return {{name.rpartition(".")[2]: WEIGHTS[name] for name in WEIGHTS if name.rpartition(".")[0] == layer}}


{layers}


{functions}


def predict(images: Array) -> tuple[Array, Array]:
    """The probability of each class for each image, (N, classes), and the evidence that it is a digit at all, (N,)."""
    if images.dtype != np.uint8 or np.prod(images.shape[1:]) != {pixels}:
        raise ValueError(f"Images are expected as {shape} of uint8; got {{images.shape}} of {{images.dtype}}.")
    results = []
    for start in range(0, len(images), 100):  # 100 images at a time, to save memory
        pixels = images[start : start + 100].reshape(-1, {pixels})
        logits = network(pixels.T.astype(np.float32) / 255)
        {probabilities}
        results.append((p.T, {evidence}))
    return np.concatenate([p for p, _ in results]), np.concatenate([evidence for _, evidence in results])


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    for p, evidence in zip(*predict(np.load(sys.argv[1])), strict=True):
        print(f"{{p.argmax()}} ({{p.max():.1%}})" if evidence >= THRESHOLD else "not a digit")
'''


class _Names:
    """The names of layers in the .npz, as Python writes them: "5.0", or f"{member}.5.0" inside a function for several
    members.
    """

    def __init__(self, prefix: str, variable: str = "") -> None:
        self.prefix, self.variable = prefix, variable

    def inner(self, name: object) -> "_Names":
        return _Names(f"{self.prefix}{name}.", self.variable)

    @property
    def literal(self) -> str:
        name = self.prefix.removesuffix(".")
        if not self.variable:
            return f'"{name}"'
        return f'f"{{{self.variable}}}.{name}"' if name else self.variable


class _Script:
    """Functions for networks, inner ones first, and the functions of `plain_layers` that they call."""

    def __init__(self) -> None:
        self.functions: list[str] = []
        self.used: list[Callable[..., Any]] = []
        self._names: list[str] = []

    def use(self, function: Callable[..., Any]) -> str:
        """The function's name, after the functions that it calls itself."""
        if function is plain_layers.mean_of_members:
            self.use(plain_layers.softmax)
            self.use(plain_layers.log_sum_exp)
        if function not in self.used:
            self.used.append(function)
        return function.__name__

    def function(self, name: str, network: Layer, shape: tuple[int, ...], names: _Names) -> None:
        """Adds a function of this name that computes the network's output."""
        layers = _sequence(network, shape) if type(network) in (Network, Frozen) else [("", network, shape)]
        body = [line for key, layer, input_shape in layers for line in self._lines(layer, input_shape, _at(names, key))]
        parameters = f"x: Array, {names.variable}: str" if names.variable else "x: Array"
        head = [f"def {name}({parameters}) -> Array:"]
        if name == "network":
            head.append('    """The logits of images as columns: one number for each class and image, (classes, N)."""')
        self.functions.append("\n".join([*head, *(f"    {line}" for line in body), "    return x"]))

    def _lines(self, layer: Layer, shape: tuple[int, ...], names: _Names) -> list[str]:
        """The lines that compute the layer's output from x and assign it to x."""
        if built_in_layers().get(type(layer).__name__) is not type(layer):
            raise ModelError(
                f"A file of plain NumPy is expected to consist of Digitscope's layers; {names.literal} is a layer of "
                f"your own, {type(layer).__name__}. Save the model as .safetensors and import its class."
            )
        if type(layer) in (Network, Frozen, Residual, Skip):
            inner = _sequence(layer, shape)
            lines = [line for key, part, size in inner for line in self._lines(part, size, names.inner(key))]
            before = f"before_{names.prefix.removesuffix('.').replace('.', '_')}"
            if isinstance(layer, Residual | Skip):
                joined = f"{before} + x" if isinstance(layer, Residual) else f"np.concatenate([{before}, x])"
                return [f"{before} = x", *lines, f"x = {joined}"]
            return lines
        expression = self._expression(layer, shape, names)
        if expression is None:
            return []
        code = f"x = {expression}"
        shifts = [f"shifts = {layer.shifts}"] if isinstance(layer, ShiftAverage) else []
        return [*shifts, f"{code}{' ' * max(2, 68 - len(code))}# {' x '.join(map(str, layer.output_shape(shape)))}"]

    def _expression(self, layer: Layer, shape: tuple[int, ...], names: _Names) -> str | None:
        """The layer's output as Python; None if it is its input."""
        arrays = f"**arrays({names.literal})"
        match layer:
            case Ensemble():
                return self._ensemble(layer, shape, names)
            case ShiftAverage():
                self.function(name := self._free_name("one_view"), layer.network, shape, names)
                view = f"{self.use(plain_layers.shifted)}(x, {layer.height}, {layer.width}, down, right)"
                arguments = f"{view}, {names.variable}" if names.variable else view
                mean = self.use(plain_layers.mean_of_members)
                return f"{mean}([{name}({arguments}) for down, right in shifts])"
            case Dense():
                return f"{self.use(plain_layers.dense)}(x, {arrays})"
            case Conv2D():
                settings = _settings(layer, stride=1, padding=0, dilation=1)
                return f"{self.use(plain_layers.convolution)}(x{settings}, {arrays})"
            case Conv1D():
                return f"{self.use(plain_layers.convolution_1d)}(x, {arrays})"
            case BatchNorm():
                return f"{self.use(plain_layers.batch_norm)}(x{_settings(layer, eps=1e-5)}, {arrays})"
            case Standardize():
                return f"{self.use(plain_layers.standardize)}(x{_settings(layer, eps=1e-5)})"
            case MaxPool2D():
                return f"{self.use(plain_layers.max_pool)}(x, {layer.size}, stride={layer.stride})"
            case MaxPoolHeight():
                return f"{self.use(plain_layers.max_pool_height)}(x, {layer.size})"
            case AveragePool2D():
                return f"{self.use(plain_layers.average_pool)}(x, {layer.size}, stride={layer.stride})"
            case GlobalAveragePool2D():
                return "x.mean(axis=(1, 2))"
            case SpaceToDepth():
                return f"{self.use(plain_layers.space_to_depth)}(x, {layer.size})"
            case DepthToSpace():
                return f"{self.use(plain_layers.depth_to_space)}(x, {layer.size})"
            case Upsample2D():
                return f"x.repeat({layer.size}, axis=1).repeat({layer.size}, axis=2)"
            case SplitSteps():
                return f"{self.use(plain_layers.split_steps)}(x, {layer.factor})"
            case FoldHeight():
                return "x.reshape(-1, *x.shape[2:])"
            case Reshape():
                return f"x.reshape({', '.join(map(str, layer.shape))}, -1)"
            case Flatten():
                return "x.reshape(-1, x.shape[-1])"
            case ReLU():
                return f"{self.use(plain_layers.relu)}(x)"
            case LeakyReLU():
                return f"{self.use(plain_layers.leaky_relu)}(x, {layer.slope!r})"
            case Sigmoid():
                return f"{self.use(plain_layers.sigmoid)}(x)"
            case Tanh():
                return "np.tanh(x)"
            case Dropout():
                return None
        raise AssertionError(f"no formula for {type(layer).__name__}")

    def _ensemble(self, layer: Ensemble, shape: tuple[int, ...], names: _Names) -> str:
        """Members of one architecture share a function."""
        mean = self.use(plain_layers.mean_of_members)
        if len({repr(member.config()) for member in layer.layers}) == 1 and len(layer.layers) > 1:
            self.function(name := self._free_name("member"), layer.layers[0], shape, _Names("", "name"))
            each = names.inner("{i}").literal
            each = each if each.startswith("f") else f"f{each}"
            return f"{mean}([{name}(x, {each}) for i in range({len(layer.layers)})])"
        calls = []
        for i, member in enumerate(layer.layers):
            self.function(name := self._free_name("member"), member, shape, names.inner(i))
            calls.append(f"{name}(x, {names.variable})" if names.variable else f"{name}(x)")
        return f"{mean}([{', '.join(calls)}])"

    def _free_name(self, name: str) -> str:
        self._names.append(name)
        return f"{name}_{count}" if (count := self._names.count(name)) > 1 else name


def _sequence(network: Layer, shape: tuple[int, ...]) -> list[tuple[str, Layer, tuple[int, ...]]]:
    """Each layer's index, the layer, and the shape of its input."""
    inner = zip(network.parts.items(), network.input_shapes(shape), strict=True)
    return [(index, layer, input_shape) for (index, layer), input_shape in inner]


def _at(names: _Names, key: str) -> _Names:
    return names.inner(key) if key else names


def _settings(layer: Layer, **defaults: Any) -> str:
    """The layer's settings that are not the default, as keyword arguments."""
    config: Mapping[str, Any] = layer.config()
    return "".join(
        f", {name}={config[name]!r}" for name, default in defaults.items() if config.get(name, default) != default
    )
