"""The layers' formulas in plain NumPy, forward only. `numpy_script` copies those that a network needs into its file.

The batch is the last axis: columns (D, N), feature maps (C, H, W, N). They use nothing else of Digitscope.
"""

import numpy as np

from digitscope.arrays import Array


def dense(x: Array, weight: Array, bias: Array) -> Array:
    """Each output is a weighted sum of all inputs plus a bias: Y = W X + b.  (inputs, N) -> (outputs, N)"""
    return weight @ x + bias


def convolution(
    x: Array, weight: Array, bias: Array | float = 0.0, stride: int = 1, padding: int = 0, dilation: int = 1
) -> Array:
    """Each output channel searches the whole image for one small pattern of weights.

    y[o,i,j,n] = b[o] + the sum over c, u, v of W[o,c,u,v] x[c, i+u, j+v, n]  (C, H, W, N) -> (O, H', W', N)
    With a dilation d, the weights are d pixels apart: d u and d v instead of u and v.
    """
    size = dilation * (weight.shape[2] - 1) + 1
    padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size), axis=(1, 2))
    windows = windows[:, ::stride, ::stride, :, ::dilation, ::dilation]
    y: Array = np.tensordot(weight, windows, axes=((1, 2, 3), (0, 4, 5))) + bias
    return y


def convolution_1d(x: Array, weight: Array, bias: Array | float = 0.0) -> Array:
    """A convolution along a sequence, with zeros at both ends: y[o,t,n] = b[o] + the sum of W[o,c,u] x[c, t+u, n]."""
    edge = weight.shape[2] // 2
    padded = np.pad(x, ((0, 0), (edge, edge), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, weight.shape[2], axis=1)
    y: Array = np.tensordot(weight, windows, axes=((1, 2), (0, 3))) + bias
    return y


def batch_norm(x: Array, scale: Array, shift: Array, mean: Array, variance: Array, eps: float = 1e-5) -> Array:
    """Each channel with mean 0 and variance 1, as measured on the training images, then scaled and shifted."""
    factor = scale / np.sqrt(variance + eps)
    column = (-1, *(x.ndim - 1) * [1])  # one number for each channel, the first axis
    return (x - mean.reshape(column)) * factor.reshape(column) + shift.reshape(column)


def standardize(x: Array, eps: float = 1e-5) -> Array:
    """Each image with mean 0 and variance 1: its brightness and contrast do not matter any more."""
    axes = tuple(range(x.ndim - 1))
    centred = x - x.mean(axis=axes)
    y: Array = centred / np.sqrt((centred * centred).mean(axis=axes) + eps)
    return y


def max_pool(x: Array, size: int, stride: int) -> Array:
    """The maximum of each window of size x size pixels, channel by channel."""
    windows = np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(1, 2))[:, ::stride, ::stride]
    y: Array = windows.max(axis=(4, 5))
    return y


def max_pool_height(x: Array, size: int) -> Array:
    """The maximum of each window of `size` rows, column by column."""
    windows = np.lib.stride_tricks.sliding_window_view(x, size, axis=1)[:, ::size]
    y: Array = windows.max(axis=-1)
    return y


def average_pool(x: Array, size: int, stride: int) -> Array:
    """The mean of each window of size x size pixels, channel by channel."""
    windows = np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(1, 2))[:, ::stride, ::stride]
    y: Array = windows.mean(axis=(4, 5))
    return y


def relu(x: Array) -> Array:
    """Positive numbers stay, negative ones become 0."""
    return np.maximum(x, 0)


def leaky_relu(x: Array, slope: float) -> Array:
    """Positive numbers stay, negative ones become small."""
    return np.where(x > 0, x, slope * x)


def sigmoid(x: Array) -> Array:
    """1 / (1 + e^-x), from 0 to 1; tanh never overflows."""
    return 0.5 * np.tanh(0.5 * x) + 0.5


def space_to_depth(x: Array, size: int) -> Array:
    """Each square of size x size pixels becomes channels of one pixel.  (C, H, W, N) -> (size² C, H', W', N)"""
    squares = x.reshape(len(x), x.shape[1] // size, size, x.shape[2] // size, size, -1)
    return squares.transpose(2, 4, 0, 1, 3, 5).reshape(-1, squares.shape[1], squares.shape[3], x.shape[3])


def depth_to_space(x: Array, size: int) -> Array:
    """Channels become squares of size x size pixels.  (size² C, H, W, N) -> (C, H', W', N)"""
    squares = x.reshape(size, size, -1, *x.shape[1:]).transpose(2, 3, 0, 4, 1, 5)
    return squares.reshape(len(squares), size * x.shape[1], size * x.shape[2], -1)


def split_steps(x: Array, factor: int) -> Array:
    """Each step of a sequence becomes several, between which its channels are divided.  (C, T, N) -> (C', T', N)"""
    parts = x.reshape(factor, -1, *x.shape[1:]).transpose(1, 2, 0, 3)
    return parts.reshape(len(parts), -1, x.shape[2])


def shifted(x: Array, height: int, width: int, down: int, right: int) -> Array:
    """The images, columns of x, shifted by whole pixels; zeros enter at the border."""
    rows, columns = np.arange(height) - down, np.arange(width) - right
    inside = ((rows >= 0) & (rows < height))[:, None] & ((columns >= 0) & (columns < width))
    images = x.reshape(height, width, -1)[np.ix_(rows % height, columns % width)]
    return np.where(inside[:, :, None], images, 0).astype(x.dtype).reshape(x.shape)


def softmax(z: Array) -> Array:
    """Probabilities from logits: e^z, divided by their sum. The largest logit is subtracted, or e^z might overflow."""
    e = np.exp(z - z.max(axis=0))
    p: Array = e / e.sum(axis=0)
    return p


def log_sum_exp(z: Array) -> Array:
    """The evidence that an image belongs to any class: log sum e^z."""
    highest = z.max(axis=0)
    evidence: Array = highest + np.log(np.exp(z - highest).sum(axis=0))
    return evidence


def mean_of_members(logits: list[Array]) -> Array:
    """Logits whose softmax is the mean of the members' probabilities, and whose evidence is the mean of theirs."""
    mean: Array = np.mean([softmax(z) for z in logits], axis=0)
    evidence: Array = np.mean([log_sum_exp(z) for z in logits], axis=0)
    return np.log(mean + np.finfo(np.float32).tiny) + evidence
