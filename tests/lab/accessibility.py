"""Checks of a page's accessibility: by axe-core, and that nothing has to be scrolled sideways."""

from typing import Any, Literal

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
COLOUR_RULES = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}
SCREENS: list[tuple[int, Literal["light", "dark"], object]] = [
    (1280, "light", RULES),
    (1280, "dark", COLOUR_RULES),
    (360, "light", RULES),
    (360, "dark", COLOUR_RULES),
]
"""A desk and a phone, by day and by night, when all that differs are the colours."""
PAINTED = """() => Promise.allSettled(document.getAnimations().map((animation) => animation.finished)).then(
    () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done)))))"""
TOO_WIDE = """width => {
    const needed = document.documentElement.scrollWidth;
    if (needed <= width) return [];
    const wide = [...document.querySelectorAll("body *")].filter((e) => {
        if (e.getBoundingClientRect().right <= width + 1) return false;
        for (let p = e.parentElement; p; p = p.parentElement) {
            if (getComputedStyle(p).overflowX !== "visible") return false;
        }
        return true;
    });
    return [`the page needs ${needed} px`, ...wide.slice(0, 5).map((e) => e.outerHTML.slice(0, 160))];
}"""
"""The elements that make the page wider than the screen; others scroll within their own box."""


def settle(page: Page) -> None:
    """Waits until the page has what it asked for, which is paler until then, and has painted it."""
    page.wait_for_selector("[aria-busy]", state="detached")
    page.evaluate(PAINTED)


COUNT_BUSY = """() => {
    window.busyChanges = 0;
    new MutationObserver((changes) => { window.busyChanges += changes.length; }).observe(document, {
        subtree: true, attributes: true, attributeFilter: ["aria-busy"],
    });
}"""
"""Counts how often something begins or ends to wait."""


def check_axe(page: Page) -> None:
    """axe-core finds nothing on any of the screens.

    A page may ask again after it changes its width. What axe found while something waited and was paler does not count.
    """
    page.evaluate(COUNT_BUSY)
    for width, scheme, rules in SCREENS:
        page.set_viewport_size({"width": width, "height": 800})
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        for _ in range(5):
            before = page.evaluate("busyChanges")
            settle(page)
            found = violations(page, rules)
            if page.evaluate("busyChanges") == before:
                break
        assert not found, "\n".join([f"{width} px, {scheme}:", *found])


def violations(page: Page, rules: object) -> list[str]:
    """What axe-core finds: for each rule, up to three of the elements."""
    # axe would load the style sheets again as inline styles, which the pages' Content-Security-Policy forbids.
    options = {"runOnly": rules, "resultTypes": ["violations"], "preload": False}
    if not page.evaluate("'axe' in window"):
        page.evaluate(Axe().axe_script)
    found: Any = page.evaluate("options => axe.run(options)", options)
    return [
        "\n".join([f"{rule['id']}: {rule['help']}", *(f"  {node['html'][:200]}" for node in rule["nodes"][:3])])
        for rule in found["violations"]
    ]


def check_reflow(page: Page, *widths: int) -> None:
    """Nothing has to be scrolled sideways. 640 px are a screen of 1280 px at 200 % zoom, 320 px at 400 %."""
    for width in widths or (640, 360, 320):
        page.set_viewport_size({"width": width, "height": 600})
        settle(page)
        found = page.evaluate(TOO_WIDE, width)
        assert not found, "\n".join([f"{width} px:", *found])
