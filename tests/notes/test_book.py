"""The book: one self-contained page, and a PDF of it."""

import html
import re
import tomllib
from collections import Counter
from pathlib import Path

import pytest
from fontTools.ttLib import TTFont
from pypdf import PdfReader

from digitscope.notes.chapters import chapter_paths, section_paths
from digitscope.notes.renderer import side_by_side
from digitscope.notes.section import Equation, equations, read_section
from docs.notes import NOTES, ROOT
from docs.notes.book import EDGE, TEXT_STYLE, TOGETHER, book, page_ends
from docs.notes.floats import with_floats
from docs.notes.math_font import FILE, characters, used
from docs.notes.printing import find_browser, write_pdf


@pytest.fixture(scope="module")
def page() -> str:
    return book()


def test_nothing_is_fetched(page: str) -> None:
    for target in re.findall(
        r'(?:src|xlink:href|(?<!a )href)="([^"]*)"', re.sub(r'<a [^>]*href="https?:[^>]*>', "", page)
    ):
        assert target.startswith(("#", "data:")), target
    (script,) = re.findall(r"<script type=\"module\">(.*?)</script>", page, flags=re.DOTALL)
    script = re.sub(r"/\*\*.*?\*/", "", script, flags=re.DOTALL)
    assert not re.search(r"\b(import|fetch|XMLHttpRequest|WebSocket|eval)\b", script)
    assert len(script) < 150_000
    assert "@import" not in page
    assert not re.search(r"url\((?!#|data:)", page)


def test_every_link_in_it_has_its_target_and_every_target_one_name(page: str) -> None:
    ids = Counter(re.findall(r'\bid="([^"]*)"', page))
    assert [name for name, count in ids.items() if count > 1] == []
    assert set(re.findall(r'href="#([^"]*)"', page)) <= ids.keys()
    assert set(re.findall(r"url\(#([^)]*)\)", page)) <= ids.keys()


def test_all_mathematics_is_mathml(page: str) -> None:
    text = re.sub(r"<(pre|style|script|code|svg)\b.*?</\1>", "", page, flags=re.DOTALL)
    assert "$" not in text
    assert "\\" not in text
    assert page.count("<math") > 100


def test_every_equation_is_numbered_and_named_by_its_checks(page: str) -> None:
    for path in chapter_paths():
        for equation in equations(read_section(path)):
            if equation.number:
                assert f'href="#eq-{equation.number}" title="Checked by' in page


def test_the_page_has_a_font_with_all_signs_of_its_formulas(page: str) -> None:
    """If not: python -m docs.notes.math_font texgyrepagella-math.otf"""
    assert used(page) - characters() == set()
    assert "MATH" in TTFont(FILE)
    assert page.count("@font-face") == 1
    assert used("<math><mi>x</mi><mo>+</mo><mi>α</mi></math>") == {"\U0001d465", "+", "\U0001d6fc"}


def test_no_line_begins_with_the_comma_behind_a_formula(page: str) -> None:
    assert not re.search(r"</math>[,.;:!?)]", re.sub(r'<span class="glued">.*?</span>', "", page))
    assert re.search(r'<span class="glued"><math>.{,200}</math>,</span> ', page)


def test_a_large_bracket_with_a_power_stands_in_a_row(page: str) -> None:
    assert "<msup><mrow><mo minsize" in page
    assert "<msup><mo minsize" not in page


def test_formulas_beside_each_other_can_stand_below_each_other() -> None:
    parts = side_by_side(r"z = W x, \qquad y = \max(z, 0) \quad (5)")
    assert [part.strip() for part in parts] == ["z = W x,", r"y = \max(z, 0)", "(5)"]
    for whole in (
        r"\begin{aligned} a &= b, \quad c \\ d &= e \end{aligned}",
        r"\left( a \quad b \right)",
        r"\text{a \quad b}",
    ):
        assert side_by_side(whole) == [whole]


def test_a_prime_is_not_raised_twice(page: str) -> None:
    assert "<mo>′</mo></mpadded>" in page
    assert not re.search(r"(?<!</mspace>)<mo>[′″‴]</mo>", page)


def test_quotes_are_curly_in_the_text_and_straight_in_code(page: str) -> None:
    code, text = (" ".join(re.findall(p, page, re.DOTALL)) for p in (r"<pre\b.*?</pre>", r"<p>.*?</p>"))
    assert "“" in text
    assert "’" in text
    assert not re.search("[“”‘’]", code)
    assert not re.search("['\"]", re.sub(r"<(code|math)\b.*?</\1>|<[^>]*>", "", text, flags=re.DOTALL))


def test_each_line_of_code_knows_how_far_in_it_begins(page: str) -> None:
    lines = re.findall(r'<span class="line in-(\d+)[^"]*">(.*?)\n</span>', page)
    assert len(lines) > 1000
    for indent, line in lines:
        text = re.sub("<[^>]*>", "", line)
        assert len(text) - len(text.lstrip(" ")) == int(indent)
    style = TEXT_STYLE.read_text(encoding="utf-8")
    assert {indent for indent, _ in lines if f".in-{indent} {{ --in: {indent}; }}" not in style} == {"0"}


def test_short_code_stands_on_one_page_with_its_output() -> None:
    lines = ["a = 1", "", *["b = 2"] * (TOGETHER - 4)]
    assert page_ends(lines, output=2) == []
    assert page_ends([*["a = 1"] * 4, "", *["b = 2"] * 4], output=3) == []


def test_a_page_ends_at_an_empty_line_of_code_that_is_not_short() -> None:
    lines = [*["a = 1"] * 6, "", "", *["b = 2"] * 6]
    assert page_ends(lines) == [7]  # so the next page begins with what follows both empty lines
    assert page_ends(["import a", "", *["b = 2"] * 9]) == []  # too little to stand alone


def test_a_page_may_end_within_a_long_paragraph_of_code_but_not_behind_what_opens_another() -> None:
    lines = ["a = 1"] * 14
    assert page_ends(lines) == list(range(EDGE - 1, len(lines) - EDGE))
    lines[5:9] = ["def f():", "    a = [", "        1", "    ]"]
    assert page_ends(lines) == [3, 4, 8, 9]


def test_what_stands_on_one_page_is_all_of_the_code(page: str) -> None:
    blocks = re.findall(r'<pre class="(?:code|quote)"><code>(.*?)</code></pre>', page, re.DOTALL)
    pieces = [block.split('<span class="piece">')[1:] for block in blocks]
    assert max(len(of) for of in pieces) > 2
    assert max(piece.count('<span class="line') for of in pieces for piece in of) <= TOGETHER + EDGE
    code = [re.sub("<[^>]*>", "", block) for block in blocks]
    written = [
        token.content
        for path in chapter_paths()
        for token in read_section(path).tokens
        if token.type == "fence" and token.info.startswith("python")
    ]
    assert [html.unescape(text) for text in code] == written


def print_in_lines(chapter: str) -> dict[str, float]:
    """Where the ids of a chapter are whose paragraphs are a tenth of a page high, and its figures four."""
    at: dict[str, float] = {}
    tenths = 0
    for line in chapter.splitlines():
        height = 4 if "<figure" in line else 1
        if tenths % 10 + height > 10:
            for name in re.findall('<div id="([^"]*)">', line.partition("<figure")[0]):
                at.setdefault(name, tenths / 10)
            tenths += 10 - tenths % 10
        for name in re.findall('id="([^"]*)"', line):
            at.setdefault(name, tenths / 10)
        tenths += height
    return at


FIGURE = '<figure id="fig-1.1">…</figure>\n'


@pytest.mark.parametrize(
    ("before", "behind", "moved"),
    [
        (7, ["Two.", "Three.", "Four.", "Five."], 2),  # the page has room for three; one line may stay empty
        (5, ["Two.", "Three.", "Four.", "Five.", "Six.", "Seven."], 0),  # it fits
        (9, ["Two.", "Three."], 0),  # hardly anything is empty
        (7, ["It holds that", "x = 1.", "which is it.", "Next."], 3),  # not within a sentence
        (7, ["Two:", "Three:"], 0),
    ],
)
def test_a_figure_that_leaves_a_page_empty_lets_text_go_first(before: int, behind: list[str], moved: int) -> None:
    begin = "<p>One.</p>\n" * before
    lines = [f"<p>{line}</p>\n" for line in behind]
    end = "<h2>End</h2>\n"
    expected = begin + "".join(lines[:moved]) + FIGURE + "".join(lines[moved:]) + end
    assert with_floats(begin + FIGURE + "".join(lines) + end, print_in_lines) == expected


def test_no_figure_goes_behind_another_one_or_a_heading() -> None:
    begin, other = "<p>One.</p>\n" * 7, FIGURE.replace("1.1", "1.2")
    for stop in (other, "<h2>End</h2>\n<p>Two.</p>\n", "<details>\n<p>Two.</p>\n</details>\n"):
        chapter = begin + FIGURE + stop
        assert with_floats(chapter, print_in_lines) == chapter


def test_what_a_derivative_is() -> None:
    assert Equation(r"\frac{\partial L}{\partial z} = p - q", "1.1").is_derivative
    assert Equation(r"\begin{aligned}\mathrm{d}W &= \mathrm{d}Y X^\top\end{aligned}", "1.2").is_derivative
    assert not Equation(r"y = \int x \mathrm{d}x", "1.3").is_derivative


def test_the_citation_is_of_this_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    errata = (NOTES / "errata.md").read_text("utf-8")
    assert f"Version {version}, 20" in errata
    assert f"{{Version {version}}}" in errata
    cff = (ROOT / "CITATION.cff").read_text("utf-8")
    assert re.findall(r"^ *version: (.*)$", cff, flags=re.MULTILINE) == [version, version]


@pytest.mark.skipif(find_browser() is None, reason="Chromium prints the PDF, and there is none here")
def test_the_pdf_has_an_outline_contents_with_pages_and_links(tmp_path: Path) -> None:
    """Of a book of two chapters and the appendices: the whole one takes most of a minute to print."""
    chapters = chapter_paths()[1:3]
    pages = write_pdf(tmp_path / "notes.pdf", [*chapters, *section_paths()[len(chapter_paths()) :]])
    reader = PdfReader(tmp_path / "notes.pdf")
    assert pages == len(reader.pages) > 2 * len(chapters)
    assert "Contents" in reader.pages[1].extract_text()[:20]  # the preface fits the first page
    titles = [read_section(path).title for path in chapters]
    outline = [str(entry["/Title"]) for entry in reader.outline if not isinstance(entry, list)]
    assert [title for title in outline if title in titles] == titles
    links = [a.get_object() for p in reader.pages for a in p.get("/Annots", [])]
    inside = {str(link["/Dest"]).lstrip("/") for link in links if "/Dest" in link}
    assert inside <= {name.lstrip("/") for name in reader.named_destinations}
    contents = " ".join(" ".join(page.extract_text() for page in reader.pages[1:8]).split())
    for path in chapters:
        title = read_section(path).title
        destination = reader.get_destination_page_number(reader.named_destinations[f"/{path.stem}"])
        assert destination is not None
        assert re.search(rf"{re.escape(title)}\s+{destination + 1}\b", contents), title
