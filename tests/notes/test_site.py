"""The site: every document is on it, and no link leads nowhere."""

import re

import pytest

from digitscope.cli import cli
from docs.notes import ROOT
from docs.site import PLACES, Site, broken_links, build_site
from tests.test_public_names import NAMES


@pytest.fixture(scope="module")
def site() -> Site:
    return build_site(run=False)


def test_no_link_leads_nowhere(site: Site) -> None:
    assert broken_links(site) == []
    assert sum(page.count("<a ") for page in site.pages.values()) > 1000


@pytest.mark.parametrize("target", ["nowhere.html", "python.html#nowhere", "#nowhere", "pictures/nowhere.png"])
def test_a_link_that_leads_nowhere_is_found(target: str) -> None:
    site = Site(pages={"index": f'<a href="{target}">x</a>', "python": '<h2 id="here">x</h2>'})
    assert broken_links(site) == [f"index.html: {target}"]
    site.pages["index"] = '<a href="python.html#here">x</a> <a href="https://example.org/y">y</a>'
    assert broken_links(site) == []


def test_every_document_is_on_it() -> None:
    known = {path.resolve() for group in PLACES.values() for path in group}
    documents = {*(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md")}
    assert {path.relative_to(ROOT).as_posix() for path in documents - known} == set()


def test_each_page_is_found_from_each_other(site: Site) -> None:
    for page in site.pages.values():
        contents = page[page.index('<nav id="contents"') :]
        assert {f"{name}.html" for name in site.pages} == set(re.findall(r'href="([^"]*)"', contents))


def test_every_command_and_public_name_is_described(site: Site) -> None:
    for name in cli.commands:
        assert f'<h2 id="{name}">' in site.pages["commands"]
        assert f"Usage: digitscope {name}" in site.pages["commands"]
    for name in NAMES - {"datasets", "explain", "metrics", "nn", "recipes", "report", "training", "vision"}:
        assert f'<h3 id="{name}">' in site.pages["names"]


def test_code_of_a_notebook_and_its_formulas_are_shown(site: Site) -> None:
    page = site.pages["1-first-gradient"]
    assert page.count('<pre class="code">') > 10
    assert page.count("<math") > 5
    assert "$" not in re.sub(r"<pre.*?</pre>", "", page, flags=re.DOTALL)


def test_a_worksheet_has_boxes_to_write_in(site: Site) -> None:
    page = site.pages["worksheet"]
    empty = (ROOT / "docs/teaching/worksheet.md").read_text("utf-8").count(r"\square")
    assert page.count('<mspace class="blank"') == empty > 50
    assert "□" not in page
