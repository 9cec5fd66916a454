"""Figures that float: where one would leave much of a printed page empty, what follows it in the text goes first.

CSS in Chromium has no floats of pages. So a chapter is measured, one figure is moved, and it is measured again.
"""

import math
import re
from collections.abc import Callable, Mapping

MOST_EMPTY = 0.2
"""The share of a page that may stay empty before a figure."""

_FIGURE = re.compile(r'<figure id="([^"]*)">.*?</figure>\n', re.DOTALL)
_BLOCK = re.compile(
    r'(<p>.*?</p>|<ul>.*?</ul>|<div class="equation".*?</div>'
    r'|<pre class="code">.*?</pre>(?:\n<pre class="output">.*?</pre>)?)\n',
    re.DOTALL,
)
"""What may stand before a figure that it follows in the text. Headings and other figures keep their places."""


def with_floats(chapter: str, measure: Callable[[str], Mapping[str, float]]) -> str:
    """The HTML of a chapter with its figures where they leave no page emptier than need be.

    measure: where each element with an id begins in a print of such a chapter, in pages: 3.5 is the middle of the
    fourth.
    """
    settled: set[str] = set()
    while figures := [figure for figure in _FIGURE.finditer(chapter) if figure[1] not in settled]:
        at = measure(_marked(chapter))
        for figure in figures:
            settled.add(figure[1])
            if place := _better_place(figure, chapter, at):
                chapter = chapter[: figure.start()] + chapter[figure.end() : place] + figure[0] + chapter[place:]
                break
    return chapter


def _better_place(figure: re.Match[str], chapter: str, at: Mapping[str, float]) -> int | None:
    """Where in the chapter the figure stands better; None where it stands well, or nothing may go before it."""
    name = figure[1]
    empty = math.floor(at[f"{name}-before"]) + 1 - at[f"{name}-before"]
    if math.floor(at[name]) == math.floor(at[f"{name}-before"]) or empty <= MOST_EMPTY:
        return None
    best = None
    for place in _places(chapter, figure.end()):
        filled = at[f"{name}-{place}"] - at[f"{name}-{figure.end()}"]
        if filled >= empty / 2:
            best = place
        if filled >= empty - MOST_EMPTY / 2:
            break
    return best


def _places(chapter: str, begin: int) -> list[int]:
    """Where a figure may stand that ends here: behind blocks that follow it, where no sentence goes on."""
    places = []
    end = begin
    while block := _BLOCK.match(chapter, end):
        end = block.end()
        opens = re.sub("<[^>]*>", "", block[1]).rstrip()[-1:] not in ".!?)" if block[1].startswith("<p>") else False
        behind = re.match(r'<(p|h2|h3|figure|pre class="code"|details)\b[^>]*>(.{,500})', chapter[end:], re.DOTALL)
        goes_on = behind is None or (behind[1] == "p" and re.sub("<[^>]*>", "", behind[2])[:1].islower())
        if not opens and not goes_on:
            places.append(end)
    return places


def _marked(chapter: str) -> str:
    """The chapter with ids before and behind each figure, and at the other places that it may have."""
    marks: list[tuple[int, str]] = []
    for figure in _FIGURE.finditer(chapter):
        marks.append((figure.start(), f"{figure[1]}-before"))
        marks += [(place, f"{figure[1]}-{place}") for place in (figure.end(), *_places(chapter, figure.end()))]
    for place, name in sorted(marks, reverse=True):
        chapter = f'{chapter[:place]}<div id="{name}"></div>{chapter[place:]}'
    return chapter
