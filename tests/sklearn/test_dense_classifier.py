"""`DenseClassifier`, as somebody uses it who comes from MLPClassifier."""

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris, make_classification

from digitscope import DenseClassifier, nn
from digitscope.arrays import Array
from digitscope.errors import DigitscopeError, DivergenceError
from digitscope.nn import BatchNorm, Dropout, LeakyReLU, SoftmaxCrossEntropy, weighted_loss

X, Y = load_iris(return_X_y=True)


def small(**parameters: Any) -> DenseClassifier:
    return DenseClassifier(**{"hidden": (8,), "epochs": 30, "random_state": 0, **parameters})


def same(one: DenseClassifier, other: DenseClassifier) -> bool:
    params, others = one.network_.params, other.network_.params
    return all(np.array_equal(params[name], others[name]) for name in params)


def test_it_learns_and_says_what_scikit_learn_says() -> None:
    classifier = small(epochs=100).fit(X, Y)
    assert classifier.score(X, Y) > 0.95
    assert classifier.classes_.tolist() == [0, 1, 2]
    assert classifier.n_features_in_ == 4
    assert classifier.n_iter_ == len(classifier.loss_curve_) == 100
    assert classifier.loss_curve_[-1] < 0.2 < classifier.loss_curve_[0]
    probabilities = classifier.predict_proba(X)
    assert probabilities.shape == (150, 3)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert not hasattr(classifier, "feature_names_in_")
    assert "DenseClassifier" in classifier._repr_html_()
    assert "leaky-relu" in small(activation="leaky-relu")._repr_html_()


def test_the_loss_curve_is_the_mean_loss_of_each_epoch() -> None:
    """With a tiny rate the weights hardly move, so that each epoch's mean is the loss of all rows."""
    for rows, batch_size in ((150, 128), (150, 40), (150, 1)):
        classifier = small(epochs=2, learning_rate=1e-9, batch_size=batch_size).fit(X[:rows], Y[:rows])
        p = classifier.predict_proba(X[:rows])[np.arange(rows), Y[:rows]]
        np.testing.assert_allclose(classifier.loss_curve_, -np.log(p).mean(), rtol=1e-5)


@pytest.mark.parametrize(
    "labels",
    [
        np.array(["setosa", "versicolor", "virginica"])[Y],
        np.array(["setosa", "versicolor", "virginica"], object)[Y],
        Y * 10.0 - 5,
        Y - 1,
        Y > 0,
        pd.Series(Y, dtype="category"),
        pd.Series(["a", "b", "c"])[Y].array,
        list(map(str, Y)),
    ],
    ids=lambda labels: type(labels).__name__ + str(getattr(labels, "dtype", "")),
)
def test_labels_of_any_type(labels: Any) -> None:
    classifier = small(epochs=100).fit(X, labels)
    assert (classifier.predict(X) == np.asarray(labels)).mean() > 0.9
    assert set(classifier.predict(X)) <= set(np.asarray(labels))


def test_one_class_one_feature_one_row_and_many_classes() -> None:
    one = small().fit(X, np.full(150, "only"))
    assert set(one.predict(X)) == {"only"}
    np.testing.assert_array_equal(one.predict_proba(X), np.ones((150, 1)))
    assert small(epochs=150, learning_rate=0.05).fit(X[:, 2:3], Y).score(X[:, 2:3], Y) > 0.9
    assert small().fit(X[:1], Y[:1]).predict(X[:1]) == Y[:1]
    many = small(epochs=2).fit(np.eye(900, 30), np.arange(900) % 300)
    assert many.predict_proba(np.eye(2, 30)).shape == (2, 300)


def test_data_frames_keep_the_names_of_their_columns() -> None:
    frame = pd.DataFrame(X, columns=["a", "b", "c", "d"])
    classifier = small().fit(frame, pd.Series(Y))
    assert classifier.feature_names_in_.tolist() == ["a", "b", "c", "d"]
    np.testing.assert_array_equal(classifier.predict(frame), small().fit(X, Y).predict(X))
    with pytest.raises(ValueError, match="feature names"):
        classifier.predict(frame[["b", "a", "c", "d"]])
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        classifier.predict(X)


def test_equal_random_states_give_equal_bits() -> None:
    assert same(small().fit(X, Y), small().fit(X, Y))
    assert not same(small().fit(X, Y), small(random_state=1).fit(X, Y))
    assert not same(small(random_state=None).fit(X, Y), small(random_state=None).fit(X, Y))
    states = [small(random_state=np.random.RandomState(3), dropout=0.2).fit(X, Y) for _ in range(2)]
    assert same(*states)
    twice = small()
    assert same(twice.fit(X, Y), small().fit(X, Y))
    assert same(twice.fit(X, Y), small().fit(X, Y))


def test_threads_change_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("digitscope.sklearn.network_classifier.FLOPS_FOR_THREADS", 0)
    assert same(small(n_threads=2, dropout=0.2).fit(X, Y), small(n_threads=1, dropout=0.2).fit(X, Y))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_row_alone_gets_what_it_gets_in_a_batch(dtype: type) -> None:
    features, labels = make_classification(230, 20, n_informative=8, n_classes=4, random_state=0)
    features = features.astype(dtype)
    classifier = small(hidden=(30, 20), batch_norm=True).fit(features, labels)
    assert {p.dtype for p in classifier.network_.params.values()} == {np.dtype(dtype)}
    together = classifier.predict_proba(features)
    alone = np.concatenate([classifier.predict_proba(row[None]) for row in features])
    np.testing.assert_array_equal(alone, together)
    np.testing.assert_array_equal(classifier.predict_proba(features[::-1])[::-1], together)


def test_features_of_any_range_are_standardized() -> None:
    scaled = X * [1e-30, 1, 1e30, 1e150] + [0, 1e6, 0, 0]
    assert small(epochs=100).fit(scaled, Y).score(scaled, Y) > 0.9
    np.testing.assert_allclose(
        small().fit(X * 1000 + 50, Y).predict_proba(X * 1000 + 50), small().fit(X, Y).predict_proba(X), atol=1e-6
    )
    constant = np.c_[X, np.full(150, 0.1 + 0.2)]
    np.testing.assert_allclose(small().fit(constant, Y)._preparation.features(constant)[:, 4], 0, atol=1e-12)
    raw = small(standardize=False).fit(X, Y)
    np.testing.assert_array_equal(raw._preparation.features(X), X)


def test_weights_are_repetitions() -> None:
    """Up to rounding, in one batch; standardization counts them, too."""
    counts = np.random.default_rng(0).integers(0, 4, 60)
    rows = np.repeat(np.arange(60) * 2, counts)
    weighted = small().fit(X[::2][:60], Y[::2][:60], sample_weight=counts)
    repeated = small(batch_size=1000).fit(X[rows], Y[rows])
    np.testing.assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), atol=1e-9)
    np.testing.assert_allclose(weighted.loss_curve_, repeated.loss_curve_, rtol=1e-9)
    assert not np.allclose(weighted.predict_proba(X), small().fit(X[:120:2], Y[:120:2]).predict_proba(X), atol=1e-3)


def test_rows_without_weight_are_left_out_of_any_batch() -> None:
    weights = np.ones(150)
    weights[::7] = 0
    kept = weights > 0
    assert same(
        small(batch_size=20).fit(X, Y, sample_weight=weights),
        small(batch_size=20).fit(X[kept], Y[kept], sample_weight=weights[kept]),
    )


def test_weights_move_the_decision() -> None:
    """A rare class that counts 50 times as much is found more often."""
    features, labels = make_classification(400, 4, weights=[0.9], class_sep=0.5, random_state=0)
    plain = small().fit(features, labels)
    weighted = small().fit(features, labels, sample_weight=np.where(labels == 1, 50.0, 1.0))
    rare = labels == 1
    assert (weighted.predict(features[rare]) == 1).mean() > (plain.predict(features[rare]) == 1).mean() + 0.2


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones(3), "inconsistent numbers of samples"),
        (np.ones((150, 2)), "one number for each row"),
        (-np.ones(150), "negative"),
        (np.zeros(150), "all weights are zero"),
        (np.full(150, np.nan), "NaN"),
    ],
)
def test_weights_that_cannot_be(weights: Array, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        small().fit(X, Y, sample_weight=weights)


def test_partial_fit_learns_in_parts() -> None:
    order = np.random.default_rng(0).permutation(150)
    classifier = small(learning_rate=0.01)
    for _ in range(12):
        for part in np.array_split(order, 5):
            classifier.partial_fit(X[part], Y[part], classes=[0, 1, 2])
    assert classifier.score(X, Y) > 0.9
    assert classifier.n_iter_ == len(classifier.loss_curve_) == 60
    assert classifier._steps == 60


def test_partial_fit_twice_with_all_rows_is_one_optimizer_over_two_steps() -> None:
    """Adam's means go on: the second call is not a first step again, which would be as long as the rate."""
    classifier = small(learning_rate=0.01, batch_size=1000)
    classifier.partial_fit(X, Y, classes=[0, 1, 2])
    before = {name: p.copy() for name, p in classifier.network_.params.items()}
    state, optimizer = classifier._optimizer_state, nn.Adam()
    assert state is not None
    expected = {name: p.copy() for name, p in before.items()}
    slots = {slot: {name: a.copy() for name, a in arrays.items()} for slot, arrays in state.items()}
    outputs, backward = classifier.network_.forward(np.asarray(classifier._preparation.features(X)).T)
    slope = SoftmaxCrossEntropy().forward(outputs, Y)[1](1.0)
    optimizer.update(expected, backward(slope)[1], slots, 0.01, 1)
    classifier.partial_fit(X, Y)
    for name, value in expected.items():
        np.testing.assert_allclose(classifier.network_.params[name], value, rtol=1e-9)


def test_partial_fit_cuts_many_rows_into_batches_even_if_the_first_call_had_few() -> None:
    classifier = small().partial_fit(X[::30], Y[::30], classes=[0, 1, 2])
    steps = classifier._steps
    assert classifier.partial_fit(np.tile(X, (3, 1)), np.tile(Y, 3))._steps == steps + 4


def test_partial_fit_goes_on_from_fit_and_fit_starts_anew() -> None:
    classifier = small().fit(X, Y)
    before = classifier.predict_proba(X)
    classifier.partial_fit(X[:50], Y[:50])
    assert 0 < np.abs(classifier.predict_proba(X) - before).max() < 0.2
    assert classifier.n_iter_ == 31
    assert same(classifier.fit(X, Y), small().fit(X, Y))


def test_partial_fit_of_classes_that_are_not_there_yet() -> None:
    names = np.array(["a", "b", "c"])
    classifier = small().partial_fit(X[:50], names[Y[:50]], classes=["c", "a", "b"])
    assert classifier.classes_.tolist() == ["a", "b", "c"]
    assert classifier.predict_proba(X).shape == (150, 3)
    with pytest.raises(ValueError, match="classes is expected as in the first call"):
        classifier.partial_fit(X, names[Y], classes=["a", "b"])
    with pytest.raises(ValueError, match=r"y is expected to have the classes .*; got d as well"):
        classifier.partial_fit(X[:1], ["d"])
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        small().partial_fit(X, Y)


def test_early_stopping_keeps_the_best_epoch() -> None:
    features, labels = make_classification(300, 20, flip_y=0.3, random_state=0)
    classifier = small(epochs=100, hidden=(50,), early_stopping=True, n_iter_no_change=4, validation_fraction=0.3)
    classifier.fit(features, labels)
    scores = classifier.validation_scores_
    assert classifier.n_iter_ == len(scores) == len(classifier.loss_curve_) < 100
    assert max(scores[-4:]) <= max(scores[:-4]) + 1e-4
    held_out = _held_out_rows(classifier, features, labels)
    assert (classifier.predict(features[held_out]) == labels[held_out]).mean() == pytest.approx(max(scores))


def _held_out_rows(classifier: DenseClassifier, features: Array, labels: Array) -> Array:
    from digitscope.sklearn.network_classifier import _held_out

    seed = int(np.random.RandomState(0).randint(2**31 - 1))
    return _held_out(labels, classifier.validation_fraction, np.random.default_rng(seed))


def test_early_stopping_holds_out_a_share_of_each_class() -> None:
    from digitscope.sklearn.network_classifier import _held_out

    labels = np.repeat([0, 1, 2, 3], [100, 40, 1, 3])
    chosen = _held_out(labels, 0.1, np.random.default_rng(0))
    assert np.bincount(labels[chosen], minlength=4)[:3].tolist() == [10, 4, 0]
    assert _held_out(np.array([0, 0, 1]), 0.01, np.random.default_rng(0)).sum() == 1
    with pytest.raises(ValueError, match="a class of at least 2 rows"):
        small(early_stopping=True).fit(X[[0, 60]], Y[[0, 60]])


def test_weights_count_in_early_stopping() -> None:
    weights = np.random.default_rng(0).uniform(0.1, 3, 150)
    classifier = small(early_stopping=True, epochs=3, validation_fraction=0.2).fit(X, Y, sample_weight=weights)
    held_out = _held_out_rows(classifier, X, Y)
    right = classifier.predict(X[held_out]) == Y[held_out]
    assert max(classifier.validation_scores_) == pytest.approx(np.average(right, weights=weights[held_out]))


def test_each_parameter_does_what_it_says() -> None:
    layers = small(hidden=(8, 6), activation="leaky-relu", dropout=0.3, batch_norm=True).fit(X, Y).network_.layers
    assert [type(layer).__name__ for layer in layers] == ["Dense", "BatchNorm", "LeakyReLU", "Dropout"] * 2 + ["Dense"]
    assert any(isinstance(layer, LeakyReLU) for layer in layers)
    assert [layer.rate for layer in layers if isinstance(layer, Dropout)] == [0.3, 0.3]
    assert all(layer.statistics["variance"].std() > 0 for layer in layers if isinstance(layer, BatchNorm))
    assert len(small(hidden=()).fit(X, Y).network_) == 1
    assert len(small(hidden=7).fit(X, Y).network_) == 3
    for changed in (
        {"optimizer": "momentum"},
        {"optimizer": nn.Momentum(nesterov=True)},
        {"schedule": "constant"},
        {"schedule": nn.Cosine(0.01)},
        {"weight_decay": 0.5},
        {"label_smoothing": 0.2},
        {"learning_rate": 0.02},
        {"batch_size": 10},
        {"activation": "tanh"},
    ):
        assert not np.allclose(small(**changed).fit(X, Y).predict_proba(X), small().fit(X, Y).predict_proba(X))


def test_batches_are_equally_large() -> None:
    classifier = small(batch_size=149, epochs=1).fit(X, Y)
    assert classifier._plan.batch_size == 75


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"hidden": (0,)}, "hidden is expected as whole numbers"),
        ({"hidden": "100"}, "hidden is expected as whole numbers"),
        ({"activation": "logistic"}, "activation expects one of relu, leaky-relu, sigmoid, tanh; got 'logistic'"),
        ({"dropout": 1.0}, "dropout is expected"),
        ({"batch_norm": 1}, "batch_norm is expected as True or False"),
        ({"epochs": 0}, "epochs is expected"),
        ({"learning_rate": -1.0}, "learning rate is expected to be positive"),
        ({"batch_size": 0}, "batch_size is expected"),
        ({"batch_size": None}, "batch_size is expected"),
        ({"optimizer": "lbfgs"}, "optimizer expects one of"),
        ({"schedule": "adaptive"}, "schedule expects one of"),
        ({"weight_decay": -1.0}, "weight_decay is expected"),
        ({"label_smoothing": 2.0}, "label_smoothing is expected"),
        ({"standardize": "no"}, "standardize is expected"),
        ({"early_stopping": "yes"}, "early_stopping is expected"),
        ({"validation_fraction": 0.0}, "validation_fraction is expected"),
        ({"validation_fraction": 1.0}, "validation_fraction is expected"),
        ({"n_iter_no_change": 0}, "n_iter_no_change is expected"),
        ({"tol": -1}, "tol is expected"),
        ({"label_smoothing": []}, "label_smoothing is expected as a number"),
        ({"schedule": ""}, "schedule expects one of"),
        ({"n_threads": -1}, "n_threads is expected as a whole number from 1 on or None"),
        ({"verbose": -1}, "verbose is expected"),
    ],
)
def test_a_parameter_that_cannot_be_is_named_by_fit(parameters: dict[str, Any], message: str) -> None:
    classifier = small(**parameters)
    with pytest.raises(ValueError, match=message):  # as scikit-learn's estimators
        classifier.fit(X, Y)
    with pytest.raises(DigitscopeError, match=message):
        classifier.partial_fit(X, Y, classes=[0, 1, 2])


def test_a_fit_that_fails_leaves_it_unfitted() -> None:
    classifier = small().fit(X, Y)
    classifier.set_params(optimizer="gradient-descent", learning_rate=1e9)
    with pytest.raises(DivergenceError):
        classifier.fit(X, Y)
    with pytest.raises(ValueError, match="not fitted"):
        classifier.predict(X)


def test_verbose_prints_a_line_for_each_epoch(capsys: pytest.CaptureFixture[str]) -> None:
    small(epochs=2, verbose=1, early_stopping=True).fit(X, Y)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("epoch 1/2  loss ")
    assert "validation accuracy" in lines[1]


def test_a_pickle_predicts_the_same_and_learns_on_alike() -> None:
    classifier = small(dropout=0.2).partial_fit(X, Y, classes=[0, 1, 2])
    copied = pickle.loads(pickle.dumps(classifier))
    np.testing.assert_array_equal(copied.predict_proba(X), classifier.predict_proba(X))
    assert same(copied.partial_fit(X, Y), classifier.partial_fit(X, Y))


def test_the_weighted_derivative_reaches_the_network() -> None:
    """One step of plain descent on all rows, by hand from the weighted loss."""
    weights = np.random.default_rng(0).uniform(0.1, 2, 150)
    plain = {"hidden": (), "epochs": 1, "optimizer": "gradient-descent", "schedule": "constant", "batch_size": 1000}
    after = small(**plain, learning_rate=0.5).fit(X, Y, sample_weight=weights)
    start = small(**plain, learning_rate=1e-12).fit(X, Y, sample_weight=weights)
    x = np.asarray(start._preparation.features(X)).T
    outputs, backward = start.network_.forward(x)
    slope = weighted_loss(SoftmaxCrossEntropy(), outputs, Y, weights / weights.mean())[1](1.0)
    for name, g in backward(slope)[1].items():
        np.testing.assert_allclose(after.network_.params[name], start.network_.params[name] - 0.5 * g, atol=1e-9)
