"""The routes of Explore: numbers against digitscope's own, and what is refused."""

import base64
import io
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from starlette.testclient import TestClient

from digitscope import Model, Network, explain, metrics, nn
from digitscope.datasets import DataSet
from digitscope.jobs.exploration import evenly_spaced
from digitscope.jobs.robustness import measure_corruptions
from digitscope.jobs.timeline import Experiment, Timeline
from digitscope.lab.app import application
from digitscope.lab.rooms import explore
from digitscope.lab.state import Lab
from digitscope.projections import (
    circular_frame,
    dragged_frame,
    facing_frame,
    frames_between,
    principal_components,
    tour_frames,
)
from digitscope.report.samples import captioned_sheet
from tests.lab.arrays import decoded

Array = npt.NDArray[Any]


def get(client: TestClient, path: str, **query: Any) -> Any:
    """The answer, asked for until it is ready."""
    for _ in range(400):
        reply = client.get(f"/api/explore/{path}", params=query)
        assert reply.status_code == 200, reply.text
        if reply.headers["content-type"] != "application/json":
            return reply
        found = reply.json()
        if found.get("state") != "working":
            return found
        assert 0 <= found["done"] <= 1
    raise AssertionError(f"{path} is never ready.")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> TestClient:
    """One lab for all tests of this file, so that the test images are read once."""
    return TestClient(application(Lab(tmp_path_factory.mktemp("explore") / "lab", "convnet"), ["testserver"]))


@pytest.fixture(scope="module")
def model() -> Model:
    return Model.load("convnet")


@pytest.fixture(scope="module")
def test_images(mnist: DataSet) -> Array:
    assert mnist.x_test is not None
    return mnist.x_test


@pytest.fixture(scope="module")
def labels(mnist: DataSet) -> Array:
    assert mnist.y_test is not None
    return mnist.y_test


@pytest.fixture(scope="module")
def probabilities(model: Model, test_images: Array) -> Array:
    return model.predict_proba(test_images)


def test_the_summary_is_the_evaluation(client: TestClient, probabilities: Array, labels: Array) -> None:
    found = get(client, "summary", model="convnet")
    expected = metrics.Evaluation.of(labels, probabilities)
    assert (found["images"], found["accuracy"]) == (10_000, expected.accuracy)
    assert found["interval"] == list(expected.interval)
    assert found["confusion"] == expected.confusion.tolist()
    assert found["mistakes"] == 10_000 - np.trace(expected.confusion)
    assert found["most_confused"] == [list(mistake) for mistake in metrics.most_confused(expected.confusion, 5)]
    assert found["negative_log_likelihood"] == expected.negative_log_likelihood
    assert found["brier_score"] == expected.brier_score
    np.testing.assert_array_equal(found["precision"], expected.precision)
    np.testing.assert_array_equal(found["recall"], expected.recall)
    reliability, bins = expected.reliability, found["reliability"]
    assert bins["counts"] == reliability.counts.tolist()
    assert bins["error"] == reliability.expected_calibration_error
    for name in ("confidence", "accuracy"):
        values = getattr(reliability, name)
        assert bins[name] == [None if np.isnan(value) else value for value in values]
    assert bins["intervals"][-1] == list(metrics.wilson_interval(reliability.accuracy[-1], reliability.counts[-1]))
    assert bins["intervals"][0] is None
    assert found["notice"] is None


def test_the_images_behind_a_cell(client: TestClient, test_images: Array, probabilities: Array, labels: Array) -> None:
    answers = probabilities.argmax(axis=1)
    found = get(client, "images", model="convnet", kind="cell", label=4, answer=9)
    expected = np.flatnonzero((labels == 4) & (answers == 9))
    assert found["total"] == len(expected) > 2
    assert {image["index"] for image in found["images"]} == set(expected.tolist())
    for image in found["images"]:
        p = probabilities[image["index"]]
        assert (image["label"], image["answer"]) == (4, 9)
        assert (image["confidence"], image["label_probability"]) == (p[9], p[4])
    confidences = [image["confidence"] for image in found["images"]]
    assert confidences == sorted(confidences, reverse=True)
    rest = get(client, "images", model="convnet", kind="cell", label=4, answer=9, offset=2, count=1)
    assert rest == {**found, "images": found["images"][2:3]}
    one = get(client, "image", model="convnet", index=expected[0])
    assert one["probabilities"] == probabilities[expected[0]].tolist()
    assert base64.b64decode(one["pixels"]) == test_images[expected[0]].tobytes()


def test_all_mistakes_and_the_images_of_a_bin(client: TestClient, probabilities: Array, labels: Array) -> None:
    wrong = probabilities.argmax(axis=1) != labels
    mistakes = get(client, "images", model="convnet", kind="mistakes", count=200)
    assert {image["index"] for image in mistakes["images"]} == set(np.flatnonzero(wrong).tolist())
    confidence = probabilities.max(axis=1)
    inside = metrics.confidence_bins(confidence) == 12
    images = get(client, "images", model="convnet", kind="bin", bin=12, count=200)["images"]
    assert {image["index"] for image in images} == set(np.flatnonzero(inside).tolist())
    rights = [image["label"] == image["answer"] for image in images]
    assert rights == sorted(rights)


def test_sheets_are_ink_on_transparent_paper(client: TestClient, test_images: Array) -> None:
    sheet = Image.open(io.BytesIO(get(client, "sheet", images="5,0,9999", columns=2).content))
    ink, opacity = np.moveaxis(np.asarray(sheet), 2, 0)
    assert not ink.any()
    for place, index in enumerate((5, 0, 9999)):
        top, left = 28 * (place // 2), 28 * (place % 2)
        np.testing.assert_array_equal(opacity[top : top + 28, left : left + 28], test_images[index])
    assert not opacity[28:, 28:].any()
    sample = np.asarray(Image.open(io.BytesIO(get(client, "sheet", sample=100, columns=10).content)))[..., 1]
    index = evenly_spaced(10_000, 100)[57]
    np.testing.assert_array_equal(sample[28 * 5 : 28 * 6, 28 * 7 : 28 * 8], test_images[index])


def test_mistakes_to_keep(client: TestClient, test_images: Array, probabilities: Array, labels: Array) -> None:
    table = get(client, "mistakes.csv", model="convnet")
    assert table.headers["content-type"].startswith("text/csv")
    lines = table.text.splitlines()
    answers, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    wrong = np.flatnonzero(answers != labels)
    assert lines[0] == "index,label,answer," + ",".join(f"p{k}" for k in range(10))
    assert {int(line.partition(",")[0]) for line in lines[1:]} == set(wrong.tolist())
    picture = Image.open(io.BytesIO(get(client, "mistakes.png", model="convnet").content))
    wrong = wrong[np.argsort(-confidence[wrong], kind="stable")]
    expected = captioned_sheet(test_images[wrong], [f"{labels[i]} → {answers[i]}" for i in wrong])
    np.testing.assert_array_equal(np.asarray(picture), expected)


def test_robustness_is_measured_when_it_is_asked_for(
    client: TestClient, model: Model, test_images: Array, labels: Array
) -> None:
    assert get(client, "corruptions", model="convnet", images=100) == {"state": "absent"}
    started = client.post("/api/explore/corruptions", json={"model": "convnet", "images": 100}).json()
    assert started["state"] in ("working", "ready")
    found = get(client, "corruptions", model="convnet", images=100)
    sample = evenly_spaced(10_000, 100)
    results, pictures = measure_corruptions(model, test_images[sample], labels[sample], 1, 0, iter)
    assert found["images"] == 100
    assert found["corruptions"] == {name: result.as_json() for name, result in results.items()}
    np.testing.assert_array_equal(decoded(found["samples"]), pictures)
    assert found["clean"]["accuracy"] == (model.predict(test_images[sample]) == labels[sample]).mean()


def test_layers_in_their_principal_components(
    client: TestClient, model: Model, test_images: Array, labels: Array, probabilities: Array
) -> None:
    layers = get(client, "layers", model="convnet")["layers"]
    assert layers[0] == {"name": "input", "text": "", "shape": [28, 28], "most": 21399}
    assert layers[-1]["name"] == "17"
    found = get(client, "components", model="convnet", layer="15", images=200)
    sample = evenly_spaced(10_000, 200)
    points = explain.activations(model, test_images[sample])["15"].reshape(-1, 200).T
    expected = principal_components(points, 10)
    np.testing.assert_allclose(found["explained"], expected.explained, rtol=1e-4)
    coordinates = decoded(found["coordinates"])
    np.testing.assert_allclose(coordinates[:, :3], expected.coordinates[:, :3], rtol=1e-2, atol=1e-2)
    np.testing.assert_array_equal(decoded(found["sample"]), sample)
    np.testing.assert_array_equal(decoded(found["labels"]), labels[sample])
    np.testing.assert_array_equal(decoded(found["answers"]), probabilities[sample].argmax(axis=1))
    assert found["dimensions"] == points.shape[1]
    assert 0.9 < found["same_neighbour"] <= 1
    assert get(client, "components", model="convnet", images=200)["same_neighbour"] < found["same_neighbour"]


def test_the_tour(client: TestClient, model: Model, test_images: Array, probabilities: Array) -> None:
    found = get(client, "tour", model="convnet", space="probabilities", images=300)
    sample = evenly_spaced(10_000, 300)
    np.testing.assert_array_equal(decoded(found["points"]), probabilities[sample])
    logits = decoded(get(client, "tour", model="convnet", images=300)["points"])
    own = model.logits(test_images[sample])
    centred = own - own.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(logits, centred * (logits[0, 0] / centred[0, 0]), atol=1e-5)
    frame = found["frame"]
    np.testing.assert_allclose(frame, circular_frame(10), atol=1e-15)
    part = client.post("/api/explore/tour/frames", json={"frame": frame, "start": 2, "seconds": 1, "frames": 30}).json()
    np.testing.assert_allclose(
        decoded(part["frames"]), tour_frames(frame, start=2, seconds=1, frames=30), rtol=1e-6, atol=1e-7
    )
    dragged = client.post("/api/explore/tour/drag", json={"frame": frame, "axis": 4, "x": 0.3, "y": -0.2}).json()
    body = {"frame": dragged["frame"], "axis": 5, "x": 0.1, "y": 0.2, "centred": True}
    again = np.array(client.post("/api/explore/tour/drag", json=body).json()["frame"])
    np.testing.assert_allclose(again[5] - again.mean(axis=0), [0.1, 0.2], atol=1e-12)
    np.testing.assert_allclose(dragged["frame"], dragged_frame(frame, 4, (0.3, -0.2)), atol=1e-15)
    body = {"frame": dragged["frame"], "to": "facing", "first": 4, "second": 9, "frames": 10}
    turned = client.post("/api/explore/tour/turn", json=body).json()
    np.testing.assert_array_equal(turned["frame"], facing_frame(10, 4, 9))
    way = frames_between(dragged["frame"], facing_frame(10, 4, 9), 10)
    np.testing.assert_allclose(decoded(turned["frames"]), way, atol=1e-6)
    circle = client.post("/api/explore/tour/turn", json={"frame": frame, "to": "circle"}).json()
    np.testing.assert_allclose(circle["frame"], circular_frame(10))


def test_the_tour_through_a_training(tmp_path: Path, test_images: Array, labels: Array) -> None:
    lab = Lab(tmp_path / "lab", "convnet")
    client = TestClient(application(lab, ["testserver"]))
    assert client.get("/api/explore/moments").json() == {"moments": 0}
    assert client.get("/api/explore/training").status_code == 404
    timeline = Timeline.begin(lab.folder / "training" / "3", Experiment("seed", images=600, batch_size=50, epochs=2))
    expected = []
    sample = evenly_spaced(10_000, 200)
    for step in (0, 5, 17):
        for _ in timeline.go(0, step, threads=1):
            pass
        timeline.save()
        expected.append(timeline.model().network.forward(nn.to_batch(test_images[sample]))[0].T)
    timeline.write_state({})
    assert client.get("/api/explore/moments").json() == {"moments": 3}
    found = get(client, "training", images=200)
    assert found["epochs"] == [step / timeline.batches for step in (0, 5, 17)]
    logits = np.array(expected)
    centred = logits - logits.mean(axis=2, keepdims=True)
    points = decoded(found["points"])
    np.testing.assert_allclose(points, centred * (points[0, 0, 0] / centred[0, 0, 0]), atol=1e-5)
    answers = decoded(found["answers"])
    np.testing.assert_array_equal(answers, logits.argmax(axis=2))
    assert found["accuracies"] == [(row == labels[sample]).mean() for row in answers]
    probabilities = decoded(get(client, "training", images=200, space="probabilities")["points"])
    np.testing.assert_allclose(probabilities.sum(axis=2), 1, rtol=1e-5)
    np.testing.assert_array_equal(probabilities.max(axis=2), decoded(found["confidence"]))
    timeline.close()


def test_two_models_image_by_image(client: TestClient, test_images: Array, labels: Array, probabilities: Array) -> None:
    found = get(client, "compare", first="convnet", second="reader")
    first = probabilities.argmax(axis=1) == labels
    second = Model.load("reader").predict(test_images) == labels
    parts = {"both": first & second, "only_first": first & ~second, "only_second": ~first & second}
    parts["neither"] = ~first & ~second
    assert found["parts"] == {name: int(part.sum()) for name, part in parts.items()}
    assert found["p"] == metrics.mcnemar_p(found["parts"]["only_first"], found["parts"]["only_second"])
    assert found["accuracies"] == [first.mean(), second.mean()]
    for name in ("only_first", "only_second", "neither"):
        images = get(client, "compared", first="convnet", second="reader", part=name, count=200)["images"]
        assert {image["index"] for image in images} == set(np.flatnonzero(parts[name]).tolist())
        for image in images:
            assert (image["label"] == image["answer"]) == first[image["index"]]
            assert (image["label"] == image["other"]["answer"]) == second[image["index"]]
            assert image["other"]["index"] == image["index"]


FRAME = circular_frame(10).tolist()


@pytest.mark.parametrize(
    ("path", "query", "status", "message"),
    [
        ("summary", {}, 400, "lacks the field model"),
        ("summary", {"model": "nothing"}, 404, "no model 'nothing'"),
        ("summary", {"model": "../convnet"}, 404, "no model"),
        ("images", {"model": "convnet", "kind": "cell", "label": 10}, 400, "A class is expected from 0 to 9; got 10"),
        ("images", {"model": "convnet", "kind": "bin", "bin": 15}, 400, "A bin is expected"),
        ("images", {"model": "convnet", "kind": "all"}, 400, "kind is expected as one of cell"),
        ("images", {"model": "convnet", "kind": "mistakes", "count": 100_000}, 400, "count is expected from 1 to 200"),
        ("image", {"model": "convnet", "index": 10_000}, 400, "index is expected from 0 to 9999"),
        ("sheet", {"images": "1,x"}, 400, "whole numbers with commas"),
        ("sheet", {"images": ""}, 400, "whole numbers with commas"),
        ("sheet", {"images": "1,-2"}, 400, "from 0 to 9999; got -2"),
        ("sheet", {"images": "1,10000"}, 400, "from 0 to 9999; got 10000"),
        ("sheet", {"images": "1," * 2_000 + "1"}, 400, "At most 2,000 images"),
        ("sheet", {"images": "1", "columns": 0}, 400, "columns is expected from 1"),
        ("components", {"model": "convnet", "layer": "99"}, 400, "no layer '99'"),
        ("components", {"model": "convnet", "layer": "15", "images": 5_000}, 400, "images is expected from 100"),
        ("tour", {"model": "convnet", "space": "pixels"}, 400, "space is expected as one of"),
        ("compare", {"first": "convnet", "second": "nothing"}, 404, "no model"),
        ("compared", {"first": "convnet", "second": "reader", "part": "some"}, 400, "part is expected"),
    ],
)
def test_what_cannot_be_answered(
    client: TestClient, path: str, query: dict[str, Any], status: int, message: str
) -> None:
    for _ in range(100):
        reply = client.get(f"/api/explore/{path}", params=query)
        if not (reply.status_code == 200 and reply.json().get("state") == "working"):
            break
    assert (reply.status_code, message in reply.json()["error"]) == (status, True), reply.text


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("tour/frames", {"frame": [[1, 0], [0, 1]]}, "the number of items of frame is expected from 3"),
        ("tour/frames", {"frame": [[1, 0], [0, 1], [0, 0, 0]]}, "one array"),
        ("tour/frames", {"frame": [[1, 0]] * 10}, "orthonormal"),
        ("tour/frames", {"frame": FRAME, "frames": 100_000}, "frames is expected from 1 to 1200"),
        ("tour/frames", {"frame": FRAME, "start": -1}, "start is expected from 0"),
        ("tour/drag", {"frame": FRAME, "axis": 10, "x": 0, "y": 0}, "axis is expected from 0 to 9; got 10"),
        ("tour/drag", {"frame": FRAME, "axis": 1, "x": "far", "y": 0}, "x is expected as a number"),
        ("tour/turn", {"frame": FRAME, "to": "facing", "first": 3, "second": 3}, "Two different axes"),
        ("tour/turn", {"frame": FRAME, "to": "nowhere"}, "to is expected as one of"),
        ("corruptions", {"model": "convnet", "images": 10}, "images is expected from 100"),
    ],
)
def test_what_cannot_be_asked_for(client: TestClient, path: str, body: dict[str, Any], message: str) -> None:
    reply = client.post(f"/api/explore/{path}", json=body)
    assert (reply.status_code, message in reply.json()["error"]) == (400, True), reply.text


def test_models_of_other_images_or_of_too_many_classes_are_refused(tmp_path: Path) -> None:
    lab = Lab(tmp_path / "lab", "convnet")
    client = TestClient(application(lab, ["testserver"]))
    small = lab.keep(Model(Network(nn.Dense(64, 10)), nn.SoftmaxCrossEntropy(), (8, 8)), "small")
    many = lab.keep(Model(Network(nn.Dense(784, 101)), nn.SoftmaxCrossEntropy(), (28, 28)), "many")
    for name, message in ((small, "reads images of 8x8 pixels"), (many, "at most 100 classes")):
        for path, query in (
            ("summary", {}),
            ("layers", {}),
            ("components", {}),
            ("tour", {}),
            ("images", {"kind": "mistakes"}),
        ):
            reply = client.get(f"/api/explore/{path}", params={"model": name, **query})
            assert (reply.status_code, message in reply.json()["error"]) == (400, True), reply.text
        assert client.post("/api/explore/corruptions", json={"model": name}).status_code == 400


def test_a_slow_model_does_not_hold_the_server_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go = threading.Event()

    def slow(*_: Any, report: Any, **__: Any) -> None:
        report(0.5)
        go.wait(30)
        raise AssertionError("never ready")

    monkeypatch.setattr(explore, "read_test_images", slow)
    client = TestClient(application(Lab(tmp_path / "lab", "convnet"), ["testserver"]))
    client.get("/api/models")  # loads the models
    began = time.perf_counter()
    first = client.get("/api/explore/summary", params={"model": "convnet"}).json()
    second = client.get("/api/explore/mistakes.csv", params={"model": "convnet"}).json()
    assert client.get("/api/models").status_code == 200
    assert time.perf_counter() - began < 3
    assert first["state"] == second["state"] == "working"
    assert second["done"] == 0.5
    go.set()
