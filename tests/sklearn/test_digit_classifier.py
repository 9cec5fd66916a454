"""`DigitClassifier`, on images as scikit-learn's users have them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.utils.estimator_checks import parametrize_with_checks

from digitscope import DataSet, DigitClassifier, Model
from digitscope.arrays import Array
from digitscope.errors import DigitscopeError, DigitscopeWarning
from digitscope.nn import Ensemble, Network
from digitscope.recipes import RECIPES
from digitscope.sklearn.preparation import PixelScaling

DIGITS, LABELS = load_digits(return_X_y=True)


def quick(**parameters: Any) -> DigitClassifier:
    return DigitClassifier(**{"recipe": "mlp", "epochs": 8, "random_state": 0, **parameters})


@pytest.fixture(scope="module")
def images(few: DataSet) -> tuple[Array, Array]:
    return few.x_train[:300], few.y_train[:300]


def test_every_form_of_the_same_images_gives_the_same(images: tuple[Array, Array]) -> None:
    x, y = images
    rows = x.reshape(300, 784)
    forms: dict[str, Any] = {
        "bytes": rows,
        "floats to 255": rows.astype(float),
        "floats to 1": rows / 255,
        "float32 to 1": rows.astype(np.float32) / 255,
        "whole numbers": rows.astype(np.int64),
        "images": x,
        "images of Keras": x[..., None],
        "images of PyTorch": x[:, None],
        "a data frame": pd.DataFrame(rows),
        "lists": x[:300].tolist(),
    }
    expected = quick(epochs=2).fit(rows, y)
    assert expected.n_features_in_ == 784
    for name, form in forms.items():
        classifier = quick(epochs=2).fit(form, y)
        np.testing.assert_array_equal(classifier.predict_proba(form), expected.predict_proba(rows), err_msg=name)
        assert classifier.n_features_in_ == 784
    assert quick(epochs=2).fit(pd.DataFrame(rows).add_prefix("p"), y).feature_names_in_[3] == "p3"


@pytest.mark.parametrize("rows", [False, True])
def test_one_image_and_colours_are_told(rows: bool, images: tuple[Array, Array]) -> None:
    x, y = images
    classifier = quick(epochs=1).fit(x.reshape(300, 784) if rows else x, y)
    with pytest.raises(ValueError, match=r"got one image, \(28, 28\). Give images\[None\]"):
        classifier.predict(x[0])
    with pytest.raises(ValueError, match=r"expected to be grey.*got 3 channels"):
        classifier.predict(np.stack([x] * 3, axis=3))


def test_it_reads_digits(images: tuple[Array, Array], few: DataSet) -> None:
    assert few.x_test is not None
    classifier = quick().fit(*images)
    assert classifier.score(few.x_test, few.y_test) > 0.6
    assert classifier.n_iter_ == len(classifier.loss_curve_) == 8
    assert classifier.loss_curve_[-1] < classifier.loss_curve_[0]
    assert classifier.classes_.tolist() == list(range(10))
    assert "mlp" in classifier._repr_html_()


def test_scikit_learns_digits_are_enlarged_for_convolutions() -> None:
    x, y = DIGITS[:300], LABELS[:300]
    classifier = DigitClassifier(epochs=4, random_state=0).fit(x, y)
    assert classifier.model_.image_shape == (24, 24)
    assert classifier.score(DIGITS[300:500], LABELS[300:500]) > 0.8
    np.testing.assert_array_equal(classifier.predict(x.reshape(-1, 8, 8)), classifier.predict(x))


def two_networks(rng: np.random.Generator, shape: tuple[int, int], classes: int) -> Network:
    return Network(Ensemble(*(RECIPES["mlp"].build(rng, shape, classes) for _ in range(2))))


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe(recipe: str, images: tuple[Array, Array], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("digitscope.training.inference.CHUNK", 20)  # images that are computed for an image alone
    if recipe == "ensemble":  # five networks of `deep` would take ten seconds
        monkeypatch.setitem(RECIPES, recipe, replace(RECIPES[recipe], build=two_networks))
    x, y = images
    names = np.array(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"])[y[:60]]
    classifier = DigitClassifier(recipe, epochs=1, random_state=0).fit(x[:60], names)
    probabilities = classifier.predict_proba(x[:20])
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert set(classifier.predict(x[:20])) <= set(names)
    np.testing.assert_array_equal(classifier.predict_proba(x[7:8])[0], probabilities[7])
    model = classifier.model_
    assert model.classes == 10
    np.testing.assert_allclose(model.predict_proba(x[:20]), probabilities, atol=1e-4)


def test_examples_that_a_recipe_adds_count_as_much_as_the_mean(
    images: tuple[Array, Array], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the recipe `reader` adds drawings that are not digits."""
    added = replace(RECIPES["mlp"], extra_examples=lambda x, y, rng: (255 - x[:10], y[:10]))
    monkeypatch.setitem(RECIPES, "mlp", added)
    x, y = images
    plain = quick(epochs=1, batch_size=400).fit(x, y)
    weighted = quick(epochs=1, batch_size=400).fit(x, y, sample_weight=np.full(300, 7.0))
    np.testing.assert_allclose(plain.predict_proba(x), weighted.predict_proba(x), atol=1e-5)


def test_few_images_are_seen_more_often_unless_epochs_are_given(images: tuple[Array, Array]) -> None:
    x, y = images
    assert DigitClassifier("mlp", epochs=3, batch_size=30).fit(x, y).n_iter_ == 3
    assert DigitClassifier("mlp", batch_size=30).fit(x, y).n_iter_ == 50


def test_one_class_and_classes_that_are_not_there_yet(images: tuple[Array, Array]) -> None:
    x, y = images
    one = quick(epochs=1).fit(x[:20], ["seven"] * 20)
    np.testing.assert_array_equal(one.predict_proba(x[:3]), np.ones((3, 1)))
    later = quick().partial_fit(x[:60], y[:60] % 2, classes=[0, 1, 2])
    assert later.predict_proba(x[:3]).shape == (3, 3)


def test_partial_fit_learns_in_parts(images: tuple[Array, Array], few: DataSet) -> None:
    x, y = few.x_train, few.y_train
    for recipe, least in (("mlp", 0.6), ("lenet", 0.5)):
        classifier = DigitClassifier(recipe, random_state=0)
        for part in np.array_split(np.arange(1200), 8):
            classifier.partial_fit(x[part], y[part], classes=range(10))
        assert classifier.n_iter_ == 8
        assert classifier.score(few.x_test, few.y_test) > least


def test_equal_random_states_and_threads_give_equal_bits(
    images: tuple[Array, Array], monkeypatch: pytest.MonkeyPatch
) -> None:
    x, y = images
    monkeypatch.setattr("digitscope.sklearn.network_classifier.FLOPS_FOR_THREADS", 0)
    base = DigitClassifier("lenet", epochs=1, random_state=1, augment="standard")
    first, second = (clone(base).set_params(n_threads=n).fit(x, y) for n in (1, 2))
    np.testing.assert_array_equal(first.predict_proba(x), second.predict_proba(x))
    other = clone(base).set_params(random_state=2).fit(x, y)
    assert not np.array_equal(first.predict_proba(x), other.predict_proba(x))


def test_weights_count(images: tuple[Array, Array]) -> None:
    x, y = images
    weights = np.where(y == 3, 30.0, 1.0)
    plain, weighted = quick().fit(x, y), quick().fit(x, y, sample_weight=weights)
    assert weighted.predict_proba(x)[:, 3].mean() > 1.2 * plain.predict_proba(x)[:, 3].mean()
    kept = y < 5
    left_out = quick().fit(x, y, sample_weight=kept.astype(float))
    np.testing.assert_array_equal(left_out.network_.params["0.weight"].shape, (320, 784))
    assert (left_out.predict(x[kept]) < 5).all()


def test_early_stopping_keeps_the_best_epoch(images: tuple[Array, Array]) -> None:
    x, y = images
    classifier = quick(epochs=30, early_stopping=True, validation_fraction=0.3, n_iter_no_change=3).fit(x, y)
    assert classifier.n_iter_ == len(classifier.validation_scores_) < 30
    ensemble = DigitClassifier("lenet", epochs=2, early_stopping=True).fit(x[:100], y[:100])
    assert len(ensemble.validation_scores_) == 2


def test_the_model_can_be_saved_and_read_elsewhere(images: tuple[Array, Array], tmp_path: Path) -> None:
    x, y = images
    classifier = quick(epochs=2).fit(x, y)
    classifier.model_.save(tmp_path / "mine.safetensors")
    model = Model.load(tmp_path / "mine.safetensors")
    assert (model.info.recipe, model.info.epochs) == ("mlp", 2)
    np.testing.assert_array_equal(classifier.classes_[model.predict(x)], classifier.predict(x))


def test_rows_that_are_not_images() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(DigitscopeError, match="square images, such as 784 pixels; got 785 numbers"):
        quick().fit(rng.uniform(size=(20, 785)), np.arange(20) % 2)
    short = quick().fit(rng.normal(size=(40, 63)), np.arange(40) % 2)
    assert len(short.network_) == 3
    with pytest.raises(ValueError, match="too short to be images"):
        _ = short.model_
    # Images of any shape are images if they are given as such.
    thin = quick(epochs=1).fit(rng.uniform(size=(20, 5, 11)), np.arange(20) % 2)
    assert thin.model_.image_shape == (5, 11)
    with pytest.raises(ValueError, match=r"Images are expected as \(N, 5, 11\); got \(1, 11, 5\)"):
        thin.predict(np.zeros((1, 11, 5)))
    with pytest.raises(ValueError, match="at least 1 pixel"):
        quick().fit(np.zeros((3, 0, 4)), [0, 1, 0])


def test_convolutions_that_do_not_fit_any_enlargement_name_other_recipes() -> None:
    with pytest.raises(DigitscopeError, match=r"Recipes that can: .*mlp"):
        DigitClassifier(epochs=1).fit(np.random.default_rng(0).uniform(size=(20, 2, 60)), np.arange(20) % 2)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"recipe": "convnets"}, "recipe expects one of"),
        ({"epochs": 0}, "epochs is expected"),
        ({"learning_rate": 0.0}, "expected to be positive"),
        ({"batch_size": 0}, "batch_size is expected"),
        ({"augment": "wild"}, "augment expects"),
        ({"augment": "rotate=10"}, "Augment has the amounts rotation"),
        ({"n_threads": -1}, "n_threads is expected"),
    ],
)
def test_a_parameter_that_cannot_be_is_named_by_fit(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):  # as scikit-learn's estimators
        quick(**parameters).fit(DIGITS[:40], LABELS[:40])


@pytest.mark.parametrize(
    ("values", "low", "high"),
    [
        (np.array([[0, 0.5], [1, 0.5]]), 0, 1),
        (np.array([[0.2, 0.7]]), 0, 1),
        (np.array([[0, 13]]), 0, 16),
        (np.array([[0, 200]], np.uint8), 0, 255),
        (np.array([[0, 1]], np.uint8), 0, 1),
        (np.array([[0, 4095]]), 0, 4095),
        (np.array([[-1, 1]]), -1, 1),
        (np.array([[-3.0, -1.0]]), -3, -1),
        (np.array([[False, True]]), 0, 1),
    ],
)
def test_the_range_of_intensities_is_found(values: Array, low: float, high: float) -> None:
    scaling = PixelScaling.fit(values, (1, values.shape[1]))
    assert (scaling.low, scaling.high) == (low, high)
    ends = scaling.images(np.array([[low, high]], float))
    assert ends.tolist() == [[[0, 255]]]


def test_a_constant_image_is_no_division_by_zero() -> None:
    scaling = PixelScaling.fit(np.full((2, 4), -2.0), (2, 2))
    assert np.isfinite(scaling.features(np.full((2, 4), -2.0))).all()


def test_pixels_of_another_scale_are_noticed(images: tuple[Array, Array]) -> None:
    x, y = images
    classifier = quick(epochs=1).fit(x, y)
    with pytest.warns(DigitscopeWarning, match="expected from 0 to 255, as fit found them; got 1 at most"):
        classifier.predict(x / 255)
    floats = quick(epochs=1).fit(x / 255, y)
    np.testing.assert_array_equal(floats.predict_proba(x), floats.predict_proba(x / 255))  # bytes are unambiguous
    with pytest.warns(DigitscopeWarning, match="expected from 0 to 1, as fit found them; got 255 at most"):
        floats.predict(x.astype(float))
    assert len(classifier.predict(np.zeros((1, 784)))) == 1  # a blank image has any scale


# Rows of few numbers are learned by DenseClassifier, so scikit-learn's checks of the default parameters do not reach
# images. Here the images of the checks are of one row of pixels.
IMAGE_CHECKS = DigitClassifier("mlp", epochs=60, learning_rate=0.1)
NOT_MET = {
    "check_sample_weight_equivalence_on_dense_data": "the recipe has dropout",
}


@parametrize_with_checks([IMAGE_CHECKS], expected_failed_checks=lambda _: NOT_MET)  # type: ignore[untyped-decorator]
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_scikit_learns_check_of_images(estimator: Any, check: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("digitscope.sklearn.digit_classifier.LEAST_SIDE", 0)
    monkeypatch.setattr("digitscope.sklearn.digit_classifier._square", lambda pixels: (1, pixels))
    check(estimator)
