"""The style of figures: one palette, and SVG that is legible in light and dark themes.

Text, axes and grids are drawn in one near-black colour that is used for nothing else. In the SVG this colour becomes
`currentColor`, the colour of the surrounding text. Backgrounds are transparent, and so is every shade that means
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
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from digitscope.files.atomic import write_atomic

INK = "#010203"
"""Stands for the colour of the surrounding text. Two more hex digits (opacity) make it paler."""
MUTED = INK + "b3"
FAINT = INK + "24"
BLUE = "#0072b2"
VERMILION = "#d55e00"

INK_MASK = "ink"
"""The gid of images that become masks: white is drawn in the colour of the text."""

WIDTH = 520
"""Width of every figure in points, the units of its SVG. Two figures fit side by side on a desktop."""
SMALL = 11.0
"""Size of secondary text in points. Other text has 12.5."""

# From blue (most negative) through transparent to vermilion (most positive). N is odd, so that 0 has its own colour.
DIVERGING = LinearSegmentedColormap.from_list("digitscope", [BLUE, BLUE + "00", VERMILION + "00", VERMILION], N=255)
BLUE_SCALE = LinearSegmentedColormap.from_list("digitscope_blue", [BLUE + "00", BLUE])
VERMILION_SCALE = LinearSegmentedColormap.from_list("digitscope_vermilion", [VERMILION + "00", VERMILION])

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
    "font.size": 12.5,
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

    matplotlib's settings are global, so only one thread at a time can be inside.
    """
    with _lock, mpl.rc_context(_SETTINGS):
        yield


def new_figure(name: str, height: float) -> Figure:
    """An empty figure of WIDTH x height points. Screen readers read its name."""
    figure = Figure(figsize=(WIDTH / 72, height / 72), dpi=72, facecolor="none", edgecolor="none")
    figure.set_label(name)
    return figure


def add_panel(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Axes at a position in points from the figure's upper left corner."""
    total = figure.get_figheight() * 72
    return figure.add_axes((left / WIDTH, 1 - (top + height) / total, width / WIDTH, height / total))


def add_canvas(figure: Figure) -> Axes:
    """Bare axes over the whole figure, in points from its upper left corner, y downwards."""
    height = figure.get_figheight() * 72
    axes = add_panel(figure, 0, 0, WIDTH, height)
    axes.set_axis_off()
    axes.set_xlim(0, WIDTH)
    axes.set_ylim(height, 0)
    axes.set_autoscale_on(False)
    return axes


def to_svg(figure: Figure, *, ids: str = "figure") -> str:
    """The figure as an <svg> element for a page. The same figure always gives the same bytes.

    It has the colour of the surrounding text and the width that the page's CSS sets. Every id in it starts with `ids`,
    which must differ between the figures of a page.
    """
    buffer = io.StringIO()
    with styled():
        no_metadata = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(buffer, format="svg", metadata=no_metadata)
    width, height = (f"{72 * inches:g}" for inches in figure.get_size_inches())
    _, _, body = buffer.getvalue().partition("</defs>")  # drops the header and a global style
    body = body.replace(INK, "currentColor").replace(f"'{_FONT}'", "system-ui,sans-serif")
    numbers = itertools.count(1)

    def mask(image: re.Match[str]) -> str:
        name = f"{INK_MASK}{next(numbers)}"
        return (
            f'<mask id="{name}" maskUnits="userSpaceOnUse" x="0" y="0" width="{width}" height="{height}">'
            f'{image[1]}{image[2]}</mask><rect width="{width}" height="{height}" fill="currentColor" '
            f'mask="url(#{name})"/>'
        )

    body = re.sub(rf'(<image [^>]*)id="{INK_MASK}"([^>]*/>)', mask, body)
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
