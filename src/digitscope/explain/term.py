"""A number of a pass as the sum, or another function, of products with named factors."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from digitscope.arrays import Array
from digitscope.explain.definition import Source

Index = tuple[int, ...]

KINK = 1e-2
"""Minimum relative difference between the slopes below and above at which str(Terms) reports a kink."""
SHOWN = 8
"""Maximum number of terms that str(Terms) prints, the largest first."""


@dataclass(frozen=True, slots=True)
class Factor:
    """One number of a product."""

    symbol: str
    """The symbol in the formula, such as "x", "W", "dy"; or a function of the number in the array, such as "1 - y"."""
    value: float
    name: str | None = None
    """The name of its array: an activation ("input", "3"), a parameter ("0.weight"), a derivative ("d3", "d0.weight")
    or another quantity that `terms` explains. None for a constant."""
    index: Index = ()
    """Its index in this array."""

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
    """The result of a rule for a layer or a loss; `terms` makes `Terms` from it, which describes the fields."""

    terms: Sequence[Term]
    symbol: str
    """The number's symbol in the docstring, with which its formula begins: "y", "dW"."""
    combine: str = "sum"
    scale: float = 1.0
    chosen: int | None = None
    definition: object = None
    """The class or function whose docstring has the formula, if it is not the layer."""


def _log_sum_exp(products: Array) -> float:
    return float(products.max() + np.log(np.exp(products - products.max()).sum()))


COMBINE: dict[str, Callable[[Array, int | None], float]] = {
    "sum": lambda products, _: math.fsum(products.tolist()),
    "max": lambda products, _: float(products.max()),
    "sigmoid": lambda products, _: float(0.5 * np.tanh(0.5 * products.sum()) + 0.5),
    "tanh": lambda products, _: float(np.tanh(products.sum())),
    "exp": lambda products, _: math.exp(products.sum()),
    "softmax": lambda products, chosen: math.exp(products[chosen] - _log_sum_exp(products)),
    "log-sum-exp": lambda products, _: _log_sum_exp(products),
}
"""The functions that combine products to a number. "softmax" gives the share of the chosen product. A number without a
rule has no terms; its `combine` is "unknown"."""


@dataclass(frozen=True)
class Terms:
    """Explains why a number of a pass has its value. str() gives a short table.

    value = scale * combine(products), where the products are those of `terms`
    """

    of: str
    index: Index
    value: float
    """The number that the pass computed, in the network's own precision."""
    terms: tuple[Term, ...] = field(repr=False)
    """Products that are zero by construction, such as a convolution's with its padding, are left out."""
    combine: str
    """A key of `COMBINE`, or "unknown"."""
    scale: float
    """The number before the sum, such as 1/N of a mean."""
    chosen: int | None
    """The index of the largest term of a "max", or of the term whose share is explained for a "softmax"."""
    formula: str = field(repr=False)
    """The lines of the docstring that define the number; empty if the docstring has none."""
    derivations: tuple[str, ...] = field(repr=False)
    """Links to the derivation in the notes: docs/notes/FILE.md#SECTION."""
    equation: str | None = field(repr=False)
    """The number of the notes' equation that defines it, such as "5.4"; None if no equation does."""
    source: Source | None = field(repr=False)
    """The code that defines it: the layer's `forward`, or the function that the layer's docstring refers to. None if it
    was not written in a file."""
    numeric: float | None = None
    """For a derivative, if requested: the central difference of the loss, in float64."""
    numeric_sides: tuple[float, float] | None = None
    """The slopes of the loss below and above, if `numeric` is given. If they differ, the loss has a kink (of a ReLU, or
    of a maximum with a tie) and no derivative; the central difference is their mean."""

    @property
    def total(self) -> float:
        """The value, computed again from the terms in float64; `value` itself if there are no terms."""
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
        if self.equation is not None:
            lines.append(f"  equation ({self.equation}) of the notes")
        lines += [f"  {link}" for link in self.derivations]
        if self.source is not None:
            lines.append(f"  {self.source}")
        return "\n".join(lines)


def _commas(index: Index) -> str:
    return ",".join(map(str, index))
