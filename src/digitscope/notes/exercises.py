"""Answers of exercises that a reader can type into a page, which says whether they are right.

Before an exercise's answer stands `<!-- asks: the score: 1; its distance: 2 -->`. The numbers count what the answer's
code prints, so what is right is what the notes compute: numbers, True and False.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from markdown_it.token import Token

from digitscope.notes.section import NotesSection

_COMMENT = re.compile(r"<!-- asks: (.*?) -->", re.DOTALL)
_VALUE = re.compile(r"(?<![\w.'])(?:[-−]?\d{1,3}(?:,\d{3})+|[-−]?\d+(?:\.\d*)?(?:e[-+]?\d+)?|True|False)(?![\w'])")


@dataclass(frozen=True)
class Asked:
    """One answer of an exercise."""

    label: str
    expected: str
    """As the code prints it."""


def values(printed: str) -> list[str]:
    """The numbers, and True and False, in what code prints; not those in names, such as layer 0's '0.weight'."""
    return _VALUE.findall(printed)


def asked_at(tokens: Sequence[Token], i: int) -> list[Asked]:
    """What the comment at this token asks; nothing if it is something else.

    Raises: IndexError where the answer's code prints fewer values.
    """
    comment = _COMMENT.match(tokens[i].content) if tokens[i].type == "html_block" else None
    if comment is None:
        return []
    printed = []
    for token in tokens[i + 1 :]:
        if token.type == "html_block" and "</details>" in token.content:
            break
        if token.type == "fence" and token.info == "text":
            printed.append(token.content)
    found = values("\n".join(printed))
    asked = []
    for entry in " ".join(comment[1].split()).split("; "):
        label, _, number = entry.rpartition(": ")
        asked.append(Asked(label, found[int(number) - 1]))
    return asked


def answer_form(asked: Sequence[Asked]) -> str:
    """Fields for the answers of an exercise, which static/notes/live/answers.js compares with what its code prints."""
    lines = "".join(
        f'<li><label>{escape(one.label)} {_answer_field(one)}</label> <span class="verdict"></span></li>\n'
        for one in asked
    )
    return (
        '<form class="answers" autocomplete="off"><p>Check your answer:</p>\n'
        f"<ul>\n{lines}</ul>\n<p><button>Check</button> <output></output></p></form>\n"
    )


def _answer_field(asked: Asked) -> str:
    expected = f'data-expected="{escape(asked.expected)}"'
    if asked.expected in ("True", "False"):
        options = '<option value=""></option><option value="True">yes</option><option value="False">no</option>'
        return f"<select {expected}>{options}</select>"
    about = " data-about" if asked.label.endswith("about") else ""
    return f'<input type="text" size="9" {expected}{about}>'


def all_asked(section: NotesSection) -> Iterator[tuple[str, list[Asked]]]:
    """The title of each exercise of a section that asks something, and what it asks."""
    title = ""
    for i, token in enumerate(section.tokens):
        if token.type == "heading_open":
            title = section.tokens[i + 1].content
        elif asked := asked_at(section.tokens, i):
            yield title, asked
