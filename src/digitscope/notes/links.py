"""Which numbers the equations of the notes define, and where the lab shows them: docs/notes/lab.json."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from urllib.parse import urlencode

from digitscope.notes.chapters import chapter_paths, notes_folder


@dataclass(frozen=True)
class EquationLinks:
    """Where an equation leads."""

    defines: tuple[str, ...] = ()
    """The numbers that it defines, NAME.SYMBOL: the class or function whose docstring has the formula, and its left
    side there, such as "Dense.dW"."""
    room: str | None = None
    """The page of the lab that shows it, without the /."""
    state: Mapping[str, object] = field(default_factory=dict)
    """The state of this page, with this equation's numbers."""

    @property
    def address(self) -> str:
        """The page with its state, as its script writes it behind the #."""
        state = urlencode({name: json.dumps(value, separators=(",", ":")) for name, value in self.state.items()})
        return f"/{self.room}" + (f"#{state}" if state else "")


@cache
def equation_links() -> Mapping[str, EquationLinks]:
    """The links of each equation that has some, by its number."""
    content = json.loads((notes_folder() / "lab.json").read_text(encoding="utf-8"))
    return {
        number: EquationLinks(tuple(entry.get("defines", ())), entry.get("room"), entry.get("state", {}))
        for number, entry in content.items()
    }


@cache
def equation_of(definition: str, symbol: str) -> str | None:
    """The equation that defines a symbol in the docstring of this class or function, such as ("Dense", "dW").

    None if there is none.
    """
    name = f"{definition}.{symbol}"
    return next((number for number, links in equation_links().items() if name in links.defines), None)


def chapter_of(number: str) -> str:
    """The name of the chapter of an equation: "05-backpropagation" of "5.4"."""
    beginning = f"{int(number.partition('.')[0]):02d}-"
    return next(path.stem for path in chapter_paths() if path.name.startswith(beginning))
