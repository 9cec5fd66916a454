"""A submission for Kaggle's "Digit Recognizer" competition."""

from pathlib import Path

from digitscope.arrays import Array
from digitscope.errors import DataError
from digitscope.files.atomic import write_atomic
from digitscope.metrics import wilson_interval
from digitscope.model import Model


def write_submission(path: Path, labels: Array) -> int:
    """Writes ImageId,Label with ids from 1; returns how many.

    Raises: DataError where the file exists, or where labels are not digits.
    """
    if path.exists():
        raise DataError(f"{path} exists already. Choose another --out, or delete it.")
    if len(labels) == 0 or labels.min() < 0 or labels.max() > 9:
        raise DataError(f"A submission expects digits from 0 to 9; got {sorted({int(label) for label in labels})}.")
    lines = [f"{i},{label}" for i, label in enumerate(labels.tolist(), start=1)]
    write_atomic(path, ("\n".join(["ImageId,Label", *lines]) + "\n").encode())
    return len(lines)


def expectation(model: Model) -> str:
    """What accuracy the model's own validation lets one expect."""
    share, n = model.info.validation_accuracy, model.info.validation_images
    if not share or not n:
        return "What accuracy to expect is not known: the model file has no validation figures."
    low, high = wilson_interval(share, n)
    return f"Expect about {share:.2%}: its accuracy on {n:,} validation images (95% interval {low:.2%} to {high:.2%})."


def leakage(model: Model) -> str:
    """What training on public data means for the score."""
    if model.info.data == "mnist":
        return (
            "Warning: this model learned from the public MNIST, whose 70,000 images hold Kaggle's test images. Its "
            "score there is leakage, not accuracy. For an honest one: digitscope train --data train.csv."
        )
    return (
        "Kaggle's test images are among the 70,000 of the public MNIST: a score is honest only if the model learned "
        "from train.csv alone."
    )
