"""Model files as a target: a model that loads must answer with finite numbers."""

import tempfile
from functools import cache
from pathlib import Path

import numpy as np

from digitscope.model import Model
from digitscope.model_file import ModelContent, write_model
from digitscope.nn import (
    AveragePool2D,
    BackgroundCrossEntropy,
    BatchNorm,
    Conv1D,
    Conv2D,
    Dense,
    DepthToSpace,
    Dropout,
    Ensemble,
    Flatten,
    FoldHeight,
    Frozen,
    GlobalAveragePool2D,
    LeakyReLU,
    MaxPool2D,
    MaxPoolHeight,
    MeanSquaredError,
    Network,
    ReLU,
    Reshape,
    Residual,
    ShiftAverage,
    Sigmoid,
    Skip,
    SoftmaxCrossEntropy,
    SpaceToDepth,
    SplitSteps,
    Standardize,
    Tanh,
    Upsample2D,
)
from digitscope.training_info import FineTuning, TrainingInfo

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 12, 12), dtype=np.uint8)
INFO = TrainingInfo("mlp", 3, 5, 0.1, None, "few", "0123abcd", 4, 1100, 100, 0.9, 0.8)


@cache
def model_files() -> dict[str, bytes]:
    """Small models that together have every layer and every loss."""
    rng = np.random.default_rng(1)
    dense = Network(Standardize(), Dense(144, 5, rng=rng), Tanh(), Dropout(0.5), Dense(5, 4, rng=rng))
    block = Residual(Conv2D(3, 3, 3, padding=1, bias=False, rng=rng), BatchNorm(3), LeakyReLU())
    start = Reshape(1, 12, 12), Conv2D(1, 3, 3, stride=2, rng=rng), BatchNorm(3), ReLU(), block
    convolutional = Network(*start, MaxPool2D(2), Flatten(), Dense(12, 4, rng=rng))
    pooled = Network(Frozen(*start), AveragePool2D(2), GlobalAveragePool2D(), Dense(3, 4, rng=rng), Sigmoid())
    shifted = Network(ShiftAverage(Ensemble(dense, Network(Ensemble(dense, convolutional))), 12, 12, [(0, 0), (0, 1)]))
    level = Skip(SpaceToDepth(2), Conv2D(8, 2, 1, rng=rng), Upsample2D(2))
    maps = Reshape(1, 12, 12), Conv2D(1, 2, 3, padding=2, dilation=2, rng=rng), level, DepthToSpace(2)
    steps = MaxPoolHeight(8), FoldHeight(), Conv1D(3, 2, 3, rng=rng), SplitSteps(2)
    sequence = Network(*maps, *steps, Flatten(), Dense(48, 4, rng=rng))
    shape = 12, 12
    taught = TrainingInfo(classes=4, members=(INFO, INFO), taught=(FineTuning(3, {"1": 2, "3": 1}, 0, 50, 0.9, 0.95),))
    models = {
        "dense": Model(dense, MeanSquaredError(), shape, INFO),
        "convolutional": Model(convolutional, SoftmaxCrossEntropy(), shape, INFO),
        "pooled": Model(pooled, BackgroundCrossEntropy(), shape, TrainingInfo()),
        "sequence": Model(sequence, SoftmaxCrossEntropy(), shape, INFO),
        "shifted": Model(shifted, SoftmaxCrossEntropy(), shape, taught),
    }
    files = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, model in models.items():
            path = Path(folder) / f"{name}.safetensors"
            calibrated = model if name == "dense" else model.calibrated(IMAGES, np.array([0, 1, 2]), threads=1)
            calibrated.save(path, half=name == "pooled")
            files[path.name] = path.read_bytes()
        write_model(path, ModelContent(pooled, BackgroundCrossEntropy(), shape, INFO, None), one_byte=True)
        files["rounded.safetensors"] = path.read_bytes()
    return files


def use_model(path: Path) -> None:
    """Loads the model, and reads three images with it."""
    model = Model.load(path)
    height, width = model.image_shape
    images = np.resize(IMAGES, (3, height, width))
    for answer in model.answers(images, threads=1):
        if not (np.isfinite(answer.probabilities).all() and np.isfinite(answer.evidence)):
            raise AssertionError(f"probabilities {answer.probabilities}, evidence {answer.evidence}")
        if answer.probabilities.shape != (model.classes,):
            raise AssertionError(f"{model.classes} classes, probabilities {answer.probabilities.shape}")
    repr(model)
