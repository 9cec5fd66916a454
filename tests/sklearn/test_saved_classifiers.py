"""Classifiers as files: the same predictions, nothing but numbers and texts in them, and one-line errors."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris
from sklearn.exceptions import NotFittedError

from digitscope import DenseClassifier, DigitClassifier, Model, nn
from digitscope.errors import ArgumentError, ModelError

DIGITS, LABELS = load_digits(return_X_y=True)
X, Y = load_iris(return_X_y=True)
TABLE = pd.DataFrame(X, columns=list("abcd"))
NAMES = np.array(["setosa", "versicolor", "virginica"])

CASES: dict[str, Callable[[], Any]] = {
    "names of columns and classes": lambda: dense(batch_norm=True).fit(TABLE, NAMES[Y]),
    "classes as objects": lambda: dense().fit(TABLE, NAMES.astype(object)[Y]),
    "float32, two classes": lambda: dense(hidden=3, activation="tanh").fit(np.float32(X), Y > 0),
    "floats as classes": lambda: dense(early_stopping=True).fit(X, Y * 10.0 - 5),
    "no hidden layer": lambda: dense(hidden=(), random_state=None, standardize=False).fit(X, Y - 1),
    "rows that are no images": lambda: DigitClassifier(epochs=2, random_state=0).fit(X, Y),
    "images of 8x8 pixels": lambda: DigitClassifier("lenet", epochs=1).fit(DIGITS[:100], LABELS[:100]),
    "images as arrays": lambda: DigitClassifier("mlp", epochs=1).fit(DIGITS[:100].reshape(-1, 8, 8) / 16, LABELS[:100]),
    "partial_fit": lambda: DigitClassifier("mlp").partial_fit(DIGITS[:99], LABELS[:99], classes=range(10)),
}


def dense(**parameters: Any) -> DenseClassifier:
    return DenseClassifier(**{"hidden": (8,), "epochs": 3, "random_state": 0, **parameters})


@pytest.mark.parametrize("name", CASES)
def test_a_loaded_classifier_is_the_same(name: str, tmp_path: Path) -> None:
    classifier = CASES[name]()
    classifier.save(tmp_path / "one.safetensors")
    loaded = type(classifier).load(str(tmp_path / "one.safetensors"))
    rows = {4: TABLE if hasattr(classifier, "feature_names_in_") else X, 64: DIGITS[:50]}[classifier.n_features_in_]
    if "float32" in name:
        rows = np.float32(rows)
    if "arrays" in name:
        rows = rows.reshape(-1, 8, 8) / 16
    np.testing.assert_array_equal(loaded.predict_proba(rows), classifier.predict_proba(rows))
    assert loaded.predict(rows).dtype == classifier.predict(rows).dtype
    public = [key for key in vars(classifier) if key.endswith("_")]
    assert [key for key in vars(loaded) if key.endswith("_")].sort() == public.sort()
    for key in public:
        np.testing.assert_array_equal(getattr(loaded, key), getattr(classifier, key))
    assert clone(loaded).get_params() == clone(classifier).get_params()
    loaded.save(tmp_path / "two.safetensors")
    assert (tmp_path / "two.safetensors").read_bytes() == (tmp_path / "one.safetensors").read_bytes()
    some = loaded.classes_[np.arange(len(rows)) % len(loaded.classes_)]
    assert loaded.partial_fit(rows, some).n_iter_ == classifier.n_iter_ + 1
    assert clone(loaded).fit(rows, some).n_iter_ > 0


def test_a_file_of_another_kind_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "c.safetensors"
    dense().fit(X, Y).save(path)
    with pytest.raises(ModelError, match="expected a DigitClassifier; got 'DenseClassifier'"):
        DigitClassifier.load(path)
    with pytest.raises(ModelError, match="it is a classifier"):
        Model.load(path)
    with pytest.raises(ModelError, match="does not exist"):
        DenseClassifier.load(tmp_path / "missing.safetensors")
    wrong: Any
    for wrong in (3, None):
        with pytest.raises(ArgumentError, match="path is expected as a file name"):
            DenseClassifier.load(wrong)


def test_what_a_file_cannot_hold_is_an_error_and_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "c.safetensors"
    with pytest.raises(NotFittedError):
        dense().save(path)
    with pytest.raises(ArgumentError, match=r"optimizer is a Adam. Set it by its name"):
        dense(optimizer=nn.Adam()).fit(X, Y).save(path)
    with pytest.raises(ArgumentError, match="random_state is"):
        dense(random_state=np.random.RandomState(0)).fit(X, Y).save(path)
    with pytest.raises(ArgumentError, match="classes that are numbers or texts"):
        dense().fit(X, np.array(["2020-01-01", "2021-01-01", "2022-01-01"], "datetime64[D]")[Y]).save(path)
    assert not path.exists()


def changed(about: dict[str, Any], keys: str, value: Any) -> None:
    *outer, last = keys.split(".")
    for key in outer:
        about = about[key]
    about[last] = value


BAD: dict[str, Callable[[dict[str, Any]], None]] = {
    "format": partial(changed, keys="format", value=2),
    "an unknown parameter": partial(changed, keys="parameters.depth", value=3),
    "an unknown entry": partial(changed, keys="more", value=3),
    "classes in no order": partial(changed, keys="classes", value=[1, 0, 2]),
    "equal classes": partial(changed, keys="classes", value=[0, 0, 1]),
    "more classes than outputs": partial(changed, keys="classes", value=[0, 1, 2, 3]),
    "no classes": partial(changed, keys="classes", value=[]),
    "classes of another type": partial(changed, keys="type_of_classes", value="str"),
    "a type that takes memory": partial(changed, keys="type_of_classes", value="U2000000000"),
    "too large for the type": partial(changed, keys="classes", value=[0, 1, 2**70]),
    "other features": partial(changed, keys="features", value=5),
    "features that are none": partial(changed, keys="features", value="4"),
    "a huge network": partial(changed, keys="network.layers", value=[{"type": "Dense", "in_features": 1 << 40}]),
    "an unknown layer": partial(changed, keys="network.layers", value=[{"type": "os.system"}]),
    "names": partial(changed, keys="names_of_features", value=["a"]),
    "a curve": partial(changed, keys="loss_curve", value="steep"),
    "a preparation": partial(changed, keys="preparation", value={"dtype": "O"}),
    "an image shape": partial(changed, keys="image_shape", value=[2]),
    "an optimizer": partial(changed, keys="parameters.optimizer", value="loud"),
    "a seed": partial(changed, keys="parameters.random_state", value=0.5),
    "verbosity": partial(changed, keys="parameters.verbose", value="loud"),
    "equal names": partial(changed, keys="names_of_features", value=["a", "b", "c", "a"]),
    "a batch size": partial(changed, keys="parameters.batch_size", value="many"),
}


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[str, Any]]:
    path = tmp_path_factory.mktemp("classifier") / "c.safetensors"
    dense().fit(X, Y).save(path)
    with safe_open(path, framework="numpy") as file:
        about = json.loads(file.metadata()["digitscope"])
    return load_file(path), about


@pytest.mark.parametrize("name", BAD)
def test_a_damaged_file_is_one_clear_error(name: str, content: tuple[Any, Any], tmp_path: Path) -> None:
    arrays, about = content
    about = json.loads(json.dumps(about))
    BAD[name](about)
    check_error(tmp_path, arrays, about)


@pytest.mark.parametrize(
    ("array", "value"),
    [
        ("preparation.deviation", np.zeros(4)),
        ("preparation.mean", np.full(4, np.nan)),
        ("preparation.mean", np.zeros(3)),
        ("preparation.mean", None),
        ("0.weight", np.zeros((3, 3))),
        ("0.weight", np.full((8, 4), np.inf)),
        ("strange", np.zeros(3)),
    ],
)
def test_damaged_numbers_are_one_clear_error(array: str, value: Any, content: tuple[Any, Any], tmp_path: Path) -> None:
    arrays, about = content
    check_error(
        tmp_path,
        {**{k: v for k, v in arrays.items() if k != array}, **({} if value is None else {array: value})},
        about,
    )


def check_error(folder: Path, arrays: dict[str, Any], about: dict[str, Any]) -> None:
    save_file(arrays, folder / "bad.safetensors", {"digitscope": json.dumps(about)})
    with pytest.raises(ModelError) as caught:
        DenseClassifier.load(folder / "bad.safetensors")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500
