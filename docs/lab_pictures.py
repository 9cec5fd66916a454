"""Makes the README's pictures of the lab, in Debian's or any other Chromium.

uv run python -m docs.lab_pictures
"""

import io
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, FloatRect, Page, ViewportSize, expect, sync_playwright

from digitscope.files.atomic import write_atomic
from docs.notes.printing import find_browser

PICTURES = Path(__file__).parent / "pictures"
SIZE = ViewportSize(width=1500, height=938)
PATIENCE = 120_000
"""Milliseconds."""
SEVEN = [
    [(0.28, 0.27), (0.5, 0.25), (0.72, 0.27), (0.62, 0.45), (0.52, 0.62), (0.44, 0.84)],
    [(0.36, 0.55), (0.66, 0.53)],
]
"""The strokes of a 7, in parts of the drawing's side."""
FRAME, REST = 90, 2600
"""Milliseconds of a frame of the animation, and of its last one."""


def draw(page: Page) -> None:
    """Why a drawing is read as a 7, and the network's first layers."""
    _clear(page)
    for _ in _strokes(page):
        continue
    expect(page.locator(".part-why canvas").first).to_be_visible(timeout=PATIENCE)
    page.wait_for_timeout(2500)
    page.locator(".part-why").evaluate("part => part.scrollIntoView({block: 'start'})")
    page.wait_for_timeout(500)


def step(page: Page) -> None:
    """Every number of the first network, forwards and backwards."""
    expect(page.locator(".stage canvas").first).to_be_visible(timeout=PATIENCE)
    page.locator(".bar").evaluate("bar => bar.scrollIntoView({block: 'start'})")
    page.wait_for_timeout(1500)


def train(page: Page) -> None:
    """A training under way."""
    page.get_by_role("button", name="Start learning").click()
    page.wait_for_timeout(14_000)
    page.locator(".top").evaluate("bar => scrollTo(0, bar.getBoundingClientRect().height + 110)")
    page.wait_for_timeout(1500)


def explore(page: Page) -> None:
    """The test images in the plane."""
    expect(page.locator("main canvas").first).to_be_visible(timeout=PATIENCE)
    page.wait_for_timeout(6000)


SCREENS: dict[str, tuple[str, Callable[[Page], None]]] = {
    "lab-draw": ("/draw", draw),
    "lab-step": ("/step", step),
    "lab-train": ("/train", train),
    "lab-explore": ("/explore#view=%22tour%22", explore),
}


def _clear(page: Page) -> None:
    page.locator(".surface canvas").wait_for()
    page.wait_for_timeout(1500)
    page.get_by_role("button", name="Clear", exact=True).click()


def _strokes(page: Page) -> Iterator[None]:
    """Draws the 7 with the mouse, and pauses after each short way."""
    board = page.locator(".surface canvas").bounding_box()
    assert board is not None
    for stroke in SEVEN:
        for i, (x, y) in enumerate(stroke):
            place = board["x"] + x * board["width"], board["y"] + y * board["height"]
            if i:
                before = stroke[i - 1]
                for k in range(1, 4):
                    part = [a + (b - a) * k / 3 for a, b in zip(before, (x, y), strict=True)]
                    page.mouse.move(board["x"] + part[0] * board["width"], board["y"] + part[1] * board["height"])
                    yield
            else:
                page.mouse.move(*place)
                page.mouse.down()
        page.mouse.up()
        yield


def animation(page: Page) -> bytes:
    """Drawing a 7 while the answer changes, as an animated WebP."""
    _clear(page)
    frames = [_frame(page)]
    for _ in _strokes(page):
        page.wait_for_timeout(150)
        frames.append(_frame(page))
    page.wait_for_timeout(800)
    frames.append(_frame(page))
    content = io.BytesIO()
    times = [FRAME] * (len(frames) - 1) + [REST]
    frames[0].save(
        content, "WEBP", save_all=True, append_images=frames[1:], duration=times, loop=0, quality=55, method=6
    )
    return content.getvalue()


def _frame(page: Page) -> Image.Image:
    top = page.locator(".draw-top").bounding_box()
    assert top is not None
    clip = FloatRect(x=top["x"] - 8, y=top["y"] - 8, width=840, height=560)
    shown = Image.open(io.BytesIO(page.screenshot(clip=clip))).convert("RGB")
    return shown.resize((630, 420), Image.Resampling.LANCZOS)


@contextmanager
def _lab() -> Iterator[str]:
    """The address of a lab in a folder of its own."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        command = [sys.executable, "-m", "digitscope", "lab", "--no-browser", "--port", "0"]
        with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as server:
            try:
                assert server.stdout is not None
                yield server.stdout.readline().removeprefix("Lab: ").strip().rstrip("/")
            finally:
                server.terminate()


def _open(browser: Browser, address: str) -> Page:
    page = browser.new_context(viewport=SIZE, color_scheme="light", locale="en", reduced_motion="reduce").new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(address)
    return page


def main() -> None:
    """Writes all of them."""
    with _lab() as address, sync_playwright() as playwright:
        found = find_browser()
        browser = playwright.chromium.launch(executable_path=found and shutil.which(found), args=["--no-sandbox"])
        for name, (path, show) in SCREENS.items():
            page = _open(browser, address + path)
            show(page)
            picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB").quantize(128, dither=Image.Dither.NONE)
            content = io.BytesIO()
            picture.save(content, "PNG", optimize=True)
            write_atomic(PICTURES / f"{name}.png", content.getvalue())
            page.context.close()
        write_atomic(PICTURES / "lab-drawing.webp", animation(_open(browser, f"{address}/draw")))


if __name__ == "__main__":
    main()
