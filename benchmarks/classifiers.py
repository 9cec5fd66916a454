"""The classifiers for scikit-learn beside its own multilayer perceptron: accuracy and processor time of a fit.

    python -m benchmarks.classifiers --seeds 3

On scikit-learn's digits, 5 folds, shuffled anew for each seed. On MNIST, the first 5,000 training images are learned
and the last 10,000 are predicted; the test images are not touched. Everything runs on one thread.
"""

import argparse
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import StratifiedKFold
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from digitscope import DenseClassifier, DigitClassifier, load_mnist
from digitscope.arrays import Array

Split = tuple[Array, Array, Array, Array]
CLASSIFIERS: dict[str, Callable[[int], Any]] = {
    "MLPClassifier": lambda seed: MLPClassifier(random_state=seed),
    "StandardScaler, MLPClassifier": lambda seed: make_pipeline(StandardScaler(), MLPClassifier(random_state=seed)),
    "DenseClassifier": lambda seed: DenseClassifier(random_state=seed, n_threads=1),
    "DenseClassifier, dropout 0.3": lambda seed: DenseClassifier(dropout=0.3, random_state=seed, n_threads=1),
    'DigitClassifier("mlp")': lambda seed: DigitClassifier("mlp", random_state=seed, n_threads=1),
    "DigitClassifier()": lambda seed: DigitClassifier(random_state=seed, n_threads=1),
}


def digits(seed: int) -> list[Split]:
    x, y = load_digits(return_X_y=True)
    folds = StratifiedKFold(5, shuffle=True, random_state=seed).split(x, y)
    return [(x[train], y[train], x[test], y[test]) for train, test in folds]


def mnist(seed: int) -> list[Split]:
    (x, y), _ = load_mnist()
    rows = x.reshape(len(x), 784) / 255
    return [(rows[:5000], y[:5000], rows[-10000:], y[-10000:])]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--data", choices=("digits", "mnist"), nargs="*", default=("digits", "mnist"))
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # MLPClassifier's, that it has not converged
    for name in arguments.data:
        for title, make in CLASSIFIERS.items():
            accuracies, seconds = [], []
            for seed in range(arguments.seeds):
                right = []
                for x, y, x_test, y_test in {"digits": digits, "mnist": mnist}[name](seed):
                    with threadpool_limits(1):
                        began = time.process_time()
                        classifier = make(seed).fit(x, y)
                        seconds.append(time.process_time() - began)
                        right.append(classifier.predict(x_test) == y_test)
                accuracies.append(100 * np.concatenate(right).mean())
            deviation = np.std(accuracies, ddof=1) if len(accuracies) > 1 else float("nan")
            print(
                f"{name:7}{title:32}{np.mean(accuracies):6.2f} % ± {deviation:.2f} {np.mean(seconds):7.2f} s",
                flush=True,
            )


if __name__ == "__main__":
    main()
