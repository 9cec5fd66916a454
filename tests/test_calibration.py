"""How sure a model may be: the promise of conformal prediction, counted."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from digitscope.calibration import Calibration
from digitscope.errors import DigitscopeError


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
def test_of_images_drawn_alike_no_larger_share_is_refused(n: int, share: float, seed: int) -> None:
    # Each of n + 1 images is the new one in turn, which is what being drawn alike means.
    scores = np.random.default_rng(seed).normal(size=n + 1)
    refused = sum(scores[i] < conformal(np.delete(scores, i).tolist()).evidence_threshold(share) for i in range(n + 1))
    assert refused <= share * (n + 1) + 1e-6


def test_what_is_fitted() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 2000)
    sharp = np.exp(3 * rng.normal(size=(2000, 3)))
    sharp[np.arange(2000), labels] *= 9
    sharp /= sharp.sum(axis=1, keepdims=True)
    fitted = Calibration.fit(labels, sharp, rng.normal(size=2000))
    assert 1.1 < fitted.temperature < 20  # wrong far too often to be so sure
    assert (np.diff(fitted.evidence) >= 0).all()
    assert (np.diff(fitted.probability) >= 0).all()
    assert fitted.probability.dtype == np.float32
    assert 0 < fitted.probability[0] <= fitted.probability[-1] <= 1
