"""The page of a training, from invented results."""

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from digitscope.arrays import Array
from digitscope.metrics import Evaluation
from digitscope.report.training_page import TrainingResult, write_training_page


@pytest.fixture
def result() -> TrainingResult:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 10, 200)
    answers = np.where(rng.random(200) < 0.9, labels, (labels + 1) % 10)
    probabilities = 0.8 * np.eye(10)[answers] + 0.02
    evaluation = Evaluation.of(labels, probabilities)
    steps: list[float | None] = [1.0, 2.0, 3.0]
    return TrainingResult(
        recipe="mlp",
        description="one hidden layer",
        data="few.npz",
        history={"step": steps, "epoch": [1.0, 1.0, 1.0], "loss": [2.0, 1.0, 0.5], "accuracy": [0.1, 0.5, 0.9]},
        part="test",
        images=rng.integers(0, 256, (200, 28, 28), dtype=np.uint8),
        labels=labels,
        probabilities=probabilities,
        evaluation=evaluation,
        first_weights=rng.normal(size=(16, 784)),
        validation_accuracy=0.875,
        train_seconds=1.25,
        epochs=1,
        parameters=12_730,
        train_images=1100,
        seed=7,
    )


def parse(path: Path) -> tuple[list[str], dict[str, str], int]:
    """Headings, facts, and the number of figures."""
    root = ElementTree.fromstring(path.read_text(encoding="utf-8").removeprefix("<!DOCTYPE html>"))
    headings = ["".join(heading.itertext()) for heading in root.iter("h2")]
    names, values = (
        ["".join(part.itertext()).replace("\u00a0", " ") for part in root.iter(tag)] for tag in ("dt", "dd")
    )
    return headings, dict(zip(names, values, strict=True)), len(list(root.iter("{http://www.w3.org/2000/svg}svg")))


def test_headings_are_what_people_search_for(result: TrainingResult, tmp_path: Path) -> None:
    write_training_page(tmp_path / "report.html", result)
    headings, facts, figures = parse(tmp_path / "report.html")
    assert headings == [
        "Learning curves",
        "Sample predictions",
        "Confusion matrix",
        "Most confident errors",
        "Weights of the first layer",
        "Calibration",
    ]
    assert figures == 6
    assert facts["Test accuracy"] == f"{100 * result.evaluation.accuracy:.2f} %"
    assert facts["Validation accuracy"] == "87.50 %"
    assert facts["Images"] == "1,100 training, 200 test"
    assert (facts["Parameters"], facts["Seed"], facts["Training"]) == ("12,730", "7", "1.2 s, 1 epoch")


@pytest.mark.parametrize(
    ("weights", "shown"),
    [
        (np.ones((8, 1, 5, 5)), True),  # a convolution of one channel
        (np.ones((8, 3, 5, 5)), False),  # of three: its weights are not one image
        (np.ones((8, 100)), False),  # a dense layer that does not see the image
        (np.ones((8, 1)), False),  # a scale for each channel
        (np.ones(8), False),
        (None, False),
    ],
)
def test_the_first_layer_is_shown_if_its_weights_are_images(
    result: TrainingResult, tmp_path: Path, weights: Array | None, shown: bool
) -> None:
    write_training_page(tmp_path / "report.html", replace(result, first_weights=weights, part="validation"))
    headings, facts, figures = parse(tmp_path / "report.html")
    assert ("Weights of the first layer" in headings) == shown
    assert figures == 5 + shown
    assert "Validation accuracy" in facts


def test_a_temperature_fitted_on_the_same_images_is_marked(result: TrainingResult, tmp_path: Path) -> None:
    for part, said in (("test", False), ("validation", True)):
        write_training_page(tmp_path / "report.html", replace(result, part=part))
        page = (tmp_path / "report.html").read_text(encoding="utf-8")
        assert ("The temperature was fitted on these same images." in page) == said
