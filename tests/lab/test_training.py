"""The room Train: its routes, the process beside the server, and the same bits as the command line."""

import gzip
import io
import json
import os
import time
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from digitscope.arrays import Array
from digitscope.datasets import DataSet
from digitscope.jobs.train import Job, Settings
from digitscope.lab import uploads
from digitscope.lab.state import Lab
from digitscope.lab.taught_digits import TaughtDigits
from digitscope.lab.training_host import host_of
from digitscope.model import Model
from tests.lab.arrays import decoded
from tests.lab.conftest import Server

Ask = Callable[..., Any]
PATIENCE = 120.0
SMALL = {"recipe": "mlp", "images": 600, "epochs": 2, "batch_size": 50}


@pytest.fixture
def ask(client: TestClient) -> Ask:
    """Posts to a route of the room; the answer has to be good."""

    def post(path: str, **values: Any) -> Any:
        answer = client.post(f"/api/train/{path}", json=values)
        assert answer.status_code == 200, answer.text
        return answer.json()

    return post


def now(client: TestClient) -> Any:
    return client.get("/api/train/now").json()


def wait(client: TestClient, *states: str, step: int | None = None) -> Any:
    """The training, as soon as it is in one of these states (at this step)."""
    deadline = time.monotonic() + PATIENCE
    while True:
        found = now(client)
        position = found["position"]
        if position["state"] in states and step in (None, position["step"]):
            return found
        assert time.monotonic() < deadline, position
        time.sleep(0.02)


def soon(client: TestClient, name: str, *, step: int) -> Any:
    """The inspection or validation of a step, which follows the news that the training rests there."""
    deadline = time.monotonic() + PATIENCE
    while True:
        found = client.get(f"/api/train/{name}").json()[name]
        if found is not None and found["step"] == step:
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.02)


def upload_file(client: TestClient, content: bytes) -> str:
    headers = {"content-type": "application/octet-stream"}
    answer = client.post("/api/train/upload?name=x", content=content, headers=headers)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["part"])


def trained_weights(settings: Settings, folder: Path) -> dict[str, Array]:
    """As `digitscope train` leaves them."""
    with Job.begin(settings, folder) as job:
        for _ in job.work(threads=2, checkpoint_every=1e9):
            pass
        job.finish()
    return Model.load(folder / "model.safetensors").network.params


def assert_weights(model: Model, expected: dict[str, Array]) -> None:
    assert model.network.params.keys() == expected.keys()
    for name, weights in expected.items():
        np.testing.assert_array_equal(model.network.params[name], weights)


def test_pause_rewind_branch_and_the_bits_of_the_command_line(
    client: TestClient, ask: Ask, lab: Lab, few_file: Path, tmp_path: Path
) -> None:
    part = upload_file(client, few_file.read_bytes())
    ask("begin", recipe="mlp", data=[part], epochs=3, batch_size=50, seed=4, augment="standard")
    ask("pause")
    wait(client, "paused", "finished")
    ask("go", branch=0, step=7)
    first = wait(client, "paused", step=7)
    assert first["branches"][0]["steps"] == 66
    ask("step")
    wait(client, "paused", step=8)
    ask("go", branch=0, step=3)
    wait(client, "paused", step=3)
    ask("fork", learning_rate=0.01, optimizer="adam")
    branched = wait(client, "finished")
    assert [branch["parent"] for branch in branched["branches"]] == [None, 0]
    assert branched["branches"][1]["changes"] == {"learning_rate": 0.01, "optimizer": "adam"}
    assert branched["position"] == {**branched["position"], "branch": 1, "step": 66}
    other = lab.model(ask("keep")["name"])
    ask("go", branch=1, step=2)  # before it left its parent
    wait(client, "paused", step=2)
    assert now(client)["position"]["branch"] == 0
    ask("run")
    found = wait(client, "finished")
    curves = [curve["points"] for curve in found["curves"]]
    assert [curve["step"] for curve in curves] == [list(range(1, 67))] * 2
    assert curves[0]["loss"][:4] == curves[1]["loss"][:4]
    assert curves[0]["loss"][4:] != curves[1]["loss"][4:]
    kept = ask("keep")
    model = lab.model(kept["name"])
    settings = Settings("mlp", str(few_file), epochs=3, batch_size=50, seed=4, augment="standard")
    expected = trained_weights(settings, tmp_path / "job")
    assert_weights(model, expected)
    assert not np.array_equal(other.network.params["0.weight"], expected["0.weight"])
    assert kept["accuracy"] == curves[0]["validation_accuracy"][-1] == model.info.validation_accuracy
    file = client.get("/api/train/model", params={"name": kept["name"]})
    assert f'filename="{kept["name"]}.safetensors"' in file.headers["content-disposition"]
    (tmp_path / "downloaded.safetensors").write_bytes(file.content)
    assert_weights(Model.load(tmp_path / "downloaded.safetensors"), expected)


def test_what_is_shown_of_a_training(client: TestClient, ask: Ask, mnist: DataSet) -> None:
    assert now(client)["about"] is None
    assert client.get("/api/train/inspection").json() == {"inspection": None, "symptoms": []}
    ask("begin", **SMALL, seed=1)
    found = wait(client, "finished")
    about = found["about"]
    assert (about["train_images"], about["validation_images"]) == (550, 50)
    assert (about["classes"], about["shape"], about["batches"], about["parameters"]) == (10, [28, 28], 11, 254_410)
    assert [layer["kind"] for layer in about["layers"]] == ["Dense", "ReLU", "Dropout", "Dense"]
    points = found["curves"][0]["points"]
    assert points["step"] == list(range(1, 23))
    assert [step for step, a in zip(points["step"], points["validation_accuracy"], strict=True) if a] == [11, 22]
    inspection = soon(client, "inspection", step=22)
    assert [layer["kind"] for layer in inspection["layers"]] == ["Dense", "ReLU", "Dense"]
    assert inspection["weights"]["shape"] == [24, 28, 28]
    validation = soon(client, "validation", step=22)
    assert validation["images"] == 50
    confusion = np.array(validation["confusion"])
    assert confusion.sum() == 50
    assert validation["accuracy"] == confusion.trace() / 50 == points["validation_accuracy"][-1]
    assert len(validation["mistakes"]) == min(24, validation["wrong"]) == min(24, 50 - confusion.trace())
    for picture, mistake in zip(decoded(validation["pictures"]), validation["mistakes"], strict=True):
        row = np.flatnonzero((mnist.x_train[::100] == picture).all(axis=(1, 2)))
        assert mnist.y_train[::100][row] == mistake["label"] != mistake["digit"]


def test_slow_motion_shows_each_step(client: TestClient, ask: Ask, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[Any] = []
    monkeypatch.setattr(lab.hub, "publish", lambda topic, value: heard.append((topic, value)))
    ask("begin", **SMALL)
    ask("pause")
    wait(client, "paused", "finished")
    ask("go", branch=0, step=0)
    wait(client, "paused", step=0)
    heard.clear()
    ask("run", pace=0.02)
    wait(client, "finished")
    singles = [value["single"] for topic, value in heard if topic == "train.position" and value["single"]]
    assert [single["step"] for single in singles if single] == list(range(1, 23))
    points = now(client)["curves"][0]["points"]
    assert [single["loss"] for single in singles] == pytest.approx(points["loss"])
    assert ("train.new", {"what": "inspection"}) in heard
    assert ("train.new", {"what": "validation"}) in heard


def test_one_training_at_a_time(client: TestClient, ask: Ask, lab: Lab) -> None:
    ask("begin", recipe="mlp", images=20_000, epochs=50)
    refused = client.post("/api/train/begin", json=SMALL)
    assert refused.status_code == 409
    assert refused.json()["error"].startswith("A training is under way, and there is one at a time. Stop it")
    stopped = ask("stop")
    assert stopped["position"]["state"] == "stopped"
    model = lab.model(stopped["name"])
    assert stopped["name"] in client.get("/api/models").text
    assert model.info.data == "mnist (20,000 images)"
    former = list((lab.folder / "training").iterdir())
    ask("begin", **SMALL)
    wait(client, "finished")
    assert not former[0].exists()
    assert lab.model(stopped["name"]) is model


@pytest.mark.parametrize(
    ("path", "values", "message"),
    [
        ("begin", {"recipe": "best"}, "recipe expects one of seed, "),
        ("begin", {"recipe": "mlp", "epochs": 0}, "epochs is expected from 1 to 500; got 0"),
        ("begin", {"recipe": "mlp", "epochs": 1.5}, "epochs is expected as a whole number"),
        ("begin", {"recipe": "mlp", "learning_rate": -1}, "learning_rate is expected from"),
        ("begin", {"recipe": "mlp", "optimizer": "luck"}, "optimizer is expected as one of gradient-descent,"),
        ("begin", {"recipe": "mlp", "augment": "a lot"}, "augment expects none, standard, or amounts"),
        ("begin", {"recipe": "mlp", "layers": [5000]}, "layers[0] is expected from 1 to 1000"),
        ("begin", {"recipe": "mlp", "images": 70_000}, "mnist has 60,000 training images; got 70,000"),
        ("begin", {"recipe": "mlp", "data": ["../x"]}, "There is no uploaded file '../x'"),
        ("begin", {"recipe": "mlp", "data": ["0123456789abcdef.npz"]}, "There is no uploaded file"),
        ("begin", {"recipe": "mlp", "network": [{"kind": "relu"}]}, "A list of layers is expected with the recipe"),
        ("begin", {"recipe": "network", "network": [{"kind": "dense"}]}, "a dense layer needs its units"),
        (
            "begin",
            {"recipe": "network", "network": [{"kind": "dense", "units": 3}, {"kind": "max-pool"}]},
            "Layer 2 (max-pool): expected feature maps",
        ),
        ("begin", {"recipe": "seed", "dropout": 0.5, "speed": 3}, "unknown field speed"),
        ("network", {"layers": [{"kind": "dream"}]}, "layers[0].kind is expected as one of"),
        ("network", {"layers": [{"kind": "max-pool", "size": 14}] * 3}, "Layer 2 (max-pool)"),
        ("run", {"pace": 9}, "pace is expected from 0 to 5"),
        *((path, {}, "There is no training. Start one.") for path in ("run", "pause", "step", "keep", "stop")),
        ("go", {"branch": 0, "step": 1}, "There is no training"),
        ("go", {"branch": 0}, "lacks the field step"),
        ("fork", {}, "at least one setting"),
        ("data", {"parts": ["x"]}, "There is no uploaded file 'x'"),
    ],
)
def test_bad_requests_are_refused_in_one_line(
    client: TestClient, path: str, values: dict[str, Any], message: str
) -> None:
    answer = client.post(f"/api/train/{path}", json=values)
    assert answer.status_code == 400
    assert message in answer.json()["error"]
    assert client.get("/api/train/now").json()["position"]["state"] == "none"


def test_what_a_training_refuses_on_its_way(client: TestClient, ask: Ask) -> None:
    ask("begin", **SMALL)
    wait(client, "finished")
    for path, values, message in (
        ("run", {}, "This training is at its end"),
        ("step", {}, "This training is at its end"),
        ("go", {"branch": 0, "step": 23}, "The branch has the steps 0 to 22; got 23"),
        ("go", {"branch": 1, "step": 2}, "There are 1 branches, from 0; got 1"),
        ("fork", {"epochs": 1}, "epochs is expected to be at least 2"),
        ("fork", {"augment": "rotation=x"}, "Augment expects amounts"),
    ):
        answer = client.post(f"/api/train/{path}", json=values)
        assert (answer.status_code, message in answer.json()["error"]) == (400, True), answer.text
    assert client.get("/api/train/model", params={"name": "convnet"}).status_code == 404
    assert client.get("/api/train/model", params={"name": "../x"}).status_code == 404
    ask("fork", epochs=3)
    assert wait(client, "finished")["position"]["step"] == 33


def test_a_training_that_diverges_can_be_rewound(client: TestClient, ask: Ask) -> None:
    ask("begin", **{**SMALL, "epochs": 5, "learning_rate": 1e20})
    found = wait(client, "diverged")
    assert "too high" in found["position"]["problem"]
    assert "diverged" in [symptom["key"] for symptom in now(client)["symptoms"]]
    ask("go", branch=0, step=0)
    wait(client, "paused", step=0)
    ask("fork", learning_rate=0.1)
    assert wait(client, "finished")["position"]["branch"] == 1


def test_the_choices_are_those_of_the_command_line(client: TestClient) -> None:
    found = client.get("/api/train/choices").json()
    mlp = next(recipe for recipe in found["recipes"] if recipe["name"] == "mlp")
    assert mlp["plan"] == {
        "epochs": 8,
        "learning_rate": 0.4,
        "batch_size": 256,
        "weight_decay": 0.0,
        "optimizer": "nesterov",
        "schedule": "one-cycle",
        "loss": "cross-entropy",
        "label_smoothing": 0.05,
    }
    assert mlp["measured"]["parameters"] == 254_410
    assert found["optimizers"] == ["gradient-descent", "momentum", "nesterov", "adam", "adamw"]


def test_a_network_of_layers(client: TestClient, ask: Ask) -> None:
    layers = [{"kind": "convolution", "units": 4, "kernel": 5, "stride": 2}, {"kind": "relu"}, {"kind": "max-pool"}]
    planned = ask("network", layers=layers)
    assert [layer["output"] for layer in planned["layers"]] == [[4, 12, 12], [4, 12, 12], [4, 6, 6], [10]]
    assert planned["parameters"] == 4 * 26 + 10 * 145
    ask("begin", recipe="network", network=layers, images=400, epochs=1)
    assert wait(client, "finished")["about"]["parameters"] == planned["parameters"]


def csv_of(images: Array, labels: Array) -> bytes:
    rows = np.column_stack([labels, images.reshape(len(images), -1)])
    return "\n".join(",".join(map(str, row)) for row in rows.tolist()).encode()


def idx_of(array: Array) -> bytes:
    sizes = b"".join(int(n).to_bytes(4, "big") for n in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.astype(np.uint8).tobytes()


def npz_of(**arrays: Any) -> bytes:
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)
    return content.getvalue()


def test_uploads_of_each_kind_hold_the_same(client: TestClient, ask: Ask, few: DataSet) -> None:
    images, labels = few.x_train[:60], few.y_train[:60]
    table = csv_of(images, labels)
    files: list[list[bytes]] = [
        [table],
        [gzip.compress(table)],
        [npz_of(x_train=images, y_train=labels)],
        [idx_of(images), idx_of(labels)],
        [gzip.compress(idx_of(labels)), gzip.compress(idx_of(images))],
    ]
    for contents in files:
        parts = [upload_file(client, content) for content in contents]
        assert parts == [upload_file(client, content) for content in contents]
        found = ask("data", parts=parts, name="mine")
        assert (found["images"], found["height"], found["width"], found["classes"]) == (60, 28, 28, 10)
        assert found["counts"] == np.bincount(labels, minlength=10).tolist()
        assert found["symptoms"] == []
        rows = np.linspace(0, 59, 20).astype(int)
        np.testing.assert_array_equal(decoded(found["examples"]), images[rows])
        assert found["labels"] == labels[rows].tolist()


def test_labels_of_an_upload_are_compared_with_the_images(client: TestClient, ask: Ask, few: DataSet) -> None:
    part = upload_file(client, npz_of(x_train=few.x_train, y_train=np.roll(few.y_train, 1)))
    (symptom,) = ask("data", parts=[part])["symptoms"]
    assert (symptom["key"], symptom["values"]["rows"]) == ("labels-rows", 1)
    ask("begin", recipe="mlp", data=[part], epochs=1)
    wait(client, "finished")
    assert "labels-rows" in [found["key"] for found in now(client)["symptoms"]]


def test_the_digits_taught_in_draw_are_training_data(client: TestClient, ask: Ask, lab: Lab, few: DataSet) -> None:
    missing = client.post("/api/train/taught", json={})
    assert missing.status_code == 404
    assert missing.json()["error"] == "The lab has not been taught any digit yet. Teach it one in Draw."
    digits = TaughtDigits(lab.folder / "taught-digits.csv")
    for image, label in zip(few.x_train[:30], few.y_train[:30], strict=True):
        digits.add(image, int(label))
    part = ask("taught")["part"]
    digits.clear()  # the training has its own copy
    assert ask("data", parts=[part])["images"] == 30
    ask("begin", recipe="mlp", data=[part], epochs=1)
    assert wait(client, "finished")["about"]["train_images"] < 30


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ([b""], "The file is empty"),
        ([b"\x89PNG\r\n\x1a\n" + bytes(50)], "mine"),
        ([b"label,a,b\n1,2,3\n"], "mine has 2 pixel columns"),
        ([b"PK\x03\x04" + bytes(40)], "The archive is damaged"),
        ([gzip.compress(bytes(10))[:12]], "The gzip data are damaged"),
        ([gzip.compress(bytes(uploads.UNPACKED + 1), 1)], "unfolds to"),
        ([npz_of(x_train=np.zeros((3, 28, 28), np.uint8))], "mine has no y_train"),
        ([npz_of(x_train=np.zeros((3, 28, 28), np.uint8), y_train=np.arange(4))], "mine"),
        ([idx_of(np.zeros((3, 28, 28)))], "One CSV or npz file is expected, or two IDX files"),
        ([idx_of(np.zeros((3, 28, 28))), idx_of(np.zeros((4, 28, 28)))], "One CSV or npz file"),
        ([idx_of(np.zeros((3, 28, 28))), idx_of(np.zeros(4))], "mine"),
        ([idx_of(np.zeros((3, 28, 28)))[:-5], idx_of(np.zeros(3))], "is cut off"),
        (
            [npz_of(x_train=np.zeros((4, 300, 300), np.uint8), y_train=np.arange(4))],
            "mine has images of 300x300 pixels",
        ),
        ([npz_of(x_train=np.zeros((2, 28, 28), np.uint8), y_train=np.array([0, 100]))], "in 101 classes"),
    ],
)
def test_bad_uploads_are_one_line_without_a_path(
    client: TestClient, lab: Lab, contents: list[bytes], message: str
) -> None:
    parts = []
    for content in contents:
        headers = {"content-type": "application/octet-stream"}
        answer = client.post("/api/train/upload?name=x", content=content, headers=headers)
        if answer.status_code != 200:
            break
        parts.append(answer.json()["part"])
    else:
        answer = client.post("/api/train/data", json={"parts": parts, "name": "mine"})
    assert answer.status_code == 400
    assert message in answer.json()["error"]
    assert str(lab.folder) not in answer.json()["error"]


def test_an_archive_that_unfolds_to_too_much(client: TestClient) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("x_train.npy", "w") as member:
        for _ in range(1 + uploads.UNPACKED // (1 << 24)):
            member.write(bytes(1 << 24))
    headers = {"content-type": "application/octet-stream"}
    answer = client.post("/api/train/upload", content=content.getvalue(), headers=headers)
    assert answer.status_code == 400
    assert "unfolds to" in answer.json()["error"]


def test_few_uploads_are_kept(client: TestClient, lab: Lab) -> None:
    names = [upload_file(client, f"label\n{i}\n".encode()) for i in range(uploads.KEPT + 3)]
    kept = {path.name for path in (lab.folder / "data").iterdir()}
    assert len(kept) == uploads.KEPT
    assert names[-1] in kept


def get_json(address: str, body: Any = None) -> Any:
    content = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address, content, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        return json.load(answer)


def wait_for(address: str, good: Callable[[Any], bool]) -> Any:
    deadline = time.monotonic() + PATIENCE
    while True:
        found = get_json(f"{address}/api/train/now")
        if good(found["position"]):
            return found
        assert time.monotonic() < deadline, found["position"]
        time.sleep(0.05)


def test_a_training_goes_on_after_the_server_was_killed(
    start_server: Callable[..., Server], few_file: Path, tmp_path: Path
) -> None:
    """SIGKILL gives the server no chance to say anything: the trainer notices that its input has ended."""
    server = start_server()
    request = urllib.request.Request(
        f"{server.url}/api/train/upload", few_file.read_bytes(), {"content-type": "application/octet-stream"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        part = json.load(answer)["part"]
    settings: dict[str, Any] = {"recipe": "mlp", "epochs": 30, "batch_size": 20, "seed": 9}
    get_json(f"{server.url}/api/train/begin", {**settings, "data": [part]})
    wait_for(server.url, lambda position: position["step"] > 100)
    server.kill()
    again = start_server()
    found = wait_for(again.url, lambda position: position["state"] in ("running", "finished"))
    assert found["position"]["step"] > 50
    get_json(f"{again.url}/api/train/pause", {})
    paused = wait_for(again.url, lambda position: position["state"] in ("paused", "finished"))["position"]
    again.kill()
    third = start_server()
    opened = wait_for(third.url, lambda position: position["state"] in ("paused", "finished"))
    assert opened["position"]["step"] == paused["step"]
    if paused["state"] == "paused":
        get_json(f"{third.url}/api/train/run", {})
    wait_for(third.url, lambda position: position["state"] == "finished")
    name = get_json(f"{third.url}/api/train/keep", {})["name"]
    model = Model.load(tmp_path / "runs" / "lab" / "models" / f"{name}.safetensors")
    expected = trained_weights(Settings(**{**settings, "data": str(few_file)}), tmp_path / "job")
    assert_weights(model, expected)


def test_a_trainer_that_was_killed_is_started_again(client: TestClient, ask: Ask, lab: Lab) -> None:
    ask("begin", **SMALL)
    wait(client, "finished")
    process = host_of(lab)._process
    assert process is not None
    process.kill()
    process.wait()
    found = wait(client, "finished")
    assert found["position"]["step"] == 22
    assert found["curves"][0]["points"]["step"] == list(range(1, 23))
    ask("go", branch=0, step=5)
    wait(client, "paused", step=5)


def test_the_trainer_ends_with_the_lab(client: TestClient, ask: Ask, lab: Lab) -> None:
    ask("begin", recipe="mlp", images=10_000, epochs=50)
    process = host_of(lab)._process
    assert process is not None
    lab.close()
    assert process.wait(20) == 0
    again = Lab(lab.folder)
    assert host_of(again).view().position["state"] in ("seeking", "running")
    again.close()


@pytest.mark.skipif(os.name == "nt", reason="there is no priority to read")
def test_drawing_comes_first(client: TestClient, ask: Ask, lab: Lab) -> None:
    ask("begin", **SMALL)
    process = host_of(lab)._process
    assert process is not None
    assert os.getpriority(os.PRIO_PROCESS, process.pid) > os.getpriority(os.PRIO_PROCESS, 0)
