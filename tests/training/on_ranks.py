"""A training whose bits are compared. Started by mpiexec, it is repeated by 1, 2, 3, ... of the ranks."""

import hashlib
from dataclasses import replace

import numpy as np

from digitscope.augmentation.augment import Augment
from digitscope.nn import (
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Ensemble,
    Flatten,
    MaxPool2D,
    Momentum,
    Network,
    OneCycle,
    ReLU,
    Reshape,
    SoftmaxCrossEntropy,
)
from digitscope.training import Epoch, ExponentialAverage, Plan, Run, Thresholds, train
from digitscope.training.parallel.ranks import Ranks, mpi_ranks

PLAN = Plan(
    loss=SoftmaxCrossEntropy(label_smoothing=0.1),
    optimizer=replace(Momentum(nesterov=True), clip_norm=1.0),
    schedule=OneCycle(0.1),
    epochs=2,
    batch_size=100,
    shard_size=24,  # five shards; the last batch, of 30 images, has two
    augment=Augment(rotation=10, shift=1),
    averaging=ExponentialAverage(0.9),
)


def member(seed: int) -> Network:
    rng = np.random.default_rng(seed)
    convolution = [Reshape(1, 12, 12), Conv2D(1, 4, 3, rng=rng), BatchNorm(4), ReLU(), MaxPool2D(2)]
    return Network(*convolution, Flatten(), Dropout(0.2), Dense(100, 10, rng=rng))


def digest(ranks: Ranks | None = None, threads: int = 1) -> str:
    """Of all that the training leaves and says, but for times."""
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (380, 12, 12), np.uint8), rng.integers(0, 10, 380)
    run = Run.start(Network(Ensemble(member(1), member(2))), PLAN, 330, rng)
    always = Thresholds(split_parameters=0, flops_per_byte=0, flops_per_worker=0)
    validation = images[130:], labels[130:]  # three chunks
    results = train(
        *(run, images[:330], labels[:330]),
        validation=validation,
        watch=[3, 4],
        threads=threads,
        thresholds=always,
        ranks=ranks,
    )
    found = hashlib.sha256()
    for result in results:
        found.update(
            repr(replace(result, seconds=0, outputs=None) if isinstance(result, Epoch) else result.loss).encode()
        )
        found.update(repr([generator.bit_generator.state for generator in run.shard_rngs]).encode())
    for array in (*run.network.params.values(), *run.network.statistics.values(), run.snapshots[-1].probabilities):
        found.update(array.tobytes())
    return found.hexdigest()


def main() -> None:
    world = mpi_ranks()
    assert world is not None
    for size in range(1, world.size + 1):
        communicator = world.communicator.Split(world.rank < size)
        if world.rank < size:
            print(size, digest(Ranks(communicator), threads=1 + (world.rank == 0)), flush=True)


if __name__ == "__main__":
    main()
