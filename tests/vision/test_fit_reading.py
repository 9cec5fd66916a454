"""The command that fits the weights of `digitscope.reader`."""

import numpy as np
import pytest

from benchmarks.fit_reading import Lines, answers, cost, fit, lines_of
from benchmarks.pictures.generated import generated
from benchmarks.pictures.scores import digits_by_line
from digitscope.model import Model
from digitscope.reader import WEIGHTS, Candidates, read
from digitscope.vision import to_picture
from digitscope.vision.line_image import HEIGHT
from digitscope.vision.line_reader import ALPHABET, LineLogits

KIND = ("printed number",)


def candidates(digits: list[str], log_p: list[float], log_class: list[float]) -> Candidates:
    none = [np.zeros((len(own), 28, 28), np.uint8) for own in digits]
    zeros = np.zeros(len(digits))
    ink = np.zeros((HEIGHT, 16), np.float32)
    said = LineLogits(np.zeros((len(ALPHABET) + 1, 4)), ink, 1.0, ink, 5, 27)
    return Candidates(said, digits, digits, none, np.array(log_p), 1.0, np.array(log_class), zeros)


def test_the_model_decides_between_texts_of_one_length() -> None:
    parts = candidates(["12", "17"], [-0.2, -1.0], [-4.0, -0.1])
    p = parts.probabilities(WEIGHTS._replace(of_class=1.0, temperature=1.0))
    assert p == pytest.approx(np.array([np.exp(-4.2), np.exp(-1.1)]) / (np.exp(-4.2) + np.exp(-1.1)))
    assert parts.probabilities(WEIGHTS._replace(of_class=0.0)).argmax() == 0
    warm = parts.probabilities(WEIGHTS._replace(of_class=1.0, temperature=3.0))
    assert 0.5 < warm.max() < p.max()


def test_overconfident_readings_are_warmed() -> None:
    sure = [[candidates(["12", "17"], [0.0, -3.0], [0.0, 0.0])]]
    pictures = [Lines(("12",), sure, 0.0)] * 3 + [Lines(("17",), sure, 0.0)] * 2
    fitted = fit(pictures)
    assert fitted.temperature == 2.5
    assert cost(pictures, fitted) < cost(pictures, fitted._replace(temperature=1.0))
    assert answers(pictures, fitted)[0].mean() == pytest.approx(0.6)


def test_stored_candidates_are_read_as_the_picture_is() -> None:
    model = Model.load()
    for lines, example in zip(lines_of(1, 3, model, KIND), generated(1, 3, KIND), strict=True):
        reading = read(to_picture(example.picture), model)
        right, confidence = lines.read(WEIGHTS)
        assert right == (digits_by_line(reading.text) == digits_by_line(example.text))
        assert confidence == pytest.approx(reading.confidence)
