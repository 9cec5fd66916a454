"""A training: what was planned, and how far it has come."""

from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from digitscope.arguments import check_function, check_kind, check_number, check_pairs, check_whole
from digitscope.arrays import Array, Features, as_images
from digitscope.blas_threads import blas_threads
from digitscope.errors import TrainingError
from digitscope.nn import Ensemble, Loss, MeanSquaredError, Network, Optimizer, Params, Schedule, ShiftAverage, to_batch
from digitscope.nn.optimizers import State
from digitscope.training.averaging import Averaging
from digitscope.training.inference import CHUNK
from digitscope.training.parallel.device import Transfer, to_device_of
from digitscope.training.parallel.shards import Augmentation
from digitscope.training.results import Step
from digitscope.training.settings import (
    augmentation_by_name,
    loss_by_name,
    optimizer_by_name,
    rate_for,
    schedule_by_name,
    with_label_smoothing,
)
from digitscope.training.snapshots import Snapshot

STATISTICS_IMAGES = 2000
"""Number of images that statistics of batch normalization are measured on."""

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


VALIDATION_COLUMNS = "validation_loss", "validation_accuracy"
"""Those that have a number only at the ends of epochs, and only if there are validation images."""
REPORTS = 100
"""Approximate number of step results per epoch."""


def is_reported(batch: int, batches: int) -> bool:
    """Whether there is a result of so many batches of an epoch: about REPORTS times, and at the end."""
    return batch % max(1, batches // REPORTS) == 0 or batch == batches


def reported_steps(epoch: int, batch: int, batches: int) -> list[int]:
    """The steps of which there are results after so many epochs and batches, from 1."""
    reported = [number for number in range(1, batches + 1) if is_reported(number, batches)]
    done = epoch * batches + batch
    return [step for e in range(epoch + 1) for number in reported if (step := e * batches + number) <= done]


@dataclass(frozen=True)
class Plan:
    """Everything that decides how a network learns from its images.

    Raises: TrainingError for a field of another kind or range.
    """

    loss: Loss
    optimizer: Optimizer
    schedule: Schedule
    epochs: int
    """Passes over the images; if the network is an ensemble, by each member."""
    batch_size: int | None
    """Images per step; None for all of them, which is gradient descent in the original sense."""
    shard_size: int | None = None
    """Images per shard, which one thread works on at a time; None for a whole batch. It is part of the plan because
    the sum over the shards of a batch is rounded differently if they are cut differently."""
    augment: Augmentation | None = None
    """Augments the images that the network learns from; None for images as they are."""
    averaging: Averaging | None = None
    """The average of the weights that is the outcome; None for the last weights."""
    shifts: tuple[tuple[int, int], ...] = ()
    """Test-time augmentation: the shifts, pixels down and right, over which `Run.outcome` averages its predictions;
    empty for the image as it is. They are not part of the network that learns."""

    def __post_init__(self) -> None:
        error = TrainingError
        for name, kind in (("loss", Loss), ("optimizer", Optimizer), ("schedule", Schedule)):
            check_kind(f"Plan's {name}", getattr(self, name), f"a digitscope.nn.{kind.__name__}", kind, error=error)
        check_whole("Plan's epochs", self.epochs, 1, error=error)
        check_whole("Plan's batch_size", self.batch_size, 1, optional=True, error=error)
        check_whole("Plan's shard_size", self.shard_size, 1, optional=True, error=error)
        rate = self.schedule.learning_rate
        check_number("The schedule's learning rate", rate, error=error)
        if rate <= 0:
            raise TrainingError(f"The schedule's learning rate is expected to be positive; got {rate}.")
        if (shrinking := rate * self.optimizer.weight_decay) >= 1:
            raise TrainingError(
                "The learning rate times the weight decay is expected to be below 1, since each step shrinks the "
                f"weights by this fraction; got {shrinking:.3g}. Lower one of the two."
            )
        check_function("Plan's augment", self.augment, "a function (images, rng)", optional=True, error=error)
        if self.averaging is not None:
            check_kind("Plan's averaging", self.averaging, "an Averaging or None", Averaging, error=error)
        check_pairs("Plan's shifts", self.shifts, error=error)

    def with_settings(
        self,
        *,
        epochs: int | None = None,
        learning_rate: float | None = None,
        batch_size: int | None = None,
        loss: Loss | str | None = None,
        label_smoothing: float | None = None,
        optimizer: Optimizer | str | None = None,
        weight_decay: float | None = None,
        schedule: Schedule | str | None = None,
        augment: Augmentation | str | None = None,
    ) -> "Plan":
        """The same plan with these settings; None keeps the plan's own. `training.settings` has the names.

        learning_rate is the highest of the schedule. A different optimizer gets the rate from `rate_for`, unless
        learning_rate or a schedule with its own rate is given.

        Raises: TrainingError or DataError for unknown names and for values of another kind or range.
        """
        plan = replace(
            self,
            epochs=self.epochs if epochs is None else epochs,
            batch_size=self.batch_size if batch_size is None else batch_size,
            loss=self.loss if loss is None else loss_by_name(loss, self.loss),
            optimizer=self.optimizer if optimizer is None else optimizer_by_name(optimizer),
            schedule=self.schedule if schedule is None else schedule_by_name(schedule, self.schedule),
            augment=self.augment if augment is None else augmentation_by_name(augment),
        )
        if label_smoothing is not None:
            plan = replace(plan, loss=with_label_smoothing(plan.loss, label_smoothing))
        if learning_rate is None and (schedule is None or isinstance(schedule, str)):
            learning_rate = rate_for(plan.optimizer, self.optimizer, plan.schedule.learning_rate)
        if learning_rate is not None:
            plan = replace(plan, schedule=plan.schedule.with_learning_rate(learning_rate))
        if weight_decay is None:
            return plan
        return replace(plan, optimizer=replace(plan.optimizer, weight_decay=weight_decay))

    def batches(self, images: int) -> int:
        """Steps per epoch; the last one may have fewer images."""
        return -(-images // (self.batch_size or images))

    def shards(self, images: int) -> int:
        """Shards of a full batch."""
        batch = min(self.batch_size or images, images)
        return -(-batch // (self.shard_size or batch))


@dataclass
class Run:
    """A training under way: everything that changes, which is what a checkpoint holds.

    An ensemble's members learn one after the other, each by the whole plan.

    While a training is under way, `network` has the weights of the last step, and statistics of batch normalization
    that were never measured; `outcome` gives the network as it is to be used. When `train` has come to its end,
    `network` is that network itself, but for test-time shifts.
    """

    network: Network
    plan: Plan
    images: int
    """Number of images that it learns from."""
    optimizer_state: State
    order: np.random.Generator
    """Random generator of the order of images, as it was before the current epoch's order was drawn."""
    shard_rngs: list[np.random.Generator]
    """Random generator of each shard of a batch, for dropout and augmentation; advanced by each use."""
    average: Params
    """The average of the learner's weights so far; empty if the plan has none."""
    steps_before: int = 0
    """Steps of earlier runs that the optimizer's state comes from, which Adam's corrections count."""
    member: int = 0
    """Number of the ensemble member that learns, from 0."""
    epoch: int = 0
    """Epochs completed, by all members together."""
    batch: int = 0
    """Batches done in the current epoch."""
    unreported: tuple[float, int, int] = (0.0, 0, 0)
    """Of the images since the last `Step`: the sum of their losses, the number read correctly, and their number."""
    seconds: float = 0.0
    """Time spent in training steps; evaluation, checkpoints and drawing are not counted."""
    history: dict[str, list[float | None]] = field(default_factory=lambda: {name: [] for name in HISTORY_COLUMNS})
    snapshots: list[Snapshot] = field(default_factory=list)
    """One from before the first step and up to SNAPSHOTS more, if `train` watches any images; else none."""

    @classmethod
    def start(cls, network: Network, plan: Plan, images: int, rng: np.random.Generator) -> "Run":
        """A training on this many images, with all its randomness from `rng`.

        Raises: TrainingError for arguments of another kind.
        """
        check_kind("Run.start's network", network, "a Network", Network, error=TrainingError)
        check_kind("Run.start's plan", plan, "a Plan", Plan, error=TrainingError)
        check_kind("Run.start's rng", rng, "a numpy.random.Generator", np.random.Generator, error=TrainingError)
        check_whole("Run.start's number of images, len(images),", images, 1, error=TrainingError)
        order, *shard_rngs = rng.spawn(1 + plan.shards(images))
        run = cls(network, plan, images, {}, order, shard_rngs, {})
        if isinstance(plan.loss, MeanSquaredError) and (plan.shifts or len(run.learners) > 1):
            raise TrainingError(
                "An ensemble and test-time shifts average the probabilities of a cross-entropy; the loss is "
                "MeanSquaredError. Choose the loss cross-entropy, or a network without them."
            )
        run.start_learner()
        return run

    @property
    def learners(self) -> list[Network]:
        """The members of an ensemble, or the network itself."""
        members = [member for member in self.network.members if isinstance(member, Network)]
        return members if members and len(members) == len(self.network.members) else [self.network]

    @property
    def learner(self) -> Network:
        """The learner that is being trained."""
        return self.learners[self.member]

    @property
    def epochs(self) -> int:
        """Passes over the images in all."""
        return self.plan.epochs * len(self.learners)

    def start_learner(self) -> None:
        """Sets the optimizer's state and the average to those before the learner's first step."""
        params = self.learner.params
        self.optimizer_state = self.plan.optimizer.start(params)
        self.average = {name: p.copy() for name, p in params.items()} if self.plan.averaging else {}

    def next_learner(self) -> None:
        """Leaves the learner with the average of its weights, and goes on to the next one."""
        if self.average:
            self.learner.params = self.average
        self.member += 1
        self.start_learner()

    def move(self, transfer: Transfer) -> None:
        """Moves everything that steps work on to another device."""
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

    def outcome(self, images: npt.ArrayLike) -> Network:
        """The network as it is to be used: with the average of the weights if the plan has one, with statistics
        measured on some of the images that it learns from, and with the plan's test-time shifts; of an ensemble, the
        members that have learned. It depends on nothing else, and the run is left as it is.

        It is on the network's device. Its arrays may be the run's own: use it before the next step.

        Shapes: images as for `as_images`, (N, H, W) or rows (N, D), or `Features`
        """
        chosen = _spread(images, STATISTICS_IMAGES)
        network = self._trained(chosen)
        if self.plan.shifts:
            _, height, width = chosen.shape
            network = Network(ShiftAverage(network, height, width, self.plan.shifts))
        return network

    def finish(self, images: npt.ArrayLike) -> None:
        """Makes `network`, in its own arrays, what was trained: the `outcome` without test-time shifts."""
        outcome = self._trained(_spread(images, STATISTICS_IMAGES))
        self.network.params, self.network.statistics = outcome.params, outcome.statistics

    def _trained(self, chosen: Array) -> Network:
        trained = [learner.map_arrays(lambda array: array) for learner in self.learners[: self.member + 1]]
        if self.average:
            trained[-1] = trained[-1].map_arrays(np.copy)
            trained[-1].params = self.average
        return _measured(trained[0] if len(self.learners) == 1 else Network(Ensemble(*trained)), chosen)

    def note(self, result: Step) -> None:
        """Adds a result to the history."""
        for name, column in self.history.items():
            column.append(getattr(result, name, None))


def measure_statistics(network: Network, images: npt.ArrayLike, *, count: int = STATISTICS_IMAGES) -> Network:
    """A copy of the network with statistics of batch normalization measured on up to `count` of the images, spread
    evenly; the network itself if it has no statistics.

    Shapes: images as for `as_images`, (N, H, W) or rows (N, D), or `Features`
    Raises: ShapeError for images of a size that the network does not take; DataError for other pixel values;
        TrainingError for no images.
    """
    check_kind("network", network, "a Network", Network)
    check_whole("count", count, 1)
    return _measured(network, _spread(images if isinstance(images, Features) else as_images(images), count))


def _spread(images: Any, count: int) -> Array:
    """Up to `count` of the images, spread evenly over all."""
    if not len(images):
        raise TrainingError("At least one image is expected to measure statistics on; got none.")
    chosen = images[:: -(-len(images) // count)]
    return chosen if isinstance(chosen, Features) else as_images(chosen)


def _measured(network: Network, images: Array) -> Network:
    if not network.statistics:
        return network
    transfer = to_device_of(network)
    batches = [transfer(to_batch(images[i : i + CHUNK])) for i in range(0, len(images), CHUNK)]
    with blas_threads(1):  # so that the statistics do not depend on the number of cores, as the weights do not
        return network.measure_statistics(batches)[1]
