"""A neural network for handwritten digits, written from scratch in NumPy, that anyone can see through.

    from digitscope import Model, load_mnist
    (x_train, y_train), (x_test, y_test) = load_mnist()

The names below are loaded when first used, so that importing this package, and with it every start of the command
line, costs nothing; the first of them loads NumPy.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from digitscope import datasets, metrics, nn, recipes, report, training, vision
    from digitscope.datasets import DataSet, load_data, load_mnist
    from digitscope.errors import DigitscopeError
    from digitscope.model import Model
    from digitscope.nn import Network, check_gradients, one_hot
    from digitscope.recipes import RECIPES
    from digitscope.training import Run, train
    from digitscope.vision import prepare

_HOMES = {
    "DataSet": "datasets",
    "DigitscopeError": "errors",
    "Model": "model",
    "Network": "nn",
    "RECIPES": "recipes",
    "Run": "training",
    "check_gradients": "nn",
    "load_data": "datasets",
    "load_mnist": "datasets",
    "one_hot": "nn",
    "prepare": "vision",
    "train": "training",
}
_PACKAGES = ("datasets", "metrics", "nn", "recipes", "report", "training", "vision")

__all__ = [
    "RECIPES",
    "DataSet",
    "DigitscopeError",
    "Model",
    "Network",
    "Run",
    "check_gradients",
    "datasets",
    "load_data",
    "load_mnist",
    "metrics",
    "nn",
    "one_hot",
    "prepare",
    "recipes",
    "report",
    "train",
    "training",
    "vision",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"digitscope.{_HOMES[name]}"), name)
    if name in _PACKAGES:
        return import_module(f"digitscope.{name}")
    raise AttributeError(f"module 'digitscope' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
