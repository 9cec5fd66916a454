"""Figures in files and notebooks: dark on white, with each text inside the figure and separate from the others."""

import io
import itertools
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from PIL import Image

from digitscope.arrays import Array
from digitscope.metrics import confusion_matrix, reliability_diagram
from digitscope.report import (
    calibration_figure,
    confident_mistakes,
    confusion_figure,
    corruption_figure,
    disputed_figure,
    first_layer_weights,
    learning_curves,
    sample_predictions,
    to_png,
    to_svg,
)

CLOTHES = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]
LETTERS = [f"letter {number}" for number in range(26)]


def make_answers(classes: int, shape: tuple[int, int] = (28, 28)) -> tuple[Array, Array, Array]:
    rng = np.random.default_rng(0)
    probabilities = 0.99999 * rng.dirichlet(np.full(classes, 0.1), 60) + 0.00001 / classes
    images = rng.integers(0, 2, (60, *shape)) * np.uint8(255)
    return images, rng.integers(0, classes, 60), probabilities


def make_history(steps: int, of_each: int, loss: tuple[float, float]) -> dict[str, list[float | None]]:
    numbers = np.arange(1, steps + 1)
    column: list[float | None] = np.geomspace(loss[0], loss[1], steps).tolist()
    return {
        "step": (of_each * numbers).astype(float).tolist(),
        "epoch": numbers.astype(float).tolist(),
        "loss": column,
        "accuracy": np.linspace(0.1, 0.99999, steps).tolist(),
        "validation_loss": column,
        "validation_accuracy": np.linspace(0.1, 0.9999, steps).tolist(),
    }


def make_figures() -> dict[str, Figure]:
    figures = {
        "one step": learning_curves(make_history(1, 1, (2.3, 2.3))),
        "150,000 steps": learning_curves(make_history(300, 500, (2.3, 0.00021))),
        "10 million steps": learning_curves(make_history(500, 20_000, (1234.0, 0.5))),
        "corruptions": corruption_figure(
            ["rotation", "elastic distortion"],
            ["degrees", "of the largest possible"],
            [(0.125, 0.25, 0.375, 0.5, 0.625), (10, 20, 30, 40, 500)],
            np.array([np.linspace(1, 0, 6), np.ones(6)]),
            make_answers(2)[0][:12].reshape(2, 6, 28, 28),
            900,
        ),
        "disputed": disputed_figure(make_answers(2)[0][:7], [("read 9", "label 4", "people divided")] * 7),
        "many counts": confusion_figure(np.full((10, 10), 12_345)),
    }
    for classes, names in {2: ["not a pedestrian crossing", "pedestrian"], 10: CLOTHES, 26: LETTERS}.items():
        images, labels, probabilities = make_answers(classes)
        confusion = confusion_matrix(labels, probabilities.argmax(axis=1), classes)
        figures |= {
            f"samples, {classes} classes": sample_predictions(images, labels, probabilities, classes=names),
            f"confusion, {classes} classes": confusion_figure(confusion, classes=names),
            f"mistakes, {classes} classes": confident_mistakes(images, labels, probabilities, classes=names),
            f"calibration, {classes} classes": calibration_figure(reliability_diagram(labels, probabilities)),
        }
    for shape in ((1, 40), (40, 1), (28, 28), (5, 5)):
        images, labels, probabilities = make_answers(10, shape)
        figures |= {
            f"samples {shape}": sample_predictions(images, labels, probabilities),
            f"mistakes {shape}": confident_mistakes(images, labels, probabilities),
            f"weights {shape}": first_layer_weights(np.random.default_rng(0).normal(0, 1e-3, (40, 1, *shape))),
        }
    return figures


FIGURES = make_figures()
each_figure = pytest.mark.parametrize("name", FIGURES)


def shown_texts(axes: Axes) -> list[Text]:
    texts = [*axes.texts, axes.xaxis.label, axes.yaxis.label]
    for axis in (axes.xaxis, axes.yaxis):
        low, high = sorted(axis.get_view_interval())
        texts += [tick.label1 for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high and axes.axison]
    return [text for text in texts if text.get_text() and text.get_visible()]


def boxes(figure: Figure) -> list[tuple[str, Bbox]]:
    figure.draw_without_rendering()  # places the ticks
    texts = [text for axes in figure.axes for text in shown_texts(axes)]
    return [(text.get_text(), text.get_window_extent()) for text in texts]


@each_figure
def test_each_text_is_inside_of_the_figure_and_clear_of_the_others(name: str) -> None:
    figure = FIGURES[name]
    found = boxes(figure)
    assert found
    for text, box in found:
        assert box.x0 >= 0, text
        assert box.x1 <= figure.bbox.x1, text
        assert box.y0 >= -1, text
        assert box.y1 <= figure.bbox.y1, text
    for (one, box), (other, second) in itertools.combinations(found, 2):
        overlap = Bbox.intersection(box.padded(-2), second.padded(-2))
        assert overlap is None or not (overlap.width > 1 and overlap.height > 1), f"{one!r} and {other!r}"


@pytest.mark.parametrize(
    "name", ["samples, 2 classes", "mistakes (1, 40)", "weights (28, 28)", "many counts", "one step"]
)
def test_a_file_is_dark_on_white(name: str) -> None:
    with Image.open(io.BytesIO(to_png(FIGURES[name]))) as picture:
        pixels = np.asarray(picture.convert("RGB"))
    white = (pixels == 255).all(axis=2)
    dark = (pixels < 100).all(axis=2)
    assert white[[0, 0, -1, -1], [0, -1, 0, -1]].all()
    assert white.mean() > 0.3
    assert dark.any()


def test_a_file_of_a_digit_has_dark_ink_and_visible_captions() -> None:
    images = np.zeros((1, 28, 28), np.uint8)
    images[0, 10:18, 10:18] = 255
    figure = confident_mistakes(images, np.array([1]), np.array([[0.9, 0.1]]))
    with Image.open(io.BytesIO(to_png(figure))) as picture:
        pixels = np.asarray(picture.convert("L")).astype(float)
    axes = figure.axes[0]
    (caption, _) = axes.texts
    for middle, expected in (((axes.texts[0].get_position()[0], 6 + 38), "ink"), ((6, 60), "paper")):
        across, down = (round(2 * value) for value in middle)
        assert (pixels[down, across] < 10) == (expected == "ink")
    box = caption.get_window_extent()
    height = len(pixels)
    cut = pixels[round(height - box.y1) : round(height - box.y0), round(box.x0) : round(box.x1)]
    assert cut.min() < 60
    assert cut.max() == 255


@pytest.mark.parametrize("way", ["savefig", "draw"])
def test_settings_of_the_user_do_not_matter_in_files_and_notebooks(way: str) -> None:
    def file() -> bytes:
        figure, content = learning_curves(make_history(20, 5, (2.0, 0.01))), io.BytesIO()
        if way == "savefig":
            figure.savefig(content, format="png", metadata={"Software": None})
        else:  # as matplotlib's inline backend does
            figure.canvas.print_figure(
                content, format="png", bbox_inches="tight", facecolor="white", metadata={"Software": None}
            )
        return content.getvalue()

    expected = file()
    with mpl.rc_context({"ytick.labelsize": 30, "grid.color": "red", "axes.edgecolor": "green"}):
        assert file() == expected


def test_a_notebook_shows_the_png_in_its_size() -> None:
    figure: Any = FIGURES["disputed"]
    data, metadata = figure._repr_mimebundle_(include=None, exclude=None)
    with Image.open(io.BytesIO(data["image/png"])) as picture:
        assert picture.size == (800, 2 * metadata["image/png"]["height"])
    assert metadata["image/png"]["width"] == 400


def test_names_in_any_script() -> None:
    """Their characters are not in the font of a PNG, but an SVG has them."""
    images, labels, probabilities = make_answers(2)
    figure = sample_predictions(images, labels, probabilities, classes=["猫", "犬"])
    assert "猫 ✓" in to_svg(figure)
    to_png(figure)
