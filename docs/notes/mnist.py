"""MNIST, unpacked once for all figures and checks of a process."""

from functools import cache

from digitscope import datasets
from digitscope.arrays import Array


@cache
def load_mnist() -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """As digitscope.datasets.load_mnist; the arrays are shared and read-only."""
    parts = datasets.load_mnist()
    for part in parts:
        for array in part:
            array.flags.writeable = False
    return parts
