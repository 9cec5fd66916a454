"""Classifiers for scikit-learn: `DigitClassifier` for images of digits, `DenseClassifier` for tables of numbers.

They need the extra digitscope[sklearn].
"""

try:
    from digitscope.sklearn.dense_classifier import DenseClassifier
    from digitscope.sklearn.digit_classifier import DigitClassifier
except ImportError as error:
    raise ImportError(
        "DigitClassifier and DenseClassifier need scikit-learn 1.6 or newer: pip install 'digitscope[sklearn]'."
    ) from error

__all__ = ["DenseClassifier", "DigitClassifier"]
