"""Damaged checkpoints: each damage is one error, and the run that it was to be restored to is unchanged."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from digitscope.arrays import Array
from digitscope.datasets import DataSet
from digitscope.errors import ModelError
from digitscope.files.tensors import read_tensors, write_tensors
from digitscope.nn import Adam, Dense, Ensemble, Network, OneCycle, ReLU, SoftmaxCrossEntropy
from digitscope.training import ExponentialAverage, Plan, Run, load_checkpoint, save_checkpoint, train

PLAN = Plan(
    SoftmaxCrossEntropy(),
    Adam(),
    OneCycle(0.003),
    epochs=2,
    batch_size=20,
    shard_size=10,
    averaging=ExponentialAverage(0.9),
)
IMAGES = 60
RNG_STATE = np.random.default_rng(0).bit_generator.state

About = dict[str, Any]
Change = Callable[[About, dict[str, Array]], object]


def start() -> Run:
    rng = np.random.default_rng(7)
    members = (Network(Dense(784, 5, rng=rng), ReLU(), Dense(5, 10, rng=rng)) for _ in range(2))
    return Run.start(Network(Ensemble(*members)), PLAN, IMAGES, rng)


@pytest.fixture(scope="module")
def saved(few: DataSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 3 batches an epoch, stopped after the first batch of its last epoch but one."""
    images, labels = few.x_train[:IMAGES], few.y_train[:IMAGES]
    path = tmp_path_factory.mktemp("run") / "c"
    run = start()
    for _ in train(run, images, labels, validation=(images, labels), watch=[0, 1, 2]):
        if (run.epoch, run.batch) == (2, 1):
            save_checkpoint(path, run, {})
            break
    return path


def put(name: str, value: Any) -> Change:
    return lambda about, _: about.update({name: value})


def number(name: str, place: int, value: float) -> Change:
    return lambda _, arrays: arrays[name].put(place, value)


def array(name: str, change: Callable[[Array], Array]) -> Change:
    return lambda _, arrays: arrays.update({name: change(arrays[name])})


def state(**changes: Any) -> Change:
    return put("order", {**RNG_STATE, **changes})


WRONG_COUNTS: list[Any] = [-1, 0.5, "0", None, True, [], 10**30, 99]
WRONG_SECONDS: list[Any] = [-1, "long", None, [], float("nan"), float("inf"), 10**400]
WRONG_STATES: list[Any] = [{}, [], None, 1, "PCG64", {"bit_generator": "MT19937"}]
DAMAGE: dict[str, tuple[Change, str]] = {
    "another format": (put("format", 2), "expected a checkpoint of format 4; got 2"),
    "an unknown entry": (put("speed", 3), "damaged .missing or unknown: speed"),
    "no order": (lambda about, _: about.pop("order"), "missing or unknown: order"),
    "settings in a list": (put("settings", []), r"damaged .settings: \[\]"),
    "another plan": (put("plan", None), "of another plan; plan: expected .*Plan, got null"),
    "a plan with another class": (
        lambda about, _: about["plan"].update({"class": "x\n" * 5000}),
        "of another plan; plan.class: expected",
    ),
    **{f"member {v!r}": (put("member", v), "damaged .(member: |there is no batch 1 of)") for v in WRONG_COUNTS},
    **{f"epoch {v!r}": (put("epoch", v), "damaged .(epoch: |there is no batch 1 of)") for v in WRONG_COUNTS},
    **{f"batch {v!r}": (put("batch", v), "damaged .(batch: |there is no batch)") for v in WRONG_COUNTS},
    "another epoch": (put("epoch", 3), "the history is expected with 10 results up to step 10"),
    "another batch": (put("batch", 2), "the history is expected with 8 results up to step 8"),
    "a batch after the end": (
        lambda about, _: about.update(epoch=4, batch=1),
        "there is no batch 1 of epoch 4 of member 1",
    ),
    "a member too many": (
        lambda about, _: about.update(member=2, epoch=4, batch=0),
        "there is no batch 0 of epoch 4 of member 2",
    ),
    "a member too early": (
        lambda about, _: about.update(epoch=1),
        "there is no batch 1 of epoch 1 of member 1",
    ),
    "a member too late": (
        lambda about, _: about.update(member=0, epoch=3),
        "there is no batch 1 of epoch 3 of member 0",
    ),
    **{f"seconds {v!r}": (put("seconds", v), "damaged .seconds: ") for v in WRONG_SECONDS},
    "unreported images after a report": (put("unreported", [1.5, 3, 20]), "damaged .unreported: .*after batch 1"),
    "more read correctly than there are": (put("unreported", [1.5, 3, 2]), r"damaged .unreported: \[1.5, 3, 2\]"),
    "no number read correctly": (put("unreported", [1.5, 3]), "damaged .unreported: "),
    "a sum of losses that is text": (put("unreported", ["much", 0, 0]), "damaged .unreported: "),
    **{f"order {v!r}": (put("order", v), "damaged .the state of a generator") for v in WRONG_STATES},
    **{f"shard {v!r}": (put("shard_rngs", [v, v]), "damaged .the state of a generator") for v in WRONG_STATES},
    "shards that are a number": (put("shard_rngs", 3), "damaged .shard_rngs: 3"),
    "a shard less": (lambda about, _: about["shard_rngs"].pop(), "damaged .expected 2 shards; got 1"),
    "a negative state": (state(state={"state": -1, "inc": 1}), "the state of a generator"),
    "a state of 2^128": (state(state={"state": 2**128, "inc": 1}), "the state of a generator"),
    "a state that is text": (state(state={"state": "1", "inc": 1}), "the state of a generator"),
    "half a state": (state(state={"inc": 1}), "the state of a generator"),
    "a state with more": (state(more=1), "the state of a generator"),
    "a rest of 2^40": (state(uinteger=2**40), "the state of a generator"),
    "a rest that is text": (state(has_uint32="x"), "the state of a generator"),
    "no weights": (lambda _, arrays: arrays.pop("param/0.0.0.weight"), "not in both .*: param/0.0.0.weight"),
    "more weights": (lambda _, arrays: arrays.update(x=np.zeros(1)), "not in both .*: x"),
    "weights of another shape": (array("param/0.0.0.weight", np.transpose), r"expects float32 \(5, 784\); got"),
    "weights of another type": (array("param/0.0.0.weight", lambda a: a.astype(float)), "got float64"),
    "a weight that is no number": (number("param/0.1.2.bias", 0, np.nan), "param/0.1.2.bias is expected as finite"),
    "an infinite average": (number("average/2.weight", 5, np.inf), "average/2.weight is expected as finite"),
    "no column": (lambda _, arrays: arrays.pop("history/loss"), "history/loss is expected as float64"),
    "a column of rank 2": (array("history/loss", lambda a: a[:, None]), "history/loss is expected as float64 .results"),
    "a column of one number": (array("history/loss", lambda a: a[:1]), "columns of the history differ in length"),
    "a column of other type": (array("history/step", lambda a: a.astype(int)), "history/step is expected as float64"),
    "a shorter column": (array("history/loss", lambda a: a[1:]), "columns of the history differ in length"),
    "a loss that is no number": (number("history/loss", 0, np.nan), "history/loss is expected as numbers"),
    "another step": (number("history/step", 0, 2), "the history is expected with 7 results"),
    "an accuracy in the middle": (number("history/validation_accuracy", 0, 0.5), "at the end of each epoch"),
    "no accuracy at an end": (number("history/validation_accuracy", 2, np.nan), "at the end of each epoch"),
    "no snapshots": (lambda _, arrays: arrays.pop("snapshot/epoch"), "snapshots: 'epoch'"),
    "snapshots of rank 2": (array("snapshot/loss", lambda a: a[:, None]), "int64 of rank 1, float64 of rank 2"),
    "a snapshot less": (array("snapshot/loss", lambda a: a[1:]), "snapshots: they differ in length"),
    "epochs that are not whole": (array("snapshot/epoch", lambda a: a + 0.5), "snapshots: float64 of rank 1"),
    "a snapshot of NaN": (number("snapshot/probabilities", 0, np.nan), "numbers that are not finite"),
}


@pytest.mark.parametrize(("change", "message"), DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_checkpoint_is_one_error(saved: Path, tmp_path: Path, change: Change, message: str) -> None:
    arrays, about = read_tensors(saved, "checkpoint")
    change(about, arrays)
    path = tmp_path / "c"
    write_tensors(path, "checkpoint", arrays, {name: value for name, value in about.items() if name != "kind"})
    run = start()
    before = {name: p.tobytes() for name, p in run.network.params.items()}, run.order.bit_generator.state
    with pytest.raises(ModelError, match=message) as caught:
        load_checkpoint(path).restore(run)
    assert str(caught.value).startswith(f"{path}: ")
    assert str(caught.value).isprintable()
    assert ({name: p.tobytes() for name, p in run.network.params.items()}, run.order.bit_generator.state) == before
    assert (run.member, run.epoch, run.batch, run.snapshots) == (0, 0, 0, [])


def test_the_undamaged_one_is_restored(saved: Path, few: DataSet) -> None:
    run = start()
    checkpoint = load_checkpoint(saved)
    checkpoint.restore(run)
    assert (run.member, run.epoch, run.batch) == (1, 2, 1)
    assert (checkpoint.epoch, checkpoint.batch) == (2, 1)
    assert run.history["step"] == [1, 2, 3, 4, 5, 6, 7]
    assert [snapshot.epoch for snapshot in run.snapshots] == [0, 1, 2]
    run.history["step"].append(8)
    run.snapshots.clear()
    again = start()
    checkpoint.restore(again)
    assert (again.history["step"], len(again.snapshots)) == ([1, 2, 3, 4, 5, 6, 7], 3)


def test_the_checkpoint_before_stays_under_its_name(tmp_path: Path) -> None:
    path, previous = tmp_path / "c", tmp_path / "before"
    for seconds in (1.0, 2.0, 3.0):
        run = start()
        run.seconds = seconds
        save_checkpoint(path, run, {}, previous=previous)
    assert (load_checkpoint(previous).seconds, load_checkpoint(path).seconds) == (2.0, 3.0)
    assert len(list(tmp_path.iterdir())) == 2
