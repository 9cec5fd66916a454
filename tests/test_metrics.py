"""Against numbers worked by hand."""

import math

import numpy as np
import pytest

from digitscope.metrics import (
    Evaluation,
    accuracy,
    brier_score,
    confusion_matrix,
    fit_temperature,
    most_confused,
    negative_log_likelihood,
    precision_recall,
    reliability_diagram,
    temper,
    wilson_interval,
)

LABELS = np.array([0, 0, 1, 1, 1, 2])
PREDICTIONS = np.array([0, 1, 1, 1, 0, 0])
CONFUSION = np.array([[1, 1, 0, 0], [1, 2, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]])


def test_accuracy_and_confusion() -> None:
    assert accuracy(LABELS, PREDICTIONS) == 0.5
    np.testing.assert_array_equal(confusion_matrix(LABELS, PREDICTIONS, 4), CONFUSION)


def test_precision_and_recall_are_unknown_where_there_is_nothing_to_count() -> None:
    precision, recall = precision_recall(CONFUSION)
    np.testing.assert_allclose(precision, [1 / 3, 2 / 3, np.nan, np.nan])
    np.testing.assert_allclose(recall, [1 / 2, 2 / 3, 0, np.nan])


def test_the_most_frequent_mistakes_come_first() -> None:
    confusion = np.array([[9, 2, 0], [5, 9, 0], [0, 1, 9]])
    assert most_confused(confusion, 2) == [(1, 0, 5), (0, 1, 2)]
    assert most_confused(confusion, 9) == [(1, 0, 5), (0, 1, 2), (2, 1, 1)]
    assert most_confused(np.eye(3, dtype=int)) == []


def test_wilsons_interval() -> None:
    # Wilson's score interval for 8520 of 10,000, worked with z = 1.96.
    low, high = wilson_interval(0.852, 10_000)
    assert (low, high) == pytest.approx((0.844905, 0.858826), abs=1e-5)
    assert wilson_interval(1.0, 100) == pytest.approx((0.963, 1.0), abs=1e-3)
    assert wilson_interval(0.0, 100) == pytest.approx((0.0, 0.037), abs=1e-3)


def test_negative_log_likelihood() -> None:
    p = np.array([[0.5, 0.5], [0.25, 0.75]])
    assert negative_log_likelihood(np.array([0, 1]), p) == pytest.approx(-(math.log(0.5) + math.log(0.75)) / 2)
    assert math.isfinite(negative_log_likelihood(np.array([1]), np.array([[1.0, 0.0]])))


def test_brier_score() -> None:
    p = np.array([[1.0, 0.0], [0.0, 1.0], [0.75, 0.25]], dtype=np.float32)
    assert brier_score(np.array([0, 0, 0]), p) == pytest.approx((0 + 2 + 2 * 0.25**2) / 3)
    assert p[0, 0] == 1  # its argument stays


def test_a_temperature_of_two_takes_the_square_root() -> None:
    p = np.array([[0.8, 0.2], [0.0, 1.0]])
    np.testing.assert_allclose(temper(p, 2.0)[0], [2 / 3, 1 / 3])
    np.testing.assert_allclose(temper(p, 0.5)[0], [16 / 17, 1 / 17])
    np.testing.assert_allclose(temper(p, 1.0), p, atol=1e-30)
    assert np.isfinite(temper(p, 0.01)).all()


@pytest.mark.parametrize("planted", [0.4, 1.0, 2.5])
def test_a_planted_temperature_is_found(planted: float) -> None:
    rng = np.random.default_rng(0)
    true = rng.dirichlet(np.full(5, 0.4), 20_000)
    labels = (rng.random(20_000)[:, None] > true.cumsum(axis=1)).sum(axis=1).clip(0, 4)
    said = temper(true, 1 / planted).astype(np.float32)  # what would be right if it were less sure by `planted`
    found = fit_temperature(labels, said)
    assert found == pytest.approx(planted, rel=0.03)
    best = negative_log_likelihood(labels, temper(said, found))
    for other in (0.98, 1.02):
        assert best < negative_log_likelihood(labels, temper(said, other * found))


def test_the_temperature_ends_somewhere() -> None:
    p = np.array([[0.9, 0.1], [0.2, 0.8]])
    assert fit_temperature(np.array([0, 1]), p) == pytest.approx(1 / 20)  # always right: never sure enough
    assert fit_temperature(np.array([1, 0]), p) == pytest.approx(20)  # always wrong


def test_calibration_bins_and_error() -> None:
    p = np.array([[1.0, 0.0], [0.9, 0.1], [0.95, 0.05], [0.55, 0.45]])
    labels = np.array([0, 1, 0, 1])
    result = reliability_diagram(labels, p, bins=10)
    assert result.counts.tolist() == [0, 0, 0, 0, 0, 1, 0, 0, 1, 2]
    assert result.confidence[5] == pytest.approx(0.55)
    assert result.accuracy[[5, 8, 9]].tolist() == [0.0, 0.0, 1.0]
    assert np.isnan(result.accuracy[0])
    assert result.expected_calibration_error == pytest.approx((0.55 + 0.9 + abs(1.95 - 2)) / 4)


def test_an_evaluation_is_all_of_them() -> None:
    p = np.eye(4)[PREDICTIONS] * 0.9 + 0.025
    result = Evaluation.of(LABELS, p)
    assert (result.images, result.accuracy) == (6, 0.5)
    assert result.interval == wilson_interval(0.5, 6)
    np.testing.assert_array_equal(result.confusion, CONFUSION)
    assert result.brier_score == brier_score(LABELS, p)
    assert result.negative_log_likelihood == pytest.approx(-(math.log(0.925) + math.log(0.025)) / 2)
