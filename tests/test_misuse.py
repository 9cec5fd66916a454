"""Misuse of what is public: each argument in turn is something else, which works or ends in one clear error."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from digitscope import (
    DataSet,
    Model,
    Network,
    Plan,
    Run,
    check_gradients,
    explain,
    fit,
    load_data,
    nn,
    prepare,
    read,
    teach,
    train,
)
from digitscope.augmentation.augment import Augment
from digitscope.errors import DigitscopeError
from digitscope.jobs.teach import TeachSettings
from digitscope.nn.layer import built_in_layers
from digitscope.training import ExponentialAverage, TailAverage, evaluate, measure_statistics, network_outputs

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (24, 6, 6), dtype=np.uint8)
LABELS = np.arange(24) % 3
NETWORK = Network(nn.Dense(36, 3, rng=RNG))
LOSS = nn.SoftmaxCrossEntropy()
PLAN = Plan(LOSS, nn.Adam(), nn.OneCycle(0.01), epochs=1, batch_size=8)
MODEL = Model(NETWORK, LOSS, (6, 6))
DATA = DataSet("data", IMAGES, LABELS)
PICTURE = np.full((40, 30), 240, np.uint8)
PICTURE[8:32, 13:17] = 20


def network() -> Network:
    return Network(nn.Dense(36, 3, rng=np.random.default_rng(0)))


def run() -> Run:
    return Run.start(network(), PLAN, len(IMAGES), np.random.default_rng(0))


def exhausted(*arguments: Any, **options: Any) -> list[Any]:
    return list(train(*arguments, **options))


CALLS: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    "fit": (
        fit,
        {
            "start": NETWORK,
            "x": IMAGES,
            "y": LABELS,
            "plan": None,
            "epochs": 1,
            "learning_rate": 0.01,
            "batch_size": 8,
            "loss": LOSS,
            "optimizer": nn.Adam(),
            "augment": None,
            "freeze": (),
            "validation": 0.2,
            "seed": 0,
            "threads": 1,
            "device": "cpu",
            "callback": None,
            "verbose": 0,
        },
    ),
    "fit a recipe": (fit, {"start": "seed", "x": DATA, "epochs": 1, "seed": 0}),
    "train": (exhausted, {"run": run, "images": IMAGES, "labels": LABELS, "validation": None, "threads": 1}),
    "teach": (
        teach,
        {
            "model": MODEL,
            "images": IMAGES[:2],
            "labels": LABELS[:2],
            "data": DATA,
            "seed": 0,
            "threads": 1,
            "settings": TeachSettings(),
            "callback": None,
        },
    ),
    "Run.start": (Run.start, {"network": network, "plan": PLAN, "images": 24, "rng": RNG}),
    "Plan": (
        Plan,
        {
            "loss": LOSS,
            "optimizer": nn.Adam(),
            "schedule": nn.OneCycle(0.01),
            "epochs": 1,
            "batch_size": 8,
            "shard_size": 4,
            "augment": None,
            "averaging": TailAverage(0.5),
            "shifts": ((0, 0),),
        },
    ),
    "Model": (Model, {"network": NETWORK, "loss": LOSS, "image_shape": (6, 6)}),
    "Model.predict": (MODEL.predict, {"images": IMAGES, "threads": 1}),
    "Model.predict_proba": (MODEL.predict_proba, {"images": IMAGES, "threads": 1}),
    "Model.logits": (MODEL.logits, {"images": IMAGES, "threads": 1}),
    "Model.answers": (MODEL.answers, {"images": IMAGES, "refuse": 0.01, "threads": 1}),
    "Model.evaluate": (MODEL.evaluate, {"x": IMAGES, "y": LABELS, "threads": 1}),
    "Model.calibrated": (MODEL.calibrated, {"images": IMAGES, "labels": LABELS, "threads": 1}),
    "Model.save": (MODEL.save, {"path": "model.safetensors", "half": False}),
    "Model.load": (Model.load, {"source": "reader"}),
    "Model.ensemble": (Model.ensemble, {"models": [MODEL, MODEL]}),
    "Model.to": (MODEL.to, {"device": "cpu"}),
    "read": (read, {"picture": PICTURE, "model": "reader", "threads": 1}),
    "prepare": (prepare, {"picture": PICTURE}),
    "load_data": (load_data, {"source": "mnist"}),
    "DataSet": (DataSet, {"name": "data", "x_train": IMAGES, "y_train": LABELS, "x_test": IMAGES, "y_test": LABELS}),
    "check_gradients": (
        check_gradients,
        {
            "network": NETWORK,
            "x": np.ones((36, 2)),
            "labels": [0, 1],
            "loss": LOSS,
            "entries": 2,
            "seed": 0,
            "tolerance": 1e-6,
        },
    ),
    "explain.activations": (explain.activations, {"model": MODEL, "images": IMAGES, "training": False, "seed": 0}),
    "explain.gradients": (
        explain.gradients,
        {"model": MODEL, "images": IMAGES, "labels": LABELS, "loss": None, "training": False, "seed": 0},
    ),
    "explain.terms": (
        explain.terms,
        {
            "model": MODEL,
            "images": IMAGES,
            "labels": LABELS,
            "of": "d0.weight",
            "index": (0, 0),
            "loss": None,
            "training": False,
            "seed": 0,
            "numeric": False,
        },
    ),
    "training.evaluate": (
        evaluate,
        {"network": NETWORK, "loss": LOSS, "images": IMAGES, "labels": LABELS, "threads": 1},
    ),
    "training.network_outputs": (network_outputs, {"network": NETWORK, "images": IMAGES, "threads": 1}),
    "training.measure_statistics": (measure_statistics, {"network": NETWORK, "images": IMAGES}),
    "Augment": (Augment, {"rotation": 5.0, "elastic": 1.0, "elastic_width": 4.0}),
    "TailAverage": (TailAverage, {"share": 0.5}),
    "ExponentialAverage": (ExponentialAverage, {"decay": 0.5}),
    "Network": (Network, {"layer": nn.ReLU()}),
    "Dense": (nn.Dense, {"in_features": 3, "out_features": 2, "rng": RNG, "weight": nn.he, "bias": nn.zeros}),
    "Conv2D": (
        nn.Conv2D,
        {
            "in_channels": 1,
            "out_channels": 2,
            "kernel_size": 3,
            "stride": 1,
            "padding": 0,
            "dilation": 1,
            "bias": True,
            "rng": RNG,
            "weight": nn.he,
        },
    ),
    "Conv1D": (
        nn.Conv1D,
        {"in_channels": 1, "out_channels": 2, "kernel_size": 3, "bias": True, "rng": RNG, "weight": nn.he},
    ),
    "MaxPool2D": (nn.MaxPool2D, {"size": 2, "stride": 2}),
    "MaxPoolHeight": (nn.MaxPoolHeight, {"size": 2}),
    "SpaceToDepth": (nn.SpaceToDepth, {"size": 2}),
    "DepthToSpace": (nn.DepthToSpace, {"size": 2}),
    "Upsample2D": (nn.Upsample2D, {"size": 2}),
    "SplitSteps": (nn.SplitSteps, {"factor": 2}),
    "AveragePool2D": (nn.AveragePool2D, {"size": 2, "stride": 2}),
    "BatchNorm": (nn.BatchNorm, {"channels": 3, "eps": 1e-5}),
    "Standardize": (nn.Standardize, {"eps": 1e-5}),
    "Dropout": (nn.Dropout, {"rate": 0.5}),
    "LeakyReLU": (nn.LeakyReLU, {"slope": 0.1}),
    "ShiftAverage": (nn.ShiftAverage, {"network": NETWORK, "height": 6, "width": 6, "shifts": ((0, 0), (1, 0))}),
    "SoftmaxCrossEntropy": (nn.SoftmaxCrossEntropy, {"label_smoothing": 0.1}),
    "BackgroundCrossEntropy": (nn.BackgroundCrossEntropy, {"label_smoothing": 0.1}),
    "Momentum": (nn.Momentum, {"momentum": 0.9, "nesterov": True, "weight_decay": 0.0, "clip_norm": None}),
    "Adam": (nn.Adam, {"beta1": 0.9, "beta2": 0.99, "eps": 1e-8, "weight_decay": 0.0, "clip_norm": None}),
    "GradientDescent": (nn.GradientDescent, {"weight_decay": 0.0, "clip_norm": 1.0}),
    "OneCycle": (nn.OneCycle, {"learning_rate": 0.1, "warm_up": 0.3, "start": 0.04, "final": 0.0}),
    "Constant": (nn.Constant, {"learning_rate": 0.1}),
    "Cosine": (nn.Cosine, {"learning_rate": 0.1, "final": 0.0}),
    "StepDecay": (nn.StepDecay, {"learning_rate": 0.1, "decay": 0.1, "milestones": (0.5,)}),
    "WarmUp": (nn.WarmUp, {"learning_rate": 0.1, "then": nn.Constant(1.0), "share": 0.1}),
}
POSITIONAL = {"Network": ("layer",)}
OTHER: dict[str, Any] = {
    "None": None,
    "text": "other",
    "a number": 3,
    "-1": -1,
    "a fraction": 1.5,
    "NaN": float("nan"),
    "a list": [1, 2],
    "an empty list": [],
    "a dict": {},
    "an object": object(),
    "a class": int,
    "a model": MODEL,
    "a layer": nn.ReLU(),
    "bytes": b"x",
    "an array": np.ones((2, 2)),
    "a huge number": 10**30,
    "truth": True,
}


def cases() -> list[Any]:
    return [pytest.param(name, argument, id=f"{name}({argument})") for name, (_, o) in CALLS.items() for argument in o]


def test_every_argument_of_every_layer_is_among_them() -> None:
    """Layers inside and the sides of a shape are arguments without a name."""
    for name, layer_class in built_in_layers().items():
        parameters = inspect.signature(layer_class).parameters.values()
        named = {parameter.name for parameter in parameters if parameter.kind is not parameter.VAR_POSITIONAL}
        assert named == (CALLS[name][1].keys() if named else set()), name


@pytest.mark.parametrize(("name", "argument"), cases())
def test_each_argument_may_be_anything(
    name: str, argument: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    function, options = CALLS[name]

    def call(**changed: Any) -> None:
        arguments = {
            key: value() if inspect.isfunction(value) and value in (network, run) else value
            for key, value in options.items()
        }
        arguments |= changed
        function(*[arguments.pop(key) for key in POSITIONAL.get(name, ())], **arguments)

    call()
    for kind, other in OTHER.items():
        if argument in ("epochs", "threads") and kind in ("a number", "a huge number"):
            continue  # would only take long
        if argument in ("augment", "callback", "weight", "bias") and kind == "a layer":
            continue  # a function, which may do anything
        try:
            call(**{argument: other})
        except DigitscopeError as error:
            message = str(error)
            assert message, kind
            assert "\n" not in message, kind
            assert len(message) < 500, kind
        except Exception as error:
            pytest.fail(f"{name}({argument}={kind}): {type(error).__name__}: {error}")
