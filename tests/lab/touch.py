"""A finger on a page."""

from collections.abc import Iterable, Sequence

from playwright.sync_api import Page


def draw_lines(page: Page, lines: Iterable[Sequence[Sequence[float]]]) -> None:
    """Draws along these points in the page's pixels, by touch events as Chromium's tools send them."""
    session = page.context.new_cdp_session(page)
    for points in lines:
        for k, (x, y) in enumerate(points):
            touch = {"type": "touchMove" if k else "touchStart", "touchPoints": [{"x": x, "y": y}]}
            session.send("Input.dispatchTouchEvent", touch)
        session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
