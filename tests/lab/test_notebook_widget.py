"""The page "One step" as a widget: what the kernel answers, and the page in a browser with a stand-in for Jupyter."""

import importlib
import json
import re
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, expect

from digitscope.datasets import DataSet
from digitscope.errors import DigitscopeError
from digitscope.lab.frame import STATIC
from digitscope.model import Model
from digitscope.notebook import OneStep, modules

Ask = Callable[..., Any]


def answers(widget: OneStep, message: dict[str, Any]) -> dict[str, Any]:
    sent: list[dict[str, Any]] = []
    widget.send = lambda content, buffers=None: sent.append(content)
    widget._handle_custom_msg({"id": "a"} | message, [])
    (answer,) = sent
    assert answer["id"] == message.get("id", "a")
    json.dumps(answer, allow_nan=False)
    return answer


def step(widget: OneStep, **changes: Any) -> dict[str, Any]:
    asked = {"images": [{"label": 7, "index": 0}], **{k: v for k, v in widget.state.items() if k != "at"}, **changes}
    return answers(widget, {"path": "/api/step", "method": "POST", "body": {"step": asked}})


def test_the_kernel_answers_as_the_lab_does(few: DataSet, small: Model) -> None:
    assert few.x_test is not None
    own = OneStep(few.x_test[:2], [1, 2], small, learning_rate=0.5, optimizer="adam")
    found = step(own)
    assert found["status"] == 200
    assert found["content"]["labels"] == [1, 2]
    assert found["content"]["parameters"] == small.parameters
    assert step(own, network="nothing")["status"] == 404
    assert step(own, network="convnet")["content"]["parameters"] == Model.load("convnet").parameters
    wrong = step(own, seed="many")
    assert (wrong["status"], wrong["content"]["error"]) == (
        400,
        "step.seed is expected as a whole number; got 'many'.",
    )
    for path, method in (("/api/models", "GET"), ("/api/step", "GET"), ("/notes/99-nothing", "GET"), ("//", "POST")):
        assert answers(own, {"path": path, "method": method})["status"] == 404
    images = answers(own, {"path": "/api/test-images?first=3&count=2", "method": "GET"})["content"]
    assert images["indices"] == [3, 4]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"x": np.zeros((1, 28, 28))}, "images and their labels, or neither"),
        ({"x": np.zeros((17, 28, 28)), "y": [0] * 17}, "1 to 16 images; got 17"),
        ({"x": np.zeros((1, 28, 28)), "y": [12]}, "Labels are expected from 0 to 9"),
        ({"network": "nothing"}, "network expects one of seed"),
        ({"optimizer": "fast"}, "optimizer expects one of"),
        ({"learning_rate": float("nan")}, "^learning_rate is expected as a number from 0 on; got nan"),
        ({"seed": -1}, "^seed is expected as a whole number from 0 on; got -1"),
        ({"language": "xx"}, "language expects one of en"),
        ({"height": 10}, "height is expected as a whole number from 300 on"),
    ],
)
def test_a_step_that_is_not_possible_is_one_clear_error(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(DigitscopeError, match=message) as caught:
        OneStep(**arguments)
    assert "\n" not in str(caught.value)


def test_without_anywidget_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "anywidget", None)
    monkeypatch.delitem(sys.modules, "digitscope.notebook")
    with pytest.raises(ImportError, match=re.escape("pip install 'digitscope[notebook]'")):
        importlib.import_module("digitscope.notebook")


def test_each_script_comes_after_those_that_it_imports() -> None:
    before: set[str] = set()
    for module in modules("step/room.js"):
        imported = {line.split('"')[-2] for line in module["source"].splitlines() if line.startswith("import ")}
        assert imported <= before, module["name"]
        before.add(module["name"])
    assert "/static/engine.js" in before


# What Jupyter gives to a widget, and an answer of the kernel for each message.
STAND_IN = """
const listeners = new Set();
const values = VALUES;
window.model = {
  get: (name) => values[name], set: (name, value) => { values[name] = value; }, save_changes() {},
  on: (event, f) => listeners.add(f), off: (event, f) => listeners.delete(f),
  send: async (message) => { const answer = await kernel(message); listeners.forEach((f) => f(answer)); },
};
const source = URL.createObjectURL(new Blob([SOURCE], { type: "text/javascript" }));
import(source).then(({ default: widget }) => { window.remove = widget.render({ model, el: document.body }); });
"""


def test_the_page_shows_the_step_in_a_notebook(browser: Browser) -> None:
    widget = OneStep(learning_rate=0.5)
    page = browser.new_page(viewport={"width": 1000, "height": 900})
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.expose_function("kernel", lambda message: answers(widget, message))
    page.set_content("<!doctype html><title>notebook</title><body data-jp-theme-light='false'></body>")
    values = json.dumps({"height": widget.height, "state": widget.state})
    source = json.dumps((STATIC / "notebook" / "widget.js").read_text(encoding="utf-8"))
    page.add_script_tag(content=STAND_IN.replace("VALUES", values).replace("SOURCE", source))
    frame = page.frame_locator("iframe")
    expect(frame.locator(".whole-column").first).to_be_visible()
    assert frame.locator("html").get_attribute("data-theme") == "dark"
    frame.locator(".whole-head").nth(1).click()
    expect(frame.locator(".formula math").first).to_be_visible()
    link = frame.locator(".why-notes a").first
    expect(link).to_be_visible()
    assert page.evaluate("model.get('state').at") == "0.forward"
    assert page.evaluate("model.get('state').rate") == 0.5
    link.click()
    expect(frame.locator("dialog.chapter h1")).to_be_visible()
    frame.locator("dialog.chapter").get_by_role("button").click()
    expect(frame.locator("dialog.chapter")).not_to_be_visible()
    page.evaluate("remove()")
    page.close()
    assert problems == []
