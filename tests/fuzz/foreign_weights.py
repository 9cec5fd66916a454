"""Weights of PyTorch and Keras as a target: what is imported must answer with finite numbers."""

from functools import cache
from pathlib import Path

import numpy as np

from digitscope.interchange import import_weights
from tests.interchange.models import GOLDEN, convolutional

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 8, 8), dtype=np.uint8)


@cache
def weight_files() -> dict[str, bytes]:
    """The golden files of both programs and in both forms."""
    return {name: (GOLDEN / name).read_bytes() for name in ("pytorch.safetensors", "keras.safetensors", "keras.npz")}


def use_weights(path: Path) -> None:
    """Imports the weights, and reads three images with them."""
    imported = import_weights(path, convolutional(normalized_rows="keras" in path.name))
    if not np.isfinite(imported.model.logits(IMAGES, threads=1)).all():
        raise AssertionError("not finite")
