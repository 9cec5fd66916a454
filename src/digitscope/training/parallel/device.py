"""Where arrays live: in the computer's memory, or in a GPU's, where CuPy runs the same code."""

from collections.abc import Callable

from digitscope.arrays import Array
from digitscope.errors import TrainingError

Transfer = Callable[[Array], Array]


def to_device(name: str) -> Transfer:
    """The function that brings an array to "cpu" or "cuda".

    Raises: TrainingError for another name, and for "cuda" without CuPy or without a GPU that it can use.
    """
    if name == "cpu":
        return _to_cpu
    if name != "cuda":
        raise TrainingError(f"The device is cpu or cuda; got {name!r}.")
    try:
        import cupy
    except ImportError as error:
        raise TrainingError("--device cuda needs CuPy: pip install 'digitscope[cuda]'.") from error
    try:
        cupy.cuda.Device().use()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        raise TrainingError(f"--device cuda found no GPU that CuPy can use ({error}). Leave it out.") from error
    transfer: Transfer = cupy.asarray
    return transfer


def _to_cpu(array: Array) -> Array:
    """The array itself, or its copy from the GPU."""
    get = getattr(array, "get", None)
    return array if get is None else get()
