"""The number of BLAS threads: more than one only if the bits stay the same and it saves time."""

import math

import numpy as np
import pytest
import threadpoolctl

from digitscope.arrays import Array
from digitscope.blas_threads import blas_threads
from digitscope.datasets import DataSet
from digitscope.nn import Backward, GradientDescent, Layer, Network, Params, SoftmaxCrossEntropy
from digitscope.nn.optimizers import State
from digitscope.training import Thresholds
from digitscope.training.parallel.blas import choose_blas_threads
from digitscope.training.parallel.shards import Task


def limits() -> list[int]:
    """The numbers of threads of NumPy's BLAS. SciPy, if another test has loaded it, has a BLAS of its own."""
    libraries = [library for library in threadpoolctl.threadpool_info() if library["user_api"] == "blas"]
    numpys = [library for library in libraries if "numpy" in library["filepath"]]
    return [library["num_threads"] for library in numpys or libraries]


class Scale(Layer):
    """y = w x, without a matrix product: its bits cannot depend on BLAS. `seen` has BLAS's threads at each pass."""

    def __init__(self, *, odd: bool = False) -> None:
        super().__init__()
        self.params = {"weight": np.ones((784, 1), np.float32)}
        self.odd = odd
        self.seen: list[int] = []

    def forward(
        self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None, need_dx: bool = True
    ) -> tuple[Array, Backward]:
        (threads,) = set(limits())
        self.seen.append(threads)
        bias = np.float32(1e-3 * threads if self.odd else 0)
        w = self.params["weight"]
        return w * x, lambda dy: (w * dy, {"weight": (x * dy).sum(axis=1, keepdims=True) + bias})


class Stubborn(GradientDescent):
    """Takes steps at any learning rate, even 0, and counts them."""

    def update(self, params: Params, grads: Params, state: State, learning_rate: float, step: int) -> None:
        COUNTED.append(step)
        super().update(params, grads, state, 0.01, step)


COUNTED: list[int] = []


def choose(few: DataSet, layer: Scale, thresholds: Thresholds, batch: int = 100) -> tuple[int, int]:
    """The chosen number of threads, and the number of steps that the choice took."""
    COUNTED.clear()
    task = Task(Network(layer), SoftmaxCrossEntropy(), few.x_train[:300], few.y_train[:300], None)
    return choose_blas_threads(task, Stubborn(), batch, 2, thresholds), len(COUNTED)


@pytest.mark.parametrize("limit", [1, 2])
def test_the_limit_holds_within_its_context(limit: int) -> None:
    before = limits()
    with blas_threads(limit):
        assert set(limits()) == {limit}
    assert limits() == before


def test_contexts_of_several_threads_end_in_any_order() -> None:
    """As in two fits of one program: the first to start must not leave the other with more threads, nor for good."""
    before = limits()
    first, second = blas_threads(2), blas_threads(1)
    first.__enter__()
    second.__enter__()
    assert set(limits()) == {1}
    first.__exit__(None, None, None)
    assert set(limits()) == {1}
    second.__exit__(None, None, None)
    assert limits() == before
    first, second = blas_threads(1), blas_threads(2)
    first.__enter__()
    second.__enter__()
    assert set(limits()) == {1}
    first.__exit__(None, None, None)
    assert set(limits()) == {2}
    second.__exit__(None, None, None)
    assert limits() == before


@pytest.mark.parametrize(("ratio", "expected"), [(math.inf, 2), (0.0, 1)])
def test_threads_are_chosen_by_the_time_that_they_save(few: DataSet, ratio: float, expected: int) -> None:
    layer = Scale()
    assert choose(few, layer, Thresholds(blas_time_ratio=ratio, blas_trials=2))[0] == expected
    assert set(layer.seen) == {1, 2}


def test_threads_that_change_bits_are_not_chosen(few: DataSet) -> None:
    assert choose(few, Scale(odd=True), Thresholds(blas_time_ratio=math.inf)) == (1, 0)


def test_trials_do_not_change_the_weights(few: DataSet) -> None:
    layer = Scale()
    choose(few, layer, Thresholds(blas_trials=3))
    assert COUNTED
    assert (layer.params["weight"] == 1).all()


def test_trials_are_few_and_their_time_is_limited(few: DataSet) -> None:
    pair = 4  # one thread and two, each twice
    assert choose(few, Scale(), Thresholds(blas_trials=5, blas_trial_seconds=math.inf))[1] == 5 * pair
    assert choose(few, Scale(), Thresholds(blas_trials=5, blas_trial_seconds=0))[1] == pair


def test_the_bits_of_a_shorter_last_batch_are_compared_too(few: DataSet) -> None:
    class OddWhenShort(Scale):
        def forward(
            self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None, need_dx: bool = True
        ) -> tuple[Array, Backward]:
            self.odd = x.shape[1] < 100
            return super().forward(x, training=training, rng=rng)

    always = Thresholds(blas_time_ratio=math.inf, blas_trials=1)
    assert choose(few, OddWhenShort(), always, batch=100)[0] == 2  # 300 images: no shorter batch
    assert choose(few, OddWhenShort(), always, batch=110)[0] == 1  # 80 images in the last batch
