"""scikit-learn's own checks of an estimator, one test for each.

The networks are small, for time; `python -m tests.sklearn.checks` runs the same checks of the default parameters.
"""

from typing import Any

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from digitscope import DenseClassifier, DigitClassifier

SMALL = [DenseClassifier(hidden=(16,), epochs=50, learning_rate=0.03), DigitClassifier(epochs=50, learning_rate=0.03)]


@parametrize_with_checks(SMALL)  # type: ignore[untyped-decorator]
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_scikit_learns_check(estimator: Any, check: Any) -> None:
    check(estimator)
