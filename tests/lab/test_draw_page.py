"""The page Draw in a browser: drawn on with a mouse, a finger and the keyboard."""

import base64
import io
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from digitscope.datasets import DataSet, load_data
from digitscope.model import Model
from digitscope.vision.drawing import PenStroke
from tests.drawn import pen_strokes
from tests.lab.conftest import PageOpener, Server
from tests.lab.touch import draw_lines


@pytest.fixture(scope="module")
def reader_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a lab as everybody starts it."""
    server = Server(tmp_path_factory.mktemp("lab"))
    yield server.url
    server.kill()


TOUCH: dict[str, Any] = {"viewport": {"width": 390, "height": 780}, "has_touch": True, "is_mobile": True}


def strokes_on(page: Page, strokes: Sequence[PenStroke]) -> list[list[tuple[float, float]]]:
    """The points of the strokes in the page's pixels."""
    surface = page.get_by_label("Drawing", exact=True)
    surface.scroll_into_view_if_needed()
    box = surface.bounding_box()
    assert box is not None
    return [
        [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y, _ in stroke.points] for stroke in strokes
    ]


def draw_with_mouse(page: Page, strokes: Sequence[PenStroke]) -> None:
    for points in strokes_on(page, strokes):
        page.mouse.move(*points[0])
        page.mouse.down()
        for point in points[1:]:
            page.mouse.move(*point)
        page.mouse.up()


def start(open_page: PageOpener, lab: str, state: str = "", **options: Any) -> Page:
    """The page without the example of a first visit."""
    page = open_page(f"{lab}/draw#{state or 'prepared=true'}", **options)
    expect(page.get_by_label("Answer", exact=True)).not_to_be_empty()
    return page


@pytest.mark.parametrize("number", [0, 1, 4])
def test_a_digit_of_mnist_is_drawn_with_a_mouse_and_read(
    open_page: PageOpener, reader_lab: str, mnist: DataSet, number: int
) -> None:
    assert mnist.x_test is not None
    assert mnist.y_test is not None
    page = start(open_page, reader_lab)
    answer = page.get_by_label("Answer", exact=True)
    expect(answer).to_contain_text("Nothing is drawn yet")
    draw_with_mouse(page, pen_strokes(mnist.x_test[number]))
    expect(answer.locator(".digit")).to_have_text(str(mnist.y_test[number]))
    expect(answer).to_contain_text("sure")
    expect(page.locator(".bars .first th")).to_have_text(str(mnist.y_test[number]))


def test_a_digit_is_drawn_with_a_finger_and_the_page_does_not_scroll(
    open_page: PageOpener, reader_lab: str, mnist: DataSet
) -> None:
    assert mnist.x_test is not None
    page = start(open_page, reader_lab, **TOUCH)
    strokes = pen_strokes(mnist.x_test[0])
    strokes_on(page, strokes)  # scrolls it into view
    before = page.evaluate("scrollY")
    draw_lines(page, strokes_on(page, strokes))
    expect(page.get_by_label("Answer", exact=True).locator(".digit")).to_have_text("7")
    assert page.evaluate("scrollY") == before


def test_the_keyboard_draws_and_takes_back(open_page: PageOpener, reader_lab: str) -> None:
    page = start(open_page, reader_lab)
    surface = page.get_by_label("Drawing", exact=True)
    surface.focus()
    page.keyboard.press("Space")
    for _ in range(17):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    answer = page.get_by_label("Answer", exact=True)
    expect(answer.locator(".digit")).to_have_text("1")
    page.keyboard.press("Backspace")
    expect(answer).to_contain_text("Nothing is drawn yet")
    page.get_by_role("button", name="Undo", exact=True).focus()
    expect(page.get_by_role("button", name="Undo", exact=True)).to_be_disabled()


def test_the_link_holds_the_whole_state(open_page: PageOpener, reader_lab: str, mnist: DataSet) -> None:
    assert mnist.x_test is not None
    page = start(open_page, reader_lab)
    draw_with_mouse(page, pen_strokes(mnist.x_test[0]))
    expect(page.get_by_label("Answer", exact=True).locator(".digit")).to_have_text("7")
    page.get_by_role("button", name="Add noise").click()
    expect(page.get_by_text("Broken in the network: 1.")).to_be_visible()
    page.locator(".layer canvas").nth(2).click(position={"x": 30, "y": 30})
    unit = page.get_by_role("region", name="Layer 2, channel")
    expect(unit.get_by_text("pixels.")).to_be_visible()
    said = page.get_by_label("Answer", exact=True).inner_text()
    sure = page.locator(".score").inner_text()
    assert len(page.url) < 2500
    other = start(open_page, reader_lab, page.url.partition("#")[2])
    expect(other.get_by_label("Answer", exact=True)).to_have_text(said.replace("\n", ""), use_inner_text=False)
    expect(other.locator(".score")).to_have_text(sure)
    other.locator("#title-network").scroll_into_view_if_needed()
    expect(other.get_by_role("region", name="Layer 2, channel")).to_be_visible()
    other.get_by_role("button", name="Repair all").click()
    expect(other.get_by_text("Broken in the network")).to_be_hidden()


def test_a_first_visit_asks_for_a_guess_and_shows_what_happens(open_page: PageOpener, reader_lab: str) -> None:
    page = open_page(f"{reader_lab}/draw")
    answer = page.get_by_label("Answer", exact=True)
    expect(answer.locator(".digit")).to_have_text("5")
    guess = page.get_by_role("region", name="Guess first")
    guess.get_by_role("button", name="5", exact=True).click()
    expect(answer.locator(".digit")).to_have_text("3")
    expect(guess).to_contain_text("It reads 3")
    expect(guess).to_contain_text("you expected 5")
    guess.get_by_role("button", name="Bring the stroke back").click()
    expect(answer.locator(".digit")).to_have_text("5")
    page.reload()
    expect(answer.locator(".digit")).to_have_text("5")
    page.wait_for_selector(".because:has-text('5')")
    expect(guess).to_be_hidden()  # only at the first visit


def test_the_first_own_stroke_replaces_the_example(open_page: PageOpener, reader_lab: str) -> None:
    page = open_page(f"{reader_lab}/draw")
    digit = page.get_by_label("Answer", exact=True).locator(".digit")
    expect(digit).to_have_text("5")
    draw_with_mouse(page, [PenStroke(np.array([(0.5, y, 0.5) for y in np.linspace(0.2, 0.8, 9)]), 0.07)])
    expect(digit).to_have_text("1")
    page.get_by_role("button", name="Undo", exact=True).click()
    expect(digit).to_have_text("5")


def test_strokes_pixels_and_units_say_why(open_page: PageOpener, reader_lab: str) -> None:
    page = open_page(f"{reader_lab}/draw")
    page.get_by_role("button", name="Skip").click()
    expect(page.locator(".because")).to_contain_text("because of stroke")
    expect(page.get_by_role("row", name="2 +")).to_contain_text("3 (")
    page.locator("#title-network").scroll_into_view_if_needed()
    layer = page.get_by_role("application", name="Layer 1, Conv2D")
    layer.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    unit = page.get_by_role("region", name="Layer 1, channel 1")
    expect(unit).to_contain_text("Computed again from these terms")
    expect(unit.locator(".exciting li")).to_have_count(9)
    unit.get_by_role("button", name="Switch off").click()
    expect(page.get_by_text("Layer 1: 1 off")).to_be_visible()
    expect(unit).to_contain_text("switched off")
    page.get_by_role("button", name="Undo the last").click()
    expect(page.get_by_text("Layer 1: 1 off")).to_be_hidden()
    page.keyboard.press("Escape")


def test_what_the_preparation_is_worth_is_seen(open_page: PageOpener, reader_lab: str, mnist: DataSet) -> None:
    assert mnist.x_test is not None
    page = start(open_page, reader_lab)
    draw_with_mouse(page, pen_strokes(mnist.x_test[0], scale=0.3, left=0.65, top=0.65))
    compared = page.locator(".compared")
    expect(compared).to_contain_text("Prepared: 7")
    expect(compared).not_to_contain_text("Only scaled: 7")
    page.get_by_label("Skip the preparation").check()
    expect(page.get_by_label("Answer", exact=True).locator(".digit")).not_to_have_text("7")
    expect(page.locator(".strip")).to_contain_text("Only scaled to 28 by 28")


def test_a_picture_is_dropped_and_read(open_page: PageOpener, reader_lab: str, mnist: DataSet) -> None:
    picture = Image.new("L", (240, 320), 235)
    picture.paste(
        Image.eval(Image.fromarray(mnist.x_train[0]).resize((112, 112)), lambda v: 235 - v * 4 // 5), (20, 180)
    )
    content = io.BytesIO()
    picture.save(content, "PNG")
    page = start(open_page, reader_lab)
    page.locator("#picture").set_input_files(
        {"name": "five.png", "mimeType": "image/png", "buffer": content.getvalue()}
    )
    answer = page.get_by_label("Answer", exact=True)
    expect(answer.locator(".digit")).to_have_text("5")
    expect(page.locator(".strip")).to_contain_text("As given: 240 by 320 pixels.")
    other = start(open_page, reader_lab, page.url.partition("#")[2])
    expect(other.get_by_label("Answer", exact=True).locator(".digit")).to_have_text("5")
    page.get_by_role("button", name="Draw instead").click()
    expect(answer).to_contain_text("Nothing is drawn yet")


def test_strokes_survive_the_way_through_a_link(open_page: PageOpener, reader_lab: str) -> None:
    page = start(open_page, reader_lab)
    same = page.evaluate(
        """async () => {
            const { packed, unpacked } = await import("/static/drawing.js");
            const strokes = [
                { points: [0, 0, 50, 1000, 1000, 50, 999, 3, 50], width: 70 },
                { points: [500, 500, 0, 400, 520, 100, 400, 520, 37], width: 110 },
            ];
            const damaged = ["!", "Rg", packed(strokes).slice(0, -3)].map((text) => unpacked(text).length);
            return [JSON.stringify(unpacked(packed(strokes))) === JSON.stringify(strokes), ...damaged];
        }"""
    )
    assert same == [True, 0, 0, 0]


def test_a_lesson_is_learned_seen_and_undone(
    open_page: PageOpener, start_server: Callable[..., Server], small_file: Path, mnist: DataSet
) -> None:
    assert mnist.x_test is not None
    assert mnist.y_test is not None
    model = Model.load(small_file)
    number = int(np.flatnonzero(model.predict(mnist.x_test) != mnist.y_test)[0])
    right, wrong = str(mnist.y_test[number]), str(model.predict(mnist.x_test[[number]])[0])
    pixels = base64.b64encode(mnist.x_test[number].tobytes()).decode()
    page = start(open_page, start_server(str(small_file)).url, urlencode({"image": json.dumps(pixels)}))
    digit = page.get_by_label("Answer", exact=True).locator(".digit")
    expect(page.locator(".bars .first th")).to_have_text(wrong)
    page.get_by_role("button", name=f"No, it is a {right}").click()
    lesson = page.get_by_role("region", name="Is it wrong? Teach it")
    taught = page.get_by_role("region", name="The digits you taught")
    expect(taught).to_be_visible()
    page.reload()  # the lesson goes on, and its result is shown
    expect(lesson).to_contain_text(f"It has learned that this is a {right}.", timeout=120_000)
    expect(digit).to_have_text(right)
    expect(lesson.get_by_role("row", name="Test images read correctly")).to_contain_text("%")
    assert "taught-" in page.url
    expect(taught.get_by_role("listitem")).to_have_count(1)
    with page.expect_download() as download:
        taught.get_by_role("link", name="CSV").click()
    data = load_data(download.value.path())
    np.testing.assert_array_equal(data.x_train[0], mnist.x_test[number])
    lesson.get_by_role("button", name="Undo the lesson").click()
    expect(page.locator(".bars .first th")).to_have_text(wrong)
    expect(taught).to_be_hidden()
    assert "taught-" not in page.url


def test_two_digits_are_read_as_a_number(open_page: PageOpener, reader_lab: str, mnist: DataSet) -> None:
    assert mnist.x_test is not None
    page = start(open_page, reader_lab)
    for place, number in enumerate((1, 4)):
        draw_with_mouse(page, pen_strokes(mnist.x_test[number], scale=0.45, left=0.02 + 0.5 * place, top=0.3))
    answer = page.get_by_label("Answer", exact=True)
    expect(answer.locator(".digit")).to_have_text("24")
    expect(answer).to_contain_text("2 digits")
    expect(page.locator(".bars tbody th")).to_have_text(["2", "4"])
    expect(page.get_by_role("button", name="No, it is a 2")).to_be_hidden()
