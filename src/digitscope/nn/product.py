"""The matrix product that all layers share."""

import numpy as np

from digitscope.arrays import Array

INNER = 448
"""Terms that BLAS is given to sum at a time. OpenBLAS on AVX-512 cuts longer sums at places that depend on
how many threads it has, and so rounds them differently; up to this length it does not."""


def product(a: Array, b: Array) -> Array:
    """The matrix product a b, its sums cut into equal pieces of at most INNER terms.

    y[i,j] = sum_k a[i,k] b[k,j]
    da = dy b^T, db = a^T dy

    Shapes: a (I, K), b (K, J) -> y (I, J)
    """
    inner = a.shape[1]
    if inner <= INNER:
        return _product(a, b)
    pieces = -(-inner // INNER)
    piece = -(-inner // pieces)
    y = _product(a[:, :piece], b[:piece])
    for k in range(piece, inner, piece):
        y += _product(a[:, k : k + piece], b[k : k + piece])
    return y


def _product(a: Array, b: Array) -> Array:
    # A few units over many images: BLAS then spends its time on turning the images around in memory, and the
    # transposed product, which takes rows as they are, is 1.7 times as fast.
    if 16 * a.shape[0] <= b.shape[1] and b.strides[0] == b.itemsize:
        return np.ascontiguousarray((b.T @ a.T).T)
    y: Array = a @ b
    return y
