"""How a network learns: forward, loss, backward, step, over and over."""

import math
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from digitscope.arrays import Array
from digitscope.errors import DivergenceError, TrainingError
from digitscope.nn import Params, clip_scale, gradient_norm
from digitscope.training.averaging import add_to_average
from digitscope.training.inference import evaluate
from digitscope.training.parallel.blas import blas_threads
from digitscope.training.parallel.device import Transfer, to_device
from digitscope.training.parallel.memory import keep_freed_memory
from digitscope.training.parallel.shards import Shard, ShardResult, Task, WorkerPool, learn
from digitscope.training.parallel.threads import Team
from digitscope.training.results import Epoch, Step
from digitscope.training.run import Run

REPORTS = 100
"""Step results an epoch, about."""
PARAMETERS_WORTH_SHARING = 1 << 17
"""From how many parameters on it pays to hand parts of the sum and the update to other threads."""
OPERATIONS_A_BYTE = 100
"""Operations from which on helpers are worth each byte of weights and gradients that moves to them and back."""
OPERATIONS_A_HELPER = 1e11
"""Operations still to do, about a second's, from which on helpers are worth their start."""
TRIALS = 15
"""Steps that are timed to choose BLAS's threads, unless they take longer than this:"""
TRIAL_SECONDS = 1.0
WORTHWHILE = 0.95
"""The share of one thread's time below which BLAS's threads are worth having."""


def train(
    run: Run,
    images: Array,
    labels: Array,
    *,
    validation: tuple[Array, Array] | None = None,
    threads: int = 1,
    device: str = "cpu",
) -> Iterator[Step | Epoch]:
    """Trains run.network in place, from where the run stands to the end of its plan.

    w <- w - step(d/dw (1/B) sum_{n in batch} loss(f(x_n), label_n))

    A batch is cut into shards of the plan's size. Each shard's gradient, weighted by its share of the batch, is
    computed by whichever thread is free; they are added pairwise in a fixed order. So the weights come out the
    same bit for bit with any number of threads. Between two results the run may be saved: it then holds all that
    is needed to go on.

    On device "cuda" the steps run on a GPU, by CuPy; images are augmented, and the network is validated, here.

    Shapes: images uint8 (N, H, W) or (N, D), labels integers (N,)
    Raises: TrainingError where there is no such device, or where images and labels do not fit; DivergenceError where a
    loss is not finite: the network then has the weights from before that step.
    """
    plan = run.plan
    _check(images, labels)
    transfer = to_device(device)
    if device != "cpu":
        threads = 1
        run.move(transfer)
    keep_freed_memory()
    with blas_threads(_threads_for_blas(run, images, labels, threads)), Team(threads) as team:
        while run.epoch < run.epochs:
            if run.epoch == (run.member + 1) * plan.epochs:
                run.next_learner()
            yield from _train_learner(run, images, labels, validation, team, transfer)
    if device != "cpu":
        run.move(to_device("cpu"))


def _train_learner(
    run: Run,
    images: Array,
    labels: Array,
    validation: tuple[Array, Array] | None,
    team: Team,
    transfer: Transfer,
) -> Iterator[Step | Epoch]:
    """One learner, from where the run stands to the end of its plan."""
    plan = run.plan
    batches = plan.batches(len(images))
    steps = plan.epochs * batches
    every = max(1, batches // REPORTS)
    before = run.member * steps
    task = Task(run.learner, plan.loss, images, labels, plan.augment, transfer)
    with WorkerPool(_helpers(run, images, team.threads), task, plan.shards(len(images))) as helpers:
        stepper = _Stepper(run, len(images), team, helpers)
        while run.epoch < (run.member + 1) * plan.epochs:
            after, order = run.draw_order(len(images))
            loss, right, seen = 0.0, 0, 0
            began = time.perf_counter()
            while run.batch < batches:
                step = run.epoch * batches + run.batch - before
                learning_rate = plan.schedule(step, steps)
                report = (run.batch + 1) % every == 0 or run.batch + 1 == batches
                done = stepper.take(order, step, steps, learning_rate, need_norm=report)
                run.batch += 1
                loss, right, seen = loss + done.loss * done.size, right + done.right, seen + done.size
                if report:
                    elapsed = time.perf_counter() - began
                    run.seconds += elapsed
                    result = Step(
                        epoch=run.epoch + 1,
                        step=before + step + 1,
                        steps=run.epochs * batches,
                        loss=loss / seen,
                        accuracy=right / seen,
                        learning_rate=learning_rate,
                        gradient_norm=done.norm,
                        seconds=run.seconds,
                        examples_per_second=seen / elapsed,
                    )
                    run.note(result)
                    yield result
                    loss, right, seen = 0.0, 0, 0
                    began = time.perf_counter()
            run.epoch, run.batch, run.order = run.epoch + 1, 0, after
            validation_loss = validation_accuracy = None
            if validation is not None:
                began = time.perf_counter()
                outcome = run.outcome(images)
                run.seconds += time.perf_counter() - began
                validation_loss, validation_accuracy = evaluate(outcome, plan.loss, *validation, threads=team.threads)
                run.history["validation_loss"][-1] = validation_loss
                run.history["validation_accuracy"][-1] = validation_accuracy
            yield Epoch(run.epoch, validation_loss, validation_accuracy, run.seconds)


@dataclass(frozen=True)
class _Done:
    """One step's figures."""

    loss: float
    right: int
    size: int
    norm: float


class _Stepper:
    """Takes one step after the other, its threads each on a shard of the batch or on a part of the parameters."""

    def __init__(self, run: Run, images: int, team: Team, helpers: WorkerPool) -> None:
        self.run, self.images, self.team, self.helpers = run, images, team, helpers
        params = run.learner.params
        # With one shard a batch the other threads are BLAS's, which spin while they wait: no room for parts.
        several = run.plan.shards(images) > 1 and sum(p.size for p in params.values()) >= PARAMETERS_WORTH_SHARING
        self.parts = team.threads if several else 1
        self.params = [self._part(params, i) for i in range(self.parts)]
        self.states = [
            {slot: self._part(arrays, i) for slot, arrays in run.optimizer_state.items()} for i in range(self.parts)
        ]
        self.averages = [self._part(run.average, i) for i in range(self.parts)]

    def take(self, order: Array, step: int, steps: int, learning_rate: float, *, need_norm: bool) -> _Done:
        run, plan = self.run, self.run.plan
        batch = plan.batch_size or self.images
        start = run.batch * batch
        size = min(batch, self.images - start)
        shard = plan.shard_size or size
        spans = [slice(start + cut, start + min(cut + shard, size)) for cut in range(0, size, shard)]
        shards = [
            # A full batch needs no shuffling, and slices need no copy.
            Shard(span if plan.batch_size is None else order[span], (span.stop - span.start) / size, rng)
            for span, rng in zip(spans, run.shard_rngs, strict=False)
        ]
        learned = self._learn(shards)
        loss = sum(one.loss for one in learned)
        if not math.isfinite(loss):
            raise DivergenceError(
                f"The loss is {loss} at step {step + 1} of {steps}, at a learning rate of {learning_rate:.3g}. "
                f"Try --learning-rate {plan.schedule.learning_rate / 10:.2g}."
            )
        grads = [{name: g.reshape(-1) for name, g in one.grads.items()} for one in learned]

        def add(i: int) -> None:
            for name in grads[0]:
                _add_pairwise([self._cut(shard[name], i) for shard in grads])

        if len(grads) > 1:
            self.team.run(add, self.parts)
        limit = plan.optimizer.clip_norm
        norm = gradient_norm(grads[0]) if need_norm or limit is not None else math.nan
        scale = clip_scale(norm, limit)

        def update(i: int) -> None:
            part = self._part(grads[0], i)
            if scale != 1.0:
                for g in part.values():
                    g *= scale
            plan.optimizer.update(self.params[i], part, self.states[i], learning_rate, step)
            if plan.averaging is not None:
                add_to_average(self.averages[i], self.params[i], plan.averaging.rate(step, steps))

        self.team.run(update, self.parts)
        return _Done(loss, sum(one.right for one in learned), size, norm)

    def _learn(self, shards: list[Shard]) -> list[ShardResult]:
        """What is learned from each shard: by helpers where there are any, else by threads."""
        if self.helpers.ready:
            return self.helpers.learn(shards)
        results: dict[int, ShardResult] = {}

        def learn_shard(i: int) -> None:
            results[i] = learn(self.helpers.task, shards[i])

        self.team.run(learn_shard, len(shards))
        return [results[i] for i in range(len(shards))]

    def _cut(self, flat: Array, i: int) -> Array:
        return flat[flat.size * i // self.parts : flat.size * (i + 1) // self.parts]

    def _part(self, arrays: Params, i: int) -> Params:
        return {name: self._cut(array.reshape(-1), i) for name, array in arrays.items()}


def _add_pairwise(arrays: list[Array]) -> None:
    """Adds all arrays into the first one, in place, as the tree ((0 + 1) + (2 + 3)) + ..."""
    stride = 1
    while stride < len(arrays):
        for i in range(0, len(arrays) - stride, 2 * stride):
            arrays[i] += arrays[i + stride]
        stride *= 2


def _threads_for_blas(run: Run, images: Array, labels: Array, threads: int) -> int:
    """How many threads each matrix product may use: one or all.

    One, where a batch is several shards: the threads take a shard each. Where it is one shard, all of them, if BLAS
    then rounds as it does with one, and if it is faster. Some BLAS round alike (OpenBLAS on AVX-512, given short sums:
    see nn/kernels/product.py), some do not (OpenBLAS on AVX2); and its threads wait for each other by spinning, which
    on a busy machine can take longer than the work; besides, they leave half the gradient in the other core's cache,
    where the update has to fetch it. So this tries a few whole steps with one thread and with all, and undoes them.
    """
    plan = run.plan
    if threads == 1 or plan.shards(len(images)) > 1:
        return 1
    batch = min(plan.batch_size or len(images), len(images))
    task = Task(run.learner, plan.loss, images, labels, plan.augment)
    params, state = run.learner.params, plan.optimizer.start(run.learner.params)
    before = {name: p.copy() for name, p in params.items()}

    def gradient(limit: int, size: int) -> Params:
        with blas_threads(limit):
            return learn(task, Shard(slice(size), 1.0, np.random.default_rng(0))).grads

    def seconds(limit: int) -> float:
        """Of a step, after one that leaves the weights in the caches of the cores that it ran on."""
        for _ in range(2):
            began = time.perf_counter()
            plan.optimizer.update(params, gradient(limit, batch), state, learning_rate=0.0, step=0)
        return time.perf_counter() - began

    for size in {batch, len(images) % batch or batch}:
        one, all_of_them = gradient(1, size), gradient(threads, size)
        if any(not np.array_equal(one[name], all_of_them[name]) for name in one):
            return 1
    pairs = [(seconds(1), seconds(threads))]
    began = time.perf_counter()
    while len(pairs) < TRIALS and time.perf_counter() - began < TRIAL_SECONDS:
        pairs.append((seconds(1), seconds(threads)))
    run.learner.params = before
    one_thread, all_threads = (statistics.median(times) for times in zip(*pairs, strict=True))
    return threads if all_threads < WORTHWHILE * one_thread else 1


def _helpers(run: Run, images: Array, threads: int) -> int:
    """How many helpers are worth their start, and the way of weights and gradients to them and back."""
    params = run.learner.params.values()
    shards = min(threads, run.plan.shards(len(images)))
    if shards == 1 or any(p.dtype != np.float32 for p in params):
        return 0
    work = run.learner.flops((images[0].size,), training=True)
    moved = 8 * sum(p.size for p in params) / (run.plan.shard_size or 1)  # bytes an image
    left = (run.epochs - run.epoch) * len(images)
    return shards - 1 if work >= OPERATIONS_A_BYTE * moved and work * left >= OPERATIONS_A_HELPER else 0


def _check(images: Array, labels: Array) -> None:
    if len(images) == 0 or labels.shape != images.shape[:1]:
        raise TrainingError(f"Training expects one label an image; got {len(images)} images, {len(labels)} labels.")
