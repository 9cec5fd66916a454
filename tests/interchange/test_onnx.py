"""onnxruntime computes what Digitscope computes, for every recipe, bundled model and layer."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from digitscope import DataSet, DigitscopeError, Model, Network
from digitscope.bundled import SHIPPED
from digitscope.errors import ModelError
from digitscope.interchange import export_model
from digitscope.interchange.onnx_graph import OUTPUTS, onnx_bytes
from digitscope.nn import Dense, Layer, SoftmaxCrossEntropy
from digitscope.nn.layer import built_in_layers
from digitscope.recipes import RECIPES
from tests.interchange.models import ODD, recipe_model

TOLERANCE = 1e-5


def run(content: bytes, images: Any) -> dict[str, Any]:
    """The outputs of an ONNX file for images, uint8 (N, H, W)."""
    session = onnxruntime.InferenceSession(content)
    assert [put.name for put in session.get_outputs()] == list(OUTPUTS)
    return dict(zip(OUTPUTS, session.run(None, {"images": images.astype(np.float32) / 255}), strict=True))


def check(model: Model, images: Any) -> None:
    outputs = run(onnx_bytes(model), images)
    logits = model.logits(images)
    np.testing.assert_allclose(outputs["logits"], logits, atol=TOLERANCE * max(1, np.abs(logits).max()))
    np.testing.assert_allclose(outputs["probabilities"], model.predict_proba(images), atol=TOLERANCE)
    answers = model.answers_from_logits(outputs["logits"])
    np.testing.assert_allclose(outputs["evidence"], [answer.evidence for answer in answers], rtol=TOLERANCE)
    assert outputs["label"].tolist() == [answer.digit for answer in answers]
    assert outputs["is_digit"].tolist() == [answer.is_digit for answer in answers]
    assert outputs["temperature"] == np.float32(model.calibration.temperature if model.calibration else 1)


@pytest.mark.parametrize("name", SHIPPED)
def test_the_bundled_models(name: str, few: DataSet) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (4, 28, 28), dtype=np.uint8)
    blank = np.zeros((1, 28, 28), np.uint8)
    check(Model.load(name), np.concatenate([few.x_train[:8], noise, blank]))


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe(name: str, few: DataSet) -> None:
    check(recipe_model(name), few.x_train[:3])


@pytest.mark.parametrize("name", ODD)
def test_layers_with_other_settings(name: str) -> None:
    check(ODD[name], np.random.default_rng(0).integers(0, 256, (5, 12, 10), dtype=np.uint8))


def test_every_layer_is_among_them() -> None:
    layers = [layer for model in ODD.values() for _, layer in model.network.named_layers()]
    assert {type(layer).__name__ for layer in layers} == built_in_layers().keys()


def test_any_number_of_images(few: DataSet) -> None:
    content = onnx_bytes(recipe_model("fast"))
    all_at_once = run(content, few.x_train[:7])["logits"]
    alone = np.concatenate([run(content, few.x_train[i : i + 1])["logits"] for i in range(7)])
    np.testing.assert_allclose(alone, all_at_once, atol=TOLERANCE)


def test_the_file_tells_its_versions_and_facts() -> None:
    model = Model.load("reader")
    content = onnx_bytes(model)
    assert content == onnx_bytes(model)
    proto = onnx.load_from_string(content)
    assert (proto.ir_version, [(part.domain, part.version) for part in proto.opset_import]) == (8, [("", 17)])
    assert proto.producer_name == "digitscope"
    facts = {entry.key: entry.value for entry in proto.metadata_props}
    assert facts["classes"] == "0,1,2,3,4,5,6,7,8,9"
    assert facts["image_shape"] == "28,28"
    assert facts["test_accuracy"] == "99.62 % of 10,000 test images (95 % interval 99.48 to 99.72 %)"
    assert float(facts["evidence_threshold"]) == pytest.approx(0.3826, abs=1e-4)
    assert "uint8 / 255" in facts["preprocessing"]
    names = {array.name for array in proto.graph.initializer}
    assert {*model.network.params, *model.network.statistics} <= names


def test_without_the_package_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(DigitscopeError, match=r"pip install 'digitscope\[onnx\]'"):
        export_model(Model.load("convnet"), tmp_path / "x.onnx")
    assert list(tmp_path.iterdir()) == []


class Twice(Layer):
    """y = 2 x"""

    def forward(self, x: Any, **options: Any) -> Any:
        return 2 * x, lambda dy: (2 * dy, {})


@pytest.mark.parametrize("name", ["x.onnx", "x.py"])
def test_a_layer_of_ones_own_is_named(name: str, tmp_path: Path) -> None:
    model = Model(Network(Dense(6, 3), Twice()), SoftmaxCrossEntropy(), (2, 3))
    with pytest.raises(ModelError, match=r"1\"? is a layer of your own, Twice"):
        export_model(model, tmp_path / name)
    assert list(tmp_path.iterdir()) == []
