"""Saves the models of tests/fuzz/models.py and their answers for this version: python -m tests.released.make

To be run once for each release that changes what a model file has. Files of released versions are never changed.
"""

from pathlib import Path
from typing import Any

import numpy as np

from digitscope.model import Model
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


if __name__ == "__main__":
    make(FOLDER / VERSION)
