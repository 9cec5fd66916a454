"""Worker processes that compute the gradients of shards, and what happens when they cannot."""

import math
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from digitscope.arrays import Array
from digitscope.augmentation.augment import Augment
from digitscope.blas_threads import blas_threads
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
    to_batch,
)
from digitscope.recipes import RECIPES
from digitscope.training import Plan, Run, Step, Thresholds, train
from digitscope.training.parallel.shards import Shard, Task, shard_gradient
from digitscope.training.parallel.step import ParallelStep
from digitscope.training.parallel.threads import ThreadMap
from digitscope.training.parallel.workers import WorkerPool, worker_count

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


def facts(by: WorkerPool | Task, count: int = 5) -> list[tuple[object, ...]]:
    """The results of the first shards, and the random states that they leave."""
    these = shards()[:count]
    with blas_threads(1):  # as in a training: with more threads some kernels round differently
        results = by.gradients(these) if isinstance(by, WorkerPool) else [shard_gradient(by, shard) for shard in these]
    return [
        (one.loss, one.right, shard.rng.bit_generator.state, {name: g.tobytes() for name, g in one.grads.items()})
        for one, shard in zip(results, these, strict=True)
    ]


def wait_for(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "waited for a minute"
        time.sleep(0.01)


@pytest.mark.parametrize("count", [1, 6])  # 6: more than shards
def test_workers_give_the_same_bits(few: DataSet, count: int) -> None:
    here = task(few)
    with WorkerPool(count, here, 5) as pool:
        wait_for(lambda: len(pool.ready) == count)
        for _ in range(3):
            assert facts(pool) == facts(here)
            for p in here.network.params.values():
                p *= 1.1  # as a step does
        assert facts(pool, 2) == facts(here, 2)
        assert len(pool.ready) == count


def epoch(few: DataSet, workers: int, plan: Plan = PLAN, built: Network | None = None) -> tuple[object, ...]:
    """Four steps over 330 images, which neither batches nor shards divide: losses, random states, weights."""
    images, labels = few.x_train[:330], few.y_train[:330]
    run = Run.start(built or network(), plan, 330, np.random.default_rng(1))
    these = Task(run.learner, plan.loss, images, labels, plan.augment)
    with blas_threads(1), ThreadMap(1) as threads, WorkerPool(workers, these, plan.shards(330)) as pool:
        wait_for(lambda: len(pool.ready) == workers)
        take_step = ParallelStep(run, these, threads, pool)
        rates = [plan.schedule(step, 4) for step in range(4)]
        losses = [
            take_step(np.arange(100 * step, min(100 * (step + 1), 330)), size, step, 4, rate, is_reported=True).loss
            for step, (size, rate) in enumerate(zip((100, 100, 100, 30), rates, strict=True))
        ]
        assert len(pool.ready) == workers
    states = [rng.bit_generator.state for rng in run.shard_rngs]
    return losses, states, {name: p.tobytes() for name, p in run.network.params.items()}


def test_steps_with_workers_give_the_same_bits(few: DataSet) -> None:
    assert epoch(few, 0) == epoch(few, 1) == epoch(few, 3)


def test_a_loss_that_is_not_finite_in_a_worker_is_an_error(few: DataSet) -> None:
    rng = np.random.default_rng(1)
    bare = Network(Dense(784, 30, rng=rng), ReLU(), Dense(30, 10, rng=rng))
    with pytest.raises(DivergenceError, match=r"The loss is (nan|inf) at step \d of 4"):
        epoch(few, 1, replace(PLAN, schedule=Constant(1e30), augment=None), bare)


@dataclass(frozen=True)
class NoteProcess:
    """An augmentation that changes nothing and records the process in which it runs."""

    folder: Path

    def __call__(self, images: Array, rng: np.random.Generator) -> Array:
        (self.folder / str(os.getpid())).touch()
        return to_batch(images)


def test_a_training_uses_workers_if_they_make_it_faster(few: DataSet, tmp_path: Path) -> None:
    plan = replace(PLAN, epochs=10_000, augment=NoteProcess(tmp_path))
    images, labels = few.x_train[:330], few.y_train[:330]

    def run_until(condition: Callable[[int], bool], thresholds: Thresholds) -> tuple[int, dict[str, bytes]]:
        run = Run.start(network(), plan, 330, np.random.default_rng(1))
        end = time.monotonic() + 60
        step = 0
        for result in train(run, images, labels, threads=2, thresholds=thresholds):
            assert time.monotonic() < end, "waited for a minute"
            step = result.step if isinstance(result, Step) else step
            if condition(step):
                break
        return step, {name: p.tobytes() for name, p in run.network.params.items()}

    always = Thresholds(flops_per_byte=0, flops_per_worker=0)
    never = Thresholds(flops_per_byte=math.inf)
    steps, with_worker = run_until(lambda step: len(list(tmp_path.iterdir())) == 2, always)
    assert str(os.getpid()) in {path.name for path in tmp_path.iterdir()}
    assert run_until(lambda step: step == steps, never) == (steps, with_worker)
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("moment", ["before", "between"])
def test_shards_of_a_killed_worker_are_computed_by_the_caller(few: DataSet, moment: str) -> None:
    here = task(few)
    expected = facts(here)
    with WorkerPool(2, here, 5) as pool:
        wait_for(lambda: len(pool.ready) == 2)
        if moment == "between":
            assert facts(pool) == expected
        pool.ready[0].kill()
        assert facts(pool) == expected
        assert len(pool.ready) == 1
        pool.ready[0].kill()
        pool.ready[0].wait()
        assert facts(pool) == expected
        assert not pool.ready


class Odd(Layer):
    """A layer of a module that a worker cannot import."""

    def forward(
        self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None, need_dx: bool = True
    ) -> tuple[Array, Backward]:
        return x, lambda dy: (dy, {})


@pytest.mark.parametrize("local", [False, True], ids=["unknown module", "cannot be pickled"])
def test_a_network_unknown_to_workers_is_computed_by_the_caller(
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
        here = here._replace(network=Network(*here.network.layers, layer()))
        assert pickle.loads(pickle.dumps(here)).augment == here.augment
    with WorkerPool(1, here, 5) as pool:
        if not local:
            wait_for(lambda: pool.processes[0].poll() is not None)
        time.sleep(0.2)
        assert not pool.ready
        assert facts(pool) == facts(here)
    assert capfd.readouterr() == ("", "")


def test_what_a_layer_prints_does_not_disturb(few: DataSet, capfd: pytest.CaptureFixture[str]) -> None:
    here = task(few)._replace(transfer=say)
    with WorkerPool(1, here, 5) as pool:
        wait_for(lambda: pool.ready)
        results = pool.gradients(shards())
        assert len(pool.ready) == 1
    said = capfd.readouterr()
    assert len(results) == 5
    assert said.out.count("learning") == 2 * 2  # inputs and labels of the shards computed here
    assert said.err.count("learning") == 2 * 3


def say(array: Array) -> Array:
    print("learning", flush=True)
    return array


@pytest.mark.parametrize("executable", [None, "", "/no/such/python"])
def test_without_an_interpreter_the_caller_computes_all_shards(
    few: DataSet, monkeypatch: pytest.MonkeyPatch, executable: str | None
) -> None:
    monkeypatch.setattr(sys, "executable", executable)
    with WorkerPool(2, task(few), 5) as pool:
        assert not pool.ready
        assert facts(pool) == facts(task(few))


def test_workers_end_with_the_training(few: DataSet) -> None:
    with WorkerPool(2, task(few), 5) as pool:
        wait_for(lambda: len(pool.ready) == 2)
        processes = list(pool.ready)
    assert all(process.poll() is not None for process in processes)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no sessions")
def test_ctrl_c_does_not_reach_workers(few: DataSet) -> None:
    with WorkerPool(1, task(few), 5) as pool:
        wait_for(lambda: pool.ready)
        assert os.getsid(pool.ready[0].pid) != os.getsid(0)


SCRIPT = """
import sys, time
import numpy as np
from digitscope.nn import Dense, Network, SoftmaxCrossEntropy
from digitscope.training.parallel.shards import Task
from digitscope.training.parallel.workers import WorkerPool
print("the script runs", flush=True)
task = Task(Network(Dense(4, 2)), SoftmaxCrossEntropy(), np.zeros((3, 4), np.uint8), np.zeros(3, int), None)
with WorkerPool(1, task, 2) as pool:
    while not pool.ready:
        time.sleep(0.01)
    print(pool.ready[0].pid, flush=True)
    sys.stdin.readline()
"""


def exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.skipif(sys.platform == "win32", reason="kills by signals")
def test_workers_end_with_the_process_that_started_them_and_leave_no_shared_memory(tmp_path: Path) -> None:
    script = tmp_path / "script.py"  # without `if __name__ == "__main__":`
    script.write_text(SCRIPT)
    command = [sys.executable, str(script)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "the script runs\n"
        worker = int(process.stdout.readline())  # and not a second time "the script runs", from the worker
        assert exists(worker)
        if sys.platform == "linux":
            for pid in (process.pid, worker):
                maps = Path(f"/proc/{pid}/maps").read_text().splitlines()
                (shared,) = {line.split(maxsplit=5)[5] for line in maps if line.split()[1] == "rw-s"}
                assert shared.endswith("(deleted)"), "the memory has a name, which would outlive the processes"
        process.send_signal(signal.SIGKILL)
    wait_for(lambda: not exists(worker))


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
def test_workers_are_started_if_they_make_it_faster(recipe: str, threads: int, images: int, expected: int) -> None:
    plan = RECIPES[recipe].plan
    built = RECIPES[recipe].build(np.random.default_rng(0), (28, 28), 10)

    def count(one: Network, thresholds: Thresholds) -> int:
        return worker_count(
            one,
            784,
            shards=plan.shards(images),
            shard_size=plan.shard_size or images,
            images=plan.epochs * images,
            threads=threads,
            thresholds=thresholds,
        )

    assert count(built, Thresholds()) == expected
    # The shared buffers are float32.
    assert count(built.astype(np.float64), Thresholds()) == 0
    assert count(built, Thresholds(flops_per_byte=math.inf)) == 0
