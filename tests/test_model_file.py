"""The contents of a model file: each damage is one error, before it takes memory or time."""

import json
import os
import sys
import time
import tracemalloc
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import digitscope
from digitscope.arrays import Array
from digitscope.errors import DigitscopeError, ModelError
from digitscope.interchange import import_weights
from digitscope.model import Model
from digitscope.model_file import SIZES, read_model, write_model
from digitscope.nn import (
    Conv2D,
    Dense,
    Ensemble,
    GlobalAveragePool2D,
    Layer,
    MaxPoolHeight,
    Network,
    ReLU,
    Reshape,
    Residual,
    ShiftAverage,
    SoftmaxCrossEntropy,
)
from digitscope.nn.layer import built_in_layers
from digitscope.reader import read
from digitscope.training_info import FineTuning, TrainingInfo
from tests.fuzz.models import IMAGES, model_files
from tests.fuzz.mutate import join_tensors, split_tensors

Header = dict[str, Any]
Change = Callable[[Header, Header, dict[str, Array]], object]


def damaged(path: Path, name: str, change: Change) -> Path:
    """Writes one of the fuzzed models to the path, changed: its description, its header, or its arrays in place."""
    header, body = split_tensors(model_files()[f"{name}.safetensors"])
    about = json.loads(header["__metadata__"]["digitscope"])
    content = bytearray(body)
    arrays = {}
    for key, entry in header.items():
        if key != "__metadata__":
            start, end = entry["data_offsets"]
            dtype = {"F32": np.float32, "F16": np.float16, "I8": np.int8}[entry["dtype"]]
            arrays[key] = np.frombuffer(content, dtype, (end - start) // np.dtype(dtype).itemsize, start)
    change(about, header, arrays)
    header["__metadata__"]["digitscope"] = json.dumps(about)
    path.write_bytes(join_tensors(json.dumps(header), bytes(content)))
    return path


def layers(about: Header) -> list[Any]:
    found: list[Any] = about["network"]["layers"]
    return found


def within(about: Header, wrap: Callable[[Any], Any], times: int) -> None:
    """Wraps the layers again and again, each time in a layer with the networks before."""
    inner = layers(about)
    for _ in range(times):
        inner = [wrap({"type": "Network", "layers": inner})]
    about["network"]["layers"] = inner


def layer(index: int, **settings: Any) -> Change:
    """Other settings of a layer."""
    return lambda about, *_: layers(about)[index].update(settings)


def instead(index: int, *descriptions: Header) -> Change:
    """Other layers in the place of one."""
    return lambda about, *_: layers(about).__setitem__(index, {"type": "Network", "layers": descriptions})


def put(name: str, value: Any) -> Change:
    """Another value of an entry."""
    return lambda about, *_: about.update({name: value})


def tensor(name: str, **changes: Any) -> Change:
    """Another header of an array."""
    return lambda _, header, __: header[name].update(changes)


def number(name: str, value: float) -> Change:
    """Another first number of an array."""
    return lambda _, __, arrays: arrays[name].put(0, value)


def ensemble_of(network: Any) -> Any:
    return {"type": "Ensemble", "layers": [network]}


def skip_of(network: Any) -> Any:
    return {"type": "Skip", "layers": [network]}


BESIDE_ITSELF = {"type": "Skip", "layers": []}
"""Doubles the channels."""


def up(size: int) -> Any:
    return {"type": "Upsample2D", "size": size}


def shifts_of(network: Any) -> Any:
    return {"type": "ShiftAverage", "network": network, "height": 12, "width": 12, "shifts": [[0, 0], [0, 1]]}


def nested_members(depth: int) -> Any:
    info: Any = {}
    for _ in range(depth):
        info = {"members": [info]}
    return info


WRONG_TEMPERATURES: list[Any] = [0, -1, float("nan"), float("inf"), 1e-300, 1e300, 10**400, "1", None, []]
DAMAGE: dict[str, tuple[str, Change, str]] = {
    "another format": ("dense", put("format", 99), "expected a model of format 1 or 2; got 99"),
    "rounded weights in the former format": ("rounded", put("format", 1), "missing or unknown: .*unit"),
    "whole numbers without a scale": (
        "rounded",
        lambda _, header, __: header.update({"x.unit": header.pop("3.weight.unit")}),
        r"x\.unit is expected as float32, one number for each output of x in int8",
    ),
    "a scale that is infinite": ("rounded", number("3.weight.unit", np.inf), r"3\.weight is expected as finite"),
    "a scale of another shape": (
        "rounded",
        tensor("3.weight.unit", shape=[1, 4]),
        r"3\.weight\.unit is expected as float32, one number for each output of 3\.weight in int8",
    ),
    "a scale in whole numbers": (
        "rounded",
        lambda _, header, __: header.update({"3.weight.unit": header["3.weight"], "3.weight": header["3.weight.unit"]}),
        r"3\.weight\.unit is expected as float32, one number for each output of 3\.weight in int8",
    ),
    "another kind": (
        "dense",
        put("kind", "checkpoint"),
        "expected a Digitscope model .*; it is a checkpoint",
    ),
    "an unknown kind": (
        "dense",
        put("kind", [1] * 999),
        "safetensors file of another program",
    ),
    "no network": ("dense", lambda about, *_: about.pop("network"), "missing or unknown: network"),
    "an unknown entry": ("dense", put("speed", 3), "missing or unknown: speed"),
    "another preprocessing": ("dense", put("preprocessing", 3), "as 'pixels / 255'; got 3"),
    "a loss that is none": (
        "dense",
        put("loss", "eval"),
        "loss is expected as one of .*'eval'",
    ),
    "a loss that is a list": ("dense", put("loss", []), r"loss is expected as one of .*\[\]"),
    **{
        f"image_shape {value}": (
            "dense",
            put("image_shape", value),
            r"image_shape is expected as \[height, width\]; got",
        )
        for value in ([12], [12, 12, 1], ["12", 12], [0, 144], [12.0, 12], [float("inf"), 12], 144, None, [True, 144])
    },
    "images of another size": ("dense", put("image_shape", [12, 13]), "expects .*144, N"),
    "images of 10^400 pixels": ("dense", put("image_shape", [10**200] * 2), "Dense expects"),
    "huge images": (
        "pooled",
        lambda about, *_: (about.update(image_shape=[10**5] * 2), about["network"].update(layers=[])),
        "missing or unknown",
    ),
    # The network's description.
    "a network that is text": ("dense", put("network", "x"), "network is damaged"),
    "a network that is a list": ("dense", put("network", []), "network is damaged"),
    "another entry of the network": (
        "dense",
        lambda about, *_: about["network"].update(kind=3),
        "configuration of layers, a list, is expected",
    ),
    "layers that are an object": ("dense", lambda about, *_: about["network"].update(layers={}), "layers, a list, is"),
    "no layers": ("dense", lambda about, *_: about["network"].update(layers=[]), "missing or unknown: .*weight"),
    "a layer less": ("dense", lambda about, *_: layers(about).pop(1), "missing or unknown: .*weight"),
    "an unknown layer": (
        "dense",
        lambda about, *_: layers(about)[1].update(type="Evil"),
        "The layer 'Evil' is not known",
    ),
    "a layer without a type": ("dense", lambda about, *_: layers(about)[1].pop("type"), "damaged .'type'"),
    "a type that is a list": ("dense", lambda about, *_: layers(about)[1].update(type=[]), "network is damaged"),
    "a layer that is text": ("dense", lambda about, *_: layers(about).__setitem__(1, "x"), "network is damaged"),
    "a layer with another argument": (
        "dense",
        lambda about, *_: layers(about)[2].update(slope=1),
        "network is damaged",
    ),
    "a size that is text": (
        "dense",
        lambda about, *_: layers(about)[1].update(in_features="x"),
        "whole number; got 'x'",
    ),
    "10^9 inputs": ("dense", lambda about, *_: layers(about)[1].update(in_features=10**9), "the 749 numbers"),
    "2 inputs more": ("dense", lambda about, *_: layers(about)[1].update(in_features=146), "the 749 numbers"),
    "10^400 inputs": ("dense", lambda about, *_: layers(about)[1].update(in_features=10**400), "the 749 numbers"),
    "fewer inputs": (
        "dense",
        lambda about, *_: layers(about)[1].update(in_features=14),
        r"shape \(5, 14\); got \(5, 144\)",
    ),
    "a dropout of nothing": ("dense", lambda about, *_: layers(about)[3].update(rate=float("nan")), "rate is expected"),
    "an infinite eps": ("dense", lambda about, *_: layers(about)[0].update(eps=float("inf")), "eps is expected"),
    "a negative eps": ("convolutional", lambda about, *_: layers(about)[2].update(eps=-1), "eps of at least 0"),
    "a slope that is a list": (
        "convolutional",
        lambda about, *_: layers(about)[4]["layers"][2].update(slope=[0.1]),
        r"slope is expected as a number; got \[0.1\]",
    ),
    "negative sides": (
        "pooled",
        lambda about, *_: layers(about)[0]["layers"][0].update(shape=[-1, -12, 12]),
        "whole numb",
    ),
    "sides with a point": (
        "convolutional",
        lambda about, *_: layers(about)[0].update(shape=[1, 12.0, 12]),
        "whole numb",
    ),
    "a stride of 1.5": ("convolutional", lambda about, *_: layers(about)[5].update(stride=1.5), "stride is expected"),
    "a window that does not fit": (
        "convolutional",
        lambda about, *_: layers(about)[5].update(size=99),
        "Pooling over 99x99",
    ),
    **{
        f"a {type(value).__name__} as {name} of layer {index}": ("sequence", layer(index, **{name: value}), message)
        for index, name, value, message in (
            (1, "dilation", 0, "dilation of at least 1"),
            (1, "dilation", 1.5, "dilation is expected as a whole number; got 1.5"),
            (3, "size", "2", "size is expected as a whole number; got '2'"),
            (4, "size", 0.5, "size is expected as a whole number; got 0.5"),
            (6, "kernel_size", 4, "odd kernel_size; got 3, 2, 4"),
            (6, "bias", 1, "bias is expected as True or False; got 1"),
            (7, "factor", None, "factor is expected as a whole number; got None"),
        )
    },
    "a stride with a dilation": ("sequence", layer(1, stride=2), "of 1 if it has a stride; got 2"),
    "layers that change the resolution inside a connection past them": (
        "sequence",
        lambda about, *_: layers(about)[2]["layers"].pop(),
        r"Skip expects layers that keep all axes but the first of \(2, 12, 12\); they give \(2, 6, 6\)",
    ),
    "a shape at the end": (
        "dense",
        lambda about, *_: layers(about).append({"type": "Reshape", "shape": [2, 2]}),
        "End it",
    ),
    # Time and memory.
    "10^9 channels": ("convolutional", lambda about, *_: layers(about)[2].update(channels=10**9), "the 187 numbers"),
    "eight times 3 10^8 channels": (
        "convolutional",
        lambda about, *_: layers(about).extend([{"type": "BatchNorm", "channels": 3 * 10**8, "eps": 0.1}] * 8),
        "the 187 numbers",
    ),
    "a kernel of 10^9": (
        "convolutional",
        lambda about, *_: layers(about)[1].update(kernel_size=10**9),
        "the 187 numbers",
    ),
    "a padding of 9000": (
        "pooled",
        lambda about, *_: layers(about)[0]["layers"][1].update(padding=9000),
        "memory for 268,435,456",
    ),
    "a padding of 10^5": (
        "pooled",
        lambda about, *_: layers(about)[0]["layers"][1].update(padding=10**5),
        "memory for 268,435,456",
    ),
    "a padding of 10^400": (
        "convolutional",
        lambda about, *_: layers(about)[1].update(padding=10**400),
        "expected to be below",
    ),
    "a sequence of 10^9 channels": ("sequence", layer(6, out_channels=10**9), "the 254 numbers"),
    "a kernel of 10^9 steps": ("sequence", layer(6, kernel_size=10**9 + 1), "the 254 numbers"),
    "a dilation of 10^9": ("sequence", layer(1, dilation=10**9), "window of 2000000001x2000000001 does not fit"),
    "a dilation and a padding of 10^9": (
        "sequence",
        layer(1, dilation=10**9, padding=10**9),
        "memory for 268,435,456",
    ),
    "a dilation of 10^400": ("sequence", layer(1, dilation=10**400), "expected to be below"),
    **{
        f"{name} of {value:.0e}": ("sequence", layer(index, **{size: value}), message)
        for value in (10**9, 2**127)
        for index, name, size, message in (
            (3, "squares", "size", "DepthToSpace expects"),
            (4, "rows", "size", "MaxPoolHeight expects"),
            (7, "steps", "factor", "SplitSteps expects"),
        )
    },
    "squares of 10^30 to channels": (
        "sequence",
        instead(3, {"type": "SpaceToDepth", "size": 10**30}),
        "divisible by 10",
    ),
    "an enlargement by 10^5": (
        "sequence",
        instead(3, up(10**5), {"type": "MaxPool2D", "size": 10**5}, {"type": "DepthToSpace", "size": 2}),
        "memory for 268,435,456",
    ),
    "an enlargement by 10^30": (
        "sequence",
        instead(3, up(10**30)),
        "at most 9,223,372,036",
    ),
    "9000 enlargements": ("sequence", instead(3, *9000 * [up(2)]), "at most 9,223,372,036"),
    "9000 connections past nothing": (
        "sequence",
        instead(3, *9000 * [BESIDE_ITSELF]),
        "at most 9,223",
    ),
    "20 connections past nothing": (
        "sequence",
        instead(
            3, *20 * [BESIDE_ITSELF], {"type": "DepthToSpace", "size": 2**11}, {"type": "MaxPool2D", "size": 2**10}
        ),
        "memory for 268,435,456",
    ),
    "connections past layers nested 16 deep": ("sequence", lambda about, *_: within(about, skip_of, 16), "at most 8"),
    "10^4 shifts": (
        "shifted",
        lambda about, *_: layers(about)[0].update(shifts=[[0, 1]] * 10**4),
        "memory for 268,435,456",
    ),
    "networks nested 9 deep": ("dense", lambda about, *_: within(about, lambda network: network, 8), "at most 8 deep"),
    "shift averages nested 16 deep": ("dense", lambda about, *_: within(about, shifts_of, 16), "at most 8 deep"),
    "shift averages nested 40 deep": ("dense", lambda about, *_: within(about, shifts_of, 40), "nested too deeply"),
    "ensembles nested 200 deep": ("dense", lambda about, *_: within(about, ensemble_of, 200), "nested too deeply"),
    "10^4 layers": (
        "dense",
        lambda about, *_: layers(about).extend([{"type": "ReLU"}] * 10**4),
        "at most 10,000 layers",
    ),
    "a layer inside one of one's own": (
        "dense",
        lambda about, *_: layers(about).append({"type": "Own", "x": [{"y": {"type": "BatchNorm", "channels": 10**9}}]}),
        "the 749 numbers",
    ),
    # The record of the training.
    **{
        f"about {value!r}": (
            "dense",
            put("about", value),
            "expected as a JSON object",
        )
        for value in ([1], 3, "x", None)
    },
    "an accuracy that is text": (
        "dense",
        lambda about, *_: about["about"].update(test_accuracy="x"),
        "number from 0 to 1",
    ),
    "an accuracy of 7": (
        "dense",
        lambda about, *_: about["about"].update(validation_accuracy=7),
        "number from 0 to 1; got 7",
    ),
    "10^400 images": (
        "dense",
        lambda about, *_: about["about"].update(validation_images=10**400),
        "whole number from 0",
    ),
    "a rate of 10^400": (
        "dense",
        lambda about, *_: about["about"].update(learning_rate=10**400),
        "learning_rate is expe",
    ),
    "members nested 900 deep": (
        "dense",
        put("about", nested_members(400)),
        "nested too deeply",
    ),
    "other classes": ("dense", lambda about, *_: about["about"].update(classes=5), "5 classes; its network gives 4"),
    # The calibration.
    **{
        f"a temperature of {value!r}": (
            "convolutional",
            put("temperature", value),
            "(?i)temperature is expected",
        )
        for value in WRONG_TEMPERATURES
    },
    "a temperature without scores": (
        "dense",
        put("temperature", 1.0),
        "with conformal.evidence and",
    ),
    "one of two scores": (
        "convolutional",
        lambda _, header, __: header.update(x=header.pop("conformal.probability")),
        "temperature is expected as a number, with conformal.evidence and",
    ),
    "scores without a temperature": (
        "pooled",
        lambda about, *_: about.pop("temperature"),
        "expected with a temperature",
    ),
    **{
        f"evidence of shape {shape}": (
            "convolutional",
            tensor("conformal.evidence", shape=shape),
            r"(?i)scores .*expected|it is damaged",
        )
        for shape in ([3, 1], [1, 3], [], [0])
    },
    "no scores": (
        "convolutional",
        lambda _, header, __: [
            header[f"conformal.{name}"].update(shape=[0], data_offsets=[0, 0]) for name in ("evidence", "probability")
        ],
        "scores of at least 1 image|it is damaged",
    ),
    "scores that are not in order": (
        "convolutional",
        number("conformal.evidence", 9e9),
        "ascending order; evidence is not",
    ),
    "a score that is no number": (
        "convolutional",
        number("conformal.probability", np.nan),
        "conformal.probability is expected as finite",
    ),
    # The arrays.
    **{
        f"the type {dtype}": (
            "dense",
            tensor("1.bias", dtype=dtype),
            f"1.bias expects one of float16, .*; got {dtype}",
        )
        for dtype in ("I32", "U32")
    },
    **{
        f"the type {dtype}": (
            "pooled",
            tensor("3.bias", dtype=dtype, shape=shape),
            f"3.bias expects one of float16, .*; got {dtype}",
        )
        for dtype, shape in (("BF16", [4, 1]), ("F8_E4M3", [8]), ("F8_E5M2", [8]), ("C64", [1]))
    },
    "float64": (
        "pooled",
        lambda _, header, __: header["3.bias"].update(dtype="F64", shape=[1]),
        "3.bias expects float32 or float16; got float64",
    ),
    "another shape": (
        "dense",
        lambda _, header, __: header["1.bias"].update(shape=[1, 5]),
        r"1\.bias expects shape \(5, 1\); got \(1, 5\)",
    ),
    "no mean": ("convolutional", lambda _, header, __: header.update(x=header.pop("2.mean")), r"unknown: 2\.mean, x"),
    "a place outside": (
        "dense",
        lambda _, header, __: header["1.bias"].update(data_offsets=[0, 10**12]),
        "it is damaged or something else",
    ),
    **{
        f"a weight of {value}": (
            "dense",
            number("4.weight", value),
            "4.weight is expected as finite float32 numbers",
        )
        for value in (np.nan, np.inf, -np.inf)
    },
    "a frozen weight that is no number": (
        "pooled",
        number("0.1.weight", np.nan),
        "0.1.weight is expected as finite",
    ),
    "a mean that is no number": (
        "convolutional",
        number("2.mean", np.nan),
        "2.mean is expected as finite",
    ),
    "a negative variance": (
        "convolutional",
        number("4.1.variance", -1),
        "4.1.variance is expected from 0 on",
    ),
}


@pytest.mark.parametrize(("name", "change", "message"), DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_model_is_one_error(tmp_path: Path, name: str, change: Change, message: str) -> None:
    path = damaged(tmp_path / "m", name, change)
    tracemalloc.start()
    began = time.perf_counter()
    try:
        with pytest.raises(ModelError, match=message) as caught:
            Model.load(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert str(caught.value).startswith(str(path))
    assert peak < 20 * path.stat().st_size + 2**20
    assert time.perf_counter() - began < 5


def test_an_undamaged_model_is_loaded(tmp_path: Path) -> None:
    for name in ("dense", "convolutional", "pooled", "shifted", "sequence"):
        Model.load(damaged(tmp_path / "m", name, lambda *_: None)).predict(IMAGES)
    Model.load(damaged(tmp_path / "m", "convolutional", number("4.1.variance", 0))).predict(IMAGES)


@pytest.mark.parametrize("cut", [0, 3, 8, 200, 2000, -4])
def test_a_truncated_file_is_refused(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "m"
    path.write_bytes(model_files()["dense.safetensors"][:cut])
    with pytest.raises(ModelError, match="expected a Digitscope model"):
        Model.load(path)


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\x08\x08\x12\ndigitscope", "an ONNX model"),
        (b"PK\x03\x04" + bytes(20), r"a ZIP archive .*\.keras or PyTorch's \.pt"),
        (b"\x89HDF\r\n\x1a\n" + bytes(20), "an HDF5 file"),
        (b"\x80\x04\x95" + bytes(20), "a Python pickle"),
        (b'"""convnet: a network"""', "text"),
    ],
)
def test_a_model_of_another_program_is_named(head: bytes, kind: str, tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(head)
    with pytest.raises(ModelError, match=rf"expected a Digitscope model .*; this seems to be {kind}"):
        Model.load(tmp_path / "m")
    (tmp_path / "m.safetensors").write_bytes(head)
    with pytest.raises(ModelError, match=rf"expected weights of another program .*; this seems to be {kind}"):
        import_weights(tmp_path / "m.safetensors", "mlp")


@pytest.mark.parametrize("name", ["m.onnx", "m.keras", "m.PT", "m.pkl"])
def test_the_name_of_another_programs_file_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(model_files()["dense.safetensors"])
    with pytest.raises(ModelError, match=r"Give a name that ends with \.safetensors"):
        Model.load(tmp_path / "m").save(tmp_path / name)
    assert not (tmp_path / name).exists()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("convnt", r"^convnt is neither a file nor one of the bundled models best, convnet, reader\.$"),
        ("mlp", r"^mlp is neither .* It is a recipe; train it: digitscope train --recipe mlp\.$"),
    ],
)
def test_a_bare_name_lists_the_bundled_models(name: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        Model.load(name)


def test_json_that_is_nested_too_deeply_even_for_python(tmp_path: Path) -> None:
    header, body = split_tensors(model_files()["dense.safetensors"])
    header["__metadata__"]["digitscope"] = '{"kind": "model", "about": ' + "[" * 10**5 + "]" * 10**5 + "}"
    (tmp_path / "m").write_bytes(join_tensors(json.dumps(header), body))
    with pytest.raises(ModelError, match="nested too deeply"):
        Model.load(tmp_path / "m")


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(
        ModelError, match=r"nothing: expected a Digitscope model \(\.safetensors\); it does not exist\."
    ):
        Model.load(tmp_path / "nothing")
    with pytest.raises(ModelError, match="is a folder; a file is expected"):
        Model.load(tmp_path)
    (tmp_path / "model.safetensors").touch()
    with pytest.raises(ModelError, match=r"is a folder; a file is expected: .*model\.safetensors\.$"):
        Model.load(tmp_path)
    with pytest.raises(ModelError, match="cannot be opened"):
        Model.load(tmp_path / ("x" * 300))
    with pytest.raises(ModelError, match=r"cannot be opened|does not exist"):
        Model.load("nul\0")
    if sys.platform != "win32":
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(ModelError, match="not a regular file"):
            Model.load(tmp_path / "pipe")


@pytest.mark.skipif(sys.platform == "win32", reason="files are not sparse there")
def test_a_file_of_40_gb(tmp_path: Path) -> None:
    path = tmp_path / "m"
    path.write_bytes(b"")
    os.truncate(path, 40 << 30)
    with pytest.raises(ModelError, match="at most 4,294,967,296 bytes; it has 42,949,672,960"):
        Model.load(path)


INFO: dict[str, tuple[Any, str]] = {
    "an unknown key": ({"recipes": "mlp"}, "has the unknown key 'recipes'; known are recipe, seed"),
    "a recipe that is no text": ({"recipe": 3}, "recipe is expected as text; got 3"),
    "a negative seed": ({"seed": -1}, "seed is expected as a whole number from 0; got -1"),
    "half an epoch": ({"epochs": 1.5}, "epochs is expected as a whole number from 0; got 1.5"),
    "a truth value": ({"classes": True}, "classes is expected as a whole number"),
    "a rate that is text": ({"learning_rate": "fast"}, "learning_rate is expected as a number; got 'fast'"),
    "per cent": ({"test_accuracy": 99.5}, "test_accuracy is expected as a number from 0 to 1; got 99.5"),
    "members in an object": ({"members": {}}, "members is expected as a list"),
    "a member's seed": ({"members": [{"seed": "x"}]}, "seed is expected as a whole number"),
    "half a fine-tuning": ({"taught": [{"examples": 1}]}, "lacks labels, seed, evaluated_images"),
    "counts that are text": (
        {"taught": [{**FineTuning(1, {}, 0, 1, 1, 1).as_json(), "labels": {"1": "x"}}]},
        "count of the label 1",
    ),
}


@pytest.mark.parametrize(("content", "message"), INFO.values(), ids=INFO)
def test_a_damaged_record_of_the_training(tmp_path: Path, content: Any, message: str) -> None:
    path = damaged(tmp_path / "m", "dense", lambda about, *_: about.update(about=content))
    with pytest.raises(ModelError, match=message) as caught:
        Model.load(path)
    assert str(caught.value).startswith(str(path))


def model(*layers: Layer, shape: tuple[int, int] = (28, 28), info: TrainingInfo | None = None) -> Model:
    return Model(Network(*layers), SoftmaxCrossEntropy(), shape, info or TrainingInfo())


def test_weights_that_are_too_large_are_one_error_where_they_are_used(tmp_path: Path) -> None:
    def enlarge(_: Header, __: Header, arrays: dict[str, Array]) -> None:
        arrays["1.weight"][...] = 3e38
        arrays["7.weight"][...] = 3e38

    path = damaged(tmp_path / "m", "convolutional", enlarge)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loaded = Model.load(path)
        for use in (loaded.predict, loaded.predict_proba, loaded.answers, loaded.logits):
            with pytest.raises(ModelError, match="outputs are expected between -1e\\+30 and 1e\\+30"):
                use(IMAGES)


def test_a_model_from_python_is_as_strict(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="5 classes; its network gives 10 numbers"):
        model(Dense(784, 10), info=TrainingInfo(classes=5))
    with pytest.raises(ModelError, match="one number for each class"):
        model()
    with pytest.raises(DigitscopeError, match=r"Dense expects \(783, N\)"):
        model(Dense(783, 10))
    weak = model(Dense(784, 10))
    weak.network.params["0.weight"][0] = 70_000
    weak.save(tmp_path / "m")
    with pytest.raises(ModelError, match=r"0\.weight is expected as finite float16 numbers"):
        weak.save(tmp_path / "half", half=True)
    weak.network.params["0.weight"][0] = np.nan
    with pytest.raises(ModelError, match=r"0\.weight is expected as finite float32 numbers"):
        weak.save(tmp_path / "m2")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m"]


def test_one_byte_for_each_weight(tmp_path: Path) -> None:
    content = read_model(Path(digitscope.__file__).parent / "models" / "convnet.safetensors")
    write_model(tmp_path / "one", content, one_byte=True)
    write_model(tmp_path / "half", content, half=True)
    assert (tmp_path / "one").stat().st_size < 0.7 * (tmp_path / "half").stat().st_size
    again = read_model(tmp_path / "one")
    for name, array in content.network.params.items():
        step = np.abs(array).max() / 127 if array.ndim > 1 else 1e-3 * np.abs(array).max()
        np.testing.assert_allclose(again.network.params[name], array, rtol=0, atol=0.51 * step)
    write_model(tmp_path / "again", again, one_byte=True)
    assert (tmp_path / "again").read_bytes() == (tmp_path / "one").read_bytes()


def test_a_loss_of_ones_own_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    own = type("SoftmaxCrossEntropy", (SoftmaxCrossEntropy,), {})  # a model file would name another class by its name
    model = Model(Network(Dense(4, 3)), own(), (2, 2))
    with pytest.raises(ModelError, match=r"expects one of the losses SoftmaxCrossEntropy, .*; got the class"):
        model.save(tmp_path / "m.safetensors")
    assert not list(tmp_path.iterdir())
    replace(model, loss=SoftmaxCrossEntropy()).save(tmp_path / "m.safetensors")


def test_26_classes_without_info(tmp_path: Path) -> None:
    model(Dense(784, 26)).save(tmp_path / "letters.safetensors")
    letters = Model.load(tmp_path / "letters.safetensors")
    assert letters.classes == letters.answers(np.zeros((1, 28, 28), np.uint8))[0].probabilities.size == 26
    with pytest.raises(ModelError, match="a model of 10 digits; got 26 classes"):
        read(np.full((50, 50), 255, np.uint8), letters)


def test_a_network_without_biases_is_loaded(tmp_path: Path) -> None:
    plain = model(Reshape(1, 28, 28), Conv2D(1, 10, 5, bias=False), GlobalAveragePool2D())
    plain.save(tmp_path / "m")
    assert Model.load(tmp_path / "m").parameters == 250


def test_a_network_that_is_an_ensemble_is_loaded_as_one(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    both = Model(Ensemble(Dense(144, 4, rng=rng), Dense(144, 4, rng=rng)), SoftmaxCrossEntropy(), (12, 12))
    both.save(tmp_path / "m")
    np.testing.assert_array_equal(Model.load(tmp_path / "m").logits(IMAGES), both.logits(IMAGES))


def test_ensembles_of_ensembles_are_saved_as_far_as_they_can_be_loaded(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    block = Residual(Dense(144, 144, rng=rng), ReLU())
    nested = Model(Network(block, Dense(144, 4, rng=rng)), SoftmaxCrossEntropy(), (12, 12))
    for _ in range(3):
        nested = Model.ensemble([nested, nested])
        nested.save(tmp_path / "m")
        np.testing.assert_array_equal(Model.load(tmp_path / "m").logits(IMAGES), nested.logits(IMAGES))
    with pytest.raises(ModelError, match="at most 8 deep"):
        Model.ensemble([nested, nested]).save(tmp_path / "deeper")
    assert not (tmp_path / "deeper").exists()


def test_padding_in_20_layers_and_a_long_look_at_one_image_are_refused(tmp_path: Path) -> None:
    padded = model(Reshape(1, 28, 28), *[Conv2D(1, 1, 1, padding=500)] * 20, GlobalAveragePool2D(), Dense(1, 10))
    with pytest.raises(ModelError, match="memory for 268,435,456 numbers; it takes"):
        padded.save(tmp_path / "m")
    large = Reshape(1, 1 << 14, 1 << 13), GlobalAveragePool2D(), Dense(1, 10)  # as many outputs as pixels: 2^27
    with pytest.raises(ModelError, match="memory for 268,435,456 numbers; it takes"):
        model(*large, shape=(1 << 14, 1 << 13)).save(tmp_path / "m")
    wide = Network(Dense(784, 1000), Dense(1000, 1000), Dense(1000, 4))
    with pytest.raises(ModelError, match="may take 68,719,476,736 operations; it takes"):
        model(ShiftAverage(wide, 28, 28, [(0, 0)] * 38_000)).save(tmp_path / "m")


def test_windows_that_take_many_calls_are_refused(tmp_path: Path) -> None:
    large = (600, 500), Reshape(1, 300_000, 1)
    for (shape, *before), window in (
        (large, MaxPoolHeight(300_000)),
        (((100, 100), Reshape(1, 100, 100)), Conv2D(1, 1, 50, bias=False)),
    ):
        with pytest.raises(ModelError, match="memory for 268,435,456 numbers; it takes"):
            model(*before, window, GlobalAveragePool2D(), Dense(1, 10), shape=shape).save(tmp_path / "m")


def test_every_layer_with_arrays_of_its_own_is_counted_before_it_is_built(tmp_path: Path) -> None:
    counted = set()
    for name in model_files():
        network = Model.load(damaged(tmp_path / "m", name.removesuffix(".safetensors"), lambda *_: None)).network
        for _, layer in network.named_layers():
            arrays = (*layer.params.values(), *layer.statistics.values())
            if arrays and not layer.parts:
                config = layer.config()
                sizes = [config[size] for size in SIZES[type(layer).__name__]]
                assert np.prod(sizes) == max(array.size for array in arrays)
                counted.add(type(layer).__name__)
    assert counted == SIZES.keys()


def test_the_fuzzed_models_have_every_layer() -> None:
    text = b"".join(model_files().values()).decode("latin-1")
    assert [name for name in built_in_layers() if f'type\\": \\"{name}\\"' not in text] == []
