"""One step in a browser: the numbers on the page are those of Python."""

import base64
import json
import re
from typing import Any
from urllib.parse import unquote, urlencode

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from digitscope.datasets import load_mnist
from digitscope.explain import DescentStep, moving_weights, stages
from digitscope.nn import GradientDescent
from digitscope.recipes import RECIPES
from tests.lab.accessibility import check_axe, check_reflow
from tests.lab.conftest import PageOpener

X, Y = load_mnist()[1]
SEED, RATE = 12, 0.01
"""Those with which the page begins."""


def begun(rate: float = RATE, count: int = 1) -> DescentStep:
    recipe = RECIPES["seed"]
    network = recipe.build(np.random.default_rng(SEED).spawn(4)[1], (28, 28), 10)
    images, labels = X[:count], Y[:count]
    optimizer = GradientDescent()
    return DescentStep(
        network, images, labels, loss=recipe.plan.loss, optimizer=optimizer, learning_rate=rate, seed=SEED
    )


def address(url: str, **state: object) -> str:
    return f"{url}/step#{urlencode({name: json.dumps(value) for name, value in state.items()})}"


def ready(page: Page) -> Page:
    page.wait_for_selector(".content canvas, .losses")
    page.wait_for_selector("[aria-busy]", state="detached")
    return page


def shown(number: float) -> str:
    return f"{number:.3g}"


def table(page: Page, name: str) -> list[str]:
    """The numbers of the table behind an array's picture."""
    box = page.locator(f'.array[data-name="{name}"]')
    box.locator("summary").click()
    box.locator("td:not(:empty)").last.wait_for()
    return [text.replace("−", "-") for text in box.locator("td:not(:empty)").all_inner_texts()]


def test_the_first_view_tells_the_story_of_the_step(open_page: PageOpener, shared_lab: str) -> None:
    page = ready(open_page(f"{shared_lab}/step"))
    step = begun()
    p = step.array("probability")[:, 0]
    said = page.locator(".summary").inner_text()
    assert f"reads {p.argmax()} ({p.max():.0%})" in said
    assert f"from {shown(step.loss)} down to {shown(step.loss_after)}" in said
    whole = page.locator(".whole")
    expect(whole.locator('[data-name="d0.weight"] canvas')).to_be_visible()
    expect(whole.locator('[data-name="d2.weight"] canvas')).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_walk_through_all_stages_with_the_space_bar(open_page: PageOpener, shared_lab: str) -> None:
    page = ready(open_page(f"{shared_lab}/step"))
    step = begun()
    page.locator("body").press("Home")
    listed = ["whole"]
    for stage in stages(step):
        listed += ["predict"] * (stage.key == "loss.backward") + [stage.key]
    for place, key in enumerate([*listed, "result"]):
        expect(page.locator(".where .count")).to_have_text(f"{place + 1} of {len(listed) + 1}")
        ready(page)
        if place:
            assert f"at={json.dumps(key).replace(chr(34), '%22')}" in page.url
        page.keyboard.press(" ")
    expect(page.get_by_role("button", name="Next")).to_be_disabled()
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".where .count")).to_have_text(f"{len(listed)} of {len(listed) + 1}")


@pytest.mark.parametrize(
    ("key", "name", "few"),
    [
        ("0.forward", "0", True),
        ("loss.probability", "probability", True),
        ("0.backward.parameters", "d0.weight", False),
    ],
)
def test_the_numbers_of_a_stage_are_those_of_python(
    open_page: PageOpener, shared_lab: str, key: str, name: str, few: bool
) -> None:
    page = ready(open_page(address(shared_lab, at=key)))
    expected = begun().array(name)
    numbers = table(page, name)
    flat = expected.ravel() if few else expected[0]  # the tile at the cursor, the first
    assert len(numbers) == flat.size
    for text, value in zip(numbers, flat, strict=True):
        assert float(text.replace(",", "")) == pytest.approx(value, rel=1e-3, abs=1e-4)


def test_why_lights_up_both_factors_and_leads_on(open_page: PageOpener, shared_lab: str) -> None:
    page = ready(open_page(address(shared_lab, at="2.forward", of="2", index=[4, 0])))
    step = begun()
    answer = step.terms("2", (4, 0))
    why = page.locator(".why")
    expect(why.locator("h2")).to_contain_text(f"{answer.value:.4f}".replace("-", "−")[:6])
    expect(why).to_contain_text("the sum of 11 terms")
    largest = max(answer.terms, key=lambda term: abs(term.product))
    weight, unit = largest.factors
    row = why.locator(".why-terms li").first
    expect(row).to_contain_text(f"2.weight[{weight.index[0]}, {weight.index[1]}]")
    expect(why).to_contain_text("Computed again from these terms")
    row.hover()
    expect(page.locator('.array[data-name="2.weight"]')).to_have_class(re.compile(r"\blit\b"))
    expect(page.locator('.array[data-name="1"]')).to_have_class(re.compile(r"\blit\b"))
    page.locator("h1").hover()
    expect(page.locator('.array[data-name="1"]')).not_to_have_class(re.compile(r"\blit\b"))
    row.get_by_role("button").click()
    expect(why.locator(".why-value code")).to_have_text(f"1[{unit.index[0]}, 0]")
    why.get_by_role("button", name="← 2[4, 0]").click()
    expect(why.locator(".why-value code")).to_have_text("2[4, 0]")


def test_why_of_a_derivative_has_its_numeric_check_and_the_code(open_page: PageOpener, shared_lab: str) -> None:
    page = ready(open_page(address(shared_lab, at="2.backward.parameters", of="d2.weight", index=[7, 0])))
    why = page.locator(".why")
    expect(why).to_contain_text("✓ They agree.")
    why.locator("summary").click()
    expect(why.locator("pre")).to_contain_text('"weight": product(dy, x.T)')
    expect(why).to_contain_text("digitscope/nn/dense.py")
    expect(why.locator(".why-formula math").first).to_be_visible()
    expect(why.locator(".why-notes a").last).to_have_attribute(
        "href", "/notes/05-backpropagation#the-four-equations-of-a-dense-layer"
    )


def test_all_terms_can_be_seen(open_page: PageOpener, shared_lab: str) -> None:
    page = ready(open_page(address(shared_lab, at="0.forward", of="0", index=[2, 0])))
    why = page.locator(".why")
    expect(why.locator(".why-terms li")).to_have_count(12)
    more = why.get_by_role("button", name="Show more")
    more.click()
    expect(why.locator(".why-terms li")).to_have_count(62)
    answer = begun().terms("0", (2, 0))
    rest = sum(sorted((term.product for term in answer.terms), key=lambda product: -abs(product))[62:])
    said = why.locator(".why-rest").inner_text().replace("−", "-")
    assert "723 smaller terms" in said
    assert float(re.findall(r"-?[\d.]+", said)[-1]) == pytest.approx(rest, rel=1e-4)


def test_a_cell_is_chosen_by_pointer_and_by_keyboard(open_page: PageOpener, shared_lab: str) -> None:
    page = ready(open_page(address(shared_lab, at="0.forward")))
    canvas = page.locator('.array[data-name="0"] canvas')
    box = canvas.bounding_box()
    assert box is not None
    canvas.click(position={"x": box["width"] * 0.35, "y": box["height"] / 2})
    place = page.locator(".why-value code")
    expect(place).to_have_text("0[3, 0]")
    canvas.press("ArrowRight")
    canvas.press("Enter")
    expect(place).to_have_text("0[4, 0]")
    weights = page.locator('.array[data-name="0.weight"] canvas')
    weights.focus()
    for _ in range(28):
        weights.press("ArrowRight")
    said = page.locator('.array[data-name="0.weight"] output')
    expect(said).to_contain_text("0.weight[1, 0]")
    value = begun().array("0.weight")[1, 0]
    assert float(said.inner_text().split(": ")[1].replace("−", "-")) == pytest.approx(value, rel=1e-3)


def test_small_cells_become_numbers_when_zoomed(open_page: PageOpener, shared_lab: str) -> None:
    page = ready(open_page(address(shared_lab, at="0.forward")))
    view = page.locator('.array[data-name="0.weight"] .view')
    assert "scrolls" not in (view.get_attribute("class") or "")
    for _ in range(7):
        page.locator('.array[data-name="0.weight"]').get_by_role("button", name="Larger").click()
    assert "scrolls" in (view.get_attribute("class") or "")
    width = view.evaluate("view => view.scrollWidth")
    assert width > 5 * 28 * 30
    canvas = page.locator('.array[data-name="0.weight"] canvas')
    view.evaluate("view => view.scrollTo(0, 0)")
    canvas.click(position={"x": 100, "y": 5})
    expect(page.locator(".why")).to_contain_text("the step begins with it")
    place = page.locator(".why-value code").inner_text()
    found = re.fullmatch(r"0\.weight\[0, (\d+)\]", place)
    assert found is not None, place
    assert abs(int(found[1]) - 100 / ((width - 12) / (5 * 28))) <= 1
    page.get_by_role("button", name=f"Why d0.weight[0, {found[1]}]?").click()
    expect(page.locator(".why-value code")).to_have_text(f"d0.weight[0, {found[1]}]")


def test_guess_first_then_see(open_page: PageOpener, shared_lab: str) -> None:
    page = ready(open_page(address(shared_lab, at="predict")))
    asked = moving_weights(begun(), SEED)
    (best,) = asked.answers
    wrong = next(i for i in range(4) if i != best)
    cards = page.locator(".candidate")
    expect(cards).to_have_count(4)
    expect(page.locator(".candidate.best")).to_have_count(0)
    cards.nth(wrong).click()
    expect(cards.nth(best)).to_have_class(re.compile("best"))
    expect(page.locator(".answered")).to_contain_text(f"It is {'ABCD'[best]}.")
    expect(cards.nth(best)).to_contain_text("moves by")
    page.get_by_role("button", name="Go on and see why").click()
    expect(page.locator(".where strong")).to_have_text("The derivative of the loss")


def test_steps_are_taken_and_visited_again(open_page: PageOpener, shared_lab: str) -> None:
    page = ready(open_page(address(shared_lab, at="result")))
    losses = page.locator(".losses strong")
    step = begun()
    expect(losses.nth(0)).to_have_text(f"{step.loss:.4g}")
    expect(losses.nth(1)).to_have_text(f"{step.loss_after:.4g}")
    page.get_by_role("button", name="Take this step").click()
    second = step.following(RATE)
    expect(losses.nth(0)).to_have_text(f"{second.loss:.4g}")
    expect(losses.nth(1)).to_have_text(f"{second.loss_after:.4g}")
    ready(page)
    page.get_by_role("button", name="Step 0").click()
    expect(losses.nth(0)).to_have_text(f"{step.loss:.4g}")
    expect(page.locator(".history button")).to_have_count(2)


def test_the_rate_is_turned_and_the_loss_rises(open_page: PageOpener, shared_lab: str) -> None:
    images = [{"label": int(Y[i]), "index": i} for i in range(2)]
    page = ready(open_page(address(shared_lab, at="result", images=images)))
    expect(page.locator(".verdict")).to_contain_text("falls")
    page.get_by_role("spinbutton", name="Learning rate").fill("5")
    page.get_by_role("spinbutton", name="Learning rate").press("Enter")
    expect(page.locator(".verdict")).to_contain_text("rises")
    ready(page)
    expected = begun(5, 2).loss_after
    expect(page.locator(".losses strong").nth(1)).to_have_text(f"{expected:.4g}")
    page.get_by_role("slider", name="Learning rate").fill("-2")
    expect(page.locator(".verdict")).to_contain_text("At the rate 0.01 the loss falls")


def test_a_link_holds_everything(open_page: PageOpener, shared_lab: str) -> None:
    page = ready(open_page(address(shared_lab, at="0.backward.parameters", rates=[0.01, 0.02], step=2, rate=0.05)))
    page.locator('.array[data-name="d0.bias"] canvas').click()
    expect(page.locator(".why-value code")).to_contain_text("d0.bias[")
    place = page.locator(".why-value code").inner_text()
    expect(page.locator(".why")).to_contain_text("They agree")
    value = page.locator(".why h2").inner_text()
    again = ready(open_page(page.url))
    expect(again.locator(".why-value code")).to_have_text(place)
    expect(again.locator(".why h2")).to_have_text(value)
    assert "Steps taken: 2." in again.locator(".summary").inner_text()


def test_images_are_chosen_relabelled_and_removed(open_page: PageOpener, shared_lab: str) -> None:
    page = ready(open_page(f"{shared_lab}/step"))
    page.get_by_role("button", name="Add an image").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="3", exact=True).click()
    index = int(np.flatnonzero(Y == 3)[0])
    dialog.get_by_role("button", name=f"Test image {index}, a 3").click()
    expect(page.locator(".image")).to_have_count(2)
    ready(page)
    assert f"%22index%22%3A{index}" in page.url
    page.get_by_label("True label of image 2").select_option("5")
    expect(page.locator(".summary")).to_contain_text("It should read 5")
    ready(page)
    page.get_by_role("button", name="Remove image 2").click()
    expect(page.locator(".image")).to_have_count(1)
    expect(page.locator(".summary")).to_contain_text("It should read 7")


def test_a_drawing_comes_from_the_room_draw(open_page: PageOpener, shared_lab: str) -> None:
    pixels = base64.b64encode(X[2].tobytes()).decode()
    page = open_page(f"{shared_lab}/draw#{urlencode({'image': json.dumps(pixels)})}")
    link = page.get_by_role("link", name="One step of learning from this")
    expect(link).to_have_attribute("href", re.compile("#images="))
    link.click()
    ready(page)
    assert json.dumps(pixels).replace('"', "") in unquote(page.url)
    expect(page.locator(".image")).to_have_count(1)
    page.get_by_label("True label of image 1").select_option("8")
    expect(page.locator(".summary")).to_contain_text("8")
    canvas = page.locator(".image canvas")
    ink = canvas.evaluate("c => [...c.getContext('2d').getImageData(0, 0, 28, 28).data].filter((v, i) => i % 4 == 3)")
    assert ink == X[2].ravel().tolist()


def test_the_second_image_is_shown(open_page: PageOpener, shared_lab: str) -> None:
    images = [{"label": int(Y[i]), "index": i} for i in range(2)]
    page = ready(open_page(address(shared_lab, images=images, at="0.forward")))
    page.get_by_role("button", name="Show image 2").click()
    expect(page.locator(".why-value code")).to_contain_text(", 1]")
    ready(page)
    numbers = [float(text.replace(",", "")) for text in table(page, "0")]
    np.testing.assert_allclose(numbers, begun(count=2).array("0")[:, 1], rtol=1e-3, atol=1e-4)


def test_a_convolutional_network_is_one_choice_away(open_page: PageOpener, shared_lab: str) -> None:
    page = ready(open_page(f"{shared_lab}/step"))
    page.get_by_text("Change the network").click()
    page.get_by_label("Network", exact=True).select_option("trained convnet")
    expect(page.locator(".network-name")).to_contain_text("convnet")
    ready(page)
    page.get_by_role("slider", name="Stages of the step").fill("5")
    expect(page.locator(".where strong")).to_contain_text("Conv2D: forward")
    ready(page)
    expect(page.locator(".why")).to_contain_text("the sum of 25 terms")


def test_what_cannot_be_computed_leaves_the_page_as_it_was(open_page: PageOpener, shared_lab: str) -> None:
    images = [{"label": int(Y[i]), "index": i} for i in range(8)]
    page = ready(open_page(address(shared_lab, images=images)))
    page.get_by_text("Change the network").click()
    page.get_by_label("Network", exact=True).select_option("new deep")
    expect(page.get_by_role("alert")).to_contain_text("images fit into a step")
    ready(page)
    assert "network" not in page.url
    expect(page.locator(".image")).to_have_count(8)
    expect(page.locator(".network-name")).to_contain_text("seed")
    assert len(open_page.problems) == 1  # the answer 400, which the browser reports
    open_page.problems.clear()


def test_the_timeline_is_scrubbed(open_page: PageOpener, shared_lab: str) -> None:
    page = ready(open_page(f"{shared_lab}/step"))
    timeline = page.get_by_role("slider", name="Stages of the step")
    for place in (3, 9, 15, 6):
        timeline.fill(str(place))
    expect(page.locator(".where .count")).to_have_text("7 of 22")
    expect(page.locator(".stage h2")).to_have_text("Softmax: scores minus the largest")
    ready(page)
    expect(page.locator('.array[data-name="shifted"] canvas')).to_be_visible()
    assert timeline.get_attribute("aria-valuetext") == "Softmax: scores minus the largest"


def test_a_damaged_address_gives_the_beginning(open_page: PageOpener, shared_lab: str) -> None:
    page = ready(open_page(f"{shared_lab}/step#images=3&rates=%7B%7D&at=%22nowhere%22&step=9&network=%5B"))
    expect(page.locator(".where .count")).to_contain_text("1 of 22")


@pytest.mark.parametrize(
    "state",
    [
        *({"at": at} for at in ("whole", "0.forward", "0.backward.parameters", "predict", "result")),
        {"at": "2.forward", "network": "convnet", "start": "trained"},
    ],
    ids=str,
)
def test_each_kind_of_stage_is_for_everyone(open_page: PageOpener, shared_lab: str, state: dict[str, Any]) -> None:
    page = ready(open_page(address(shared_lab, **state), viewport={"width": 360, "height": 800}))
    page.wait_for_load_state("networkidle")  # the panel is paler while a number is asked for
    check_reflow(page, 360, 1280, 1920)
    if state != {"at": "whole"}:  # test_accessibility.py
        check_axe(page)


def test_with_the_keyboard_alone(open_page: PageOpener, shared_lab: str) -> None:
    """From the top of the page to a number of the next stage, and to the number that its largest term comes from."""
    page = ready(open_page(address(shared_lab, at="1.forward")))

    def tab_to(selector: str) -> None:
        for _ in range(80):
            page.keyboard.press("Tab")
            if page.locator(":focus").evaluate("(focused, selector) => focused.matches(selector)", selector):
                return
        raise AssertionError(f"Tab does not reach {selector}.")

    tab_to("button.go.main")
    page.keyboard.press("Enter")
    expect(page.locator(".where strong")).to_have_text("Layer 2, Dense: forward")
    ready(page)
    tab_to('.array[data-name="2"] canvas')
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.locator(".why-value code")).to_have_text("2[1, 0]")
    tab_to("button.why-factor")
    expect(page.locator('.array[data-name="1"]')).to_have_class(re.compile(r"\blit\b"))
    page.keyboard.press("Enter")
    expect(page.locator(".why-value code")).to_contain_text("1[")
    expect(page.locator(".why h2")).to_be_focused()


def test_by_touch(open_page: PageOpener, shared_lab: str) -> None:
    page = ready(open_page(address(shared_lab, at="0.forward"), viewport={"width": 360, "height": 740}, has_touch=True))
    page.get_by_role("button", name="Next").click()
    expect(page.locator(".where .count")).to_contain_text("4 of 22")
    ready(page)
    page.locator('.array[data-name="1"] canvas').click()
    expect(page.locator(".why-value code")).to_contain_text("1[")
    for name in ("Back", "Next"):
        box: Any = page.get_by_role("button", name=name).bounding_box()
        assert min(box["width"], box["height"]) >= 44
