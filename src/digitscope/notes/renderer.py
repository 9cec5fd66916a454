"""The notes as HTML: mathematics as MathML, figures as inline SVG, no style attributes, no scripts.

In the text "(4.3)" links to its equation, and "figure 4.2" and "chapter 4" to these. A page may forbid inline styles by
its Content-Security-Policy; lab/static/notes/text.css has what mathematics and code need.
"""

import re
from collections.abc import Collection, Sequence
from html import escape
from pathlib import Path
from typing import Any

from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from math_core import LatexToMathML
from pygments import highlight
from pygments.formatters.html import HtmlFormatter
from pygments.lexers import get_lexer_by_name

from digitscope.notes.chapters import notes_folder
from digitscope.notes.exercises import answer_form, asked_at
from digitscope.notes.section import (
    Equation,
    NotesSection,
    equations,
    figure_number,
    figure_numbers,
    markdown_parser,
    to_equation,
    with_figures,
)

_REFERENCE = re.compile(r"\((\d+\.\d+)\)|([Ff]igures?|[Cc]hapters?) (\d+(?:\.\d+)?)(?![\d.]*\d)")
_OPTIONS = markdown_parser().options


class NotesRenderer(RendererHTML):
    """Renders sections, each as a page of its own: other sections are linked as /notes/NAME#ANCHOR."""

    live = False
    """Whether the page has the scripts for what can be touched and for answers that are checked."""

    def __init__(self, sections: Collection[NotesSection]) -> None:
        super().__init__()
        self._names = {section.name for section in sections}
        self._numbers = {e.number for section in sections for e in equations(section) if e.number}
        self._figures = {number for section in sections for number in figure_numbers(section)}
        self._math = LatexToMathML(fancy_error=False)
        self._section = ""
        self._outside = 0  # the number of open links to files that are not in the notes

    def address(self, section: str, anchor: str = "") -> str:
        """What a link to a section, or to a heading, equation or figure in it, has as its href."""
        place = f"#{anchor}" if anchor else ""
        return place if place and section == self._section else f"/notes/{section}{place}"

    def heading_id(self, level: str, anchor: str) -> str:
        """The id of a heading ("h1", ...) of the present section, given its anchor on GitHub."""
        return anchor

    def render_section(self, section: NotesSection) -> str:
        """The whole section."""
        self._section = section.name
        return self.render_tokens(with_figures(section.tokens))

    def render_tokens(self, tokens: Sequence[Token]) -> str:
        """The HTML of tokens of a section."""
        return str(self.render(tokens, _OPTIONS, {}))

    def render_inline(self, text: str) -> str:
        """The HTML of one line of Markdown, such as a title."""
        return self.render_tokens(markdown_parser().parseInline(text))

    def math_inline(self, tokens: Sequence[Token], i: int, options: Any, env: Any) -> str:
        formula = self.mathml(tokens[i].content, display=False)
        behind = _sticks(tokens, i + 1)
        # A line may end behind <math>, and would begin with the comma.
        return f'<span class="glued">{formula}{escape(behind)}</span>' if behind else formula

    def mathml(self, latex: str, *, display: bool) -> str:
        """The formula as MathML."""
        formula = str(self._math.convert_with_local_state(latex, displaystyle=display))
        # Columns of equations are aligned by classes, because a page may forbid style attributes.
        formula = re.sub(r' style="text-align: (left|right);[^"]*"', r' class="\1"', formula)
        # Chromium makes a bracket large, as \big) asks, in a row only, and not where it has an index or a power.
        formula = re.sub(r"(<m(?:sub|sup|subsup)>)(<mo minsize[^>]*>[^<]*</mo>)", r"\1<mrow>\2</mrow>", formula)
        # The sign is high by itself, and higher still as a power: it would float above its letter, or on it.
        prime = r'<mpadded voffset="-0.3em" height="0.5em"><mspace width="0.12em"></mspace>\1</mpadded>'
        return re.sub("(<mo>[′″‴]</mo>)", prime, formula)

    def fence(self, tokens: Sequence[Token], i: int, options: Any, env: Any) -> str:
        token = tokens[i]
        if token.info == "math":
            return self._display(to_equation(token.content))
        language, _, name = token.info.partition(" ")
        body = self.highlighted(token.content, language or "text")
        if language == "text":
            return f'<pre class="output"><code>{body}</code></pre>\n'
        behind = tokens[i + 1] if i + 1 < len(tokens) else token
        code = self.code(token.content.splitlines(), body, behind.content.count("\n") if behind.info == "text" else 0)
        return f'<pre class="{"quote" if name else "code"}"><code>{code}</code></pre>\n'

    def html_block(self, tokens: Sequence[Token], i: int, options: Any, env: Any) -> str:
        if self.live and (explored := re.match(r"<!-- explore: (\w+) -->", tokens[i].content)):
            return f'<div class="explorable" id="explore-{explored[1]}"></div>\n'
        if self.live and (asked := asked_at(tokens, i)):
            return answer_form(asked)
        return str(super().html_block(tokens, i, options, env))

    def highlighted(self, code: str, language: str) -> str:
        """Code as HTML, its words with Pygments' classes."""
        return highlight(code, get_lexer_by_name(language), HtmlFormatter(nowrap=True))

    def code(self, lines: Sequence[str], html: str, output: int) -> str:
        """The content of a block of code, given its lines, their HTML and the number of lines that it prints."""
        return "".join(code_line(words, line) for words, line in zip(html.splitlines(), lines, strict=True))

    def _display(self, equation: Equation) -> str:
        formula = "".join(self.mathml(part, display=True) for part in side_by_side(equation.latex))
        if equation.number is None:
            return f'<div class="equation"><div>{formula}</div></div>\n'
        anchor = f"eq-{equation.number}"
        return (
            f'<div class="equation" id="{anchor}"><div>{formula}</div>'
            f'<a class="number" href="#{anchor}"{self.number_attributes(equation.number)}>({equation.number})</a>'
            f"{self.after_equation(equation.number)}</div>\n"
        )

    def number_attributes(self, number: str) -> str:
        """More attributes of an equation's number, each with a space before it."""
        return ""

    def after_equation(self, number: str) -> str:
        """What follows an equation and its number."""
        return ""

    def text(self, tokens: Sequence[Token], i: int, options: Any, env: Any) -> str:
        text = _REFERENCE.sub(self._refer, escape(tokens[i].content[len(_sticks(tokens, i)) :], quote=False))
        return re.sub(r"(?<=\d) (?=%)", "\u00a0", text)

    def _refer(self, found: re.Match[str]) -> str:
        equation, word, number = found.groups()
        if equation in self._numbers:
            return self._reference(equation, f"eq-{equation}", f"({equation})")
        if number in self._figures:
            return f"{word} {self._reference(number, f'fig-{number}', number)}"
        if word and word.lower().startswith("chapter") and "." not in number and self._chapter(number):
            return self._reference(number, "", f"{word} {number}")
        return found[0]

    def _reference(self, number: str, anchor: str, text: str) -> str:
        return f'<a class="ref" href="{self.address(self._chapter(number) or "", anchor)}">{text}</a>'

    def _chapter(self, number: str) -> str | None:
        """The name of the chapter of an equation or figure, or with this number."""
        beginning = f"{int(number.partition('.')[0]):02d}-"
        return next((name for name in self._names if name.startswith(beginning)), None)

    def heading_open(self, tokens: Sequence[Token], i: int, options: Any, env: Any) -> str:
        tag = tokens[i].tag
        return f'<{tag} id="{escape(self.heading_id(tag, str(tokens[i].attrGet("id"))))}">'

    def link_open(self, tokens: Sequence[Token], i: int, options: Any, env: Any) -> str:
        target = str(tokens[i].attrGet("href"))
        if re.match(r"[a-z]+:", target):
            return f'<a href="{escape(target)}">'
        path, _, anchor = target.partition("#")
        name = Path(path).stem if path else self._section
        if name not in self._names or (path and Path(path).parent != Path()):
            self._outside += 1
            return f'<span class="file" title="{escape(target)}">'
        return f'<a href="{self.address(name, anchor)}">'

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
        path = notes_folder() / str(picture.attrGet("src"))
        number = figure_number(caption.content)
        anchor = f' id="fig-{number}"' if number else ""
        words = self.renderInline(caption.children[1:-1], options, env)
        words = re.sub(r"^Figure (?:<a [^>]*>)?([\d.]+\d)(?:</a>)?\.", r"<b>Figure \1.</b>", words)
        return f"<figure{anchor}>\n{inline_svg(path)}\n<figcaption>{words}</figcaption>\n</figure>\n"


def side_by_side(latex: str) -> list[str]:
    r"""The formulas that a displayed one has beside each other, with \quad: a narrow page has them in a column."""
    parts, begin, depth = [], 0, 0
    for found in re.finditer(r"\\(begin|left|end|right|q?quad)\b|\\.|([{}])", latex):
        word = found[1] or found[2]
        depth += (word in ("begin", "left", "{")) - (word in ("end", "right", "}"))
        if depth == 0 and word in ("quad", "qquad"):
            parts.append(latex[begin : found.start()])
            begin = found.end()
    return [*parts, latex[begin:]]


def code_line(html: str, line: str) -> str:
    """A line of code, given its HTML; lab/static/notes/text.css puts what is left over of a long one further in."""
    return f'<span class="line in-{len(line) - len(line.lstrip())}{"" if line else " empty"}">{html}\n</span>'


def _sticks(tokens: Sequence[Token], i: int) -> str:
    """The punctuation with which a text begins right behind a formula."""
    if not 0 < i < len(tokens) or tokens[i].type != "text" or tokens[i - 1].type != "math_inline":
        return ""
    found = re.match(r"[^\w\s(\[]+", tokens[i].content)
    return found[0] if found else ""


def inline_svg(path: Path) -> str:
    """A figure's file as an element of a page: with the page's text colour, unique ids and no style attributes."""
    _, _, svg = path.read_text(encoding="utf-8").partition("?>\n")
    svg = re.sub(r"<style>.*?</style>", "", svg, count=1)
    svg = re.sub(r' style="([^"]*)"', _presentation_attributes, svg)
    return re.sub(r'(id="|url\(#|href="#)figure-', rf"\g<1>{path.stem}-", svg).strip()


def _presentation_attributes(style: re.Match[str]) -> str:
    """The style's properties as attributes, which all properties of the figures also are in SVG."""
    properties = dict(re.findall(r"([\w-]+): *([^;]+)", style[1]))  # the last of equal names counts, as in CSS
    return "".join(f' {name}="{value}"' for name, value in properties.items())
