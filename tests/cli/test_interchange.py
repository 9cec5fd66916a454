"""digitscope export and digitscope import, as a user types them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from digitscope import DataSet, Model
from digitscope.cli.completion import complete_recipe_or_model

Digitscope = Callable[..., Any]  # see conftest.py
Files = Callable[[], list[str]]
HUB = "README.md", "config.json", "model.safetensors"


def test_export_tells_what_it_wrote(digitscope: Digitscope, in_folder: Files) -> None:
    onnx = digitscope("export", "convnet", "convnet.onnx")
    assert (onnx.status, onnx.err) == (0, "")
    size, *rest = onnx.out.splitlines()
    assert size == f"convnet.onnx: {Path('convnet.onnx').stat().st_size:,} bytes"
    assert rest == [
        "input: images, float32 (N, 28, 28), 0 (paper) to 1 (ink)",
        "outputs: logits, probabilities, label, evidence, is_digit, temperature",
    ]
    script = digitscope("export", "convnet", "convnet.py").out.splitlines()
    assert script[-1] == "run it: python convnet.py digits.npy"
    assert digitscope("export", "convnet", "hub").out.splitlines()[-1].startswith(f"{Path('hub/README.md')}: ")
    assert in_folder() == ["convnet.npz", "convnet.onnx", "convnet.py", *(f"hub/{name}" for name in HUB)]
    assert 'license: "mit"' in Path("hub/README.md").read_text(encoding="utf-8")
    own = digitscope("export", "hub/model.safetensors", "mine")
    assert own.out.splitlines()[-1].startswith("Choose a licence")
    assert 'license: "unknown"' in Path("mine/README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["convnet", "there.onnx"], "there.onnx exists already. Choose another name, or delete it."),
        (["convnet", "there.py"], "there.npz exists already. Choose another name, or delete it."),
        (["convnet", "x.h5"], "x.h5: a name that ends with .onnx or .py is expected, or one without an ending"),
        (["mlp", "x.onnx"], "mlp is neither a file nor one of the bundled models best, convnet, reader."),
        (["nothing.safetensors", "x.onnx"], "nothing.safetensors: expected a Digitscope model (.safetensors)"),
        (["convnet"], "Missing argument 'OUT'. See digitscope export --help."),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(
    digitscope: Digitscope, in_folder: Files, arguments: list[str], message: str
) -> None:
    for name in ("there.onnx", "there.npz"):
        Path(name).touch()
    answer = digitscope("export", *arguments)
    (line,) = answer.err.splitlines()
    assert answer.status == 2
    assert line.startswith(f"Error: {message}")
    assert in_folder() == ["there.npz", "there.onnx"]


def test_import_lists_which_tensor_became_what(digitscope: Digitscope, in_folder: Files, few: DataSet) -> None:
    network = Model.load("convnet").network
    tensors = {f"{name}.weight": network.params[f"{name}.weight"] for name in ("2", "6", "9", "13", "17")}
    names = {"scale": "weight", "shift": "bias", "mean": "running_mean", "variance": "running_var"}
    arrays = {**network.params, **network.statistics}
    tensors |= {f"{layer}.{names[own]}": arrays[f"{layer}.{own}"] for layer in (4, 7, 11, 14) for own in names}
    tensors["17.bias"] = network.params["17.bias"].reshape(-1)
    safetensors.numpy.save_file(tensors, "w.safetensors")
    answer = digitscope("import", "w.safetensors", "--like", "convnet")
    assert (answer.status, answer.err) == (0, "")
    heading, first, *_, last = answer.out.splitlines()
    assert heading.split() == ["PyTorch", "here", "shape"]
    assert first.split() == ["2.weight", "2.weight", "16", "x", "1", "x", "5", "x", "5"]
    assert last == "imported.safetensors: 38,714 parameters, accuracy not measured yet"
    images = few.x_train[:5]
    np.testing.assert_array_equal(
        Model.load("imported.safetensors").logits(images), Model.load("convnet").logits(images)
    )
    again = digitscope("import", "w.safetensors", "--like", "convnet")
    assert (again.status, again.out) == (2, "")
    assert again.err == "Error: imported.safetensors exists already. Choose another --out, or delete it.\n"
    other = digitscope("import", "w.safetensors", "--like", "mlp", "--out", "x.safetensors")
    assert other.err.startswith("Error: w.safetensors: 17.weight (10, 576) does not fit the weight of layer ")
    unknown = digitscope("import", "w.safetensors", "--like", "nothing", "--out", "x.safetensors")
    assert unknown.err.startswith("Error: nothing is neither a file nor one of the bundled models")
    named = digitscope("import", "w.safetensors", "--like", "convnet", "--out", "x.onnx")
    assert named.err.startswith("Error: x.onnx: --out expects a name that ends with .safetensors")
    assert in_folder() == ["imported.safetensors", "w.safetensors"]


def test_recipes_and_models_are_completed() -> None:
    from click import Command, Context, Option

    items = complete_recipe_or_model(Context(Command("import")), Option(["--like"]), "con")
    assert [item.value for item in items] == ["convnet"]
