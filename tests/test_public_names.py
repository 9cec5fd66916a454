"""The public names: a tested list, each with an example that runs."""

import inspect
import re
import warnings
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import digitscope
from digitscope import DataSet, Model, Network, Plan, Run, check_gradients, explain, fit, teach, train
from digitscope.augmentation.augment import Augment
from digitscope.augmentation.corruptions import CORRUPTIONS
from digitscope.errors import DigitscopeError, DigitscopeWarning
from digitscope.metrics import Evaluation, accuracy, confusion_matrix
from digitscope.nn import Adam, Dense, OneCycle, ReLU, SoftmaxCrossEntropy, to_batch
from digitscope.training import evaluate, network_outputs

PYTHON = Path(__file__).parents[1] / "docs" / "python.md"

NAMES = {
    *("DataSet", "load_data", "load_mnist"),
    *("Model", "Network", "RECIPES", "Plan", "Run", "fit", "train", "teach", "check_gradients"),
    *("export_model", "import_weights"),
    *("prepare", "read", "explain", "DigitscopeError", "DenseClassifier", "DigitClassifier"),
    *("datasets", "metrics", "nn", "recipes", "report", "training", "vision"),
}
"""What `import digitscope` offers."""


def test_the_public_names_are_these() -> None:
    assert set(dir(digitscope)) == NAMES
    assert set(digitscope.__all__) == NAMES - {"DenseClassifier", "DigitClassifier"}  # they need an extra
    for name in NAMES:
        assert inspect.getdoc(getattr(digitscope, name)), name
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = digitscope.nothing


def test_each_has_its_line_in_the_reference_and_an_example_that_runs() -> None:
    text = PYTHON.read_text(encoding="utf-8")
    examples = "".join(re.findall(r"```python[^\n]*\n(.*?)```", text, flags=re.DOTALL))
    for name in NAMES:
        assert re.search(rf"^\| `{name}[`(]", text, flags=re.MULTILINE), f"{name} is not in the reference"
        assert re.search(rf"\b{name}\b", examples), f"{name} has no example"


@pytest.mark.parametrize("package", ["datasets", "explain", "nn", "report", "training", "vision"])
def test_the_names_of_a_package_exist_and_are_documented(package: str) -> None:
    module = import_module(f"digitscope.{package}")
    for name in module.__all__:
        thing = getattr(module, name)
        if inspect.isfunction(thing) or inspect.isclass(thing):
            assert thing.__doc__, name


# Every function of images and labels accepts them in all usual forms, and raises a one-line error for others.


def network() -> Network:
    rng = np.random.default_rng(0)
    return Network(Dense(784, 8, rng=rng), ReLU(), Dense(8, 10, rng=rng))


PLAN = Plan(SoftmaxCrossEntropy(), Adam(), OneCycle(0.01), epochs=1, batch_size=16)
MODEL = Model(network(), SoftmaxCrossEntropy(), (28, 28))


def trained(images: Any, labels: Any) -> Any:
    count = len(images) if hasattr(images, "__len__") and getattr(images, "shape", True) else 1
    run = Run.start(network(), PLAN, max(1, count), np.random.default_rng(0))
    for _ in train(run, images, labels):
        pass
    return run.network.params


TAKES_IMAGES: dict[str, Callable[[Any], Any]] = {
    "Model.predict": MODEL.predict,
    "Model.predict_proba": MODEL.predict_proba,
    "Model.logits": MODEL.logits,
    "Model.answers": lambda images: [(a.digit, a.probability) for a in MODEL.answers(images)],
    "explain.activations": lambda images: explain.activations(MODEL, images)["output"],
    "training.network_outputs": lambda images: network_outputs(MODEL.network, images),
    "nn.to_batch": to_batch,
    "Augment": lambda images: Augment(rotation=10, noise=0.1, erase=0.3)(images, np.random.default_rng(0)),
    "Corruption": lambda images: CORRUPTIONS["blur"](images, 2, np.random.default_rng(0)),
}
TAKES_LABELS: dict[str, Callable[[Any, Any], Any]] = {
    "Model.evaluate": lambda images, labels: MODEL.evaluate(images, labels).negative_log_likelihood,
    "Model.calibrated": lambda images, labels: MODEL.calibrated(images, labels).calibration.temperature,  # type: ignore[union-attr]
    "explain.gradients": lambda images, labels: explain.gradients(MODEL, images, labels).loss,
    "training.evaluate": lambda images, labels: evaluate(MODEL.network, MODEL.loss, images, labels),
    "fit": lambda images, labels: fit(network(), images, labels, epochs=1, validation=0.25).network.params,
    "train": trained,
}


def without_labels(function: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda images, labels: function(images)


EVERY = {**{name: without_labels(function) for name, function in TAKES_IMAGES.items()}, **TAKES_LABELS}

IMAGE_FORMS: dict[str, Callable[[Any], Any]] = {
    "float64": lambda x: x / 255,
    "float32": lambda x: x.astype(np.float32) / 255,
    "int64": lambda x: x.astype(np.int64),
    "rows": lambda x: x.reshape(len(x), -1),
    "rows of floats": lambda x: x.reshape(len(x), -1) / 255,
    "a data frame": lambda x: pd.DataFrame(x.reshape(len(x), -1)),
    "lists": lambda x: x.tolist(),
    "big-endian": lambda x: x.astype(">u2"),
    "not contiguous": lambda x: np.repeat(x, 2, axis=0)[::2],
    "Fortran order": np.asfortranarray,
    "read-only": lambda x: np.broadcast_to(x, x.shape),
}
LABEL_FORMS: dict[str, Callable[[Any], Any]] = {
    "uint8": lambda y: y.astype(np.uint8),
    "a list": lambda y: y.tolist(),
    "a series": lambda y: pd.Series(y, index=np.arange(len(y)) + 100),
    "floats": lambda y: y.astype(float),
    "a column": lambda y: y[:, None],
    "big-endian": lambda y: y.astype(">i4"),
    "read-only": lambda y: np.broadcast_to(y, y.shape),
}


def same(one: Any, other: Any) -> None:
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for name in one:
            np.testing.assert_array_equal(one[name], other[name])
    else:
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", EVERY)
def test_every_form_of_the_same_images_and_labels_gives_the_same(name: str, few: DataSet) -> None:
    images, labels = few.x_train[:48], few.y_train[:48]
    expected = EVERY[name](images, labels)
    for form in IMAGE_FORMS.values():
        same(EVERY[name](form(images), labels), expected)
    if name in TAKES_LABELS:
        for form in LABEL_FORMS.values():
            same(EVERY[name](images, form(labels)), expected)


STRANGE_IMAGES = st.one_of(
    arrays.arrays(
        dtype=st.one_of(
            arrays.integer_dtypes(endianness="?"),
            arrays.unsigned_integer_dtypes(endianness="?"),
            arrays.floating_dtypes(endianness="?", sizes=(16, 32, 64)),
            arrays.boolean_dtypes(),
            arrays.complex_number_dtypes(),
            st.just(np.dtype("U3")),
        ),
        shape=st.sampled_from(
            [
                *((), (0,), (784,), (28, 28), (3, 784), (784, 3), (784, 1), (3, 28, 28), (3, 28, 28, 1)),
                *((3, 28, 28, 3), (0, 28, 28), (3, 1, 28, 28), (3, 12, 12), (3, 0, 28), (1, 1, 1, 1, 1)),
            ]
        ),
    ),
    st.just(None),
    st.just("images"),
    st.just([[1, 2], [3]]),
    st.just([None, None]),
    st.just({"a": 1}),
    st.builds(lambda: pd.DataFrame({"a": ["x", "y"], "b": [1, 2]})),
    st.builds(lambda: np.full((3, 28, 28), np.nan)),
    st.builds(lambda: np.full((3, 28, 28), np.inf)),
    st.builds(lambda: np.random.default_rng(0).normal(size=(3, 28, 28))),
)
STRANGE_LABELS = st.one_of(
    st.lists(st.one_of(st.integers(-3, 12), st.floats(), st.booleans(), st.text(max_size=2), st.none()), max_size=4),
    arrays.arrays(dtype=arrays.scalar_dtypes(), shape=st.sampled_from([(), (3,), (4,), (3, 1), (3, 10), (0,)])),
    st.sampled_from([None, "labels", 5, [2**70, 0, 0], np.eye(10)[[1, 2, 3]], pd.Series(["a", "b", "c"])]),
)


def works_or_says_why(call: Callable[[], Any]) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DigitscopeWarning)  # of classes that are not on both sides
            call()
    except DigitscopeError as error:
        message = str(error)
        assert message
        assert "\n" not in message
        assert len(message) < 500


@pytest.mark.parametrize("name", EVERY)
@given(images=STRANGE_IMAGES)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_strange_images_work_or_end_in_one_clear_error(name: str, images: Any) -> None:
    works_or_says_why(lambda: EVERY[name](images, [3, 1, 2]))


@pytest.mark.parametrize("name", TAKES_LABELS)
@given(labels=STRANGE_LABELS)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_strange_labels_work_or_end_in_one_clear_error(name: str, labels: Any) -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 28, 28), dtype=np.uint8)
    works_or_says_why(lambda: EVERY[name](images, labels))


@given(images=STRANGE_IMAGES, labels=STRANGE_LABELS)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_strange_examples_are_taught_or_end_in_one_clear_error(few: DataSet, images: Any, labels: Any) -> None:
    small = DataSet("small", few.x_train[:60], few.y_train[:60])
    works_or_says_why(lambda: teach(MODEL, images, labels, small))


@given(labels=STRANGE_LABELS, predictions=STRANGE_LABELS)
@settings(max_examples=100, deadline=None)
def test_strange_predictions_are_measured_or_end_in_one_clear_error(labels: Any, predictions: Any) -> None:
    works_or_says_why(lambda: accuracy(labels, predictions))
    works_or_says_why(lambda: confusion_matrix(labels, predictions, 10))
    works_or_says_why(lambda: Evaluation.of(labels, predictions))


@given(x=STRANGE_IMAGES, labels=STRANGE_LABELS)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_strange_inputs_are_checked_or_end_in_one_clear_error(x: Any, labels: Any) -> None:
    rng = np.random.default_rng(0)
    works_or_says_why(lambda: check_gradients(Network(Dense(3, 2, rng=rng)), x, labels, entries=2))


@pytest.mark.parametrize(
    "labels", [[-1, 0, 1], [0, 1, 10], [0.5, 1, 2], ["0", "1", "2"], np.eye(10)[[0, 1, 2]], [0, 1]]
)
@pytest.mark.parametrize("name", TAKES_LABELS)
def test_wrong_labels_are_never_learned_or_counted(name: str, labels: Any, few: DataSet) -> None:
    with pytest.raises(DigitscopeError):
        TAKES_LABELS[name](few.x_train[:3], labels)
