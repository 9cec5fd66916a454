"""The notes: their chapters as pages, and a search. Markdown and mathematics are loaded when one is asked for."""

from dataclasses import dataclass
from typing import Annotated

from digitscope.lab.requests import Bounds
from digitscope.lab.routes import Page, PageContent, Right, Route
from digitscope.lab.state import Lab


@dataclass(frozen=True)
class SearchQuery:
    """What to look for."""

    q: Annotated[str, Bounds(0, 200)]


def contents(lab: Lab, parameters: dict[str, str], language: str) -> PageContent:
    """The contents of the notes."""
    from digitscope.lab.notes_pages import contents_page

    return contents_page(language)


def section(lab: Lab, parameters: dict[str, str], language: str) -> PageContent:
    """A chapter, an appendix or the search.

    Raises: NotFoundError if there is none of this name.
    """
    from digitscope.lab.notes_pages import section_page

    return section_page(parameters["name"], language)


def found(lab: Lab, query: SearchQuery) -> list[dict[str, object]]:
    """The passages that have all words of the query, the best first."""
    from digitscope.lab.notes_pages import find

    return find(query.q)


PAGES = [
    Page("/notes", "notes", right=Right.DRAW, content=contents),
    Page("/notes/{name}", "notes", right=Right.DRAW, content=section),
]
ROUTES = [
    Route("GET", "/api/notes/search", "Passages of the notes that have all words of q.", found, right=Right.DRAW),
]
