"""Tables, sentences and the page of evaluate --robust, from invented results."""

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from digitscope.metrics import Evaluation
from digitscope.report import robustness_page as page
from digitscope.robustness_results import (
    AccuracyEstimate,
    CorruptionResult,
    DisputedResult,
    MnistResult,
    Robustness,
)


@pytest.fixture
def result() -> Robustness:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 10, 200)
    sharp, soft = (weight * np.eye(10)[labels] + (1 - weight) / 10 for weight in (0.9, 0.7))
    sharp[:30] = sharp[:30, ::-1]
    estimates = tuple(AccuracyEstimate(200, share) for share in (0.9, 0.8, 0.7, 0.6, 0.5))
    corruptions = {
        "rotation": CorruptionResult("degrees either way", (10, 20, 30, 40, 50), estimates),
        "noise": CorruptionResult("of full ink", (0.1, 0.2, 0.3, 0.4, 0.55), estimates[::-1]),
    }
    samples = rng.integers(0, 256, (2, 6, 28, 28), dtype=np.uint8)
    return Robustness(
        name="convnet",
        source="test images of few",
        clean=Evaluation.of(labels, sharp),
        seed=0,
        corruptions=corruptions,
        samples=samples,
        temperature=0.552,
        temperature_source="100 validation images",
        uncalibrated=Evaluation.of(labels, soft),
        calibrated=Evaluation.of(labels, sharp),
        mnist=None,
    )


@pytest.fixture
def mnist() -> MnistResult:
    disputed = (
        DisputedResult(947, 8, 9, (0, 5, 0), 9, 9),
        DisputedResult(2130, 4, 9, (2, 2, 1), None, 9),
        DisputedResult(2654, 6, 1, (0, 2, 3), None, 6),
    )
    parts = {"all": AccuracyEstimate(10_000, 0.9992), "the first 5,000, students": AccuracyEstimate(5000, 0.9986)}
    return MnistResult(parts, disputed, np.zeros((3, 28, 28), np.uint8))


def test_tables_and_json_agree(result: Robustness) -> None:
    content = json.loads(json.dumps(result.as_json()))
    rows = page.corruption_table(result)
    assert rows[1] == ["rotation, 10 to 50 degrees either way", "90.0", "80.0", "70.0", "60.0", "50.0"]
    assert [list(row[1:]) for row in rows[1:]] == [
        [f"{100 * share:.1f}" for share in kind["accuracy"]] for kind in content["corruptions"].values()
    ]
    assert content["mean_accuracy"] == pytest.approx(0.7)
    assert page.corruption_sentence(result) == "The mean over all corruptions and strengths is 70.00 %."
    before, after = content["calibration"], content["calibration_tempered"]
    assert before["brier_score"] == result.uncalibrated.brier_score != after["brier_score"]
    assert page.calibration_table(result) == [
        ["calibration", "uncalibrated (T = 1)", "calibrated (T = 0.552)"],
        ["calibration error (15 bins), %", f"{100 * before['error']:.2f}", f"{100 * after['error']:.2f}"],
        [
            "negative log-likelihood, nats",
            f"{before['negative_log_likelihood']:.4f}",
            f"{after['negative_log_likelihood']:.4f}",
        ],
        ["Brier score, 0 to 2", f"{before['brier_score']:.4f}", f"{after['brier_score']:.4f}"],
    ]
    assert page.temperature_sentence(result) == "The temperature 0.552 was fitted on 100 validation images."


def test_without_a_temperature(result: Robustness) -> None:
    result = replace(result, temperature=None, calibrated=None, temperature_source="it is not known")
    assert [len(row) for row in page.calibration_table(result)] == [2, 2, 2, 2]
    assert page.temperature_sentence(result) == "No temperature was fitted: it is not known."


def test_parts_of_mnist(mnist: MnistResult) -> None:
    assert page.parts_table(mnist)[1] == ["all", "10,000", "99.92", "99.84 to 99.96"]
    assert [list(row) for row in page.disputed_table(mnist)[1:]] == [
        ["947", "8", "9", "9"],
        ["2130", "4", "divided", "9"],
        ["2654", "6", "neither", "6"],
    ]
    assert page.disputed_sentence(mnist) == (
        "1 of the 3 images are read as labelled. Of the 1 in which most people saw one other digit, 1 are read as that "
        "digit."
    )


@pytest.mark.parametrize("everything", [True, False])
def test_the_page(result: Robustness, mnist: MnistResult, tmp_path: Path, everything: bool) -> None:
    if everything:
        result = replace(result, mnist=mnist)
    else:
        result = replace(result, temperature=None, calibrated=None, temperature_source="it is not known")
    page.write_robustness_page(tmp_path / "page.html", "my.safetensors", result)
    root = ElementTree.fromstring((tmp_path / "page.html").read_text(encoding="utf-8").removeprefix("<!DOCTYPE html>"))
    tables = [[["".join(cell.itertext()) for cell in row] for row in table.iter("tr")] for table in root.iter("table")]
    shown = [page.corruption_table(result), page.calibration_table(result)]
    shown += [page.parts_table(mnist)] if everything else []
    assert tables == [[[text.replace(" %", "\u00a0%") for text in row] for row in table] for table in shown]
    assert len(list(root.iter("{http://www.w3.org/2000/svg}svg"))) == (3 if everything else 2)
    headings = [heading.text for heading in root.iter("h2")]
    assert headings[:4] == [
        "Accuracy on corrupted images",
        "Accuracy on corrupted images in numbers",
        "Calibration",
        "Calibration in numbers",
    ]
    assert ("Disputed labels" in headings) == everything
    words = "".join(root.itertext())
    assert "my.safetensors" in words
    assert ("No temperature was fitted: it is not known." in words) != everything
