"""The start page, the place to come back to, and the tour."""

import re
from collections.abc import Callable

import numpy as np
import pytest
from playwright.sync_api import Page, expect
from starlette.testclient import TestClient

from digitscope import explain
from digitscope.lab.app import PAGES
from digitscope.lab.state import Lab
from digitscope.recipes import RECIPES
from tests.lab.arrays import decoded
from tests.lab.conftest import PageOpener

ROOMS = [page.path for page in PAGES if page.path != "/" and "{" not in page.path and not page.bare]


def test_the_numbers_of_the_start_page(client: TestClient, lab: Lab) -> None:
    found = client.get("/api/start", params={"image": 7}).json()
    assert lab.mnist.x_test is not None
    assert lab.mnist.y_test is not None
    images, labels = lab.mnist.x_test[7:8], lab.mnist.y_test[7:8]
    np.testing.assert_array_equal(decoded(found["image"]), images[0])
    assert found["label"] == labels[0]
    np.testing.assert_allclose(found["probabilities"], lab.model("convnet").predict_proba(images)[0], rtol=1e-6)
    network = RECIPES["seed"].build(np.random.default_rng(0), (28, 28), 10)
    dW = explain.gradients(network, images, labels).parameters["0.weight"]
    np.testing.assert_array_equal(decoded(found["gradient"]).reshape(10, 784), dW)
    weight = found["weight"]
    assert weight["value"] == pytest.approx(weight["dy"] * weight["x"], rel=1e-6)
    assert abs(weight["value"]) == pytest.approx(np.abs(dW).max())
    assert "<math" in weight["formula"]
    assert len(found["losses"]) == 400
    assert np.mean(found["losses"][-20:]) < 0.25 * found["losses"][0]
    assert decoded(found["points"]).shape == (len(found["point_labels"]), 2)
    assert decoded(found["wall"]).shape == (12, 28, 28)
    right = np.mean(np.array(found["wall_labels"]) == found["wall_answers"])
    assert right >= 0.5
    assert client.get("/api/start", params={"image": 7}).json() == found
    first = client.get("/api/start").json()
    assert first["label"] == lab.mnist.y_test[0]
    assert first["weight"]["value"] < 0  # the largest derivative is the largest in absolute value
    for bad in (-1, 10_000, "x"):
        assert client.get("/api/start", params={"image": bad}).status_code == 400


def test_every_room_has_a_card_with_a_picture(shared_lab: str, open_page: PageOpener) -> None:
    page = open_page(f"{shared_lab}/#start")
    cards = page.locator(".rooms li")
    expect(cards).to_have_count(len(ROOMS))
    expect(page.locator(".picture > *")).to_have_count(len(ROOMS))
    assert [card.get_attribute("href") for card in cards.locator("a").all()] == ROOMS
    names = [picture.get_attribute("aria-label") for picture in page.locator(".picture [role=img]").all()]
    assert all(names)
    assert len(names) == len(set(names))
    assert page.locator(".picture canvas").first.evaluate(
        "c => c.getContext('2d').getImageData(0, 0, 28, 28).data.some(v => v > 200)"
    )


def test_a_later_visit_begins_where_the_last_one_was(shared_lab: str, open_page: PageOpener) -> None:
    page = open_page(f"{shared_lab}/notes/04-softmax#eq-4.12")
    page.goto(f"{shared_lab}/")
    page.wait_for_url("**/notes/04-softmax#eq-4.12")
    page.get_by_role("link", name="Digitscope", exact=True).click()
    page.wait_for_url("**/#start")
    expect(page.get_by_role("heading", level=1)).to_have_text("See through a network")
    expect(page.locator(".rooms")).to_be_visible()
    page.goto(f"{shared_lab}/notes/search?q=x")
    page.goto(f"{shared_lab}/#start")
    expect(page.locator(".rooms")).to_be_visible()
    page.goto(f"{shared_lab}/")
    expect(page.locator(".rooms")).to_be_visible()


@pytest.mark.parametrize(
    "place", ["//evil.example/", "https://evil.example/", "/\\\\evil.example", "javascript:alert(1)"]
)
def test_a_place_elsewhere_is_not_gone_to(shared_lab: str, open_page: PageOpener, place: str) -> None:
    page = open_page(f"{shared_lab}/#start")
    page.add_init_script(f"localStorage.setItem('digitscope.place', '{place}')")
    page.goto(f"{shared_lab}/")
    expect(page.locator(".rooms")).to_be_visible()
    assert page.url == f"{shared_lab}/"


UNCOVERED = """() => {
  const [target, panel] = [".tour-target", ".tour"].map((name) => document.querySelector(name).getBoundingClientRect());
  const beside = target.right <= panel.left || target.bottom <= panel.top || target.top >= panel.bottom;
  return beside || target.height > 150;  // of a large target a part is seen
}"""


def through_the_tour(page: Page, forwards: Callable[[], None]) -> list[str]:
    """The headings of all stops. At each one the panel is in the window, and so is what it points at."""
    seen = []
    while True:
        panel = page.get_by_role("dialog")
        count = panel.locator(".tour-count").inner_text()
        here, of = map(int, re.findall(r"\d+", count))
        seen.append(panel.get_by_role("heading").inner_text())
        expect(page.locator(".tour-target")).to_be_in_viewport()
        expect(panel).to_be_in_viewport(ratio=0.99)
        page.wait_for_function(UNCOVERED)
        if here == of:
            return seen
        forwards()
        expect(page.locator(".tour-count")).to_have_text(re.compile(rf"^{here + 1}\b"))
        expect(page.get_by_role("dialog").get_by_role("heading")).to_be_focused()


def test_the_tour_with_the_keyboard_alone(shared_lab: str, open_page: PageOpener) -> None:
    page = open_page(f"{shared_lab}/", reduced_motion="reduce")
    panel = page.get_by_role("dialog")
    expect(panel).to_be_visible()
    assert page.evaluate("document.activeElement === document.body")  # it came unasked
    page.keyboard.press("Tab")  # the link to the content
    page.keyboard.press("Tab")
    expect(panel.get_by_role("button", name="End the tour")).to_be_focused()

    def forwards() -> None:
        panel.get_by_role("button", name="Next").focus()
        page.keyboard.press("Enter")

    seen = through_the_tour(page, forwards)
    assert seen[0].startswith("Welcome")
    assert seen[-1] == "And where does it come from?"
    assert len(seen) == len(set(seen))
    panel.get_by_role("button", name="Done").focus()
    page.keyboard.press("Enter")
    expect(panel).to_have_count(0)
    expect(page.locator(".tour-target")).to_have_count(0)
    expect(page.locator("#main")).to_be_focused()
    page.goto(f"{shared_lab}/#start")
    expect(page.locator(".rooms")).to_be_visible()
    expect(panel).to_have_count(0)  # only at the first start


@pytest.mark.parametrize("size", [(360, 740), (1920, 1080)])
def test_the_tour_in_spanish(shared_lab: str, open_page: PageOpener, size: tuple[int, int]) -> None:
    page = open_page(f"{shared_lab}/", locale="es-ES", viewport={"width": size[0], "height": size[1]})
    panel = page.get_by_role("dialog")
    seen = through_the_tour(page, lambda: panel.get_by_role("button", name="Siguiente").click())
    assert seen[1] == "Dibuja"


def test_the_tour_is_left_and_taken_again(shared_lab: str, open_page: PageOpener) -> None:
    page = open_page(f"{shared_lab}/")
    panel = page.get_by_role("dialog")
    expect(panel).to_be_visible()
    page.keyboard.press("Escape")
    expect(panel).to_have_count(0)
    page.reload()
    expect(page.locator(".rooms")).to_be_visible()
    expect(panel).to_have_count(0)
    page.get_by_role("button", name="Tour of one minute").click()
    page.wait_for_url("**/draw*")
    expect(panel.get_by_role("heading")).to_have_text("Draw")
    expect(page.locator(".tour-target")).to_be_visible()
    canvas = page.locator(".surface canvas")
    canvas.click(position={"x": 60, "y": 60})  # the page stays usable
    page.keyboard.press("Tab")
    assert not panel.evaluate("panel => panel.contains(document.activeElement)")  # no trap
    panel.get_by_role("button", name="Next").click()
    panel.get_by_role("button", name="Back").click()
    expect(panel.get_by_role("heading")).to_have_text("Draw")
    panel.get_by_role("button", name="End the tour").click()
    expect(panel).to_have_count(0)
    page.reload()
    expect(page.locator(".surface")).to_be_visible()
    expect(panel).to_have_count(0)


STREAM = """
window.SharedWorker = undefined;
window.streams = [];
window.EventSource = class extends EventTarget {
  constructor() { super(); streams.push(this); }
  close() { this.closed = true; }
};
"""


def test_a_page_that_is_left_takes_no_events_until_it_comes_back(shared_lab: str, open_page: PageOpener) -> None:
    page = open_page(f"{shared_lab}/", before=lambda page: page.add_init_script(STREAM))
    heard = page.evaluate("""async () => {
        const heard = [];
        const until = async (done) => { while (!done()) await new Promise((go) => setTimeout(go, 10)); };
        const send = (value) => streams.at(-1).dispatchEvent(new MessageEvent("topic", { data: value }));
        const { listen } = await import("/static/engine.js");
        listen("reset", () => heard.push("reset"));
        listen("topic", (value) => heard.push(value));
        await until(() => streams.length && (send(1), heard.length));
        dispatchEvent(new PageTransitionEvent("pagehide", { persisted: true }));
        await until(() => streams[0].closed);
        heard.length = 0;
        send(2);
        dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true }));
        await until(() => streams.length > 1 && (send(3), heard.length > 1));
        return heard.slice(0, 2);
    }""")
    assert heard == ["reset", 3]
