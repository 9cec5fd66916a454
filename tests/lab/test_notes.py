"""The room of the notes: every chapter offline, search, and links between formulas and the rooms that show them."""

import inspect
import re
from collections import Counter

import numpy as np
import pytest
from playwright.sync_api import expect
from starlette.testclient import TestClient

from digitscope import explain, nn
from digitscope.explain.definition import derivations, documented_definition, equation, formula
from digitscope.lab.app import PAGES
from digitscope.notes.chapters import section_paths
from digitscope.notes.links import chapter_of, equation_links, equation_of
from digitscope.notes.search import passages, search
from digitscope.notes.section import equations, links, read_section
from docs.notes import NOTES
from tests.lab.accessibility import check_reflow
from tests.lab.conftest import PageOpener, wait_until

EXPLORED = re.compile("^<!-- explore: ", re.MULTILINE)
TYPE_ALL = """() => {
  const fields = [...document.querySelectorAll(".answers :is(input, select)")];
  for (const field of fields) field.value = field.dataset.expected;
  const submit = (form) => form.dispatchEvent(new Event("submit", { cancelable: true }));
  document.querySelectorAll(".answers").forEach(submit);
  return fields.every((field) => field.dataset.verdict === "right");
}"""
SECTIONS = [path.stem for path in section_paths()]

every_section = pytest.mark.parametrize("name", SECTIONS)


def article(client: TestClient, name: str) -> str:
    answer = client.get(f"/notes/{name}")
    assert answer.status_code == 200
    found = re.search(r"<article.*</article>", answer.text, re.DOTALL)
    assert found
    return found[0]


@every_section
def test_a_section_has_no_latex_and_nothing_that_the_policy_forbids(client: TestClient, name: str) -> None:
    page = article(client, name)
    section = read_section(next(path for path in section_paths() if path.stem == name))
    prose = re.sub(r"<(pre|code|svg)\b.*?</\1>", "", page, flags=re.DOTALL)
    assert "$" not in prose
    assert "\\" not in prose
    assert prose.count('<div class="equation"') == len(equations(section))
    assert "merror" not in page
    assert not re.search(r"<script|<style|\sstyle=|\son\w+=", page)
    assert all(source.startswith("data:image/png") for source in re.findall(r'<image [^>]*?href="([^"]*)"', page))
    assert "<img" not in page
    figures = [link for link in links(section) if link.endswith(".svg")]
    assert len(re.findall("<svg ", page)) == len(figures)
    assert [name for name, count in Counter(re.findall(r'\bid="([^"]*)"', page)).items() if count > 1] == []


def test_every_link_in_the_notes_leads_to_its_place(client: TestClient) -> None:
    pages = {name: client.get(f"/notes/{name}").text for name in SECTIONS}
    pages |= {"": client.get("/notes").text, "search": client.get("/notes/search").text}
    ids = {name: set(re.findall(r'\bid="([^"]*)"', page)) for name, page in pages.items()}
    followed = 0
    for name, page in pages.items():
        for path, anchor in re.findall(r'href="(/notes[^"#]*)?(?:#([^"]*))?"', page):
            target = path.removeprefix("/notes").removeprefix("/") if path else name
            assert target in pages, path
            assert not anchor or anchor in ids[target], f"{name}: {path}#{anchor}"
            followed += bool(path or anchor)
    assert followed > 1500
    numbers = {e.number for path in section_paths() for e in equations(read_section(path)) if e.number}
    assert all(f"eq-{number}" in ids[chapter_of(number)] for number in numbers)


def test_contents(client: TestClient) -> None:
    page = client.get("/notes").text
    listed = re.findall(r'<h2><a href="/notes/([\w-]+)">', page)
    assert listed == SECTIONS
    assert "How does a list of 784 numbers become" in page
    spanish = client.get("/notes/05-backpropagation", headers={"accept-language": "es"}).text
    assert '<article class="notes" lang="en">' in spanish
    assert 'aria-label="Índice"' in spanish


@pytest.mark.parametrize(
    "name", ["06", "README", "05-backpropagation.md", "..", "%2e%2e%2fREADME", "a" * 3000, "\u00e9"]
)
def test_an_unknown_chapter_is_not_found(client: TestClient, name: str) -> None:
    answer = client.get(f"/notes/{name}" if name != ".." else "/notes/%2e%2e")
    assert answer.status_code == 404


def test_a_page_says_that_there_is_no_such_chapter(client: TestClient) -> None:
    page = client.get("/notes/<b>", headers={"accept-language": "es"}).text
    assert "<h1>Esa página no existe</h1>" in page
    assert "no chapter &#x27;&lt;b&gt;&#x27;" in page
    assert 'href="/notes"' in page


def test_every_picture_loads_all_can_be_touched_and_answers_are_checked(shared_lab: str, open_page: PageOpener) -> None:
    page = open_page(f"{shared_lab}/notes")
    decode = """async () => {
      const sources = [...document.querySelectorAll("svg image")].map((image) => image.href.baseVal);
      await Promise.all(sources.map((src) => Object.assign(new Image(), { src }).decode()));
      return sources.length;
    }"""
    pictures = 0
    for name in SECTIONS:
        page.goto(f"{shared_lab}/notes/{name}")
        pictures += page.evaluate(decode)
        sizes = "[...document.querySelectorAll('article svg')].map(s => s.getBoundingClientRect().height)"
        assert min(page.evaluate(sizes), default=100) > 50
        text = (NOTES / f"{name}.md").read_text("utf-8")
        expect(page.locator(".explorable:not(:empty)")).to_have_count(len(EXPLORED.findall(text)))
        assert page.locator(".answers").count() == text.count("<!-- asks: ")
        if name[0].isdigit():
            wait_until(page, lambda: page.evaluate("document.fonts.check('1em \"Digitscope Notes Math\"')"))
            wait_until(page, lambda: page.evaluate(TYPE_ALL))
    assert pictures == 155  # as `grep -o "<image " docs/notes/pictures/*.svg` counts them


def test_search(client: TestClient) -> None:
    def found(query: str) -> list[dict[str, object]]:
        answer = client.get("/api/notes/search", params={"q": query})
        assert answer.status_code == 200
        listed: list[dict[str, object]] = answer.json()
        return listed

    best = found("rumelhart")[0]
    assert (best["section"], best["anchor"]) == ("bibliography", "rumelhart-1986")
    assert found("(5.4)")[0]["anchor"] == "the-four-equations-of-a-dense-layer"
    excerpt, marks = str(found("W_oi dz_on")[0]["excerpt"]), found("W_oi dz_on")[0]["marks"]
    assert isinstance(marks, list)
    assert {excerpt[begin:end] for begin, end in marks} <= {"W_oi", "dz_on"}
    assert marks
    assert found("RÚMELHART") == found("rumelhart")
    assert found("softmax no-such-word") == []
    assert found("   ") == []
    assert len(found("e")) == 40
    assert client.get("/api/notes/search").status_code == 400
    assert client.get("/api/notes/search", params={"q": "x" * 201}).status_code == 400


def test_search_reads_formulas_and_leaves_out_what_is_inside_pictures() -> None:
    listed = passages([read_section(path) for path in section_paths()])
    place = next(p for p in listed if p.anchor == "the-four-equations-of-a-dense-layer")
    assert "z_on = b_o + ∑_i = 1^D W_oi x_in" in place.text
    assert "<" not in "".join(p.heading for p in listed)
    assert not any("figure-" in p.text or "clip-path" in p.text for p in listed)
    found = search("valley", listed)[0]
    assert "valley" in (found.passage.heading + found.excerpt).lower()


def definitions() -> dict[str, object]:
    """The classes and functions of digitscope.nn by name."""
    modules = {inspect.getmodule(getattr(nn, name)) for name in nn.__all__}
    found = {name: value for module in modules if module for name, value in vars(module).items() if callable(value)}
    return {name: value for name, value in found.items() if value.__module__.startswith("digitscope.nn")}


def test_equations_define_what_docstrings_define() -> None:
    numbers = {e.number: e for path in section_paths() for e in equations(read_section(path)) if e.number}
    known = definitions()
    named = Counter(name for entry in equation_links().values() for name in entry.defines)
    assert [name for name, count in named.items() if count > 1] == []
    for number, entry in equation_links().items():
        assert number in numbers
        for name in entry.defines:
            definition, _, symbol = name.partition(".")
            assert documented_definition(known[definition], symbol) is known[definition], name
            assert formula(known[definition], symbol), name
            chapters = {re.split("[/.]", link)[2] for link in derivations(known[definition])}
            assert chapter_of(number) in chapters, f"({number}) is not in a chapter that {definition} links to"
            if re.fullmatch("d[a-zA-Z]", symbol):
                assert numbers[number].is_derivative, name
                assert rf"\mathrm{{d}}{symbol[1]}" in numbers[number].latex or symbol == "dx", name
    assert equation_of("Dense", "dW") == "5.4"
    assert equation_of("Dense", "no such symbol") is None


def test_rooms_of_equations_exist_and_chapters_link_to_them(client: TestClient) -> None:
    rooms = {page.path.removeprefix("/") for page in PAGES}
    for number, entry in equation_links().items():
        page = article(client, chapter_of(number))
        shown = re.search(rf'id="eq-{number}".*?</div>\n', page, re.DOTALL)
        assert shown
        if entry.room is None:
            assert 'class="show"' not in shown[0]
        else:
            assert entry.room in rooms
            assert f'href="{entry.address.replace("&", "&amp;").replace(chr(34), "&quot;")}"' in shown[0]


def test_a_link_marks_its_formula(shared_lab: str, open_page: PageOpener) -> None:
    page = open_page(f"{shared_lab}/notes/05-backpropagation#eq-5.4")
    marked = page.locator("[id='eq-5.4']")
    expect(marked).to_be_in_viewport()
    transparent = "rgba(0, 0, 0, 0)"
    assert marked.evaluate("e => getComputedStyle(e).backgroundColor") != transparent
    assert page.locator("[id='eq-5.5']").evaluate("e => getComputedStyle(e).backgroundColor") == transparent
    expect(page.locator(".sidebar [aria-current=location]")).to_have_text("The four equations of a dense layer")
    heights = (
        "[...document.querySelectorAll('math')].map(m => m.closest('details') ? 1 : m.getBoundingClientRect().height)"
    )
    assert min(page.evaluate(heights)) > 0
    page.locator("article a.ref", has_text="(5.2)").first.click()
    expect(page.locator("[id='eq-5.2']")).to_be_in_viewport()
    page.locator("a[rel=next]").click()
    expect(page.locator("h1")).to_have_text("6. Descent")


def test_search_while_typing(shared_lab: str, open_page: PageOpener) -> None:
    page = open_page(f"{shared_lab}/notes")
    page.get_by_role("searchbox").fill("momentum")
    page.keyboard.press("Enter")
    page.wait_for_url("**/notes/search?q=momentum")
    expect(page.locator("#results li").first).to_contain_text("Momentum")
    expect(page.locator("mark").first).to_have_text(re.compile("momentum", re.IGNORECASE))
    page.get_by_role("searchbox").fill("no such words")
    expect(page.get_by_role("status")).to_contain_text("No passage")
    page.get_by_role("searchbox").fill("bridle")
    page.locator("#results a").first.click()
    page.wait_for_url("**/notes/bibliography#bridle-1990")


def test_on_a_phone_contents_are_closed_and_nothing_is_wider_than_the_page(
    shared_lab: str, open_page: PageOpener
) -> None:
    page = open_page(f"{shared_lab}/notes/08-convolution", viewport={"width": 360, "height": 740})
    expect(page.locator(".sidebar details ol").first).to_be_hidden()
    page.get_by_text("Contents", exact=True).click()
    page.locator(".sidebar a", has_text="Smaller maps").click()
    expect(page.locator("#smaller-maps")).to_be_in_viewport()
    expect(page.locator(".sidebar details ol").first).to_be_hidden()
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert page.locator(".equation > div[tabindex='0']").count() > 5


def test_long_chapters_need_no_scrolling_sideways(shared_lab: str, open_page: PageOpener) -> None:
    page = open_page(f"{shared_lab}/notes/05-backpropagation")
    check_reflow(page)
    for chapter in ("06-descent", "08-convolution", "11-uncertainty"):
        page.goto(f"{shared_lab}/notes/{chapter}")
        check_reflow(page)


def test_a_number_names_the_equation_that_defines_it() -> None:
    network = nn.Network(nn.Reshape(1, 28, 28), nn.Conv2D(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Dense(1352, 10))
    images, labels = np.full((1, 28, 28), 7, np.uint8), [3]
    numbers = {
        "input": ("1.2", (0, 0)),
        "1": ("8.9", (1, 0, 0, 0)),
        "d1.weight": ("8.11", (1, 0, 2, 2)),
        "d1": ("3.4", (1, 0, 0, 0)),
        "d4.weight": ("5.4", (3, 5)),
        "probability": ("4.1", (3, 0)),
        "doutput": ("4.12", (3, 0)),
        "loss": ("4.8", ()),
        "3": (None, (0, 0)),
    }
    for name, (number, index) in numbers.items():
        assert explain.terms(network, images, labels, of=name, index=index).equation == number, name
    assert equation(Dense, "dW") is None


class Dense:
    """dW of a layer of one's own is not the notes'."""


STEP_LINKS = {number: entry for number, entry in equation_links().items() if entry.room == "step"}


@pytest.mark.parametrize("number", STEP_LINKS)
def test_one_step_shows_the_numbers_of_an_equation(client: TestClient, number: str) -> None:
    state = dict(STEP_LINKS[number].state)
    of, index, at = state.pop("of", None), state.pop("index", []), state.pop("at")
    # As the page asks: its defaults are in static/step/data.js.
    step = {"images": [{"label": 7, "index": 0}], "seed": 12, "rate": 0.01, **state}
    answer = client.post("/api/step", json={"step": step})
    assert answer.status_code == 200, answer.text
    stages = {stage["key"]: [output["name"] for output in stage["outputs"]] for stage in answer.json()["stages"]}
    assert at == "whole" or of in stages[at]
    if of is not None:
        found = client.post("/api/why", json={"step": step, "of": of, "index": index}).json()
        assert found["total"] == pytest.approx(found["value"], rel=1e-5, abs=1e-7)
        if STEP_LINKS[number].defines:
            assert found["notes"][0] == {"chapter": chapter_of(number), "section": f"eq-{number}"}


@pytest.mark.parametrize("number", ["5.4", "11.6", "6.27"])
def test_a_link_opens_the_room_with_the_number(shared_lab: str, open_page: PageOpener, number: str) -> None:
    page = open_page(f"{shared_lab}/notes/{chapter_of(number)}#eq-{number}")
    page.locator(f"[id='eq-{number}'] .show").click()
    entry = equation_links()[number]
    page.wait_for_url(f"**/{entry.room}#*")
    if entry.room == "step":
        panel = page.get_by_role("region", name="Why?")
        expect(panel.get_by_role("heading", level=2)).to_contain_text("−4.00889")
        panel.get_by_role("link", name=f"({number})").click()
        page.wait_for_url(f"**/notes/{chapter_of(number)}#eq-{number}")
        expect(page.locator(f"[id='eq-{number}']")).to_be_in_viewport()
    if entry.room == "train":
        expect(page.locator("select", has=page.locator("option[value=cosine]"))).to_have_value("cosine")
    if entry.room == "explore":
        expect(page.get_by_role("heading", name="Calibration")).to_be_visible()
