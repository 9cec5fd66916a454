"""A training: what was planned, and how far it has come."""

from copy import deepcopy
from dataclasses import dataclass, field

import numpy as np

from digitscope.arrays import Array
from digitscope.nn import Ensemble, Loss, Network, Optimizer, Params, Schedule, ShiftAverage, to_batch
from digitscope.nn.optimizers import State
from digitscope.training.averaging import Averaging
from digitscope.training.parallel.blas import blas_threads
from digitscope.training.parallel.device import Transfer, to_device
from digitscope.training.parallel.shards import Augmentation
from digitscope.training.results import Step

CHUNK = 100
MEASURED = 2000
"""Images that statistics are measured on."""

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
    """Of each member, where the network is an ensemble."""
    batch_size: int | None
    """Images a step; None for all of them, which is what the word gradient descent meant at first."""
    shard_size: int | None = None
    """Images that one thread works on at a time; None for a whole batch. Part of the plan, because the sum over a
    batch's shards is rounded differently where they are cut differently."""
    augment: Augmentation | None = None
    """What is done to images before the network learns from them."""
    averaging: Averaging | None = None
    """The average of the weights that is the outcome; None for the last weights."""
    shifts: tuple[tuple[int, int], ...] = ()
    """Pixels down and right by which an image is moved for each look at it; none for one look at it as it is."""

    def batches(self, images: int) -> int:
        """Steps an epoch; the last one may be of fewer images."""
        return -(-images // (self.batch_size or images))

    def shards(self, images: int) -> int:
        """Shards of a full batch."""
        batch = min(self.batch_size or images, images)
        return -(-batch // (self.shard_size or batch))


@dataclass
class Run:
    """A training under way: everything that changes, which is what a checkpoint holds.

    An ensemble's members learn one after the other, each by the whole plan.
    """

    network: Network
    plan: Plan
    optimizer_state: State
    order: np.random.Generator
    """Where the order of images comes from, as it was before the current epoch's order was drawn."""
    shard_rngs: list[np.random.Generator]
    """For each shard of a batch, where its dropout and the like come from; so it does not matter who works on it."""
    average: Params
    """The average of the learner's weights so far; empty where the plan has none."""
    member: int = 0
    """Which member of an ensemble learns, from 0."""
    epoch: int = 0
    """Epochs completed, by all members together."""
    batch: int = 0
    """Batches done in the current epoch."""
    seconds: float = 0.0
    """Time spent in training steps; evaluation, checkpoints and drawing are not counted."""
    history: dict[str, list[float | None]] = field(default_factory=lambda: {name: [] for name in HISTORY_COLUMNS})

    @classmethod
    def start(cls, network: Network, plan: Plan, images: int, rng: np.random.Generator) -> "Run":
        """A training of this many images, with all its randomness from `rng`."""
        order, *shard_rngs = rng.spawn(1 + plan.shards(images))
        run = cls(network, plan, {}, order, shard_rngs, {})
        run.start_learner()
        return run

    @property
    def learners(self) -> list[Network]:
        """The members of an ensemble, or the network itself."""
        return [member for member in self.network.members if isinstance(member, Network)] or [self.network]

    @property
    def learner(self) -> Network:
        """Which of them learns."""
        return self.learners[self.member]

    @property
    def epochs(self) -> int:
        """Passes over the images in all."""
        return self.plan.epochs * len(self.learners)

    def start_learner(self) -> None:
        """The optimizer's state and the average before the learner's first step."""
        params = self.learner.params
        self.optimizer_state = self.plan.optimizer.start(params)
        self.average = {name: p.copy() for name, p in params.items()} if self.plan.averaging else {}

    def next_learner(self) -> None:
        """Leaves the learner with the average of its weights, and goes on to the next."""
        if self.average:
            self.learner.params = self.average
        self.member += 1
        self.start_learner()

    def move(self, transfer: Transfer) -> None:
        """Brings everything that steps work on to another device."""
        self.network = self.network.map_arrays(transfer)
        for state in (*self.optimizer_state.values(), self.average):
            state.update({name: transfer(array) for name, array in state.items()})

    def draw_order(self, images: int) -> tuple[np.random.Generator, np.ndarray[tuple[int], np.dtype[np.int64]]]:
        """The current epoch's order of images, and the generator as it is after drawing it.

        A full batch needs no shuffling: its sum is over all images.
        """
        if self.plan.batch_size is None:
            return self.order, np.arange(images)
        after = deepcopy(self.order)
        return after, after.permutation(images)

    def outcome(self, images: Array) -> Network:
        """The network as it is to be used: with the average of the weights where the plan has one, and statistics
        measured on images that it learns from; of an ensemble, the members that have learned. Depends on nothing
        else, and leaves the run as it is.

        Its arrays may be the run's own: it is for use before the next step.
        """
        to_cpu = to_device("cpu")
        learners = self.learners
        trained = [learner.map_arrays(to_cpu) for learner in learners[: self.member + 1]]
        if self.average:
            trained[-1] = trained[-1].map_arrays(np.copy)
            trained[-1].params = {name: to_cpu(mean) for name, mean in self.average.items()}
        network = trained[0] if len(learners) == 1 else Network(Ensemble(*trained))
        network = measure_statistics(network, images)
        if self.plan.shifts:
            _, height, width = images.shape
            network = Network(ShiftAverage(network, height, width, self.plan.shifts))
        return network

    def note(self, result: Step) -> None:
        """Adds a line to the history."""
        for name, column in self.history.items():
            column.append(getattr(result, name, None))


def measure_statistics(network: Network, images: Array) -> Network:
    """The network with statistics measured on up to MEASURED of the images, spread evenly; itself where it has none.

    Shapes: images uint8 (N, H, W) or (N, D)
    """
    if not network.statistics:
        return network
    chosen = images[:: -(-len(images) // MEASURED)]
    with blas_threads(1):  # so that the statistics are the same on any machine, as the weights are
        return network.measure_statistics([to_batch(chosen[i : i + CHUNK]) for i in range(0, len(chosen), CHUNK)])[1]
