"""Makes the documents' pictures. That of a training is made only if the folder of its run is given.

uv run digitscope train --out runs/readme
uv run python -m docs.pictures runs/readme
"""

import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import Colormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from digitscope import RECIPES, Network, explain
from digitscope.arrays import Array
from digitscope.augmentation.augment import Augment
from digitscope.datasets import load_mnist
from digitscope.files.atomic import write_atomic
from digitscope.jobs.runs import read_history
from digitscope.metrics import CONFIDENT, percentage
from digitscope.model import Model
from digitscope.nn import GradientDescent, SoftmaxCrossEntropy, softmax
from digitscope.reader import read
from digitscope.report import confident_mistakes, learning_curves, save_svg, to_png
from digitscope.report.style import (
    BLUE,
    DIVERGING,
    FAINT,
    INK,
    INK_SCALE,
    MUTED,
    SMALL,
    VERMILION,
    WIDTH,
    add_canvas,
    new_figure,
    styled,
)
from digitscope.synthetic.non_digits import NON_DIGITS, VARIANTS, DigitSource, DrawingKind
from digitscope.synthetic.photos import KINDS, Photo, photograph_digit, photograph_numbers
from digitscope.training import train_step

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


NUMBER = 2209
"""The seed of the photo of a number: one with a shadow, ruled paper and digits that touch."""


EXAMPLE = 0
"""The image of the backpropagation."""


class Spread(np.random.Generator):
    """Uniform numbers go evenly from one end of their range to the other, image by image; others are random."""

    def uniform(self, low: float, high: float, size: int | tuple[int, ...]) -> Array:  # type: ignore[override]
        count = size if isinstance(size, int) else size[-1]
        return np.broadcast_to(np.linspace(low, high, count), size)


def main() -> None:
    PICTURES.mkdir(exist_ok=True)
    (images, labels), test = load_mnist()
    save_svg(augmentations(images), PICTURES / "augment.svg")
    save_svg(backpropagation(images, labels), PICTURES / "backpropagation.svg")
    save_svg(mistakes(*test), PICTURES / "mistakes.svg")
    write_atomic(PICTURES / "drawings.png", few_colours(drawings(images, labels), 16))
    write_atomic(PICTURES / "photos.png", few_colours(photos(images)))
    write_atomic(PICTURES / "reading.png", few_colours(reading(images)))
    if len(sys.argv) > 1:
        history = read_history(Path(sys.argv[1]) / "history.csv")
        save_svg(learning_curves(history), PICTURES / "learning.svg")


def mistakes(images: Array, labels: Array) -> Figure:
    """The most confident errors of the convnet that comes with the package, on MNIST's test images."""
    return confident_mistakes(images, labels, Model.load("convnet").predict_proba(images))


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
        how: Any = {"interpolation": "none", "aspect": "auto", "cmap": INK_SCALE, "vmin": 0, "vmax": 1}
        axes.imshow(wall, extent=extent, **how)
        corners = np.array(frames) * pixel + (left, top)
        axes.add_collection(
            PolyCollection(list(corners), facecolors="none", edgecolors=FAINT, clip_on=False), autolim=False
        )
    return figure


def drawings(images: Array, labels: Array) -> Figure:
    """Of each kind of drawing a few: dark ink on paper. Print and seven segments have one line each for all digits."""
    count, side, pixel, left = 5, 28, 1.08, 92  # in a line, in pixels, in points, in points
    rng, digits = np.random.default_rng(1), DigitSource(images, labels)
    line, head, column = side * pixel + 3, 30, 266
    parts = {"What is not a digit": _drawing_lines(NON_DIGITS), "Digits as people write them": _drawing_lines(VARIANTS)}
    with styled():
        height = 8 + sum(head + line * -(-len(lines) // 2) for lines in parts.values())
        figure = new_figure("Drawings of each kind", height)
        axes = add_canvas(figure)
        top = 0.0
        for title, lines in parts.items():
            axes.text(8, top + 20, title, weight="bold")
            top += head
            rows = -(-len(lines) // 2)
            for place, (name, kinds) in enumerate(lines.items()):
                x, y = 8 + place // rows * column, top + place % rows * line
                axes.text(x, y + 12, name)
                axes.text(
                    x, y + 25, f"{100 * sum(kind.share for kind in kinds):.0f} %", color=MUTED, fontsize=SMALL - 1
                )
                chosen = kinds * count if len(kinds) == 1 else [kinds[i] for i in rng.choice(len(kinds), count, False)]
                row = np.concatenate([kind.draw(rng, digits) for kind in chosen], axis=1)
                extent = (x + left, x + left + row.shape[1] * pixel, y + side * pixel, y)
                axes.imshow(row, extent=extent, interpolation="none", aspect="auto", cmap="gray_r", vmin=0, vmax=255)
            top += rows * line
    return figure


def _drawing_lines(kinds: dict[str, DrawingKind]) -> dict[str, list[DrawingKind]]:
    """The kinds that share a line in the picture, by its name."""
    lines: dict[str, list[DrawingKind]] = {}
    for name, kind in kinds.items():
        digit, _, form = name.partition(" ")
        lines.setdefault(form if digit.isdigit() and form in ("print", "segments") else name, []).append(kind)
    return lines


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
    """A generated photo of a number, each digit that `read` found in it, and the digit as the network saw it."""
    rng = np.random.default_rng(NUMBER)
    digits = images[-2000:][rng.integers(2000, size=7)]
    photo = photograph_numbers([digits], rng, kind="lined", side=900)
    top, bottom = int(photo.boxes[:, 1].min()) - 110, int(photo.boxes[:, 3].max()) + 60
    picture = photo.pixels[top:bottom]
    (line,) = read(picture, Model.load()).lines
    scale, tile = WIDTH / picture.shape[1], 58.0
    below = scale * picture.shape[0]
    pitch = (WIDTH - tile) / (len(line.digits) - 1)
    with styled():
        figure = new_figure(f"A photo of a number, and how it is read: {line.text}", round(below + 26 + tile + 44))
        axes = add_canvas(figure)
        axes.imshow(picture, extent=(0, WIDTH, below, 0), interpolation="antialiased", aspect="auto")
        for place, digit in enumerate(line.digits):
            left, upper, right, lower = scale * np.array(digit.box)
            colour = BLUE if digit.confidence >= CONFIDENT else VERMILION
            box = Rectangle((left, upper), right - left, lower - upper, fill=False, edgecolor=colour, linewidth=1.8)
            axes.add_patch(box)
            x, y = place * pitch, below + 26
            axes.plot([(left + right) / 2, x + tile / 2], [lower, y], color=colour, linewidth=1)
            how: Any = {"cmap": "gray", "vmin": 0, "vmax": 255, "interpolation": "none", "aspect": "auto"}
            axes.imshow(digit.image, extent=(x, x + tile, y + tile, y), zorder=2, **how)
            axes.text(x + tile / 2, y + tile + 22, str(digit.label), weight="bold", size=20, ha="center", color=colour)
            axes.text(
                x + tile / 2, y + tile + 38, f"{percentage(digit.confidence, 1)} %", size=14, ha="center", color=MUTED
            )
    return figure


def backpropagation(images: Array, labels: Array) -> Figure:
    """One image through a network of 784, 10 and 10 units: its numbers forward, and the derivatives of its loss."""
    network = barely_trained(images, labels)
    image, label = images[EXAMPLE : EXAMPLE + 1], int(labels[EXAMPLE])
    forward, slopes = explain.activations(network, image), explain.gradients(network, image, [label])
    pixels, hidden = image[0] / 255, forward["1"][:, 0]
    probabilities = softmax(forward["output"])[:, 0]
    products = network.params["0.weight"].reshape(10, 28, 28) * pixels
    with styled():
        figure = new_figure(f"Backpropagation: a {label} through a network, and the derivatives of its loss", 662)
        axes = add_canvas(figure)
        head(axes, 20, "Forward", "weights times inputs, summed; ReLU, softmax", ("x", "W₁ x", "p = softmax(z₂)"))
        draw_layers(axes, 60, pixels, INK_SCALE, products, hidden, network.params["2.weight"] * hidden)
        for unit, share in enumerate(probabilities):
            y = row(60, unit)
            axes.add_patch(Rectangle((444, y - 7), 36 * share, 14, color=INK if unit == label else MUTED, linewidth=0))
            axes.text(448 + 36 * share, y, f"{share:.2f}", size=13, va="center")
        loss = f"loss = −log p({label}) = −log {probabilities[label]:.3f} = {slopes.loss:.3f}"
        axes.text(8, 332, loss, size=14, weight="bold")
        axes.text(430, 332, "+ orange", size=14, color=VERMILION, ha="right")
        axes.text(444, 332, "− blue", size=14, color=BLUE)
        head(
            axes,
            366,
            "Backward",
            "how the loss L changes with each number",
            ("∂L/∂x", "∂L/∂W₁ and ∂L/∂z₁", "∂L/∂z₂ = p − q"),
        )
        hidden_slopes, output_slopes, pixel_slopes = (
            slopes.activations["0"][:, 0], slopes.output[:, 0], slopes.input.reshape(28, 28)
        )  # fmt: skip
        weight_slopes = slopes.parameters["0.weight"].reshape(10, 28, 28)
        draw_layers(axes, 406, pixel_slopes, DIVERGING, weight_slopes, hidden_slopes, slopes.parameters["2.weight"])
        for unit, slope in enumerate(output_slopes):
            axes.text(444, row(406, unit), signed(slope), size=13, va="center", color=colour_of(slope))
        for top in (60, 406):
            for unit in range(10):
                weight = "bold" if unit == label else "normal"
                axes.text(430, row(top, unit), str(unit), weight=weight, size=14, va="center", ha="center")
    return figure


def barely_trained(images: Array, labels: Array) -> Network:
    """The network of `seed` from small weights, after forty steps on 2,000 images: it has learned a little."""
    network = RECIPES["seed"].build(np.random.default_rng(0), (28, 28), 10).astype(np.float64)
    network.params["0.weight"] *= 0.1
    loss, descent = SoftmaxCrossEntropy(), GradientDescent()
    for _ in range(40):
        train_step(network, loss, descent, {}, images[:2000], labels[:2000], learning_rate=0.5)
    return network


def head(axes: Axes, y: float, title: str, text: str, columns: tuple[str, str, str]) -> None:
    """A title, what it means, and the headings of the layers."""
    axes.text(8, y, title, weight="bold", size=16)
    axes.text(112, y, text, size=13, color=MUTED)
    for x, column, side in zip((58, 160, 512), columns, ("center", "left", "right"), strict=True):
        axes.text(x, y + 28, column, size=13, color=MUTED, ha=side)


def row(top: float, unit: int) -> float:
    """The height of a unit among ten."""
    return top + 12 + 25 * unit


def draw_layers(
    axes: Axes, top: float, image: Array, colours: Colormap, inward: Array, hidden: Array, outward: Array
) -> None:
    """The image, what each hidden unit has of it, the unit's number, and a line to each output."""
    how: Any = {"interpolation": "none", "aspect": "auto"}
    middle = (row(top, 0) + row(top, 9)) / 2
    limit = np.abs(image).max()
    lowest = 0 if colours is INK_SCALE else -limit
    axes.imshow(image, extent=(8, 108, middle + 50, middle - 50), cmap=colours, vmin=lowest, vmax=limit, **how)
    shades = np.sign(inward) * np.sqrt(np.abs(inward))  # so that the weak ones can be seen
    limit, largest = np.abs(shades).max(), np.abs(outward).max()
    for unit, number in enumerate(hidden):
        y = row(top, unit)
        axes.plot([112, 158], [middle, y], color=FAINT, linewidth=1)
        axes.imshow(shades[unit], extent=(160, 183, y + 11.5, y - 11.5), cmap=DIVERGING, vmin=-limit, vmax=limit, **how)
        axes.add_patch(Rectangle((160, y - 11.5), 23, 23, fill=False, edgecolor=FAINT))
        ink = colours is INK_SCALE
        text = f"{number:.2f}" if ink else signed(number)
        axes.text(190, y, text, size=13, va="center", color=MUTED if ink else colour_of(number))
        for output, strength in enumerate(outward[:, unit]):
            if abs(strength) > 0.02 * largest:
                line: Any = {"color": colour_of(strength), "linewidth": 3 * abs(strength) / largest}
                axes.plot([240, 416], [y, row(top, output)], solid_capstyle="butt", **line)


def signed(number: float) -> str:
    return f"{number:+.2f}".replace("-", "−") if abs(number) >= 0.005 else "0.00"


def colour_of(number: float) -> str:
    return MUTED if abs(number) < 0.005 else VERMILION if number > 0 else BLUE


def show(axes: Axes, photo: Photo, corner: tuple[float, float], room: tuple[float, float]) -> None:
    """The photo in the room that there is, in points, from its upper left corner; small ones keep their pixels."""
    (x, y), (height, width) = corner, photo.pixels.shape[:2]
    scale = min(room[0] / width, room[1] / height)
    smooth = "none" if max(height, width) < 100 else "lanczos"
    extent = (x, x + scale * width, y + scale * height, y)
    axes.imshow(photo.pixels, extent=extent, interpolation=smooth, aspect="auto")
    frame = Rectangle((x, y), scale * width, scale * height, fill=False, edgecolor=FAINT)
    axes.add_patch(frame)


def few_colours(figure: Figure, colours: int = 128) -> bytes:
    """A PNG of few colours: a quarter as large as one of all, and hard to tell from it."""
    smaller = io.BytesIO()
    image = (
        Image.open(io.BytesIO(to_png(figure)))
        .convert("RGB")
        .quantize(colours, Image.Quantize.MAXCOVERAGE, kmeans=1, dither=Image.Dither.NONE)
    )
    image.save(smaller, format="png", optimize=True)
    return smaller.getvalue()


if __name__ == "__main__":
    main()
