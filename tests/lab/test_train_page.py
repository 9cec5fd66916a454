"""The page Train in a browser."""

import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from digitscope.datasets import DataSet
from digitscope.model import Model
from tests.lab.accessibility import check_axe, check_reflow
from tests.lab.conftest import PageOpener, Server
from tests.lab.test_training import csv_of

Start = Callable[..., Server]
SETTINGS = "images=2000&epochs=6&batch_size=100"
WAIT = 120_000


def is_state(page: Page, state: str) -> None:
    expect(page.locator(".transport")).to_have_attribute("data-state", state, timeout=WAIT)


def set_slider(page: Page, name: str, value: int) -> None:
    """As a hand that lets go of it."""
    page.get_by_role("slider", name=name).evaluate(
        "(slider, value) => { slider.value = value; slider.dispatchEvent(new Event('change')); }", value
    )


def is_at(page: Page, step: int) -> None:
    expect(page.locator(".scrub output")).to_have_text(re.compile(f"^Step {step} of "), timeout=WAIT)


def test_guess_train_rewind_branch_keep(start_server: Start, open_page: PageOpener, tmp_path: Path) -> None:
    server = start_server("convnet")
    page = open_page(f"{server.url}/train#{SETTINGS}")
    guess = page.get_by_role("slider", name="Your guess")
    guess.press("PageUp")
    expect(guess).to_have_attribute("aria-valuenow", "60")
    page.get_by_role("button", name="Start learning").click()
    is_state(page, "finished")
    expect(page.get_by_text(re.compile("You guessed 60% after epoch 1"))).to_be_visible()
    is_at(page, 114)
    expect(page.get_by_role("row", name=re.compile("1 ReLU"))).to_be_visible()
    expect(page.locator(".confusion tbody tr")).to_have_count(10)
    set_slider(page, "Step of the training", 40)
    is_at(page, 40)
    is_state(page, "paused")
    page.get_by_role("button", name="One batch").click()
    is_at(page, 41)
    expect(page.locator(".single")).to_contain_text(re.compile("Paused"))
    page.get_by_role("button", name="Back to the start of the epoch").click()
    is_at(page, 38)
    page.get_by_text("Go on differently from here").click()
    page.locator("input[name=learning_rate]").fill("0.02")
    page.locator("select[name=optimizer]").select_option("gradient-descent")
    page.get_by_role("button", name="Go on as a new branch").click()
    is_state(page, "finished")
    branches = page.locator(".branches li")
    expect(branches).to_have_count(2)
    expect(branches.nth(1)).to_contain_text("leaves 1 at step 38: Learning rate 0.02, Optimizer gradient descent")
    expect(page.locator(".legend").first).to_contain_text("Branch 1: Validation")
    page.get_by_role("button", name="Save this step’s network").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    download.value.save_as(tmp_path / "mine.safetensors")
    assert Model.load(tmp_path / "mine.safetensors").info.optimizer == "gradient-descent"
    name = download.value.suggested_filename.removesuffix(".safetensors")
    page.get_by_role("link", name="Use it in Draw").click()
    page.wait_for_url(re.compile(f"/draw#model=.*{name}"))


def test_a_reload_and_a_restart_show_the_same_training(start_server: Start, open_page: PageOpener) -> None:
    server = start_server("convnet")
    page = open_page(f"{server.url}/train#{SETTINGS}")
    page.get_by_role("button", name="Start learning").click()
    is_state(page, "finished")
    set_slider(page, "Step of the training", 25)
    is_at(page, 25)
    is_state(page, "paused")
    page.reload()
    is_at(page, 25)
    expect(page.locator(".legend").first).to_contain_text("Validation")
    server.kill()
    again = start_server("convnet", "--port", str(server.port))
    assert again.url == server.url
    page.context.clear_cookies()
    open_page.problems.clear()  # the page notices that the server is away
    page.reload()
    is_at(page, 25)
    is_state(page, "paused")
    page.get_by_role("button", name="Go on").click()
    is_state(page, "finished")
    open_page.problems.clear()


def test_a_training_by_keyboard_alone(start_server: Start, open_page: PageOpener) -> None:
    server = start_server("convnet")
    page = open_page(f"{server.url}/train#{SETTINGS}")
    page.get_by_role("radio", name=re.compile("One hidden layer")).focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    for _ in range(4):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent").endswith("Start learning"):
            break
    page.keyboard.press("Enter")
    is_state(page, "finished")
    slider = page.get_by_role("slider", name="Step of the training")
    slider.focus()
    page.keyboard.press("Home")
    is_at(page, 0)
    curve = page.get_by_role("application", name="Accuracy")
    curve.focus()
    page.keyboard.press("Home")
    expect(page.locator(".curve-said").first).to_have_text(re.compile(r"^Validation, step 19: \d"))
    page.keyboard.press("ArrowDown")
    expect(page.locator(".curve-said").first).to_have_text(re.compile(r"^Training, step 19: \d"))
    page.keyboard.press("Enter")
    is_at(page, 19)


def test_a_network_is_built_and_its_errors_name_the_layer(shared_lab: str, open_page: PageOpener) -> None:
    page = open_page(f"{shared_lab}/train")
    page.get_by_role("radio", name=re.compile("Build your own")).check()
    expect(page.get_by_text("37,434 parameters")).to_be_visible()
    expect(page.locator(".layers li").nth(2)).to_contain_text("→ 8 × 12 × 12")
    page.get_by_role("button", name="Move dense up").click()
    expect(page.locator(".builder .notice")).to_contain_text("Layer 4 (max-pool): expected feature maps")
    page.get_by_role("button", name="Remove max pooling").click()
    expect(page.locator(".builder .notice")).to_be_hidden()
    assert "network=" in page.url
    page.reload()
    expect(page.locator(".layers li")).to_have_count(5)
    open_page.problems[:] = [text for text in open_page.problems if "400" not in text]


def test_a_file_is_uploaded_and_a_bad_one_is_named(shared_lab: str, open_page: PageOpener, few: DataSet) -> None:
    page = open_page(f"{shared_lab}/train")
    page.get_by_text("Data: MNIST, or your own file").click()
    content = csv_of(few.x_train[:60], few.y_train[:60] + 1)
    files = page.locator("input[type=file]")
    files.set_input_files({"name": "mine.csv", "mimeType": "text/csv", "buffer": content})
    expect(page.get_by_text("mine.csv: 60 images of 28×28 pixels, 11 classes.")).to_be_visible()
    expect(page.get_by_text("The label is the digit plus 1")).to_be_visible()
    expect(page.locator(".digits li")).to_have_count(20)
    files.set_input_files({"name": "bad.csv", "mimeType": "text/csv", "buffer": b"label,a\n1,2\n"})
    expect(page.get_by_role("alert").filter(has_text="bad.csv has 1 pixel column")).to_be_visible()
    open_page.problems[:] = [text for text in open_page.problems if "400" not in text]


def test_what_goes_wrong_is_named_and_mended(start_server: Start, open_page: PageOpener) -> None:
    server = start_server("convnet")
    page = open_page(f"{server.url}/train#{SETTINGS}&learning_rate=1e25")
    page.get_by_role("button", name="Start learning").click()
    is_state(page, "diverged")
    sign = page.locator(".signs .notice").filter(has_text="It diverged")
    expect(sign).to_contain_text("Try a learning rate ten times lower")
    sign.get_by_role("button", name="Start again with a tenth of the rate").click()
    expect(page.locator(".branches li")).to_have_count(2, timeout=WAIT)


def test_a_curve_can_be_heard(start_server: Start, open_page: PageOpener) -> None:
    server = start_server("convnet")
    page = open_page(f"{server.url}/train#{SETTINGS}")
    expect(page.get_by_role("button", name="Listen").first).to_be_disabled()
    page.get_by_role("button", name="Start learning").click()
    is_state(page, "finished")
    page.evaluate(
        "() => { window.tones = []; const start = OscillatorNode.prototype.start;"
        "OscillatorNode.prototype.start = function () { tones.push(this.frequency.value); start.call(this); } }"
    )
    # The same moment: what is heard is said even if not one tenth of a second of it was heard.
    page.get_by_role("button", name="Listen").first.evaluate("(button) => { button.click(); button.click(); }")
    assert 220 <= page.evaluate("tones[0]") <= 880
    expect(page.locator(".curve-said").first).to_have_text(re.compile("Validation, step"))
    page.get_by_role("button", name="Listen").first.click()
    expect(page.get_by_role("button", name="Pause the sound")).to_be_visible()


def test_the_page_is_accessible(start_server: Start, open_page: PageOpener) -> None:
    server = start_server("convnet")
    page = open_page(f"{server.url}/train#{SETTINGS}")
    expect(page.get_by_role("button", name="Start learning")).to_be_visible()
    for summary in page.locator(".setup summary").all():
        summary.click()
    check_axe(page)
    check_reflow(page, 360, 1280)
    page.get_by_role("button", name="Start learning").click()
    is_state(page, "finished")
    expect(page.locator(".mistakes, .digits").first).to_be_attached()
    page.get_by_text("Go on differently from here").click()
    for summary in page.get_by_text("As a table").all():
        summary.click()
    check_axe(page)
    check_reflow(page, 360, 1280)
