"""scikit-learn's checks of the default parameters, as a command: for another release, and with the time of each.

python -m tests.sklearn.checks
uv run --isolated --with "scikit-learn==1.6.*" python -m tests.sklearn.checks
"""

import sys
import warnings
from collections import Counter

import sklearn
from sklearn.exceptions import SkipTestWarning
from sklearn.utils.estimator_checks import check_estimator

from digitscope import DenseClassifier, DigitClassifier

RANDOM_MASKS = "dropout draws other masks for repeated rows than for weighted ones"
STATISTICS = "the statistics of batch normalization count every row once"


def expected_failures(estimator: object) -> dict[str, str]:
    """Only of parameters that make a repetition something else than a weight; docs/python.md says so."""
    if isinstance(estimator, DenseClassifier) and (estimator.batch_norm or estimator.dropout):
        return {"check_sample_weight_equivalence_on_dense_data": f"{RANDOM_MASKS}; {STATISTICS}"}
    return {}


def main() -> int:
    warnings.simplefilter("error")
    warnings.simplefilter("ignore", SkipTestWarning)
    failed = 0
    regularized = DenseClassifier(activation="leaky-relu", dropout=0.1, batch_norm=True)
    for estimator in (DenseClassifier(), DigitClassifier(), regularized):
        results = check_estimator(estimator, expected_failed_checks=expected_failures(estimator), on_fail=None)
        counts = dict(Counter(result["status"] for result in results))
        print(f"scikit-learn {sklearn.__version__}, {estimator}: {counts}", flush=True)
        for result in results:
            if result["status"] == "failed":
                failed += 1
                print(f"  {result['check_name']}: {result['exception']!r}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
