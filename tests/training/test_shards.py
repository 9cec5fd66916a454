"""WorkerPool: processes that learn shards, and what happens when they cannot."""

import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest

from digitscope.arrays import Array
from digitscope.augmentation.augment import Augment
from digitscope.datasets import DataSet
from digitscope.errors import DivergenceError
from digitscope.nn import (
    Backward,
    BatchNorm,
    Constant,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    Layer,
    MaxPool2D,
    Momentum,
    Network,
    OneCycle,
    ReLU,
    Reshape,
    SoftmaxCrossEntropy,
)
from digitscope.recipes import RECIPES
from digitscope.training import Plan, Run, loop, train
from digitscope.training.parallel.blas import blas_threads
from digitscope.training.parallel.shards import Shard, ShardResult, Task, WorkerPool, learn

PLAN = Plan(
    loss=SoftmaxCrossEntropy(label_smoothing=0.1),
    optimizer=Momentum(nesterov=True),
    schedule=OneCycle(0.1),
    epochs=2,
    batch_size=100,
    shard_size=32,
    augment=Augment(rotation=10, shift=2, elastic=0.5),
)


def network() -> Network:
    rng = np.random.default_rng(7)
    convolution = [Reshape(1, 28, 28), Conv2D(1, 4, 5, stride=2, rng=rng), BatchNorm(4), ReLU(), MaxPool2D(2)]
    return Network(*convolution, Flatten(), Dropout(0.2), Dense(144, 10, rng=rng))


def task(few: DataSet) -> Task:
    return Task(network(), PLAN.loss, few.x_train, few.y_train, PLAN.augment)


def shards() -> list[Shard]:
    rows: list[slice | Array] = [np.array([5, 3, 200]), slice(10, 40), np.arange(30), slice(0, 7), slice(90, 99)]
    return [Shard(these, 0.2 + i / 10, np.random.default_rng(i)) for i, these in enumerate(rows)]


def facts(learner: WorkerPool | Task, count: int = 5) -> list[tuple[object, ...]]:
    """What is learned from the first shards, and where it leaves their randomness."""
    these = shards()[:count]
    with blas_threads(1):  # as in a training: some kernels round otherwise with more
        learned = (
            learner.learn(these) if isinstance(learner, WorkerPool) else [learn(learner, shard) for shard in these]
        )
    return [
        (one.loss, one.right, shard.rng.bit_generator.state, {name: g.tobytes() for name, g in one.grads.items()})
        for one, shard in zip(learned, these, strict=True)
    ]


def wait_for(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "waited for a minute"
        time.sleep(0.01)


@pytest.fixture
def worthwhile(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Has every training of several shards wait for its helpers; a list of how many there were at each batch."""
    used = []
    enter, learn_shards = WorkerPool.__enter__, WorkerPool.learn

    def enter_and_wait(self: WorkerPool) -> WorkerPool:
        enter(self)
        wait_for(lambda: len(self.ready) == self.count)
        return self

    def count(self: WorkerPool, these: list[Shard]) -> list[ShardResult]:
        used.append(len(self.ready))
        return learn_shards(self, these)

    monkeypatch.setattr(WorkerPool, "__enter__", enter_and_wait)
    monkeypatch.setattr(WorkerPool, "learn", count)
    monkeypatch.setattr(loop, "OPERATIONS_A_BYTE", 0)
    monkeypatch.setattr(loop, "OPERATIONS_A_HELPER", 0)
    return used


@pytest.mark.parametrize("count", [1, 3, 6])
def test_what_helpers_learn_is_the_same_to_the_bit(few: DataSet, count: int) -> None:
    here = task(few)
    with WorkerPool(count, here, 5) as helpers:
        wait_for(lambda: len(helpers.ready) == count)
        for _ in range(3):
            assert facts(helpers) == facts(here)
            for p in here.learner.params.values():
                p *= 1.1  # as a step does
        assert facts(helpers, 2) == facts(here, 2)
        assert len(helpers.ready) == count


def test_a_training_with_helpers_is_the_same_to_the_bit(few: DataSet, worthwhile: list[int]) -> None:
    images, labels = few.x_train[:330], few.y_train[:330]  # which neither batches nor shards divide
    ends = []
    for threads in (1, 2, 4):
        run = Run.start(network(), PLAN, 330, np.random.default_rng(1))
        for _ in train(run, images, labels, threads=threads):
            pass
        states = [rng.bit_generator.state for rng in run.shard_rngs]
        ends.append((run.history["loss"], states, {name: p.tobytes() for name, p in run.network.params.items()}))
    assert ends[0] == ends[1] == ends[2]
    assert worthwhile == 8 * [1] + 8 * [3]


def test_of_a_loss_that_is_not_finite_helpers_tell(few: DataSet, worthwhile: list[int]) -> None:
    rng = np.random.default_rng(1)
    bare = Network(Dense(784, 30, rng=rng), ReLU(), Dense(30, 10, rng=rng))
    run = Run.start(bare, replace(PLAN, schedule=Constant(1e30), augment=None), 330, rng)
    with pytest.raises(DivergenceError, match=r"The loss is (nan|inf) at step \d of 8"):
        for _ in train(run, few.x_train[:330], few.y_train[:330], threads=2):
            pass
    assert worthwhile


@pytest.mark.parametrize("moment", ["before", "between"])
def test_shards_of_a_helper_that_was_killed_are_learned_here(few: DataSet, moment: str) -> None:
    here = task(few)
    expected = facts(here)
    with WorkerPool(2, here, 5) as helpers:
        wait_for(lambda: len(helpers.ready) == 2)
        if moment == "between":
            assert facts(helpers) == expected
        helpers.ready[0].kill()
        assert facts(helpers) == expected
        assert len(helpers.ready) == 1
        helpers.ready[0].kill()
        helpers.ready[0].wait()
        assert facts(helpers) == expected
        assert not helpers.ready


class Odd(Layer):
    """A layer of a module that a helper cannot import."""

    def forward(
        self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None, need_dx: bool = True
    ) -> tuple[Array, Backward]:
        return x, lambda dy: (dy, {})


@pytest.mark.parametrize("local", [False, True], ids=["unknown module", "cannot be pickled"])
def test_a_network_that_helpers_do_not_know_is_learned_here(
    few: DataSet, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], local: bool
) -> None:
    here = task(few)
    if local:
        here = here._replace(augment=lambda images, rng: images.reshape(len(images), -1).T / np.float32(255))
        with pytest.raises((AttributeError, pickle.PicklingError)):
            pickle.dumps(here)
    else:
        only_here = ModuleType("only_here")
        monkeypatch.setitem(sys.modules, "only_here", only_here)
        layer = type("Odd", (Odd,), {"__module__": "only_here"})
        monkeypatch.setattr(only_here, "Odd", layer, raising=False)
        here = here._replace(learner=Network(*here.learner.layers, layer()))
        assert pickle.loads(pickle.dumps(here)).augment == here.augment
    with WorkerPool(1, here, 5) as helpers:
        if not local:
            wait_for(lambda: helpers._processes[0].poll() is not None)
        time.sleep(0.2)
        assert not helpers.ready
        assert facts(helpers) == facts(here)
    assert capfd.readouterr() == ("", "")


def test_what_a_layer_prints_does_not_disturb(few: DataSet, capfd: pytest.CaptureFixture[str]) -> None:
    here = task(few)._replace(transfer=say)
    with WorkerPool(1, here, 5) as helpers:
        wait_for(lambda: helpers.ready)
        learned = helpers.learn(shards())
        assert len(helpers.ready) == 1
    said = capfd.readouterr()
    assert len(learned) == 5
    assert said.out.count("learning") == 2 * 2  # inputs and labels of the shards learned here
    assert said.err.count("learning") == 2 * 3


def say(array: Array) -> Array:
    print("learning", flush=True)
    return array


@pytest.mark.parametrize("executable", [None, "", "/no/such/python"])
def test_without_an_interpreter_to_start_all_is_learned_here(
    few: DataSet, monkeypatch: pytest.MonkeyPatch, executable: str | None
) -> None:
    monkeypatch.setattr(sys, "executable", executable)
    with WorkerPool(2, task(few), 5) as helpers:
        assert not helpers.ready
        assert facts(helpers) == facts(task(few))


def test_helpers_end_with_the_training(few: DataSet) -> None:
    with WorkerPool(2, task(few), 5) as helpers:
        wait_for(lambda: len(helpers.ready) == 2)
        processes = list(helpers.ready)
    assert all(process.poll() is not None for process in processes)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no sessions")
def test_ctrl_c_does_not_reach_helpers(few: DataSet) -> None:
    with WorkerPool(1, task(few), 5) as helpers:
        wait_for(lambda: helpers.ready)
        assert os.getsid(helpers.ready[0].pid) != os.getsid(0)


@pytest.mark.skipif(sys.platform == "win32", reason="kills by signals")
def test_helpers_end_with_the_process_that_started_them() -> None:
    code = """if True:
        import sys, time
        import numpy as np
        from digitscope.nn import Dense, Network, SoftmaxCrossEntropy
        from digitscope.training.parallel.shards import WorkerPool, Task
        task = Task(Network(Dense(4, 2)), SoftmaxCrossEntropy(), np.zeros((3, 4), np.uint8), np.zeros(3, int), None)
        with WorkerPool(1, task, 2) as helpers:
            while not helpers.ready:
                time.sleep(0.01)
            print(helpers.ready[0].pid, flush=True)
            time.sleep(600)
    """
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        helper = int(process.stdout.readline())
        os.kill(helper, 0)
        process.send_signal(signal.SIGKILL)

    def gone() -> bool:
        try:
            os.kill(helper, 0)
        except ProcessLookupError:
            return True
        return False

    wait_for(gone)


@pytest.mark.parametrize(
    ("recipe", "threads", "images", "expected"),
    [
        ("convnet", 1, 50_000, 0),
        ("convnet", 2, 50_000, 1),
        ("convnet", 3, 50_000, 2),
        ("convnet", 64, 50_000, 3),  # four shards a batch
        ("convnet", 2, 100, 0),  # too little to do
        ("lenet", 2, 50_000, 1),
        ("seed", 2, 41_000, 1),
        ("simard-mlp", 2, 50_000, 0),  # too many weights for its work
        ("mlp", 2, 50_000, 0),  # one shard a batch
    ],
)
def test_helpers_are_started_where_they_are_worth_it(recipe: str, threads: int, images: int, expected: int) -> None:
    rng = np.random.default_rng(0)
    built = RECIPES[recipe].build(rng, (28, 28), 10)
    zeros = np.zeros((images, 28, 28), np.uint8)
    assert loop._helpers(Run.start(built, RECIPES[recipe].plan, images, rng), zeros, threads) == expected
    # They share float32 only.
    assert loop._helpers(Run.start(built.astype(np.float64), RECIPES[recipe].plan, images, rng), zeros, threads) == 0
