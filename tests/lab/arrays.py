"""Arrays in the lab's answers."""

import base64
from typing import Any

import numpy as np

from digitscope.arrays import Array


def decoded(array: dict[str, Any]) -> Array:
    numbers = np.frombuffer(base64.b64decode(array["data"]), np.dtype(array["type"]).newbyteorder("<"))
    return numbers.reshape(array["shape"])
