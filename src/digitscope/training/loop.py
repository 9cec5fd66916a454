"""How a network learns: forward, loss, backward, update, over and over."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from digitscope.arguments import check_kind, check_wholes
from digitscope.arrays import Array, Features, as_weights
from digitscope.blas_threads import blas_threads
from digitscope.errors import DivergenceError, TrainingError
from digitscope.nn import Loss, Network, Optimizer, clip_scale, gradient_norm, to_batch
from digitscope.nn.optimizers import State
from digitscope.training.inference import checked_examples, outputs_in_chunks, quiet_overflow
from digitscope.training.parallel.blas import choose_blas_threads
from digitscope.training.parallel.device import Transfer, device_of, to_cpu, to_device, to_device_of
from digitscope.training.parallel.memory import keep_freed_memory
from digitscope.training.parallel.ranks import Ranks
from digitscope.training.parallel.shards import Task
from digitscope.training.parallel.step import ParallelStep
from digitscope.training.parallel.threads import ThreadMap, thread_count
from digitscope.training.parallel.thresholds import Thresholds
from digitscope.training.parallel.workers import WorkerPool, worker_count
from digitscope.training.results import Epoch, SingleStep, Step
from digitscope.training.run import Run, is_reported
from digitscope.training.snapshots import UNITS, Snapshot, is_snapshot_due


class _Validation(NamedTuple):
    images: Array
    labels: Array
    watch: list[int]
    """Indices of the images that snapshots are about."""


def train_step(
    network: Network,
    loss: Loss,
    optimizer: Optimizer,
    state: State,
    images: Array,
    labels: Array,
    *,
    learning_rate: float,
    step: int = 0,
    rng: np.random.Generator | None = None,
) -> float:
    """One step of stochastic gradient descent, by definition. Returns the loss before it.

    L(w) = (1/B) sum_n loss(f(x_n; w), label_n)
    w <- w - learning_rate dL/dw                      or what the optimizer makes of dL/dw, in place

    `train` takes the same step, cut into shards and spread over processors (`training.parallel.step.ParallelStep`).

    `state` is what `optimizer.start(network.params)` gave; `step` counts from 0.
    Shapes: images uint8 (B, H, W) or (B, D), labels integers (B,)
    """
    outputs, backward = network.forward(to_batch(images), training=True, rng=rng)
    value, loss_backward = loss.forward(outputs, labels)
    _, gradient = backward(loss_backward(1.0))
    scale = clip_scale(gradient_norm(gradient), optimizer.clip_norm)
    gradient = {name: scale * g for name, g in gradient.items()}
    optimizer.update(network.params, gradient, state, learning_rate, step)
    return value


def train(
    run: Run,
    images: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    weights: npt.ArrayLike | None = None,
    validation: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
    watch: Sequence[int] = (),
    threads: int | None = 1,
    device: str = "cpu",
    thresholds: Thresholds | None = None,
    is_wanted: Callable[[int], bool] | None = None,
    ranks: Ranks | None = None,
) -> Iterator[Step | Epoch]:
    """Trains run.network in place, from where the run stands to the end of its plan; yields results as it goes.

    Each step is `train_step` for one batch. A batch is cut into shards of the plan's size; the gradients of the shards
    are computed by threads or worker processes, each weighted by its share of the batch, and added pairwise in a fixed
    order. So the weights have the same bits for any number of threads. Between two results the run may be saved: it
    then holds all that is needed to go on.

    After the last result the network is ready for use: it has the average of the weights if the plan has one, and
    measured statistics. Before that, and for test-time shifts, `run.outcome(images)` gives the network to use.

    Instead of images, a network may learn from `Features`, rows of numbers of any range (`arrays.as_features`), if the
    plan neither augments nor shifts images.

    `weights` say how much each image counts. They are scaled to the mean 1, so the loss is the weighted mean over all
    images (`nn.weighted_loss`). Accuracies and validation count all images alike.

    On device "cuda" steps and validation run on a GPU, with CuPy; images are augmented on the CPU. Whenever the
    iteration ends, the network is back where it was.

    `watch` are indices of validation images: for these, `run.snapshots` notes the probabilities before the first step
    and at the ends of epochs, with the weights of the first layer.

    `thresholds` decide when threads and worker processes are used; no bit of the result depends on them.

    `is_wanted` is asked before each step, with the number of steps done after it, whether a SingleStep shall follow it.
    Other results and the weights do not depend on the answers.

    `ranks` are processes that `mpiexec` started (`parallel.ranks.mpi_ranks`). All of them call `train` with equal
    arguments but for `threads`; each computes its part of the shards and of the validation images, and all have the
    same results, with the same bits as without ranks.

    Shapes: images as for `as_images`, uint8 or float (N, H, W) or rows (N, D); labels integers (N,)
    Raises: at once, ShapeError and DataError for images and labels that do not fit each other or the network;
        TrainingError for no images, for another number of them than the run was started with, and if there is no such
        device. Later, DivergenceError if a loss is not finite: the weights are then those from before that step, or
        those that were validated.
    """
    check_kind("run", run, "a Run, as Run.start gives it", Run)
    threads = thread_count(threads)
    plan, network = run.plan, run.network
    images, labels = checked_examples(network, plan.loss, images, labels)
    if len(images) != run.images:
        raise TrainingError(
            f"The run was started for {run.images} images; got {len(images)}. Give Run.start the number of images that "
            "are trained on."
        )
    if isinstance(images, Features) and (plan.augment is not None or plan.shifts):
        raise TrainingError("Features can be neither augmented nor shifted as images are. Use a plan without these.")
    scaled = None if weights is None else as_weights(weights, len(images))
    if validation is not None:
        check_kind("validation", validation, "(images, labels) or None", tuple, list)
        if len(validation) != 2:
            raise TrainingError(f"validation is expected as (images, labels); got {len(validation)} parts.")
        if isinstance(validation[0], Features) != isinstance(images, Features):
            raise TrainingError("Training and validation expect both images or both Features; got one of each.")
        shape = None if isinstance(images, Features) else (images.shape[1], images.shape[2])
        validation = checked_examples(network, plan.loss, *validation, shape)
    check_wholes("watch", watch)
    count = 0 if validation is None else len(validation[0])
    if not all(0 <= index < count for index in watch):
        raise TrainingError(f"watch expects indices of {count} validation images; got {list(watch)}.")
    check_kind("ranks", ranks, "Ranks, as mpi_ranks gives them, or None", Ranks, type(None))
    if ranks is not None:
        ranks.check_device(device)
    transfer = to_device(device)
    if device != "cpu":
        threads = 1
    held_out = None if validation is None else _Validation(*validation, list(watch))
    is_wanted = is_wanted or _never
    task = Task(run.learner, plan.loss, images, labels, plan.augment, weights=scaled)
    return _train(run, task, held_out, threads, device, transfer, thresholds or Thresholds(), is_wanted, ranks)


def _never(step: int) -> bool:
    return False


def _train(
    run: Run,
    task: Task,
    validation: _Validation | None,
    threads: int,
    device: str,
    transfer: Transfer,
    thresholds: Thresholds,
    is_wanted: Callable[[int], bool],
    ranks: Ranks | None,
) -> Iterator[Step | Epoch]:
    plan, images = run.plan, task.images
    keep_freed_memory()
    with _on_device(run, device, transfer):
        limit = 1
        if threads > 1 and plan.shards(len(images)) == 1:
            batch = min(plan.batch_size or len(images), len(images))
            limit = choose_blas_threads(task, plan.optimizer, batch, threads, thresholds)
        if validation and validation.watch and not (run.epoch or run.batch or run.snapshots):
            _evaluate(run, run.outcome(images), validation, threads, ranks)
        with blas_threads(limit), ThreadMap(threads) as thread_map:
            while run.epoch < run.epochs:
                if run.epoch == (run.member + 1) * plan.epochs:
                    run.next_learner()
                task = task._replace(network=run.learner, transfer=transfer)
                yield from _train_learner(run, task, validation, thread_map, thresholds, is_wanted, ranks)
            run.finish(images)


@contextmanager
def _on_device(run: Run, device: str, transfer: Transfer) -> Iterator[None]:
    """Within this context the run is on the device; afterwards it is back, in the arrays of its own network."""
    network = run.network
    if device_of(network) == device:
        yield
        return
    run.move(transfer)
    try:
        yield
    finally:
        run.move(to_device_of(network))
        network.params, network.statistics = run.network.params, run.network.statistics
        run.network = network


def _train_learner(
    run: Run,
    task: Task,
    validation: _Validation | None,
    threads: ThreadMap,
    thresholds: Thresholds,
    is_wanted: Callable[[int], bool],
    ranks: Ranks | None,
) -> Iterator[Step | Epoch]:
    """Trains the current learner, from where the run stands to the end of its plan."""
    plan, images, count = run.plan, task.images, len(task.images)
    own_shards = plan.shards(count) if ranks is None else len(ranks.part(range(plan.shards(count))))
    workers = worker_count(
        run.learner,
        images[0].size,
        shards=own_shards,
        shard_size=plan.shard_size or 1,
        images=(run.epochs - run.epoch) * count,
        threads=threads.threads,
        thresholds=thresholds,
    )
    with WorkerPool(workers, task, plan.shards(count)) as pool:
        take_step = ParallelStep(run, task, threads, pool, thresholds, ranks)
        while run.epoch < (run.member + 1) * plan.epochs:
            yield from _steps(run, take_step, count, is_wanted)
            yield _end_of_epoch(run, images, validation, threads.threads, ranks)


def _steps(run: Run, take_step: ParallelStep, count: int, is_wanted: Callable[[int], bool]) -> Iterator[Step]:
    """The rest of the current epoch over `count` images."""
    plan = run.plan
    batches = plan.batches(count)
    steps = plan.epochs * batches
    before = run.member * steps  # those of the members before
    next_order, order = run.draw_order(count)
    began, before_began = time.perf_counter(), run.unreported[2]
    while run.batch < batches:
        step = run.epoch * batches + run.batch - before
        learning_rate = plan.schedule(step, steps)
        report, wanted = is_reported(run.batch + 1, batches), is_wanted(before + step + 1)
        rows = _batch(order, run.batch, plan.batch_size)
        done = take_step(*rows, step, steps, learning_rate, is_reported=report or wanted)
        run.batch += 1
        loss, right, seen = run.unreported
        run.unreported = loss, right, seen = loss + done.loss * done.size, right + done.right, seen + done.size
        if not (report or wanted):
            continue
        elapsed = time.perf_counter() - began
        run.seconds += elapsed
        result = Step(
            epoch=run.epoch + 1,
            step=before + step + 1,
            steps=run.epochs * batches,
            loss=loss / seen,
            accuracy=right / seen,
            learning_rate=learning_rate,
            gradient_norm=done.gradient_norm,
            seconds=run.seconds,
            examples_per_second=(seen - before_began) / elapsed,
        )
        if report:
            run.unreported = 0.0, 0, 0
            run.note(result)
            yield result
        if wanted:
            yield SingleStep(**{**asdict(result), "loss": done.loss, "accuracy": done.right / done.size})
        began, before_began = time.perf_counter(), run.unreported[2]
    run.epoch, run.batch, run.order = run.epoch + 1, 0, next_order


def _batch(order: Array, number: int, batch_size: int | None) -> tuple[slice | Array, int]:
    """The rows of a batch, and how many. A full batch needs no shuffling, and slices need no copy."""
    if batch_size is None:
        return slice(0, len(order)), len(order)
    rows = order[number * batch_size : (number + 1) * batch_size]
    return rows, len(rows)


def _end_of_epoch(run: Run, images: Array, validation: _Validation | None, threads: int, ranks: Ranks | None) -> Epoch:
    """Evaluates the run's outcome on the validation images, if there are any."""
    if validation is None:
        return Epoch(run.epoch, None, None, run.seconds)
    began = time.perf_counter()
    outcome = run.outcome(images)
    run.seconds += time.perf_counter() - began
    outputs, loss, accuracy = _evaluate(run, outcome, validation, threads, ranks)
    if not math.isfinite(loss):
        rate = run.plan.schedule.learning_rate
        raise DivergenceError(
            f"The validation loss is {loss} after epoch {run.epoch} of {run.epochs}: the learning rate, {rate:.3g}, is "
            "too high."
        )
    run.history["validation_loss"][-1] = loss
    run.history["validation_accuracy"][-1] = accuracy
    return Epoch(run.epoch, loss, accuracy, run.seconds, outputs)


@quiet_overflow()
def _evaluate(
    run: Run, outcome: Network, validation: _Validation, threads: int, ranks: Ranks | None
) -> tuple[Array, float, float]:
    """The outcome's outputs, loss and accuracy on the validation images, which a snapshot notes if one is due.

    They may be infinite.
    """
    outputs = outputs_in_chunks(outcome, validation.images, threads=threads, ranks=ranks)
    loss = run.plan.loss.forward(outputs, validation.labels)[0]
    accuracy = float((outputs.argmax(axis=0) == validation.labels).mean())
    if validation.watch and is_snapshot_due(run.epoch, run.epochs):
        probabilities = run.plan.loss.probabilities(outputs[:, validation.watch]).T.astype(np.float32)
        limit = float(np.finfo(np.float16).max)
        weights = to_cpu(next(iter(outcome.params.values()))[:UNITS]).clip(-limit, limit).astype(np.float16)
        run.snapshots.append(Snapshot(run.epoch, loss, accuracy, probabilities, weights))
    return outputs, loss, accuracy
