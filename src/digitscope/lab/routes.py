"""What a room offers to its page: addresses, the requests that they take, and who may send them."""

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_type_hints

from digitscope.errors import DigitscopeError

if TYPE_CHECKING:
    from digitscope.lab.state import Lab

LARGEST_JSON = 1 << 20
"""Bytes of a body, if its route does not say otherwise."""


class Right(enum.IntEnum):
    """What a visitor may do. Each right includes the one before."""

    VISIT = 0
    """Only the page on which a code is entered."""
    DRAW = 1
    """Draw and read answers, as the pupils of a class."""
    TEACH = 2
    """Everything, as whoever started the lab."""


class ConflictError(DigitscopeError):
    """What is asked for is not possible at the moment; answered with status 409."""


class NotFoundError(DigitscopeError):
    """What is asked for does not exist; answered with status 404."""


@dataclass(frozen=True)
class Upload:
    """A file that the page sends, as the body of a POST with ?name=..."""

    name: str
    content: bytes


@dataclass(frozen=True)
class Download:
    """A file for the page to save, or a picture for it to show."""

    name: str
    media_type: str
    content: bytes


@dataclass(frozen=True)
class Route:
    """One address of the lab's interface.

    `handle(lab)` or `handle(lab, request)` runs in a thread of its own and returns what JSON can hold, or a Download.
    The request's annotation is Upload or a frozen dataclass: the query of a GET, or the JSON body of a POST.
    """

    method: Literal["GET", "POST"]
    path: str
    summary: str
    """One sentence, for openapi.json."""
    handle: Callable[..., object]
    right: Right = Right.TEACH
    largest: int = LARGEST_JSON
    """The largest body that is accepted, in bytes."""

    @property
    def request(self) -> type[Any] | None:
        """The class of the request, or None if the route takes none."""
        kinds = [kind for name, kind in get_type_hints(self.handle).items() if name not in ("lab", "return")]
        return kinds[0] if kinds else None


@dataclass(frozen=True)
class Page:
    """One page of the lab. Its texts are those of its room, its script and style are in static/ROOM."""

    path: str
    room: str
    script: str = "room.js"
    right: Right = Right.TEACH
    bare: bool = False
    """Without the navigation, for a phone or a projector."""
    content: "Callable[[Lab, dict[str, str], str], PageContent] | None" = None
    """Makes the page's content on the server, from the parameters of its path and the language."""


@dataclass(frozen=True)
class PageContent:
    """What the server writes into a page."""

    title: str
    html: str
