"""Known temperatures are found, and the guarantee of conformal prediction holds in counts."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from digitscope.calibration import Calibration, fit_temperature, temper
from digitscope.errors import DigitscopeError
from digitscope.metrics import negative_log_likelihood


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
    said = temper(true, 1 / planted).astype(
        np.float32
    )  # probabilities that would be right at the temperature `planted`
    found = fit_temperature(labels, said)
    assert found == pytest.approx(planted, rel=0.03)
    best = negative_log_likelihood(labels, temper(said, found))
    for other in (0.98, 1.02):
        assert best < negative_log_likelihood(labels, temper(said, other * found))


def test_the_temperature_is_bounded() -> None:
    p = np.array([[0.9, 0.1], [0.2, 0.8]])
    assert fit_temperature(np.array([0, 1]), p) == pytest.approx(1 / 20)  # always right: never confident enough
    assert fit_temperature(np.array([1, 0]), p) == pytest.approx(20)  # always wrong


def conformal(scores: list[float]) -> Calibration:
    return Calibration(1.0, np.sort(scores), np.sort(scores))


def test_the_ranks_by_hand() -> None:
    nine = conformal([float(i) for i in range(1, 10)])
    assert nine.evidence_threshold(0) == -math.inf
    assert nine.evidence_threshold(0.05) == -math.inf  # ten images: one in twenty is less than one
    assert nine.evidence_threshold(0.1) == 1
    assert nine.evidence_threshold(0.29) == 2
    assert nine.probability_threshold(0.9) == 9
    for share in (-0.1, 1.0, math.nan):
        with pytest.raises(DigitscopeError, match="from 0 to below 1; got"):
            nine.evidence_threshold(share)


@given(n=st.integers(1, 60), share=st.floats(0, 0.99), seed=st.integers(0, 2**32 - 1))
def test_at_most_the_given_share_of_similar_images_is_refused(n: int, share: float, seed: int) -> None:
    # Each of n + 1 images is the new one in turn, since all are from the same distribution.
    scores = np.random.default_rng(seed).normal(size=n + 1)
    refused = sum(scores[i] < conformal(np.delete(scores, i).tolist()).evidence_threshold(share) for i in range(n + 1))
    assert refused <= share * (n + 1) + 1e-6


def test_the_fitted_values() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 2000)
    sharp = np.exp(3 * rng.normal(size=(2000, 3)))
    sharp[np.arange(2000), labels] *= 9
    sharp /= sharp.sum(axis=1, keepdims=True)
    fitted = Calibration.fit(labels, sharp, rng.normal(size=2000))
    assert 1.1 < fitted.temperature < 20  # far too confident for its accuracy
    assert (np.diff(fitted.evidence) >= 0).all()
    assert (np.diff(fitted.probability) >= 0).all()
    assert fitted.probability.dtype == np.float32
    assert 0 < fitted.probability[0] <= fitted.probability[-1] <= 1


def test_a_moved_calibration_refuses_the_same_share_where_all_evidence_moves_alike() -> None:
    scores = np.arange(99, dtype=np.float32)
    fitted = Calibration(1.5, scores, scores / 100)
    moved = fitted.moved([1.0, 2.0, 3.0], [3.0, 4.5, 4.0])
    np.testing.assert_allclose(moved.evidence, scores + 2)
    assert moved.evidence_threshold(0.05) == fitted.evidence_threshold(0.05) + 2
    assert moved.temperature == 1.5
    np.testing.assert_array_equal(moved.probability, fitted.probability)
    for before, after in (([1.0], [1.0, 2.0]), ([], [])):
        with pytest.raises(DigitscopeError, match="evidence of the same images"):
            fitted.moved(before, after)


def test_labels_of_any_type_and_wrong_ones() -> None:
    rng = np.random.default_rng(0)
    labels, p = rng.integers(0, 30, 500), rng.dirichlet(np.ones(30), 500)
    expected = fit_temperature(labels, p)
    assert fit_temperature(labels.astype(np.uint8), p) == fit_temperature(labels.tolist(), p.tolist()) == expected
    for wrong, message in ((labels[:9], "for each of 500"), (labels + 1, "got 30"), (labels - 1, "got -1")):
        with pytest.raises(DigitscopeError, match=message):
            fit_temperature(wrong, p)
        with pytest.raises(DigitscopeError, match=message):
            Calibration.fit(wrong, p, np.zeros(500))
    with pytest.raises(DigitscopeError, match=r"expected for each of 500 images; got \(499,\)"):
        Calibration.fit(labels, p, np.zeros(499))
    with pytest.raises(DigitscopeError, match="adds up to 2"):
        fit_temperature(labels, 2 * p)


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.nan, math.inf])
def test_a_temperature_is_positive(temperature: float) -> None:
    with pytest.raises(DigitscopeError, match="expected to be positive; got"):
        temper([[0.5, 0.5]], temperature)
    with pytest.raises(DigitscopeError, match=r"from 0\.001 to 1000\.0; got"):
        Calibration(temperature, np.zeros(1), np.zeros(1))


@pytest.mark.parametrize(
    ("evidence", "probability", "message"),
    [
        ([2.0, 1.0], [0.5, 0.6], "ascending order; evidence"),
        ([1.0, 2.0], [0.6, 0.5], "ascending order; probability"),
        ([1.0, math.nan], [0.5, 0.6], "finite"),
        ([1.0, 2.0], [0.5], r"probability is \(1,\)"),
        ([[1.0]], [[0.5]], r"evidence is \(1, 1\)"),
        ([], [], "at least 1 image are expected; got none"),
    ],
)
def test_invalid_scores(evidence: list[float], probability: list[float], message: str) -> None:
    with pytest.raises(DigitscopeError, match=message):
        Calibration(1.0, np.array(evidence), np.array(probability))
