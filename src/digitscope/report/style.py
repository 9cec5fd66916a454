"""The style of figures: one palette, dark on white by themselves, and SVG that is legible in light and dark themes.

Text, axes and grids are drawn in one near-black colour that is used for nothing else. In the SVG this colour becomes
`currentColor`, the colour of the surrounding text. Backgrounds become transparent, and so is every shade that means
"little" or "zero", so that the page shows through. Images of digits become masks through which `currentColor` shows.
So one file serves both themes without a script.

The colours are Okabe and Ito's. They can be distinguished with every kind of colour vision, and their contrast with
white and with black is at least 3:1. Source: Okabe & Ito 2008, "Color universal design", jfly.uni-koeln.de/color
"""

import io
import itertools
import os
import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.image import AxesImage
from matplotlib.textpath import text_to_path

from digitscope.files.atomic import write_atomic

INK = "#010203"
"""Stands for the colour of the surrounding text. Two more hex digits (opacity) make it paler."""
MUTED = INK + "b3"
FAINT = INK + "24"
BLUE = "#0072b2"
VERMILION = "#d55e00"

WIDTH = 520
"""Width of a figure in points, the units of its SVG."""
PHONE_WIDTH = 400
"""Width of a report's figures: a phone shows their text at nearly its size, and two fit side by side on a desktop."""
TEXT = 12.5
"""Size of text in points."""
SMALL = 11.0
"""Size of secondary text in points."""

# From blue (most negative) through transparent to vermilion (most positive). N is odd, so that 0 has its own colour.
DIVERGING = LinearSegmentedColormap.from_list("digitscope", [BLUE, BLUE + "00", VERMILION + "00", VERMILION], N=255)
BLUE_SCALE = LinearSegmentedColormap.from_list("digitscope_blue", [BLUE + "00", BLUE])
VERMILION_SCALE = LinearSegmentedColormap.from_list("digitscope_vermilion", [VERMILION + "00", VERMILION])
INK_SCALE = LinearSegmentedColormap.from_list("digitscope_ink", [INK + "00", INK])
"""For images of digits: 0 is transparent, the largest value is ink. An SVG draws it in the colour of the text."""

_MASK = "ink"
_FONT = "DejaVu Sans"  # comes with matplotlib, so that the layout is the same everywhere; viewers use their own font
_SETTINGS: Any = {
    "axes.axisbelow": True,
    "axes.edgecolor": MUTED,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.grid.which": "major",
    "axes.labelcolor": INK,
    "axes.labelpad": 5.0,
    "axes.labelsize": SMALL,
    "axes.labelweight": "normal",
    "axes.linewidth": 0.8,
    "axes.spines.bottom": True,
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.unicode_minus": True,
    "font.family": [_FONT],
    "font.size": TEXT,
    "font.style": "normal",
    "font.weight": "normal",
    "grid.alpha": 1.0,
    "grid.color": FAINT,
    "grid.linestyle": "-",
    "grid.linewidth": 0.8,
    "lines.antialiased": True,
    "lines.linestyle": "-",
    "lines.marker": "None",
    "path.simplify": True,
    "path.sketch": None,
    "savefig.bbox": None,
    "savefig.dpi": "figure",
    "savefig.facecolor": "auto",
    "savefig.transparent": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "digitscope",
    "svg.image_inline": True,
    "text.color": INK,
    "text.parse_math": False,
    "text.usetex": False,
    "xtick.color": MUTED,
    "xtick.labelcolor": INK,
    "xtick.labelsize": SMALL,
    "xtick.major.size": 3.0,
    "ytick.color": MUTED,
    "ytick.labelcolor": INK,
    "ytick.labelsize": SMALL,
    "ytick.major.size": 0.0,
}
_lock = threading.RLock()


@contextmanager
def styled() -> Iterator[None]:
    """Applies the settings of all figures, regardless of the user's matplotlibrc, and restores the former ones.

    Characters that the font lacks are no warning: an SVG has them, because its viewer has other fonts.
    matplotlib's settings are global, so only one thread at a time can be inside.
    """
    with _lock, mpl.rc_context(_SETTINGS), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from")
        yield


class StyledFigure(Figure):
    """A figure that looks the same in files, in notebooks and on pages, whatever the user's settings are."""

    def draw(self, renderer: Any) -> None:
        with styled():  # axes make their ticks only when they are drawn
            super().draw(renderer)

    def savefig(self, *args: Any, **options: Any) -> None:
        with styled():
            super().savefig(*args, **options)

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, bytes], dict[str, dict[str, int]]]:
        """The picture that a notebook shows."""
        width, height = (round(72 * inches) for inches in self.get_size_inches())
        return {"image/png": to_png(self)}, {"image/png": {"width": width, "height": height}}


def new_figure(name: str, height: float, width: float = WIDTH) -> StyledFigure:
    """An empty figure of width x height points. Screen readers read its name."""
    figure = StyledFigure(figsize=(width / 72, height / 72), dpi=144, facecolor="white", edgecolor="none")
    figure.set_label(name)
    return figure


def add_panel(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Axes at a position in points from the figure's upper left corner."""
    across, down = 72 * figure.get_size_inches()
    return figure.add_axes((left / across, 1 - (top + height) / down, width / across, height / down))


def add_canvas(figure: Figure) -> Axes:
    """Bare axes over the whole figure, in points from its upper left corner, y downwards."""
    width, height = 72 * figure.get_size_inches()
    axes = add_panel(figure, 0, 0, width, height)
    axes.set_axis_off()
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.set_autoscale_on(False)
    return axes


@lru_cache(maxsize=4096)
def text_width(text: str, size: float = SMALL, weight: str = "normal") -> float:
    """The width of a line of text, in points. To be called inside `styled`."""
    properties = FontProperties(family=[_FONT], size=size, weight=weight)
    width, _, _ = text_to_path.get_text_width_height_descent(text, properties, ismath=False)
    return float(width)


def shorten(text: str, width: float, size: float = SMALL, weight: str = "normal") -> str:
    """The text, or as much of its beginning as fits the width in points, with an ellipsis."""
    if text_width(text, size, weight) <= width:
        return text
    end = len(text) - 1
    while end > 1 and text_width(text[:end].rstrip() + "…", size, weight) > width:
        end -= 1
    return text[:end].rstrip() + "…"


def to_png(figure: Figure) -> bytes:
    """The figure as a PNG file on a white background, with two pixels for each point."""
    content = io.BytesIO()
    with styled():
        figure.savefig(content, format="png", dpi=144, facecolor="white", metadata={"Software": None})
    return content.getvalue()


@contextmanager
def _masks(figure: Figure) -> Iterator[None]:
    """Gives images of ink the name and the shades (white is ink) of masks, and restores their own."""
    images = [image for image in figure.findobj(AxesImage) if image.get_cmap().name == INK_SCALE.name]
    try:
        for image in images:
            image.set(cmap="gray", gid=_MASK)
        yield
    finally:
        for image in images:
            image.set(cmap=INK_SCALE, gid=None)


def to_svg(figure: Figure, *, ids: str = "figure") -> str:
    """The figure as an <svg> element for a page. The same figure always gives the same bytes.

    It has the colour of the surrounding text and the width that the page's CSS sets. Every id in it starts with `ids`,
    which must differ between the figures of a page.
    """
    buffer = io.StringIO()
    with styled(), _masks(figure):
        no_metadata = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(buffer, format="svg", facecolor="none", metadata=no_metadata)
    width, height = (f"{72 * inches:g}" for inches in figure.get_size_inches())
    _, _, body = buffer.getvalue().partition("</defs>")  # drops the header and a global style
    body = body.replace(INK, "currentColor").replace(f"'{_FONT}'", "system-ui,sans-serif")
    numbers = itertools.count(1)

    def mask(image: re.Match[str]) -> str:
        name = f"{_MASK}{next(numbers)}"
        return (
            f'<mask id="{name}" maskUnits="userSpaceOnUse" x="0" y="0" width="{width}" height="{height}">'
            f'{image[1]}{image[2]}</mask><rect width="{width}" height="{height}" fill="currentColor" '
            f'mask="url(#{name})"/>'
        )

    body = re.sub(rf'(<image [^>]*)id="{_MASK}"([^>]*/>)', mask, body)
    name = escape(str(figure.get_label()))
    head = (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'stroke-linejoin="round" role="img" aria-label="{name}">\n <title>{name}</title>'
    )
    return head + _prefix_ids(body, ids).rstrip()


def _prefix_ids(svg: str, prefix: str) -> str:
    """Removes ids that nothing refers to (matplotlib gives every group an id), and adds a prefix to the others."""
    used = set(re.findall(r'(?:url\(|href=")#([^)"]+)', svg))
    svg = re.sub(r' id="([^"]*)"', lambda found: f' id="{prefix}-{found[1]}"' if found[1] in used else "", svg)
    return re.sub(r'(url\(|href=")#', rf"\1#{prefix}-", svg)


def save_svg(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Writes the figure as a separate file, for a README. Its text is dark, or light if the reader's theme is dark."""
    style = "<style>:root{color:#1f2328}@media (prefers-color-scheme:dark){:root{color:#e6edf3}}</style>"
    head, end, body = to_svg(figure).partition("</title>")
    svg = f'<?xml version="1.0" encoding="utf-8"?>\n{head}{end}\n {style}{body}\n'
    write_atomic(Path(path), svg.encode())
