"""Weights of one byte each, for the networks that come with Digitscope: a quarter of the size.

A weight array W (out, ...) of a layer is stored as whole numbers Q from -127 to 127, and one scale s for each output k,

    s[k] = max |W[k]| / 127,   Q[k] = round(W[k] / s[k]),   W[k] is close to s[k] Q[k],

with an error of at most s[k] / 2 in each weight. Biases, which are few, stay as they are. The scale is rounded up to
BITS binary digits, so that s[k] Q[k] is exact in float32, and rounding again gives the same numbers.
"""

from collections.abc import Mapping

import numpy as np

from digitscope.arrays import Array

SCALE = ".unit"
"""What the name of an array's scales ends with."""
BITS = 12
"""Of a scale: too few to change the whole number of the largest weight."""


def rounded(arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Arrays of (out, in) or more axes in whole numbers, with their scales; the others as they are."""
    stored: dict[str, Array] = {}
    for name, array in arrays.items():
        if array.ndim < 2 or array[0].size == 1:
            stored[name] = array
            continue
        highest = np.abs(array).reshape(len(array), -1).max(axis=1).astype(np.float64)
        digits, exponent = np.frexp(np.where(highest > 0, highest / 127, 1))
        scale = np.ldexp(np.ceil(np.ldexp(digits, BITS)), exponent - BITS).astype(np.float32)
        stored[name + SCALE] = scale
        stored[name] = np.rint(array / _beside(scale, array)).astype(np.int8)
    return stored


def unrounded(stored: Mapping[str, Array]) -> dict[str, Array]:
    """The arrays as float32, from what `rounded` gave."""
    return {
        name: array.astype(np.float32) * _beside(stored[name + SCALE], array)
        if name + SCALE in stored
        else array.astype(np.float32)
        for name, array in stored.items()
        if not name.endswith(SCALE)
    }


def _beside(scale: Array, array: Array) -> Array:
    return scale.reshape(-1, *[1] * (array.ndim - 1))
