"""The book's page in a browser: nothing is cut, it is searched, marks the place, and checks answers."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from docs.notes.book import write_book
from tests.lab.conftest import PageOpener

WIDTHS = (360, 1280)
TOO_WIDE = """() => {
  const wide = (selector) => [...document.querySelectorAll(selector)].filter((e) => e.scrollWidth > e.clientWidth + 1);
  return {
    page: document.documentElement.scrollWidth - innerWidth,
    code: wide("pre").length,
    tables: wide(".wide").length,
    equations: wide(".equation > div").map((e) => e.parentElement.id),
  };
}"""
TYPE_ALL = """() => {
  const wrong = [];
  for (const form of document.querySelectorAll("form.answers")) {
    const fields = [...form.querySelectorAll("input, select")];
    for (const field of fields) field.value = field.dataset.expected;
    form.requestSubmit();
    wrong.push(...fields.filter((field) => field.dataset.verdict !== "right").map((field) => field.dataset.expected));
  }
  return wrong;
}"""


@pytest.fixture(scope="module")
def book_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("book") / "notes.html"
    write_book(path)
    return path


@pytest.fixture
def book_page(book_file: Path, open_page: PageOpener) -> Page:
    return open_page(book_file.as_uri())


def test_nothing_is_cut_at_any_width(book_page: Page) -> None:
    book_page.evaluate("document.querySelectorAll('details').forEach((box) => (box.open = true))")
    for width in WIDTHS:
        book_page.set_viewport_size({"width": width, "height": 900})
        found = book_page.evaluate(TOO_WIDE)
        assert found["page"] <= 4, f"{width}: the page is {found['page']} pixels too wide"
        assert found["code"] == 0, f"{width}: {found['code']} blocks of code are scrolled"
        assert found["tables"] == 0, f"{width}: {found['tables']} tables are scrolled"
        assert width < 1000 or found["equations"] == [], f"{width}: {found['equations']}"  # phones may scroll them


def test_the_page_is_searched_marks_the_place_and_checks_answers(book_page: Page) -> None:
    book_page.set_viewport_size({"width": 1280, "height": 900})
    search = book_page.get_by_role("searchbox")
    search.fill("MOMENTUM heavy")
    expect(book_page.locator(".results li").first).to_contain_text("Momentum")
    expect(book_page.locator(".results mark").first).to_have_text("momentum")
    search.press("Enter")
    expect(book_page.locator("[id='06-descent--momentum']")).to_be_in_viewport()
    search.fill("no such words")
    expect(book_page.locator("#contents [role=status]")).to_have_text("No passage has these words.")
    search.press("Escape")
    here = book_page.locator("#contents [aria-current=location]")
    expect(here).to_have_text("Momentum")
    book_page.evaluate("document.getElementById('08-convolution--three-derivatives').scrollIntoView()")
    expect(here).to_have_text("Three derivatives")
    expect(here).to_be_in_viewport()

    assert book_page.evaluate(TYPE_ALL) == []
    form = book_page.locator("form.answers", has_text="dW, first")
    for typed, verdict in (
        ("3", "Right."),
        ("6/2", "Right."),
        ("2.9", "Nearly."),
        ("−3", "Not this one."),
        ("x", "type"),
    ):
        form.get_by_role("textbox").first.fill(typed)
        form.get_by_role("textbox").first.press("Enter")
        expect(form.locator(".verdict").first).to_contain_text(verdict)
    expect(form.locator("output")).to_have_text("Right: 4 of 5.")
