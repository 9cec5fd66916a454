"""The explanation of a number as JSON: `explain.Terms` for the panel "why?" of the pages."""

import math
from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np

import digitscope
from digitscope.explain import Factor, Terms
from digitscope.lab.encoding import finite
from digitscope.mathml import formula_html, formula_lines, left_side, symbol_mathml
from digitscope.nn import softmax
from digitscope.notes.links import chapter_of

MOST_TERMS = 200
"""Terms in one answer."""
KINK = 1e-2
"""Relative difference between the slopes on both sides from which on the loss counts as having a kink."""
_ROOT = Path(digitscope.__file__).parent


def explained(
    terms: Terms, *, first: int = 0, count: int = 20, shape: tuple[int, ...] = (), given: Collection[str] = ()
) -> dict[str, object]:
    """A number's terms from the first-largest on, what all others add, its formula, its links, code and numeric check.

    shape: that of the number's array. given: the names of arrays that were not computed, such as parameters, so that
    there is nothing to ask about their numbers.
    """
    count = min(count, MOST_TERMS)
    products = [term.product for term in terms.terms]
    order = sorted(range(len(products)), key=lambda i: -_rank(products[i], terms.combine))
    shares = _shares(products) if terms.combine in ("softmax", "log-sum-exp") else None
    shown = order[first : first + count]
    rest = [products[i] for i in order[:first] + order[first + count :]]
    return {
        "of": terms.of,
        "index": list(terms.index),
        "shape": list(shape),
        "value": finite(terms.value),
        "total": finite(terms.total),
        "combine": terms.combine,
        "scale": finite(terms.scale),
        "count": len(terms.terms),
        "first": first,
        "terms": [
            {
                "place": i,
                "product": finite(products[i]),
                "share": None if shares is None else finite(shares[i]),
                "chosen": i == terms.chosen,
                "factors": [_factor(factor, given) for factor in terms.terms[i].factors],
            }
            for i in shown
        ],
        "rest": finite(math.fsum(rest)) if all(map(math.isfinite, rest)) else None,
        "formula": _formula(terms),
        "notes": notes_links(terms),
        "code": None if terms.source is None else _code(terms),
        "numeric": None if terms.numeric is None else _numeric(terms),
    }


def given_number(of: str, index: tuple[int, ...], value: float, shape: tuple[int, ...]) -> dict[str, object]:
    """What `explained` gives for a number that was not computed, such as a parameter: it has no terms."""
    nothing: list[object] = []
    return {
        "of": of,
        "index": list(index),
        "shape": list(shape),
        "value": finite(value),
        "total": finite(value),
        "combine": "given",
        "scale": 1.0,
        "count": 0,
        "first": 0,
        "terms": nothing,
        "rest": 0.0,
        "formula": nothing,
        "notes": nothing,
        "code": None,
        "numeric": None,
    }


def _rank(product: float, combine: str) -> float:
    """How much a term matters: in a sum by its size, and in a maximum or a softmax by its value."""
    if math.isnan(product):
        return math.inf
    return product if combine in ("max", "softmax", "log-sum-exp") else abs(product)


def _shares(logits: list[float]) -> list[float]:
    """The softmax of the terms."""
    return [float(share) for share in softmax(np.array(logits))]


def _factor(factor: Factor, given: Collection[str]) -> dict[str, object]:
    return {
        "symbol": factor.symbol,
        "mathml": symbol_mathml(factor.symbol),
        "value": finite(factor.value),
        "name": factor.name,
        "index": list(factor.index),
        "asked": factor.name is not None and factor.name not in given,
    }


def _formula(terms: Terms) -> list[dict[str, object]]:
    """Each formula of the docstring, and the same with the number's index written into it."""
    lines: list[dict[str, object]] = []
    for line in formula_lines(terms.formula):
        side = left_side(line)
        values: Mapping[str, int] = {}
        if side is not None and side[1]:
            values = dict(zip(side[1], terms.index, strict=False))
        lines.append({"html": formula_html(line), "with_index": formula_html(line, values) if values else None})
    return lines


def notes_links(terms: Terms) -> list[dict[str, str]]:
    """The number's equation in the notes, {"chapter": "05-backpropagation", "section": "eq-5.4"}, and the sections that
    derive it, {"chapter": "02-neurons", "section": "a-layer"}.
    """
    links = [] if terms.equation is None else [(chapter_of(terms.equation), f"eq-{terms.equation}")]
    for link in terms.derivations:
        path, _, section = link.partition("#")
        links.append((Path(path).stem, section))
    return [{"chapter": chapter, "section": section} for chapter, section in links]


def _code(terms: Terms) -> dict[str, object]:
    source = terms.source
    assert source is not None
    path = Path(source.file)
    inside = path.is_relative_to(_ROOT)
    return {
        "name": source.name,
        "file": path.relative_to(_ROOT.parent).as_posix() if inside else path.name,
        "first": source.first,
        "last": source.last,
        "text": source.text,
    }


def _numeric(terms: Terms) -> dict[str, object]:
    assert terms.numeric is not None
    assert terms.numeric_sides is not None
    below, above = terms.numeric_sides
    largest = max(abs(terms.numeric), abs(terms.value))
    kink = not math.isclose(below, above, rel_tol=KINK, abs_tol=1e-8)
    return {
        "value": finite(terms.numeric),
        "below": finite(below),
        "above": finite(above),
        "relative_error": finite(abs(terms.numeric - terms.value) / largest) if largest else 0.0,
        "kink": kink,
    }
