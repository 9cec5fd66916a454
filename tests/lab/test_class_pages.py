"""The class in browsers: the wall, phones, and a server that other machines can reach."""

import json
import re
import statistics
import threading
import time
import urllib.request
from collections.abc import Callable
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page, Route, expect

from digitscope.datasets import DataSet
from digitscope.lab.class_session import PERIOD
from tests.lab.accessibility import check_axe, check_reflow
from tests.lab.conftest import PageOpener, Server, wait_until
from tests.lab.test_class import strokes_of
from tests.lab.touch import draw_lines

PHONE: dict[str, Any] = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}


class Class:
    """A lab that phones reach, with its addresses and keys."""

    def __init__(self, start: Callable[..., Server], model: str = "convnet") -> None:
        self.server = start(model, "--host", "0.0.0.0")
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
def school(start_server: Callable[..., Server]) -> Class:
    return Class(start_server)


def start(page: Page) -> None:
    page.get_by_role("button", name="Start the class").click()
    expect(page.get_by_text("Join with your phone")).to_be_visible()


def draw_with_finger(page: Page, strokes: list[dict[str, Any]]) -> None:
    box = page.locator(".drawing canvas").bounding_box()
    assert box is not None
    corner, size = [box["x"], box["y"]], [box["width"], box["height"]]
    points = [np.reshape(stroke["points"], (-1, 3))[:, :2] for stroke in strokes]
    draw_lines(page, [(corner + part / 1000 * size).tolist() for part in points])


def test_a_pupil_joins_draws_and_the_wall_shows_it(school: Class, open_page: PageOpener, mnist: DataSet) -> None:
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
    phone.get_by_role("button", name="Join").click()
    expect(phone).to_have_url(f"{school.url}/phone")
    expect(phone.get_by_role("heading", name="Draw the digit 4")).to_be_visible()
    expect(phone.get_by_role("button", name="Send")).to_be_disabled()
    draw_with_finger(phone, strokes_of(mnist, 4))
    assert phone.evaluate("scrollY") == 0
    phone.get_by_role("button", name="read it right").click()
    phone.get_by_role("button", name="Send").click()
    answer = phone.get_by_role("region", name="Answer")
    expect(answer).to_contain_text("The network reads 4")
    expect(answer).to_contain_text("You guessed that.")
    expect(teacher.get_by_role("button", name="Meant 4, read 4", exact=True)).to_be_visible()
    expect(teacher.locator(".tally")).to_have_text("100% read as meant: 1 of 1.")

    phone.get_by_role("button", name="Draw another").click()
    draw_with_finger(phone, strokes_of(mnist, 9))
    time.sleep(PERIOD)
    phone.get_by_role("button", name="Send").click()
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


def test_two_walls_show_the_same(school: Class, open_page: PageOpener, mnist: DataSet) -> None:
    teacher = open_page(school.teacher.replace("/?", "/class?"))
    start(teacher)
    projector = open_page(school.teacher.replace("/?", "/class?"), locale="es")
    phone = school.phone()
    phone.ask("send", phone=phone.id, meant=3, strokes=strokes_of(mnist, 3))
    expect(teacher.get_by_role("button", name="Meant 3, read 3", exact=True)).to_be_visible()
    expect(projector.get_by_role("button", name="Dibujado: 3; leído: 3", exact=True)).to_be_visible()
    teacher.get_by_role("button", name="Freeze").click()
    expect(projector.get_by_role("button", name="Continuar")).to_be_visible()


def test_the_matrix_by_keyboard(school: Class, open_page: PageOpener, mnist: DataSet) -> None:
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


def test_before_and_after_side_by_side(
    start_server: Callable[..., Server], open_page: PageOpener, mnist: DataSet, small_file: Path
) -> None:
    school = Class(start_server, str(small_file))
    teacher = open_page(school.teacher.replace("/?", "/class?"))
    teacher.set_default_timeout(120_000)
    start(teacher)
    learn = teacher.get_by_role("button", name="Learn from all of us")
    expect(learn).to_be_disabled()
    phones = [school.phone() for _ in range(4)]
    for digit in range(2):
        for k, phone in enumerate(phones):
            reply = phone.ask("send", phone=phone.id, meant=digit, strokes=strokes_of(mnist, digit, k))
            assert reply["refused"] is None
        time.sleep(PERIOD)
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


def test_without_host_the_page_says_how_phones_get_in(shared_lab: str, open_page: PageOpener) -> None:
    page = open_page(f"{shared_lab}/class")
    start(page)
    expect(page.get_by_text("digitscope lab --host 0.0.0.0")).to_be_visible()
    assert page.locator("img.qr").is_hidden()
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="Try it without phones").click()
    expect(opened.value.locator(".asked")).to_contain_text("Draw the digit")
    check_axe(page)


def test_accessibility(school: Class, open_page: PageOpener, mnist: DataSet) -> None:
    teacher = open_page(school.teacher.replace("/?", "/class?"))
    start(teacher)
    device = school.phone()
    for meant, drawn in ((5, 5), (2, 7)):
        device.ask("send", phone=device.id, meant=meant, strokes=strokes_of(mnist, drawn))
        time.sleep(PERIOD)
    misread = teacher.get_by_role("button", name="Meant 2, read 7", exact=True).first
    expect(misread).to_be_visible()
    check(teacher)
    misread.click()
    check(teacher)
    phone = open_page(f"{school.url}/join", **PHONE)
    expect(phone.get_by_role("button", name="Join")).to_be_visible()
    check(phone)
    phone.get_by_label("Code").fill(school.code)
    phone.get_by_role("button", name="Join").click()
    expect(phone.get_by_role("heading", name="Draw the digit")).to_be_visible()
    check(phone)
    draw_with_finger(phone, strokes_of(mnist, 3))
    phone.get_by_role("button", name="Send").click()
    expect(phone.get_by_role("button", name="Draw another")).to_be_visible()
    check(phone)


def check(page: Page) -> None:
    size = page.viewport_size
    assert size is not None
    check_axe(page)
    check_reflow(page, 360, 1280)
    page.set_viewport_size(size)


def test_a_class_is_not_started_before_the_models_are_known(school: Class, open_page: PageOpener) -> None:
    held: list[Route] = []
    is_held = True

    def answer(route: Route) -> None:
        if is_held:
            held.append(route)
        else:
            route.continue_()

    page = open_page(
        school.teacher.replace("/?", "/class?"), before=lambda page: page.route(re.compile("/api/class/wall"), answer)
    )
    expect(page.get_by_role("button", name="Start the class")).to_be_disabled()
    wait_until(page, lambda: held)
    assert len(held) == 1
    expect(page.get_by_role("button", name="Start the class")).to_be_disabled()
    is_held = False
    held[0].continue_()
    start(page)


def test_thirty_phones_and_ten_browsers(school: Class, open_page: PageOpener, mnist: DataSet) -> None:
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
                time.sleep(turn * (PERIOD + 0.1))
                digit = (k + turn) % 10
                begin = time.monotonic()
                reply = phone.ask("send", phone=phone.id, meant=digit, strokes=drawings[digit])
                seconds.append(time.monotonic() - begin)
                if reply["refused"] or reply["read"] is None:
                    problems.append(reply)
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
