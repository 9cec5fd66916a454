"""The folder in Hugging Face's layout: a card whose head is YAML, a config, and the model."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from digitscope import DataSet, DigitscopeError, Model
from digitscope.calibration import Calibration
from digitscope.interchange import export_model
from digitscope.metrics import wilson_interval
from digitscope.nn import Dense, Network, SoftmaxCrossEntropy
from digitscope.training_info import FineTuning, TrainingInfo
from tests.interchange.models import ODD


def card(model: Model, folder: Path, **options: Any) -> tuple[dict[str, Any], str]:
    """The head and the page of the card that is written."""
    export_model(model, folder, **options)
    _, head, page = (folder / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    return yaml.safe_load(head), page


def test_the_card_has_figures_interval_data_and_licence(tmp_path: Path) -> None:
    head, page = card(Model.load("convnet"), tmp_path / "my convnet", licence="mit")
    assert head["license"] == "mit"
    assert (head["library_name"], head["pipeline_tag"]) == ("digitscope", "image-classification")
    assert head["datasets"] == ["ylecun/mnist"]
    (entry,) = head["model-index"]
    test, validation = entry["results"]
    assert entry["name"] == "my convnet"
    assert test["dataset"] == {"type": "ylecun/mnist", "name": "MNIST", "split": "test"}
    (metric,) = test["metrics"]
    low, high = wilson_interval(0.9959, 10_000)
    assert (metric["type"], metric["value"]) == ("accuracy", 0.9959)
    assert metric["name"] == f"Accuracy, 95 % interval {low:.4f} to {high:.4f}"
    assert validation["metrics"][0]["value"] == 0.9958
    assert "| test | 10,000 | 99.59 % | 99.44 to 99.70 % |" in page
    assert "temperature 0.5523" in page
    assert "CC BY-SA 3.0" in page
    assert "- recipe: convnet" in page


def test_the_folder_holds_the_model(few: DataSet, tmp_path: Path) -> None:
    model = Model.load("reader")
    files = export_model(model, tmp_path / "hub")
    assert sorted(path.name for path in files) == ["README.md", "config.json", "model.safetensors"]
    same = Model.load(tmp_path / "hub" / "model.safetensors")
    np.testing.assert_array_equal(same.logits(few.x_train[:5]), model.logits(few.x_train[:5]))
    config = json.loads((tmp_path / "hub" / "config.json").read_text(encoding="utf-8"))
    assert config["model_type"] == "digitscope"
    assert (config["image_size"], config["id2label"]["7"]) == ([28, 28], "7")
    assert config["network"] == model.network.config()
    assert model.calibration is not None
    assert config["temperature"] == model.calibration.temperature


def test_a_model_that_knows_little_of_itself(tmp_path: Path) -> None:
    head, page = card(replace(ODD["odd"], calibration=None), tmp_path / "hub")
    assert head["license"] == "unknown"
    assert head.keys() & {"datasets", "model-index"} == set()
    for text in ("has no accuracy", "not calibrated", "does not say", "Not known.", "Not chosen yet"):
        assert text in page


@pytest.mark.parametrize(("side", "box"), [(28, "20x20"), (8, "6x6")])
def test_the_preparation_is_told_for_images_of_this_size(side: int, box: str, tmp_path: Path) -> None:
    model = Model(Network(Dense(side * side, 10)), SoftmaxCrossEntropy(), (side, side))
    assert f"a box of {box} pixels" in card(model, tmp_path / "hub")[1]


def test_a_calibration_on_few_images_has_no_threshold(tmp_path: Path) -> None:
    few_scores = np.linspace(0.1, 1, 20, dtype=np.float32)
    model = replace(ODD["odd"], calibration=Calibration(2.0, few_scores, few_scores))
    _, page = card(model, tmp_path / "hub")
    assert "temperature 2 before" in page
    assert "has no threshold" in page
    assert json.loads((tmp_path / "hub" / "config.json").read_text(encoding="utf-8"))["evidence_threshold"] is None


def test_names_and_data_of_any_kind_stay_yaml(tmp_path: Path) -> None:
    lesson = FineTuning(3, {"7": 3}, 0, 500, 0.99, 0.98)
    info = TrainingInfo(data='my: "data" #1', validation_accuracy=0.9, validation_images=50, test_accuracy=0.8)
    model = replace(Model.load("convnet"), info=replace(info, taught=(lesson,)))
    head, page = card(model, tmp_path / "a - b #c")
    results = head["model-index"][0]["results"]
    assert [result["dataset"]["name"] for result in results] == 3 * ['my: "data" #1']
    assert [result["metrics"][0]["value"] for result in results] == [0.8, 0.9, 0.98]
    assert "| test | not known | 80.00 % | not known |" in page
    assert "- fine-tuned on 3 examples" in page


def test_a_clone_of_an_empty_repository_is_filled_and_nothing_is_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "v1.0"
    folder.mkdir()
    (folder / ".gitattributes").touch()
    export_model(Model.load("convnet"), folder)
    before = {path: path.read_bytes() for path in folder.iterdir()}
    assert len(before) == 4
    (folder / "model.safetensors").unlink()
    del before[folder / "model.safetensors"]
    with pytest.raises(DigitscopeError, match="exists already"):
        export_model(Model.load("convnet"), folder)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_a_failure_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, content: bytes) -> None:
        raise DigitscopeError(f"{path} cannot be written: No space left on device.")

    monkeypatch.setattr("digitscope.interchange.model_export.write_atomic", full)
    with pytest.raises(DigitscopeError, match="No space left"):
        export_model(Model.load("convnet"), tmp_path)
    with pytest.raises(DigitscopeError, match="No space left"):
        export_model(Model.load("convnet"), tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["x.txt", "x.safetensors", "x.onnx.gz"])
def test_another_ending_is_an_error(name: str, tmp_path: Path) -> None:
    with pytest.raises(DigitscopeError, match=r"a name that ends with \.onnx or \.py is expected"):
        export_model(Model.load("convnet"), tmp_path / name)
