"""A submission for Kaggle's "Digit Recognizer" competition."""

from pathlib import Path

from digitscope.arrays import Array
from digitscope.errors import DataError
from digitscope.files.atomic import check_new, write_atomic


def write_submission(path: Path, labels: Array) -> int:
    """Writes ImageId,Label with ids from 1; returns how many.

    Raises: DigitscopeError if the file exists or cannot be written; DataError if labels are not digits.
    """
    check_new(path, "--out")
    if len(labels) == 0 or labels.min() < 0 or labels.max() > 9:
        raise DataError(f"A submission expects digits from 0 to 9; got {sorted({int(label) for label in labels})}.")
    lines = [f"{i},{label}" for i, label in enumerate(labels.tolist(), start=1)]
    write_atomic(path, ("\n".join(["ImageId,Label", *lines]) + "\n").encode())
    return len(lines)
