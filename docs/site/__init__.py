"""All documents as one site of plain HTML files, which needs no network: python -m docs.site --out runs/site

The notes' renderer makes the pages; the help of the commands and the docstrings of the Python names are read from the
program.
"""

import base64
import re
import shutil
import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import escape, unescape
from importlib.resources import files
from pathlib import Path
from typing import Any

from markdown_it.token import Token
from matplotlib.figure import Figure

from digitscope.files.atomic import write_atomic
from digitscope.notes.chapters import section_paths
from digitscope.notes.renderer import NotesRenderer
from digitscope.notes.section import NotesSection, markdown_parser, read_section, to_equation
from digitscope.report import to_svg
from docs.notebooks import FOLDER as NOTEBOOKS
from docs.notebooks import CellRun, cells, notebook_paths, run_notebook
from docs.notes import NOTES, ROOT
from docs.notes.book import font_face

DOCS = ROOT / "docs"
TEACHING = DOCS / "teaching"
STYLES = (files("digitscope") / "lab" / "static" / "notes" / "text.css", NOTES / "book.css", DOCS / "site" / "site.css")
PLACES: dict[str, dict[Path, str]] = {
    "Begin": {ROOT / "README.md": "index", DOCS / "kaggle.md": "kaggle"},
    "Teach": {DOCS / "teaching.md": "teaching", **{TEACHING / f"{x}.md": x for x in ("lessons", "worksheet", "quiz")}},
    "Notebooks": {NOTEBOOKS / "README.md": "notebooks", **{path: path.stem for path in notebook_paths()}},
    "Use": {DOCS / f"{name}.md": name for name in ("python", "interfaces", "scale", "results", "security")},
    "The mathematics": {NOTES / "README.md": "notes", **{path: path.stem for path in section_paths()}},
    "Behind it": {
        **{DOCS / f"{name}.md": name for name in ("design", "log")},
        ROOT / "benchmarks" / "README.md": "benchmarks",
        ROOT / "CONTRIBUTING.md": "contributing",
        ROOT / "CHANGELOG.md": "changes",
        ROOT / ".github" / "SECURITY.md": "reporting",
        ROOT / "src" / "digitscope" / "models" / "README.md": "models",
        ROOT / "src" / "digitscope" / "datasets" / "mnist" / "README.md": "mnist",
    },
}
"""The pages' sources, and their names on the site, in the order of the contents."""


_ONE_STEP = '<img src="pictures/lab-step.png" alt="All numbers of a step of a small network, as coloured grids">'


@dataclass
class Site:
    """Files by their names on the site."""

    pages: dict[str, str] = field(default_factory=dict)
    """HTML by name, without .html."""
    pictures: dict[str, Path] = field(default_factory=dict)
    """Copied files by name."""


class _SiteRenderer(NotesRenderer):
    """Renders a document as a page among others in one folder."""

    def __init__(self, sections: Collection[NotesSection], places: Mapping[Path, str], site: Site) -> None:
        super().__init__(sections)
        self._places, self._site = places, site
        self._folder = ROOT

    def begin(self, source: Path) -> None:
        """What follows is of this document."""
        self._folder = source.parent

    def page(self, source: Path, section: NotesSection) -> str:
        """The content of the page of a document."""
        self.begin(source)
        return self.with_pictures(self.render_section(section))

    def with_pictures(self, html: str) -> str:
        """The page with pictures from the site's folder."""
        return re.sub(r'(<img\b[^>]*?\bsrc=")([^":]+)(")', self._picture, html)

    def _picture(self, found: re.Match[str]) -> str:
        path = (self._folder / found[2]).resolve()
        self._site.pictures[f"pictures/{path.name}"] = path
        return f"{found[1]}pictures/{path.name}{found[3]}"

    def address(self, section: str, anchor: str = "") -> str:
        place = f"#{anchor}" if anchor else ""
        return place if place and section == self._section else f"{section}.html{place}"

    def link_open(self, tokens: Sequence[Token], i: int, options: Any, env: Any) -> str:
        path, _, anchor = str(tokens[i].attrGet("href")).partition("#")
        name = self._places.get((self._folder / path).resolve()) if path and ":" not in path else None
        if name is None:
            return super().link_open(tokens, i, options, env)
        return f'<a href="{self.address(name, anchor)}">'

    def _refer(self, found: re.Match[str]) -> str:
        # Elsewhere "chapter 1" may be of another book, and "(1.9)" a version.
        inside = self._folder in (NOTES, TEACHING) or (self._folder == NOTEBOOKS and not found[1])
        return super()._refer(found) if inside else found[0]

    def code_inline(self, tokens: Sequence[Token], i: int, options: Any, env: Any) -> str:
        # A long call in a table may end its line behind punctuation.
        code = re.sub(r"([(,=.[])", r"\1<wbr>", escape(tokens[i].content, quote=False))
        return f"<code>{code}</code>"

    def mathml(self, latex: str, *, display: bool) -> str:
        # An empty box of a worksheet is large enough to write in.
        blank = '<mspace class="blank" width="3.2em" height="1.1em" depth="0.5em"></mspace>'
        return super().mathml(latex, display=display).replace("<mi>□</mi>", blank)

    def math_block(self, tokens: Sequence[Token], i: int, options: Any, env: Any) -> str:
        return self._display(to_equation(tokens[i].content))


def build_site(*, run: bool = True) -> Site:
    """The whole site. run: False leaves the outputs of the notebooks out, which take a minute."""
    from docs.site.reference import commands_page, names_page

    site = Site()
    sources = {source.resolve(): name for group in PLACES.values() for source, name in group.items()}
    sections = {
        source: replace(_notebook_section(source) if source.suffix == ".py" else read_section(source), name=name)
        for source, name in sources.items()
    }
    titles = {section.name: section.title for section in sections.values()}
    renderer = _SiteRenderer(list(sections.values()), sources, site)
    bodies = {
        section.name: _notebook(renderer, source, run=run) if source.suffix == ".py" else renderer.page(source, section)
        for source, section in sections.items()
    }
    for name, title, body in (
        ("commands", "The commands", commands_page()),
        ("names", "The Python names", names_page()),
    ):
        titles[name], bodies[name] = title, body
    shown = {name: renderer.render_inline(title) for name, title in titles.items()}
    for name, body in bodies.items():
        site.pages[name] = _page(name, titles[name], body, shown)
    return site


def _notebook_section(source: Path) -> NotesSection:
    """A notebook's title."""
    title = next(cell.source for cell in cells(source) if cell.cell_type == "markdown")
    return NotesSection(source.stem, title, title=title.splitlines()[0].removeprefix("# "))


def _notebook(renderer: _SiteRenderer, source: Path, *, run: bool) -> str:
    """The cells of a notebook with their outputs."""
    renderer.begin(source)
    with tempfile.TemporaryDirectory() as folder:
        done = list(run_notebook(source, Path(folder))) if run else [CellRun(cell) for cell in cells(source)]
    parts = []
    for number, part in enumerate(done):
        if part.cell.cell_type == "markdown":
            parts.append(renderer.render_tokens(markdown_parser().parse(part.cell.source)))
            continue
        parts.append(f'<pre class="code"><code>{renderer.highlighted(part.cell.source, "python")}</code></pre>')
        if part.printed:
            parts.append(f'<pre class="output"><code>{escape(part.printed.rstrip())}</code></pre>')
        if part.value is not None:
            parts.append(_shown(part.value, f"cell{number}"))
    return "\n".join(parts)


def _shown(value: Any, ids: str) -> str:
    """The value of a cell."""
    if isinstance(value, Figure):
        return f"<figure>{to_svg(value, ids=ids)}</figure>"
    if hasattr(value, "_repr_png_"):
        value.thumbnail((640, 640))
        picture = base64.b64encode(value._repr_png_()).decode()
        return f'<figure><img src="data:image/png;base64,{picture}" alt="The picture"></figure>'
    if type(value).__name__ == "OneStep":
        return f"<figure>{_ONE_STEP}<figcaption>In Jupyter, here is the widget.</figcaption></figure>"
    return f'<pre class="output"><code>{escape(repr(value))}</code></pre>'


def _page(name: str, title: str, body: str, titles: Mapping[str, str]) -> str:
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(re.sub(r"[`*]", "", title))} · Digitscope</title>
<link rel="stylesheet" href="style.css">
</head>
<body class="notes site">
<main>
<p class="to-contents"><a href="#contents">Contents</a></p>
{body}
</main>
{_contents(name, titles)}</body>
</html>
"""


def _contents(current: str, titles: Mapping[str, str]) -> str:
    groups = {group: list(pages.values()) for group, pages in PLACES.items()}
    groups["Use"][2:2] = ["commands", "names"]
    lists = "".join(
        f"<li>{escape(group)}\n<ol>\n"
        + "".join(
            f'<li><a href="{name}.html"{" aria-current=page" if name == current else ""}>{titles[name]}</a></li>\n'
            for name in names
        )
        + "</ol></li>\n"
        for group, names in groups.items()
    )
    return f'<nav id="contents" aria-label="Contents">\n<ol>\n{lists}</ol>\n</nav>\n'


def broken_links(site: Site) -> list[str]:
    """What is wrong with the site's links: "page.html: target", for pages, places in pages, and pictures that are not
    there.
    """
    ids = {name: set(re.findall(r'\bid="([^"]*)"', page)) for name, page in site.pages.items()}
    wrong = []
    for name, page in site.pages.items():
        for target in map(unescape, re.findall(r'\b(?:href|src)="([^"]*)"', page)):
            if re.match(r"[a-z]+:", target) or target == "style.css" or target in site.pictures:
                continue
            other, _, anchor = target.partition("#")
            other = other.removesuffix(".html") if other else name
            if other not in ids or (anchor and unescape(anchor) not in ids[other]):
                wrong.append(f"{name}.html: {target}")
    return wrong + [f"{name}: {path} is missing" for name, path in site.pictures.items() if not path.is_file()]


def write_site(site: Site, out: Path) -> None:
    """Writes all files into a folder."""
    (out / "pictures").mkdir(parents=True, exist_ok=True)
    for name, page in site.pages.items():
        write_atomic(out / f"{name}.html", page.encode())
    styles = [font_face(), *(style.read_text(encoding="utf-8") for style in STYLES)]
    write_atomic(out / "style.css", "\n".join(styles).encode())
    for name, path in site.pictures.items():
        shutil.copyfile(path, out / name)
