"""Search in the text of the notes."""

import html
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from xml.etree import ElementTree

from digitscope.notes.renderer import NotesRenderer
from digitscope.notes.section import NotesSection

EXCERPT = 180
"""The length of the text that is shown around the first word found, in characters."""


@dataclass(frozen=True)
class Passage:
    """The text below one heading, up to the next."""

    section: str
    """The name of its chapter or appendix."""
    title: str
    anchor: str
    heading: str
    text: str


@dataclass(frozen=True)
class Found:
    """A passage that has all words of a query."""

    passage: Passage
    excerpt: str
    marks: tuple[tuple[int, int], ...]
    """Where the words are in the excerpt: (start, end)."""


class _PlainRenderer(NotesRenderer):
    def highlighted(self, code: str, language: str) -> str:
        return html.escape(code)


def passages(sections: Sequence[NotesSection]) -> list[Passage]:
    """The sections' text in pieces, formulas as z_on = b_o + ..., without the words inside pictures."""
    renderer = _PlainRenderer(sections)
    return [passage for section in sections for passage in _passages(section, renderer)]


def _passages(section: NotesSection, renderer: NotesRenderer) -> list[Passage]:
    page = re.sub(r"<svg\b.*?</svg>", "", renderer.render_section(section), flags=re.DOTALL)
    page = re.sub(r"<math\b.*?</math>", lambda found: html.escape(_formula_text(found[0])), page, flags=re.DOTALL)
    pieces = re.split(r'<h([1-4]) id="([^"]*)">(.*?)</h\1>', page, flags=re.DOTALL)
    return [
        Passage(section.name, _plain(section.title), anchor, _plain(heading), _plain(text))
        for anchor, heading, text in zip(pieces[2::4], pieces[3::4], pieces[4::4], strict=True)
    ]


def search(query: str, among: Sequence[Passage]) -> list[Found]:
    """The passages that have all words of the query, the best first. Letters match without case and accents.

    A heading with the words comes before a text with them; then the text that has them more often does.
    """
    words = _folded(query).split()
    scored = []
    for passage in among if words else []:
        heading, text = _folded(passage.heading), _folded(passage.text)
        if all(word in heading or word in text for word in words):
            score = sum(20 * (word in heading) + min(text.count(word), 10) for word in words)
            scored.append((score + 10 * (" ".join(words) in text), passage))
    scored.sort(key=lambda entry: -entry[0])
    return [_found(passage, words) for _, passage in scored]


def _found(passage: Passage, words: Sequence[str]) -> Found:
    folded = _folded(passage.text)
    places = [place for word in words if (place := folded.find(word)) >= 0]
    begin = max(min(places, default=0) - EXCERPT // 4, 0)
    begin = passage.text.find(" ", begin - 1) + 1 if begin else 0
    excerpt = passage.text[begin : begin + EXCERPT]
    if begin + EXCERPT < len(passage.text):
        excerpt = excerpt.rpartition(" ")[0]
    pattern = "|".join(map(re.escape, sorted(words, key=len, reverse=True)))
    return Found(passage, excerpt, tuple(found.span() for found in re.finditer(pattern, _folded(excerpt))))


@lru_cache(maxsize=2048)
def _folded(text: str) -> str:
    """The text in small letters without accents, character by character, so that places stay the same."""
    return "".join(unicodedata.normalize("NFD", c)[0].lower()[:1] for c in text)


def _plain(page: str) -> str:
    """The words of HTML."""
    words = re.sub(r"</?(?:p|li|td|th|pre|div|summary|figcaption)\b[^>]*>", " ", page)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", "", words)).split())


def _formula_text(mathml: str) -> str:
    """A formula in one line, such as (p_kn - q_kn)/N."""
    known_to_xml = re.sub(r"&(?!(?:lt|gt|amp);)\w+;", lambda found: html.unescape(found[0]), mathml)
    return " ".join(_node_text(ElementTree.fromstring(known_to_xml)).split())


def _node_text(node: ElementTree.Element) -> str:
    parts = [_node_text(child) for child in node]
    match node.tag:
        case "msub" | "munder":
            return f"{parts[0].rstrip()}_{parts[1]}"
        case "msup" | "mover":
            return f"{parts[0].rstrip()}^{parts[1]}"
        case "msubsup" | "munderover":
            return f"{parts[0].rstrip()}_{parts[1]}^{parts[2]} "
        case "mfrac":
            return f"{parts[0]}/{parts[1]}"
        case "mtr":
            return " ".join(parts) + " "
        case "mo":
            return f" {node.text} " if node.text in ("=", "+", "−", "≤", "≥", "∑", "⊙", "→", "←") else (node.text or "")
        case "mspace":
            return " "
    return (node.text or "") + "".join(parts)
