"""A neural network for handwritten digits, written from scratch in NumPy, that anyone can see through.

    from digitscope import Model, load_mnist
    (x_train, y_train), (x_test, y_test) = load_mnist()

The names below are loaded when first used, so that importing this package, and with it every start of the command
line, costs nothing; the first of them loads NumPy.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from digitscope import data, metrics, nn, recipes, report, training
    from digitscope.data import DataSet, load_data, load_mnist, one_hot, prepare
    from digitscope.errors import DigitscopeError
    from digitscope.model import Model
    from digitscope.nn import Network, check_gradients
    from digitscope.recipes import RECIPES
    from digitscope.training import Run, train

_HOMES = {
    "DataSet": "data",
    "DigitscopeError": "errors",
    "Model": "model",
    "Network": "nn",
    "RECIPES": "recipes",
    "Run": "training",
    "check_gradients": "nn",
    "load_data": "data",
    "load_mnist": "data",
    "one_hot": "data",
    "prepare": "data",
    "train": "training",
}
_ROOMS = ("data", "metrics", "nn", "recipes", "report", "training")

__all__ = [
    "RECIPES",
    "DataSet",
    "DigitscopeError",
    "Model",
    "Network",
    "Run",
    "check_gradients",
    "data",
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
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"digitscope.{_HOMES[name]}"), name)
    if name in _ROOMS:
        return import_module(f"digitscope.{name}")
    raise AttributeError(f"module 'digitscope' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
