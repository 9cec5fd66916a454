"""The class in browsers: the wall, phones, and a server that other machines can reach."""

import json
import statistics
import threading
import time
import urllib.request
from collections.abc import Callable
from http.cookiejar import CookieJar
from typing import Any

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, Route, expect

from digitscope.datasets import DataSet
from tests.lab.conftest import Server
from tests.lab.test_class import strokes_of

expect.set_options(timeout=20_000)  # other tests run beside these
PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}


class Class:
    """A lab that phones reach, with its addresses and keys."""

    def __init__(self, start: Callable[..., Server]) -> None:
        self.server = start("convnet", "--host", "0.0.0.0")
        assert self.server.process.stdout is not None
        lines = [self.server.process.stdout.readline() for _ in range(2)]
        self.code = lines[1].split()[-1]
        self.teacher = self.server.url
        self.url = self.server.url.partition("/?")[0]

    def phone(self) -> "Phone":
        return Phone(self.url, self.code)


class Phone:
    """A phone without a browser."""

    def __init__(self, url: str, code: str) -> None:
        self.url = url
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        self._opener.open(f"{url}/?key={code}", timeout=60).read()
        self.id = self.ask("join")["phone"]

    def ask(self, path: str, **body: object) -> Any:
        content = {"content-type": "application/json"}
        request = urllib.request.Request(f"{self.url}/api/class/{path}", json.dumps(body).encode(), content)
        return json.loads(self._opener.open(request, timeout=60).read())


@pytest.fixture
def school(start_server: Callable[..., Server], monkeypatch: pytest.MonkeyPatch) -> Class:
    return Class(start_server)


def start(page: Page) -> None:
    page.get_by_role("button", name="Start the class").click()
    expect(page.get_by_text("Join with your phone")).to_be_visible()


def draw_with_finger(page: Page, strokes: list[dict[str, Any]]) -> None:
    """Draws on the surface by touch events, as Chromium's tools send them."""
    box = page.locator(".drawing canvas").bounding_box()
    assert box is not None
    session = page.context.new_cdp_session(page)
    for stroke in strokes:
        points = np.reshape(stroke["points"], (-1, 3))[:, :2] / 1000 * [box["width"], box["height"]] + [
            box["x"],
            box["y"],
        ]
        for k, (x, y) in enumerate(points.tolist()):
            kind = "touchMove" if k else "touchStart"
            session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
        session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def test_a_pupil_joins_draws_and_the_wall_shows_it(
    school: Class, open_page: Callable[..., Page], mnist: DataSet
) -> None:
    teacher = open_page(school.teacher.replace("/?", "/class?"))
    expect(teacher).to_have_url(f"{school.url}/class")
    start(teacher)
    expect(teacher.get_by_role("img", name="QR code")).to_be_visible()
    assert teacher.locator(".code").text_content() == school.code
    teacher.get_by_label("Phones draw").select_option("same")
    teacher.get_by_label("Digit", exact=True).select_option("4")
    expect(teacher.get_by_text("The first drawings appear here.")).to_be_visible()

    phone = open_page(school.url, **PHONE)
    expect(phone).to_have_url(f"{school.url}/join")
    phone.get_by_label("Code").fill("abcd-efgh")
    phone.get_by_role("button", name="Join").click()
    expect(phone.get_by_role("alert").first).to_have_text("This code is not right. Look at the wall and try again.")
    phone.get_by_label("Code").fill(school.code.upper())
    phone.get_by_role("button", name="Join").tap()
    expect(phone).to_have_url(f"{school.url}/phone")
    expect(phone.get_by_role("heading", name="Draw the digit 4")).to_be_visible()
    expect(phone.get_by_role("button", name="Send")).to_be_disabled()
    draw_with_finger(phone, strokes_of(mnist, 4))
    assert phone.evaluate("scrollY") == 0
    phone.get_by_role("button", name="read it right").tap()
    phone.get_by_role("button", name="Send").tap()
    answer = phone.get_by_role("region", name="Answer")
    expect(answer).to_contain_text("The network reads 4")
    expect(answer).to_contain_text("You guessed that.")
    expect(teacher.get_by_role("button", name="Meant 4, read 4", exact=True)).to_be_visible()
    expect(teacher.locator(".tally")).to_have_text("100% read as meant: 1 of 1.")

    phone.get_by_role("button", name="Draw another").tap()
    draw_with_finger(phone, strokes_of(mnist, 9))
    time.sleep(1.5)
    phone.get_by_role("button", name="Send").tap()
    expect(answer).to_contain_text("The network reads 9")
    misread = teacher.locator(".misread").get_by_role("button", name="Meant 4, read 9", exact=True)
    misread.click()
    dialog = teacher.get_by_role("dialog")
    expect(dialog.get_by_role("img", name="Meant 4, read 9")).to_be_visible()
    dialog.get_by_role("button", name="Hide this drawing").click()
    expect(dialog).to_be_hidden()
    expect(misread).to_be_hidden()
    teacher.get_by_role("button", name="Hidden: 1").click()
    dialog.get_by_role("button", name="Show again").click()
    expect(misread).to_be_visible()

    teacher.get_by_role("button", name="Freeze").click()
    expect(phone.get_by_role("status")).to_have_text("Your teacher has stopped the class for a moment.")
    teacher.get_by_role("button", name="Go on").click()
    teacher.get_by_role("button", name="Clear").click()
    teacher.get_by_role("button", name="Yes").click()
    expect(teacher.get_by_text("The first drawings appear here.")).to_be_visible()
    teacher.get_by_role("button", name="End the class").click()
    teacher.get_by_role("button", name="Yes").click()
    expect(phone.get_by_role("status")).to_have_text("The class is not open now. Wait for your teacher.")


def test_two_walls_show_the_same(school: Class, open_page: Callable[..., Page], mnist: DataSet) -> None:
    teacher = open_page(school.teacher.replace("/?", "/class?"))
    start(teacher)
    projector = open_page(school.teacher.replace("/?", "/class?"), locale="es")
    phone = school.phone()
    phone.ask("send", phone=phone.id, meant=3, strokes=strokes_of(mnist, 3))
    expect(teacher.get_by_role("button", name="Meant 3, read 3", exact=True)).to_be_visible()
    expect(projector.get_by_role("button", name="Se quiso 3, leído 3", exact=True)).to_be_visible()
    teacher.get_by_role("button", name="Freeze").click()
    expect(projector.get_by_role("button", name="Continuar")).to_be_visible()


def test_the_matrix_by_keyboard(school: Class, open_page: Callable[..., Page], mnist: DataSet) -> None:
    teacher = open_page(school.teacher.replace("/?", "/class?"))
    start(teacher)
    phone = school.phone()
    phone.ask("send", phone=phone.id, meant=1, strokes=strokes_of(mnist, 7))
    cell = teacher.get_by_role("button", name="Meant 1, read 7: 1")
    expect(cell).to_have_text("1")
    teacher.get_by_role("button", name="Meant 0, read 0: 0").focus()
    for key in ("ArrowDown", *["ArrowRight"] * 7):
        teacher.keyboard.press(key)
    expect(cell).to_be_focused()
    teacher.keyboard.press("Enter")
    expect(teacher.get_by_role("dialog", name="Meant 1, read 7")).to_be_visible()
    teacher.keyboard.press("Escape")
    expect(cell).to_be_focused()


def test_before_and_after_side_by_side(school: Class, open_page: Callable[..., Page], mnist: DataSet) -> None:
    teacher = open_page(school.teacher.replace("/?", "/class?"))
    teacher.set_default_timeout(120_000)
    start(teacher)
    learn = teacher.get_by_role("button", name="Learn from all of us")
    expect(learn).to_be_disabled()
    for k in range(4):
        phone = school.phone()
        for digit in range(2):
            reply = phone.ask("send", phone=phone.id, meant=digit, strokes=strokes_of(mnist, digit, k))
            assert reply["refused"] is None
            time.sleep(1.5)
    learn.click()
    expect(teacher.get_by_role("progressbar")).to_be_visible()
    guess = teacher.get_by_label("How many does it read as meant now? Guess:")
    expect(guess).to_be_visible(timeout=120_000)
    expect(teacher.get_by_role("heading", name="After")).to_be_hidden()
    guess.fill("1")
    teacher.get_by_role("button", name="Reveal").click()
    lesson = teacher.locator(".lesson")
    expect(lesson.get_by_role("heading", name="After")).to_be_visible()
    expect(lesson).to_contain_text("Your guess was 1.")
    expect(lesson).to_contain_text("Tested: 2 drawings, other phones: 1.")
    teacher.get_by_role("button", name="Read with the taught network from now on").click()
    expect(teacher.get_by_text("Read by class-")).to_be_visible()
    expect(lesson.get_by_role("heading", name="After")).to_be_visible()  # the next news does not hide it


def test_without_host_the_page_says_how_phones_get_in(shared_lab: str, open_page: Callable[..., Page]) -> None:
    page = open_page(f"{shared_lab}/class")
    start(page)
    expect(page.get_by_text("digitscope lab --host 0.0.0.0")).to_be_visible()
    assert page.locator("img.qr").is_hidden()
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="Try it without phones").click()
    expect(opened.value.locator(".asked")).to_contain_text("Draw the digit")


def test_accessibility(school: Class, open_page: Callable[..., Page], mnist: DataSet) -> None:
    teacher = open_page(school.teacher.replace("/?", "/class?"), bypass_csp=True)  # axe sets styles
    expect(teacher.get_by_role("button", name="Start the class")).to_be_visible()
    check(teacher)
    start(teacher)
    device = school.phone()
    for meant, drawn in ((5, 5), (2, 7)):
        device.ask("send", phone=device.id, meant=meant, strokes=strokes_of(mnist, drawn))
        time.sleep(1.5)
    misread = teacher.get_by_role("button", name="Meant 2, read 7", exact=True).first
    expect(misread).to_be_visible()
    check(teacher)
    misread.click()
    check(teacher)
    phone = open_page(f"{school.url}/join", bypass_csp=True, **PHONE)
    expect(phone.get_by_role("button", name="Join")).to_be_visible()
    check(phone)
    phone.get_by_label("Code").fill(school.code)
    phone.get_by_role("button", name="Join").tap()
    expect(phone.get_by_role("heading", name="Draw the digit")).to_be_visible()
    check(phone)
    draw_with_finger(phone, strokes_of(mnist, 3))
    phone.get_by_role("button", name="Send").click()
    expect(phone.get_by_role("button", name="Draw another")).to_be_visible()
    check(phone)


def check(page: Page) -> None:
    """No violation that axe knows, in both themes and sizes, and nothing to scroll sideways."""
    size = page.viewport_size
    assert size is not None
    for width, theme in ((360, "dark"), (1280, "light"), (360, "light"), (1280, "dark")):
        page.set_viewport_size({"width": width, "height": 800})
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")  # type: ignore[arg-type]
        page.evaluate("Promise.allSettled(document.getAnimations().map((animation) => animation.finished))")
        found = Axe().run(page, options={"preload": False})  # it would ask for styles at wrong addresses
        assert found.violations_count == 0, (width, theme, found.generate_report())
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (width, theme)
    page.set_viewport_size(size)


def test_a_class_is_not_started_before_the_models_are_known(school: Class, open_page: Callable[..., Page]) -> None:
    held: list[Route] = []

    def hold(page: Page) -> None:
        page.route("**/api/class/wall", lambda route: held.append(route))  # Playwright counts the parameters

    page = open_page(school.teacher.replace("/?", "/class?"), before=hold)
    expect(page.get_by_role("button", name="Start the class")).to_be_disabled()
    page.unroute("**/api/class/wall")
    while held:
        held.pop().continue_()
    start(page)


def test_thirty_phones_and_ten_browsers(school: Class, open_page: Callable[..., Page], mnist: DataSet) -> None:
    """Nobody is turned away, every drawing is on the wall, and answers come while all of them draw."""
    teacher = open_page(school.teacher.replace("/?", "/class?"))
    start(teacher)
    walls = [Stream(school) for _ in range(9)]
    drawings = [strokes_of(mnist, digit) for digit in range(10)]
    seconds: list[float] = []
    problems: list[object] = []

    def pupil(k: int) -> None:
        try:
            phone = school.phone()
            for turn in range(2):
                digit = (k + turn) % 10
                begin = time.monotonic()
                reply = phone.ask("send", phone=phone.id, meant=digit, strokes=drawings[digit])
                seconds.append(time.monotonic() - begin)
                if reply["refused"] or reply["read"] is None:
                    problems.append(reply)
                time.sleep(1.6)
        except OSError as error:
            problems.append(error)

    threads = [threading.Thread(target=pupil, args=(k,)) for k in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [problem for problem in problems if not isinstance(problem, dict) or problem["refused"]] == []
    assert len(seconds) == 60
    assert statistics.median(seconds) < 5  # benchmarks/class_of_phones.py measures it
    expect(teacher.locator(".tally")).to_contain_text("of 60.")
    assert all(wall.heard() > 0 for wall in walls)


class Stream:
    """A browser that listens to what happens."""

    def __init__(self, school: Class) -> None:
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        opener.open(school.teacher, timeout=60).read()
        self._reply = opener.open(f"{school.url}/api/events", timeout=60)
        self._count = 0
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self._reply:
            self._count += line == b"event: class\n"

    def heard(self) -> int:
        return self._count
