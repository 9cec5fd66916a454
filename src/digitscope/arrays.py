"""The type of the arrays that all rooms pass to each other."""

from typing import Any

import numpy.typing as npt

Array = npt.NDArray[Any]
"""An array of numbers; which shape and kind, the docstrings say."""
