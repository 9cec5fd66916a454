"""What can be touched in the notes shows the numbers that Python computes."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from digitscope.arrays import Array
from digitscope.metrics import negative_log_likelihood, reliability_diagram
from digitscope.nn import BatchNorm, Conv2D, LeakyReLU, Momentum, softmax
from digitscope.notes.chapters import chapter_paths
from docs.notes import NOTES
from docs.notes.book import SHARED, scripts
from docs.notes.checks import matrices
from docs.notes.mnist import load_mnist
from docs.notes.page_data import answers, read, samples, stored, unpacked
from tests.lab.conftest import PageOpener

PLACE = re.compile(r"^<!-- explore: (\w+) -->$", re.MULTILINE)
NAMES = sorted(path.stem.removeprefix("explore_") for path in (SHARED / "live").glob("explore_*.js"))


@pytest.fixture(scope="module")
def book_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The explorables without the chapters around them, which take longer."""
    places = "".join(f'<div class="explorable" id="explore-{name}"></div>' for name in NAMES)
    page = f'<!DOCTYPE html><html lang="en"><meta charset="utf-8"><nav id="contents"></nav>{places}'
    path = tmp_path_factory.mktemp("book") / "notes.html"
    path.write_text(f'{page}<script type="module">{scripts()}</script></html>', encoding="utf-8")
    return path


@pytest.fixture
def book_page(book_file: Path, open_page: PageOpener) -> Page:
    return open_page(book_file.as_uri())


def numbers(text: str) -> list[float]:
    return [float(x.replace("−", "-")) for x in re.findall(r"[-−]?\d+(?:\.\d+)?(?:e[-+−]?\d+)?", text)]


def move(page: Page, name: str, slider: str, value: float) -> None:
    page.locator(f"#explore-{name}").get_by_role("slider", name=slider).fill(str(value))


def cells(page: Page, name: str) -> Array:
    rows: Sequence[Sequence[str]] = page.locator(f"#explore-{name} tbody").evaluate(
        "(body) => [...body.rows].map((row) => [...row.querySelectorAll('td')].map((cell) => cell.textContent))"
    )
    return np.array([[numbers(cell)[0] for cell in row] for row in rows])


def test_every_explorable_has_one_place_in_a_chapter() -> None:
    placed = [name for path in chapter_paths() for name in PLACE.findall(path.read_text("utf-8"))]
    assert sorted(placed) == NAMES


def test_softmax_and_its_jacobian(book_page: Page) -> None:
    move(book_page, "softmax", "second score", 2.5)
    p = softmax(np.array([[2.0], [2.5], [-1.0]])).ravel()
    assert cells(book_page, "softmax") == pytest.approx(np.diag(p) - np.outer(p, p), abs=0.00051)
    expect(book_page.locator("#explore-softmax [role=status]")).to_contain_text(f"the loss is {-np.log(p[1]):.2f}")
    book_page.get_by_role("button", name="Add 1 to all").click()
    assert cells(book_page, "softmax") == pytest.approx(np.diag(p) - np.outer(p, p), abs=0.00051)


def test_descent_in_the_valley(book_page: Page) -> None:
    move(book_page, "valley", "rate", 0.2)
    book_page.locator("#explore-valley summary").click()
    assert np.allclose(cells(book_page, "valley")[:4, :2].T, matrices("6.7")[0], rtol=0, atol=0.00051)
    move(book_page, "valley", "momentum", 0.5)
    curvatures, w, v, losses = np.array([1.0, 9.0]), np.array([9.0, 1.0]), np.zeros(2), []
    for step in range(6):
        losses.append(w**2 @ curvatures / 2)
        w, v = Momentum(momentum=0.5).updated(w, curvatures * w, [v], 0.2, step)
    assert cells(book_page, "valley")[:, 2] == pytest.approx(losses, abs=0.00051)
    move(book_page, "valley", "rate", 0.35)
    expect(book_page.locator("#explore-valley [role=status]")).to_contain_text("it climbs")


def test_every_weight_of_the_network_has_the_derivative_of_the_chapter(book_page: Page) -> None:
    derivatives = book_page.locator("#explore-nudge").evaluate("""(host) => {
      const weight = host.querySelector("select");
      return [...weight.options].map((option) => {
        weight.value = option.value;
        weight.dispatchEvent(new Event("change"));
        return host.querySelector("tbody tr:last-child b").textContent;
      });
    }""")
    shown = np.array([numbers(text)[0] for text in derivatives])
    assert shown == pytest.approx(np.concatenate([matrices(n)[0].ravel() for n in ("5.16", "5.14")]), abs=0.0006)
    host = book_page.locator("#explore-nudge")
    host.get_by_label("weight").select_option("from unit 2 to score 1")
    move(book_page, "nudge", "nudge", -0.5)
    (x, _), (w1, b1), (w2, b2) = matrices("5.9")[:2], matrices("5.9")[2:], matrices("5.10")
    w2[0, 1] -= 0.5
    loss = -np.log(softmax(w2 @ np.maximum(w1 @ x + b1, 0) + b2)[0]).mean()
    expect(host.get_by_role("status")).to_contain_text(f"goes from 0.914 to {loss:.3f}")
    host.get_by_role("button", name="Way back").click()
    expect(host.get_by_role("button", name="Way back")).to_have_attribute("aria-pressed", "true")


def test_sums_of_the_convolution(book_page: Page) -> None:
    x, weight, y = matrices("8.14")
    layer = Conv2D(1, 1, 2).astype(np.float64)
    layer.params = {"weight": weight[None, None], "bias": np.zeros_like(layer.params["bias"], dtype=np.float64)}
    out, backward = layer.forward(x[None, :, :, None])
    dx, grads = backward(np.array([[1.0, 0], [0, -1]])[None, :, :, None])
    assert out[0, :, :, 0] == pytest.approx(y)
    host = book_page.locator("#explore-convolution")
    for grid, expected in (("x", dx[0, :, :, 0]), ("W", grads["weight"][0, 0]), ("y", out[0, :, :, 0])):
        said = host.evaluate(
            """(host, grid) => [...host.querySelectorAll(`button[aria-label^="${grid},"]`)].map((cell) => {
          cell.click();
          return host.querySelector("[role=status]").textContent;
        })""",
            grid,
        )
        assert [numbers(text)[-1] for text in said] == expected.ravel().tolist()
    host.get_by_role("button", name="y, row 2, column 2:").focus()
    book_page.keyboard.press("ArrowUp")
    expect(host.get_by_role("status")).to_contain_text("output y, row 1, column 2")


def test_a_step_around_a_point(book_page: Page) -> None:
    at, curvature = np.array([1.5, 0.7]), np.array([1.0, 3.0])
    g = curvature * at
    book_page.get_by_role("button", name="Against the gradient").click()
    move(book_page, "ring", "length", 2)
    step = -2 * g / np.linalg.norm(g)
    really = (curvature * ((at + step) ** 2 - at**2)).sum() / 2
    said = book_page.locator("#explore-ring [role=status]")
    assert numbers(said.inner_text()) == pytest.approx([g @ step, really], abs=0.00051)
    expect(said).to_contain_text("down")
    move(book_page, "ring", "length", 3)
    expect(said).to_contain_text("too long")
    move(book_page, "ring", "angle", 0)
    expect(said).to_contain_text("up")


def test_the_line_of_batch_normalization(book_page: Page) -> None:
    assert cells(book_page, "line")[:, 3] == pytest.approx(matrices("9.15")[0].ravel())
    for name in ("Ask all for more", "Ask for a stretch"):
        book_page.get_by_role("button", name=name).click()
        assert cells(book_page, "line")[:, 3] == pytest.approx(matrices("9.15")[0].ravel()), name
    move(book_page, "line", "dy, number 3", -3)
    layer = BatchNorm(1, eps=0.0).astype(np.float64)
    layer.params["scale"][:] = 2.0
    dx, _ = layer.forward(np.array([[1.0, 1, 3, 3]]), training=True)[1](cells(book_page, "line")[:, 1][None])
    assert cells(book_page, "line")[:, 3] == pytest.approx(dx.ravel(), abs=0.0051)


def test_a_border_that_bends(book_page: Page) -> None:
    said = book_page.locator("#explore-border [role=status]")
    expect(said).to_have_text("3 of 4 are right.")
    move(book_page, "border", "slope below 0", 0.3)
    move(book_page, "border", "second bend at", 1.25)
    bend = LeakyReLU(0.3)
    sums = np.array([[0.0, 1, 1, 2]])
    first, second = (bend.forward(sums - at)[0] for at in (0, 1.25))
    table = book_page.locator("#explore-border tbody td:nth-child(2)")
    shown = [numbers(text)[0] for text in table.all_inner_texts()]
    assert shown == pytest.approx((first - 2 * second).ravel(), abs=0.0051)
    move(book_page, "border", "slope below 0", 0)
    expect(said).to_have_text("4 of 4 are right.")


def test_the_seed_answers_what_python_computes(book_page: Page) -> None:
    hidden, shares = answers(stored(), samples())
    host = book_page.locator("#explore-seed")
    for digit in (3, 8):
        host.get_by_label("picture").select_option(f"MNIST’s {digit}")
        units = [0.0 if text == "shut" else numbers(text)[0] for text in host.locator(".units div").all_inner_texts()]
        assert units == pytest.approx(hidden[:, digit], abs=0.051)
        shown = [numbers(text)[0] for text in host.locator(".bars .value").all_inner_texts()]
        assert shown == pytest.approx(shares[:, digit], abs=0.00051)
    host.get_by_role("button", name="Clear").click()
    expect(host.get_by_role("status")).to_contain_text("Nothing is drawn yet")
    host.locator(".pad").scroll_into_view_if_needed()
    box = host.locator(".pad").bounding_box()
    assert box
    middle = box["x"] + box["width"] / 2
    book_page.mouse.move(middle, box["y"] + 20)
    book_page.mouse.down()
    book_page.mouse.move(middle, box["y"] + box["height"] - 20, steps=8)
    book_page.mouse.up()
    expect(host.get_by_role("status")).to_contain_text("It reads a 1")


def test_the_stored_weights_read_as_the_chapter_says() -> None:
    (images, labels), _ = load_mnist()
    found = answers(stored(), images[50_000:52_000].reshape(2_000, -1).T / 255)[1].argmax(axis=0)
    chapter = (NOTES / "05-backpropagation.md").read_text("utf-8")
    (percent,) = re.findall(r"read rightly: (\d+)% of 10,000 new images", chapter)
    assert np.mean(found == labels[50_000:52_000]) == pytest.approx(float(percent) / 100, abs=0.03)
    assert samples() == pytest.approx(
        np.stack([images[50_000 + i].ravel() / 255 for i in first_of_each(labels)], axis=1)
    )


def first_of_each(labels: Array) -> list[int]:
    return [int((labels[50_000:] == digit).argmax()) for digit in range(10)]


def test_the_cloud_of_batches(book_page: Page) -> None:
    host = book_page.locator("#explore-cloud")
    host.locator("summary").click()
    chapter = (NOTES / "06-descent.md").read_text("utf-8")
    for k, time in enumerate(("at the start", "after 300 steps")):
        host.get_by_label("time").select_option(time)
        each = unpacked(read("cloud")["moments"][k])
        variance = ((each - each.mean(axis=1, keepdims=True)) ** 2).sum(axis=0).mean()
        sizes = np.array([1, 2, 5, 10, 20, 50, 100, 200, 500, 1000])
        assert cells(book_page, "cloud").ravel() == pytest.approx(
            np.sqrt(variance / sizes * (1000 - sizes) / 999), abs=0.00051
        )
        length, size, expected, _, measured, _ = numbers(host.get_by_role("status").inner_text().replace("(6.9)", ""))
        assert (length, size, expected) == pytest.approx(
            (each[0].mean(), 10, np.sqrt(variance / 10 * 990 / 999)), abs=0.0051
        )
        assert measured == pytest.approx(expected, rel=0.25)
        if k == 0:
            assert f"length of g {length:.1f}, of one image's error" in chapter
    move(book_page, "cloud", "images a batch", 9)
    expect(host.get_by_role("status")).to_contain_text("Batches of 1000 err by 0.00")


def test_calibration_at_a_temperature(book_page: Page) -> None:
    content = read("calibration")
    labels, scores = np.array(list(content["labels"]), dtype=int), unpacked(content["scores"])
    for temperature in (1.0, 1.75):
        move(book_page, "calibration", "temperature", temperature)
        p = softmax(scores / temperature).T
        diagram = reliability_diagram(labels, p)
        said = numbers(book_page.locator("#explore-calibration [role=status]").inner_text())
        right = (p.argmax(axis=1) == labels).mean()
        loss = negative_log_likelihood(labels, p)
        expected = [right, p.max(axis=1).mean(), diagram.expected_calibration_error, loss]
        assert said == pytest.approx(expected, abs=0.00051)
    book_page.locator("#explore-calibration summary").click()
    filled = diagram.counts > 0
    points = np.stack([diagram.confidence[filled], diagram.accuracy[filled]], axis=1)
    assert cells(book_page, "calibration") == pytest.approx(points, abs=0.00051)
