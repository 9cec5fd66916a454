"""The pages of the room of the notes: contents, chapters, appendices and the search. Imported when one is asked for."""

import threading
from functools import cache
from html import escape

from digitscope.lab.frame import text
from digitscope.lab.routes import NotFoundError, PageContent
from digitscope.notes.chapters import notes_folder, section_paths
from digitscope.notes.links import equation_links
from digitscope.notes.renderer import NotesRenderer
from digitscope.notes.search import Found, Passage, passages, search
from digitscope.notes.section import NotesSection, read_section

SEARCH = "search"
"""The page /notes/search is not a chapter."""
MOST_FOUND = 40
"""Passages that a search returns."""

_rendering = threading.Lock()  # a renderer keeps where it is


class _LabRenderer(NotesRenderer):
    """Renders chapters with a link to the room behind each equation that one shows."""

    live = True

    def __init__(self, sections: list[NotesSection], language: str) -> None:
        super().__init__(sections)
        self._language = language

    def after_equation(self, number: str) -> str:
        links = equation_links().get(number)
        if links is None or links.room is None:
            return ""
        room = text(self._language, f"{links.room}.title")
        name = text(self._language, "notes.show").format(room=room)
        return f'<a class="show" href="{escape(links.address)}" lang="{self._language}">{escape(name)}</a>'


def contents_page(language: str) -> PageContent:
    """All chapters with their sections, and the appendices."""
    return PageContent(text(language, "notes.title"), _contents(language))


def section_page(name: str, language: str) -> PageContent:
    """A chapter, an appendix or the search.

    Raises: NotFoundError if there is none of this name.
    """
    if name == SEARCH:
        return PageContent(text(language, "notes.search"), _search_page(language))
    section = _section(name)
    page = f"""<div class="reading">
{_sidebar(section, language)}
<article class="notes" lang="en">
{_rendered(name, language)}{_neighbours(section, language)}</article>
</div>"""
    return PageContent(section.title, page)


def find(query: str) -> list[dict[str, object]]:
    """The best passages with all words of the query, as the search page shows them."""
    return [_described(found) for found in search(query, _passages())[:MOST_FOUND]]


@cache
def _sections() -> tuple[NotesSection, ...]:
    return tuple(read_section(path) for path in section_paths())


def _section(name: str) -> NotesSection:
    found = next((section for section in _sections() if section.name == name), None)
    if found is None:
        names = ", ".join(section.name for section in _sections())
        raise NotFoundError(f"The notes have no chapter {name!r}. They have {names}.")
    return found


@cache
def _renderer(language: str) -> _LabRenderer:
    return _LabRenderer(list(_sections()), language)


@cache
def _rendered(name: str, language: str) -> str:
    with _rendering:
        return _renderer(language).render_section(_section(name))


@cache
def _title(markdown: str) -> str:
    with _rendering:
        return _renderer("en").render_inline(markdown)


@cache
def _passages() -> tuple[Passage, ...]:
    return tuple(passages(_sections()))


def _described(found: Found) -> dict[str, object]:
    passage = found.passage
    return {
        "section": passage.section,
        "title": passage.title,
        "anchor": passage.anchor,
        "heading": passage.heading,
        "excerpt": found.excerpt,
        "marks": [list(mark) for mark in found.marks],
    }


def _contents(language: str) -> str:
    front = read_section(notes_folder() / "README.md")
    first = next(i for i, token in enumerate(front.tokens) if token.type == "heading_close") + 1
    with _rendering:
        preface = _renderer(language).render_tokens(front.tokens[first : first + 3])
    chapters = "\n".join(_entry(section) for section in _sections() if section.name[0].isdigit())
    others = "\n".join(_entry(section) for section in _sections() if not section.name[0].isdigit())
    return f"""<div class="contents">
<h1>{escape(text(language, "notes.title"))}</h1>
<p class="lead">{escape(text(language, "notes.lead"))}</p>
{_search_form(language)}
<div class="notes preface" lang="en">
{preface}</div>
<ol class="chapters" lang="en">
{chapters}
</ol>
<ul class="chapters" lang="en">
{others}
</ul>
</div>"""


def _entry(section: NotesSection) -> str:
    number, dot, title = section.title.partition(". ")
    shown = f'<span class="chapter-number">{number}</span> {_title(title)}' if dot else _title(section.title)
    headings = [
        f'<a href="/notes/{section.name}#{anchor}">{_title(heading)}</a>'
        for anchor, heading in section.headings
        if anchor not in ("the-code", "exercises")
    ]
    listed = "&nbsp;<span aria-hidden=true>·</span> ".join(headings)
    inner = f'\n<p class="headings">{listed}</p>' if dot else ""
    return f'<li><h2><a href="/notes/{section.name}">{shown}</a></h2>{inner}</li>'


def _sidebar(section: NotesSection, language: str) -> str:
    items = []
    for known in _sections():
        current = known.name == section.name
        link = f'<a href="/notes/{known.name}"{" aria-current=page" if current else ""}>{_title(known.title)}</a>'
        inner = "".join(f'<li><a href="#{anchor}">{_title(title)}</a></li>\n' for anchor, title in known.headings)
        items.append(f"<li>{link}\n<ol>\n{inner}</ol></li>" if current and inner else f"<li>{link}</li>")
    listed = "\n".join(items)
    return f"""<nav class="sidebar" aria-label="{escape(text(language, "notes.contents"))}">
{_search_form(language)}
<details open>
<summary>{escape(text(language, "notes.contents"))}</summary>
<ol lang="en">
{listed}
</ol>
</details>
</nav>"""


def _neighbours(section: NotesSection, language: str) -> str:
    i = _sections().index(section)
    before = _sections()[i - 1] if i else None
    after = _sections()[i + 1] if i + 1 < len(_sections()) else None
    back = f'<a rel="prev" href="/notes/{before.name}">← {_title(before.title)}</a>' if before else "<span></span>"
    forth = f'<a rel="next" href="/notes/{after.name}">{_title(after.title)} →</a>' if after else ""
    return f"""<nav class="neighbours" aria-label="{escape(text(language, "notes.neighbours"))}">{back}{forth}</nav>
"""


def _search_page(language: str) -> str:
    return f"""<div class="contents">
<p><a href="/notes">{escape(text(language, "notes.title"))}</a></p>
<h1>{escape(text(language, "notes.search"))}</h1>
{_search_form(language)}
<p id="count" role="status"></p>
<ol id="results" class="results" lang="en"></ol>
</div>"""


def _search_form(language: str) -> str:
    label, button = escape(text(language, "notes.search")), escape(text(language, "notes.search_button"))
    return f"""<form class="find" role="search" action="/notes/{SEARCH}">
<label><span class="hidden">{label}</span><input type="search" name="q" maxlength="200" placeholder="{label}"></label>
<button>{button}</button>
</form>"""
