"""A claim in the prose says how it is known: derived here, measured (n), or believed (a source).

The mark is a superscript behind the sentence: <sup>measured, n = 5</sup>.
"""

import re
from pathlib import Path

import pytest

from digitscope.notes.chapters import chapter_paths
from docs.notes import NOTES

MARK = re.compile(r"<sup>(.*?)</sup>", re.DOTALL)
KNOWN = re.compile(
    r"derived\b"
    r"|measured\b.*(\bn = \d|above|below|\bchapter \d|\blog\.md)"
    r"|believed(, from| in general, from) (this|these) sources?\b",
    re.DOTALL,
)
CLAIM = re.compile(
    r"\b(always|never|nobody|rarely|nearly all|no other|a theorem|is known|in practice|often|tempting|doubtful"
    r"|times the (rate|speed)|faster than|better than)\b"
)
SECTIONS = (
    ("01-pictures", "Pictures as points"),
    ("02-neurons", "What a neuron cannot do"),
    ("02-neurons", "Many images at once"),
    ("03-activations", "A bend is enough"),
    ("06-descent", "Saddles, plains and many valleys"),
    ("06-descent", "A slope from a few images"),
    ("06-descent", "A rate for each number"),
    ("08-convolution", "What the filters look like"),
    ("09-normalization", "Mean 0, variance 1"),
    ("09-normalization", "Dropout: unreliable on purpose"),
    ("10-regularization", "Two ways of being wrong"),
    ("10-regularization", "Asking several"),
    ("11-uncertainty", "A picture made to deceive"),
    ("11-uncertainty", "Which digits are mixed up"),
    ("12-speed", "Use it again"),
    ("12-speed", "Two cores"),
)
"""Sections in which sentences between the formulas were once false or too wide."""


def paragraphs(path: Path, heading: str) -> list[str]:
    """The prose of a section; a display, code or output counts as a part of the paragraph that it follows."""
    text = path.read_text("utf-8").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    assert text, f"{path.name} has no section {heading}"
    return [part for part in re.split(r"\n\n(?!```)", text) if not part.startswith(("#", "!", "*Figure"))]


@pytest.mark.parametrize("path", chapter_paths(), ids=lambda path: path.stem)
def test_a_mark_says_how_it_is_known(path: Path) -> None:
    for paragraph in path.read_text("utf-8").split("\n\n"):
        for mark in MARK.findall(paragraph):
            assert KNOWN.match(mark), mark
            assert not mark.startswith("believed") or "bibliography.md#" in paragraph, paragraph


@pytest.mark.parametrize(("chapter", "heading"), SECTIONS)
def test_claims_are_marked(chapter: str, heading: str) -> None:
    for paragraph in paragraphs(NOTES / f"{chapter}.md", heading):
        prose = re.sub(r"^```.*?^```", "", paragraph, flags=re.MULTILINE | re.DOTALL)
        shown = "```" in paragraph or re.search(r"\(\d+\.\d+\)", prose)
        assert MARK.search(paragraph) or shown or not CLAIM.search(prose), prose
