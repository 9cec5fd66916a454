"""The shards that a batch is cut into, the gradient of one, and the sum of all."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from digitscope.arrays import Array
from digitscope.nn import Loss, Network, Params, to_batch, weighted_loss
from digitscope.training.parallel.device import Transfer

Augmentation = Callable[[Array, np.random.Generator], Array]
"""(images uint8 (N, H, W), rng) -> network input, float32 (H W, N)"""


class Task(NamedTuple):
    """Everything that the gradients of a training's shards have in common."""

    network: Network
    loss: Loss
    images: Array
    """uint8 (N, H, W), or `Features` (N, D)."""
    labels: Array
    augment: Augmentation | None
    """Augments the images of each shard; None: they are not augmented."""
    transfer: Transfer | None = None
    """Moves inputs, labels and weights to the network's device; None if the network is in the computer's memory."""
    weights: Array | None = None
    """How much each image counts, with the mean 1; None if all count alike."""


class Shard(NamedTuple):
    """A part of a batch whose gradient is computed in one pass."""

    rows: slice | Array
    """Indices into the task's images."""
    share: float
    """Images of the shard / images of the batch: the loss of the batch is sum(share * loss of shard)."""
    rng: np.random.Generator
    """Random generator of the shard; advanced by each use."""


class ShardResult(NamedTuple):
    """The contribution of a shard to its batch."""

    loss: float
    """Share of the shard times its mean loss."""
    right: int
    """Number of images whose label has the largest output."""
    grads: Params
    """Share of the shard times its gradient."""


def shard_gradient(task: Task, shard: Shard) -> ShardResult:
    """Forward and backward pass over a shard.

    loss = share mean_n w_n L(f(x_n), label_n), grads = d loss / d params          w_n: weight of the image, or 1
    """
    rows, share, rng = shard
    images, labels = task.images[rows], task.labels[rows]
    with np.errstate(over="ignore", invalid="ignore"):  # After an overflow the loss is not finite, which is checked.
        inputs = to_batch(images) if task.augment is None else task.augment(images, rng)
        if task.transfer is not None:
            inputs, labels = task.transfer(inputs), task.transfer(labels)
        outputs, backward = task.network.forward(inputs, training=True, rng=rng, need_dx=False)
        if task.weights is None:
            loss, loss_backward = task.loss.forward(outputs, labels)
        else:
            weights = np.asarray(task.weights[rows], outputs.dtype, like=outputs)
            loss, loss_backward = weighted_loss(task.loss, outputs, labels, weights)
        right, grads = task.loss.count_right(outputs, labels), backward(loss_backward(share))[1]
        return ShardResult(share * loss, right, grads)


def cut_batch(size: int, shard_size: int | None) -> list[slice]:
    """Consecutive slices of `shard_size` images, the last perhaps of fewer; one slice if `shard_size` is None."""
    step = shard_size or size
    return [slice(start, min(start + step, size)) for start in range(0, size, step)]


def add_pairwise(arrays: list[Array]) -> None:
    """Adds all arrays into the first one, in place, as the tree ((0 + 1) + (2 + 3)) + ..."""
    stride = 1
    while stride < len(arrays):
        for i in range(0, len(arrays) - stride, 2 * stride):
            arrays[i] += arrays[i + stride]
        stride *= 2
