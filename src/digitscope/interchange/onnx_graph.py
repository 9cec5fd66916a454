"""A model as an ONNX graph, for onnxruntime and others. It needs the extra digitscope[onnx].

The batch is the first axis there: images (N, H, W), feature maps (N, C, H, W), rows (N, D).
"""

from importlib.metadata import version
from typing import Any

import numpy as np

from digitscope.arrays import Array
from digitscope.errors import DigitscopeError, ModelError
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
from digitscope.vision.normalize import box_of

OPSET, IR_VERSION = 17, 8
MAX_BYTES = (1 << 31) - 1
"""The largest file that protobuf allows."""
OUTPUTS = {
    "logits": "the network's outputs",
    "probabilities": "of each class, at the temperature of the calibration",
    "label": "the most probable class",
    "evidence": "that the image belongs to any class, in nats",
    "is_digit": f"whether the evidence reaches the threshold below which {REFUSED_SHARE:.0%} of real digits are",
    "temperature": "by which the logits were divided",
}


def onnx_bytes(model: Model) -> bytes:
    """The content of an .onnx file. Equal models give equal bytes.

    Raises: DigitscopeError without the package onnx; ModelError for a layer of one's own, and for too many weights.
    """
    try:
        import onnx
    except ImportError as error:
        raise DigitscopeError("ONNX files need the package onnx: pip install 'digitscope[onnx]'.") from error
    if 4 * model.parameters > MAX_BYTES:
        raise ModelError(f"An ONNX file has at most {MAX_BYTES:,} bytes; the weights have {4 * model.parameters:,}.")
    height, width = model.image_shape
    graph = _Graph()
    pixels = graph.add("Reshape", "images", graph.constant([0, height * width], np.int64))
    logits = graph.layer(model.network, pixels, (height * width,), "")
    _add_outputs(graph, model, logits)
    images = onnx.helper.make_tensor_value_info("images", onnx.TensorProto.FLOAT, ["N", height, width])
    shapes: dict[str, list[str | int | None]] = {
        "logits": ["N", model.classes],
        "probabilities": ["N", model.classes],
        "temperature": [],
    }
    types = {"label": onnx.TensorProto.INT64, "is_digit": onnx.TensorProto.BOOL}
    outputs = [
        onnx.helper.make_tensor_value_info(name, types.get(name, onnx.TensorProto.FLOAT), shapes.get(name, ["N"]), text)
        for name, text in OUTPUTS.items()
    ]
    proto = onnx.helper.make_model(
        onnx.helper.make_graph(graph.nodes, model.info.recipe or "network", [images], outputs, graph.arrays),
        opset_imports=[onnx.helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="digitscope",
        producer_version=version("digitscope"),
        doc_string=f"Reads handwritten digits: {model!r}. Made by Digitscope.",
    )
    onnx.helper.set_model_props(proto, onnx_metadata(model))
    onnx.checker.check_model(proto, full_check=True)
    content: bytes = proto.SerializeToString(deterministic=True)
    return content


def preprocessing(shape: tuple[int, int]) -> str:
    """What the network expects of an image, as `prepare` makes it from a picture."""
    height, width = box_of(shape)
    return (
        "float32 from 0 (paper) to 1 (ink), which is uint8 / 255. Light strokes on black as in MNIST: the digit fits "
        f"into a box of {height}x{width} pixels, and its centre of mass is the centre of the image."
    )


def onnx_metadata(model: Model) -> dict[str, str]:
    """What the file says about the model, by name."""
    height, width = model.image_shape
    calibration = model.calibration
    metadata = {
        "recipe": model.info.recipe,
        "data": model.info.data,
        "classes": ",".join(map(str, range(model.classes))),
        "image_shape": f"{height},{width}",
        "preprocessing": preprocessing(model.image_shape),
        "loss": type(model.loss).__name__,
        "temperature": repr(float(calibration.temperature)) if calibration else None,
        "evidence_threshold": repr(calibration.evidence_threshold(REFUSED_SHARE)) if calibration else None,
        **{f"{figure.part.replace('-', '_')}_accuracy": figure.text for figure in accuracy_figures(model.info)},
    }
    return {name: value for name, value in metadata.items() if value is not None}


class _Graph:
    """Nodes and arrays, collected on the way from the images to the outputs. Values are known by their names."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.arrays: list[Any] = []

    def add(self, operator: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        """The name of the operator's output."""
        from onnx import helper

        name = output or f"{operator}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [name], name=name, **attributes))
        return name

    def constant(self, values: Any, dtype: Any = np.float32, *, name: str | None = None) -> str:
        """The name of an array of these values."""
        from onnx import numpy_helper

        name = name or f"constant_{len(self.arrays)}"
        self.arrays.append(numpy_helper.from_array(np.asarray(values, dtype, order="C"), name))
        return name

    def layer(self, layer: Layer, x: str, shape: tuple[int, ...], prefix: str) -> str:
        """The layer's output for x; an example of x has this shape. Arrays are called as in the model file."""

        def array(name: str, values: Array) -> str:
            return self.constant(values, name=f"{prefix}{name}")

        if built_in_layers().get(type(layer).__name__) is not type(layer):
            raise ModelError(
                f"ONNX has an equivalent of every layer of Digitscope; {prefix.rstrip('.') or 'the network'} is a "
                f"layer of your own, {type(layer).__name__}. Write its operators with the package onnx."
            )
        p = layer.params
        match layer:
            case Residual():
                return self.add("Add", x, self._sequence(layer, x, shape, prefix))
            case Skip():
                return self.add("Concat", x, self._sequence(layer, x, shape, prefix), axis=1)
            case Ensemble():
                members = [
                    self.add("Unsqueeze", self.layer(member, x, shape, f"{prefix}{i}."), self.constant([0], np.int64))
                    for i, member in enumerate(layer.layers)
                ]
                return self._mean_of_members(self.add("Concat", *members, axis=0))
            case ShiftAverage():
                views = self.add("Concat", *self._shifted(x, layer), axis=0)
                logits = self.layer(layer.network, views, shape, prefix)
                classes = layer.output_shape(shape)
                stacked = self.constant([len(layer.shifts), -1, *classes], np.int64)
                return self._mean_of_members(self.add("Reshape", logits, stacked))
            case Network() | Frozen():
                return self._sequence(layer, x, shape, prefix)
            case Dense():
                bias = array("bias", p["bias"][:, 0])
                return self.add("Gemm", x, array("weight", p["weight"]), bias, transB=1)
            case Conv1D() | Conv2D():
                arrays = [array("weight", p["weight"])]
                arrays += [array("bias", p["bias"].reshape(-1))] if "bias" in p else []
                if isinstance(layer, Conv1D):
                    return self.add("Conv", x, *arrays, pads=2 * [layer.kernel_size // 2])
                padding, stride, dilation = 4 * [layer.padding], 2 * [layer.stride], 2 * [layer.dilation]
                return self.add("Conv", x, *arrays, pads=padding, strides=stride, dilations=dilation)
            case BatchNorm():
                arrays = [array(name, values) for name, values in {**p, **layer.statistics}.items()]
                return self.add("BatchNormalization", x, *arrays, epsilon=layer.eps)
            case Standardize():
                axes = list(range(1, len(shape) + 1))
                centred = self.add("Sub", x, self.add("ReduceMean", x, axes=axes))
                variance = self.add("ReduceMean", self.add("Mul", centred, centred), axes=axes)
                deviation = self.add("Sqrt", self.add("Add", variance, self.constant(layer.eps)))
                return self.add("Div", centred, deviation)
            case MaxPool2D():
                return self.add("MaxPool", x, kernel_shape=2 * [layer.size], strides=2 * [layer.stride])
            case MaxPoolHeight():
                return self.add("MaxPool", x, kernel_shape=[layer.size, 1], strides=[layer.size, 1])
            case AveragePool2D():
                return self.add("AveragePool", x, kernel_shape=2 * [layer.size], strides=2 * [layer.stride])
            case GlobalAveragePool2D():
                return self.add("ReduceMean", x, axes=[2, 3], keepdims=0)
            case SpaceToDepth():
                return self.add("SpaceToDepth", x, blocksize=layer.size)
            case DepthToSpace():
                return self.add("DepthToSpace", x, blocksize=layer.size, mode="DCR")
            case Upsample2D():
                scales = self.constant([1, 1, layer.size, layer.size])
                nearest = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
                return self.add("Resize", x, "", scales, mode="nearest", **nearest)
            case SplitSteps():
                channels, steps = layer.output_shape(shape)
                split = self.add("Reshape", x, self.constant([0, layer.factor, channels, shape[1]], np.int64))
                turned = self.add("Transpose", split, perm=[0, 2, 3, 1])
                return self.add("Reshape", turned, self.constant([0, channels, steps], np.int64))
            case Reshape() | Flatten() | FoldHeight():
                return self.add("Reshape", x, self.constant([0, *layer.output_shape(shape)], np.int64))
            case Dropout():
                return x
            case LeakyReLU():
                return self.add("LeakyRelu", x, alpha=layer.slope)
            case ReLU() | Sigmoid() | Tanh():
                return self.add({"ReLU": "Relu"}.get(type(layer).__name__, type(layer).__name__), x)
        raise AssertionError(f"no operator for {type(layer).__name__}")

    def log_sum_exp(self, z: str, axis: int) -> str:
        """log sum e^z along the axis, which stays as an axis of length 1."""
        axes = self.constant([axis], np.int64)
        highest = self.add("ReduceMax", z, axes=[axis])
        total = self.add("ReduceSum", self.add("Exp", self.add("Sub", z, highest)), axes)
        return self.add("Add", highest, self.add("Log", total))

    def _sequence(self, network: Network, x: str, shape: tuple[int, ...], prefix: str) -> str:
        for i, (layer, input_shape) in enumerate(zip(network.layers, network.input_shapes(shape), strict=True)):
            x = self.layer(layer, x, input_shape, f"{prefix}{i}.")
        return x

    def _shifted(self, x: str, layer: ShiftAverage) -> list[str]:
        """The rows x as images, with zeros around them, cut out at each of the shifts, and as rows again."""
        height, width = layer.height, layer.width
        shifts = [(max(-height, min(down, height)), max(-width, min(right, width))) for down, right in layer.shifts]
        border = max(abs(shift) for pair in shifts for shift in pair)
        images = self.add("Reshape", x, self.constant([0, height, width], np.int64))
        padded = self.add("Pad", images, self.constant([0, border, border, 0, border, border], np.int64))
        axes, row = self.constant([1, 2], np.int64), self.constant([0, height * width], np.int64)
        views = []
        for down, right in shifts:
            start = self.constant([border - down, border - right], np.int64)
            end = self.constant([border - down + height, border - right + width], np.int64)
            views.append(self.add("Reshape", self.add("Slice", padded, start, end, axes), row))
        return views

    def _mean_of_members(self, logits: str) -> str:
        """`ensemble_logits`. Shapes: (members, N, classes) -> (N, classes)"""
        mean = self.add("ReduceMean", self.add("Softmax", logits, axis=2), axes=[0], keepdims=0)
        log_mean = self.add("Log", self.add("Add", mean, self.constant(np.finfo(np.float32).tiny)))
        evidence = self.add("ReduceMean", self.log_sum_exp(logits, 2), axes=[0], keepdims=0)
        return self.add("Add", log_mean, evidence)


def _add_outputs(graph: _Graph, model: Model, logits: str) -> None:
    """The nodes from the network's outputs to OUTPUTS."""
    calibration = model.calibration
    temperature = graph.constant(calibration.temperature if calibration else 1.0)
    threshold = graph.constant(calibration.evidence_threshold(REFUSED_SHARE) if calibration else -np.inf)
    logits = graph.add("Identity", logits, output="logits")
    tempered = graph.add("Div", logits, temperature)
    if isinstance(model.loss, MeanSquaredError):
        least, most = graph.constant(np.finfo(np.float32).tiny), graph.constant(1)
        clipped = graph.add("Clip", tempered, least, most)
        total = graph.add("ReduceSum", clipped, graph.constant([1], np.int64))
        probabilities = graph.add("Div", clipped, total, output="probabilities")
        evidence = graph.add("ReduceMax", logits, axes=[1], keepdims=0, output="evidence")
    else:
        probabilities = graph.add("Softmax", tempered, axis=1, output="probabilities")
        squeezed = graph.constant([1], np.int64)
        evidence = graph.add("Squeeze", graph.log_sum_exp(logits, 1), squeezed, output="evidence")
    graph.add("ArgMax", probabilities, axis=1, keepdims=0, output="label")
    graph.add("GreaterOrEqual", evidence, threshold, output="is_digit")
    graph.add("Identity", temperature, output="temperature")
