"""Transforms that turn a one-dimensional convolution into products: directly, or with fewer multiplications."""

from functools import cache
from typing import NamedTuple

import numpy as np

from digitscope.arrays import Array

POINTS = (0.0, 1.0, -1.0, 2.0, -2.0, 0.5, -0.5)
"""The points, in addition to infinity, where polynomials are evaluated. Rounding errors grow with the points' powers:
with these eight points the relative error of a float32 output is 6e-7, five times that of the definition."""


class Transforms(NamedTuple):
    """Three matrices with y[j] = sum_v w[v] x[s j + v - p] for y = A^T sum_d (G_d w) * (T_d x), x zero outside the row.

    * multiplies element by element. Only `direct_transforms` uses the sum over d; there, the number of points G is 1.
    """

    input_transform: Array
    """T, (D, G, Q, W): D times G numbers for each of the row's Q tiles."""
    kernel_transform: Array
    """G, (D, G, k)"""
    output_transform: Array
    """A, (G, Q, W'); it is the identity if there is only one point."""


@cache
def choose_transforms(width: int, size: int, stride: int, padding: int, inputs: int, outputs: int) -> Transforms:
    """The transforms with the fewest multiplications, their own included, for rows of so many channels in and out."""
    possible = [direct_transforms(width, size, stride, padding)]
    if stride == 1 and size > 1:
        places = width + 2 * padding - size + 1
        tiles = range(2, min(places, len(POINTS) + 2 - size) + 1)
        possible += [toom_cook(width, size, padding, tile) for tile in tiles]

    def multiplications(transforms: Transforms) -> int:
        T, _, A = transforms
        products = inputs * outputs * size * (T.size // width)
        return products + inputs * T.size + outputs * A.size * (len(A) > 1)

    return min(possible, key=multiplications)


def direct_transforms(width: int, size: int, stride: int, padding: int) -> Transforms:
    """The definition, with k products for each position: T_d copies the d-th number of each window.

    T[d,0,j,w] = 1 where w = s j + d - p
    """
    j, d = np.arange((width + 2 * padding - size) // stride + 1)[:, None], np.arange(size)[:, None, None]
    T = stride * j + d - padding == np.arange(width)
    return Transforms(T[:, None].astype(float), np.eye(size)[:, None], np.eye(len(j))[None])


def toom_cook(width: int, size: int, padding: int, tile: int) -> Transforms:
    """The Toom-Cook algorithm: m + k - 1 products for each tile of m outputs, instead of m k.

    Let u and w be polynomials with m and k coefficients. Their product s has s_i = sum_{a+v=i} u_a w_v. Its values at
    m + k - 1 points determine it, and each value is u's times w's: s = V^-1 ((A u) * (G w)), where the rows of V, A and
    G are the powers of the points. The derivative of sum_i x_i s_i with respect to u_a is sum_v w_v x_{a+v}, which is
    output a of the tile. So y = A^T ((G w) * (V^-T x)).

    Source: Winograd 1980, Arithmetic Complexity of Computations; for convolutional networks Lavin and Gray 2016.
    Derivation: docs/notes/12-speed.md#fewer-multiplications
    """
    places, count = width + 2 * padding - size + 1, tile + size - 1
    A, G, V = (_powers(length, count) for length in (tile, size, count))
    T = np.linalg.inv(V).T
    starts = range(0, places, tile)
    input_transform = np.zeros((1, count, len(starts), places + tile + size))
    output_transform = np.zeros((count, len(starts), places + tile))
    for q, start in enumerate(starts):
        input_transform[0, :, q, start : start + count] = T
        output_transform[:, q, start : start + tile] = A
    return Transforms(input_transform[..., padding : padding + width], G[None], output_transform[..., :places])


def _powers(length: int, count: int) -> Array:
    """The powers 1, p, p² ... of each point p; for infinity only the highest one is 1, the others 0. (count, length)"""
    return np.vstack([np.vander(POINTS[: count - 1], length, increasing=True), np.eye(length)[-1:]])
