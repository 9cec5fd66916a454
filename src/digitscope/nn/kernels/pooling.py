"""Max pooling along one axis, then along the other: about half the work of the definition (docs/log.md)."""

from collections.abc import Callable
from functools import reduce

import numpy as np

from digitscope.arrays import Array


def fast_max_pool(x: Array, size: int, stride: int, *, keep_masks: bool) -> tuple[Array, Callable[[Array], Array]]:
    """The same as `digitscope.nn.pooling.max_pool`: the maximum of each column of a window, then of these maxima.

    With `keep_masks`, boolean masks that mark the maxima are stored right away, while x is in the cache, so that x need
    not be kept. Otherwise backward computes them, which saves time if only forward is called.
    """
    high, high_backward = max_along(x, 1, size, stride, keep_masks=keep_masks)
    y, wide_backward = max_along(high, 2, size, stride, keep_masks=keep_masks)
    return y, lambda dy: high_backward(wide_backward(dy))


def max_along(
    x: Array, axis: int, size: int, stride: int, *, keep_masks: bool
) -> tuple[Array, Callable[[Array], Array]]:
    """The maximum of each window of `size` numbers along one axis, and its derivative, dy -> dx."""
    views = window_views(x, axis, size, stride)
    y = reduce(np.maximum, views)
    if not keep_masks:
        return y, lambda dy: max_along(x, axis, size, stride, keep_masks=True)[1](dy)
    masks = [view == y for view in views[:-1]]
    shape, disjoint = x.shape, stride >= size
    covers_input = stride == size > 1 and x.shape[axis] == y.shape[axis] * size

    def backward(dy: Array) -> Array:
        empty_or_zeros = np.empty_like if covers_input else np.zeros_like
        dx = empty_or_zeros(dy, shape=shape, order="C")
        *first, last = window_views(dx, axis, size, stride)
        remaining_dy = dy  # the part of dy that no number has received yet: only a window's first maximum receives it
        for dx_view, is_max in zip(first, masks, strict=True):
            if disjoint:
                np.multiply(remaining_dy, is_max, out=dx_view)
                remaining_dy = np.subtract(remaining_dy, dx_view, out=last if dx_view is first[-1] else None)
            else:
                received = remaining_dy * is_max
                dx_view += received
                remaining_dy = remaining_dy - received
        if remaining_dy is not last:
            last += remaining_dy
        return dx

    return y, backward


def window_views(x: Array, axis: int, size: int, stride: int) -> list[Array]:
    """For each position within a window along `axis`, a view of the numbers at this position in all windows."""
    windows = (x.shape[axis] - size) // stride + 1
    slices = [slice(start, start + stride * windows, stride) for start in range(size)]
    return [x[:, positions] if axis == 1 else x[:, :, positions] for positions in slices]
