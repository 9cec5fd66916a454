"""The command that fits the weights of `digitscope.reader`."""

import numpy as np
import pytest

from benchmarks.fit_reading import Choice, Lines, answers, choices, cost, fit, lines_of, loss
from benchmarks.pictures.generated import generated
from benchmarks.pictures.scores import digits_by_line
from digitscope.model import Model
from digitscope.reader import WEIGHTS, Candidates, Weights, read
from digitscope.vision import to_picture

KIND = ("printed number",)


def candidates(digits: list[str], log_p: list[float], log_class: list[float], slashes: list[int]) -> Candidates:
    features = np.zeros((len(digits), len(Weights._fields) - 1))
    for name, values in ("log_p", log_p), ("log_class", log_class), ("slashes", slashes):
        features[:, Weights._fields.index(name)] = np.array(values)
    return Candidates(digits, digits, [], [], [[] for _ in digits], features, 1.0)


def test_the_model_decides_between_texts_of_one_length() -> None:
    parts = candidates(["12", "17"], [-0.2, -1.0], [-4.0, -0.1], [0, 0])
    p = parts.probabilities(WEIGHTS._replace(log_p=1.0, log_class=1.0))
    assert p == pytest.approx(np.array([np.exp(-4.2), np.exp(-1.1)]) / (np.exp(-4.2) + np.exp(-1.1)))
    assert parts.probabilities(WEIGHTS._replace(log_class=0.0)).argmax() == 0
    warm = parts.probabilities(WEIGHTS._replace(log_p=1 / 3, log_class=1 / 3))
    assert 0.5 < warm.max() < p.max()


def test_the_loss_has_the_gradient_that_it_says() -> None:
    rng = np.random.default_rng(1)
    of = [Choice(rng.normal(size=(4, 3)), int(rng.integers(4))) for _ in range(5)]
    weights = rng.normal(size=3)
    slopes = [(loss(weights + e, of)[0] - loss(weights - e, of)[0]) / 2e-5 for e in 1e-5 * np.eye(3)]
    np.testing.assert_allclose(loss(weights, of)[1], slopes, rtol=1e-7)


def test_the_fit_finds_that_a_slash_is_a_one_and_how_sure_to_be() -> None:
    part = candidates(["38", "318"], [-0.1, -2.5], [0.0, 0.0], [1, 0])
    other = candidates(["12", "17"], [0.0, -3.0], [0.0, 0.0], [0, 0])
    pictures = [Lines(("318",), [[part]], 0.0)] * 5 + [Lines(("12",), [[other]], 0.0)] * 3
    pictures += [Lines(("17",), [[other]], 0.0)] * 2
    fitted = fit(pictures)
    right, confidence = answers(pictures, fitted)
    assert right.mean() == pytest.approx(0.8)
    assert confidence[5:] == pytest.approx(0.6, abs=0.02)
    assert fitted.slashes < -2
    assert cost(pictures, fitted) < cost(pictures, WEIGHTS)


def test_only_parts_whose_text_is_known_are_learned_from() -> None:
    none = candidates(["", "1"], [-1.0, -2.0], [0.0, 0.0], [0, 0])
    one, two = (candidates(digits, [-1.0, -2.0], [0.0, 0.0], [0, 0]) for digits in (["1", "12"], ["23", "3"]))
    assert [choice.right for choice in choices(Lines((), [[none], [one]], 0.0))] == [0]
    assert [choice.right for choice in choices(Lines(("123",), [[one, two]], 0.0))] == [0, 0]
    assert choices(Lines(("123",), [[one, two], [none]], 0.0)) == []
    assert choices(Lines(("99",), [[one, two]], 0.0)) == []


def test_stored_candidates_are_read_as_the_picture_is() -> None:
    model = Model.load()
    for lines, example in zip(lines_of(1, 3, model, KIND), generated(1, 3, KIND), strict=True):
        reading = read(to_picture(example.picture), model)
        right, confidence = lines.read(WEIGHTS)
        assert right == (digits_by_line(reading.text) == digits_by_line(example.text))
        assert confidence == pytest.approx(reading.confidence)
