"""The training step by its definition, and the same step in shards, by threads and worker processes."""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest

from digitscope.augmentation.augment import Augment
from digitscope.blas_threads import blas_threads
from digitscope.datasets import DataSet
from digitscope.nn import (
    Adam,
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GradientDescent,
    Momentum,
    Network,
    OneCycle,
    Optimizer,
    ReLU,
    Reshape,
    SoftmaxCrossEntropy,
    to_batch,
)
from digitscope.training import Plan, Run, Step, train, train_step
from digitscope.training.parallel.shards import Shard, Task, add_pairwise, cut_batch, shard_gradient

IMAGES = 230
PLAN = Plan(
    loss=SoftmaxCrossEntropy(label_smoothing=0.1),
    optimizer=Momentum(nesterov=True, weight_decay=1e-3, clip_norm=1.0),
    schedule=OneCycle(0.1),
    epochs=2,
    batch_size=100,
)
OPTIMIZERS = [PLAN.optimizer, Adam(), GradientDescent(clip_norm=0.1)]


def start(plan: Plan) -> Run:
    rng = np.random.default_rng(7)
    convolution = [Reshape(1, 28, 28), Conv2D(1, 4, 5, stride=2, rng=rng), BatchNorm(4), ReLU()]
    network = Network(*convolution, Flatten(), Dropout(0.2), Dense(576, 10, rng=rng))
    return Run.start(network, plan, IMAGES, rng)


def test_a_step_computed_by_hand() -> None:
    network = Network(Dense(2, 2))
    network.params = {"0.weight": np.zeros((2, 2)), "0.bias": np.zeros((2, 1))}
    images = np.array([[255, 0], [0, 255]], np.uint8)
    labels = np.array([0, 1])
    loss = train_step(network, SoftmaxCrossEntropy(), GradientDescent(), {}, images, labels, learning_rate=1.0)
    # All probabilities are 1/2, so dz is -1/2 for the label and 1/2 for the other class, over 2 images.
    assert loss == pytest.approx(np.log(2))
    np.testing.assert_allclose(network.params["0.weight"], [[0.25, -0.25], [-0.25, 0.25]])
    np.testing.assert_allclose(network.params["0.bias"], 0, atol=1e-7)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_a_training_agrees_with_the_defined_step(few: DataSet, optimizer: Optimizer) -> None:
    plan = replace(PLAN, optimizer=optimizer)
    images, labels = few.x_train[:IMAGES], few.y_train[:IMAGES]
    run = start(plan)
    network, order, (rng,) = deepcopy((run.network, run.order, run.shard_rngs))
    losses = [result.loss for result in train(run, images, labels) if isinstance(result, Step)]
    state = optimizer.start(network.params)
    by_definition = []
    with blas_threads(1):
        for epoch in range(plan.epochs):
            shuffled = order.permutation(IMAGES)
            for batch in range(3):
                rows, step = shuffled[100 * batch : 100 * (batch + 1)], 3 * epoch + batch
                by_definition.append(
                    train_step(
                        *(network, plan.loss, optimizer, state, images[rows], labels[rows]),
                        learning_rate=plan.schedule(step, 6),
                        step=step,
                        rng=rng,
                    )
                )
    assert losses == pytest.approx(by_definition, rel=1e-12)  # times and divided by the batch's size
    for name, p in network.params.items():
        assert run.network.params[name].tobytes() == p.tobytes()
    for slot, arrays in state.items():
        for name, array in arrays.items():
            assert run.optimizer_state[slot][name].tobytes() == array.tobytes()


@pytest.mark.parametrize("threads", [1, 3])
def test_shards_are_summed_in_a_fixed_order(few: DataSet, threads: int) -> None:
    plan = replace(PLAN, batch_size=None, shard_size=50, epochs=1, augment=Augment(shift=1))
    images, labels = few.x_train[:IMAGES], few.y_train[:IMAGES]
    run = start(plan)
    network, rngs = deepcopy((run.network, run.shard_rngs))
    task = Task(network, plan.loss, images, labels, plan.augment)
    with blas_threads(1):
        shards = [
            shard_gradient(task, Shard(slice(first, last), (last - first) / IMAGES, rng))
            for (first, last), rng in zip([(0, 50), (50, 100), (100, 150), (150, 200), (200, 230)], rngs, strict=True)
        ]
    g = [shard.grads for shard in shards]
    total = {name: ((g[0][name] + g[1][name]) + (g[2][name] + g[3][name])) + g[4][name] for name in g[0]}
    norm = np.sqrt(sum(float((array.astype(np.float64) ** 2).sum()) for array in total.values()))
    assert norm > 1  # so that it is clipped
    (step, _) = train(run, images, labels, threads=threads)
    assert isinstance(step, Step)
    assert step.loss == sum(shard.loss for shard in shards)
    assert step.accuracy == sum(shard.right for shard in shards) / IMAGES
    assert step.gradient_norm == pytest.approx(norm)
    clipped = {name: array * (1 / step.gradient_norm) for name, array in total.items()}
    plan.optimizer.update(network.params, clipped, plan.optimizer.start(network.params), plan.schedule(0, 1), 0)
    for name, p in network.params.items():
        assert run.network.params[name].tobytes() == p.tobytes()


def test_the_shards_of_a_batch_add_up_to_its_gradient(few: DataSet) -> None:
    rng = np.random.default_rng(1)
    network = Network(Dense(784, 20, rng=rng), ReLU(), Dense(20, 10, rng=rng)).astype(np.float64)
    images, labels, loss = few.x_train[:130], few.y_train[:130], SoftmaxCrossEntropy()
    outputs, backward = network.forward(to_batch(images))
    value, loss_backward = loss.forward(outputs, labels)
    grads = backward(loss_backward(1.0))[1]
    task = Task(network, loss, images, labels, None)
    cuts = cut_batch(130, 32)
    shards = [shard_gradient(task, Shard(cut, (cut.stop - cut.start) / 130, rng)) for cut in cuts]
    assert [cut.stop - cut.start for cut in cuts] == [32, 32, 32, 32, 2]
    assert sum(shard.loss for shard in shards) == pytest.approx(value)
    for name, g in grads.items():
        np.testing.assert_allclose(sum(shard.grads[name] for shard in shards), g, atol=1e-7)


@pytest.mark.parametrize("count", range(1, 9))
def test_the_sum_over_shards_is_a_tree(count: int) -> None:
    def tree(arrays: list[float]) -> float:
        pairs = [arrays[i : i + 2] for i in range(0, len(arrays), 2)]
        return arrays[0] if len(arrays) == 1 else tree([sum(pair[1:], pair[0]) for pair in pairs])

    numbers = np.random.default_rng(count).normal(size=count)
    arrays = [np.array([number]) for number in numbers]
    add_pairwise(arrays)
    assert arrays[0][0] == tree(numbers.tolist())


def test_a_batch_without_a_shard_size_is_one_shard() -> None:
    assert cut_batch(130, None) == [slice(0, 130)]
    assert cut_batch(100, 32) == [slice(0, 32), slice(32, 64), slice(64, 96), slice(96, 100)]
