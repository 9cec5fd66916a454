"""The room Draw: its routes."""

import base64
import io
import time
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from digitscope import explain
from digitscope.arrays import Array
from digitscope.datasets import DataSet, load_data
from digitscope.errors import DataError
from digitscope.explain.pixels import pixel_slopes
from digitscope.jobs.teach import TeachSettings
from digitscope.lab import taught_digits
from digitscope.lab.drawings import MOST_POINTS
from digitscope.lab.rooms import draw
from digitscope.lab.state import Lab
from digitscope.lab.taught_digits import TaughtDigits
from digitscope.model import Model
from digitscope.nn import (
    Conv1D,
    Dense,
    Flatten,
    FoldHeight,
    MaxPoolHeight,
    Network,
    Reshape,
    Skip,
    SoftmaxCrossEntropy,
    SpaceToDepth,
    SplitSteps,
    Upsample2D,
)
from digitscope.training_info import TrainingInfo
from tests.drawn import pen_strokes, strokes_json
from tests.lab.arrays import decoded


def base64_of(image: Array) -> str:
    return base64.b64encode(image.tobytes()).decode()


@pytest.fixture
def question(mnist: DataSet) -> dict[str, Any]:
    """A seven, drawn."""
    assert mnist.x_test is not None
    return {"model": "reader", "drawing": {"strokes": strokes_json(pen_strokes(mnist.x_test[0]))}}


def post(client: TestClient, path: str, question: dict[str, Any], **more: Any) -> Any:
    answer = client.post(f"/api/draw/{path}", json={**question, **more})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_answer_to_a_drawing(client: TestClient, question: dict[str, Any]) -> None:
    found = post(client, "answer", question)
    answer = found["answer"]
    assert (answer["digit"], answer["is_digit"], answer["plausible"]) == (7, True, [7])
    assert sum(answer["probabilities"]) == pytest.approx(1)
    assert answer["evidence"] > answer["threshold"]
    assert found["number"] is None
    assert [step["key"] for step in found["steps"]] == ["drawing", "strokes", "box", "image"]
    assert "picture" not in found["steps"][0]
    last = np.asarray(Image.open(io.BytesIO(base64.b64decode(found["steps"][-1]["picture"]))))
    image = decoded(found["image"])
    np.testing.assert_array_equal(last, image)
    model = Model.load("reader")
    np.testing.assert_allclose(answer["probabilities"], model.predict_proba(image[None])[0], rtol=1e-5)
    raw = decoded(found["unprepared"]["image"])
    assert raw.shape == (28, 28)
    np.testing.assert_allclose(
        found["unprepared"]["answer"]["probabilities"], model.predict_proba(raw[None])[0], rtol=1e-5
    )
    assert post(client, "answer", question) == found  # the same bits


def test_the_answer_to_an_image_is_the_models(client: TestClient, mnist: DataSet) -> None:
    image = mnist.x_train[3]
    found = post(client, "answer", {"model": "convnet", "drawing": {"image": base64_of(image)}})
    assert found["answer"]["digit"] == mnist.y_train[3]
    np.testing.assert_array_equal(decoded(found["image"]), image)


def test_several_digits_are_a_number(client: TestClient, mnist: DataSet) -> None:
    strokes = [
        stroke
        for place in range(2)
        for stroke in pen_strokes(mnist.x_train[place], scale=0.45, left=0.03 + 0.48 * place, top=0.3, width=0.035)
    ]
    found = post(client, "answer", {"model": "reader", "drawing": {"strokes": strokes_json(strokes)}})
    assert not found["answer"]["is_digit"]
    assert found["number"]["lines"] == ["50"]
    left, right = (digit["box"] for digit in found["number"]["digits"])
    for box, first in ((left, 0.03), (right, 0.51)):
        x = np.concatenate([s.points[:, 0] for s in strokes if first - 0.01 < s.points[:, 0].min() < first + 0.45])
        assert box[0] == pytest.approx(280 * (x.min() - 0.0175), abs=4)
        assert box[2] == pytest.approx(280 * (x.max() + 0.0175), abs=4)


def test_a_picture_is_prepared(client: TestClient, mnist: DataSet) -> None:
    page = Image.new("L", (240, 320), 235)
    page.paste(Image.fromarray(235 - (0.8 * mnist.x_train[0]).astype(np.uint8)).resize((112, 112)), (20, 180))
    file = io.BytesIO()
    page.save(file, "PNG")
    headers = {"content-type": "application/octet-stream"}
    answer = client.post("/api/draw/picture?name=five.png", content=file.getvalue(), headers=headers)
    assert answer.status_code == 200
    found = answer.json()
    assert found["answer"]["digit"] == 5
    keys = [step["key"] for step in found["steps"]]
    assert keys[0] == "picture"
    assert keys[-3:] == ["strokes", "box", "image"]
    assert all(step["picture"] for step in found["steps"])
    again = post(client, "answer", {"model": "convnet", "drawing": {"image": found["image"]["data"]}})
    assert again["answer"]["probabilities"] == pytest.approx(found["answer"]["probabilities"], rel=1e-4)
    for content in (b"", b"no picture", file.getvalue()[:200]):
        answer = client.post("/api/draw/picture", content=content, headers=headers)
        assert answer.status_code == 400
        assert answer.json()["error"]


def test_each_layer_is_what_explain_computes(client: TestClient, question: dict[str, Any]) -> None:
    layers = post(client, "layers", question)["layers"]
    image = decoded(post(client, "answer", question)["image"])
    expected = explain.activations(Model.load("reader"), image[None])
    assert [layer["name"] for layer in layers] == [str(k) for k in range(17)]
    for layer in layers:
        values = expected[layer["name"]][..., 0]
        assert layer["shape"] == list(values.shape)
        shown = (decoded(layer["values"]).astype(float) - 128) / 127 * layer["largest"]
        np.testing.assert_allclose(shown, values, atol=layer["largest"] / 250)


@pytest.mark.parametrize(("layer", "index"), [("1", (7, 10, 12)), ("8", (3, 4, 5)), ("14", (30, 1, 1)), ("16", (7,))])
def test_the_terms_of_a_unit_add_up(
    client: TestClient, question: dict[str, Any], layer: str, index: tuple[int, ...]
) -> None:
    unit = post(client, "unit", question, layer=layer, index=index)
    image = decoded(post(client, "answer", question)["image"])
    value = explain.activations(Model.load("reader"), image[None])[layer][(*index, 0)]
    assert unit["value"] == pytest.approx(float(value), rel=1e-6)
    assert not unit["off"]
    found = post(client, "terms", question, of=layer, index=[*index, 0], count=5)
    assert found["value"] == pytest.approx(unit["value"], rel=1e-4, abs=1e-5)
    assert found["total"] == pytest.approx(found["value"], rel=1e-9)
    if found["combine"] == "sum":
        assert sum(term["product"] for term in found["terms"]) + found["rest"] == pytest.approx(
            found["value"], rel=1e-9
        )
    asked = {factor["name"] for term in found["terms"] for factor in term["factors"] if factor["asked"]}
    assert all(name in ("input", *map(str, range(17))) for name in asked)


def test_a_units_weights_and_receptive_field(client: TestClient, question: dict[str, Any]) -> None:
    params = Model.load("reader").network.params
    kernel = post(client, "unit", question, layer="1", index=[7, 10, 12])
    assert kernel["field"] == [10, 12, 15, 17]
    np.testing.assert_array_equal(decoded(kernel["weights"]), params["1.weight"][7])
    dense = post(client, "unit", question, layer="16", index=[7])
    np.testing.assert_array_equal(decoded(dense["weights"]), params["16.weight"][7].reshape(80, 3, 3))
    assert dense["field"] == [0, 0, 28, 28]
    assert post(client, "unit", question, layer="4", index=[0, 0, 0])["weights"] is None


def test_the_images_that_excite_a_unit_are_found_beside_the_server(
    client: TestClient, question: dict[str, Any], mnist: DataSet
) -> None:
    assert mnist.x_test is not None
    asked = {"layer": "11", "index": [5, 2, 2]}
    assert post(client, "unit", question, **asked)["exciting"] is None
    deadline = time.monotonic() + 60
    while (exciting := post(client, "unit", question, **asked)["exciting"]) is None:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert len(exciting) == 9
    images = np.stack([decoded(one["image"]) for one in exciting])
    np.testing.assert_array_equal(images, mnist.x_test[[one["index"] for one in exciting]])
    maps = explain.activations(Model.load("reader"), images)["11"][5]
    np.testing.assert_allclose(maps.max(axis=(0, 1)), [one["value"] for one in exciting], rtol=1e-4)
    top, left, bottom, right = exciting[0]["field"]
    assert bottom - top >= 10
    assert right - left >= 10
    assert sorted((one["value"] for one in exciting), reverse=True) == [one["value"] for one in exciting]


def test_why_has_the_slopes_and_the_effect_of_each_stroke(client: TestClient, question: dict[str, Any]) -> None:
    found = post(client, "why", question)
    strokes = question["drawing"]["strokes"]
    assert found["digit"] == 7
    assert len(found["strokes"]) == len(strokes)
    slopes = decoded(found["slopes"])
    assert slopes.shape == (28, 28)
    expected = pixel_slopes(Model.load("reader"), decoded(found["image"]), 7, found["other"])
    np.testing.assert_allclose(slopes, expected, rtol=1e-4, atol=1e-6)
    compared = post(client, "why", question, digit=1, other=7)
    assert compared["margin"] < 0
    two = [strokes[0], {"points": [100, 900, 50, 140, 900, 50], "width": 60}]
    found = post(client, "why", {**question, "drawing": {"strokes": two}})
    without = post(client, "answer", {**question, "drawing": {"strokes": two[:1]}})
    assert found["strokes"][1]["digit"] == without["answer"]["digit"]
    pair = np.stack([decoded(found["image"]), decoded(without["image"])])
    whole, left = np.diff(Model.load("reader").logits(pair)[:, [found["other"], found["digit"]]], axis=1)[:, 0]
    assert found["margin"] == pytest.approx(float(whole), rel=1e-4)
    assert found["strokes"][1]["effect"] == pytest.approx(float(whole - left), rel=1e-3)
    assert found["strokes"][1]["probability"] == pytest.approx(max(without["answer"]["probabilities"]), rel=1e-5)


def test_damage_changes_the_answer_and_leaves_the_model(client: TestClient, question: dict[str, Any]) -> None:
    whole = post(client, "answer", question)
    noise = {"kind": "noise", "sigma": 3.0, "seed": 1}
    off = {"kind": "off", "layer": "16", "units": [7]}
    noisy, silent = (post(client, "answer", question, damage=[part]) for part in (noise, off))
    assert noisy["answer"]["probabilities"] != whole["answer"]["probabilities"]
    assert silent["answer"]["probabilities"][7] < 0.7 < whole["answer"]["probabilities"][7]
    assert post(client, "answer", question, damage=[noise]) == noisy
    assert post(client, "answer", question) == whole
    layers = {layer["name"]: layer for layer in post(client, "layers", question, damage=[off])["layers"]}
    assert decoded(layers["16"]["values"])[7] == 128
    unit = post(client, "unit", question, damage=[off], layer="16", index=[7])
    assert (unit["off"], unit["value"]) == (True, 0.0)
    before = post(client, "terms", question, damage=[off], of="16", index=[6, 0])
    assert before == post(client, "terms", question, of="16", index=[6, 0])
    blind = post(client, "terms", question, damage=[{"kind": "off", "layer": "15"}], of="16", index=[6, 0])
    assert blind["value"] == pytest.approx(float(Model.load("reader").network.params["16.bias"][6, 0]), rel=1e-6)


STROKE = {"points": [500, 200, 50, 500, 800, 50]}


@pytest.mark.parametrize(
    ("path", "changes", "message"),
    [
        ("answer", {"drawing": {}}, "Nothing is drawn"),
        ("answer", {"drawing": {"strokes": [{"points": [1, 2, 3, 4]}]}}, "x, y, pressure in turn"),
        ("answer", {"drawing": {"strokes": [{"points": []}]}}, "from 3 to"),
        ("answer", {"drawing": {"strokes": [{"points": [1, 2, 999_999]}]}}, "from 0 to 1000"),
        ("answer", {"drawing": {"strokes": [{"points": [1, 2, -(10**400)]}]}}, "from 0 to 1000"),
        ("answer", {"drawing": {"strokes": [{**STROKE, "width": 0}]}}, "width"),
        ("answer", {"drawing": {"strokes": [STROKE] * 201}}, "from 0 to 200"),
        ("answer", {"drawing": {"strokes": [{"points": [9] * 3 * 15_000}] * 2}}, f"at most {MOST_POINTS} points"),
        ("answer", {"drawing": {"image": "????"}}, "base64"),
        ("answer", {"drawing": {"image": "AAAA"}}, "28x28 pixels; got 3"),
        ("answer", {"drawing": {"image": "é" * 8}}, "base64"),
        ("answer", {"damage": [{"kind": "off", "layer": "99"}]}, "one of the layers"),
        ("answer", {"damage": [{"kind": "off", "layer": "1", "units": [20]}]}, "the units 0 to 19"),
        ("answer", {"damage": [{"kind": "noise", "sigma": 11}]}, "from 0 to 10"),
        ("answer", {"damage": [{"kind": "burn"}]}, "one of off, noise"),
        ("unit", {"layer": "99"}, "has no layer '99'"),
        ("unit", {"layer": "1", "index": [0]}, "the shape (20, 24, 24); got the index (0,)"),
        ("unit", {"layer": "1", "index": [0, 24, 0]}, "the shape"),
        ("unit", {"layer": "1", "index": [0, -1, 0]}, "from 0"),
        ("terms", {"of": "99"}, "expects of to be one of"),
        ("terms", {"of": "loss", "index": []}, "depends on the labels"),
        ("terms", {"of": "16", "index": [0]}, "the shape (10, 1)"),
        ("why", {"digit": 10}, "the digits 0 to 9; got 10"),
        ("layers", {"drawing": {}}, "Nothing is drawn"),
    ],
)
def test_bad_requests_are_refused_in_one_line(
    client: TestClient, path: str, changes: dict[str, Any], message: str
) -> None:
    question = {"model": "reader", "drawing": {"strokes": [STROKE]}, **changes}
    answer = client.post(f"/api/draw/{path}", json=question)
    assert answer.status_code == 400
    assert message in answer.json()["error"]


def test_an_unknown_model_is_not_found(client: TestClient) -> None:
    question = {"model": "nobody", "drawing": {"strokes": [STROKE]}}
    assert client.post("/api/draw/answer", json=question).status_code == 404


def test_a_network_of_one_layer_and_an_ensemble_are_seen_too(client: TestClient, lab: Lab, mnist: DataSet) -> None:
    seed = Model(Network(Dense(784, 10)), SoftmaxCrossEntropy(), (28, 28))
    both = Model.ensemble([seed, seed])
    for name in (lab.keep(seed, "own"), lab.keep(both, "own")):
        question = {"model": name, "drawing": {"image": base64_of(mnist.x_train[0])}}
        assert len(post(client, "why", question)["strokes"]) == 0
        layers = post(client, "layers", question)["layers"]
        first = post(client, "unit", question, layer=layers[0]["name"], index=[3])
        assert decoded(first["weights"]).shape == (1, 28, 28)


def test_the_steps_of_a_sequence_are_units_of_channels(client: TestClient, lab: Lab, mnist: DataSet) -> None:
    maps = Reshape(1, 28, 28), Skip(SpaceToDepth(2), Upsample2D(2)), MaxPoolHeight(14)
    network = Network(*maps, FoldHeight(), Conv1D(10, 6, 5), SplitSteps(3), Flatten(), Dense(168, 10))
    name = lab.keep(Model(network, SoftmaxCrossEntropy(), (28, 28)), "sequence")
    question = {"model": name, "drawing": {"image": base64_of(mnist.x_train[0])}}
    layers = {layer["name"]: layer for layer in post(client, "layers", question)["layers"]}
    assert [layers[key]["shape"] for key in ("1", "4", "5")] == [[5, 28, 28], [6, 28], [2, 84]]
    values = explain.activations(lab.model(name), mnist.x_train[:1])
    for layer, index in (("4", [5, 27]), ("5", [1, 83]), ("1", [4, 0, 27])):
        unit = post(client, "unit", question, layer=layer, index=index)
        assert unit["value"] == pytest.approx(float(values[layer][(*index, 0)]), rel=1e-6)
        assert (unit["weights"] is None) == (layer != "4")
        terms = post(client, "terms", question, of=layer, index=[*index, 0])
        assert terms["total"] == pytest.approx(terms["value"], rel=1e-9)
    weights = decoded(post(client, "unit", question, layer="4", index=[5, 0])["weights"])
    np.testing.assert_array_equal(weights[:, 0], network.params["4.weight"][5])
    off = [{"kind": "off", "layer": "4", "units": [5]}]
    assert post(client, "unit", question, layer="4", index=[5, 3], damage=off)["value"] == 0


def finished(client: TestClient) -> dict[str, Any]:
    deadline = time.monotonic() + 120
    while (state := client.get("/api/draw/lesson").json())["status"] == "running":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return dict(state)


def test_a_digit_is_taught_beside_the_server_and_forgotten_again(
    client: TestClient, lab: Lab, small: Model, mnist: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert mnist.x_test is not None
    assert mnist.y_test is not None
    monkeypatch.setattr(draw, "SETTINGS", TeachSettings(rehearsed_images=3000))
    former = lab.keep(small, "small")
    assert client.get("/api/draw/lesson").json() == {"status": "none"}
    assert client.get("/api/draw/taught/file?form=csv").status_code == 404
    wrong = np.flatnonzero(small.predict(mnist.x_test) != mnist.y_test)[:2]
    for n, number in enumerate(wrong, 1):
        request = {"model": former, "drawing": {"image": base64_of(mnist.x_test[number])}}
        label = int(mnist.y_test[number])
        began = client.post("/api/draw/teach", json={**request, "label": label})
        assert began.json() == {"lesson": n, "status": "running", "share": 0.0}
        state = finished(client)
        assert (state["lesson"], state["status"], state["problem"]) == (n, "done", None)
        assert (state["former"], state["label"]) == (former, label)
        assert np.argmax(state["before"]) == lab.model(former).predict(mnist.x_test[[number]])[0]
        assert np.argmax(state["after"]) == label
        taught = lab.model(state["model"])
        assert post(client, "answer", {**request, "model": state["model"]})["answer"]["digit"] == label
        for model, count in ((lab.model(former), state["test_correct_before"]), (taught, state["test_correct_after"])):
            assert (model.predict(mnist.x_test) == mnist.y_test).sum() == count
        assert state["test_images"] == 10_000
        former = state["model"]
    kept = client.get("/api/draw/taught").json()
    assert kept["count"] == 2
    np.testing.assert_array_equal(decoded(kept["newest"]["images"]), mnist.x_test[wrong])
    # Both digits: the second lesson rehearsed the first.
    np.testing.assert_array_equal(lab.model(former).predict(mnist.x_test[wrong]), mnist.y_test[wrong])
    table = load_data(lab.folder / "taught-digits.csv")
    np.testing.assert_array_equal(table.x_train, mnist.x_test[wrong])
    for form, load in (("csv", None), ("idx", "idx"), ("png", "png")):
        answer = client.get(f"/api/draw/taught/file?form={form}")
        assert answer.status_code == 200
        path = tmp_path / "taught.csv"
        path.write_bytes(answer.content)
        if load:
            path = tmp_path / load
            with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
                archive.extractall(path)
        data = load_data(path)
        assert sorted(data.y_train.tolist()) == sorted(mnist.y_test[wrong].tolist())
        assert {image.tobytes() for image in data.x_train} == {image.tobytes() for image in mnist.x_test[wrong]}
    first = {"image": base64_of(mnist.x_test[wrong[0]])}
    assert client.post("/api/draw/taught/forget", json=first).json()["count"] == 1
    assert client.post("/api/draw/taught/forget", json={}).json()["count"] == 0
    assert not (lab.folder / "taught-digits.csv").exists()


def test_a_digit_that_cannot_be_learned_changes_nothing(
    client: TestClient, lab: Lab, small: Model, mnist: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(draw, "SETTINGS", TeachSettings(rehearsed_images=2000, example_share=0.001, rounds=1))
    request = {"model": lab.keep(small, "small"), "drawing": {"image": base64_of(mnist.x_train[1])}, "label": 1}
    client.post("/api/draw/teach", json=request)
    state = finished(client)
    assert (state["status"], state["problem"], state["model"]) == ("done", "not_learned", None)
    models = [model["name"] for model in client.get("/api/models").json()["models"]]
    assert not any(name.startswith("taught") for name in models)


def test_there_is_one_lesson_at_a_time_and_it_can_be_cancelled(
    client: TestClient, lab: Lab, question: dict[str, Any]
) -> None:
    assert client.post("/api/draw/teach", json={**question, "label": 1}).json()["status"] == "running"
    assert client.post("/api/draw/teach", json={**question, "label": 2}).status_code == 409
    assert client.post("/api/draw/lesson/cancel", json={}).json() == {"lesson": 1, "status": "none"}
    assert client.post("/api/draw/lesson/cancel", json={}).status_code == 200
    time.sleep(0.3)
    assert finished(client) == {"lesson": 1, "status": "none"}
    refused = client.post("/api/draw/teach", json={**question, "label": 10})
    assert refused.status_code == 400
    assert "the digits 0 to 9; got 10" in refused.json()["error"]


def test_a_model_of_other_data_is_not_taught(client: TestClient, lab: Lab, small: Model, mnist: DataSet) -> None:
    other = lab.keep(replace(small, info=TrainingInfo(data="mine", data_digest="00000000")), "small")
    request = {"model": other, "drawing": {"image": base64_of(mnist.x_train[1])}, "label": 1}
    client.post("/api/draw/teach", json=request)
    state = finished(client)
    assert state["status"] == "failed"
    assert "learned from mine" in state["error"]


def test_damaged_and_too_many_taught_digits(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digits = TaughtDigits(tmp_path / "digits.csv")
    images = np.random.default_rng(0).integers(0, 255, (3, 28, 28), np.uint8)
    for label, image in enumerate(images):
        digits.add(image, label)
    digits.add(images[0], 9)
    assert digits.all()[1].tolist() == [1, 2, 9]
    monkeypatch.setattr(taught_digits, "MOST", 3)
    digits.add(images[1], 5)
    with pytest.raises(DataError, match="3 taught digits at most"):
        digits.add(255 - images[1], 5)
    (tmp_path / "digits.csv").write_text("label,pixel0\n1,x\n")
    with pytest.raises(DataError, match=r"digits\.csv"):
        digits.all()
