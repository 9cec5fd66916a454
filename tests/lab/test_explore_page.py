"""Explore in a browser: guessing, opening cells, layers, the tour, two models; by mouse, by keyboard, from a link."""

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit
from urllib.request import urlopen

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from digitscope import metrics
from digitscope.datasets import DataSet
from digitscope.jobs.exploration import evenly_spaced
from digitscope.jobs.timeline import Experiment, Timeline
from digitscope.projections import circular_frame, dragged_frame, facing_frame
from tests.lab.conftest import PageOpener, Server, wait_until


def state(page: Page) -> dict[str, Any]:
    """What the address holds."""
    pairs = parse_qs(urlsplit(page.url).fragment)
    return {name: json.loads(values[0]) for name, values in pairs.items()}


def address(url: str, **values: Any) -> str:
    return f"{url}/explore#" + "&".join(f"{name}={quote(json.dumps(value))}" for name, value in values.items())


def ready(url: str, path: str, **query: str) -> Any:
    """The server's answer, which test_explore.py compares with digitscope's own numbers."""
    while True:
        with urlopen(f"{url}/api/explore/{path}?{urlencode(query)}", timeout=60) as answer:
            found = json.load(answer)
        if found["state"] == "ready":
            return found
        time.sleep(0.1)


@pytest.fixture(scope="module")
def confusion(shared_lab: str) -> Any:
    return np.array(ready(shared_lab, "summary", model="convnet")["confusion"])


def cell(page: Page, label: int, answer: int) -> Any:
    return page.get_by_role("button", name=re.compile(rf"^{label} read as {answer}: "))


def test_a_guess_then_the_images_behind_a_cell(shared_lab: str, open_page: PageOpener, confusion: Any) -> None:
    page = open_page(f"{shared_lab}/explore")
    expect(page.get_by_role("heading", name="Confusion matrix")).to_be_visible()
    expect(cell(page, 4, 9)).to_have_text("?")
    expect(cell(page, 0, 0)).to_have_text(f"{confusion[0, 0]:,}")
    expect(page.get_by_text("Which two digits does it confuse most?")).to_be_visible()
    label, answer, count = metrics.most_confused(confusion, 1)[0]
    cell(page, 2, 3).click()
    expect(
        page.get_by_text(f"It reads 2 as 3 {confusion[2, 3]} times. Most often it reads {label} as {answer}")
    ).to_be_visible()
    for i, j in ((label, answer), (2, 3), (9, 4)):
        expect(cell(page, i, j)).to_have_text(str(confusion[i, j] or "·"))
    expect(page.get_by_role("heading", name=f"{label} read as {answer}: {count}")).to_be_visible()
    images = page.locator(".gallery button")
    expect(images).to_have_count(count)
    cell(page, 9, 4).click()
    expect(images).to_have_count(int(confusion[9, 4]))
    assert state(page)["cell"] == [9, 4]
    images.first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("a 9, read as 4")
    expect(dialog.get_by_role("row")).to_have_count(10)
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    page.reload()  # a link holds the whole state
    expect(page.get_by_role("heading", name=f"9 read as 4: {confusion[9, 4]}")).to_be_visible()
    page.get_by_role("button", name="All mistakes").click()
    expect(images).to_have_count(int(confusion.sum() - np.trace(confusion)))


def test_the_matrix_by_keyboard(shared_lab: str, open_page: PageOpener, confusion: Any) -> None:
    page = open_page(f"{shared_lab}/explore")
    page.get_by_role("button", name="Show me").focus()
    page.keyboard.press("Enter")
    label, answer, _ = metrics.most_confused(confusion, 1)[0]
    expect(cell(page, label, answer)).to_be_focused()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    i, j = (label + 1) % 10, (answer + 1) % 10
    expect(page.get_by_role("button", name=re.compile(rf"^{i} read as {j}: "))).to_be_focused()
    page.keyboard.press("Enter")
    assert state(page)["cell"] == [i, j]
    assert page.locator(".confusion button[tabindex='0']").count() == 1
    tab = page.get_by_role("tab", name="Mistakes")
    tab.focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Confidence")).to_be_focused()
    expect(page.get_by_role("tab", name="Confidence")).to_have_attribute("aria-selected", "true")
    expect(page.get_by_role("heading", name="Calibration")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", name="Confusion matrix")).to_be_visible()


def test_mistakes_can_be_kept(shared_lab: str, open_page: PageOpener, confusion: Any) -> None:
    page = open_page(f"{shared_lab}/explore")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the mistakes (CSV)").click()
    lines = download.value.path().read_text().splitlines()
    assert len(lines) == 1 + confusion.sum() - np.trace(confusion)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the mistakes (PNG)").click()
    assert download.value.path().read_bytes().startswith(b"\x89PNG")


def test_the_bars_of_the_calibration_open_their_images(shared_lab: str, open_page: PageOpener) -> None:
    page = open_page(address(shared_lab, view="confidence"))
    bars = page.locator(".bin")
    expect(bars.last).to_have_attribute("aria-label", re.compile("Confidence 93% to 100%: 9,8.. images"))
    bars.nth(1).focus()
    page.keyboard.press("Enter")
    expect(bars.nth(1)).to_have_attribute("aria-pressed", "true")
    count = int(re.findall(r": (\d+) images", bars.nth(1).get_attribute("aria-label") or "")[0])
    expect(page.locator(".gallery button")).to_have_count(count)
    page.get_by_text("As a table").click()
    expect(page.get_by_role("row")).to_have_count(1 + bars.count())


def test_more_images_come_once_if_the_button_is_pressed_twice(shared_lab: str, open_page: PageOpener) -> None:
    page = open_page(address(shared_lab, view="confidence", bin=14))
    images = page.locator(".gallery button")
    expect(images).to_have_count(60)
    page.get_by_role("button", name="Show more").dblclick()
    expect(images).to_have_count(120)
    page.wait_for_timeout(500)
    assert len({images.nth(k).get_attribute("aria-label") for k in range(images.count())}) == images.count()


def test_robustness_is_measured_on_request(shared_lab: str, open_page: PageOpener) -> None:
    page = open_page(address(shared_lab, view="robustness", sample=200))
    expect(page.locator(".curves")).to_have_count(0)
    page.get_by_role("button", name="Measure").click()
    expect(page.get_by_role("heading", name="Rotation")).to_be_visible(timeout=60_000)
    expect(page.locator(".curves figure")).to_have_count(8)
    expect(page.get_by_text("On 200 test images")).to_be_visible()
    page.get_by_text("As a table").click()
    expect(page.get_by_role("row")).to_have_count(9)


def test_layer_by_layer(shared_lab: str, open_page: PageOpener) -> None:
    page = open_page(address(shared_lab, view="layers", layer="input"), reduced_motion="reduce")
    expect(page.get_by_role("heading", name="The input: 28×28 pixels")).to_be_visible()
    expect(page.get_by_text("of what differs among 784 numbers")).to_be_visible()
    page.get_by_role("button", name="Next layer").click()
    expect(page.get_by_role("heading", name="Layer 1 of 16: Standardize, 784")).to_be_visible()
    slider = page.get_by_role("slider", name="Layer")
    slider.focus()
    page.keyboard.press("End")
    expect(page.get_by_role("heading", name="Layer 16 of 16: Dense, 10")).to_be_visible()
    expect(page.get_by_text("among 10 numbers")).to_be_visible()
    assert state(page)["layer"] == "17"
    page.get_by_role("application").focus()
    page.keyboard.press("x")
    expect(page.get_by_text(re.compile(r"Test image [\d,]+: a \d, read as \d with"))).to_be_visible()
    page.keyboard.press("4")
    expect(page.get_by_text(re.compile(r"Test image [\d,]+: a 4, read"))).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_contain_text("a 4")
    page.keyboard.press("Escape")
    page.get_by_text("As a table").click()
    expect(page.get_by_role("row")).to_have_count(11)


def places(page: Page) -> Any:
    """Where the tips of the axes are in the picture, from -1 to 1."""
    found = page.locator(".handles button").evaluate_all(
        "all => all.map(b => [b.style.left, b.style.top].map(parseFloat))"
    )
    return (np.array(found) - 50) / [50, -50]


def frame(page: Page) -> Any:
    return np.array(state(page)["frame"]).reshape(-1, 2) / 1000


def expect_frame(page: Page, expected: Any) -> None:
    page.wait_for_function(
        """expected => {
            const found = JSON.parse(new URLSearchParams(location.hash.slice(1)).get("frame") ?? "[]").flat();
            return found.length === expected.length && found.every((v, i) => Math.abs(v / 1000 - expected[i]) < 1e-3);
        }""",
        arg=np.ravel(expected).tolist(),
    )


def test_an_axis_of_the_tour_is_dragged(shared_lab: str, open_page: PageOpener) -> None:
    page = open_page(address(shared_lab, view="tour"), reduced_motion="reduce")
    play = page.get_by_role("button", name="Turn", exact=True)
    expect(play).to_be_visible()  # it does not start by itself if motion is to be reduced
    circle = circular_frame(10)
    tips = places(page)
    np.testing.assert_allclose(tips, circle * np.hypot(*tips[0]) / np.hypot(*circle[0]), atol=1e-3)
    three = page.get_by_role("button", name="Axis of 3")
    three.hover()  # which may scroll
    box = page.locator(".stage").bounding_box()
    assert box is not None
    page.mouse.down()
    page.mouse.move(box["x"] + 0.7 * box["width"], box["y"] + 0.35 * box["height"], steps=4)
    page.mouse.up()
    wait_until(page, lambda: np.abs(places(page)[3] - [0.4, 0.3]).max() < 0.01)
    found = frame(page)
    np.testing.assert_allclose(found.T @ found, np.eye(2), atol=5e-3)
    page.reload()
    expect(three).to_be_visible()
    np.testing.assert_allclose(frame(page), found, atol=2e-3)


def test_the_tour_by_keyboard(shared_lab: str, open_page: PageOpener) -> None:
    page = open_page(address(shared_lab, view="tour"), reduced_motion="reduce")
    axis = page.get_by_role("button", name="Axis of 7")
    axis.focus()
    with page.expect_response("**/api/explore/tour/drag"):
        page.keyboard.press("ArrowUp")
    expect_frame(page, dragged_frame(circular_frame(10), 7, circular_frame(10)[7] + [0, 0.06], centred=True))
    page.get_by_label("First digit").select_option("3")
    page.get_by_label("Second digit").select_option("5")
    page.get_by_role("button", name="Show these two").click()
    expect_frame(page, facing_frame(10, 3, 5))
    page.get_by_role("button", name="All digits in a circle").click()
    expect_frame(page, circular_frame(10))


def test_the_tour_turns_and_pauses(shared_lab: str, open_page: PageOpener) -> None:
    page = open_page(address(shared_lab, view="tour"))
    pause = page.get_by_role("button", name="Pause")
    expect(pause).to_be_visible()
    before = places(page)
    wait_until(page, lambda: np.abs(places(page) - before).max() > 0.01)
    pause.click()
    rest = places(page)
    page.wait_for_timeout(300)
    np.testing.assert_array_equal(places(page), rest)
    found = frame(page)
    np.testing.assert_allclose(found.T @ found, np.eye(2), atol=5e-3)


def test_the_tour_through_a_training(
    start_server: Callable[..., Server], open_page: PageOpener, tmp_path: Path, mnist: DataSet
) -> None:
    timeline = Timeline.begin(
        tmp_path / "runs" / "lab" / "training" / "1", Experiment("seed", images=600, batch_size=50, epochs=2)
    )
    assert mnist.x_test is not None
    assert mnist.y_test is not None
    sample = evenly_spaced(10_000, 1000)
    accuracies = []
    for step in (0, 4, 16):
        for _ in timeline.go(0, step, threads=1):
            pass
        timeline.save()
        accuracies.append((timeline.model().predict(mnist.x_test[sample]) == mnist.y_test[sample]).mean())
    timeline.write_state({})
    timeline.close()
    page = open_page(address(start_server("convnet").url, view="tour"), reduced_motion="reduce")
    page.get_by_role("button", name="The training in the lab").click()
    slider = page.get_by_role("slider", name="Through the training")
    expect(slider).to_have_attribute("aria-valuetext", f"Epoch 0: reads {100 * accuracies[0]:.1f}%")
    slider.focus()
    page.keyboard.press("End")
    epoch = 16 / timeline.batches
    expect(slider).to_have_attribute("aria-valuetext", f"Epoch {epoch:.3g}: reads {100 * accuracies[2]:.1f}%")
    assert state(page)["moment"] == 2
    page.reload()
    expect(slider).to_have_value("2")
    page.get_by_role("button", name="The training in the lab").click()
    expect(slider).to_have_count(0)
    assert "moment" not in state(page)


def test_pointing_at_an_image_of_the_tour_shows_it(shared_lab: str, open_page: PageOpener) -> None:
    page = open_page(address(shared_lab, view="tour", space="probabilities"), reduced_motion="reduce")
    page.get_by_role("button", name="Show these two").click()  # 4 to the right, 9 up: 4s are at (1, 0)
    expect_frame(page, facing_frame(10, 4, 9))
    box = page.locator(".stage").bounding_box()
    assert box is not None
    scale = (places(page)[4][0] - 0.1) / 1.0
    page.mouse.move(box["x"] + (0.5 + 0.5 * scale) * box["width"], box["y"] + 0.5 * box["height"])
    expect(page.get_by_text(re.compile(r"Test image [\d,]+: a 4, read correctly"))).to_be_visible()


def test_two_models(shared_lab: str, open_page: PageOpener) -> None:
    page = open_page(address(shared_lab, view="compare", other="reader"))
    parts = ready(shared_lab, "compare", first="convnet", second="reader")["parts"]
    only, apart = parts["only_second"], parts["only_first"] + parts["only_second"]
    part = page.get_by_role("button", name=f"{only} Only reader right")
    expect(part).to_be_visible(timeout=60_000)
    expect(page.get_by_text(f"Only {apart} images tell the two apart")).to_be_visible()
    part.click()
    expect(page.locator(".gallery button")).to_have_count(only)
    assert state(page)["part"] == "only_second"


@pytest.mark.parametrize("view", ["mistakes", "confidence", "robustness", "layers", "tour", "compare"])
def test_a_damaged_link_opens_the_page(shared_lab: str, open_page: PageOpener, view: str) -> None:
    damage = {"cell": [77, -3], "bin": 99, "layer": "x", "axes": [0, 99], "frame": [1], "model": "no", "sample": 3}
    page = open_page(address(shared_lab, view=view, other=5, space="x", part="y", **damage))
    expect(page.locator("#view .card").first).to_be_visible(timeout=60_000)
    expect(page.locator(".messages > div")).to_have_count(0)


def test_in_spanish(shared_lab: str, open_page: PageOpener) -> None:
    page = open_page(f"{shared_lab}/explore", locale="es-ES")
    expect(page.get_by_role("heading", name="Matriz de confusión")).to_be_visible()
    for name, heading in (
        ("Confianza", "¿Acierta"),
        ("Capa por capa", "Capa 16 de 16"),
        ("Gran recorrido", "Gran recorrido"),
    ):
        page.get_by_role("tab", name=name).click()
        expect(page.get_by_role("heading", name=heading)).to_be_visible()
