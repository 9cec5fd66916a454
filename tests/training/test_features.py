"""Training on rows of numbers instead of images, and on examples that count differently."""

from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
import pytest

from digitscope.arrays import Array, Features, as_features, as_weights
from digitscope.augmentation.augment import STANDARD
from digitscope.datasets import DataSet
from digitscope.errors import DataError, DigitscopeError, ShapeError, TrainingError
from digitscope.nn import Adam, BatchNorm, Constant, Dense, Dropout, Network, ReLU, SoftmaxCrossEntropy, to_batch
from digitscope.training import Epoch, Plan, Run, Step, evaluate, train
from digitscope.training.inference import CHUNK, outputs_in_chunks

PLAN = Plan(SoftmaxCrossEntropy(0.1), Adam(), Constant(0.01), epochs=2, batch_size=50, shard_size=20)


def start(plan: Plan, images: int, features: int = 784) -> Run:
    rng = np.random.default_rng(0)
    layers = [Dense(features, 12, rng=rng), BatchNorm(12), ReLU(), Dropout(0.2), Dense(12, 10, rng=rng)]
    return Run.start(Network(*layers), plan, images, rng)


def test_features_that_are_pixels_give_the_same_bits_as_the_images(few: DataSet) -> None:
    images, labels = few.x_train[:120], few.y_train[:120]
    features = as_features(images.reshape(120, 784).astype(np.float32) / 255)
    validation = few.x_train[120:150], few.y_train[120:150]
    by_images, by_features = start(PLAN, 120), start(PLAN, 120)
    expected = list(train(by_images, images, labels, validation=validation, threads=2))
    rows = as_features(validation[0].reshape(30, 784).astype(np.float32) / 255)
    results = list(train(by_features, features, labels, validation=(rows, validation[1])))
    for name, value in by_images.network.params.items():
        np.testing.assert_array_equal(by_features.network.params[name], value)
    for name, value in by_images.network.statistics.items():
        np.testing.assert_array_equal(by_features.network.statistics[name], value)
    assert [r.validation_loss for r in results if isinstance(r, Epoch)] == [
        r.validation_loss for r in expected if isinstance(r, Epoch)
    ]


def test_a_whole_weight_is_a_repetition() -> None:
    """In full batches, and in float64 up to rounding."""
    rng = np.random.default_rng(1)
    x, y, counts = as_features(rng.normal(size=(20, 3))), rng.integers(0, 10, 20), rng.integers(0, 4, 20)
    rows = np.repeat(np.arange(20), counts)
    plan = replace(PLAN, epochs=30, batch_size=None, shard_size=None)

    def trained(x: Features, y: Array, weights: Array | None) -> Network:
        rng = np.random.default_rng(0)
        network = Network(Dense(3, 8, rng=rng), ReLU(), Dense(8, 10, rng=rng))
        run = Run.start(network.map_arrays(lambda a: a.astype(np.float64)), plan, len(x), rng)
        assert list(train(run, x, y, weights=weights))
        return run.network

    weighted, repeated = trained(x, y, counts), trained(as_features(x[rows]), y[rows], None)
    assert weighted.params["0.weight"].dtype == np.float64
    for name, value in repeated.params.items():
        np.testing.assert_allclose(weighted.params[name], value, rtol=1e-7, atol=1e-9)
    assert not np.allclose(trained(x, y, None).params["0.weight"], weighted.params["0.weight"], rtol=1e-3)


def test_only_the_ratio_of_weights_matters_and_threads_do_not(few: DataSet) -> None:
    images, labels = few.x_train[:100], few.y_train[:100]
    weights = np.random.default_rng(2).uniform(0, 3, 100)
    params = []
    for scale, threads in ((1.0, 1), (1.0, 2), (2.0, 1), (2.0**1000, 1)):
        run = start(PLAN, 100)
        assert list(train(run, images, labels, weights=scale * weights, threads=threads))
        params.append(run.network.params)
    for other in params[1:]:
        for name, value in params[0].items():
            np.testing.assert_array_equal(other[name], value)


def test_a_batch_of_examples_that_do_not_count_changes_nothing() -> None:
    x, y = as_features(np.random.default_rng(1).normal(size=(8, 3))), np.arange(8)
    network = Network(Dense(3, 10, rng=np.random.default_rng(0)))
    before = network.params["0.weight"].copy()
    run = Run.start(network, replace(PLAN, batch_size=1, shard_size=None, epochs=1), 8, np.random.default_rng(0))
    results = iter(train(run, x, y, weights=[0, 0, 0, 0, 0, 0, 0, 1]))
    losses = [result.loss for result in islice(results, 8) if isinstance(result, Step)]
    assert len(losses) == 8
    assert sum(loss > 0 for loss in losses) == 1
    assert sum(losses) / 8 == pytest.approx(evaluate_one(before, network.params["0.bias"] * 0, x[7], 7), rel=0.5)


def evaluate_one(weight: Array, bias: Array, row: Array, label: int) -> float:
    z = weight @ row[:, None] + bias
    return SoftmaxCrossEntropy(0.1).forward(z, np.array([label]))[0]


def test_steps_of_earlier_runs_count_for_adam() -> None:
    """Two runs of one epoch, the second with the state of the first, are one run of two epochs."""
    x, y = as_features(np.random.default_rng(1).normal(size=(20, 784)).astype(np.float32)), np.arange(20) % 10
    plan = replace(PLAN, batch_size=None, shard_size=None)
    plain = Network(Dense(784, 10, rng=np.random.default_rng(0)))
    whole = Run.start(plain.map_arrays(np.copy), plan, 20, np.random.default_rng(0))
    assert list(train(whole, x, y))
    first = Run.start(plain.map_arrays(np.copy), replace(plan, epochs=1), 20, np.random.default_rng(0))
    assert list(train(first, x, y))
    second = Run.start(first.network, first.plan, 20, np.random.default_rng(0))
    second.optimizer_state, second.steps_before = first.optimizer_state, 1
    assert list(train(second, x, y))
    np.testing.assert_array_equal(second.network.params["0.weight"], whole.network.params["0.weight"])


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 1e-5), (np.float64, 0)])
def test_an_examples_outputs_do_not_depend_on_the_others_in_padded_chunks(dtype: type, tolerance: float) -> None:
    rng = np.random.default_rng(0)
    layers = Network(Dense(37, 50, rng=rng), ReLU(), Dense(50, 3, rng=rng))
    network = layers.map_arrays(lambda array: array.astype(dtype))
    x = as_features(rng.normal(size=(2 * CHUNK + 7, 37)).astype(dtype))
    together = outputs_in_chunks(network, x, padded=True)
    assert together.shape == (3, len(x))
    assert together.dtype == dtype
    for n in (0, 5, CHUNK - 1, CHUNK, 2 * CHUNK + 6):
        alone = outputs_in_chunks(network, x[n : n + 1], padded=True)[:, 0]
        np.testing.assert_allclose(alone, together[:, n], rtol=tolerance, atol=tolerance)
    assert outputs_in_chunks(network, x[:0], padded=True).shape == (3, 0)


def test_features_keep_their_type_in_slices_and_lose_it_in_the_network() -> None:
    x = as_features(np.arange(6).reshape(3, 2))
    assert (type(x[1:]), type(x[[0, 2]])) == (Features, Features)
    assert type(to_batch(x)) is np.ndarray
    assert to_batch(x).tolist() == [[0, 2, 4], [1, 3, 5]]
    assert as_features(np.ones((2, 2), np.float32)).dtype == np.float32
    assert as_features([[1], [2]]).dtype == as_features(np.ones((2, 2), np.float16)).dtype == np.float64


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        ([1.0, 2.0], ShapeError, r"\(N, D\), D at least 1; got \(2,\)"),
        (np.zeros((2, 0)), ShapeError, r"got \(2, 0\)"),
        ([[1.0, np.nan]], DataError, "finite numbers; got NaN or infinity"),
        ([["a"]], DataError, "expected as numbers"),
    ],
)
def test_what_are_not_features_is_refused(values: Any, error: type[DigitscopeError], message: str) -> None:
    with pytest.raises(error, match=message):
        as_features(values)


@pytest.mark.parametrize("weights", [[1.0], [[1.0, 1.0]], [1.0, -1.0], [0.0, 0.0], [1.0, np.nan], [1.0, np.inf]])
def test_what_are_not_weights_is_refused(weights: Any) -> None:
    with pytest.raises((ShapeError, DataError), match="Weights are expected as"):
        as_weights(weights, 2)


def test_features_cannot_be_augmented_shifted_or_validated_by_images() -> None:
    x, y = as_features(np.zeros((4, 784))), np.arange(4)
    for plan in (replace(PLAN, augment=STANDARD), replace(PLAN, shifts=((0, 1),))):
        with pytest.raises(TrainingError, match="neither augmented nor shifted"):
            train(start(plan, 4), x, y)
    with pytest.raises(TrainingError, match="both images or both Features"):
        train(start(PLAN, 4), x, y, validation=(np.zeros((2, 28, 28)), [0, 1]))
    with pytest.raises(ShapeError, match=r"expects \(784, N\)"):
        train(start(PLAN, 4), x, y, validation=(as_features(np.zeros((2, 5))), [0, 1]))
    assert evaluate(Network(Dense(784, 10)), PLAN.loss, x, y)[1] in (0, 0.25, 0.5, 0.75, 1)
