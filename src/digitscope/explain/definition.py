"""Looks up a number in the source: its formula, its derivation in the notes, its code."""

import inspect
import re
from functools import cache
from typing import NamedTuple

from digitscope.notes.links import equation_of

_LINK = re.compile(r"docs/notes/[\w.-]+\.md(?:#[\w-]+)?")
_DEFINITION = re.compile(r"[^\W\d]\w*(\[[^\]]*\])?( =| <-|:) |d\w+ (is|are) ")


class Source(NamedTuple):
    """Lines of a file."""

    name: str
    """The full name, such as digitscope.nn.dense.Dense.forward."""
    file: str
    first: int
    last: int
    text: str

    def __str__(self) -> str:
        return f"{self.name}, lines {self.first} to {self.last}"


@cache
def documented_definition(definition: object, symbol: str) -> object:
    """The class or function whose docstring defines the symbol: the given one, or one of its module that the docstring
    names together with the symbol, as in "y and dx are those of `convolve`".
    """
    if _lines(definition, symbol, defining=True):
        return definition
    for name in re.findall(r"`(\w+)`", _lines(definition, symbol, defining=False)):
        other = getattr(inspect.getmodule(definition), name, None)
        if callable(other) and _lines(other, symbol, defining=True):
            return other
    return definition


@cache
def formula(definition: object, symbol: str) -> str:
    """The lines of the docstring that define the symbol, each with the lines that continue it; "" if there are none.

    All lines are from the first paragraph that has one. A line defines the symbol if it contains "symbol =",
    "symbol[...] =" or "symbol <-", or begins with "symbol:" or "symbol as". If there is no such line, lines that name
    the symbol are returned.
    """
    return _lines(definition, symbol, defining=True) or _lines(definition, symbol, defining=False)


def _lines(definition: object, symbol: str, *, defining: bool) -> str:
    escaped = re.escape(symbol) + r"(\[[^\]]*\])?"
    pattern = rf"(?<![\w\[{{^]){escaped} (=|<-) |^{escaped}(:| as) " if defining else rf"(?<!\w){escaped}(?!\w)"
    for paragraph in re.split(r"\n\s*\n", inspect.cleandoc(_own_doc(definition))):
        chosen: list[str] = []
        continues = False
        for line in paragraph.splitlines():
            continues = bool(re.search(pattern, line)) or (continues and not _DEFINITION.match(line))
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
def equation(definition: object, symbol: str) -> str | None:
    """The number of the notes' equation that defines the symbol, such as "5.4"; None if there is none."""
    own = str(getattr(definition, "__module__", "")).startswith("digitscope.nn")
    return equation_of(str(getattr(definition, "__name__", "")), symbol) if own else None


@cache
def source(function: object) -> Source | None:
    """The code of a function or method; None if it was typed into an interpreter."""
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
