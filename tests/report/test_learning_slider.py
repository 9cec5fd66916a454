"""The slider over the epochs: without JavaScript it shows the last one, and its data are small."""

import base64
import io
import json
import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from digitscope.arrays import Array
from digitscope.report.learning_slider import LearningSteps, learning_slider


@pytest.fixture
def steps() -> LearningSteps:
    """Two images of the classes 1 and 0 at three moments."""
    probabilities = np.array([[[0.3, 0.7], [0.4, 0.6]], [[0.2, 0.8], [0.5005, 0.4995]], [[0.0, 1.0], [0.05, 0.95]]])
    weights = np.zeros((3, 3, 4), np.float16)
    weights[2, 1] = [1, -1, 0, 0.5]
    return LearningSteps(
        epochs=np.array([0, 5, 8]),
        losses=np.array([2.3, 0.5, 0.25]),
        accuracies=np.array([0.1, 0.85, 0.9125]),
        probabilities=probabilities,
        weights=weights,
        images=np.array([[[0, 255], [9, 0]], [[1, 2], [3, 4]]], np.uint8),
        labels=np.array([1, 0]),
    )


def parse(steps: LearningSteps) -> tuple[ElementTree.Element, dict[str, list[object]]]:
    """The part of the page, which must be XML, and the data of its script."""
    text = learning_slider(steps).text
    found = re.search(r"const data = (\{.*\}), root", text)
    assert found
    return ElementTree.fromstring(f"<div>{text}</div>"), json.loads(found[1])


def test_it_shows_the_last_moment_without_a_script(steps: LearningSteps) -> None:
    root, data = parse(steps)
    (title,) = (output.text for output in root.iter("output"))
    assert title == data["titles"][-1] == "After epoch 8 of 8: validation loss 0.2500, accuracy 91.25\u00a0%"
    assert data["titles"][0] == "Before training: validation loss 2.3000, accuracy 10.00\u00a0%"
    answers = [span.text for span in root.iter("span")]
    assert answers == data["answers"][-1] == ["1 ✓ 100\u00a0%", "1 ✗ 95\u00a0%"]
    bars = [
        ("".join(row.itertext()), bar.get("class"), bar.get("style"))
        for row in root.iter("tr")
        for bar in row.iter("i")
    ]
    assert bars == [
        ("05.0 %", None, "width:5.0%"),
        ("195.0 %", "wrong", "width:95.0%"),
    ]  # of the image that is read wrongly
    checked = [item.get("value") for item in root.iter("input") if item.get("checked") is not None]
    assert checked == ["1"]
    (slider,) = (item for item in root.iter("input") if item.get("type") == "range")
    assert (slider.get("min"), slider.get("max"), slider.get("value")) == ("0", "2", "2")
    assert [label.get("hidden") for label in root.iter("label")] == ["", None, None]


def test_the_script_has_every_moment(steps: LearningSteps) -> None:
    _, data = parse(steps)
    assert data["tenths"] == [[[300, 700], [400, 600]], [[200, 800], [500, 500]], [[0, 1000], [50, 950]]]
    assert data["read"] == [[1, 1], [1, 0], [1, 1]]
    assert data["labels"] == [1, 0]


def picture(root: ElementTree.Element) -> Array | None:
    """The RGBA picture of the weights."""
    sources = [image.get("src", "") for image in root.iter("img") if image.get("class") is None]
    if not sources:
        return None
    content = base64.b64decode(sources[0].removeprefix("data:image/png;base64,"))
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGBA"))


@pytest.mark.parametrize("shape", [(4,), (1, 2, 2), (1, 5, 5)])
def test_weights_are_one_picture_of_all_moments(steps: LearningSteps, shape: tuple[int, ...]) -> None:
    weights = np.zeros((3, 3, *shape), np.float16)
    weights[2, 1].flat[:2] = [1, -1]
    pixels = picture(parse(replace(steps, weights=weights))[0])
    assert pixels is not None
    before, after = pixels[: len(pixels) // 3], pixels[-len(pixels) // 3 :]
    orange, blue = ((pixels == color).all(axis=2) for color in ((213, 94, 0, 255), (0, 114, 178, 255)))
    assert orange.sum() == blue.sum() > 0
    assert not (orange | blue)[: len(before)].any()
    assert (orange | blue)[-len(after) :].any()


@pytest.mark.parametrize("shape", [(5,), (3, 2, 2), (4, 4)])
def test_weights_that_are_not_images_are_left_out(steps: LearningSteps, shape: tuple[int, ...]) -> None:
    assert picture(parse(replace(steps, weights=np.zeros((3, 3, *shape))))[0]) is None


def test_the_largest_one_is_small() -> None:
    rng = np.random.default_rng(0)
    largest = LearningSteps(
        epochs=np.arange(31),
        losses=rng.random(31),
        accuracies=rng.random(31),
        probabilities=rng.dirichlet(np.ones(10), (31, 10)),
        weights=rng.normal(size=(31, 16, 784)).astype(np.float16),
        images=rng.integers(0, 256, (10, 28, 28), dtype=np.uint8),
        labels=np.arange(10),
    )
    text = learning_slider(largest).text
    assert len(text.encode()) < 600_000
    assert not re.findall(r'(?:src|href)="(?!data:)|https?:', text)
