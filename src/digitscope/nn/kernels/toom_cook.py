"""How a pattern slides along a row: by the definition, or with fewer products between three small transforms."""

from functools import cache
from typing import NamedTuple

import numpy as np

from digitscope.arrays import Array

POINTS = (0.0, 1.0, -1.0, 2.0, -2.0, 0.5, -0.5)
"""Where polynomials are evaluated, besides infinity. Their powers grow, and with them the rounding errors: with these
eight places an output of float32 is off by 6e-7 of its size, five times as much as by the definition."""


class Filtering(NamedTuple):
    """y[j] = sum_v w[v] x[s j + v - p] as y = A sum_d (G_d w) * (T_d x), * number by number; x is zero outside the row.

    `samples` is T, (D, G, Q, W): G numbers of each of Q pieces of the row, D at a time. `weights` is G, (D, G, k).
    `places` is A^T, (G, Q, W'); it is the identity where G is 1.
    """

    samples: Array
    weights: Array
    places: Array


@cache
def filtering(width: int, size: int, stride: int, padding: int, inputs: int, outputs: int) -> Filtering:
    """The one with the fewest multiplications for rows of so many channels, the transforms' own included."""
    possible = [windows(width, size, stride, padding)]
    if stride == 1 and size > 1:
        places = width + 2 * padding - size + 1
        tiles = range(2, min(places, len(POINTS) + 2 - size) + 1)
        possible += [toom_cook(width, size, padding, tile) for tile in tiles]

    def multiplications(one: Filtering) -> int:
        products = inputs * outputs * size * (one.samples.size // width)
        return products + inputs * one.samples.size + outputs * one.places.size * (len(one.places) > 1)

    return min(possible, key=multiplications)


def windows(width: int, size: int, stride: int, padding: int) -> Filtering:
    """The definition, k products for each place: T_d copies the d-th number of each place's window.

    T[d,0,j,w] = 1 where w = s j + d - p
    """
    j, d = np.arange((width + 2 * padding - size) // stride + 1)[:, None], np.arange(size)[:, None, None]
    samples = stride * j + d - padding == np.arange(width)
    return Filtering(samples[:, None].astype(float), np.eye(size)[:, None], np.eye(len(j))[None])


def toom_cook(width: int, size: int, padding: int, tile: int) -> Filtering:
    """Toom's and Cook's way: m + k - 1 products for each tile of m places, in place of m k.

    A polynomial u of m coefficients and w of k have the product s with s_i = sum_{a+v=i} u_a w_v. It is known by its
    values at m + k - 1 points, and those are u's times w's: s = V^-1 ((A u) * (G w)), where the rows of V, A and G are
    the powers of the points. Now sum_i x_i s_i has the derivative sum_v w_v x_{a+v} with respect to u_a, and this is
    what is wanted at place a: y = A^T ((G w) * (V^-T x)).

    Source: Winograd 1980, Arithmetic Complexity of Computations; for convolutional networks Lavin and Gray 2016.
    Derivation: docs/notes/08-convolution.md#fewer-multiplications
    """
    places, count = width + 2 * padding - size + 1, tile + size - 1
    A, G, V = (_powers(length, count) for length in (tile, size, count))
    T = np.linalg.inv(V).T
    starts = range(0, places, tile)
    samples = np.zeros((1, count, len(starts), places + tile + size))
    out = np.zeros((count, len(starts), places + tile))
    for q, start in enumerate(starts):
        samples[0, :, q, start : start + count] = T
        out[:, q, start : start + tile] = A
    return Filtering(samples[..., padding : padding + width], G[None], out[..., :places])


def _powers(length: int, count: int) -> Array:
    """1, p, p² ... of each point p; of infinity the highest power alone. (count, length)"""
    return np.vstack([np.vander(POINTS[: count - 1], length, increasing=True), np.eye(length)[-1:]])
