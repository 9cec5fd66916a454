"""A number of a pass as the sum, or another function, of products that are named."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from digitscope.arrays import Array
from digitscope.explain.definition import Source

Index = tuple[int, ...]

KINK = 1e-2
"""str(Terms) calls it a kink if the differences below and above are further apart, as a share of the larger."""
SHOWN = 8
"""Terms that str(Terms) prints, the largest first."""


@dataclass(frozen=True, slots=True)
class Factor:
    """One number of a product."""

    symbol: str
    """As the formula writes it: "x", "W", "dy"; or what is made of the number at the place: "1 - y"."""
    value: float
    name: str | None = None
    """The array that it is in: an activation ("input", "3"), a parameter ("0.weight"), a derivative ("d3", "d0.weight")
    or another quantity that `terms` explains. None for a constant."""
    index: Index = ()
    """Its place in that array."""

    def __str__(self) -> str:
        number = f"{self.value:.6g}"
        if self.name is not None:
            return f"{number} ({self.symbol}: {self.name}[{_commas(self.index)}])"
        return number if number == self.symbol else f"{number} ({self.symbol})"


@dataclass(frozen=True, slots=True)
class Term:
    """A product."""

    factors: tuple[Factor, ...]

    @property
    def product(self) -> float:
        return math.prod(factor.value for factor in self.factors)

    def __str__(self) -> str:
        return " * ".join(map(str, self.factors))


@dataclass(frozen=True)
class Explanation:
    """What a rule for a layer or a loss says of one number; `terms` adds the rest. See `Terms` for the fields."""

    terms: Sequence[Term]
    symbol: str
    """The number's symbol in the docstring, with which its formula begins: "y", "dW"."""
    combine: str = "sum"
    scale: float = 1.0
    chosen: int | None = None
    definition: object = None
    """The class or function whose docstring has the formula, where it is not the layer's own."""


def _log_sum_exp(products: Array) -> float:
    return float(products.max() + np.log(np.exp(products - products.max()).sum()))


COMBINE: dict[str, Callable[[Array, int | None], float]] = {
    "sum": lambda products, _: math.fsum(products.tolist()),
    "max": lambda products, _: float(products.max()),
    "sigmoid": lambda products, _: float(0.5 * np.tanh(0.5 * products.sum()) + 0.5),
    "tanh": lambda products, _: float(np.tanh(products.sum())),
    "softmax": lambda products, chosen: math.exp(products[chosen] - _log_sum_exp(products)),
    "log-sum-exp": lambda products, _: _log_sum_exp(products),
}
"""How products become a number. For "softmax" it is the share of the chosen one. A number that no rule takes apart has
no terms; its `combine` is "unknown"."""


@dataclass(frozen=True)
class Terms:
    """Why a number of a pass is what it is. str() of it is a short table.

    value = scale * combine(products), where the products are those of `terms`
    """

    of: str
    index: Index
    value: float
    """As the pass computed it, in the network's own precision."""
    terms: tuple[Term, ...] = field(repr=False)
    """Products that are zero by construction, such as a convolution's with its padding, are left out."""
    combine: str
    """A key of `COMBINE`, or "unknown"."""
    scale: float
    """The number before the sum, such as 1/N of a mean."""
    chosen: int | None
    """Of "max", the term that is largest; of "softmax", the term whose share the number is."""
    formula: str = field(repr=False)
    """The lines of the docstring that define the number; empty if the docstring has none."""
    derivations: tuple[str, ...] = field(repr=False)
    """Where the notes derive it: docs/notes/FILE.md#SECTION."""
    source: Source | None = field(repr=False)
    """The code that defines it: the layer's `forward`, or the function that the layer's docstring refers to. None if it
    was not written in a file."""
    numeric: float | None = None
    """Of a derivative, if asked for: the central difference of the loss, in float64."""
    numeric_sides: tuple[float, float] | None = None
    """With it: the differences to the loss below and above. If they differ, the loss has a kink there, a ReLU's or a
    maximum's with a tie, and no derivative; the central difference is their mean."""

    @property
    def total(self) -> float:
        """The value again, from the terms and in float64; without terms, the value."""
        if self.combine not in COMBINE:
            return self.value
        products = np.array([term.product for term in self.terms], np.float64)
        return self.scale * COMBINE[self.combine](products, self.chosen)

    def __str__(self) -> str:
        place = f"[{_commas(self.index)}]" if self.index else ""
        count = f"{len(self.terms)} term{'s' * (len(self.terms) != 1)}"
        scale = f"{self.scale:.6g} * " * (self.scale != 1)
        lines = [f"{self.of}{place} = {self.value:.6g} = {scale}{self.combine} of {count}"]
        lines += [f"  {line}" for line in self.formula.splitlines()]
        largest = sorted(range(len(self.terms)), key=lambda i: -abs(self.terms[i].product))
        for i in largest[:SHOWN]:
            mark = "  <-" if i == self.chosen else ""
            lines.append(f"  {self.terms[i].product:+12.6g} = {self.terms[i]}{mark}")
        if rest := [self.terms[i].product for i in largest[SHOWN:]]:
            lines.append(f"  {math.fsum(rest):+12.6g} = the sum of {len(rest)} more")
        if self.numeric is not None:
            lines.append(f"  {self.numeric:+12.6g} by central differences")
        if self.numeric_sides is not None and not math.isclose(*self.numeric_sides, rel_tol=KINK, abs_tol=1e-8):
            below, above = self.numeric_sides
            lines[-1] += f": a kink, {below:.6g} below and {above:.6g} above"
        lines += [f"  {link}" for link in self.derivations]
        if self.source is not None:
            lines.append(f"  {self.source}")
        return "\n".join(lines)


def _commas(index: Index) -> str:
    return ",".join(map(str, index))
