"""Computes the equations as they are printed.

A check that repeats a formula in Python proves the Python. `holds` takes the LaTeX itself: math-core's MathML of
it is a tree whose parts are already told apart, and here it is given numbers.

Understood are sums, differences, products (of matrices where both factors are, else of numbers), ⊙, fractions,
powers, roots, e, transposition, sums and products over an index, log, tanh, max, diag, [k = j], ∂y/∂x as one name,
chains of =, ≤ and ≥, ⌊x⌋, several statements with commas between or in the lines of `aligned`, and matrices of numbers.
"""

import itertools
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from xml.etree import ElementTree as ET

import numpy as np
from math_core import LatexToMathML

from digitscope.arrays import Array
from digitscope.notes.chapters import chapter_paths
from digitscope.notes.section import equations, read_section

Value = Array | float | Callable[..., "Array | float"]
Env = Mapping[str, int]
Node = Callable[[Env], "Array | float"]

RELATIONS = {"=": operator.eq, "≤": operator.le, "≥": operator.ge, "<": operator.lt, ">": operator.gt}
_FUNCTIONS: dict[str, Callable[..., "Array | float"]] = {
    "log": np.log, "tanh": np.tanh, "exp": np.exp, "max": np.maximum, "sin": np.sin, "cos": np.cos,
    "diag": lambda v: np.diag(np.ravel(v)),
}  # fmt: skip
_REDUCE: dict[str, Callable[[list["Array | float"]], "Array | float"]] = {
    "∑": sum, "∏": lambda parts: np.prod(np.array(parts), axis=0), "max": lambda parts: np.max(np.array(parts), axis=0),
}  # fmt: skip

_ACCENTS = {"ˆ": "^", "¯": "_"}


computed: set[str] = set()
"""The equations that `holds` has computed."""


def holds(
    number: str,
    values: Mapping[str, Value],
    *,
    tolerance: float = 1e-8,
    skip: int = 0,
    sizes: Mapping[str, int] | None = None,
) -> None:
    """Asserts that equation `number`, computed with these numbers, holds for all its free indices.

    values: by the symbols' names, "z" with one axis for each index; "dz" for \\mathrm{d}z, "W1" for W^{(1)},
        "g^" for \\hat g, "g_" for \\bar g, "∂p/∂z" (its indices: those of p, then of z), "ones" for \\mathbf{1};
        functions where the formula calls them.
        Indices count from 0, labels, too, but a number as an index from 1: p_1 is the first. An index may be computed,
        x_{c, i+u, n} or x_{i+u}; outside of an array are zeros.
    sizes: how far an index goes that stands alone in no array.
    skip: how many of its statements, from the first, are left out.
    Raises: AssertionError where a statement does not hold; LookupError where a symbol has no value.
    """
    latex = next((e.latex for p in chapter_paths() for e in equations(read_section(p)) if e.number == number), None)
    if latex is None:
        raise LookupError(f"There is no equation ({number}).")
    statements = _statements(latex)[skip:]
    assert statements
    for tokens in statements:
        _check(f"({number})", tokens, values, tolerance, sizes or {})
    computed.add(number)


def _check(
    name: str, tokens: "list[_Token]", values: Mapping[str, Value], tolerance: float, known: Mapping[str, int]
) -> None:
    sizes: dict[str, int] = {}
    for token in _every(tokens):
        value = values.get(token.text)
        if isinstance(value, np.ndarray):
            for axis, index in zip(value.shape, token.index, strict=False):
                if len(index) == 1 and index[0].kind == "name" and not index[0].index:
                    sizes[index[0].text] = axis
    sizes |= known
    parser = _Parser(tokens, values, sizes)
    sides, relations = [parser.sum()], []
    while parser.ahead("relation"):
        relations.append(parser.take().text)
        sides.append(parser.sum())
    assert parser.done(), f"{name}: not understood from {parser.rest()}"
    assert relations, f"{name}: no statement in {tokens}"
    free = sorted(parser.free)
    for place in itertools.product(*(range(sizes[letter]) for letter in free)):
        env = dict(zip(free, place, strict=True))
        computed = [np.asarray(side(env), dtype=np.float64) for side in sides]
        for left, relation, right in zip(computed, relations, computed[1:], strict=False):
            scale = max(1.0, float(np.abs(right).max(initial=0)))
            slack = tolerance * scale
            if relation == "=":
                assert left.shape == right.shape or 1 in (left.size, right.size), f"{name}: {left.shape}, {right.shape}"
                worst = float(np.abs(left - right).max(initial=0))
                assert worst <= slack, f"{name} does not hold at {env}: its sides differ by {worst:.2e}"
            else:
                difference = left - right if relation in "≤<" else right - left
                assert (difference <= slack).all(), f"{name} does not hold at {env}: {left} {relation} {right}"


@dataclass(frozen=True)
class _Token:
    kind: str
    """name, number, operator, relation, open, close, comma, reduce, fraction, matrix"""
    text: str
    index: tuple[tuple["_Token", ...], ...] = ()
    power: tuple["_Token", ...] = ()
    transposed: bool = False
    parts: tuple[tuple["_Token", ...], ...] = ()
    value: Array | None = None


def _every(tokens: Sequence[_Token]) -> "list[_Token]":
    found = []
    for token in tokens:
        found.append(token)
        for inner in (*token.index, token.power, *token.parts):
            found += _every(inner)
    return found


@cache
def _statements(latex: str) -> list[list[_Token]]:
    """The tokens of each statement."""
    mathml = LatexToMathML(fancy_error=False).convert_with_local_state(latex, displaystyle=True)
    root = ET.fromstring(mathml.replace("&ApplyFunction;", ""))
    rows: list[list[_Token]] = []
    if len(root) == 1 and root[0].tag == "mtable":  # aligned: what stands behind the second cell is a remark
        for row in root[0]:
            cells = [_tokens(cell) for cell in row[:2]]
            if cells[0] or not rows:
                rows.append([token for cell in cells for token in cell])
            else:
                rows[-1] += [token for cell in cells for token in cell]
    else:
        rows.append(_tokens(root))
    return [part for row in rows for part in _split(row)]


def _split(tokens: Sequence[_Token]) -> list[list[_Token]]:
    parts: list[list[_Token]] = [[]]
    depth = 0
    for token in tokens:
        depth += (token.kind == "open") - (token.kind == "close")
        if token.kind == "comma" and depth == 0:
            parts.append([])
        else:
            parts[-1].append(token)
    return [part for part in parts if part]


def _tokens(parent: ET.Element) -> list[_Token]:
    """The children as one row: mere groups are opened, an upright d goes to the name behind it."""
    row: list[_Token] = []
    for child in parent:
        row += _token(child)
    result: list[_Token] = []
    for token in row:
        if result and result[-1].text == "upright d":
            result.pop()
            token = _Token("name", "d" + token.text, token.index, token.power, token.transposed)
        result.append(token)
    return _with_matrices(result)


def _with_matrices(tokens: list[_Token]) -> list[_Token]:
    """Without the brackets around matrices."""
    result: list[_Token] = []
    for i, token in enumerate(tokens):
        beside = (tokens[i + 1 : i + 2] if token.kind == "open" else tokens[max(i - 1, 0) : i]) or [token]
        if not (token.kind in ("open", "close") and beside[0].kind == "matrix"):
            result.append(token)
    return result


def _token(element: ET.Element) -> list[_Token]:
    tag, text = element.tag, (element.text or "").strip()
    if tag in ("mrow", "mtd", "mstyle"):
        return _tokens(element)
    if tag == "mspace" or (tag == "mo" and text in ("", "\u2063")):
        return []
    if tag == "mtable":
        cells = [[float("".join(cell.itertext()).replace("−", "-")) for cell in row] for row in element]
        return [_Token("matrix", "matrix", value=np.array(cells))]
    if tag == "mn":
        return [_Token("number", text)]
    if tag == "mi" or text in _FUNCTIONS:  # a function's name is an operator, too, if nothing marks its application
        upright = element.get("mathvariant") == "normal"
        return [_Token("name", "upright d" if upright and text == "d" else {"𝟏": "ones"}.get(text, text))]
    if tag == "mover" and element[1].text in _ACCENTS:
        return [_Token("name", _token(element[0])[0].text + _ACCENTS[element[1].text or ""])]
    if tag == "msqrt":
        return [_Token("open", "("), *_tokens(element), _Token("close", ")", power=(_Token("number", "0.5"),))]
    if tag == "mfrac":
        return [_fraction(_token(element[0]), _token(element[1]))]
    if tag in ("msub", "msup", "msubsup", "munder", "munderover"):
        return _scripted(element)
    assert tag == "mo", f"<{tag}> is not understood"
    if text in RELATIONS or text in ("≥", "≤"):
        return [_Token("relation", text)]
    norm = {"prefix": "open", "postfix": "close"}.get(element.get("form", "")) if text == "‖" else None
    kind = norm or {"(": "open", "[": "open", "⌊": "open", ")": "close", "]": "close", "⌋": "close", ",": "comma"}.get(
        text, "operator"
    )
    return [_Token("reduce" if text in "∑∏" else kind, text)]


def _fraction(above: list[_Token], below: list[_Token]) -> _Token:
    if above[0].text == "∂" and len(above) == len(below) == 2:
        return _Token("name", f"∂{above[1].text}/∂{below[1].text}", above[1].index + below[1].index)
    return _Token("fraction", "/", parts=(tuple(above), tuple(below)))


def _scripted(element: ET.Element) -> list[_Token]:
    """A base with what stands below and above it."""
    (*before, base) = _token(element[0])
    below = [] if element.tag == "msup" else _token(element[1])
    above = _token(element[-1]) if element.tag in ("msup", "msubsup", "munderover") else []
    if base.kind == "reduce" or (base.text == "max" and below):
        return [*before, _Token("reduce", base.text, index=(tuple(below[:1]),))]
    name, transposed = base.text, False
    if [t.text for t in above[:1]] == ["("]:  # W^{(1)}
        name, above = name + above[1].text, above[3:]
    if above and above[-1].text == "⊤":
        above, transposed = above[:-1], True
    if above and set(above[-1].text) <= set("′″‴"):
        name, above = name + "'" * len(above[-1].text), above[:-1]
    groups = _split(below)  # x_{c, i+u, n}, or x_{in} for x_{i, n}
    grouped = len(groups) > 1 or any(token.kind == "operator" for token in below)
    index = tuple(map(tuple, groups)) if grouped else tuple((token,) for token in below)
    return [*before, _Token(base.kind, name, index, tuple(above), transposed)]


class _Parser:
    """Turns tokens into functions of the indices' places."""

    def __init__(self, tokens: Sequence[_Token], values: Mapping[str, Value], sizes: Mapping[str, int]) -> None:
        self._tokens, self._values, self._sizes = list(tokens), values, sizes
        self._at = 0
        self._bound: set[str] = set()
        self.free: set[str] = set()

    def done(self) -> bool:
        return self._at == len(self._tokens)

    def rest(self) -> list[str]:
        return [token.text for token in self._tokens[self._at :]]

    def ahead(self, *kinds: str) -> bool:
        return not self.done() and self._tokens[self._at].kind in kinds

    def take(self) -> _Token:
        self._at += 1
        return self._tokens[self._at - 1]

    def _ahead_text(self, *texts: str) -> bool:
        return self.ahead("operator") and self._tokens[self._at].text in texts

    def _inner(self, tokens: Sequence[_Token]) -> Node:
        parser = _Parser(tokens, self._values, self._sizes)
        parser._bound = self._bound
        node = parser.sum()
        assert parser.done(), f"not understood from {parser.rest()}"
        self.free |= parser.free
        return node

    def sum(self) -> Node:
        total = self._signed()
        while self._ahead_text("+", "−", "-"):
            sign = 1 if self.take().text == "+" else -1
            total = _add(total, sign, self._product())
        return total

    def _signed(self) -> Node:
        if self._ahead_text("−", "-"):
            self.take()
            node = self._product()
            return lambda env: -node(env)
        return self._product()

    def _product(self) -> Node:
        node = self._factor()
        while not self.done() and not self.ahead("relation", "close", "comma") and not self._ahead_text("+", "−", "-"):
            how: Callable[..., Array | float] = _times
            if self.ahead("operator"):
                how = _PRODUCTS[self.take().text]
            node = _combine(how, node, self._factor())
        return node

    def _factor(self) -> Node:
        token = self.take()
        if token.kind == "number":
            return _power(lambda env: float(token.text), token, self)
        if token.kind == "matrix":
            assert token.value is not None
            matrix = token.value
            return lambda env: matrix
        if token.kind == "fraction":
            return _combine(np.divide, self._inner(token.parts[0]), self._inner(token.parts[1]))
        if token.kind == "reduce":
            return self._reduced(token)
        if token.kind == "open":
            return self._group(token)
        assert token.kind == "name", f"not understood: {token.text}"
        if token.text == "e" and token.power:
            exponent = self._inner(token.power)
            return lambda env: np.exp(exponent(env))
        called = self._values.get(token.text, _FUNCTIONS.get(token.text))
        if callable(called):
            return self._call(called)
        return self._named(token)

    def _reduced(self, token: _Token) -> Node:
        letter = token.index[0][0].text
        outer = letter in self._bound
        self._bound = self._bound | {letter}
        body = self._product()
        if not outer:
            self._bound = self._bound - {letter}
        size, reduce = self._sizes[letter], _REDUCE[token.text]
        return lambda env: reduce([body({**env, letter: i}) for i in range(size)])

    def _group(self, opened: _Token) -> Node:
        node = self.sum()
        if opened.text == "[":  # 1 where it is true, [a < b < c] where both are
            truths: list[Node] = []
            while self.ahead("relation"):
                relation, right = RELATIONS[self.take().text], self.sum()
                truths.append(_combine(relation, node, right))
                node = right
            assert truths, "[ ] without a statement"
            node = _all(truths)
        closed = self.take()
        assert closed.kind == "close", f"not closed before {closed.text}"
        if opened.text == "⌊":
            node = _apply(np.floor, node)
        if opened.text == "‖":
            node = _apply(lambda value: float(np.linalg.norm(np.ravel(value))), node)
        return _power(node, closed, self)

    def _call(self, function: Callable[..., "Array | float"]) -> Node:
        if not self.ahead("open"):
            argument = self._reduced(self.take()) if self.ahead("reduce") else self._factor()
            return lambda env: function(argument(env))
        self.take()
        arguments = [self.sum()]
        while self.ahead("comma"):
            self.take()
            arguments.append(self.sum())
        closed = self.take()
        return _power(lambda env: function(*(argument(env) for argument in arguments)), closed, self)

    def _named(self, token: _Token) -> Node:
        if token.text not in self._values:
            if token.text in self._bound or token.text in self._sizes:
                letter = token.text
                self.free |= {letter} - self._bound
                return _power(lambda env: float(env[letter]), token, self)
            raise LookupError(f"{token.text} has no value.")
        array = self._values[token.text]
        assert not callable(array)
        places: list[Node] = []
        for index in token.index:
            if len(index) == 1 and index[0].kind == "number":  # 1, 2, ...: the first has the place 0
                places.append(_constant(int(index[0].text) - 1))
            else:
                places.append(self._inner(index))

        def look_up(env: Env) -> Array | float:
            found: Array | float = array
            for place in places:
                at = round(float(place(env)))
                if not 0 <= at < np.shape(found)[0]:
                    return 0.0
                found = np.asarray(found)[at]
            if places and np.size(found) == 1:
                return float(np.ravel(found)[0])
            return found

        return _power(look_up, token, self)


def _power(node: Node, token: _Token, parser: _Parser) -> Node:
    if token.transposed:
        node = _apply(np.transpose, node)
    if token.power:
        base, exponent = node, parser._inner(token.power)
        return lambda env: base(env) ** exponent(env)
    return node


_PRODUCTS: dict[str, Callable[..., "Array | float"]] = {
    "⊙": np.multiply, "/": np.divide, "⋅": lambda a, b: _times(a, b), "·": lambda a, b: _times(a, b),
}  # fmt: skip


def _add(left: Node, sign: int, right: Node) -> Node:
    return lambda env: left(env) + sign * right(env)


def _constant(value: float) -> Node:
    return lambda env: float(value)


def _apply(how: Callable[..., "Array | float"], inner: Node) -> Node:
    return lambda env: how(inner(env))


def _all(truths: list[Node]) -> Node:
    """1 where all of them hold, 0 elsewhere."""
    return lambda env: np.prod([np.asarray(truth(env), dtype=np.float64) for truth in truths], axis=0)


def _combine(how: Callable[..., "Array | float"], left: Node, right: Node) -> Node:
    return lambda env: how(left(env), right(env))


def _times(a: "Array | float", b: "Array | float") -> "Array | float":
    return np.asarray(a) @ np.asarray(b) if np.ndim(a) == np.ndim(b) == 2 else a * b
