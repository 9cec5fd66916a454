"""The class: its routes, its lesson, thirty phones at a server, and its pages in browsers."""

import io
import time
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from digitscope.datasets import DataSet
from digitscope.errors import TrainingError
from digitscope.jobs.teach import TeachSettings
from digitscope.lab import class_lesson, class_session
from digitscope.lab.access import Access, Keys
from digitscope.lab.class_lesson import teach_beside
from digitscope.lab.rooms import classroom
from digitscope.lab.separate_process import SeparateProcess
from digitscope.lab.state import Lab
from digitscope.model import Model
from tests.drawn import pen_strokes, strokes_json
from tests.lab.separate_work import crash, fail, succeed

Json = dict[str, Any]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(class_session, "PERIOD", 0.0)
    monkeypatch.setattr(classroom, "CLASS_SETTINGS", TeachSettings(learned_share=0.0, rehearsed_images=500))


@pytest.fixture
def tell(client: TestClient) -> Callable[..., Any]:
    def ask(path: str, status: int = 200, **body: object) -> Any:
        answer = client.post(f"/api/class/{path}", json=body)
        assert answer.status_code == status, answer.text
        return answer.json()

    return ask


@pytest.fixture
def wall(client: TestClient) -> Callable[..., Json]:
    def ask(**query: int) -> Json:
        answer: Json = client.get("/api/class/wall", params=query).json()
        return answer

    return ask


def strokes_of(mnist: DataSet, digit: int, place: int = 0) -> list[Json]:
    """A digit of MNIST as a phone sends it."""
    assert mnist.x_test is not None
    assert mnist.y_test is not None
    image = mnist.x_test[np.flatnonzero(mnist.y_test == digit)[place]]
    return strokes_json(pen_strokes(image))


def test_a_phone_draws_and_the_wall_shows_it(
    tell: Callable[..., Any], wall: Callable[..., Json], mnist: DataSet
) -> None:
    assert tell("join") == {"phone": None, "open": False}
    tell("start", model="convnet")
    phone = tell("join")["phone"]
    view = tell("phone", phone=phone)
    assert (view["state"], view["task"], view["sent"]) == ("open", "each", 0)
    reply = tell("send", phone=phone, meant=7, strokes=strokes_of(mnist, 7), expected=True)
    assert (reply["refused"], reply["read"], reply["right"]) == (None, 7, True)
    assert reply["image"]["shape"] == [28, 28]
    assert reply["plausible"][0]["probability"] == pytest.approx(reply["probability"])
    reply = tell("send", phone=phone, meant=4, strokes=strokes_of(mnist, 9), expected=True)
    assert (reply["read"], reply["right"]) == (9, False)
    shown = wall()
    assert (shown["count"], shown["right"], shown["phones"], shown["active"]) == (2, 1, 1, 1)
    assert (shown["guesses"], shown["guessed"]) == (2, 1)
    assert shown["confusion"][7][7] == shown["confusion"][4][9] == 1
    assert [drawing["number"] for drawing in shown["newest"]] == [2, 1]
    assert [drawing["meant"] for drawing in shown["misread"]] == [4]
    assert (shown["addresses"], shown["code"]) == ([], None)
    assert [drawing["image"] is None for drawing in wall(after=1)["newest"]] == [False, True]
    assert tell("phone", phone=phone)["sent"] == 2


def test_what_a_phone_is_told_instead(
    tell: Callable[..., Any], mnist: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell("start", model="convnet")
    phone = tell("join")["phone"]
    strokes = strokes_of(mnist, 1)
    assert tell("send", phone="someone", meant=1, strokes=strokes)["refused"] == "unknown"
    dot = [{"points": [2000, 2000, 50], "width": 20}]
    assert tell("send", phone=phone, meant=1, strokes=dot)["refused"] == "empty"
    tell("freeze", frozen=True)
    assert tell("send", phone=phone, meant=1, strokes=strokes)["refused"] == "frozen"
    tell("freeze", frozen=False)
    monkeypatch.setattr(class_session, "PERIOD", 100.0)
    assert tell("send", phone=phone, meant=1, strokes=strokes)["refused"] == "early"
    tell("end")
    assert tell("send", phone=phone, meant=1, strokes=strokes)["refused"] == "closed"
    tell("start", model="convnet")
    phone = tell("join")["phone"]
    for strokes in (
        [],
        [{"points": [1, 2], "width": 70}],
        [{"points": [1] * 7, "width": 70}],
        [{"points": [5] * 3, "width": 0}],
    ):
        tell("send", 400, phone=phone, meant=1, strokes=strokes)
    many = [{"points": [500, 500, 50] * 2500, "width": 70}] * 2
    assert "at most 4000 points" in tell("send", 400, phone=tell("join")["phone"], meant=1, strokes=many)["error"]


def test_the_teacher_hides_and_clears(
    tell: Callable[..., Any], wall: Callable[..., Json], client: TestClient, mnist: DataSet
) -> None:
    tell("start", model="convnet")
    phones = [tell("join")["phone"] for _ in range(2)]
    for digit in (1, 2):
        for phone in phones:
            tell("send", phone=phone, meant=digit, strokes=strokes_of(mnist, digit))
    tell("hide", number=1)
    assert (wall()["count"], wall()["hidden"], wall()["confusion"][1][1]) == (3, 1, 1)
    assert [drawing["number"] for drawing in client.get("/api/class/hidden").json()] == [1]
    tell("hide", number=1, hidden=False)
    tell("mute", number=4)
    assert [drawing["number"] for drawing in wall()["newest"]] == [3, 1]
    reply = tell("send", phone=phones[1], meant=3, strokes=strokes_of(mnist, 3))
    assert (reply["refused"], reply["read"]) == (None, 3)  # the phone is not told
    assert wall()["count"] == 2
    cell = client.get("/api/class/cell", params={"meant": 2, "read": 2}).json()
    assert [drawing["number"] for drawing in cell] == [3]
    assert client.get("/api/class/cell", params={"meant": 2, "read": 10}).json() == []
    for path in ("hide", "mute"):
        tell(path, 404, number=99)
    tell("clear")
    assert (wall()["count"], wall()["hidden"]) == (0, 0)


def test_tasks_and_models(tell: Callable[..., Any], wall: Callable[..., Json]) -> None:
    tell("start", model="convnet")
    phone = tell("join")["phone"]
    tell("task", task="same", digit=5)
    assert tell("phone", phone=phone)["asked"] == 5
    tell("task", task="free")
    assert tell("phone", phone=phone)["asked"] is None
    tell("model", model="reader")
    assert wall()["model"] == "reader"
    tell("model", 404, model="no-such-model")
    assert wall()["model"] == "reader"


@pytest.mark.parametrize(("format", "name"), [("csv", "class.csv"), ("idx", "class-idx.zip"), ("png", "class-png.zip")])
def test_the_digits_of_the_class_as_a_file(
    format: str, name: str, tell: Callable[..., Any], client: TestClient, mnist: DataSet
) -> None:
    assert client.get("/api/class/download", params={"format": format}).status_code == 409
    tell("start", model="convnet")
    phone = tell("join")["phone"]
    for digit in (3, 8, 5):
        tell("send", phone=phone, meant=digit, strokes=strokes_of(mnist, digit))
    tell("hide", number=2)
    answer = client.get("/api/class/download", params={"format": format})
    assert name in answer.headers["content-disposition"]
    if format == "csv":
        assert [line.split(",")[0] for line in answer.text.splitlines()] == ["label", "3", "5"]
    else:
        files = zipfile.ZipFile(io.BytesIO(answer.content)).namelist()
        assert len(files) == 2


def test_the_code_that_phones_scan(client: TestClient, lab: Lab) -> None:
    assert client.get("/api/class/qr").status_code == 404
    keys = Keys()
    lab.access = Access(keys, ("10.0.0.5:7840", "[fd00::5]:7840"))
    codes = [client.get("/api/class/qr", params={"address": k}) for k in (0, 1)]
    assert all(code.headers["content-type"].startswith("image/svg+xml") for code in codes)
    assert codes[0].text != codes[1].text
    assert codes[0].text.startswith("<svg")
    assert client.get("/api/class/qr", params={"address": 2}).status_code == 404
    assert client.get("/api/class/wall").json()["code"] == keys.shown_code
    assert lab.access.links[0] == f"http://10.0.0.5:7840/?key={keys.code}"


def test_a_wall_hears_of_every_change(tell: Callable[..., Any], lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[str] = []
    monkeypatch.setattr(lab.hub, "publish", lambda topic, value: heard.append(topic))
    changes: list[tuple[str, Json]] = [
        ("start", {"model": "convnet"}),
        ("join", {}),
        ("freeze", {"frozen": True}),
        ("task", {"task": "free"}),
        ("model", {"model": "reader"}),
        ("clear", {}),
        ("end", {}),
    ]
    for path, body in changes:
        heard.clear()
        tell(path, **body)
        assert set(heard) == {"class"}, path


# What a class teaches


def draw_all(tell: Callable[..., Any], mnist: DataSet, phones: int = 4, digits: int = 5) -> None:
    for _ in range(phones):
        phone = tell("join")["phone"]
        for digit in range(digits):
            tell("send", phone=phone, meant=digit, strokes=strokes_of(mnist, digit))


def wait_for(wall: Callable[..., Json], *statuses: str) -> Json:
    end = time.monotonic() + 120
    while (lesson := wall()["lesson"])["status"] not in statuses:
        assert time.monotonic() < end, lesson
        time.sleep(0.05)
    return dict(lesson)


def test_the_network_learns_from_all_but_some(
    tell: Callable[..., Any], wall: Callable[..., Json], mnist: DataSet
) -> None:
    tell("start", model="convnet")
    draw_all(tell, mnist)
    tell("learn")
    assert "already" in tell("learn", 409)["error"]
    lesson = wait_for(wall, "done", "failed")
    assert lesson["status"] == "done", lesson
    outcome = lesson["outcome"]
    assert (outcome["learned"], outcome["writers_learned"]) == (15, 3)
    assert (outcome["held_out"], outcome["writers_held_out"], len(outcome["drawings"])) == (5, 1, 5)
    assert outcome["fixed"] - outcome["broken"] == outcome["after"] - outcome["before"]
    assert outcome["before"] == sum(d["before"] == d["meant"] for d in outcome["drawings"])
    assert outcome["mnist"] == 5000
    assert outcome["mnist_before"] == round(5000 * 0.9958)
    assert outcome["mnist_before"] - outcome["mnist_after"] < 50
    assert wall()["model"] == outcome["former_model"] == "convnet"
    tell("model", model=outcome["model"])
    assert wall()["model"] == outcome["model"]
    phone = tell("join")["phone"]
    assert tell("send", phone=phone, meant=3, strokes=strokes_of(mnist, 3))["read"] == 3
    tell("clear")
    assert wall()["lesson"]["status"] == "none"


def test_too_few_to_learn_from(tell: Callable[..., Any], wall: Callable[..., Json], mnist: DataSet) -> None:
    tell("start", model="convnet")
    draw_all(tell, mnist, phones=1)
    tell("learn")
    lesson = wait_for(wall, "done", "failed")
    assert lesson["status"] == "failed"
    assert "At least 2 writers are expected" in lesson["error"]


def test_a_lesson_is_cancelled(
    tell: Callable[..., Any], wall: Callable[..., Json], client: TestClient, mnist: DataSet, lab: Lab
) -> None:
    tell("start", model="convnet")
    draw_all(tell, mnist, phones=2)
    tell("cancel")
    tell("learn")
    drawing = {"strokes": strokes_of(mnist, 3)}
    other = client.post("/api/draw/teach", json={"model": "convnet", "drawing": drawing, "label": 3})
    assert other.status_code == 409  # one lesson at a time, whichever room began it
    tell("cancel")
    assert wall()["lesson"]["status"] == "none"
    tell("learn")
    room = next(iter(lab._shared.values()))
    process = room.lesson._process._process
    begin = time.monotonic()
    lab.close()  # the server ends
    assert process.wait(10) != 0
    assert time.monotonic() - begin < 2
    assert wall()["lesson"]["status"] == "none"


def test_progress_goes_from_nothing_to_all(mnist: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each step is reported to whoever waits, though not more often than the page shows."""
    steps = [(step, 100) for _ in range(2) for step in range(1, 101)]

    class Step:
        def __init__(self, step: int, steps: int) -> None:
            self.step, self.steps = step, steps

    lesson: Any = object()

    def teach_class(*_: object, callback: Callable[[Any], None], **__: object) -> Any:
        for step in steps:
            callback(Step(*step))
        return lesson

    monkeypatch.setattr(class_lesson, "teach_class", teach_class)
    shares: list[float] = []
    model = Model.load("convnet")
    empty = np.zeros((0, 28, 28), np.uint8), np.zeros(0, np.int64)
    assert teach_beside(model, *empty, [], TeachSettings(), 0, shares.append) is lesson
    assert shares == sorted(shares)
    assert 0 < shares[0] < 0.05
    assert 0.7 < shares[-1] < 1
    assert 20 < len(shares) < 90


def test_work_in_a_process_of_its_own() -> None:
    told: list[object] = []
    process = SeparateProcess(succeed, 3)
    assert process.result(told.append) == 6
    assert told == [0, 1, 2]
    assert process._process.returncode is not None
    with pytest.raises(TrainingError, match="It cannot be learned"):
        SeparateProcess(fail).result(told.append)
    with pytest.raises(TrainingError, match="ended before it was done"):
        SeparateProcess(crash).result(told.append)
