"""Devices: the computer's memory, or that of a GPU, where CuPy runs the same code."""

from collections.abc import Callable
from typing import Any

import numpy as np

from digitscope.arguments import check_kind
from digitscope.arrays import Array
from digitscope.errors import TrainingError
from digitscope.nn import Layer

Transfer = Callable[[Array], Array]
"""Moves an array to a device; returns an array unchanged that is already there."""


def to_device(name: str) -> Transfer:
    """The function that moves an array to "cpu" or "cuda"; `network.map_arrays(to_device("cuda"))` moves a network.

    Raises: TrainingError for another name, and for "cuda" without CuPy or without a GPU that it can use.
    """
    check_kind("The device", name, "cpu or cuda", str, error=TrainingError)
    if name not in ("cpu", "cuda"):
        raise TrainingError(f"The device is expected as cpu or cuda; got {name!r}.")
    if name == "cpu":
        return to_cpu
    try:
        import cupy
    except ImportError as error:
        raise TrainingError("The device cuda needs CuPy: pip install 'digitscope[cuda]'.") from error
    try:
        cupy.cuda.Device().use()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        raise TrainingError(f"The device cuda needs a GPU that CuPy can use ({error}). Use cpu.") from error
    transfer: Transfer = cupy.asarray
    return transfer


def to_cpu(array: Array) -> Array:
    """The array itself, or its copy from the GPU."""
    get = getattr(array, "get", None)
    return array if get is None else get()


def device_of(network: Layer) -> str:
    """ "cpu" or "cuda": where the network's arrays are; "cpu" if it has none."""
    return "cpu" if isinstance(_first_array(network), np.ndarray) else "cuda"


def to_device_of(network: Layer) -> Transfer:
    """The function that moves an array to where the network's arrays are."""
    own = _first_array(network)
    if isinstance(own, np.ndarray):
        return to_cpu

    def transfer(array: Any) -> Array:
        return np.asarray(array, like=own) if isinstance(array, np.ndarray) else array

    return transfer


def _first_array(network: Layer) -> Any:
    return next(iter((*network.params.values(), *network.statistics.values())), np.empty(0))
