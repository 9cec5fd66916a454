"""Makes one HTML page of all chapters: mathematics as MathML, figures inside, nothing to fetch.

The chapters are Markdown as GitHub reads it. A block ```math is a displayed equation, numbered where it ends in
\\tag{4.3}; "(4.3)" in the text then links to it, and "figure 4.2" and "chapter 4" to those. A picture alone in a
paragraph, with a paragraph in italics behind it, is a figure with its caption.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from math_core import LatexToMathML
from mdit_py_plugins.anchors import anchors_plugin
from mdit_py_plugins.dollarmath import dollarmath_plugin
from pygments import highlight
from pygments.formatters.html import HtmlFormatter
from pygments.lexers import get_lexer_by_name

from digitscope.files.atomic import write_atomic
from docs.notes import NOTES, chapters

APPENDICES = ("symbols", "bibliography")
"""What stands behind the chapters, docs/notes/NAME.md."""

TOGETHER = 12
"""Up to so many lines, code and its output stand on one printed page. If all did, pages before them were half empty."""

EDGE = 4
"""Of longer code, so many lines at least stand on each side of a page's end."""

TAG = re.compile(r"\\tag\{([^}]*)\}")
_REFERENCE = re.compile(r"\((\d+\.\d+)\)|([Ff]igures?|[Cc]hapters?) (\d+(?:\.\d+)?)(?![\d.]*\d)")


@dataclass
class Section:
    """A chapter or an appendix."""

    name: str
    """Its file without .md; also its anchor in the book."""
    text: str
    title: str = ""
    tokens: list[Token] = field(default_factory=list)
    headings: list[tuple[str, str]] = field(default_factory=list)
    """(anchor, HTML) of each second-level heading."""


@dataclass(frozen=True)
class Equation:
    """A displayed formula."""

    latex: str
    """Without its tag."""
    number: str | None

    @property
    def is_derivative(self) -> bool:
        """Whether its left side has a ∂ or an upright d."""
        left = re.sub(r"\\begin\{\w+\}", "", self.latex).partition("=")[0]
        return "\\partial" in left or "\\mathrm{d}" in left


@cache
def equations(text: str) -> tuple[Equation, ...]:
    """The displayed equations of a chapter, in order."""
    return tuple(
        _equation(token.content) for token in _parser().parse(text) if token.type == "fence" and token.info == "math"
    )


def _equation(content: str) -> Equation:
    tag = TAG.search(content)
    return Equation(TAG.sub("", content).strip(), tag[1] if tag else None)


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"typographer": True}).enable(["table", "smartquotes"])
    parser.use(dollarmath_plugin, allow_labels=False, allow_space=False)
    return parser.use(anchors_plugin, max_level=4)


_OPTIONS = _parser().options


def read_section(path: Path) -> Section:
    """A chapter with what the table of contents and links need of it."""
    return _section(path.stem, path.read_text(encoding="utf-8"))


@cache
def _section(name: str, text: str) -> Section:
    section = Section(name, text)
    section.tokens = _parser().parse(section.text)
    for token, inside in zip(section.tokens, section.tokens[1:], strict=False):
        if token.type != "heading_open":
            continue
        if token.tag == "h1":
            section.title = inside.content
            token.attrSet("id", section.name)
        else:
            anchor = f"{section.name}--{token.attrGet('id')}"
            token.attrSet("id", anchor)
            if token.tag == "h2":
                section.headings.append((anchor, inside.content))
    return section


def anchors(section: Section) -> set[str]:
    """What links may name behind the # in this file, as GitHub makes it of the headings."""
    prefix = f"{section.name}--"
    ids = (str(token.attrGet("id")) for token in section.tokens if token.type == "heading_open")
    return {anchor.removeprefix(prefix) for anchor in ids}


def links(section: Section) -> list[str]:
    """Where the links and pictures of a section lead."""
    inline = (child for token in section.tokens for child in token.children or [])
    targets = (child.attrGet("href") or child.attrGet("src") for child in inline)
    return [str(target) for target in targets if target]


class _Renderer(RendererHTML):
    """The tokens of one section as HTML."""

    def __init__(self, names: set[str], numbers: set[str], figures: set[str], checked: Mapping[str, str]) -> None:
        super().__init__()
        self._names, self._numbers, self._figures, self._checked = names, numbers, figures, checked
        self._math = LatexToMathML(fancy_error=False)
        self._section = ""
        self._outside = 0  # how many open links lead out of the book

    def render_section(self, section: Section) -> str:
        self._section = section.name
        return self.render(_with_figures(section.tokens), _OPTIONS, {})

    def math_inline(self, tokens: Sequence[Token], i: int, options: Any, env: Any) -> str:
        formula = self._mathml(tokens[i].content, display=False)
        behind = _sticks(tokens, i + 1)
        # A line may end behind <math>, and would begin with the comma.
        return f'<span class="glued">{formula}{escape(behind)}</span>' if behind else formula

    def _mathml(self, latex: str, *, display: bool) -> str:
        formula = self._math.convert_with_local_state(latex, displaystyle=display)
        # Chromium makes a bracket large, as \big) asks, in a row only, and not where it has an index or a power.
        formula = re.sub(r"(<m(?:sub|sup|subsup)>)(<mo minsize[^>]*>[^<]*</mo>)", r"\1<mrow>\2</mrow>", formula)
        # The sign is high by itself, and higher still as a power: it would float above its letter, or on it.
        prime = r'<mpadded voffset="-0.3em" height="0.5em"><mspace width="0.12em"></mspace>\1</mpadded>'
        return re.sub("(<mo>[′″‴]</mo>)", prime, formula)

    def fence(self, tokens: Sequence[Token], i: int, options: Any, env: Any) -> str:
        token = tokens[i]
        if token.info == "math":
            return self._display(_equation(token.content))
        language, _, name = token.info.partition(" ")
        lexer = get_lexer_by_name(language or "text")
        body = highlight(token.content, lexer, HtmlFormatter(nowrap=True))
        if language == "text":
            return f'<pre class="output"><code>{body}</code></pre>\n'
        lines = token.content.splitlines()
        behind = tokens[i + 1] if i + 1 < len(tokens) else token
        ends = page_ends(lines, behind.content.count("\n") if behind.info == "text" else 0)
        # What is left over of a long line stands below, further in.
        pieces = [""]
        for k, (html, line) in enumerate(zip(body.splitlines(), lines, strict=True)):
            pieces[-1] += f'<span class="line{"" if line else " empty"}" style="--in:{_indent(line)}">{html}\n</span>'
            if k in ends:
                pieces.append("")
        code = "".join(f'<span class="piece">{piece}</span>' for piece in pieces)
        return f'<pre class="{"quote" if name else "code"}"><code>{code}</code></pre>\n'

    def _display(self, equation: Equation) -> str:
        formula = self._mathml(equation.latex, display=True)
        if equation.number is None:
            return f'<div class="equation"><div>{formula}</div></div>\n'
        how = self._checked.get(equation.number)
        title = f' title="Checked by {how}"' if how else ""
        anchor = f"eq-{equation.number}"
        number = f'<a class="number" href="#{anchor}"{title}>({equation.number})</a>'
        return f'<div class="equation" id="{anchor}"><div>{formula}</div>{number}</div>\n'

    def text(self, tokens: Sequence[Token], i: int, options: Any, env: Any) -> str:
        text = _REFERENCE.sub(self._refer, escape(tokens[i].content[len(_sticks(tokens, i)) :], quote=False))
        return re.sub(r"(?<=\d) (?=%)", "\u00a0", text)

    def _refer(self, found: re.Match[str]) -> str:
        equation, word, number = found.groups()
        if equation in self._numbers:
            return f'<a class="ref" href="#eq-{equation}">({equation})</a>'
        if number in self._figures:
            return f'{word} <a class="ref" href="#fig-{number}">{number}</a>'
        chapter = next((name for name in self._names if number and name.startswith(f"{int(float(number)):02d}-")), None)
        if chapter and word.lower().startswith("chapter") and "." not in number:
            return f'<a class="ref" href="#{chapter}">{word} {number}</a>'
        return found[0]

    def link_open(self, tokens: Sequence[Token], i: int, options: Any, env: Any) -> str:
        target = str(tokens[i].attrGet("href"))
        if re.match(r"[a-z]+:", target):
            return f'<a href="{escape(target)}">'
        path, _, anchor = target.partition("#")
        name = Path(path).stem if path else self._section
        if name not in self._names or (path and Path(path).parent != Path()):
            self._outside += 1
            return f'<span class="file" title="{escape(target)}">'
        return f'<a href="#{name}--{anchor}">' if anchor else f'<a href="#{name}">'

    def link_close(self, tokens: Sequence[Token], i: int, options: Any, env: Any) -> str:
        if self._outside:
            self._outside -= 1
            return "</span>"
        return "</a>"

    def table_open(self, tokens: Sequence[Token], i: int, options: Any, env: Any) -> str:
        return '<div class="wide"><table>\n'

    def table_close(self, tokens: Sequence[Token], i: int, options: Any, env: Any) -> str:
        return "</table></div>\n"

    def figure(self, tokens: Sequence[Token], i: int, options: Any, env: Any) -> str:
        picture, caption = tokens[i].meta["picture"], tokens[i].meta["caption"]
        path = NOTES / str(picture.attrGet("src"))
        number = _figure_number(caption.content)
        anchor = f' id="fig-{number}"' if number else ""
        words = self.renderInline(caption.children[1:-1], options, env)
        words = re.sub(r"^Figure (?:<a [^>]*>)?([\d.]+\d)(?:</a>)?\.", r"<b>Figure \1.</b>", words)
        return f"<figure{anchor}>\n{inline_svg(path)}\n<figcaption>{words}</figcaption>\n</figure>\n"


def page_ends(lines: Sequence[str], output: int = 0) -> list[int]:
    """The lines of code, from 0, behind which a printed page may end. Its output, so many lines, stands with its end.

    Code that is not short may be cut at its empty lines, and paragraphs of it that are not short between any two lines
    of which the first does not open what the second continues.
    """
    ends: list[int] = []
    if len(lines) + output <= TOGETHER:
        return ends
    begin = 0
    for end in range(len(lines) + 1):
        if end < len(lines) and lines[end]:
            continue
        if end - begin + (output if end == len(lines) else 0) > TOGETHER - 2:
            for k in range(begin + EDGE - 1, end - EDGE):
                opens = lines[k].endswith((":", "(", "[", "{"))
                if not opens and not re.match(r"\s*([)\]}]|(elif|else|except|finally)\b)", lines[k + 1]):
                    ends.append(k)
        if any(lines[end + 1 : end + 2]):
            ends.append(end)
        begin = end + 1
    return [k for k in ends if EDGE <= k + 1 <= len(lines) - EDGE]


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _sticks(tokens: Sequence[Token], i: int) -> str:
    """The punctuation with which a text begins right behind a formula."""
    if not 0 < i < len(tokens) or tokens[i].type != "text" or tokens[i - 1].type != "math_inline":
        return ""
    found = re.match(r"[^\w\s(\[]+", tokens[i].content)
    return found[0] if found else ""


def _figure_number(caption: str) -> str | None:
    found = re.match(r"\*Figure (\d+\.\d+)\.", caption)
    return found[1] if found else None


def _with_figures(tokens: Sequence[Token]) -> list[Token]:
    """A paragraph that is a picture and the paragraph in italics behind it become one token."""
    result: list[Token] = []
    i = 0
    while i < len(tokens):
        if picture := _picture(tokens, i):
            result.append(Token("figure", "figure", 0, meta={"picture": picture, "caption": tokens[i + 4]}))
            i += 6
        else:
            result.append(tokens[i])
            i += 1
    return result


def _picture(tokens: Sequence[Token], i: int) -> Token | None:
    if i + 6 > len(tokens) or tokens[i].type != "paragraph_open" or tokens[i + 3].type != "paragraph_open":
        return None
    first, second = tokens[i + 1].children or [], tokens[i + 4].children or []
    is_caption = bool(second) and second[0].type == "em_open" and second[-1].type == "em_close"
    return first[0] if is_caption and len(first) == 1 and first[0].type == "image" else None


def figure_numbers(section: Section) -> list[str]:
    """The figures of a chapter in order."""
    figures = (token for token in _with_figures(section.tokens) if token.type == "figure")
    return [number for token in figures if (number := _figure_number(token.meta["caption"].content))]


def inline_svg(path: Path) -> str:
    """A figure's file as an element of the page: the page's text colour, ids of its own."""
    _, _, svg = path.read_text(encoding="utf-8").partition("?>\n")
    svg = re.sub(r"<style>.*?</style>", "", svg, count=1)
    return re.sub(r'(id="|url\(#|href="#)figure-', rf"\g<1>{path.stem}-", svg).strip()


def book() -> str:
    """The whole page."""
    from docs.notes.checks import checks  # only now: these read the equations, with this module

    sections = [read_section(path) for path in chapters()]
    sections += [read_section(path) for name in APPENDICES if (path := NOTES / f"{name}.md").exists()]
    numbers = {e.number for section in sections for e in equations(section.text) if e.number}
    figures = {number for section in sections for number in figure_numbers(section)}
    how: dict[str, list[str]] = {}
    for check in checks():
        for number in check.equations:
            how.setdefault(number, []).append(check.by)
    checked = {number: ", ".join(dict.fromkeys(methods)) for number, methods in how.items()}
    renderer = _Renderer({section.name for section in sections}, numbers, figures, checked)
    front = read_section(NOTES / "README.md")
    start = next(i for i, token in enumerate(front.tokens) if token.type == "heading_close") + 1
    end = next(i for i, token in enumerate(front.tokens) if token.type == "heading_open" and token.tag == "h2")
    preface = renderer.render(front.tokens[start:end], _OPTIONS, {})
    contents = "".join(_contents_entry(renderer, section) for section in sections)
    body = "".join(
        f'<section class="chapter">\n{renderer.render_section(section)}{_neighbours(sections, i)}</section>\n'
        for i, section in enumerate(sections)
    )
    style = (NOTES / "book.css").read_text(encoding="utf-8")
    colours = (
        f"{_pygments('friendly')}\n@media screen and (prefers-color-scheme: dark) {{\n{_pygments('github-dark')}\n}}"
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(front.title)}</title>
<style>
{style}
{colours}
</style>
</head>
<body>
<header id="top">
<p class="book-title">{escape(front.title)}</p>
{preface}</header>
<nav id="contents" aria-label="Contents">
<p class="nav-title"><a href="#top">{escape(front.title)}</a></p>
<ol>
{contents}</ol>
</nav>
<main>
{body}</main>
</body>
</html>
"""


def _contents_entry(renderer: _Renderer, section: Section) -> str:
    def line(anchor: str, title: str) -> str:
        inside = renderer.render(_parser().parseInline(title), _OPTIONS, {})
        return f'<a href="#{anchor}"><span>{inside}</span><span class="page" data-for="{anchor}"></span></a>'

    inner = "".join(f"<li>{line(anchor, title)}</li>\n" for anchor, title in section.headings)
    return f"<li>{line(section.name, section.title)}\n<ol>\n{inner}</ol></li>\n"


def _neighbours(sections: Sequence[Section], i: int) -> str:
    before = f'<a href="#{sections[i - 1].name}">← {escape(sections[i - 1].title)}</a>' if i else "<span></span>"
    after = f'<a href="#{sections[i + 1].name}">{escape(sections[i + 1].title)} →</a>' if i + 1 < len(sections) else ""
    return f'<nav class="neighbours" aria-label="Neighbouring chapters">{before}{after}</nav>\n'


def _pygments(style: str) -> str:
    css = str(HtmlFormatter(style=style).get_style_defs("pre"))  # type: ignore[no-untyped-call]
    # Only the colours of words: backgrounds and line heights are the page's.
    return "\n".join(line for line in css.splitlines() if re.match(r"pre \.\w+ \{", line))


def write_book(path: Path) -> None:
    """Writes the page."""
    write_atomic(path, book().encode())
