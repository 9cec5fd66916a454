"""The steps from a picture to the network's input."""

import textwrap
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from digitscope.arrays import Array
from digitscope.errors import ShapeError, printable
from digitscope.report.style import MUTED, SMALL, WIDTH, add_canvas, new_figure, styled

_COLUMNS = 3
_PITCH = WIDTH / _COLUMNS  # points
_SIDE = 118  # points: the longer side of an image
_ROW = _SIDE + 82  # points: an image, its name and up to four lines

Step = tuple[str, str, Array]
"""A name, a sentence, an image, uint8 (H, W) or (H, W, 3)."""

Picture = tuple[str, Sequence[Step]]
"""A heading, and the steps."""


def steps_figure(pictures: Sequence[Picture]) -> Figure:
    """The steps of each picture, three in a row, below its heading.

    Raises: ShapeError if there is no picture.
    """
    if not pictures:
        raise ShapeError("steps_figure expects at least one picture; got none.")
    heights = [34 + steps_height(len(steps)) for _, steps in pictures]
    with styled():
        figure = new_figure("How each picture was prepared, step by step", sum(heights))
        axes = add_canvas(figure)
        for number, (heading, steps) in enumerate(pictures):
            top = sum(heights[:number])
            axes.text(10, top + 22, printable(heading), weight="bold")
            draw_steps(axes, top + 34, steps)
        return figure


def steps_height(steps: int) -> int:
    """The height of this many steps, in points."""
    return _ROW * -(-steps // _COLUMNS)


def draw_steps(axes: Axes, top: float, steps: Sequence[Step]) -> None:
    """Draws the steps on a canvas, three in a row."""
    for place, (name, sentence, image) in enumerate(steps):
        x, y = 10 + _PITCH * (place % _COLUMNS), top + _ROW * (place // _COLUMNS)
        scale = _SIDE / max(image.shape[:2])
        width, height = scale * image.shape[1], scale * image.shape[0]
        colours: dict[str, Any] = {} if image.ndim == 3 else {"cmap": "gray", "vmin": 0, "vmax": 255}
        interpolation = "nearest" if scale > 1 else "antialiased"
        extent = (x, x + width, y + height, y)
        axes.imshow(image, extent=extent, interpolation=interpolation, aspect="auto", **colours)
        axes.text(x, y + _SIDE + 14, f"{place + 1} {name}", weight="bold", size=SMALL)
        for row, line in enumerate(textwrap.wrap(sentence, 27)[:4]):
            axes.text(x, y + _SIDE + 28 + 13 * row, line, size=SMALL - 1, color=MUTED)
