"""What the source says of a number: its formula, its derivation in the notes, its code."""

import inspect
import re
from functools import cache
from typing import NamedTuple

_LINK = re.compile(r"docs/notes/[\w.-]+\.md(?:#[\w-]+)?")
_DEFINITION = re.compile(r"[^\W\d]\w*(\[[^\]]*\])?( =|:) ")


class Source(NamedTuple):
    """Lines of a file."""

    name: str
    """As it is imported: digitscope.nn.dense.Dense.forward."""
    file: str
    first: int
    last: int
    text: str

    def __str__(self) -> str:
        return f"{self.name}, lines {self.first} to {self.last}"


@cache
def formula(definition: object, symbol: str) -> str:
    """The lines of the docstring that define the symbol, each with the lines that continue it; "" without any.

    They are of one paragraph, the first that has such a line. A line defines the symbol where "symbol =" or
    "symbol[...] =" stands in it, or where it begins with "symbol:" or "symbol as". If there is no such line, one that
    names the symbol will do.
    """
    paragraphs = re.split(r"\n\s*\n", inspect.cleandoc(_own_doc(definition)))
    escaped = re.escape(symbol) + r"(\[[^\]]*\])?"
    defining = re.compile(rf"(?<![\w\[{{^]){escaped} = |^{escaped}(:| as) ")
    naming = re.compile(rf"(?<!\w){escaped}(?!\w)")
    for pattern in (defining, naming):
        for paragraph in paragraphs:
            chosen: list[str] = []
            continues = False
            for line in paragraph.splitlines():
                continues = bool(pattern.search(line)) or (continues and not _DEFINITION.match(line))
                if continues:
                    chosen.append(line.strip())
            if chosen:
                return "\n".join(chosen)
    return ""


@cache
def derivations(definition: object) -> tuple[str, ...]:
    """The links into the notes that the docstring has."""
    return tuple(_LINK.findall(_own_doc(definition)))


@cache
def source(function: object) -> Source | None:
    """The code of a function or method; None for one that was typed into an interpreter."""
    assert inspect.isfunction(function)
    try:
        lines, first = inspect.getsourcelines(function)
    except OSError:
        return None
    name = f"{function.__module__}.{function.__qualname__}"
    file = inspect.getsourcefile(function) or ""
    return Source(name, file, first, first + len(lines) - 1, inspect.cleandoc("\n" + "".join(lines)))


def _own_doc(definition: object) -> str:
    # Not inspect.getdoc: a class without a docstring would inherit the formulas of its base.
    return vars(definition).get("__doc__") or "" if inspect.isclass(definition) else inspect.getdoc(definition) or ""
