"""WCAG 2.2 AA in every room: axe-core, reflow, visible focus, less motion, and a journey by keyboard alone."""

import re
import time
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from digitscope.lab.app import PAGES
from tests.lab.accessibility import PAINTED, check_axe, check_reflow
from tests.lab.conftest import PageOpener

PLACES = [
    *(page.path for page in PAGES if "{" not in page.path),
    *(f"/explore#view=%22{view}%22" for view in ("confidence", "robustness", "layers", "tour", "compare")),
    "/explore#cell=[4,9]",
    *(f"/notes/{place}" for place in ("02-neurons", "search?q=softmax", "symbols")),
]
ENDLESS = re.compile(r"/api/events|/static/events\.js$")
"""The stream of events, and the worker that holds it: the page is never told that it has come."""


def opened(open_page: PageOpener, url: str, **options: Any) -> Page:
    """The page when it has asked for everything that it shows."""
    waiting: set[str] = set()

    def watch(page: Page) -> None:
        page.on("request", lambda request: None if ENDLESS.search(request.url) else waiting.add(request.url))
        for event in ("requestfinished", "requestfailed"):
            page.on(event, lambda request: waiting.discard(request.url))

    page = open_page(url, before=watch, **{"reduced_motion": "reduce", **options})
    quiet, began = 0, time.monotonic()
    while quiet < 5 and time.monotonic() - began < 6:
        page.wait_for_timeout(100)
        quiet = 0 if waiting or page.locator("progress:visible").count() else quiet + 1
    return page


@pytest.mark.parametrize("place", PLACES)
def test_a_place_is_for_everyone(shared_lab: str, open_page: PageOpener, place: str) -> None:
    page = opened(open_page, f"{shared_lab}{place}")
    check_motion(page)
    check_tab_stops(page)
    check_axe(page)
    check_reflow(page)


def check_tab_stops(page: Page) -> None:
    """Each stop of the Tab key is seen."""
    stops = 0
    for _ in range(60):
        page.keyboard.press("Tab")
        stop: Any = page.evaluate(
            f"""() => ({PAINTED})().then(() => {{
                const e = document.activeElement, style = getComputedStyle(e), box = e.getBoundingClientRect();
                return {{
                    html: e.outerHTML.slice(0, 160), body: e === document.body,
                    outline: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
                    inside: box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth,
                    size: Math.min(box.width, box.height),
                }};
            }})"""
        )
        if stop["body"]:
            break
        stops += 1
        assert stop["outline"] or changes_by_focus(page), stop["html"]
        assert stop["inside"], stop["html"]
        assert stop["size"] >= 8, stop["html"]
    assert stops > (3 if page.locator("nav").count() else 0)


def changes_by_focus(page: Page) -> bool:
    """Whether what has the focus looks different without it: drawings and cards show it in their own way."""
    focused = page.evaluate_handle("document.activeElement")
    with_focus = page.screenshot()
    page.evaluate("e => e.blur()", focused)
    page.evaluate(PAINTED)
    without = page.screenshot()
    page.evaluate("e => e.focus()", focused)
    return with_focus != without


def check_motion(page: Page) -> None:
    """Nothing moves by itself if motion is to be reduced."""
    moving = "document.getAnimations().filter(a => a.playState === 'running').length"
    assert page.evaluate(moving) == 0
    pictures = [page.screenshot()]
    while len(pictures) < 12 and pictures[-3:-2] != pictures[-1:]:  # images may still be on their way
        page.wait_for_timeout(500)
        pictures.append(page.screenshot())
    assert pictures[-3] == pictures[-2] == pictures[-1]


def tab_to(page: Page, name: str, *, most: int = 80, key: str = "Tab") -> None:
    """Presses the Tab key until the element of this accessible name has the focus."""
    for _ in range(most):
        page.keyboard.press(key)
        focused = page.locator(":focus")
        if focused.count() and re.match(name, accessible_name(page)):
            return
    raise AssertionError(f"The Tab key does not lead to {name}.")


def accessible_name(page: Page) -> str:
    name: str = page.evaluate(
        """() => { const e = document.activeElement; return (e.getAttribute("aria-label") ||
            (e.labels && e.labels[0] && e.labels[0].textContent) || e.textContent || "").trim(); }"""
    )
    return name


def test_a_journey_by_keyboard_alone(shared_lab: str, open_page: PageOpener) -> None:
    page = opened(open_page, f"{shared_lab}/explore")
    page.keyboard.press("Tab")
    assert accessible_name(page) == "Skip to the content"
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    tab_to(page, "Show me")
    page.keyboard.press("Enter")
    expect(page.locator(":focus")).to_have_attribute("aria-label", re.compile(r"\d read as \d: "))
    page.keyboard.press("Enter")
    tab_to(page, r"Test image [\d,]+: ")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    tab_to(page, "Close", most=4)
    page.keyboard.press("Enter")
    expect(dialog).to_have_count(0)
    assert accessible_name(page).startswith("Test image")  # the focus is where it was
    tab_to(page, "Mistakes", key="Shift+Tab")
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Grand tour")).to_be_focused()
    expect(page.get_by_role("button", name="Axis of 0")).to_be_visible()
    tab_to(page, "Test images by the network's outputs")
    page.keyboard.press("5")
    expect(page.get_by_text(re.compile(r"Test image [\d,]+: a 5, read"))).to_be_visible()
    tab_to(page, "Axis of 3")
    with page.expect_response("**/api/explore/tour/drag"):
        page.keyboard.press("ArrowRight")
    tab_to(page, "Notes", key="Shift+Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/notes")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
