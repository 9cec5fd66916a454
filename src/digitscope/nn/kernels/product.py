"""The products of arrays that layers, losses and optimizers share."""

import numpy as np

from digitscope.arrays import Array

INNER = 448
"""Terms that BLAS is given to sum at a time. OpenBLAS on AVX-512 cuts longer sums at places that depend on
how many threads it has, and so rounds them differently; up to this length it does not."""

THIN = 16
"""Rows of `a` up to which the product is done in small pieces."""
SMALL = 800_000
"""Multiplications up to which OpenBLAS takes a product without rearranging its factors in memory first."""


def product(a: Array, b: Array) -> Array:
    """The matrix product a b.

    y[i,j] = sum_k a[i,k] b[k,j]
    da = dy b^T, db = a^T dy

    Long sums are cut into equal pieces of at most INNER terms. Where a has few rows, as a layer of few units has,
    rearranging b would take longer than multiplying by it: b is then taken in pieces of rows as they lie in memory.

    Shapes: a (I, K), b (K, J) -> y (I, J)
    Derivation: docs/notes/12-speed.md#use-it-again
    """
    if a.shape[0] <= THIN and a.shape[0] * b.size > SMALL:
        return _thin_product(a, b, max(1, SMALL * min(b.strides) // (a.shape[0] * max(b.strides))))
    inner = a.shape[1]
    pieces = -(-inner // INNER)
    piece = -(-inner // pieces) if pieces else 0
    y: Array = a[:, :piece] @ b[:piece]
    for k in range(piece, inner, piece or 1):
        y += a[:, k : k + piece] @ b[k : k + piece]
    return y


def _thin_product(a: Array, b: Array, rows: int) -> Array:
    """The product with `rows` columns of b at a time where those are together in memory, else rows of b.

    The pieces are one stack, and so one call: threads that come back from NumPy often wait for each other.
    """
    inner, columns = b.shape
    if b.strides[0] < b.strides[1]:
        y: Array = np.empty_like(b, shape=(a.shape[0], columns), order="C")
        whole = columns // rows * rows
        stack = b[:, :whole].reshape(inner, -1, rows).transpose(1, 0, 2)
        np.matmul(a, stack, out=y[:, :whole].reshape(a.shape[0], -1, rows).transpose(1, 0, 2))
        np.matmul(a, b[:, whole:], out=y[:, whole:])
        return y
    whole = inner // rows * rows
    stack = a[:, :whole].reshape(a.shape[0], -1, rows).transpose(1, 0, 2)
    y = np.matmul(stack, b[:whole].reshape(-1, rows, columns)).sum(axis=0)
    y += a[:, whole:] @ b[whole:]
    return y


def row_sums(rows: Array) -> Array:
    """s[c] = sum_m rows[c,m]; as a product, which is faster than a sum. (C, M) -> (C,)"""
    sums: Array = rows @ np.ones_like(rows, shape=rows.shape[1])
    return sums


def sum_of_squares(x: Array) -> float:
    """sum of x², by NumPy itself: BLAS would round it differently with another number of threads."""
    flat = x.reshape(-1)
    return float(np.einsum("i,i->", flat, flat))
