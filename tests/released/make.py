"""Saves the models and classifiers of tests/fuzz and their answers for this version: python -m tests.released.make

To be run once for each release that changes what their files have. Files of released versions are never changed.
"""

from pathlib import Path
from typing import Any

import numpy as np

from digitscope.model import Model
from tests.fuzz.classifiers import classifier_files, load_classifier, rows_for
from tests.fuzz.models import IMAGES, model_files
from tests.released import FOLDER, VERSION


def make(folder: Path) -> None:
    """Raises: FileExistsError if the version has its files."""
    folder.mkdir()
    answers: dict[str, Any] = {"images": IMAGES}
    for name, content in model_files().items():
        path = folder / name
        path.write_bytes(content)
        model = Model.load(path)
        answers[f"{path.stem}.logits"] = model.logits(IMAGES, threads=1)
        answers[f"{path.stem}.probabilities"] = model.predict_proba(IMAGES, threads=1)
        answers[f"{path.stem}.repr"] = np.array(repr(model))
    np.savez_compressed(folder / "answers.npz", **answers)
    make_classifiers(folder / "classifiers")


def make_classifiers(folder: Path) -> None:
    """Raises: FileExistsError if the folder exists."""
    folder.mkdir()
    answers: dict[str, Any] = {}
    for name, content in classifier_files().items():
        path = folder / name
        path.write_bytes(content)
        answers[path.stem] = load_classifier(path).predict_proba(rows_for(load_classifier(path)))
    np.savez_compressed(folder / "answers.npz", **answers)


if __name__ == "__main__":
    make(FOLDER / VERSION)
