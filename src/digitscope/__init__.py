"""A neural network for handwritten digits, written from scratch in NumPy, that anyone can see through.

    from digitscope import fit, load_mnist
    from digitscope.nn import Dense, Network, ReLU

    (x, y), (x_test, y_test) = load_mnist()
    model = fit(Network(Dense(784, 64), ReLU(), Dense(64, 10)), x, y, epochs=3)
    model.evaluate(x_test, y_test).accuracy

docs/python.md has the common tasks. The names below are loaded when first used, so that importing this package, and
with it every start of the command line, costs nothing; the first of them loads NumPy.
"""

TYPE_CHECKING = False  # Type checkers know the name; `typing` takes longer to load than all of this.
if TYPE_CHECKING:
    from digitscope import datasets, explain, metrics, nn, recipes, report, training, vision
    from digitscope.datasets import DataSet, load_data, load_mnist
    from digitscope.errors import DigitscopeError
    from digitscope.interchange import export_model, import_weights
    from digitscope.jobs.fit import fit
    from digitscope.jobs.teach import teach
    from digitscope.model import Model
    from digitscope.nn import Network, check_gradients
    from digitscope.reader import read
    from digitscope.recipes import RECIPES
    from digitscope.sklearn import DenseClassifier as DenseClassifier
    from digitscope.sklearn import DigitClassifier as DigitClassifier
    from digitscope.training import Plan, Run, train
    from digitscope.vision import prepare

_MODULES = {
    "DataSet": "datasets",
    "DenseClassifier": "sklearn",
    "DigitClassifier": "sklearn",
    "DigitscopeError": "errors",
    "Model": "model",
    "Network": "nn",
    "Plan": "training",
    "RECIPES": "recipes",
    "Run": "training",
    "check_gradients": "nn",
    "export_model": "interchange",
    "fit": "jobs.fit",
    "import_weights": "interchange",
    "load_data": "datasets",
    "load_mnist": "datasets",
    "prepare": "vision",
    "read": "reader",
    "teach": "jobs.teach",
    "train": "training",
}
_PACKAGES = ("datasets", "explain", "metrics", "nn", "recipes", "report", "training", "vision")

# Without the classifiers: `from digitscope import *` works where scikit-learn, which they need, is not installed.
__all__ = [
    "RECIPES",
    "DataSet",
    "DigitscopeError",
    "Model",
    "Network",
    "Plan",
    "Run",
    "check_gradients",
    "datasets",
    "explain",
    "export_model",
    "fit",
    "import_weights",
    "load_data",
    "load_mnist",
    "metrics",
    "nn",
    "prepare",
    "read",
    "recipes",
    "report",
    "teach",
    "train",
    "training",
    "vision",
]


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name in _MODULES:
        return getattr(import_module(f"digitscope.{_MODULES[name]}"), name)
    if name in _PACKAGES:
        return import_module(f"digitscope.{name}")
    raise AttributeError(f"module 'digitscope' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "DenseClassifier", "DigitClassifier"])
