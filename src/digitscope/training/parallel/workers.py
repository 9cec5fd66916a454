"""Worker processes that compute the gradients of shards."""

import os
import pickle
import select
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from threading import Thread
from types import TracebackType
from typing import IO, Any, NamedTuple, Self

import numpy as np

from digitscope.arrays import Array
from digitscope.blas_threads import blas_threads
from digitscope.nn import Network, Params
from digitscope.training.parallel.interpreter import Process, own_pipes, pipes_to, start_interpreter
from digitscope.training.parallel.memory import keep_freed_memory
from digitscope.training.parallel.shards import Shard, ShardResult, Task, shard_gradient
from digitscope.training.parallel.shared_memory import SharedBuffers, open_memory, share_memory
from digitscope.training.parallel.thresholds import Thresholds

POLL_SECONDS = 0.005
"""Time for which a process polls for the next message before it sleeps, because waking it takes longer than a message
(docs/log.md)."""


def worker_count(
    network: Network, pixels: int, *, shards: int, shard_size: int, images: int, threads: int, thresholds: Thresholds
) -> int:
    """Number of worker processes whose speed-up exceeds start-up and transfer cost.

    `pixels` is the size of an image, `images` the number of images that the training still has to process.
    """
    params = network.params.values()
    used = min(threads, shards)
    if used <= 1 or any(p.dtype != np.float32 for p in params):  # The shared buffers are float32.
        return 0
    flops = network.flops((pixels,), training=True)
    transferred = 8 * sum(p.size for p in params) / shard_size  # bytes per image: weights to the worker, gradients back
    worthwhile = flops >= thresholds.flops_per_byte * transferred and flops * images >= thresholds.flops_per_worker
    return used - 1 if worthwhile else 0


class _Request(NamedTuple):
    """A shard as a message. It has the generator's state, which is pickled ten times as fast as the generator."""

    shard_index: int
    """Index of the shard in its batch, and of its gradient in the shared buffers."""
    rows: slice | Array
    share: float
    state: Mapping[str, Any]


class _Answer(NamedTuple):
    """The result of a shard, without the gradient, which is in the shared buffers."""

    loss: float
    right: int
    state: Mapping[str, Any]


class WorkerPool:
    """Processes that compute gradients of shards. Python's threads have to reacquire the GIL after every call of NumPy;
    processes do not.

    Weights and gradients are in shared memory. Images are sent once, through a pipe, when a worker starts; later only
    their indices are sent, and losses come back. The gradient of a shard does not depend on the process that computes
    it. So the calling process computes the shards of a worker that fails: if it was killed, if the network has a layer
    that only the main script defines, or if there is no shared memory. Workers join in when they have started, some
    tenths of a second after the training.
    """

    def __init__(self, count: int, task: Task, shards: int) -> None:
        """`count` workers; `shards` is the largest number of shards of a batch."""
        self.count, self.task, self.shards = count, task, shards
        self.ready: list[Process] = []
        self.processes: list[Process] = []

    def __enter__(self) -> Self:
        if self.count and sys.executable:
            params = self.task.network.params
            # Without shared memory, or if no process may be started, the caller computes all shards.
            with suppress(OSError), share_memory(SharedBuffers.size(params, self.shards)) as shared:
                self._buffers = SharedBuffers(shared.memory, params, self.shards)
                for _ in range(self.count):
                    arguments = shared.handle, str(len(shared.memory)), str(self.shards)
                    self.processes.append(start_interpreter(serve, *arguments, pass_fds=shared.inherited))
        for process in self.processes:
            Thread(target=self._handshake, args=(process,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
            for pipe in pipes_to(process):
                with suppress(OSError):
                    pipe.close()

    def gradients(self, shards: Sequence[Shard]) -> list[ShardResult]:
        """`shard_gradient` of each shard of a batch, by the workers that are ready and by the calling process."""
        workers = list(self.ready)
        if workers:
            _copy(self.task.network.params, self._buffers.weights)
        # Shards are assigned in turn; the last assignment is the caller's own.
        assignments = [range(i, len(shards), len(workers) + 1) for i in range(len(workers) + 1)]
        for worker, assignment in zip(workers, assignments, strict=False):
            with suppress(OSError):  # A worker that has ended is noticed below.
                _send(pipes_to(worker)[0], [_request(i, shards[i]) for i in assignment])
        results = {i: shard_gradient(self.task, shards[i]) for i in assignments[-1]}
        for worker, assignment in zip(workers, assignments, strict=False):
            try:
                answers: list[_Answer] = _receive(pipes_to(worker)[1])
            except (OSError, EOFError, pickle.PickleError):
                self.ready.remove(worker)
                results.update({i: shard_gradient(self.task, shards[i]) for i in assignment})
            else:
                for i, answer in zip(assignment, answers, strict=True):
                    shards[i].rng.bit_generator.state = answer.state
                    results[i] = ShardResult(answer.loss, answer.right, self._buffers.grads[i])
        return [results[i] for i in range(len(shards))]

    def _handshake(self, process: Process) -> None:
        """Sends the task to a worker and counts it as ready when it answers."""
        # A network, loss or augmentation that cannot be sent is not an error: the caller then computes all shards.
        with suppress(OSError, ValueError, TypeError, AttributeError, pickle.PickleError):
            requests, answers = pipes_to(process)
            _send(requests, self.task)
            if answers.read(1):
                self.ready.append(process)


def _request(shard_index: int, shard: Shard) -> _Request:
    return _Request(shard_index, shard.rows, shard.share, shard.rng.bit_generator.state)


def _send(pipe: IO[bytes], message: object) -> None:
    pickle.dump(message, pipe, protocol=5)
    pipe.flush()


def _receive(pipe: IO[bytes]) -> Any:
    """The next message. Polls for a while, yielding the processor to others, before it sleeps."""
    if hasattr(select, "poll"):  # Windows has no poll.
        poll = select.poll()
        poll.register(pipe, select.POLLIN)
        end = time.perf_counter() + POLL_SECONDS
        while not poll.poll(0) and time.perf_counter() < end:
            os.sched_yield()
    return pickle.load(pipe)


def _copy(source: Params, target: Params) -> None:
    for name, array in target.items():
        array[...] = source[name]


def serve() -> None:
    """Runs a worker process: requests come on standard input, answers go to standard output, until it is closed."""
    handle, size, shards = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    requests, answers = own_pipes()
    keep_freed_memory()
    rng = np.random.default_rng()
    # Every error ends the worker; the caller then computes the same shards, and raises the error if it persists.
    with blas_threads(1), suppress(Exception):
        task: Task = pickle.load(requests)
        buffers = SharedBuffers(open_memory(handle, size), task.network.params, shards)
        answers.write(b"!")
        answers.flush()
        while True:
            assignment: list[_Request] = _receive(requests)
            task.network.params = buffers.weights
            results = []
            for i, rows, share, state in assignment:
                rng.bit_generator.state = state
                result = shard_gradient(task, Shard(rows, share, rng))
                _copy(result.grads, buffers.grads[i])
                results.append(_Answer(result.loss, result.right, rng.bit_generator.state))
            _send(answers, results)
