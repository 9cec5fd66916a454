"""Averages of the weights against their formulas, alone and in a training; and the outcome of a run."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from digitscope.arrays import Array
from digitscope.datasets import DataSet
from digitscope.errors import TrainingError
from digitscope.nn import (
    BatchNorm,
    Conv2D,
    Dense,
    Ensemble,
    Flatten,
    Momentum,
    Network,
    OneCycle,
    ReLU,
    Reshape,
    SoftmaxCrossEntropy,
    to_batch,
)
from digitscope.training import (
    Averaging,
    Epoch,
    ExponentialAverage,
    Plan,
    Run,
    Step,
    TailAverage,
    evaluate,
    load_checkpoint,
    measure_statistics,
    save_checkpoint,
    train,
)
from digitscope.training.averaging import add_to_average

PLAN = Plan(
    loss=SoftmaxCrossEntropy(),
    optimizer=Momentum(),
    schedule=OneCycle(0.1),
    epochs=2,
    batch_size=64,
    shard_size=32,
    averaging=TailAverage(0.4),
)


def walk(averaging: Averaging, weights: Array) -> Array:
    """The average after each of the steps, (steps, size)."""
    average = {"w": np.full_like(weights[0], 1e9)}  # the initial values do not count
    after = []
    for step, w in enumerate(weights):
        add_to_average(average, {"w": w}, averaging.rate(step, len(weights)))
        after.append(average["w"].copy())
    return np.array(after)


@given(decay=st.floats(0, 0.9999), steps=st.integers(1, 60), seed=st.integers(0, 2**32 - 1))
def test_the_exponential_average_agrees_with_its_formula(decay: float, steps: int, seed: int) -> None:
    weights = np.random.default_rng(seed).normal(size=(steps, 3))
    for t, average in enumerate(walk(ExponentialAverage(decay), weights)):
        shares = [decay**k for k in range(t + 1)]
        expected = sum(share * weights[t - k] for k, share in enumerate(shares)) / sum(shares)
        np.testing.assert_allclose(average, expected, rtol=1e-9, atol=1e-9)


@given(share=st.floats(0, 1), steps=st.integers(1, 60), seed=st.integers(0, 2**32 - 1))
def test_the_tail_average_is_the_mean_of_the_last_steps(share: float, steps: int, seed: int) -> None:
    weights = np.random.default_rng(seed).normal(size=(steps, 3))
    averages = walk(TailAverage(share), weights)
    first = round((1 - share) * steps)
    for t, average in enumerate(averages):
        expected = weights[t] if t < first else weights[first : t + 1].mean(axis=0)
        np.testing.assert_allclose(average, expected, rtol=1e-9, atol=1e-9)


def test_tail_averages_computed_by_hand() -> None:
    weights = np.arange(1.0, 11.0)[:, None]
    assert walk(TailAverage(0.3), weights)[-1].tolist() == [9]
    assert walk(TailAverage(1.0), weights)[-1].tolist() == pytest.approx([5.5])
    assert walk(TailAverage(0.0), weights)[-1].tolist() == [10]
    assert walk(ExponentialAverage(0.5), weights[:2])[-1].tolist() == pytest.approx([(2 + 0.5) / 1.5])


def test_an_average_is_taken_in_place_and_of_the_same_type() -> None:
    average = {"a": np.zeros((2, 2), np.float32), "b": np.ones(3, np.float32)}
    own = dict(average)
    params = {"a": np.full((2, 2), 4, np.float32), "b": np.zeros(3, np.float32)}
    add_to_average(average, params, 0.25)
    assert average == own
    assert average["a"].tolist() == [[1, 1], [1, 1]]
    assert average["b"].tolist() == [0.75, 0.75, 0.75]
    assert average["a"].dtype == np.float32
    assert params["a"].tolist() == [[4, 4], [4, 4]]


@pytest.mark.parametrize("decay", [-0.1, 1.0, 2.0, float("nan")])
def test_a_decay_that_averages_nothing_is_refused(decay: float) -> None:
    with pytest.raises(TrainingError, match=f"decay .*; got {decay}"):
        ExponentialAverage(decay)


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_fraction_above_1_is_refused(share: float) -> None:
    with pytest.raises(TrainingError, match=f"share.*; got {share}"):
        TailAverage(share)


def start(plan: Plan, images: int) -> Run:
    rng = np.random.default_rng(3)
    network = Network(
        Reshape(1, 28, 28),
        Conv2D(1, 4, 5, stride=3, bias=False, rng=rng),
        BatchNorm(4),
        ReLU(),
        Flatten(),
        Dense(256, 10, rng=rng),
    )
    return Run.start(network, plan, images, rng)


def everything(run: Run) -> dict[str, bytes]:
    arrays = {**run.network.params, **run.network.statistics}
    state = {f"{slot} {name}": v for slot, values in run.optimizer_state.items() for name, v in values.items()}
    averages = {f"average {name}": value for name, value in run.average.items()}
    return {name: value.tobytes() for name, value in {**arrays, **state, **averages}.items()}


@pytest.mark.parametrize("averaging", [TailAverage(0.4), ExponentialAverage(0.8)], ids=repr)
@pytest.mark.parametrize("threads", [1, 2])
def test_a_training_averages_the_weights_after_each_step(few: DataSet, averaging: Averaging, threads: int) -> None:
    run = start(replace(PLAN, averaging=averaging), 300)
    after: list[dict[str, Array]] = []
    for result in train(run, few.x_train[:300], few.y_train[:300], threads=threads):
        if isinstance(result, Step):
            after.append({name: p.astype(np.float64) for name, p in run.network.params.items()})
    assert len(after) == 10
    for name, average in run.average.items():
        weights = np.array([params[name] for params in after])
        np.testing.assert_allclose(average, walk(averaging, weights)[-1], rtol=1e-4, atol=1e-6)
        assert not np.allclose(average, weights[-1], rtol=1e-4, atol=1e-6)


def test_averaging_does_not_change_the_weights(few: DataSet) -> None:
    runs = [start(replace(PLAN, averaging=averaging), 300) for averaging in (None, TailAverage(0.4))]
    results = [train(run, few.x_train[:300], few.y_train[:300]) for run in runs]
    for _ in zip(*results, strict=True):
        assert runs[0].average == {}
        for name, p in runs[0].network.params.items():
            np.testing.assert_array_equal(p, runs[1].network.params[name])


@pytest.mark.parametrize("averaging", [None, TailAverage(0.4)], ids=repr)
def test_the_outcome_has_the_average_and_measured_statistics_and_leaves_the_run_alone(
    few: DataSet, averaging: Averaging | None
) -> None:
    images = few.x_train[:300]
    run = start(replace(PLAN, averaging=averaging), 300)
    for _ in train(run, images, few.y_train[:300]):
        before = everything(run)
        outcome = run.outcome(images)
        assert everything(run) == before
        for name, value in (run.average or run.network.params).items():
            np.testing.assert_array_equal(outcome.params[name], value)
        assert not run.network.statistics["2.mean"].any()
    x = Network(*outcome.layers[:2]).forward(to_batch(images))[0].astype(np.float64)
    np.testing.assert_allclose(outcome.statistics["2.mean"], x.mean(axis=(1, 2, 3)), rtol=1e-5)
    np.testing.assert_allclose(outcome.statistics["2.variance"], x.var(axis=(1, 2, 3)), rtol=1e-5)


def test_statistics_are_measured_on_images_from_everywhere(few: DataSet) -> None:
    images = few.x_train[:300]
    measured = measure_statistics(start(PLAN, 300).network, images, count=100)
    x = Network(*measured.layers[:2]).forward(to_batch(images[::3]))[0].astype(np.float64)
    np.testing.assert_allclose(measured.statistics["2.mean"], x.mean(axis=(1, 2, 3)), rtol=1e-5)
    np.testing.assert_allclose(measured.statistics["2.variance"], x.var(axis=(1, 2, 3)), rtol=1e-5)


def test_without_averages_and_statistics_the_outcome_has_the_networks_own_weights() -> None:
    rng = np.random.default_rng(4)
    network = Network(Dense(784, 10, rng=rng), ReLU())
    run = Run.start(network, replace(PLAN, averaging=None), 300, rng)
    outcome = run.outcome(np.zeros((300, 28, 28), np.uint8))
    assert outcome.config() == network.config()
    for name, p in network.params.items():
        np.testing.assert_array_equal(outcome.params[name], p, strict=True)


@pytest.mark.parametrize("averaging", [None, TailAverage(0.4), ExponentialAverage(0.8)], ids=repr)
@pytest.mark.parametrize("members", [1, 2])
def test_after_the_last_result_the_network_is_the_trained_one(
    few: DataSet, tmp_path: Path, averaging: Averaging | None, members: int
) -> None:
    plan, images, labels = replace(PLAN, averaging=averaging), few.x_train[:300], few.y_train[:300]
    held_out = few.x_train[300:500], few.y_train[300:500]

    def begin() -> tuple[Network, Run]:
        single = [start(plan, 300).network for _ in range(members)]
        network = single[0] if members == 1 else Network(Ensemble(*single))
        return network, Run.start(network, plan, 300, np.random.default_rng(3))

    network, run = begin()
    arrays = list(network.params.values())
    for result in train(run, images, labels, validation=held_out):
        if isinstance(result, Epoch):
            last = result
            save_checkpoint(tmp_path / "c", run, {})
            with pytest.raises(TrainingError, match=r"those of layer (2|0\.0\.2, layer 0\.1\.2) still have"):
                evaluate(network, plan.loss, *held_out)
    assert run.network is network
    assert all(one is other for one, other in zip(network.params.values(), arrays, strict=True))
    assert evaluate(network, plan.loss, *held_out) == (last.validation_loss, last.validation_accuracy)
    outcome = run.outcome(images)
    for name, array in {**outcome.params, **outcome.statistics}.items():
        np.testing.assert_array_equal({**network.params, **network.statistics}[name], array)
    # The checkpoint of the last epoch is of the last step; to resume it is to finish.
    resumed, again = begin()
    load_checkpoint(tmp_path / "c").restore(again)
    assert list(train(again, images, labels)) == []
    assert everything(again) == everything(run)
    assert evaluate(resumed, plan.loss, *held_out) == (last.validation_loss, last.validation_accuracy)


def test_test_time_shifts_are_in_the_outcome_and_not_in_the_network(few: DataSet) -> None:
    images, labels = few.x_train[:300], few.y_train[:300]
    plain, shifted = start(PLAN, 300), start(replace(PLAN, shifts=((0, 0), (1, 0))), 300)
    for run in (plain, shifted):
        list(train(run, images, labels))
    assert everything(plain) == everything(shifted)
    assert evaluate(shifted.network, PLAN.loss, images, labels) == evaluate(plain.network, PLAN.loss, images, labels)
    assert evaluate(shifted.outcome(images), PLAN.loss, images, labels) != evaluate(
        plain.outcome(images), PLAN.loss, images, labels
    )


def test_an_ensemble_among_other_layers_learns_as_one_network(few: DataSet) -> None:
    rng = np.random.default_rng(4)
    members = [Network(Dense(784, 6, rng=rng)) for _ in range(2)]
    network = Network(Ensemble(*members), Dense(6, 10, rng=rng))
    run = Run.start(network, replace(PLAN, epochs=1), 300, rng)
    assert run.learners == [network]
    list(train(run, few.x_train[:300], few.y_train[:300]))
    assert run.outcome(few.x_train[:300]).config() == network.config()
