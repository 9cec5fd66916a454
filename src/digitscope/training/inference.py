"""A network's answers for many images."""

import numpy as np

from digitscope.arrays import Array
from digitscope.nn import Layer, Loss, to_batch
from digitscope.training.parallel.blas import blas_threads
from digitscope.training.parallel.memory import keep_freed_memory
from digitscope.training.parallel.threads import ThreadMap

CHUNK = 100
"""Images in one forward pass: enough for fast products, few enough for the cache."""


def network_outputs(network: Layer, images: Array, *, threads: int = 1) -> Array:
    """The network's outputs for images in rows, computed in chunks that are spread over threads.

    The chunks do not depend on the number of threads, so neither do the outputs.

    Shapes: images uint8 (N, H, W) or (N, D) -> (classes, N)
    """
    chunks = range(0, max(1, len(images)), CHUNK)

    def outputs(start: int) -> Array:
        y: Array = network.forward(to_batch(images[start : start + CHUNK]))[0]
        return y

    keep_freed_memory()
    with blas_threads(1), ThreadMap(min(threads, len(chunks))) as thread_map:
        results = thread_map(outputs, chunks)
    return results[0] if len(results) == 1 else np.concatenate(results, axis=1)


def evaluate(network: Layer, loss: Loss, images: Array, labels: Array, *, threads: int = 1) -> tuple[float, float]:
    """The mean loss and the accuracy on these images."""
    outputs = network_outputs(network, images, threads=threads)
    return loss.forward(outputs, labels)[0], float((outputs.argmax(axis=0) == labels).mean())
