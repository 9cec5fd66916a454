"""The network that finds ink: for each pixel of a picture, the probability that writing covers it.

A U-Net (Ronneberger, Fischer and Brox 2015) on three resolutions: 1/2, 1/4 and 1/8 of the picture's, with dilated
convolutions in the last, so that each pixel is judged by about 200 pixels around it: a stroke of writing ends, a ruled
line runs on. The network is fully convolutional and sees colours relative to those around them, so neither the size of
the picture nor its margin changes what it finds. `benchmarks.fit_ink_map` trains it on generated scenes.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from digitscope.arrays import Array
from digitscope.blas_threads import blas_threads
from digitscope.files.rounded_weights import unrounded
from digitscope.nn import Conv2D, DepthToSpace, Network, ReLU, Skip, SpaceToDepth, Upsample2D

INK_NETWORK = Path(__file__).parent / "networks" / "ink.safetensors"
"""The weights that come with Digitscope."""
MULTIPLE = 8
"""The network takes pictures whose sides are multiples of this; `ink_map` pads them."""
WINDOW = 68
"""Side, in pixels, of the window in which colours are normalized."""
_COARSE = 4
"""The window's mean is taken over squares of this side."""
_MIN_DEVIATION = 0.03
"""Added to the standard deviation of the colours around a pixel, so that the noise of empty paper stays small."""
STRIP_PIXELS = 250_000
"""Number of pixels that the network sees at once, without the overlap."""
OVERLAP = 96
"""Rows above and below a strip that are also seen, a multiple of MULTIPLE."""
CHANNELS = (12, 24, 40)
"""Channels at 1/2, 1/4 and 1/8 of the resolution."""


def ink_network(rng: np.random.Generator, channels: tuple[int, int, int] = CHANNELS) -> Network:
    """The network, untrained. (3, H, W, N), as of `local_contrast` -> logits (1, H, W, N)"""
    fine, middle, coarse = channels

    def convolution(inputs: int, outputs: int, size: int = 3, dilation: int = 1) -> Conv2D:
        return Conv2D(inputs, outputs, size, padding=dilation * (size // 2), dilation=dilation, rng=rng)

    at_eighth = [SpaceToDepth(2), convolution(4 * middle, coarse, 1), ReLU()]
    for dilation in (1, 2, 4, 2):
        at_eighth += [convolution(coarse, coarse, dilation=dilation), ReLU()]
    at_quarter = [
        *(SpaceToDepth(2), convolution(4 * fine, middle, 1), ReLU(), convolution(middle, middle), ReLU()),
        Skip(*at_eighth, Upsample2D(2)),
        *(convolution(middle + coarse, middle, 1), ReLU(), convolution(middle, middle), ReLU()),
    ]
    return Network(
        *(SpaceToDepth(2), convolution(12, fine), ReLU()),
        Skip(*at_quarter, Upsample2D(2)),
        *(convolution(fine + middle, fine, 1), ReLU(), convolution(fine, fine), ReLU()),
        *(convolution(fine, 4, 1), DepthToSpace(2)),
    )


def local_contrast(pixels: NDArray[np.uint8]) -> Array:
    """The colours relative to those around: x = (c - m) / (s + _MIN_DEVIATION), c from 0 to 1.

    m is the mean colour in a window around the pixel, and s² the mean squared difference from it over the window and
    the three channels. So neither a shadow nor the strength of the pen changes x much.

    Shapes: (H, W, 3) -> float32 (3, H, W)
    """
    from PIL import Image
    from scipy.ndimage import uniform_filter

    height, width = pixels.shape[:2]
    colours = np.ascontiguousarray(pixels.transpose(2, 0, 1), np.float32) * np.float32(1 / 255)
    rows, columns = -(-height // _COARSE), -(-width // _COARSE)
    padded = np.pad(colours, ((0, 0), (0, rows * _COARSE - height), (0, columns * _COARSE - width)), mode="edge")
    squares = padded.reshape(3, rows, _COARSE, columns, _COARSE)
    size = (0, WINDOW // _COARSE, WINDOW // _COARSE)
    mean = uniform_filter(squares.mean(axis=(2, 4)), size, mode="nearest")
    square = uniform_filter(np.einsum("crusv,crusv->crs", squares, squares) / _COARSE**2, size, mode="nearest")
    deviation = np.sqrt(np.maximum((square - mean**2).mean(axis=0), 0))

    def enlarged(small: Array) -> Array:
        large = Image.fromarray(small).resize((columns * _COARSE, rows * _COARSE), Image.Resampling.BILINEAR)
        return np.asarray(large)[:height, :width]

    scale = 1 / (enlarged(deviation) + np.float32(_MIN_DEVIATION))
    for channel, around in zip(colours, mean, strict=True):
        channel -= enlarged(around)
        channel *= scale
    return colours


def load_ink_network(path: Path, channels: tuple[int, int, int] = CHANNELS) -> Network:
    """The network with the weights that `benchmarks.fit_ink_map` wrote.

    Raises: ModelError if the file cannot be read.
    """
    from digitscope.files.tensors import read_tensors  # only here, because safetensors takes long to load

    arrays, _ = read_tensors(path, "ink map")
    network = ink_network(np.random.default_rng(0), channels)
    network.params = unrounded(arrays)
    return network


def ink_map(pixels: NDArray[np.uint8], network: Network) -> Array:
    """The probability of ink in each pixel. (H, W, 3) -> float32 (H, W)

    Large pictures are cut into strips that overlap, to save memory. BLAS uses one thread: the network's matrices are
    small, and threads that wait for each other take many times as long if another program needs the core.
    """
    x = local_contrast(pixels)
    _, height, width = x.shape
    x = np.pad(x, ((0, 0), (0, -height % MULTIPLE), (0, -width % MULTIPLE)))
    rows = max(MULTIPLE, STRIP_PIXELS // x.shape[2] // MULTIPLE * MULTIPLE)
    strips = []
    for top in range(0, x.shape[1], rows):
        first = max(0, top - OVERLAP)
        with blas_threads(1):
            logits = network(x[:, first : top + rows + OVERLAP, :, None])[0, :, :, 0]
        strips.append(logits[top - first : top - first + rows])
    probability: Array = 1 / (1 + np.exp(-np.concatenate(strips)[:height, :width]))
    return probability


def resized(pixels: NDArray[np.uint8], factor: float) -> NDArray[np.uint8]:
    """The picture, shrunk or enlarged by a factor."""
    from PIL import Image

    height, width = (max(1, round(factor * side)) for side in pixels.shape[:2])
    resampling = Image.Resampling.BOX if factor < 1 else Image.Resampling.BICUBIC
    return np.asarray(Image.fromarray(np.ascontiguousarray(pixels)).resize((width, height), resampling))
