"""The application: routes, pages, texts, events, and what is refused."""

import asyncio
import base64
import json
import re
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from digitscope.arrays import Array
from digitscope.datasets import DataSet
from digitscope.lab import events
from digitscope.lab.app import PAGES, ROUTES
from digitscope.lab.encoding import encoded
from digitscope.lab.events import KEPT, WAITING, Hub
from digitscope.lab.frame import STATIC, languages, texts
from digitscope.lab.routes import NotFoundError, Page, Right
from digitscope.lab.state import CACHED, Lab
from digitscope.model import Model
from digitscope.nn.layer import built_in_layers


def test_the_description_is_that_of_the_routes(client: TestClient) -> None:
    described = client.get("/openapi.json").json()
    found = {(method.upper(), path) for path, methods in described["paths"].items() for method in methods}
    assert found == {(route.method, route.path) for route in ROUTES}
    assert len(found) == len(ROUTES)
    assert all(route.summary.endswith(".") for route in ROUTES)


def test_pages(client: TestClient) -> None:
    for page in PAGES:
        if "{" in page.path:
            continue
        for language in languages():
            answer = client.get(page.path, headers={"accept-language": f"{language}-XX, fr;q=0.5"})
            assert answer.status_code == 200
            assert f'<html lang="{language}"' in answer.text
            assert texts(language)[page.room]["title"] in answer.text
            for path in re.findall(r'(?:href|src)="(/static/[^"]+)"', answer.text):
                file = client.get(path)
                assert (file.status_code, file.headers["cache-control"]) == (200, "no-cache")  # new versions are seen
            assert "style=" not in answer.text
            assert "default-src 'self'" in answer.headers["content-security-policy"]
            assert answer.headers["cache-control"] == "no-store"
    assert client.get("/", headers={"cookie": "language=es; theme=dark"}).text.count('lang="es" data-theme="dark"') == 1
    assert 'lang="en" data-theme="auto"' in client.get("/", headers={"cookie": "language=../x; theme=red"}).text


def test_every_layer_has_a_sentence_in_each_room_that_shows_it() -> None:
    """What has other layers inside needs one of its own only where it does something with their outputs."""
    inside = {"Ensemble", "Frozen", "Network", "ShiftAverage"}
    leaves = built_in_layers().keys() - inside
    learned = {"BatchNorm", "Conv1D", "Conv2D", "Dense"}
    needed = {
        "draw": {f"layer_{name}" for name in built_in_layers().keys() - {"Frozen", "Network"}},
        "step": {f"say_{way}_{name}" for way in ("forward", "input") for name in leaves}
        | {f"say_parameters_{name}" for name in learned}
        | {f"say_{way}_{name}" for way in ("enter", "split") for name in ("Residual", "Skip")},
    }
    for language in languages():
        for room, keys in needed.items():
            assert sorted(keys - texts(language)[room].keys()) == [], (language, room)


def test_texts_are_complete_and_used() -> None:
    english = texts("en")
    placeholders = re.compile(r"\{(\w+)\}")
    for language in languages():
        translated = texts(language)
        assert {room: set(keys) for room, keys in translated.items()} == {room: set(k) for room, k in english.items()}
        for room, keys in english.items():
            for key, text in keys.items():
                found = set(placeholders.findall(translated[room][key]))
                assert found == set(placeholders.findall(text)), (language, room, key)
                assert translated[room][key].strip()
    files = [*STATIC.rglob("*.js"), *STATIC.parent.glob("*.py")]
    scripts = "\n".join(path.read_text(encoding="utf-8") for path in files)
    used = set(re.findall(r'["`](\w+\.\w+)["`]', scripts))
    beginnings = tuple(re.findall(r"`(\w+\.\w+_)\$\{", scripts))  # t(`draw.step_${name}`)
    frame = {"title", "lead", "language", "lab", "skip", "rooms", "choose_language", "choose_theme"}
    frame |= {"theme_auto", "theme_light", "theme_dark"}
    unused = [
        f"{room}.{key}"
        for room, keys in english.items()
        for key in keys
        if key not in frame and f"{room}.{key}" not in used and not f"{room}.{key}".startswith(beginnings)
    ]
    assert unused == []


def loaded(files: list[Path]) -> set[Path]:
    """Scripts and styles with all that they import."""
    found: set[Path] = set()
    while files:
        path = files.pop().resolve()
        if path in found or not path.is_file():
            continue
        found.add(path)
        if path.suffix == ".woff":
            continue
        names = re.findall(r'(?:from|import\(|import|url\()\s*"([./][^"]+)"', path.read_text(encoding="utf-8"))
        files += [path.parent / name for name in names]
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.path)
def test_a_page_is_small(page: Page) -> None:
    """All that a browser loads for it, in one language, without what the server writes into it and without pictures."""
    begin = [f"{page.room}/{page.script}", f"{page.room}/room.css", "shell.css", "shell.js", "texts/en.json"]
    if page.room == "notes":  # a chapter loads what can be touched in it, and its answers' script
        begin += [f"notes/live/{path.name}" for path in (STATIC / "notes" / "live").iterdir()]
    files = loaded([STATIC / name for name in begin])
    assert len(files) >= len(begin)
    assert sum(path.stat().st_size for path in files) < 300_000


def test_nothing_comes_from_elsewhere() -> None:
    for path in STATIC.rglob("*"):
        if path.suffix in (".css", ".js", ".json", ".svg"):
            found = re.findall(r"https?://[\w.]+", path.read_text(encoding="utf-8"))
            assert set(found) <= {"http://www.w3.org"}, path


def test_models(client: TestClient, lab: Lab) -> None:
    answer = client.get("/api/models").json()
    assert answer["default"] == "convnet"
    assert [model["name"] for model in answer["models"]] == ["convnet", "best", "reader"]
    name = lab.keep(Model.load("convnet"), "taught")
    assert re.fullmatch("taught-[0-9a-f]{12}", name)
    assert lab.keep(Model.load("convnet"), "taught") == name
    assert name in [model["name"] for model in client.get("/api/models").json()["models"]]
    for unknown in ("given", "no-such-model", "../convnet", "", "C:", "a\0b", "taught-../x"):
        with pytest.raises(NotFoundError, match="The lab has no model"):
            lab.model(unknown)


def test_few_models_stay_in_memory(lab: Lab, few_images: Array) -> None:
    model = Model.load("convnet")
    for seed in range(CACHED + 2):
        path = lab.folder / "models" / f"m{seed}.safetensors"
        path.parent.mkdir(parents=True, exist_ok=True)
        model.save(path)
        lab.model(f"m{seed}")
    assert len(lab._cached) == CACHED
    np.testing.assert_array_equal(lab.model("m0").predict(few_images), model.predict(few_images))


@pytest.fixture
def few_images(mnist: DataSet) -> Array:
    assert mnist.x_test is not None
    return mnist.x_test[:20]


def test_a_foreign_host_and_a_foreign_site_are_refused(client: TestClient) -> None:
    assert client.get("/api/models", headers={"host": "evil.example"}).status_code == 403
    assert client.get("/api/models", headers={"host": "testserver:99"}).status_code == 200
    assert client.get("/api/models", headers={"host": "[::1"}).status_code == 403
    for headers in ({"origin": "http://evil.example"}, {"sec-fetch-site": "cross-site"}, {"origin": "null"}):
        answer = client.post("/api/models", headers=headers)
        assert answer.status_code == 403
        assert "own pages only" in answer.json()["error"]
    assert client.post("/api/models", headers={"origin": "http://testserver"}).status_code == 405
    assert client.get("/no/such/page").status_code == 404
    assert client.get("/static/../app.py").status_code == 404
    assert client.get("/static/%2e%2e/app.py").status_code == 404


def test_arrays_are_encoded_as_javascript_reads_them() -> None:
    array = np.arange(6, dtype=">f8").reshape(2, 3).T
    answer = encoded(array)
    assert (answer["shape"], answer["type"]) == ([3, 2], "float64")
    data = np.frombuffer(base64.b64decode(str(answer["data"])), "<f8")
    np.testing.assert_array_equal(data.reshape(3, 2), array)
    assert encoded(np.array([True]))["type"] == "uint8"
    assert encoded(np.array([1], np.int64))["type"] == "int32"
    with pytest.raises(OverflowError):
        encoded(np.array([1 << 31]))


def run_apart(task: Coroutine[Any, Any, list[str]]) -> list[str]:
    """Runs it in a thread, because a browser's test in this process has a loop of its own."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, task).result()


def read(hub: Hub, right: Right, last: int | None, count: int) -> list[str]:
    async def first() -> list[str]:
        stream = hub.stream(right, last)
        found = [await anext(stream)]
        hub.publish("now", 1, Right.DRAW)
        while len(found) <= count:
            found.append(await anext(stream))
        await stream.aclose()
        return found[1:]

    return run_apart(first())


def test_events() -> None:
    hub = Hub()
    for number in range(3):
        hub.publish("train", {"step": number})
    assert read(hub, Right.TEACH, None, 1) == ["id: 4\nevent: now\ndata: 1\n\n"]
    found = read(hub, Right.TEACH, 1, 4)
    assert [re.findall("^id: (.*)", text)[0] for text in found] == ["2", "3", "4", "5"]
    assert json.loads(found[0].split("data: ")[1]) == {"step": 1}
    assert [text.split("\n")[1] for text in read(hub, Right.DRAW, 1, 3)] == ["event: now"] * 3
    assert hub.streams == 0


def test_a_page_that_missed_too_much_asks_again() -> None:
    hub = Hub()
    for _ in range(KEPT + 3):
        hub.publish("train", 0)
    assert read(hub, Right.TEACH, 1, 1)[0].startswith("event: reset")
    assert read(hub, Right.TEACH, 10_000, 1)[0].startswith("event: reset")  # of a server that ran before

    async def slow() -> list[str]:
        stream = hub.stream(Right.TEACH)
        await anext(stream)
        task = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        for number in range(WAITING + 5):
            hub.publish("train", number)
        await asyncio.sleep(0.01)
        found = [await task] + [await anext(stream) for _ in range(4)]
        await stream.aclose()
        return found

    assert run_apart(slow())[0].startswith("event: reset")


def test_a_page_catches_up_with_all_that_is_kept_and_no_more() -> None:
    hub = Hub()
    for number in range(KEPT + 3):
        hub.publish("train", number)
    found = read(hub, Right.TEACH, 3, KEPT + 1)
    assert [re.findall("^id: (.*)", text)[0] for text in found] == [str(k) for k in range(4, KEPT + 5)]
    assert read(hub, Right.TEACH, 3, 1)[0].startswith("event: reset")  # `read` has published another one


def test_a_stream_without_events_says_that_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "HEARTBEAT", 0.01)

    async def silence() -> list[str]:
        stream = Hub().stream(Right.TEACH)
        found = [await asyncio.wait_for(anext(stream), 10) for _ in range(3)]
        await stream.aclose()
        return found

    assert run_apart(silence())[1:] == [": still here\n\n"] * 2


def test_static_files_are_type_checked() -> None:
    """Each script says that its types are to be checked."""
    for path in STATIC.rglob("*.js"):
        assert path.read_text(encoding="utf-8").startswith("// @ts-check\n"), path
