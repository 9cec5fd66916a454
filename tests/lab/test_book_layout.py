"""The book's page fits phones, tablets and large screens: nothing is cut, no code is scrolled sideways."""

from pathlib import Path

from docs.notes.book import write_book
from tests.lab.conftest import PageOpener

WIDTHS = (360, 1280)
TOO_WIDE = """() => {
  const wide = (selector) => [...document.querySelectorAll(selector)].filter((e) => e.scrollWidth > e.clientWidth + 1);
  return {
    page: document.documentElement.scrollWidth - innerWidth,
    code: wide("pre").length,
    equations: wide(".equation > div").map((e) => e.parentElement.id),
  };
}"""


def test_nothing_is_cut_at_any_width(tmp_path: Path, open_page: PageOpener) -> None:
    write_book(tmp_path / "notes.html")
    page = open_page((tmp_path / "notes.html").as_uri())
    page.evaluate("document.querySelectorAll('details').forEach((box) => (box.open = true))")
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        found = page.evaluate(TOO_WIDE)
        assert found["page"] <= 4, f"{width}: the page is {found['page']} pixels too wide"
        assert found["code"] == 0, f"{width}: {found['code']} blocks of code are scrolled"
        assert width < 1000 or found["equations"] == [], f"{width}: {found['equations']}"  # phones may scroll them
