"""A GPU beside the processor: are the derivatives the same, and which of the two is faster?

    uv run --extra cuda python -m benchmarks.gpu

For each recipe: the largest difference between the derivatives of one batch in float64, relative to the largest one of
the same parameter; then medians of alternating rounds. `batch`: outputs and derivatives of batches of several sizes,
each as one shard, on one thread and on the GPU. `epoch`: training of whole recipes, their augmentation included, with
all cores and with the GPU. `predict`: MNIST's 10,000 test images, likewise.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from benchmarks.machine import machine, versions
from digitscope import load_mnist
from digitscope.arrays import Array
from digitscope.blas_threads import blas_threads
from digitscope.nn import Network, Params, to_batch
from digitscope.recipes import RECIPES, Recipe
from digitscope.training import Run, network_outputs, train
from digitscope.training.parallel.device import to_cpu, to_device

DEFAULT = ["seed", "mlp", "lenet", "fast", "convnet", "deep"]
SIZES = (32, 128, 1024, 8192)
"""Images in a batch."""
LARGEST = 300
"""Millions of operations for the derivatives of one image; above them, large batches and long epochs are left out."""


def network_of(recipe: Recipe) -> Network:
    return recipe.build(np.random.default_rng(1), (28, 28), 10)


def derivatives(recipe: Recipe, network: Network, x: Array, labels: Array) -> Params:
    """Of the recipe's loss, for one batch. Shapes: x (D, N), labels (N,)"""
    outputs, backward = network.forward(x, training=True, rng=np.random.default_rng(3), need_dx=False)
    return backward(recipe.plan.loss.forward(outputs, labels)[1](1.0))[1]


def difference(recipe: Recipe, images: Array, labels: Array) -> float:
    """The largest relative difference between the processor's derivatives and the GPU's, in float64."""
    network = network_of(recipe).map_arrays(lambda array: array.astype(np.float64))
    x = to_batch(images).astype(np.float64)
    gpu = to_device("cuda")
    ours = derivatives(recipe, network, x, labels)
    theirs = derivatives(recipe, network.map_arrays(gpu), gpu(x), gpu(labels))
    return max(
        float(np.abs(d - to_cpu(theirs[name])).max() / np.abs(d).max()) for name, d in ours.items() if np.abs(d).max()
    )


def compare(title: str, cpu: Callable[[], object], gpu: Callable[[], object], rounds: int) -> None:
    """Prints the median seconds of both, in alternating rounds after one that is not counted."""
    import cupy

    seconds: tuple[list[float], list[float]] = [], []
    for _ in range(rounds + 1):
        for task, times in zip((cpu, gpu), seconds, strict=True):
            began = time.perf_counter()
            task()
            cupy.cuda.Device().synchronize()
            times.append(time.perf_counter() - began)
    ours, theirs = (statistics.median(times[1:]) for times in seconds)
    print(f"  {title:<24}{ours:10.4f} s {theirs:10.4f} s   GPU {ours / theirs:.2f} times as fast", flush=True)


def compare_recipe(recipe: Recipe, rounds: int) -> None:
    (images, labels), (test, _) = load_mnist()
    gpu, cores = to_device("cuda"), os.cpu_count() or 1
    network = network_of(recipe)
    moved = network.map_arrays(gpu)
    print(f"{recipe.name}: derivatives differ by {difference(recipe, images[:32], labels[:32]):.1e}", flush=True)
    is_large = network.flops((784,), training=True) > LARGEST * 10**6
    for size in SIZES[:2] if is_large else SIZES:
        x, y = to_batch(images[:size]), labels[:size]
        there = gpu(x), gpu(y)
        with blas_threads(1):
            compare(
                f"batch {size}, one thread",
                partial(derivatives, recipe, network, x, y),
                partial(derivatives, recipe, moved, *there),
                rounds,
            )
    count, some = (1_280, test[:1_000]) if is_large else (6_000, test)

    def learn(device: str) -> None:
        run = Run.start(network_of(recipe), replace(recipe.plan, epochs=1), count, np.random.default_rng(1))
        list(train(run, images[:count], labels[:count], threads=cores, device=device))

    compare(f"epoch of {count}, {cores} cores", partial(learn, "cpu"), partial(learn, "cuda"), rounds)
    predict = partial(network_outputs, network, some, threads=cores)
    compare(f"predict {len(some)}, {cores} cores", predict, partial(network_outputs, moved, some), rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", choices=RECIPES, default=DEFAULT, metavar="NAME")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    to_device("cuda")
    import cupy

    name = cupy.cuda.runtime.getDeviceProperties(0)["name"].decode()
    print(f"{name} (CuPy {cupy.__version__}); {machine()}; {versions('numpy')}", flush=True)
    for name in options.networks:
        compare_recipe(RECIPES[name], options.rounds)


if __name__ == "__main__":
    main()
