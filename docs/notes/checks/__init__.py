"""Every numbered equation of the notes, checked.

chapter_NN.py has functions that assert what the chapter's equations say. `@check("4.3", by="sympy")` enters one.
An equation whose left side has a ∂ or an upright d is a derivative; it needs three checks:

sympy        symbolically on small sizes
differences  numerically, by central differences
digitscope   against what digitscope.nn computes

Any other equation needs at least one, which may also be by "numbers". A check may cover several. And every equation is
computed as it is printed, from its LaTeX (`formula.holds`), by "printed", unless the chapter's UNPRINTED says why not.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Literal, get_args

import numpy as np

from digitscope.arrays import Array
from digitscope.notes.chapters import chapter_paths
from docs.notes import NOTES
from docs.notes.checks.formula import computed

Method = Literal["sympy", "differences", "digitscope", "numbers", "printed"]
METHODS: tuple[Method, ...] = get_args(Method)
DERIVATIVE: frozenset[Method] = frozenset({"sympy", "differences", "digitscope"})
"""What a derivative must be checked by."""


@dataclass(frozen=True)
class Check:
    """A function that fails where its equations are wrong."""

    equations: tuple[str, ...]
    by: Method
    function: Callable[[], None]

    @property
    def name(self) -> str:
        """Of its chapter's module and its function."""
        return f"{self.function.__module__.rpartition('.')[2]}.{self.function.__name__}"

    def run(self) -> None:
        """Raises: AssertionError where an equation is wrong, or not computed where it should be."""
        rng = self.function.__globals__.get("RNG")
        if rng is not None:  # The same numbers whichever checks ran before.
            rng.bit_generator.state = np.random.default_rng(len(self.name)).bit_generator.state
        computed.clear()
        self.function()
        if self.by == "printed":
            assert computed == set(self.equations), f"computed were {sorted(computed)}"


_CHECKS: list[Check] = []


def check(*equations: str, by: Method) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Enters a function as a check of these equations, "4.3"."""

    def enter(function: Callable[[], None]) -> Callable[[], None]:
        _CHECKS.append(Check(equations, by, function))
        return function

    return enter


def checks() -> list[Check]:
    """All of them, of all chapters."""
    for path in sorted((NOTES / "checks").glob("chapter_*.py")):
        import_module(f"docs.notes.checks.{path.stem}")
    return list(_CHECKS)


def unprinted() -> dict[str, str]:
    """The equations whose LaTeX is not computed, and why."""
    found: dict[str, str] = {}
    for path in sorted((NOTES / "checks").glob("chapter_*.py")):
        found |= getattr(import_module(f"docs.notes.checks.{path.stem}"), "UNPRINTED", {})
    return found


def matrices(number: str) -> list[Array]:
    """The matrices of numbers in an equation of the notes, in order, so that examples by hand can be checked, too.

    Raises: LookupError where no equation has this number; ValueError where a matrix has something else than numbers.
    """
    for path in chapter_paths():
        for block in re.findall(
            r"^```math\n(.*?)^```", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL
        ):
            if f"\\tag{{{number}}}" in block:
                bodies = re.findall(r"\\begin\{bmatrix\}(.*?)\\end\{bmatrix\}", block, flags=re.DOTALL)
                return [np.array([[float(x) for x in row.split("&")] for row in b.split(r"\\")]) for b in bodies]
    raise LookupError(f"There is no equation ({number}).")


def differences(
    function: Callable[[Array], Array | float], x: Array, dy: Array | float = 1.0, *, width: float = 1e-5
) -> Array:
    """The derivative of sum(dy f(x)) with respect to every entry of x, by central differences; of x's shape.

    dy has f(x)'s shape; it is 1 where f(x) is a number, whose own derivative this is then.
    (f(x + h) - f(x - h)) / 2h   errs by h² f'''/6 and by rounding over h: about 1e-10 in float64.
    """

    def along(x: Array) -> float:
        y = np.asarray(function(x))
        assert y.shape == np.shape(dy), f"dy has the shape {np.shape(dy)}, the function's value {y.shape}"
        return float((dy * y).sum())

    x = np.array(x, dtype=np.float64)
    result = np.zeros_like(x)
    for i in range(x.size):
        kept = x.flat[i]
        x.flat[i] = kept + width
        above = along(x)
        x.flat[i] = kept - width
        result.flat[i] = (above - along(x)) / (2 * width)
        x.flat[i] = kept
    return result


def agree(a: Array | float, b: Array | float, tolerance: float = 1e-8) -> None:
    """Asserts that two arrays have one shape and are alike up to `tolerance` of the largest entry (or of 1)."""
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    assert a.shape == b.shape, f"shapes differ: {a.shape} and {b.shape}"
    scale = max(1.0, float(np.abs(b).max(initial=0)))
    worst = float(np.abs(a - b).max(initial=0))
    assert worst <= tolerance * scale, f"they differ by {worst:.2e}:\n{a}\n{b}"
