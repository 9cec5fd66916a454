"""Whether the steps of a training are faster if BLAS uses several threads."""

import statistics
import time

import numpy as np

from digitscope.blas_threads import blas_threads
from digitscope.nn import Optimizer, Params
from digitscope.training.parallel.shards import Shard, Task, shard_gradient
from digitscope.training.parallel.thresholds import Thresholds


def choose_blas_threads(task: Task, optimizer: Optimizer, batch: int, threads: int, thresholds: Thresholds) -> int:
    """Number of BLAS threads for steps whose batch is one shard: `threads` if that changes no bit and is faster, or 1.

    Some BLAS libraries round in the same way with any number of threads (OpenBLAS on AVX-512 for short sums, see
    nn/kernels/product.py), others do not (OpenBLAS on AVX2). BLAS threads wait for each other by spinning, which can
    take longer than the work if another process needs the core, and they leave half the gradient in the cache of the
    other core, from which the update has to fetch it (docs/log.md). So whole steps are timed with one thread and with
    all; then the weights are restored.
    """
    images = len(task.images)
    params, state = task.network.params, optimizer.start(task.network.params)
    before = {name: p.copy() for name, p in params.items()}

    def gradient(limit: int, size: int) -> Params:
        with blas_threads(limit):
            return shard_gradient(task, Shard(slice(size), 1.0, np.random.default_rng(0))).grads

    def seconds(limit: int) -> float:
        """Time of the second of two steps: the first one moves the weights into the caches of the cores it runs on."""
        for _ in range(2):
            began = time.perf_counter()
            optimizer.update(params, gradient(limit, batch), state, learning_rate=0.0, step=0)
        return time.perf_counter() - began

    for size in {batch, images % batch or batch}:  # the last batch of an epoch may be smaller
        serial, threaded = gradient(1, size), gradient(threads, size)
        if any(not np.array_equal(serial[name], threaded[name]) for name in serial):
            return 1
    pairs = [(seconds(1), seconds(threads))]
    began = time.perf_counter()
    while len(pairs) < thresholds.blas_trials and time.perf_counter() - began < thresholds.blas_trial_seconds:
        pairs.append((seconds(1), seconds(threads)))
    task.network.params = before
    serial_time, threaded_time = (statistics.median(times) for times in zip(*pairs, strict=True))
    return threads if threaded_time < thresholds.blas_time_ratio * serial_time else 1
