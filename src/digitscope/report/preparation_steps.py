"""The steps from a picture to the network's input."""

import textwrap
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from digitscope.arrays import Array
from digitscope.errors import ShapeError, printable
from digitscope.report.style import MUTED, PHONE_WIDTH, SMALL, add_canvas, new_figure, styled

_COLUMNS = 3
_PITCH = PHONE_WIDTH / _COLUMNS  # points
_SIDE = 118  # points: the longer side of an image
_LINE = 14  # points
_CHARACTERS = 20
"""Characters in a line of a sentence."""

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
    heights = [34 + steps_height(steps) for _, steps in pictures]
    with styled():
        figure = new_figure("How each picture was prepared, step by step", sum(heights), PHONE_WIDTH)
        axes = add_canvas(figure)
        for number, (heading, steps) in enumerate(pictures):
            top = sum(heights[:number])
            axes.text(10, top + 22, printable(heading), weight="bold")
            draw_steps(axes, top + 34, steps)
        return figure


def steps_height(steps: Sequence[Step]) -> float:
    """The height of the steps, in points."""
    return sum(_row_height(row) for row in _rows(steps))


def draw_steps(axes: Axes, top: float, steps: Sequence[Step]) -> None:
    """Draws the steps on a canvas, three in a row, with their names in one line below the images."""
    for number, row in enumerate(_rows(steps)):
        below = top + _images_height(row)
        for column, (name, sentence, image) in enumerate(row):
            x = 10 + _PITCH * column
            height, width = _drawn_size(image)
            colours: dict[str, Any] = {} if image.ndim == 3 else {"cmap": "gray", "vmin": 0, "vmax": 255}
            interpolation = "nearest" if height > image.shape[0] else "antialiased"
            extent = (x, x + width, top + height, top)
            axes.imshow(image, extent=extent, interpolation=interpolation, aspect="auto", **colours)
            axes.text(x, below + _LINE, f"{_COLUMNS * number + column + 1} {name}", weight="bold", size=SMALL)
            for line, text in enumerate(_lines(sentence), start=2):
                axes.text(x, below + _LINE * line, text, size=SMALL - 0.5, color=MUTED)
        top += _row_height(row)


def _rows(steps: Sequence[Step]) -> list[Sequence[Step]]:
    return [steps[start : start + _COLUMNS] for start in range(0, len(steps), _COLUMNS)]


def _row_height(row: Sequence[Step]) -> float:
    return _images_height(row) + _LINE * (1 + max(len(_lines(sentence)) for _, sentence, _ in row)) + 26


def _images_height(row: Sequence[Step]) -> float:
    return max(_drawn_size(image)[0] for *_, image in row)


def _drawn_size(image: Array) -> tuple[float, float]:
    """Height and width in points."""
    scale = _SIDE / max(image.shape[:2])
    return scale * image.shape[0], scale * image.shape[1]


def _lines(sentence: str) -> list[str]:
    return textwrap.wrap(sentence, _CHARACTERS)
