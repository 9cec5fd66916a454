"""Makes the documents' pictures: those of a run of `digitscope train`, where its folder is given, and the others.

uv run digitscope train --out runs/readme
uv run python docs/pictures.py runs/readme
"""

import csv
import io
import sys
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from digitscope.arrays import Array
from digitscope.augmentation.augment import Augment
from digitscope.datasets import load_mnist
from digitscope.files.atomic import write_atomic
from digitscope.model import Model
from digitscope.reader import read
from digitscope.report import confident_mistakes, learning_curves, reading_figure, save_svg
from digitscope.report.style import FAINT, INK_SCALE, MUTED, SMALL, add_canvas, new_figure, styled
from digitscope.synthetic.non_digits import NON_DIGITS, VARIANTS, DigitSource
from digitscope.synthetic.photos import KINDS, Photo, photograph_digit, photograph_numbers

PICTURES = Path(__file__).parent / "pictures"

STRENGTHS = {
    "rotation": ((5, 15, 45), "°"),
    "scale": ((0.1, 0.2, 0.4), ""),
    "shear": ((0.1, 0.3, 0.6), ""),
    "shift": ((1, 3, 6), " px"),
    "elastic": ((0.5, 1, 2), " px"),
    "thickness": ((0.3, 0.6, 1), " px"),
    "blur": ((0.3, 0.6, 1), ""),
    "contrast": ((0.3, 0.6, 0.9), ""),
    "noise": ((0.1, 0.25, 0.5), ""),
    "erase": ((0.2, 0.4, 0.8), ""),
}
"""Of each option of Augment three strengths, and their unit."""

ERASE = 91
"""The seed of the rectangles, one of few with which all four digits are hit."""


class Spread(np.random.Generator):
    """Uniform numbers go evenly from one end of their range to the other, image by image; others are random."""

    def uniform(self, low: float, high: float, size: int | tuple[int, ...]) -> Array:  # type: ignore[override]
        count = size if isinstance(size, int) else size[-1]
        return np.broadcast_to(np.linspace(low, high, count), size)


def main() -> None:
    PICTURES.mkdir(exist_ok=True)
    (images, labels), (test_images, test_labels) = load_mnist()
    save_svg(augmentations(images), PICTURES / "augment.svg")
    sheet = drawings(images, labels)
    sheet.savefig(PICTURES / "drawings.png", dpi=144, facecolor="white", metadata={"Software": None})
    write_atomic(PICTURES / "photos.png", few_colours(photos(images)))
    write_atomic(PICTURES / "reading.png", few_colours(reading(images)))
    if len(sys.argv) > 1:
        run = Path(sys.argv[1])
        with (run / "history.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        history = {name: [float(row[name]) if row[name] else None for row in rows] for name in rows[0]}
        save_svg(learning_curves(history), PICTURES / "learning.svg")
        probabilities = Model.load(run / "model.safetensors").predict_proba(test_images)
        save_svg(confident_mistakes(test_images, test_labels, probabilities), PICTURES / "mistakes.svg")


def augmentations(images: Array) -> Figure:
    """Each option of Augment at three strengths on four digits, its random numbers spread over all their range."""
    digits = images[[5, 9, 0, 15]]  # 2, 4, 5, 7
    count, side, _ = digits.shape
    group, line, pixel = count * side + 10, side + 6, 1.18  # in pixels, in pixels, in points
    left, top = 96, 22
    with styled():
        figure = new_figure(f"What Augment does: {', '.join(STRENGTHS)}", top + len(STRENGTHS) * line * pixel)
        axes = add_canvas(figure)
        for column, title in enumerate(("weak", "medium", "strong")):
            axes.text(left + column * group * pixel, top - 8, title, color=MUTED, fontsize=SMALL)
        wall = np.zeros((len(STRENGTHS) * line, 3 * group))
        frames = []
        for row, (name, (strengths, unit)) in enumerate(STRENGTHS.items()):
            y = row * line
            axes.text(0, top + y * pixel + 14, name)
            values = " · ".join(f"{value:g}" for value in strengths) + unit
            axes.text(0, top + y * pixel + 28, values, color=MUTED, fontsize=SMALL)
            for column, strength in enumerate(strengths):
                # Rectangles are of all sizes and everywhere.
                rng = np.random.default_rng(ERASE) if name == "erase" else Spread(np.random.PCG64(row))
                changed = Augment(**{name: strength})(digits, rng).T.reshape(digits.shape)
                for i, digit in enumerate(changed):
                    x = column * group + i * side
                    wall[y : y + side, x : x + side] = digit
                    frames.append([(x, y), (x + side, y), (x + side, y + side), (x, y + side)])
        extent = (left, left + wall.shape[1] * pixel, top + wall.shape[0] * pixel, top)
        how = {"interpolation": "none", "aspect": "auto", "cmap": INK_SCALE, "vmin": 0, "vmax": 1}
        axes.imshow(wall, extent=extent, **how)
        corners = np.array(frames) * pixel + (left, top)
        axes.add_collection(PolyCollection(corners, facecolors="none", edgecolors=FAINT, clip_on=False), autolim=False)
    return figure


def drawings(images: Array, labels: Array) -> Figure:
    """Of each kind of drawing, one after the other, as many as go into a line: dark ink on paper."""
    count, side, pixel, left = 13, 28, 1.08, 118  # in a line, in pixels, in points, in points
    rng, digits = np.random.default_rng(1), DigitSource(images, labels)
    parts = {"What is no digit": NON_DIGITS, "Digits as people write them": VARIANTS}
    line, head = side * pixel + 3, 30
    with styled():
        height = 8 + sum(head + line * len(kinds) for kinds in parts.values())
        figure = new_figure("Drawings of each kind", height)
        axes = add_canvas(figure)
        top = 0.0
        for title, kinds in parts.items():
            axes.text(8, top + 20, title, weight="bold")
            top += head
            for name, kind in kinds.items():
                axes.text(8, top + 12, name)
                axes.text(8, top + 25, f"{kind.share:.0%}", color=MUTED, fontsize=SMALL - 1)
                row = np.concatenate([kind.draw(rng, digits) for _ in range(count)], axis=1)
                extent = (left, left + row.shape[1] * pixel, top + side * pixel, top)
                axes.imshow(row, extent=extent, interpolation="none", aspect="auto", cmap="gray_r", vmin=0, vmax=255)
                top += line
    return figure


def photos(images: Array) -> Figure:
    """A photo of one digit of each kind, and a few of numbers."""
    digits = images[-2000:]
    columns, cell, head, gap = 6, 80.6, 18, 7.2  # in points
    rows = -(-len(KINDS) // columns)
    titles, numbers = 26, ("marker", "squared", "chalk")
    wide, high = (520 + gap) / len(numbers) - gap, 112
    with styled():
        figure = new_figure("Photos of each kind", 2 * titles + rows * (cell + head + gap) + head + high + 2)
        axes = add_canvas(figure)
        axes.text(0, 14, "A digit of each kind", weight="bold")
        for place, name in enumerate(KINDS):
            rng = np.random.default_rng(2000 + place)
            photo = photograph_digit(digits[rng.integers(len(digits))], rng, kind=name, side=480)
            x, y = place % columns * (cell + gap), titles + place // columns * (cell + head + gap)
            axes.text(x, y + 12, name, fontsize=SMALL)
            show(axes, photo, (x, y + head), (cell, cell))
        top = 2 * titles + rows * (cell + head + gap)
        axes.text(0, top - 12, "Numbers", weight="bold")
        for place, name in enumerate(numbers):
            rng = np.random.default_rng(2100 + place)
            lines = np.split(digits[rng.integers(len(digits), size=(place + 1) * 5)], place + 1)
            photo = photograph_numbers(lines, rng, kind=name, side=640)
            axes.text(place * (wide + gap), top + 12, name, fontsize=SMALL)
            show(axes, photo, (place * (wide + gap), top + head), (wide, high))
    return figure


def reading(images: Array) -> Figure:
    """A generated photo of two numbers, and what `digitscope read` says of it."""
    rng = np.random.default_rng(2205)
    lines = np.split(images[-2000:][rng.integers(2000, size=12)], 2)
    photo = photograph_numbers(lines, rng, kind="lined", side=900)
    found = read(photo.pixels, Model.load())
    marks = [(digit.label, digit.confidence, digit.box) for line in found.lines for digit in line.digits]
    heading = ", ".join(f"{line.text} ({line.confidence:.1%})" for line in found.lines)
    return reading_figure([(heading, "digitscope read photo.png --show read.png", photo.pixels, marks)])


def show(axes: Axes, photo: Photo, corner: tuple[float, float], room: tuple[float, float]) -> None:
    """The photo in the room that there is, in points, from its upper left corner; small ones keep their pixels."""
    (x, y), (height, width) = corner, photo.pixels.shape[:2]
    scale = min(room[0] / width, room[1] / height)
    smooth = "none" if max(height, width) < 100 else "lanczos"
    extent = (x, x + scale * width, y + scale * height, y)
    axes.imshow(photo.pixels, extent=extent, interpolation=smooth, aspect="auto")
    frame = Rectangle((x, y), scale * width, scale * height, fill=False, edgecolor=FAINT)
    axes.add_patch(frame)


def few_colours(figure: Figure) -> bytes:
    """A PNG of 128 colours: a quarter as large as one of all, and hard to tell from it."""
    content, smaller = io.BytesIO(), io.BytesIO()
    figure.savefig(content, format="png", dpi=144, facecolor="white")
    image = (
        Image.open(content).convert("RGB").quantize(128, Image.Quantize.MAXCOVERAGE, kmeans=1, dither=Image.Dither.NONE)
    )
    image.save(smaller, format="png", optimize=True)
    return smaller.getvalue()


if __name__ == "__main__":
    main()
