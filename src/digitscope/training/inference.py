"""A network's outputs for many images, and checks that images and labels fit it."""

from math import prod

import numpy as np
import numpy.typing as npt

from digitscope.arguments import check_kind
from digitscope.arrays import Array, Features, as_images, as_labels
from digitscope.blas_threads import blas_threads
from digitscope.errors import ShapeError, TrainingError
from digitscope.nn import Layer, Loss, to_batch
from digitscope.training.parallel.device import device_of, to_cpu, to_device_of
from digitscope.training.parallel.memory import keep_freed_memory
from digitscope.training.parallel.ranks import Ranks
from digitscope.training.parallel.threads import ThreadMap, thread_count

CHUNK = 100
"""Images in one forward pass: enough for fast products, few enough for the cache."""
GPU_CHUNK = 2_000
"""The same on a GPU, whose cost is in the number of operations that are started, not in the cache (docs/log.md)."""
CHUNK_MEMORY = 1 << 30
"""Maximum number of float32 values in a forward pass: 4 GiB. The recipe ensemble needs 0.6 billion for CHUNK images."""


def quiet_overflow() -> np.errstate:
    """A context without NumPy's warnings: what is not finite is noticed in the outputs and the loss."""
    return np.errstate(over="ignore", invalid="ignore", divide="ignore")


def network_outputs(network: Layer, images: npt.ArrayLike, *, threads: int | None = 1) -> Array:
    """The network's outputs for images, computed in chunks that are spread over threads.

    The chunks do not depend on the number of threads, so neither do the outputs. A network on a GPU computes there.

    Shapes: images as for `as_images`, (N, H, W) or rows (N, D) -> (classes, N)
    Raises: ShapeError for images of a size that the network does not take; DataError for other pixel values.
    """
    check_kind("network", network, "a network or layer", Layer)
    return outputs_in_chunks(network, as_images(images), threads=thread_count(threads))


def outputs_in_chunks(
    network: Layer, images: Array, *, threads: int = 1, padded: bool = False, ranks: Ranks | None = None
) -> Array:
    """`network_outputs` of images that are uint8 (N, H, W) already, or of `Features`.

    padded: blank images fill the last chunk, because BLAS rounds products of other sizes differently. So an image that
        is given alone has the same output in float64. In float32 its last bits depend on its place in the chunk.
    ranks: each computes the outputs of some chunks, and has those of all.
    """
    if not len(images):  # the outputs of no image are as many as those of a blank one
        return outputs_in_chunks(network, np.zeros_like(images, shape=(1, *images.shape[1:])))[:, :0]
    pixels = prod(images.shape[1:])
    most = CHUNK if padded or device_of(network) == "cpu" else GPU_CHUNK
    chunk = max(1, min(most, CHUNK_MEMORY // (pixels + network.memory((pixels,)))))
    chunks = range(0, len(images), chunk)
    transfer = to_device_of(network)

    def outputs(start: int) -> Array:
        part = images[start : start + chunk]
        if padded and len(part) < chunk:
            part = np.zeros_like(images, shape=(chunk, *images.shape[1:]))
            part[: len(images) - start] = images[start:]
        with quiet_overflow():
            return to_cpu(network.forward(transfer(to_batch(part)))[0])[:, : len(images) - start]

    keep_freed_memory()
    with blas_threads(1), ThreadMap(min(threads, len(chunks))) as thread_map:
        results = thread_map(outputs, chunks if ranks is None else ranks.part(chunks))
    if ranks is not None:
        results = ranks.gather(results)
    return results[0] if len(results) == 1 else np.concatenate(results, axis=1)


def evaluate(
    network: Layer, loss: Loss, images: npt.ArrayLike, labels: npt.ArrayLike, *, threads: int | None = 1
) -> tuple[float, float]:
    """The mean loss and the accuracy on these images.

    Shapes: images as for `as_images`, (N, H, W) or rows (N, D); labels integers (N,), from 0 to classes - 1
    Raises: ShapeError or DataError for images and labels that do not fit the network; TrainingError for no images, and
        for batch normalization whose statistics were never measured.
    """
    check_kind("network", network, "a network or layer", Layer)
    check_kind("loss", loss, "a Loss", Loss)
    if unmeasured := _unmeasured(network):
        raise TrainingError(
            f"Batch normalization needs measured statistics; those of {unmeasured} still have their initial values. "
            "Evaluate run.outcome(images), or measure_statistics(network, images)."
        )
    images, labels = checked_examples(network, loss, images, labels)
    outputs = outputs_in_chunks(network, images, threads=thread_count(threads))
    return loss.forward(outputs, labels)[0], float((outputs.argmax(axis=0) == labels).mean())


def checked_examples(
    network: Layer, loss: Loss, images: npt.ArrayLike, labels: npt.ArrayLike, shape: tuple[int, int] | None = None
) -> tuple[Array, npt.NDArray[np.int64]]:
    """Images and labels in the package's own form, checked against the network's input and output.

    One image is passed through the network. A label may be any of its outputs; with BackgroundCrossEntropy also the
    number of outputs, for the background. `shape` is the height and width that is expected, if it is known. `Features`
    stay as they are.

    Raises: ShapeError, DataError, and TrainingError for no images.
    """
    found: Array = images if isinstance(images, Features) else as_images(images, shape)
    if not len(found):
        raise TrainingError("At least one image is expected; got none.")
    with quiet_overflow():
        outputs = network.forward(to_device_of(network)(to_batch(found[:1])))[0]
    if outputs.ndim != 2 or outputs.shape[1] != 1:
        raise ShapeError(
            f"A network is expected to give (classes, N); it gives {outputs.shape} for 1 image. End it with Dense."
        )
    classes = loss.classes(len(outputs))
    return found, as_labels(labels, len(found), classes)


def _unmeasured(network: Layer) -> str:
    """The layers whose population statistics are still those of a new BatchNorm, mean 0 and variance 1."""
    statistics = network.statistics
    layers = [name.removesuffix("variance") for name in statistics if name.endswith("variance")]
    return ", ".join(
        f"layer {layer.removesuffix('.')}" if layer else "the layer"
        for layer in layers
        if np.all(statistics[f"{layer}variance"] == 1) and not np.any(statistics[f"{layer}mean"])
    )
