"""Pictures with the recognized digits marked."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from digitscope.arrays import Array
from digitscope.errors import ShapeError, printable
from digitscope.metrics import CONFIDENT, percentage
from digitscope.report.style import BLUE, MUTED, SMALL, VERMILION, WIDTH, add_canvas, new_figure, styled

_MARGIN = 10  # points
_MAX_HEIGHT = 500  # points: limits a picture in portrait format
_HEADING = 42  # points
_MAX_NAME = 62  # characters

Mark = tuple[int | None, float, tuple[float, float, float, float]]
"""A digit: its label, its confidence, and its box in the picture's pixels: left, top, right, bottom. None for writing
that was left out."""


def reading_figure(pictures: Sequence[tuple[str, str, Array, Sequence[Mark]]]) -> Figure:
    """Each picture with its digits marked, below a heading and its name.

    pictures: for each a heading, a name, the image uint8 (H, W, 3), and the marks

    Raises: ShapeError if there is no picture.
    """
    if not pictures:
        raise ShapeError("reading_figure expects at least one picture; got none.")
    scales = [min((WIDTH - 2 * _MARGIN) / image.shape[1], _MAX_HEIGHT / image.shape[0]) for *_, image, _ in pictures]
    heights = [
        _HEADING + scale * image.shape[0] + _MARGIN for scale, (*_, image, _) in zip(scales, pictures, strict=True)
    ]
    with styled():
        figure = new_figure("What was read in each picture", round(sum(heights)))
        axes = add_canvas(figure)
        top = 0.0
        for scale, height, (heading, name, image, marks) in zip(scales, heights, pictures, strict=True):
            axes.text(_MARGIN, top + 18, heading, weight="bold")
            name = printable(name)
            short = name if len(name) <= _MAX_NAME else f"{name[:40]}…{name[-20:]}"
            axes.text(_MARGIN, top + 34, short, size=SMALL, color=MUTED)
            y = top + _HEADING
            width = scale * image.shape[1]
            interpolation = "nearest" if scale > 1 else "antialiased"
            extent = (_MARGIN, _MARGIN + width, y + scale * image.shape[0], y)
            axes.imshow(image, extent=extent, interpolation=interpolation, aspect="auto")
            for label, confidence, (left, upper, right, lower) in marks:
                colour = MUTED if label is None else BLUE if confidence >= CONFIDENT else VERMILION
                corner = _MARGIN + scale * left, y + scale * upper
                size = scale * (right - left), scale * (lower - upper)
                axes.add_patch(Rectangle(corner, *size, fill=False, edgecolor=colour, linewidth=1.5))
                if label is None:
                    continue
                text = str(label) if confidence >= CONFIDENT else f"{label} {percentage(confidence, 0)} %"
                above = corner[1] - 3 > y + SMALL
                axes.text(
                    corner[0],
                    corner[1] - 3 if above else corner[1] + size[1] + SMALL + 1,
                    text,
                    size=SMALL,
                    weight="bold",
                    color=colour,
                    path_effects=[withStroke(linewidth=2.5, foreground="white")],
                )
            top += height
        axes.set_xlim(0, WIDTH)
        axes.set_ylim(sum(heights), 0)
        return figure
