"""Turns the formulas of docstrings into MathML.

    y[o,n] = b[o] + sum_i W[o,i] x[i,n]      indices in brackets, sums with their index, products by juxtaposition
    p = e^z[k] / sum_j e^z[j]                powers and fractions; a fraction's numerator is the whole product before /
    loss = -(1/2N) sum (a - [k = label n])²  adjacent symbols, as in 2N, belong together; [k = label n] is 1 or 0
    dx = dy where x > 0, else 0              words that are not symbols stay text

The notation is that of all docstrings in `digitscope.nn`. What cannot be parsed stays text, so nothing raises an error.
"""

import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

_TOKEN = re.compile(
    r"(?P<gap>\s{3,})|(?P<space>\s+)|(?P<number>\d+(?:\.\d+)?(?:e-?\d+)?)|(?P<word>[^\W\d_]\w*'s\b|`[^`]*`|[^\W\d_]{2,}-[^\W\d_]{2,})"
    r"|(?P<name>[^\W\d_][^\W²³]*'?)|(?P<operator><-|->|<=|>=|//|\.\.\.|\S)"
)
_FUNCTIONS = {"log", "exp", "tanh", "cos", "sin", "softmax", "sigmoid"}
_REDUCTIONS = {"sum": "∑", "max": "max", "min": "min"}
_RELATIONS = {
    "=": "=",
    "<-": "←",
    "->": "→",
    "<": "&lt;",
    ">": "&gt;",
    "<=": "≤",
    ">=": "≥",
    "≤": "≤",
    "≥": "≥",
    "~": "≈",
}
_GREEK = {"eps": "ε", "pi": "π", "beta": "β"}
_WORDS = {
    *("scale", "shift", "rate", "size", "slope", "classes", "label", "labels", "momentum", "loss", "images", "limit"),
    *("learning_rate", "weight_decay", "eps", "pi", "beta1", "beta2", "factor", "final", "progress", "stride"),
}
"""The symbols of more than one letter. Other words are symbols only beside an operator or an index."""
_PROSE = {
    *("the", "if", "where", "else", "with", "and", "or", "over", "of", "for", "in", "at", "is", "as", "it", "on", "to"),
    *("from", "do", "are", "both", "each"),
}
_TIGHT = set("+-*/=^") | {"//", "<-"}
TIMES = '<mo>&#x2062;</mo><mspace width="0.15em"/>'
DEEPEST = 20
"""Brackets within each other; what has more stays text."""
APPLY = "<mo>&#x2061;</mo>"


class Node(NamedTuple):
    """A part of a formula."""

    markup: str
    inside: str = ""
    """If it is in parentheses, the markup between them."""
    kind: str = ""
    """"number", "fraction" or ""."""

    @property
    def bare(self) -> str:
        """Without its parentheses, where a fraction's line or an exponent's place makes them needless."""
        return self.inside or self.markup


class _NoFormulaError(Exception):
    pass


def formula_html(text: str, values: Mapping[str, int] | None = None) -> str:
    """A line of a docstring as HTML: each formula in it as a <math> element, all else as text.

    Each symbol has the attribute data-symbol with its name in the text, such as "dW". `values` replaces indices by
    numbers: with {"o": 3} the symbol W[o,i] becomes that of W[3,i].
    """
    tokens = _tokens(text)
    parts: list[str] = []
    i = 0
    while i < len(tokens):
        parser = _Parser(tokens, i, values or {})
        try:
            if not parser.begins():
                raise _NoFormulaError
            statement = parser.statement()
        except _NoFormulaError:
            kind, token, space = tokens[i]
            parts.append(space + escape(token.strip("`") if kind == "word" else token))
            i += 1
        else:
            parts.append(f'{tokens[i][2]}<math displaystyle="true">{statement}</math>')
            i = parser.i
    return "".join(parts).strip()


def symbol_mathml(symbol: str) -> str:
    """A single expression, such as the symbol of a factor, as one <math> element; as its text if it is none."""
    parser = _Parser(_tokens(symbol), 0, {})
    try:
        expression = parser.statement()
    except _NoFormulaError:
        expression = ""
    if not expression or parser.i < len(parser.tokens):
        expression = f"<mtext>{escape(symbol)}</mtext>"
    return f"<math>{expression}</math>"


def formula_lines(formula: str) -> list[str]:
    """The separate formulas of a docstring's lines. Two in one line have at least three spaces between them."""
    return [part for line in formula.splitlines() for part in re.split(r"\s{3,}", line.strip()) if part]


def left_side(formula: str) -> tuple[str, tuple[str, ...]] | None:
    """The symbol that a formula defines, and the names of its indices: ("y", ("o", "n")) for "y[o,n] = ..."."""
    found = re.match(r"([^\W\d]\w*)(?:\[([^\W\d](?:,[^\W\d])*)\])? = ", formula)
    return found and (found[1], tuple((found[2] or "").split(",")) if found[2] else ())


def _tokens(text: str) -> list[tuple[str, str, str]]:
    """(kind, text, the space before it) of each token."""
    found = []
    space = ""
    for match in _TOKEN.finditer(text):
        if match.lastgroup in ("space", "gap"):
            space = match[0]
            continue
        found.append((match.lastgroup or "", match[0], space))
        space = ""
    return found


class _Parser:
    """Recursive descent over the tokens from i on. Each method leaves i behind what it has read."""

    def __init__(self, tokens: Sequence[tuple[str, str, str]], i: int, values: Mapping[str, int]) -> None:
        self.tokens, self.i, self.values = tokens, i, values
        self.depth = 0
        """The number of brackets of an index that are open."""
        self.nested = 0

    def text(self, ahead: int = 0) -> str:
        place = self.i + ahead
        return self.tokens[place][1] if 0 <= place < len(self.tokens) else ""

    def adjacent(self, ahead: int = 0) -> bool:
        """Whether there is no space before the token."""
        place = self.i + ahead
        return place < len(self.tokens) and not self.tokens[place][2]

    def take(self, expected: str | None = None) -> str:
        token = self.text()
        if not token or (expected is not None and token != expected):
            raise _NoFormulaError
        self.i += 1
        return token

    def begins(self) -> bool:
        """Whether a formula can begin at this token. A lone number, letter or bracket in a sentence is text."""
        kind, token, _ = self.tokens[self.i]
        if kind == "number":
            return self.text(1) in {*_TIGHT, *_RELATIONS} and self.text(1) != "->"
        return (kind == "name" and self.is_symbol()) or (token in "-([|" and self.text(1) not in ("", " "))

    def is_symbol(self) -> bool:
        """Whether the name at this token is a symbol and not a word of a sentence."""
        token = self.text()
        if token in _PROSE:
            return False
        if token in _REDUCTIONS or token.split("_")[0] in _REDUCTIONS:
            return self.text(1) not in ("of", "over") and self.text(-1) != "the"
        if token in _FUNCTIONS or token in _WORDS or (token.startswith("d") and token[1:] in _WORDS):
            return True
        if self.text(1) in "[(" and self.text(1) and self.adjacent(1):
            return True
        beside_operator = self.text(1) in _TIGHT or self.text(-1) in _TIGHT
        if token in ("a", "A", "I"):
            return beside_operator
        letters = token.rstrip("'").split("_")[0].rstrip("0123456789")
        if len(letters) == 1 or (len(letters) == 2 and letters[0] == "d"):
            return True
        return beside_operator

    def statement(self) -> str:
        parts = [self.sum()]
        while self.text() in _RELATIONS:
            place = self.i
            relation = _RELATIONS[self.take()]
            try:
                parts += [f"<mo>{relation}</mo>", self.sum()]
            except _NoFormulaError:  # "dx = the sum of ..."
                self.i = place
                break
        return "".join(parts)

    def sum(self) -> str:
        parts = []
        if self.text() == "-":
            self.take()
            parts.append("<mo>−</mo>")
        parts.append(self.term())
        while self.text() in ("+", "-") and self.text(1):
            parts.append("<mo>+</mo>" if self.take() == "+" else "<mo>−</mo>")
            parts.append(self.term())
        return "".join(parts)

    def term(self) -> str:
        return self.product().markup

    def product(self) -> Node:
        """Factors one after the other; / takes all of those before it as its numerator."""
        parts = [self.factor()]
        while True:
            if self.text() in ("/", "//") and self.text(1):
                floor = self.take() == "//"
                over = parts[0].bare if len(parts) == 1 else "".join(part.markup for part in parts)
                fraction = f"<mfrac>{_row(over)}{_row(self.factor().bare)}</mfrac>"
                parts = [Node(f"<mo>⌊</mo>{fraction}<mo>⌋</mo>" if floor else fraction, kind="fraction")]
            elif self.text() in ("*", "·"):
                self.take()
                parts += [Node("<mo>·</mo>"), self.factor()]
            elif self.continues():
                following = self.factor()
                parts += [Node("<mo>·</mo>" if following.kind == "number" else TIMES), following]
            elif len(parts) == 1:
                return parts[0]
            else:
                return Node("".join(part.markup for part in parts))

    def continues(self) -> bool:
        """Whether a further factor follows."""
        if self.i >= len(self.tokens):
            return False
        kind, token, space = self.tokens[self.i]
        if len(space) > 2:
            return False
        if kind == "name":
            return self.is_symbol() and self.text(1) not in ("<-",)
        return kind == "number" or token in ("(", "[")

    def factor(self) -> Node:
        """An atom with its power."""
        node = self.atom()
        while self.text() in ("^", "²"):
            if self.take() == "²":
                exponent = "<mn>2</mn>"
            else:
                minus = "<mo>−</mo>" if self.text() == "-" and self.take() else ""
                exponent = _row(minus + self.atom().bare)
            node = Node(f"<msup>{_row(node.markup)}{exponent}</msup>")
        return node

    def atom(self) -> Node:
        kind, token = self.tokens[self.i][:2] if self.i < len(self.tokens) else ("", "")
        if kind == "number":
            self.take()
            if self.i < len(self.tokens) and self.tokens[self.i][0] == "name" and self.adjacent():
                return Node(_row(_number(token) + "<mo>&#x2062;</mo>" + self.factor().markup))
            return Node(_number(token), kind="number")
        if kind == "name" and self.is_symbol():
            return self.named()
        if token in ("(", "[", "|"):
            return self.group(token)
        if token == "...":
            self.take()
            return Node("<mo>…</mo>")
        raise _NoFormulaError

    def group(self, opening: str) -> Node:
        self.take()
        self.nested += 1
        if self.nested > DEEPEST:
            raise _NoFormulaError
        statements = self.listed({"(": ")", "[": "]", "|": "|"}[opening])
        inner = "<mo>,</mo>".join(statements)
        closing = self.take()
        self.nested -= 1
        is_fraction = inner.startswith("<mfrac>") and inner.count("<mfrac>") == 1 and inner.endswith("</mfrac>")
        if opening == "(" and is_fraction and self.text() not in ("^", "²"):
            return Node(inner, kind="fraction")
        markup = _row(f"<mo>{opening}</mo>{inner}<mo>{closing}</mo>")
        return Node(markup, inner if opening == "(" and len(statements) == 1 else "")

    def listed(self, closing: str) -> list[str]:
        """Statements with commas between them, up to a closing bracket, which is not taken."""
        parts = [self.statement()]
        while self.text() == ",":
            self.take()
            parts.append(self.statement())
        if self.text() != closing:
            raise _NoFormulaError
        return parts

    def named(self) -> Node:
        token = self.take()
        base, _, sub = token.partition("_")
        if base in _REDUCTIONS and len(sub) <= 1:
            return self.reduction(base, sub)
        if base == "sqrt" and self.text() == "(":
            return Node(f"<msqrt>{_row(self.atom().bare)}</msqrt>")
        if base in _FUNCTIONS:
            applied = self.atom() if self.text() == "(" and self.adjacent() else self.product()
            space = '<mspace width="0.15em"/>' * (not applied.inside)
            return Node(f"<mi>{base}</mi>{APPLY}{space}{_row(applied.markup)}")
        if self.depth and token in self.values:
            return Node(f"<mn>{self.values[token]}</mn>", kind="number")
        symbol, name = _symbol(token), escape(token)
        if self.text() == "[" and self.adjacent():
            symbol = f'<msub data-symbol="{name}">{_row(symbol)}{_row(self.index())}</msub>'
        elif not self.depth:
            symbol = f'<mrow data-symbol="{name}">{symbol}</mrow>'
        if self.text() == "(" and self.adjacent():
            symbol += APPLY + self.atom().markup
        return Node(symbol)

    def index(self) -> str:
        self.take("[")
        self.depth += 1
        inner = "<mo>,</mo>".join(self.listed("]"))
        self.depth -= 1
        self.take("]")
        return inner

    def reduction(self, base: str, sub: str) -> Node:
        """A sum or a maximum over an index; it extends over the rest of the product."""
        under = _symbol(sub) if sub else ""
        if self.text() == "{" and self.text(-1).endswith("_"):
            self.take()
            under = "<mo>,</mo>".join(self.listed("}"))
            self.take("}")
        head = f'<mo movablelimits="false">{_REDUCTIONS[base]}</mo>'
        if under:
            head = f"<munder>{head}{_row(under)}</munder>"
        in_parentheses = not under and self.text() == "(" and self.adjacent()
        body = self.atom() if in_parentheses else self.product()
        return Node(head + _row(body.markup))


def _row(markup: str) -> str:
    return f"<mrow>{markup}</mrow>"


def _number(token: str) -> str:
    """1e-5 is written as a power of ten."""
    mantissa, _, exponent = token.partition("e")
    if not exponent:
        return f"<mn>{token}</mn>"
    power = f"<msup><mn>10</mn>{_row(f'<mn>{exponent}</mn>'.replace('<mn>-', '<mo>−</mo><mn>'))}</msup>"
    return power if mantissa == "1" else _row(f"<mn>{mantissa}</mn><mo>·</mo>{power}")


def _symbol(token: str) -> str:
    """A name: d in front of it is upright, letters behind _ are an index, Greek letters are written as such."""
    name = token.rstrip("'")
    prime = "<mo>′</mo>" * (len(token) - len(name))
    base, _, sub = name.partition("_")
    if base.startswith("d") and (len(base) == 2 or base[1:] in _WORDS):
        return f'<mi mathvariant="normal">d</mi>{_symbol(token[1:])}'
    if sub and (base in _WORDS or (len(base) > 2 and len(sub) > 1)):
        return f"<mi>{escape(name.replace('_', ' '))}</mi>{prime}"
    letters = base.rstrip("0123456789")
    sub = base[len(letters) :] + sub
    symbol = f"<mi>{escape(_GREEK.get(letters, letters))}</mi>"
    if sub:
        inner = f"<mn>{sub}</mn>" if sub.isdigit() else f"<mi>{escape(sub)}</mi>"
        symbol = f"<msub>{symbol}{inner}</msub>"
    return symbol + prime
