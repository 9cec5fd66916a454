"""The figures: chapter_NN.py has a function a figure, `@drawing("04-slow-start")`, which returns a matplotlib Figure
in the report's style; `python -m docs.notes draw` writes it to docs/notes/pictures. A test draws each again.
"""

import base64
import io
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from itertools import zip_longest
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from digitscope.arrays import Array
from digitscope.blas_threads import blas_threads
from digitscope.report.style import save_svg, styled
from docs.notes import NOTES

PICTURES = NOTES / "pictures"


@dataclass(frozen=True)
class Drawing:
    """A figure of the notes."""

    name: str
    """Of its file, without .svg: chapter, hyphen, what it shows."""
    draw: Callable[[], Figure]
    tolerance: float
    """How far a coordinate may move before the committed file counts as stale, in points (a figure is 520 wide)."""


_DRAWINGS: dict[str, Drawing] = {}


def drawing(name: str, tolerance: float = 0.5) -> Callable[[Callable[[], Figure]], Callable[[], Figure]]:
    """Enters a function as the one that draws pictures/NAME.svg. What shows a training may need a larger tolerance."""

    def enter(function: Callable[[], Figure]) -> Callable[[], Figure]:
        if name in _DRAWINGS:
            raise ValueError(f"There are two figures {name}.")
        _DRAWINGS[name] = Drawing(name, function, tolerance)
        return function

    return enter


def drawings() -> list[Drawing]:
    """All of them, of all chapters."""
    for path in sorted((NOTES / "figures").glob("chapter_*.py")):
        import_module(f"docs.notes.figures.{path.stem}")
    return list(_DRAWINGS.values())


def svg(drawing: Drawing) -> str:
    """The figure's file. BLAS has one thread, so that sums are cut alike everywhere, also on a busy machine."""
    with styled(), blas_threads(1):
        figure = drawing.draw()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "figure.svg"
        save_svg(figure, path)
        return path.read_text(encoding="utf-8")


_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e-?\d+)?")
_PIXELS = re.compile(r'data:image/png;base64,([^"]+)')
_ID = re.compile(r"figure-\w+")


def what_differs(old: str, new: str, tolerance: float) -> str | None:
    """The first difference between two SVGs that a reader would see, or None.

    Coordinates may differ by `tolerance` points, pixels by 2 of 255 on average; ids do not matter.
    """
    (old, old_pixels), (new, new_pixels) = _split(old), _split(new)
    for number, (a, b) in enumerate(zip_longest(old.splitlines(), new.splitlines()), start=1):
        if a is None or b is None or _NUMBER.sub("#", a) != _NUMBER.sub("#", b):
            return f"line {number}: {a!r} became {b!r}"
        for x, y in zip(_NUMBER.findall(a), _NUMBER.findall(b), strict=True):
            if abs(float(x) - float(y)) > tolerance:
                return f"line {number}: {x} became {y} in {b.strip()!r}"
    for number, (p, q) in enumerate(zip(old_pixels, new_pixels, strict=True), start=1):
        if p.shape != q.shape or float(np.abs(p - q).mean()) > 2:
            return f"image {number} has other pixels"
    return None


def _split(text: str) -> tuple[str, list[Array]]:
    """The file without its ids and pixels, and the pixels."""
    pixels = [
        np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGBA"), dtype=np.float64)
        for data in _PIXELS.findall(text)
    ]
    return _ID.sub("id", _PIXELS.sub("pixels", text)), pixels
