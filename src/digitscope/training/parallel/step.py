"""The training step, with its work spread over threads and worker processes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from digitscope.arrays import Array
from digitscope.errors import DivergenceError
from digitscope.nn import Params, clip_scale, gradient_norm
from digitscope.training.averaging import add_to_average
from digitscope.training.parallel.ranks import GradientExchange, Ranks
from digitscope.training.parallel.shards import Shard, ShardResult, Task, add_pairwise, cut_batch, shard_gradient
from digitscope.training.parallel.threads import ThreadMap
from digitscope.training.parallel.thresholds import Thresholds
from digitscope.training.parallel.workers import WorkerPool
from digitscope.training.run import Run


@dataclass(frozen=True)
class StepResult:
    """The results of one step."""

    loss: float
    """Mean over the batch."""
    right: int
    """Number of images whose label has the largest output."""
    size: int
    """Number of images in the batch."""
    gradient_norm: float
    """Before clipping; NaN if it was not needed."""


class ParallelStep:
    """The same step as `digitscope.training.loop.train_step`, over a batch that is cut into shards.

    loss = sum_s share_s loss_s,  gradient = sum_s share_s gradient_s,  share_s = images of shard s / images of batch

    The gradients of the shards are computed by worker processes, if there are any, or by threads. They are added in a
    fixed order, and each shard has its own random generator, so no bit of the result depends on which process or thread
    computes a shard. The sum and the update treat each number separately, so threads share them: each thread has a
    part of every parameter. With ranks, each computes some of the shards, and all add the gradients.
    """

    def __init__(
        self,
        run: Run,
        task: Task,
        threads: ThreadMap,
        workers: WorkerPool,
        thresholds: Thresholds | None = None,
        ranks: Ranks | None = None,
    ) -> None:
        self.run, self.task, self.threads, self.workers = run, task, threads, workers
        params = run.learner.params
        parameters = sum(p.size for p in params.values())
        self.exchange = None if ranks is None else GradientExchange(ranks, params, len(run.shard_rngs))
        # If a batch is one shard, the other cores may belong to BLAS's threads, which spin while they wait.
        several = run.plan.shards(len(task.images)) > 1
        split = several and parameters >= (thresholds or Thresholds()).split_parameters
        self.parts = threads.threads if split else 1
        self.params = [self._part(params, i) for i in range(self.parts)]
        self.states = [
            {slot: self._part(arrays, i) for slot, arrays in run.optimizer_state.items()} for i in range(self.parts)
        ]
        self.averages = [self._part(run.average, i) for i in range(self.parts)]

    def __call__(
        self, rows: slice | Array, size: int, step: int, steps: int, learning_rate: float, *, is_reported: bool
    ) -> StepResult:
        """Takes step number `step` (from 0) of `steps`, with the batch of the `size` images at `rows`.

        is_reported: the caller needs the gradient norm, and the run as it is in a checkpoint.

        Raises: DivergenceError if the loss is not finite; the weights are then those from before the step.
        """
        plan = self.run.plan
        results = self._gradients(self._shards(rows, size))
        loss = sum(result.loss for result in results)
        if not math.isfinite(loss):
            raise DivergenceError(
                f"The loss is {loss} at step {step + 1} of {steps}: "
                f"the learning rate, {learning_rate:.3g}, is too high."
            )
        grads = [{name: g.reshape(-1) for name, g in result.grads.items()} for result in results]

        def add(i: int) -> None:
            for name in grads[0]:
                add_pairwise([self._cut(shard[name], i) for shard in grads])

        if len(grads) > 1:
            self.threads(add, range(self.parts))
        limit = plan.optimizer.clip_norm
        norm = gradient_norm(grads[0]) if is_reported or limit is not None else math.nan
        scale = clip_scale(norm, limit)

        def update(i: int) -> None:
            part = self._part(grads[0], i)
            if scale != 1.0:
                for g in part.values():
                    g *= scale
            with np.errstate(over="ignore", invalid="ignore"):  # After an overflow the next loss is not finite.
                done = self.run.steps_before + step
                plan.optimizer.update(self.params[i], part, self.states[i], learning_rate, done)
                if plan.averaging is not None:
                    add_to_average(self.averages[i], self.params[i], plan.averaging.rate(step, steps))

        self.threads(update, range(self.parts))
        if is_reported and self.exchange is not None:
            self.exchange.share_generators(self.run.shard_rngs)
        return StepResult(loss, sum(result.right for result in results), size, norm)

    def _shards(self, rows: slice | Array, size: int) -> list[Shard]:
        def chosen(cut: slice) -> slice | Array:
            if isinstance(rows, slice):
                return slice(rows.start + cut.start, rows.start + cut.stop)
            return rows[cut]

        cuts = cut_batch(size, self.run.plan.shard_size)
        return [
            Shard(chosen(cut), (cut.stop - cut.start) / size, rng)
            for cut, rng in zip(cuts, self.run.shard_rngs, strict=False)  # the last batch may have fewer shards
        ]

    def _gradients(self, shards: list[Shard]) -> list[ShardResult]:
        return (
            self._own_gradients(shards)
            if self.exchange is None
            else self.exchange.gradients(shards, self._own_gradients)
        )

    def _own_gradients(self, shards: Sequence[Shard]) -> list[ShardResult]:
        if self.workers.ready:
            return self.workers.gradients(shards)
        return self.threads(lambda shard: shard_gradient(self.task, shard), shards)

    def _cut(self, flat: Array, i: int) -> Array:
        return flat[flat.size * i // self.parts : flat.size * (i + 1) // self.parts]

    def _part(self, arrays: Params, i: int) -> Params:
        return {name: self._cut(array.reshape(-1), i) for name, array in arrays.items()}
