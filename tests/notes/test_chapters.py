"""Each chapter is true: its code runs, its quotes and figures agree with the source, every equation is checked."""

import ast
import re
from pathlib import Path

import pytest

from digitscope import nn
from digitscope.notes.chapters import APPENDICES, chapter_paths
from digitscope.notes.section import NotesSection, anchors, equations, figure_numbers, links, read_section
from docs.notes import NOTES, ROOT
from docs.notes.checks import DERIVATIVE, Check, checks, unprinted
from docs.notes.figures import PICTURES, Drawing, drawings, svg, what_differs
from docs.notes.quotes import filled
from docs.notes.run import run_chapter

every_chapter = pytest.mark.parametrize("path", chapter_paths(), ids=lambda path: path.stem)
NN = ROOT / "src" / "digitscope" / "nn"
DERIVATION = re.compile(r"docs/notes/([\w-]+\.md)(?:#([\w-]+))?")


@every_chapter
def test_the_code_runs_and_prints_the_output_in_the_chapter(path: Path) -> None:
    done = run_chapter(path)
    assert done.returncode == 0, done.stdout + done.stderr


@every_chapter
def test_quotes_agree_with_the_source(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert filled(text) == text, "uv run python -m docs.notes quote"


@pytest.mark.parametrize("drawing", drawings(), ids=lambda drawing: drawing.name)
def test_a_figure_agrees_with_its_script(drawing: Drawing) -> None:
    path = PICTURES / f"{drawing.name}.svg"
    assert path.exists(), "uv run python -m docs.notes draw"
    difference = what_differs(path.read_text(encoding="utf-8"), svg(drawing), drawing.tolerance)
    assert difference is None, f"{difference}; uv run python -m docs.notes draw, and look at it"


def test_every_picture_has_a_script_and_a_reader() -> None:
    pictures = {path.stem for path in PICTURES.glob("*")}
    shown = {
        name for path in chapter_paths() for name in re.findall(r"\(pictures/([\w-]+)\.svg\)", path.read_text("utf-8"))
    }
    assert pictures == {drawing.name for drawing in drawings()} == shown
    assert sum(path.stat().st_size for path in PICTURES.glob("*")) < 3e6


@pytest.mark.parametrize("check", checks(), ids=lambda check: check.name)
def test_an_equation_holds(check: Check) -> None:
    check.run()


@every_chapter
def test_every_numbered_equation_has_its_checks(path: Path) -> None:
    numbered = {e.number: e for e in equations(read_section(path)) if e.number is not None}
    chapter = int(path.name[:2])
    assert list(numbered) == [f"{chapter}.{i}" for i in range(1, len(numbered) + 1)]
    entered = [c for c in checks() if any(number.split(".")[0] == str(chapter) for number in c.equations)]
    assert {number for c in entered for number in c.equations} <= numbered.keys()
    for number, equation in numbered.items():
        methods = {c.by for c in entered if number in c.equations}
        assert methods - {"printed"}, f"({number}) has no check"
        assert ("printed" in methods) != (number in unprinted()), f"({number}) is not computed as printed"
        assert methods >= DERIVATIVE or not equation.is_derivative, f"({number}) lacks {DERIVATIVE - methods}"


@every_chapter
def test_references_in_the_text_lead_somewhere(path: Path) -> None:
    known = {e.number for p in chapter_paths() for e in equations(read_section(p))}
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    assert set(re.findall(r"(?<![\w\]$])\((\d+\.\d+)\)", text)) <= known
    figures = {number for p in chapter_paths() for number in figure_numbers(read_section(p))}
    assert set(re.findall(r"[Ff]igure (\d+\.\d+)", text)) <= figures


@every_chapter
def test_a_chapter_has_what_every_chapter_has(path: Path) -> None:
    section = read_section(path)
    number = int(path.name[:2])
    assert section.title.startswith(f"{number}. ")
    figures = figure_numbers(section)
    assert figures == [f"{number}.{i}" for i in range(1, len(figures) + 1)]
    assert len(figures) >= 2
    titles = [title for _, title in section.headings]
    assert titles[-2:] == ["The code", "Exercises"]
    exercises = section.text.partition("\n## Exercises\n")[2]
    named = re.findall(r"^### (.*)", exercises, flags=re.MULTILINE)
    assert len(named) >= 4
    assert exercises.count("<details>") == exercises.count("</details>") == len(named)
    assert named[0] == "Warm up"
    assert named[-2:] == ["Break it", "Project"]
    assert len(re.findall(r"^### .*\n\n★{1,3} ", exercises, flags=re.MULTILINE)) == len(named)


@every_chapter
def test_code_fits_a_printed_line(path: Path) -> None:
    for block in re.findall(r"^```(?:python|text)\n(.*?)^```", path.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL):
        assert max(map(len, block.splitlines())) <= 88, block


@every_chapter
def test_mathematics_in_the_text_reads_well_on_github(path: Path) -> None:
    """Markdown removes a backslash before punctuation in the text, but not in ```math blocks."""
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    assert "$$" not in text, "displayed mathematics stands in ```math blocks"
    for formula in re.findall(r"\$([^$\n]+)\$", text):
        assert not re.search(r"\\[^a-zA-Z]", formula), formula
    assert not re.search(
        r"\$[^$\n]*\n[^$\n]*\\[a-z]+[^$\n]*\$", "\n".join(re.sub(r"\$[^$\n]+\$", "", text).split("\n\n"))
    )


def sections() -> list[NotesSection]:
    names = [NOTES / "README.md", *chapter_paths(), *(NOTES / f"{name}.md" for name in APPENDICES)]
    return [read_section(path) for path in names]


@pytest.mark.parametrize("section", sections(), ids=lambda section: section.name)
def test_links_lead_to_a_file_and_to_a_heading_in_it(section: NotesSection) -> None:
    for link in links(section):
        target, _, anchor = link.partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        path = NOTES / target if target else NOTES / f"{section.name}.md"
        assert path.exists(), target
        assert not anchor or anchor in anchors(read_section(path)), f"{target}#{anchor}"


def test_the_contents_name_every_chapter() -> None:
    readme = (NOTES / "README.md").read_text(encoding="utf-8")
    for path in chapter_paths():
        number, title = read_section(path).title.split(". ", 1)
        assert f"{number}. [{title}]({path.name})" in readme


def test_a_term_of_the_index_stands_in_italics_where_it_is_explained() -> None:
    entries = re.findall(r"^- (.*?): (.*)$", (NOTES / "terms.md").read_text("utf-8"), flags=re.MULTILINE)
    assert len(entries) > 100
    assert [term for term, _ in entries] == sorted((term for term, _ in entries), key=str.casefold)
    for term, places in entries:
        for target in re.findall(r"\(([^()]*)\)", places):
            name, _, anchor = target.partition("#")
            text = section_text(read_section(NOTES / name), anchor)
            shown = re.escape(term.partition(" (")[0]).replace("\\ ", r"\s+")
            assert re.search(rf"(?<!\*)\*{shown}\*(?!\*)", text, flags=re.IGNORECASE), f"{term}: {target}"


def section_text(section: NotesSection, anchor: str) -> str:
    """The Markdown from a heading to the next one; from the title without an anchor."""
    opened = [(i, token) for i, token in enumerate(section.tokens) if token.type == "heading_open"]
    lines = section.text.splitlines()
    for (_, token), (_, following) in zip(opened, [*opened[1:], (0, None)], strict=True):
        if token.attrGet("id") == anchor or not anchor:
            assert token.map
            end = following.map[0] if following is not None and following.map else len(lines)
            return "\n".join(lines[token.map[0] : end])
    raise LookupError(f"{section.name} has no heading {anchor}.")


def docstring_links() -> dict[tuple[str, str], set[str]]:
    """(module, chapter) -> the anchors that docstrings of digitscope.nn name as their derivation."""
    found: dict[tuple[str, str], set[str]] = {}
    for path in NN.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                for chapter, anchor in DERIVATION.findall(ast.get_docstring(node) or ""):
                    found.setdefault((path.name, chapter), set()).add(anchor)
    return found


def test_links_of_the_source_lead_to_a_heading() -> None:
    for path in (ROOT / "src").rglob("*.py"):
        for chapter, anchor in re.findall(r"docs/notes/(\d[\w-]+\.md)(?:#([\w-]+))?", path.read_text("utf-8")):
            assert (NOTES / chapter).exists(), f"{path}: {chapter}"
            assert not anchor or anchor in anchors(read_section(NOTES / chapter)), f"{path}: {chapter}#{anchor}"


def test_docstrings_link_to_their_chapter_and_the_chapter_links_back() -> None:
    links = docstring_links()
    for (module, chapter), named in links.items():
        assert (NOTES / chapter).exists(), f"{module}: {chapter}"
        assert named - {""} <= anchors(read_section(NOTES / chapter)), f"{module}: {named}"
    there = set(links)
    back = set()
    for path in chapter_paths():
        code = path.read_text(encoding="utf-8").partition("\n## The code\n")[2].partition("\n## ")[0]
        back |= {(module, path.name) for module in re.findall(r"\(\.\./\.\./src/digitscope/nn/(\w+\.py)", code)}
    assert there == back


WITHOUT_A_DERIVATION = {"Array", "Backward", "Params", "Layer", "Loss", "Optimizer", "Schedule", "Initializer"}


@pytest.mark.skipif(len(chapter_paths()) < 12, reason="some chapters are yet to be written")
def test_everything_public_in_nn_has_its_derivation() -> None:
    for name in nn.__all__:
        thing = getattr(nn, name)
        if name not in WITHOUT_A_DERIVATION and isinstance(thing, type):
            assert DERIVATION.search(thing.__doc__ or ""), name
