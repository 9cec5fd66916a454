"""SVG: the same bytes each time, readable in both themes, and safe to combine in one page."""

import re
import threading
from pathlib import Path
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from digitscope.metrics import reliability_diagram
from digitscope.report import (
    calibration_figure,
    confident_mistakes,
    confusion_figure,
    first_layer_weights,
    learning_curves,
    sample_predictions,
    save_svg,
    to_svg,
)
from digitscope.report.style import INK

SVG = "{http://www.w3.org/2000/svg}"


def make_figures() -> dict[str, Figure]:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (50, 28, 28), dtype=np.uint8)
    labels = rng.integers(0, 10, 50)
    probabilities = rng.dirichlet(np.full(10, 0.3), 50)
    column = [2.0, 1.0, 0.5, 0.1]
    history = {"step": [1.0, 2.0, 3.0, 4.0], "epoch": [1.0, 1.0, 2.0, 2.0], "loss": column, "accuracy": column[::-1]}
    return {
        "curves": learning_curves(history),
        "samples": sample_predictions(images, labels, probabilities),
        "confusion": confusion_figure(rng.integers(0, 9, (10, 10))),
        "mistakes": confident_mistakes(images, labels, probabilities),
        "weights": first_layer_weights(rng.normal(size=(9, 784)), (28, 28)),
        "calibration": calibration_figure(reliability_diagram(labels, probabilities)),
    }


FIGURES = make_figures()
each_figure = pytest.mark.parametrize("name", sorted(FIGURES))


@each_figure
def test_same_bytes_each_time(name: str) -> None:
    first = to_svg(FIGURES[name])
    assert to_svg(FIGURES[name]) == first
    assert to_svg(make_figures()[name]) == first


@each_figure
def test_well_formed_named_and_themed(name: str) -> None:
    svg = to_svg(FIGURES[name])
    root = ElementTree.fromstring(svg)
    title = root.find(f"{SVG}title")
    assert title is not None
    assert title.text == root.get("aria-label") == FIGURES[name].get_label()
    assert root.get("role") == "img"
    assert INK not in svg
    assert "currentColor" in svg
    assert not re.search(r"#000000|#ffffff|[:\"] ?(black|white)", svg)  # which would vanish in one of the themes
    assert "<style" not in svg  # which would act on the whole page
    assert "DejaVu" not in svg
    assert root.findall(f".//{SVG}text")  # text, not outlines of letters
    assert len(svg) < 250_000


@each_figure
def test_references_lead_somewhere_and_ids_are_unique(name: str) -> None:
    svg = to_svg(FIGURES[name], ids="seven")
    ids = re.findall(r' id="([^"]+)"', svg)
    assert len(ids) == len(set(ids))
    assert all(one.startswith("seven-") for one in ids)
    references = set(re.findall(r'(?:url\(|href=")#([^)"]+)', svg))
    assert references == set(ids)


@pytest.mark.parametrize("name", ["samples", "mistakes"])
def test_digits_are_masks_in_the_colour_of_the_text(name: str) -> None:
    root = ElementTree.fromstring(to_svg(FIGURES[name]))
    (mask,) = root.findall(f".//{SVG}mask")
    image = mask.find(f"{SVG}image")
    assert image is not None
    assert "pixelated" in str(image.get("style"))
    (rectangle,) = root.findall(f".//{SVG}rect[@mask]")
    assert rectangle.get("mask") == f"url(#{mask.get('id')})"
    assert rectangle.get("fill") == "currentColor"


def test_hostile_class_names_are_escaped() -> None:
    names = ['"><script>', "a & b $x$"]
    svg = to_svg(confusion_figure(np.array([[1, 2], [3, 4]]), classes=names))
    root = ElementTree.fromstring(svg)
    assert "<script" not in svg
    assert {text.text for text in root.iter(f"{SVG}text")} >= set(names)


def test_settings_of_the_user_neither_matter_nor_change() -> None:
    expected = to_svg(make_figures()["curves"])
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "red", "svg.fonttype": "path", "ytick.color": "red"}):
        before = dict(mpl.rcParams)
        assert to_svg(make_figures()["curves"]) == expected
        assert dict(mpl.rcParams) == before


def test_threads() -> None:
    expected = to_svg(FIGURES["weights"])
    results: list[str] = []
    threads = [threading.Thread(target=lambda: results.append(to_svg(make_figures()["weights"]))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [expected] * 3


def test_save_svg(tmp_path: Path) -> None:
    path = tmp_path / "curves.svg"
    save_svg(FIGURES["curves"], path)
    root = ElementTree.parse(path).getroot()
    style = root.find(f"{SVG}style")
    assert style is not None
    assert "prefers-color-scheme:dark" in str(style.text)
    assert root.get("width") == "400"
    assert [file.name for file in tmp_path.iterdir()] == ["curves.svg"]
