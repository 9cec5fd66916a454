"""Products and sums of arrays that layers, losses and optimizers share."""

import numpy as np

from digitscope.arrays import Array

MAX_SUM_LENGTH = 448
"""Maximum number of terms of a sum in one BLAS call. OpenBLAS on AVX-512 splits longer sums at positions that depend on
its number of threads, and so rounds them differently (docs/log.md)."""
THIN_ROWS = 16
"""Maximum number of rows of `a` for which the product is computed in small pieces."""
SMALL_PRODUCT = 800_000
"""Largest product, in multiplications, that OpenBLAS computes without copying (packing) its factors first."""


def product(a: Array, b: Array) -> Array:
    """The matrix product a b.

    y[i,j] = sum_k a[i,k] b[k,j]
    da = dy b^T, db = a^T dy

    Long sums are split into equal pieces of at most MAX_SUM_LENGTH terms. If a has few rows, as in a layer of few
    units, packing b would take longer than multiplying by it, so b is multiplied in contiguous pieces.

    Shapes: a (I, K), b (K, J) -> y (I, J)
    Derivation: docs/notes/12-speed.md#use-it-again
    """
    if a.shape[0] <= THIN_ROWS and a.shape[0] * b.size > SMALL_PRODUCT:
        return _thin_product(a, b, max(1, SMALL_PRODUCT * min(b.strides) // (a.shape[0] * max(b.strides))))
    inner = a.shape[1]
    pieces = -(-inner // MAX_SUM_LENGTH)
    piece = -(-inner // pieces) if pieces else 0
    y: Array = a[:, :piece] @ b[:piece]
    for k in range(piece, inner, piece or 1):
        y += a[:, k : k + piece] @ b[k : k + piece]
    return y


def _thin_product(a: Array, b: Array, rows: int) -> Array:
    """The product with `rows` columns of b at a time if columns are contiguous in memory, otherwise rows of b.

    The pieces are stacked and multiplied in one call, because each return from NumPy has to reacquire the GIL.
    """
    inner, columns = b.shape
    if b.strides[0] < b.strides[1]:
        y: Array = np.empty_like(b, shape=(a.shape[0], columns), order="C")
        stacked = columns // rows * rows
        stack = b[:, :stacked].reshape(inner, -1, rows).transpose(1, 0, 2)
        np.matmul(a, stack, out=y[:, :stacked].reshape(a.shape[0], -1, rows).transpose(1, 0, 2))
        np.matmul(a, b[:, stacked:], out=y[:, stacked:])
        return y
    stacked = inner // rows * rows
    stack = a[:, :stacked].reshape(a.shape[0], -1, rows).transpose(1, 0, 2)
    y = np.matmul(stack, b[:stacked].reshape(-1, rows, columns)).sum(axis=0)
    y += a[:, stacked:] @ b[stacked:]
    return y


def row_sums(rows: Array) -> Array:
    """s[c] = sum_m rows[c,m], as a matrix product, which is faster than a sum. (C, M) -> (C,)"""
    sums: Array = rows @ np.ones_like(rows, shape=rows.shape[1])
    return sums


def row_dot_products(a: Array, b: Array) -> Array:
    """s[c] = sum_m a[c,m] b[c,m], as matrix products, which are faster than a sum. (C, M), (C, M) -> (C,)"""
    products: Array = (a[:, None, :] @ b[:, :, None])[:, 0, 0]
    return products


def sum_of_squares(x: Array) -> float:
    """The sum of x², without BLAS, which would round it differently with another number of threads."""
    flat = x.reshape(-1)
    return float(np.einsum("i,i->", flat, flat))
