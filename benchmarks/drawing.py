"""How long the lab takes from the end of a stroke to the answer, and how smoothly it draws.

    uv run python -m benchmarks.drawing
    uv run python -m benchmarks.drawing --digits 100 --model convnet

Starts `digitscope lab`, draws MNIST's test digits and asks for the answer after each stroke: first over HTTP alone,
then in a browser, from the pointer's release until the answer has arrived and the next frame is drawn. The browser part
needs Chromium and Playwright.
"""

import argparse
import http.client
import json
import shutil
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.lab_server import described, read_address, running_lab
from benchmarks.machine import machine
from digitscope.datasets import load_mnist
from digitscope.vision.drawing import PenStroke
from tests.drawn import pen_strokes

WATCH = """() => {
    window.times = []; window.frames = []; let last = 0;
    const frame = (now) => { if (last) window.frames.push(now - last); last = now; requestAnimationFrame(frame); };
    requestAnimationFrame(frame);
    addEventListener("pointerup", ({ target }) => {
        if (target.tagName !== "CANVAS") return;
        const released = performance.now();
        const seen = new PerformanceObserver((list) => {
            const entry = list.getEntries().find((e) => e.name.endsWith("/api/draw/answer") && e.startTime >= released);
            if (!entry) return;
            seen.disconnect();
            const arrived = entry.responseEnd - released;
            requestAnimationFrame(() => window.times.push([arrived, performance.now() - released]));
        });
        seen.observe({ type: "resource" });
    }, true);
}"""


def summary(milliseconds: Sequence[float]) -> str:
    p50, p95 = np.percentile(milliseconds, [50, 95])
    return f"median {p50:.1f} ms, 95 % within {p95:.1f} ms, n = {len(milliseconds)}"


def over_http(address: str, model: str, digits: list[list[PenStroke]]) -> list[float]:
    """Milliseconds from the request with all strokes so far to the parsed answer, for each stroke."""
    connection = http.client.HTTPConnection(address)
    times = []
    for strokes in digits:
        for count in range(1, len(strokes) + 1):
            body = json.dumps({"model": model, "drawing": {"strokes": described(strokes[:count])}})
            start = time.perf_counter()
            connection.request("POST", "/api/draw/answer", body, {"content-type": "application/json"})
            json.loads(connection.getresponse().read())
            times.append(1000 * (time.perf_counter() - start))
    return times


def in_browser(address: str, model: str, digits: list[list[PenStroke]]) -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=flags)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(f"http://{address}/draw#model=%22{model}%22")
        surface = page.get_by_label("Drawing", exact=True)
        box: Any = surface.bounding_box()
        page.evaluate(WATCH)
        for strokes in digits:
            page.get_by_role("button", name="Clear").click()
            for stroke in strokes:
                count = page.evaluate("times.length")
                points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y, _ in stroke.points]
                page.mouse.move(*points[0])
                page.mouse.down()
                for point in points[1:]:
                    page.mouse.move(*point)
                page.mouse.up()
                page.wait_for_function("count => times.length > count", arg=count)
        arrived, seen = np.array(page.evaluate("times")).T.tolist()
        print(f"Browser, answer arrived:    {summary(arrived)}")
        print(f"Browser, next frame drawn:  {summary(seen)}")
        print(f"Browser, between frames:    {summary(page.evaluate('frames'))}")
        browser.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--digits", type=int, default=50, help="number of digits [50]")
    parser.add_argument("--model", default="reader", help="name of a bundled model [reader]")
    options = parser.parse_args()
    print(machine())
    _, (images, _) = load_mnist()
    digits = [pen_strokes(image) for image in images[: options.digits]]
    with running_lab() as output:
        address = read_address(output)
        over_http(address, options.model, digits[:3])  # loads the model and what it needs
        print(f"HTTP:                       {summary(over_http(address, options.model, digits))}")
        if shutil.which("chromium"):
            in_browser(address, options.model, digits)


if __name__ == "__main__":
    main()
