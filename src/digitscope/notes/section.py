"""Chapters and appendices of the notes as Markdown tokens: their headings, equations, figures and links.

The files are Markdown as GitHub reads it. A block ```math is a displayed equation, numbered if it ends in \\tag{4.3}. A
picture alone in a paragraph, followed by a paragraph in italics, is a figure with its caption.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.anchors import anchors_plugin
from mdit_py_plugins.dollarmath import dollarmath_plugin

_TAG = re.compile(r"\\tag\{([^}]*)\}")


@dataclass
class NotesSection:
    """A chapter or an appendix."""

    name: str
    """Its file without .md."""
    text: str
    title: str = ""
    tokens: list[Token] = field(default_factory=list)
    headings: list[tuple[str, str]] = field(default_factory=list)
    """(anchor, Markdown) of each second-level heading; the anchors are GitHub's."""


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


def markdown_parser() -> MarkdownIt:
    """A parser of the notes' Markdown."""
    parser = MarkdownIt("commonmark", {"typographer": True}).enable(["table", "smartquotes"])
    parser.use(dollarmath_plugin, allow_labels=False, allow_space=False)
    return parser.use(anchors_plugin, max_level=4)


def read_section(path: Path) -> NotesSection:
    """The section in this file. Equal texts are parsed once; do not change the result."""
    return _parse(path.stem, path.read_text(encoding="utf-8"))


@cache
def _parse(name: str, text: str) -> NotesSection:
    section = NotesSection(name, text, tokens=markdown_parser().parse(text))
    for token, content in zip(section.tokens, section.tokens[1:], strict=False):
        if token.type == "heading_open" and token.tag == "h1":
            section.title = content.content
        elif token.type == "heading_open" and token.tag == "h2":
            section.headings.append((str(token.attrGet("id")), content.content))
    return section


def equations(section: NotesSection) -> list[Equation]:
    """The displayed equations of a section, in order."""
    fences = (token for token in section.tokens if token.type == "fence" and token.info == "math")
    return [to_equation(token.content) for token in fences]


def to_equation(content: str) -> Equation:
    """The equation in the content of a ```math block."""
    tag = _TAG.search(content)
    return Equation(_TAG.sub("", content).strip(), tag[1] if tag else None)


def anchors(section: NotesSection) -> set[str]:
    """What a link to this file can name after the #, as GitHub derives it from the headings."""
    return {str(token.attrGet("id")) for token in section.tokens if token.type == "heading_open"}


def links(section: NotesSection) -> list[str]:
    """The targets of the section's links and pictures."""
    inline = (child for token in section.tokens for child in token.children or [])
    targets = (child.attrGet("href") or child.attrGet("src") for child in inline)
    return [str(target) for target in targets if target]


def figure_numbers(section: NotesSection) -> list[str]:
    """The figures of a section in order."""
    figures = (token for token in with_figures(section.tokens) if token.type == "figure")
    return [number for token in figures if (number := figure_number(token.meta["caption"].content))]


def figure_number(caption: str) -> str | None:
    """The number in a caption such as "*Figure 4.2. ..."."""
    found = re.match(r"\*Figure (\d+\.\d+)\.", caption)
    return found[1] if found else None


def with_figures(tokens: Sequence[Token]) -> list[Token]:
    """The tokens, with a paragraph that is a picture and the caption that follows as one token "figure"."""
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
