"""An ensemble is trained member by member; the outcome may use test-time augmentation."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from digitscope.datasets import DataSet
from digitscope.nn import (
    BatchNorm,
    Dense,
    Ensemble,
    Momentum,
    Network,
    OneCycle,
    ReLU,
    ShiftAverage,
    SoftmaxCrossEntropy,
    softmax,
    to_batch,
)
from digitscope.training import (
    Epoch,
    Plan,
    Run,
    Step,
    TailAverage,
    load_checkpoint,
    network_outputs,
    save_checkpoint,
    train,
)

PLAN = Plan(
    loss=SoftmaxCrossEntropy(),
    optimizer=Momentum(),
    schedule=OneCycle(0.1),
    epochs=2,
    batch_size=64,
    shard_size=32,
    averaging=TailAverage(0.5),
)
IMAGES = 200


def member(rng: np.random.Generator) -> Network:
    return Network(Dense(784, 12, rng=rng), BatchNorm(12), ReLU(), Dense(12, 10, rng=rng))


def start(members: int, plan: Plan = PLAN) -> Run:
    rng = np.random.default_rng(3)
    networks = [member(rng) for _ in range(members)]
    network = Network(Ensemble(*networks)) if members > 1 else networks[0]
    return Run.start(network, plan, IMAGES, np.random.default_rng(4))


def finish(run: Run, few: DataSet, threads: int = 1) -> list[Step | Epoch]:
    images, labels = few.x_train[:IMAGES], few.y_train[:IMAGES]
    return list(train(run, images, labels, validation=(few.x_train[300:400], few.y_train[300:400]), threads=threads))


def outcome(run: Run, few: DataSet) -> dict[str, bytes]:
    network = run.outcome(few.x_train[:IMAGES])
    return {name: array.tobytes() for name, array in {**network.params, **network.statistics}.items()}


def test_each_member_learns_by_the_whole_plan(few: DataSet) -> None:
    alone, three = start(1), start(3)
    first, results = finish(alone, few), finish(three, few)
    rates = [[r.learning_rate for r in list_ if isinstance(r, Step)] for list_ in (first, results)]
    assert rates[1] == 3 * rates[0]
    steps = [r for r in results if isinstance(r, Step)]
    assert [r.step for r in steps] == list(range(1, 1 + 3 * len(rates[0])))
    assert {r.steps for r in steps} == {3 * len(rates[0])}
    assert [r.epoch for r in results if isinstance(r, Epoch)] == [1, 2, 3, 4, 5, 6]
    # The first member draws the same numbers as if it were alone, and is left alone afterwards.
    by_itself, ensemble = outcome(alone, few), outcome(three, few)
    assert {name: ensemble[f"0.0.{name}"] for name in by_itself} == by_itself
    assert ensemble["0.0.0.weight"] != ensemble["0.1.0.weight"] != ensemble["0.2.0.weight"]


def test_the_outcome_has_the_members_that_have_learned_and_their_mean(few: DataSet) -> None:
    run = start(2)
    sizes = {}
    images = few.x_train[:IMAGES]
    for result in train(run, images, few.y_train[:IMAGES]):
        if isinstance(result, Epoch):
            (ensemble,) = run.outcome(images).layers
            assert isinstance(ensemble, Ensemble)
            sizes[result.epoch] = len(ensemble.layers)
    assert sizes == {1: 1, 2: 1, 3: 2, 4: 2}
    (ensemble,) = run.outcome(images).layers
    assert isinstance(ensemble, Ensemble)
    x = few.x_train[:20]
    opinions = [softmax(network_outputs(network, x)) for network in ensemble.layers]
    np.testing.assert_allclose(softmax(network_outputs(ensemble, x)), np.mean(opinions, axis=0), rtol=1e-5)


def test_an_ensemble_resumed_anywhere_or_on_two_threads_is_the_same_bit_for_bit(few: DataSet, tmp_path: Path) -> None:
    whole = start(2)
    results = finish(whole, few)
    expected = outcome(whole, few)
    other = start(2)
    finish(other, few, threads=2)
    assert outcome(other, few) == expected
    for stop in range(1, len(results)):
        run = start(2)
        images, labels = few.x_train[:IMAGES], few.y_train[:IMAGES]
        for i, _ in enumerate(train(run, images, labels), 1):
            if i == stop:
                save_checkpoint(tmp_path / "c", run, {})
                break
        resumed = start(2)
        load_checkpoint(tmp_path / "c").restore(resumed)
        finish(resumed, few)
        assert outcome(resumed, few) == expected, stop


def test_the_outcome_averages_over_the_plans_shifts(few: DataSet) -> None:
    shifts = ((0, 0), (1, 0), (0, -1))
    run = start(1, replace(PLAN, shifts=shifts))
    finish(run, few)
    network = run.outcome(few.x_train[:IMAGES])
    (views,) = network.layers
    assert isinstance(views, ShiftAverage)
    assert views.shifts == shifts
    assert network.params.keys() == {f"0.{name}" for name in run.network.params}
    plain = replace(run, plan=PLAN).outcome(few.x_train[:IMAGES])
    x = to_batch(few.x_train[:5])
    assert not np.allclose(network.forward(x)[0], plain.forward(x)[0])
