"""A training: what was planned, and how far it has come."""

from copy import deepcopy
from dataclasses import dataclass, field

import numpy as np

from digitscope.nn import Loss, Network, Optimizer, Schedule
from digitscope.nn.optimizers import State
from digitscope.training.results import Step

HISTORY_COLUMNS = (
    "epoch",
    "step",
    "loss",
    "accuracy",
    "learning_rate",
    "gradient_norm",
    "seconds",
    "examples_per_second",
    "validation_loss",
    "validation_accuracy",
)


@dataclass(frozen=True)
class Plan:
    """What decides how a network learns from its images."""

    loss: Loss
    optimizer: Optimizer
    schedule: Schedule
    epochs: int
    batch_size: int | None
    """Images a step; None for all of them, which is what the word gradient descent meant at first."""
    shard_size: int | None = None
    """Images that one thread works on at a time; None for a whole batch. Part of the plan, because the sum over a
    batch's shards is rounded differently where they are cut differently."""

    def batches(self, images: int) -> int:
        """Steps an epoch; the last one may be of fewer images."""
        return -(-images // (self.batch_size or images))

    def shards(self, images: int) -> int:
        """Shards of a full batch."""
        batch = min(self.batch_size or images, images)
        return -(-batch // (self.shard_size or batch))


@dataclass
class Run:
    """A training under way: everything that changes, which is what a checkpoint holds."""

    network: Network
    plan: Plan
    optimizer_state: State
    order: np.random.Generator
    """Where the order of images comes from, as it was before the current epoch's order was drawn."""
    shard_rngs: list[np.random.Generator]
    """For each shard of a batch, where its dropout and the like come from; so it does not matter who works on it."""
    epoch: int = 0
    """Epochs completed."""
    batch: int = 0
    """Batches done in the current epoch."""
    seconds: float = 0.0
    """Time spent in training steps; evaluation, checkpoints and drawing are not counted."""
    history: dict[str, list[float | None]] = field(default_factory=lambda: {name: [] for name in HISTORY_COLUMNS})

    @classmethod
    def start(cls, network: Network, plan: Plan, images: int, rng: np.random.Generator) -> "Run":
        """A training of this many images, with all its randomness from `rng`."""
        order, *shard_rngs = rng.spawn(1 + plan.shards(images))
        return cls(network, plan, plan.optimizer.start(network.params), order, shard_rngs)

    def draw_order(self, images: int) -> tuple[np.random.Generator, np.ndarray[tuple[int], np.dtype[np.int64]]]:
        """The current epoch's order of images, and the generator as it is after drawing it.

        A full batch needs no shuffling: its sum is over all images.
        """
        if self.plan.batch_size is None:
            return self.order, np.arange(images)
        after = deepcopy(self.order)
        return after, after.permutation(images)

    def note(self, result: Step) -> None:
        """Adds a line to the history."""
        for name, column in self.history.items():
            column.append(getattr(result, name, None))
