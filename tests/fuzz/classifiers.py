"""Files of classifiers as a target: one that loads must predict finite probabilities, or end in one error."""

import tempfile
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from digitscope import DenseClassifier, DigitClassifier
from digitscope.errors import DigitscopeWarning

ROWS = np.random.default_rng(0).normal(size=(12, 3))
LABELS = np.arange(12) % 3


@cache
def classifier_files() -> dict[str, bytes]:
    """A classifier for a table with names, and one for images."""
    names = np.array(["a", "b", "c"])[LABELS]
    table = pd.DataFrame(ROWS, columns=["x", "y", "z"])
    classifiers = {
        "dense": DenseClassifier((4,), batch_norm=True, epochs=1, random_state=0).fit(table, names),
        "digits": DigitClassifier("mlp", epochs=1, random_state=0).fit(np.abs(np.resize(ROWS, (12, 64))), LABELS),
    }
    files = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, classifier in classifiers.items():
            path = Path(folder) / f"{name}.safetensors"
            classifier.save(path)
            files[path.name] = path.read_bytes()
    return files


def load_classifier(path: Path) -> DenseClassifier | DigitClassifier:
    """The classifier in one of these files."""
    return (DenseClassifier if path.name.endswith("dense.safetensors") else DigitClassifier).load(path)


def rows_for(classifier: DenseClassifier | DigitClassifier) -> Any:
    """Three rows that it can predict."""
    names = getattr(classifier, "feature_names_in_", range(classifier.n_features_in_))
    rows: Any = pd.DataFrame(np.resize(ROWS, (3, len(names))), columns=names)
    return rows if hasattr(classifier, "feature_names_in_") else rows.to_numpy()


def use_classifier(path: Path) -> None:
    """Loads the classifier, and predicts a few rows with it."""
    classifier = load_classifier(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DigitscopeWarning)  # A changed file may expect pixels of another range.
        probabilities = classifier.predict_proba(rows_for(classifier))
    if not np.isfinite(probabilities).all() or probabilities.shape != (3, len(classifier.classes_)):
        raise AssertionError(f"probabilities {probabilities}")
    repr(classifier)
