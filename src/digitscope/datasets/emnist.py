"""EMNIST, letters and digits in MNIST's format, but with the rows and columns of each image swapped.

Source: Cohen et al. 2017, "EMNIST: an extension of MNIST to handwritten letters"; the mapping files beside the data.
"""

import re
from dataclasses import replace
from string import ascii_lowercase, ascii_uppercase, digits

from digitscope.datasets.data_set import DataSet

_NAME = re.compile(r"emnist-([a-z]+)-.*", re.IGNORECASE)
_MERGED = digits + ascii_uppercase + "abdefghnqrt"
"""The other small letters look like their capitals."""
_CHARACTERS = {
    "balanced": _MERGED,
    "bymerge": _MERGED,
    "byclass": digits + ascii_uppercase + ascii_lowercase,
    "letters": ascii_uppercase,
}


def as_mnist(file_name: str, data: DataSet) -> DataSet:
    """The data upright, with EMNIST's characters as names of classes, if they come from a file of EMNIST's names.

    EMNIST's files (emnist-letters-train-images-idx3-ubyte.gz, emnist-balanced-train.csv without a header) have columns
    where MNIST has rows, and letters are numbered from 1.
    """
    match = _NAME.fullmatch(file_name)
    if match is None:
        return data
    characters = _CHARACTERS.get(match[1].lower())
    shift = int(characters == ascii_uppercase and data.y_train.min() == 1)
    return replace(
        data,
        x_train=data.x_train.swapaxes(1, 2),
        y_train=data.y_train - shift,
        x_test=None if data.x_test is None else data.x_test.swapaxes(1, 2),
        y_test=None if data.y_test is None else data.y_test - shift,
        class_names=tuple(characters) if characters else None,
    )
