"""Metrics against numbers computed by hand."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from digitscope.errors import DigitscopeError
from digitscope.metrics import (
    Evaluation,
    accuracy,
    as_probabilities,
    brier_score,
    confusion_matrix,
    mcnemar_p,
    most_confused,
    negative_log_likelihood,
    percentage,
    precision_recall,
    reliability_diagram,
    wilson_interval,
)

LABELS = np.array([0, 0, 1, 1, 1, 2])
PREDICTIONS = np.array([0, 1, 1, 1, 0, 0])
CONFUSION = np.array([[1, 1, 0, 0], [1, 2, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]])


def test_accuracy_and_confusion() -> None:
    assert accuracy(LABELS, PREDICTIONS) == 0.5
    np.testing.assert_array_equal(confusion_matrix(LABELS, PREDICTIONS, 4), CONFUSION)


def test_precision_and_recall_are_nan_if_there_is_nothing_to_count() -> None:
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
    assert repr(result) == (
        "Evaluation(6 images, accuracy 50.00 % (18.76 to 81.24 %), negative log-likelihood 1.8834, "
        "calibration error 42.50 %)"
    )
    assert result.negative_log_likelihood == pytest.approx(-(math.log(0.925) + math.log(0.025)) / 2)


TYPES: list[Callable[[npt.NDArray[np.int64]], Any]] = [
    lambda y: y.astype(np.uint8),
    lambda y: y.astype(np.int8),
    lambda y: y.astype(">i4"),
    lambda y: y.astype(np.float64),
    lambda y: y.tolist(),
    lambda y: pd.Series(y, index=y[::-1]),
    lambda y: y[:, None],
]


@pytest.mark.parametrize("convert", TYPES)
def test_labels_of_any_type_give_the_same_as_int64(convert: Callable[[npt.NDArray[np.int64]], Any]) -> None:
    rng = np.random.default_rng(0)
    labels, predictions = rng.integers(0, 30, 900), rng.integers(0, 30, 900)  # 29 * 30 + 29 is more than a uint8 holds
    predictions[:450] = labels[:450]
    expected = np.zeros((30, 30), int)
    for true, predicted in zip(labels, predictions, strict=True):
        expected[true, predicted] += 1
    confusion = confusion_matrix(convert(labels), convert(predictions), 30)
    np.testing.assert_array_equal(confusion, expected)
    assert accuracy(convert(labels), convert(predictions)) == np.trace(expected) / 900
    p = 0.7 * np.eye(30)[predictions] + 0.01
    same, result = Evaluation.of(convert(labels), p.tolist()), Evaluation.of(labels, p)
    np.testing.assert_array_equal(same.confusion, expected)
    assert result.accuracy == same.accuracy == pytest.approx(np.average(same.recall, weights=expected.sum(axis=1)))
    assert brier_score(convert(labels), p) == result.brier_score
    assert negative_log_likelihood(convert(labels), p) == result.negative_log_likelihood
    np.testing.assert_array_equal(reliability_diagram(convert(labels), p).accuracy, result.reliability.accuracy)


@pytest.mark.parametrize(
    ("labels", "predictions", "message"),
    [
        ([0, 1, 2], [0, 1], "one prediction for each label, at least one; got 3 labels, 2 predictions"),
        ([0, 1, 2], 1, "got 3 labels, 0 predictions"),
        ([], [], "at least one; got 0 labels"),
        ([0, 1], [0, -1], "got -1"),
        ([0, 3], [0, 1], "from 0 to 2; got 3"),
        ([0, 1], [0, 0.5], "whole numbers from 0; got 0.5"),
        ([0, 1], [[1, 0, 0], [0, 1, 0]], "one-hot"),
        (["a", "b"], [0, 1], "expected as numbers"),
        ([0, 1], [[0, 1], [1]], "expected as one array|inhomogeneous"),
    ],
)
def test_labels_and_predictions_that_do_not_fit_are_refused(labels: Any, predictions: Any, message: str) -> None:
    with pytest.raises(DigitscopeError, match=message):
        confusion_matrix(labels, predictions, 3)
    if "got 3" not in message:
        with pytest.raises(DigitscopeError, match=message):
            accuracy(labels, predictions)


@pytest.mark.parametrize(
    ("probabilities", "message"),
    [
        ([0.5, 0.5], r"rows, \(N, classes\), at least one; got \(2,\)"),
        (np.empty((0, 3)), r"at least one; got \(0, 3\)"),
        ([[0.5, 0.5], [1.0]], "one array"),
        ([["a", "b"]], "expected as numbers"),
        ([[0.5, math.nan], [0.5, 0.5]], "from 0; got nan"),
        ([[math.inf, 0.0], [0.5, 0.5]], "from 0; got inf"),
        ([[1.5, -0.5], [0.5, 0.5]], "from 0; got -0.5. Are these logits"),
        ([[0.5, 0.5], [2.0, 1.0]], r"row 1 of \(2, 2\) adds up to 3"),
        (np.full((2, 4), 0.5), "adds up to 2.*transpose"),
    ],
)
def test_invalid_probabilities_are_refused(probabilities: Any, message: str) -> None:
    for function in (Evaluation.of, negative_log_likelihood, brier_score, reliability_diagram):
        with pytest.raises(DigitscopeError, match=message):
            function([0, 1], probabilities)
    with pytest.raises(DigitscopeError, match=message):
        as_probabilities(probabilities)


def test_probabilities_rounded_to_half_precision_are_accepted() -> None:
    p = np.random.default_rng(0).dirichlet(np.ones(10), 1000)
    labels = np.arange(1000) % 10
    assert brier_score(labels, p.astype(np.float16)) == pytest.approx(brier_score(labels, p), rel=1e-3)
    for labels_of_others in (labels[:999], labels + 1):
        with pytest.raises(DigitscopeError, match=r"one integer for each of 1000 images|from 0 to 9; got 10"):
            brier_score(labels_of_others, p)


@pytest.mark.parametrize("confusion", [np.ones(3, int), np.ones((2, 3), int), np.eye(3) / 2, -np.eye(3, dtype=int)])
def test_an_invalid_confusion_matrix_is_refused(confusion: Any) -> None:
    for function in (precision_recall, most_confused):
        with pytest.raises(DigitscopeError, match="confusion matrix is expected"):
            function(confusion)


def test_other_limits() -> None:
    for share, n in ((1.1, 5), (-0.1, 5), (math.nan, 5), (0.5, 0)):
        with pytest.raises(DigitscopeError, match="a share from 0 to 1 of at least 1 trial"):
            wilson_interval(share, n)
    with pytest.raises(DigitscopeError, match="at least 1 bin; got 0"):
        reliability_diagram([0], [[1.0, 0.0]], bins=0)


@pytest.mark.parametrize(
    ("share", "decimals", "text"),
    [
        (0.98765, 2, "98.77"),
        (0.9876, 0, "99"),
        (1, 2, "100.00"),
        (0, 1, "0.0"),
        (0.99997, 2, "99.99"),
        (0.9997, 1, "99.9"),
        (0.997, 0, "99"),
        (0.00001, 2, "0.01"),
        (0.0002, 1, "0.1"),
        (0.002, 0, "1"),
        (math.nan, 1, "nan"),
    ],
)
def test_only_all_is_100_per_cent_and_only_none_is_0(share: float, decimals: int, text: str) -> None:
    assert percentage(share, decimals) == text


@pytest.mark.parametrize(
    ("counts", "p"),
    [
        ((0, 0), 1.0),
        ((1, 0), 1.0),
        ((0, 5), 2 / 2**5),
        ((3, 1), 2 * (1 + 4) / 2**4),
        ((4, 4), 1.0),
        ((12, 3), 0.03515625),  # the two cases of chapter 11: 4 of 100, and 34 of 100
        ((40, 31), 0.342471),
    ],
)
def test_mcnemar_counts_fair_coins(counts: tuple[int, int], p: float) -> None:
    assert mcnemar_p(*counts) == pytest.approx(p, rel=1e-5)
    assert mcnemar_p(*reversed(counts)) == mcnemar_p(*counts)


@given(st.integers(0, 537), st.integers(0, 537))
def test_mcnemar_is_the_binomial_test(a: int, b: int) -> None:
    """From 1,075 coins on, SciPy gives 0 for small probabilities such as 2.7e-300."""
    expected = stats.binomtest(a, a + b).pvalue if a + b else 1.0
    assert mcnemar_p(a, b) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("counts", [(-1, 2), (1, 2.5), (True, 1)])
def test_mcnemar_expects_counts(counts: Any) -> None:
    with pytest.raises(DigitscopeError, match="whole number from 0"):
        mcnemar_p(*counts)
